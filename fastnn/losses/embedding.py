"""Losses that compare the embeddings of a batch with each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._arrays import Array
from fastnn.losses.base import Loss, LossKernel

# what the kernel's parameter `rescale` says
_PLAIN, _OF_ROWS, _OF_WEIGHTS = 0.0, 1.0, 2.0


class Circle(Loss):
    """loss_i = log(1 + sum_p exp(gamma (d_p - margin) (d_p + margin)) sum_n exp(gamma w_n (1 - margin - d_n))).

    d = max(0, 1 - x_i . x_j) is the distance of sample i from another one, p over those of the same label and n over
    those of others; w = max(0, 1 + margin - d). Targets are integer labels, any; predictions are embeddings of length
    1, one row for each sample.

    Parameters
    ----------
    gamma : float, >= 0
        Scale of the similarities.
    margin : float, >= 0
        Samples of one label are to be closer than this, others further away than 1 less this.
    remove_diagonal : bool
        Whether a sample is not compared with itself.
    reduction, name, dtype
        See `Loss`. As in Keras, a mean counts only the samples that have pairs of both kinds.

    Notes
    -----
    All samples of a mini-batch are compared with each other, so the loss depends on how batches are put together. As in
    Keras; its function has reference embeddings in addition.

    References
    ----------
    Sun et al., "Circle loss: a unified perspective of pair similarity optimization", CVPR 2020.
    """

    default_name = "circle"

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not (gamma >= 0 and margin >= 0):
            raise ValueError(f"gamma and margin must be >= 0. Received: gamma={gamma!r}, margin={margin!r}")
        self.gamma, self.margin, self.remove_diagonal = float(gamma), float(margin), bool(remove_diagonal)

    def _kernel(self, rescale: float) -> LossKernel:
        params = (self.gamma, self.margin, float(self.remove_diagonal), rescale)
        return LossKernel("row_loss", "circle", params, "groups")

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        """In training the kernel itself counts the samples with pairs of both kinds, in every mini-batch."""
        if self.reduction in ("sum", "none", None):
            return self._kernel(_PLAIN)
        return self._kernel(_OF_WEIGHTS if self.reduction == "mean_with_sample_weight" else _OF_ROWS)

    def sample_kernel(self) -> LossKernel:
        return self._kernel(_PLAIN)

    def divisor(
        self, y_true: Array, shape: tuple[int, ...], weights: NDArray[np.float64] | None = None,
        counted: NDArray[np.bool_] | None = None,
    ) -> float:  # fmt: skip
        if self.reduction in ("sum", "none", None):
            return 1.0
        labels = np.asarray(y_true).reshape(-1)
        alike = np.sum(labels[:, np.newaxis] == labels, axis=1)
        paired = (alike > int(self.remove_diagonal)) & (alike < labels.size)
        if counted is not None:
            paired &= counted.reshape(-1)
        if self.reduction == "mean_with_sample_weight" and weights is not None:
            return float(weights.reshape(-1)[paired].sum())
        return float(paired.sum())

    def get_config(self) -> dict[str, Any]:
        own = {"gamma": self.gamma, "margin": self.margin, "remove_diagonal": self.remove_diagonal}
        return {**super().get_config(), **own}


def circle(
    y_true: ArrayLike, y_pred: ArrayLike, *, remove_diagonal: bool = True, gamma: float = 80.0, margin: float = 0.4
) -> Array:
    """The loss of every sample; see `Circle`."""
    return Circle(gamma, margin, remove_diagonal).call(y_true, y_pred)
