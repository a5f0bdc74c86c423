"""UpSampling of sequences, images and volumes: every element several times, or linear interpolation between them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from ._strided import Way, add, copy, steps, zero
from ._windows import check_rank, data_format_name, numbers
from .base import Layer, Shape, size


def taps(length: int, factor: int) -> Iterator[tuple[int, int, int, int, float]]:
    """How an axis is interpolated, as sums over evenly spaced elements.

    Element i of an axis lies at (i + 1/2) / length of its way, before and after; beyond the centres of the first and
    the last element their values go on.

    Yields:
        first element of x, first element of y, number of elements, step in y, weight; the step in x is 1, or 0 for
        several elements of y at an end.
    """
    for phase in range(factor):
        position = (phase + 0.5) / factor - 0.5  # relative to the element of x that the phase belongs to
        left, weight = (-1, -position) if position < 0 else (0, 1 - position)
        for shift, part in ((left, weight), (left + 1, 1 - weight)):
            if part == 0:
                continue
            low, high = max(0, -shift), min(length, length - shift)
            if high > low:
                yield low + shift, low * factor + phase, high - low, factor, part
            if shift < 0:
                yield 0, phase, 1, factor, part
            elif shift > 0:
                yield length - 1, (length - 1) * factor + phase, 1, factor, part


class _UpSampling(Layer):
    """Repetition; subclasses say the rank of a sample."""

    rank: ClassVar[int]
    interpolations: ClassVar[tuple[str, ...]] = ("nearest",)

    def __init__(
        self, size: Any, data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        where = type(self).__name__
        self._factors = numbers(where, "size", size, self.rank)
        self.data_format = data_format_name(where, data_format)
        self.interpolation = interpolation.lower() if isinstance(interpolation, str) else interpolation
        if self.interpolation not in self.interpolations:
            raise ValueError(
                f"{where}: interpolation must be one of {', '.join(map(repr, self.interpolations))}. "
                f"Received: {interpolation!r}"
            )

    @property
    def size(self) -> Any:
        return self._factors[0] if self.rank == 1 else self._factors

    def _all_factors(self) -> list[int]:
        """For every axis of a sample."""
        return [1, *self._factors] if self.data_format == "channels_first" else [*self._factors, 1]

    def infer_shape(self, input_shape: Shape) -> Shape:
        check_rank(self.name, input_shape, self.rank, self.data_format)
        return tuple(n * factor for n, factor in zip(input_shape, self._all_factors()))

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None and self.shape_out is not None
        if self.interpolation == "bilinear":
            return self._bilinear(plan, x)
        small, large = (plan.batch, *self.shape_in), (plan.batch, *self.shape_out)
        ways = []
        for n, factor, in_x, in_y in zip(small, [1, *self._all_factors()], steps(small), steps(large)):
            ways += [Way(n, in_x, factor * in_y), Way(factor, 0, in_y)]
        y = plan.fixed(math.prod(large))
        copy(plan, x, y, ways)

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.fixed(math.prod(small))
            zero(plan, dx)
            add(plan, dy, dx, [Way(way.size, way.y, way.x) for way in ways])
            return dx

        return y, backward

    def _bilinear(self, plan: Plan, x: int) -> tuple[int, Backward]:
        """One axis after the other."""
        assert self.shape_in is not None
        shape, stages = (plan.batch, *self.shape_in), []
        y = x
        for axis, factor in enumerate(self._all_factors(), start=1):
            if factor > 1:
                stages.append((shape, axis, factor))
                y, shape = _interpolate(plan, y, shape, axis, factor)

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            for stage in reversed(stages):
                dy = _interpolate_backward(plan, dy, *stage)
            return dy

        return y, backward

    def get_config(self) -> dict[str, Any]:
        factors = self._factors[0] if self.rank == 1 else list(self._factors)
        return {**super().get_config(), "size": factors, "data_format": self.data_format}


def _parts(shape: Shape, axis: int, factor: int) -> Iterator[tuple[list[Way], tuple[int, int], float]]:
    """The ways of one axis's taps in a small and a large array, where they start, and their weights."""
    large = (*shape[:axis], shape[axis] * factor, *shape[axis + 1 :])
    in_x, in_y = steps(shape), steps(large)
    for first_x, first_y, count, step, weight in taps(shape[axis], factor):
        ways = list(map(Way, shape, in_x, in_y))
        ways[axis] = Way(count, in_x[axis], step * in_y[axis])
        yield ways, (first_x * in_x[axis], first_y * in_y[axis]), weight


def _interpolate(plan: Plan, x: int, shape: Shape, axis: int, factor: int) -> tuple[int, Shape]:
    large = (*shape[:axis], shape[axis] * factor, *shape[axis + 1 :])
    y = plan.fixed(size(large))
    zero(plan, y)
    for ways, starts, weight in _parts(shape, axis, factor):
        add(plan, x, y, ways, starts, weight)
    return y, large


def _interpolate_backward(plan: Plan, dy: int, shape: Shape, axis: int, factor: int) -> int:
    dx = plan.fixed(size(shape))
    zero(plan, dx)
    for ways, (first_x, first_y), weight in _parts(shape, axis, factor):
        add(plan, dy, dx, [Way(way.size, way.y, way.x) for way in ways], (first_y, first_x), weight)
    return dx


class UpSampling1D(_UpSampling):
    """Every step of a sequence several times.

    Parameters:
        size: how many times.
        data_format: "channels_last" (the default), samples (steps, channels), or "channels_first", which Keras does not
            have here.

    Raises:
        ValueError: not a positive whole number, or no such data_format.
    """

    rank = 1

    def __init__(self, size: int = 2, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(size, data_format, **kwargs)


class UpSampling2D(_UpSampling):
    """Images with several pixels for each one.

    Parameters:
        size: how many pixels: a number, or (down, across).
        data_format: "channels_last" (the default), samples (height, width, channels), or "channels_first".
        interpolation: "nearest", copies of the pixel; or "bilinear", linear between the centres of the pixels, and
            constant beyond those at the edges.

    Raises:
        ValueError: not such numbers or names.

    Notes:
        "bilinear" is Keras's and PyTorch's align_corners=False.  Keras's further interpolations are not served.
    """

    rank = 2
    interpolations = ("nearest", "bilinear")

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(size, data_format, interpolation, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "interpolation": self.interpolation}


class UpSampling3D(_UpSampling):
    """Volumes with several elements for each one.

    Parameters:
        size: how many: a number, or one for each axis.
        data_format: "channels_last" (the default), samples (depth, height, width, channels), or "channels_first".

    Raises:
        ValueError: not such numbers, or no such data_format.
    """

    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(size, data_format, **kwargs)
