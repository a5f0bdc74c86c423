"""What `compile` was given, and what it means once data have shown the shape of the targets."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastnn import losses, metrics, optimizers
from fastnn.engine.graph import Graph
from fastnn.engine.step import Objective
from fastnn.layers.base import Shape, refuse_options
from fastnn.metrics import Metric

from .structures import Structure

# how many goals are kept where samples differ in length
MOST_GOALS = 1024
# names that mean a class only once the shapes of output and targets are known
BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")
# arguments of Keras's compile that are not served, with the values that change nothing
NEUTRAL_OPTIONS: dict[str, tuple[Any, ...]] = {
    "run_eagerly": (False, None),
    "steps_per_execution": (1, None),
    "jit_compile": ("auto", True, False, None),
    "auto_scale_loss": (True, False),
}


@dataclass(frozen=True, eq=False)
class Goal:
    """Loss and metrics of one output, for targets of one shape.

    Attributes:
        name: of the output.
        objective: the engine's view.
        loss: the object.
        metrics: the objects, in the order of `compile`.
        inside: for each of them, whether the engine computes it.
        weighted: for each of them, whether weights of samples count.
    """

    name: str
    objective: Objective
    loss: losses.Loss
    metrics: tuple[Metric, ...]
    inside: tuple[bool, ...]
    weighted: tuple[bool, ...]

    @property
    def outside(self) -> list[tuple[Metric, bool]]:
        """The metrics that look at the predictions in Python, each with whether weights of samples count."""
        every = zip(self.metrics, self.inside, self.weighted)
        return [(metric, weighted) for metric, inside, weighted in every if not inside]

    @property
    def classifies(self) -> bool:
        """Whether the targets are classes."""
        kernel = self.objective.loss
        return kernel.target == "labels" or any(word in kernel.row for word in ("cross_entropy", "focal", "hinge"))


@dataclass(frozen=True, eq=False)
class Goals:
    """Loss and metrics of all outputs that have some.

    Attributes:
        parts: in the order of the outputs.
        outputs: how many outputs the model has; several give their names to what is logged.
    """

    parts: tuple[Goal, ...]
    outputs: int = 1

    @property
    def objectives(self) -> list[Objective]:
        """The engine's view."""
        return [goal.objective for goal in self.parts]

    @property
    def metrics(self) -> list[Metric]:
        """All metrics, output by output."""
        return [metric for goal in self.parts for metric in goal.metrics]

    @property
    def losses(self) -> list[str]:
        """Names of the losses of outputs, beside the loss that is their sum; none if there is only one."""
        return [f"{goal.name}_loss" for goal in self.parts] if len(self.parts) > 1 else []

    @property
    def names(self) -> list[str]:
        """Names of everything that is logged, in its order."""
        prefixes = [f"{goal.name}_" if self.outputs > 1 else "" for goal in self.parts]
        metrics = [prefix + metric.name for prefix, goal in zip(prefixes, self.parts) for metric in goal.metrics]
        return ["loss", *self.losses, *metrics]

    @property
    def outside(self) -> bool:
        """Whether there are metrics that look at the predictions in Python."""
        return any(goal.outside for goal in self.parts)


def holds_metrics(given: Any) -> bool:
    """Whether this argument, perhaps in a list or a dictionary, has names or functions, and so cannot be weights."""
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, (list, tuple)):
        return any(map(holds_metrics, given))
    return isinstance(given, str) or callable(given) or hasattr(given, "update_state")


