"""Clipping of gradients: by value, by norm, by the norm of all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from contract import DTYPES, RECEIVED

from fastnn import ops
from fastnn.testing import layouts


@pytest.mark.parametrize("dtype", DTYPES)
def test_by_value(dtype, backend):
    g = np.array([-3, -0.5, 0, 0.5, 3, np.nan, np.inf, -np.inf], dtype)
    assert ops.clip_by_value_(g, -1, 2) is None
    np.testing.assert_array_equal(g, np.array([-1, -0.5, 0, 0.5, 2, np.nan, 2, -1], dtype))
    ops.clip_by_value_(g, -np.inf, 0.25)
    np.testing.assert_array_equal(g, np.array([-1, -0.5, 0, 0.25, 0.25, np.nan, 0.25, -1], dtype))


def test_limits_that_float32_cannot_hold_do_nothing(backend):
    g = np.array([1, np.inf], np.float32)
    ops.clip_by_value_(g, -1e300, 1e300)
    np.testing.assert_array_equal(g, [1, np.inf])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_by_global_norm(dtype, kind, backend):
    grads = [np.array([3.0, 0.0], dtype), np.array([[0.0, 4.0], [0.0, 12.0]], dtype)]  # 3, 4, 12: norm 13
    given = dict(enumerate(grads)) if kind is dict else kind(grads)
    assert ops.sumsq(given) == 169
    assert ops.clip_by_global_norm_(given, 26.0) == 13
    np.testing.assert_array_equal(grads[0], [3, 0])
    assert ops.clip_by_global_norm_(given, 6.5, eps=0.0) == 13
    np.testing.assert_array_equal(grads[0], [1.5, 0])
    np.testing.assert_array_equal(grads[1], [[0, 2], [0, 6]])
    assert ops.clip_by_global_norm_(given, 6.5) == 6.5  # norm + eps is more than 6.5
    np.testing.assert_allclose(grads[0][0], 1.5 * 6.5 / (6.5 + 1e-6), rtol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_by_norm_in_every_layout(dtype, backend):
    for name, g in layouts(np.array([[3.0, 0.0], [0.0, 4.0]], dtype)):
        if name in ("readonly", "byteswapped"):
            with pytest.raises((TypeError, ValueError), match=RECEIVED):
                ops.clip_by_norm_(g, 1.0)
            continue
        assert ops.clip_by_norm_(g, 2.5, eps=0.0) == 5
        np.testing.assert_array_equal(g, [[1.5, 0], [0, 2]])


def test_norms_that_are_not_finite(backend):
    g = np.array([1, np.nan, 2])
    assert math.isnan(ops.clip_by_norm_(g, 1.0))
    assert np.isnan(g).all()
    g = np.array([1, np.inf, 2])
    assert ops.clip_by_norm_(g, 1.0) == math.inf
    np.testing.assert_array_equal(g, [0, np.nan, 0])
    g = np.array([1, np.inf, 2])
    assert ops.clip_by_norm_(g, math.inf) == math.inf
    np.testing.assert_array_equal(g, [1, np.inf, 2])


def test_long_sums_of_float32_are_exact(backend):
    """In float32 a sum of 2**25 ones would stop at 2**24."""
    assert ops.sumsq([np.ones(2**24, np.float32), np.ones(3, np.float32)]) == 2**24 + 3


def test_nothing_to_clip(backend):
    assert ops.sumsq([]) == 0
    assert ops.clip_by_global_norm_([], 1.0) == 0
    assert ops.clip_by_global_norm_({"W": np.empty((0, 3))}, 1.0) == 0
    g = np.zeros(3)
    assert ops.clip_by_norm_(g, 0.0, eps=0.0) == 0
    assert not g.any()


def test_integers_and_lists_are_summed_but_not_clipped():
    assert ops.sumsq([[3, 4], np.array([12])]) == 169
    with pytest.raises(TypeError, match=r"grads\[1\] must have dtype float32 or float64. Received: "):
        ops.clip_by_global_norm_([np.ones(2), np.array([1])], 1.0)
    with pytest.raises(TypeError, match=r"grads\['b'\] must be a NumPy array.*Received: "):
        ops.clip_by_global_norm_({"W": np.ones(2), "b": [1.0]}, 1.0)


def test_what_is_refused():
    g = np.ones(2)
    with pytest.raises(TypeError, match=r"must be a dict, list or tuple of arrays. Received: float64"):
        ops.clip_by_global_norm_(g, 1.0)
    with pytest.raises(ValueError, match=r"twice. Received: grads\[0\], grads\[1\]"):
        ops.clip_by_global_norm_([g, g], 0.1)
    with pytest.raises(ValueError, match=r"lo must not be greater than hi. Received: lo 1.0, hi -1.0"):
        ops.clip_by_value_(g, 1.0, -1.0)
    with pytest.raises(ValueError, match=r"max_norm must be >= 0. Received: max_norm -1.0"):
        ops.clip_by_norm_(g, -1.0)
    np.testing.assert_array_equal(g, 1)
