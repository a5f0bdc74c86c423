"""Metrics that are the mean of a loss over all samples."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import losses
from fastnn._arrays import Array, Shape, spread_weights
from fastnn.losses import Loss
from fastnn.metrics.base import KernelMetric, Mean, MetricKernel


class _LossMetric(KernelMetric):
    """The mean of the losses of all samples, by the kernel of a loss, which a subclass names."""

    _direction = "down"
    _loss_class: ClassVar[type[Loss]]

    def _loss(self) -> Loss:
        return self._loss_class(dtype=self.dtype)

    def kernel(self, output_shape: Shape, target_shape: Shape) -> MetricKernel:
        kernel = self._loss().kernel()
        return MetricKernel(self.name, kernel.op, kernel.row, kernel.params)


class MeanSquaredError(_LossMetric):
    """mean((y_true - y_pred)^2)."""

    default_name = "mean_squared_error"
    _loss_class = losses.MeanSquaredError


class RootMeanSquaredError(MeanSquaredError):
    """sqrt(mean((y_true - y_pred)^2)), the root of the mean over all samples."""

    default_name = "root_mean_squared_error"

    def kernel(self, output_shape: Shape, target_shape: Shape) -> None:  # type: ignore[override]
        """None: the engine takes means only."""

    def _values(self, true: Array, pred: Array) -> NDArray[np.float64]:
        return MeanSquaredError(dtype=self.dtype)._values(true, pred)

    def result(self) -> float:
        return math.sqrt(super().result())


class MeanAbsoluteError(_LossMetric):
    """mean(|y_true - y_pred|)."""

    default_name = "mean_absolute_error"
    _loss_class = losses.MeanAbsoluteError


class MeanAbsolutePercentageError(_LossMetric):
    """mean(100 |y_true - y_pred| / max(|y_true|, epsilon))."""

    default_name = "mean_absolute_percentage_error"
    _loss_class = losses.MeanAbsolutePercentageError


class MeanSquaredLogarithmicError(_LossMetric):
    """mean((log(1 + y_true) - log(1 + y_pred))^2)."""

    default_name = "mean_squared_logarithmic_error"
    _loss_class = losses.MeanSquaredLogarithmicError


class LogCoshError(_LossMetric):
    """mean(log(cosh(y_pred - y_true)))."""

    default_name = "logcosh"
    _loss_class = losses.LogCosh


class KLDivergence(_LossMetric):
    """The mean over all samples of sum(y_true log(y_true / y_pred))."""

    default_name = "kl_divergence"
    _loss_class = losses.KLDivergence


class Poisson(_LossMetric):
    """mean(y_pred - y_true log(y_pred + epsilon))."""

    default_name = "poisson"
    _loss_class = losses.Poisson


class Hinge(_LossMetric):
    """mean(max(1 - y_true y_pred, 0)); targets that are all 0 or 1 become -1 and 1."""

    default_name = "hinge"
    _loss_class: ClassVar[type[Loss]] = losses.Hinge

    def kernel(self, output_shape: Shape, target_shape: Shape) -> None:  # type: ignore[override]
        """None: the engine has the targets as they were given."""

    def _values(self, true: Array, pred: Array) -> NDArray[np.float64]:
        return np.asarray(self._loss().call(true, pred), np.float64)


class SquaredHinge(Hinge):
    """mean(max(1 - y_true y_pred, 0)^2); targets as for `Hinge`."""

    default_name = "squared_hinge"
    _loss_class = losses.SquaredHinge


class CategoricalHinge(_LossMetric):
    """The mean over all samples of max(0, 1 + max((1 - y_true) y_pred) - sum(y_true y_pred))."""

    default_name = "categorical_hinge"
    _loss_class = losses.CategoricalHinge


class CosineSimilarity(Mean):
    """The mean over all samples of cos(y_true, y_pred): unlike the loss, 1 for equal directions.

    Parameters
    ----------
    name, dtype
        See `Metric`.
    axis : int
        Only -1.
    """

    default_name = "cosine_similarity"
    _direction = "up"
    counts_mask = True

    def __init__(self, name: str | None = None, dtype: str | None = None, axis: int = -1) -> None:
        super().__init__(name, dtype)
        self._loss = losses.CosineSimilarity(axis, dtype=dtype)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        super().update_state(-np.asarray(self._loss.call(y_true, y_pred), np.float64), sample_weight)


class BinaryCrossentropy(_LossMetric):
    """mean(-y_true log(y_pred) - (1 - y_true) log(1 - y_pred)).

    Parameters
    ----------
    name, dtype
        See `Metric`.
    from_logits, label_smoothing
        See `fastnn.losses.BinaryCrossentropy`.
    """

    default_name = "binary_crossentropy"

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing

    def _loss(self) -> Loss:
        return losses.BinaryCrossentropy(self.from_logits, self.label_smoothing, dtype=self.dtype)

    def kernel(self, output_shape: Shape, target_shape: Shape) -> MetricKernel | None:  # type: ignore[override]
        # the engine has the targets as they were given
        return None if self.label_smoothing else super().kernel(output_shape, target_shape)

    def _values(self, true: Array, pred: Array) -> NDArray[np.float64]:
        return np.asarray(self._loss().call(true, pred), np.float64)

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}
        return {**super().get_config(), **own}


class CategoricalCrossentropy(BinaryCrossentropy):
    """The mean over all samples of -sum(y_true log(y_pred)); targets are one-hot rows.

    Parameters
    ----------
    name, dtype
        See `Metric`.
    from_logits, label_smoothing
        See `fastnn.losses.CategoricalCrossentropy`.
    axis : int
        Only -1.
    """

    default_name = "categorical_crossentropy"

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype, from_logits, label_smoothing)
        self.axis = axis
        self._loss()  # complains about the arguments

    def _loss(self) -> Loss:
        return losses.CategoricalCrossentropy(self.from_logits, self.label_smoothing, self.axis, dtype=self.dtype)


class SparseCategoricalCrossentropy(Mean):
    """The mean over all samples of -log(y_pred[y_true]); targets are integer labels.

    Parameters
    ----------
    name, dtype
        See `Metric`.
    from_logits, ignore_class, axis
        See `fastnn.losses.SparseCategoricalCrossentropy`.
    """

    default_name = "sparse_categorical_crossentropy"
    _direction = "down"
    counts_mask = True

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis
        self._loss = losses.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis, dtype=dtype)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Take a batch into account; samples of the ignored class do not count."""
        values = np.asarray(self._loss.call(y_true, y_pred), np.float64)
        if self.ignore_class is not None:
            counts = (np.asarray(y_true).reshape(values.shape) != self.ignore_class).astype(np.float64)
            given = counts if sample_weight is None else counts * spread_weights(sample_weight, values.shape)
            sample_weight = given
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_logits": self.from_logits, "ignore_class": self.ignore_class}
