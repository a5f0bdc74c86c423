"""How often predictions are right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn import config
from fastnn._arrays import Array, Shape, as_labels, same_rank
from fastnn._numbers import whole
from fastnn.metrics.base import KernelMetric, Mean, MetricKernel, SampleMetric


class Accuracy(Mean):
    """How often y_pred equals y_true, number by number. The string "accuracy" means something else: see `resolve`."""

    default_name = "accuracy"
    _direction = "up"
    counts_mask = True

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        true, pred = same_rank(np.asarray(y_true), np.asarray(y_pred, self.dtype))
        if true.shape != pred.shape:
            raise ValueError(
                f"{self.name}: y_true and y_pred must have the same shape. "
                f"Received: y_true {true.shape}, y_pred {pred.shape}"
            )
        super().update_state(true.astype(pred.dtype) == pred, sample_weight)


class BinaryAccuracy(KernelMetric):
    """How often y_true equals (y_pred > threshold), number by number.

    Parameters
    ----------
    threshold : float
    name, dtype
        See `Metric`.
    """

    default_name = "binary_accuracy"
    _direction = "up"

    def __init__(self, name: str | None = None, dtype: str | None = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        self.threshold = float(threshold)

    def kernel(self, output_shape: Shape, target_shape: Shape) -> MetricKernel:
        # As in Keras, the threshold is a number of the default float type: 0.4 is not above 0.4.
        return MetricKernel(self.name, "threshold_hits", "", (float(np.dtype(config.floatx()).type(self.threshold)),))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(KernelMetric):
    """How often the largest of y_pred stands where the largest of y_true stands; targets are one-hot rows."""

    default_name = "categorical_accuracy"
    _direction = "up"

    def kernel(self, output_shape: Shape, target_shape: Shape) -> MetricKernel:
        return MetricKernel(self.name, "argmax_hits", "", ())


class SparseCategoricalAccuracy(KernelMetric):
    """How often the largest of y_pred stands at index y_true; targets are integer labels."""

    default_name = "sparse_categorical_accuracy"
    _direction = "up"

    def kernel(self, output_shape: Shape, target_shape: Shape) -> MetricKernel:
        return MetricKernel(self.name, "label_hits", "", ())


class TopKCategoricalAccuracy(SampleMetric):
    """How often fewer than k of y_pred are greater than the one where the largest of y_true stands (one-hot rows).

    Parameters
    ----------
    k : int
    name, dtype
        See `Metric`.
    """

    default_name = "top_k_categorical_accuracy"
    _direction = "up"

    def __init__(self, k: int = 5, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        self.k = whole("k", k, at_least=1)

    def _values(self, true: Array, pred: Array) -> Array:
        if true.shape != pred.shape or pred.ndim == 0:
            raise ValueError(
                f"{self.name}: y_true and y_pred must have the same shape. "
                f"Received: y_true {true.shape}, y_pred {pred.shape}"
            )
        return _in_top(true.argmax(axis=-1), pred, self.k)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """How often fewer than k of y_pred are greater than the one at index y_true; targets are integer labels.

    Parameters
    ----------
    k : int
    name, dtype
        See `Metric`.
    from_sorted_ids : bool
        Whether y_pred holds labels instead, the likeliest first; then it counts how often y_true is among the first k.
    """

    default_name = "sparse_top_k_categorical_accuracy"

    def __init__(
        self, k: int = 5, name: str | None = None, dtype: str | None = None, from_sorted_ids: bool = False
    ) -> None:
        super().__init__(k, name, dtype)
        self.from_sorted_ids = from_sorted_ids

    def _values(self, true: Array, pred: Array) -> Array:
        labels = as_labels(true, pred.shape, self.name, check=False).reshape(pred.shape[:-1])
        if self.from_sorted_ids:
            return np.asarray((pred[..., : self.k] == labels[..., np.newaxis]).any(axis=-1))
        return _in_top(labels, pred, self.k)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_sorted_ids": self.from_sorted_ids}


def _in_top(labels: Array, pred: Array, k: int) -> Array:
    """Whether fewer than k of each row are greater than the one at the label: of equal ones, all are among the first.

    A label that the row does not have, or a prediction there that is not finite, is a miss.
    """
    classes = pred.shape[-1]
    known = (labels >= 0) & (labels < classes)
    at = np.take_along_axis(pred, np.where(known, labels, 0)[..., np.newaxis], -1)
    return np.asarray(known & np.isfinite(at[..., 0]) & ((pred > at).sum(axis=-1) < k))
