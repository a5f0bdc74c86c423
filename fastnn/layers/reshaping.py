"""Flatten, Reshape, Permute, RepeatVector and Identity: the same numbers in another shape.

What leaves the numbers in their order costs nothing: the buffer is handed on as it is.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from ._strided import Way, add, channels_last, copy, inverse, permute, zero
from ._windows import data_format_name
from .base import Layer, Shape, size


class Identity(Layer):
    """y = x; memory stays where it is."""

    supports_masking = True

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        return x, lambda dy, need_dx: dy


class _Permuting(Layer):
    """A layer that changes the order of the axes; subclasses say how, counted with the batch as axis 0."""

    def _order(self, input_shape: Shape) -> Sequence[int]:
        raise NotImplementedError

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        shape, order = (plan.batch, *self.shape_in), self._order(self.shape_in)
        permuted = tuple(shape[axis] for axis in order)

        def backward(dy: int, need_dx: bool) -> int:
            return permute(plan, dy, permuted, inverse(order)) if need_dx else ABSENT

        return permute(plan, x, shape, order), backward


class Flatten(_Permuting):
    """All axes of a sample in one.

    Parameters:
        data_format: "channels_last" (the default), where memory stays as it is, or "channels_first": the channels, the
            first axis of a sample, are moved behind the others before, so that both formats give the same features.

    Raises:
        ValueError: no such data_format.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_name("Flatten", data_format)

    def _order(self, input_shape: Shape) -> Sequence[int]:
        rank = len(input_shape)
        return channels_last(rank - 1) if self.data_format == "channels_first" and rank else range(rank + 1)

    def infer_shape(self, input_shape: Shape) -> Shape:
        return (size(input_shape),)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """The same numbers in the same order, in another shape; memory stays where it is.

    Parameters:
        target_shape: of a sample; one of its numbers may be -1, and follows from the others.

    Raises:
        ValueError: not such a shape, or it has not as many elements as the samples.
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        try:
            found = tuple(map(operator.index, target_shape))
        except TypeError:
            found = (0,)
        if any(n < 1 and n != -1 for n in found) or found.count(-1) > 1:
            raise ValueError(
                "Reshape: target_shape must be positive whole numbers, of which one may be -1. "
                f"Received: {target_shape!r}"
            )
        self.target_shape = found

    def infer_shape(self, input_shape: Shape) -> Shape:
        known = size(tuple(n for n in self.target_shape if n != -1))
        total = size(input_shape)
        if total % known or (-1 not in self.target_shape and total != known):
            raise ValueError(
                f"{self.name}: samples of shape {input_shape} have {total} elements and do not fit into target_shape. "
                f"Received: {self.target_shape}"
            )
        return tuple(total // known if n == -1 else n for n in self.target_shape)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        return x, lambda dy, need_dx: dy

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": list(self.target_shape)}


class Permute(_Permuting):
    """The axes of a sample in another order.

    Parameters:
        dims: which axis comes first, second ..., counted from 1: (2, 1) transposes matrices.

    Raises:
        ValueError: not each of 1, 2 ... once, or not as many as the samples have axes.
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        try:
            self.dims = tuple(map(operator.index, dims))
        except TypeError:
            self.dims = ()
        if not self.dims or sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"Permute: dims must have each of 1, 2 ... once. Received: {dims!r}")

    def _order(self, input_shape: Shape) -> Sequence[int]:
        return (0, *self.dims)

    def infer_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != len(self.dims):
            raise ValueError(f"{self.name}: expected samples of {len(self.dims)} axes. Received: shape {input_shape}")
        return tuple(input_shape[axis - 1] for axis in self.dims)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": list(self.dims)}


class RepeatVector(Layer):
    """A sequence of n equal steps: (features,) becomes (n, features).

    Parameters:
        n: a positive whole number.

    Raises:
        TypeError, ValueError: it is none, or samples are no vectors.
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(n, bool) or not hasattr(n, "__index__") or n < 1:
            raise TypeError(f"RepeatVector: n must be a positive whole number. Received: {n!r}")
        self.n = operator.index(n)

    def infer_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ValueError(f"{self.name}: expected samples of shape (features,). Received: {input_shape}")
        return (self.n, *input_shape)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        (features,), n = self.shape_in, self.n
        y = plan.buffer(n * features)
        copy(plan, x, y, [Way(plan.batch, features, n * features), Way(n, 0, features), Way(features, 1, 1)])

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.buffer(features)
            zero(plan, dx)
            add(plan, dy, dx, [Way(plan.batch, n * features, features), Way(n, features, 0), Way(features, 1, 1)])
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}
