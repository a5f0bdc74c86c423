"""Layers called with training=False learn, and behave as in inference while they do: Keras's way of fine-tuning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastnn import Model, Sequential, layers, optimizers
from fastnn.testing import gradcheck_model

RNG = np.random.default_rng(3)
F64: dict[str, Any] = {"dtype": "float64"}


def base(shape: tuple[int, ...], *stack: layers.Layer) -> Sequential:
    return Sequential([layers.Input(shape, **F64), *stack])


BASES = {
    "dense": lambda: base((6, 4), layers.Dense(3, "gelu", **F64), layers.Dropout(0.5, **F64)),
    "batchnorm": lambda: base((6, 4), layers.Dense(3, **F64), layers.BatchNormalization(**F64)),
    "convolution": lambda: base(
        (6, 4), layers.Conv1D(3, 3, activation="silu", **F64), layers.BatchNormalization(**F64),
        layers.MaxPooling1D(2, **F64), layers.RReLU(**F64),
    ),
    "channels": lambda: base((6, 4), layers.BatchNormalization(axis=1, **F64), layers.GaussianNoise(1.0, **F64)),
    "gru": lambda: base((6, 4), layers.GRU(3, dropout=0.5, activation="gelu", **F64)),
    "lstm": lambda: base((6, 4), layers.Rescaling(2.0, **F64), layers.LSTM(3, recurrent_dropout=0.5, **F64)),
    "attention": lambda: Model(
        (x := layers.Input((6, 4), **F64)), layers.MultiHeadAttention(2, 3, dropout=0.5, **F64)(x, x)
    ),
}  # fmt: skip


def fine_tuned(name: str) -> tuple[Model, Model]:
    inner = BASES[name]()
    x = layers.Input((6, 4), **F64)
    lower = layers.Dense(4, **F64)(x)
    model = Model(x, layers.Dense(2, **F64)(layers.Flatten(**F64)(inner(lower, training=False))))
    model.set_weights([RNG.uniform(0.2, 0.9, w.shape) for w in model.weights])
    return model, inner


@pytest.mark.parametrize("name", BASES)
def test_gradients(name: str, backend: Any) -> None:
    model, _ = fine_tuned(name)
    model.compile(optimizers.SGD(0.0), "mse")
    x, y = RNG.normal(size=(5, 6, 4)), RNG.normal(size=(5, 2))
    assert gradcheck_model(model, x, y, rtol=1e-5, atol=1e-7) <= 1
    assert model.train_on_batch(x, y) == pytest.approx(model.test_on_batch(x, y), rel=1e-12)


def test_fine_tuning() -> None:
    """The guide of Keras: train the head, then all with a small rate; moving statistics stay as they are."""
    model, inner = fine_tuned("batchnorm")
    x, y = RNG.normal(size=(40, 6, 4)), RNG.normal(size=(40, 2))
    norm = inner.layers[-1]
    gamma, *_, mean, variance = before = norm.get_weights()
    inner.trainable = False
    model.compile(optimizers.Adam(0.01), "mse")
    model.fit(x, y, epochs=1, verbose=0)
    for a, b in zip(before, norm.get_weights()):
        np.testing.assert_array_equal(a, b)
    inner.trainable = True
    model.compile(optimizers.Adam(1e-3), "mse")
    losses = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0] and not np.array_equal(norm.get_weights()[0], gamma)
    np.testing.assert_array_equal(norm.get_weights()[-2], mean)
    np.testing.assert_array_equal(norm.get_weights()[-1], variance)
