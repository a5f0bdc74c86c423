"""Losses that measure how alike rows or sets are: direction and overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from fastnn import config
from fastnn._arrays import Array
from fastnn.losses.base import Loss, LossKernel


class CosineSimilarity(Loss):
    """loss = -cos(y_true, y_pred) over the last axis: -1 for equal directions, 1 for opposite ones.

    Parameters
    ----------
    axis : int
        Along which the numbers of a row stand; not the batch's, 0.
    reduction, name, dtype
        See `Loss`.
    """

    default_name = "cosine_similarity"

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise ValueError(f"axis must be an integer. Received: axis={axis!r}")
        self.axis = axis

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("row_loss", "cosine_similarity", (config.epsilon(),), "rows", axis=self.axis)

    def get_config(self) -> dict[str, Any]:
        # Keras leaves the axis out
        return {**super().get_config(), **({} if self.axis == -1 else {"axis": self.axis})}


class _Overlap(Loss):
    """What Dice and Tversky share: over which axes their sums go."""

    axis: int | tuple[int, ...] | None

    def _set_axis(self, axis: int | Sequence[int] | None) -> None:
        """Accept None, for everything, and the last axes, counted from the end or from the front."""
        axes = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        run = bool(axes) and axes == tuple(range(axes[0], axes[0] + len(axes)))
        if axis is not None and not (run and (axes[-1] == -1 or axes[0] > 0)):
            raise ValueError(f"{self.name}: axis must be None or the last axes in order. Received: axis={axis!r}")
        self.axis = axes[0] if isinstance(axis, int) else (axes if axes else None)

    def _kernel(self, row: str, params: tuple[float, ...]) -> LossKernel:
        count = 0 if self.axis is None else 1 if isinstance(self.axis, int) else len(self.axis)
        return LossKernel("row_loss", row, (*params, config.epsilon()), "rows", axes=count)

    def check_rank(self, rank: int) -> None:
        last = -1 if self.axis is None else self.axis if isinstance(self.axis, int) else self.axis[-1]
        if last not in (-1, rank - 1):
            raise ValueError(f"{self.name}: axis must be None or the last axes of {rank}. Received: axis={self.axis!r}")

    def get_config(self) -> dict[str, Any]:
        axis = list(self.axis) if isinstance(self.axis, tuple) else self.axis
        return {**super().get_config(), "axis": axis}


class Dice(_Overlap):
    """loss = 1 - 2 sum(y_true y_pred) / (sum(y_true) + sum(y_pred) + epsilon).

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.
    axis : int or sequence of int, optional
        The axes to sum over, which must be the last ones: -1, (-2, -1), or all but the first, counted from the front.
        Default: all, so that a batch has one loss; sample weights then have no meaning in training and are refused.
    """

    default_name = "dice"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: int | Sequence[int] | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self._set_axis(axis)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return self._kernel("dice", ())


class Tversky(_Overlap):
    """loss = 1 - i / (i + alpha sum(y_true (1 - y_pred)) + beta sum(y_pred (1 - y_true)) + epsilon).

    i = sum(y_true y_pred) is the overlap.

    Parameters
    ----------
    alpha, beta : float, >= 0
        Factors of what only the targets have, and of what only the predictions have.
    reduction, name, dtype
        See `Loss`.
    axis : int or sequence of int, optional
        As for `Dice`.
    """

    default_name = "tversky"

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: int | Sequence[int] | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not (alpha >= 0 and beta >= 0):
            raise ValueError(f"alpha and beta must be >= 0. Received: alpha={alpha!r}, beta={beta!r}")
        self.alpha, self.beta = float(alpha), float(beta)
        self._set_axis(axis)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return self._kernel("tversky", (self.alpha, self.beta))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}


def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """The loss of every sample; see `CosineSimilarity`."""
    return CosineSimilarity(axis).call(y_true, y_pred)


def dice(y_true: ArrayLike, y_pred: ArrayLike, axis: int | Sequence[int] | None = None) -> Array:
    """The loss of every sample; see `Dice`."""
    return Dice(axis=axis).call(y_true, y_pred)


def tversky(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: int | Sequence[int] | None = None,
) -> Array:
    """The loss of every sample; see `Tversky`."""
    return Tversky(alpha, beta, axis=axis).call(y_true, y_pred)
