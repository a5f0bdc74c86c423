"""Steps that look at the numbers of a training (fastnn.engine.observing); twins of _native/_observing.pyx.

`statistics` joins what a batch of activations shows to a record: count, mean and sum of squared deviations (so that the
variance of any number of batches is known without keeping them), the extremes, and a histogram whose range is given or
that of the first batch; what lies outside counts in the first or last bin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .steps import operation

Array = NDArray[Any]

# places in a record
BATCHES, COUNT, NOT_FINITE, MEAN, SQUARES, LEAST, MOST, ZEROS, NEAR_LOW, NEAR_HIGH, LOW, HIGH, FIRST_BIN = range(13)
BINS = 20


@operation
def statistics(program: Any, step: Any, x: Array, record: Array, active: Array | None) -> None:
    low, high, margin = step.reals
    if active is not None:
        active += np.count_nonzero(x.reshape(step.ints), axis=0)
    values = x[np.isfinite(x)].astype(np.float64)
    record[BATCHES] += 1
    record[NOT_FINITE] += x.size - values.size
    if not values.size:
        return
    record[ZEROS] += np.count_nonzero(values == 0)
    if record[COUNT] == 0:
        record[LEAST], record[MOST] = np.inf, -np.inf
    record[LEAST] = min(record[LEAST], values.min())
    record[MOST] = max(record[MOST], values.max())
    if record[LOW] == record[HIGH]:
        if low == high:
            low, high = values.min(), values.max()
        if low == high:
            low, high = low - 0.5, low + 0.5
        record[LOW], record[HIGH] = low, high
    places = np.clip((values - record[LOW]) * (BINS / (record[HIGH] - record[LOW])), 0, BINS - 1)
    record[FIRST_BIN:] += np.bincount(places.astype(np.int64), minlength=BINS)
    low, high = step.reals[:2]
    record[NEAR_LOW] += np.count_nonzero(values <= low + margin)
    record[NEAR_HIGH] += np.count_nonzero(values >= high - margin)
    old, new = record[COUNT], values.size
    mean, both = values.mean(), record[COUNT] + values.size
    record[SQUARES] += ((values - mean) ** 2).sum() + (mean - record[MEAN]) ** 2 * old * new / both
    record[MEAN] = (old * record[MEAN] + new * mean) / both
    record[COUNT] = both


@operation
def tally(program: Any, step: Any, values: Array, record: Array) -> None:
    count, place = step.ints
    record[place] += step.reals[0] * values[:count].sum()
