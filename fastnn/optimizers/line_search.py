"""A line search for the strong Wolfe conditions: sufficient decrease, and a slope that is small enough.

First the step grows until it meets the conditions or a bracket is sure to hold a step that does; then the bracket
shrinks by cubic interpolation.  The safeguards are those of PyTorch, so that both take the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

DECREASE, CURVATURE = 1e-4, 0.9  # c1 and c2 of the conditions
SMALLEST_BRACKET = 1e-9


class Trial(NamedTuple):
    """A step length, the loss there, its gradient, and the slope along the direction."""

    length: float
    loss: float
    gradient: Vector
    slope: float


def minimum_of_cubic(one: Trial, two: Trial, low: float, high: float) -> float:
    """Where the cubic through both losses and slopes has its minimum, held between the bounds; else their middle."""
    if one.length > two.length:
        one, two = two, one
    mean = one.slope + two.slope - 3 * (one.loss - two.loss) / (one.length - two.length)
    square = mean * mean - one.slope * two.slope
    if not square >= 0:
        return (low + high) / 2
    root = math.sqrt(square)
    share = (two.slope + root - mean) / (two.slope - one.slope + 2 * root)
    return min(max(two.length - (two.length - one.length) * share, low), high)


def strong_wolfe(
    closure: Callable[[Vector], tuple[float, Vector]],
    x: Vector,
    length: float,
    direction: Vector,
    loss: float,
    gradient: Vector,
    slope: float,
    most: int = 25,
) -> tuple[float, Vector, float, int]:
    """A step along the direction that meets the conditions, or the best one found.

    Parameters
    ----------
    closure : callable
        x -> (loss, gradient).
    x, loss, gradient : where the search starts, and what the closure says there
    length : float
        The first step to try.
    direction, slope : the direction, and gradient . direction
    most : int
        Trials after the first one.

    Returns
    -------
    loss, gradient, length, evaluations

    References
    ----------
    J. Nocedal, S. J. Wright, "Numerical Optimization", 2nd edition, Springer 2006, algorithms 3.5 and 3.6.
    """
    evaluations = 0

    def trial(length: float) -> Trial:
        nonlocal evaluations
        evaluations += 1
        value, g = closure(x + length * direction)
        return Trial(length, value, g, float(g @ direction))

    def decreases(new: Trial) -> bool:
        return not new.loss > loss + DECREASE * new.length * slope

    def flat(new: Trial) -> bool:
        return abs(new.slope) <= -CURVATURE * slope

    start = Trial(0.0, loss, gradient, slope)
    before, new = start, trial(length)
    tries = 0
    bracket: list[Trial] | None = None
    while tries < most:
        if not decreases(new) or (tries > 1 and new.loss >= before.loss):
            bracket = [before, new]
        elif flat(new):
            return new.loss, new.gradient, new.length, evaluations
        elif new.slope >= 0:
            bracket = [before, new]
        if bracket is not None:
            break
        low, high = new.length + 0.01 * (new.length - before.length), new.length * 10
        before, new = new, trial(minimum_of_cubic(before, new, low, high))
        tries += 1
    if bracket is None:
        bracket = [start, new]
    best = _shrink(bracket, trial, decreases, flat, float(np.abs(direction).max(initial=0.0)), most - tries)
    return best.loss, best.gradient, best.length, evaluations


def _shrink(
    bracket: list[Trial],
    trial: Callable[[float], Trial],
    decreases: Callable[[Trial], bool],
    flat: Callable[[Trial], bool],
    scale: float,
    most: int,
) -> Trial:
    """The best trial after the bracket has shrunk around a step that meets the conditions."""
    best, other = sorted(bracket, key=lambda end: end.loss)
    stuck = False
    for _ in range(most):
        low, high = sorted((best.length, other.length))
        if (high - low) * scale < SMALLEST_BRACKET:
            break
        length = minimum_of_cubic(best, other, low, high)
        margin = 0.1 * (high - low)
        if min(high - length, length - low) < margin:
            # near an end twice, or at it: a tenth of the bracket away
            if stuck or length >= high or length <= low:
                length = high - margin if abs(length - high) < abs(length - low) else low + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        new = trial(length)
        if not decreases(new) or new.loss >= best.loss:
            best, other = sorted((best, new), key=lambda end: end.loss)
            continue
        if flat(new):
            return new
        if new.slope * (other.length - best.length) >= 0:
            other = best
        best = new
    return best
