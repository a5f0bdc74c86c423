"""Callbacks that watch one name in the logs: they stop the training, or save the model, by what they see."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import Any

from fastnn import metrics
from fastnn._callback import Callback, Logs

from ._folders import writable


class MonitorCallback(Callback):
    """Base class of callbacks that watch one name in the logs for improvement.

    Parameters
    ----------
    monitor : str
    mode : {"auto", "min", "max"}
        Whether less or more is better. "auto" decides by the name: less for the loss, and for a metric what its class
        says.
    baseline : float, optional
        The value to improve on at first. Default: the first one is an improvement.
    min_delta : float
        A change must be larger than this to be an improvement.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", baseline: float | None = None, min_delta: float = 0.0
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(f"{type(self).__name__}: unknown mode {mode!r}, 'auto' is used instead.", stacklevel=3)
            mode = "auto"
        self.monitor, self.mode = monitor, mode
        self.best = baseline
        self.min_delta = abs(min_delta)

    def is_improvement(self, value: float, reference: float | None) -> bool:
        """Whether `value` is better than `reference` by more than min_delta.

        Any number is better than None, and NaN is better than nothing.
        """
        if reference is None:
            return not math.isnan(value)
        if self._sign() > 0:
            return bool(value - self.min_delta > reference)
        return bool(value + self.min_delta < reference)

    def _sign(self) -> int:
        """1 if more is better, -1 if less is."""
        if self.mode == "auto":
            direction = metrics.direction(self.monitor, self.model)
            if direction is None:
                raise ValueError(
                    f"{type(self).__name__}: the name {self.monitor!r} does not tell whether more or less is better. "
                    f"Pass mode='max' or mode='min'. Received: mode='auto'"
                )
            self.mode = {"up": "max", "down": "min"}[direction]
        return 1 if self.mode == "max" else -1


class EarlyStopping(MonitorCallback):
    """Stops the training when the monitored value has not improved for some epochs.

    Parameters
    ----------
    monitor : str
    min_delta : float
        A change must be larger than this to be an improvement.
    patience : int
        The number of epochs without improvement after which training stops.
    verbose : {0, 1}
        1 says when and why.
    mode : {"auto", "min", "max"}
        Whether less or more is better; see `MonitorCallback`.
    baseline : float, optional
        An epoch that improves on the best one, but not on this, still counts as one without improvement.
    restore_best_weights : bool
        At the end of the training - stopped early or not - give the model the weights of its best epoch.
    start_from_epoch : int
        Epochs before this one are not looked at.

    Attributes
    ----------
    best, best_epoch, stopped_epoch, wait
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Logs = None) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best: float | None = None
        self.best_weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._sign()
        current = self._monitored(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            # Even if no epoch ever improves on anything (NaN from the start), there is something to restore.
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.is_improvement(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.is_improvement(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring the weights of the best epoch, {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)

    def _monitored(self, logs: Logs) -> float | None:
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"EarlyStopping: the logs do not have {self.monitor!r}. Available: {', '.join(logs or {})}",
                stacklevel=3,
            )
        return value


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, at the end of every epoch or after some number of batches.

    Parameters
    ----------
    filepath : str or path
        May hold fields such as "{epoch:02d}-{val_loss:.2f}": the epoch (from 1), the batch (from 1) with an integer
        save_freq, and what the logs hold. Missing folders are made.
    monitor, mode
        See `MonitorCallback`.
    verbose : {0, 1}
        1 says what is saved.
    save_best_only : bool
        Save only when the monitored value has improved.
    save_weights_only : bool
        `model.save_weights(path)` instead of `model.save(path)`.
    save_freq : "epoch" or int
        An integer is a number of batches, counted on across epochs.
    initial_value_threshold : float, optional
        With save_best_only: the value to improve on at first.

    Raises
    ------
    OSError
        When `fit` begins, if the folder cannot be written, as far as its name is known.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        whole = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
        if save_freq != "epoch" and not whole:
            raise ValueError(
                f"save_freq must be 'epoch' or a positive number of batches. Received: save_freq={save_freq!r}"
            )
        self.filepath = os.fspath(filepath)
        self.verbose, self.save_freq = verbose, save_freq
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self._epoch = 0
        self._batches = 0

    @property
    def wants_batches(self) -> bool:
        return self.save_freq != "epoch"

    def on_train_begin(self, logs: Logs = None) -> None:
        known = self.filepath.partition("{")[0]
        writable(Path(os.path.dirname(known) or "."), "ModelCheckpoint: the folder of filepath")
        if known == self.filepath:
            self._check_file(known)

    def _check_file(self, path: str) -> None:
        if Path(path).is_dir():
            raise IsADirectoryError(f"ModelCheckpoint: filepath must name a file. Received: the folder {path!r}")

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if isinstance(self.save_freq, int):
            self._batches += 1
            if self._batches >= self.save_freq:
                self._batches = 0
                self._consider({"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._epoch = epoch
            self._consider(dict(logs or {}))

    def _consider(self, logs: dict[str, Any]) -> None:
        path = self._path(logs)
        if self.save_best_only and not self._improved(logs, path):
            return
        if not self.save_best_only:
            self._say(f"saving model to {path}")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._check_file(path)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)

    def _improved(self, logs: dict[str, Any], path: str) -> bool:
        current = logs.get(self.monitor)
        if current is None:
            warnings.warn(
                f"ModelCheckpoint: the logs do not have {self.monitor!r}; the model is saved, although it may not be "
                f"the best. Available: {', '.join(logs)}",
                stacklevel=5,
            )
            return True
        best = "nothing" if self.best is None else f"{self.best:.5f}"
        if not self.is_improvement(current, self.best):
            self._say(f"{self.monitor} did not improve from {best}")
            return False
        self._say(f"{self.monitor} improved from {best} to {current:.5f}, saving model to {path}")
        self.best = current
        return True

    def _path(self, logs: dict[str, Any]) -> str:
        try:
            return self.filepath.format(**{**logs, "epoch": self._epoch + 1})
        except (KeyError, IndexError) as error:
            known = ", ".join(["epoch", *logs])
            raise KeyError(
                f"ModelCheckpoint: the filepath has a field that is not known, {error}. Known: {known}. "
                f"Received: filepath={self.filepath!r}"
            ) from None

    def _say(self, text: str) -> None:
        if self.verbose > 0:
            print(f"Epoch {self._epoch + 1}: {text}")
