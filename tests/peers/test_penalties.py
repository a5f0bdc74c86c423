"""Regularizers and constraints against Keras; the gradients of the regularizers against PyTorch's autograd."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import constraints, regularizers

keras = pytest.importorskip("keras")

REGULARIZERS = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.2}),
    ("L1L2", {"l1": 0.1, "l2": 0.4}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.3, "mode": "columns"}),
]
CONSTRAINTS = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.8, "axis": 1}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": [0, 1]}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 2.0, "rate": 0.3, "axis": 1}),
]
SHAPES = [(5, 4), (3, 8), (20, 20)]


@pytest.fixture(autouse=True)
def restored_floatx():
    """Keras casts to its default float in places: the tests in float64 set that."""
    before = keras.config.floatx()
    yield
    keras.config.set_floatx(before)


def weights(shape, dtype="float64"):
    values = np.random.default_rng(2).normal(size=shape)
    values[0, 0] = 0.0
    return values.astype(dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "arguments"), REGULARIZERS)
def test_regularizers(name, arguments, shape):
    theirs, ours = getattr(keras.regularizers, name)(**arguments), getattr(regularizers, name)(**arguments)
    x = weights(shape, "float32")
    assert ours(x) == pytest.approx(float(theirs(keras.ops.convert_to_tensor(x))), rel=2e-6)
    config = ours.get_config()
    assert config == pytest.approx(theirs.get_config()) if "mode" not in config else config["mode"] == theirs.mode
    assert type(regularizers.deserialize(keras.regularizers.serialize(theirs))) is type(ours)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "arguments"), REGULARIZERS)
def test_gradients(name, arguments, shape):
    torch = pytest.importorskip("torch")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras has another backend")
    keras.config.set_floatx("float64")
    x = torch.tensor(weights(shape), requires_grad=True)
    getattr(keras.regularizers, name)(**arguments)(x).backward()
    ours = getattr(regularizers, name)(**arguments).gradient(weights(shape))
    if name == "OrthogonalRegularizer":  # its inner steps are float32 in Keras whatever comes in
        np.testing.assert_allclose(ours, x.grad.numpy(), rtol=1e-5, atol=1e-6 * np.abs(ours).max())
    else:
        np.testing.assert_allclose(ours, x.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "arguments"), CONSTRAINTS)
def test_constraints(name, arguments, shape, dtype):
    keras.config.set_floatx(dtype)
    theirs, ours = getattr(keras.constraints, name)(**arguments), getattr(constraints, name)(**arguments)
    w = weights(shape, dtype)
    expected = theirs(keras.ops.convert_to_tensor(w)).detach().cpu().numpy()
    # With the 0 of its NonNeg, Keras's PyTorch backend falls from float64 to float32.
    eps = np.finfo(expected.dtype if name == "NonNeg" else dtype).eps
    np.testing.assert_allclose(ours(w), expected, rtol=8 * eps, atol=eps)
    assert ours.get_config() == theirs.get_config()
    assert constraints.deserialize(keras.constraints.serialize(theirs)).get_config() == ours.get_config()


def test_nothing_of_keras_is_missing():
    for theirs, ours in ((keras.regularizers, regularizers), (keras.constraints, constraints)):
        assert {name for name in dir(theirs) if name[0] != "_" and not hasattr(ours, name)} == set()
