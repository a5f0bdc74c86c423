"""ZeroPadding and Cropping of sequences, images and volumes: an array that is a part of a larger one."""

from __future__ import annotations

import operator
from typing import Any, ClassVar

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from ._strided import Way, copy, steps, zero
from ._windows import check_rank, data_format_name
from .base import Layer, Shape, size

Pair = tuple[int, int]


def borders(where: str, name: str, value: Any, rank: int) -> tuple[Pair, ...]:
    """Numbers at both ends of every axis, as Keras lets users write them.

    Raises:
        ValueError: not whole numbers from 0 on, or not as many as there are axes.
    """
    if rank == 1:  # (left, right) and not one number for each axis
        value = [value]
    elif not isinstance(value, (tuple, list)):
        value = [value] * rank
    try:
        pairs = [tuple(v) if isinstance(v, (tuple, list)) else (v, v) for v in value]
        found = tuple((operator.index(near), operator.index(far)) for near, far in pairs)
        valid = len(found) == rank and all(n >= 0 for pair in found for n in pair)
        valid = valid and not any(isinstance(n, bool) for pair in pairs for n in pair)
    except (TypeError, ValueError):
        valid = False
    if not valid:
        forms = "a number or (left, right)" if rank == 1 else f"a number, {rank} numbers or {rank} pairs (near, far)"
        raise ValueError(f"{where}: {name} must be {forms} of whole numbers from 0 on. Received: {value!r}")
    return found


class _Border(Layer):
    """What padding and cropping share: a small array inside of a large one, with `border` around it."""

    rank: ClassVar[int]
    kind: ClassVar[str]  # the argument's name

    def __init__(self, border: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        where = type(self).__name__
        self.border = borders(where, self.kind, border, self.rank)
        self.data_format = data_format_name(where, data_format)

    def _around(self) -> list[Pair]:
        """The border of every axis of a sample."""
        none = [(0, 0)]
        return [*none, *self.border] if self.data_format == "channels_first" else [*self.border, *none]

    def _place(self, plan: Plan, large: Shape, small: Shape) -> tuple[list[Way], int]:
        """The ways from a small array to its place in a large one, and where that begins."""
        ways = map(Way, (plan.batch, *small), steps((plan.batch, *small)), steps((plan.batch, *large)))
        return list(ways), sum(near * step for (near, _), step in zip(self._around(), steps(large)))

    def _pad(self, plan: Plan, x: int, small: Shape, large: Shape) -> int:
        y = plan.buffer(size(large))
        if small != large:
            zero(plan, y)
        ways, start = self._place(plan, large, small)
        copy(plan, x, y, ways, (0, start))
        return y

    def _crop(self, plan: Plan, x: int, large: Shape, small: Shape) -> int:
        y = plan.buffer(size(small))
        ways, start = self._place(plan, large, small)
        copy(plan, x, y, [Way(way.size, way.y, way.x) for way in ways], (start, 0))
        return y

    def get_config(self) -> dict[str, Any]:
        border: Any = [list(pair) for pair in self.border]
        config = {**super().get_config(), self.kind: border[0] if self.rank == 1 else border}
        return {**config, "data_format": self.data_format}


class _ZeroPadding(_Border):
    kind = "padding"

    @property
    def padding(self) -> Any:
        return self.border[0] if self.rank == 1 else self.border

    def infer_shape(self, input_shape: Shape) -> Shape:
        check_rank(self.name, input_shape, self.rank, self.data_format)
        return tuple(n + near + far for n, (near, far) in zip(input_shape, self._around()))

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None and self.shape_out is not None
        small, large = self.shape_in, self.shape_out

        def backward(dy: int, need_dx: bool) -> int:
            return self._crop(plan, dy, large, small) if need_dx else ABSENT

        return self._pad(plan, x, small, large), backward


class _Cropping(_Border):
    kind = "cropping"

    @property
    def cropping(self) -> Any:
        return self.border[0] if self.rank == 1 else self.border

    def infer_shape(self, input_shape: Shape) -> Shape:
        check_rank(self.name, input_shape, self.rank, self.data_format)
        shape = tuple(n - near - far for n, (near, far) in zip(input_shape, self._around()))
        if min(shape) < 1:
            raise ValueError(
                f"{self.name}: cropping must leave something of samples of shape {input_shape}. Received: {self.border}"
            )
        return shape

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None and self.shape_out is not None
        large, small = self.shape_in, self.shape_out

        def backward(dy: int, need_dx: bool) -> int:
            return self._pad(plan, dy, small, large) if need_dx else ABSENT

        return self._crop(plan, x, large, small), backward


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and behind sequences.

    Parameters:
        padding: a number for both ends, or (left, right).
        data_format: "channels_last" (the default), samples (steps, channels), or "channels_first".

    Raises:
        ValueError: not such numbers, or no such data_format.
    """

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images.

    Parameters:
        padding: a number for all sides, (vertical, horizontal), or ((top, bottom), (left, right)).
        data_format: "channels_last" (the default), samples (height, width, channels), or "channels_first".

    Raises:
        ValueError: not such numbers, or no such data_format.
    """

    rank = 2

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes: `ZeroPadding2D` with three axes."""

    rank = 3

    def __init__(self, padding: Any = (1, 1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class Cropping1D(_Cropping):
    """Sequences without some of their first and last steps.

    Parameters:
        cropping: a number for both ends, or (left, right).
        data_format: "channels_last" (the default), samples (steps, channels), or "channels_first", which Keras does not
            have here.

    Raises:
        ValueError: not such numbers, no such data_format, or nothing is left.
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Cropping2D(_Cropping):
    """Images without their margins.

    Parameters:
        cropping: a number for all sides, (vertical, horizontal), or ((top, bottom), (left, right)).
        data_format: "channels_last" (the default), samples (height, width, channels), or "channels_first".

    Raises:
        ValueError: not such numbers, no such data_format, or nothing is left.
    """

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(_Cropping):
    """Volumes without their margins: `Cropping2D` with three axes."""

    rank = 3

    def __init__(self, cropping: Any = (1, 1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Pad(Layer):
    """Constants around samples; what `ops.pad` makes of a symbolic tensor.

    Parameters:
        widths: for every axis of a sample, how many at its near and at its far end.
        value: the constant.

    Raises:
        ValueError: not whole numbers from 0 on; on building: not a pair for each axis.

    Notes:
        Keras has the function, and no such layer.
    """

    def __init__(self, widths: Any, value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        given = list(widths)
        self.widths = borders(self.name, "widths", given[0] if len(given) == 1 else given, len(given))
        self.value = float(value)

    def infer_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != len(self.widths):
            raise ValueError(
                f"{self.name}: expected samples with {len(self.widths)} axes. Received: shape {input_shape}"
            )
        return tuple(n + near + far for n, (near, far) in zip(input_shape, self.widths))

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None and self.shape_out is not None
        small, large = self.shape_in, self.shape_out
        first = sum(near * step for (near, _), step in zip(self.widths, steps(large)))
        ways = list(map(Way, (plan.batch, *small), steps((plan.batch, *small)), steps((plan.batch, *large))))
        y = plan.buffer(size(large))
        plan.step("fill", (y,), ints=(plan.buffers[y].size,), reals=(self.value,))
        copy(plan, x, y, ways, (0, first))

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.buffer(size(small))
            copy(plan, dy, dx, [Way(way.size, way.y, way.x) for way in ways], (first, 0))
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "widths": [list(pair) for pair in self.widths], "value": self.value}
