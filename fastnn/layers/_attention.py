"""The steps of a plan that attention consists of: scores, their softmax under masks, and the sums of the values.

Queries, keys and values are matrices within buffers, by sample and head, and stay where projections have put them: no
head is copied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from .base import Shape, size

FILL = -1e9  # the score of a key that is left out, as in Keras
ALL = 1 << 30  # keys that a query sees on one side: those there are
WORK = 8192  # operations that are worth a thread


class Heads(NamedTuple):
    """Matrices (rows, cols) of every sample, in groups of heads, `parts` in each.

    ld: from row to row.  steps: from sample to sample, group to group, part to part; a step of 0 is one matrix for all
    parts of its group.
    """

    buffer: int
    rows: int
    cols: int
    ld: int
    steps: tuple[int, int, int]

    def at(self, buffer: int) -> Heads:
        """Matrices that lie in another buffer as these do."""
        return self._replace(buffer=buffer)


def heads_of(buffer: int, rows: int, groups: int, parts: int, cols: int, shared: bool = False) -> Heads:
    """(samples, rows, heads, cols) as matrices; shared: all parts of a group have one."""
    count = groups if shared else groups * parts
    return Heads(buffer, rows, cols, count * cols, (rows * count * cols, cols if shared else parts * cols,
                                                    0 if shared else cols))  # fmt: skip


def scores_of(buffer: int, queries: int, groups: int, parts: int, keys: int) -> Heads:
    """(samples, heads, queries, keys) as matrices."""
    one = queries * keys
    return Heads(buffer, queries, keys, keys, (groups * parts * one, parts * one, one))


def multiply(plan: Plan, a: Heads, b: Heads, c: Heads, groups: int, parts: int, ta: int = 0, tb: int = 0) -> int:
    """c = op(a) op(b), matrix by matrix, summed over the parts where c has one matrix for all; returns c's buffer."""
    k = a.rows if ta else a.cols
    work = parts * c.rows * c.cols * k
    ints = (plan.batch * groups, work, ta, tb, c.rows, c.cols, k, groups, parts, a.ld, b.ld, c.ld)
    plan.step("products", (a.buffer, b.buffer, c.buffer), ints=(*ints, *a.steps, *b.steps, *c.steps))
    return c.buffer


class Masks(NamedTuple):
    """Which keys count: buffers of uint8, and how many keys around its own place a query sees.

    queries, keys: an entry for every query, or key, of each sample.  full, steps: an entry for every score, with steps
    of sample, head, query and key.
    """

    queries: int = ABSENT
    keys: int = ABSENT
    full: int = ABSENT
    steps: tuple[int, int, int, int] = (0, 0, 0, 0)
    behind: int = ALL
    ahead: int = ALL


def emit_weights(
    plan: Plan, scores: int, shape: tuple[int, int, int], masks: Masks, scale: float, shifted: bool
) -> tuple[int, Callable[[int], int]]:
    """The softmax of scale * scores, shape (heads, queries, keys), over what the masks leave, and its way back.

    The score of the rest is FILL, or, shifted, moved by it (src_c/attention.h).
    """
    heads, queries, keys = shape
    band = (heads, queries, masks.behind, masks.ahead, int(shifted), *masks.steps)
    ints, reals = (plan.batch * heads * queries, keys, *band), (scale, FILL)
    y = plan.buffer(size(shape))
    plan.step("attention_weights", (scores, *masks[:3], y), ints=ints, reals=reals)

    def backward(dy: int) -> int:
        dscores = plan.buffer(size(shape))
        plan.step("attention_weights_backward", (dy, y, *masks[:3], dscores), ints=ints, reals=reals)
        return dscores

    return y, backward


