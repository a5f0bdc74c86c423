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
def copy_columns(program: Any, step: Any, x: np.ndarray, y: np.ndarray) -> None:
    rows, cols, x_cols, x_first, y_cols, y_first = step.ints
    y.reshape(rows, y_cols)[:, y_first : y_first + cols] = x.reshape(rows, x_cols)[:, x_first : x_first + cols]


@operation
def take(program: Any, step: Any, x: np.ndarray, index: np.ndarray, y: np.ndarray) -> None:
    samples, size, source = step.ints
    y.reshape(samples, size)[...] = x.reshape(samples, source)[:, index]


@operation
def untake(program: Any, step: Any, dy: np.ndarray, members: np.ndarray, dx: np.ndarray) -> None:
    samples, size, share = step.ints
    parts = dy.reshape(samples, size * share)[:, members.reshape(size, share)]
    dx.reshape(samples, size)[...] = parts.sum(axis=2, dtype=np.float64)


@operation
def products(program: Any, step: Any, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    count, _, transpose_a, transpose_b, m, n, k = step.ints
    left = a.reshape(count, k, m).swapaxes(1, 2) if transpose_a else a.reshape(count, m, k)
    right = b.reshape(count, n, k).swapaxes(1, 2) if transpose_b else b.reshape(count, k, n)
    np.matmul(left, right, out=c.reshape(count, m, n))


@operation
def unit_rows(program: Any, step: Any, x: np.ndarray, y: np.ndarray, inverse: np.ndarray) -> None:
    rows = x.reshape(step.ints)
    norms = np.sqrt(np.square(rows, dtype=np.float64).sum(axis=1))
    inverse[...] = 1 / np.maximum(norms, step.reals[0])
    y.reshape(step.ints)[...] = rows * inverse[:, np.newaxis]


@operation
def unit_rows_backward(program: Any, step: Any, dy: Any, y: Any, inverse: np.ndarray, dx: np.ndarray) -> None:
    dy, y, factor = dy.reshape(step.ints), y.reshape(step.ints), inverse[:, np.newaxis]
    along = (dy * y).sum(axis=1, keepdims=True, dtype=np.float64)
    along[factor >= 1 / step.reals[0]] = 0  # where the norm was held at its least it is a constant
    dx.reshape(step.ints)[...] = (dy - along * y) * factor
