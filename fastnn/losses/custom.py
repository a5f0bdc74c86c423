"""Losses that users write in Python: `call` and its derivative `gradient` on NumPy arrays become a step of the plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def losses_of(loss: Any, true: Array, pred: Array, axes: int) -> NDArray[np.float64]:
    """The losses that `call` returns, one for every row of predictions.

    Raises
    ------
    ValueError
        If they have another shape.
    """
    found, wanted = np.asarray(loss.call(true, pred), np.float64), pred.shape[: pred.ndim - axes]
    if found.shape != wanted:
        raise ValueError(
            f"{type(loss).__name__}.call must return one loss for each sample, shape {wanted}; set axes to how many of "
            f"the last axes of y_pred one loss is about, if not 1. Received: shape {found.shape}"
        )
    return found


def step_of(
    loss: Any, axes: int, output: tuple[int, ...], target: tuple[int, ...], scale: float, by_weights: bool
) -> Callable[..., None]:
    """What computes losses and gradients of a batch, in the buffers of a plan."""
    where = f"{type(loss).__name__}.gradient"

    def compute(step: int, x: Array, y: Array, weight: Array | None, grad: Array | None, losses: Array) -> None:
        pred, true = x.reshape(-1, *output), y.reshape(-1, *target)
        pred.flags.writeable = true.flags.writeable = False
        found = losses_of(loss, true, pred, axes)
        weights = np.ones(found.shape) if weight is None else weight.reshape(found.shape)
        counts = weights != 0  # what has no weight counts nothing, whatever it holds
        losses[...] = np.where(counts, found * weights, 0).reshape(-1)
        if grad is None:
            return
        slope = np.asarray(loss.gradient(true, pred))
        if slope.shape != pred.shape:
            raise ValueError(f"{where} must return an array of shape {pred.shape}. Received: shape {slope.shape}")
        total = weights.sum() if by_weights else 1.0
        factor = (weights * (scale / total if total else 0.0)).reshape(*found.shape, *(1,) * axes)
        grad.reshape(pred.shape)[...] = np.where(factor != 0, slope * factor, 0)

    return compute
