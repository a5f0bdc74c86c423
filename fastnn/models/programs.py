"""Programs that wait for work.

A program runs one pass at a time, so whoever needs one takes it out of the pool and gives it back: two threads that
predict with one model, or a callback that evaluates in the middle of an epoch, get two.  What has not been used for
long is dropped, so that calls with ever new batch sizes do not pile up workspaces.  So is what was made before an
attribute of a layer has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.backend import current
from fastnn.engine.graph import Graph
from fastnn.layers._attributes import Changes

Array = npt.NDArray[Any]

# what idle programs may hold, altogether
MOST_PROGRAMS = 64
MOST_BYTES = 256 * 2**20


class Executor:
    """A program with its sums and its size."""

    __slots__ = ("changes", "masks", "nbytes", "program", "totals")

    def __init__(self, plan: Any, segments: Sequence[tuple[Any, ...]] = ()) -> None:
        self.changes = Changes.count  # of layers, that the plan knows
        self.program = current().Program(plan, segments)
        self.totals: npt.NDArray[np.float64] = self.program.totals
        self.masks: list[Array | None] = plan.shown_masks
        self.nbytes = int(self.program.workspace_bytes)


class ProgramPool:
    """Idle programs, by what they are for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # the last one that was put back, usually the next one that is wanted: lists give and take without a lock
        self._last: list[tuple[Hashable, Executor]] = []
        # the least recently used first
        self._idle: dict[Hashable, list[Executor]] = {}
        self._count = self._bytes = 0
        self._changes = Changes.count

    def infer(self, key: Hashable, x: Array, graph: Graph, make: Callable[[int, Graph], Executor]) -> Array | None:
        """See `Program.infer_one`; the program is one of this pool, or make(samples, graph)."""
        executor = self.take(key, make, len(x), graph)
        try:
            found: Array | None = executor.program.infer_one(x, graph.input_shapes[0], graph.output_shapes[0])
        finally:
            self.give(key, executor)
        return found

    def take(self, key: Hashable, make: Callable[..., Executor], *arguments: Any) -> Executor:
        """A program of that kind, for the caller alone: an idle one, or make(*arguments)."""
        if self._changes != Changes.count:
            self._changes = Changes.count
            self.clear(lambda key: True)
        try:
            last, executor = self._last.pop()
        except IndexError:
            pass
        else:
            if last == key:
                return executor
            self._store(last, executor)
        with self._lock:
            idle = self._idle.get(key)
            if idle:
                return self._counted(idle.pop(), -1)
        return make(*arguments)

    def give(self, key: Hashable, executor: Executor) -> None:
        """Put a program back."""
        executor.program.unbind()
        if executor.changes != Changes.count:
            return
        self._last.append((key, executor))
        if len(self._last) > 1:
            self._empty()

    def _empty(self) -> None:
        """Put away what lies at hand."""
        while self._last:
            try:
                key, executor = self._last.pop(0)
            except IndexError:  # another thread was faster
                return
            self._store(key, executor)

    def _store(self, key: Hashable, executor: Executor) -> None:
        with self._lock:
            idle = self._idle.pop(key, [])
            idle.append(self._counted(executor, 1))
            self._idle[key] = idle
            while len(self._idle) > 1 and (self._count > MOST_PROGRAMS or self._bytes > MOST_BYTES):
                self._drop(next(iter(self._idle)))

    def clear(self, unwanted: Callable[[Any], bool]) -> None:
        """Drop all programs whose key is unwanted."""
        self._empty()
        with self._lock:
            for key in [key for key in self._idle if unwanted(key)]:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        for executor in self._idle.pop(key):
            self._counted(executor, -1)

    def _counted(self, executor: Executor, sign: int) -> Executor:
        self._count += sign
        self._bytes += sign * executor.nbytes
        return executor
