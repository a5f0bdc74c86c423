"""model.diagnose: networks that are broken on purpose, and healthy ones, of which it must have nothing to say."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Model, Sequential, datasets, initializers, losses, optimizers
from fastnn.layers import (
    LSTM,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    MaxPooling2D,
    SimpleRNN,
)
from fastnn.models.diagnosis import KINDS


def blobs(seed=0, n=400, classes=3, features=6):
    """Normal clouds that a small network tells apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = rng.normal(size=(classes, features)) * 2
    return (centres[labels] + rng.normal(size=(n, features))).astype(np.float32) / 2, labels


def waves(seed=0, n=400):
    """A smooth function of four numbers."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    return x, np.sin(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:3]


def digits(n=600):
    (x, y), _ = datasets.digits.load_data()
    return x[:n].astype(np.float32).reshape(n, -1) / max(1.0, float(x.max())), y[:n]


def steps_of_time(seed=0, n=300):
    """Whether the sum of a sequence is positive."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 8, 3)).astype(np.float32)
    return x, (x[:, :, 0].sum(axis=1) > 0).astype(np.int64)


def stack(shape, *layers, seed=0, optimizer="adam", loss="sparse_categorical_crossentropy"):
    fastnn.utils.set_random_seed(seed)
    model = Sequential([Input(shape), *(layer() for layer in layers)])
    model.compile(optimizer, loss)
    return model


def mlp(activation, units=3, width=32, **options):
    hidden = [lambda: Dense(width, activation)] * 2
    return stack((6,), *hidden, lambda: Dense(units, "softmax"), **options)


# ------------------------------------------------------------------------------------------------------------ healthy


def regression(seed, optimizer="adam"):
    model = stack((4,), lambda: Dense(32, "relu"), lambda: Dense(1), seed=seed, optimizer=optimizer, loss="mse")
    return (model, *waves(seed))


def image(seed):
    x, y = digits()
    layers = (
        lambda: Conv2D(8, 3, activation="relu"), MaxPooling2D, Flatten, lambda: Dense(32, "relu"),
        lambda: Dense(10, "softmax"),
    )  # fmt: skip
    side = int(np.sqrt(x.shape[1]))
    return stack((side, side, 1), *layers, seed=seed), x.reshape(-1, side, side, 1), y


def plain_digits(seed, activation="relu", optimizer="adam"):
    x, y = digits()
    layers = (lambda: Dense(64, activation), lambda: Dense(10, "softmax"))
    return stack((x.shape[1],), *layers, seed=seed, optimizer=optimizer), x, y


def normalised(seed):
    layers = (lambda: Dense(32), BatchNormalization, lambda: Dense(32, "relu"), lambda: Dropout(0.3), lambda: Dense(3))
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    return (stack((6,), *layers, seed=seed, loss=loss), *blobs(seed))


def recurrent(seed):
    model = stack((8, 3), lambda: LSTM(16), lambda: Dense(1, "sigmoid"), seed=seed, loss="binary_crossentropy")
    return (model, *steps_of_time(seed))


def embedded(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 50, size=(400, 5))
    layers = (lambda: Embedding(50, 8), Flatten, lambda: Dense(16, "relu"), lambda: Dense(1, "sigmoid"))
    return stack((5,), *layers, seed=seed, loss="binary_crossentropy"), x, (x[:, 0] > 25).astype(np.int64)


def functional(seed):
    fastnn.utils.set_random_seed(seed)
    a, b = Input((6,)), Input((6,))
    joined = Concatenate()([Dense(16, "relu")(a), Dense(16, "tanh")(b)])
    model = Model([a, b], [Dense(3, "softmax", name="kind")(joined), Dense(1, name="size")(joined)])
    model.compile("adam", {"kind": "sparse_categorical_crossentropy", "size": "mse"})
    x, y = blobs(seed)
    return model, [x, x[:, ::-1].copy()], {"kind": y, "size": x[:, :1]}


def logistic(seed):
    model = stack((6,), lambda: Dense(3, "softmax", kernel_initializer="zeros"), seed=seed, optimizer="sgd")
    return (model, *blobs(seed))


def weakly_related(n):
    """A small set with much noise: a linear fit knows of the relation, nearest neighbours in 20 dimensions may not."""

    def make(seed):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n, 20)).astype(np.float32)
        y = (0.7 * x[:, 0] + rng.normal(size=n) > 0).astype(np.int64)
        return stack((20,), lambda: Dense(32, "relu"), lambda: Dense(2, "softmax"), seed=seed), x, y

    return make


