"""One training step in the engine, with copies of everything that passes by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn.engine.arena import Parameter
from fastnn.engine.graph import Graph
from fastnn.engine.plan import ABSENT, Plan
from fastnn.models.borrowing import unchanged
from fastnn.models.compiling import Goals
from fastnn.models.data import Data
from fastnn.models.diagnosis.state import loss_alone
from fastnn.models.runner import Pass
from fastnn.models.scores import Scores

if TYPE_CHECKING:
    from fastnn.models.model import Model

Array = npt.NDArray[Any]


@dataclass
class Call:
    """A layer's part of the step.

    Attributes:
        bare: whether the loss computes the layer's activation, so that y is what comes before it.
        x, y, dy: its input, its output, and the gradient of the loss with respect to that; dy None if nobody asked.
        weights: name -> before; gradients; after.
        slots: (name of the weight, name of the slot) -> before, after.
    """

    layer: Any
    bare: bool
    x: Array
    y: Array
    dy: Array | None = None
    weights: dict[str, Array] = field(default_factory=dict)
    gradients: dict[str, Array] = field(default_factory=dict)
    after: dict[str, Array] = field(default_factory=dict)
    slots: dict[tuple[str, str], tuple[Array, Array]] = field(default_factory=dict)


@dataclass
class Trace:
    """The whole step."""

    calls: list[Call]
    loss: float
    target: Array
    step: int  # of the optimizer, counted from 1
    rate: float


class Tracer:
    """An observer (engine/observing.py) that copies what the steps of a plan give."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.seen = graph, 0
        self.calls: dict[int, Call] = {}
        self.gradients: dict[int, Array] = {}

    def begin(self, columns: int | None) -> None:
        pass

    def flagged(self, scalars: Array, updating: int | None) -> Array:
        return scalars

    def forward(self, plan: Plan, number: int, x: Sequence[int], y: Sequence[int], bare: bool) -> None:
        layer: Any = self.graph.nodes[number].layer
        inputs, outputs = ((plan.batch, *shape) for shape in (layer.shape_in, layer.shape_out))
        self.calls[number] = Call(layer, bare, _copied(plan, x[0], inputs), _copied(plan, y[0], outputs))

    def backward(self, plan: Plan, number: int, dy: Sequence[int]) -> None:
        if dy[0] != ABSENT:
            self.calls[number].dy = _copied(plan, dy[0], self.calls[number].y.shape)

    def before_update(self, plan: Plan, weights: Sequence[Parameter], updated: bool) -> None:
        for weight in weights:
            if plan.wants_gradient(weight):
                self.gradients[id(weight)] = _copied(plan, plan.gradient(weight), weight.shape)

    def after_update(self, plan: Plan) -> None:
        pass


def _copied(plan: Plan, buffer: int, shape: tuple[int, ...]) -> Array:
    array = np.zeros(shape, plan.dtype)
    plan.step("activation", (buffer, plan.array(array)), row="identity", ints=(array.size,))
    return array


def trace(model: Model, data: Data, goals: Goals) -> Trace:
    """Run one training step, and undo it."""
    runner, optimizer = model.runner, model.optimizer
    assert optimizer is not None
    target = np.asarray(data.inputs[1])
    goals = loss_alone(goals)
    tracer = Tracer(runner.graph)
    before = {id(p): p.numpy() for p in runner.arena.parameters}
    with unchanged(model):
        rate, step = float(optimizer.learning_rate), optimizer.steps + 1
        names = optimizer.slot_names()
        slots = {name: [view.copy() for view in runner.slot_views(name)] for name in names}
        runner.observe(None)
        runner.observe(tracer)
        scores = Scores(goals)
        inputs = data.inputs[:2]
        Pass(runner, data._replace(inputs=inputs), goals, data.n, seed=model.seed).advance(1, scores)
        loss = float(scores.totals[0]) / data.n
        for number in tracer.calls:
            call = tracer.calls[number]
            for weight in call.layer.weights:
                name = weight.name.rsplit("/", 1)[-1]
                call.weights[name], call.after[name] = before[id(weight)], weight.numpy()
                if id(weight) in tracer.gradients:
                    call.gradients[name] = tracer.gradients[id(weight)]
                place = next(i for i, p in enumerate(runner.arena.parameters) if p is weight)
                for slot in names:
                    call.slots[name, slot] = slots[slot][place], runner.slot_views(slot)[place].copy()
    return Trace([tracer.calls[number] for number in sorted(tracer.calls)], loss, target, step, rate)
