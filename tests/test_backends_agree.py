"""Random models, data and options: the compiled engine and the reference make the same training of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn
from fastnn import Sequential, activations, losses, optimizers
from fastnn.layers import Activation, Dense, Dropout, Flatten, Input

JUMPS = {"binary_step", "heaviside", "sign", "hard_shrink"}  # numbers that are almost equal may be on either side
GROWING = {"exponential", "soft_exponential"}  # stacked, they overflow
ACTIVATIONS = [name for name in activations.ROWS if name not in JUMPS | GROWING]
ACTIVATIONS += ["softmax", "log_softmax", "softmin", "sparsemax"]
OPTIMIZERS = [
    lambda: optimizers.SGD(0.05),
    lambda: optimizers.SGD(0.02, momentum=0.5),
    lambda: optimizers.SGD(0.02, momentum=0.5, nesterov=True, weight_decay=0.01),
    lambda: optimizers.Adam(0.01),
    lambda: optimizers.RMSprop(0.01),
]


@st.composite
def models(draw, largest):
    """A description: input shape, layers, loss, optimizer, and which layers are frozen."""
    shape = (*tuple(draw(st.lists(st.integers(1, 5), min_size=0, max_size=2))), draw(st.integers(1, largest)))
    stack = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["dense", "dense", "activation", "dropout", "flatten"]))
        argument = {
            "dense": lambda: (draw(st.integers(1, largest)), draw(st.sampled_from(ACTIVATIONS)), draw(st.booleans())),
            "activation": lambda: draw(st.sampled_from(ACTIVATIONS)),
            "dropout": lambda: draw(st.sampled_from([0.0, 0.3, 0.8])),
            "flatten": lambda: None,
        }[kind]()
        stack.append((kind, argument, draw(st.booleans()) and draw(st.booleans())))
    units = draw(st.integers(1, 6))
    loss, output = draw(
        st.sampled_from(
            [
                *(("mse", "linear"), ("mae", "tanh"), ("bce", "sigmoid"), ("bce logits", "linear"), ("cce", "softmax")),
                *(
                    ("scce", "softmax"),
                    ("scce logits", "linear"),
                    ("cce smooth", "softmax"),
                    ("cce clipped", "sigmoid"),
                ),
            ]
        )
    )
    reduction = draw(st.sampled_from(["sum_over_batch_size", "sum", "mean_with_sample_weight"]))
    return shape, stack, units, loss, output, reduction, draw(st.integers(0, len(OPTIMIZERS) - 1))


def build(description, dtype):
    shape, stack, units, loss, output, reduction, optimizer = description
    layers = []
    for kind, argument, frozen in stack:
        if kind == "dense":
            width, activation, bias = argument
            layers.append(Dense(width, activation, bias, dtype=dtype, trainable=not frozen))
        elif kind == "activation":
            layers.append(Activation(argument))
        else:
            layers.append(Dropout(argument) if kind == "dropout" else Flatten())
    model = Sequential([Input(shape, dtype=dtype), *layers, Dense(units, output, dtype=dtype)])
    function = {
        "mse": lambda: losses.MeanSquaredError(reduction=reduction),
        "mae": lambda: losses.MeanAbsoluteError(reduction=reduction),
        "bce": lambda: losses.BinaryCrossentropy(reduction=reduction),
        "bce logits": lambda: losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1, reduction=reduction),
        "cce": lambda: losses.CategoricalCrossentropy(reduction=reduction),
        "cce clipped": lambda: losses.CategoricalCrossentropy(reduction=reduction),
        "cce smooth": lambda: losses.CategoricalCrossentropy(label_smoothing=0.2, reduction=reduction),
        "scce": lambda: losses.SparseCategoricalCrossentropy(reduction=reduction, ignore_class=0),
        "scce logits": lambda: losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction),
    }[loss]()
    metrics = ["accuracy", "mse", lambda y_true, y_pred: np.abs(y_pred).sum(-1)]
    if loss.startswith("scce"):
        metrics = ["sparse_categorical_accuracy"]
    chosen = OPTIMIZERS[optimizer]()
    if reduction == "sum":  # else weights run away, and the last digits with them
        chosen.learning_rate = 1e-3 * chosen.learning_rate
    model.compile(chosen, function, metrics=metrics)
    return model


def outcome(description, dtype, x, y, w, batch):
    fastnn.utils.set_random_seed(7)
    model = build(description, dtype)
    history = model.fit(x, y, batch_size=batch, epochs=2, verbose=0, sample_weight=w, validation_data=(x, y)).history
    return history, model.get_weights(), model.predict(x, batch_size=batch, verbose=0), model(x)


def check(description, n, batch, weighted, threads=2):
    rng = np.random.default_rng(n)
    model = build(description, "float64")
    x = rng.normal(size=(n, *model.input_shape[1:]))
    shape = (n, *model.output_shape[1:])
    labels = rng.integers(0, shape[-1], shape[:-1])
    loss = description[3]
    y = labels if loss.startswith("scce") else np.eye(shape[-1])[labels] if "c" in loss else rng.normal(size=shape)
    w = rng.uniform(0, 2, n) if weighted else None
    with fastnn.use_backend("reference"):
        expected = outcome(description, "float64", x, y, w, batch)
    with fastnn.num_threads(threads):
        found = outcome(description, "float64", x, y, w, batch)
    for name, values in expected[0].items():
        if "accuracy" not in name:  # numbers that are almost equal may be ordered either way
            np.testing.assert_allclose(found[0][name], values, rtol=1e-8, atol=1e-10, err_msg=name)
    for a, b in zip(found[1], expected[1]):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8)
    for a, b in zip(found[2:], expected[2:]):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(found[2], found[3], rtol=1e-12, atol=1e-12)


@settings(max_examples=80, deadline=None)
@given(models(largest=9), st.integers(1, 40), st.integers(1, 45), st.booleans())
def test_small_models(description, n, batch, weighted):
    check(description, n, batch, weighted)


@settings(max_examples=8, deadline=None)
@given(models(largest=300), st.integers(100, 200), st.sampled_from([64, 128]), st.booleans())
def test_models_that_are_cut_into_blocks(description, n, batch, weighted):
    check(description, n, batch, weighted, threads=3)


@pytest.mark.parametrize("units", [1, 2])
def test_the_smallest_model(units):
    check(((1,), [], units, "mse", "linear", "sum", 0), 1, 1, False)
