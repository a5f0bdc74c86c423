"""Callbacks made of functions, for a file of logs, and for an emergency stop."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastnn._callback import Callback, Logs
from fastnn._errors import unknown


class LambdaCallback(Callback):
    """A callback made of functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        Called with (epoch, logs).
    on_train_begin, on_train_end : callable, optional
        Called with (logs).
    on_train_batch_begin, on_train_batch_end : callable, optional
        Called with (batch, logs).
    **kwargs : callable
        Any other hook of `Callback`.

    Raises
    ------
    ValueError
        For the name of a hook that does not exist (with the nearest match).
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[int, Logs], Any] | None = None,
        on_epoch_end: Callable[[int, Logs], Any] | None = None,
        on_train_begin: Callable[[Logs], Any] | None = None,
        on_train_end: Callable[[Logs], Any] | None = None,
        on_train_batch_begin: Callable[[int, Logs], Any] | None = None,
        on_train_batch_end: Callable[[int, Logs], Any] | None = None,
        **kwargs: Callable[..., Any],
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        hooks = [name for name in vars(Callback) if name.startswith("on_")]
        for name, function in given.items():
            if name not in hooks:
                raise unknown("callback hook", name, hooks)
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Stops the training when the loss is no longer a finite number.

    Parameters
    ----------
    raise_error : bool
        Raise RuntimeError at once instead of ending the training in order; then no callback sees `on_train_end`.

    Notes
    -----
    The loss in the logs is the mean over the epoch so far: once a batch has no finite loss, it is not finite either.
    `fit` comes back to Python after each batch for this.
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"TerminateOnNaN: the loss must be finite. Received: loss={loss} in batch {batch}")
        print(f"Batch {batch}: the loss is {loss}, the training ends")
        self.model.stop_training = True


class CSVLogger(Callback):
    """Writes the logs of every epoch as a line of a CSV file.

    The columns are "epoch" and the sorted names in the logs of the first epoch; if none of them begins with "val_",
    there is a column val_... for each, as in Keras. What is missing is written as NA.

    Parameters
    ----------
    filename : str or path
    separator : str
        A single character.
    append : bool
        Add to a file that exists, without a second header; otherwise begin a new one.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename, self.sep, self.append = os.fspath(filename), separator, append
        self._file: IO[str] | None = None
        self._writer: csv.DictWriter[str] | None = None
        self._write_header = True

    def on_train_begin(self, logs: Logs = None) -> None:
        self.on_train_end()
        path = Path(self.filename)
        self._write_header = not (self.append and path.is_file() and path.stat().st_size > 0)
        try:
            self._file = open(path, "a" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise type(error)(
                f"CSVLogger: filename must name a file that can be written. Received: {self.filename!r} "
                f"({error.strerror})"
            ) from error

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        assert self._file is not None, "on_train_begin comes first"
        logs = logs or {}
        if self._writer is None:
            names = sorted(logs)
            if not any(name.startswith("val_") for name in names):
                names += [f"val_{name}" for name in names]
            self._writer = csv.DictWriter(self._file, ["epoch", *names], delimiter=self.sep)
            if self._write_header:
                self._writer.writeheader()
        row = {name: _csv_value(logs.get(name, "NA")) for name in self._writer.fieldnames}
        self._writer.writerow({**row, "epoch": epoch})
        self._file.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


def _csv_value(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return f"[{', '.join(map(str, value.tolist()))}]"
    return value
