"""Ensembles: members by seeds, bags and snapshots; combined by hand-computed means and votes; processes; files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import layers
from fastnn.ensembles import Ensemble, EnsembleClassifier, EnsembleRegressor, combining, load_ensemble, members

METHODS = ("seeds", "bagging", "snapshots")


def data(n: int = 200) -> tuple[Any, Any]:
    (x, y), _ = fastnn.datasets.digits.load_data()
    return (x[:n].reshape(n, 64) / 16).astype("float32"), y[:n]


def build() -> fastnn.Model:
    model = fastnn.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(fastnn.optimizers.SGD(0.2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def two_outputs() -> fastnn.Model:
    x = layers.Input((64,))
    model = fastnn.Model(x, {"digit": layers.Dense(10, name="digit")(x), "odd": layers.Dense(1, name="odd")(x)})
    losses = fastnn.losses
    model.compile(
        "sgd",
        {
            "digit": losses.SparseCategoricalCrossentropy(from_logits=True),
            "odd": losses.BinaryCrossentropy(from_logits=True),
        },
        metrics={"digit": ["accuracy"]},
    )
    return model


def fitted(method: str = "seeds", count: int = 3, **options: Any) -> Ensemble:
    ensemble = Ensemble(build, count, method, seed=7)
    ensemble.fit(*data(), epochs=6, verbose=0, **options)
    return ensemble


# ------------------------------------------------------------------------------------------------------------ combining


def test_mean_and_votes_by_hand() -> None:
    outputs = [np.array([[0.6, 0.4, 0.0], [0.2, 0.3, 0.5]]), np.array([[0.1, 0.9, 0.0], [0.5, 0.3, 0.2]]),
               np.array([[0.5, 0.2, 0.3], [0.3, 0.3, 0.4]])]  # fmt: skip
    np.testing.assert_allclose(combining.combined(outputs, "mean"), [[0.4, 0.5, 0.1], [1 / 3, 0.3, 1.1 / 3]])
    np.testing.assert_allclose(combining.combined(outputs, "vote"), [[2 / 3, 1 / 3, 0], [1 / 3, 0, 2 / 3]])
    assert combining.classes(combining.combined(outputs, "mean")).tolist() == [1, 2]
    assert combining.classes(combining.combined(outputs, "vote")).tolist() == [0, 2]
    columns = [np.array([[0.4], [0.9]], np.float32), np.array([[0.7], [0.6]], np.float32)]
    assert combining.combined(columns, "vote").tolist() == [[0.5], [1.0]]
    assert combining.combined(columns, "vote").dtype == np.float32
    assert combining.classes(combining.combined(columns, "mean")).tolist() == [1, 1]
    assert np.isnan(combining.votes(np.array([[np.nan, 1.0]]))).all()


# ------------------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("method", METHODS)
def test_members_differ_and_repeat_themselves(method: str) -> None:
    first, second = fitted(method), fitted(method)
    weights = [[model.get_weights()[0] for model in each.members] for each in (first, second)]
    for a, b in zip(*weights):
        np.testing.assert_array_equal(a, b)
    assert not any(np.array_equal(weights[0][i], weights[0][j]) for i in range(3) for j in range(i))
    assert [len(history["loss"]) for history in first.histories] == [2 if method == "snapshots" else 6] * 3


def test_a_member_is_what_its_seed_gives() -> None:
    ensemble = fitted()
    fastnn.utils.set_random_seed(members.seed_of(7, 1))
    model = build()
    model.fit(*data(), epochs=6, verbose=0)
    for a, b in zip(model.get_weights(), ensemble.members[1].get_weights()):
        np.testing.assert_array_equal(a, b)


def test_bagging_draws_with_replacement() -> None:
    """A member saw about 1 - 1/e of the samples, each with its own target and weight."""
    x = np.arange(1000.0)[:, None]
    seen: list[Any] = []

    class Spy(fastnn.Sequential):
        def fit(self, x: Any, y: Any, **options: Any) -> Any:
            seen.append((x, y, options["sample_weight"]))
            return super().fit(x, y, **options)

    def spied() -> fastnn.Model:
        model = Spy([layers.Input((1,)), layers.Dense(1)])
        model.compile(fastnn.optimizers.SGD(0.0), "mse")
        return model

    Ensemble(spied, 2, "bagging", seed=1).fit(x, 2 * x, sample_weight=x[:, 0] + 1, verbose=0)
    for x_seen, y_seen, weights in seen:
        assert len(x_seen) == 1000 and (y_seen == 2 * x_seen).all() and (weights == x_seen[:, 0] + 1).all()
        assert 0.58 < len(np.unique(x_seen)) / 1000 < 0.68
    assert not np.array_equal(seen[0][0], seen[1][0])
    with pytest.raises(ValueError, match="validation_data"):
        Ensemble(build, 2, "bagging").fit(*data(), validation_split=0.1)


def test_snapshots_are_taken_where_the_rate_is_lowest() -> None:
    """The rate falls from 0.2 along half a cosine in each cycle; the last snapshot is the model that was trained."""
    rates: list[float] = []

    class Watch(fastnn.callbacks.Callback):
        def __deepcopy__(self, memo: Any) -> Any:
            return self

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            rates.append(self.model.optimizer.learning_rate)

    ensemble = fitted("snapshots", 2, callbacks=[Watch()])
    steps = 7  # of 32 samples, in an epoch
    expected = [0.1 * (1 + np.cos(np.pi * i / (3 * steps))) for i in range(3 * steps)] * 2
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    accuracies = [model.evaluate(*data(), verbose=0)[1] for model in ensemble.members]
    assert ensemble.histories[1]["loss"][-1] < ensemble.histories[0]["loss"][-1]
    assert min(accuracies) > 0.6
    for model in ensemble.members:  # can be trained further
        assert model.optimizer is not None and not callable(model.optimizer._learning_rate)
        assert model.optimizer.learning_rate == pytest.approx(0.2)
    with pytest.raises(ValueError, match="multiple of the members"):
        Ensemble(build, 4, "snapshots").fit(*data(), epochs=6)

    def scheduled() -> fastnn.Model:
        model = build()
        model.optimizer.learning_rate = fastnn.schedules.ExponentialDecay(0.1, 10, 0.9)  # type: ignore[union-attr]
        return model

    with pytest.raises(ValueError, match="schedule"):
        Ensemble(scheduled, 2, "snapshots").fit(*data(), epochs=2)


@pytest.mark.parametrize("method", ["seeds", "bagging"])
def test_processes_change_nothing(method: str) -> None:
    pytest.importorskip("joblib")
    alone, beside = fitted(method), fitted(method, n_jobs=2)
    x, _ = data()
    np.testing.assert_array_equal(alone.predict(x), beside.predict(x))
    assert alone.histories == beside.histories


def test_callbacks_are_each_members_own() -> None:
    stopping = fastnn.callbacks.EarlyStopping("loss", patience=0, min_delta=10.0)
    ensemble = fitted(callbacks=[stopping])
    assert [len(history["loss"]) for history in ensemble.histories] == [2, 2, 2]
    assert stopping.best is None


def test_history_is_the_mean(capsys: pytest.CaptureFixture[str]) -> None:
    ensemble = Ensemble(build, 2, seed=0)
    history = ensemble.fit(*data(), epochs=3, verbose=2)
    expected = np.mean([each["loss"] for each in ensemble.histories], 0)
    np.testing.assert_allclose(history.history["loss"], expected)
    assert history.epoch == [0, 1, 2]
    assert capsys.readouterr().out.startswith("Members - ")


class StopAfter(fastnn.callbacks.Callback):
    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = epoch == self.epoch


def test_snapshots_of_a_training_that_stops(tmp_path: Path) -> None:
    """The finished cycles are members; without one there is nothing to keep."""
    whole = fitted("snapshots")
    with pytest.warns(UserWarning, match="stopped after 5 of 6 epochs, so that there are 2 members instead of 3"):
        ensemble = fitted("snapshots", callbacks=[StopAfter(4)])
    assert ensemble.histories == whole.histories[:2]
    for model, expected in zip(ensemble.members, whole.members):
        np.testing.assert_array_equal(model.get_weights()[0], expected.get_weights()[0])
    ensemble.save(tmp_path / "two.ensemble")
    assert len(load_ensemble(tmp_path / "two.ensemble").members) == 2
    with pytest.raises(ValueError, match="before the end of the first cycle"):
        fitted("snapshots", callbacks=[StopAfter(0)])


def test_cycles_begin_with_the_first_epoch() -> None:
    with pytest.raises(ValueError, match="initial_epoch must be 0"):
        fitted("snapshots", initial_epoch=3)


def test_histories_of_snapshots_with_rare_validation() -> None:
    ensemble = fitted("snapshots", 2, validation_data=data(50), validation_freq=2)
    assert [len(each["val_loss"]) for each in ensemble.histories] == [1, 2]


# ----------------------------------------------------------------------------------------------------------- prediction


def test_predict_and_evaluate() -> None:
    ensemble, (x, y) = fitted(), data()
    mean = np.mean([model.predict(x, verbose=0).astype(float) for model in ensemble.members], 0)
    np.testing.assert_allclose(ensemble.predict(x), mean, rtol=1e-6)
    np.testing.assert_array_equal(ensemble(x), ensemble.predict(x))
    np.testing.assert_array_equal(ensemble.predict_classes(x), mean.argmax(1))
    expected = {"loss": -np.log(mean[np.arange(len(y)), y]).mean(), "accuracy": (mean.argmax(1) == y).mean()}
    found = ensemble.evaluate(x, y, return_dict=True)
    assert found == {name: pytest.approx(value, rel=1e-5) for name, value in expected.items()}
    assert ensemble.evaluate(x, y) == list(found.values())
    weight = np.r_[np.ones(50), np.zeros(150)]
    assert ensemble.evaluate(x, y, sample_weight=weight)[0] == pytest.approx(
        -np.log(mean[np.arange(50), y[:50]]).sum() / 200, rel=1e-5
    )
    ensemble.combine = "vote"
    shares = ensemble.predict(x)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
    assert set(np.unique(np.round(shares * 3).astype(int))) <= {0, 1, 2, 3}


def test_logits_and_several_outputs() -> None:
    x, y = data()
    targets = {"digit": y, "odd": (y % 2).astype("float32")}
    ensemble = Ensemble(two_outputs, 2, from_logits=True, seed=0)
    ensemble.fit(x, targets, epochs=2, verbose=0)
    raw = [model.predict(x, verbose=0) for model in ensemble.members]
    softmax = [np.exp(r["digit"]) / np.exp(r["digit"]).sum(1, keepdims=True) for r in raw]
    sigmoid = [1 / (1 + np.exp(-r["odd"])) for r in raw]
    found = ensemble.predict(x)
    np.testing.assert_allclose(found["digit"], np.mean(softmax, 0), rtol=1e-5)
    np.testing.assert_allclose(found["odd"], np.mean(sigmoid, 0), rtol=1e-5)
    digit = -np.log(np.mean(softmax, 0)[np.arange(len(y)), y]).mean()
    p = np.mean(sigmoid, 0)[:, 0]
    odd = -np.where(y % 2, np.log(p), np.log(1 - p)).mean()
    logs = ensemble.evaluate(x, targets, return_dict=True)
    assert logs["digit_loss"] == pytest.approx(digit, rel=1e-5)
    assert logs["odd_loss"] == pytest.approx(odd, rel=1e-5)
    assert logs["digit_accuracy"] == (found["digit"].argmax(1) == y).mean()


def one_model(columns: int, loss: Any, metrics: Any, activation: str | None = None) -> fastnn.Model:
    model = fastnn.Sequential([layers.Input((64,)), layers.Dense(columns, activation=activation)])
    model.compile("sgd", loss, metrics=metrics)
    model.set_weights([20 * weight for weight in model.get_weights()])  # very sure, often wrongly
    return model


def logit_models() -> list[tuple[Any, Any, Any]]:
    """How to build one whose loss and metrics are for logits, its targets, and the probabilities of its logits."""
    (_, y), losses, metrics = data(), fastnn.losses, fastnn.metrics

    def softmax(z: Any) -> Any:
        e = np.exp(z.astype(float) - z.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def sigmoid(z: Any) -> Any:
        return 1 / (1 + np.exp(-z.astype(float)))

    sparse = losses.SparseCategoricalCrossentropy(from_logits=True)
    binary = losses.BinaryCrossentropy(from_logits=True)
    labels = np.stack([y % 2, y > 4, y < 7], 1).astype("float32")
    ce, bce = metrics.SparseCategoricalCrossentropy, metrics.BinaryCrossentropy
    return [
        (lambda: one_model(10, sparse, ["accuracy", ce(from_logits=True, name="ce")]), y, softmax),
        (lambda: one_model(1, binary, [metrics.BinaryAccuracy(threshold=0.0), bce(from_logits=True, name="ce"),
                                       metrics.Precision(thresholds=0.0)]), labels[:, :1], sigmoid),
        (lambda: one_model(3, binary, [bce(from_logits=True, name="ce")]), labels, sigmoid),
    ]  # fmt: skip


@pytest.mark.parametrize("case", range(3))
def test_metrics_for_logits_are_given_logits(case: int) -> None:
    """One member is judged as by itself; several are judged by the cross-entropy of their mean probabilities."""
    make, y, probabilities = logit_models()[case]
    first, second, x = make(), make(), data()[0]
    alone = Ensemble.of([first], from_logits=True).evaluate(x, y, return_dict=True)
    assert alone == pytest.approx(first.evaluate(x, y, verbose=0, return_dict=True), rel=1e-5)
    together = Ensemble.of([first, second], from_logits=True)
    p = np.mean([probabilities(each.predict(x, verbose=0)) for each in (first, second)], 0)
    np.testing.assert_allclose(together.predict(x), p, atol=1e-6)
    right = p[np.arange(len(y)), y] if y.ndim == 1 else np.where(y > 0, p, 1 - p)
    logs = together.evaluate(x, y, return_dict=True)
    assert logs["ce"] == pytest.approx(-np.log(right).mean(), rel=1e-4)
    assert logs["loss"] == pytest.approx(logs["ce"], rel=1e-5)
    together.combine = "vote"
    logs = together.evaluate(x, y, return_dict=True)
    assert np.isfinite(list(logs.values())).all() and logs["ce"] > 0


def test_votes_of_labels_are_columns() -> None:
    make, y, _ = logit_models()[2]
    models, x = [make() for _ in range(2)], data()[0]
    ensemble = Ensemble.of(models, "vote", from_logits=True)
    expected = np.mean([model.predict(x, verbose=0) > 0 for model in models], 0)
    np.testing.assert_array_equal(ensemble.predict(x), expected)
    wrong = np.abs(expected - y).mean()
    assert wrong > 0 and ensemble.evaluate(x, y, return_dict=True)["loss"] > 0


def classes_and_values() -> fastnn.Model:
    x = layers.Input((64,))
    model = fastnn.Model(x, {"digit": layers.Dense(10, name="digit")(x), "size": layers.Dense(3, name="size")(x)})
    digit = fastnn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", {"digit": digit, "size": "mse"}, metrics={"size": ["mae"]})
    return model


@pytest.mark.parametrize("combine", ["mean", "vote"])
def test_values_are_averaged(combine: str) -> None:
    models, (x, y) = [classes_and_values() for _ in range(3)], data()
    ensemble = Ensemble.of(models, combine, from_logits=True)
    raw = [model.predict(x, verbose=0) for model in models]
    mean = np.mean([each["size"] for each in raw], 0)
    found = ensemble.predict(x)
    np.testing.assert_allclose(found["size"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ensemble.predict_members(x)[1]["size"], raw[1]["size"])
    if combine == "vote":
        shares = np.mean([np.eye(10)[each["digit"].argmax(1)] for each in raw], 0)
        np.testing.assert_allclose(found["digit"], shares, rtol=1e-6)
    target = np.ones((len(x), 3), "float32")
    logs = ensemble.evaluate(x, {"digit": y, "size": target}, return_dict=True)
    assert logs["size_mae"] == pytest.approx(np.abs(mean - 1).mean(), rel=1e-5)


@pytest.mark.parametrize("method", ["seeds", "snapshots"])
@pytest.mark.parametrize("change", [{"combine": "vote"}, {"from_logits": True}])
def test_votes_need_classes(change: dict[str, Any], method: str) -> None:
    x, y = np.zeros((8, 3)), np.zeros((8, 1))
    with pytest.raises(ValueError, match="loss for classes"):
        Ensemble(regression, 2, method, **change).fit(x, y, epochs=2, verbose=0)
    with pytest.raises(ValueError, match="loss for classes"):
        Ensemble.of([regression()], **change).predict(x)


def test_of_models() -> None:
    first, second, (x, _) = build(), build(), data()
    ensemble = Ensemble.of([first, second])
    np.testing.assert_allclose(ensemble.predict(x), (first.predict(x) + second.predict(x)) / 2, rtol=1e-6)
    with pytest.raises(ValueError, match="build=None"):
        ensemble.fit(*data())
    with pytest.raises(ValueError, match="same shapes"):
        Ensemble.of([first, fastnn.Sequential([layers.Input((3,)), layers.Dense(1)])])
    with pytest.raises(ValueError, match="at least one"):
        Ensemble.of([])


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Ensemble(build, method="baging"), "Did you mean 'bagging'"),
        (lambda: Ensemble(build, combine="votes"), "Did you mean 'vote'"),
        (lambda: Ensemble(build, 0), "members"),
        (lambda: Ensemble(build, seed=-1), "seed"),
        (lambda: Ensemble(build).predict(np.zeros((1, 64))), "call fit first"),
        (lambda: Ensemble(build).save("x.ensemble"), "call fit first"),
        (lambda: Ensemble(lambda: 3, 2).fit(*data()), "compiled model"),  # type: ignore[arg-type,return-value]
    ],
)  # fmt: skip
def test_wrong_use(make: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error) as raised:
        make()
    assert "Received: " in str(raised.value)
    with pytest.raises(TypeError, match="arrays"):
        Ensemble(build).fit(iter([data()]))


# ---------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("method", METHODS)
def test_files(method: str, tmp_path: Path) -> None:
    ensemble, (x, y) = fitted(method), data()
    ensemble.combine = "vote"
    path = tmp_path / "digits.ensemble"
    ensemble.save(path)
    again = load_ensemble(path)
    np.testing.assert_array_equal(again.predict(x), ensemble.predict(x))
    assert again.evaluate(x, y) == ensemble.evaluate(x, y)
    assert (again.method, again.combine, again.seed) == (method, "vote", 7)
    assert again.histories == ensemble.histories
    with pytest.raises(FileExistsError, match="overwrite"):
        ensemble.save(path, overwrite=False)
    with pytest.raises(ValueError, match=r"'\.ensemble'"):
        ensemble.save(tmp_path / "digits.fastnn")


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "digits.ensemble"
    fitted().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"digits\.ensemble: .*Received"):
        load_ensemble(path)
    for change in ({"members": 2}, {"format": 9}, {"members": 0}, {"combine": "sum"}):
        path.write_bytes(whole)
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        parts["ensemble.json"] = json.dumps({**json.loads(parts["ensemble.json"]), **change}).encode()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        with pytest.raises(ValueError, match="Received"):
            load_ensemble(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_ensemble(tmp_path / "missing.ensemble")


# -------------------------------------------------------------------------------------------- scikit-learn's estimators


def regression() -> fastnn.Model:
    model = fastnn.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile(fastnn.optimizers.SGD(0.1), "mse")
    return model


def test_classifier() -> None:
    x, y = data()
    names = np.array([f"digit {label}" for label in range(10)])
    classifier = EnsembleClassifier(build, n_estimators=2, random_state=3, epochs=8)
    assert classifier.fit(x, names[y]) is classifier
    ensemble = Ensemble(build, 2, seed=3)
    ensemble.fit(x, y, epochs=8, verbose=0)
    np.testing.assert_array_equal(classifier.predict_proba(x), ensemble.predict(x))
    np.testing.assert_array_equal(classifier.predict(x), names[ensemble.predict_classes(x)])
    assert classifier.score(x, names[y]) == ensemble.evaluate(x, y)[1]
    assert classifier.set_params(voting="hard").get_params()["voting"] == "hard"
    assert classifier.fit(x, y).ensemble_.combine == "vote"
    for call in (lambda: classifier.set_params(votes=1), lambda: classifier.set_params(voting="loud").fit(x, y),
                 lambda: EnsembleClassifier(build).predict(x)):  # fmt: skip
        with pytest.raises(ValueError, match="Received: "):
            call()


def test_two_classes_from_one_column() -> None:
    def one_column() -> fastnn.Model:
        model = fastnn.Sequential([layers.Input((64,)), layers.Dense(1, activation="sigmoid")])
        model.compile(fastnn.optimizers.SGD(0.5), "binary_crossentropy")
        return model

    x, y = data()
    labels = np.where(y % 2, "odd", "even")
    classifier = EnsembleClassifier(one_column, 2, epochs=10, random_state=0).fit(x, labels)
    probabilities = classifier.predict_proba(x)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
    assert classifier.classes_.tolist() == ["even", "odd"] and classifier.score(x, labels) > 0.8


@pytest.mark.parametrize(
    ("columns", "classes", "shaped"),
    [(1, 3, True), (1, 1, True), (3, 2, True), (10, 3, True), (2, 3, True), (1, 3, False), (3, 2, False)],
)
def test_columns_must_fit_the_classes(columns: int, classes: int, shaped: bool) -> None:
    def make() -> fastnn.Model:
        first = [layers.Input((64,))] if shaped else []
        model = fastnn.Sequential([*first, layers.Dense(columns, activation="sigmoid")])
        model.compile("sgd", "binary_crossentropy" if columns == 1 else "sparse_categorical_crossentropy")
        return model

    x, y = data(60)
    with pytest.raises(ValueError, match=f"Received: {columns} outputs for {classes} classes"):
        EnsembleClassifier(make, 2, epochs=1).fit(x, y % classes)


def test_regressor() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    y = x @ [1.0, -2.0, 0.5] + 3
    regressor = EnsembleRegressor(regression, 2, epochs=20, random_state=0).fit(x, y)
    assert regressor.predict(x).shape == (200,)
    np.testing.assert_allclose(regressor.predict(x), y, atol=1e-3)
    left, total = ((y - regressor.predict(x)) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    assert regressor.score(x, y) == pytest.approx(1 - left / total)
    assert regressor.fit(x, y[:, None]).predict(x).shape == (200, 1)
