"""What `compile` was given, and what it means once data have shown the shape of the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import losses, metrics, optimizers
from fastnn.engine.step import Objective
from fastnn.layers.base import Layer, Shape, refuse_options
from fastnn.metrics import Metric

# names that mean a class only once the shapes of output and targets are known
BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")
# arguments of Keras's compile that are not served, with the values that change nothing
NEUTRAL_OPTIONS: dict[str, tuple[Any, ...]] = {
    "loss_weights": (None,),
    "run_eagerly": (False, None),
    "steps_per_execution": (1, None),
    "jit_compile": ("auto", True, False, None),
    "auto_scale_loss": (True, False),
}


@dataclass(frozen=True, eq=False)
class Goal:
    """Loss and metrics for targets of one shape.

    Attributes:
        objective: the engine's view.
        loss: the object.
        metrics: the objects, in the order of `compile`.
        inside: for each of them, whether the engine computes it.
        weighted: for each of them, whether weights of samples count.
    """

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


class Compiled:
    """The arguments of `compile`.

    Raises:
        TypeError: an argument that nobody knows.
        ValueError: a name is unknown (the message offers the nearest one), or an option is not served.
    """

    def __init__(
        self, optimizer: Any, loss: Any, chosen_metrics: Any, weighted_metrics: Any, options: dict[str, Any]
    ) -> None:
        refuse_options("compile", options, NEUTRAL_OPTIONS, ("optimizer", "loss", "metrics", "weighted_metrics"))
        for name, chosen in (("metrics", chosen_metrics), ("weighted_metrics", weighted_metrics)):
            if chosen is not None and not isinstance(chosen, (list, tuple)):
                raise ValueError(f"compile: {name} must be a list. Received: {chosen!r}")
        found = optimizers.get(optimizer)
        if found is None:
            raise ValueError("compile: expected an optimizer. Received: None")
        self.optimizer = found
        self.loss, self.metrics = loss, list(chosen_metrics or ())
        self.weighted_metrics = list(weighted_metrics or ())
        every = [*self.metrics, *self.weighted_metrics]
        # complain about unknown names now; what depends on shapes has to wait
        for identifier, get in ((loss, losses.get), *((metric, metrics.get) for metric in every)):
            if not (isinstance(identifier, str) and identifier.lower() in BY_SHAPE):
                get(identifier)
        self._goals: dict[Any, Goal] = {}

    def goal(self, layers: Sequence[Layer], y: np.ndarray, weighted: bool, where: str) -> Goal:
        """What to train for, resolved for the output of the layers and targets like y.

        Raises:
            ValueError: there is no loss, or loss, metrics and targets do not fit each other.
        """
        output, final = layers[-1].output_shape, getattr(layers[-1], "activation", None)
        if layers[-1].activity_regularizer is not None:
            final = None  # it looks at the activated output, so the loss cannot take the activation over
        key = (y.shape[1:], output, final, weighted)
        goal = self._goals.get(key)
        if goal is None:
            assert output is not None
            goal = self._goals[key] = self._resolve(output, final, y.shape, weighted, where)
        return goal

    def _resolve(self, output: Shape, final: Any, targets: Shape, weighted: bool, where: str) -> Goal:
        output_shape, target_shape = (None, *output), (None, *targets[1:])
        loss = losses.resolve(self.loss, output_shape, target_shape)
        if loss is None:
            raise ValueError(f"{where}: expected a model that was compiled with a loss. Received: loss=None")
        if loss.reduction in (None, "none"):
            raise ValueError(
                f"{where}: training and evaluation need one number. Received: loss with reduction={loss.reduction!r}"
            )
        if not output:
            raise ValueError(f"{where}: expected outputs with an axis after the batch. Received: output shape {output}")
        kernel = loss.kernel(final.name if final is not None else None)
        plain = [metrics.resolve(m, output_shape, target_shape) for m in self.metrics]
        heavy = [metrics.resolve(m, output_shape, target_shape) for m in self.weighted_metrics]
        for metric in heavy:
            if any(metric.name == other.name for other in plain):
                metric.name = f"weighted_{metric.name}"  # as in Keras
        resolved = (*plain, *heavy)
        counts_weights = (False,) * len(plain) + (weighted,) * len(heavy)
        names = ["loss", *(metric.name for metric in resolved)]
        if len(set(names)) < len(names):
            raise ValueError(f"{where}: expected metrics with names of their own. Received: {names[1:]}")
        wanted = [
            None if heavy else metric.kernel(output_shape, target_shape)
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
        return Goal(objective, loss, resolved, tuple(inside is not None for inside in wanted), counts_weights)


def _targets_of_a_sample(kernel: losses.LossKernel, output: Shape, targets: Shape) -> int:
    """How many numbers the loss compares a sample of that output shape with."""
    rows = int(np.prod(output[:-1], dtype=np.int64))
    if kernel.target == "sequences":
        return int(targets[1]) if len(targets) == 2 else 0
    return {"labels": rows, "signs": rows, "groups": rows, "rows": rows * output[-1] // kernel.inputs, "none": 0}[
        kernel.target
    ]
