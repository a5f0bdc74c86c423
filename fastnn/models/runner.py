"""Runs plans for a model: keeps the arena, the gradients, the optimizer's state, and one program for each situation.

A program belongs to (backend, mode, batch size, shape of the objective).  The last, smaller batch of a data set has its
own.  Everything is dropped when the model's parameters move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnn import _native
from fastnn.backend import current
from fastnn.engine.arena import Arena, Parameter
from fastnn.engine.step import Objective, inference_plan, objective_plan
from fastnn.layers.base import Layer, size
from fastnn.optimizers import Optimizer

from .data import Data

# how long a native call may run before Python looks at signals and the progress display, in seconds
PULSE = 0.05
# steps whose scalars are computed ahead
AHEAD = 1024
SLOTS: dict[str, tuple[str, ...]] = {name: slots for name, slots, _ in _native.tables()["optimizers"]}


class Pass(NamedTuple):
    """The outcome of one run over data: sums of scores, samples seen."""

    totals: np.ndarray
    samples: int


class Runner:
    """The engine's side of one model.

    Parameters:
        stack: the layers, in order, built.
        dtype: of all parameters.
    """

    def __init__(
        self, stack: Sequence[Layer], parameters: Sequence[Parameter], dtype: str, input_shape: Any, output_shape: Any
    ) -> None:
        self.stack = list(stack)
        self.dtype = np.dtype(dtype)
        self.input_size, self.output_size = size(input_shape), size(output_shape)
        self.output_shape = output_shape
        self.arena = Arena(parameters, self.dtype)
        self.programs: dict[Any, Any] = {}
        self.optimizer: Optimizer | None = None
        self.gradients: np.ndarray | None = None
        self.slots: dict[str, np.ndarray] = {}

    # ------------------------------------------------------------------------------------------------- optimizer's state

    def use(self, optimizer: Optimizer | None) -> None:
        """Train with this optimizer from now on, its state at the beginning."""
        self.optimizer = optimizer
        self.slots = {}
        self.gradients = None
        self.forget_training()

    def forget_training(self) -> None:
        """Drop training programs: the optimizer's row or what is trainable has changed."""
        self.programs = {key: program for key, program in self.programs.items() if key[1] != "train"}

    def ready_to_train(self) -> None:
        """Allocate gradients and slots."""
        assert self.optimizer is not None
        names = SLOTS[self.optimizer.row]
        if self.gradients is None:
            self.gradients = self.arena.like()
        for name in names:
            if name not in self.slots:
                slot = self.arena.like()
                value = self.optimizer.slot_value(name)
                if value:
                    for view in self.arena.views(slot):
                        view[...] = value
                self.slots[name] = slot

    def segments(self) -> list[tuple[Any, ...]]:
        """The optimizer's ranges of the arena: (p, g, slots, l2, decay)."""
        assert self.optimizer is not None and self.gradients is not None
        slots = [self.slots[name] for name in SLOTS[self.optimizer.row]]
        return [
            (self.arena.values[a:b], self.gradients[a:b], [s[a:b] for s in slots], 0.0, 1.0)
            for a, b in self.arena.trainable_ranges()
        ]

    # ------------------------------------------------------------------------------------------------------------ programs

    def inference(self, batch: int) -> Any:
        key = (current().name, "infer", batch)
        program = self.programs.get(key)
        if program is None:
            plan = inference_plan(self.stack, self.input_size, self.output_size, self.dtype, batch)
            program = self.programs[key] = current().Program(plan)
        return program

    def _objective(self, objective: Objective, batch: int, train: bool) -> Any:
        trainable = tuple(p.trainable for p in self.arena.parameters) if train else ()
        row = self.optimizer.row if train and self.optimizer is not None else None
        mode = "train" if train else "test"
        key = (current().name, mode, batch, objective.weighted, objective.predictions, row, trainable)
        program = self.programs.get(key)
        if program is None:
            segments: list[tuple[Any, ...]] = []
            gradients: dict[int, np.ndarray] = {}
            if train:
                self.ready_to_train()
                assert self.gradients is not None
                segments = self.segments()
                views = self.arena.views(self.gradients)
                gradients = {id(p): v for p, v in zip(self.arena.parameters, views) if p.trainable}
            plan = objective_plan(self.stack, self.input_size, objective, self.dtype, batch, gradients, row)
            program = self.programs[key] = current().Program(plan, segments)
        return program

    # ---------------------------------------------------------------------------------------------------------- running

    def run(
        self,
        data: Data,
        objective: Objective,
        batch: int,
        *,
        train: bool,
        order: np.ndarray | None = None,
        steps: int | None = None,
        seed: int = 0,
        predictions: np.ndarray | None = None,
        on_batch: Callable[[int, bool, Pass], bool] | None = None,
        pulse: Callable[[int, Pass], None] | None = None,
    ) -> Pass:
        """One pass over the data in mini-batches.

        on_batch(step, begin, so_far) is called around every step if given, and stops the pass by returning True; pulse
        (steps done, so_far) is called about twenty times a second.  An interrupt leaves the model after a whole step.
        """
        full, rest = divmod(data.n, batch)
        if steps is not None and steps <= full:
            full, rest = steps, 0
        sections = [(batch, full, 0), (rest, 1, full * batch)]
        so_far = Pass(np.zeros(1 + len(objective.metrics)), 0)
        done = 0
        for size_, count, first in sections:
            if size_ == 0 or count == 0:
                continue
            program = self._objective(objective, size_, train)
            program.bind(data.inputs, () if predictions is None else (predictions,))
            # sums run on over the native calls: how the clock cut them does not show in the last digit
            program.totals[:] = 0
            before = so_far
            at = 0
            while at < count:
                if on_batch is not None and on_batch(done, True, so_far):
                    return so_far
                ran = self._steps(program, first + at * size_, 1 if on_batch else count - at, train, order, seed)
                at, done = at + ran, done + ran
                so_far = Pass(before.totals + program.totals, so_far.samples + ran * size_)
                if on_batch is not None and on_batch(done - 1, False, so_far):
                    return so_far
                if pulse is not None:
                    pulse(done, so_far)
        return so_far

    def _steps(self, program: Any, first: int, count: int, train: bool, order: Any, seed: int) -> int:
        if not train:
            return int(program.run(first, count, order, None, seed, 0, PULSE))
        assert self.optimizer is not None
        at = self.optimizer.iterations
        count = min(count, AHEAD)
        ran = int(program.run(first, count, order, self.optimizer.scalars(at, count), seed, at & 0xFFFFFFFF, PULSE))
        self.optimizer.iterations = at + ran
        return ran

    def predict(self, x: np.ndarray, batch: int, pulse: Callable[[int], None] | None = None) -> np.ndarray:
        """Predictions for prepared samples."""
        n = len(x)
        out = np.empty((n, *self.output_shape), self.dtype)
        full, rest = divmod(n, batch)
        for size_, count, first in ((batch, full, 0), (rest, 1, full * batch)):
            if size_ == 0 or count == 0:
                continue
            program = self.inference(size_)
            program.bind((x,), (out,))
            at = 0
            while at < count:
                at += program.run(first + at * size_, count - at, None, None, 0, 0, PULSE)
                if pulse is not None:
                    pulse(at)
        return out


def shuffled(n: int, seed: int, epoch: int) -> np.ndarray:
    """A permutation of 0 ... n-1 that is a function of (seed, epoch): random keys, sorted."""
    keys = np.empty(n, np.uint32)
    current().random_bits(keys, seed, 0, epoch)
    if n <= 2**32:
        pairs = (keys.astype(np.uint64) << np.uint64(32)) | np.arange(n, dtype=np.uint64)
        pairs.sort()
        return (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return np.argsort(keys, kind="stable").astype(np.int64)