def few(n):
    def make(seed):
        x, y = digits()
        return plain_digits(seed)[0], x[:n], y[:n]

    return make


HEALTHY = {
    "200 noisy samples": weakly_related(200),
    "500 noisy samples": weakly_related(500),
    "one sample": few(1),
    "four samples": few(4),
    "digits, sgd 0.01": lambda seed: plain_digits(seed, optimizer=optimizers.SGD(0.01)),
    "digits, sigmoid": lambda seed: plain_digits(seed, "sigmoid"),
    "swish": lambda seed: (mlp("swish", seed=seed), *blobs(seed)),
    "elu": lambda seed: (mlp("elu", seed=seed), *blobs(seed)),
    "relu": lambda seed: (mlp("relu", seed=seed), *blobs(seed)),
    "tanh": lambda seed: (mlp("tanh", seed=seed), *blobs(seed)),
    "sigmoid": lambda seed: (mlp("sigmoid", seed=seed, optimizer=optimizers.Adam(0.01)), *blobs(seed)),
    "gelu": lambda seed: (mlp("gelu", seed=seed), *blobs(seed)),
    "sgd": lambda seed: (mlp("relu", seed=seed, optimizer=optimizers.SGD(0.1)), *blobs(seed)),
    "momentum": lambda seed: (mlp("relu", seed=seed, optimizer=optimizers.SGD(0.01, momentum=0.9)), *blobs(seed)),
    "rmsprop": lambda seed: (mlp("relu", seed=seed, optimizer="rmsprop"), *blobs(seed)),
    "wide": lambda seed: (mlp("relu", width=256, seed=seed), *blobs(seed)),
    "lbfgs": lambda seed: (mlp("tanh", seed=seed, optimizer="lbfgs"), *blobs(seed)),
    "digits, relu": plain_digits,
    "digits, tanh": lambda seed: plain_digits(seed, "tanh"),
    "digits, sgd": lambda seed: plain_digits(seed, optimizer=optimizers.SGD(0.1)),
    "regression": regression,
    "convolution": image,
    "batch normalisation": normalised,
    "recurrent": recurrent,
    "embedding": embedded,
    "functional": functional,
    "logistic regression from zeros": logistic,
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", HEALTHY)
def test_no_false_alarm(name, seed):
    model, x, y = HEALTHY[name](seed)
    diagnosis = model.diagnose(x, y)
    assert not diagnosis.findings, str(diagnosis)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "regression", "recurrent", "batch normalisation", "convolution"])
def test_no_false_alarm_after_training(name):
    model, x, y = HEALTHY[name](0)
    model.fit(x, y, epochs=40, verbose=0)
    diagnosis = model.diagnose(x, y)
    assert not diagnosis.findings, str(diagnosis)


# -------------------------------------------------------------------------------------------------- broken on purpose


def deep(activation, kernel, layers=8, **options):
    hidden = [lambda: Dense(50, activation, kernel_initializer=kernel)] * layers
    return stack((6,), *hidden, lambda: Dense(3, "softmax"), **options)


def unscaled():
    x, y = digits()
    layers = (lambda: Dense(32, "relu"), lambda: Dense(10, "softmax"))
    return stack((x.shape[1],), *layers), x * 255, y


def one_wide_feature():
    x, y = blobs()
    x[:, 0] *= 1000
    return mlp("relu"), x, y


def years():
    x, y = blobs()
    return mlp("relu"), x * 0.1 + 5, y


def prices():
    x, y = waves()
    return stack((4,), lambda: Dense(32, "relu"), lambda: Dense(1), loss="mse"), x, 1e5 * y + 3e5


def one_based():
    x, y = blobs()
    return mlp("relu"), x, y + 1


def minus_one():
    x, y = blobs(classes=2)
    return stack((6,), lambda: Dense(1, "sigmoid"), loss="binary_crossentropy"), x, 2.0 * y - 1


def two_hot():
    x, y = blobs()
    return stack((6,), lambda: Dense(3, "softmax"), loss="categorical_crossentropy"), x, np.eye(3)[y] + np.eye(3)[0]


def twice_softmax():
    return mlp("relu", loss=losses.SparseCategoricalCrossentropy(from_logits=True))


