"""Ranges to draw hyper-parameters from: what a search space is made of.

A range maps a number u from [0, 1) to one of its values, so that equally distributed u draw from the range. Learning
rates and weight decays are drawn log-uniformly: all powers of ten are then equally likely.

    learning_rate = 10 ** uniform(-6, -2)         is LogUniform(1e-6, 1e-2)
    weight_decay = 10 ** uniform(-8, -4)          is LogUniform(1e-8, 1e-4)
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from fastnn._numbers import finite, positive, whole


class Range:
    """The base class of ranges."""

    def at(self, u: float) -> Any:
        """The value for a number u from [0, 1)."""
        raise NotImplementedError(f"{type(self).__name__} does not define at")

    def narrowed(self, values: Sequence[Any]) -> Range:
        """The part of this range in which `values` lie, the best ones of a round, with a margin.

        With k values of a numeric range, on its scale, the margin is (largest - smallest) / (k - 1) on either side:
        the mean distance between neighbours. A single value, or equal ones, change nothing.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define narrowed")

    def get_config(self) -> dict[str, Any]:
        """What JSON can hold of this range."""
        return {"range": type(self).__name__, **self.__dict__}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{value!r}' for value in self.__dict__.values())})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]


class Uniform(Range):
    """Real numbers from `low` to below `high`, all equally likely.

        value = low + (high - low) u

    Parameters
    ----------
    low, high : float
        Finite, low < high.
    """

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = finite("low", low), finite("high", high)
        _check_order(self, self.low < self.high)

    def at(self, u: float) -> float:
        return self.low + (self.high - self.low) * u

    def narrowed(self, values: Sequence[Any]) -> Uniform:
        ends = _span(values, self.low, self.high)
        return self if ends is None else type(self)(*ends)


class LogUniform(Range):
    """Positive numbers from `low` to below `high` whose logarithms are all equally likely.

        value = 10 ** (log10 low + (log10 high - log10 low) u)

    Parameters
    ----------
    low, high : float
        Finite and positive, low < high.
    """

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = positive("low", low), positive("high", high)
        _check_order(self, self.low < self.high)

    def at(self, u: float) -> float:
        low, high = math.log10(self.low), math.log10(self.high)
        return min(max(float(10.0 ** (low + (high - low) * u)), self.low), self.high)

    def narrowed(self, values: Sequence[Any]) -> LogUniform:
        ends = _span([math.log10(v) for v in values], math.log10(self.low), math.log10(self.high))
        if ends is None:
            return self
        return LogUniform(max(float(10.0 ** ends[0]), self.low), min(float(10.0 ** ends[1]), self.high))


class IntUniform(Range):
    """Whole numbers from `low` to `high`, both included, all equally likely.

        value = low + floor((high - low + 1) u)

    Parameters
    ----------
    low, high : int
        low <= high.
    """

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = whole("low", low, -(2**53)), whole("high", high, -(2**53))
        _check_order(self, self.low <= self.high, equal=True)

    def at(self, u: float) -> int:
        return min(self.low + math.floor((self.high - self.low + 1) * u), self.high)

    def narrowed(self, values: Sequence[Any]) -> IntUniform:
        ends = _span(values, self.low, self.high)
        return self if ends is None else IntUniform(math.floor(ends[0]), math.ceil(ends[1]))


class LogIntUniform(Range):
    """Whole numbers from `low` to `high`, both included, small ones more likely: sizes, as 16 to 1024 units.

        value = floor(low ((high + 1) / low) ** u)

    Parameters
    ----------
    low, high : int
        1 <= low <= high.
    """

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = whole("low", low, 1), whole("high", high, 1)
        _check_order(self, self.low <= self.high, equal=True)

    def at(self, u: float) -> int:
        return min(max(math.floor(self.low * ((self.high + 1) / self.low) ** u), self.low), self.high)

    def narrowed(self, values: Sequence[Any]) -> LogIntUniform:
        ends = _span([math.log(v) for v in values], math.log(self.low), math.log(self.high))
        if ends is None:
            return self
        low, high = math.floor(math.exp(ends[0]) + 1e-9), math.ceil(math.exp(ends[1]) - 1e-9)
        return LogIntUniform(max(low, self.low), min(high, self.high))


class Choice(Range):
    """One of some options, all equally likely.

    Parameters
    ----------
    options : sequence
        Names, numbers (NumPy's become Python's), or whatever JSON can hold; at least one. Narrowed, it keeps those of
        the best trials.
    """

    def __init__(self, options: Sequence[Any]) -> None:
        if isinstance(options, str) or not isinstance(options, Sequence) or not options:
            raise ValueError(f"Choice: expected a list of options, at least one. Received: {options!r}")
        options = [option.item() if isinstance(option, np.generic) else option for option in options]
        try:
            same = json.loads(json.dumps(options))
        except (TypeError, ValueError) as error:
            raise ValueError(f"Choice: options must be what JSON can hold. Received: {options!r}") from error
        if same != options:
            raise ValueError(f"Choice: options must stay what they are in JSON. Received: {options!r}")
        self.options = options

    def at(self, u: float) -> Any:
        return self.options[min(math.floor(len(self.options) * u), len(self.options) - 1)]

    def narrowed(self, values: Sequence[Any]) -> Choice:
        return Choice([option for option in self.options if option in values])


Space: TypeAlias = "Mapping[str, Range | Sequence[Any]]"


def check_space(space: Space) -> dict[str, Range]:
    """The ranges of a space by name; a list is a `Choice`.

    Raises
    ------
    TypeError, ValueError
        If it is not a dictionary of ranges, or empty.
    """
    if not isinstance(space, Mapping) or not all(isinstance(name, str) for name in space):
        raise TypeError(f"space must be a dictionary of names and ranges. Received: {space!r}")
    if not space:
        raise ValueError("space must have a range at least. Received: {}")
    ranges = {name: Choice(each) if isinstance(each, (list, tuple)) else each for name, each in space.items()}
    for name, each in ranges.items():
        if not isinstance(each, Range):
            raise TypeError(
                f"space: expected a range (LogUniform, Uniform, IntUniform, LogIntUniform, Choice) or a list "
                f"of options for {name!r}. Received: {each!r}"
            )
    return ranges  # type: ignore[return-value]


def _check_order(range: Range, ordered: bool, equal: bool = False) -> None:
    if not ordered:
        rule = "not be greater than" if equal else "be less than"
        raise ValueError(f"{type(range).__name__}: low must {rule} high. Received: {range!r}")


def _span(values: Sequence[float], low: float, high: float) -> tuple[float, float] | None:
    """Smallest and largest of some values with a margin, within the old ends; None if there is nothing between them."""
    if len(values) < 2 or min(values) == max(values):
        return None
    margin = (max(values) - min(values)) / (len(values) - 1)
    return max(low, min(values) - margin), min(high, max(values) + margin)
