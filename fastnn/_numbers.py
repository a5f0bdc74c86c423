"""Checks of the numbers that a user passes to a constructor: what is wrong is said there, not in the first step."""

from __future__ import annotations

import math
import operator
from typing import Any


def finite(name: str, value: Any, at_least: float = -math.inf, at_most: float = math.inf) -> float:
    """`value` as a float; ValueError unless it is a finite number between the bounds, which belong to the range."""
    number = _as_float(value)
    if not (math.isfinite(number) and at_least <= number <= at_most):
        raise ValueError(f"{name} must be a finite number{_range(at_least, at_most)}. Received: {name}={value!r}")
    return number


def positive(name: str, value: Any) -> float:
    """`value` as a float; ValueError unless it is finite and greater than 0."""
    number = _as_float(value)
    if not (math.isfinite(number) and number > 0.0):
        raise ValueError(f"{name} must be a finite number greater than 0. Received: {name}={value!r}")
    return number


def whole(name: str, value: Any, at_least: int) -> int:
    """`value` as an int; ValueError unless it is an integer (of Python or NumPy) not below `at_least`."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < at_least:
        raise ValueError(f"{name} must be an integer not less than {at_least}. Received: {name}={value!r}")
    return number


def _as_float(value: Any) -> float:
    if isinstance(value, (str, bytes, bool)):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _range(at_least: float, at_most: float) -> str:
    if at_least == -math.inf and at_most == math.inf:
        return ""
    if at_most == math.inf:
        return f" not less than {at_least:g}"
    return f" from {at_least:g} to {at_most:g}"
