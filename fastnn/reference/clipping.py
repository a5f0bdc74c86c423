"""Clipping of gradients, in readable NumPy: nothing is changed, the clipped gradients are returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.reference.arrays import Array


def sumsq(arrays: Mapping[Any, Array] | Sequence[Array]) -> float:
    """``sum over arrays of sum x**2``, in float64."""
    values = arrays.values() if isinstance(arrays, Mapping) else arrays
    with np.errstate(all="ignore"):
        return float(sum(np.sum(np.asarray(x, np.float64) ** 2) for x in values))


def clip_by_value(g: Array, lo: float, hi: float) -> Array:
    """``min(max(g, lo), hi)``"""
    return np.clip(g, lo, hi)


def clip_by_norm(g: Array, max_norm: float, eps: float = 1e-6) -> Array:
    """``g * max_norm / (norm + eps)`` where ``norm + eps > max_norm``, with ``norm = sqrt(sum g**2)``"""
    return clip_by_global_norm([g], max_norm, eps)[0]


@np.errstate(all="ignore")
def clip_by_global_norm(grads: Sequence[Array], max_norm: float, eps: float = 1e-6) -> list[Array]:
    """``g * max_norm / (norm + eps)`` for all g where ``norm + eps > max_norm``, with ``norm = sqrt(sumsq(grads))``"""
    norm = np.sqrt(sumsq(grads))
    if norm + eps <= max_norm:
        return list(grads)
    return [(g * (max_norm / (norm + eps))).astype(g.dtype) for g in grads]
