"""Steps of recurrent layers, masks and embeddings in the reference executor (fastnn.engine.plan has the table)."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.reference import recurrent as cells
from fastnn.reference.steps import operation

KINDS = ("simple_rnn", "lstm", "gru", "gru_reset_after")
GATES = (1, 4, 3, 3)


def parts(step: Any) -> tuple[tuple[Any, ...], int, tuple[int, int, int], bool]:
    """Cell, columns of the gates, (steps, batch, units), and whether the mask is read from its end."""
    batch, _, _, number, steps, units, reverse = step.ints[:7]
    activation, gate = step.row.split()
    order = step.ints[7 : 7 + GATES[number]]
    cell = (KINDS[number], order, activation, step.reals[:4], gate, step.reals[4:])
    return cell, GATES[number] * units, (steps, batch, units), bool(reverse)


def shaped(array: Any, *shape: int) -> Any:
    return None if array is None else array[: int(np.prod(shape))].reshape(shape)


@operation
def recurrent_pack(program: Any, step: Any, wh: Any, packed: Any) -> None:
    """Here weights are used as they are."""
    packed[: wh.size] = wh


@operation
def recurrent(
    program: Any, step: Any, packed: Any, bias: Any, h0: Any, c0: Any, z: Any, h: Any, c: Any, pre: Any, mask: Any,
    drop: Any, dropped: Any, scratch: Any,
) -> None:  # fmt: skip
    cell, width, (steps, batch, units), reverse = parts(step)
    state, gates = (batch, units), len(cell[1])
    bias = bias.reshape(2, width) if cell[0] == "gru_reset_after" else bias
    memory = steps + (cell[0] == "lstm")
    cells.recurrent_forward(
        cell, shaped(packed, units, width), bias, shaped(h0, *state), shaped(c0, *state),
        shaped(z, steps, batch, width), shaped(h, steps + 1, *state), shaped(c, memory, *state),
        shaped(pre, steps, batch, width), shaped(mask, batch, steps),
        reverse=reverse, drop=shaped(drop, gates, *state), dropped=shaped(dropped, gates, steps, *state),
    )  # fmt: skip


@operation
def recurrent_backward(
    program: Any, step: Any, packed: Any, z: Any, h: Any, c: Any, pre: Any, mask: Any, drop: Any, dropped: Any,
    scratch: Any, dy: Any, dh_last: Any, dc_last: Any, dh: Any, dc: Any,
) -> None:  # fmt: skip
    cell, width, (steps, batch, units), reverse = parts(step)
    state, gates = (batch, units), len(cell[1])
    cells.recurrent_backward(
        cell, shaped(packed, units, width), shaped(z, steps, batch, width), shaped(h, steps + 1, *state),
        shaped(c, steps + (cell[0] == "lstm"), *state), shaped(pre, steps, batch, width), shaped(mask, batch, steps),
        shaped(dy, steps, *state), shaped(dh_last, *state), shaped(dc_last, *state), shaped(dh, *state),
        shaped(dc, *state), reverse=reverse, drop=shaped(drop, gates, *state),
        dropped=shaped(dropped, gates, steps, *state),
    )  # fmt: skip


@operation
def swap_time(program: Any, step: Any, x: Any, mask: Any, y: Any) -> None:
    batch, _, _, steps, features, ld, column, at, back, reverse, mask_reverse = step.ints
    minor, major = (y, x) if back else (x, y)
    start = at * features
    minor = minor[: batch * steps * ld].reshape(batch, steps, ld)[
        :, :: -1 if reverse else 1, column : column + features
    ]
    major = major[start : start + batch * steps * features].reshape(steps, batch, features)
    kept: Any = np.True_
    if mask is not None:
        kept = (mask.reshape(batch, steps)[:, :: -1 if mask_reverse else 1] != 0)[:, :, np.newaxis]
    if back:
        minor[...] = np.where(kept, major.swapaxes(0, 1), 0)
    else:
        major[...] = np.where(kept, minor, 0).swapaxes(0, 1)


@operation
def repeat_multiply(program: Any, step: Any, x: Any, factor: Any, y: Any) -> None:
    count, _, _, n, at = step.ints
    y[: count * n] = (x[at : at + count * n].reshape(count, n) * factor[:n]).reshape(-1)


@operation
def column_sums(program: Any, step: Any, x: Any, sums: Any) -> None:
    rows, cols, ld, at, to = step.ints
    sums[to : to + cols] = x[: rows * ld].reshape(rows, ld)[:, at : at + cols].sum(axis=0)


@operation
def mask_rows(program: Any, step: Any, x: Any, y: Any, mask: Any) -> None:
    rows, cols = step.ints
    mask[...] = (x.reshape(rows, cols) != x.dtype.type(step.reals[0])).any(axis=1)
    if y is not None:
        y.reshape(rows, cols)[...] = np.where(mask[:, np.newaxis] != 0, x.reshape(rows, cols), 0)


@operation
def keep_rows(program: Any, step: Any, x: Any, mask: Any, y: Any) -> None:
    rows, cols = step.ints
    y.reshape(rows, cols)[...] = np.where(mask[:rows, np.newaxis] != 0, x.reshape(rows, cols), 0)


@operation
def mask_weights(program: Any, step: Any, mask: Any, weights: Any, out: Any) -> None:
    entries, each, averaged = step.ints
    kept = mask[:entries] != 0
    scale = entries / max(int(kept.sum()), 1) if averaged else 1.0
    rows = np.repeat(kept, each)
    out[: rows.size] = np.where(rows, scale * (1.0 if weights is None else weights), 0.0)


@operation
def weigh(program: Any, step: Any, values: Any, weights: Any) -> None:
    n = step.ints[0]
    values[:n] = np.where(weights[:n] != 0, values[:n] * weights[:n], 0.0)


@operation
def to_indices(program: Any, step: Any, x: Any, index: Any) -> None:
    n, limit = step.ints
    bad = ~((x >= 0) & (x < limit) & (x == np.floor(x)))
    if bad.any():
        value = x[bad][0]
        raise IndexError(f"Embedding: indices must be whole numbers from 0 to {limit - 1}. Received: {value:g}")
    index[:n] = x


@operation
def embedding(program: Any, step: Any, w: Any, index: Any, out: Any) -> None:
    rows, cols, size = step.ints
    cells.embedding(w.reshape(size, cols), index, out.reshape(rows, cols))


@operation
def embedding_backward(program: Any, step: Any, dy: Any, index: Any, out: Any) -> None:
    rows, cols, size = step.ints
    out[...] = 0
    cells.embedding_backward(dy.reshape(rows, cols), index, out.reshape(size, cols))
