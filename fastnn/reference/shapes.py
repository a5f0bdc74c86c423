"""Steps that only move numbers: copies between arrays whose axes have steps of their own, and sums along such axes.

Twins of fastnn/_native/_shapes.pyx; the numbers of a step are explained in fastnn.engine.plan.
"""

from __future__ import annotations

from typing import Any

from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from .steps import operation

Array = NDArray[Any]


def walks(step: Any, x: Array, y: Array) -> tuple[Array, Array, tuple[int, ...]]:
    """x and y as the step walks them, and the axes along which all elements are the same one of y."""
    rows, _, x_start, y_start, x_row, y_row, *rest = step.ints
    sizes = (rows, *rest[0::3])
    x_steps, y_steps = ((row, *rest[at::3]) for row, at in ((x_row, 1), (y_row, 2)))
    views = [
        as_strided(array[start:], sizes, [n * array.itemsize for n in steps])
        for array, start, steps in ((x, x_start, x_steps), (y, y_start, y_steps))
    ]
    return views[0], views[1], tuple(axis for axis, n in enumerate(y_steps) if n == 0)


@operation
def strided_copy(program: Any, step: Any, x: Array, y: Array) -> None:
    source, target, _ = walks(step, x, y)
    target[...] = source


@operation
def strided_add(program: Any, step: Any, x: Array, y: Array) -> None:
    source, target, summed = walks(step, x, y)
    first = tuple(slice(0, 1) if axis in summed else slice(None) for axis in range(target.ndim))
    target[first] += step.reals[0] * source.sum(axis=summed, keepdims=True)


@operation
def fill(program: Any, step: Any, y: Array) -> None:
    y[: step.ints[0]] = step.reals[0]
