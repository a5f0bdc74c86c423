"""Puts a whole step together: gather, forward, loss, metrics, backward, update - or the parts that a mode needs.

The layers and the objective describe themselves; this module only orders their steps in a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from . import penalties
from .arena import Parameter
from .plan import ABSENT, LABELS, PLANNED, WEIGHTS, Plan

Array = npt.NDArray[Any]
# (buffer of dy, whether dx is wanted) -> buffer of dx; adds the backward steps
Backward = Callable[[int, bool], int]


class Emitter(Protocol):
    """The part of a layer that plans need: emit(plan, buffer of x) -> buffer of y, what adds the backward steps.

    Layers with an activation take `bare=True` as well: leave it out, the loss wants what comes before it.
    """

    @property
    def weights(self) -> list[Parameter]: ...

    @property
    def emit(self) -> Callable[..., tuple[int, Backward]]: ...


@dataclass
class Objective:
    """What a model is trained for and judged by, resolved for its output.

    Attributes:
        loss: the kernel of the loss (fastnn.losses.LossKernel).
        reduction: of the loss, as in Keras.
        ignore: the label that does not count, or None.
        metrics: kernels (fastnn.metrics.MetricKernel) of the metrics that run inside the step.
        final: the activation of the output layer (fastnn.activations.ActivationSpec).
        output_shape: of one sample.
        weighted: whether every batch brings weights.
        smoothed: whether the loss looks at targets of its own, other than the metrics'.
        predictions: whether the predictions of each batch are wanted as an output.
    """

    loss: Any
    reduction: str
    ignore: int | None
    metrics: Sequence[Any]
    final: Any
    output_shape: tuple[int, ...]
    weighted: bool = False
    smoothed: bool = False
    predictions: bool = False

    @property
    def cols(self) -> int:
        return self.output_shape[-1]

    @property
    def rows(self) -> int:
        """Rows of predictions in one sample."""
        return int(np.prod(self.output_shape[:-1], dtype=np.int64))

    @property
    def labelled(self) -> bool:
        return bool(self.loss.target == "labels")

    @property
    def divisor(self) -> int:
        if self.reduction == "mean_with_sample_weight" and self.weighted:
            return WEIGHTS
        if self.ignore is not None and self.reduction != "sum":
            return LABELS
        return PLANNED


def inference_plan(stack: Sequence[Emitter], inputs: int, outputs: int, dtype: npt.DTypeLike, batch: int) -> Plan:
    """x -> predictions, written into the caller's array."""
    plan = Plan(dtype, batch)
    x = y = plan.input(inputs)
    for layer in stack:
        y, _ = layer.emit(plan, y)
    if y == x:  # nothing but reshaping: still the caller gets an array of their own
        y = plan.buffer(outputs)
        plan.step("activation", (x, y), row="identity", ints=(batch * outputs,))
    plan.output(y, outputs)
    return plan


def objective_plan(
    stack: Sequence[Emitter],
    inputs: int,
    objective: Objective,
    dtype: npt.DTypeLike,
    batch: int,
    *,
    training: bool = False,
    gradients: dict[int, Array] | None = None,
    update: Callable[[Plan], None] | None = None,
) -> Plan:
    """x, targets[, weights] -> scores; in training also the gradients, and what `update` adds: the optimizer's steps.

    Inputs of the plan, in order: x, targets of the loss, targets of the metrics (if `smoothed`), weights (if
    `weighted`).  Scores: the loss, then the metrics.
    """
    plan = Plan(dtype, batch, training, gradients)
    x = plan.input(inputs)
    backwards = []
    for layer in stack:
        bare = {"bare": True} if objective.loss.fused and layer is stack[-1] else {}
        x, backward = layer.emit(plan, x, **bare)
        backwards.append(penalties.on_output(plan, layer, x, backward))

    target = _target_input(plan, objective)
    judged = _target_input(plan, objective) if objective.smoothed else target
    weight = plan.input(objective.rows, np.float64) if objective.weighted else ABSENT
    grad = plan.buffer(objective.rows * objective.cols) if training else ABSENT
    predictions = _loss(plan, objective, x, target, weight, grad)
    for metric in objective.metrics:
        _metric(plan, objective, metric, predictions, judged)
    if objective.predictions:
        _copy_out(plan, predictions, objective)

    if training:
        _backward(plan, stack, backwards, grad)
    penalties.on_weights(plan, [weight for layer in stack for weight in layer.weights])
    if update is not None:
        update(plan)
    return plan


