"""Interrupts, denormal numbers, memory: what a long run meets."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, optimizers
from fastnn.callbacks import LambdaCallback
from fastnn.layers import Dense, Dropout, Input

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(4096, 64)).astype(np.float32), RNG.integers(0, 10, 4096)


def network(optimizer="adam", width=64):
    fastnn.utils.set_random_seed(1)
    model = Sequential([Input((64,)), Dense(width, "relu"), Dropout(0.2), Dense(10, "softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# ---------------------------------------------------------------------------------------------------------- interrupts


@pytest.mark.skipif(os.name == "nt", reason="no signals to oneself")
def test_ctrl_c_leaves_the_model_after_a_whole_step():
    """Wherever it comes: the weights are exactly those after so many steps as the optimizer has counted."""
    model = network()
    model.fit(X[:32], Y[:32], verbose=0)  # what the first call has to make is made
    start, shuffles = model.get_weights(), model.shuffles
    for delay in (0.001, 0.003, 0.01, 0.03, 0.06, 0.1, 0.15):
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.set_weights(start)
        model.shuffles = shuffles
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))

        def until_interrupted(timer=timer):
            timer.start()
            model.fit(X, Y, epochs=10**6, verbose=0)

        begin = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            until_interrupted()
        assert time.perf_counter() - begin < delay + 0.6  # about 0.05 on a machine that is not busy
        timer.join()
        steps = model.optimizer.iterations
        stopped = model.get_weights()
        twin = network()
        twin.set_weights(start)
        twin._seed, twin.shuffles = model.seed, shuffles
        epochs, rest = divmod(steps, 128)
        if epochs:
            twin.fit(X, Y, epochs=epochs, verbose=0)
        if rest:
            twin.fit(X, Y, steps_per_epoch=rest, verbose=0)
        assert twin.optimizer.iterations == steps
        for a, b in zip(stopped, twin.get_weights()):
            assert a.tobytes() == b.tobytes(), f"{steps} steps are counted"


CHILD = """
import time
import numpy as np
import fastnn
from fastnn.layers import Dense, Input

