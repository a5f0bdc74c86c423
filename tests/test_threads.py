"""Threads: the setting, models used from several threads of Python at once, and processes that are forked."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastnn
from fastnn import Sequential
from fastnn.callbacks import LambdaCallback
from fastnn.layers import Dense, Input

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(512, 64)).astype(np.float32), RNG.integers(0, 10, 512)


def network(width=64):
    model = Sequential([Input((64,)), Dense(width, "relu"), Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# --------------------------------------------------------------------------------------------------------- the setting


def test_the_setting():
    before = fastnn.get_num_threads()
    fastnn.set_num_threads(3)
    assert fastnn.get_num_threads() == 3
    with fastnn.num_threads(np.int64(2)):
        assert fastnn.get_num_threads() == 2
        with pytest.raises(ZeroDivisionError), fastnn.num_threads(5):
            1 / (fastnn.get_num_threads() - 5)
        assert fastnn.get_num_threads() == 2
    assert fastnn.get_num_threads() == 3
    fastnn.set_num_threads(before)


@pytest.mark.parametrize("count", [0, -1, 1025, 2.0, "2", None, True])
def test_counts_that_are_none(count):
    before = fastnn.get_num_threads()
    with pytest.raises(ValueError, match=r"a whole number from 1 to 1024. Received:"):
        fastnn.set_num_threads(count)
    with pytest.raises(ValueError, match=r"Received:"), fastnn.num_threads(count):
        pass
    assert fastnn.get_num_threads() == before


def test_the_environment_sets_the_start():
    code = "import fastnn; print(fastnn.get_num_threads())"
    for name in ("FASTNN_NUM_THREADS", "OMP_NUM_THREADS"):
        environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
        environment[name] = "7"
        out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, timeout=60)
        assert out.stdout.strip() == b"7"


# ------------------------------------------------------------------------------------------ one model, several threads


def together(functions, repeat=1):
    """Run them all at once; the first error is raised."""
    barrier = threading.Barrier(len(functions))

    def run(function):
        barrier.wait(10)
        return [function() for _ in range(repeat)]

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result(60) for future in [pool.submit(run, function) for function in functions]]


@pytest.mark.parametrize("threads", [1, 2])
def test_predictions_from_several_threads_are_right(threads):
    """Each thread has samples and a batch size of its own, or that of another one; the first calls meet, too."""
    model = network(512)  # wide enough for a team, and for threads to meet in the middle
    cases = [(X[i * 64 : i * 64 + 190 + i % 2], (128, 190, 32)[i % 3]) for i in range(6)]
    expected = [model.predict(x, batch_size=b, verbose=0) for x, b in cases]
    fresh = network(512)
    fresh.set_weights(model.get_weights())
    with fastnn.num_threads(threads):
        calls = [lambda x=x, b=b: fresh.predict(x, batch_size=b, verbose=0) for x, b in cases]
        for results, wanted in zip(together(calls, repeat=20), expected):
            for found in results:
                assert found.tobytes() == wanted.tobytes()


def test_a_model_is_built_once_by_threads_that_meet(monkeypatch):
    from fastnn.models import model as module

    made = []

    def slowly(*arguments):
        made.append(arguments)
        time.sleep(0.02)
        return runner(*arguments)

    runner = module.Runner
    monkeypatch.setattr(module, "Runner", slowly)
    model = Sequential([Dense(8), Dense(2)])
    results = together([lambda: model.predict(X[:4], verbose=0)] * 4)
    assert len(made) == 1
    for (found,) in results:
        np.testing.assert_array_equal(found, model.predict(X[:4], verbose=0))


def test_models_can_be_trained_at_the_same_time():
    alone = [network(), network()]
    for model in alone:
        model.seed  # noqa: B018 - drawn now, not by chance of threads
    copies = []
    for model in alone:
        twin = network()
        twin.set_weights(model.get_weights())
        twin._seed = model.seed
        copies.append(twin)
    for model in alone:
        model.fit(X, Y, epochs=3, verbose=0)
    together([lambda m=model: m.fit(X, Y, epochs=3, verbose=0) for model in copies])
    for one, other in zip(alone, copies):
        for a, b in zip(one.get_weights(), other.get_weights()):
            np.testing.assert_array_equal(a, b)


def test_one_model_trained_by_two_threads_makes_whole_steps():
    model = network()
    together([lambda: model.fit(X, Y, epochs=5, verbose=0)] * 2)
    assert model.optimizer.iterations == 2 * 5 * 16
    assert all(np.isfinite(w).all() for w in model.get_weights())
    model.fit(X, Y, epochs=2, verbose=0)


def test_predicting_while_training():
    model = network()
    stop = threading.Event()

    def predict():
        while not stop.is_set():
            assert np.isfinite(model.predict(X[:40], verbose=0)).all()

    thread = threading.Thread(target=predict)
    thread.start()
    try:
        model.fit(X, Y, epochs=20, verbose=0)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def test_a_callback_may_use_the_model_that_is_trained():
    """Evaluate, predict and even train in the middle of an epoch: the epoch goes on as if nothing had happened."""
    plain, used = network(), network()
    used.set_weights(plain.get_weights())
    used._seed = plain.seed
    seen = []

    def look(batch, logs):
        seen.append(used.evaluate(X[:32], Y[:32], verbose=0)[0])
        used.predict(X[:32], batch_size=32, verbose=0)

    expected = plain.fit(X, Y, epochs=2, verbose=0).history
    history = used.fit(X, Y, epochs=2, verbose=0, callbacks=[LambdaCallback(on_train_batch_end=look)]).history
    assert history == expected and len(set(seen)) == 32
    for a, b in zip(plain.get_weights(), used.get_weights()):
        np.testing.assert_array_equal(a, b)
    extra = LambdaCallback(on_train_batch_end=lambda batch, logs: used.train_on_batch(X[:32], Y[:32]))
    used.fit(X, Y, verbose=0, callbacks=[extra])
    assert used.optimizer.iterations == 3 * 16 + 16


# ----------------------------------------------------------------------------------------------------------- processes

PARENT = """
import multiprocessing, sys, warnings
import numpy as np
import fastnn
from fastnn import Sequential
from fastnn.layers import Dense, Input

