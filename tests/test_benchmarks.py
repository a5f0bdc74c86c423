"""fastnn.benchmarks: what is measured, and how times become figures.  No test looks at how fast anything is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from fastnn import backend, benchmarks
from fastnn.benchmarks import Comparison, Stopwatch, Workload
from fastnn.ops.registry import operations


def test_comparison_takes_medians_and_ratios_round_by_round() -> None:
    found = Comparison({"a": (2.0, 9.0, 4.0), "b": (1.0, 3.0, 4.0)}, {"a": 1, "b": 1})
    assert found.seconds("a") == 4.0
    assert found.seconds("b") == 3.0
    assert found.ratio("a", "b") == 2.0  # of 2, 3 and 1, and not 4 / 3
    assert found.ratio("b", "a") == 0.5


def test_contenders_take_turns_in_their_contexts() -> None:
    log: list[tuple[str, str, int]] = []
    entered: list[str] = []

    @contextmanager
    def inside(name: str) -> Iterator[None]:
        entered.append(name)
        yield
        entered.pop()

    def timer(name: str, each: float) -> Any:
        def run(count: int) -> float:
            log.append((name, entered[-1], count))
            return each

        return run

    found = benchmarks.alternate({"slow": timer("slow", 8.0), "fast": timer("fast", 2.0)}, 0.0, inside=inside)
    assert entered == []
    assert all(name == context for name, context, _ in log)
    # both warm up; then come three rounds, although there is no time at all
    assert [name for name, _, _ in log[-6:]] == ["slow", "fast"] * 3
    assert {name for name, _, _ in log[:-6]} == {"slow", "fast"}
    assert found.rounds == {"slow": (8.0,) * 3, "fast": (2.0,) * 3}
    assert found.ratio("slow", "fast") == 4.0


def test_short_calls_are_timed_many_at_once() -> None:
    counts: list[int] = []

    def timer(count: int) -> float:
        counts.append(count)
        return 1e-6

    found = benchmarks.alternate({"call": timer}, 1.0)
    assert found.calls["call"] > 1000
    assert counts[-1] == found.calls["call"]
    assert len(found.rounds["call"]) == 9


def test_measure_divides_by_the_number_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 16.0])
    monkeypatch.setattr("fastnn.benchmarks.timing.time.perf_counter", lambda: next(clock))
    calls: list[int] = []
    assert benchmarks.measure(lambda: calls.append(1), 4) == 1.5
    assert len(calls) == 4


@pytest.mark.parametrize(
    ("name", "elements", "moved"),
    [
        ("relu", 1024, 2 * 4096),  # x, y
        ("relu_backward", 1024, 3 * 4096),  # dy, y, dx
        ("adam_", 1024, 7 * 4096),  # p, g, m, v are read, p, m, v written
        ("sgd_many", 2048, 3 * 8192),  # two arrays each of p and g read, p written
        ("mse", 1024, 2 * 4096),  # p, t; the result is a number
        ("logsumexp", 1024, 4096 + 16 * 4),  # x, one result for each of 16 rows
        ("matmul", 1024, 2 * 4096 + 64 * 64 * 4),  # (16, 64) @ (64, 64)
        ("dropout", 1024, 2 * 4096 + 1024),  # x, y, mask
        ("random_bits", 1024, 4096),
    ],
)
def test_calls_know_their_elements_and_bytes(name: str, elements: int, moved: int) -> None:
    call = benchmarks.prepare(name, 1024)
    assert (call.elements, call.bytes) == (elements, moved)
    assert benchmarks.prepare(name, 1024, np.float64).elements == elements


@pytest.mark.parametrize("op", operations(), ids=lambda op: op.name)
@pytest.mark.parametrize("kernels", ["native", "reference"])
def test_every_operation_can_be_repeated_on_both_backends(op: Any, kernels: str) -> None:
    call = benchmarks.prepare(op, 200)
    with backend.use_backend(kernels):
        first, second = call.run(), call.run()
    if op.takes_out:  # no fresh memory within the figures
        assert any(np.shares_memory(a, b) for a, b in zip(arrays(first), arrays(second), strict=True))


def arrays(result: Any) -> list[np.ndarray]:
    return [item for item in (result if isinstance(result, tuple) else (result,)) if isinstance(item, np.ndarray)]


def test_sizes() -> None:
    assert benchmarks.prepare("relu", 1).elements == 1
    assert benchmarks.prepare("relu", 100).elements == 64
    with pytest.raises(ValueError, match=r"at least 1\. Received: 0"):
        benchmarks.prepare("relu", 0)


def test_select() -> None:
    assert benchmarks.select() == operations()
    assert [op.name for op in benchmarks.select(["softmax"])] == ["softmax"]
    assert {op.name for op in benchmarks.select(["silu"])} == {"silu", "silu_backward", "silu_grad"}
    assert [op.name for op in benchmarks.select(["adam_", "adam"])].count("adam_") == 1
    with pytest.raises(ValueError, match="Did you mean 'silu'"):
        benchmarks.select(["sillu"])


def test_bench_operation_derives_its_figures() -> None:
    found = benchmarks.bench_operation("relu", 1024, np.float64, seconds=0.01)
    assert (found.name, found.dtype, found.elements, found.bytes) == ("relu", "float64", 1024, 16384)
    assert found.ns_per_element == pytest.approx(found.native * 1e9 / 1024)
    assert found.bytes_per_second == pytest.approx(16384 / found.native)
    assert all(value > 0 for value in (found.native, found.reference, found.ratio, found.of_copy))
    assert backend.current().name == "native"


def test_workloads_are_what_they_say() -> None:
    parameters = {
        "mlp-tiny": 2410, "mlp-100-b32": 79510, "mlp-100-b100-sgd": 79510, "mlp-256x2": 269322,
        "mlp-1000-sigmoid": 795010, "mlp-bn-dropout": 90410, "autoencoder": 209968, "lenet": 61706, "convnet": 34826,
        "rnn": 6602, "lstm": 24458, "gru": 18698, "lstm-128": 100106,
    }  # fmt: skip
    assert {workload.name: workload.model().count_params() for workload in benchmarks.WORKLOADS} == parameters
    for workload in benchmarks.WORKLOADS:
        x, y = workload.data(2)
        assert x.shape == (2 * workload.batch, *workload.shape)
        assert y.shape == ((len(x),) if workload.classes else (len(x), *workload.shape))
        assert workload.model().fit(x, y, batch_size=workload.batch, verbose=0).history["loss"][0] < 4
    assert Workload.dense((5, 4, 3), 8).name == "5-4-3-b8"


@pytest.mark.parametrize("sizes", [(5, 4, 3), (5, 4, 2)])
def test_bench_training(sizes: tuple[int, ...]) -> None:
    found = benchmarks.bench_training(Workload.dense(sizes, 8), seconds=0.01)
    assert found.name == f"5-4-{sizes[-1]}-b8"
    assert found.parameters == 24 + 5 * sizes[-1]
    assert found.rounds >= 3
    assert all(steps % found.rounds == 0 and steps > 0 for steps in found.steps.values())
    assert all(value > 0 for value in (found.native, found.reference, found.ratio))


def test_compare_training_uses_full_batches_of_what_there_is() -> None:
    workload = Workload.dense((5, 4, 3), 8)
    x, y = workload.data(2)
    found = benchmarks.compare_training(workload.model(), x[:11], y[:11], batch=8, seconds=0.01)
    assert found.steps["reference"] == found.rounds  # one step: the last three samples make no batch
    tiny = benchmarks.compare_training(workload.model(), x[:3], y[:3], batch=8, seconds=0.01)
    assert tiny.batch == 3


def test_stopwatch_times_every_epoch() -> None:
    workload, watch = Workload.dense((5, 4, 3), 8), Stopwatch()
    x, y = workload.data(2)
    workload.model().fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=[watch])
    assert len(watch.epochs) == 3
    assert all(seconds > 0 for seconds in watch.epochs)


def test_load_is_a_number_where_it_is_known() -> None:
    busy = benchmarks.load()
    assert busy is None or math.isfinite(busy)
