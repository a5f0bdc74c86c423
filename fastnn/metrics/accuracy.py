"""How often predictions are right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn import config
from fastnn._arrays import Shape, same_rank
from fastnn.metrics.base import KernelMetric, Mean, MetricKernel


class Accuracy(Mean):
    """How often y_pred equals y_true, number by number. The string "accuracy" means something else: see `resolve`."""

    default_name = "accuracy"
    _direction = "up"

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
