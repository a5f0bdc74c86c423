"""The steps of a plan that recurrent layers are made of: time-major order, a cell over a whole sequence, dropout.

A cell gets the sequence time-major; x Wx is one product for all time steps, and so are the gradients of all weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def time_major(plan: Plan, x: int, steps: int, features: int, reverse: bool = False, mask: int = ABSENT) -> int:
    """The buffer of a batch-major sequence in time-major order; the same one where that makes no difference.

    Masked time steps are 0: whatever they hold, 0 * NaN is not to reach the gradients of the weights.
    """
    if mask == ABSENT and ((plan.batch == 1 and not reverse) or steps == 1):
        return x
    target = plan.buffer(steps * features)
    swap_time(plan, x, target, steps, features, back=False, reverse=reverse, mask=mask, mask_reverse=reverse)
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


Starts = Sequence[int]  # buffers of initial states; ABSENT: zeros


class Run(NamedTuple):
    """What a cell made of a sequence; time-major arrays have one row of the batch ahead, h before the first step.

    y, units: buffer and columns of the outputs.
    states: buffer and columns of each state; the last rows are those at the end.
    backward: (gradients of all outputs, of the last output alone, of each state at the end, whether that of x is
        wanted) -> those of x time-major, of each initial state.
    """

    y: int
    units: int
    states: list[tuple[int, int]]
    backward: Callable[[int, int, Starts, bool], tuple[int, list[int]]]


class _Input(NamedTuple):
    """What some of the gates see of x: where it is, their columns, and the factors that it was multiplied with."""

    x: Where
    column: int
    columns: int
    factors: int = ABSENT


def _inputs(plan: Plan, cell: CellPlan, x: Where, steps: int, features: int, apart: bool) -> list[_Input]:
    if cell.dropout == 0 or not plan.training:
        return [_Input(x, 0, cell.width)]
    columns = cell.units if apart else cell.width
    found = []
    for column in range(0, cell.width, columns):
        factors = _factors(plan, cell, cell.dropout, features)
        dropped = Where(_at_every_step(plan, x, factors, steps, features))
        found.append(_Input(dropped, column, columns, factors))
    return found


def emit_cell(
    plan: Plan, cell: CellPlan, x: Where, steps: int, features: int, starts: Starts, mask: int, reverse: bool
) -> Run:
    """Steps of a cell over a time-major sequence.  `reverse`: the sequence runs against the mask.

    As in Keras, recurrent dropout draws factors for every gate, and then so does dropout; without it, all gates see the
    same input.
    """
    batch, units, width, gates = plan.batch, cell.units, cell.width, GATES[cell.number]
    rows = steps * batch
    lstm, gru = cell.kind == "lstm", cell.kind in ("gru", "gru_reset_after")
    fused = cell.activation.row == "tanh" and cell.recurrent_activation.row == "sigmoid"
    kernel, recurrent_kernel = plan.parameter(cell.kernel), plan.parameter(cell.recurrent_kernel)

    inputs = _inputs(plan, cell, x, steps, features, apart=cell.recurrent_dropout > 0)
    z = plan.buffer(steps * width)
    for part in inputs:
        sizes = (0, 0, rows, part.columns, features, features, width, width)
        firsts = (part.x.rows * features, part.column, part.column)
        plan.step("gemm", (part.x.buffer, kernel, z), ints=(*sizes, *firsts))

    biases = (2 if cell.kind == "gru_reset_after" else 1) * width
    bias = plan.constant(np.zeros(biases, plan.dtype)) if cell.bias is None else plan.parameter(cell.bias)
    h0, c0 = starts[0], starts[1] if lstm else ABSENT
    h = plan.fixed((steps + 1) * batch * units)
    c = plan.fixed((steps + lstm) * batch * units) if lstm or gru else ABSENT
    keeps = plan.learning and not fused and cell.kind != "simple_rnn"
    pre = plan.buffer(steps * width) if keeps else ABSENT
    drop = _factors(plan, cell, cell.recurrent_dropout, width)
    dropped = plan.buffer(steps * width) if drop != ABSENT else ABSENT

    per_sample = 2 * steps * units * width
    block = _native.samples_of_a_block(batch) if batch * per_sample >= PARALLEL_FLOPS else batch
    order = tuple(range(gates)) + (0,) * (4 - gates)
    ints = (batch, block, per_sample, cell.number, steps, units, int(reverse), *order)
    row = f"{cell.activation.row} {cell.recurrent_activation.row}"
    reals = _padded(cell.activation.params) + _padded(cell.recurrent_activation.params)

    def pack(transposed: bool) -> int:
        packed = plan.fixed(_native.packed_size(cell.kind, units))
        apart = gru or (lstm and drop != ABSENT)
        numbers = (cell.number, int(apart), int(transposed), units, *order)
        plan.step("recurrent_pack", (recurrent_kernel, packed), ints=numbers)
        return packed

    scratch = plan.buffer(width + units)
    buffers = (pack(False), bias, h0, c0, z, h, c, pre, mask, drop, dropped, scratch)
    plan.step("recurrent", buffers, row=row, ints=ints, reals=reals)

    def backward(dy: int, dy_last: int, dstates: Starts, need_dx: bool) -> tuple[int, list[int]]:
        dh, dc = plan.buffer(units), plan.buffer(units) if lstm else ABSENT
        dh_last, dc_last = sum_of(plan, dy_last, dstates[0], units), dstates[1] if lstm else ABSENT
        scratch = plan.buffer(width + units)
        plan.step(
            "recurrent_backward",
            (pack(True), z, h, c, pre, mask, drop, dropped, scratch, dy, dh_last, dc_last, dh, dc),
            row=row, ints=ints, reals=reals,
        )  # fmt: skip
        if (dk := plan.gradient(cell.kernel)) != ABSENT:
            for part in inputs:
                sizes = (1, 0, features, part.columns, rows, features, width, width)
                firsts = (part.x.rows * features, part.column, part.column)
                plan.step("gemm", (part.x.buffer, z, dk), ints=(*sizes, *firsts))
        if (dr := plan.gradient(cell.recurrent_kernel)) != ABSENT:
            _recurrent_gradient(plan, cell, h, dropped, c, z, dr, rows)
        if cell.bias is not None and (db := plan.gradient(cell.bias)) != ABSENT:
            plan.step("column_sums", (z, db), ints=(rows, width, width, 0, 0))
            if cell.kind == "gru_reset_after":
                plan.step("column_sums", (z, db), ints=(rows, 2 * units, width, 0, width))
                plan.step("column_sums", (c, db), ints=(rows, units, units, 0, width + 2 * units))
        dinitial = [dh, dc] if lstm else [dh]
        if not need_dx:
            return ABSENT, dinitial
        total = ABSENT
        for part in inputs:
            dx = plan.buffer(steps * features)
            numbers = (0, 1, rows, features, part.columns, width, width, features, part.column, part.column, 0)
            plan.step("gemm", (z, kernel, dx), ints=numbers)
            if part.factors != ABSENT:
                dx = _at_every_step(plan, Where(dx), part.factors, steps, features)
            total = sum_of(plan, total, dx, steps * features)
        return total, dinitial

    return Run(h, units, [(h, units), (c, units)][: cell.states], backward)


def _recurrent_gradient(plan: Plan, cell: CellPlan, h: int, dropped: int, c: int, z: int, dr: int, rows: int) -> None:
    """h^T z over all steps, h as each gate saw it; the candidate of a GRU saw something else, or through something."""
    units, width = cell.units, cell.width
    candidate = 2 if cell.kind in ("gru", "gru_reset_after") else GATES[cell.number]
    ahead = rows * units  # of what one gate has seen
    if dropped == ABSENT:
        columns = candidate * units
        plan.step("gemm", (h, z, dr), ints=(1, 0, units, columns, rows, units, width, width, 0, 0, 0))
    else:
        for g in range(candidate):
            at = g * units
            plan.step("gemm", (dropped, z, dr), ints=(1, 0, units, units, rows, units, width, width, g * ahead, at, at))
    if cell.kind == "gru":
        at = 2 * units
        plan.step("gemm", (c, z, dr), ints=(1, 0, units, units, rows, units, width, width, 0, at, at))
    elif cell.kind == "gru_reset_after":
        left, first = (h, 0) if dropped == ABSENT else (dropped, 2 * ahead)
        plan.step("gemm", (left, c, dr), ints=(1, 0, units, units, rows, units, units, width, first, 0, 2 * units))


def _padded(params: tuple[float, ...]) -> tuple[float, ...]:
    return params + (0.0,) * (ACTIVATION_PARAMETERS - len(params))
