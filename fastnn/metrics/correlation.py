"""How well predictions follow the targets: the share of the variance that is explained, and correlations."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import config
from fastnn._arrays import Array, as_floats, same_rank, spread_weights
from fastnn._numbers import whole
from fastnn.metrics.base import Metric, SampleMetric

AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


class R2Score(Metric):
    """1 - sum(w (y_true - y_pred)^2) / sum(w (y_true - mean(y_true))^2), for every output over all samples.

    Parameters
    ----------
    class_aggregation : {"uniform_average", "variance_weighted_average", None}
        The mean over the outputs; their mean weighted by the variance of the targets; or None: an array with one score
        for each.
    num_regressors : int
        If greater than 0, the score is adjusted for that many explaining variables p and n numbers:
        1 - (1 - R2) (n - 1) / (n - p - 1).
    name, dtype
        See `Metric`.

    Notes
    -----
    As in Keras, an output whose targets are all equal has the score 0, or NaN if the predictions are right besides
    (scikit-learn: 0 and 1). Sums of squares are taken about the mean, batch by batch (Chan, Golub and LeVeque), so that
    large targets do not cancel.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque: Algorithms for computing the sample variance. The American Statistician
    37(3), 1983.
    """

    default_name = "r2_score"
    _direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        if class_aggregation not in AGGREGATIONS:
            raise ValueError(
                f"class_aggregation must be one of {list(AGGREGATIONS)}. "
                f"Received: class_aggregation={class_aggregation!r}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = whole("num_regressors", num_regressors, at_least=0)
        self.reset_state()

    def reset_state(self) -> None:
        self.num_samples = 0
        self._weight = self._mean = self._squares = self._residual = np.zeros(())

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take a batch into account.

        Parameters
        ----------
        y_true, y_pred : array_like, shape (samples, outputs)
        sample_weight : array_like, optional
            One weight per sample, or per number.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        true, pred = same_rank(np.asarray(y_true, np.float64), as_floats(y_pred, self.dtype))
        if pred.ndim != 2 or true.shape != pred.shape:
            raise ValueError(
                f"{self.name}: y_true and y_pred must have the shape (samples, outputs). "
                f"Received: y_true {true.shape}, y_pred {pred.shape}"
            )
        weights = np.ones(()) if sample_weight is None else spread_weights(sample_weight, true.shape)
        weights = np.broadcast_to(weights, true.shape)
        self.num_samples += true.size
        weight = weights.sum(axis=0)
        mean = _divide((weights * true).sum(axis=0), weight)
        total = self._weight + weight
        gap = mean - self._mean
        self._squares = (
            self._squares + (weights * (true - mean) ** 2).sum(axis=0) + _divide(gap**2 * self._weight * weight, total)
        )
        self._mean = self._mean + _divide(gap * weight, total)
        self._weight = total
        self._residual = self._residual + (weights * (true - pred.astype(np.float64)) ** 2).sum(axis=0)

    def result(self) -> float | NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.asarray(1 - self._residual / self._squares)
        scores = np.where(np.isinf(scores), 0.0, scores)
        score: Any = scores
        if self.class_aggregation == "uniform_average":
            score = float(scores.mean())
        elif self.class_aggregation == "variance_weighted_average":
            with np.errstate(divide="ignore", invalid="ignore"):
                score = float((self._squares * scores).sum() / np.asarray(self._squares.sum()))
        n, p = self.num_samples, self.num_regressors
        if p and p >= n - 1:
            warnings.warn(
                f"R2Score: the adjusted score needs more than {p + 1} numbers and is left out. Received: {n}",
                stacklevel=2,
            )
        elif p:
            score = 1 - (1 - score) * (n - 1) / (n - p - 1)
        return score

    def get_config(self) -> dict[str, Any]:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}


def _divide(a: Array, b: Array) -> Array:
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=b != 0)


class PearsonCorrelation(SampleMetric):
    """The mean over all samples of the correlation of y_true and y_pred along an axis.

    r = mean((y_true - mean(y_true)) (y_pred - mean(y_pred))) / (std(y_true) std(y_pred))

    Parameters
    ----------
    name, dtype
        See `Metric`.
    axis : int

    Notes
    -----
    As in Keras, NaN where one of them is constant.
    """

    default_name = "pearson_correlation"
    _direction = "up"

    def __init__(self, name: str | None = None, dtype: str | None = None, axis: int = -1) -> None:
        super().__init__(name, dtype)
        self.axis = axis

    def _values(self, true: Array, pred: Array) -> Array:
        true, pred = same_rank(true.astype(np.float64), pred.astype(np.float64))
        if true.shape != pred.shape or true.ndim == 0:
            raise ValueError(
                f"{self.name}: y_true and y_pred must have the same shape. "
                f"Received: y_true {true.shape}, y_pred {pred.shape}"
            )
        return self._of(true, pred)

    def _of(self, true: Array, pred: Array) -> Array:
        true = true - true.mean(axis=self.axis, keepdims=True)
        pred = pred - pred.mean(axis=self.axis, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((true * pred).mean(self.axis) / (true.std(self.axis) * pred.std(self.axis)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class ConcordanceCorrelation(PearsonCorrelation):
    """The mean over all samples of the concordance correlation of y_true and y_pred along an axis.

    2 cov(y_true, y_pred) / (var(y_true) + var(y_pred) + (mean(y_true) - mean(y_pred))^2 + epsilon)

    Parameters
    ----------
    name, dtype, axis
        See `PearsonCorrelation`; epsilon is `fastnn.config.epsilon()`.

    References
    ----------
    L. I-K. Lin: A concordance correlation coefficient to evaluate reproducibility. Biometrics 45(1), 1989.
    """

    default_name = "concordance_correlation"

    def _of(self, true: Array, pred: Array) -> Array:
        gap = true.mean(self.axis) - pred.mean(self.axis)
        covariance = ((true - true.mean(self.axis, keepdims=True)) * pred).mean(self.axis)
        return np.asarray(2 * covariance / (true.var(self.axis) + pred.var(self.axis) + gap**2 + config.epsilon()))
