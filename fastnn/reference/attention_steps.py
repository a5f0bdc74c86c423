"""Steps of attention in the reference executor (fastnn.engine.plan has the table)."""

from __future__ import annotations

from typing import Any

from fastnn.reference import attention
from fastnn.reference.steps import operation


@operation
def attention_weights(
    program: Any, step: Any, scores: Any, query_mask: Any, key_mask: Any, mask: Any, weights: Any
) -> None:
    seen = attention.seen_by(step, query_mask, key_mask, mask)
    scale, fill = step.reals
    weights[...] = attention.masked_softmax(scores.reshape(seen.shape), seen, scale, fill, bool(step.ints[6])).reshape(
        -1
    )


@operation
def attention_weights_backward(
    program: Any, step: Any, dweights: Any, weights: Any, query_mask: Any, key_mask: Any, mask: Any, dscores: Any
) -> None:
    seen = attention.seen_by(step, query_mask, key_mask, mask)
    dweights, weights = dweights.reshape(seen.shape), weights.reshape(seen.shape)
    found = attention.masked_softmax_backward(dweights, weights, seen, step.reals[0], bool(step.ints[6]))
    dscores[...] = found.reshape(-1)


@operation
def additive_scores(program: Any, step: Any, q: Any, k: Any, v: Any, scores: Any) -> None:
    samples, _, _, queries, keys, dim = step.ints
    q, k = q.reshape(samples, queries, dim), k.reshape(samples, keys, dim)
    scores[...] = attention.additive_scores(q, k, v).reshape(-1)


@operation
def additive_scores_backward(
    program: Any, step: Any, dscores: Any, q: Any, k: Any, v: Any, dq: Any, dk: Any, dv: Any
) -> None:
    samples, _, _, queries, keys, dim = step.ints
    q, k = q.reshape(samples, queries, dim), k.reshape(samples, keys, dim)
    found = attention.additive_scores_backward(dscores.reshape(samples, queries, keys), q, k, v)
    for out, values in zip((dq, dk, dv), found):
        if out is not None:
            out[...] = values.reshape(-1)
