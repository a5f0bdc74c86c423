"""What the cross-entropies share: predictions that may be logits, and targets that may be smoothed."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from fastnn.losses.base import Loss


class Crossentropy(Loss):
    """What the cross-entropies share: the predictions may be logits, and the targets may be smoothed."""

    # The activation that turns logits into the probabilities of this loss.
    _activation: ClassVar[str]

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not 0.0 <= label_smoothing <= 1.0:
            raise ValueError(f"label_smoothing must lie between 0 and 1. Received: {label_smoothing!r}")
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise ValueError(f"axis must be an integer. Received: axis={axis!r}")
        self.from_logits, self.label_smoothing, self.axis = bool(from_logits), float(label_smoothing), axis

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis}
        return {**super().get_config(), **own}

    def _fused(self, output_activation: str | None) -> bool:
        """Whether the loss is to be computed from the values before `output_activation`."""
        if output_activation != self._activation or (self._activation == "softmax" and self.axis != -1):
            return False  # that softmax is along the last axis
        if self.from_logits:
            warnings.warn(
                f"{self.name}: from_logits=True, but the last layer has the activation {output_activation!r}: its "
                f"outputs are probabilities. The loss is computed from the values before the activation.",
                stacklevel=2,
            )
        return True
