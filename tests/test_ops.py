"""Values of fastnn.ops: against hand-computed numbers, other formulas in double precision, and finite differences.

The activations have a module of their own, test_ops_activations.py.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from fastnn import ops
from fastnn.testing import gradcheck

RECEIVED = "Received: "


def rng(seed=0):
    return np.random.default_rng(seed)


def test_chains_in_place(backend):
    x = rng().normal(size=(8, 4)).astype(np.float32)
    expected = np.tanh(np.maximum(x, 0).astype(np.float64))
    assert ops.tanh(ops.relu(x, out=x), out=x) is x
    np.testing.assert_allclose(x, expected, rtol=3e-7)


# ---------------------------------------------------------------------------------------------------------- softmax


@pytest.mark.parametrize("axis", [-1, 0, 1, -3])
def test_softmax_family_along_any_axis(axis, backend):
    x = rng().normal(size=(3, 4, 5)) * 5
    np.testing.assert_allclose(ops.softmax(x, axis), special.softmax(x, axis), rtol=1e-13)
    np.testing.assert_allclose(ops.log_softmax(x, axis), special.log_softmax(x, axis), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(ops.logsumexp(x, axis), special.logsumexp(x, axis), rtol=1e-13)
    gradcheck(lambda x: ops.softmax(x, axis), [x], lambda dy, x: ops.softmax_backward(dy, ops.softmax(x, axis), axis))
    gradcheck(
        lambda x: ops.log_softmax(x, axis),
        [x],
        lambda dy, x: ops.log_softmax_backward(dy, ops.log_softmax(x, axis), axis),
    )


def test_softmax_of_large_and_masked_logits(backend):
    x = np.array([[1e4, 1e4, -np.inf], [0.0, -1e4, -1e4]], np.float32)
    np.testing.assert_array_equal(ops.softmax(x), [[0.5, 0.5, 0], [1, 0, 0]])
    np.testing.assert_array_equal(ops.log_softmax(x)[1], [0, -1e4, -1e4])
    np.testing.assert_allclose(ops.logsumexp(x), [1e4 + math.log(2), 0])
    assert ops.logsumexp(np.full((2, 3), -np.inf)).tolist() == [-np.inf, -np.inf]


def test_logsumexp_of_nothing_and_of_one_row(backend):
    assert ops.logsumexp(np.empty((2, 0))).tolist() == [-np.inf, -np.inf]
    value = ops.logsumexp(np.zeros(4, np.float32))
    assert isinstance(value, np.float32)
    assert value == np.float32(math.log(4))


@pytest.mark.parametrize("function", [ops.softmax, ops.log_softmax, ops.logsumexp])
def test_axis_is_checked(function):
    x = np.zeros((2, 3))
    for axis, error in ((2, ValueError), (-3, ValueError), (0.0, TypeError), (None, TypeError), (True, TypeError)):
        with pytest.raises(error, match=RECEIVED):
            function(x, axis)
    with pytest.raises(ValueError, match=f"at least one dimension. {RECEIVED}"):
        function(1.0)


# ------------------------------------------------------------------------------------------------------------ dense


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("flip_a", [False, True])
@pytest.mark.parametrize("flip_b", [False, True])
@pytest.mark.parametrize("view", [False, True])
def test_matmul_in_all_transpositions(dtype, flip_a, flip_b, view, backend):
    a, b = rng(1).normal(size=(5, 7)).astype(dtype), rng(2).normal(size=(7, 3)).astype(dtype)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    left = np.ascontiguousarray(a.T) if flip_a else a
    right = np.ascontiguousarray(b.T) if flip_b else b
    if view:  # the same matrices as transposed views
        left, right = np.asfortranarray(left), np.asfortranarray(right)
    actual = ops.matmul(left, right, flip_a, flip_b)
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual, expected, atol=20 * np.finfo(dtype).eps)


def test_matmul_of_vectors(backend):
    a, b = rng(1).normal(size=(4, 3)), rng(2).normal(size=3)
    np.testing.assert_allclose(ops.matmul(a, b), a @ b)
    np.testing.assert_allclose(ops.matmul(b, a, transpose_b=True), b @ a.T)
    assert isinstance(ops.matmul(b, b), np.float64)
    np.testing.assert_allclose(ops.matmul(b, b), b @ b)


def test_matmul_over_nothing(backend):
    out = np.full((2, 3), np.nan)
    np.testing.assert_array_equal(ops.matmul(np.empty((2, 0)), np.empty((0, 3)), out=out), np.zeros((2, 3)))
    assert ops.matmul(np.empty((0, 4)), np.empty((4, 3))).shape == (0, 3)


def test_matmul_refuses():
    a = np.zeros((2, 3))
    with pytest.raises(ValueError, match=rf"inner dimensions.*{RECEIVED}a float64 \(2, 3\), b float64 \(2, 3\)"):
        ops.matmul(a, a)
    with pytest.raises(ValueError, match=RECEIVED):
        ops.matmul(np.zeros((1, 2, 3)), a)
    with pytest.raises(ValueError, match=RECEIVED):
        ops.matmul(2.0, a)
    with pytest.raises(TypeError, match=RECEIVED):
        ops.matmul(a, a, transpose_b=1)


def test_dimensions_beyond_blas_are_refused():
    long = np.broadcast_to(np.float32(0), (2**31, 1))
    with pytest.raises(ValueError, match=r"no dimension may exceed 2147483647. Received: "):
        ops.matmul(long, np.zeros((1, 1), np.float32))


@pytest.mark.parametrize("layout", ["io", "oi"])
@pytest.mark.parametrize("activation", [None, "relu", "tanh", "gelu", "elu", "leaky_relu"])
@pytest.mark.parametrize("lead", [(6,), (), (2, 3)])
def test_affine(layout, activation, lead, backend):
    x, W, b = rng(1).normal(size=(*lead, 4)), rng(2).normal(size=(4, 3)), rng(3).normal(size=3)
    weights = W if layout == "io" else np.ascontiguousarray(W.T)
    expected = x @ W + b
    if activation:
        expected = getattr(ops, activation)(expected)
    actual = ops.affine(x, weights, b, activation, w_layout=layout)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ops.affine(x, weights, w_layout=layout), x @ W, rtol=1e-12, atol=1e-13)
    out = np.empty(np.shape(expected))
    assert ops.affine(x, weights, b, activation, out, layout) is out
    np.testing.assert_array_equal(out, actual)


@pytest.mark.parametrize("layout", ["io", "oi"])
@pytest.mark.parametrize("lead", [(6,), (), (2, 3)])
def test_affine_gradients(layout, lead, backend):
    W = rng(2).normal(size=(4, 3) if layout == "io" else (3, 4))
    gradcheck(
        lambda x, W, b: ops.affine(x, W, b, w_layout=layout),
        [rng(1).normal(size=(*lead, 4)), W, rng(3).normal(size=3)],
        lambda dy, x, W, b: ops.affine_backward(dy, x, W, w_layout=layout),
        names=("x", "W", "b"),
    )


def test_affine_gradients_through_an_activation(backend):
    def backward(dy, x, W, b):
        y = ops.affine(x, W, b, "tanh")
        return ops.affine_backward(ops.tanh_backward(dy, y), x, W)

    gradcheck(
        lambda x, W, b: ops.affine(x, W, b, "tanh"),
        [rng(1).normal(size=(5, 4)), rng(2).normal(size=(4, 3)), rng(3).normal(size=3)],
        backward,
    )


def test_affine_backward_into_buffers(backend):
    dy, x, W = rng(1).normal(size=(5, 3)), rng(2).normal(size=(5, 4)), rng(3).normal(size=(4, 3))
    dW, db = np.full((4, 3), np.nan), np.full(3, np.nan)
    dx, dW_out, db_out = ops.affine_backward(dy, x, W, need_dx=False, dW=dW, db=db)
    assert dx is None
    assert dW_out is dW
    assert db_out is db
    np.testing.assert_allclose(dW, x.T @ dy)
    np.testing.assert_allclose(db, dy.sum(0))
    ops.affine_backward(dy, x, W, need_dx=False, dW=dW, db=db, accumulate=True)
    np.testing.assert_allclose(dW, 2 * x.T @ dy)
    np.testing.assert_allclose(db, 2 * dy.sum(0))
    strided = np.ones((8, 6))[::2, ::2]  # accumulation reads what is there, in any layout
    ops.affine_backward(dy, x, W, need_dx=False, dW=strided, db=db, accumulate=True)
    np.testing.assert_allclose(strided, 1 + x.T @ dy)


def test_affine_backward_without_samples(backend):
    dW, db = np.ones((4, 3)), np.ones(3)
    dx, _, _ = ops.affine_backward(np.empty((0, 3)), np.empty((0, 4)), np.ones((4, 3)), dW=dW, db=db, accumulate=True)
    assert dx.shape == (0, 4)
    assert dW.sum() == 12
    ops.affine_backward(np.empty((0, 3)), np.empty((0, 4)), np.ones((4, 3)), dW=dW, db=db)
    assert dW.sum() == db.sum() == 0


def test_affine_refuses():
    x, W, b = np.zeros((2, 4)), np.zeros((4, 3)), np.zeros(3)
    with pytest.raises(ValueError, match=r"Did you mean 'relu'.*Received: 'rleu'"):
        ops.affine(x, W, b, "rleu")
    with pytest.raises(ValueError, match=r"w_layout.*Received: 'oo'"):
        ops.affine(x, W, b, w_layout="oo")
    with pytest.raises(ValueError, match=rf"W of layout 'oi'. {RECEIVED}x float64 \(2, 4\), W float64 \(4, 3\)"):
        ops.affine(x, W, b, w_layout="oi")
    with pytest.raises(ValueError, match=rf"b must have shape \(3,\). {RECEIVED}b float64 \(4,\)"):
        ops.affine(x, W, np.zeros(4))
    for bad in ({"accumulate": True}, {"accumulate": True, "dW": W.copy()}, {"dW": np.zeros((3, 4))}, {"db": W}):
        with pytest.raises(ValueError, match=RECEIVED):
            ops.affine_backward(np.zeros((2, 3)), x, W, **bad)
    memory = np.zeros(12)
    with pytest.raises(ValueError, match="dW and db must not share memory"):
        ops.affine_backward(np.zeros((2, 3)), x, W, dW=memory.reshape(4, 3), db=memory[:3])
    dW = np.ones((4, 3))
    with pytest.raises(TypeError, match="db must have dtype float64"):
        ops.affine_backward(np.zeros((2, 3)), x, W, dW=dW, db=np.zeros(3, np.float32))
    assert dW.sum() == 12  # nothing was written before everything was checked


def test_bias_add_and_column_sums(backend):
    x, b = rng(1).normal(size=(2, 5, 3)), rng(2).normal(size=3)
    np.testing.assert_array_equal(ops.bias_add(x, b), x + b)
    np.testing.assert_allclose(ops.column_sums(x), x.sum(axis=(0, 1)), rtol=1e-13)
    copy = x.copy()
    assert ops.bias_add(copy, b, out=copy) is copy
    np.testing.assert_array_equal(copy, x + b)


# ------------------------------------------------------------------------------------------------------- hypothesis

NUMBERS = st.floats(-50, 50, width=32)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=40), elements=NUMBERS),
    st.data(),
)
def test_softmax_of_any_shape_and_axis(x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    y = ops.softmax(x, axis)
    np.testing.assert_allclose(y, special.softmax(x, axis), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(ops.log_softmax(x, axis), special.log_softmax(x, axis), rtol=1e-12, atol=1e-13)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(0, 40)] * 3), st.booleans(), st.sampled_from([np.float32, np.float64]), st.integers(0, 99)
)
def test_affine_of_any_shape(sizes, flip, dtype, seed):
    rows, inputs, units = sizes
    x, W, b = (
        rng(seed + k).normal(size=s).astype(dtype) for k, s in enumerate([(rows, inputs), (inputs, units), units])
    )
    expected = x.astype(np.float64) @ W.astype(np.float64) + b
    weights = W.T if flip else W
    actual = ops.affine(x, weights, b, w_layout="oi" if flip else "io")
    np.testing.assert_allclose(actual, expected, atol=100 * np.finfo(dtype).eps)
    dy = rng(seed + 3).normal(size=(rows, units)).astype(dtype)
    dx, dW, db = ops.affine_backward(dy, x, weights, w_layout="oi" if flip else "io")
    np.testing.assert_allclose(dx, dy.astype(np.float64) @ W.T, atol=100 * np.finfo(dtype).eps)
    np.testing.assert_allclose(dW.T if flip else dW, x.T.astype(np.float64) @ dy, atol=100 * np.finfo(dtype).eps)
    np.testing.assert_allclose(db, dy.sum(axis=0, dtype=np.float64), atol=100 * np.finfo(dtype).eps)
