"""Borrowing a model: what a diagnosis does to it is undone, and it sees only a part of the data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fastnn.models.compiling import Goals
from fastnn.models.data import Data

if TYPE_CHECKING:
    from fastnn.models.model import Model


@contextmanager
def unchanged(model: Model) -> Iterator[None]:
    """Within it the model may be trained; then weights, state of the optimizer and counters are what they were."""
    runner, optimizer = model.runner, model.optimizer
    assert optimizer is not None
    values = [(parameter, parameter.numpy()) for parameter in runner.arena.parameters]
    slots = {name: slot.copy() for name, slot in runner.slots.items()}
    whole = {name: array.copy() for name, array in optimizer.state_arrays().items()}
    steps, rate, minimised, swapped = optimizer.steps, optimizer._learning_rate, runner.minimised, runner.swapped
    observer = runner.observer
    try:
        yield
    finally:
        for parameter, value in values:
            parameter.assign(value)
        for name, slot in runner.slots.items():
            if name in slots:
                slot[:] = slots[name]
            else:
                runner.restart_slot(name)
        if whole:
            optimizer.set_state_arrays(whole, runner.gather(runner.arena.trainable_ranges(), None).size)
        elif optimizer.whole_batch:
            optimizer.forget()  # type: ignore[attr-defined]
        optimizer.steps, optimizer.learning_rate = steps, rate
        runner.minimised, runner.swapped = minimised, swapped
        runner.observe(None)
        runner.observe(observer)


def loss_alone(goals: Goals) -> Goals:
    """The same goals without metrics, whose state is the user's."""
    parts = tuple(
        replace(
            goal, metrics=(), inside=(), weighted=(),
            objective=replace(goal.objective, metrics=[], predictions=False, smoothed=False),
        )
        for goal in goals.parts
    )  # fmt: skip
    return Goals(parts, goals.outputs)


def rows(data: Data, index: npt.NDArray[np.int64]) -> Data:
    """Some of the samples."""
    return Data(
        len(index),
        tuple(np.ascontiguousarray(array[index]) for array in data.inputs),
        tuple(array if array is None else array[index] for array in data.y),
        tuple(array if array is None else array[index] for array in data.weights),
    )


def sample(data: Data, most: int) -> Data:
    """At most so many of the samples, drawn without replacement, always the same ones."""
    if data.n <= most:
        return data
    return rows(data, np.sort(np.random.default_rng(0).permutation(data.n)[:most]))
