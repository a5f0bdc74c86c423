"""What a diagnosis looks at: the loss alone, and a part of the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastnn.models.compiling import Goals
from fastnn.models.data import Data


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
        data.graph,
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
