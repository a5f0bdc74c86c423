"""Sums over mini-batches, and the logs that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .compiling import Goals


class Scores:
    """Loss and metrics over the mini-batches seen so far: means over samples, as Keras reports them.

    Attributes:
        goals: whose loss and metrics.
        totals: sums of the loss, of the losses of outputs and of each metric that the engine computes, over samples.
        samples: how many.
    """

    def __init__(self, goals: Goals) -> None:
        self.goals = goals
        inside = sum(len(goal.objective.metrics) for goal in goals.parts)
        self.totals: npt.NDArray[np.float64] = np.zeros(1 + len(goals.losses) + inside)
        self.samples = 0
        for metric in goals.metrics:
            metric.reset_state()

    def look(
        self,
        y: Sequence[npt.NDArray[Any]],
        predictions: Sequence[npt.NDArray[Any]],
        weights: Sequence[npt.NDArray[np.float64] | None],
    ) -> None:
        """Show a batch to the metrics in Python: targets and weights of every goal, and the predictions."""
        given = iter(predictions)
        for goal, targets, weight in zip(self.goals.parts, y, weights):
            if goal.objective.predictions:
                predicted = next(given)
                for metric, weighted in goal.outside:
                    if weighted:
                        metric.update_state(targets, predicted, sample_weight=weight)
                    else:
                        metric.update_state(targets, predicted)

    def logs(self) -> dict[str, Any]:
        """The means so far."""
        if not self.samples:
            return {}
        values = iter((self.totals / self.samples).tolist())
        found: list[Any] = [next(values) for _ in ("loss", *self.goals.losses)]
        for goal in self.goals.parts:
            for metric, inside in zip(goal.metrics, goal.inside):
                found.append(next(values) if inside else _plain(metric.result()))
        return dict(zip(self.goals.names, found))

    def finish(self) -> dict[str, Any]:
        """The means, now also in the state of the metric objects, which users may keep and ask."""
        totals = iter(self.totals[1 + len(self.goals.losses) :].tolist())
        for goal in self.goals.parts:
            for metric, inside in zip(goal.metrics, goal.inside):
                if inside:
                    metric.add(next(totals), float(self.samples))  # type: ignore[attr-defined]
        return self.logs()


def _plain(value: Any) -> Any:
    """A number as a float; what has several - one for each class or threshold - as an array."""
    array = np.asarray(value)
    return array if array.ndim else float(array)


def continued(scores: Scores | None, goals: Goals, where: str) -> Scores:
    """The scores that the next batch is added to.

    Raises:
        ValueError: it brings weights where others do not, so that metrics are computed elsewhere.
    """
    if scores is None:
        return Scores(goals)
    if [goal.inside for goal in goals.parts] != [goal.inside for goal in scores.goals.parts]:
        raise ValueError(f"{where}: weighted metrics need weights in every batch. Received: batches with and without")
    return scores
