"""Matrix products, affine maps with a fused activation, and their gradients.

Weights are `(inputs, outputs)` ("io", as in Keras and in most textbooks) or `(outputs, inputs)` ("oi", as in PyTorch).
Transposed views cost nothing: BLAS reads them as they are; other layouts are copied.  Refused: more than two
dimensions where a matrix is expected, and an `out` that shares memory with an input.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._errors import unknown
from fastnn._native import fast
from fastnn.backend import NATIVE, current
from fastnn.ops._check import (
    as_array,
    common_dtype,
    fits_blas,
    flag,
    into,
    overlapping,
    received,
    rows_of,
    same_view,
    well_formed,
    writable,
)
from fastnn.ops._symbolic import called
from fastnn.ops.activations import ROWS
from fastnn.ops.registry import Arguments, operation

Array = NDArray[Any]
LAYOUTS = ("io", "oi")
LINEAR = ROWS["identity"]


def _oriented(matrix: Array, dtype: np.dtype[Any], transpose: bool) -> tuple[Array, bool]:
    """A matrix that BLAS can read, and whether it has to be transposed to be the one that is meant."""
    if matrix.flags.f_contiguous and not matrix.flags.c_contiguous:
        return well_formed(matrix.T, dtype), not transpose
    return well_formed(matrix, dtype), transpose


def _product(a: Array, b: Array, c: Array, transpose_a: bool, transpose_b: bool, accumulate: bool = False) -> None:
    """c = op(a) @ op(b), or c += it; a sum over nothing is 0."""
    if a.shape[0 if transpose_a else 1] == 0:
        if not accumulate:
            c[...] = 0
        return
    a, transpose_a = _oriented(a, c.dtype, transpose_a)
    b, transpose_b = _oriented(b, c.dtype, transpose_b)
    current().gemm(a, b, c, transpose_a, transpose_b, 1.0, 1.0 if accumulate else 0.0)


def _layout(op: str, w_layout: str) -> bool:
    """Whether weights of this layout have to be transposed to be (inputs, outputs)."""
    if w_layout not in LAYOUTS:
        raise unknown(f"{op} w_layout", w_layout, LAYOUTS)
    return w_layout == "oi"


def _sample_product(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    a, b = rng.normal(size=shape), rng.normal(size=(shape[-1], shape[-1]))
    return Arguments((a.reshape(-1, shape[-1]).astype(dtype), b.astype(dtype)), {})


@operation("dense", _sample_product)
def matmul(
    a: ArrayLike, b: ArrayLike, transpose_a: bool = False, transpose_b: bool = False, out: Array | None = None
) -> Any:
    """Product of two matrices, or of a matrix and a vector.

    ``matmul(a, b) = op(a) @ op(b)`` with ``op(m) = m.T`` where the flag of a matrix is set

    Parameters
    ----------
    a : array, shape (m, k), (k, m) with transpose_a, or (k,)
        Left factor; a vector is one row.  More dimensions, in front, are stacks of matrices, as in `numpy.matmul`,
        which computes them.
    b : array, shape (k, n), (n, k) with transpose_b, or (k,)
        Right factor; a vector is one column.
    transpose_a, transpose_b : bool
        Use the transposed matrix; vectors are not transposed.
    out : array, optional
        Where to put the result; it must not share memory with a or b.

    Returns
    -------
    array, shape (m, n) without the dimensions that a vector has not
        NumPy's result dtype for a and b, at least float32.

    Raises
    ------
    TypeError
        An argument does not hold real numbers, or `out` has another dtype than the result.
    ValueError
        The inner dimensions differ; there are more than two dimensions, and a flag or `out`.
    """
    if current() is NATIVE and (c := fast.matmul(a, b, transpose_a, transpose_b, out)) is not None:
        return c
    return _matmul(a, b, transpose_a, transpose_b, out)


def _matmul(a: Any, b: Any, transpose_a: Any, transpose_b: Any, out: Any) -> Any:
    """The general way of `matmul`."""
    op = "matmul"
    if (tensor := called(op, a, b)) is not None:
        return tensor
    left, right = as_array(op, "a", a), as_array(op, "b", b)
    plain = out is None and not (transpose_a or transpose_b)
    if plain and min(left.ndim, right.ndim) >= 1 and max(left.ndim, right.ndim) > 2:
        return _stacks(left, right)
    if not 1 <= left.ndim <= 2 or not 1 <= right.ndim <= 2:
        raise ValueError(f"{op}: a and b must be vectors or matrices. {received(a=left, b=right)}")
    flip_a, flip_b = flag(op, "transpose_a", transpose_a), flag(op, "transpose_b", transpose_b)
    m = left.reshape(1, -1) if left.ndim == 1 else left.T if flip_a else left
    n = right.reshape(-1, 1) if right.ndim == 1 else right.T if flip_b else right
    if m.shape[1] != n.shape[0]:
        raise ValueError(f"{op}: the inner dimensions must be equal. {received(a=left, b=right)}")
    fits_blas(op, a=left, b=right)
    whole = (m.shape[0], n.shape[1])
    shape = whole[: 2 - (right.ndim == 1)][left.ndim == 1 :]
    dtype = common_dtype(left, right)
    return into(op, out, shape, dtype, lambda c: _product(m, n, c.reshape(whole), False, False), apart=(a, b))


def _stacks(left: Array, right: Array) -> Array:
    """Of arrays with more dimensions, which are stacks of matrices: NumPy's product, matrix by matrix."""
    columns, rows = left.shape[-1], right.shape[-2] if right.ndim > 1 else len(right)
    try:
        np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    except ValueError:
        columns = -1
    if columns != rows:
        raise ValueError(f"matmul: the inner dimensions must be equal. {received(a=left, b=right)}")
    dtype = common_dtype(left, right)
    product: Array = np.matmul(left.astype(dtype, copy=False), right.astype(dtype, copy=False))
    return product


