"""Max and average pooling, over windows and over whole samples, of images and sequences (channels last)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from ._windows import Axis, axis, check_rank, numbers, padding_name, window
from .base import Layer, Shape, size

CHANNELS_LAST: Mapping[str, tuple[Any, ...]] = {"data_format": (None, "channels_last")}


class _Pooling(Layer):
    """Windows of one size; subclasses say the rank of a sample, and whether the maximum or the average is taken."""

    rank: ClassVar[int]
    average: ClassVar[bool]
    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {**Layer.neutral_options, **CHANNELS_LAST}

    def _axes(self, input_shape: Shape) -> tuple[Axis, ...]:
        raise NotImplementedError

    def _output_shape(self, input_shape: Shape) -> Shape:
        return (*(a.output for a in self._axes(input_shape)), input_shape[-1])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self.name, input_shape, self.rank)
        return self._output_shape(input_shape)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.input_shape is not None and self.output_shape is not None
        channels = self.input_shape[-1]
        ints = window(plan.batch, self._axes(self.input_shape), channels, channels, channels)
        y = plan.buffer(size(self.output_shape))
        argmax = ABSENT
        if self.average:
            plan.step("average_pool", (x, y), ints=ints, reals=(0.0,))
        else:
            if plan.training:
                argmax = plan.buffer(size(self.output_shape), np.int32)
            plan.step("max_pool", (x, y, argmax), ints=ints)
        per_sample = size(self.input_shape)

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.buffer(per_sample)
            if self.average:
                plan.step("average_pool_backward", (dy, dx), ints=ints, reals=(0.0,))
            else:
                plan.step("max_pool_backward", (dy, argmax, dx), ints=ints)
            return dx

        return y, backward


class _WindowPooling(_Pooling):
    """Pooling over windows; documented at `MaxPooling2D`."""

    def __init__(self, pool_size: Any = 2, strides: Any = None, padding: str = "valid", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.pool_size = numbers(kind, "pool_size", pool_size, self.rank)
        self.strides = self.pool_size if strides is None else numbers(kind, "strides", strides, self.rank)
        self.padding = padding_name(kind, padding, ("valid", "same"))

    def _axes(self, input_shape: Shape) -> tuple[Axis, ...]:
        sizes = zip(input_shape, self.pool_size, self.strides)
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

    def __init__(self, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keepdims = bool(keepdims)

    def _axes(self, input_shape: Shape) -> tuple[Axis, ...]:
        return tuple(Axis(n, n, 1, 1, 0, 1) for n in input_shape[:-1])

    def _output_shape(self, input_shape: Shape) -> Shape:
        return (*((1,) * self.rank if self.keepdims else ()), input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keepdims": self.keepdims}


class MaxPooling2D(_WindowPooling):
    """The largest element of every window of an image; the first of several equal ones gets the gradient.

    Parameters:
        pool_size: size of the window: a number, or (down, across).
        strides: from one window to the next; by default pool_size.
        padding: "valid", or "same" for ceil(size / stride) windows; padding is never the maximum.
        data_format: only None and "channels_last".

    Raises:
        ValueError: a number or a padding that is not served.
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
        keepdims: whether height and width stay, with length 1.
        data_format: only None and "channels_last".
    """

    rank, average = 2, False


class GlobalMaxPooling1D(_GlobalPooling):
    """The largest element of every channel of a sequence; parameters as in `GlobalMaxPooling2D`."""

    rank, average = 1, False


class GlobalAveragePooling2D(_GlobalPooling):
    """The average of every channel of an image; parameters as in `GlobalMaxPooling2D`."""

    rank, average = 2, True


class GlobalAveragePooling1D(_GlobalPooling):
    """The average of every channel of a sequence; parameters as in `GlobalMaxPooling2D`."""

    rank, average = 1, True
