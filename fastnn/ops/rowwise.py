"""Softmax and its relatives, along any axis, with their gradients.

Kernels work on the last axis of contiguous rows; another axis costs a copy there and back.  Refused: arrays without
dimensions and axes that are not there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._native import fast
from fastnn.backend import NATIVE, current
from fastnn.ops import _documentation
from fastnn.ops._check import as_array, common_dtype, into, is_number, operands, received, rows_of, well_formed
from fastnn.ops._symbolic import called, traced
from fastnn.ops.registry import Arguments, operation
from fastnn.reference import rows as reference

Array = NDArray[Any]


def _axis(op: str, axis: Any, ndim: int) -> int:
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
        raise TypeError(f"{op}: axis must be one integer. Received: {axis!r}")
    if not -ndim <= axis < ndim:
        raise ValueError(f"{op}: axis must be from {-ndim} to {ndim - 1}. Received: {axis}")
    return int(axis) % ndim


def _along(op: str, axis: int, out: Array | None, kernel: Callable[..., None], **inputs: ArrayLike) -> Any:
    """Apply a kernel from rows to rows of the same length."""
    if list(inputs) == ["x"] and (layer := traced(op, inputs["x"], out, axis)) is not None:
        return layer
    arrays, dtype, shape = operands(op, inputs)
    if not shape:
        raise ValueError(f"{op}: expected at least one dimension. {received(**inputs)}")
    axis = _axis(op, axis, len(shape))
    sources = tuple(inputs.values())
    if axis == len(shape) - 1:
        return into(op, out, shape, dtype, lambda y: kernel(*map(rows_of, arrays), rows_of(y)), same=sources)

    def through_copies(y: Array) -> None:
        moved = [np.ascontiguousarray(array.swapaxes(axis, -1)) for array in arrays]
        result = np.empty_like(moved[0])
        kernel(*map(rows_of, moved), rows_of(result))
        y[...] = result.swapaxes(axis, -1)

    return into(op, out, shape, dtype, through_copies, same=sources)


def _sample_logits(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments(((3 * rng.normal(size=shape)).astype(dtype),), {})


def _sample_gradient(forward: Callable[..., Any]) -> Any:
    def sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
        dy, x = rng.normal(size=(2, *shape)).astype(dtype)
        return Arguments((dy, forward(x)), {})

    return sample


@operation("rows", _sample_logits, reference=reference.softmax, backward="softmax_backward")
def softmax(x: ArrayLike, axis: int = -1, out: Array | None = None) -> Any:
    if current() is NATIVE and (fast_result := fast.softmax(x, axis, out)) is not None:
        return fast_result
    return _along("softmax", axis, out, current().softmax, x=x)


@operation("rows", _sample_gradient(reference.softmax), reference=reference.softmax_backward)
def softmax_backward(dy: ArrayLike, y: ArrayLike, axis: int = -1, out: Array | None = None) -> Any:
    if current() is NATIVE and (fast_result := fast.softmax_backward(dy, y, axis, out)) is not None:
        return fast_result
    return _along("softmax_backward", axis, out, current().softmax_backward, dy=dy, y=y)


@operation("rows", _sample_logits, reference=reference.log_softmax, backward="log_softmax_backward")
def log_softmax(x: ArrayLike, axis: int = -1, out: Array | None = None) -> Any:
    if current() is NATIVE and (fast_result := fast.log_softmax(x, axis, out)) is not None:
        return fast_result
    return _along("log_softmax", axis, out, current().log_softmax, x=x)


@operation("rows", _sample_gradient(reference.log_softmax), reference=reference.log_softmax_backward)
def log_softmax_backward(dy: ArrayLike, y: ArrayLike, axis: int = -1, out: Array | None = None) -> Any:
    if current() is NATIVE and (fast_result := fast.log_softmax_backward(dy, y, axis, out)) is not None:
        return fast_result
    return _along("log_softmax_backward", axis, out, current().log_softmax_backward, dy=dy, y=y)


@operation("rows", _sample_logits, reference=reference.logsumexp)
def logsumexp(x: ArrayLike, axis: int = -1, out: Array | None = None) -> Any:
    if current() is NATIVE and (fast_result := fast.logsumexp(x, axis, out)) is not None:
        return fast_result
    return _logsumexp(x, axis, out)


def _logsumexp(x: Any, axis: int, out: Any) -> Any:
    """The general way of `logsumexp`."""
    if out is None and (tensor := called("logsumexp", x, axis)) is not None:
        return tensor
    array = as_array("logsumexp", "x", x)
    if is_number(x) or array.ndim == 0:
        raise ValueError(f"logsumexp: expected at least one dimension. {received(x=x)}")
    axis = _axis("logsumexp", axis, array.ndim)
    dtype, shape = common_dtype(array), array.shape[:axis] + array.shape[axis + 1 :]

    def fill(y: Array) -> None:
        if array.shape[axis] == 0:
            y[...] = -np.inf  # the logarithm of an empty sum
        else:
            current().logsumexp(rows_of(well_formed(np.moveaxis(array, axis, -1), dtype)), y.reshape(-1))

    return into("logsumexp", out, shape, dtype, fill, apart=(x,))


for _function in (softmax, softmax_backward, log_softmax, log_softmax_backward, logsumexp):
    _function.__doc__ = _documentation.public(getattr(reference, _function.__name__))