def linear_output():
    return stack((6,), lambda: Dense(16, "relu"), lambda: Dense(3))


def one_softmax():
    x, y = blobs(classes=2)
    return stack((6,), lambda: Dense(8, "relu"), lambda: Dense(1, "softmax"), loss="binary_crossentropy"), x, y


def sigmoid_regression():
    x, y = waves()
    return stack((4,), lambda: Dense(8, "relu"), lambda: Dense(1, "sigmoid"), loss="mse"), x, 3 * y


def relu_regression():
    x, y = waves()
    return stack((4,), lambda: Dense(8, "relu"), lambda: Dense(1, "relu"), loss="mse"), x, y


def rare():
    x, y = blobs(classes=2, n=1000)
    keep = (y == 0) | (np.arange(len(y)) % 40 == 1)
    return stack((6,), lambda: Dense(1, "sigmoid"), loss="binary_crossentropy"), x[keep], y[keep]


def shuffled(seed=0):
    x, y = blobs(seed)
    return mlp("relu", seed=seed), x, np.random.default_rng(seed + 1).permutation(y)


def shuffled_regression():
    model, x, y = regression(0)
    return model, x, np.random.default_rng(1).permutation(y)


def dead():
    bias = initializers.Constant(-20.0)
    hidden = lambda: Dense(32, "relu", bias_initializer=bias)  # noqa: E731
    return stack((6,), hidden, lambda: Dense(3, "softmax"))


def with_nan(where):
    def make():
        x, y = blobs()
        model = mlp("relu")
        if where == "x":
            x[3, 2] = np.nan
        elif where == "y":
            model, x, y = regression(0)
            y[5] = np.inf
        elif where == "weights":
            model.layers[1].kernel.value[0, 0] = np.nan
        else:
            model.layers[0].kernel.assign(np.full((6, 32), 1e38))
        return model, x, y

    return make


def hundreds():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 6)).astype(np.float32)
    y = 300 + 80 * x[:, :1] + 20 * rng.normal(size=(1000, 1))
    return stack((6,), lambda: Dense(32, "relu"), lambda: Dense(1), loss="mse"), x, y