def emit_additive(
    plan: Plan, q: int, k: int, v: Parameter | None, shape: tuple[int, int, int]
) -> tuple[int, Callable[[int], tuple[int, int]]]:
    """sum over the features of v tanh(q + k) for each query and key; shape: (queries, keys, features)."""
    queries, keys, dim = shape
    work = queries * keys * dim
    ints = (plan.batch, max(1, WORK // (10 * work)), 20 * work, *shape)
    weight = ABSENT if v is None else plan.parameter(v)
    scores = plan.buffer(queries * keys)
    plan.step("additive_scores", (q, k, weight, scores), ints=ints)

    def backward(dscores: int) -> tuple[int, int]:
        dv = ABSENT if v is None else plan.gradient(v)
        dq, dk = plan.buffer(queries * dim), plan.buffer(keys * dim)
        each = ABSENT if dv == ABSENT else plan.buffer(dim)
        plan.step("additive_scores_backward", (dscores, q, k, weight, dq, dk, each), ints=ints)
        if dv != ABSENT:
            plan.step("column_sums", (each, dv), ints=(plan.batch, dim, dim, 0, 0))
        return dq, dk

    return scores, backward


def emit_scaled(plan: Plan, x: int, factor: Parameter) -> tuple[int, Callable[[int, bool], int]]:
    """x times a weight that is one number: a product with a matrix of one element.

    Back, the gradient of the weight is written, or added to what an earlier use in the same layer has written.
    """
    n = plan.buffers[x].size
    y = plan.fixed(n)
    plan.step("gemm", (x, plan.parameter(factor), y), ints=(0, 0, n, 1, 1))

    def backward(dy: int, added: bool) -> int:
        dfactor, dx = plan.gradient(factor), plan.fixed(n)
        if dfactor != ABSENT:
            plan.step("gemm", (x, dy, dfactor), ints=(1, 0, 1, 1, n), reals=(1.0, 1.0 if added else 0.0))
        plan.step("gemm", (dy, plan.parameter(factor), dx), ints=(0, 0, n, 1, 1))
        return dx

    return y, backward


def emit_kept(plan: Plan, x: int, mask: int, cols: int) -> tuple[int, Backward]:
    """x with rows of 0 where the mask is 0."""

    def kept(source: int) -> int:
        target = plan.fixed(plan.buffers[source].size)
        plan.step("keep_rows", (source, mask, target), ints=(plan.buffers[source].size // cols, cols))
        return target

    return kept(x), lambda dy, need: kept(dy) if need else ABSENT


# ---------------------------------------------------------------------------------------------------------------- masks


def as_mask(plan: Plan, x: int) -> int:
    """A tensor as a mask: 1 where it is not 0."""
    mask = plan.fixed(plan.buffers[x].size, np.uint8)
    plan.step("mask_rows", (x, ABSENT, mask), ints=(plan.buffers[x].size, 1), reals=(0.0,))
    return mask


def both(plan: Plan, a: int, b: int) -> int:
    """What two masks let through; ABSENT lets everything through."""
    if a == b or ABSENT in (a, b):
        return max(a, b)
    y = plan.fixed(plan.buffers[a].size, np.uint8)

    def intersect(step: int, one: np.ndarray, two: np.ndarray, y: np.ndarray) -> None:
        np.logical_and(one, two, out=y, casting="unsafe")

    plan.step("call", (a, b, y), ints=(plan.buffers[y].size,), call=intersect)
    return y


def padding_mask(plan: Plan, where: str, mask: int, steps: int) -> int:
    """A mask of time steps, checked.

    Raises:
        ValueError: it is for another number of time steps.
    """
    if mask != ABSENT and plan.buffers[mask].size != plan.batch * steps:
        raise ValueError(
            f"{where}: expected a mask with one entry for each of {steps} places. "
            f"Received: {plan.buffers[mask].size // plan.batch}"
        )
    return mask


def full_steps(where: str, given: Shape, shape: tuple[int, int, int], batched: bool) -> tuple[int, int, int, int]:
    """The steps of sample, head, query and key in an attention mask of shape (queries, keys) or (heads, queries, keys).

    Raises:
        ValueError: an axis is neither 1 nor that of the scores.
    """
    sizes = (1,) * (3 - len(given)) + tuple(given)
    if not 2 <= len(given) <= 3 or any(n not in (1, full) for n, full in zip(sizes, shape)):
        raise ValueError(
            f"{where}: an attention_mask must have the shape (queries, keys) or (heads, queries, keys) of the scores "
            f"{shape}, or 1 in its place. Received: {tuple(given)}"
        )
    own = (size(sizes), sizes[1] * sizes[2], sizes[2], 1)
    head, query, key = (step if n > 1 else 0 for n, step in zip(sizes, own[1:]))
    return own[0] if batched else 0, head, query, key


def constant_mask(where: str, given: Any) -> np.ndarray:
    """An attention mask for all samples, which came as nested lists.

    Raises:
        ValueError: it holds something else than numbers or booleans.
    """
    try:
        array = np.asarray(given)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{where}: attention_mask must hold numbers or booleans. Received: {given!r}")
    return np.ascontiguousarray(array != 0, np.uint8)
