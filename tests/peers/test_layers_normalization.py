"""Layers that normalise beside Keras and PyTorch: outputs, twenty steps of training, moving statistics, conventions.

PyTorch's batch normalisation differs in two ways: its momentum is 1 less Keras's, and its running variance takes in the
unbiased variance of the batch, n / (n - 1) times Keras's.  `ops.batchnorm(..., unbiased=True)` is the latter.
"""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import layers as ours
from fastnn import ops

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")
theirs = keras.layers
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras", "ignore::UserWarning")

CASES = [
    ("BatchNormalization", {}, (5,)),
    ("BatchNormalization", {"momentum": 0.9, "epsilon": 1e-5}, (4, 3, 2)),
    ("BatchNormalization", {"axis": 1, "center": False}, (4, 3, 2)),
    ("BatchNormalization", {"axis": 2, "scale": False}, (4, 3, 2)),
    ("BatchNormalization", {"center": False, "scale": False}, (3, 4)),
    ("LayerNormalization", {}, (3, 4)),
    ("LayerNormalization", {"axis": [1, 2], "center": False}, (3, 4)),
    ("LayerNormalization", {"axis": [1, 3], "scale": False}, (2, 3, 4)),
    ("LayerNormalization", {"rms_scaling": True}, (3, 4)),
    # not axis 1 of two: Keras on PyTorch takes it for the last one and fails
    ("GroupNormalization", {"groups": 2}, (3, 2, 4)),
    ("GroupNormalization", {"groups": -1, "epsilon": 1e-5}, (5, 3)),
    ("GroupNormalization", {"groups": 2, "axis": 1}, (4, 3, 2)),
    ("RMSNormalization", {}, (3, 4)),
    ("RMSNormalization", {"axis": [1, 2], "epsilon": 1e-3}, (3, 4)),
    ("UnitNormalization", {}, (3, 4)),
    ("UnitNormalization", {"axis": [1, 2]}, (3, 4)),
    ("Rescaling", {"scale": 0.5, "offset": 2.0}, (3, 4)),
    ("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, (4,)),
]
ids = [f"{name}-{options}" for name, options, _ in CASES]


@pytest.fixture
def float64(monkeypatch):
    """Keras's models cast what they are given to its own default, and its layers narrow float64 to float32."""
    monkeypatch.setitem(keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def models(name, options, shape, rng):
    """The layer behind another one with weights, with the same random weights in both libraries."""

    def build(source, model, **more):
        first = source.BatchNormalization(axis=1, trainable=False, dtype="float64")  # and no Dense: float32 in Keras
        return model([source.Input(shape, **more), first, getattr(source, name)(**options, dtype="float64")])

    mine, other = build(ours, fastnn.Sequential, dtype="float64"), build(theirs, keras.Sequential, dtype="float64")
    assert [p.name.split("/")[1] for p in mine.weights] == [w.name for w in other.weights]
    weights = [rng.uniform(0.5, 1.5, p.shape) for p in mine.weights]
    mine.set_weights(weights)
    other.set_weights(weights)
    return mine, other


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("name", "options", "shape"), CASES, ids=ids)
def test_twenty_steps_of_training(name, options, shape):
    rng = np.random.default_rng(1)
    mine, other = models(name, options, shape, rng)
    x, y = rng.normal(2, 3, size=(10, *shape)), rng.normal(size=(10, *shape))
    np.testing.assert_allclose(mine.predict(x, verbose=0), np.asarray(other(x).detach()), rtol=1e-10, atol=1e-10)
    mine.compile(fastnn.optimizers.SGD(0.02), "mse")
    history = mine.fit(x, y, batch_size=5, epochs=10, shuffle=False, verbose=0).history["loss"]
    parameters, losses = [w.value for w in other.trainable_weights], []
    for step in range(20):
        batch = slice(5 * (step % 2), 5 * (step % 2) + 5)
        loss = torch.mean((other(torch.from_numpy(x[batch]), training=True) - torch.from_numpy(y[batch])) ** 2)
        loss = loss + sum(other.losses)
        losses.append(loss.item())
        grads = torch.autograd.grad(loss, parameters) if parameters else []
        with torch.no_grad():
            for parameter, grad in zip(parameters, grads):
                parameter -= 0.02 * grad
    np.testing.assert_allclose(history, np.mean(np.reshape(losses, (10, 2)), axis=1), rtol=1e-9)
    for one, two in zip(mine.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mine.predict(x, verbose=0), np.asarray(other(x).detach()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "options", "shape"), CASES, ids=ids)
def test_names_shapes_and_configuration(name, options, shape):
    mine, other = getattr(ours, name)(**options), getattr(theirs, name)(**options)
    for key, value in mine.get_config().items():
        config = other.get_config()
        if key in config and key not in ("name", "dtype") and "initializer" not in key:
            assert value == config[key] or list(np.ravel(value)) == list(np.ravel(config[key])), key
    other.build((None, *shape))
    assert mine.build_once(shape) == tuple(other.compute_output_shape((None, *shape)))[1:]
    assert [p.shape for p in mine.weights] == [tuple(w.shape) for w in other.weights]
    assert [p.trainable for p in mine.weights] == [w.trainable for w in other.weights]


@pytest.mark.parametrize(
    "cls", ["SpatialDropout1D", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise"]
)
def test_configuration_of_noise(cls):
    mine, other = getattr(ours, cls)(0.5, seed=1).get_config(), getattr(theirs, cls)(0.5, seed=1).get_config()
    for key in set(mine) & set(other) - {"name", "dtype"}:
        assert mine[key] == other[key], key


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("axis", [-1, 1, (1, 2), None])
@pytest.mark.parametrize("invert", [False, True])
def test_adapted_normalization(axis, invert):
    x = np.random.default_rng(2).normal(5, 2, size=(40, 3, 4))
    mine, other = (source.Normalization(axis=axis, invert=invert, dtype="float64") for source in (ours, theirs))
    mine.adapt(x)
    other.adapt(x)
    for one, two in zip(mine.get_weights(), other.get_weights(), strict=True):
        assert one.shape == two.shape
        np.testing.assert_allclose(one, two, rtol=1e-12)
    model = fastnn.Sequential([ours.Input(x.shape[1:], dtype="float64"), mine])
    np.testing.assert_allclose(model.predict(x, verbose=0), other(x).detach(), rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("float64")
def test_given_normalization():
    x = np.random.default_rng(3).normal(5, 2, size=(4, 3, 2, 5))
    for axis, mean, variance in (
        (-1, 3.0, 2.0),
        (-1, [1.0] * 5, [2.0] * 5),
        ((1, 3), [[1.0], [2.0], [3.0]], [[4.0]] * 3),
    ):
        options = {"axis": axis, "mean": mean, "variance": variance, "dtype": "float64"}
        model = fastnn.Sequential([ours.Input(x.shape[1:], dtype="float64"), ours.Normalization(**options)])
        expected = theirs.Normalization(**options)(x).detach()
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-9)


# -------------------------------------------------------------------------------------------------------------- PyTorch

RNG = np.random.default_rng(4)


def compared(x, module, mine, mine_backward):
    """Output, gradient of x and of the parameters, for (N, C, ...) arrays."""
    module = module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += torch.from_numpy(RNG.normal(size=parameter.shape))
    inputs = torch.from_numpy(x).requires_grad_()
    expected = module(inputs)
    dy = RNG.normal(size=x.shape)
    expected.backward(torch.from_numpy(dy))
    y, cache = mine(x, *(p.detach().numpy() for p in module.parameters()))
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-10, atol=1e-12)
    grads = mine_backward(dy, cache)
    grads = grads if isinstance(grads, tuple) else (grads,)
    for one, two in zip(grads, (inputs, *module.parameters())):
        np.testing.assert_allclose(one, two.grad, rtol=1e-9, atol=1e-10)


def test_pytorchs_modules():
    x = RNG.normal(1, 2, size=(4, 6, 5))
    nn = torch.nn
    compared(x, nn.GroupNorm(3, 6), lambda x, *p: ops.groupnorm(x, 3, *p, axis=1, eps=1e-5), ops.groupnorm_backward)
    compared(
        x, nn.InstanceNorm1d(6, affine=True), lambda x, *p: ops.instancenorm(x, *p, axis=1, eps=1e-5),
        ops.instancenorm_backward,
    )  # fmt: skip
    compared(x, nn.LayerNorm([6, 5]), lambda x, *p: ops.layernorm(x, *p, axis=(1, 2), eps=1e-5), ops.layernorm_backward)
    eps = float(np.finfo(np.float64).eps)
    compared(x, nn.RMSNorm(5), lambda x, *p: ops.rmsnorm(x, *p, eps=eps), ops.rmsnorm_backward)
    for size in (1, 2, 3, 4, 5):
        compared(
            x, nn.LocalResponseNorm(size, 0.3, 0.6, 1.2), lambda x, size=size: ops.lrn(x, size, 0.3, 0.6, 1.2, axis=1),
            ops.lrn_backward,
        )  # fmt: skip


def test_pytorchs_batch_norm_for_twenty_steps():
    module = torch.nn.BatchNorm2d(3, momentum=0.1).double()
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(20):
        x = RNG.normal(1, 2, size=(4, 3, 5, 2))
        gamma, beta = (p.detach().numpy() for p in module.parameters())
        y, cache = ops.batchnorm(x, gamma, beta, mean, variance, momentum=1 - 0.1, eps=1e-5, axis=1, unbiased=True)
        inputs = torch.from_numpy(x).requires_grad_()
        expected = module(inputs)
        np.testing.assert_allclose(y, expected.detach(), rtol=1e-10, atol=1e-12)
        dy = RNG.normal(size=x.shape)
        module.zero_grad()
        expected.backward(torch.from_numpy(dy))
        for one, two in zip(ops.batchnorm_backward(dy, cache), (inputs, *module.parameters())):
            np.testing.assert_allclose(one, two.grad, rtol=1e-9, atol=1e-10)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter -= 0.1 * parameter.grad
    np.testing.assert_allclose(mean, module.running_mean, rtol=1e-10)
    np.testing.assert_allclose(variance, module.running_var, rtol=1e-10)
    module.eval()
    gamma, beta = (p.detach().numpy() for p in module.parameters())
    y, _ = ops.batchnorm(x, gamma, beta, mean, variance, training=False, eps=1e-5, axis=1)
    np.testing.assert_allclose(y, module(torch.from_numpy(x)).detach(), rtol=1e-10)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.8, "epsilon": 1e-5, "scale": False}])
