"""Callbacks that keep more than the weights: a backup to go on from, and the moving averages of the parameters."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

from fastnn._callback import Callback, Logs
from fastnn._numbers import whole

from ._folders import writable

_NAME = re.compile(r"backup-(\d+)-(\d+)\.fastnn")


class BackupAndRestore(Callback):
    """Saves the state of the training, and lets the next `fit` go on from there if this one is interrupted.

    The continued training has the same bits as one that was never interrupted: the file holds weights, the optimizer's
    state and learning rate, the seed, how many orders were drawn, and the place in the last one.

    Parameters
    ----------
    backup_dir : str or path
        A folder for this training alone; made if it is missing.
    save_freq : "epoch" or int
        An integer is a number of batches, counted on across epochs.
    double_checkpoint : bool
        Keep the backup before the last one, too: it is taken if the last one is damaged.
    delete_checkpoint : bool
        Delete the backup at the end of the training; otherwise the next `fit` with it goes on from there.

    Raises
    ------
    ValueError
        In `fit`, if the backup is of another model.
    OSError
        When `fit` begins, if the folder cannot be written.

    Notes
    -----
    What other callbacks have counted (the patience of EarlyStopping ...) begins anew, as in Keras, and the History
    holds the epochs since the interruption; the logs of an epoch that was continued in the middle are those of its
    rest. With an iterable in place of arrays, the same bits need the same batches: those before the backup are left
    out. Keras saves no seed and, with an integer save_freq, begins the epoch again.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not os.fspath(backup_dir):
            raise ValueError(f"backup_dir must name a folder. Received: backup_dir={backup_dir!r}")
        self.backup_dir = Path(backup_dir)
        self.save_freq = save_freq if save_freq == "epoch" else whole("save_freq", save_freq, at_least=1)
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._epoch = self._batches = 0

    @property
    def wants_batches(self) -> bool:
        return self.save_freq != "epoch"

    def on_train_begin(self, logs: Logs = None) -> None:
        self._batches = 0
        writable(self.backup_dir, "BackupAndRestore: backup_dir")
        backups = self._backups()
        for place in reversed(backups):
            try:
                self.model.load_state(backups[place])
            except ValueError as error:
                if place == min(backups):
                    raise
                warnings.warn(f"BackupAndRestore: the last backup is left out: {error}", stacklevel=2)
                continue
            self.model.resume_at = place
            break

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if isinstance(self.save_freq, int):
            self._batches += 1
            if self._batches % self.save_freq == 0:
                self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch + 1, 0)

    def on_train_end(self, logs: Logs = None) -> None:
        if self.delete_checkpoint:
            for path in self._backups().values():
                path.unlink()
            if self.backup_dir.is_dir() and not any(self.backup_dir.iterdir()):
                self.backup_dir.rmdir()

    def _backups(self) -> dict[tuple[int, int], Path]:
        """The files by (epoch, batch) where to go on, the oldest first."""
        found = {}
        for path in self.backup_dir.glob("backup-*.fastnn"):
            match = _NAME.fullmatch(path.name)
            if match:
                found[int(match[1]), int(match[2])] = path
        return dict(sorted(found.items()))

    def _save(self, epoch: int, batch: int) -> None:
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        # a new file and then the end of the old one: whenever the power fails, there is one that is whole
        self.model.save(self.backup_dir / f"backup-{epoch}-{batch}.fastnn")
        old = list(self._backups().values())[: -2 if self.double_checkpoint else -1]
        for path in old:
            path.unlink()


class SwapEMAWeights(Callback):
    """Evaluates with the moving averages of the parameters, which an optimizer with use_ema=True keeps.

    Parameters
    ----------
    swap_on_epoch : bool
        Also put the averages into the model at the end of each epoch, for callbacks after this one that save it, and
        take them out when the next one begins.

    Raises
    ------
    ValueError
        If the optimizer keeps no averages.

    Notes
    -----
    It belongs before ModelCheckpoint in the list. Training ends with the averages in the model anyway. A model that
    ModelCheckpoint saves meanwhile is for predictions: as in Keras, the file has parameters and averages exchanged.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def _swap(self, wanted: bool) -> None:
        if self._swapped != wanted:
            self.model.swap_averages()
            self._swapped = wanted

    def on_train_begin(self, logs: Logs = None) -> None:
        self._swap(False)  # an interrupted evaluation may have left them

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.swap_on_epoch:
            self._swap(True)

    def on_train_end(self, logs: Logs = None) -> None:
        self._swapped = False  # `fit` has made the averages the parameters

    def on_test_begin(self, logs: Logs = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Logs = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: Logs = None) -> None:
        self._swap(False)
