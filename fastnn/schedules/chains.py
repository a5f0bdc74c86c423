"""Schedules made of schedules: one after another, or after a warm-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastnn import schedules
from fastnn._numbers import finite, whole
from fastnn.schedules.base import LearningRateSchedule, Steps
from fastnn.schedules.decays import increasing

# A number is a constant; a mapping is what `serialize` made.
Part: TypeAlias = "LearningRateSchedule | float | Mapping[str, Any]"


class Constant(LearningRateSchedule):
    """The same value at every step: a part of a `SequentialSchedule`.

    Parameters
    ----------
    value : float
    name : str
    """

    def __init__(self, value: float, name: str = "Constant") -> None:
        self.value, self.name = finite("value", value), name

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        return np.full(steps.shape, self.value)


class SequentialSchedule(LearningRateSchedule):
    """One schedule after another, each counting its steps from 0; PyTorch's SequentialLR.

        value(t) = schedules[i](t - boundaries[i - 1]),  boundaries[i - 1] <= t < boundaries[i]

    Parameters
    ----------
    schedules : sequence of LearningRateSchedule or float
        A number stands for itself: SequentialSchedule([0.1, CosineDecay(0.1, 900)], [100]) is constant, then decays.
    boundaries : sequence of int
        The first steps of the second, third, ... schedule, strictly increasing; one less than there are schedules.
    name : str
    """

    def __init__(
        self, schedules: Sequence[Part], boundaries: Sequence[float], name: str = "SequentialSchedule"
    ) -> None:
        if len(boundaries) != len(schedules) - 1:
            raise ValueError(
                f"There must be one more of schedules than of boundaries. Received: {len(schedules)} schedules, "
                f"{len(boundaries)} boundaries"
            )
        self.schedules = [_part(schedule) for schedule in schedules]
        self.boundaries, self.name = increasing("boundaries", boundaries), name

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        turn = np.searchsorted(self.boundaries, steps, side="right")
        result = np.empty(steps.shape)
        for i, (schedule, begin) in enumerate(zip(self.schedules, [0.0, *self.boundaries])):
            result[turn == i] = schedule.at(steps[turn == i] - begin)
        return result


class LinearWarmup(LearningRateSchedule):
    """A straight line up to where a schedule begins, then that schedule.

        value(t) = initial + (schedule(0) - initial) * t / warmup_steps,  t < warmup_steps
        value(t) = schedule(t - warmup_steps),                            afterwards

    Parameters
    ----------
    schedule : LearningRateSchedule or float
        A number: the value stays there after the warm-up.
    warmup_steps : int
    initial_learning_rate : float
    name : str

    Notes
    -----
    PyTorch's LinearLR(start_factor, total_iters) is LinearWarmup(rate, total_iters, start_factor * rate).
    """

    def __init__(
        self, schedule: Part, warmup_steps: int, initial_learning_rate: float = 0.0, name: str = "LinearWarmup"
    ) -> None:
        self.schedule = _part(schedule)
        self.warmup_steps = whole("warmup_steps", warmup_steps, at_least=0)
        self.initial_learning_rate, self.name = finite("initial_learning_rate", initial_learning_rate), name

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        rise = (self.schedule(0) - self.initial_learning_rate) / max(self.warmup_steps, 1)
        after = self.schedule.at(np.maximum(steps - self.warmup_steps, 0.0))
        return np.where(steps < self.warmup_steps, self.initial_learning_rate + rise * steps, after)


def _part(schedule: Part) -> LearningRateSchedule:
    if isinstance(schedule, (int, float)):
        return Constant(schedule)
    return schedules.get(schedule)
