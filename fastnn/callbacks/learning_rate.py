"""Callbacks that set the learning rate between epochs: by a function of the epoch, or by how the training goes.

What depends on the step alone is a schedule, and belongs into the optimizer: see fastnn.schedules. An optimizer that
has one is refused here, because setting its rate would silently end the schedule.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn._callback import Callback, Logs
from fastnn._numbers import finite, whole
from fastnn.callbacks.monitoring import MonitorCallback


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` when the monitored value has not improved for `patience` epochs.

    Parameters
    ----------
    monitor : str
    factor : float
        From 0 to below 1.
    patience : int
        The number of epochs without improvement after which the rate is reduced.
    verbose : {0, 1}
        1 says when, and to what.
    mode : {"auto", "min", "max"}
        Whether less or more is better; see `MonitorCallback`.
    min_delta : float
        A change must be larger than this to be an improvement.
    cooldown : int
        The number of epochs after a reduction that do not count.
    min_lr : float
        The rate does not fall below.

    Attributes
    ----------
    best, wait, cooldown_counter

    Notes
    -----
    Adds "learning_rate" to the logs of every epoch: the rate with which it was trained. PyTorch's scheduler of this
    name waits one epoch longer for the same patience, and its threshold is relative by default.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.factor = finite("factor", factor, at_least=0.0)
        if self.factor >= 1.0:
            raise ValueError(f"factor must be less than 1. Received: factor={factor!r}")
        self.patience, self.verbose = whole("patience", patience, at_least=0), verbose
        self.cooldown = whole("cooldown", cooldown, at_least=0)
        self.min_lr = finite("min_lr", min_lr, at_least=0.0)
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        _optimizer(self)
        self.best = None
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._sign()
        _note_rate(self, logs)
        current = (logs or {}).get(self.monitor)
        if current is None:
            warnings.warn(
                f"ReduceLROnPlateau: the logs do not have {self.monitor!r}. Available: {', '.join(logs or {})}",
                stacklevel=2,
            )
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether the last reduction is too recent for another one."""
        return self.cooldown_counter > 0

    def _reduce(self, epoch: int) -> bool:
        optimizer = _optimizer(self)
        old = float(optimizer.learning_rate)
        if old <= self.min_lr:
            return False
        optimizer.learning_rate = max(old * self.factor, self.min_lr)
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {optimizer.learning_rate}")
        return True


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of every epoch.

    Parameters
    ----------
    schedule : callable
        (epoch, learning_rate) -> float, or (epoch) -> float. Epochs count from 0. A schedule of fastnn.schedules serves
        too: its steps are then epochs.
    verbose : {0, 1}
        1 says to what.

    Notes
    -----
    Adds "learning_rate" to the logs of every epoch.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise ValueError(f"schedule must be a function of the epoch. Received: schedule={schedule!r}")
        self.schedule, self.verbose = schedule, verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        optimizer = _optimizer(self)
        arguments = (epoch, float(optimizer.learning_rate)) if self._takes_rate else (epoch,)
        rate = self.schedule(*arguments)
        if not isinstance(rate, (float, np.floating)):
            raise ValueError(f"LearningRateScheduler: schedule must return a float. Received: {rate!r}")
        optimizer.learning_rate = float(rate)
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {float(rate)}")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        _note_rate(self, logs)


def _optimizer(callback: Callback) -> Any:
    """The optimizer of the model, if its rate may be set."""
    optimizer = callback.model.optimizer
    schedule = getattr(optimizer, "_learning_rate", None)
    if callable(schedule):
        raise ValueError(
            f"{type(callback).__name__} sets the learning rate, but the optimizer has a schedule that sets it already. "
            f"Received: learning_rate={schedule!r}"
        )
    return optimizer


def _note_rate(callback: Callback, logs: Logs) -> None:
    if isinstance(logs, dict):
        logs["learning_rate"] = float(_optimizer(callback).learning_rate)


def _takes_two(function: Callable[..., float]) -> bool:
    """Whether the function can be called with (epoch, learning_rate)."""
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a built-in function that does not tell
        return True
    return True
