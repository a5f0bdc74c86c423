"""callbacks.Monitor: its statistics are those of NumPy, on both backends, and a training without it is what it was."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fastnn
from fastnn import Model, Sequential, activations, optimizers
from fastnn.callbacks import Callback, Monitor
from fastnn.engine.observing import BINS, SATURATION_MARGIN, limits, rectifies
from fastnn.engine.plan import Plan
from fastnn.layers import (
    LSTM,
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    MaxPooling2D,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 5))
Y = RNG.normal(size=(64, 2))
NAMES = {
    "mean", "deviation", "minimum", "maximum", "zeros", "not_finite", "saturated", "dead", "histogram", "range",
    "signal", "gradient", "weight", "update", "update_ratio",
}  # fmt: skip


def net(optimizer="sgd", dtype="float64", seed=1):
    layers = [
        Dense(7, "relu", dtype=dtype, name="relu"), Dense(6, "sigmoid", dtype=dtype, name="sigmoid"),
        Dense(2, dtype=dtype, name="out"),
    ]  # fmt: skip
    model = Sequential([Input((5,), dtype=dtype), *layers])
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=w.shape) for w in model.weights])
    model.compile(optimizer, "mse")
    return model


def observed(model, monitor, x=X, y=Y, batch=64, epochs=1, **options):
    return model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0, shuffle=False, callbacks=[monitor], **options)


def by_hand(model, x, y):
    """Activations and gradients of one step, in NumPy."""
    w1, b1, w2, b2, w3, b3 = model.get_weights()
    h1 = np.maximum(0, x @ w1 + b1)
    h2 = 1 / (1 + np.exp(-(h1 @ w2 + b2)))
    out = h2 @ w3 + b3
    d3 = 2 * (out - y) / y.size
    d2 = d3 @ w3.T
    z2 = d2 * h2 * (1 - h2)
    d1 = z2 @ w2.T
    z1 = d1 * (h1 > 0)
    gradients = {
        "relu": [x.T @ z1, z1.sum(0)], "sigmoid": [h1.T @ z2, z2.sum(0)], "out": [h2.T @ d3, d3.sum(0)]
    }  # fmt: skip
    return {"relu": h1, "sigmoid": h2, "out": out}, {"relu": d1, "sigmoid": d2, "out": d3}, gradients


def norm(arrays):
    return np.sqrt(sum((a**2).sum() for a in arrays))


def test_one_batch_by_hand(backend):
    model, monitor = net(optimizers.SGD(0.1)), Monitor(every=1)
    weights = dict(zip(("relu", "sigmoid", "out"), zip(*[iter(model.get_weights())] * 2)))
    values, signals, gradients = by_hand(model, X, Y)
    observed(model, monitor)
    assert set(monitor.history) == set(values)
    for layer, y in values.items():
        seen = {name: past[0] for name, past in monitor.history[layer].items()}
        assert set(seen) == NAMES
        assert seen["mean"] == pytest.approx(y.mean(), rel=1e-12)
        assert seen["deviation"] == pytest.approx(y.std(), rel=1e-12)
        assert (seen["minimum"], seen["maximum"]) == pytest.approx((y.min(), y.max()), rel=1e-12)
        assert seen["zeros"] == (y == 0).mean() and seen["not_finite"] == 0
        low, high = (0.0, 1.0) if layer == "sigmoid" else (y.min(), y.max())
        assert seen["range"] == pytest.approx([low, high], rel=1e-12)
        counts = np.histogram(y, BINS, (low, high))[0]
        assert seen["histogram"] == counts.tolist()
        assert seen["signal"] == pytest.approx(norm([signals[layer]]), rel=1e-12)
        assert seen["gradient"] == pytest.approx(norm(gradients[layer]), rel=1e-12)
        assert seen["weight"] == pytest.approx(norm(weights[layer]), rel=1e-12)
        assert seen["update"] == pytest.approx(0.1 * norm(gradients[layer]), rel=1e-9)
        assert seen["update_ratio"] == pytest.approx(seen["update"] / seen["weight"], rel=1e-12)
    relu, sigmoid = monitor.history["relu"], monitor.history["sigmoid"]
    assert relu["dead"][0] == (values["relu"] == 0).all(axis=0).mean() and relu["saturated"] == [None]
    near = np.minimum(values["sigmoid"], 1 - values["sigmoid"]) <= SATURATION_MARGIN
    assert sigmoid["saturated"][0] == near.mean() and sigmoid["dead"] == [None]


def test_batches_join(backend):
    """A learning rate of 0: what several batches show is what one shows."""
    histories = []
    for batch in (64, 20):  # 20, 20, 20, 4
        model, monitor = net(optimizers.SGD(0.0)), Monitor(every=1)
        observed(model, monitor, batch=batch, epochs=2)
        assert monitor.epoch == [0, 1]
        histories.append(monitor.history)
    for layer in histories[0]:
        for name in ("mean", "deviation", "minimum", "maximum", "zeros", "saturated", "dead"):
            one, several = histories[0][layer][name], histories[1][layer][name]
            assert several == pytest.approx(one, rel=1e-12) if one[0] is not None else several == one
        assert sum(histories[1][layer]["histogram"][1]) == sum(histories[0][layer]["histogram"][0])
        assert histories[1][layer]["update_ratio"] == [0.0, 0.0]


def test_every(backend):
    """Only one of `every` batches is looked at, the first among them; the count begins anew with each epoch."""
    model, monitor = net(optimizers.SGD(0.0)), Monitor(every=3)
    observed(model, monitor, batch=8, epochs=2)  # batches 0, 3, 6 of 8
    values, signals, _ = by_hand(model, X, Y)
    rows = np.concatenate([np.arange(8 * i, 8 * i + 8) for i in (0, 3, 6)])
    for layer in values:
        assert monitor.history[layer]["mean"] == pytest.approx([values[layer][rows].mean()] * 2, rel=1e-12)
        several = [8 * signals[layer][8 * i : 8 * i + 8] for i in (0, 3, 6)]  # the loss is a mean over 8, not over 64
        expected = np.sqrt(np.mean([norm([part]) ** 2 for part in several]))
        assert monitor.history[layer]["signal"] == pytest.approx([expected] * 2, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adafactor", "lamb"])
def test_training_is_the_same_with_and_without(optimizer, dtype):
    weights = []
    for callbacks in ([], [Monitor(every=2)]):
        model = net(optimizer, dtype)
        fastnn.utils.set_random_seed(3)
        history = model.fit(X, Y, batch_size=10, epochs=3, verbose=0, callbacks=callbacks)
        weights.append([*model.get_weights(), np.array(history.history["loss"])])
    for one, two in zip(*weights):
        np.testing.assert_array_equal(one, two)


def test_plans_without_a_monitor_are_what_they_were():
    model = net()
    seen = []
    original = Plan.step

    def step(self, op, *args, **kwargs):
        seen.append(op)
        return original(self, op, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "step", step)
        model.fit(X, Y, batch_size=32, verbose=0)
        assert not {"statistics", "tally"} & set(seen)
        model.fit(X, Y, batch_size=32, verbose=0, callbacks=[Monitor()])
        assert {"statistics", "tally"} <= set(seen)
    assert model.runner.observer is None


def several(seed=0):
    fastnn.utils.set_random_seed(seed)
    image, words = Input((8, 8, 1)), Input((4,))
    x = MaxPooling2D()(Conv2D(3, 3, activation="relu", name="conv")(image))
    x = BatchNormalization(name="norm")(Flatten()(x))
    shared = Dense(4, "tanh", name="shared")
    z = LSTM(4, name="lstm")(Embedding(9, 3, name="embedding")(words))
    z = shared(Add()([Dropout(0.2, seed=1)(shared(Dense(4, name="down")(x))), z]))
    model = Model([image, words], [Dense(3, "softmax", name="a")(z), Dense(1, name="b")(z)])
    model.compile("adam", ["sparse_categorical_crossentropy", "mse"])
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(30, 8, 8, 1)).astype("f4"), rng.integers(0, 9, size=(30, 4))]
    return model, x, [rng.integers(0, 3, size=30), rng.normal(size=(30, 1))]


def test_backends_agree_on_all_kinds_of_layers():
    found = []
    for name in ("native", "reference"):
        with fastnn.use_backend(name):
            model, x, y = several()
            monitor = Monitor(every=2)
            model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[monitor])
            found.append(monitor.history)
    assert set(found[0]) >= {"conv", "norm", "shared", "shared:2", "lstm", "embedding", "a", "b"}
    for layer, numbers in found[0].items():
        if "dropout" in layer or "add" in layer or "pool" in layer:
            continue  # layers without a name of their own are counted on from model to model
        for name, past in numbers.items():
            for one, two in zip(past, found[1][layer][name], strict=True):
                if name == "histogram":
                    assert sum(np.abs(np.subtract(one, two))) <= 4  # numbers on the edge of a bin
                elif one is None:
                    assert two is None
                else:
                    np.testing.assert_allclose(one, two, rtol=2e-3, atol=1e-5, err_msg=f"{layer} {name}")
    assert found[0]["conv"]["dead"][0] is not None and found[0]["lstm"]["saturated"][0] is None
    assert found[0]["shared:2"]["saturated"][0] is not None


def test_dead_units_and_saturation(backend):
    model = net()
    kernel, bias = model.layers[0].kernel, model.layers[0].bias
    bias.assign([-100.0, -100, -100, 5, 5, 5, 5])
    model.layers[1].kernel.assign(100 * kernel.value.mean() * np.ones((7, 6)))
    monitor = Monitor(every=1)
    observed(model, monitor, batch=16)
    assert monitor.history["relu"]["dead"][0] == pytest.approx(3 / 7)
    assert monitor.history["sigmoid"]["saturated"][0] > 0.9
    assert "43 %" in str(monitor)


def test_not_finite(backend):
    model, monitor = net(), Monitor(every=1)
    x = X.copy()
    x[3, 2] = np.nan
    with pytest.warns(RuntimeWarning, match="holds NaN"):
        observed(model, monitor, x=x)
    relu = monitor.history["relu"]
    assert relu["not_finite"][0] == 1 / 64 and np.isfinite(relu["mean"][0])
    assert relu["gradient"] == [None] and relu["update_ratio"] == [None]
    json.dumps(monitor.to_dict(), allow_nan=False)


def test_accumulated_gradients_update_in_some_steps(backend):
    model, monitor = net(optimizers.SGD(0.1, gradient_accumulation_steps=4)), Monitor(every=1)
    observed(model, monitor, batch=8)  # two updates in eight batches
    before, after = net().get_weights(), model.get_weights()
    updates = monitor.history["out"]["update"][0]
    assert norm([after[4] - before[4], after[5] - before[5]]) <= 2 * updates * 1.0001
    assert norm([after[4] - before[4], after[5] - before[5]]) > updates


def test_frozen_layers_and_lbfgs(backend):
    model, monitor = net(), Monitor(every=1)
    model.layers[0].trainable = False
    observed(model, monitor)
    frozen = monitor.history["relu"]
    assert frozen["gradient"] == [None] and frozen["update"] == [None] and frozen["mean"][0] > 0
    model = net("lbfgs")
    observed(model, monitor, epochs=2)
    assert monitor.history["out"]["gradient"][0] > 0 and monitor.history["out"]["update_ratio"] == [None, None]


def test_fused_output_is_seen_before_its_activation():
    model = Sequential([Input((5,)), Dense(3, "softmax", name="out")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    monitor = Monitor(every=1)
    logits = X.astype("f4") @ model.layers[0].kernel.numpy()
    observed(model, monitor, y=np.arange(64) % 3)
    assert monitor.history["out"]["minimum"][0] == pytest.approx(logits.min(), rel=1e-4)
    assert monitor.history["out"]["saturated"] == [None]


def test_the_monitor_lets_go(backend):
    model = net()

    class Fails(Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("stop here")

    with pytest.raises(RuntimeError, match="stop here"):
        model.fit(X, Y, verbose=0, callbacks=[Monitor(), Fails()])
    assert model.runner.observer is None
    with pytest.raises(ValueError, match="one Monitor at a time"):
        model.fit(X, Y, verbose=0, callbacks=[Monitor(), Monitor()])
    assert model.runner.observer is None
    monitor = Monitor()
    assert str(monitor) == "Monitor: nothing seen yet"
    for _ in range(2):  # a second training begins anew
        observed(model, monitor, epochs=3)
        assert monitor.epoch == [0, 1, 2] and len(monitor.history["out"]["mean"]) == 3


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "often"])
def test_every_is_a_positive_whole_number(every):
    with pytest.raises(ValueError, match="positive whole number"):
        Monitor(every=every)


def test_which_activations_level_off_and_which_rectify():
    """By the registry: nothing here is a list of names in the code."""
    assert limits(activations.get("sigmoid")) == (0, 1) and limits(activations.get("tanh")) == (-1, 1)
    assert limits(activations.get("softsign")) == (-1, 1)
    for name in ("relu", "relu6"):
        assert rectifies(activations.get(name)) and limits(activations.get(name)) is None
    for name in ("identity", "leaky_relu", "elu", "gelu", "silu", "softplus", "softmax", "selu"):
        assert limits(activations.get(name)) is None and not rectifies(activations.get(name))
    for name in activations.ROWS:
        spec = activations.get(name)
        found = limits(spec)
        if found is not None:
            y = np.asarray(spec(np.linspace(-50, 50, 2001)))
            assert found[0] - 1e-12 <= y.min() and y.max() <= found[1] + 1e-12, name


def test_activation_layers_have_statistics_of_their_own():
    model = Sequential([Input((5,)), Dense(4, name="z"), Activation("tanh", name="y"), Dense(2)])
    model.compile("sgd", "mse")
    monitor = Monitor(every=1)
    observed(model, monitor)
    assert monitor.history["z"]["saturated"] == [None] and monitor.history["y"]["saturated"][0] is not None
    assert monitor.history["y"]["gradient"] == [None]
    assert monitor.history["y"]["maximum"][0] == pytest.approx(np.tanh(monitor.history["z"]["maximum"][0]), rel=1e-5)
