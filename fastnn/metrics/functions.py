"""The metrics that Keras also offers as functions: one number for every sample, shape (...) for (..., outputs)."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastnn.metrics.accuracy import (
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from fastnn.metrics.correlation import ConcordanceCorrelation, PearsonCorrelation

Values = NDArray[Any]


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> Values:
    """The share of the outputs where y_true equals (y_pred > threshold); see `BinaryAccuracy`."""
    return BinaryAccuracy(threshold=threshold).values(y_true, y_pred)


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Values:
    """1 where the largest of y_pred stands where that of y_true stands, else 0; see `CategoricalAccuracy`."""
    return CategoricalAccuracy().values(y_true, y_pred)


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Values:
    """1 where the largest of y_pred stands at index y_true, else 0; see `SparseCategoricalAccuracy`."""
    return SparseCategoricalAccuracy().values(y_true, y_pred)


def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> Values:
    """Whether the class of a one-hot row is among the k likeliest; see `TopKCategoricalAccuracy`."""
    return TopKCategoricalAccuracy(k).values(y_true, y_pred)


def sparse_top_k_categorical_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, k: int = 5, from_sorted_ids: bool = False
) -> Values:
    """Whether a label is among the k likeliest; see `SparseTopKCategoricalAccuracy`."""
    return SparseTopKCategoricalAccuracy(k, from_sorted_ids=from_sorted_ids).values(y_true, y_pred)


def pearson_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Values:
    """The correlation along an axis; see `PearsonCorrelation`."""
    return PearsonCorrelation(axis=axis).values(y_true, y_pred)


def concordance_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Values:
    """The concordance correlation along an axis; see `ConcordanceCorrelation`."""
    return ConcordanceCorrelation(axis=axis).values(y_true, y_pred)
