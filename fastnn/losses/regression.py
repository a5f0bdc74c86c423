"""Losses for regression: how far numbers are from numbers."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from fastnn import config
from fastnn._arrays import Array
from fastnn.losses.base import Loss, LossKernel


class MeanSquaredError(Loss):
    """loss = mean((y_true - y_pred)^2) over the last axis."""

    default_name = "mean_squared_error"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "mse", (), "rows")


class HalfMeanSquaredError(Loss):
    """loss = mean((y_true - y_pred)^2) / 2 over the last axis.

    The quadratic cost 1 / (2 n) sum (a - y)^2 of textbooks, for one output; not in Keras. For the squared distance of
    several outputs see `HalfSumSquaredError`.
    """

    default_name = "half_mean_squared_error"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "half_mse", (), "rows")


class HalfSumSquaredError(Loss):
    """loss = sum((y_true - y_pred)^2) / 2 over the last axis.

    The quadratic cost 1 / (2 n) sum |a - y|^2 of textbooks, for any number of outputs; not in Keras.
    """

    default_name = "half_sum_squared_error"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "half_sse", (), "rows")


class MeanAbsoluteError(Loss):
    """loss = mean(|y_true - y_pred|) over the last axis."""

    default_name = "mean_absolute_error"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "mae", (), "rows")


class MeanAbsolutePercentageError(Loss):
    """loss = 100 mean(|y_true - y_pred| / max(|y_true|, epsilon)) over the last axis."""

    default_name = "mean_absolute_percentage_error"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "mape", (config.epsilon(),), "rows")


class MeanSquaredLogarithmicError(Loss):
    """loss = mean((log(1 + y_true) - log(1 + y_pred))^2) over the last axis; numbers below epsilon count as epsilon."""

    default_name = "mean_squared_logarithmic_error"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "msle", (config.epsilon(),), "rows")


class LogCosh(Loss):
    """loss = mean(log(cosh(y_pred - y_true))) over the last axis."""

    default_name = "log_cosh"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "log_cosh", (), "rows")


class Huber(Loss):
    """loss = mean(e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2) over the last axis, e = y_true - y_pred.

    Parameters
    ----------
    delta : float, >= 0
        Where the square ends.
    reduction, name, dtype
        See `Loss`.
    """

    default_name = "huber_loss"

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not delta >= 0:
            raise ValueError(f"delta must be >= 0. Received: {delta!r}")
        self.delta = float(delta)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "huber", (self.delta,), "rows")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "delta": self.delta}


class SmoothL1(Loss):
    """loss = mean(e^2 / (2 beta) where |e| < beta, else |e| - beta / 2) over the last axis, e = y_true - y_pred.

    PyTorch's ``nn.SmoothL1Loss``; not in Keras.

    Parameters
    ----------
    beta : float, >= 0
        Where the rounding ends; 0 gives the absolute error.
    reduction, name, dtype
        See `Loss`.
    """

    default_name = "smooth_l1"

    def __init__(
        self,
        beta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not beta >= 0:
            raise ValueError(f"beta must be >= 0. Received: {beta!r}")
        self.beta = float(beta)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "smooth_l1", (self.beta,), "rows")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta": self.beta}


def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `MeanSquaredError`."""
    return MeanSquaredError().call(y_true, y_pred)


def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `MeanAbsoluteError`."""
    return MeanAbsoluteError().call(y_true, y_pred)


def mean_absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `MeanAbsolutePercentageError`."""
    return MeanAbsolutePercentageError().call(y_true, y_pred)


def mean_squared_logarithmic_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `MeanSquaredLogarithmicError`."""
    return MeanSquaredLogarithmicError().call(y_true, y_pred)


def log_cosh(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `LogCosh`."""
    return LogCosh().call(y_true, y_pred)


def huber(y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0) -> Array:
    """The loss of every sample; see `Huber`."""
    return Huber(delta).call(y_true, y_pred)
