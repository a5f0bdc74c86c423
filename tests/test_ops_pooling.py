"""Max and average pooling: values by hand, ties, NaN, padding, gradients, geometry, layouts, threads, errors."""

from __future__ import annotations

import numpy as np
import pytest
from contract import RECEIVED, assert_same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn
from fastnn import ops


def plane(values):
    """One image of one channel."""
    return np.array(values, float)[np.newaxis, :, :, np.newaxis]


def test_by_hand(backend):
    x = plane([[1, 2, 3], [4, 9, 6], [7, 8, 5]])
    y, argmax = ops.maxpool2d(x, 2, stride=1)
    np.testing.assert_array_equal(y, plane([[9, 9], [9, 9]]))
    np.testing.assert_array_equal(argmax, plane([[4, 4], [4, 4]]))
    assert argmax.dtype == np.int32
    dx = ops.maxpool2d_backward(plane([[1, 2], [3, 4]]), argmax, x.shape, 2, stride=1)
    np.testing.assert_array_equal(dx, plane([[0, 0, 0], [0, 10, 0], [0, 0, 0]]))
    np.testing.assert_array_equal(ops.avgpool2d(x, 2, stride=1), plane([[4, 5], [7, 7]]))
    dx = ops.avgpool2d_backward(plane([[4, 8], [12, 16]]), x.shape, 2, stride=1)
    np.testing.assert_array_equal(dx, plane([[1, 3, 2], [4, 10, 6], [3, 7, 4]]))


def test_padding(backend):
    """Keras's "same" puts the odd pixel at the far end; padding is no maximum, and counts only if that is asked for."""
    x = plane([[-1, -2, -3], [-4, -5, -6], [-7, -8, -9]])
    y, argmax = ops.maxpool2d(x, 2, padding="same")
    np.testing.assert_array_equal(y, plane([[-1, -3], [-7, -9]]))
    np.testing.assert_array_equal(argmax, plane([[0, 2], [6, 8]]))
    np.testing.assert_array_equal(ops.avgpool2d(x, 2, padding="same"), plane([[-3, -4.5], [-7.5, -9]]))
    with_padding = ops.avgpool2d(x, 2, padding="same", count_include_pad=True)
    np.testing.assert_array_equal(with_padding, plane([[-3, -2.25], [-3.75, -2.25]]))


def test_ties(backend):
    x = plane([[5, 5], [1, 5]])
    y, argmax = ops.maxpool2d(x, 2)
    assert argmax.item() == 0
    dy = np.full_like(y, 6)
    np.testing.assert_array_equal(ops.maxpool2d_backward(dy, argmax, x.shape, 2), plane([[6, 0], [0, 0]]))
    split = ops.maxpool2d_backward(dy, argmax, x.shape, 2, ties="split", x=x)
    np.testing.assert_array_equal(split, plane([[2, 2], [0, 2]]))


@pytest.mark.parametrize("channels", [1, 5, 32, 33])
def test_nan_wins_and_infinities_are_numbers(channels, backend):
    x = np.zeros((1, 2, 6, channels), np.float32)
    x[0, 0, 1], x[0, 1, 0] = np.inf, np.nan
    x[0, :, 2:4] = -np.inf
    x[0, 1, 4:6] = np.nan
    y, argmax = ops.maxpool2d(x, 2)
    np.testing.assert_array_equal(y[0, 0], np.repeat([[np.nan], [-np.inf], [np.nan]], channels, axis=1))
    np.testing.assert_array_equal(argmax[0, 0], np.repeat([[6], [2], [10]], channels, axis=1))
    dx = ops.maxpool2d_backward(np.ones_like(y), argmax, x.shape, 2)
    assert dx.sum() == 3 * channels
    assert dx[0, 1, 0].all() and dx[0, 0, 2].all() and dx[0, 1, 4].all()


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_native_is_the_reference(data):
    kernel, stride = (data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)), name) for name in ("pool", "stride"))
    pads = tuple((data.draw(st.integers(0, k - 1)), data.draw(st.integers(0, k - 1))) for k in kernel)
    size = tuple(data.draw(st.integers(max(1, k - sum(p)), 11)) for k, p in zip(kernel, pads))
    channels = data.draw(st.sampled_from([1, 3, 8, 31, 33, 70]), "channels")
    dtype = data.draw(st.sampled_from([np.float32, np.float64]), "dtype")
    rng = np.random.default_rng(data.draw(st.integers(0, 9), "seed"))
    x = rng.integers(-3, 4, size=(data.draw(st.sampled_from([1, 3])), *size, channels)).astype(dtype)
    x[rng.random(x.shape) < 0.05] = np.nan

    def everything():
        y, argmax = ops.maxpool2d(x, kernel, stride, pads)
        dy = np.cos(np.arange(y.size, dtype=dtype)).reshape(y.shape)
        shape = (x.shape, kernel, stride, pads)
        return [
            y,
            argmax,
            ops.maxpool2d_backward(dy, argmax, *shape),
            ops.maxpool2d_backward(dy, argmax, *shape, ties="split", x=x),
            ops.avgpool2d(x, kernel, stride, pads),
            ops.avgpool2d(x, kernel, stride, pads, count_include_pad=True),
            ops.avgpool2d_backward(dy, *shape),
            ops.avgpool2d_backward(dy, *shape, count_include_pad=True),
        ]

    native = everything()
    with fastnn.use_backend("reference"):
        reference = everything()
    for one, two in zip(native, reference):
        assert one.dtype == two.dtype
        np.testing.assert_allclose(one, two, rtol=0, atol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("include", [False, True])
def test_average_gradient_is_the_transposed_map(include, backend):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 7, 9, 3))
    y = ops.avgpool2d(x, (3, 2), (2, 1), 1, count_include_pad=include)
    dy = rng.normal(size=y.shape)
    dx = ops.avgpool2d_backward(dy, x.shape, (3, 2), (2, 1), 1, count_include_pad=include)
    assert np.sum(dx * x) == pytest.approx(np.sum(dy * y), rel=1e-12)


