"""Losses that compare distributions: divergences, and likelihoods of counts and of normal numbers."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from fastnn import config
from fastnn._arrays import Array
from fastnn.losses.base import Loss, LossKernel


class KLDivergence(Loss):
    """loss = sum(y_true log(y_true / y_pred)) over the last axis, both clipped to [epsilon, 1]."""

    default_name = "kl_divergence"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "kl_divergence", (config.epsilon(),), "rows")


class Poisson(Loss):
    """loss = mean(y_pred - y_true log(y_pred + epsilon)) over the last axis."""

    default_name = "poisson"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "poisson", (config.epsilon(),), "rows")


class PoissonNLL(Loss):
    """loss = mean(exp(y_pred) - y_true y_pred) over the last axis: y_pred is the logarithm of the predicted mean.

    PyTorch's ``nn.PoissonNLLLoss``; not in Keras.

    Parameters
    ----------
    log_input : bool
        If false, y_pred is the mean itself and loss = mean(y_pred - y_true log(y_pred + eps)).
    eps : float, >= 0
        Only for log_input=False.
    reduction, name, dtype
        See `Loss`.
    """

    default_name = "poisson_nll"

    def __init__(
        self,
        log_input: bool = True,
        eps: float = 1e-8,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not eps >= 0:
            raise ValueError(f"eps must be >= 0. Received: {eps!r}")
        self.log_input, self.eps = bool(log_input), float(eps)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        if self.log_input:
            return LossKernel("elementwise_loss", "poisson_nll", (), "rows")
        return LossKernel("elementwise_loss", "poisson", (self.eps,), "rows")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "log_input": self.log_input, "eps": self.eps}


class GaussianNLL(Loss):
    """loss = mean((log v + (y_true - m)^2 / v) / 2) over the outputs, from a mean m and a variance v of each.

    The last axis of the predictions holds all means, then all variances: twice as many numbers as the targets have. The
    variances must be positive: give the layer an activation such as softplus or exponential. PyTorch's
    ``nn.GaussianNLLLoss``; not in Keras.

    Parameters
    ----------
    full : bool
        Whether to add the constant log(2 pi) / 2.
    eps : float, > 0
        Smallest variance.
    reduction, name, dtype
        See `Loss`.
    """

    default_name = "gaussian_nll"

    def __init__(
        self,
        full: bool = False,
        eps: float = 1e-6,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not eps > 0:
            raise ValueError(f"eps must be > 0. Received: {eps!r}")
        self.full, self.eps = bool(full), float(eps)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("row_loss", "gaussian_nll", (self.eps, float(self.full)), "rows", inputs=2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "full": self.full, "eps": self.eps}


def kl_divergence(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `KLDivergence`."""
    return KLDivergence().call(y_true, y_pred)


def poisson(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `Poisson`."""
    return Poisson().call(y_true, y_pred)
