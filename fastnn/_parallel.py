"""Independent calls of a function, here or in other processes by joblib; results come as they are ready.

Every process computes with one thread: many small trainings side by side use the cores better than one training with
all of them. The choice of the backend of fastnn, and the settings of fastnn.config, go along with every call.

The processes are joblib's own (loky) unless `joblib.parallel_config` chose others, such as those of Dask or Ray.
Threads are refused: seeds belong to a whole process, and calls beside each other would draw from one sequence.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastnn import config
from fastnn.backend import current, use_backend
from fastnn.threads import num_threads


def calls(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], n_jobs: int | None) -> Iterator[Any]:
    """(i, function(*arguments[i])) for every i, in the order in which they are ready.

    Parameters
    ----------
    function : callable
        Processes get a copy of it, and of its arguments; functions of the main program and lambdas do too.
    arguments : sequence of tuple
    n_jobs : int, optional
        The number of processes, -1 for one a CPU; joblib is needed if it is not 1. None: what `joblib.parallel_config`
        says, or 1. A single process computes here, with as many threads as are set.

    Raises
    ------
    ImportError
        If joblib is not installed.
    ValueError
        If n_jobs is 0 or not an integer, or joblib is set to use threads.
    """
    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs == 0):
        raise ValueError(f"n_jobs must be a number of processes, -1 for all CPUs, or None. Received: n_jobs={n_jobs!r}")
    count = 1 if n_jobs == 1 else _processes(n_jobs)
    if count == 1:
        return ((i, function(*each)) for i, each in enumerate(arguments))
    return _in_processes(function, arguments, n_jobs, count)


def _processes(n_jobs: int | None) -> int:
    """How many processes joblib would use."""
    try:
        joblib = importlib.import_module("joblib")
    except ImportError:
        if n_jobs is None:
            return 1
        raise ImportError(
            f"Processes need joblib: pip install 'fastnn-cpu[search]'. Received: n_jobs={n_jobs!r}"
        ) from None
    parallel = joblib.Parallel(n_jobs=n_jobs)
    count = int(parallel._effective_n_jobs())
    if count > 1 and getattr(parallel._backend, "uses_threads", False):
        raise ValueError(
            "joblib must use processes: seeds belong to a process, and threads would share them. "
            f"Received: the backend {type(parallel._backend).__name__}"
        )
    return count


def _in_processes(
    function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], n_jobs: int | None, count: int
) -> Iterator[Any]:
    joblib = importlib.import_module("joblib")
    settings = _settings()
    try:
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        pieces = [range(len(arguments))]
    except ValueError:  # a backend that can only give all results together: a few calls at a time
        parallel = joblib.Parallel(n_jobs=n_jobs)
        pieces = [range(at, min(at + count, len(arguments))) for at in range(0, len(arguments), count)]
    for piece in pieces:
        yield from parallel(joblib.delayed(_call)(settings, function, i, arguments[i]) for i in piece)


def _settings() -> tuple[str, str, float]:
    return current().name, config.floatx(), config.epsilon()


def _call(settings: tuple[str, str, float], function: Callable[..., Any], i: int, arguments: tuple[Any, ...]) -> Any:
    """What another process does."""
    backend, floatx, epsilon = settings
    config.set_floatx(floatx)
    config.set_epsilon(epsilon)
    with num_threads(1), use_backend(backend):
        return i, function(*arguments)