def test_whole_images_are_windows(backend):
    x = np.random.default_rng(2).normal(size=(3, 5, 6, 40))
    np.testing.assert_allclose(ops.avgpool2d(x, (5, 6))[:, 0, 0], x.mean(axis=(1, 2)), rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(ops.maxpool2d(x, (5, 6))[0][:, 0, 0], x.max(axis=(1, 2)))


def test_layouts_agree(backend):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 6, 7, 5))
    first = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    y, argmax = ops.maxpool2d(x, 3, 2, 1)
    z, places = ops.maxpool2d(first, 3, 2, 1, layout="NCHW")
    np.testing.assert_array_equal(z.transpose(0, 2, 3, 1), y)
    np.testing.assert_array_equal(places.transpose(0, 2, 3, 1), argmax)
    for ties in ("first", "split"):
        dx = ops.maxpool2d_backward(y, argmax, x.shape, 3, 2, 1, ties=ties, x=x)
        other = ops.maxpool2d_backward(z, places, first.shape, 3, 2, 1, layout="NCHW", ties=ties, x=first)
        np.testing.assert_array_equal(other.transpose(0, 2, 3, 1), dx)
    averages = ops.avgpool2d(first, 3, 2, 1, layout="NCHW")
    np.testing.assert_array_equal(averages.transpose(0, 2, 3, 1), ops.avgpool2d(x, 3, 2, 1))


def test_bits_do_not_depend_on_the_threads():
    x = np.random.default_rng(4).normal(size=(9, 40, 33, 48)).astype(np.float32)
    results = []
    for threads in (1, 2, 3, 8):
        with fastnn.num_threads(threads):
            y, argmax = ops.maxpool2d(x, 3, 2, 1)
            results.append(
                [
                    y,
                    argmax,
                    ops.maxpool2d_backward(y, argmax, x.shape, 3, 2, 1),
                    ops.maxpool2d_backward(y, argmax, x.shape, 3, 2, 1, ties="split", x=x),
                    ops.avgpool2d(x, 3, 2, 1),
                    ops.avgpool2d_backward(y, x.shape, 3, 2, 1),
                ]
            )
    for other in results[1:]:
        assert_same_bits(other, results[0])


def test_no_images(backend):
    x = np.ones((0, 4, 4, 3), np.float32)
    y, argmax = ops.maxpool2d(x, 2)
    assert y.shape == argmax.shape == (0, 2, 2, 3)
    assert ops.maxpool2d_backward(y, argmax, x.shape, 2).shape == x.shape
    assert ops.avgpool2d(x, 2).shape == y.shape
    assert ops.avgpool2d_backward(y, x.shape, 2).shape == x.shape


def test_errors():
    x = np.ones((1, 4, 4, 2))
    y, argmax = ops.maxpool2d(x, 2)
    for call in (
        lambda: ops.maxpool2d(x, 0),
        lambda: ops.maxpool2d(x, "2"),
        lambda: ops.maxpool2d(x, 2, padding=2),
        lambda: ops.maxpool2d(x, 5),
        lambda: ops.maxpool2d(x[0], 2),
        lambda: ops.maxpool2d(x, 2, layout="CHWN"),
        lambda: ops.maxpool2d_backward(y, argmax.astype(float), x.shape, 2),
        lambda: ops.maxpool2d_backward(y, argmax, (1, 5, 6, 2), 2),
        lambda: ops.maxpool2d_backward(y, argmax, 4, 2),
        lambda: ops.maxpool2d_backward(y, argmax, x.shape, 2, ties="split"),
        lambda: ops.maxpool2d_backward(y, argmax, x.shape, 2, ties="split", x=y),
        lambda: ops.maxpool2d_backward(y, argmax, x.shape, 2, ties="last"),
        lambda: ops.avgpool2d(x, 2, count_include_pad=1),
        lambda: ops.avgpool2d_backward(x, x.shape, 2),
    ):
        with pytest.raises((TypeError, ValueError), match=RECEIVED):
            call()
