"""The engine's side of a model: the arena, the optimizer's state, and passes over data.

A program belongs to (backend, purpose, batch size, goal); the last, smaller batch of a data set has its own, and so
have the lengths of samples where these are not known (lengths.py).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.backend import current
from fastnn.engine.arena import Arena, Parameter, Range, aligned_zeros
from fastnn.engine.graph import Graph
from fastnn.engine.step import inference_plan, objective_plan
from fastnn.engine.update import Update
from fastnn.optimizers import Optimizer
from fastnn.optimizers.options import MOVING_AVERAGE

from .compiling import Goals
from .data import Data
from .lengths import Lengths
from .programs import Executor, ProgramPool
from .scores import Scores

Array = npt.NDArray[Any]

# how long a native call may run before Python looks at signals and the progress display, in seconds
PULSE = 0.05
# steps whose scalars are computed ahead
AHEAD = 1024


class Runner:
    """Runs plans for a model.

    Parameters:
        graph: of the layers, built.
        parameters: of all layers, in the order in which they lie in the arena.
        dtype: of all parameters.
        optimizer: of the trainings to come, if the model is compiled.
    """

    def __init__(
        self,
        graph: Graph,
        parameters: Sequence[Parameter],
        dtype: np.dtype[Any],
        optimizer: Optimizer | None,
    ) -> None:
        self.graph, self.dtype = graph, dtype
        self.lengths = Lengths(graph)
        self.arena = Arena(parameters, self.dtype)
        self.pool = ProgramPool()
        # held while the optimizer's arrays are made and while an update runs: one at a time, whichever thread asks
        self.updating = threading.Lock()
        # what looks at trainings from inside (engine/observing.py), if anything does
        self.observer: Any = None
        # whether layers draw random numbers in predictions, the seed for that, and how many have been drawn: in the
        # upper half of the steps that the random streams know, for trainings begin in the lower one
        self.draws = graph.draws
        self.seed: Callable[[], int] = lambda: 0
        self._drawn = itertools.count(2**31)
        self._plain = len(graph.input_shapes) == 1 and not self.draws
        self.use(optimizer)

    # ------------------------------------------------------------------------------------------------ optimizer's state

    def use(self, optimizer: Optimizer | None) -> None:
        """Train with this optimizer from now on, from the beginning."""
        self.optimizer = optimizer
        self.slots: dict[str, Array] = {}
        self.gradients: Array | None = None
        # the trainable parameters at the last step of an optimizer that moves all of them at once
        self.minimised: tuple[bool, ...] | None = None
        # whether parameters and moving averages have changed places
        self.swapped = False
        self.pool.clear(lambda key: True)

    def slot_names(self) -> tuple[str, ...]:
        """What the optimizer remembers of every parameter."""
        return self.optimizer.slot_names() if self.optimizer is not None else ()

    def state_bytes(self) -> int:
        """What they take, whether they have been made yet or not."""
        compact = self.optimizer.compact_slots() if self.optimizer is not None else ()
        count = 0
        for name in self.slot_names():
            assert self.optimizer is not None
            parts = self.arena.parameters
            count += sum(map(self.optimizer.compact_size, parts)) if name in compact else self.arena.size
        return count * self.dtype.itemsize

    def slot(self, name: str) -> Array:
        """One of them, for the whole arena; it starts from the optimizer's value."""
        assert self.optimizer is not None
        if name not in self.slots and name in self.optimizer.compact_slots():
            size = sum(self.optimizer.compact_size(parameter) for parameter in self.arena.parameters)
            self.slots[name] = aligned_zeros(size, self.dtype)
        elif name not in self.slots:
            self.slots[name] = self.arena.like()
            self.restart_slot(name)
        return self.slots[name]

    def restart_slot(self, name: str) -> None:
        """Let one of them begin anew."""
        slot, optimizer = self.slots[name], self.optimizer
        assert optimizer is not None
        slot[:] = 0
        if name in optimizer.compact_slots():
            return
        for parameter, view in zip(self.arena.parameters, self.arena.views(slot)):
            if name == MOVING_AVERAGE:  # also of what is not trained yet: it may be some day
                view[...] = parameter.value
            elif name in optimizer.slots():
                view[...] = optimizer.slot_value(name, parameter.value)

    def slot_views(self, name: str) -> list[Array]:
        """The part of each parameter in one of them, in the parameter's shape; flat where it has a size of its own."""
        slot = self.slot(name)
        assert self.optimizer is not None
        if name not in self.optimizer.compact_slots():
            return self.arena.views(slot)
        ends = np.cumsum([0, *(self.optimizer.compact_size(parameter) for parameter in self.arena.parameters)])
        return [slot[start:end] for start, end in itertools.pairwise(ends)]

    @property
    def learning(self) -> list[bool]:
        """Which layers are trained: some behave differently when they are not, even without a parameter to learn."""
        return [node.layer.trainable for node in self.graph.nodes]

    # --------------------------------------------------------------------------------------------------------- programs

    def key(self, graph: Graph, *parts: Any) -> tuple[Any, ...]:
        """What tells programs apart: the parts, and the shapes of samples where they differ."""
        return (current(), *parts) if self.lengths.are_known else (current(), *parts, graph.input_shapes)

    # The graph is `lengths.of` the samples; where all lengths are known it may be left out.

    def for_inference(self, batch: int, graph: Graph | None = None, training: bool = False) -> Executor:
        """Inputs -> outputs; training: layers behave as in training."""
        return Executor(inference_plan(graph or self.graph, self.dtype, batch, training=training))

    def for_testing(self, goals: Goals, batch: int, graph: Graph | None = None) -> Executor:
        """Inputs, targets -> scores."""
        return Executor(objective_plan(graph or self.graph, goals.objectives, self.dtype, batch))

    def for_training(self, goals: Goals, batch: int, updating: bool, graph: Graph | None = None) -> Executor:
        """Steps that end with the optimizer's update, or the gradients alone."""
        with self.updating:
            return self._for_training(goals, batch, updating, graph or self.graph)

    def _for_training(self, goals: Goals, batch: int, updating: bool, graph: Graph) -> Executor:
        if self.gradients is None:
            self.gradients = self.arena.like()
        views = zip(self.arena.parameters, self.arena.views(self.gradients))
        if self.observer is not None:
            optimizer = self.optimizer if updating else None
            self.observer.begin(None if optimizer is None else optimizer.scalars(optimizer.steps, 1).shape[1])
        update = Update(self.optimizer, self.arena, self.gradients, self.slot, self.slot_views) if updating else None
        plan = objective_plan(
            graph, goals.objectives, self.dtype, batch,
            training=True, gradients={id(p): view for p, view in views if p.trainable},
            update=None if update is None else update.emit, observer=self.observer,
            loss_scale=self.optimizer.loss_scale if updating and self.optimizer is not None else 1.0,
        )  # fmt: skip
        return Executor(plan, () if update is None else update.rows())

    def observe(self, observer: Any) -> None:
        """Let an observer look at the trainings to come; None: nobody.

        Raises:
            ValueError: somebody looks already.
        """
        if observer is not None and self.observer not in (None, observer):
            raise ValueError(f"expected one Monitor at a time. Received: {observer!r} beside {self.observer!r}")
        old, self.observer = self.observer, observer
        if old is not None and observer is None:
            self.pool.clear(lambda key: old in key)

    def finalize(self) -> None:
        """The end of a training: parameters become their moving averages, where the optimizer keeps them."""
        optimizer = self.optimizer
        if optimizer is None or not optimizer.use_ema or not optimizer.steps:
            return
        with self.updating:
            average, swapped = self.slot(MOVING_AVERAGE), self.swapped
            for part in self.arena.trainable_ranges():
                if swapped:  # the averages are where they belong already
                    part.of(average)[:] = part.values
                else:
                    part.values[:] = part.of(average)
            self.swapped = False

    def swap_averages(self) -> None:
        """See `Model.swap_averages`; before the first step there are no averages, and nothing happens."""
        optimizer = self.optimizer
        if optimizer is None or not optimizer.use_ema:
            raise ValueError(f"swap_averages: expected an optimizer with use_ema=True. Received: {optimizer!r}")
        if not optimizer.steps:
            return
        with self.updating:
            average = self.slot(MOVING_AVERAGE)
            for part in self.arena.trainable_ranges():
                kept = part.values.copy()
                part.values[:] = part.of(average)
                part.of(average)[:] = kept
            self.swapped = not self.swapped

    def gather(self, parts: Sequence[Range], flat: Array | None) -> Array:
        """The trainable parameters (None) or their part of a gradient, in one vector of float64."""
        pieces = [part.values if flat is None else part.of(flat) for part in parts]
        return np.concatenate(pieces, dtype=np.float64) if pieces else np.empty(0)

    def scatter(self, parts: Sequence[Range], values: Array) -> None:
        """Write such a vector into the parameters."""
        at = 0
        for part in parts:
            part.values[:] = values[at : at + part.size]
            at += part.size

    def constrain(self) -> None:
        """Apply the constraints of the trainable parameters."""
        for parameter, _ in self.arena.trainable_parameters():
            if parameter.constraint is not None:
                parameter.assign(parameter.constraint(parameter.value))

    # ---------------------------------------------------------------------------------------------------------- running

    def predict_one(self, x: Array, most: int) -> Array | None:
        """The output for up to `most` samples as they should be; None for all else, which `predict` takes prepared."""
        if not self._plain or not x.ndim or not 0 < len(x) <= most:
            return None
        graph = self.lengths.for_one(x)
        if graph is None:
            return None
        return self.pool.infer(self.key(graph, "infer", len(x)), x, graph, self.for_inference)

    def next_draw(self) -> tuple[int, int]:
        """Seed and step for one mini-batch of predictions that are random."""
        return self.seed(), next(self._drawn) & 0xFFFFFFFF

    def predict(
        self, x: Sequence[Array], batch: int, pulse: Callable[[int], None] | None = None, training: bool = False
    ) -> list[Array]:
        """All outputs for prepared samples; `pulse` is told the number of mini-batches done, twenty times a second.

        training: layers behave as in training.
        """
        n, graph = len(x[0]), self.lengths.of(x)
        out = [np.empty((n, *shape), self.dtype) for shape in graph.output_shapes]
        if training or self.draws:
            for number, first in enumerate(range(0, n, batch)):
                self._draw(x, out, first, min(batch, n - first), training)
                if pulse is not None:
                    pulse(number + 1)
            return out
        if n <= batch and pulse is None:
            key = self.key(graph, "infer", n)
            executor = self.pool.take(key, self.for_inference, n, graph)
            try:
                executor.program.infer(x, out)
            finally:
                self.pool.give(key, executor)
            return out
        full, rest = divmod(n, batch)
        for length, count, first in ((batch, full, 0), (rest, 1, full * batch)):
            if not length or not count:
                continue
            key = self.key(graph, "infer", length)
            executor = self.pool.take(key, self.for_inference, length, graph)
            program = executor.program
            try:
                program.bind(x, out)
                done = 0
                while done < count:
                    done += program.run(first + done * length, count - done, None, None, 0, 0, PULSE)
                    if pulse is not None:
                        pulse(first // batch + done)
            finally:
                self.pool.give(key, executor)
        return out

    def _draw(self, x: Sequence[Array], out: Sequence[Array], first: int, length: int, training: bool) -> None:
        """The outputs of one mini-batch where layers behave as in training: moving statistics move."""
        graph = self.lengths.of(x)
        key = self.key(graph, "draw", length, training, *self.learning)
        executor = self.pool.take(key, self.for_inference, length, graph, training)
        try:
            executor.program.bind(x, out)
            with self.updating:
                executor.program.run(first, 1, None, None, *self.next_draw())
        finally:
            self.pool.give(key, executor)

    def predictions(self, goals: Goals, n: int) -> tuple[Array, ...]:
        """Memory for the predictions of n samples that metrics in Python look at."""
        objectives = [objective for objective in goals.objectives if objective.predictions]
        return tuple(np.empty((n, *objective.output_shape), self.dtype) for objective in objectives)

    def gradient(self, data: Data, goals: Goals, seed: int = 0, step: int = 0) -> tuple[float, list[Array]]:
        """The loss of all samples as one mini-batch in training mode, and its gradient by the trainable parameters."""
        trainable = [p.trainable for p in self.arena.parameters]
        key = self.key(data.graph, "gradient", goals, data.n, self.observer, *trainable, *self.learning)
        executor = self.pool.take(key, self.for_training, goals, data.n, False, data.graph)
        try:
            executor.program.bind(data.inputs, self.predictions(goals, data.n))
            executor.totals[:] = 0
            executor.program.run(0, 1, None, None, seed, step)
            loss = float(executor.totals[0]) / data.n
        finally:
            self.pool.give(key, executor)
        assert self.gradients is not None
        return loss, [view.copy() for view, wanted in zip(self.arena.views(self.gradients), trainable) if wanted]


class Pass:
    """One pass over data in mini-batches; `advance` runs the next of them.

    Parameters:
        batch: samples per mini-batch; the last one may have fewer.
        order: of the samples, int64, or None as they lie.
        seed: of dropout; None evaluates instead of training.

    Attributes:
        batches: how many there are.
        done: how many are behind us.
    """

    def __init__(
        self, runner: Runner, data: Data, goals: Goals, batch: int, *, seed: int | None, order: Array | None = None
    ) -> None:
        self.runner, self.data, self.goals, self.order, self.seed = runner, data, goals, order, seed
        self.batch = min(batch, data.n)
        self.batches, self.done = -(-data.n // self.batch), 0
        self.predictions = runner.predictions(goals, data.n)
        self.masks: list[Array | None] = []  # those of the predictions, of the last mini-batch

    def advance(self, most: int, scores: Scores) -> int:
        """Run up to `most` of the mini-batches that are left, for about PULSE seconds; returns how many it were.

        Ctrl-C leaves the model after a whole step, and the optimizer's count of steps with it.
        """
        first = self.done * self.batch
        full = self.data.n // self.batch - self.done
        length, count = (self.batch, min(most, full)) if full > 0 else (self.data.n - first, 1)
        if self.goals.outside:
            count = 1
        run = self._test if self.seed is None else self._train
        optimizer = self.runner.optimizer
        if self.seed is not None and optimizer is not None and optimizer.whole_batch:
            count, run = 1, self._minimise
        ran = run(length, first, count, scores)
        self.done += ran
        scores.samples += ran * length
        if self.predictions:
            batch = slice(first, first + length)
            rows = batch if self.order is None else self.order[batch]
            weights = [None if w is None else w[rows] for w in self.data.weights]
            predictions = [p[batch] for p in self.predictions]
            scores.look([y[rows] for y in self.data.y], predictions, weights, self.masks)
        return ran

    def _keep_masks(self, executor: Executor) -> None:
        self.masks = [None if mask is None else mask.copy() for mask in executor.masks]

    def _test(self, length: int, first: int, count: int, scores: Scores) -> int:
        trained = [p.trainable for p in self.runner.arena.parameters]  # only these are penalised
        key = self.runner.key(self.data.graph, self.goals, length, *trained)
        executor = self.runner.pool.take(key, self.runner.for_testing, self.goals, length, self.data.graph)
        try:
            executor.program.bind(self.data.inputs, self.predictions)
            # sums go on where the last call left them: how the clock cuts them does not show in the last digit
            executor.totals[:] = scores.totals
            if self.runner.draws:
                with self.runner.updating:
                    ran = executor.program.run(first, 1, self.order, None, *self.runner.next_draw())
            else:
                ran = executor.program.run(first, count, self.order, None, 0, 0, PULSE)
            scores.totals[:] = executor.totals
            self._keep_masks(executor)
        finally:
            self.runner.pool.give(key, executor)
        return int(ran)

    def _train(self, length: int, first: int, count: int, scores: Scores) -> int:
        runner, optimizer = self.runner, self.runner.optimizer
        assert optimizer is not None
        how = [(p.trainable, optimizer.decays(p)) for p in runner.arena.parameters]
        observer = runner.observer
        graph = self.data.graph
        key = runner.key(
            graph, self.goals, length, optimizer.row, optimizer.plan_key(), observer, *how, *runner.learning
        )
        executor = runner.pool.take(key, runner.for_training, self.goals, length, True, graph)
        try:
            executor.program.bind(self.data.inputs, self.predictions)
            executor.totals[:] = scores.totals
            with runner.updating:
                at, count = optimizer.steps, min(count, AHEAD)
                scalars = optimizer.scalars(at, count)
                if observer is not None:
                    scalars = observer.flagged(scalars, optimizer.columns.get("update"))
                try:
                    executor.program.run(first, count, self.order, scalars, self.seed, at & 0xFFFFFFFF, PULSE)
                finally:  # whatever Ctrl-C or a step in Python has interrupted, the count is that of the weights
                    ran = executor.program.done
                    optimizer.steps = at + ran
                    if observer is not None:
                        observer.seen += ran
            scores.totals[:] = executor.totals
            self._keep_masks(executor)
        finally:
            runner.pool.give(key, executor)
        return int(ran)

    def _minimise(self, length: int, first: int, count: int, scores: Scores) -> int:
        """One step of an optimizer that evaluates the loss itself; metrics are those before the step."""
        runner, optimizer = self.runner, self.runner.optimizer
        assert optimizer is not None
        trainable = tuple(p.trainable for p in runner.arena.parameters)
        if runner.minimised not in (None, trainable):
            optimizer.forget()  # type: ignore[attr-defined]
        runner.minimised = trainable
        graph = self.data.graph
        key = runner.key(graph, "minimise", self.goals, length, runner.observer, *trainable, *runner.learning)
        executor = runner.pool.take(key, runner.for_training, self.goals, length, False, graph)
        program = executor.program
        try:
            program.bind(self.data.inputs, self.predictions)
            with runner.updating:
                at = optimizer.steps
                parts = runner.arena.trainable_ranges()
                first_predictions: list[Array] = []
                judged = False

                def evaluate(x: Array) -> tuple[float, Array]:
                    nonlocal judged
                    runner.scatter(parts, x)
                    executor.totals[:] = 0
                    program.run(first, 1, self.order, None, self.seed, at & 0xFFFFFFFF)
                    if not judged:
                        scores.totals += executor.totals
                        first_predictions.extend(p[first : first + length].copy() for p in self.predictions)
                        judged = True
                    assert runner.gradients is not None
                    return float(executor.totals[0]) / length, runner.gather(parts, runner.gradients)

                before = runner.gather(parts, None)
                try:
                    after, _ = optimizer.minimise(before, evaluate)  # type: ignore[attr-defined]
                except BaseException:  # Ctrl-C among others: as if the step had not begun
                    runner.scatter(parts, before)
                    raise
                runner.scatter(parts, after)
                runner.constrain()
                for predictions, kept in zip(self.predictions, first_predictions):
                    predictions[first : first + length] = kept
                optimizer.steps = at + 1
            self._keep_masks(executor)
        finally:
            runner.pool.give(key, executor)
        return 1


def shuffled(n: int, seed: int, number: int) -> npt.NDArray[np.int64]:
    """A permutation of 0 ... n-1 that is a function of (seed, number): random keys that end in their index, sorted."""
    keys = np.empty(n, np.uint64)
    current().random_bits(keys.view(np.uint32), seed, 0, number & 0xFFFFFFFF)
    last = np.uint64((1 << n.bit_length()) - 1)
    keys &= ~last
    keys |= np.arange(n, dtype=np.uint64)
    keys.sort()
    keys &= last
    return keys.view(np.int64)
