"""The steps of a plan that recurrent layers are made of: time-major order, a cell over a whole sequence, dropout.

A cell gets the sequence time-major; x Wx is one product for all time steps, and so are the gradients of all weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastnn import _native
from fastnn.activations import ActivationSpec
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan

KINDS = {"simple_rnn": 0, "lstm": 1, "gru": 2, "gru_reset_after": 3}
GATES = (1, 4, 3, 3)
ACTIVATION_PARAMETERS = 4  # of each of the two activations, in the numbers of a step
BLOCK = 8192
PARALLEL_FLOPS = 2e6


class CellPlan(NamedTuple):
    """What the steps need to know of a cell."""

    kind: str
    units: int
    activation: ActivationSpec
    recurrent_activation: ActivationSpec
    kernel: Parameter
    recurrent_kernel: Parameter
    bias: Parameter | None
    dropout: float
    recurrent_dropout: float
    stream: Callable[[Plan], int]  # of random numbers, a new one for each call

    @property
    def number(self) -> int:
        return KINDS[self.kind]

    @property
    def width(self) -> int:
        """Columns of all gates."""
        return GATES[self.number] * self.units

    @property
    def states(self) -> int:
        return 2 if self.kind == "lstm" else 1


class Where(NamedTuple):
    """Time-major rows: in which buffer, and behind how many rows."""

    buffer: int
    rows: int = 0


def swap_time(
    plan: Plan,
    source: int,
    target: int,
    steps: int,
    features: int,
    *,
    back: bool,
    at: int = 0,
    ld: int = 0,
    column: int = 0,
    reverse: bool = False,
    mask: int = ABSENT,
    mask_reverse: bool = False,
) -> None:
    """Batch-major to time-major, or `back`; `at`: rows ahead of the time-major part."""
    work = steps * features
    numbers = (plan.batch, max(1, BLOCK // work), work, steps, features, ld or features, column, at)
    plan.step("swap_time", (source, mask, target), ints=(*numbers, int(back), int(reverse), int(mask_reverse)))


def time_major(plan: Plan, x: int, steps: int, features: int, reverse: bool = False) -> int:
    """The buffer of a batch-major sequence in time-major order; the same one where that makes no difference."""
    if (plan.batch == 1 and not reverse) or steps == 1:
        return x
    target = plan.buffer(steps * features)
    swap_time(plan, x, target, steps, features, back=False, reverse=reverse)
    return target


def batch_major(plan: Plan, x: int, steps: int, features: int, reverse: bool = False) -> int:
    """The way back of `time_major`."""
    if (plan.batch == 1 and not reverse) or steps == 1:
        return x
    target = plan.buffer(steps * features)
    swap_time(plan, x, target, steps, features, back=True, reverse=reverse)
    return target


def sum_of(plan: Plan, a: int, b: int, per_sample: int) -> int:
    """a + b in a new buffer; ABSENT is zero."""
    if ABSENT in (a, b):
        return b if a == ABSENT else a
    total = plan.buffer(per_sample)
    n = plan.batch * per_sample
    plan.step("combine", (a, total, ABSENT), ints=(n, ABSENT, ABSENT, 0), reals=(1.0, 0.0))
    plan.step("combine", (b, total, ABSENT), ints=(n, ABSENT, ABSENT, 0), reals=(1.0, 1.0))
    return total


def _factors(plan: Plan, cell: CellPlan, rate: float, per_sample: int) -> int:
    """One random factor, 0 or 1 / (1 - rate), for each feature of each sample: the same at all time steps."""
    if not plan.training or rate == 0:
        return ABSENT
    n = plan.batch * per_sample
    ones, factors, mask = plan.buffer(per_sample), plan.buffer(per_sample), plan.buffer(per_sample, np.uint8)
    plan.step("fill", (ones,), ints=(n,), reals=(1.0,))
    plan.step("dropout", (ones, factors, mask), ints=(n, cell.stream(plan)), reals=(rate,))
    return factors


def _at_every_step(plan: Plan, x: Where, factors: int, steps: int, per_sample: int) -> int:
    """x times the factors of its sample, time-major."""
    y, n = plan.buffer(steps * per_sample), plan.batch * per_sample
    ints = (steps, max(1, BLOCK // n), 10 * n, n, x.rows * per_sample)
    plan.step("repeat_multiply", (x.buffer, factors, y), ints=ints)
    return y


SequenceBackward = Callable[[int, int, int, bool], tuple[int, int, int]]


class Sequence(NamedTuple):
    """What a cell made of a sequence: h and c with their initial values, time-major (GRU: c holds something else).

    backward: (gradients of all outputs time-major, of the last h, of the last c, whether that of x is wanted)
        -> those of x time-major, of the initial h, of the initial c.
    """

    h: int
    c: int
    backward: SequenceBackward


def emit_cell(
    plan: Plan, cell: CellPlan, x: Where, steps: int, features: int, h0: int, c0: int, mask: int, reverse: bool
) -> Sequence:
    """Steps of a cell over a time-major sequence.  `reverse`: the sequence runs against the mask."""
    batch, units, width = plan.batch, cell.units, cell.width
    rows = steps * batch
    lstm, gru = cell.kind == "lstm", cell.kind in ("gru", "gru_reset_after")
    fused = cell.activation.row == "tanh" and cell.recurrent_activation.row == "sigmoid"
    kernel, recurrent_kernel = plan.parameter(cell.kernel), plan.parameter(cell.recurrent_kernel)

    scale = _factors(plan, cell, cell.dropout, features)
    if scale != ABSENT:
        x = Where(_at_every_step(plan, x, scale, steps, features))
    z = plan.buffer(steps * width)
    start = x.rows * features
    plan.step("gemm", (x.buffer, kernel, z), ints=(0, 0, rows, width, features, features, width, width, start, 0, 0))

    biases = (2 if cell.kind == "gru_reset_after" else 1) * width
    bias = plan.constant(np.zeros(biases, plan.dtype)) if cell.bias is None else plan.parameter(cell.bias)
    h = plan.fixed((steps + 1) * batch * units)
    c = plan.fixed((steps + lstm) * batch * units) if lstm or gru else ABSENT
    keeps = plan.training and not fused and cell.kind != "simple_rnn"
    pre = plan.buffer(steps * width) if keeps else ABSENT
    drop = _factors(plan, cell, cell.recurrent_dropout, units)
    dropped = plan.buffer(steps * units) if drop != ABSENT else ABSENT

    per_sample = 2 * steps * units * width
    block = _native.samples_of_a_block(batch) if batch * per_sample >= PARALLEL_FLOPS else batch
    order = tuple(range(GATES[cell.number])) + (0,) * (4 - GATES[cell.number])
    ints = (batch, block, per_sample, cell.number, steps, units, int(reverse), *order)
    row = f"{cell.activation.row} {cell.recurrent_activation.row}"
    reals = _padded(cell.activation.params) + _padded(cell.recurrent_activation.params)

    def pack(transposed: bool) -> int:
        packed = plan.fixed(_native.packed_size(cell.kind, units))
        plan.step("recurrent_pack", (recurrent_kernel, packed), ints=(cell.number, int(transposed), units, *order))
        return packed

    scratch = plan.buffer(width + units)
    buffers = (pack(False), bias, h0, c0, z, h, c, pre, mask, drop, dropped, scratch)
    plan.step("recurrent", buffers, row=row, ints=ints, reals=reals)

    def backward(dy: int, dh_last: int, dc_last: int, need_dx: bool) -> tuple[int, int, int]:
        dh, dc = plan.buffer(units), plan.buffer(units) if lstm else ABSENT
        scratch = plan.buffer(width + units)
        plan.step(
            "recurrent_backward",
            (pack(True), z, h, c, pre, mask, drop, dropped, scratch, dy, dh_last, dc_last, dh, dc),
            row=row, ints=ints, reals=reals,
        )  # fmt: skip
        if (dk := plan.gradient(cell.kernel)) != ABSENT:
            numbers = (1, 0, features, width, rows, features, width, width, start, 0, 0)
            plan.step("gemm", (x.buffer, z, dk), ints=numbers)
        if (dr := plan.gradient(cell.recurrent_kernel)) != ABSENT:
            _recurrent_gradient(plan, cell, h if dropped == ABSENT else dropped, c, z, dr, rows)
        if cell.bias is not None and (db := plan.gradient(cell.bias)) != ABSENT:
            plan.step("column_sums", (z, db), ints=(rows, width, width, 0, 0))
            if cell.kind == "gru_reset_after":
                plan.step("column_sums", (z, db), ints=(rows, 2 * units, width, 0, width))
                plan.step("column_sums", (c, db), ints=(rows, units, units, 0, width + 2 * units))
        if not need_dx:
            return ABSENT, dh, dc
        dx = plan.buffer(steps * features)
        plan.step("gemm", (z, kernel, dx), ints=(0, 1, rows, features, width))
        if scale != ABSENT:
            dx = _at_every_step(plan, Where(dx), scale, steps, features)
        return dx, dh, dc

    return Sequence(h, c, backward)


def _recurrent_gradient(plan: Plan, cell: CellPlan, left: int, c: int, z: int, dr: int, rows: int) -> None:
    """h^T z over all steps; the candidate of a GRU has seen something else, or through something else."""
    units, width = cell.units, cell.width
    if cell.kind in ("simple_rnn", "lstm"):
        plan.step("gemm", (left, z, dr), ints=(1, 0, units, width, rows))
        return
    two = 2 * units
    plan.step("gemm", (left, z, dr), ints=(1, 0, units, two, rows, units, width, width, 0, 0, 0))
    if cell.kind == "gru":
        plan.step("gemm", (c, z, dr), ints=(1, 0, units, units, rows, units, width, width, 0, two, two))
    else:
        plan.step("gemm", (left, c, dr), ints=(1, 0, units, units, rows, units, units, width, 0, 0, two))


def _padded(params: tuple[float, ...]) -> tuple[float, ...]:
    return params + (0.0,) * (ACTIVATION_PARAMETERS - len(params))
