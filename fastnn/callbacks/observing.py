"""A callback that watches activations, gradients and updates, layer by layer, from inside the engine."""

from __future__ import annotations

import operator
from typing import Any

from fastnn._callback import Callback, Logs
from fastnn.engine.observing import Observer


class Monitor(Callback):
    """Records for every epoch what activations, gradients and updates of each layer looked like.

    The numbers are taken by steps of the training plan itself, in compiled code; `fit` comes back to Python no more
    often than without. A training without a Monitor runs the same plan as ever.

    Parameters
    ----------
    every : int
        Look at one of so many mini-batches, the first of each epoch among them.

    Attributes
    ----------
    epoch : list of int
        The epochs recorded.
    history : dict of str to dict of str to list
        ``history[layer][name]``, one entry per epoch, of what JSON can hold; a number that is not finite, or that there
        is not, is None. A layer that is called again stands there as "name:2". The names, for the activations (output
        of the layer in training, over all mini-batches looked at):

        mean, deviation, minimum, maximum
        zeros
            Share of the numbers that are 0.
        not_finite
            Share of the numbers that are NaN or infinite; the others do not know them.
        saturated
            Share of the numbers within 2 % of the range of an activation that levels off on both sides (sigmoid, tanh).
        dead
            Share of the units of a ReLU (and the like) that were 0 for every sample; of a convolution, of its filters.
        histogram, range
            Counts of 20 bins of equal width between the two ends of the range. It is that of an activation which has
            one, else that of the epoch's first mini-batch; what lies outside counts in the first or last bin.

        For gradients and weights, norms (root of the sum of squares; over mini-batches, root of their mean square):

        signal
            Norm of the gradient with respect to the layer's output.
        gradient
            Norm of the gradient with respect to the layer's weights, before clipping.
        weight, update, update_ratio
            Norm of the trained weights, of what a step changed them by, and the quotient of both.

    Raises
    ------
    ValueError
        If `every` is no positive whole number; in `fit`, if there is a second Monitor.

    Notes
    -----
    Of an output layer whose activation the loss computes (softmax with cross-entropy), the numbers before the
    activation are seen. An optimizer that evaluates the loss several times a step (LBFGS) has no updates to look at.

    Looking costs about one pass over the activations and their gradients and four over the weights, for one of `every`
    mini-batches, and memory for a copy of the weights.

    References
    ----------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.

    Examples
    --------
    >>> from fastnn import Sequential, callbacks, layers
    >>> model = Sequential([layers.Input((2,)), layers.Dense(4, "relu", name="hidden"), layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> monitor = callbacks.Monitor(every=1)
    >>> _ = model.fit([[0.0, 1.0], [1.0, 0.0]], [1.0, 0.0], epochs=3, verbose=0, callbacks=[monitor])
    >>> len(monitor.history["hidden"]["dead"])
    3
    """

    def __init__(self, every: int = 10) -> None:
        super().__init__()
        try:
            self.every = operator.index(every)
        except TypeError:
            self.every = 0
        if self.every < 1 or isinstance(every, bool):
            raise ValueError(f"Monitor: every must be a positive whole number. Received: {every!r}")
        self.epoch: list[int] = []
        self.history: dict[str, dict[str, list[Any]]] = {}
        self._observer: Observer | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        runner = self.model.runner
        self.epoch, self.history = [], {}
        observer = Observer(runner.graph, self.every)
        runner.observe(observer)
        self._observer = observer

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        assert self._observer is not None
        self._observer.clear()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        assert self._observer is not None
        for layer, numbers in self._observer.summary().items():
            kept = self.history.setdefault(layer, {})
            for name, value in numbers.items():
                past = kept.setdefault(name, [])
                past.extend([None] * (len(self.epoch) - len(past)))  # epochs in which nobody looked at the layer
                past.append(value)
        self.epoch.append(epoch)

    def on_train_end(self, logs: Logs = None) -> None:
        self.model.runner.observe(None)
        self._observer = None

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it: {"epoch": ..., "layers": history}."""
        return {"epoch": list(self.epoch), "layers": self.history}

    def __str__(self) -> str:
        """The last epoch as a table."""
        if not self.epoch:
            return "Monitor: nothing seen yet"
        last = {
            layer: {name: past[-1] for name, past in numbers.items() if len(past) == len(self.epoch)}
            for layer, numbers in self.history.items()
        }
        return table(last)


COLUMNS = {
    "mean": "mean", "deviation": "deviation", "saturated": "saturated", "dead": "dead", "signal": "signal",
    "gradient": "gradient", "weight": "weight", "update_ratio": "update/weight",
}  # fmt: skip
SHARES = ("saturated", "dead")


def table(layers: dict[str, dict[str, Any]]) -> str:
    """Numbers of layers, by layer and name, as aligned text."""
    rows = [["layer", *COLUMNS.values()]]
    rows += [[layer, *(_cell(name, numbers.get(name)) for name in COLUMNS)] for layer, numbers in layers.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.0f} %" if name in SHARES else f"{value:.3g}"
