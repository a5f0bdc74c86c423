"""The list through which `fit` speaks to all callbacks at once, and the callback that every training has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastnn._callback import Callback, Logs
from fastnn.progress import ProgbarLogger


class CallbackList(Callback):
    """Calls the hooks of several callbacks, one after the other.

    All callbacks of one call see the same dictionary of logs, a copy: what one adds, the next ones see, the History
    too.

    Parameters
    ----------
    callbacks : iterable of Callback, or nested
    add_history, add_progbar : bool
        Whether to add a History and a ProgbarLogger if there is none among them.
    model
        Handed to every callback.
    **params
        Handed to every callback: verbose, epochs, steps.

    Attributes
    ----------
    callbacks : list of Callback
    history : History or None
    progbar : ProgbarLogger or None
    """

    def __init__(
        self,
        callbacks: Callback | Iterable[Any] | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.callbacks = list(_flatten(callbacks))
        if add_history and not any(isinstance(callback, History) for callback in self.callbacks):
            self.callbacks.append(History())
        if add_progbar and not any(isinstance(callback, ProgbarLogger) for callback in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        self.history = next((callback for callback in self.callbacks if isinstance(callback, History)), None)
        self.progbar = next((callback for callback in self.callbacks if isinstance(callback, ProgbarLogger)), None)
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    @property
    def wants_batches(self) -> bool:
        return any(callback.wants_batches for callback in self.callbacks)

    def set_params(self, params: Mapping[str, Any]) -> None:
        super().set_params(params)
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        if self.history is not None:
            model.history = self.history
        for callback in self.callbacks:
            callback.set_model(model)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.progbar is not None:
            self.progbar.clear()  # what the callbacks print gets lines of its own
        self._call("on_epoch_end", epoch, logs)

    def on_train_begin(self, logs: Logs = None) -> None:
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Logs = None) -> None:
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._call("on_epoch_begin", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._call("on_train_batch_end", batch, logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        self._call("on_test_begin", logs)

    def on_test_end(self, logs: Logs = None) -> None:
        self._call("on_test_end", logs)

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._call("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._call("on_test_batch_end", batch, logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs: Logs = None) -> None:
        self._call("on_predict_end", logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._call("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._call("on_predict_batch_end", batch, logs)

    def _call(self, hook: str, *arguments: Any) -> None:
        # All by position: the parameters of a hook may have any names, as those of Keras.
        *index, logs = arguments
        shared = dict(logs or {})
        for callback in self.callbacks:
            getattr(callback, hook)(*index, shared)


class History(Callback):
    """Records the logs of every epoch; `fit` adds one and returns it.

    Attributes
    ----------
    epoch : list of int
        The epochs of the last training.
    history : dict of str to list
        For each name in the logs its values, one per epoch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self


def _flatten(callbacks: Any) -> Iterable[Callback]:
    if callbacks is None:
        return
    if isinstance(callbacks, Callback):
        yield callbacks
    elif isinstance(callbacks, Iterable) and not isinstance(callbacks, (str, bytes)):
        for callback in callbacks:
            yield from _flatten(callback)
    else:
        raise TypeError(f"callbacks must be instances of Callback. Received: {callbacks!r}")
