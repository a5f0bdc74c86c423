"""Puts a whole step together: gather, forward, loss, metrics, backward, update - or the parts that a mode needs.

The layers and the objective describe themselves; this module only orders their steps in a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn import _native
from fastnn.losses import custom

from . import masks, penalties
from .graph import Backward, Flow, Graph
from .penalties import LOSS
from .plan import ABSENT, LABELS, PLANNED, WEIGHTS, Plan

__all__ = ["Backward", "Objective", "inference_plan", "objective_plan"]

Array = npt.NDArray[Any]


@dataclass
class Objective:
    """What one output of a model is trained for and judged by, resolved for its shape.

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
        masked: whether the weights come from a mask that knows the labels that do not count, and average already.
        output: which output of the graph it is.
        share: what the loss is multiplied by before the losses of all outputs are added.
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
    masked: bool = False
    output: int = 0
    share: float = 1.0

    @property
    def size(self) -> int:
        """Numbers of one sample."""
        return _size(self.output_shape)

    @property
    def cols(self) -> int:
        """Numbers of a row that metrics look at."""
        return self.output_shape[-1]

    @property
    def rows(self) -> int:
        """Rows of one sample that metrics look at."""
        return self.size // self.cols

    @property
    def seen_shape(self) -> tuple[int, ...]:
        """The output of one sample as the loss sees it: its axis is the last one."""
        return tuple(self.loss.seen((1, *self.output_shape), self.loss.row)[1:])

    @property
    def losses(self) -> int:
        """Losses of one sample; a loss of the whole batch counts as one of every sample."""
        axes, shape = self.loss.axes, self.seen_shape
        return int(np.prod(shape[: len(shape) - axes], dtype=np.int64)) if axes else 1

    @property
    def labelled(self) -> bool:
        """Whether there is one label for every row."""
        return bool(self.loss.target == "labels")

    @property
    def divisor(self) -> int:
        if self.reduction == "mean_with_sample_weight" and self.weighted:
            return WEIGHTS
        if self.ignore is not None and self.reduction != "sum" and not self.masked:
            return LABELS
        return PLANNED


def inference_plan(
    graph: Graph, dtype: npt.DTypeLike, batch: int, values: Mapping[int, Array] | None = None, training: bool = False
) -> Plan:
    """Inputs -> predictions of all outputs, written into the caller's arrays.

    values: what stands for the parameters' own, by id of the parameter.  training: layers behave as in training.
    """
    plan = Plan(dtype, batch, training, values=values)
    flow = Flow(plan, graph, _inputs(plan, graph))
    for y, shape in zip(flow.outputs, graph.output_shapes):
        size = _size(shape)
        if plan.buffers[y].kind != "work":  # nothing but reshaping, or an output twice: still an array of its own
            y, x = plan.buffer(size), y
            plan.step("activation", (x, y), row="identity", ints=(batch * size,))
        plan.output(y, size)
    return plan


def objective_plan(
    graph: Graph,
    objectives: Sequence[Objective],
    dtype: npt.DTypeLike,
    batch: int,
    *,
    training: bool = False,
    gradients: dict[int, Array] | None = None,
    update: Callable[[Plan], None] | None = None,
    observer: Any = None,
    loss_scale: float = 1.0,
) -> Plan:
    """Inputs, targets[, weights] -> scores; in training also the gradients, and the steps that `update` adds.

    The gradients are those of the loss times `loss_scale`; the scores are not.
    An `observer` (engine/observing.py) adds steps that look at activations, gradients and updates.

    Inputs of the plan, in order: those of the graph; then for every objective: targets of the loss, targets of the
    metrics (if `smoothed`), weights (if `weighted`).  Scores: the loss; the loss of each objective, if there are
    several; for each metric the sum of its values, and the sum of their weights, which stays 0 where samples count
    1.  Outputs: the predictions of each objective that wants them; `Plan.shown_masks` has their masks.
    """
    plan = Plan(dtype, batch, training, gradients)
    plan.scored, plan.loss_scale = True, loss_scale
    inputs = _inputs(plan, graph)
    flow = Flow(plan, graph, inputs, {graph.outputs[o.output] for o in objectives if o.loss.fused}, observer)
    arrived, judgements = [], []
    for o in objectives:
        with plan.part("", "gather"):
            target = _target_input(plan, o)
            judged = _target_input(plan, o) if o.smoothed else target
            weight = plan.input(o.losses, np.float64) if o.weighted else ABSENT
        x = flow.outputs[o.output]
        with plan.part("", "loss"):
            o, weight = masks.on_loss(plan, o, x, weight, target)
            grad = plan.buffer(o.size) if training else ABSENT
            predictions = _loss(plan, o, x, target, weight, grad, alone=len(objectives) == 1)
        arrived.append((graph.outputs[o.output], grad))
        judgements.append((o, predictions, judged, plan.masks.get(x, ABSENT)))
    with plan.part("", "metrics"):
        for o, predictions, judged, mask in judgements:
            for metric in o.metrics:
                _metric(plan, o, metric, predictions, judged, mask)
            if o.predictions:
                _copy_out(plan, predictions, o)
                plan.shown_masks.append(masks.shown(plan, mask))

    weights = graph.weights
    if training:
        with plan.part("", "backward"):
            flow.backward(arrived)
            for parameter in weights:  # those that no loss depends on
                if plan.wants_gradient(parameter) and not plan.gradient_is_known(parameter):
                    plan.step("clip_values", (plan.gradient(parameter),), ints=(parameter.size,), reals=(0.0,))
    with plan.part("", "penalties"):
        penalties.on_weights(plan, weights)
    if observer is not None:
        with plan.part("", "observing"):
            observer.before_update(plan, weights, update is not None)
    if update is not None:
        with plan.part("", "update"):
            update(plan)
    if observer is not None and update is not None:
        with plan.part("", "observing"):
            observer.after_update(plan)
    return plan


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _inputs(plan: Plan, graph: Graph) -> list[int]:
    with plan.part("", "gather"):
        return [plan.input(_size(shape)) for shape in graph.input_shapes]


