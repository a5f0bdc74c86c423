"""Lambda: a function of symbolic tensors as a layer."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Model, Sequential, layers, ops
from fastnn.layers import Input, Lambda
from fastnn.testing import gradcheck_model

X = np.random.default_rng(0).normal(size=(6, 4))
TARGETS = np.random.default_rng(1).normal(size=(6, 1))


def twin(function, reference):
    model = Sequential([Input((4,), dtype="float64"), Lambda(function), layers.Dense(1, dtype="float64")])
    model.compile("sgd", "mse")
    np.testing.assert_allclose(
        Model(model.inputs, model.layers[0].output).predict(X, verbose=0), reference(X), rtol=1e-12
    )
    return model


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(
    ("function", "reference"),
    [
        (lambda t: t**2, np.square),
        (lambda t: 2 * t + 1, lambda x: 2 * x + 1),
        (
            lambda t: ops.exp(t) / ops.sum(ops.exp(t), axis=-1, keepdims=True),
            lambda x: np.exp(x) / np.exp(x).sum(1)[:, None],
        ),
        (lambda t: t[:, ::2], lambda x: x[:, ::2]),
    ],
)  # fmt: skip
def test_computes_and_trains(backend, function, reference):
    with fastnn.use_backend(backend):
        model = twin(function, reference)
        gradcheck_model(model, X, TARGETS)


def test_several_inputs_and_arguments():
    a, b = Input((3,)), Input((3,))
    model = Model(
        [a, b], Lambda(lambda pair, scale: ops.abs(pair[0] - pair[1]) * scale, arguments={"scale": 3.0})([a, b])
    )
    x, y = np.ones((2, 3), np.float32), np.full((2, 3), 3, np.float32)
    np.testing.assert_array_equal(model.predict([x, y], verbose=0), np.full((2, 3), 6))


def test_takes_arrays_and_any_length():
    np.testing.assert_array_equal(Lambda(lambda t: t + 1)(np.ones((2, 3), np.float32)), np.full((2, 3), 2))
    model = Sequential([Input((None, 2)), Lambda(lambda t: ops.mean(t, axis=1))])
    for length in (3, 5):
        np.testing.assert_allclose(model.predict(np.ones((2, length, 2)), verbose=0), np.ones((2, 2)))


def test_files_hold_the_weights_alone(tmp_path):
    model = twin(lambda t: t + 1, lambda x: x + 1)
    with pytest.raises(ValueError, match=r"cannot hold the function of a Lambda.*Received: <function"):
        model.save(tmp_path / "model.fastnn")
    model.save_weights(tmp_path / "model.safetensors")
    kept = model.get_weights()
    model.set_weights([np.zeros_like(w) for w in kept])
    model.load_weights(tmp_path / "model.safetensors")
    for a, b in zip(model.get_weights(), kept):
        np.testing.assert_array_equal(a, b)


def test_refuses():
    with pytest.raises(TypeError, match=r"expected a function. Received: 3"):
        Lambda(3)
    with pytest.raises(ValueError, match=r"mask is not served"):
        Lambda(lambda t: t, mask=lambda inputs, mask: mask)
    with pytest.raises(TypeError, match=r"lambda.*Received|automatic differentiation"):
        Sequential([Input((4,)), Lambda(lambda t: np.fft.fft(t))])
