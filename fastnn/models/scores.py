"""Sums over mini-batches, and the logs that are made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .compiling import Goal


class Scores:
    """Loss and metrics over the mini-batches seen so far: means over samples, as Keras reports them.

    Attributes:
        goal: whose loss and metrics.
        totals: sums of the loss and of each metric that the engine computes, over samples.
        samples: how many.
    """

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self.totals: npt.NDArray[np.float64] = np.zeros(1 + len(goal.objective.metrics))
        self.samples = 0
        for metric in goal.metrics:
            metric.reset_state()

    def look(
        self, y: npt.NDArray[Any], predictions: npt.NDArray[Any], weights: npt.NDArray[np.float64] | None = None
    ) -> None:
        """Show a batch to the metrics that are computed in Python."""
        for metric, weighted in self.goal.outside:
            if weighted:
                metric.update_state(y, predictions, sample_weight=weights)
            else:
                metric.update_state(y, predictions)

    def logs(self) -> dict[str, Any]:
        """The means so far."""
        if not self.samples:
            return {}
        values = iter((self.totals / self.samples).tolist())
        logs = {"loss": next(values)}
        for metric, inside in zip(self.goal.metrics, self.goal.inside):
            logs[metric.name] = next(values) if inside else _plain(metric.result())
        return logs

    def finish(self) -> dict[str, Any]:
        """The means, now also in the state of the metric objects, which users may keep and ask."""
        totals = iter(self.totals[1:].tolist())
        for metric, inside in zip(self.goal.metrics, self.goal.inside):
            if inside:
                metric.add(next(totals), float(self.samples))  # type: ignore[attr-defined]
        return self.logs()


def _plain(value: Any) -> Any:
    """A number as a float; what has several - one for each class or threshold - as an array."""
    array = np.asarray(value)
    return array if array.ndim else float(array)
