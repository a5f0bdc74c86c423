"""Puts a whole step together: gather, forward, loss, metrics, backward, update - or the parts that a mode needs.

The layers and the objective describe themselves; this module only orders their steps in a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fastnn import _native

from . import masks, penalties
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
        targets: numbers that the loss compares a sample with.
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
    targets: int = 0

    @property
    def size(self) -> int:
        """Numbers of one sample."""
        return int(np.prod(self.output_shape, dtype=np.int64))

    @property
    def cols(self) -> int:
        """Numbers of a row that metrics look at."""
        return self.output_shape[-1]

    @property
    def rows(self) -> int:
        """Rows of one sample that metrics look at."""
        return self.size // self.cols

    @property
    def losses(self) -> int:
        """Losses of one sample; a loss of the whole batch counts as one of every sample."""
        axes = self.loss.axes
        return int(np.prod(self.output_shape[: len(self.output_shape) - axes], dtype=np.int64)) if axes else 1

    @property
    def labelled(self) -> bool:
        """Whether there is one label for every row."""
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
        y, _ = masks.emit(plan, layer, y)
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
        x, backward = masks.emit(plan, layer, x, **bare)
        backwards.append(penalties.on_output(plan, layer, x, backward))

    target = _target_input(plan, objective)
    judged = _target_input(plan, objective) if objective.smoothed else target
    weight = plan.input(objective.losses, np.float64) if objective.weighted else ABSENT
    objective, weight = masks.on_loss(plan, objective, x, weight)
    grad = plan.buffer(objective.size) if training else ABSENT
    predictions = _loss(plan, objective, x, target, weight, grad)
    for metric in objective.metrics:
        _metric(plan, objective, metric, predictions, judged, plan.masks.get(x, ABSENT))
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
    if objective.targets == 0:
        return ABSENT
    return plan.input(objective.targets, np.int32 if objective.loss.labelled else None)


def _wants_probabilities(objective: Objective) -> bool:
    """Whether something looks at more of the predictions than their order."""
    ordered = ("label_hits", "argmax_hits")
    return objective.predictions or any(m.op not in ordered for m in objective.metrics)


def _loss(plan: Plan, o: Objective, x: int, target: int, weight: int, grad: int) -> int:
    """Adds the loss and its score; returns the buffer that the metrics look at."""
    rows = plan.batch * o.losses if o.loss.axes else 1
    cols = plan.batch * o.size // rows
    mean = o.reduction != "sum"
    row_loss = plan.buffer(o.losses, np.float64)
    ints = (rows, cols, o.divisor)
    scale = 1.0 / rows if mean else 1.0
    predictions, probs = x, ABSENT
    if o.loss.fused and _wants_probabilities(o):
        predictions = plan.buffer(o.size)
        if o.loss.row == "softmax_cross_entropy":
            probs = predictions  # that loss has them anyway
        elif not o.final.row:
            plan.step(o.final.name, (x, predictions), ints=(rows, cols))
        else:
            plan.step("activation", (x, predictions), row=o.final.row, ints=(rows * cols,), reals=o.final.params)
    buffers = (x, target, weight, grad, row_loss)
    ignore = 0
    if o.loss.op == "elementwise_loss":
        plan.step(o.loss.op, buffers, row=o.loss.row, ints=ints, reals=(scale, *o.loss.params))
    else:
        ignore = o.loss.ignore
        params, scratch = o.loss.params, ABSENT
        if o.loss.target == "sequences":
            params = (float(o.cols), *params)
            scratch = plan.buffer(_native.ctc_scratch(o.rows, o.targets), np.float64)
        factors = ABSENT if o.loss.class_weight is None else plan.constant(np.array(o.loss.class_weight, plan.dtype))
        targets = plan.batch * o.targets // rows
        plan.step(
            o.loss.op,
            (*buffers, probs, factors, scratch),
            row=o.loss.row,
            ints=(*ints, ignore, -targets if o.loss.labelled else targets, o.loss.inputs),
            reals=(scale, o.loss.smoothing, *params),
        )
    counted = {PLANNED: ABSENT, WEIGHTS: weight, LABELS: target}[o.divisor]
    plan.score(row_loss, rows, plan.batch / rows if mean else float(plan.batch), o.divisor, counted, ignore)
    return predictions


def _metric(plan: Plan, o: Objective, metric: Any, predictions: int, target: int, mask: int) -> None:
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
    elif metric.op == "row_loss":
        plan.step(
            metric.op,
            (predictions, target, ABSENT, ABSENT, values, ABSENT, ABSENT, ABSENT),
            row=metric.row,
            ints=(rows, o.cols, PLANNED, 0, o.cols, 1),
            reals=(1.0, 0.0, *metric.params),
        )
    else:
        plan.step(metric.op, (predictions, target, values), ints=(rows, o.cols), reals=metric.params)
    plan.score(values, rows, plan.batch / rows, *masks.on_metric(plan, mask, values, o.rows))


def _copy_out(plan: Plan, predictions: int, o: Objective) -> None:
    out = plan.buffer(o.size)
    plan.step("activation", (predictions, out), row="identity", ints=(plan.batch * o.size,))
    plan.output(out, o.size)
