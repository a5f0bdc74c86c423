"""Intersection over union: how well regions of one class, in the predictions and in the targets, lie on each other.

    IoU = true positives / (true positives + false positives + false negatives)

All of them are computed from a confusion matrix, which grows over the batches. Unlike Keras, which casts weights to
int unless told otherwise, weights are counted as they are. A class that neither occurs nor is predicted is left out of
means. What is labelled or predicted outside of 0 ... classes - 1 does not count.

Reference: P. Jaccard: The distribution of the flora in the alpine zone. New Phytologist 11(2), 1912.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn._numbers import finite, whole
from fastnn.metrics.base import Metric


class IoU(Metric):
    """The mean of the intersections over union of some classes.

    Parameters
    ----------
    num_classes : int
    target_class_ids : sequence of int
        The classes to take the mean of.
    name, dtype
        See `Metric`.
    ignore_class : int, optional
        A label that does not count; it may lie outside of the classes.
    sparse_y_true, sparse_y_pred : bool
        Whether targets and predictions are labels; otherwise the largest number along `axis` decides.
    axis : int

    Attributes
    ----------
    total_cm : ndarray of float64, shape (classes, classes)
        The confusion matrix: rows are labels, columns predictions.
    """

    default_name = "io_u"
    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        self.num_classes = whole("num_classes", num_classes, at_least=1)
        self.target_class_ids = [int(i) for i in target_class_ids]
        if not self.target_class_ids or not all(0 <= i < num_classes for i in self.target_class_ids):
            raise ValueError(
                f"target_class_ids must be classes below {num_classes}. Received: target_class_ids={target_class_ids!r}"
            )
        self.ignore_class, self.sparse_y_true, self.sparse_y_pred = ignore_class, sparse_y_true, sparse_y_pred
        self.axis = axis
        self.reset_state()

    def reset_state(self) -> None:
        self.total_cm = np.zeros((self.num_classes, self.num_classes))

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take a batch into account.

        Parameters
        ----------
        y_true, y_pred : array_like
            Labels, or rows of numbers for the classes; as many labels in both.
        sample_weight : array_like, optional
            One weight for each label, or a single one.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        true = np.asarray(y_true) if self.sparse_y_true else np.asarray(y_true).argmax(axis=self.axis)
        pred = np.asarray(y_pred) if self.sparse_y_pred else np.asarray(y_pred).argmax(axis=self.axis)
        true, pred = true.reshape(-1).astype(np.int64), pred.reshape(-1).astype(np.int64)
        if true.shape != pred.shape:
            raise ValueError(
                f"{self.name}: there must be as many labels as predictions. "
                f"Received: y_true {np.shape(y_true)}, y_pred {np.shape(y_pred)}"
            )
        weights = np.asarray(1.0 if sample_weight is None else sample_weight, np.float64).reshape(-1)
        if weights.size not in (1, true.size):
            raise ValueError(
                f"{self.name}: expected one weight for each of {true.size} labels. Received: {weights.size}"
            )
        counts = (true >= 0) & (true < self.num_classes) & (pred >= 0) & (pred < self.num_classes)
        if self.ignore_class is not None:
            counts &= true != self.ignore_class
        weights = np.broadcast_to(weights, true.shape)[counts]
        cells = true[counts] * self.num_classes + pred[counts]
        self.total_cm += np.bincount(cells, weights, self.num_classes**2).reshape(self.total_cm.shape)

    def result(self) -> float:
        hits = np.diag(self.total_cm)
        union = self.total_cm.sum(axis=0) + self.total_cm.sum(axis=1) - hits
        hits, union = hits[self.target_class_ids], union[self.target_class_ids]
        occurs = union > 1e-9
        return float((hits[occurs] / union[occurs]).mean()) if occurs.any() else 0.0

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }
        return {**super().get_config(), **own}


def _without(config: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in names}


class BinaryIoU(IoU):
    """The mean intersection over union of the classes 0 and 1, 1 being predicted by numbers of at least `threshold`.

    Parameters
    ----------
    target_class_ids : sequence of int
        (0,), (1,) or (0, 1).
    threshold : float
    name, dtype
        See `Metric`.
    """

    default_name = "binary_io_u"

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = finite("threshold", threshold)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take a batch into account; y_pred holds numbers, which the threshold makes labels."""
        super().update_state(y_true, np.asarray(y_pred) >= self.threshold, sample_weight)

    def get_config(self) -> dict[str, Any]:
        unused = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return {**_without(super().get_config(), *unused), "threshold": self.threshold}


class MeanIoU(IoU):
    """The mean of the intersections over union of all classes.

    Parameters
    ----------
    num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        See `IoU`.
    """

    default_name = "mean_io_u"

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        every = range(whole("num_classes", num_classes, at_least=1))
        super().__init__(num_classes, every, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return _without(super().get_config(), "target_class_ids")


class OneHotIoU(IoU):
    """`IoU` for one-hot targets.

    Parameters
    ----------
    num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_pred, axis
        See `IoU`; the predictions are rows of numbers by default.
    """

    default_name = "one_hot_io_u"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return _without(super().get_config(), "sparse_y_true")


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` for one-hot targets.

    Parameters
    ----------
    num_classes, name, dtype, ignore_class, sparse_y_pred, axis
        See `IoU`; the predictions are rows of numbers by default.
    """

    default_name = "one_hot_mean_io_u"

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return _without(super().get_config(), "sparse_y_true")
