"""Layers that move numbers: what they compute, against NumPy; their gradients; what costs nothing; errors."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers
from fastnn.engine.plan import Plan
from fastnn.layers import Dense, Input
from fastnn.layers.registry import deserialize, serialize
from fastnn.testing import check_layer, run_layer


def pad(*border):
    return lambda x: np.pad(x, [(0, 0), *border])


def repeat(*factors):
    def repeated(x):
        for axis, factor in enumerate(factors, start=1):
            x = np.repeat(x, factor, axis)
        return x

    return repeated


def interpolate(x, axis, factor):
    """By the definition: element i of an axis of n lies at (i + 1/2) / n; constant beyond the first and the last."""
    n = x.shape[axis]
    centres = (np.arange(n) + 0.5) / n
    wanted = (np.arange(n * factor) + 0.5) / (n * factor)
    return np.apply_along_axis(lambda line: np.interp(wanted, centres, line), axis, x)


LAST, FIRST = "channels_last", "channels_first"
CASES = [
    (layers.Identity(), (2, 3), lambda x: x),
    (layers.Activation("linear"), (2, 3), lambda x: x),
    (layers.Flatten(), (2, 3, 4), lambda x: x.reshape(len(x), -1)),
    (layers.Flatten(), (), lambda x: x.reshape(len(x), 1)),
    (layers.Flatten(FIRST), (2, 3, 4), lambda x: x.transpose(0, 2, 3, 1).reshape(len(x), -1)),
    (layers.Flatten(data_format=FIRST), (5,), lambda x: x),
    (layers.Reshape((3, 4)), (2, 6), lambda x: x.reshape(-1, 3, 4)),
    (layers.Reshape((4, -1)), (2, 2, 3), lambda x: x.reshape(-1, 4, 3)),
    (layers.Reshape((-1,)), (2, 3), lambda x: x.reshape(-1, 6)),
    (layers.Permute((2, 1)), (3, 5), lambda x: x.transpose(0, 2, 1)),
    (layers.Permute((3, 1, 2)), (19, 3, 17), lambda x: x.transpose(0, 3, 1, 2)),
    (layers.Permute((4, 2, 5, 1, 3)), (2, 3, 2, 4, 2), lambda x: x.transpose(0, 4, 2, 5, 1, 3)),
    (layers.Permute((2, 1, 3)), (1, 4, 3), lambda x: x.transpose(0, 2, 1, 3)),
    (layers.RepeatVector(3), (4,), lambda x: np.repeat(x[:, np.newaxis], 3, 1)),
    (layers.RepeatVector(1), (1,), lambda x: x[:, np.newaxis]),
    (layers.ZeroPadding1D(), (3, 2), pad((1, 1), (0, 0))),
    (layers.ZeroPadding1D((2, 0), FIRST), (2, 3), pad((0, 0), (2, 0))),
    (layers.ZeroPadding2D(), (2, 3, 2), pad((1, 1), (1, 1), (0, 0))),
    (layers.ZeroPadding2D((0, 2)), (2, 3, 1), pad((0, 0), (2, 2), (0, 0))),
    (layers.ZeroPadding2D(((1, 0), (2, 3)), FIRST), (2, 3, 2), pad((0, 0), (1, 0), (2, 3))),
    (layers.ZeroPadding2D(0), (2, 3, 1), lambda x: x),
    (layers.ZeroPadding3D(((1, 0), (0, 2), (1, 1))), (2, 1, 2, 3), pad((1, 0), (0, 2), (1, 1), (0, 0))),
    (layers.ZeroPadding3D(1, FIRST), (1, 2, 2, 1), pad((0, 0), (1, 1), (1, 1), (1, 1))),
    (layers.Cropping1D(), (4, 2), lambda x: x[:, 1:-1]),
    (layers.Cropping1D((0, 2), FIRST), (2, 4), lambda x: x[:, :, :2]),
    (layers.Cropping2D(), (2, 3, 2), lambda x: x),
    (layers.Cropping2D(((1, 0), (2, 1))), (3, 5, 2), lambda x: x[:, 1:, 2:-1]),
    (layers.Cropping2D((1, 0), FIRST), (2, 3, 2), lambda x: x[:, :, 1:-1]),
    (layers.Cropping3D(), (3, 3, 4, 2), lambda x: x[:, 1:-1, 1:-1, 1:-1]),
    (layers.Cropping3D(((0, 1), (1, 0), (1, 1)), FIRST), (2, 2, 3, 3), lambda x: x[:, :, :1, 1:, 1:-1]),
    (layers.UpSampling1D(), (3, 2), repeat(2)),
    (layers.UpSampling1D(3), (1, 1), repeat(3)),
    (layers.UpSampling2D(), (2, 3, 2), repeat(2, 2)),
    (layers.UpSampling2D((1, 3), FIRST), (2, 3, 2), repeat(1, 1, 3)),
    (layers.UpSampling2D((3, 2)), (1, 2, 1), repeat(3, 2)),
    (layers.UpSampling3D((2, 1, 3)), (2, 2, 1, 2), repeat(2, 1, 3)),
    (layers.UpSampling3D(2, FIRST), (2, 1, 2, 1), repeat(1, 2, 2, 2)),
    (layers.UpSampling2D(interpolation="bilinear"), (2, 3, 2), lambda x: interpolate(interpolate(x, 1, 2), 2, 2)),
    (layers.UpSampling2D((3, 4), interpolation="Bilinear"), (3, 1, 1), lambda x: repeat(1, 4)(interpolate(x, 1, 3))),
    (layers.UpSampling2D((5, 1), FIRST, "bilinear"), (2, 2, 3), lambda x: interpolate(x, 2, 5)),
]
ids = [f"{type(layer).__name__}-{i}" for i, (layer, *_) in enumerate(CASES)]


def copy(layer, dtype="float64"):
    return type(layer).from_config({**layer.get_config(), "dtype": dtype})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("layer", "shape", "expected"), CASES, ids=ids)
def test_values(layer, shape, expected, dtype, backend):
    layer = copy(layer, dtype)
    layer.build_once(shape)
    for batch in (1, 5):
        x = np.random.default_rng(0).normal(size=(batch, *shape)).astype(dtype)
        y = run_layer(layer, x)
        assert y.shape == (batch, *layer.output_shape[1:]) and y.dtype == dtype
        if layer.get_config().get("interpolation") == "bilinear":
            np.testing.assert_allclose(y, expected(x), rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-6)
        else:
            np.testing.assert_array_equal(y, expected(x))


@pytest.mark.parametrize(("layer", "shape", "expected"), CASES, ids=ids)
def test_gradients(layer, shape, expected, backend):
    if np.prod(shape) < 200:
        assert check_layer(copy(layer), shape) <= 1


@pytest.mark.parametrize(("layer", "shape", "expected"), CASES, ids=ids)
def test_layers_survive_serialization(layer, shape, expected):
    again = deserialize(serialize(layer))
    assert serialize(again) == serialize(layer)


@pytest.mark.parametrize("order", [(2, 1, 3), (3, 1, 2), (1, 3, 2)])
def test_large_permutations(order, backend):
    """More than a square of the kernel's along every axis, with remainders."""
    x = np.random.default_rng(1).normal(size=(3, 37, 21, 50)).astype(np.float32)
    layer = layers.Permute(order)
    layer.build_once(x.shape[1:])
    np.testing.assert_array_equal(run_layer(layer, x), x.transpose(0, *order))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Identity(), (2, 3)),
        (layers.Flatten(), (2, 3)),
        (layers.Flatten(FIRST), (1, 2, 3)),
        (layers.Flatten(FIRST), (4, 1, 1)),
        (layers.Reshape((-1, 2)), (2, 3)),
        (layers.Permute((2, 1)), (1, 3)),
        (layers.Activation("linear"), (3,)),
    ],
)
def test_what_stays_in_order_costs_nothing(layer, shape):
    layer = copy(layer)
    layer.build_once(shape)
    plan = Plan("float64", 4, True, {})
    y, backward = layer.emit(plan, 17)
    assert (y, backward(18, True), plan.steps) == (17, 18, [])