def test_masked_batch_statistics(options, backend):
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(6, 5, 3)) + 1, rng.normal(size=(6, 5, 3))
    x[0, 2:], x[1, :1], x[4] = 0, 0, 0

    def build(source):
        # no Dense: float32 in Keras; the frozen layer behind makes the gradients uneven
        return [source.Masking(), source.BatchNormalization(**options), source.BatchNormalization(trainable=False)]

    model = fastnn.Sequential([ours.Input((5, 3), dtype="float64"), *build_double(build, ours)])
    other = keras.Sequential([keras.Input((5, 3), dtype="float64"), *build_double(build, theirs)])
    weights = [rng.uniform(0.5, 1.5, size=p.shape) for p in model.weights]
    model.set_weights(weights)
    other.set_weights(weights)
    with fastnn.use_backend(backend):
        model.compile("sgd", "mse")
        other.compile("sgd", "mse")
        for each in (model, other):
            each.optimizer.learning_rate = 0.1
        for _ in range(20):
            np.testing.assert_allclose(model.train_on_batch(x, y), float(other.train_on_batch(x, y)), rtol=1e-6)
        for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(model.predict(x, verbose=0), other.predict(x, verbose=0), rtol=1e-9, atol=1e-10)


def build_double(build, source):
    """The layers with weights of float64."""
    found = build(source)
    config = [{**layer.get_config(), "dtype": "float64"} for layer in found]
    return [type(layer).from_config(c) for layer, c in zip(found, config)]