def clinic():
    """As scikit-learn's diabetes data: tiny features, targets of hundreds."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(442, 10)).astype(np.float32)
    y = 152 + 50 * x[:, :1] + 40 * rng.normal(size=(442, 1))
    return stack((10,), lambda: Dense(32, "relu"), lambda: Dense(1), loss="mse"), x / 21, y


def frozen():
    model = mlp("relu")
    model.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def rate_on_digits(optimizer):
    def make():
        x, y = digits()
        hidden = [lambda: Dense(64, "relu", kernel_initializer="he_normal")] * 3
        return stack((x.shape[1],), *hidden, lambda: Dense(10, "softmax"), optimizer=optimizer), x, y

    return make


def sigmoids(count):
    def make():
        x, y = digits()
        hidden = [lambda: Dense(64, "sigmoid")] * count
        model = stack((x.shape[1],), *hidden, lambda: Dense(10, "softmax"), optimizer=optimizers.SGD(0.1))
        return model, x, y

    return make


def exploding_through_time():
    x, y = steps_of_time()
    wide = initializers.RandomNormal(stddev=3.0)
    layers = (lambda: SimpleRNN(32, "relu", recurrent_initializer=wide), lambda: Dense(2, "softmax"))
    return stack((8, 3), *layers, optimizer=optimizers.SGD(0.01)), x, y


def on_blobs(make):
    return lambda: (make(), *blobs())


WIDE = initializers.RandomNormal(stddev=1.0)
BROKEN = {
    "NaN in x": ("not finite", with_nan("x")),
    "infinity in y": ("not finite", with_nan("y")),
    "NaN in weights": ("not finite", with_nan("weights")),
    "overflow": ("not finite", with_nan("overflow")),
    "labels from 1": ("labels out of range", one_based),
    "labels -1 and 1": ("labels out of range", minus_one),
    "rows of two classes": ("labels out of range", two_hot),
    "softmax and from_logits": ("loss and output do not fit", on_blobs(twice_softmax)),
    "no softmax": ("loss and output do not fit", on_blobs(linear_output)),
    "softmax of one unit": ("loss and output do not fit", one_softmax),
    "sigmoid for any numbers": ("loss and output do not fit", sigmoid_regression),
    "relu for any numbers": ("loss and output do not fit", relu_regression),
    "pixels": ("inputs not scaled", unscaled),
    "one wide feature": ("inputs not scaled", one_wide_feature),
    "far from zero": ("inputs not scaled", years),
    "prices": ("targets not scaled", prices),
    "a rare class": ("class imbalance", rare),
    "shuffled labels": ("labels not related to x", shuffled),
    "shuffled labels, other seed": ("labels not related to x", lambda: shuffled(5)),
    "shuffled numbers": ("labels not related to x", shuffled_regression),
    "constant weights": (
        "symmetric weights", on_blobs(lambda: deep("tanh", initializers.Constant(0.1), 2)),
    ),
    "zeros everywhere": ("symmetric weights", on_blobs(lambda: deep("tanh", "zeros", 2))),
    "large weights, tanh": (
        "saturation", on_blobs(lambda: deep("tanh", initializers.RandomNormal(stddev=2.0), 3)),
    ),
    "large weights, sigmoid": (
        "saturation", on_blobs(lambda: deep("sigmoid", initializers.RandomNormal(stddev=5.0), 3)),
    ),
    "negative biases": ("dead units", on_blobs(dead)),
    "deep sigmoid": ("vanishing gradients", on_blobs(lambda: deep("sigmoid", "glorot_uniform"))),
    "tiny weights": ("vanishing gradients", on_blobs(lambda: deep("tanh", initializers.RandomNormal(stddev=0.01)))),
    "weights of deviation 1": ("exploding gradients", on_blobs(lambda: deep("relu", WIDE))),
    "rate 1e-8": ("learning rate too small", on_blobs(lambda: mlp("relu", optimizer=optimizers.Adam(1e-8)))),
    "sgd, rate 1e-6": ("learning rate too small", on_blobs(lambda: mlp("relu", optimizer=optimizers.SGD(1e-6)))),
    "rate 10": ("learning rate too large", on_blobs(lambda: mlp("relu", optimizer=optimizers.SGD(10.0)))),
    "sgd, rate 30": ("learning rate too large", rate_on_digits(optimizers.SGD(30.0))),
    "sgd, rate 1000": ("learning rate too large", rate_on_digits(optimizers.SGD(1e3))),
    "sgd, rate 1e6": ("learning rate too large", rate_on_digits(optimizers.SGD(1e6))),
    "sgd, rate 1e9": ("learning rate too large", rate_on_digits(optimizers.SGD(1e9))),
    "adam, rate 100": ("learning rate too large", rate_on_digits(optimizers.Adam(100.0))),
    "rate 0": ("learning rate too small", rate_on_digits(optimizers.SGD(0.0))),
    "prices in thousands": ("targets not scaled", hundreds),
    "hundreds from small features": ("targets not scaled", clinic),
    "two sigmoids, slow": ("learning rate too small", sigmoids(2)),
    "three sigmoids": ("vanishing gradients", sigmoids(3)),
    "five sigmoids": ("vanishing gradients", sigmoids(5)),
    "exploding through time": ("exploding gradients", exploding_through_time),
    "nothing trainable": ("nothing to train", on_blobs(frozen)),
    "adam, rate 3": ("learning rate too large", lambda: regression(0, optimizers.Adam(3.0))),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found(name):
    kind, make = BROKEN[name]
    model, x, y = make()
    diagnosis = model.diagnose(x, y)
    assert kind in diagnosis, str(diagnosis)
    finding = diagnosis[kind]
    assert finding.evidence and finding.remedy and finding.message in str(finding)


def test_every_kind_of_finding_is_tested():
    assert {kind for kind, _ in BROKEN.values()} == set(KINDS)


def test_nothing_found_is_not_said_above_trainings_without_progress():
    """Neither rate nor labels are to blame, but held-out samples did not get better either."""
    x, y = weakly_related(200)(0)[1:]
    model = stack((20,), lambda: Dense(32, "relu"), lambda: Dense(2, "softmax"))
    diagnosis = model.diagnose(x, y)
    assert not diagnosis.findings and not diagnosis.trials["progress"]
    assert str(diagnosis).startswith("No cause was found, but")


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_labels_are_found_in_small_sets(seed):
    model, x, y = weakly_related(500)(seed)
    assert "labels not related to x" in model.diagnose(x, np.random.default_rng(seed).permutation(y))
