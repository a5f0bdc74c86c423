"""Whole trainings against loops of NumPy written out here: forward, loss, backward and update, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import Sequential, initializers, losses, metrics, optimizers
from fastnn.layers import Dense, Input

SAMPLES, BATCH, EPOCHS = 22, 8, 20  # batches of 8, 8 and 6: 60 steps


class Adam:
    """Kingma & Ba 2015, the form with the corrections folded into the rate."""

    def __init__(self, rate=0.01, b1=0.9, b2=0.999, eps=1e-7):
        self.rate, self.b1, self.b2, self.eps = rate, b1, b2, eps
        self.t, self.state = 0, {}

    def begin(self):
        self.t += 1

    def update(self, key, p, g):
        m, v = self.state.get(key, (0, 0))
        m = self.b1 * m + (1 - self.b1) * g
        v = self.b2 * v + (1 - self.b2) * g**2
        self.state[key] = m, v
        rate = self.rate * np.sqrt(1 - self.b2**self.t) / (1 - self.b1**self.t)
        return p - rate * m / (np.sqrt(v) + self.eps)


class Descent:
    """Gradient descent, with Polyak's or Nesterov's momentum."""

    def __init__(self, rate=0.1, momentum=0.0, nesterov=False, decay=0.0):
        self.rate, self.momentum, self.nesterov, self.decay, self.state = rate, momentum, nesterov, decay, {}

    def begin(self):
        pass

    def update(self, key, p, g):
        p = p - self.rate * self.decay * p
        v = self.momentum * self.state.get(key, 0) - self.rate * g
        self.state[key] = v
        return p + (self.momentum * v - self.rate * g if self.nesterov else v)


class RMSprop:
    def __init__(self, rate=0.01, rho=0.9, eps=1e-7):
        self.rate, self.rho, self.eps, self.state = rate, rho, eps, {}

    def begin(self):
        pass

    def update(self, key, p, g):
        v = self.rho * self.state.get(key, 0) + (1 - self.rho) * g**2
        self.state[key] = v
        return p - self.rate * g / np.sqrt(v + self.eps)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# each: targets from a generator; (z, y) -> losses of the samples, and their gradients with respect to z
LOSSES = {
    "sparse_categorical_crossentropy": (
        "softmax",
        lambda rng: rng.integers(0, 3, SAMPLES),
        lambda z, y: (-np.log(softmax(z)[np.arange(len(y)), y]), softmax(z) - np.eye(3)[y]),
    ),
    "categorical_crossentropy": (
        "softmax",
        lambda rng: np.eye(3)[rng.integers(0, 3, SAMPLES)],
        lambda z, y: (-(y * np.log(softmax(z))).sum(-1), softmax(z) - y),
    ),
    "binary_crossentropy": (
        "sigmoid",
        lambda rng: rng.integers(0, 2, (SAMPLES, 3)),
        lambda z, y: (
            -(y * np.log(sigmoid(z)) + (1 - y) * np.log(1 - sigmoid(z))).mean(-1),
            (sigmoid(z) - y) / 3,
        ),
    ),
    "mse": (None, lambda rng: rng.normal(size=(SAMPLES, 3)), lambda z, y: (((z - y) ** 2).mean(-1), 2 * (z - y) / 3)),
    "mae": (None, lambda rng: rng.normal(size=(SAMPLES, 3)), lambda z, y: (abs(z - y).mean(-1), np.sign(z - y) / 3)),
}

OPTIMIZERS = {
    "sgd": (lambda: optimizers.SGD(0.1), lambda: Descent(0.1)),
    "decay": (lambda: optimizers.SGD(0.1, weight_decay=0.01), lambda: Descent(0.1, decay=0.01)),
    "momentum": (lambda: optimizers.SGD(0.05, momentum=0.9), lambda: Descent(0.05, 0.9)),
    "nesterov": (lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True), lambda: Descent(0.05, 0.9, True)),
    "adam": (lambda: optimizers.Adam(0.01), lambda: Adam(0.01)),
    "adam, other": (lambda: optimizers.Adam(0.02, 0.8, 0.99, 1e-4), lambda: Adam(0.02, 0.8, 0.99, 1e-4)),
    "rmsprop": (lambda: optimizers.RMSprop(0.01), lambda: RMSprop(0.01)),
}


def train_by_hand(x, y, start, loss, optimizer, weights=None):
    """The final parameters of x -> relu(x A + a) B + b and the mean loss of every epoch."""
    a_w, a_b, b_w, b_b = (w.copy() for w in start)
    history = []
    for _ in range(EPOCHS):
        total = 0.0
        for first in range(0, len(x), BATCH):
            xb, yb = x[first : first + BATCH], y[first : first + BATCH]
            wb = np.ones(len(xb)) if weights is None else weights[first : first + BATCH]
            n = len(xb)
            pre = xb @ a_w + a_b
            hidden = np.maximum(pre, 0)
            values, dz = loss(hidden @ b_w + b_b, yb)
            total += (wb * values).sum()  # the batch's loss, sum / n, counts n times in the epoch's mean
            dz = dz * wb[:, None] / n
            dh = (dz @ b_w.T) * (pre > 0)
            optimizer.begin()
            b_w = optimizer.update("b_w", b_w, hidden.T @ dz)
            b_b = optimizer.update("b_b", b_b, dz.sum(0))
            a_w = optimizer.update("a_w", a_w, xb.T @ dh)
            a_b = optimizer.update("a_b", a_b, dh.sum(0))
        history.append(total / len(x))
    return [a_w, a_b, b_w, b_b], history


def compiled(optimizer, loss, activation, **options):
    kernel = initializers.GlorotUniform
    model = Sequential(
        [
            Input((5,), dtype="float64"),
            Dense(
                7,
                "relu",
                kernel_initializer=kernel(1),
                bias_initializer=initializers.RandomNormal(seed=3),
                dtype=np.float64,
            ),
            Dense(3, activation, kernel_initializer=kernel(2), dtype="float64"),
        ]
    )
    model.compile(optimizer, loss, **options)
    return model


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fit_is_the_loop_written_out(backend, optimizer, loss, weighted):
    rng = np.random.default_rng(7)
    activation, draw, formula = LOSSES[loss]
    ours, theirs = OPTIMIZERS[optimizer]
    x, y = rng.normal(size=(SAMPLES, 5)), draw(rng)
    weights = rng.uniform(0, 2, SAMPLES) if weighted else None
    model = compiled(ours(), loss, activation)
    expected, losses_by_hand = train_by_hand(x, y, model.get_weights(), formula, theirs(), weights)
    history = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, sample_weight=weights, verbose=0).history
    np.testing.assert_allclose(history["loss"], losses_by_hand, rtol=1e-10)
    for value, wanted in zip(model.get_weights(), expected):
        np.testing.assert_allclose(value, wanted, rtol=1e-10, atol=1e-10)
    assert model.optimizer.iterations == 60
    assert losses_by_hand[-1] < losses_by_hand[0]


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"])
def test_from_logits_is_the_same_training(backend, loss):
    rng = np.random.default_rng(8)
    _activation, draw, formula = LOSSES[loss]
    x, y = rng.normal(size=(SAMPLES, 5)), draw(rng)
    model = compiled(optimizers.Adam(0.01), {"class_name": loss, "config": {"from_logits": True}}, None)
    expected, losses_by_hand = train_by_hand(x, y, model.get_weights(), formula, Adam(0.01))
    history = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], losses_by_hand, rtol=1e-10)
    for value, wanted in zip(model.get_weights(), expected):
        np.testing.assert_allclose(value, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"])
def test_losses_of_probabilities_clip_where_logits_are_not_known(backend, loss):
    """A softmax that is not the last layer's own: the loss sees probabilities; away from 0 and 1 it is the same."""
    from fastnn.layers import Flatten

    rng = np.random.default_rng(9)
    activation, draw, _ = LOSSES[loss]
    x, y = rng.normal(size=(SAMPLES, 5)), draw(rng)
    fused = compiled("sgd", loss, activation)
    clipping = compiled("sgd", loss, activation)
    clipping.add(Flatten())  # hides the activation
    first = fused.fit(x, y, epochs=5, shuffle=False, verbose=0).history["loss"]
    second = clipping.fit(x, y, epochs=5, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(first, second, rtol=1e-9)
    for a, b in zip(fused.get_weights(), clipping.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


def test_a_saturated_output_still_learns_where_clipping_would_not():
    """-log(softmax) of logits that are 100 apart: 100, not -log(1e-7), and a gradient."""
    model = Sequential([Input((2,)), Dense(2, "softmax", use_bias=False, kernel_initializer="ones")])
    model.set_weights([np.float32([[100, 0], [0, 0]])])
    model.compile(optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    assert model.train_on_batch([[1.0, 0.0]], [1]) == pytest.approx(100)
    np.testing.assert_allclose(model.get_weights()[0], [[99, 1], [0, 0]], atol=1e-5)


def test_reductions(backend):
    """sum_over_batch_size divides by the number of samples, mean_with_sample_weight by the sum of their weights."""
    rng = np.random.default_rng(10)
    x, y, w = rng.normal(size=(6, 5)), rng.normal(size=(6, 3)), rng.uniform(0.5, 2, 6)
    errors = ((compiled("sgd", "mse", None).predict(x, verbose=0) - y) ** 2).mean(-1)
    expected = {
        "sum_over_batch_size": (w * errors).sum() / 6,
        "mean": (w * errors).sum() / 6,
        "sum": (w * errors).sum(),
        "mean_with_sample_weight": (w * errors).sum() / w.sum(),
    }
    for reduction, value in expected.items():
        model = compiled(optimizers.SGD(0.1), losses.MeanSquaredError(reduction=reduction), None)
        before = model.get_weights()
        assert model.evaluate(x, y, sample_weight=w, verbose=0) == pytest.approx(value, rel=1e-12)
        assert model.train_on_batch(x, y, sample_weight=w) == pytest.approx(value, rel=1e-12)
        # the gradient of the last bias: sum_i w_i 2 (p_i - y_i) / 3, over the divisor
        residual = 2 / 3 * (w[:, None] * (_outputs(before, x) - y)).sum(0)
        divisor = (w * errors).sum() / value
        np.testing.assert_allclose(before[3] - model.get_weights()[3], 0.1 * residual / divisor, rtol=1e-9)


def _outputs(weights, x):
    a_w, a_b, b_w, b_b = weights
    return np.maximum(x @ a_w + a_b, 0) @ b_w + b_b


def test_reduction_none_cannot_be_trained():
    model = compiled("sgd", losses.MeanSquaredError(reduction="none"), None)
    with pytest.raises(ValueError, match=r"Received: loss with reduction='none'"):
        model.fit(np.ones((4, 5)), np.ones((4, 3)), verbose=0)


def test_ignored_labels_count_nothing(backend):
    rng = np.random.default_rng(11)
    x, y = rng.normal(size=(12, 5)), rng.integers(0, 3, 12)
    some = np.where(np.arange(12) % 3 == 0, -1, y)
    kept = some >= 0
    ignoring = compiled(optimizers.SGD(0.1), losses.SparseCategoricalCrossentropy(ignore_class=-1), "softmax")
    without = compiled(optimizers.SGD(0.1), "sparse_categorical_crossentropy", "softmax")
    assert ignoring.train_on_batch(x, some) == pytest.approx(without.train_on_batch(x[kept], y[kept]), rel=1e-12)
    for a, b in zip(ignoring.get_weights(), without.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_label_smoothing_changes_the_loss_but_not_the_metrics(backend):
    rng = np.random.default_rng(12)
    x, labels = rng.normal(size=(10, 5)), rng.integers(0, 3, 10)
    y = np.eye(3)[labels]
    loss = losses.CategoricalCrossentropy(label_smoothing=0.3)
    model = compiled("sgd", loss, "softmax", metrics=["accuracy", "mse"])
    p = model.predict(x, verbose=0)
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    smooth = y * 0.7 + 0.1
    assert logs["loss"] == pytest.approx(-(smooth * np.log(p)).sum(-1).mean(), rel=1e-10)
    assert logs["accuracy"] == pytest.approx((p.argmax(-1) == labels).mean())
    assert logs["mse"] == pytest.approx(((p - y) ** 2).mean(), rel=1e-10)


def test_learning_rate_can_change_and_be_a_function():
    x, y = np.ones((1, 1)), np.zeros((1, 1))

    def one_weight(rate):
        model = Sequential(
            [Input((1,), dtype="float64"), Dense(1, use_bias=False, kernel_initializer="ones", dtype="float64")]
        )
        model.compile(optimizers.SGD(rate), "mse")
        return model

    model = one_weight(0.25)
    model.train_on_batch(x, y)  # w -= 0.25 * 2 w
    assert model.get_weights()[0][0, 0] == 0.5
    model.optimizer.learning_rate = 0.125
    model.train_on_batch(x, y)
    assert model.get_weights()[0][0, 0] == 0.375

    model = one_weight(lambda step: 0.25 if step < 2 else 0.0)
    model.fit(x, y, epochs=5, verbose=0)
    assert model.get_weights()[0][0, 0] == 0.25 and model.optimizer.iterations == 5


def test_more_steps_than_scalars_are_computed_ahead():
    """1,300 steps in one epoch: Adam's corrections go on where a block of them ends."""
    rng = np.random.default_rng(13)
    x, y = rng.normal(size=(1300, 1)), rng.normal(size=(1300, 1))
    model = Sequential(
        [Input((1,), dtype="float64"), Dense(1, use_bias=False, kernel_initializer="ones", dtype="float64")]
    )
    model.compile(optimizers.Adam(0.001), "mse")
    model.fit(x, y, batch_size=1, shuffle=False, verbose=0)
    w, by_hand = 1.0, Adam(0.001)
    for xi, yi in zip(x[:, 0], y[:, 0]):
        by_hand.begin()
        w = by_hand.update("w", w, 2 * (w * xi - yi) * xi)
    assert model.get_weights()[0][0, 0] == pytest.approx(w, rel=1e-11)


@pytest.mark.parametrize(
    "metric", [metrics.MeanSquaredError(), lambda y_true, y_pred: ((y_true - y_pred) ** 2).mean(-1)]
)
def test_metrics_inside_and_outside_the_engine_agree(backend, metric):
    rng = np.random.default_rng(14)
    x, y = rng.normal(size=(SAMPLES, 5)), rng.normal(size=(SAMPLES, 3))
    model = compiled(optimizers.SGD(0.01), "mse", None, metrics=[metric])
    history = model.fit(x, y, batch_size=BATCH, epochs=3, verbose=0, validation_data=(x, y)).history
    (name,) = (name for name in history if name not in ("loss", "val_loss") and not name.startswith("val_"))
    np.testing.assert_allclose(history[name], history["loss"], rtol=1e-12)
    np.testing.assert_allclose(history[f"val_{name}"], history["val_loss"], rtol=1e-12)
