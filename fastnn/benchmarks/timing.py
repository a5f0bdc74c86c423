"""How times are taken: contenders take turns, and medians are kept.

A machine is never quiet for long.  So the contenders run in rounds, one after the other within each; a slow moment hits
all of them, and the ratio of two is the median of the ratios of the rounds.  Times shorter than the clock can see are
taken over many calls at once.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

__all__ = ["Comparison", "alternate", "copy_bandwidth", "measure"]

# The part of the whole time that one contender may have within one round.
_ROUNDS = 9
_LEAST_ROUNDS = 3
_SHORTEST = 1e-4  # seconds; the clock and the loop around the calls are a thousandth of it at most


@dataclass(frozen=True)
class Comparison:
    """Seconds per call of every contender, round by round.

    Attributes:
        rounds: for each contender the times of all rounds, which are as many for every one.
        calls: over how many calls each of these times was averaged.
    """

    rounds: Mapping[str, tuple[float, ...]]
    calls: Mapping[str, int]

    def seconds(self, name: str) -> float:
        """Median time per call."""
        return statistics.median(self.rounds[name])

    def ratio(self, slow: str, fast: str) -> float:
        """How many times longer `slow` takes than `fast`: the median over the rounds."""
        return statistics.median(s / f for s, f in zip(self.rounds[slow], self.rounds[fast], strict=True))


def measure(call: Callable[[], object], count: int) -> float:
    """Seconds per call, over `count` calls in a row."""
    turns = range(count)
    started = time.perf_counter()
    for _ in turns:
        call()
    return (time.perf_counter() - started) / count


def alternate(
    contenders: Mapping[str, Callable[[], object]],
    seconds: float = 0.2,
    *,
    inside: Mapping[str, AbstractContextManager[object]] | None = None,
    settle: float = 0.0,
) -> Comparison:
    """Time functions against each other.

    Parameters:
        contenders: functions without arguments, by name; each is called once or more before anything is timed.
        seconds: about how long all of it may take; at least three rounds are run, however long they are.
        inside: for each contender a context manager to run it in (entered anew for every round).
        settle: seconds to wait before each turn, for thread pools that spin on after their work is done.

    Returns:
        Comparison.
    """
    contexts = inside or {name: nullcontext() for name in contenders}
    share = seconds / (_ROUNDS + 1) / len(contenders)
    calls, turn = {}, 0.0
    for name, call in contenders.items():
        with contexts[name]:
            calls[name] = _calls_within(call, share)
            turn += measure(call, calls[name]) + 0.0
    cost = sum(calls[name] * 0.0 for name in contenders) + turn
    del cost
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    ends = time.perf_counter() + seconds
    done = 0
    while done < _LEAST_ROUNDS or (done < _ROUNDS and time.perf_counter() < ends):
        for name, call in contenders.items():
            if settle:
                time.sleep(settle)
            with contexts[name]:
                rounds[name].append(measure(call, calls[name]))
        done += 1
    return Comparison({name: tuple(times) for name, times in rounds.items()}, calls)
