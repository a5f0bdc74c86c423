"""fastnn.data.Loader: nothing is lost or repeated, and nothing depends on who prepares a batch."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn import Sequential, layers, utils
from fastnn.data import Loader

X = np.arange(23 * 2).reshape(23, 2).astype(np.float32)
Y = np.arange(23)


def noisy(x: Any, y: Any, generator: np.random.Generator) -> Any:
    x += generator.normal(size=x.shape).astype(x.dtype)
    return x, y


@given(
    samples=st.integers(1, 60), batch_size=st.integers(1, 25), shuffle=st.booleans(), drop_last=st.booleans(),
    workers=st.integers(0, 3), prefetch=st.integers(1, 4), seed=st.integers(0, 5),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_every_sample_once_an_epoch(
    samples: int, batch_size: int, shuffle: bool, drop_last: bool, workers: int, prefetch: int, seed: int
) -> None:
    x = np.arange(samples)
    loader = Loader(
        x, -x, batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, workers=workers, prefetch=prefetch,
        seed=seed,
    )  # fmt: skip
    for epoch in range(2):
        assert loader.epoch == epoch
        batches = list(loader)
        assert len(batches) == len(loader)
        assert all(np.array_equal(a, -b) for a, b in batches)
        sizes = [len(a) for a, _ in batches]
        assert sizes == [batch_size] * (samples // batch_size) + [samples % batch_size] * (
            bool(samples % batch_size) and not drop_last
        )
        seen = np.concatenate([a for a, _ in batches]) if batches else np.empty(0, int)
        assert len(set(seen.tolist())) == len(seen)
        if not drop_last:
            assert sorted(seen.tolist()) == x.tolist()
        if not shuffle:
            assert seen.tolist() == x.tolist()[: len(seen)]


def epochs(loader: Loader, count: int = 3) -> list[list[Any]]:
    return [[tuple(array.tolist() for array in batch) for batch in loader] for _ in range(count)]


def test_seed_and_epoch_decide_and_threads_do_not() -> None:
    options: dict[str, Any] = {"batch_size": 4, "shuffle": True, "transform": noisy}
    one = epochs(Loader(X, Y, seed=7, **options))
    assert one == epochs(Loader(X, Y, seed=7, workers=3, prefetch=5, **options))
    assert one != epochs(Loader(X, Y, seed=8, **options))
    assert one[0] != one[1] != one[2]
    again = Loader(X, Y, seed=7, **options)
    again.epoch = 2
    assert epochs(again, 1)[0] == one[2]
    assert X[0, 0] == 0.0  # the user's array is as it was
    utils.set_random_seed(3)
    first = Loader(X, Y, **options)
    utils.set_random_seed(3)
    assert first.seed == Loader(X, Y, **options).seed


def test_a_collection_of_samples() -> None:
    class Samples:
        def __len__(self) -> int:
            return 7

        def __getitem__(self, index: int) -> Any:
            return np.full(2, index), index % 3

    batches = list(Loader(Samples(), batch_size=3, workers=2))
    assert [x.shape for x, _ in batches] == [(3, 2), (3, 2), (1, 2)]
    assert np.concatenate([y for _, y in batches]).tolist() == [0, 1, 2, 0, 1, 2, 0]
    (only,) = Loader([[1, 2], [3, 4]])
    assert only.tolist() == [[1, 2], [3, 4]]


def test_training_with_a_loader_is_training_with_arrays() -> None:
    def trained(x: Any, y: Any = None, **options: Any) -> Any:
        model = Sequential([layers.Input((2,)), layers.Dense(3, activation="tanh"), layers.Dense(1)])
        draw = np.random.default_rng(0)
        model.set_weights([draw.normal(size=p.shape) for p in model.weights])
        model._seed = 1
        model.compile("adam", "mse")
        history = model.fit(x, y, epochs=3, verbose=0, **options).history
        return history["loss"], model.get_weights()

    weights = np.linspace(0, 1, 23)
    for given_weights in (None, weights):
        arrays = trained(X / 50, Y / 23, batch_size=5, shuffle=False, sample_weight=given_weights)
        for workers in (0, 2):
            loader = Loader(X / 50, Y / 23, given_weights, batch_size=5, workers=workers)
            loaded = trained(loader)
            assert loaded[0] == pytest.approx(arrays[0], rel=1e-6) and loader.epoch == 3
            assert all(np.array_equal(a, b) for a, b in zip(loaded[1], arrays[1]))


def test_errors_come_where_their_batch_would_have_come() -> None:
    def careful(x: Any, generator: Any) -> Any:
        if 9 in x:
            raise KeyError("nine")
        return x

    for workers in (0, 2):
        seen = []
        with pytest.raises(KeyError, match="nine"):
            seen.extend(
                batch.tolist() for batch in Loader(np.arange(20), batch_size=4, transform=careful, workers=workers)
            )
        # extend takes what came before the error
        assert seen in ([], [[0, 1, 2, 3], [4, 5, 6, 7]])


def test_leaving_early_stops_the_threads() -> None:
    calls = []

    def slow(x: Any, generator: Any) -> Any:
        calls.append(threading.current_thread().name)
        time.sleep(0.002)
        return x

    for _ in Loader(np.arange(1000), batch_size=1, transform=slow, workers=2, prefetch=3):
        break
    count = len(calls)
    time.sleep(0.05)
    assert len(calls) == count < 20
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fastnn-loader")]
    assert all(name.startswith("fastnn-loader") for name in calls)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Loader(X, Y[:5]), r"as many samples. Received: lengths \[23, 5\]"),
        (lambda: Loader(X, sample_weight=Y), "sample_weight without y"),
        (lambda: Loader(X, batch_size=0), "Received: batch_size=0"),
        (lambda: Loader(X, prefetch=0), "Received: prefetch=0"),
        (lambda: Loader(X, transform="flip"), "Received: 'flip'"),
        (lambda: Loader(iter([1])), "collection with __len__ and __getitem__. Received: list_iterator"),
        (lambda: Loader(np.array(3.0)), r"lengths \[None\]"),
        (lambda: list(Loader(X, Y, transform=lambda x, y, g: x)), r"must return 2 array\(s\) of 23 samples"),
        (lambda: list(Loader(X, transform=lambda x, g: x[:2])), r"1 array\(s\) of 23 samples. Received: lengths \[2\]"),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
