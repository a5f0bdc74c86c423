"""How many threads compute: one setting for the whole process.

Threads start only where there is enough work for them; small operations and small models run on the calling thread
whatever the setting.  Results never depend on it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager

from fastnn import _native

__all__ = ["get_num_threads", "num_threads", "set_num_threads"]


def get_num_threads() -> int:
    """The number of threads that large operations may use."""
    return _native.get_num_threads()


def set_num_threads(count: int) -> None:
    """Let large operations use up to `count` threads.

    The setting starts from FASTNN_NUM_THREADS, else OMP_NUM_THREADS, else the CPUs this process may use.

    Raises:
        ValueError: not a whole number from 1 to 1024.
    """
    try:
        number = 0 if isinstance(count, bool) else operator.index(count)
    except TypeError:
        number = 0
    if not 1 <= number <= 1024:
        raise ValueError(f"set_num_threads: expected a whole number from 1 to 1024. Received: {count!r}")
    _native.set_num_threads(number)


@contextmanager
def num_threads(count: int) -> Iterator[None]:
    """Use `count` threads inside a `with` block."""
    before = get_num_threads()
    set_num_threads(count)
    try:
        yield
    finally:
        set_num_threads(before)
