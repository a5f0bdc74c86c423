"""fastnn in Keras's place: names, aliases, older arguments, and what is said of what is not served."""

from __future__ import annotations

import subprocess
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import _keras, callbacks, datasets, layers, losses, metrics, models, ops, optimizers, utils

ROOT = Path(__file__).resolve().parent.parent


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_keras_in_sys_modules_is_fastnn_and_not_a_copy() -> None:
    run("""
import sys
import fastnn, fastnn.layers
spec = fastnn.layers.__spec__
sys.modules["keras"] = fastnn
import keras
import keras.layers as L
from keras import Sequential, backend as K
from keras.layers import Dense, MaxPool2D
from keras.models import Sequential as S, load_model
from keras.optimizers import SGD
from keras.optimizers.schedules import ExponentialDecay
from keras.callbacks import EarlyStopping
from keras.preprocessing.sequence import pad_sequences
from keras.preprocessing import sequence
from keras.utils import np_utils, to_categorical
from keras.utils.np_utils import to_categorical as again
from keras.datasets import mnist
import keras.regularizers, keras.losses, keras.metrics
assert keras is fastnn and L is fastnn.layers and S is Sequential is fastnn.Sequential
assert Dense is fastnn.layers.Dense and ExponentialDecay is fastnn.schedules.ExponentialDecay
assert pad_sequences is fastnn.utils.pad_sequences is sequence.pad_sequences and again is to_categorical
import keras.ops.image, keras.random
from keras.ops import linalg, mean
from keras.random import SeedGenerator
assert mean is fastnn.ops.mean and linalg.solve is fastnn.ops.solve and keras.ops.image is fastnn.ops.image
assert keras.random is fastnn.random and SeedGenerator is fastnn.random.SeedGenerator
assert mnist is fastnn.datasets.mnist and keras.metrics is fastnn.metrics
assert fastnn.layers.__spec__ is spec and fastnn.layers.__name__ == "fastnn.layers"
assert sys.modules["keras.layers"] is sys.modules["fastnn.layers"]
try:
    from keras.layers import TextVectorization
except ImportError as error:
    assert "fastnn.layers does not serve Keras's 'TextVectorization': preprocess arrays" in str(error), error
else:
    raise AssertionError
try:
    import keras.applications
except ImportError as error:
    assert "fastnn does not serve Keras's 'applications'" in str(error), error
else:
    raise AssertionError
try:
    import keras.nothing
except ModuleNotFoundError:
    pass
else:
    raise AssertionError
import json, email.mime.text  # others go on as before
""")


def test_other_modules_are_none_of_our_business() -> None:
    finder = _keras.Finder()
    assert finder.find_spec("numpy.linalg") is None
    assert finder.find_spec("fastnn") is None
    assert finder.find_spec("fastnn.layers") is None
    assert finder.find_spec("keras_tuner.engine") is None


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        (
            callbacks,
            "RemoteMonitor",
            "fastnn.callbacks does not serve Keras's 'RemoteMonitor': fastnn speaks to no server",
        ),
        (utils, "get_file", "does not serve Keras's 'get_file': download files yourself"),
        (fastnn, "applications", "fastnn does not serve Keras's 'applications': this version"),
        (ops, "stft", "does not serve Keras's 'stft': scipy has it"),
        (ops.image, "ssim", "fastnn.ops.image does not serve Keras's 'ssim'"),
        (ops, "reshap", r"Did you mean 'reshape'\?"),
        (fastnn.random, "normel", r"Did you mean 'normal'\?"),
        (datasets, "imdb", "does not serve Keras's 'imdb'"),
        (layers, "Densee", r"has no attribute 'Densee'\. Did you mean 'Dense'\?"),
        (fastnn, "sequential", r"Did you mean 'Sequential'\?"),
        (optimizers, "Adma", r"Did you mean 'Adam'\?"),
        (metrics, "nothing_like_it_at_all", "has no attribute 'nothing_like_it_at_all'$"),
        (models, "__wrapped__", "has no attribute '__wrapped__'$"),
    ],
)
def test_what_is_not_there_says_so(module: Any, name: str, message: str) -> None:
    assert not hasattr(module, name)
    with pytest.raises(AttributeError, match=message):
        getattr(module, name)


def test_what_is_said_not_to_be_served_is_not() -> None:
    for module, reasons in _keras.ABSENT.items():
        home = attrgetter(module)(fastnn) if module else fastnn
        names = " ".join(reasons.values()).split()
        assert len(set(names)) == len(names), module
        served = [name for name in names if hasattr(home, name)]
        assert not served, f"served by now: take them off fastnn/_keras.py: {module}: {served}"


