"""Random search for hyper-parameters, in rounds that narrow the ranges.

    def objective(lr, weight_decay):
        ...
        return {"val acc": accuracy}

    search = RandomSearch(
        objective, {"lr": LogUniform(1e-6, 1e-2), "weight_decay": LogUniform(1e-8, 1e-4)}, trials=50, rounds=2,
        metric="val acc", file="search.jsonl",
    )
    print(search.run(n_jobs=-1))

A trial is a function of the seed of the search and of its number (from the second round on, also of the scores of the
rounds before): its values and the seed of everything in it are derived from these two. So neither the number of
processes nor an interruption changes the outcome, as long as the objective draws all its random numbers from fastnn,
from `random` and from NumPy's global generator.

There is no early stopping of trials and no model of the scores here: Optuna has these, see examples/optuna_search.py.
"""

from __future__ import annotations

import math
import os
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np

from fastnn import _parallel
from fastnn._errors import unknown
from fastnn._numbers import finite, whole
from fastnn.progress import ProgbarLogger
from fastnn.seeds import check_seed, random_seed

from .directions import SCORE, check_mode, decided
from .journal import Journal
from .spaces import Range, Space, check_space
from .trials import SearchResult, Trial, ranked

# how many frames of an error a trial keeps
_FRAMES = 4


