"""The same seed gives the same bits: for any number of threads, in any process, however the clock cuts the work."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

import fastnn
from fastnn import Sequential
from fastnn._native import _running
from fastnn.layers import Dense, Dropout, Input

# Large enough for a team of threads and for several blocks in most steps.
SCRIPT = """
import hashlib, sys
import numpy as np
import fastnn
from fastnn import Sequential
from fastnn.layers import Dense, Dropout, Input

def train(dtype="float32", optimizer="adam"):
    fastnn.utils.set_random_seed(12)
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(300, 200)).astype("float32"), rng.integers(0, 10, 300)
    model = Sequential([
        Input((200,), dtype=dtype), Dense(320, "gelu", dtype=dtype), Dropout(0.4), Dense(130, "tanh", dtype=dtype),
        Dense(10, "softmax", dtype=dtype),
    ])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=128, epochs=2, validation_split=0.1, verbose=0).history
    digest = hashlib.sha256(repr(sorted(history.items())).encode())
    for array in (*model.get_weights(), model.predict(x, verbose=0), model.predict_on_batch(x)):
        digest.update(array.tobytes())
    return digest.hexdigest()
"""
exec(SCRIPT)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_any_number_of_threads_gives_the_same_bits(dtype, optimizer):
    found = {}
    for threads in (1, 2, 3, 8):
        with fastnn.num_threads(threads):
            found[threads] = train(dtype, optimizer)  # noqa: F821
    assert len(set(found.values())) == 1, found


@pytest.mark.parametrize("inputs", [784, 1000, 4096])  # two parts, two of unequal length, four
@pytest.mark.parametrize("activation", [None, "relu", "silu"])
def test_low_batches_times_large_weights(inputs, activation):
    """Products that are cut along the sum: the same bits for any team, and the numbers of the reference."""

    def trained(backend):
        fastnn.utils.set_random_seed(1)
        rng = np.random.default_rng(inputs)
        x, y = rng.normal(size=(96, inputs)), rng.integers(0, 10, 96)
        with fastnn.use_backend(backend):
            model = Sequential([
                Input((inputs,), dtype="float64"), Dense(100, activation, dtype="float64"), Dense(10, dtype="float64")
            ])  # fmt: skip
            model.compile("adam", "mse")
            losses = model.fit(x, np.eye(10)[y], batch_size=32, epochs=3, verbose=0).history["loss"]
        return np.concatenate([losses, *(w.ravel() for w in model.get_weights())])

    expected = trained("reference")
    for threads in (1, 2, 3, 8, 11):
        with fastnn.num_threads(threads):
            found = trained("native")
        if threads == 1:
            alone = found
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
        np.testing.assert_array_equal(found, alone)


def test_a_team_that_gives_up_does_not_show():
    """Where other programs use the processors, one thread goes on alone (fastnn/_native/_running.pyx)."""
    with fastnn.num_threads(1):
        expected = train()  # noqa: F821
    before = _running.set_most_lost(-1.0)  # after the first long wait
    try:
        for threads in (2, 3, 8):
            with fastnn.num_threads(threads):
                assert train() == expected  # noqa: F821
    finally:
        _running.set_most_lost(before)


def test_another_process_gives_the_same_bits():
    here = train()  # noqa: F821
    for threads in ("1", "3"):
        environment = {**os.environ, "FASTNN_NUM_THREADS": threads}
        out = subprocess.run(
            [sys.executable, "-c", SCRIPT + "print(train())"],
            env=environment,
            check=True,
            capture_output=True,
            timeout=60,
        )
        assert out.stdout.decode().strip() == here


def small(epochs=3, callbacks=None, verbose=0):
    fastnn.utils.set_random_seed(5)
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(100, 8)), rng.integers(0, 3, 100)
    model = Sequential([Input((8,)), Dense(16, "relu"), Dropout(0.3), Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy", "sparse_categorical_accuracy"])
    history = model.fit(x, y, batch_size=9, epochs=epochs, verbose=verbose, callbacks=callbacks).history
    weights = hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()
    return weights, history, model.evaluate(x, y, verbose=0)


def test_the_same_script_repeats_itself(backend):
    assert small() == small()


def test_the_clock_does_not_show(monkeypatch):
    """Native calls that end after every step, as on a slow machine, and calls that never end early."""
    usual = small()
    for seconds in (0.0, 1e9):
        monkeypatch.setattr("fastnn.models.runner.PULSE", seconds)
        assert small() == usual


def test_progress_and_hooks_do_not_show(capsys):
    usual = small()
    assert small(verbose=1) == usual and small(verbose=2) == usual
    assert small(callbacks=[fastnn.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: None)]) == usual
    capsys.readouterr()


def test_both_backends_tell_the_same_story():
    """In float32 the numbers differ in their last digits; the losses of a few epochs agree."""
    _, native, _ = small()
    with fastnn.use_backend("reference"):
        _, reference, _ = small()
    np.testing.assert_allclose(native["loss"], reference["loss"], rtol=1e-5)


def test_seeds_differ():
    fastnn.utils.set_random_seed(1)
    one = Sequential([Input((3,)), Dense(2)])
    two = Sequential([Input((3,)), Dense(2)])
    assert not np.array_equal(one.get_weights()[0], two.get_weights()[0]) and one.seed != two.seed
    fastnn.utils.set_random_seed(2)
    other = Sequential([Input((3,)), Dense(2)])
    assert not np.array_equal(one.get_weights()[0], other.get_weights()[0])
