"""Layers with sliding windows: values by definition or from their parts; penalties and constraints of their weights."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers
from fastnn.engine.plan import Plan
from fastnn.layers import Conv2D, Dense, DepthwiseConv2D, Input
from fastnn.layers.registry import LAYERS, deserialize, serialize
from fastnn.testing import run_layer

ADAPTIVE = [cls for name, cls in LAYERS.items() if "Adaptive" in name]
FIRST = "channels_first"


@pytest.mark.parametrize(
    "options",
    [
        {"padding": "valid"},
        {"padding": "same", "strides": (2, 1, 3)},
        {"padding": "same", "dilation_rate": (2, 1, 1)},
        {"padding": "valid", "groups": 2, "strides": (1, 2, 1)},
    ],
)
def test_convolution_of_volumes_by_its_definition(options, backend):
    rng = np.random.default_rng(7)
    layer = layers.Conv3D(4, (3, 2, 3), dtype="float64", bias_initializer="random_normal", **options)
    layer.build_once((6, 5, 7, 4))
    x, (w, b) = rng.normal(size=(2, 6, 5, 7, 4)), layer.get_weights()
    y = run_layer(layer, x)
    strides, dilation = options.get("strides", (1, 1, 1)), options.get("dilation_rate", (1, 1, 1))
    groups = options.get("groups", 1)
    reach = [(k - 1) * d + 1 for k, d in zip((3, 2, 3), dilation)]
    if options["padding"] == "same":
        missing = [max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip((6, 5, 7), strides, reach)]
        x = np.pad(x, [(0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(1, 2, 3))
    places, holes = (tuple(slice(None, None, n) for n in numbers) for numbers in (strides, dilation))
    windows = windows[(slice(None), *places, slice(None), *holes)]
    pairs = zip(np.split(windows, groups, axis=4), np.split(w, groups, axis=-1))
    expected = np.concatenate([np.einsum("nxyzcijk,ijkcf->nxyzf", part, kernel) for part, kernel in pairs], -1) + b
    np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-12)


def test_separable_convolution_is_two_convolutions(backend):
    x = np.random.default_rng(8).normal(size=(3, 6, 5, 3))
    layer = layers.SeparableConv2D(4, (3, 2), 2, "same", depth_multiplier=2, activation="tanh", dtype="float64")
    layer.build_once((6, 5, 3))
    depthwise, pointwise, bias = layer.get_weights()
    first = DepthwiseConv2D((3, 2), 2, "same", 2, use_bias=False, dtype="float64")
    first.build_once((6, 5, 3))
    first.set_weights([depthwise])
    expected = np.tanh(run_layer(first, x) @ pointwise[0, 0] + bias)
    np.testing.assert_allclose(run_layer(layer, x), expected, rtol=1e-12)


@pytest.mark.parametrize("cls", ADAPTIVE)
@pytest.mark.parametrize("sizes", [(2, 3, 2), (5, 4, 1), (7, 2, 6), (1, 1, 1), (8, 9, 10)])
def test_adaptive_pooling_by_its_definition(cls, sizes, backend):
    shape, rank = (7, 8, 5)[: cls.rank], cls.rank
    layer = cls(sizes[:rank], dtype="float64")
    layer.build_once((*shape, 2))
    x = np.random.default_rng(9).normal(size=(2, *shape, 2))
    expected = np.empty((2, *sizes[:rank], 2))
    for place in np.ndindex(*sizes[:rank]):
        part = tuple(slice(i * n // k, -(-(i + 1) * n // k)) for i, n, k in zip(place, shape, sizes))
        window = x[(slice(None), *part)].reshape(2, -1, 2)
        expected[(slice(None), *place)] = window.mean(axis=1) if cls.average else window.max(axis=1)
    np.testing.assert_allclose(run_layer(layer, x), expected, rtol=1e-12)


@pytest.mark.parametrize("layer", [layers.MaxPooling3D(2), layers.GlobalMaxPooling3D(), layers.AdaptiveMaxPooling3D(1)])
def test_the_first_of_equal_maxima_of_a_volume_gets_the_gradient(layer, backend):
    layer = type(layer).from_config({**layer.get_config(), "dtype": "float64"})
    layer.build_once((2, 2, 2, 1))
    x, dx = np.zeros((1, 2, 2, 2, 1)), np.full((1, 2, 2, 2, 1), np.nan)
    x[0, 0, 1, 0], x[0, 0, 1, 1], x[0, 1, 0, 0] = 3.0, 3.0, 3.0
    plan = Plan("float64", 1, True)
    _, backward = layer.emit(plan, plan.array(x))
    found = backward(plan.array(np.ones(1)), True)
    plan.step("activation", (found, plan.array(dx)), row="identity", ints=(8,))
    fastnn.backend.current().Program(plan).run(0, 1)
    np.testing.assert_array_equal(dx.reshape(-1), [0, 0, 1, 0, 0, 0, 0, 0])


def test_regularizers_and_constraints_of_convolutions(backend):
    """They are those of Dense, whose window is one pixel."""
    options = {
        "kernel_regularizer": "l2",
        "bias_regularizer": fastnn.regularizers.L1(0.1),
        "activity_regularizer": fastnn.regularizers.L2(0.3),
        "kernel_constraint": fastnn.constraints.MaxNorm(0.7, axis=-2),
        "bias_constraint": "non_neg",
        "dtype": "float64",
    }
    rng = np.random.default_rng(10)
    x, y = rng.normal(size=(8, 1, 1, 3)), rng.normal(size=(8, 1, 1, 2))
    weights, losses = [], []
    for layer in (Dense(2, **options), Conv2D(2, 1, **options), Conv2D(2, 1, data_format=FIRST, **options)):
        first = getattr(layer, "data_format", "") == FIRST
        model = Sequential([Input((3, 1, 1) if first else (1, 1, 3), dtype="float64"), layer])
        model.set_weights([np.resize([0.3, -0.8, 0.6, 0.9], p.shape) for p in model.weights])
        model.compile(fastnn.optimizers.SGD(0.3), "mse")
        data = [a.reshape(8, -1, 1, 1) if first else a for a in (x, y)]
        losses.append(model.fit(*data, batch_size=4, epochs=3, shuffle=False, verbose=0).history["loss"])
        weights.append([w.reshape(-1) for w in model.get_weights()])
        again = deserialize(serialize(layer))
        assert serialize(again) == serialize(layer)
        assert type(again.bias_constraint) is fastnn.constraints.NonNeg
    for other in (1, 2):
        np.testing.assert_allclose(losses[0], losses[other], rtol=1e-12)
        for one, two in zip(weights[0], weights[other]):
            np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "arguments", "weights"),
    [
        ("SeparableConv2D", (2,), {"depthwise": "depthwise_kernel", "pointwise": "pointwise_kernel", "bias": "bias"}),
        ("DepthwiseConv2D", (), {"depthwise": "kernel", "bias": "bias"}),
        ("DepthwiseConv1D", (), {"depthwise": "kernel", "bias": "bias"}),
        ("Conv3D", (2,), {"kernel": "kernel", "bias": "bias"}),
        ("Conv1DTranspose", (2,), {"kernel": "kernel", "bias": "bias"}),
        ("Conv2DTranspose", (2,), {"kernel": "kernel", "bias": "bias"}),
    ],
)
def test_every_weight_has_its_own_options(name, arguments, weights):
    cls = LAYERS[name]
    for prefix, weight in weights.items():
        options = {"initializer": "ones", "regularizer": "l1", "constraint": "unit_norm"}
        layer = cls(*arguments, 2, **{f"{prefix}_{kind}": value for kind, value in options.items()})
        layer.build_once((*(4, 4, 4)[: cls.rank], 3))
        found = [w for w in layer.weights if w.regularizer is not None]
        assert [w.name for w in found] == [f"{layer.name}/{weight}"]
        assert isinstance(found[0].constraint, fastnn.constraints.UnitNorm) and (found[0].value == 1).all()
        again = deserialize(serialize(layer))
        assert isinstance(getattr(again, f"{prefix}_constraint"), fastnn.constraints.UnitNorm)
