"""The error function without SciPy, the largest elements, and sums over segments.

The error function is that of Python's math module, number by number.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from fastnn.ops._numpy.dtypes import INDEX, Array, as_float, tensor


def _each(function: Any, x: Any) -> Array:
    values = as_float(x)
    return np.asarray(np.frompyfunc(function, 1, 1)(values.astype(np.float64))).astype(values.dtype)


def erf(x: Any) -> Array:
    """``2 / sqrt(pi) * integral of exp(-t**2) from 0 to x``"""
    return _each(math.erf, x)


def erfc(x: Any) -> Array:
    """``1 - erf(x)``, exactly also where that is small."""
    return _each(math.erfc, x)


def erfinv(x: Any) -> Array:
    """The inverse of `erf`: infinite at -1 and 1, NaN beyond."""
    return _each(_erfinv, x)


def _erfinv(x: float) -> float:
    if not abs(x) < 1:
        return math.copysign(math.inf, x) if abs(x) == 1 else math.nan
    if x == 0:
        return x
    tail = (1 - abs(x)) / 2  # of the normal distribution, which keeps its digits near 1
    y = -NormalDist().inv_cdf(tail) / math.sqrt(2) if abs(x) > 0.5 else abs(x) * math.sqrt(math.pi) / 2
    for _ in range(4):  # Newton's steps: one suffices near 1, and four from the tangent at 0
        error = 2 * tail - math.erfc(y) if abs(x) > 0.5 else math.erf(y) - abs(x)
        y -= error * math.sqrt(math.pi) / 2 * math.exp(y * y)
    return math.copysign(y, x)


def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Array, Array]:
    """The k largest elements along the last axis, in descending order, and where they are; the first of equals."""
    values = tensor(x)
    if not 0 <= k <= values.shape[-1]:
        raise ValueError(f"k must lie between 0 and the length of the last axis, {values.shape[-1]}. Received: {k}")
    last = values.shape[-1] - 1
    descending = last - np.flip(np.argsort(np.flip(values, -1), axis=-1, kind="stable"), -1)
    places = descending[..., :k]
    return np.take_along_axis(values, places, axis=-1), places.astype(INDEX)


def in_top_k(targets: Any, predictions: Any, k: int) -> Array:
    """Whether the prediction of the target is among the k largest of its row."""
    labels, values = tensor(targets), tensor(predictions)
    known = (labels >= 0) & (labels < values.shape[-1])
    own = np.take_along_axis(values, np.where(known, labels, 0)[:, None].astype(np.int64), axis=-1)
    return known & np.isfinite(own[:, 0]) & ((values > own).sum(axis=-1) < k)


def _segments(function: Any, neutral: Any, data: Any, segment_ids: Any, num_segments: int | None) -> Array:
    values, ids = tensor(data), tensor(segment_ids)
    if ids.ndim != 1 or len(ids) != len(values):
        raise ValueError(f"One segment for each row of data is expected. Received: {ids.shape} and {values.shape}")
    count = int(ids.max()) + 1 if num_segments is None and ids.size else int(num_segments or 0)
    inside = (ids >= 0) & (ids < count)
    result = np.full((count, *values.shape[1:]), neutral(values.dtype), values.dtype)
    function.at(result, ids[inside], values[inside])
    return result


def _lowest(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _highest(dtype: Any) -> Any:
    return np.inf if dtype.kind == "f" else np.iinfo(dtype).max


def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Array:
    """The sums of the rows of each segment."""
    return _segments(np.add, lambda dtype: 0, data, segment_ids, num_segments)


def segment_prod(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Array:
    """The products of the rows of each segment."""
    return _segments(np.multiply, lambda dtype: 1, data, segment_ids, num_segments)


def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Array:
    """The largest of the rows of each segment; of an empty one, the lowest number of the type."""
    return _segments(np.maximum, _lowest, data, segment_ids, num_segments)


def segment_min(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Array:
    """The smallest of the rows of each segment; of an empty one, the highest number of the type."""
    return _segments(np.minimum, _highest, data, segment_ids, num_segments)


__all__ = [
    "erf", "erfc", "erfinv", "in_top_k", "segment_max", "segment_min", "segment_prod", "segment_sum", "top_k",
]  # fmt: skip
