"""`Model.profile`: every step of the plan is in it, and the model is what it was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from fastnn import Sequential, layers, threads
from fastnn.backend import use_backend
from fastnn.utils import set_random_seed

X = np.random.default_rng(0).standard_normal((200, 6), np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


def model(**options: Any) -> Sequential:
    set_random_seed(3)
    net = Sequential(
        [
            layers.Input((6,)), layers.Dense(8, name="first"), layers.BatchNormalization(name="norm"),
            layers.Activation("relu", name="bend"), layers.Dropout(0.3, name="drop"),
            layers.Dense(2, "softmax", name="last", kernel_regularizer="l2"),
        ]
    )  # fmt: skip
    net.compile(options.pop("optimizer", "adam"), "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    net.build((None, 6))
    for i, weight in enumerate(net.weights):
        weight.assign(np.random.default_rng(i).standard_normal(weight.shape) * 0.3 + 1)
    return net


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("count", [1, 2])
def test_tells_of_every_part(backend: str, count: int) -> None:
    before = threads.get_num_threads()
    threads.set_num_threads(count)
    try:
        with use_backend(backend):
            found = model().profile(X, Y, batch_size=50, seconds=0.02)
    finally:
        threads.set_num_threads(before)
    phases = ["gather", "forward", "loss", "metrics", "backward", "penalties", "update"]
    assert sorted(found.by_phase()) == sorted(phases)
    assert set(found.by_layer()) == {"first", "norm", "bend", "drop", "last"}
    assert {e.phase for e in found.entries if e.layer == "norm"} == {"forward", "backward"}
    assert {"update adam", "gemm", "affine identity"} <= set(found.by_operation())
    assert (found.backend, found.threads, found.batch) == (backend, count, 50)
    assert found.steps >= 4
    assert all(entry.seconds >= 0 for entry in found.entries)
    assert 0 < sum(entry.seconds for entry in found.entries) <= found.seconds
    for sums in (found.by_phase(), found.by_operation()):
        assert sum(sums.values()) == pytest.approx(sum(entry.seconds for entry in found.entries))


def test_takes_the_training_back() -> None:
    """Training after a profile goes on as if there had been none, bit for bit."""
    histories = []
    for profiled in (False, True):
        net = model(optimizer="rmsprop")
        first = net.fit(X, Y, batch_size=40, epochs=2, verbose=0).history
        if profiled:
            state = [w.copy() for w in net.get_weights()]
            net.profile(X, Y, batch_size=32, seconds=0.01)
            assert all(np.array_equal(a, b) for a, b in zip(state, net.get_weights()))
            assert net.optimizer is not None
            assert net.optimizer.iterations == 10
        second = net.fit(X, Y, batch_size=40, epochs=2, verbose=0).history
        histories.append((first, second, [w.tobytes() for w in net.get_weights()]))
    assert histories[0] == histories[1]


def test_reads_as_a_table() -> None:
    found = model().profile(X, Y, batch_size=10_000, seconds=0.01)
    assert found.batch == 200
    lines = str(found).splitlines()
    assert lines[0].startswith("sequential") and "a step of 200 samples" in lines[0]
    assert lines[1].split() == ["layer", "phase", "operation", "us", "share"]
    assert len(lines) == len(found.entries) + 4
    assert len({len(line) for line in lines[1:-1]}) == 1
    assert json.loads(json.dumps(found.to_dict()))["entries"][0]["phase"] == "gather"


def test_layers_that_remember_keep_their_states() -> None:
    """Nor do profile and summary, whatever their batches are, disturb a stateful layer."""
    found = []
    for looked_at in (False, True):
        set_random_seed(5)
        net = Sequential([layers.Input((3, 2)), layers.GRU(4, stateful=True), layers.Dense(1)])
        net.compile("sgd", "mse")
        if looked_at:
            net.summary(print_fn=str)
        x, y = X.reshape(-1, 3, 2)[:24], np.ones((24, 1))
        net.fit(x, y, batch_size=8, shuffle=False, verbose=0)
        if looked_at:
            net.profile(x, y, batch_size=12, seconds=0.01)
            net.summary(print_fn=str)
        net.fit(x, y, batch_size=8, shuffle=False, verbose=0)
        found.append([w.tobytes() for w in net.get_weights()])
    assert found[0] == found[1]


def test_says_what_it_cannot_do() -> None:
    for seconds in (0, -1.0, "a"):
        with pytest.raises(ValueError, match="seconds must be a finite number greater than 0"):
            model().profile(X, Y, seconds=seconds)
    with pytest.raises(ValueError, match=r"two names of layers. Received"):
        model().summary(layer_range=["last"])
    with pytest.raises(ValueError, match=r"layer_range: .*Received: '\('"):
        model().summary(layer_range=["(", "last"])
    with pytest.raises(ValueError, match="Received: LBFGS"):
        model(optimizer="lbfgs").profile(X, Y)
    with pytest.raises(ValueError, match="call compile first"):
        Sequential([layers.Input((6,)), layers.Dense(2)]).profile(X, Y)
    with pytest.raises(ValueError, match="as many samples"):
        model().profile(X, Y[:5])


def test_the_shortest_time_is_one_step_after_the_warm_up() -> None:
    assert model().profile(X, Y, batch_size=50, seconds=1e-9).steps >= 1