class RandomSearch:
    """Tries values drawn from ranges, then draws from narrower ranges around the best, and so on.

    After a round, each range is narrowed to where the best trials so far lie, as many as `keep` of a round; on the
    scale of the range, and with a margin of the mean distance between neighbours (see `Range.narrowed`).

    Parameters
    ----------
    objective : callable
        Called with the values as keyword arguments; returns the score, or a dictionary of numbers with `metric` among
        them. Exceptions are recorded and do not end the search, nor does a score that is NaN.
    space : dict
        Names and ranges: `LogUniform`, `Uniform`, `IntUniform`, `LogIntUniform`, `Choice`; a list is a Choice.
    trials : int
        In each round.
    rounds : int
        1 is plain random search.
    keep : float
        The share of the trials of a round that count as the best; above 0 and below 1, and at least two trials.
    metric : str, optional
        What the score is called. Default: the `metric` of the objective, as `TrainAndScore` has one, or "score".
    mode : {"auto", "max", "min"}
        Whether more or less is better; "auto" takes the `mode` of the objective, as `TrainAndScore` has one, and goes
        by the name otherwise: less of a loss, more of a "score", and of a metric what its class says.
    seed : int
        From 0 to 2**32 - 1.
    file : path, optional
        Finished trials are kept there, as JSON lines; the same search goes on after them, also with more rounds, and
        with more trials if it has a single round.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the kind above, or mode is "auto" and the name does not tell.

    Notes
    -----
    Keras has no search; Keras Tuner's RandomSearch takes a function of a builder object in place of a space.
    scikit-learn's RandomizedSearchCV takes estimators and cross-validates; it has no rounds.

    References
    ----------
    J. Bergstra, Y. Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 13, 2012.
    """

    def __init__(
        self,
        objective: Callable[..., Any],
        space: Space,
        trials: int = 100,
        rounds: int = 1,
        *,
        keep: float = 0.2,
        metric: str | None = None,
        mode: str = "auto",
        seed: int = 0,
        file: str | os.PathLike[str] | None = None,
    ) -> None:
        if not callable(objective):
            raise TypeError(f"objective must be a function of the values. Received: objective={objective!r}")
        self.objective, self.space = objective, check_space(space)
        self.trials, self.rounds = whole("trials", trials, 1), whole("rounds", rounds, 1)
        self.keep = finite("keep", keep)
        if not 0.0 < self.keep < 1.0:
            raise ValueError(f"keep must lie between 0 and 1. Received: keep={keep!r}")
        self.metric = str(getattr(objective, "metric", SCORE)) if metric is None else str(metric)
        if check_mode(mode) == "auto" and self.metric == getattr(objective, "metric", None):
            mode = check_mode(getattr(objective, "mode", "auto"))
        self.mode = decided(mode, self.metric)
        self.seed, self.file = check_seed(seed), file

    def sample(self, number: int, space: Mapping[str, Range] | None = None) -> Trial:
        """The trial of this number before it is run.

        Parameters
        ----------
        number : int
            From 0.
        space : dict, optional
            The ranges of its round. Default: the first ones.
        """
        entropy = np.random.SeedSequence([self.seed, whole("number", number, 0)])
        seed = int(entropy.generate_state(1)[0])
        draw = np.random.Generator(np.random.PCG64(entropy.spawn(1)[0]))
        values = {name: each.at(draw.random()) for name, each in (space or self.space).items()}
        return Trial(number, number // self.trials, values, seed)

    def run(self, n_jobs: int | None = None, verbose: int = 1, on_error: str = "record") -> SearchResult:
        """Run the trials that are not in the file yet.

        Parameters
        ----------
        n_jobs : int, optional
            The number of processes, -1 for one a CPU, with one thread each; this needs joblib. Default: 1, or what
            `joblib.parallel_config` says, which also chooses Dask or Ray. A single process uses all threads that are
            set.
        verbose : {0, 1, 2}
            1 shows a bar and a line for each round, 2 the lines only.
        on_error : {"record", "raise"}
            Whether an exception in a trial is recorded, or ends the search.

        Returns
        -------
        SearchResult

        Raises
        ------
        ImportError
            If several processes are wanted and joblib is not installed.
        ValueError
            If an argument is not one of these, or the file is of another search.
        """
        if on_error not in ("record", "raise"):
            raise ValueError(f"on_error must be 'record' or 'raise'. Received: on_error={on_error!r}")
        if verbose not in (0, 1, 2):
            raise ValueError(f"verbose must be 0, 1 or 2. Received: verbose={verbose!r}")
        journal = None if self.file is None else Journal(self.file, self._description())
        done: dict[int, Trial] = {} if journal is None else dict(journal.trials)
        spaces, finished = [self.space], [done[n] for n in sorted(done)]
        for number in range(self.rounds):
            if number:
                spaces.append(self._narrowed(spaces[-1], finished))
            planned = [self.sample(n, spaces[-1]) for n in range(number * self.trials, (number + 1) * self.trials)]
            for trial in planned:
                _check_same(trial, done.get(trial.number))
            waiting = [trial for trial in planned if trial.number not in done]
            self._round(number, waiting, done, journal, n_jobs, verbose, on_error)
            finished = [done[n] for n in range((number + 1) * self.trials)]
        result = SearchResult(finished, self.metric, self.mode, spaces)
        if verbose and result.failed:
            print(result.failures())
        return result

    def _round(
        self,
        number: int,
        waiting: list[Trial],
        done: dict[int, Trial],
        journal: Journal | None,
        n_jobs: int | None,
        verbose: int,
        on_error: str,
    ) -> None:
        bar = ProgbarLogger()
        bar.set_params({"verbose": verbose, "steps": len(waiting)})
        with ExitStack() as stack:
            if waiting:
                stack.callback(bar.close)
                bar.start(f"Round {number + 1}/{self.rounds}")
            running = _parallel.calls(run_trial, [(self.objective, self.metric, t, on_error) for t in waiting], n_jobs)
            for count, (_, trial) in enumerate(running, 1):
                done[trial.number] = trial
                if journal is not None:
                    journal.add(trial)
                bar.update(count, self._standing(done))
            if waiting:
                bar.finish(self._standing(done))

    def _standing(self, done: Mapping[int, Trial]) -> dict[str, float]:
        trials = list(done.values())
        best = ranked(trials, self.mode)[:1]
        failed = sum(trial.failed for trial in trials)
        return {
            **{f"best {self.metric}": float(trial.score or 0.0) for trial in best},
            **({"failed": float(failed)} if failed else {}),
        }

    def _narrowed(self, space: dict[str, Range], finished: list[Trial]) -> dict[str, Range]:
        """The ranges around the best of the trials so far that lie within `space`."""
        best = ranked(finished, self.mode)[: max(2, round(self.keep * self.trials))]
        if len(best) < 2:
            return space
        return {name: each.narrowed([trial.values[name] for trial in best]) for name, each in space.items()}

    def _description(self) -> dict[str, Any]:
        """What makes the file of another search another one; the trials tell the rest by their values."""
        ranges = {name: each.get_config() for name, each in self.space.items()}
        found = {"seed": self.seed, "metric": self.metric, "mode": self.mode, "keep": self.keep, "space": ranges}
        describe = getattr(self.objective, "description", None)
        return {**found, "objective": describe()} if callable(describe) else found


def run_trial(objective: Callable[..., Any], metric: str, trial: Trial, on_error: str = "record") -> Trial:
    """The trial with what came out of it."""
    start = time.perf_counter()
    score: float | None = None
    others: dict[str, float | None] = {}
    error: str | None = None
    try:
        with random_seed(trial.seed):
            score, others = _outcome(objective(**trial.values), metric)
        if not math.isfinite(score):
            score, error = None, f"the score is {score}"
    except Exception as problem:
        if on_error == "raise":
            raise
        frames = "".join(traceback.format_tb(problem.__traceback__, -_FRAMES))
        error = f"{type(problem).__name__}: {problem}\n{frames}"
    seconds = time.perf_counter() - start
    return replace(trial, score=score, metrics=others, seconds=round(seconds, 6), error=error)


def _outcome(returned: Any, metric: str) -> tuple[float, dict[str, float | None]]:
    """The score, and all other numbers that the objective returned."""
    if isinstance(returned, Mapping):
        if metric not in returned:
            raise unknown("metric of the objective", metric, returned)
        numbers = {name: _number(value, f" under {name!r}") for name, value in returned.items()}
        score = numbers.pop(metric)
        return score, {str(name): value if math.isfinite(value) else None for name, value in numbers.items()}
    return _number(returned), {}


def _number(value: Any, where: str = "") -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(
            f"the objective must return a number or a dictionary of numbers. Received{where}: {value!r}"
        ) from None


def _check_same(planned: Trial, recorded: Trial | None) -> None:
    """A recorded trial must be the one that would be run."""
    if recorded is None:
        return
    expected, found = ((t.round, t.values, t.seed) for t in (planned, recorded))
    if expected != found:
        raise ValueError(
            f"the file is of another search, or the objective does not repeat itself: trial {planned.number} should be "
            f"(round, values, seed) = {expected}. Received: {found}"
        )
