"""The reference executor: walks a plan step by step in NumPy.

It does what the native executor does, in the same order, one readable function per operation, so that a model can be
followed through a training step with a debugger and the compiled engine has something to be compared with.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import (  # noqa: F401 - all but kernels register their steps
    attention_steps,
    kernels,
    merging,
    noise_steps,
    norm_steps,
    observing,
    sequence_steps,
    shapes,
    tensors,
)
from .steps import STEPS, operation

ABSENT = -1


class Program:
    """A plan bound to arrays; see fastnn.engine.plan for the operations and fastnn.backend for the protocol.

    Parameters:
        plan: the steps.
        segments: for training, the optimizer's ranges: (p, g, slots, l2, decay) with flat arrays.
    """

    def __init__(self, plan: Any, segments: Sequence[tuple[Any, ...]] = ()) -> None:
        self.plan = plan
        self.segments = segments
        self.totals = np.zeros(max(1, plan.scores))
        self.arrays: list[Any] = [
            np.zeros(b.size, b.dtype) if b.array is None else b.array.reshape(-1) for b in plan.buffers
        ]
        self.inputs: Sequence[np.ndarray] = ()
        self.outputs: Sequence[np.ndarray] = ()
        self.done = 0  # mini-batches that the last run has finished, also if an exception ended it
        self._timed = False
        self.step_seconds = np.zeros(len(plan.steps))  # what every step has taken since `time_steps`
        # where the current step stands
        self.sample = 0
        self.order: np.ndarray | None = None
        self.scalars: Any = None
        self.seed = 0
        self.step = 0

    @property
    def workspace_bytes(self) -> int:
        """Bytes of the buffers that are not parameters, gradients or outputs."""
        return sum(b.size * b.dtype.itemsize for b in self.plan.buffers if b.kind in ("work", "input"))

    def time_steps(self, on: bool) -> None:
        """Whether to take the time of every step of the runs to come; those so far are forgotten."""
        self._timed = on
        self.step_seconds[:] = 0

    def bind(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray] = ()) -> None:
        """Name the arrays that the next runs read and write; samples along the first axis."""
        if len(inputs) != len(self.plan.inputs) or len(outputs) != len(self.plan.outputs):
            raise ValueError(
                f"expected {len(self.plan.inputs)} inputs and {len(self.plan.outputs)} outputs. "
                f"Received {len(inputs)} and {len(outputs)}"
            )
        self.inputs, self.outputs = inputs, outputs
        self.done = 0

    def infer(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """One mini-batch from exactly these arrays; the program keeps none of them."""
        self.bind(inputs, outputs)
        try:
            self.run(0, 1)
        finally:
            self.unbind()

    def infer_one(self, x: np.ndarray, sample: tuple[int, ...], output: tuple[int, ...]) -> np.ndarray | None:
        """The only output, a new array (batch, *output), for the only input, x (batch, *sample) of the plan's dtype.

        None where there are several, and for every other array: `infer` takes more.
        """
        plan = self.plan
        if len(plan.inputs) != 1 or len(plan.outputs) != 1 or x.dtype != plan.dtype or not x.flags.c_contiguous:
            return None
        if x.shape != (plan.batch, *sample) or plan.buffers[plan.inputs[0].buffer].dtype != plan.dtype:
            return None
        y = np.empty((plan.batch, *output), plan.dtype)
        self.infer([x], [y])
        return y

    def unbind(self) -> None:
        """Let the arrays of the last run go."""
        self.inputs = self.outputs = ()

    def run(
        self,
        first_sample: int,
        batches: int,
        order: np.ndarray | None = None,
        scalars: np.ndarray | None = None,
        seed: int = 0,
        step: int = 0,
        seconds: float = 1e9,
    ) -> int:
        """Run up to `batches` mini-batches, at least one, stopping after about `seconds`; returns the number done."""
        deadline = time.perf_counter() + seconds
        self.order, self.seed = order, seed
        for done in range(batches):
            self.done = done
            if done and time.perf_counter() > deadline:
                return done
            self.sample, self.step = first_sample + done * self.plan.batch, step + done
            self.scalars = None if scalars is None else scalars[done]
            with np.errstate(all="ignore"):
                for i, entry in enumerate(self.plan.steps):
                    if entry.when >= 0 and not self.scalars[entry.when]:
                        continue
                    started = time.perf_counter()
                    STEPS[entry.op](self, entry, *(None if b == ABSENT else self.arrays[b] for b in entry.buffers))
                    if self._timed:
                        self.step_seconds[i] += time.perf_counter() - started
            for output, array in zip(self.plan.outputs, self.outputs):
                rows = array.reshape(-1)
                start = self.sample * output.per_sample
                values = self.arrays[output.buffer]
                rows[start : start + values.size] = values
        self.done = batches
        return batches


def table(array: np.ndarray | None, rows: int, cols: int) -> Any:
    """The flat buffer as a matrix."""
    return None if array is None else array.reshape(rows, cols)


def part(array: np.ndarray, shape: tuple[int, int], ld: int, start: int) -> np.ndarray:
    """Some columns of a matrix whose rows are ld apart."""
    strides = (ld * array.itemsize, array.itemsize)
    return np.lib.stride_tricks.as_strided(array[start:], shape, strides)


@operation
def gather(program: Program, step: Any, out: np.ndarray) -> None:
    source = program.inputs[step.ints[0]]
    start, batch = program.sample, program.plan.batch
    index = slice(start, start + batch) if program.order is None else program.order[start : start + batch]
    out[...] = source[index].reshape(-1)


@operation
def affine(program: Program, step: Any, x: Any, w: Any, b: Any, y: Any, z: Any) -> None:
    rows, inputs, units = step.ints[:3]
    turned = len(step.ints) > 3  # the weights are stored (units, inputs)
    kernel = table(w, units, inputs) if turned else table(w, inputs, units)
    kernels.gemm(table(x, rows, inputs), kernel, table(y, rows, units), False, turned, 1.0, 0.0)
    kernels.bias_forward(step.row, table(y, rows, units), b, table(z, rows, units), step.reals)


@operation
def gemm(program: Program, step: Any, a: Any, b: Any, c: Any) -> None:
    ta, tb, m, n, k = step.ints[:5]
    alpha, beta = step.reals or (1.0, 0.0)
    lds, starts = (
        (step.ints[5:8], step.ints[8:11]) if len(step.ints) > 5 else ((m if ta else k, k if tb else n, n), (0,) * 3)
    )
    sizes = ((k, m) if ta else (m, k), (n, k) if tb else (k, n), (m, n))
    a, b, c = (part(*matrix) for matrix in zip((a, b, c), sizes, lds, starts))
    kernels.gemm(a, b, c, bool(ta), bool(tb), alpha, beta)


@operation
def activation(program: Program, step: Any, x: Any, y: Any) -> None:
    kernels.activation_forward(step.row, x, y, step.reals)


@operation
def activation_backward(program: Program, step: Any, dy: Any, kept: Any, dx: Any) -> None:
    kernels.activation_backward(step.row, dy, kept, dx, step.reals)


@operation
def bias_backward(program: Program, step: Any, dy: Any, kept: Any, dz: Any, db: Any) -> None:
    rows, cols = step.ints
    dy, kept, dz = (table(a, rows, cols) for a in (dy, kept, dz))
    kernels.bias_backward(step.row, dy, kept, dz, db, step.reals)


@operation
def softmax(program: Program, step: Any, x: Any, y: Any) -> None:
    kernels.softmax(table(x, *step.ints), table(y, *step.ints))


@operation
def log_softmax(program: Program, step: Any, x: Any, y: Any) -> None:
    kernels.log_softmax(table(x, *step.ints), table(y, *step.ints))


@operation
def softmax_backward(program: Program, step: Any, dy: Any, y: Any, dx: Any) -> None:
    kernels.softmax_backward(*(table(a, *step.ints) for a in (dy, y, dx)))


@operation
def log_softmax_backward(program: Program, step: Any, dy: Any, y: Any, dx: Any) -> None:
    kernels.log_softmax_backward(*(table(a, *step.ints) for a in (dy, y, dx)))


@operation
def softmin(program: Program, step: Any, x: Any, y: Any) -> None:
    kernels.softmin(table(x, *step.ints), table(y, *step.ints))


@operation
def softmin_backward(program: Program, step: Any, dy: Any, y: Any, dx: Any) -> None:
    kernels.softmin_backward(*(table(a, *step.ints) for a in (dy, y, dx)))


@operation
def sparsemax(program: Program, step: Any, x: Any, y: Any) -> None:
    kernels.sparsemax(table(x, *step.ints), table(y, *step.ints))


@operation
def sparsemax_backward(program: Program, step: Any, dy: Any, y: Any, dx: Any) -> None:
    kernels.sparsemax_backward(*(table(a, *step.ints) for a in (dy, y, dx)))


@operation
def expand(program: Program, step: Any, values: Any, members: Any, params: Any) -> None:
    count, share, at = step.ints
    columns = np.arange(count * share) if members is None else members
    params[at + columns.reshape(count, share)] = values[:, np.newaxis]


@operation
def fold(program: Program, step: Any, sums: Any, members: Any, gradient: Any) -> None:
    count, share, at = step.ints
    columns = np.arange(count * share) if members is None else members
    gradient[...] = sums[at + columns.reshape(count, share)].sum(axis=1)


@operation
def learned(program: Program, step: Any, x: Any, params: Any, y: Any) -> None:
    rows, cols, _ = step.ints
    kernels.learned_forward(step.row, table(x, rows, cols), params.reshape(-1, cols), table(y, rows, cols))


@operation
def learned_backward(program: Program, step: Any, dy: Any, x: Any, params: Any, dx: Any, sums: Any) -> None:
    rows, cols, _ = step.ints
    dy, x, dx = (table(a, rows, cols) for a in (dy, x, dx))
    sums = None if sums is None else sums.reshape(-1, cols)
    kernels.learned_backward(step.row, dy, x, params.reshape(-1, cols), dx, sums)


@operation
def gated(program: Program, step: Any, x: Any, y: Any) -> None:
    rows, cols = step.ints
    kernels.gated_forward(step.row, table(x, rows, 2 * cols), table(y, rows, cols), step.reals)


@operation
def gated_backward(program: Program, step: Any, dy: Any, x: Any, dx: Any) -> None:
    rows, cols = step.ints
    x, dx = (table(a, rows, 2 * cols) for a in (x, dx))
    kernels.gated_backward(step.row, table(dy, rows, cols), x, dx, step.reals)


@operation
def maxout(program: Program, step: Any, x: Any, y: Any) -> None:
    rows, units, pieces = step.ints
    kernels.maxout(table(x, rows, units * pieces), table(y, rows, units))


@operation
def maxout_backward(program: Program, step: Any, dy: Any, x: Any, dx: Any) -> None:
    rows, units, pieces = step.ints
    x, dx = (table(a, rows, units * pieces) for a in (x, dx))
    kernels.maxout_backward(table(dy, rows, units), x, dx)


@operation
def rrelu(program: Program, step: Any, x: Any, y: Any, slopes: Any) -> None:
    kernels.rrelu(x, y, slopes, program.seed, step.ints[1], program.step, *step.reals)


@operation
def multiply(program: Program, step: Any, a: Any, b: Any, y: Any) -> None:
    kernels.multiply(a, b, y)


@operation
def dropout(program: Program, step: Any, x: Any, y: Any, mask: Any) -> None:
    kernels.dropout(x, y, mask, program.seed, step.ints[1], program.step, step.reals[0])


@operation
def masked_scale(program: Program, step: Any, dy: Any, mask: Any, dx: Any) -> None:
    kernels.masked_scale(dy, mask, dx, step.reals[0])


def divide_by(divisor: int, counted: np.ndarray, ignore: int) -> float:
    """1 / the sum of the batch's weights (1) or its number of labels that count (2); 0 where there is nothing."""
    total = float(counted.sum() if divisor == 1 else (counted != ignore).sum())
    return 1.0 / total if total else 0.0


