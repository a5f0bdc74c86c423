"""Cross-entropies of two classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn import config
from fastnn._arrays import Array, as_floats
from fastnn.losses.base import LossKernel, class_factors
from fastnn.losses.logits import Crossentropy


class _Binary(Crossentropy):
    """What the losses of two classes share."""

    _activation = "sigmoid"

    @property
    def changes_targets(self) -> bool:
        return bool(self.label_smoothing)

    def prepare_targets(self, y_true: ArrayLike) -> Array:
        if not self.label_smoothing:
            return np.asarray(y_true)
        smoothed: Array = as_floats(y_true) * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        return smoothed


class BinaryCrossentropy(_Binary):
    """loss = mean(-y_true log(p) - (1 - y_true) log(1 - p)) over the last axis, p = clip(y_pred, epsilon, 1 - epsilon).

    Parameters
    ----------
    from_logits : bool
        If true, y_pred is any real number x and loss = mean(max(x, 0) - x y_true + log(1 + exp(-|x|))), p = sigmoid(x).
    label_smoothing : float
        From 0 to 1: y_true becomes y_true (1 - label_smoothing) + label_smoothing / 2.
    axis : int
        Over which the mean is taken; not the batch's, 0.
    reduction, name, dtype
        See `Loss`.
    pos_weight : float >= 0, or sequence of float
        Factor of the losses of targets 1, or one factor for each output, as in PyTorch's ``nn.BCEWithLogitsLoss``; not
        in Keras.
    """

    default_name = "binary_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
        pos_weight: float | Sequence[float] = 1.0,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self._factors: tuple[float, ...] | None = None  # one for each output
        if np.ndim(pos_weight):
            self._factors = class_factors(pos_weight, f"{self.name}: pos_weight")
            self.pos_weight: float | list[float] = list(self._factors or ())
        else:
            number = float(np.asarray(pos_weight))
            if not number >= 0:
                raise ValueError(f"pos_weight must be >= 0. Received: {pos_weight!r}")
            self.pos_weight = number

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        fused = self._fused(output_activation)
        op, prefix = "elementwise_loss", ""
        weight: tuple[float, ...] = ()
        if self._factors is not None:
            op, prefix = "row_loss", "balanced_"
        elif isinstance(self.pos_weight, float) and self.pos_weight != 1:
            weight, prefix = (self.pos_weight,), "weighted_"
        row = f"{prefix}binary_cross_entropy"
        params: tuple[float, ...] = (*weight, config.epsilon())
        if fused or self.from_logits:
            row, params = f"{row}_with_logits", weight
        return LossKernel(op, row, params, "rows", fused, class_weight=self._factors, axis=self.axis)

    def get_config(self) -> dict[str, Any]:
        own = {} if self.pos_weight == 1 else {"pos_weight": self.pos_weight}
        return {**super().get_config(), **own}


class BinaryFocalCrossentropy(_Binary):
    """loss = mean(w (1 - p_t)^gamma bce) over the last axis: the cross-entropy bce, with easy examples played down.

    p_t = y_true p + (1 - y_true) (1 - p); w = 1, or with class balancing y_true alpha + (1 - y_true) (1 - alpha).

    Parameters
    ----------
    apply_class_balancing : bool
    alpha : float, from 0 to 1
        Weight of the class 1, if the classes are balanced; that of the class 0 is 1 - alpha.
    gamma : float, >= 0
        How much easy examples are played down; 0 gives the cross-entropy.
    from_logits, label_smoothing, axis, reduction, name, dtype
        See `BinaryCrossentropy`. From logits, nothing is clipped, unlike in Keras.

    References
    ----------
    Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """

    default_name = "binary_focal_crossentropy"

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        if not (0 <= alpha <= 1 and gamma >= 0):
            raise ValueError(f"alpha must be from 0 to 1 and gamma >= 0. Received: alpha={alpha!r}, gamma={gamma!r}")
        self.apply_class_balancing, self.alpha, self.gamma = bool(apply_class_balancing), float(alpha), float(gamma)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        fused = self._fused(output_activation)
        weights = (self.alpha, 1.0 - self.alpha) if self.apply_class_balancing else (1.0, 1.0)
        if fused or self.from_logits:
            return LossKernel(
                "elementwise_loss", "binary_focal_with_logits", (self.gamma, *weights), "rows", fused, axis=self.axis
            )
        params = (self.gamma, *weights, config.epsilon())
        return LossKernel("elementwise_loss", "binary_focal", params, "rows", axis=self.axis)

    def get_config(self) -> dict[str, Any]:
        own = {"apply_class_balancing": self.apply_class_balancing, "alpha": self.alpha, "gamma": self.gamma}
        return {**super().get_config(), **own}


def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """The loss of every sample; see `BinaryCrossentropy`."""
    return BinaryCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def binary_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """The loss of every sample; see `BinaryFocalCrossentropy`."""
    loss = BinaryFocalCrossentropy(apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis)
    return loss.call(y_true, y_pred)
