"""Distances between floating-point numbers, counted in representable numbers (units in the last place)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_INTEGERS = {np.dtype(np.float16): np.int16, np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def _ordinals(x: NDArray[Any]) -> NDArray[np.int64]:
    """Consecutive integers for consecutive floats, with 0 for both zeros."""
    integer = _INTEGERS[x.dtype]
    bits = x.view(integer).astype(np.int64)
    magnitude = bits & np.iinfo(integer).max
    return np.where(bits < 0, -magnitude, magnitude)


def ulp_distance(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Number of steps from one floating-point number to the next that lead from a to b, element by element.

    Parameters
    ----------
    a, b : arrays of float16, float32 or float64, of one dtype, that broadcast against each other
        The numbers to compare.

    Returns
    -------
    array of float64, the broadcast shape
        0 for equal numbers, 1 for neighbours, and so on.  The two zeros are equal.  Infinity is the neighbour of the
        largest number, equal to itself only.  NaN is at distance 0 from NaN and at infinite distance from anything
        else.

    Raises
    ------
    TypeError
        If the dtypes differ or are not floating-point: a unit in the last place belongs to one format.
    """
    x, y = np.asarray(a), np.asarray(b)
    x, y = (z.astype(z.dtype.newbyteorder("=")) for z in (x, y))
    if x.dtype != y.dtype or x.dtype not in _INTEGERS:
        raise TypeError(
            f"ulp_distance expects two arrays of one dtype, float16, float32 or float64. "
            f"Received: {x.dtype} and {y.dtype}"
        )
    x, y = np.broadcast_arrays(x, y)
    i, j = _ordinals(np.ascontiguousarray(x)), _ordinals(np.ascontiguousarray(y))
    low, high = np.minimum(i, j), np.maximum(i, j)
    steps = (high.view(np.uint64) - low.view(np.uint64)).astype(np.float64)  # up to 2**64: too far for int64
    steps[np.isnan(x) | np.isnan(y)] = np.inf
    steps[np.isnan(x) & np.isnan(y)] = 0
    return steps.reshape(x.shape)


def max_ulp(a: ArrayLike, b: ArrayLike) -> float:
    """The largest `ulp_distance` between two arrays; 0 if they are empty.

    Parameters
    ----------
    a, b : arrays of float16, float32 or float64, of one dtype, that broadcast against each other
        The numbers to compare.

    Returns
    -------
    float
        ``inf`` if one of a pair is NaN and the other is not.
    """
    return float(np.max(ulp_distance(a, b), initial=0))