def _sample_affine(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    (x, W), _ = _sample_product(shape, dtype, rng)
    return Arguments((x.reshape(shape), W, rng.normal(size=shape[-1]).astype(dtype)), {"activation": "relu"})


@operation("dense", _sample_affine, backward="affine_backward")
def affine(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None = None,
    activation: str | None = None,
    out: Array | None = None,
    w_layout: str = "io",
) -> Any:
    """Affine map of every sample, followed by an activation: a dense layer.

    ``affine(x, W, b) = act(x @ W + b)``

    Parameters
    ----------
    x : array, shape (..., inputs)
        Samples.
    W : array, shape (inputs, outputs), or (outputs, inputs) with w_layout="oi"
        Weights.
    b : array, shape (outputs,), optional
        Bias.
    activation : str, optional
        Name of an activation row, applied with its default parameters; None for a linear layer.
    out : array, optional
        Where to put the result; it must not share memory with an input.
    w_layout : {"io", "oi"}
        Order of the dimensions of W.

    Returns
    -------
    array, shape (..., outputs)
        NumPy's result dtype for x, W and b, at least float32.

    Raises
    ------
    TypeError
        An argument does not hold real numbers, or `out` has another dtype than the result.
    ValueError
        Shapes do not fit, or the activation or the layout is unknown.

    Notes
    -----
    For the gradient of a layer with an activation, take ``dz = <activation>_backward(dy, ...)`` first and give dz to
    `affine_backward`.
    """
    row = LINEAR if activation is None else ROWS.get(activation) if type(activation) is str else None
    if row is not None and current() is NATIVE:
        y = fast.affine(x, W, b, row.position if activation is not None else -1, row.defaults, out, w_layout)
        if y is not None:
            return y
    return _affine(x, W, b, activation, out, w_layout, row)


def _affine(x: Any, W: Any, b: Any, activation: Any, out: Any, w_layout: Any, row: Any) -> Any:
    """The general way of `affine`."""
    op = "affine"
    samples, weights = as_array(op, "x", x), as_array(op, "W", W)
    bias = None if b is None else as_array(op, "b", b)
    flip = _layout(op, w_layout)
    if activation is not None and activation not in ROWS:
        raise unknown("activation", activation, ROWS)
    if samples.ndim == 0 or weights.ndim != 2 or samples.shape[-1] != weights.shape[flip]:
        shapes = received(x=samples, W=weights)
        raise ValueError(f"{op}: expected x (..., inputs) and W of layout {w_layout!r}. {shapes}")
    units = weights.shape[not flip]
    if bias is not None and bias.shape != (units,):
        raise ValueError(f"{op}: b must have shape {(units,)}. {received(b=bias)}")
    fits_blas(op, x=samples, W=weights)
    dtype = common_dtype(samples, weights) if bias is None else common_dtype(samples, weights, bias)
    shape = (*samples.shape[:-1], units)
    rows = math.prod(shape[:-1])

    def fill(y: Array) -> None:
        y = y.reshape(rows, units)
        x2 = samples if samples.ndim == 2 else rows_of(well_formed(samples, dtype))
        _product(x2, weights, y, False, flip)
        if bias is not None or activation is not None:
            row = ROWS[activation or "identity"]
            current().bias_forward(row.name, y, None if bias is None else well_formed(bias, dtype), None, row.defaults)

    return into(op, out, shape, dtype, fill, apart=(x, W, b))


def _sample_affine_backward(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    (x, W), _ = _sample_product(shape, dtype, rng)
    return Arguments((rng.normal(size=shape).astype(dtype), x.reshape(shape), W), {})


@operation("dense", _sample_affine_backward)
def affine_backward(
    dy: ArrayLike,
    x: ArrayLike,
    W: ArrayLike,
    need_dx: bool = True,
    dW: Array | None = None,
    db: Array | None = None,
    accumulate: bool = False,
    w_layout: str = "io",
) -> tuple[Any, Any, Any]:
    """Gradients of `affine` without an activation.

    ``dx = dy @ W.T``, ``dW = x.T @ dy``, ``db = sum of dy over the samples``

    Parameters
    ----------
    dy : array, shape (..., outputs)
        Gradient with respect to the output of the affine map (before any activation).
    x, W : arrays
        As in `affine`.
    need_dx : bool
        Whether dx is wanted; the first layer of a network needs none.
    dW, db : arrays, optional
        Where to put the gradients of W and b: of the shape of W and (outputs,), of the result's dtype, sharing no
        memory with an input.
    accumulate : bool
        Add to what is in dW and db, which then must both be given.
    w_layout : {"io", "oi"}
        Order of the dimensions of W, and of dW.

    Returns
    -------
    (dx, dW, db)
        dx has the shape of x, or is None without need_dx; dW has the shape of W.

    Raises
    ------
    TypeError
        An argument does not hold real numbers, or dW or db has another dtype than the result.
    ValueError
        Shapes do not fit, or the layout is unknown.
    """
    if current() is NATIVE:
        gradients = fast.affine_backward(dy, x, W, need_dx, dW, db, accumulate, w_layout)
        if gradients is not None:
            return gradients
    return _affine_backward(dy, x, W, need_dx, dW, db, accumulate, w_layout)


def _affine_backward(
    dy: Any, x: Any, W: Any, need_dx: Any, dW: Any, db: Any, accumulate: Any, w_layout: Any
) -> tuple[Any, Any, Any]:
    """The general way of `affine_backward`."""
    op = "affine_backward"
    gradient, samples, weights = as_array(op, "dy", dy), as_array(op, "x", x), as_array(op, "W", W)
    flip, add = _layout(op, w_layout), flag(op, "accumulate", accumulate)
    if (
        weights.ndim != 2
        or samples.ndim == 0
        or samples.shape[-1] != weights.shape[flip]
        or gradient.shape != (*samples.shape[:-1], weights.shape[not flip])
    ):
        shapes = received(dy=gradient, x=samples, W=weights)
        raise ValueError(f"{op}: expected dy (..., outputs), x (..., inputs) and W of layout {w_layout!r}. {shapes}")
    if add and (dW is None or db is None):
        raise ValueError(f"{op}: accumulate=True needs dW and db to add to. {received(dW=dW, db=db)}")
    fits_blas(op, dy=gradient, x=samples, W=weights)
    dtype = common_dtype(gradient, samples, weights)
    dy2 = rows_of(well_formed(gradient, dtype))
    x2 = samples if samples.ndim == 2 else rows_of(well_formed(samples, dtype))
    left, right = (dy2, x2) if flip else (x2, dy2)

    def add_sums(sums: Array) -> None:
        fresh = np.empty_like(sums) if add else sums
        current().column_sums(dy2, fresh)
        if add:
            with np.errstate(all="ignore"):
                np.add(sums, fresh, out=sums)

    def product_dx(dx: Array) -> None:
        _product(dy2, weights, dx.reshape(x2.shape), False, not flip)

    units = weights.shape[not flip]
    for name, array, shape in (("dW", dW, weights.shape), ("db", db, (units,))):
        if array is not None:
            writable(op, name, array, shape, dtype)
    if dW is not None and db is not None and overlapping(dW, db):
        raise ValueError(f"{op}: dW and db must not share memory. {received(dW=dW, db=db)}")
    dx = into(op, None, samples.shape, dtype, product_dx) if flag(op, "need_dx", need_dx) else None
    sums = into(op, db, (units,), dtype, add_sums, name="db", apart=(dy, x, W), update=add)
    grads = into(
        op, dW, weights.shape, dtype, lambda c: _product(left, right, c, True, False, add),
        name="dW", apart=(dy, x, W), update=add,
    )  # fmt: skip
    return dx, grads, sums


def _sample_bias(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((rng.normal(size=shape).astype(dtype), rng.normal(size=shape[-1:]).astype(dtype)), {})


@operation("dense", _sample_bias)
def bias_add(x: ArrayLike, b: ArrayLike, out: Array | None = None) -> Any:
    """Add one number per column.

    ``bias_add(x, b) = x + b``, with b along the last axis

    Parameters
    ----------
    x : array, shape (..., columns)
    b : array, shape (columns,)
    out : array, optional
        Where to put the result: of the result's shape and dtype. It may be exactly x, not a shifted view of it.

    Returns
    -------
    array, shape of x
        NumPy's result dtype for x and b, at least float32.

    Raises
    ------
    TypeError
        An argument does not hold real numbers, or `out` has another dtype than the result.
    ValueError
        Shapes do not fit, or `out` overlaps an input without being x.
    """
    if current() is NATIVE and (sums := fast.bias_add(x, b, out)) is not None:
        return sums
    return _bias_add(x, b, out)


def _bias_add(x: Any, b: Any, out: Any) -> Any:
    """The general way of `bias_add`."""
    op = "bias_add"
    array, bias = as_array(op, "x", x), as_array(op, "b", b)
    if array.ndim == 0 or bias.shape != array.shape[-1:]:
        raise ValueError(f"{op}: expected x (..., columns) and b (columns,). {received(x=array, b=bias)}")
    dtype = common_dtype(array, bias)

    def fill(y: Array) -> None:
        if not same_view(y, array):
            y[...] = array
        current().bias_forward("identity", rows_of(y), well_formed(bias, dtype), None, ())

    return into(op, out, array.shape, dtype, fill, same=(x,), apart=(b,))


def _sample_sums(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((rng.normal(size=shape).astype(dtype),), {})


@operation("dense", _sample_sums)
def column_sums(x: ArrayLike, out: Array | None = None) -> Any:
    """Sum of every column: the gradient of a bias.

    ``column_sums(x) = sum of x over all axes but the last``

    Parameters
    ----------
    x : array, shape (..., columns)
    out : array, optional
        Where to put the result; it must not share memory with x.

    Returns
    -------
    array, shape (columns,)
        NumPy's result dtype for x, at least float32.

    Raises
    ------
    TypeError
        x does not hold real numbers, or `out` has another dtype than the result.
    ValueError
        x has no dimensions, or `out` has another shape.
    """
    if current() is NATIVE and (fast_sums := fast.column_sums(x, out)) is not None:
        return fast_sums
    return _column_sums(x, out)


def _column_sums(x: Any, out: Any) -> Any:
    """The general way of `column_sums`."""
    op = "column_sums"
    array = as_array(op, "x", x)
    if array.ndim == 0:
        raise ValueError(f"{op}: expected at least one dimension. {received(x=array)}")
    dtype = common_dtype(array)

    def fill(sums: Array) -> None:
        current().column_sums(rows_of(well_formed(array, dtype)), sums)

    return into(op, out, array.shape[-1:], dtype, fill, apart=(x,))
