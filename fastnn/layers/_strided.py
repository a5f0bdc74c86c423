"""Steps that move numbers: permutations, padding, cropping, repetition, and the sums that are their gradients.

All of them are `strided_copy` and `strided_add` of a plan: loops over axes that have a step of their own in x and in y.
An axis with step 0 in x repeats its elements, one with step 0 in y sums them up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fastnn.engine.plan import Plan

from .base import Shape

MOST_AXES = 8  # within a row; fastnn/_native/_steps.pxd, MAX_INTS


class Way(NamedTuple):
    """An axis: its size, its step in x and its step in y, in elements."""

    size: int
    x: int
    y: int


def steps(shape: Sequence[int]) -> list[int]:
    """The steps of the axes of a C-contiguous array."""
    return [math.prod(shape[i + 1 :]) for i in range(len(shape))]


def _merged(ways: Iterable[Way]) -> list[Way]:
    """Neighbours that are one axis in both arrays become one."""
    found: list[Way] = []
    for way in ways:
        last = found[-1] if found else None
        if last and (last.x, last.y) == (way.size * way.x, way.size * way.y):
            found[-1] = Way(last.size * way.size, way.x, way.y)
        else:
            found.append(way)
    return found


def _ordered(ways: list[Way]) -> list[Way]:
    """Sums outside, then the way y lies in memory; what is contiguous in x comes next to the last."""
    found = sorted(ways, key=lambda way: (way.y != 0, -way.y))
    if found and found[-1].x != 1:
        near = next((way for way in found[:-1] if way.x == 1 and way.y), None)
        if near:
            found.remove(near)
            found.insert(-1, near)
    return found


def _ints(ways: Sequence[Way], starts: tuple[int, int]) -> tuple[int, ...]:
    """The numbers of a step; the first axis whose elements differ in y is the rows.

    Raises:
        ValueError: too many axes.
    """
    rest = [way for way in ways if way.size > 1]
    rows = next((way for way in rest if way.y), Way(1, 0, 0))
    if rows in rest:
        rest.remove(rows)
    inner = _ordered(_merged(rest))
    if len(inner) > MOST_AXES:
        raise ValueError(f"arrays that are copied have at most {MOST_AXES + 1} axes. Received: {len(inner) + 1}")
    columns = math.prod(way.size for way in rest)
    return (rows.size, columns, *starts, rows.x, rows.y, *(n for way in inner for n in way))


def copy(plan: Plan, x: int, y: int, ways: Sequence[Way], starts: tuple[int, int] = (0, 0)) -> None:
    """y = x along these axes, from `starts` in x and y on; every element of y is written at most once."""
    plan.step("strided_copy", (x, y), ints=_ints(ways, starts))


def add(plan: Plan, x: int, y: int, ways: Sequence[Way], starts: tuple[int, int] = (0, 0), factor: float = 1.0) -> None:
    """y += factor x along these axes."""
    plan.step("strided_add", (x, y), ints=_ints(ways, starts), reals=(factor,))


def zero(plan: Plan, y: int) -> None:
    """y = 0."""
    plan.step("fill", (y,), ints=(plan.buffers[y].size,), reals=(0.0,))


def permute(plan: Plan, x: int, shape: Shape, order: Sequence[int], y: int | None = None) -> int:
    """The array x of that shape with its axes in another order.

    It is x itself where memory stays as it is, unless there is a place for it.

    Parameters:
        shape: of the whole array, with its batch axis if it has one.
        order: which axis of x comes first, second ...
        y: the place, if there is one.
    """
    moved = [axis for axis in order if shape[axis] > 1]
    if moved == sorted(moved) and y is None:
        return x
    if y is None:
        y = plan.fixed(math.prod(shape))
    sizes = [shape[axis] for axis in order]
    x_steps = steps(shape)
    copy(plan, x, y, [Way(n, x_steps[axis], step) for n, axis, step in zip(sizes, order, steps(sizes))])
    return y


def inverse(order: Sequence[int]) -> list[int]:
    """The permutation that undoes another."""
    return sorted(range(len(order)), key=order.__getitem__)


def channels_last(rank: int) -> list[int]:
    """The order that takes (batch, channels, ...) to (batch, ..., channels), for `rank` axes between."""
    return [0, *range(2, rank + 2), 1]