def _backward(plan: Plan, stack: Sequence[Emitter], backwards: Sequence[Backward], grad: int) -> None:
    """The backward steps, down to the lowest layer that has something to learn."""
    learning = [i for i, layer in enumerate(stack) if any(map(plan.wants_gradient, layer.weights))]
    for i in range(len(stack) - 1, min(learning, default=len(stack)) - 1, -1):
        grad = backwards[i](grad, i > learning[0])


def _target_input(plan: Plan, objective: Objective) -> int:
    if objective.labelled:
        return plan.input(objective.rows, np.int32)
    return plan.input(objective.rows * objective.cols)


def _wants_probabilities(objective: Objective) -> bool:
    """Whether something looks at more of the predictions than their order."""
    ordered = ("label_hits", "argmax_hits")
    return objective.predictions or any(m.op not in ordered for m in objective.metrics)


def _loss(plan: Plan, o: Objective, x: int, target: int, weight: int, grad: int) -> int:
    """Adds the loss and its score; returns the buffer that the metrics look at."""
    rows, per_sample = plan.batch * o.rows, o.rows * o.cols
    mean = o.reduction != "sum"
    row_loss = plan.buffer(o.rows, np.float64)
    ints = (rows, o.cols, o.divisor)
    reals = (1.0 / rows if mean else 1.0,)
    predictions = x
    if o.loss.op == "elementwise_loss":
        if o.loss.fused and _wants_probabilities(o):
            predictions = plan.buffer(per_sample)
            plan.step("activation", (x, predictions), row=o.final.row, ints=(rows * o.cols,), reals=o.final.params)
        plan.step(
            o.loss.op, (x, target, weight, grad, row_loss), row=o.loss.row, ints=ints, reals=(*reals, *o.loss.params)
        )
        ignore = 0
    else:
        *params, ignore = o.loss.params
        buffers: tuple[int, ...] = (x, target, weight, grad)
        if o.loss.op == "softmax_cross_entropy":
            probs = plan.buffer(per_sample) if o.loss.fused and _wants_probabilities(o) else ABSENT
            predictions = probs if probs != ABSENT else x
            buffers = (*buffers, probs)
        plan.step(o.loss.op, (*buffers, row_loss), ints=(*ints, int(ignore)), reals=(*reals, *params))
    counted = {PLANNED: ABSENT, WEIGHTS: weight, LABELS: target}[o.divisor]
    plan.score(row_loss, rows, plan.batch / rows if mean else float(plan.batch), o.divisor, counted, int(ignore))
    return predictions


def _metric(plan: Plan, o: Objective, metric: Any, predictions: int, target: int) -> None:
    rows = plan.batch * o.rows
    values = plan.buffer(o.rows, np.float64)
    if metric.op == "elementwise_loss":
        plan.step(
            metric.op,
            (predictions, target, ABSENT, ABSENT, values),
            row=metric.row,
            ints=(rows, o.cols, PLANNED),
            reals=(1.0, *metric.params),
        )
    else:
        plan.step(metric.op, (predictions, target, values), ints=(rows, o.cols), reals=metric.params)
    plan.score(values, rows, plan.batch / rows)


def _copy_out(plan: Plan, predictions: int, o: Objective) -> None:
    per_sample = o.rows * o.cols
    out = plan.buffer(per_sample)
    plan.step("activation", (predictions, out), row="identity", ints=(plan.batch * per_sample,))
    plan.output(out, per_sample)
