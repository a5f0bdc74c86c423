"""The usual objective: build a model from the values, train it, score it on validation data."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn._errors import unknown

from .directions import check_mode, decided


class TrainAndScore:
    """Calls `build` with the values, fits the model, and returns what its last epoch logged.

        def build(lr, weight_decay):
            model = fastnn.Sequential([...])
            model.compile(fastnn.optimizers.SGD(lr, weight_decay=weight_decay), "sparse_categorical_crossentropy",
                          metrics=["acc"])
            return model

        RandomSearch(TrainAndScore(build, x, y, validation_split=0.2, epochs=5), space).run()

    Parameters
    ----------
    build : callable
        Takes the values as keyword arguments and returns a compiled model.
    x, y
        As in `Model.fit`.
    metric : str
        A name in the logs. Those of validation begin with "val_".
    epoch : {"last", "best"}
        Which epoch the numbers are of. The best one is chosen on the data that score it, so it looks better than it is.
    mode : {"auto", "max", "min"}
        Whether more or less of the metric is better; "auto" goes by its name, as `RandomSearch` does.
    **options
        Of `Model.fit`: epochs, batch_size, validation_data or validation_split, callbacks (each trial has
        copies) ... A value that is drawn under the name batch_size or epochs is given to `fit` and not to `build`.

    Raises
    ------
    TypeError, ValueError
        If `build` is not callable, or `epoch` or `mode` is not one of those above; in a trial, if the best epoch is
        wanted, and neither `mode` nor the name tells which one that is.
    """

    def __init__(
        self,
        build: Callable[..., Any],
        x: Any,
        y: Any = None,
        *,
        metric: str = "val_accuracy",
        epoch: str = "last",
        mode: str = "auto",
        **options: Any,
    ) -> None:
        if not callable(build):
            raise TypeError(f"build must be a function that returns a compiled model. Received: build={build!r}")
        if epoch not in ("last", "best"):
            raise ValueError(f"epoch must be 'last' or 'best'. Received: epoch={epoch!r}")
        self.build, self.x, self.y, self.metric, self.epoch = build, x, y, metric, epoch
        self.mode = check_mode(mode)
        self.options = {"verbose": 0, **options}

    def __call__(self, **values: Any) -> dict[str, float]:
        """Train one model and return its logs."""
        of_fit = {name: values.pop(name) for name in ("batch_size", "epochs") if name in values}
        model = self.build(**values)
        history = model.fit(self.x, self.y, **(self._own_options() | of_fit)).history
        if self.metric not in history:
            raise unknown("name in the logs", self.metric, history)
        column = [float(value) for value in history[self.metric]]
        at = len(column) - 1
        if self.epoch == "best":
            best = min if decided(self.mode, self.metric, model) == "min" else max
            at = column.index(best(column))
        return {name: float(logged[at]) for name, logged in history.items() if len(logged) == len(column)}

    def description(self) -> dict[str, Any]:
        """What JSON can hold of the fixed arguments: the file of a search with others is refused."""
        options = {name: _summary(value) for name, value in sorted(self.options.items()) if name != "verbose"}
        return {
            "build": getattr(self.build, "__qualname__", type(self.build).__name__), "metric": self.metric,
            "epoch": self.epoch, "mode": self.mode, "x": _summary(self.x), "y": _summary(self.y), "options": options,
        }  # fmt: skip

    def _own_options(self) -> dict[str, Any]:
        """Options of `fit` for one trial: callbacks keep state, so each trial has its own."""
        chosen = self.options.get("callbacks")
        return {**self.options, **({"callbacks": copy.deepcopy(chosen)} if chosen else {})}


def _summary(value: Any) -> Any:
    """A value as JSON can hold it: shape, dtype and checksum of arrays, the type of what has no plain form."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(name): _summary(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)) and len(value) <= 8:
        return [_summary(part) for part in value]
    if hasattr(value, "__array__") or isinstance(value, (list, tuple)):
        array = np.asarray(value)
        if array.dtype.kind in "biufcSU":
            checksum = zlib.crc32(array.tobytes())
            return {"shape": list(array.shape), "dtype": str(array.dtype), "crc32": checksum}
    return type(value).__qualname__