def test_threads_do_not_change_a_bit():
    x = np.random.default_rng(2).normal(size=(64, 6, 10, 8)).astype(np.float32)
    results = []
    for threads in (1, 2, 5):
        with fastnn.num_threads(threads):
            fastnn.seeds.set_random_seed(3)
            model = Sequential(
                [
                    Input((6, 10, 8)),
                    Dense(8),
                    layers.Permute((3, 1, 2)),
                    layers.ZeroPadding2D(((3, 1), (0, 2)), FIRST),
                    layers.UpSampling2D(3, FIRST, "bilinear"),
                    layers.UpSampling2D(2),
                    layers.Cropping2D(5),
                    layers.Flatten(FIRST),
                    Dense(2),
                ]
            )
            model.compile("sgd", "mse")
            model.fit(x, np.ones((64, 2)), epochs=2, verbose=0)
            results.append(model.get_weights())
    for other in results[1:]:
        for one, two in zip(results[0], other):
            np.testing.assert_array_equal(one, two)


def test_infinities_stay_where_they_are(backend):
    """Nothing is multiplied that only moves."""
    x = np.full((2, 2, 2, 1), np.inf)
    for layer in (layers.ZeroPadding2D(dtype="float64"), layers.UpSampling2D(dtype="float64")):
        layer.build_once((2, 2, 1))
        assert not np.isnan(run_layer(layer, x)).any()


