"""Losses of samples in which several classes can be right at once; PyTorch's, not in Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn._arrays import Array
from fastnn.losses.base import Loss, LossKernel, class_factors


class MultiLabelMargin(Loss):
    """loss = sum_k sum_c max(0, 1 - y_pred_k + y_pred_c) / classes, k over the classes that are right, c the others.

    PyTorch's ``nn.MultiLabelMarginLoss``; not in Keras.

    Parameters
    ----------
    label_lists : bool
        If false, targets are rows like the predictions: 1 for the classes that are right, 0 for the others. If true,
        they are PyTorch's: rows as long as the predictions', with the labels of the right classes and -1 behind them.
    reduction, name, dtype
        See `Loss`.

    References
    ----------
    Crammer and Singer, "A family of additive online algorithms for category ranking", JMLR 3, 2003.
    """

    default_name = "multi_label_margin"

    def __init__(
        self,
        label_lists: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.label_lists = bool(label_lists)

    @property
    def changes_targets(self) -> bool:
        return self.label_lists

    def prepare_targets(self, y_true: ArrayLike) -> Array:
        return _many_hot(np.asarray(y_true), self.name) if self.label_lists else np.asarray(y_true)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("row_loss", "multilabel_margin", (), "rows")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_lists": self.label_lists}


def _many_hot(labels: Array, name: str) -> Array:
    """Rows of 0 and 1 from rows of as many labels; what follows the first -1 counts nothing."""
    if labels.ndim == 0 or labels.dtype.kind not in "iu":
        raise ValueError(f"{name}: lists of labels must be integers. Received: {labels.dtype} {labels.shape}")
    classes = labels.shape[-1]
    listed = np.cumsum(labels == -1, axis=-1) == 0
    wrong = listed & ((labels < 0) | (labels >= classes))
    if wrong.any():
        raise ValueError(f"{name}: labels must lie between 0 and {classes - 1}. Received: {labels[wrong][0]}")
    rows = np.zeros((*labels.shape[:-1], classes + 1), np.float32)
    np.put_along_axis(rows, np.where(listed, labels, classes), 1, axis=-1)
    return rows[..., :-1]


class MultiLabelSoftMargin(Loss):
    """loss = mean(-w (y_true log(p) + (1 - y_true) log(1 - p))) over the last axis, p = sigmoid(y_pred).

    PyTorch's ``nn.MultiLabelSoftMarginLoss``; not in Keras.

    Parameters
    ----------
    weight : sequence of float, optional
        Factors w of the classes.
    reduction, name, dtype
        See `Loss`.

    Notes
    -----
    y_pred are always logits: behind a sigmoid, use `BinaryCrossentropy`.
    """

    default_name = "multi_label_soft_margin"

    def __init__(
        self,
        weight: Sequence[float] | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.weight = class_factors(weight, self.name)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("row_loss", "multilabel_soft_margin", (), "rows", class_weight=self.weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": None if self.weight is None else list(self.weight)}
