"""Max and average pooling, over windows and over whole samples, of sequences, images and volumes."""

from __future__ import annotations

from typing import Any, ClassVar

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from ._attention import Masks, emit_weights
from ._channels import ChannelsLayer
from ._pooling import pool
from ._windows import Axis, axis, numbers, padding_name
from .base import Shape


class _Pooling(ChannelsLayer):
    """Windows of one size; subclasses say the rank of a sample, and whether the maximum or the average is taken."""

    average: ClassVar[bool]

    def axes(self, shape: Shape) -> tuple[Axis, ...]:
        """The axes of the windows over a channels-last sample."""
        raise NotImplementedError

    def output_last(self, shape: Shape) -> Shape:
        return (*(a.output for a in self.axes(shape)), shape[-1])

    def emit_last(self, plan: Plan, x: int, shape: Shape, **options: Any) -> tuple[int, Backward]:
        return pool(plan, x, plan.batch, self.axes(shape), shape[-1], self.average)


class _WindowPooling(_Pooling):
    """Pooling over windows; documented at `MaxPooling2D`."""

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        kind = type(self).__name__
        self.pool_size = numbers(kind, "pool_size", pool_size, self.rank)
        self.strides = self.pool_size if strides is None else numbers(kind, "strides", strides, self.rank)
        self.padding = padding_name(kind, padding, ("valid", "same"))

    def axes(self, shape: Shape) -> tuple[Axis, ...]:
        sizes = zip(shape, self.pool_size, self.strides)
        return tuple(axis(self.name, n, k, s, 1, self.padding) for n, k, s in sizes)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": list(self.pool_size),
            "strides": list(self.strides),
            "padding": self.padding,
        }


class _GlobalPooling(_Pooling):
    """Pooling over the whole sample; documented at `GlobalMaxPooling2D`."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.keepdims = bool(keepdims)

    def axes(self, shape: Shape) -> tuple[Axis, ...]:
        return tuple(Axis(n, n, 1, 1, 0, 1) for n in shape[:-1])

    def output_last(self, shape: Shape) -> Shape:
        return (*((1,) * self.rank if self.keepdims else ()), shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keepdims": self.keepdims}


class MaxPooling2D(_WindowPooling):
    """The largest element of every window of an image; the first of several equal ones gets the gradient.

    Parameters:
        pool_size: size of the window: a number, or (down, across).
        strides: from one window to the next; by default pool_size.
        padding: "valid", or "same" for ceil(size / stride) windows; padding is never the maximum.
        data_format: "channels_last" (the default), or "channels_first", which is transposed on the way in and out.

    Raises:
        ValueError: a number, a padding or a format that is not served.
    """

    rank, average = 2, False


class MaxPooling1D(_WindowPooling):
    """`MaxPooling2D` for sequences, with one number for each size."""

    rank, average = 1, False


class AveragePooling2D(_WindowPooling):
    """The average of every window of an image; with "same", of that part of it that is inside of the image.

    Parameters and errors are those of `MaxPooling2D`.
    """

    rank, average = 2, True


class AveragePooling1D(_WindowPooling):
    """`AveragePooling2D` for sequences, with one number for each size."""

    rank, average = 1, True


class GlobalMaxPooling2D(_GlobalPooling):
    """The largest element of every channel of an image.

    Parameters:
        data_format: "channels_last" (the default) or "channels_first".
        keepdims: whether height and width stay, with length 1.
    """

    rank, average = 2, False


class GlobalMaxPooling1D(_GlobalPooling):
    """The largest element of every channel of a sequence; parameters as in `GlobalMaxPooling2D`."""

    rank, average = 1, False


class GlobalAveragePooling2D(_GlobalPooling):
    """The average of every channel of an image; parameters as in `GlobalMaxPooling2D`."""

    rank, average = 2, True


class GlobalAveragePooling1D(_GlobalPooling):
    """The average of every channel of a sequence; parameters as in `GlobalMaxPooling2D`.

    Under a mask it is the average over the time steps that count; of all of them where none does (Keras: NaN).

    Raises:
        ValueError: a mask meets data_format="channels_first".
    """

    rank, average = 1, True
    uses_mask = True

    def emit(self, plan: Plan, x: int, **options: Any) -> tuple[int, Backward]:
        mask = plan.masks.get(x, ABSENT)
        if mask == ABSENT:
            return super().emit(plan, x, **options)
        if self.data_format == "channels_first":
            raise ValueError(f"{self.name}: a mask is served with data_format='channels_last'. Received: {self!r}")
        assert self.shape_in is not None
        steps, channels = self.shape_in
        seen, even, y = plan.buffer(steps * channels), plan.buffer(steps), plan.buffer(channels)
        plan.step("keep_rows", (x, mask, seen), ints=(plan.batch * steps, channels))
        plan.step("fill", (even,), ints=(plan.batch * steps,), reals=(0.0,))
        shares, _ = emit_weights(plan, even, (1, 1, steps), Masks(keys=mask), 1.0, False)
        work = steps * channels
        plan.step("products", (shares, seen, y), ints=(plan.batch, work, 0, 0, 1, channels, steps))

        def backward(dy: int, need: bool) -> int:
            if not need or dy == ABSENT:
                return ABSENT
            dx = plan.buffer(steps * channels)
            plan.step("products", (shares, dy, dx), ints=(plan.batch, work, 1, 0, steps, channels, 1))
            return dx

        return y, backward


class MaxPooling3D(_WindowPooling):
    """`MaxPooling2D` for volumes, with three numbers for each size."""

    rank, average = 3, False


class AveragePooling3D(_WindowPooling):
    """`AveragePooling2D` for volumes, with three numbers for each size."""

    rank, average = 3, True


class GlobalMaxPooling3D(_GlobalPooling):
    """The largest element of every channel of a volume; parameters as in `GlobalMaxPooling2D`."""

    rank, average = 3, False


class GlobalAveragePooling3D(_GlobalPooling):
    """The average of every channel of a volume; parameters as in `GlobalMaxPooling2D`."""

    rank, average = 3, True