def test_zeros_are_zeros_after_other_batches(backend):
    """The border of a buffer whose memory others used before."""
    model = Sequential(
        [Input((3, 3, 1)), Dense(4), layers.ZeroPadding2D(2), Dense(1, use_bias=False), layers.Flatten()]
    )
    x = np.random.default_rng(4).normal(size=(40, 3, 3, 1))
    y = model.predict(x, batch_size=8, verbose=0).reshape(40, 7, 7)
    y[:, 2:5, 2:5] = 0
    assert not y.any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Flatten("channels_lats"),
        lambda: layers.Reshape((0, 2)),
        lambda: layers.Reshape((-1, -1)),
        lambda: layers.Reshape(2.5),
        lambda: layers.Reshape((4,)).build_once((5,)),
        lambda: layers.Reshape((4, -1)).build_once((6,)),
        lambda: layers.Permute((0, 1)),
        lambda: layers.Permute((1, 1)),
        lambda: layers.Permute(()),
        lambda: layers.Permute((2, 1)).build_once((5,)),
        lambda: layers.RepeatVector(0),
        lambda: layers.RepeatVector(2.0),
        lambda: layers.RepeatVector(2).build_once((2, 2)),
        lambda: layers.ZeroPadding1D((1, 2, 3)),
        lambda: layers.ZeroPadding1D(-1),
        lambda: layers.ZeroPadding2D((1, 2, 3)),
        lambda: layers.ZeroPadding2D(((1, 2), (3,))),
        lambda: layers.ZeroPadding2D("same"),
        lambda: layers.ZeroPadding2D(True),
        lambda: layers.ZeroPadding2D(1).build_once((3, 3)),
        lambda: layers.ZeroPadding3D((1, 2)),
        lambda: layers.Cropping1D(1).build_once((2, 3)),
        lambda: layers.Cropping2D(2).build_once((4, 5, 3)),
        lambda: layers.Cropping2D(2, data_format="NHWC"),
        lambda: layers.UpSampling1D(0),
        lambda: layers.UpSampling2D((2, 2, 2)),
        lambda: layers.UpSampling2D(2, interpolation="bicubic"),
        lambda: layers.UpSampling3D(2).build_once((3, 3, 3)),
    ],
)
def test_errors_say_what_was_expected(make):
    with pytest.raises((TypeError, ValueError), match=r"Received: "):
        make()
