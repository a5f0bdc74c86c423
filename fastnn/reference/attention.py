"""Attention in readable NumPy: which keys a query sees, the softmax over them, scores, values and all gradients.

Scores have the shape (samples, heads, queries, keys).  What a query does not see keeps its place with the score
``FILL``: its weight is 0, and a query that sees nothing at all gives all keys the same weight, as in Keras.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.arrays import Array, double_precision
from fastnn.reference.rows import softmax, softmax_backward

Seen = NDArray[np.bool_]
FILL = -1e9


def band(queries: int, keys: int, behind: int, ahead: int) -> Seen:
    """Query i sees the keys i - behind ... i + ahead; (queries, keys).  A causal mask has ahead = 0."""
    distance = np.arange(keys) - np.arange(queries)[:, np.newaxis]
    return (distance >= -behind) & (distance <= ahead)


@double_precision
def masked_softmax(scores: Array, seen: Seen, scale: float = 1.0, fill: float = FILL, shifted: bool = False) -> Array:
    """``softmax(where(seen, scale * scores, fill))`` over the keys; shifted: ``scale * scores + fill`` there."""
    scaled = scale * scores
    return softmax(np.where(seen, scaled, scaled + fill if shifted else fill), -1)


@double_precision
def masked_softmax_backward(
    dweights: Array, weights: Array, seen: Seen, scale: float = 1.0, shifted: bool = False
) -> Array:
    """The gradient of the scores: that of softmax, times scale; a score that another took the place of has none."""
    scaled = scale * softmax_backward(dweights, weights, -1)
    return scaled if shifted else np.where(seen, scaled, 0)


@double_precision
def additive_scores(q: Array, k: Array, v: Array | None = None) -> Array:
    """``scores_ij = sum_d v_d tanh(q_id + k_jd)``; q (samples, queries, features), k (samples, keys, features)."""
    features = np.tanh(q[:, :, np.newaxis] + k[:, np.newaxis])
    return (features if v is None else v * features).sum(axis=-1)


@double_precision
def additive_scores_backward(dscores: Array, q: Array, k: Array, v: Array | None = None) -> tuple[Array, Array, Array]:
    """Gradients of q, k and v; that of v for each sample."""
    features = np.tanh(q[:, :, np.newaxis] + k[:, np.newaxis])
    given = dscores[..., np.newaxis]
    slopes = given * (1 if v is None else v) * (1 - features * features)
    return slopes.sum(axis=2), slopes.sum(axis=1), (given * features).sum(axis=(1, 2))


# ----------------------------------------------------------------------------------- the part of the kernel protocol


def _seen(mask: NDArray[np.uint8] | None, shape: tuple[int, ...], causal: bool) -> Seen:
    allowed = band(shape[-2], shape[-1], shape[-2], 0 if causal else shape[-1])
    return np.broadcast_to(allowed if mask is None else allowed & (mask != 0), shape)


@np.errstate(all="ignore")
def attention(
    q: Array, k: Array, v: Array, mask: NDArray[np.uint8] | None, weights: Array, y: Array, scale: float, causal: bool
) -> None:
    """``weights = softmax(scale q k^T)`` over the keys that are seen, ``y = weights v``, head by head.

    q (heads, queries, features), k (heads, keys, features), v (heads, keys, columns); mask: each axis as long as that
    of weights, or 1.
    """
    scores = q @ k.swapaxes(1, 2)
    weights[...] = masked_softmax(scores, _seen(mask, scores.shape, causal), scale)
    y[...] = weights @ v


@np.errstate(all="ignore")
def attention_backward(
    dy: Array, q: Array, k: Array, v: Array, mask: NDArray[np.uint8] | None, weights: Array, dq: Array, dk: Array,
    dv: Array, scale: float, causal: bool,
) -> None:  # fmt: skip
    """The gradients of q, k and v."""
    dweights = dy @ v.swapaxes(1, 2)
    dscores = masked_softmax_backward(dweights, weights, _seen(mask, weights.shape, causal), scale)
    dv[...] = weights.swapaxes(1, 2) @ dy
    dq[...] = dscores @ k
    dk[...] = dscores.swapaxes(1, 2) @ q


# ------------------------------------------------------------------------------------------- the buffers of plan steps


def seen_by(step: Any, query_mask: Any, key_mask: Any, mask: Any) -> Seen:
    """(samples, heads, queries, keys), from the numbers and masks of a step (fastnn.engine.plan)."""
    rows, keys, heads, queries, behind, ahead = step.ints[:6]
    shape = (rows // heads // queries, heads, queries, keys)
    seen = np.broadcast_to(band(queries, keys, behind, ahead), shape).copy()
    if query_mask is not None:
        seen &= query_mask.reshape(-1, 1, queries, 1) != 0
    if key_mask is not None:
        seen &= key_mask.reshape(-1, 1, 1, keys) != 0
    if mask is not None:
        seen &= np.lib.stride_tricks.as_strided(mask, shape, step.ints[7:11]) != 0
    return seen