def test_the_table_in_the_documentation() -> None:
    if not (ROOT / "tools").is_dir():
        pytest.skip("needs the source tree")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "make_keras_table.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_aliases() -> None:
    assert layers.MaxPool2D is layers.MaxPooling2D and layers.AvgPool1D is layers.AveragePooling1D
    assert layers.GlobalAvgPool2D is layers.GlobalAveragePooling2D
    assert layers.GlobalMaxPool1D is layers.GlobalMaxPooling1D
    assert layers.Convolution2D is layers.Conv2D
    for name in ("Layer", "Loss", "Metric", "Optimizer", "Initializer", "Regularizer"):
        assert isinstance(getattr(fastnn, name), type)
    assert fastnn.version() == fastnn.__version__
    assert isinstance(losses.deserialize(losses.serialize(losses.Huber())), losses.Huber)
    assert isinstance(metrics.deserialize("acc"), metrics.Accuracy)
    dense = layers.deserialize(layers.serialize(layers.Dense(3, name="d")))
    assert dense.units == 3
    assert optimizers.schedules is fastnn.schedules


STRINGS = {
    metrics: "acc accuracy mse MSE mae mape msle rmse kld cosine_proximity auc AUC precision recall f1_score io_u "
    "top_k_categorical_accuracy sparse_top_k_categorical_accuracy binary_accuracy r2_score hinge poisson",
    losses: "mse MSE mae mape msle kld KLD bce binary_crossentropy categorical_crossentropy hinge squared_hinge huber "
    "sparse_categorical_crossentropy kullback_leibler_divergence mean_squared_error log_cosh poisson",
    optimizers: "adam Adam sgd SGD rmsprop RMSprop adagrad adadelta adamax nadam ftrl adamw lion",
    fastnn.initializers: "glorot_uniform he_normal lecun_normal zeros ones random_normal truncated_normal orthogonal",
    fastnn.regularizers: "l1 l2 l1_l2 L2",
    fastnn.constraints: "max_norm non_neg unit_norm MaxNorm nonneg",
    fastnn.activations: "relu sigmoid tanh softmax linear elu selu gelu swish silu hard_sigmoid exponential softplus",
}


@pytest.mark.parametrize("module", STRINGS, ids=lambda module: module.__name__)
def test_strings(module: Any) -> None:
    arguments = {"IoU", "io_u"}
    for name in STRINGS[module].split():
        if name not in arguments:
            assert module.get(name) is not None


def test_backend_and_config() -> None:
    backend = fastnn.backend
    assert backend.floatx() == "float32" and backend.epsilon() == 1e-7 and backend.backend() == "numpy"
    assert backend.image_data_format() == fastnn.config.image_data_format() == "channels_last"
    backend.set_image_data_format("channels_last")
    with pytest.raises(ValueError, match="Received: 'channels_first'"):
        backend.set_image_data_format("channels_first")
    backend.set_floatx("float64")
    try:
        assert fastnn.config.floatx() == "float64"
    finally:
        backend.set_floatx("float32")
    backend.clear_session()
    assert layers.Dense(1).name == "dense" and layers.Dense(1).name == "dense_1"
    utils.clear_session()
    assert layers.Dense(1).name == "dense"


X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)


def test_older_arguments() -> None:
    model = fastnn.Sequential()
    model.add(layers.Dense(3, input_dim=4, activation="softmax"))
    model.compile(optimizers.SGD(lr=0.1, decay=0.5), "sparse_categorical_crossentropy", metrics=["acc"])
    history = model.fit(X, np.arange(20) % 3, nb_epoch=2, verbose=0, workers=1, use_multiprocessing=False)
    assert history.epoch == [0, 1] and list(history.history) == ["loss", "acc"]
    # two steps were made: 0.1 / (1 + 0.5 * 2)
    assert model.optimizer is not None and model.optimizer.learning_rate == pytest.approx(0.05)
    classes = model.predict_classes(X)
    assert np.array_equal(classes, model.predict_proba(X).argmax(axis=1)) and classes.shape == (20,)
    single = fastnn.Sequential([layers.Dense(1, batch_input_shape=(None, 4), activation="sigmoid")])
    assert np.array_equal(single.predict_classes(X), (single.predict(X, verbose=0) > 0.5).astype(np.int32))
    for call, error, message in (
        (lambda: model.fit(X, X, nb_epoch=2, epochs=3), ValueError, "nb_epoch is epochs"),
        (lambda: model.fit(X, X, workers=4), ValueError, "workers is not served; expected 1. Received: 4"),
        (lambda: model.fit(X, X, epoch=4), TypeError, "Did you mean 'epochs'"),
        (
            lambda: optimizers.Adam(fastnn.schedules.ExponentialDecay(0.1, 10, 0.5), decay=0.1),
            ValueError,
            "a number as",
        ),
    ):
        with pytest.raises(error, match=message):
            call()  # type: ignore[no-untyped-call]
    with pytest.raises(AttributeError, match="fit_generator, of older versions of Keras, is not served: fit takes"):
        model.fit_generator  # noqa: B018
    with pytest.raises(AttributeError, match="'Sequential' object has no attribute 'fitt'"):
        model.fitt  # noqa: B018


def test_models_save_model(tmp_path: Path) -> None:
    model = fastnn.Sequential([layers.Input((4,)), layers.Dense(1)])
    models.save_model(model, tmp_path / "m.fastnn")
    assert np.array_equal(models.load_model(tmp_path / "m.fastnn").predict(X, verbose=0), model.predict(X, verbose=0))
