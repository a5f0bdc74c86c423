"""Steps on whole tensors, around the optimizer's own rule: clipping, penalties, running means, trust ratios.

Twins of src_c/tensors.h and of the steps in fastnn/_native/_steps.pyx that put it to use.  `partial` has one float64
sum for each block of a tensor; here the first entry is the sum of the whole tensor and the others stay 0.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import kernels, optimizers
from .steps import operation

SEGMENT_BLOCK = 8192


def first_blocks(program: Any) -> list[int]:
    """Where each segment's blocks begin in a buffer of partial sums."""
    starts, at = [], 0
    for p, *_ in program.segments:
        starts.append(at)
        at += -(-p.size // SEGMENT_BLOCK)
    return starts


def norms(program: Any, partial: np.ndarray) -> Iterator[float]:
    """The norm of every segment."""
    return (math.sqrt(partial[at]) for at in first_blocks(program))


def column(program: Any, index: int) -> float:
    """A number of this optimizer step; 1 where the plan names none."""
    return 1.0 if index < 0 else float(program.scalars[index])


@functools.cache
def numbers_of(row: str) -> tuple[int, int]:
    """How many slots and how many scalars the row has."""
    _, _, *rest = inspect.signature(getattr(optimizers, row)).parameters.values()
    slots = sum(parameter.annotation == "Array" for parameter in rest)
    return slots, len(rest) - slots


@operation
def update(program: Any, step: Any, scales: Any, ratios: Any) -> None:
    first_column, first, end = step.ints
    for i in range(first, end):
        p, g, slots, l2, decay = program.segments[i]
        scale, coupled, decoupled, *rest = program.scalars[first_column:]
        ratio = 1.0 if ratios is None else ratios[i]
        scale *= ratio * (1.0 if scales is None else scales[i])
        common = scale, (coupled * decay + l2) * ratio, decoupled * decay
        slot_count, count = numbers_of(step.row)
        kernels.optimizer_update(step.row, p, g, tuple(slots[:slot_count]), (*common, *rest[:count]))


@operation
def segment_squares(program: Any, step: Any, partial: np.ndarray) -> None:
    which, first, end = step.ints
    starts = first_blocks(program)
    for i in range(first, end):
        p, g, *_ = program.segments[i]
        partial[starts[i] : starts[i] + -(-p.size // SEGMENT_BLOCK)] = 0
        partial[starts[i]] = kernels.sum_of_squares(p if which else g)


@operation
def clip_norm(program: Any, step: Any, partial: np.ndarray, scales: np.ndarray) -> None:
    limit, factor = step.reals
    for i, norm in enumerate(norms(program, partial)):
        scales[i] = limit / np.maximum(factor * norm, limit)


@operation
def clip_global_norm(program: Any, step: Any, partial: np.ndarray, scales: np.ndarray) -> None:
    limit, factor = step.reals
    norm = factor * math.sqrt(sum(norm * norm for norm in norms(program, partial)))
    scales[...] = limit / np.maximum(norm, limit) if math.isfinite(norm) else math.nan


@operation
def trust_ratio(program: Any, step: Any, p_partial: Any, g_partial: Any, scales: Any, ratios: Any) -> None:
    (first, end), (coefficient, decay, eps, factor) = step.ints, step.reals
    ratios[...] = 1.0
    for i, (p, g) in enumerate(zip(norms(program, p_partial), norms(program, g_partial))):
        g *= factor * (1.0 if scales is None else scales[i])
        if first <= i < end and p > 0 and g > 0:
            ratios[i] = coefficient * p / (g + decay * program.segments[i][4] * p + eps)


@operation
def combine(program: Any, step: Any, x: np.ndarray, y: np.ndarray, factor: Any) -> None:
    (_, first, second, place), (a, b) = step.ints, step.reals
    a *= column(program, first) * (1.0 if factor is None else float(factor[place]))
    b *= column(program, second)
    y[...] = a * x + b * y if b else a * x


@operation
def clip_values(program: Any, step: Any, x: np.ndarray) -> None:
    (limit,) = step.reals
    np.clip(x, -limit, limit, out=x)


@operation
def penalty(program: Any, step: Any, x: np.ndarray, g: Any, partial: Any) -> None:
    l1, l2 = step.reals
    if partial is not None:
        values = x.astype(np.float64)
        partial[...] = 0
        partial[0] = (l1 * np.abs(values).sum() if l1 else 0.0) + (l2 * np.square(values).sum() if l2 else 0.0)
    if g is not None and l1:
        g += l1 * np.sign(x)
    if g is not None and l2:
        g += 2 * l2 * x


@operation
def sum_of_squares(program: Any, step: Any, x: np.ndarray, partial: np.ndarray) -> None:
    partial[...] = 0
    partial[0] = kernels.sum_of_squares(x)


@operation
def inverse_norm(program: Any, step: Any, partial: np.ndarray, factor: np.ndarray) -> None:
    factor[0] = 1.0 / (math.sqrt(partial.sum()) + step.reals[0])
