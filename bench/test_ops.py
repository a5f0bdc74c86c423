"""Every operation of fastnn.ops, native and reference, at three sizes."""

from __future__ import annotations

from typing import Any

import pytest

from fastnn.backend import use_backend
from fastnn.benchmarks import prepare
from fastnn.ops.registry import Operation, operations

SIZES = {"1k": 1024, "64k": 65536, "1M": 1048576}


@pytest.mark.benchmark(max_time=0.1, min_rounds=3)
@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("op", operations(), ids=lambda op: op.name)
def test_operation(benchmark: Any, op: Operation, size: str, backend: str) -> None:
    benchmark.group = f"{op.name} {size}"
    call = prepare(op, SIZES[size])
    benchmark.extra_info.update(elements=call.elements, bytes=call.bytes)
    with use_backend(backend):
        benchmark(call.run)
