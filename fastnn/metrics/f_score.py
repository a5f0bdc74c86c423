"""The weighted harmonic mean of precision and recall, for rows of several labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._arrays import as_floats, spread_weights
from fastnn._numbers import finite, positive
from fastnn.metrics.base import Metric

AVERAGES = (None, "micro", "macro", "weighted")


class FBetaScore(Metric):
    """(1 + beta^2) precision recall / (beta^2 precision + recall), for every label; 0 where a label is never found.

    In counts: (1 + beta^2) TP / ((1 + beta^2) TP + beta^2 FN + FP).

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        None: `result` is an array with one score for each label. "micro": of the counts of all labels together.
        "macro": the mean over labels. "weighted": their mean, weighted by how often each is a target.
    beta : float
        How much more recall matters than precision.
    threshold : float, optional
        Predictions above it are positive; from 0 (exclusive) to 1. Default: the largest of each row is (all of equal
        ones), if it is not 0.
    name, dtype
        See `Metric`.

    Notes
    -----
    Keras adds 1e-7 to every denominator; here 0 / 0 is 0, as in scikit-learn.

    References
    ----------
    C. J. van Rijsbergen: Information Retrieval. Butterworths, 2nd edition 1979.
    """

    default_name = "fbeta_score"
    _direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        if average not in AVERAGES:
            raise ValueError(f"average must be one of {list(AVERAGES)}. Received: average={average!r}")
        self.average, self.beta = average, positive("beta", beta)
        self.threshold = None if threshold is None else finite("threshold", threshold, at_least=0.0, at_most=1.0)
        if self.threshold == 0.0:
            raise ValueError(f"threshold must be greater than 0. Received: threshold={threshold!r}")
        self.reset_state()

    def reset_state(self) -> None:
        self.true_positives = self.false_positives = self.false_negatives = np.zeros(())

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take a batch into account.

        Parameters
        ----------
        y_true : array_like of 0 and 1, shape (samples, labels)
        y_pred : array_like of float32 or float64, shape (samples, labels)
        sample_weight : array_like, shape (samples,), optional

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        true, pred = np.asarray(y_true, np.float64), as_floats(y_pred, self.dtype)
        if pred.ndim != 2 or true.shape != pred.shape:
            raise ValueError(
                f"{self.name}: y_true and y_pred must have the shape (samples, labels). "
                f"Received: y_true {true.shape}, y_pred {pred.shape}"
            )
        if self.threshold is None:
            positive = (pred >= pred.max(axis=-1, keepdims=True)) & (np.abs(pred) > 1e-9)
        else:
            positive = pred > self.threshold
        found = positive.astype(np.float64)
        weights = 1.0 if sample_weight is None else spread_weights(sample_weight, pred.shape)
        self.true_positives = self.true_positives + (weights * found * true).sum(axis=0)
        self.false_positives = self.false_positives + (weights * found * (1 - true)).sum(axis=0)
        self.false_negatives = self.false_negatives + (weights * (1 - found) * true).sum(axis=0)

    def result(self) -> float | NDArray[np.float64]:
        counts = np.stack([self.true_positives, self.false_positives, self.false_negatives])
        tp, fp, fn = counts.sum(axis=-1) if self.average == "micro" and counts.ndim > 1 else counts
        square = self.beta**2
        above, below = (1 + square) * tp, (1 + square) * tp + square * fn + fp
        scores = np.divide(above, below, out=np.zeros_like(above), where=below != 0)
        if self.average is None and scores.ndim:
            return scores
        if self.average == "weighted":
            support = tp + fn
            return float((scores * support).sum() / support.sum()) if support.sum() else 0.0
        return float(scores.mean())

    def get_config(self) -> dict[str, Any]:
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


class F1Score(FBetaScore):
    """2 precision recall / (precision + recall), for every label: `FBetaScore` with beta = 1.

    Parameters
    ----------
    average, threshold, name, dtype
        See `FBetaScore`.
    """

    default_name = "f1_score"

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config
