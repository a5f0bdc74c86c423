"""Trials of a search, and what came out of all of them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from .spaces import Range


@dataclass(frozen=True)
class Trial:
    """One set of values that was tried.

    Attributes
    ----------
    number : int
        From 0; with the seed of the search, and the best of earlier rounds, it determines the values.
    round : int
        From 0.
    values : dict
        Of the hyper-parameters, by name.
    seed : int
        What `set_random_seed` was given before the trial.
    score : float or None
        None if the trial failed.
    metrics : dict
        Whatever else the objective returned; None for what is not finite.
    seconds : float
    error : str or None
        Why it failed: what was raised, with its last lines; or that the score was not finite.
    """

    number: int
    round: int
    values: dict[str, Any]
    seed: int
    score: float | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None

    @property
    def failed(self) -> bool:
        return self.score is None

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold of it; tables take it as a row."""
        return asdict(self)


@dataclass(frozen=True)
class SearchResult:
    """The outcome of a search.

    Attributes
    ----------
    trials : list of Trial
        In the order of their numbers.
    metric : str
        What the score is called.
    mode : {"max", "min"}
        Whether more or less is better.
    spaces : list of dict
        The ranges of every round.
    """

    trials: list[Trial]
    metric: str
    mode: str
    spaces: list[dict[str, Range]]

    @property
    def ranking(self) -> list[Trial]:
        """The trials that did not fail, the best first; equally good ones in the order of their numbers."""
        return ranked(self.trials, self.mode)

    @property
    def failed(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.failed]

    @property
    def best(self) -> Trial:
        """The best trial.

        Raises
        ------
        ValueError
            If all failed.
        """
        ranking = self.ranking
        if not ranking:
            raise ValueError(f"expected a trial that did not fail. Received: {self.failures() or 'no trials'}")
        return ranking[0]

    @property
    def best_values(self) -> dict[str, Any]:
        """The values of the best trial; errors as in `best`."""
        return dict(self.best.values)

    def summary(self, count: int = 5) -> str:
        """The `count` best trials, a line each, and how many failed.

        Best-1 (val acc:0.83) | lr:0.0092, weight decay:3.86e-07
        """
        lines = [
            f"Best-{place} ({_words(self.metric)}:{_number(trial.score)}) | {_described(trial.values)}"
            for place, trial in enumerate(self.ranking[:count], 1)
        ]
        return "\n".join([*lines, *([self.failures()] if self.failed else [])])

    def failures(self) -> str:
        """How many trials failed, and how the first of them did; "" if none did."""
        if not self.failed:
            return ""
        first = self.failed[0]
        reason = (first.error or "").strip().splitlines()
        return (
            f"{len(self.failed)} of {len(self.trials)} trials failed; "
            f"the first is trial {first.number} ({_described(first.values)}): {reason[0] if reason else ''}"
        )

    def __str__(self) -> str:
        return self.summary()


def ranked(trials: list[Trial], mode: str) -> list[Trial]:
    """The trials that did not fail, the best first."""
    sign = -1.0 if mode == "max" else 1.0
    done = [trial for trial in trials if trial.score is not None]
    return sorted(done, key=lambda trial: (sign * (trial.score or 0.0), trial.number))


def _described(values: dict[str, Any]) -> str:
    return ", ".join(f"{_words(name)}:{_number(value)}" for name, value in values.items())


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(value: Any) -> str:
    """Three significant digits of what is not whole."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.3g}"
    return str(value)
