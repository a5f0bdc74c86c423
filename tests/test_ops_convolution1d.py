"""Convolution of sequences: against its definition, NumPy's own, and central differences; layouts, outputs, errors."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import ops
from fastnn.testing import gradcheck

OPTIONS = [
    {},
    {"padding": "same", "stride": 2},
    {"padding": "causal", "dilation": 2, "activation": "tanh"},
    {"padding": (2, 1), "groups": 2, "activation": "silu"},
    {"padding": "valid", "stride": 3},
]


def arrays(groups=1, dtype=np.float64):
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(3, 9, 4)), rng.normal(size=(3, 4 // groups, 6)), rng.normal(size=6)
    return [part.astype(dtype) for part in parts]


def test_a_single_channel_is_numpys_correlation(backend):
    x, w = np.arange(7.0), np.array([1.0, -2, 0.5])
    y, _ = ops.conv1d(x[np.newaxis, :, np.newaxis], w[:, np.newaxis, np.newaxis])
    np.testing.assert_allclose(y[0, :, 0], np.correlate(x, w))
    y, _ = ops.conv1d(x[np.newaxis, :, np.newaxis], w[:, np.newaxis, np.newaxis], padding="causal")
    np.testing.assert_allclose(y[0, :, 0], np.correlate(np.concatenate([[0, 0], x]), w))


@pytest.mark.parametrize("options", OPTIONS)
def test_gradients(options, backend):
    x, w, b = arrays(options.get("groups", 1))
    y, ctx = ops.conv1d(x, w, b, **options)
    dy = np.random.default_rng(1).normal(size=y.shape)

    def loss(x, w, b):
        return float(np.sum(dy * ops.conv1d(x, w, b, **options)[0]))

    gradcheck(loss, [x, w, b], lambda d, *_: [d * g for g in ops.conv1d_backward(dy, ctx)], dy=1.0)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts_and_outputs(options, dtype, backend):
    x, w, b = arrays(options.get("groups", 1), dtype)
    y, ctx = ops.conv1d(x, w, b, **options)
    assert y.dtype == dtype
    first = np.ascontiguousarray(x.transpose(0, 2, 1))
    oiw = np.ascontiguousarray(w.transpose(2, 1, 0))
    z, other = ops.conv1d(first, oiw, b, layout="NCW", w_layout="OIW", **options)
    np.testing.assert_array_equal(z, y.transpose(0, 2, 1))
    out = np.empty_like(y)
    assert ops.conv1d(x, w, b, out=out, **options)[0] is out
    np.testing.assert_array_equal(out, y)
    dx, dw, db = ops.conv1d_backward(y, ctx)
    dx1, dw1, db1 = ops.conv1d_backward(z, other)
    np.testing.assert_array_equal(dx1, dx.transpose(0, 2, 1))
    np.testing.assert_array_equal(dw1, dw.transpose(2, 1, 0))
    np.testing.assert_array_equal(db1, db)
    place = np.empty_like(w)
    none, got, _ = ops.conv1d_backward(y, ctx, need_dx=False, dW=place)
    assert none is None and got is place
    np.testing.assert_array_equal(place, dw)


def test_causal_outputs_do_not_see_later_steps():
    x, w, b = arrays()
    y, _ = ops.conv1d(x, w, b, padding="causal", dilation=2)
    x[:, 5:] = np.nan
    z, _ = ops.conv1d(x, w, b, padding="causal", dilation=2)
    np.testing.assert_array_equal(z[:, :5], y[:, :5])


def test_sequences_of_no_number():
    y, ctx = ops.conv1d(np.ones((0, 5, 2)), np.ones((2, 2, 3)))
    assert y.shape == (0, 4, 3)
    dx, dw, _ = ops.conv1d_backward(y, ctx)
    assert dx.shape == (0, 5, 2) and not dw.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.ones((3, 9))}, "x must have the three dimensions NWC"),
        ({"W": np.ones((3, 3))}, "W the three WIO"),
        ({"padding": "sam"}, "Unknown conv1d padding 'sam'. Did you mean 'same'"),
        ({"padding": (1, 2, 3)}, "conv1d: padding must be a number"),
        ({"padding": -1}, "conv1d: padding must be at least 0"),
        ({"stride": 0}, "conv1d: stride must be at least 1"),
        ({"stride": 1.5}, "conv1d: stride must be whole numbers"),
        ({"layout": "NWH"}, "Unknown conv1d layout 'NWH'"),
        ({"w_layout": "WOI"}, "Unknown conv1d w_layout 'WOI'"),
        ({"groups": 3}, "groups do not divide"),
        ({"out": np.ones((3, 7))}, "conv1d: out must be an array of three dimensions"),
        ({"activation": "rleu"}, "Did you mean 'relu'"),
    ],
)
def test_errors(change, message):
    x, w, b = arrays()
    with pytest.raises((TypeError, ValueError), match=f"(?s){message}.*Received"):
        ops.conv1d(**{"x": x, "W": w, "b": b, **change})
    y, ctx = ops.conv1d(x, w, b)
    for arguments in ((y, None), (y[0], ctx), (y, ctx, True, np.ones(3)), (y[:, :2], ctx)):
        with pytest.raises((TypeError, ValueError), match=r"Received"):
            ops.conv1d_backward(*arguments)
