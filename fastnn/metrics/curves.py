"""Metrics of the curve that a threshold draws when it moves from 0 to 1: areas, and the best point under a condition.

Every number is an approximation by the thresholds given; 200 of them are the default, as in Keras.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from fastnn import config
from fastnn._arrays import as_floats
from fastnn._errors import unknown
from fastnn._numbers import finite, whole
from fastnn.metrics.confusion import ConfusionMetric, Counts, divide

CURVES = ("ROC", "PR", "PRGAIN")
SUMMATION_METHODS = ("interpolation", "minoring", "majoring")


class _BestPoint(ConfusionMetric):
    """The largest value of one rate at the thresholds where another one is large enough; 0 if it nowhere is."""

    # the name of the argument, and the methods for the rate that must be large enough and for the one that is wanted
    _argument: ClassVar[str]
    _required: ClassVar[str]
    _wanted: ClassVar[str]
    _direction = "up"

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self.value = finite(self._argument, value, at_least=0.0, at_most=1.0)
        self.num_thresholds = whole("num_thresholds", num_thresholds, at_least=1)
        self.class_id = class_id
        super().__init__([0.5] if num_thresholds == 1 else np.linspace(0, 1, num_thresholds).tolist(), name, dtype)

    def result(self) -> float:
        feasible = getattr(self, self._required)() >= self.value
        return float(np.where(feasible, getattr(self, self._wanted)(), 0.0).max())

    def get_config(self) -> dict[str, Any]:
        own = {self._argument: self.value, "num_thresholds": self.num_thresholds, "class_id": self.class_id}
        return {**super().get_config(), **own}


class SensitivityAtSpecificity(_BestPoint):
    """The best sensitivity (recall) among the thresholds whose specificity is at least the one given.

    sensitivity = true positives / (true positives + false negatives)
    specificity = true negatives / (true negatives + false positives)

    Parameters
    ----------
    specificity : float
        From 0 to 1.
    num_thresholds : int
        From 0 to 1 in equal steps; a single one is 0.5.
    class_id : int, optional
        Look at this class only: an index of the last axis.
    name, dtype
        See `Metric`.
    """

    default_name = "sensitivity_at_specificity"
    _argument, _required, _wanted = "specificity", "_specificity", "_recall"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


class SpecificityAtSensitivity(_BestPoint):
    """The best specificity among the thresholds whose sensitivity is at least the one given.

    Parameters
    ----------
    sensitivity : float
        From 0 to 1.
    num_thresholds, class_id, name, dtype
        See `SensitivityAtSpecificity`.
    """

    default_name = "specificity_at_sensitivity"
    _argument, _required, _wanted = "sensitivity", "_recall", "_specificity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


class PrecisionAtRecall(_BestPoint):
    """The best precision among the thresholds whose recall is at least the one given.

    Parameters
    ----------
    recall : float
        From 0 to 1.
    num_thresholds, class_id, name, dtype
        See `SensitivityAtSpecificity`.
    """

    default_name = "precision_at_recall"
    _argument, _required, _wanted = "recall", "_recall", "_precision"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)


class RecallAtPrecision(_BestPoint):
    """The best recall among the thresholds whose precision is at least the one given.

    Parameters
    ----------
    precision : float
        From 0 to 1.
    num_thresholds, class_id, name, dtype
        See `SensitivityAtSpecificity`.
    """

    default_name = "recall_at_precision"
    _argument, _required, _wanted = "precision", "_precision", "_recall"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)


class AUC(ConfusionMetric):
    """The area under a curve of which every threshold gives a point.

    Parameters
    ----------
    num_thresholds : int
        At least 2; they divide 0 to 1 into equal steps.
    curve : {"ROC", "PR", "PRGAIN"}
        Recall over the false positive rate; precision over recall; precision gain over recall gain.
    summation_method : {"interpolation", "minoring", "majoring"}
        The height between two points: their mean, the smaller or the larger one. For the curve "PR", "interpolation"
        interpolates the counts, not the precision (Davis and Goadrich).
    name, dtype
        See `Metric`.
    thresholds : list of float, optional
        From 0 to 1, in place of the equal steps; the ends are added.
    multi_label : bool
        Whether to take the area of every label, an index of the last axis, and then their mean; otherwise all numbers
        count alike.
    num_labels : int, optional
        With `multi_label`: how many there must be.
    label_weights : list of float, optional
        Of the labels: in that mean, or, without `multi_label`, of the counts.
    from_logits : bool
        Whether the predictions are logits, of which the sigmoid is to be taken.

    Notes
    -----
    With equal steps, predictions are clipped to 0 ... 1, as in Keras. Keras rounds p (n - 1) to find the step of a
    prediction p; here p is compared with the thresholds, so that counts can differ for predictions that hit one.

    References
    ----------
    J. Davis, M. Goadrich: The relationship between precision-recall and ROC curves. ICML 2006.
    P. Flach, M. Kull: Precision-recall-gain curves. NIPS 2015.
    """

    default_name = "auc"
    _direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: str | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        self.curve, self.summation_method = str(curve).upper(), str(summation_method).lower()
        if self.curve not in CURVES:
            raise unknown("curve", curve, CURVES)
        if self.summation_method not in SUMMATION_METHODS:
            raise unknown("summation method", summation_method, SUMMATION_METHODS)
        if num_labels is not None and not multi_label:
            raise ValueError(f"num_labels goes with multi_label=True. Received: num_labels={num_labels!r}")
        self.init_thresholds = None if thresholds is None else sorted(float(t) for t in thresholds)
        inner = np.linspace(0, 1, whole("num_thresholds", num_thresholds, at_least=2))[1:-1].tolist()
        if self.init_thresholds is not None:
            inner = self.init_thresholds
            if not all(0 <= t <= 1 for t in inner):
                raise ValueError(f"thresholds must be numbers from 0 to 1. Received: thresholds={thresholds!r}")
        self.num_thresholds = len(inner) + 2
        self.multi_label, self.num_labels, self.from_logits = bool(multi_label), num_labels, bool(from_logits)
        self.label_weights = None if label_weights is None else np.asarray(label_weights, np.float64)
        # everything is above the first threshold and nothing above the last
        super().__init__([-config.epsilon(), *inner, 1 + config.epsilon()], name, dtype)
        self._clips = len(inner) == 0 or self._clips

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        pred = as_floats(y_pred, self.dtype)
        if self.num_labels is not None and pred.shape[1:] != (self.num_labels,):
            raise ValueError(f"{self.name}: expected {self.num_labels} labels. Received: y_pred of shape {pred.shape}")
        if self.from_logits:
            pred = 0.5 * (1 + np.tanh(0.5 * pred))
        super().update_state(y_true, pred, sample_weight)

    def result(self) -> float:
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = self._interpolated_counts()
        else:
            x, y = {"ROC": self._roc, "PR": self._pr, "PRGAIN": self._pr_gain}[self.curve]()
            areas = ((x[:-1] - x[1:]) * self._heights(y[:-1], y[1:])).sum(axis=0)
        if not self.multi_label:
            return float(areas)
        if self.label_weights is None:
            return float(np.mean(areas))
        total = self.label_weights.sum()
        return float((areas * self.label_weights).sum() / total) if total else 0.0

    def _heights(self, left: Counts, right: Counts) -> Counts:
        if self.summation_method == "interpolation":
            return (left + right) / 2
        return np.minimum(left, right) if self.summation_method == "minoring" else np.maximum(left, right)

    def _roc(self) -> tuple[Counts, Counts]:
        return divide(self.false_positives, self.false_positives + self.true_negatives), self._recall()

    def _pr(self) -> tuple[Counts, Counts]:
        return self._recall(), self._precision()

    def _pr_gain(self) -> tuple[Counts, Counts]:
        odds = divide(self.true_positives + self.false_negatives, self.true_negatives + self.false_positives)
        found = self.true_positives > 0
        recall = np.where(found, 1 - odds * divide(self.false_negatives, self.true_positives), 0.0)
        return np.maximum(recall, 0), np.where(found, 1 - odds * divide(self.false_positives, self.true_positives), 1.0)

    def _interpolated_counts(self) -> Counts:
        """The area under precision over recall if between two points the counts change linearly.

        With p = true + false positives, slope = dTP / dp and TP = intercept + slope p, the integral of TP / p is
        dTP + intercept log(p_left / p_right), times the slope; all over the number of positives.
        """
        tp, p = self.true_positives, self.true_positives + self.false_positives
        gained, wider = tp[:-1] - tp[1:], np.maximum(p[:-1] - p[1:], 0)
        slope = divide(gained, wider)
        intercept = tp[1:] - slope * p[1:]
        ratio = np.where((p[:-1] > 0) & (p[1:] > 0), divide(p[:-1], np.maximum(p[1:], 0)), 1.0)
        area = slope * (gained + intercept * np.log(np.where(ratio > 0, ratio, 1.0)))
        return np.asarray(divide(area, np.maximum(tp[1:] + self.false_negatives[1:], 0)).sum(axis=0))

    def get_config(self) -> dict[str, Any]:
        weights = self.label_weights
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "thresholds": self.init_thresholds,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if weights is None else weights.tolist(),
            "from_logits": self.from_logits,
        }
