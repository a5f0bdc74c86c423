"""Adaptive pooling: as many windows as are wanted, whatever the size of the input.

Window i of an axis of n elements, cut into k, reaches from floor(i n / k) to ceil((i + 1) n / k): windows overlap where
k does not divide n.  Where it does, this is pooling with windows of n / k.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from ._channels import ChannelsLayer
from ._pooling import pool
from ._strided import Way, add, copy, steps, zero
from ._windows import Axis, numbers
from .base import Shape

Extent = tuple[int, int]


def extents(size: int, windows: int) -> list[Extent]:
    """Where each window begins and ends."""
    return [(i * size // windows, -(-(i + 1) * size // windows)) for i in range(windows)]


class _Adaptive(ChannelsLayer):
    """Documented at `AdaptiveAveragePooling2D`."""

    average: ClassVar[bool]

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.output_size = numbers(type(self).__name__, "output_size", output_size, self.rank)

    def output_last(self, shape: Shape) -> Shape:
        return (*self.output_size, shape[-1])

    def emit_last(self, plan: Plan, x: int, shape: Shape, **options: Any) -> tuple[int, Backward]:
        backwards: list[Backward] = []
        now = [plan.batch, *shape]
        for axis in range(self.rank, 0, -1):  # columns before rows: the first of equal maxima stays the first
            windows = self.output_size[axis - 1]
            if windows != now[axis]:
                x, backward = self._along(plan, x, tuple(now), axis, windows)
                backwards.append(backward)
            now[axis] = windows

        def back(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            for backward in reversed(backwards):
                dy = backward(dy, True)
            return dy

        return x, back

    def _along(self, plan: Plan, x: int, shape: Shape, axis: int, windows: int) -> tuple[int, Backward]:
        """One axis."""
        before, size, after = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
        parts = extents(size, windows)
        if size % windows == 0:
            return self._evenly(plan, x, before, size, size // windows, after)
        if self.average:
            return _averages(plan, x, (before, size, after), parts)
        # windows of one length behind each other; a shorter one repeats its last element, which changes no maximum
        longest = max(end - start for start, end in parts)
        spread = plan.fixed(before * windows * longest * after)
        ways = []
        for i, (start, end) in enumerate(parts):
            length = end - start
            rows = Way(before, size * after, windows * longest * after)
            ways.append(([rows, Way(length, after, after), Way(after, 1, 1)], (start * after, i * longest * after)))
            if length < longest:
                rest = [rows, Way(longest - length, 0, after), Way(after, 1, 1)]
                ways.append((rest, ((end - 1) * after, (i * longest + length) * after)))
        for way, starts in ways:
            copy(plan, x, spread, way, starts)
        y, backward = self._evenly(plan, spread, before, windows * longest, longest, after)

        def gathered(dy: int, need_dx: bool) -> int:
            dspread = backward(dy, True)
            dx = plan.fixed(before * size * after)
            zero(plan, dx)
            for way, (x_start, start) in ways:
                add(plan, dspread, dx, [Way(w.size, w.y, w.x) for w in way], (start, x_start))
            return dx

        return y, gathered

    def _evenly(self, plan: Plan, x: int, before: int, size: int, length: int, after: int) -> tuple[int, Backward]:
        """Windows of one length that do not overlap."""
        axes = (Axis(size, length, length, 1, 0, size // length), Axis(1, 1, 1, 1, 0, 1))
        return pool(plan, x, before, axes, after, self.average)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_size": list(self.output_size)}


def _averages(plan: Plan, x: int, shape: Shape, parts: list[Extent]) -> tuple[int, Backward]:
    """Averages of windows of different lengths along the middle one of three axes."""
    before, _, after = shape
    made = (before, len(parts), after)
    x_steps, y_steps = steps(shape), steps(made)

    def ways(start: int, end: int) -> list[Way]:
        return [Way(before, x_steps[0], y_steps[0]), Way(end - start, after, 0), Way(after, 1, 1)]

    y = plan.fixed(math.prod(made))
    zero(plan, y)
    for i, (start, end) in enumerate(parts):
        add(plan, x, y, ways(start, end), (start * after, i * after), 1 / (end - start))

    def backward(dy: int, need_dx: bool) -> int:
        dx = plan.fixed(math.prod(shape))
        zero(plan, dx)
        for i, (start, end) in enumerate(parts):
            spread = [Way(way.size, way.y, way.x) for way in ways(start, end)]
            add(plan, dy, dx, spread, (i * after, start * after), 1 / (end - start))
        return dx

    return y, backward


class AdaptiveAveragePooling2D(_Adaptive):
    """Averages of so many windows of an image, whatever its size.

    Parameters:
        output_size: how many windows: a number, or (down, across).  Window i of n elements in k windows reaches from
            floor(i n / k) to ceil((i + 1) n / k).
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: not such numbers, or no such data_format.
    """

    rank, average = 2, True


class AdaptiveAveragePooling1D(_Adaptive):
    """`AdaptiveAveragePooling2D` for sequences, with one number."""

    rank, average = 1, True


class AdaptiveAveragePooling3D(_Adaptive):
    """`AdaptiveAveragePooling2D` for volumes, with three numbers."""

    rank, average = 3, True


class AdaptiveMaxPooling2D(_Adaptive):
    """The largest element of so many windows of an image; parameters as in `AdaptiveAveragePooling2D`.

    The first of several equal ones gets the gradient.
    """

    rank, average = 2, False


class AdaptiveMaxPooling1D(_Adaptive):
    """`AdaptiveMaxPooling2D` for sequences, with one number."""

    rank, average = 1, False


class AdaptiveMaxPooling3D(_Adaptive):
    """`AdaptiveMaxPooling2D` for volumes, with three numbers."""

    rank, average = 3, False