def gradient_scale(step: Any, target: Any, weight: Any) -> float:
    """The plan's factor, or that of the batch."""
    divisor, ignore = (*step.ints, 0)[2:4]
    return step.reals[0] * (divide_by(divisor, weight if divisor == 1 else target, ignore) if divisor else 1.0)


@operation
def elementwise_loss(
    program: Program, step: Any, pred: Any, target: Any, weight: Any, grad: Any, row_loss: Any
) -> None:
    pred, target, grad = (table(a, *step.ints[:2]) for a in (pred, target, grad))
    scale = gradient_scale(step, target, weight)
    kernels.elementwise_loss(step.row, pred, target, weight, scale, grad, row_loss, step.reals[1:])


@operation
def row_loss(
    program: Program,
    step: Any,
    pred: Any,
    target: Any,
    weight: Any,
    grad: Any,
    row_loss: Any,
    probs: Any,
    class_weight: Any,
    scratch: Any,
) -> None:
    rows, cols, _, ignore, targets, inputs = step.ints
    scale, (smoothing, *params) = gradient_scale(step, target, weight), step.reals[1:]
    target = target if targets in (0, -1) else table(target, rows, abs(targets))
    grads = None if grad is None else side_by_side(table(grad, rows, cols), inputs)
    written = None if grads is None else [np.empty(part.shape, part.dtype) for part in grads]
    kernels.row_loss(
        step.row,
        side_by_side(table(pred, rows, cols), inputs),
        target,
        weight,
        scale,
        written,
        row_loss[:rows],
        params,
        ignore,
        class_weight,
        smoothing,
        table(probs, rows, cols),
    )
    for part, values in zip(grads or (), written or ()):
        part[...] = values


