"""The progress display of `fit`, `evaluate` and `predict`: a bar while an epoch runs, one line when it is done.

    Epoch 3/10 412/600 |#############7      | ETA 1s - 215us/step - loss: 0.2713 - accuracy: 0.9231
    Epoch 3/10 - 0.2s - 215us/step - loss: 0.2713 - accuracy: 0.9231 - val_loss: 0.2011

The bar is drawn by tqdm, in a terminal or a notebook, over one line that is never longer than the terminal is wide,
and it vanishes when the epoch ends. The line that stays is the same everywhere, so a log file gets exactly one line
per epoch without control characters. Epochs that take less than a twentieth of a second never draw a bar.

tqdm is imported when the first bar is drawn.
"""

from __future__ import annotations

import functools
import importlib
import math
import os
import sys
import time
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from fastnn._callback import Callback, Logs

# Seconds between two drawings of the bar.
_INTERVAL = 0.05
_BAR_WIDTH = 20


class ProgbarLogger(Callback):
    """Shows the progress on standard output.

    The loop that runs the batches calls `update` now and then, twenty times a second are enough, and once more after
    the last step if the number of steps was not known before. It calls `close` if it is left by an exception.

    `set_params` tells "verbose" (0: nothing; 1 or "auto": bar and lines; 2: lines only), "epochs" and "steps" (None if
    not known).
    """

    def __init__(self) -> None:
        super().__init__()
        self._verbose, self._epochs = 1, 1
        self._total: int | None = None
        self._training = False
        self._bar: Any = None
        self._title = ""
        self._done = 0
        self._started = self._drawn = 0.0  # times
        self._busy: float | None = None  # the part of the elapsed time that the steps took, if not all

    @property
    def wants_batches(self) -> bool:
        return False

    def set_params(self, params: Mapping[str, Any]) -> None:
        super().set_params(params)
        verbose = params.get("verbose", 1)
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"verbose must be 0, 1, 2 or 'auto'. Received: verbose={verbose!r}")
        self._verbose = 1 if verbose == "auto" else int(verbose)
        self._epochs = params.get("epochs") or 1
        self._total = params.get("steps")

    def update(self, done: int, logs: Logs = None) -> None:
        """Show that `done` steps of the epoch are done, with the values in `logs`."""
        self._done = done
        now = time.perf_counter()
        due = now - self._drawn >= _INTERVAL or (self._bar is not None and done == self._total)
        if self._verbose == 1 and due:
            self._drawn = now
            self._draw(now - self._started, logs)

    def clear(self) -> None:
        """Take the bar away, so that something else can be printed."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    close = clear

    def on_train_begin(self, logs: Logs = None) -> None:
        self._training = True

    def on_train_end(self, logs: Logs = None) -> None:
        self._training = False
        self.close()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.start(f"Epoch {epoch + 1}/{self._epochs}")

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.update(batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.finish(logs)
        if self._total is None and self._done:
            self._total = self._done  # the next epochs will most likely be as long

    def on_test_begin(self, logs: Logs = None) -> None:
        if self._training:
            self._busy = time.perf_counter() - self._started  # validation is not part of the time per step
        else:
            self.start("Evaluate")

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        if not self._training:
            self.update(batch + 1, logs)

    def on_test_end(self, logs: Logs = None) -> None:
        if not self._training:
            self.finish(logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        self.start("Predict")

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.update(batch + 1)  # the logs of a prediction are its outputs

    def on_predict_end(self, logs: Logs = None) -> None:
        self.finish(None)

    def start(self, title: str) -> None:
        """Begin a display of its own, from no steps done."""
        self.clear()
        self._title = title
        self._done = 0
        self._busy = None
        self._started = self._drawn = time.perf_counter()

    def finish(self, logs: Logs) -> None:
        """End it: the bar goes, a line stays."""
        elapsed = time.perf_counter() - self._started
        self.clear()
        if self._verbose == 0:
            return
        busy = elapsed if self._busy is None else self._busy
        _print_line(" - ".join([self._title, _duration(elapsed), *self._items(busy, self._total or self._done, logs)]))

    def _items(self, seconds: float, steps: int, logs: Logs) -> list[str]:
        per_step = [f"{_step_time(seconds / steps)}/step"] if steps else []
        return per_step + [f"{name}: {_number(value)}" for name, value in (logs or {}).items()]

    def _draw(self, elapsed: float, logs: Logs) -> None:
        stream = sys.stdout
        notebook = _in_notebook()
        if not (notebook or _is_terminal(stream)):
            return
        items = self._items(elapsed, self._done, logs)
        if self._total:
            left, bar = f"{self._title} {self._done}/{self._total} |", "{bar}" if notebook else f"{{bar:{_BAR_WIDTH}}}"
            remaining = elapsed / self._done * max(self._total - self._done, 0) if self._done else math.nan
            right = " - ".join([f"| ETA {_duration(math.ceil(remaining))}" if self._done else "|", *items])
        else:
            left, bar = " - ".join([self._title, _duration(elapsed), f"{self._done} steps", *items]), "{bar:0}"
            right = ""
        text = left.replace("{", "{{").replace("}", "}}") + bar + right.replace("{", "{{").replace("}", "}}")
        columns = None if notebook else _columns(stream)
        if self._bar is None:
            self._bar = _bar_class()(
                total=self._total, initial=self._done, file=stream, leave=False, bar_format=text, ncols=columns
            )
        else:
            self._bar.n, self._bar.bar_format, self._bar.ncols = self._done, text, columns
            self._bar.refresh()


@functools.cache
def _bar_class() -> Any:
    """tqdm's bar for this place, without the thread that tqdm starts to watch over bars."""
    tqdm = importlib.import_module("tqdm.auto").tqdm
    return type("_Bar", (tqdm,), {"monitor_interval": 0})


def _print_line(line: str) -> None:
    stream = sys.stdout
    if stream is None:
        return
    if _bar_class.cache_info().currsize:
        _bar_class().write(line, file=stream)  # goes around bars that somebody else is drawing
    else:
        stream.write(line + "\n")
    stream.flush()


def _is_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # a replacement without isatty, a closed file
        return False


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in getattr(shell, "config", ())


def _columns(stream: IO[str]) -> int:
    """How many characters a line may have; the last column stays free, where some terminals wrap already."""
    try:
        return (os.get_terminal_size(stream.fileno()).columns or 80) - 1
    except (OSError, ValueError, AttributeError):
        return 79


def _duration(seconds: float) -> str:
    """0.4s, 59s, 1:02, 1:00:03; tenths only of what is not whole."""
    if seconds < 59.95:
        return f"{seconds}s" if isinstance(seconds, int) else f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _step_time(seconds: float) -> str:
    """Three significant digits: 0.52us, 215us, 1.25ms, 2s."""
    for unit, factor in (("us", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g}{unit}"
    return f"{seconds:.3g}s" if seconds < 999.5 else f"{seconds:.0f}s"


def _number(value: Any) -> str:
    number = float(np.mean(value))
    plain = number == 0.0 or 1e-3 < abs(number) < 1e6 or not math.isfinite(number)
    return f"{number:.4f}" if plain else f"{number:.4e}"
