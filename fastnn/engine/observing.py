"""What looks at a training from inside: statistics of activations, gradients and updates, as steps of the plan.

An observer is asked while a plan is made; it adds steps that read the plan's buffers and write into arrays that it
keeps.  So nothing comes back to Python while an epoch runs, and plans that nobody observes are what they were.  Looking
costs one pass over every activation and its gradient and four over the weights; `every` spreads that over several
mini-batches, by a column of the optimizer's numbers that says whether a batch is looked at (`Step.when`).

Gradients and updates are kept as sums of squares: they add up over blocks, weights and batches, and a NaN or an
infinity in them stays visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.activations import LINEAR, ActivationSpec

from .arena import Parameter
from .graph import Graph
from .plan import ABSENT, ALWAYS, BLOCK, Plan

Array = npt.NDArray[Any]

# places in a record of activations (fastnn/reference/observing.py)
BATCHES, COUNT, NOT_FINITE, MEAN, SQUARES, LEAST, MOST, ZEROS, NEAR_LOW, NEAR_HIGH, LOW, HIGH, FIRST_BIN = range(13)
BINS = 20
# places in a record of gradients
SIGNAL, SIGNALS = range(2)  # the squares of the gradients with respect to a layer's output, and how many batches
GRADIENT, LOOKS, WEIGHT, UPDATE, UPDATES = range(5)  # of a parameter: squares, and how many batches
# An activation with a limit on either side counts as saturated within this share of its range.  A sigmoid has less than
# 8 % of its greatest derivative there, and so has a tanh: y (1 - y) = 0.02 * 0.98 against 1/4.
SATURATION_MARGIN = 0.02


def limits(spec: ActivationSpec) -> tuple[float, float] | None:
    """The limits of an activation that levels off on both sides, as sigmoid and tanh do; None for all others."""
    if not spec.row or rectifies(spec):
        return None
    low, high = (float(v) for v in spec(np.array([-np.inf, np.inf])))
    return (low, high) if np.isfinite([low, high]).all() and low < high else None


def rectifies(spec: ActivationSpec) -> bool:
    """Whether it is 0 with derivative 0 for all negative numbers and grows for positive ones, as ReLU does."""
    if not spec.row:
        return False
    negative, zero, positive = np.split(spec(np.array([-np.inf, -2.0, -1.0, 0.0, 1.0, 2.0])), [3, 4])
    return bool((negative == 0).all() and zero[0] == 0 and positive[1] > positive[0] > 0)


class Record:
    """What was seen of one call of a layer.

    Attributes:
        name: of the layer; the second call is "name:2".
        activation: what the layer ends with, as far as the plan computes it; None where layers have none.
        shape: of the output of one sample; None for lengths that differ.
        activations: see the places above.
        active: for each unit - entry of the last axis - in how many rows it was not 0; counted for rectifiers.
        signal: sums over batches, see the places above.
    """

    def __init__(self, name: str, layer: Any) -> None:
        self.name, self.layer = name, layer
        self.activation: ActivationSpec | None = getattr(layer, "activation", None)
        if not isinstance(self.activation, ActivationSpec) or hasattr(layer, "recurrent_activation"):
            self.activation = None  # a recurrent layer's output is not what its activation gives
        shapes = layer.shape_out
        self.shape: tuple[int, ...] = shapes if shapes and not isinstance(shapes[0], tuple) else ()
        self.activations = np.zeros(FIRST_BIN + BINS)
        self.active = np.zeros((self.shape[-1] if self.shape else 1) or 1)  # 1 also where it is not known how many
        self.signal = np.zeros(2)

    @property
    def limits(self) -> tuple[float, float] | None:
        return None if self.activation is None else limits(self.activation)

    @property
    def rectifies(self) -> bool:
        return self.activation is not None and rectifies(self.activation)

    def clear(self) -> None:
        for array in (self.activations, self.active, self.signal):
            array[:] = 0


class Observer:
    """Statistics of the nodes of a graph and of the weights that are trained.

    Parameters:
        graph: of the layers, built.
        every: look at one of so many mini-batches, the first one among them.

    Attributes:
        records: one for each node of the graph.
        weights: by id of the parameter, see the places above.
        seen: mini-batches since `clear`, looked at or not.
    """

    def __init__(self, graph: Graph, every: int = 1) -> None:
        self.graph, self.every, self.seen = graph, every, 0
        calls: dict[str, int] = {}
        self.records = []
        for node in graph.nodes:
            count = calls[node.layer.name] = calls.get(node.layer.name, 0) + 1
            self.records.append(Record(node.layer.name + (f":{count}" if count > 1 else ""), node.layer))
        self.weights = {id(weight): np.zeros(5) for weight in graph.weights}
        self.when, self.when_updated = ALWAYS, ALWAYS
        self._partial: dict[int, int] = {}
        self._before: list[tuple[Parameter, int]] = []

    def clear(self) -> None:
        """Begin anew: what comes next is not joined to what was seen so far."""
        self.seen = 0
        for record in self.records:
            record.clear()
        for array in self.weights.values():
            array[:] = 0

    # -------------------------------------------------------------------------------------------- while a plan is made

    def begin(self, columns: int | None) -> None:
        """The next plan reads so many numbers for each step of the optimizer, and `flagged` adds two; None: no such."""
        self.when, self.when_updated = (ALWAYS, ALWAYS) if columns is None else (columns, columns + 1)

    def forward(self, plan: Plan, number: int, x: Sequence[int], y: Sequence[int], bare: bool) -> None:
        """Behind the forward steps of a node."""
        record = self.records[number]
        if not record.shape or any(buffer in x for buffer in y):
            return  # several outputs, or nothing but another shape of the same numbers
        if bare:
            record.activation = LINEAR  # the loss has taken it over
        low, high = record.limits or (0.0, 0.0)
        columns = record.active.size
        rows_cols = (plan.buffers[y[0]].size // columns, columns)
        active = plan.array(record.active) if record.rectifies else ABSENT
        plan.step(
            "statistics", (y[0], plan.array(record.activations), active), ints=rows_cols,
            reals=(low, high, SATURATION_MARGIN * (high - low)), when=self.when,
        )  # fmt: skip

    def backward(self, plan: Plan, number: int, dy: Sequence[int]) -> None:
        """Before the backward steps of a node, of which the gradients of its outputs are known."""
        record = plan.array(self.records[number].signal)
        for buffer in dy:
            if buffer != ABSENT:
                self._squares(plan, buffer, record, SIGNAL, self.when, plan.loss_scale)
        self._count(plan, record, SIGNALS, self.when)

    def before_update(self, plan: Plan, weights: Sequence[Parameter], updated: bool) -> None:
        """When all gradients are known: of the loss with its penalties, before they are clipped or accumulated."""
        self._before = []
        for weight in weights:
            if not plan.wants_gradient(weight):
                continue
            record, value = plan.array(self.weights[id(weight)]), plan.parameter(weight)
            self._squares(plan, plan.gradient(weight), record, GRADIENT, self.when, plan.loss_scale)
            self._squares(plan, value, record, WEIGHT, self.when)
            self._count(plan, record, LOOKS, self.when)
            if updated:
                before = plan.fixed(weight.size)
                plan.step(
                    "activation", (value, before), row="identity", ints=(weight.size,), when=self.when_updated
                )  # fmt: skip
                self._before.append((weight, before))

    def after_update(self, plan: Plan) -> None:
        """When the weights are new."""
        for weight, before in self._before:
            record = plan.array(self.weights[id(weight)])
            plan.step(
                "combine", (plan.parameter(weight), before, ABSENT), ints=(weight.size, -1, -1, 0), reals=(1.0, -1.0),
                when=self.when_updated,
            )  # fmt: skip
            self._squares(plan, before, record, UPDATE, self.when_updated)
            self._count(plan, record, UPDATES, self.when_updated)

    def _squares(self, plan: Plan, x: int, record: int, place: int, when: int, scale: float = 1.0) -> None:
        size = plan.buffers[x].size
        count = -(-size // BLOCK)
        partial = plan.numbers(count)
        plan.step("sum_of_squares", (x, partial), ints=(size,), when=when)
        plan.step("tally", (partial, record), ints=(count, place), reals=(scale**-2,), when=when)

    def _count(self, plan: Plan, record: int, place: int, when: int) -> None:
        plan.step("tally", (plan.constant(np.ones(1)), record), ints=(1, place), reals=(1.0,), when=when)

    # --------------------------------------------------------------------------------------------- while a plan is run

    def flagged(self, scalars: Array, updating: int | None) -> Array:
        """The optimizer's numbers for the next steps with two more: whether to look, and whether weights change, too.

        Parameters:
            updating: the column that says whether a step updates; None: all do.
        """
        look = (self.seen + np.arange(len(scalars))) % self.every == 0
        changes = look if updating is None else look & (scalars[:, updating] != 0)
        return np.column_stack([scalars, look, changes])

    # ------------------------------------------------------------------------------------------------------- summaries

    def summary(self) -> dict[str, dict[str, Any]]:
        """What was seen since `clear`, by layer; see fastnn.callbacks.Monitor for the names.

        Layers that compute nothing are left out.  What is not a finite number is None.
        """
        found = {}
        for record in self.records:
            weights = [self.weights[id(weight)] for weight in record.layer.weights]
            if record.activations[BATCHES] or any(weight[LOOKS] for weight in weights):
                found[record.name] = {**_of_activations(record), **_of_gradients(record, weights)}
        return found


def _of_activations(record: Record) -> dict[str, Any]:
    seen = record.activations
    count = seen[COUNT]
    known = count > 0
    saturated = known and record.limits is not None
    return {
        "mean": float(seen[MEAN]) if known else None,
        "deviation": float(np.sqrt(seen[SQUARES] / count)) if known else None,
        "minimum": float(seen[LEAST]) if known else None,
        "maximum": float(seen[MOST]) if known else None,
        "zeros": float(seen[ZEROS] / count) if known else None,
        "not_finite": float(seen[NOT_FINITE] / (count + seen[NOT_FINITE])) if count + seen[NOT_FINITE] else None,
        "saturated": float((seen[NEAR_LOW] + seen[NEAR_HIGH]) / count) if saturated else None,
        "dead": float(np.mean(record.active == 0)) if record.rectifies and known else None,
        "histogram": seen[FIRST_BIN:].astype(np.int64).tolist(),
        "range": [float(seen[LOW]), float(seen[HIGH])],
    }


def _of_gradients(record: Record, weights: Sequence[Array]) -> dict[str, Any]:
    trained = [weight for weight in weights if weight[LOOKS]]
    updated = [weight for weight in trained if weight[UPDATES]]
    return {
        "signal": _root(record.signal[SIGNAL], record.signal[SIGNALS]),
        "gradient": _root(sum(weight[GRADIENT] for weight in trained), trained[0][LOOKS] if trained else 0),
        "weight": _root(sum(weight[WEIGHT] for weight in trained), trained[0][LOOKS] if trained else 0),
        "update": _root(sum(weight[UPDATE] for weight in updated), updated[0][UPDATES] if updated else 0),
        "update_ratio": _root(
            sum(weight[UPDATE] / weight[UPDATES] for weight in updated),
            sum(weight[WEIGHT] / weight[LOOKS] for weight in updated),
        ),
    }


def _root(squares: float, count: float) -> float | None:
    """sqrt(squares / count), None where that is no number."""
    with np.errstate(all="ignore"):
        value = float(np.sqrt(squares / count)) if count else np.nan
    return value if np.isfinite(value) else None
