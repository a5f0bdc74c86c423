"""Dropout whose mask is shared along axes: one draw for all elements where noise_shape has a 1."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from . import _strided
from ._strided import Way
from .base import Shape, size

NoiseShape = tuple[int | None, ...]


def checked_noise(given: Any) -> NoiseShape | None:
    """The argument, checked as far as it can be without the input.

    Raises:
        ValueError: not a tuple of None and positive whole numbers.
    """
    if given is None:
        return None
    try:
        found = tuple(None if n is None else operator.index(n) for n in given)
        valid = all(n is None or n >= 1 for n in found)
    except TypeError:
        valid = False
    if not valid or not found:
        raise ValueError(
            f"Dropout: noise_shape must be a tuple of positive whole numbers and None, the batch's axis in front. "
            f"Received: {given!r}"
        )
    return found


def check_noise(name: str, noise: NoiseShape, shape: Shape) -> None:
    """Complain about a noise_shape that does not broadcast to inputs of that shape.

    Raises:
        ValueError: other axes than those of the input, or other sizes than 1 and theirs.
    """
    if len(noise) != len(shape) + 1 or any(n not in (None, 1, whole) for n, whole in zip(noise[1:], shape)):
        raise ValueError(
            f"{name}: noise_shape must have 1, or what the input has, for each axis of {(None, *shape)}. "
            f"Received: {noise}"
        )


def emit_shared_dropout(
    plan: Plan, x: int, shape: Shape, noise: NoiseShape, rate: float, stream: int
) -> tuple[int, Backward]:
    """Steps of dropout in training, with one number for all elements along the axes where the noise has a 1."""
    whole = (plan.batch, *shape)
    small = (1 if noise[0] == 1 else plan.batch, *(1 if n == 1 else m for n, m in zip(noise[1:], shape)))
    ones, count = plan.constant(np.ones(math.prod(small), plan.dtype)), math.prod(small)
    drawn, mask = plan.fixed(count), plan.fixed(count, np.uint8)
    plan.step("dropout", (ones, drawn, mask), ints=(count, stream), reals=(rate,))
    factors = plan.buffer(size(shape))
    ways = zip(whole, small, _strided.steps(small), _strided.steps(whole))
    _strided.copy(plan, drawn, factors, [Way(n, of_x if n == m else 0, of_y) for n, m, of_x, of_y in ways])

    def times(source: int) -> int:
        target = plan.buffer(size(shape))
        plan.step("multiply", (source, factors, target), ints=(math.prod(whole),))
        return target

    return times(x), lambda dy, need_dx: times(dy) if need_dx else ABSENT
