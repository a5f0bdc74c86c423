"""Sums over mini-batches, and the logs that are made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .compiling import Goals


class Scores:
    """Loss and metrics over the mini-batches seen so far: means over samples, as Keras reports them.

    Attributes:
        goals: whose loss and metrics.
        totals: sums of the loss and of the losses of outputs over samples; for each metric that the engine computes the
            sum of its values and that of their weights, or 0 where every sample counts 1.
        samples: how many.
    """

    def __init__(self, goals: Goals) -> None:
        self.goals = goals
        inside = sum(len(goal.objective.metrics) for goal in goals.parts)
        self.totals: npt.NDArray[np.float64] = np.zeros(1 + len(goals.losses) + 2 * inside)
        self.samples = 0
        for metric in goals.metrics:
            metric.reset_state()

    def look(
        self,
        y: Sequence[npt.NDArray[Any]],
        predictions: Sequence[npt.NDArray[Any]],
        weights: Sequence[npt.NDArray[np.float64] | None],
        masks: Sequence[npt.NDArray[Any] | None],
    ) -> None:
        """Show a batch to the metrics in Python: targets and weights of every goal, the predictions and their masks."""
        given = iter(zip(predictions, masks))
        for goal, targets, weight in zip(self.goals.parts, y, weights):
            if goal.objective.predictions:
                predicted, mask = next(given)
                for metric, weighted in goal.outside:
                    found = weight if weighted else None
                    if mask is not None and metric.counts_mask:
                        found = _masked(mask, found, predicted.shape)
                    if found is None:
                        metric.update_state(targets, predicted)
                    else:
                        metric.update_state(targets, predicted, sample_weight=found)

    def logs(self) -> dict[str, Any]:
        """The means so far."""
        if not self.samples:
            return {}
        losses = 1 + len(self.goals.losses)
        found: list[Any] = (self.totals[:losses] / self.samples).tolist()
        sums = iter(self._sums())
        for goal in self.goals.parts:
            for metric, inside in zip(goal.metrics, goal.inside):
                if inside:
                    total, count = next(sums)
                    found.append(total / count)
                else:
                    found.append(_plain(metric.result()))
        return dict(zip(self.goals.names, found))

    def _sums(self) -> list[tuple[float, float]]:
        """Sum and count of each metric that the engine computes."""
        pairs = self.totals[1 + len(self.goals.losses) :].reshape(-1, 2).tolist()
        return [(total, count or float(self.samples)) for total, count in pairs]

    def finish(self) -> dict[str, Any]:
        """The means, now also in the state of the metric objects, which users may keep and ask."""
        sums = iter(self._sums())
        for goal in self.goals.parts:
            for metric, inside in zip(goal.metrics, goal.inside):
                if inside:
                    metric.add(*next(sums))  # type: ignore[attr-defined]
        return self.logs()


def _masked(
    mask: npt.NDArray[Any], weight: npt.NDArray[np.float64] | None, shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Weights of the time steps of predictions of that shape: the mask times those of the samples or time steps."""
    axes = 1
    while math.prod(shape[:axes]) < mask.size:
        axes += 1
    counted = mask.reshape(shape[:axes]).astype(np.float64)
    if weight is None:
        return counted
    ndim = max(axes, weight.ndim)
    spread = [a.reshape(*a.shape, *(1,) * (ndim - a.ndim)) for a in (counted, weight)]
    return spread[0] * spread[1]


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
