"""The gradient of a whole model against central differences, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Where a difference quotient does not fit, steps smaller by these factors are tried: a kink may lie within the step.
_CLOSER = (1 / 16, 1 / 256)
# The smallest of them shows that much more rounding than `atol` allows for.
_ROUNDING = 10.0


@dataclass(frozen=True)
class WeightCheck:
    """How one weight of a model fared.

    Attributes
    ----------
    name : str
        "layer/weight".
    shape : tuple of int
    checked, wrong, kinks : int
        Elements that were compared, that are wrong, and that sit on a kink of the loss: the slopes on both sides differ
        however small the step, and the gradient lies between them. Those are neither right nor wrong.
    worst : tuple of int
        The element with the largest error, as a part of the error allowed.
    expected, received : float
        Its difference quotient and its gradient.
    error : float
        Its error as a part of the error allowed; infinite where the gradient is NaN.
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    wrong: int
    kinks: int
    worst: tuple[int, ...]
    expected: float
    received: float
    error: float

    @property
    def absolute(self) -> float:
        """The error of the worst element."""
        return abs(self.received - self.expected)

    @property
    def relative(self) -> float:
        """That error as a part of the larger of both numbers; 0 where both are 0."""
        size = max(abs(self.received), abs(self.expected))
        return self.absolute / size if size else 0.0


class ModelCheck(float):
    """The largest error as a part of the error allowed, with what was found for every weight.

    Attributes
    ----------
    weights : tuple of WeightCheck
    """

    weights: tuple[WeightCheck, ...]

    def __new__(cls, weights: tuple[WeightCheck, ...]) -> ModelCheck:
        made = super().__new__(cls, max((weight.error for weight in weights), default=0.0))
        made.weights = weights
        return made

    @property
    def kinks(self) -> int:
        """Elements that could not be judged."""
        return sum(weight.kinks for weight in self.weights)

    def __str__(self) -> str:
        rows = [("weight", "shape", "checked", "wrong", "kinks", "largest error", "relative")]
        for weight in self.weights:
            counts = (str(weight.checked), str(weight.wrong), str(weight.kinks))
            rows.append((weight.name, str(weight.shape), *counts, f"{weight.absolute:.2g}", f"{weight.relative:.2g}"))
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = []
        for row in rows:
            cells = [
                cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))
            ]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)


def gradcheck_model(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    step: float = 6e-6,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    elements: int | None = None,
    raises: bool = True,
) -> ModelCheck:
    """Check the gradients that a model trains with against central differences of its loss.

    All samples make one mini-batch in training mode, with the dropout masks of the model's first step. Weights,
    optimizer and counters are afterwards what they were. `gradcheck(model, x, y)` is the same.

    Parameters
    ----------
    model : fastnn.Model
        Any that is compiled with a loss, and of dtype float64: functional, with several inputs and outputs, masks,
        regularizers, layers of your own. The optimizer does not matter.
    x, y, sample_weight
        As for `fit`. Few samples and small layers: every weight costs two passes.
    step : float
        Relative size of the differences.
    rtol, atol : float
        The error allowed is ``atol + rtol * abs(difference quotient)``.
    elements : int, optional
        Compare at most so many elements of each weight, always the same ones, instead of all.
    raises : bool
        Whether wrong gradients are an error; else they are only in the result.

    Returns
    -------
    ModelCheck
        A float: the largest error found, as a part of the error allowed, at most 1 if all gradients are right. Its
        `weights` tell about each weight, and `str()` of it is a table.

    Raises
    ------
    AssertionError
        If a gradient is further off than allowed, or is NaN. The message names layers and weights.
    TypeError
        If the model is not float64: differences in float32 check nothing.

    Notes
    -----
    A kink (of ReLU, of max pooling, of the mean absolute error) within the step makes a quotient that is no derivative.
    Where gradient and quotient differ, smaller steps are tried, and what is a kink however small the step is counted
    instead of judged.

    Examples
    --------
    >>> from fastnn import Sequential, layers
    >>> model = Sequential([layers.Input((3,), dtype="float64"), layers.Dense(2, "tanh", dtype="float64")])
    >>> model.compile("sgd", "mse")
    >>> gradcheck_model(model, np.ones((4, 3)), np.zeros((4, 2))) <= 1
    True
    """
    data, goals = model.prepare(x, y, sample_weight, "gradcheck")
    runner = model.runner
    if runner.dtype != np.float64:
        raise TypeError(
            "gradcheck needs a model of dtype float64, since differences in float32 check nothing: build it after "
            f"fastnn.config.set_floatx('float64'), or with dtype='float64' in every layer. Received: {runner.dtype}"
        )
    # passes in training mode move the statistics of normalisation
    kept = [(parameter, parameter.numpy()) for parameter in model.weights]
    parameters = [parameter for parameter in runner.arena.parameters if parameter.trainable]

    def loss() -> float:
        return float(runner.gradient(data, goals, model.seed)[0])

    try:
        here, gradients = runner.gradient(data, goals, model.seed)
        checks = []
        for parameter, gradient in zip(parameters, gradients):
            checks.append(_check(parameter, gradient, loss, here, step, (rtol, atol), elements))
    finally:
        for parameter, value in kept:
            parameter.assign(value)
    result = ModelCheck(tuple(checks))
    if raises and not result <= 1:
        raise AssertionError(_complaint(result))
    return result


