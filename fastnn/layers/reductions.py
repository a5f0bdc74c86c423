"""Sums, means and extremes of symbolic tensors along axes: what `ops.sum`, `ops.mean`, `ops.max` ... become.

Along the axis of the batch as well: what comes out is a fixed tensor then (fastnn/layers/fixed.py), of each mini-batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn._errors import unknown
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from . import _strided
from ._strided import Way
from .base import Layer, Shape, size

Array = npt.NDArray[Any]


class Rule(NamedTuple):
    """function(x, axis) keeping the axes, and the share of dy that each element gets, of (x, y); None: none."""

    function: Callable[..., Any]
    share: Callable[[Array, Array, Any], Any] | None = None


def _extreme(x: Array, y: Array, axis: Any) -> Any:
    """Equal elements share the gradient."""
    chosen = x == y
    return chosen / chosen.sum(axis=axis, keepdims=True)


def _positions(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of the first extreme along all axes together."""

    def position(x: Array, axis: tuple[int, ...]) -> Any:
        rest = [i for i in range(x.ndim) if i not in axis]
        rows = x.transpose(*rest, *axis).reshape(*(x.shape[i] for i in rest), -1)
        return np.expand_dims(function(rows, axis=-1), axis)

    return position


def _logsumexp(x: Array, axis: Any) -> Any:
    top = x.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    return top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True))


RULES: dict[str, Rule | None] = {
    "sum": None,  # native steps
    "mean": None,
    "max": Rule(lambda x, axis: x.max(axis=axis, keepdims=True), _extreme),
    "min": Rule(lambda x, axis: x.min(axis=axis, keepdims=True), _extreme),
    "logsumexp": Rule(_logsumexp, lambda x, y, axis: np.exp(x - y)),
    "argmax": Rule(_positions(np.argmax)),
    "argmin": Rule(_positions(np.argmin)),
    "all": Rule(lambda x, axis: (x != 0).all(axis=axis, keepdims=True)),
    "any": Rule(lambda x, axis: (x != 0).any(axis=axis, keepdims=True)),
}


class Reduce(Layer):
    """What becomes of the elements along some axes.

    Parameters:
        function: "sum", "mean", "max", "min" (equal elements share the gradient), "logsumexp"; without gradients
            "argmax", "argmin", "all", "any".
        axes: counted with the batch as 0.
        keepdims: whether they stay, with length 1.

    Raises:
        ValueError: a function that nobody knows; on building: there are no such axes.

    Notes:
        Keras has the functions, and no such layer.
    """

    def __init__(self, function: str, axes: Sequence[int], keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if function not in RULES:
            raise unknown("function along axes", function, list(RULES))
        self.function, self.axes, self.keepdims = function, sorted(int(axis) for axis in axes), bool(keepdims)
        self.gives_fixed = True if 0 in self.axes else None

    def infer_shape(self, input_shape: Shape) -> Shape:
        whole = (1, *input_shape)
        if not all(0 <= axis < len(whole) for axis in self.axes):
            raise ValueError(f"{self.name}: samples of shape {input_shape} have no axes {self.axes}")
        kept = [1 if i in self.axes else n for i, n in enumerate(whole) if self.keepdims or i not in self.axes]
        return tuple(kept) if 0 in self.axes else tuple(kept[1:])

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        shape, axes = (plan.batch, *self.shape_in), tuple(self.axes)
        reduced = tuple(1 if i in axes else n for i, n in enumerate(shape))
        rule = RULES[self.function]
        if rule is None:
            return self._total(plan, x, shape, reduced)
        function, share = rule
        y = plan.fixed(size(reduced))

        def forward(step: int, x: Array, y: Array) -> None:
            with np.errstate(all="ignore"):
                y.reshape(reduced)[...] = function(x.reshape(shape), axis=axes)

        def back(step: int, dy: Array, x: Array, y: Array, dx: Array) -> None:
            assert share is not None
            whole, result = x.reshape(shape), y.reshape(reduced)
            with np.errstate(all="ignore"):
                np.multiply(dy.reshape(reduced), share(whole, result, axes), out=dx.reshape(shape))

        plan.step("call", (x, y), ints=(size(shape),), call=forward)

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx or share is None:
                return ABSENT
            dx = plan.fixed(size(shape))
            plan.step("call", (dy, x, y, dx), ints=(3 * size(shape),), call=back)
            return dx

        return y, backward

    def _total(self, plan: Plan, x: int, shape: Shape, reduced: Shape) -> tuple[int, Backward]:
        count = math.prod(shape[axis] for axis in self.axes)
        factor = 1.0 / count if self.function == "mean" else 1.0
        of_x, of_y = _strided.steps(shape), _strided.steps(reduced)
        ways = [Way(n, a, 0 if i in self.axes else b) for i, (n, a, b) in enumerate(zip(shape, of_x, of_y))]
        y = plan.fixed(size(reduced))
        _strided.zero(plan, y)
        _strided.add(plan, x, y, ways, factor=factor)

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.fixed(size(shape))
            _strided.zero(plan, dx)
            _strided.add(plan, dy, dx, [Way(way.size, way.y, way.x) for way in ways], factor=factor)
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "function": self.function, "axes": list(self.axes)}
        return {**config, "keepdims": self.keepdims}