def _target_input(plan: Plan, objective: Objective) -> int:
    if objective.targets == 0:
        return ABSENT
    return plan.input(objective.targets, np.int32 if objective.loss.labelled else None)


def _wants_probabilities(objective: Objective) -> bool:
    """Whether something looks at more of the predictions than their order."""
    ordered = ("label_hits", "argmax_hits")
    return objective.predictions or any(m.op not in ordered for m in objective.metrics)


def _loss(plan: Plan, o: Objective, x: int, target: int, weight: int, grad: int, alone: bool) -> int:
    """Adds the loss and its scores; returns the buffer that the metrics look at."""
    rows = plan.batch * o.losses if o.loss.axes else 1
    cols = plan.batch * o.size // rows
    mean = o.reduction != "sum"
    row_loss = plan.buffer(o.losses, np.float64)
    ints = (rows, cols, o.divisor)
    scale = plan.loss_scale * (o.share / rows if mean and o.divisor == PLANNED else o.share)
    predictions, probs = x, ABSENT
    if o.loss.fused and _wants_probabilities(o):
        predictions = plan.buffer(o.size)
        if o.loss.row == "softmax_cross_entropy":
            probs = predictions  # that loss has them anyway
        elif not o.final.row:
            plan.step(o.final.name, (x, predictions), ints=(rows, cols))
        else:
            plan.step("activation", (x, predictions), row=o.final.row, ints=(rows * cols,), reals=o.final.params)
    outside = (x, grad)
    if o.seen_shape != o.output_shape:
        x, grad = plan.buffer(o.size), grad if grad == ABSENT else plan.buffer(o.size)
        _turn(plan, o, outside[0], x, back=False)
    buffers = (x, target, weight, grad, row_loss)
    ignore = 0
    if o.loss.python is not None:
        computed = custom.step_of(
            o.loss.python, o.loss.axes, o.output_shape, o.loss.target_shape, scale, o.divisor == WEIGHTS
        )
        plan.step("call", buffers, call=computed)
    elif o.loss.op == "elementwise_loss":
        plan.step(o.loss.op, buffers, row=o.loss.row, ints=ints, reals=(scale, *o.loss.params))
    else:
        ignore = o.loss.ignore
        params, scratch = o.loss.params, ABSENT
        if o.loss.target == "sequences":
            params = (float(o.cols), *params)
            scratch = plan.buffer(_native.ctc_scratch(o.rows, o.targets), np.float64)
        elif o.loss.target == "groups":
            scratch = plan.buffer(_native.group_scratch() * o.losses, np.float64)
        factors = ABSENT if o.loss.class_weight is None else plan.constant(np.array(o.loss.class_weight, plan.dtype))
        targets = plan.batch * o.targets // rows
        plan.step(
            "group_loss" if o.loss.target == "groups" else o.loss.op,
            (*buffers, probs, factors, scratch),
            row=o.loss.row,
            ints=(*ints, ignore, -targets if o.loss.labelled else targets, o.loss.inputs),
            reals=(scale, o.loss.smoothing, *params),
        )
    if grad != outside[1]:
        _turn(plan, o, grad, outside[1], back=True)
    counted = {PLANNED: ABSENT, WEIGHTS: weight, LABELS: target}[o.divisor]
    factor = plan.batch / rows if mean and o.divisor == PLANNED else float(plan.batch)
    plan.score(row_loss, rows, o.share * factor, o.divisor, counted, ignore, slot=LOSS if plan.scores else None)
    if not alone:
        plan.score(row_loss, rows, factor, o.divisor, counted, ignore)
    return predictions


def _turn(plan: Plan, o: Objective, x: int, y: int, back: bool) -> None:
    """Move the axis of the loss to the end, or back."""
    shape, at = o.output_shape, o.loss.axis - 1 if o.loss.axis > 0 else o.loss.axis
    before, along = int(np.prod(shape[:at], dtype=np.int64)), shape[at]
    size = o.size // before
    rows = size // along if back else along
    cols = size // rows
    plan.step("strided_copy", (x, y), ints=(plan.batch * before, size, 0, 0, size, size, cols, 1, rows, rows, cols, 1))


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
    weights = masks.on_metric(plan, mask, values, o.rows)
    # a sample counts once, however many rows it has: batches may differ in that
    plan.score(values, rows, plan.batch / rows)
    if weights == ABSENT:
        plan.scores += 1  # the place of the weights
    else:
        plan.score(weights, rows, plan.batch / rows)


def _copy_out(plan: Plan, predictions: int, o: Objective) -> None:
    out = plan.buffer(o.size)
    plan.step("activation", (predictions, out), row="identity", ints=(plan.batch * o.size,))
    plan.output(out, o.size)
