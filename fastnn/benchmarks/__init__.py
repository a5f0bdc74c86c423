"""Measuring speed: every operation, and training steps, native against the NumPy reference.

    from fastnn import benchmarks

    benchmarks.bench_operation("silu", 64_000).ratio        # how many times faster than fastnn.reference
    benchmarks.bench_training(benchmarks.WORKLOADS[0])

`fastnn bench` prints these figures, bench/ feeds the same calls to pytest-benchmark.  Nothing here judges a figure.
"""

from fastnn.benchmarks.operations import Call, OperationResult, bench_operation, prepare, select
from fastnn.benchmarks.timing import Comparison, Timer, alternate, load, machine, measure
from fastnn.benchmarks.training import Stopwatch, TrainingResult, bench_training, compare_training
from fastnn.benchmarks.workloads import WORKLOADS, Workload

__all__ = [
    "WORKLOADS",
    "Call",
    "Comparison",
    "OperationResult",
    "Stopwatch",
    "Timer",
    "TrainingResult",
    "Workload",
    "alternate",
    "bench_operation",
    "bench_training",
    "compare_training",
    "load",
    "machine",
    "measure",
    "prepare",
    "select",
]