def _complaint(result: ModelCheck) -> str:
    wrong = [weight for weight in result.weights if not weight.error <= 1]
    worst = wrong[0]
    more = "".join(f"; that of {weight.name} at {weight.wrong} of {weight.checked}" for weight in wrong[1:])
    return (
        f"gradcheck: the gradient of {worst.name} is wrong at {worst.wrong} of {worst.checked} elements, worst at "
        f"{worst.worst}: expected {worst.expected!r} from central differences{more}. Received: {worst.received!r}"
    )


def _check(
    parameter: Any, gradient: Array, loss: Callable[[], float], here: float, step: float,
    tolerance: tuple[float, float], elements: int | None,
) -> WeightCheck:  # fmt: skip
    rtol, atol = tolerance
    value = parameter.value
    wrong = kinks = checked = 0
    worst: tuple[tuple[int, ...], float, float, float] = ((), 0.0, 0.0, -1.0)
    for at in _places(value.shape, elements):
        checked += 1
        received = float(gradient[at])
        h = step * max(1.0, abs(float(value[at])))
        expected, error, on_kink = _compare(value, at, received, loss, here, h, rtol, atol)
        if on_kink:
            kinks += 1
            continue
        wrong += not error <= 1
        if error > worst[3]:
            worst = (at, expected, received, error)
    at, expected, received, error = worst
    return WeightCheck(parameter.name, value.shape, checked, wrong, kinks, at, expected, received, max(error, 0.0))


def _places(shape: tuple[int, ...], most: int | None) -> Iterator[tuple[int, ...]]:
    size = int(np.prod(shape, dtype=np.int64))
    if most is None or size <= most:
        yield from np.ndindex(shape)
        return
    for number in np.sort(np.random.default_rng(0).permutation(size)[:most]):
        yield tuple(int(i) for i in np.unravel_index(number, shape))


def _compare(
    value: Array, at: tuple[int, ...], received: float, loss: Callable[[], float], here: float, h: float, rtol: float,
    atol: float,
) -> tuple[float, float, bool]:  # fmt: skip
    """The difference quotient, the error as a part of the one allowed, and whether the element is on a kink."""
    expected, left, right = _quotients(value, at, loss, here, h)
    error = _error(received, expected, rtol, atol)
    if error <= 1 or not np.isfinite(received):
        return expected, error, False
    slack = _ROUNDING * atol
    for factor in _CLOSER:
        closer, closer_left, closer_right = _quotients(value, at, loss, here, h * factor)
        # a quotient that stays where it was speaks against the gradient, one that moves to it, for a kink in between
        moved = abs(closer - expected) > 0.5 * abs(received - expected)
        if moved and _error(received, closer, rtol, slack) <= 1:
            return closer, _error(received, closer, rtol, slack), False
    jump = abs(closer_right - closer_left)
    between = min(closer_left, closer_right) - slack <= received <= max(closer_left, closer_right) + slack
    # what bends gets straight with smaller steps, a kink stays
    return expected, error, bool(between and jump > 10 * slack and jump > 0.5 * abs(right - left))


def _error(received: float, expected: float, rtol: float, atol: float) -> float:
    error = abs(received - expected) / (atol + rtol * abs(expected))
    return float("inf") if np.isnan(error) else error


def _quotients(
    value: Array, at: tuple[int, ...], loss: Callable[[], float], here: float, h: float
) -> tuple[float, float, float]:
    """The central difference quotient, and those of both sides; `here` is the loss where the element stands."""
    kept = float(value[at])
    low, high = kept - h, kept + h  # as rounded: their distances are known exactly
    try:
        value[at] = low
        below = loss()
        value[at] = high
        above = loss()
    finally:
        value[at] = kept
    return (above - below) / (high - low), (here - below) / (kept - low), (above - here) / (high - kept)
