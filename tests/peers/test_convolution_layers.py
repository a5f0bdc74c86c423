"""Layers with sliding windows beside Keras: the same outputs and the same training from the same weights."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import layers as ours

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")
theirs = keras.layers
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras", "ignore::UserWarning:torch")

IMAGES = [
    ("Conv2D", {"filters": 5, "kernel_size": 3}),
    ("Conv2D", {"filters": 4, "kernel_size": (2, 3), "strides": (2, 1), "padding": "same", "activation": "tanh"}),
    ("Conv2D", {"filters": 6, "kernel_size": 2, "groups": 3, "dilation_rate": 2, "activation": "silu"}),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, "activation": "sigmoid"}),
    ("DepthwiseConv2D", {"kernel_size": 2, "strides": 2, "padding": "same"}),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "softplus"}),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": (2, 3)}),
    ("MaxPooling2D", {}),
    ("MaxPooling2D", {"pool_size": (3, 2), "strides": 1, "padding": "same"}),
    ("AveragePooling2D", {"pool_size": 2}),
    ("AveragePooling2D", {"pool_size": 3, "strides": 1, "padding": "same"}),
    ("GlobalAveragePooling2D", {}),
    ("GlobalMaxPooling2D", {"keepdims": True}),
]
SEQUENCES = [
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2, "activation": "relu"}),
    ("Conv1D", {"filters": 4, "kernel_size": 2, "strides": 2, "padding": "same"}),
    ("MaxPooling1D", {"pool_size": 3}),
    ("AveragePooling1D", {"pool_size": 2}),
    ("GlobalMaxPooling1D", {}),
    ("GlobalAveragePooling1D", {"keepdims": True}),
]
CASES = [(name, options, (6, 7, 3)) for name, options in IMAGES] + [
    (name, options, (8, 3)) for name, options in SEQUENCES
]


@pytest.fixture
def float64():
    """Keras's models cast what they are given to its own default."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("name", "options", "shape"), CASES, ids=str)
def test_twenty_steps_of_training(name, options, shape):
    rng = np.random.default_rng(1)

    def build(source, model, **more):
        around = {"dtype": "float64"}
        return model(
            [
                source.Input(shape, **more),
                getattr(source, name)(**options, **around),
                source.Flatten(**around),  # and no Dense, which Keras on PyTorch computes in float32
            ]
        )

    mine, other = build(ours, fastnn.Sequential, dtype="float64"), build(theirs, keras.Sequential, dtype="float64")
    weights = [0.3 * rng.normal(size=p.shape) for p in mine.weights]
    mine.set_weights(weights)
    other.set_weights(weights)
    x, y = rng.normal(size=(10, *shape)), rng.normal(size=(10, *mine.output_shape[1:]))
    rounding = 1e-6 if name.startswith("GlobalAverage") else 1e-11  # Keras on PyTorch takes means in float32
    expected = np.asarray(other(x).detach())
    np.testing.assert_allclose(mine.predict(x, verbose=0), expected, rtol=rounding, atol=rounding)
    mine.compile(fastnn.optimizers.SGD(0.02), "mse")
    history = mine.fit(x, y, batch_size=5, epochs=10, shuffle=False, verbose=0).history["loss"]
    # Keras's own fit keeps loss and learning rate in float32
    parameters, losses = [w.value for w in other.trainable_weights], []
    for step in range(20):
        batch = slice(5 * (step % 2), 5 * (step % 2) + 5)
        loss = torch.mean((other(torch.from_numpy(x[batch])) - torch.from_numpy(y[batch])) ** 2)
        losses.append(loss.item())
        grads = torch.autograd.grad(loss, parameters) if parameters else []
        with torch.no_grad():
            for parameter, grad in zip(parameters, grads):
                parameter -= 0.02 * grad
    np.testing.assert_allclose(history, np.mean(np.reshape(losses, (10, 2)), axis=1), rtol=max(1e-9, rounding))
    for one, two in zip(mine.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "options", "shape"), CASES, ids=str)
def test_names_shapes_and_configuration(name, options, shape):
    mine, other = getattr(ours, name)(**options), getattr(theirs, name)(**options)
    other.build((None, *shape))
    assert mine.build_once(shape) == tuple(other.compute_output_shape((None, *shape)))[1:]
    assert [p.shape for p in mine.weights] == [tuple(w.shape) for w in other.weights]
    config = other.get_config()
    for key, value in mine.get_config().items():
        if key in config and key not in ("name", "dtype") and "initializer" not in key and key != "activation":
            expected = config[key] if isinstance(config[key], (tuple, list)) else (config[key],)
            assert (value if isinstance(value, list) else [value]) == list(expected), key