@operation
def group_loss(program: Program, step: Any, *buffers: Any) -> None:
    row_loss(program, step, *buffers)


def side_by_side(array: np.ndarray, inputs: int) -> list[np.ndarray]:
    """The inputs of a loss, which stand next to each other in the columns."""
    return np.split(array, inputs, axis=1)


@operation
def label_hits(program: Program, step: Any, pred: Any, labels: Any, hits: Any) -> None:
    kernels.label_hits(table(pred, *step.ints), labels, hits)


@operation
def argmax_hits(program: Program, step: Any, pred: Any, target: Any, hits: Any) -> None:
    kernels.argmax_hits(table(pred, *step.ints), table(target, *step.ints), hits)


@operation
def threshold_hits(program: Program, step: Any, pred: Any, target: Any, hits: Any) -> None:
    kernels.threshold_hits(table(pred, *step.ints), table(target, *step.ints), step.reals[0], hits)


def images(array: np.ndarray | None, step: Any, first: int) -> Any:
    """The flat buffer as images of the sizes that stand in the window from number `first` on."""
    return None if array is None else array.reshape(step.ints[0], *step.ints[first : first + 3])


def of_input(array: np.ndarray | None, step: Any) -> Any:
    return images(array, step, 1)


def of_output(array: np.ndarray | None, step: Any) -> Any:
    return images(array, step, 4)


