"""Keras's progress bar for loops of one's own, drawn as `fit` draws its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from fastnn.progress import ProgbarLogger


class Progbar:
    """Shows how far a loop is, and means over its steps.

    Parameters
    ----------
    target : int or None
        The number of steps, if it is known.
    width : int
        Accepted for Keras's sake; the bar is as wide as that of `fit`.
    verbose : {0, 1, 2}
        0 shows nothing; 1 a bar, and a line at the end; 2 the line only.
    interval : float
        Accepted for Keras's sake; a bar is drawn twenty times a second at most.
    stateful_metrics : collection of str, optional
        Names whose last value is shown instead of the mean over the steps.
    unit_name : str
        What a step is called in the title.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Collection[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        self.target, self.unit_name = target, unit_name
        self.stateful_metrics = set(stateful_metrics or ())
        self._sums: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._seen = 0
        self._display = ProgbarLogger()
        self._display.set_params({"verbose": verbose, "steps": target})
        self._running = False

    @property
    def values(self) -> dict[str, float]:
        """What is shown: means, and last values of the stateful ones."""
        steps = max(self._seen, 1)
        return {
            name: value if name in self.stateful_metrics else self._sums[name] / steps
            for name, value in self._last.items()
        }

    def update(
        self, current: int, values: Iterable[tuple[str, float]] | None = None, finalize: bool | None = None
    ) -> None:
        """Show that `current` steps are done.

        Parameters
        ----------
        current : int
        values : list of (name, value), optional
            Of the steps since the last call; they count as often as there were steps.
        finalize : bool, optional
            Whether this is the end. Default: when `target` is reached.
        """
        if not self._running:
            self._display.start(f"{self.unit_name.capitalize()}s")
            self._running = True
        new = max(current - self._seen, 1 if self._seen == 0 else 0)
        for name, value in values or ():
            self._sums[name] = self._sums.get(name, 0.0) + float(value) * new
            self._last[name] = float(value)
        self._seen = current
        logs: dict[str, Any] = self.values
        self._display.update(current, logs)
        if finalize if finalize is not None else self.target is not None and current >= self.target:
            self._display.finish(logs)
            self._running = False

    def add(self, n: int, values: Iterable[tuple[str, float]] | None = None) -> None:
        """Show that `n` more steps are done."""
        self.update(self._seen + n, values)
