"""Steps that make one tensor out of several, or undo it.  Twins of fastnn/_native/_merging.pyx and src_c/merging.h."""

from __future__ import annotations

from typing import Any

import numpy as np

from .steps import operation


@operation
def blend(program: Any, step: Any, a: np.ndarray, b: np.ndarray, y: np.ndarray) -> None:
    p, q = step.reals
    y[...] = p * a + q * b


@operation
def choose(program: Any, step: Any, a: np.ndarray, b: np.ndarray, y: np.ndarray) -> None:
    (np.maximum if step.reals[0] > 0 else np.minimum)(a, b, out=y)


@operation
def choose_backward(program: Any, step: Any, dy: Any, a: np.ndarray, b: np.ndarray, da: Any, db: Any) -> None:
    ahead = np.sign(a - b) * step.reals[0]
    ahead[a == b] = 0  # two equal infinities among them
    for part, direction in ((da, ahead), (db, -ahead)):
        share = np.where(np.isnan(ahead), np.nan, (1 + direction) / 2)
        part[...] = np.where((share == 0) & ~np.isnan(dy), 0, dy * share)


@operation
def products(program: Any, step: Any, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    count, _, transpose_a, transpose_b, m, n, k = step.ints
    left = a.reshape(count, k, m).swapaxes(1, 2) if transpose_a else a.reshape(count, m, k)
    right = b.reshape(count, n, k).swapaxes(1, 2) if transpose_b else b.reshape(count, k, n)
    np.matmul(left, right, out=c.reshape(count, m, n))
