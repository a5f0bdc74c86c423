"""Cross-entropies of several classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn import config
from fastnn._arrays import Array
from fastnn.losses.base import IGNORE_NOTHING, Loss, LossKernel, class_factors
from fastnn.losses.logits import Crossentropy


class _Categorical(Crossentropy):
    """What the losses of several classes share."""

    _activation = "softmax"
    class_weight: tuple[float, ...] | None = None

    def _class_kernel(self, output_activation: str | None, target: str) -> LossKernel:
        fused = self._fused(output_activation)
        ignore = IGNORE_NOTHING if self.ignore_class is None else self.ignore_class
        row, params = self._row(fused or self.from_logits)
        return LossKernel(
            "row_loss",
            row,
            params,
            target,
            fused,
            ignore=ignore,
            smoothing=self.label_smoothing,
            class_weight=self.class_weight,
            axis=self.axis,
        )

    def _row(self, logits: bool) -> tuple[str, tuple[float, ...]]:
        """The row of the table and its parameters."""
        if logits:
            return "softmax_cross_entropy", ()
        return "categorical_cross_entropy", (config.epsilon(),)

    def _weight_config(self) -> dict[str, Any]:
        return {} if self.class_weight is None else {"class_weight": list(self.class_weight)}


class CategoricalCrossentropy(_Categorical):
    """loss = -sum_c y_true_c log(p_c), p = clip(y_pred / sum(y_pred), epsilon, 1 - epsilon); targets are one-hot rows.

    Parameters
    ----------
    from_logits : bool
        If true, y_pred are any real numbers and p = softmax(y_pred), unclipped.
    label_smoothing : float
        From 0 to 1: y_true becomes y_true (1 - label_smoothing) + label_smoothing / classes.
    axis : int
        Along which the classes stand; not the batch's, 0. Where it is not -1, nothing is taken from before a softmax
        of the model, which is along the last axis.
    reduction, name, dtype
        See `Loss`.
    class_weight : sequence of float, optional
        Factors of the classes in the loss itself; not in Keras. A mean divides by the number of samples.
    """

    default_name = "categorical_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
        class_weight: Sequence[float] | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.class_weight = class_factors(class_weight, self.name)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return self._class_kernel(output_activation, "rows")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._weight_config()}


class SparseCategoricalCrossentropy(_Categorical):
    """loss = -log(p[y_true]), p = clip(y_pred / sum(y_pred), epsilon, 1 - epsilon); targets are integer labels.

    Parameters
    ----------
    from_logits : bool
        If true, y_pred are any real numbers and p = softmax(y_pred), unclipped.
    ignore_class : int, optional
        Samples with this label have loss 0 and gradient 0, and do not count in the number of samples of a mean.
    reduction, axis, name, dtype
        See `Loss` and `CategoricalCrossentropy`.
    label_smoothing : float
        From 0 to 1: that part of the target is spread evenly over the classes; not in Keras.
    class_weight : sequence of float, optional
        See `CategoricalCrossentropy`.
    """

    default_name = "sparse_categorical_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: str | None = None,
        label_smoothing: float = 0.0,
        class_weight: Sequence[float] | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.ignore_class, self.class_weight = ignore_class, class_factors(class_weight, self.name)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return self._class_kernel(output_activation, "labels")

    def get_config(self) -> dict[str, Any]:
        own: dict[str, Any] = {"from_logits": self.from_logits, "ignore_class": self.ignore_class}
        own |= {"label_smoothing": self.label_smoothing} if self.label_smoothing else {}
        return {**Loss.get_config(self), **own, **self._weight_config()}


class CategoricalFocalCrossentropy(_Categorical):
    """loss = -sum_c alpha y_true_c (1 - p_c)^gamma log(p_c): the cross-entropy, with easy examples played down.

    Parameters
    ----------
    alpha : float or sequence of float, >= 0
        Factor of the loss, or one factor for each class.
    gamma : float, >= 0
        How much easy examples are played down; 0 gives the cross-entropy.
    from_logits, label_smoothing, axis, reduction, name, dtype
        See `CategoricalCrossentropy`. From logits, nothing is clipped, unlike in Keras.

    References
    ----------
    Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """

    default_name = "categorical_focal_crossentropy"

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        if not gamma >= 0:
            raise ValueError(f"gamma must be >= 0. Received: {gamma!r}")
        factors = class_factors(np.atleast_1d(np.asarray(alpha, np.float64)), self.name)
        self.alpha = alpha if isinstance(alpha, (int, float)) else list(factors or ())
        self.class_weight = None if isinstance(alpha, (int, float)) else factors
        self.gamma = float(gamma)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return self._class_kernel(output_activation, "rows")

    def _row(self, logits: bool) -> tuple[str, tuple[float, ...]]:
        alpha = float(self.alpha) if isinstance(self.alpha, (int, float)) else 1.0
        if logits:
            return "categorical_focal_with_logits", (alpha, self.gamma)
        return "categorical_focal", (alpha, self.gamma, config.epsilon())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "gamma": self.gamma}


class CategoricalGeneralizedCrossEntropy(Loss):
    """loss = (1 - p^q) / q with p the predicted probability of the right class; targets are integer labels.

    Parameters
    ----------
    q : float, between 0 and 1
        Close to 0 it is the cross-entropy, close to 1 the absolute error, which wrong labels mislead less.
    reduction, name, dtype
        See `Loss`.

    References
    ----------
    Zhang and Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy labels", NeurIPS
    2018.
    """

    default_name = "categorical_generalized_cross_entropy"

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not 0 < q < 1:
            raise ValueError(f"q must lie between 0 and 1. Received: {q!r}")
        self.q = float(q)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("row_loss", "generalized_cross_entropy", (self.q,), "labels")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "q": self.q}


class NLL(Loss):
    """loss = -w_y y_pred[y_true] from logarithms of probabilities, as a log_softmax makes them; targets are labels.

    PyTorch's ``nn.NLLLoss``; not in Keras. A mean divides by the number of samples that count.

    Parameters
    ----------
    weight : sequence of float, optional
        Factors w of the classes.
    ignore_class : int, optional
        Samples with this label have loss 0 and gradient 0, and do not count in the number of samples of a mean.
    reduction, name, dtype
        See `Loss`. The sum without 1 / n of many textbooks is reduction="sum".
    """

    default_name = "nll"

    def __init__(
        self,
        weight: Sequence[float] | None = None,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.weight, self.ignore_class = class_factors(weight, self.name), ignore_class

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        ignore = IGNORE_NOTHING if self.ignore_class is None else self.ignore_class
        return LossKernel("row_loss", "nll", (), "labels", ignore=ignore, class_weight=self.weight)

    def get_config(self) -> dict[str, Any]:
        weight = None if self.weight is None else list(self.weight)
        return {**super().get_config(), "weight": weight, "ignore_class": self.ignore_class}


def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """The loss of every sample; see `CategoricalCrossentropy`."""
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Array:
    """The loss of every sample; see `SparseCategoricalCrossentropy`."""
    return SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis).call(y_true, y_pred)


def categorical_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """The loss of every sample; see `CategoricalFocalCrossentropy`."""
    return CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis).call(y_true, y_pred)


def categorical_generalized_cross_entropy(y_true: ArrayLike, y_pred: ArrayLike, q: float = 0.5) -> Array:
    """The loss of every sample; see `CategoricalGeneralizedCrossEntropy`."""
    return CategoricalGeneralizedCrossEntropy(q).call(y_true, y_pred)
