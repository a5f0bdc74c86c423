"""Contrastive divergence as a plan of the engine: the chain, the gradient, and the optimizer's update.

A mini-batch is a list of steps - matrix products with sigmoid, units drawn from Philox streams, two products for the
gradient, the update - and an epoch is one call without the GIL, interrupted only to look for Ctrl-C.  What is drawn is
a function of (seed, place in the chain, step, element), so it does not depend on the number of threads, and a training
that is continued is the training that was not interrupted.

The gradient is that of the mean of F(v) over the data minus its mean over the end of the chain (_energy.py):

    dW = -<v h>_data + <v h>_chain,   db = -<v>_data + <v>_chain,   dc = -<h>_data + <h>_chain
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn.backend import current
from fastnn.engine.arena import Arena, Parameter
from fastnn.engine.plan import ABSENT, PLANNED, Plan
from fastnn.engine.update import Update
from fastnn.models.programs import Executor
from fastnn.models.runner import AHEAD, PULSE, shuffled
from fastnn.optimizers import SGD

from ._energy import Weights

Array = NDArray[Any]

# streams of chains that are drawn after the training: behind those of the training
_SAMPLING = 1 << 16


class Rule(NamedTuple):
    """How the chain runs.

    Attributes:
        steps: of Gibbs sampling.
        persistent: it goes on where it stood, instead of beginning at the data.
        sample_visible: visible units are drawn on the way; else they are their probabilities or means.
        monitor: whether the reconstruction error is measured.
    """

    steps: int
    persistent: bool
    sample_visible: bool
    monitor: bool


class Units:
    """Adds the steps between both layers to a plan, for so many rows."""

    def __init__(self, plan: Plan, machine: Machine, rows: int) -> None:
        self.plan, self.machine, self.rows = plan, machine, rows
        self.w, self.b, self.c = (plan.parameter(p) for p in machine.arena.parameters)
        self.inputs, self.units = machine.kernel.shape

    def hidden(self, v: int) -> int:
        """Probabilities of the hidden units."""
        p = self.plan.fixed(self.rows * self.units)
        ints = (self.rows, self.inputs, self.units)
        self.plan.step("affine", (v, self.w, self.c, p, ABSENT), row="sigmoid", ints=ints)
        return p

    def visible(self, h: int) -> int:
        """Probabilities, or means, of the visible units."""
        p = self.plan.fixed(self.rows * self.inputs)
        row = "identity" if self.machine.gaussian else "sigmoid"
        ints = (self.rows, self.units, self.inputs, 1)
        self.plan.step("affine", (h, self.w, self.b, p, ABSENT), row=row, ints=ints)
        return p

    def draw(self, p: int, into: int | None = None) -> int:
        """Units that are 1 with these probabilities."""
        n = self.plan.buffers[p].size
        y = self.plan.fixed(n) if into is None else into
        self.plan.step("bernoulli", (p, y), ints=(n, self.plan.stream()))
        return y

    def draw_visible(self, p: int, into: int | None = None) -> int:
        """Visible units with these probabilities or means."""
        if not self.machine.gaussian:
            return self.draw(p, into)
        n = self.plan.buffers[p].size
        y = self.plan.fixed(n) if into is None else into
        self.plan.step("gaussian_noise", (y,), ints=(n, self.plan.stream()), reals=(0.0, 1.0))
        self.plan.step("combine", (p, y, ABSENT), ints=(n, -1, -1, 0), reals=(1.0, 1.0))
        return y

    def sums(self, x: int, columns: int) -> int:
        """Over the rows."""
        y = self.plan.fixed(columns)
        self.plan.step("column_sums", (x, y), ints=(self.rows, columns, columns, 0, 0))
        return y


class Machine:
    """Weights of an RBM, the state of its optimizer, and passes over data.

    Attributes:
        draws: Gibbs steps that have been drawn after the training: the place of the next one in its stream.
        epochs: shuffles so far.
    """

    def __init__(self, weights: Weights, optimizer: SGD, seed: int, rule: Rule) -> None:
        self.gaussian, self.optimizer, self.seed, self.rule = weights.gaussian, optimizer, seed, rule
        self.dtype = weights.kernel.dtype
        named = zip(("kernel", "visible_bias", "hidden_bias"), weights[:3])
        self.arena = Arena(
            [Parameter(f"rbm/{name}", value.shape, self.dtype, _constant(value)) for name, value in named], self.dtype
        )
        self.kernel, self.visible_bias, self.hidden_bias = self.arena.parameters
        self.gradients = self.arena.like()
        self.slots: dict[str, Array] = {}
        self.chain: Array | None = None
        self.draws = self.epochs = 0
        self._programs: dict[Any, Executor] = {}

    @property
    def weights(self) -> Weights:
        """The arrays themselves."""
        return Weights(self.kernel.value, self.visible_bias.value, self.hidden_bias.value, self.gaussian)

    def slot(self, name: str) -> Array:
        """What the optimizer remembers under that name."""
        if name not in self.slots:
            self.slots[name] = self.arena.like()
        return self.slots[name]

    # -------------------------------------------------------------------------------------------------------- the plans

    def _training(self, batch: int, updating: bool) -> Executor:
        gradients = dict(zip(map(id, self.arena.parameters), self.arena.views(self.gradients)))
        plan = Plan(self.dtype, batch, training=True, gradients=gradients)
        rule, units = self.rule, Units(plan, self, batch)
        v0 = plan.input(units.inputs)
        h0 = units.hidden(v0)
        ends, first = self._chain(plan, units, h0)
        if rule.monitor:
            self._measure(plan, units, v0, units.visible(h0) if first == ABSENT else first)
        self._gradient(plan, units, (v0, h0), *ends)
        if not updating:
            return Executor(plan)
        update = Update(
            self.optimizer, self.arena, self.gradients, self.slot, lambda name: self.arena.views(self.slot(name))
        )
        update.emit(plan)
        return Executor(plan, update.rows())

    def _chain(self, plan: Plan, units: Units, h0: int) -> tuple[tuple[Units, tuple[int, int]], int]:
        """The end of the chain, (visible, hidden), and the first visible means if it begins at the data."""
        rule, first = self.rule, ABSENT
        moving = units
        if rule.persistent:
            assert self.chain is not None
            moving = Units(plan, self, len(self.chain))
            start = plan.array(self.chain)
        else:
            start = units.draw(h0)
        h = start
        for left in reversed(range(rule.steps)):
            means = moving.visible(h)
            if not rule.persistent and first == ABSENT:
                first = means
            v = moving.draw_visible(means) if rule.sample_visible else means
            p = moving.hidden(v)
            if left:
                h = moving.draw(p)
            elif rule.persistent:
                moving.draw(p, into=start)
        return (moving, (v, p)), first

    def _measure(self, plan: Plan, units: Units, v: int, means: int) -> None:
        """Mean squared difference between the data and their reconstruction."""
        errors = plan.buffer(1, np.float64)
        buffers = (means, v, ABSENT, ABSENT, errors)
        plan.step("elementwise_loss", buffers, row="mse", ints=(units.rows, units.inputs, PLANNED), reals=(1.0,))
        plan.score(errors, units.rows, 1.0)

    def _gradient(self, plan: Plan, units: Units, data: tuple[int, int], moving: Units, end: tuple[int, int]) -> None:
        inputs, hidden = units.inputs, units.units
        dw, db, dc = (plan.gradient(p) for p in self.arena.parameters)
        here, there = 1 / units.rows, 1 / moving.rows
        plan.step("gemm", (*end, dw), ints=(1, 0, inputs, hidden, moving.rows), reals=(there, 0.0))
        plan.step("gemm", (*data, dw), ints=(1, 0, inputs, hidden, units.rows), reals=(-here, 1.0))
        for place, gradient, size in ((0, db, inputs), (1, dc, hidden)):
            chain = moving.sums(end[place], size)
            plan.step("combine", (chain, gradient, ABSENT), ints=(size, -1, -1, 0), reals=(there, 0.0))
            plan.step(
                "combine", (units.sums(data[place], size), gradient, ABSENT), ints=(size, -1, -1, 0), reals=(-here, 1.0)
            )

    def _gibbs(self, v: Array) -> Executor:
        """One step of Gibbs sampling, in place."""
        plan = Plan(self.dtype, len(v))
        plan.streams = _SAMPLING
        units = Units(plan, self, len(v))
        buffer = plan.array(v)
        units.draw_visible(units.visible(units.draw(units.hidden(buffer))), into=buffer)
        return Executor(plan)

    # ---------------------------------------------------------------------------------------------------------- running

    def _program(self, batch: int, updating: bool) -> Executor:
        key = current(), batch, updating
        if key not in self._programs:
            self._programs[key] = self._training(batch, updating)
        return self._programs[key]

    def epoch(self, x: Array, batch: int, shuffle: bool) -> float:
        """One pass over the data; returns the reconstruction error of the mean sample, NaN if it is not measured.

        Ctrl-C leaves the weights after a whole step.
        """
        n, batch = len(x), min(batch, len(x))
        order = shuffled(n, self.seed, self.epochs) if shuffle else None
        self.epochs += 1
        total, full = 0.0, n // batch
        for length, count, first in ((batch, full, 0), (n - full * batch, 1, full * batch)):
            if length:
                total += self._pass(x, order, length, count, first)
        return total / n if self.rule.monitor else float("nan")

    def _pass(self, x: Array, order: NDArray[np.int64] | None, length: int, count: int, first: int) -> float:
        executor = self._program(length, updating=True)
        executor.program.bind((x,))
        executor.totals[:] = 0
        try:
            while count:
                at, most = self.optimizer.steps, min(count, AHEAD)
                scalars = self.optimizer.scalars(at, most)
                try:
                    executor.program.run(first, most, order, scalars, self.seed, at & 0xFFFFFFFF, PULSE)
                finally:
                    done = executor.program.done
                    self.optimizer.steps = at + done
                first, count = first + done * length, count - done
            return float(executor.totals[0])
        finally:
            executor.program.unbind()

    def gradient(self, x: Array) -> list[Array]:
        """What the next mini-batch would add to the weights, divided by minus the learning rate; nothing moves."""
        executor = self._program(len(x), updating=False)
        chain = None if self.chain is None else self.chain.copy()
        executor.program.bind((x,))
        executor.program.run(0, 1, None, None, self.seed, self.optimizer.steps & 0xFFFFFFFF)
        executor.program.unbind()
        if self.chain is not None:
            self.chain[...] = chain
        return [view.copy() for view in self.arena.views(self.gradients)]

    def walk(self, v: Array, steps: int) -> Array:
        """The visible units after so many steps of Gibbs sampling; `v` is overwritten."""
        program = self._gibbs(v).program
        while steps:
            program.bind(())
            done = program.run(0, steps, None, None, self.seed, self.draws & 0xFFFFFFFF, PULSE)
            self.draws, steps = self.draws + done, steps - done
        return v


def _constant(value: Array) -> Any:
    return lambda shape, dtype: value
