"""Hyper-parameters by Optuna, which learns from trials where to look, and stops bad ones early; beside random search.

python examples/optuna_search.py [--quick]          (needs optuna: pip install optuna)
"""

import sys

import fastnn as keras
from fastnn import layers
from fastnn.search import LogIntUniform, LogUniform, RandomSearch, TrainAndScore

try:
    import optuna
except ImportError:
    optuna = None

quick = "--quick" in sys.argv
(x, y), _ = keras.datasets.digits.load_data()
x = x.reshape(-1, 64).astype("float32") / 16
fit = {"validation_split": 0.2, "epochs": 3 if quick else 10, "verbose": 0}


def build(lr, units):
    model = keras.Sequential(
        [layers.Input((64,)), layers.Dense(units, activation="relu"), layers.Dense(10, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(lr), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Prune(keras.callbacks.Callback):
    """Tells Optuna how a trial goes, and stops it if Optuna says so."""

    def __init__(self, trial):
        super().__init__()
        self.trial = trial

    def on_epoch_end(self, epoch, logs=None):
        self.trial.report(logs["val_accuracy"], epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def objective(trial):
    keras.utils.set_random_seed(trial.number)
    model = build(trial.suggest_float("lr", 1e-5, 1e-1, log=True), trial.suggest_int("units", 8, 128, log=True))
    return model.fit(x, y, callbacks=[Prune(trial)], **fit).history["val_accuracy"][-1]


space = {"lr": LogUniform(1e-5, 1e-1), "units": LogIntUniform(8, 128)}
result = RandomSearch(TrainAndScore(build, x, y, **fit), space, trials=5 if quick else 20).run(verbose=0)
print(result.summary(3))
reached, wanted = result.best.score, 0.7

if optuna is None:
    print("optuna is not installed: its half of this example is skipped")
else:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=5 if quick else 20)
    print(f"Optuna: {study.best_value:.3f} with {study.best_params}")
