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
    count, _, transpose_a, transpose_b, m, n, k = step.ints[:7]
    sizes = [(k, m) if transpose_a else (m, k), (n, k) if transpose_b else (k, n), (m, n)]
    heads, parts, *rest = step.ints[7:] or (1, 1, *(cols for _, cols in sizes), *(x for y in sizes for x in packed(*y)))
    left, right, out = (
        np.lib.stride_tricks.as_strided(
            array, (count // heads, heads, parts, *size), [array.itemsize * n for n in (*rest[at : at + 3], ld, 1)]
        )
        for array, size, ld, at in zip((a, b, c), sizes, rest[:3], (3, 6, 9))
    )
    left, right = (left.swapaxes(-1, -2) if transpose_a else left), (right.swapaxes(-1, -2) if transpose_b else right)
    found = left @ right
    if rest[11]:
        out[...] = found
    else:
        out[:, :, 0] = found.sum(axis=2)


def packed(rows: int, cols: int) -> tuple[int, int, int]:
    """Steps of sample, head and part, for matrices that lie one behind the other."""
    return rows * cols, 0, 1
