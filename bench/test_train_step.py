"""An epoch of 50 training steps (5 with convolutions or recurrence) of the workloads, native and reference."""

from __future__ import annotations

from typing import Any

import pytest

from fastnn.backend import use_backend
from fastnn.benchmarks import WORKLOADS, Workload


@pytest.mark.benchmark(max_time=0.5, min_rounds=3, warmup=True, warmup_iterations=1)
@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_epoch(benchmark: Any, workload: Workload, backend: str) -> None:
    steps = 50 if workload.is_dense else 5
    benchmark.group = workload.name
    benchmark.extra_info.update(steps=steps, batch=workload.batch)
    model = workload.model()
    x, y = workload.data(steps)
    with use_backend(backend):
        benchmark(model.fit, x, y, batch_size=workload.batch, epochs=1, verbose=0)