x, y = np.random.default_rng(0).normal(size=(60000, 64)).astype("float32"), np.arange(60000) % 10
model = fastnn.Sequential([Input((64,)), Dense(256, "relu"), Dense(10, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x[:32], y[:32], verbose=0)
print("ready", flush=True)
try:
    model.fit(x, y, epochs=100000, batch_size=256, verbose=VERBOSE)
except KeyboardInterrupt:
    assert all(np.isfinite(w).all() for w in model.get_weights()) and model.optimizer.iterations > 1
    model.fit(x[:32], y[:32], verbose=0)                       # it still works
    print("stopped", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="no signals to a child")
@pytest.mark.parametrize("verbose", [0, 1])
def test_ctrl_c_from_outside_is_answered_at_once(verbose):
    command = [sys.executable, "-c", CHILD.replace("VERBOSE", str(verbose))]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.4)
        begin = time.perf_counter()
        child.send_signal(signal.SIGINT)
        line = child.stdout.readline()
        while line and "stopped" not in line:
            line = child.stdout.readline()
        assert "stopped" in line, child.communicate()[1]
        assert time.perf_counter() - begin < 10  # a busy machine; left alone it is a tenth of a second
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.communicate()


# ----------------------------------------------------------------------------------------------------------- denormals

TINY = np.finfo(np.float32).tiny


def denormals(array):
    return int(((array != 0) & (np.abs(array) < TINY)).sum())


def fading(steps):
    """Adam's first moment after one step with a gradient of about 1e-31 and so many with none: 0.9^steps of it."""
    model = Sequential([Input((256,)), Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile("adam", "mse")
    model.train_on_batch(np.full((1, 256), 1e-31), [[1.0]])
    model.fit(np.zeros((steps, 256)), np.zeros(steps), batch_size=1, verbose=0)
    return model.runner.slot("m")


def test_training_flushes_denormals_that_would_appear():
    with fastnn.use_backend("reference"):
        assert denormals(fading(200)) == 256  # about 1e-40: the test is one
    assert denormals(fading(200)) == 0


def ieee():
    """Whether NumPy computes with denormals on this thread, as results and as operands."""
    small = np.full(64, 1e-40, np.float32)
    half = np.full(64, TINY, np.float32) * np.float32(0.5)
    return denormals(half) == 64 and bool((small + small > small).all()) and 5e-324 * np.ones(8).max() > 0


def test_the_threads_of_a_team_keep_denormals_afterwards():
    """In a new process, where the threads are made by the training: they take over its floating-point mode."""
    script = """
import numpy as np
import fastnn
from fastnn import Sequential, layers, ops

x = np.full(1 << 20, -4e-38, np.float32)
expected = ops.leaky_relu(x, 0.01)
assert ((0 > expected) & (expected > -1e-39)).all()
fastnn.set_num_threads(3)
model = Sequential([layers.Input((400,)), layers.Dense(300, "relu"), layers.Dense(10)])
model.compile("adam", "mse")
model.fit(np.ones((512, 400)), np.ones((512, 10)), batch_size=128, verbose=0)
for _ in range(5):
    np.testing.assert_array_equal(ops.leaky_relu(x, 0.01), expected)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_numpys_denormals_are_left_alone():
    """Before, beside and after training, on the thread that trains and on others, with one thread and with a team."""
    assert ieee()
    found, stop = [], threading.Event()
    LambdaCallback(on_train_batch_end=lambda batch, logs: found.append(ieee()))

    def beside():
        while not stop.is_set():
            found.append(ieee())

    thread = threading.Thread(target=beside)
    thread.start()
    try:
        for threads in (1, 2):
            with fastnn.num_threads(threads):
                model = network(width=256)
                model.fit(X, Y, epochs=2, batch_size=256, verbose=0)
                assert ieee()
                model.predict(X, batch_size=512, verbose=0)
                assert ieee()
                model.fit(
                    X,
                    Y,
                    verbose=0,
                    callbacks=[
                        fastnn.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: found.append(ieee()))
                    ],
                )
    finally:
        stop.set()
        thread.join()
    assert len(found) > 256 and all(found)


# -------------------------------------------------------------------------------------------------------------- memory


def test_a_run_allocates_nothing_per_step():
    """The peak of Python's memory is the same for 10 and for 5,000 mini-batches of one native call."""
    model = network()
    data, goal = model.prepare(X, Y, None, "fit")
    runner = model.runner
    executor = runner.for_training(goal, 2, "adam")
    executor.program.bind(data.inputs, ())
    order = np.arange(len(X))
    scalars = np.ascontiguousarray(np.repeat(model.optimizer.scalars(0, 1), 2048, axis=0))
    executor.program.run(0, 2, order, scalars, 1, 0)
    peaks = []
    tracemalloc.start()
    try:
        for count in (10, 2000):
            gc.collect()
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            blocks = sys.getallocatedblocks()
            executor.program.run(0, count, order, scalars, 1, 0)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
            assert sys.getallocatedblocks() - blocks < 20
    finally:
        tracemalloc.stop()
    assert abs(peaks[1] - peaks[0]) < 300 and peaks[1] < 2000


def test_a_large_model_needs_four_arrays_for_adam():
    """Parameters, gradients and two moments, from the first line to the last; the batch counts little."""
    x, y = np.zeros((8, 1000), np.float32), np.zeros((8, 1000), np.float32)
    tracemalloc.start()
    try:
        layers = [Dense(1000, kernel_initializer="zeros") for _ in range(3)]
        model = Sequential([Input((1000,)), *layers])
        model.compile("adam", "mse")
        model.fit(x, y, batch_size=8, verbose=0)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    parameters = 4 * model.count_params()
    assert 4 * parameters <= now <= peak < 4.05 * parameters + 1_000_000


def test_memory_does_not_grow():
    """Repeated fits, evaluations and predictions, with ever new batch sizes."""
    model = network()

    def use(round_):
        for n in range(1, 60):
            model.predict(X[: n + round_], batch_size=1 + n % 7, verbose=0)
            model.predict_on_batch(X[: 3 * n + round_])
        model.fit(X[:100], Y[:100], batch_size=10 + round_, verbose=0, validation_split=0.1)
        model.evaluate(X[:100], Y[:100], batch_size=9 + round_, verbose=0)
        model.train_on_batch(X[:20], Y[:20])

    tracemalloc.start()
    try:
        sizes = []
        for round_ in range(6):
            use(round_)
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    pool = model.runner.pool
    assert sum(len(idle) for idle in pool._idle.values()) == pool._count <= 64
    assert max(sizes[3:]) < 1.1 * max(sizes[:3]) + 50_000, sizes


def test_idle_programs_are_few_and_small(monkeypatch):
    from fastnn.models import programs

    model = Sequential([Input((4,)), Dense(1000), Dense(1)])
    monkeypatch.setattr(programs, "MOST_BYTES", 10 * 2**20)
    for n in range(100, 1000, 50):  # up to 4 MB of hidden numbers each
        model.predict_on_batch(np.ones((n, 4)))
    pool = model.runner.pool
    held = [executor.nbytes for idle in pool._idle.values() for executor in idle]
    assert sum(held) == pool._bytes <= 10 * 2**20 and len(held) == pool._count >= 2
    monkeypatch.setattr(programs, "MOST_BYTES", 0)
    model.predict_on_batch(np.ones((1000, 4)))  # the last one stays, however large
    assert pool._count == 1


@pytest.mark.skipif(os.name == "nt", reason="the resource module is not there")
def test_the_process_does_not_grow():
    """What Python does not count: 200 models, each trained and used, in one process."""
    import resource

    def largest():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)  # KB

    def use():
        model = network(width=256)
        model.fit(X[:200], Y[:200], verbose=0)
        model.predict(X[:200], verbose=0)

    for _ in range(30):
        use()
    gc.collect()
    before = largest()
    for _ in range(200):  # at least 300 KB each
        use()
    assert largest() - before < 20_000


def test_models_are_freed():
    import weakref

    model = network()
    model.fit(X[:64], Y[:64], verbose=0)
    alive = [weakref.ref(model), weakref.ref(model.runner)]
    del model
    gc.collect()
    assert [ref() for ref in alive] == [None, None]


def test_a_learning_rate_that_explodes_is_reported_by_the_loss_not_by_a_crash(backend):
    model = network(optimizers.SGD(1e30))
    history = model.fit(X[:256], Y[:256], epochs=3, verbose=0).history
    assert not np.isfinite(history["loss"][-1])
    assert model.predict(X[:5], verbose=0).shape == (5, 10)
