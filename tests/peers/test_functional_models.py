"""Graphs of layers beside Keras: the same order of layers, outputs, logs and twenty training steps, in float64."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn

from .test_training_options import double  # noqa: F401 - a fixture that every test here uses

keras = pytest.importorskip("keras")
pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RATE = 2.0**-5
SAMPLES, BATCH = 40, 8


def outputs_and_loss_weights(k):
    """Two inputs, three outputs, losses of three kinds."""
    image, size = k.Input((4,), name="image"), k.Input((2,), name="size")
    h = k.layers.Dense(5, activation="tanh", name="h")(image)
    both = k.layers.Concatenate(name="both")([h, size])
    outputs = [
        k.layers.Dense(3, activation="softmax", name="kind")(both),
        k.layers.Dense(1, name="weight")(both),
        k.layers.Dense(2, name="place")(h),
    ]
    model = k.Model([image, size], outputs, name="net")
    options = {
        "loss": ["sparse_categorical_crossentropy", "mse", "log_cosh"], "loss_weights": [0.5, 2.0, 1.0],
        "metrics": [["accuracy"], ["mae"], None],
    }  # fmt: skip
    return model, options


def by_name(k):
    """The same with dictionaries, one of them of outputs."""
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    up = k.layers.Dense(2, name="u")(k.layers.Multiply(name="m")([a, b]))
    down = k.layers.Dense(3, activation="sigmoid", name="d")(k.layers.Subtract(name="s")([a, b]))
    model = k.Model({"a": a, "b": b}, {"up": up, "down": down}, name="net")
    options = {
        "loss": {"up": "mse", "down": "binary_crossentropy"}, "loss_weights": {"up": 0.25, "down": 4.0},
        "metrics": {"up": ["mae"], "down": ["mse"]},
    }  # fmt: skip
    return model, options


def shared_layers(k):
    """A siamese net: one encoder for two inputs, and their cosine."""
    a, b = k.Input((6,), name="a"), k.Input((6,), name="b")
    once, twice = k.layers.Dense(5, activation="tanh", name="once"), k.layers.Dense(5, name="twice")
    left, right = twice(twice(once(a))), twice(once(b))
    cosine = k.layers.Dot(axes=1, normalize=True, name="cosine")([left, right])
    far = k.layers.Maximum(name="far")([left, right])
    merged = k.layers.Concatenate(name="all")([cosine, far, k.layers.Average(name="mean")([left, right, left])])
    return k.Model([a, b], k.layers.Dense(2, name="end")(merged), name="net"), {"loss": "mse", "metrics": ["mae"]}


def deep_skips(k):
    """Branches of different depth, so that the order of the layers is not that of their making."""
    x = k.Input((4,), name="x")
    one = k.layers.Dense(3, activation="tanh", name="one")
    short = k.layers.Dense(3, name="short")(x)
    long = k.layers.Dense(3, activation="relu", name="c")(one(k.layers.Dense(4, name="b")(x)))
    y = k.layers.Add(name="sum")([long, short, one(x)])
    return k.Model(x, k.layers.Minimum(name="min")([y, k.layers.Dense(3, name="last")(y)]), name="net"), {"loss": "mse"}


def nested_models(k):
    inner_x = k.Input((4,), name="inner")
    inner_h = k.layers.Dense(4, activation="tanh", name="first")(inner_x)
    block = k.Model(inner_x, k.layers.Add(name="plus")([inner_x, inner_h]), name="block")
    stack = k.Sequential(
        [k.Input((4,), name="in"), k.layers.Dense(3, activation="tanh", name="p"), k.layers.Dense(4, name="q")],
        name="stack",
    )
    x = k.Input((4,), name="x")
    y = block(stack(block(x)))
    return k.Model(x, k.layers.Dense(2, activation="softmax", name="out")(y), name="net"), {
        "loss": "categorical_crossentropy", "metrics": ["accuracy"]
    }  # fmt: skip


def broadcasting(k):
    x = k.Input((3, 4), name="x")
    row = k.layers.Dense(4, activation="tanh", name="row")(x)
    column = k.layers.Dense(1, name="column")(x)
    product = k.layers.Multiply(name="m")([row, column])
    attended = k.layers.Dot(axes=(2, 2), name="scores")([product, x])
    mixed = k.layers.Dot(axes=(2, 1), name="mix")([attended, row])
    sums = k.layers.Add(name="a")([mixed, column, k.layers.Dense(4, name="flat")(x)])
    return k.Model(x, k.layers.Concatenate(axis=1, name="rows")([sums, row]), name="net"), {"loss": "mse"}


def subclassed(k):
    class Net(k.Model):
        def __init__(self):
            super().__init__(name="net")
            self.out = k.layers.Dense(2, name="out")
            self.hidden = [k.layers.Dense(4, activation="tanh", name=f"h{i}") for i in range(2)]

        def call(self, x):
            for layer in self.hidden:
                x = layer(x) + x
            return self.out(x)

    model = Net()
    model(np.zeros((1, 4)))
    return model, {"loss": "mse", "metrics": ["mae"]}


GRAPHS = [outputs_and_loss_weights, by_name, shared_layers, deep_skips, nested_models, broadcasting, subclassed]


@pytest.fixture(autouse=True)
def float64():
    fastnn.config.set_floatx("float64")
    yield
    fastnn.config.set_floatx("float32")


def data(make, model, options):
    rng = np.random.default_rng(3)
    if isinstance(model.input, dict):
        x = {name: rng.normal(size=(SAMPLES, *tensor.shape[1:])) for name, tensor in model.input.items()}
    elif isinstance(model.input, list):
        x = [rng.normal(size=(SAMPLES, *shape[1:])) for shape in model.input_shape]
    else:
        x = rng.normal(size=(SAMPLES, *model.input_shape[1:]))
    if make is outputs_and_loss_weights:
        y = [rng.integers(0, 3, SAMPLES), rng.normal(size=(SAMPLES, 1)), rng.normal(size=(SAMPLES, 2))]
    elif make is by_name:
        y = {"up": rng.normal(size=(SAMPLES, 2)), "down": rng.uniform(size=(SAMPLES, 3))}
    elif "categorical" in options["loss"]:
        y = np.eye(2)[rng.integers(0, 2, SAMPLES)]
    else:
        y = rng.normal(size=(SAMPLES, *model.output_shape[1:]))
    return x, y


def flat(thing):
    return list(thing.values()) if isinstance(thing, dict) else thing if isinstance(thing, list) else [thing]


def pair(make):
    """Both models with the same weights, and their arguments of compile."""
    (mine, options), (theirs, _) = make(fastnn), make(keras)
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=p.shape, scale=0.5) for p in mine.weights]
    for model in (mine, theirs):
        model.set_weights(weights)
    return mine, theirs, options


@pytest.mark.parametrize("make", GRAPHS)
def test_order_of_layers_and_weights(make):
    mine, theirs, _ = pair(make)
    assert (
        [layer.name for layer in mine.layers if layer.name] == [layer.name for layer in theirs.layers]
        or (
            make is subclassed  # where the additions are listed behind the layers
            and [layer.name for layer in mine.layers][:3] == [layer.name for layer in theirs.layers]
        )
    )
    assert [p.shape for p in mine.weights] == [tuple(w.shape) for w in theirs.weights]
    if make is not subclassed:
        assert mine.input_names == [tensor.name for tensor in theirs.inputs]


@pytest.mark.parametrize(
    ("make", "weighted"), [*((make, False) for make in GRAPHS), (outputs_and_loss_weights, True), (by_name, True)]
)
def test_twenty_steps_of_training(make, weighted):
    mine, theirs, options = pair(make)
    x, y = data(make, mine, options)
    for one, two in zip(flat(mine.predict(x, verbose=0)), flat(theirs.predict(x, verbose=0)), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)
    more = {}
    if weighted:
        rng = np.random.default_rng(9)
        count = len(flat(y))
        each = [rng.uniform(0.5, 2, SAMPLES) for _ in range(count)]
        more["sample_weight"] = dict(zip(y, each)) if isinstance(y, dict) else each if count > 1 else each[0]
    histories = []
    for model, optimizers in ((mine, fastnn.optimizers), (theirs, keras.optimizers)):
        model.compile(optimizers.SGD(RATE, momentum=0.5), **options)
        history = model.fit(x, y, batch_size=BATCH, epochs=4, shuffle=False, verbose=0, **more).history
        histories.append({name: np.asarray(values, float) for name, values in history.items()})
    assert sorted(histories[0]) == sorted(histories[1])
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-9, err_msg=name)
    for one, two in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, np.asarray(two), rtol=1e-9, atol=1e-9)
    ours = mine.evaluate(x, y, batch_size=BATCH, verbose=0, return_dict=True)
    for name, value in theirs.evaluate(x, y, batch_size=BATCH, verbose=0, return_dict=True).items():
        assert ours[name] == pytest.approx(float(value), rel=1e-9), name


def with_operators(k):
    """Operators, slices and activations of tensors; the mask of an Embedding ends at an operator."""
    x = k.Input((4, 3), name="x")
    relu = k.activations.relu if k is fastnn else k.ops.relu
    gate = k.layers.Dense(3, activation="sigmoid", name="gate")(x)
    mixed = (1 - gate) * x + gate / 2.0 - np.array([0.1, 0.2, 0.3])
    quotient = mixed / (gate**2 + 1.5)
    parts = [quotient[:, -1, :], relu(-mixed)[:, 0], k.layers.Flatten()(quotient[:, 1:3, ::2]), x[..., 0]]
    model = k.Model(x, k.layers.Dense(2, name="end")(k.layers.Concatenate(name="all")(parts)), name="net")
    return model, {"loss": "mse", "metrics": ["mae"]}


def test_twenty_steps_through_operators():
    test_twenty_steps_of_training(with_operators, False)


@pytest.mark.parametrize("name", ["e + e", "e * 2", "add", "relu", "slice"])
def test_which_operators_end_a_mask(name):
    def make(k):
        e = k.layers.Embedding(7, 2, mask_zero=True, name="e")
        relu = k.activations.relu
        operators = {
            "e + e": lambda t: t + t, "e * 2": lambda t: t * 2, "add": lambda t: k.layers.add([t, t]), "relu": relu,
            "slice": lambda t: t[:, 1:],
        }  # fmt: skip
        i = k.Input((4,), name="i")
        return k.Model(i, k.layers.GlobalAveragePooling1D(name="pool")(operators[name](e(i)))), {"loss": "mse"}

    mine, theirs, _ = pair(make)
    x = np.array([[3, 5, 0, 0], [1, 2, 3, 0]])
    np.testing.assert_allclose(mine.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-12)


def test_layers_called_with_arrays():
    rng = np.random.default_rng(0)
    x, h, c = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    mine, theirs = fastnn.layers.LSTM(5), keras.layers.LSTM(5)
    theirs.build((None, 4, 2))
    mine(x, initial_state=[h, c])
    mine.set_weights([np.asarray(w) for w in theirs.get_weights()])
    expected = np.asarray(theirs(x, initial_state=[h, c]).detach())
    np.testing.assert_allclose(mine(x, initial_state=[h, c]), expected, rtol=1e-12)
