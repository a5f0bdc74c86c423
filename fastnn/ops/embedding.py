"""Looking up rows of a matrix by index, and the gradient of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.backend import current
from fastnn.ops._check import as_array, common_dtype, flag, into, received, well_formed
from fastnn.ops.registry import Arguments, operation

Array = NDArray[Any]


def _indices(op: str, idx: ArrayLike, rows: int) -> Array:
    """int64, all of them rows."""
    index = np.asarray(idx)
    if index.size == 0 and not isinstance(idx, np.ndarray):
        index = index.astype(np.int64)
    if index.dtype.kind not in "iu":
        raise TypeError(f"{op}: idx must hold whole numbers. {received(idx=idx)}")
    if index.size and (index.min() < 0 or index.max() >= rows):
        bad = index[(index < 0) | (index >= rows)].flat[0]
        raise IndexError(f"{op}: idx must be from 0 to {rows - 1}. Received: {bad}")
    return np.asarray(index, np.int64, order="C")


def _sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    rows = 5
    return Arguments((rng.normal(size=(rows, shape[-1])).astype(dtype), rng.integers(0, rows, shape[:-1])), {})


def _sample_backward(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    index = rng.integers(0, 5, shape[:-1])
    return Arguments((rng.normal(size=(*shape[:-1], shape[-1])).astype(dtype), index), {"rows": 5, "accumulate": False})


@operation("recurrent", _sample, backward="embedding_backward")
def embedding(W: ArrayLike, idx: ArrayLike, out: Array | None = None) -> Any:
    """The rows of a matrix that an array of indices names.

    ``y[..., :] = W[idx]``

    Parameters
    ----------
    W : array, shape (rows, columns)
        The matrix.
    idx : array of integers, any shape
        Indices from 0 to rows - 1.
    out : array, shape (*idx.shape, columns), optional
        Where to put y; it must not share memory with W.

    Returns
    -------
    array, shape (*idx.shape, columns)

    Raises
    ------
    IndexError
        An index is out of range; negative ones are.
    TypeError
        An argument has the wrong type.
    ValueError
        Shapes do not fit.
    """
    weights = as_array("embedding", "W", W)
    if weights.ndim != 2:
        raise ValueError(f"embedding: W must be a matrix. {received(W=weights)}")
    index = _indices("embedding", idx, len(weights))
    dtype = common_dtype(weights)
    ready = well_formed(weights, dtype)

    def fill(y: Array) -> None:
        current().embedding(ready, index.reshape(-1), y.reshape(-1, ready.shape[1]))

    return into("embedding", out, (*index.shape, weights.shape[1]), dtype, fill, apart=(W,))


@operation("recurrent", _sample_backward)
def embedding_backward(
    dout: ArrayLike, idx: ArrayLike, out: Array | None = None, accumulate: bool = True, rows: int | None = None
) -> Any:
    """The gradient of `embedding` with respect to the matrix.

    ``out[idx[i]] += dout[i]``, in the order of i, for repeated indices as well

    Parameters
    ----------
    dout : array, shape (*idx.shape, columns)
        Gradient with respect to the output.
    idx : array of integers, any shape
        The indices.
    out : array, shape (rows, columns), optional
        Where to add the gradient; a new array by default.
    accumulate : bool
        Whether to keep what is in `out`; otherwise it is overwritten.
    rows : int, optional
        Rows of the matrix, where `out` does not say it.

    Returns
    -------
    array, shape (rows, columns)
        `out`, or the new array.

    Raises
    ------
    IndexError
        An index is out of range.
    TypeError
        An argument has the wrong type.
    ValueError
        Shapes do not fit, or neither `out` nor `rows` says how many rows there are.
    """
    op = "embedding_backward"
    gradient, keep = as_array(op, "dout", dout), flag(op, "accumulate", accumulate)
    count = rows if out is None else np.shape(out)[0] if np.ndim(out) == 2 else None
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise ValueError(f"{op}: expected out as a matrix, or the number of rows. {received(out=out, rows=rows)}")
    index = _indices(op, idx, int(count))
    if gradient.ndim != index.ndim + 1 or gradient.shape[:-1] != index.shape:
        raise ValueError(
            f"{op}: dout must have the shape of idx and one more axis. {received(dout=gradient, idx=index)}"
        )
    dtype = common_dtype(gradient)
    ready = well_formed(gradient, dtype).reshape(index.size, gradient.shape[-1])

    def fill(result: Array) -> None:
        if out is None or not keep:
            result[...] = 0
        current().embedding_backward(ready, index.reshape(-1), result)

    shape = (int(count), gradient.shape[-1])
    return into(op, out, shape, dtype, fill, apart=(dout,), update=keep and out is not None)
