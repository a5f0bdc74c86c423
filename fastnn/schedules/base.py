"""What every schedule is: a function of the number of updates made so far, and the way to ask it for many at once."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastnn._registry import from_config

Steps: TypeAlias = NDArray[np.float64]
Self = TypeVar("Self", bound="LearningRateSchedule")


class LearningRateSchedule:
    """A number for every step of the training; the base class of all schedules.

    A subclass defines either `__call__(step)`, as in Keras, or `_curve(steps)`, the same for an array of steps. It
    keeps its arguments in attributes of their names; otherwise it defines `get_config` too.

    Notes
    -----
    Nothing here is special to the learning rate: a schedule may drive the momentum as well.
    """

    def __call__(self, step: float) -> float:
        """The value at one step.

        Parameters
        ----------
        step : int
            The number of updates made so far: the first update is that of step 0.

        Returns
        -------
        float
        """
        return float(self._curve(np.array([step], np.float64))[0])

    def values(self, first_step: int, count: int) -> NDArray[np.float64]:
        """The values at the steps first_step, ..., first_step + count - 1.

        Returns
        -------
        ndarray of float64, shape (count,)
        """
        return self.at(np.arange(first_step, first_step + count, dtype=np.float64))

    def at(self, steps: Steps) -> NDArray[np.float64]:
        """The values at an array of steps, in an array of its shape."""
        if type(self).__call__ is LearningRateSchedule.__call__:
            return self._curve(steps)
        flat = [float(self(int(step))) for step in steps.ravel()]
        return np.array(flat, np.float64).reshape(steps.shape)

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        raise NotImplementedError(f"{type(self).__name__} defines neither __call__(step) nor _curve(steps)")

    def get_config(self) -> dict[str, Any]:
        """The keyword arguments that build an equal schedule.

        Raises
        ------
        NotImplementedError
            If an argument of the constructor is not an attribute of the same name.
        """
        names = inspect.signature(type(self)).parameters
        missing = [name for name in names if not hasattr(self, name)]
        if missing:
            raise NotImplementedError(
                f"{type(self).__name__} must define get_config, or keep its arguments in attributes of their names. "
                f"Received: no attribute {', '.join(missing)}"
            )
        return {name: _plain(getattr(self, name)) for name in names}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """The schedule that `get_config` described."""
        return from_config(cls, config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"{type(self).__name__}({arguments})"


def _plain(value: Any) -> Any:
    """What JSON can hold: a schedule becomes its class and config."""
    if isinstance(value, LearningRateSchedule):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
