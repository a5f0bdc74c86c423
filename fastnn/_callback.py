"""The base class of all callbacks: the hooks that `fit`, `evaluate` and `predict` call, all empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Logs: TypeAlias = "Mapping[str, Any] | None"


class Callback:
    """Base class of callbacks; subclasses override the hooks they need, as in Keras.

    Attributes
    ----------
    params : dict
        "verbose", "epochs" and "steps" (None if the number of batches is not known).
    model
        The model that is trained.
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    @property
    def model(self) -> Any:
        return self._model

    def set_params(self, params: Mapping[str, Any]) -> None:
        self.params = dict(params)

    def set_model(self, model: Any) -> None:
        self._model = model

    @property
    def wants_batches(self) -> bool:
        """Whether a hook for training batches is overridden: then `fit` comes back to Python after each batch."""
        names = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
        return any(getattr(getattr(self, name), "__func__", None) is not getattr(Callback, name) for name in names)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs = None) -> None:
        """After the last epoch, with its logs."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before the first batch of an epoch; epochs count from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch and its validation; logs hold the loss, the metrics and, as val_..., those of validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a training batch; batches count from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a training batch; logs hold the means over the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """An older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """An older name of `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """Before an evaluation, or the validation of an epoch."""

    def on_test_end(self, logs: Logs = None) -> None:
        """After an evaluation or a validation, with its results."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of an evaluation."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Before a prediction."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """After a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of a prediction."""
