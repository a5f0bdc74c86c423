"""Metrics that count true and false positives and negatives at thresholds.

A prediction is positive at a threshold if it is greater. Counting sorts the thresholds, not the predictions: each
prediction is positive at the first so many of them, so that 200 thresholds cost little more than one. The thresholds
have the dtype of the predictions, and counts are kept in float64.

    true positives    positive, and the target is not 0        false positives    positive, and the target is 0
    false negatives   not positive, but the target is not 0    true negatives     not positive, and the target is 0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import config
from fastnn._arrays import Array, as_floats, same_rank, spread_weights
from fastnn.metrics.base import Metric

Counts = NDArray[np.float64]

# below every prediction: with top_k, what is chosen is positive whatever its value
LOWEST = -1e10


def as_thresholds(thresholds: float | Sequence[float] | None, default: float) -> list[float]:
    """The thresholds as a list of numbers from 0 to 1.

    Raises
    ------
    ValueError
        If one of them is none.
    """
    if thresholds is None:
        return [default]
    given = list(np.atleast_1d(np.asarray(thresholds, object)))
    if not given or any(t is None or not 0 <= t <= 1 for t in given):
        raise ValueError(f"thresholds must be numbers from 0 to 1. Received: thresholds={thresholds!r}")
    return [float(t) for t in given]


def evenly_spaced(thresholds: Sequence[float]) -> bool:
    """Whether these are three or more thresholds from 0 to 1 in equal steps."""
    return len(thresholds) >= 3 and np.allclose(thresholds, np.linspace(0, 1, len(thresholds)), atol=config.epsilon())


def divide(a: Counts, b: Counts) -> Counts:
    """a / b, and 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)


class ConfusionMetric(Metric):
    """Base class of metrics that are functions of the four counts.

    Attributes
    ----------
    true_positives, false_positives, true_negatives, false_negatives : ndarray of float64
        Shape (thresholds,), or (thresholds, labels) if every label is counted for itself.
    """

    # what Keras's metrics of this kind do not share with each other
    top_k: int | None = None
    class_id: int | None = None
    multi_label = False
    label_weights: Counts | None = None

    def __init__(self, thresholds: Sequence[float], name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        self.thresholds = list(thresholds)
        # as Keras does: with evenly spaced thresholds, predictions are taken for probabilities
        self._clips = evenly_spaced(self.thresholds)
        self.reset_state()

    def reset_state(self) -> None:
        zeros = np.zeros(len(self.thresholds))
        self.true_positives, self.false_positives = zeros, zeros.copy()
        self.true_negatives, self.false_negatives = zeros.copy(), zeros.copy()

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take a batch into account.

        Parameters
        ----------
        y_true : array_like
            The shape of `y_pred`; what is not 0 is positive.
        y_pred : array_like of float32 or float64
        sample_weight : array_like, optional
            One weight per number or per sample: trailing axes may be missing.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        true, pred = same_rank(np.asarray(y_true), as_floats(y_pred, self.dtype))
        if true.shape != pred.shape:
            raise ValueError(
                f"{self.name}: y_true and y_pred must have the same shape. "
                f"Received: y_true {true.shape}, y_pred {pred.shape}"
            )
        weights = np.ones(()) if sample_weight is None else spread_weights(sample_weight, pred.shape)
        weights = np.broadcast_to(weights, pred.shape)
        if self.label_weights is not None and not self.multi_label:
            weights = weights * self.label_weights
        if self.top_k is not None:
            pred = _only_top(pred, self.top_k)
        if self.class_id is not None:
            if pred.ndim < 2 or not -pred.shape[-1] <= self.class_id < pred.shape[-1]:
                raise ValueError(f"{self.name}: class_id={self.class_id} needs that class. Received: {pred.shape}")
            true, pred, weights = (a[..., self.class_id] for a in (true, pred, weights))
        if self.multi_label and pred.ndim != 2:
            raise ValueError(f"{self.name}: multi_label needs predictions (samples, labels). Received: {pred.shape}")
        shape = (-1, pred.shape[-1]) if self.multi_label else (-1, 1)
        self._count(true.reshape(shape) != 0, self._ranks(pred).reshape(shape), weights.reshape(shape))

    def _ranks(self, pred: Array) -> NDArray[np.intp]:
        """For each prediction, how many of the sorted thresholds are below it."""
        thresholds = np.sort(np.asarray(self.thresholds, pred.dtype))
        ranks = np.searchsorted(thresholds, np.clip(pred, 0, 1) if self._clips else pred, side="left")
        return np.where(np.isnan(pred), 0, ranks)  # NaN is greater than nothing

    def _count(self, true: NDArray[np.bool_], ranks: NDArray[np.intp], weights: Counts) -> None:
        labels, bins = true.shape[1], len(self.thresholds) + 1
        place = ranks + bins * np.arange(labels)

        def above(chosen: Counts) -> tuple[Counts, Counts]:
            """Weight above each threshold, in the order in which they were given, and altogether."""
            histogram = np.bincount(place.ravel(), chosen.ravel(), bins * labels).reshape(labels, bins).T
            upwards = histogram[::-1].cumsum(axis=0)[::-1]
            positive = np.empty((bins - 1, labels))
            positive[np.argsort(self.thresholds, kind="stable")] = upwards[1:]
            return positive, upwards[0]

        positive, condition_positive = above(np.where(true, weights, 0.0))
        alarms, condition_negative = above(np.where(true, 0.0, weights))
        counts = positive, alarms, condition_negative - alarms, condition_positive - positive
        if not self.multi_label:
            counts = tuple(count[:, 0] for count in counts)  # type: ignore[assignment]
        if self.true_positives.shape != counts[0].shape and self.true_positives.any():
            raise ValueError(f"{self.name}: the number of labels must not change. Received: {labels} labels")
        self.true_positives, self.false_positives, self.true_negatives, self.false_negatives = (
            (before if before.shape == count.shape else 0.0) + count for before, count in zip(self._counts(), counts)
        )

    def _counts(self) -> tuple[Counts, Counts, Counts, Counts]:
        return self.true_positives, self.false_positives, self.true_negatives, self.false_negatives

    # rates that several metrics are made of

    def _recall(self) -> Counts:
        return divide(self.true_positives, self.true_positives + self.false_negatives)

    def _precision(self) -> Counts:
        return divide(self.true_positives, self.true_positives + self.false_positives)

    def _specificity(self) -> Counts:
        return divide(self.true_negatives, self.true_negatives + self.false_positives)


def _only_top(pred: Array, k: int) -> Array:
    """The k largest of each row as they are, the first ones of equals; everything else far below."""
    top = np.argsort(-pred, axis=-1, kind="stable")[..., :k]
    kept = np.full_like(pred, LOWEST)
    np.put_along_axis(kept, top, np.take_along_axis(pred, top, -1), -1)
    return kept


def _one_or_all(values: Counts) -> float | Counts:
    return float(values[0]) if len(values) == 1 else values.copy()


class _Count(ConfusionMetric):
    """One of the four counts.

    Parameters
    ----------
    thresholds : float or list of float, optional
        From 0 to 1. Default: 0.5.
    name, dtype
        See `Metric`.

    Returns
    -------
    `result` gives a float for a single threshold, else an array with one number for each.
    """

    _which: ClassVar[str]

    def __init__(
        self, thresholds: float | Sequence[float] | None = None, name: str | None = None, dtype: str | None = None
    ) -> None:
        self.init_thresholds = thresholds
        super().__init__(as_thresholds(thresholds, 0.5), name, dtype)

    def result(self) -> float | Counts:
        return _one_or_all(getattr(self, self._which))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_Count):
    """The (weighted) number of positive predictions whose target is positive; arguments as for `FalsePositives`."""

    default_name = _which = "true_positives"
    _direction = "up"