class Compiled:
    """The arguments of `compile`.

    Raises:
        TypeError: an argument that nobody knows.
        ValueError: a name is unknown (the message offers the nearest one), or an option is not served.
    """

    def __init__(
        self,
        optimizer: Any,
        loss: Any,
        chosen_metrics: Any,
        weighted_metrics: Any,
        loss_weights: Any,
        options: dict[str, Any],
    ) -> None:
        known = ("optimizer", "loss", "metrics", "loss_weights", "weighted_metrics")
        refuse_options("compile", options, NEUTRAL_OPTIONS, known)
        for name, chosen in (("metrics", chosen_metrics), ("weighted_metrics", weighted_metrics)):
            if chosen is not None and not isinstance(chosen, (list, tuple, dict)):
                raise ValueError(f"compile: {name} must be a list or a dictionary. Received: {chosen!r}")
        found = optimizers.get(optimizer)
        if found is None:
            raise ValueError("compile: expected an optimizer. Received: None")
        if loss is not None and not leaves(loss):
            raise ValueError(f"compile: expected a loss for at least one output. Received: {loss!r}")
        self.optimizer = found
        self.loss, self.loss_weights = loss, loss_weights
        self.metrics, self.weighted_metrics = _kept(chosen_metrics), _kept(weighted_metrics)
        # complain about unknown names now; what depends on shapes has to wait
        for given, get in ((loss, losses.get), (self.metrics, metrics.get), (self.weighted_metrics, metrics.get)):
            for identifier in leaves(given):
                if not (isinstance(identifier, str) and identifier.lower() in BY_SHAPE):
                    get(identifier)
        # by the shapes of targets and outputs; the last used at the end
        self._goals: dict[Any, Goals] = {}
        # where lengths differ: the metrics and losses of an output, which are the same for all of them
        self._same: dict[Any, Goals] = {}

    def assign(self, outputs: Structure) -> tuple[list[Any], list[tuple[list[Any], list[Any]]], list[float]]:
        """The loss, the metrics, without and with weights, and the loss weight of each output.

        Raises:
            ValueError: not one for each output, an unknown name of an output, or metrics without a loss.
        """
        chosen = per_output(self.loss, outputs, "losses")
        shares = per_output(1.0 if self.loss_weights is None else self.loss_weights, outputs, "loss_weights")
        for share in shares:
            if share is not None and (isinstance(share, bool) or not isinstance(share, (int, float, np.number))):
                raise ValueError(f"compile: loss_weights must be numbers. Received: {self.loss_weights!r}")
        plain = _judges(self.metrics, outputs, "metrics")
        judged = list(zip(plain, _judges(self.weighted_metrics, outputs, "weighted_metrics")))
        for name, loss, metrics_ in zip(outputs.names, chosen, judged):
            if len(outputs) > 1 and loss is None and any(metrics_) and self.loss is not None:
                raise ValueError(f"compile: metrics of an output need a loss for it. Received: no loss for {name!r}")
        return chosen, judged, [1.0 if share is None else float(share) for share in shares]

    def goals(
        self, graph: Graph, outputs: Structure, y: Sequence[Any], weighted: Sequence[bool], where: str,
        known: Sequence[Shape] | None = None,
    ) -> Goals:  # fmt: skip
        """What to train for, resolved for the outputs of a graph and targets like y.

        Parameters:
            known: shapes of the outputs of a model whose samples differ in length, None where they do: goals for all
                lengths have the same losses and metrics.

        Raises:
            ValueError: there is no loss, or loss, metrics and targets do not fit each other.
        """
        finals = [_activation(graph.final(i)) for i in range(len(outputs))]
        shapes = [None if part is None else part.shape[1:] for part in y]
        key = (tuple(shapes), graph.output_shapes, tuple(finals), tuple(weighted))
        if key not in self._goals:
            like = None
            if known is not None:
                same = (tuple(map(_opened, shapes, known)), tuple(known), *key[2:])
                like = self._same.get(same)
            found = self._find(graph, outputs, y, weighted, where, finals, like)
            if known is not None:
                self._same.setdefault(same, found)
                if len(self._goals) >= MOST_GOALS:
                    self._goals.pop(next(iter(self._goals)), None)
            self._goals[key] = found
        return self._goals[key]

    def _find(
        self, graph: Graph, outputs: Structure, y: Sequence[Any], weighted: Sequence[bool], where: str,
        finals: Sequence[Any], like: Goals | None,
    ) -> Goals:  # fmt: skip
        """Goals with the losses and metrics of others for the same outputs, if there are some."""
        chosen, judged, shares = self.assign(outputs)
        earlier = {goal.objective.output: goal for goal in like.parts} if like is not None else {}
        parts = []
        for i, (name, loss, metrics_) in enumerate(zip(outputs.names, chosen, judged)):
            if loss is None and len(outputs) > 1:
                continue
            if y[i] is None:
                raise ValueError(f"{where}: expected y. Received: None" + (f" for {name!r}" if len(y) > 1 else ""))
            output, final, targets = graph.output_shapes[i], finals[i], y[i].shape
            goal = self._resolve(output, final, targets, weighted[i], where, loss, metrics_, earlier.get(i))
            objective = replace(goal.objective, output=i, share=shares[i])
            parts.append(replace(goal, name=name, objective=objective))
        if not parts:
            raise ValueError(f"{where}: expected a model that was compiled with a loss. Received: loss=None")
        return Goals(tuple(parts), len(outputs))

    def _resolve(
        self, output: Shape, final: Any, targets: Shape, weighted: bool, where: str, chosen: Any, judged: Any,
        like: Goal | None,
    ) -> Goal:  # fmt: skip
        output_shape, target_shape = (None, *output), (None, *targets[1:])
        loss = losses.resolve(chosen, output_shape, target_shape) if like is None else like.loss
        if loss is None:
            raise ValueError(f"{where}: expected a model that was compiled with a loss. Received: loss=None")
        if loss.reduction in (None, "none"):
            raise ValueError(
                f"{where}: training and evaluation need one number. Received: loss with reduction={loss.reduction!r}"
            )
        if not output:
            raise ValueError(f"{where}: expected outputs with an axis after the batch. Received: output shape {output}")
        kernel = loss.kernel(final.name if final is not None else None)._replace(target_shape=tuple(targets[1:]))
        if like is None:
            plain = [metrics.resolve(m, output_shape, target_shape) for m in judged[0]]
            heavy = [metrics.resolve(m, output_shape, target_shape) for m in judged[1]]
            for metric in heavy:
                if any(metric.name == other.name for other in plain):
                    metric.name = f"weighted_{metric.name}"  # as in Keras
            resolved = (*plain, *heavy)
        else:
            resolved = like.metrics
        counts_weights = (False,) * len(judged[0]) + (weighted,) * len(judged[1])
        names = ["loss", *(metric.name for metric in resolved)]
        if len(set(names)) < len(names):
            raise ValueError(f"{where}: expected metrics with names of their own. Received: {names[1:]}")
        wanted = [
            None if heavy or kernel.python is not None else metric.inside(output_shape, target_shape)
            for metric, heavy in zip(resolved, counts_weights)
        ]
        for metric, inside in zip(resolved, wanted):
            if inside is not None and (inside.op == "label_hits") != (kernel.target == "labels"):
                forms = ["rows like the output", "integer labels"]
                want, have = reversed(forms) if inside.op == "label_hits" else forms
                raise ValueError(
                    f"{where}: metric {metric.name!r} expects targets that are {want}, but the loss {loss.name!r} "
                    f"takes {have}. Received: targets of shape {targets}"
                )
        batch = (1, *output)
        seen = kernel.seen(batch, f"{where}: {loss.name}")
        turned = seen != batch
        usual = kernel.inputs == 1 and (kernel.target == "rows" or (kernel.target == "labels" and not turned))
        if not usual and any(inside is not None for inside in wanted):
            raise ValueError(
                f"{where}: the targets of the loss {loss.name!r} are not like the predictions, so that no metric can "
                f"compare them. Received: metrics {names[1:]}"
            )
        if kernel.axes == 0 and weighted:
            raise ValueError(
                f"{where}: the loss {loss.name!r} has one value for the whole batch, in which samples cannot have "
                f"weights; give it an axis. Received: weights"
            )
        loss.check_rank(len(output_shape))
        losses.base.weights_for(kernel, seen[-1], np.dtype(np.float64))
        losses.base.loss_shape(kernel, seen, f"{where}: {loss.name}")
        objective = Objective(
            loss=kernel,
            reduction=str(loss.reduction),
            ignore=loss.ignore_class,
            metrics=[inside for inside in wanted if inside is not None],
            final=final,
            output_shape=output,
            weighted=weighted,
            smoothed=(loss.changes_targets or turned) and any(inside is not None for inside in wanted),
            predictions=None in wanted,
            targets=_targets_of_a_sample(kernel, seen[1:], targets),
        )
        insides = tuple(inside is not None for inside in wanted)
        return Goal("", objective, loss, resolved, insides, counts_weights)


