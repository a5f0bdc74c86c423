"""Losses of sequences whose alignment is not known."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fastnn._arrays import Array
from fastnn.losses.base import Loss, LossKernel


class CTC(Loss):
    """Minus the logarithm of the probability that the time steps spell the targets; see `fastnn.ops.ctc_loss`.

    Predictions are logits of shape (samples, steps, classes), targets integer labels of shape (samples, labels). As in
    Keras, 0 is the blank and fills up the targets behind the last label. The loss of a target that is too long for the
    steps is infinite, its gradient 0.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    References
    ----------
    Graves et al., "Connectionist temporal classification", ICML 2006.
    """

    default_name = "ctc"

    @property
    def changes_targets(self) -> bool:
        return True

    def prepare_targets(self, y_true: ArrayLike) -> Array:
        """Labels with -1 in the place of what comes after the last one."""
        true = np.asarray(y_true)
        if true.ndim != 2:
            raise ValueError(f"{self.name}: y_true must have shape (samples, labels). Received: shape {true.shape}")
        if (true < 0).any():
            raise ValueError(f"{self.name}: labels must be >= 0. Received: {true.min()}")
        counts = np.count_nonzero(true, axis=1)
        return np.where(np.arange(true.shape[1]) < counts[:, np.newaxis], true, -1)

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("row_loss", "ctc", (0.0, 0.0), "sequences", axes=2)


def ctc(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `CTC`."""
    return CTC().call(y_true, y_pred)
