"""Logs for TensorBoard, written by tensorboardX: the one dependency of the extra `tensorboard`, imported when needed.

It refuses what needs TensorFlow itself: graphs of operations, profiles and the embedding projector.
"""

from __future__ import annotations

import importlib
import io
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from fastnn._callback import Callback, Logs
from fastnn._numbers import whole


class TensorBoard(Callback):
    """Writes loss, metrics and learning rate, and histograms of the parameters if asked, for `tensorboard --logdir`.

    The names of folders and curves are Keras's: `train` and `validation`, "epoch_loss", "epoch_learning_rate",
    "evaluation_loss_vs_iterations", and "batch_loss" with an integer update_freq.

    Parameters
    ----------
    log_dir : str or path
    histogram_freq : int
        Histograms of all parameters every so many epochs; 0 writes none.
    write_graph : bool
        Write the summary of the model as a text (there is no graph of operations).
    write_images : bool
        Only False.
    write_steps_per_second : bool
        Write how many batches a second of each epoch had, and with an integer update_freq of each batch.
    update_freq : "epoch", "batch" or int
        Write the logs of every so many batches, too; they are means over the epoch so far. "batch" is 1. `fit` comes
        back to Python after each batch for this.
    profile_batch, embeddings_freq, embeddings_metadata
        Only 0, 0 and None.

    Raises
    ------
    ImportError
        In `fit`, if tensorboardX is not installed; the message says how to install it.
    ValueError
        For the options that are not served.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        unserved = {
            "write_images": write_images,
            "profile_batch": profile_batch,
            "embeddings_freq": embeddings_freq,
            "embeddings_metadata": embeddings_metadata,
        }
        for name, value in unserved.items():
            if value:
                raise ValueError(f"TensorBoard: {name} is not served. Received: {name}={value!r}")
        self.log_dir = Path(log_dir)
        self.histogram_freq = whole("histogram_freq", histogram_freq, at_least=0)
        self.write_graph, self.write_steps_per_second = write_graph, write_steps_per_second
        self.update_freq: int | None = None
        if update_freq != "epoch":
            self.update_freq = 1 if update_freq == "batch" else whole("update_freq", update_freq, at_least=1)
        self._writers: dict[str, Any] = {}
        self._batches = self._batches_before = 0
        self._epoch_began = self._batch_began = 0.0

    @property
    def wants_batches(self) -> bool:
        return self.update_freq is not None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._batches = self._batches_before = 0
        writer = self._writer("train")
        if self.write_graph:
            text = io.StringIO()
            self.model.summary(print_fn=text.write)
            writer.add_text("keras", "".join(f"    {line}\n" for line in text.getvalue().splitlines()), 0)

    def on_train_end(self, logs: Logs = None) -> None:
        self._close()

    def on_test_end(self, logs: Logs = None) -> None:
        steps = getattr(self.model.optimizer, "steps", 0)
        for name, value in (logs or {}).items():
            self._scalar("validation", f"evaluation_{name}_vs_iterations", value, steps)
        if not self._epoch_began:  # `evaluate` on its own
            self._close()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch_began = time.perf_counter()
        self._batches_before = self.model.optimizer.steps

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        train = {name: value for name, value in (logs or {}).items() if not name.startswith("val_")}
        train.setdefault("learning_rate", float(self.model.optimizer.learning_rate))
        if self.write_steps_per_second:
            steps = self.model.optimizer.steps - self._batches_before
            train["steps_per_second"] = steps / max(time.perf_counter() - self._epoch_began, 1e-9)
        for name, value in train.items():
            self._scalar("train", f"epoch_{name}", value, epoch)
        for name, value in (logs or {}).items():
            if name.startswith("val_"):
                self._scalar("validation", f"epoch_{name[4:]}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for parameter in self.model.weights:
                self._writer("train").add_histogram(f"{parameter.name}/histogram", parameter.numpy(), epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._batch_began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._batches += 1
        if self.update_freq is None or self._batches % self.update_freq:
            return
        if self.write_steps_per_second:
            rate = 1 / max(time.perf_counter() - self._batch_began, 1e-9)
            self._scalar("train", "batch_steps_per_second", rate, self._batches)
        for name, value in (logs or {}).items():
            self._scalar("train", f"batch_{name}", value, self._batches)

    def _scalar(self, folder: str, name: str, value: Any, step: int) -> None:
        """A number; what has several gets a curve for each."""
        numbers = np.ravel(value)
        for i, number in enumerate(numbers):
            self._writer(folder).add_scalar(name if len(numbers) == 1 else f"{name}_{i}", float(number), step)

    def _writer(self, folder: str) -> Any:
        if folder not in self._writers:
            try:
                tensorboard = importlib.import_module("tensorboardX")
            except ImportError as error:
                raise ImportError(
                    f"TensorBoard needs tensorboardX: install the extra 'tensorboard' "
                    f"(pip install 'fastnn-cpu[tensorboard]'). Received: {error}"
                ) from error
            self._writers[folder] = tensorboard.SummaryWriter(str(self.log_dir / folder))
        return self._writers[folder]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}
        self._epoch_began = 0.0
