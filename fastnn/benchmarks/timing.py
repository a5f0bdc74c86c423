"""How times are taken: contenders take turns, and medians are kept.

A machine is never quiet for long.  So the contenders run in rounds, one after the other within each; a slow moment hits
all of them, and the ratio of two is the median of the ratios of the rounds.  Times shorter than the clock can see well
are taken over many calls at once.  Nothing is subtracted and no outlier is dropped.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

from fastnn.configuration import configuration

__all__ = ["Comparison", "Timer", "alternate", "load", "machine", "measure"]

# Does its work so many times and returns the seconds that each time took.
Timer: TypeAlias = Callable[[int], float]

MOST_ROUNDS = 9
LEAST_ROUNDS = 3
SEEN_WELL = 1e-4  # seconds: long enough to estimate from how many calls fill a turn


@dataclass(frozen=True)
class Comparison:
    """Seconds per call of every contender, round by round.

    Attributes:
        rounds: for each contender the times of all rounds; every contender has equally many.
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
    contenders: Mapping[str, Timer],
    seconds: float = 0.2,
    *,
    inside: Callable[[str], AbstractContextManager[Any]] = nullcontext,
    settle: float = 0.0,
) -> Comparison:
    """Time contenders against each other.

    Parameters:
        contenders: for each name a function that does its work n times and returns the seconds for one time, such as
            `functools.partial(measure, call)`. Everyone warms up before anything counts.
        seconds: about how long all of it may take; three rounds are run in any case, and at most nine.
        inside: makes of a contender's name the context that its turns run in, such as `fastnn.use_backend`.
        settle: seconds to wait before each turn, for thread pools that spin on after their work is done.

    Returns:
        Comparison.
    """
    ends = time.perf_counter() + seconds
    share = seconds / (MOST_ROUNDS + 2) / len(contenders)
    calls = {}
    for name, timer in contenders.items():
        with inside(name):
            calls[name] = _calls_within(timer, share)
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    done = 0
    while done < LEAST_ROUNDS or (done < MOST_ROUNDS and time.perf_counter() < ends):
        for name, timer in contenders.items():
            time.sleep(settle)
            with inside(name):
                rounds[name].append(timer(calls[name]))
        done += 1
    return Comparison({name: tuple(times) for name, times in rounds.items()}, calls)


def _calls_within(timer: Timer, seconds: float) -> int:
    """How many calls take that long, at least one; the calls made to find out are the warm-up."""
    timer(1)
    count, each = 1, timer(1)
    while each * count < min(SEEN_WELL, seconds):
        count *= 4
        each = timer(count)
    return max(1, int(seconds / each))


def load() -> float | None:
    """Programs that wanted to run during the last minute, on average; None where the system does not tell.

    With more of them than CPUs, threads wait for each other, and every figure here is rough.
    """
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def machine() -> dict[str, Any]:
    """`fastnn.configuration` for files of figures, without the paths of the machine."""
    return {**configuration(), "python": platform.python_version()}