class TrueNegatives(_Count):
    """The (weighted) number of negative predictions whose target is 0; arguments as for `FalsePositives`."""

    default_name = _which = "true_negatives"
    _direction = "up"


class FalsePositives(_Count):
    """The (weighted) number of positive predictions whose target is 0.

    Parameters
    ----------
    thresholds : float or list of float, optional
        From 0 to 1; what is greater is positive. Default: 0.5. With several, `result` has one number for each.
    name, dtype
        See `Metric`.
    """

    default_name = _which = "false_positives"
    _direction = "down"


class FalseNegatives(_Count):
    """The (weighted) number of negative predictions whose target is positive; arguments as for `FalsePositives`."""

    default_name = _which = "false_negatives"
    _direction = "down"


class Precision(ConfusionMetric):
    """true positives / (true positives + false positives): how many of those that were found are right; 0 for 0 / 0.

    Parameters
    ----------
    thresholds : float or list of float, optional
        From 0 to 1; what is greater is positive. With several, `result` has one number for each. Default: 0.5, and with
        `top_k` none.
    top_k : int, optional
        Only the k largest predictions of each row can be positive; of equal ones the first.
    class_id : int, optional
        Look at this class only: an index of the last axis.
    name, dtype
        See `Metric`.

    References
    ----------
    C. J. van Rijsbergen: Information Retrieval. Butterworths, 2nd edition 1979.
    """

    default_name = "precision"
    _direction = "up"

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self.init_thresholds, self.top_k, self.class_id = thresholds, top_k, class_id
        super().__init__(as_thresholds(thresholds, 0.5 if top_k is None else LOWEST), name, dtype)
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k must be at least 1. Received: top_k={top_k!r}")

    def result(self) -> float | Counts:
        return _one_or_all(self._precision())

    def get_config(self) -> dict[str, Any]:
        own = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **own}


class Recall(Precision):
    """true positives / (true positives + false negatives): how many of those that are there were found; 0 for 0 / 0.

    Arguments as for `Precision`.
    """

    default_name = "recall"

    def result(self) -> float | Counts:
        return _one_or_all(self._recall())