def weights(array: np.ndarray, step: Any) -> Any:
    channels, filters, kernel, groups = step.ints[3], step.ints[6], step.ints[7:9], step.ints[15]
    return array.reshape(*kernel, channels // groups, filters)


def geometry(step: Any) -> tuple[Any, ...]:
    return (*(tuple(step.ints[at : at + 2]) for at in (7, 9, 11, 13)), step.ints[15])


@operation
def conv2d_prepare(program: Program, step: Any, *buffers: Any) -> None:
    """Nothing to prepare here, nor to finish."""


STEPS.update(dict.fromkeys(("conv2d_input_prepare", "conv2d_weights_prepare", "conv2d_weights_finish"), conv2d_prepare))


@operation
def conv2d(program: Program, step: Any, x: Any, w: Any, b: Any, y: Any, z: Any) -> None:
    x, y, z = of_input(x, step), of_output(y, step), of_output(z, step)
    kernels.conv2d(step.row or "identity", x, weights(w, step), b, y, z, step.reals, geometry(step))


@operation
def conv2d_input(program: Program, step: Any, dy: Any, w: Any, b: Any, dx: Any, z: Any) -> None:
    dy, dx, z = of_output(dy, step), of_input(dx, step), of_input(z, step)
    kernels.conv2d_input(step.row or "identity", dy, weights(w, step), b, dx, z, step.reals, geometry(step))


@operation
def conv2d_weights(program: Program, step: Any, x: Any, dy: Any, dw: Any) -> None:
    kernels.conv2d_weights(of_input(x, step), of_output(dy, step), weights(dw, step), geometry(step))


@operation
def max_pool(program: Program, step: Any, x: Any, y: Any, argmax: Any) -> None:
    kernels.max_pool(of_input(x, step), of_output(y, step), of_output(argmax, step), geometry(step))


@operation
def max_pool_backward(program: Program, step: Any, dy: Any, argmax: Any, dx: Any) -> None:
    kernels.max_pool_backward(of_output(dy, step), of_output(argmax, step), of_input(dx, step), geometry(step))


@operation
def average_pool(program: Program, step: Any, x: Any, y: Any) -> None:
    kernels.average_pool(of_input(x, step), of_output(y, step), bool(step.reals[0]), geometry(step))


@operation
def average_pool_backward(program: Program, step: Any, dy: Any, dx: Any) -> None:
    kernels.average_pool_backward(of_output(dy, step), of_input(dx, step), bool(step.reals[0]), geometry(step))


@operation
def score(program: Program, step: Any, values: Any, counted: Any) -> None:
    rows, slot, divisor, ignore = step.ints
    factor = step.reals[0] * (divide_by(divisor, counted, ignore) if divisor else 1.0)
    program.totals[slot] += factor * values[:rows].sum()


@operation
def adafactor(program: Program, step: Any, p: Any, g: Any, moments: Any, scales: Any) -> None:
    matrices, rows, cols, factored, column, place = step.ints
    factor, *numbers = step.reals
    gradient_scale, _, decay, rate, beta = program.scalars[column : column + 5].tolist()
    shape, cut = (matrices, rows, cols), matrices * rows
    kernels.adafactor(
        p.reshape(shape), g.reshape(shape),
        moments[:cut].reshape(matrices, rows) if factored else moments.reshape(shape),
        moments[cut:].reshape(matrices, cols) if factored else None,
        gradient_scale * (1.0 if scales is None else float(scales[place])), decay * factor, rate, beta, *numbers,
    )  # fmt: skip


@operation
def call(program: Program, step: Any, *buffers: Any) -> None:
    step.call(program.step, *buffers)