def network():
    fastnn.utils.set_random_seed(1)
    model = Sequential([Input((256,)), Dense(512, "relu"), Dense(10, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model

def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(512, 256)).astype("float32"), rng.integers(0, 10, 512)

def work(model, queue):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*data(), batch_size=128, epochs=2, verbose=0)
        model.fit(*data(), batch_size=128, verbose=0)
    queue.put((model.get_weights(), [str(w.message) for w in caught if "fastnn" in str(w.message)]))

if __name__ == "__main__":
    fastnn.set_num_threads(2)
    context = multiprocessing.get_context(sys.argv[1])
    queue, model = context.Queue(), network()
    model.predict(data()[0], batch_size=512, verbose=0)       # threads have been used
    process = context.Process(target=work, args=(model, queue))
    process.start()
    weights, told = queue.get(timeout=40)
    process.join(20)
    work(model, queue)                                        # the parent still works
    own, none = queue.get(timeout=10)
    assert process.exitcode == 0 and not none, (process.exitcode, none)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(weights, own))
    print(told)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_work(tmp_path, method):
    """A forked child runs on one thread and says so once; a spawned one has all of them. Both get the same bits."""
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    script = tmp_path / "script.py"  # spawn imports it again
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), method]
    out = subprocess.run(command, env=environment, capture_output=True, timeout=100, text=True, check=False)
    assert out.returncode == 0, out.stderr
    told = out.stdout.strip()
    assert told == "[]" if method == "spawn" else told.count("forked from a process") == 1, told


def test_joblib_workers():
    joblib = pytest.importorskip("joblib")
    model = network()
    pieces = np.array_split(X, 4)
    found = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(model.predict)(x, verbose=0) for x in pieces)
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate([model.predict(x, verbose=0) for x in pieces]))