def _opened(shape: Shape | None, known: Shape) -> Any:
    """The shape of targets without the lengths that are those of the output and not known."""
    if shape is None:
        return None
    return tuple(
        None if n is None else size for size, n in itertools.zip_longest(shape, known[: len(shape)], fillvalue=0)
    )


def _kept(chosen: Any) -> Any:
    """The metrics that `compile` was given, in a list or dictionary of our own."""
    return dict(chosen) if isinstance(chosen, dict) else list(chosen or ())


def leaves(given: Any) -> list[Any]:
    """What stands in a list or dictionary, however deep; one thing by itself, None for nothing."""
    if isinstance(given, dict) and "class_name" not in given:
        given = list(given.values())
    if isinstance(given, (list, tuple)):
        return [leaf for entry in given for leaf in leaves(entry)]
    return [] if given is None else [given]


def per_output(given: Any, outputs: Structure, what: str) -> list[Any]:
    """The entry of each output in what `compile` was given: one for all of them, a list or a dictionary."""
    if isinstance(given, dict) and "class_name" not in given:
        return outputs.by_name(given, "compile", what, partly=True)
    if not isinstance(given, (list, tuple)):
        return [given] * len(outputs)
    if len(given) != len(outputs):
        raise ValueError(
            f"compile: expected {what} for the outputs {outputs.names}, a list or a dictionary. Received: {given!r}"
        )
    return list(given)


def _judges(chosen: Any, outputs: Structure, what: str) -> list[list[Any]]:
    """The metrics of each output."""
    if len(outputs) == 1 and not isinstance(chosen, dict):
        return [leaves(chosen)]
    return [leaves(entry) for entry in per_output(chosen or [[] for _ in outputs.names], outputs, what)]


def _activation(layer: Any) -> Any:
    """The activation of an output's layer that a loss may take over."""
    if layer is None or layer.activity_regularizer is not None:  # which looks at the activated output
        return None
    return layer.activation if _can_be_bare(type(layer)) else None  # type: ignore[arg-type]


@functools.cache
def _can_be_bare(kind: type) -> bool:
    """Whether layers of a class can leave their activation to whoever comes next."""
    return "bare" in inspect.signature(kind.emit).parameters  # type: ignore[attr-defined]


def _targets_of_a_sample(kernel: losses.LossKernel, output: Shape, targets: Shape) -> int:
    """How many numbers the loss compares a sample of that output shape with."""
    rows = int(np.prod(output[:-1], dtype=np.int64))
    if kernel.target == "arrays":
        return int(np.prod(targets[1:], dtype=np.int64))
    if kernel.target == "sequences":
        return int(targets[1]) if len(targets) == 2 else 0
    return {"labels": rows, "signs": rows, "groups": rows, "rows": rows * output[-1] // kernel.inputs, "none": 0}[
        kernel.target
    ]
