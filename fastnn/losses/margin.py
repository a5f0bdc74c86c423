"""Losses with a margin: between classes, between scores, between distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from fastnn._arrays import Array, as_floats
from fastnn.losses.base import Loss, LossKernel, class_factors


def signs(y_true: ArrayLike) -> Array:
    """Targets of -1 and 1: those that are all 0 or 1 become 2 y - 1, as in Keras; others are left as they are."""
    true = np.asarray(y_true)
    if true.size and ((true == 0) | (true == 1)).all():
        return 2.0 * as_floats(true) - 1.0
    return true


class _SignedLoss(Loss):
    """Hinge losses: targets are -1 or 1, or 0 and 1, which become these."""

    _row: ClassVar[str]

    @property
    def changes_targets(self) -> bool:
        return True

    def prepare_targets(self, y_true: ArrayLike) -> Array:
        return signs(y_true)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", self._row, (), "rows")


class Hinge(_SignedLoss):
    """loss = mean(max(1 - y_true y_pred, 0)) over the last axis; targets are -1 or 1, or 0 or 1.

    Keras decides for every batch whether targets are 0 or 1; here all targets that are given together decide.
    """

    default_name = "hinge"
    _row = "hinge"


class SquaredHinge(_SignedLoss):
    """loss = mean(max(1 - y_true y_pred, 0)^2) over the last axis; targets as for `Hinge`."""

    default_name = "squared_hinge"
    _row = "squared_hinge"


class SoftMargin(_SignedLoss):
    """loss = mean(log(1 + exp(-y_true y_pred))) over the last axis; targets as for `Hinge`.

    PyTorch's ``nn.SoftMarginLoss``; not in Keras.
    """

    default_name = "soft_margin"
    _row = "soft_margin"


class CategoricalHinge(Loss):
    """loss = max(0, 1 + max((1 - y_true) y_pred) - sum(y_true y_pred)) over the last axis; targets are one-hot rows."""

    default_name = "categorical_hinge"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("row_loss", "categorical_hinge", (), "rows")


class MultiMargin(Loss):
    """loss = w_y sum_(c != y) max(0, margin - y_pred_y + y_pred_c)^p / classes; targets are integer labels y.

    PyTorch's ``nn.MultiMarginLoss``; not in Keras. A mean divides by the number of samples.

    Parameters
    ----------
    p : float, >= 1
    margin : float, >= 0
    weight : sequence of float, optional
        Factors w of the classes.
    reduction, name, dtype
        See `Loss`.
    """

    default_name = "multi_margin"

    def __init__(
        self,
        p: float = 1.0,
        margin: float = 1.0,
        weight: Sequence[float] | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not (p >= 1 and margin >= 0):
            raise ValueError(f"p must be >= 1 and margin >= 0. Received: p={p!r}, margin={margin!r}")
        self.p, self.margin, self.weight = float(p), float(margin), class_factors(weight, self.name)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        params = (self.margin, self.p)
        return LossKernel("row_loss", "multi_margin", params, "labels", class_weight=self.weight)

    def get_config(self) -> dict[str, Any]:
        weight = None if self.weight is None else list(self.weight)
        return {**super().get_config(), "p": self.p, "margin": self.margin, "weight": weight}


class MarginRanking(Loss):
    """loss = mean(max(0, margin - y_true (x1 - x2))): which of two scores is to be the larger, y_true being 1 or -1.

    The last axis of the predictions holds all x1, then all x2: twice as many numbers as the targets have. PyTorch's
    ``nn.MarginRankingLoss``; not in Keras.

    Parameters
    ----------
    margin : float, >= 0
    reduction, name, dtype
        See `Loss`.
    """

    default_name = "margin_ranking"
    _row: ClassVar[str] = "margin_ranking"
    _target: ClassVar[str] = "rows"

    def __init__(
        self,
        margin: float = 0.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not margin >= 0:
            raise ValueError(f"margin must be >= 0. Received: {margin!r}")
        self.margin = float(margin)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("row_loss", self._row, (self.margin,), self._target, inputs=2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin}


class CosineEmbedding(MarginRanking):
    """loss = 1 - cos(x1, x2) for pairs with y_true = 1, max(0, cos(x1, x2) - margin) for those with y_true = -1.

    The last axis of the predictions holds x1, then x2; there is one target for each pair. PyTorch's
    ``nn.CosineEmbeddingLoss``; not in Keras.

    Parameters
    ----------
    margin : float, >= 0
    reduction, name, dtype
        See `Loss`.
    """

    default_name = "cosine_embedding"
    _row = "cosine_embedding"
    _target = "signs"


class TripletMargin(Loss):
    """loss = max(0, d(anchor, positive) - d(anchor, negative) + margin), d(x, y) = (sum |x - y + eps|^p)^(1 / p).

    The last axis of the predictions holds the anchor, then the positive, then the negative. There is nothing to compare
    them with: targets are ignored, but `fit` wants an array with as many samples. PyTorch's ``nn.TripletMarginLoss``;
    not in Keras.

    Parameters
    ----------
    margin : float, >= 0
    p : float, >= 1
    eps : float, >= 0
    swap : bool
        Whether the smaller of d(anchor, negative) and d(positive, negative) counts.
    reduction, name, dtype
        See `Loss`.
    """

    default_name = "triplet_margin"

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not (margin >= 0 and p >= 1 and eps >= 0):
            raise ValueError(f"margin and eps must be >= 0, p >= 1. Received: margin={margin!r}, p={p!r}, eps={eps!r}")
        self.margin, self.p, self.eps, self.swap = float(margin), float(p), float(eps), bool(swap)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        params = (self.margin, self.p, self.eps, float(self.swap))
        return LossKernel("row_loss", "triplet_margin", params, "none", inputs=3)

    def get_config(self) -> dict[str, Any]:
        own = {"margin": self.margin, "p": self.p, "eps": self.eps, "swap": self.swap}
        return {**super().get_config(), **own}


def hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `Hinge`."""
    return Hinge().call(y_true, y_pred)


def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `SquaredHinge`."""
    return SquaredHinge().call(y_true, y_pred)


def categorical_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `CategoricalHinge`."""
    return CategoricalHinge().call(y_true, y_pred)
