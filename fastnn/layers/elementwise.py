"""Functions of the elements of symbolic tensors: roots, logarithms, comparisons, choices; what functions of fastnn.ops
become that are no activations (fastnn/layers/functions.py).

They are computed by NumPy, as steps of the plan.  Comparisons give 1 and 0, and have no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn._errors import unknown
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.ops._numpy.special import erf

from . import merging
from .base import Layer

Array = npt.NDArray[Any]
Slope = Callable[..., Any]


class Map(NamedTuple):
    """y = function(x), with its derivative slope(x, y); None: 0 everywhere."""

    function: Callable[[Array], Any]
    slope: Slope | None = None


MAPS: dict[str, Map] = {
    "arccos": Map(np.arccos, lambda x, y: -1 / np.sqrt(1 - x * x)),
    "arccosh": Map(np.arccosh, lambda x, y: 1 / np.sqrt(x * x - 1)),
    "arcsin": Map(np.arcsin, lambda x, y: 1 / np.sqrt(1 - x * x)),
    "arcsinh": Map(np.arcsinh, lambda x, y: 1 / np.sqrt(x * x + 1)),
    "arctanh": Map(np.arctanh, lambda x, y: 1 / (1 - x * x)),
    "ceil": Map(np.ceil),
    "cos": Map(np.cos, lambda x, y: -np.sin(x)),
    "cosh": Map(np.cosh, lambda x, y: np.sinh(x)),
    "erf": Map(erf, lambda x, y: 2 / np.sqrt(np.pi) * np.exp(-x * x)),
    "expm1": Map(np.expm1, lambda x, y: np.exp(x)),
    "floor": Map(np.floor),
    "isfinite": Map(np.isfinite),
    "isinf": Map(np.isinf),
    "isnan": Map(np.isnan),
    "log": Map(np.log, lambda x, y: 1 / x),
    "log10": Map(np.log10, lambda x, y: 1 / (x * np.log(10))),
    "log1p": Map(np.log1p, lambda x, y: 1 / (1 + x)),
    "log2": Map(np.log2, lambda x, y: 1 / (x * np.log(2))),
    "logical_not": Map(lambda x: x == 0),
    "reciprocal": Map(np.reciprocal, lambda x, y: -y * y),
    "round": Map(np.rint),
    "rsqrt": Map(lambda x: 1 / np.sqrt(x), lambda x, y: -0.5 * y / x),
    "sign": Map(np.sign),
    "sin": Map(np.sin, lambda x, y: np.cos(x)),
    "sinh": Map(np.sinh, lambda x, y: np.cosh(x)),
    "sqrt": Map(np.sqrt, lambda x, y: 0.5 / y),
    "tan": Map(np.tan, lambda x, y: 1 + y * y),
    "trunc": Map(np.trunc),
}


class Elementwise(Layer):
    """A function of every element.

    Parameters:
        function: a name of MAPS: "sqrt", "log", "sin" ...

    Raises:
        ValueError: a name that nobody knows.

    Notes:
        Keras has the functions, and no such layer.
    """

    def __init__(self, function: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if function not in MAPS:
            raise unknown("function of elements", function, list(MAPS))
        self.function = function

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        function, slope = MAPS[self.function]
        length = plan.buffers[x].size
        y = plan.fixed(length)

        def forward(step: int, x: Array, y: Array) -> None:
            with np.errstate(all="ignore"):
                y[...] = function(x)

        def back(step: int, dy: Array, x: Array, y: Array, dx: Array) -> None:
            assert slope is not None
            with np.errstate(all="ignore"):
                np.multiply(dy, slope(x, y), out=dx)

        plan.step("call", (x, y), ints=(length,), call=forward)

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx or slope is None:
                return ABSENT
            dx = plan.fixed(length)
            plan.step("call", (dy, x, y, dx), ints=(2 * length,), call=back)
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "function": self.function}


class Clip(Layer):
    """``min(max(x, x_min), x_max)``, with the gradient of x where nothing was cut off.

    Parameters:
        x_min, x_max: numbers, or None for no such bound.

    Notes:
        Keras has the function, and no such layer.
    """

    def __init__(self, x_min: float | None = None, x_max: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.x_min, self.x_max = (None if bound is None else float(bound) for bound in (x_min, x_max))

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        low, high = -np.inf if self.x_min is None else self.x_min, np.inf if self.x_max is None else self.x_max
        length = plan.buffers[x].size
        y = plan.fixed(length)

        def forward(step: int, x: Array, y: Array) -> None:
            np.minimum(np.maximum(x, low), high, out=y)

        def back(step: int, dy: Array, x: Array, dx: Array) -> None:
            dx[...] = np.where((x < low) | (x > high), 0, dy)

        plan.step("call", (x, y), ints=(2 * length,), call=forward)

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.fixed(length)
            plan.step("call", (dy, x, dx), ints=(2 * length,), call=back)
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "x_min": self.x_min, "x_max": self.x_max}


class Pair(NamedTuple):
    """y = function(a, b), with its derivatives by a and by b, of (a, b, y); None: 0 everywhere."""

    function: Callable[[Array, Array], Any]
    slopes: tuple[Slope, Slope] | None = None


PAIRS: dict[str, Pair] = {
    "arctan2": Pair(np.arctan2, (lambda a, b, y: b / (a * a + b * b), lambda a, b, y: -a / (a * a + b * b))),
    "equal": Pair(np.equal),
    "floor_divide": Pair(np.floor_divide),
    "greater": Pair(np.greater),
    "greater_equal": Pair(np.greater_equal),
    "less": Pair(np.less),
    "less_equal": Pair(np.less_equal),
    "logical_and": Pair(np.logical_and),
    "logical_or": Pair(np.logical_or),
    "logical_xor": Pair(np.logical_xor),
    "mod": Pair(np.mod, (lambda a, b, y: 1, lambda a, b, y: -np.floor(a / b))),
    "not_equal": Pair(np.not_equal),
    "power": Pair(
        np.power,
        (
            lambda a, b, y: np.where(b == 0, 0, b * np.power(a, b - 1)),
            lambda a, b, y: np.where(y == 0, 0, y * np.log(a)),
        ),
    ),
}


class Pairwise(merging._Folded):
    """A function of the elements of two tensors, that broadcast.

    Parameters:
        function: a name of PAIRS: "greater", "power" ...

    Raises:
        ValueError: a name that nobody knows.

    Notes:
        Keras has the functions, and no such layer.
    """

    least = most = 2

    def __init__(self, function: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if function not in PAIRS:
            raise unknown("function of two tensors", function, list(PAIRS))
        self.function = function

    def pair(self, plan: Plan, a: int, b: int, y: int) -> None:
        function = PAIRS[self.function].function

        def forward(step: int, a: Array, b: Array, y: Array) -> None:
            with np.errstate(all="ignore"):
                y[...] = function(a, b)

        plan.step("call", (a, b, y), ints=(plan.buffers[y].size,), call=forward)

    def split(self, plan: Plan, dy: int, a: int, b: int, need: tuple[bool, bool]) -> tuple[int, int]:
        slopes = PAIRS[self.function].slopes
        if slopes is None:
            return ABSENT, ABSENT
        length = plan.buffers[dy].size
        parts = [ABSENT, ABSENT]
        for i, slope in enumerate(slopes):
            if need[i]:
                parts[i] = plan.fixed(length)
                plan.step("call", (dy, a, b, parts[i]), ints=(2 * length,), call=self._back(slope))
        return parts[0], parts[1]

    def _back(self, slope: Slope) -> Callable[..., None]:
        function = PAIRS[self.function].function

        def back(step: int, dy: Array, a: Array, b: Array, dx: Array) -> None:
            with np.errstate(all="ignore"):
                np.multiply(dy, slope(a, b, function(a, b)), out=dx)

        return back

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "function": self.function}


class Where(merging._Elementwise):
    """Of three tensors that broadcast, the elements of the second where the first is not 0, else of the third.

    Notes:
        Keras has the function, and no such layer.
    """

    least = most = 3

    def merge(self, plan: Plan, x: Sequence[int]) -> tuple[int, Backward]:
        condition, length = x[0], plan.buffers[x[0]].size
        y = plan.fixed(length)

        def choose(step: int, condition: Array, a: Array, b: Array, y: Array) -> None:
            y[...] = np.where(condition != 0, a, b)

        plan.step("call", (*x, y), ints=(length,), call=choose)

        def back(step: int, dy: Array, condition: Array, da: Array | None, db: Array | None) -> None:
            if da is not None:
                da[...] = np.where(condition != 0, dy, 0)
            if db is not None:
                db[...] = np.where(condition != 0, 0, dy)

        def backward(dy: int, need: tuple[bool, ...]) -> tuple[int, ...]:
            parts = [plan.fixed(length) if needed else ABSENT for needed in need[1:]]
            if any(need[1:]):
                plan.step("call", (dy, condition, *parts), ints=(length,), call=back)
            return (ABSENT, *parts)

        return y, backward
