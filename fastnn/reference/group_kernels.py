"""The part of the reference kernels that activations need beyond single elements; see `kernels` for the conventions.

A learned activation is a pair ``name``, ``name_backward`` in `learned`.  Its parameters arrive as the rows of one
matrix, one value a column of ``x``.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.reference import gates, learned, random_relu, simplex
from fastnn.reference.arrays import Array


def _store(out: NDArray[Any] | None, values: Any) -> None:
    if out is not None:
        with np.errstate(all="ignore"):  # too large for float32: infinity, silently
            out[...] = values


def _split(row: str, params: Array) -> list[Array]:
    """The row's parameters: (cols,) each, or (pieces, cols) where it is a sum of pieces."""
    count = len(inspect.signature(getattr(learned, row)).parameters) - 1
    return [part if row in learned.SUMS else part[0] for part in np.split(params, count)]


def learned_forward(row: str, x: Array, params: Array, y: Array) -> None:
    """``y = act(x)`` with the parameters of its column for every element of ``x``, shape (rows, columns)."""
    _store(y, getattr(learned, row)(x, *_split(row, params)))


def learned_backward(row: str, dy: Array, x: Array, params: Array, dx: Array | None, sums: Array | None) -> None:
    """``dx = dy * act'`` and, in the layout of ``params``, the gradients of the parameters, summed over the rows."""
    x_gradient, *gradients = getattr(learned, f"{row}_backward")(dy, x, *_split(row, params))
    _store(dx, x_gradient)
    _store(sums, np.vstack(gradients))


def softmin(x: Array, y: Array) -> None:
    """Softmin of every row of ``x``, shape (rows, columns), into ``y``."""
    _store(y, simplex.softmin(x))


def softmin_backward(dy: Array, y: Array, dx: Array) -> None:
    """Gradient of softmin from its output, shapes (rows, columns)."""
    _store(dx, simplex.softmin_backward(dy, y))


def sparsemax(x: Array, y: Array) -> None:
    """Sparsemax of every row of ``x``, shape (rows, columns), into ``y``."""
    _store(y, simplex.sparsemax(x))


def sparsemax_backward(dy: Array, y: Array, dx: Array) -> None:
    """Gradient of sparsemax from its output, shapes (rows, columns)."""
    _store(dx, simplex.sparsemax_backward(dy, y))


def gated_forward(row: str, x: Array, y: Array, params: Sequence[float]) -> None:
    """``y = a * act(b)``, where ``a`` and ``b`` are the halves of the rows of ``x``."""
    _store(y, gates.gated(x, row))


def gated_backward(row: str, dy: Array, x: Array, dx: Array, params: Sequence[float]) -> None:
    """Gradient of a gate, both halves side by side."""
    _store(dx, gates.gated_backward(dy, x, row))


def maxout(x: Array, y: Array) -> None:
    """The largest of each unit's pieces; ``x`` (rows, units * pieces), ``y`` (rows, units)."""
    _store(y, gates.maxout(x, x.shape[1] // y.shape[1]))


def maxout_backward(dy: Array, x: Array, dx: Array) -> None:
    """Gradient of maxout; the first of several largest pieces gets it."""
    _store(dx, gates.maxout_backward(dy, x, x.shape[1] // dy.shape[1]))


def rrelu(x: Array, y: Array, slopes: Array, seed: int, stream: int, step: int, lower: float, upper: float) -> None:
    """``y = slopes * x``; the slopes of negative elements are drawn from [lower, upper), the others are 1."""
    values, drawn = random_relu.rrelu(x, lower, upper, seed, stream, step)
    _store(slopes, drawn)
    _store(y, values)


@np.errstate(all="ignore")
def multiply(a: Array, b: Array, y: Array) -> None:
    """``y = a * b``, any shape."""
    _store(y, a * b)
