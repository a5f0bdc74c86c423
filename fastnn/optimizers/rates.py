"""What `optimizer.learning_rate` gives: a number, with the methods of the variable that it is in Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .base import LearningRate, Optimizer


class Rate(float):
    """The learning rate of an optimizer at the moment when it was asked for.

    Parameters:
        value: the rate.
        optimizer: whose it is.
    """

    _optimizer: Optimizer

    def __new__(cls, value: float, optimizer: Optimizer) -> Rate:
        self = super().__new__(cls, value)
        self._optimizer = optimizer
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return float, (float(self),)  # elsewhere it is a number, without an optimizer behind it

    def numpy(self) -> npt.NDArray[np.float64]:
        """The number as an array without axes."""
        return np.asarray(float(self))

    @property
    def value(self) -> float:
        """The number."""
        return float(self)

    def assign(self, value: LearningRate) -> None:
        """Set the optimizer's learning rate."""
        self._optimizer.learning_rate = value
