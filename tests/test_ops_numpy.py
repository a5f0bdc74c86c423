"""keras.ops and keras.random on NumPy, without Keras: by hand-computed values and by other ways to the same number."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import layers, ops, random

X = np.random.default_rng(3).normal(size=(5, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (lambda: ops.convert_to_tensor(1.5), "float32"),
        (lambda: ops.convert_to_tensor([1, 2]), "int32"),
        (lambda: ops.convert_to_tensor(np.float64(1.5)), "float64"),
        (lambda: ops.convert_to_tensor([np.zeros(2), np.ones(2)]), "float64"),
        (lambda: ops.add(np.ones(2, np.int32), np.ones(2, np.float32)), "float32"),
        (lambda: ops.add(np.ones(2, np.int64), 1.5), "float32"),
        (lambda: ops.add(np.ones(2), 1.5), "float64"),
        (lambda: ops.multiply(np.ones(2, np.float32), 2), "float32"),
        (lambda: ops.add(np.ones(2, np.uint64), np.ones(2, np.int64)), "float32"),
        (lambda: ops.sum(np.ones(3, np.int8)), "int32"),
        (lambda: ops.sum(np.ones(3, bool)), "int32"),
        (lambda: ops.mean([1, 2]), "float32"),
        (lambda: ops.exp(np.ones(2, np.int8)), "float32"),
        (lambda: ops.argmax(X, axis=1), "int32"),
        (lambda: ops.zeros(3), "float32"),
        (lambda: ops.top_k(X, 2)[1], "int32"),
        (lambda: ops.divide(1, 2), "float32"),
    ],
)
def test_types(value: Callable[[], Any], dtype: str) -> None:
    assert value().dtype == dtype


def test_the_default_float_type_is_asked_for_at_every_call() -> None:
    fastnn.config.set_floatx("float64")
    try:
        assert ops.convert_to_tensor(1.5).dtype == ops.zeros(2).dtype == random.normal((2,)).dtype == np.float64
    finally:
        fastnn.config.set_floatx("float32")


def test_numpy_does_not_warn() -> None:
    assert ops.log(0.0) == -np.inf and np.isnan(ops.sqrt(-1.0)) and ops.divide(1.0, 0.0) == np.inf
    assert np.array_equal(ops.divide_no_nan([1.0, 2.0], [0.0, 4.0]), [0.0, 0.5])


def test_nothing_is_changed_in_place() -> None:
    before = X.copy()
    assert ops.scatter_update(X, [[0, 0]], [9.0])[0, 0] == 9
    assert ops.slice_update(X, (1, 1), np.full((2, 2), 9))[2, 2] == 9
    assert np.array_equal(X, before)


def test_a_metric_as_keras_writes_it() -> None:
    keras: Any = fastnn
    y_true, y_pred = np.array([1, 0, 1, 1]), np.array([[0.2], [0.7], [0.9], [0.6]])
    values = keras.ops.cast(
        keras.ops.equal(y_true, keras.ops.cast(keras.ops.squeeze(y_pred, -1) > 0.5, "int32")), "float32"
    )
    assert float(keras.ops.convert_to_numpy(keras.ops.mean(values))) == 0.5
    hot = keras.ops.one_hot([2, 0], 3)
    assert hot.dtype == np.float32 and hot.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert keras.ops.shape(hot) == (2, 3) and keras.ops.is_tensor(hot) and not keras.ops.is_tensor([1])


@pytest.mark.parametrize("x", [-1 + 1e-12, -0.9, -1e-9, 0.0, 1e-300, 0.3, 0.5, 0.999, 1 - 1e-15])
def test_the_inverse_of_the_error_function(x: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    assert ops.erfinv(np.float64(x)) == pytest.approx(float(mpmath.erfinv(x)), rel=1e-13)


def test_the_ends_of_the_error_function() -> None:
    assert np.array_equal(ops.erfinv(np.array([-1.0, 1.0])), [-np.inf, np.inf])
    assert np.isnan(ops.erfinv(np.array([1.5, -2.0, np.nan]))).all()
    assert ops.erf(0.5) == np.float32(math.erf(0.5)) and ops.erfc(np.float64(9.0)) == math.erfc(9.0)


def test_equal_elements_come_in_their_order() -> None:
    values, places = ops.top_k([[1.0, 3.0, 3.0, 0.0, 3.0]], 2)
    assert values.tolist() == [[3, 3]] and places.tolist() == [[1, 2]]
    assert ops.argsort([2, 1, 1]).tolist() == [1, 2, 0]
    assert ops.in_top_k([1, 4, 3], [[0.1, 0.9, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], 1).tolist() == [
        True,
        False,
        False,
    ]


def test_segments() -> None:
    assert ops.segment_sum([1, 2, 3], [0, 2, 0]).tolist() == [4, 0, 2]
    assert ops.segment_sum([1, 2, 3], [0, -1, 7], num_segments=2).tolist() == [1, 0]
    assert ops.segment_max(np.float32([1, 2]), [1, 1]).tolist() == [-np.inf, 2]


def test_where_nonzero_unstack_eig() -> None:
    assert [index.tolist() for index in ops.nonzero([[0, 5], [6, 0]])] == [[0, 1], [1, 0]]
    assert [index.tolist() for index in ops.where([True, False, True])] == [[0, 2]]
    assert [row.tolist() for row in ops.unstack([[1, 2], [3, 4]], axis=1)] == [[1, 3], [2, 4]]
    values, vectors = ops.eig(np.array([[2.0, 1.0], [0.0, 3.0]]))
    assert np.allclose(np.array([[2.0, 1.0], [0.0, 3.0]]) @ vectors, vectors * values)
    assert ops.argpartition([3, 1, 2], 0)[0] == 1
    assert ops.arccosh(2.0) == pytest.approx(math.acosh(2.0))
    assert ops.dtype(X) == "float32" and ops.stop_gradient(X) is X and ops.empty((2, 3)).shape == (2, 3)
    assert ops.empty_like(X).shape == X.shape and ops.vectorize(lambda x: x + 1)([1, 2]).tolist() == [2, 3]
    assert ops.custom_gradient(lambda x: (2 * x, None))(3) == 6


def test_symbolic_tensors_are_sent_to_layers() -> None:
    x = layers.Input((4,))
    for call, message in (
        (lambda: ops.average([x, x]), r"call layers\.Average\. Received: "),
        (lambda: ops.sort(x), "compute it in a layer of your own"),
    ):
        with pytest.raises(TypeError, match=message):
            call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.convert_to_tensor("abc"), TypeError, "Received: 'abc'"),
        (lambda: ops.cast(X, "bfloat16"), ValueError, "Received: dtype 'bfloat16'"),
        (lambda: ops.one_hot([1], 2, sparse=True), ValueError, "sparse=False"),
        (lambda: ops.scatter_update(X, [[0, 0]], [1.0], "mean"), ValueError, "Received: 'mean'"),
        (lambda: ops.where(X > 0, X), ValueError, "both x1 and x2"),
        (lambda: ops.image.resize(X[..., None], (2, 2), "bicubic"), ValueError, "Received: 'bicubic'"),
        (lambda: random.randint((2,), 0, 5, dtype="float32"), ValueError, "integer type"),
        (lambda: random.normal((2,), seed=-1), ValueError, "Received: -1"),
        (lambda: random.dropout(X, 1.5), ValueError, "Received: 1.5"),
    ],
)
def test_misuse(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_they_are_imported_when_asked_for() -> None:
    script = (
        "import sys, fastnn.ops; assert 'fastnn.ops._numpy' not in sys.modules and 'fastnn.random' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
    assert "scipy" not in subprocess.run(
        [sys.executable, "-c", "import sys; from fastnn import ops; ops.erf(1.0); print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip


# -- keras.random

DRAWS: dict[str, Callable[[Any], Any]] = {
    "normal": lambda seed: random.normal((2000,), 1.0, 2.0, seed=seed),
    "truncated_normal": lambda seed: random.truncated_normal((2000,), 1.0, 2.0, seed=seed),
    "uniform": lambda seed: random.uniform((2000,), -1.0, 3.0, seed=seed),
    "randint": lambda seed: random.randint((2000,), -2, 5, seed=seed),
    "gamma": lambda seed: random.gamma((2000,), 1.0, seed=seed),
    "beta": lambda seed: 2 * random.beta((2000,), 2.0, 2.0, seed=seed),
    "binomial": lambda seed: random.binomial((2000,), 4, 0.25, seed=seed),
    "categorical": lambda seed: random.categorical(np.log([[0.25, 0.5, 0.25]]), 2000, seed=seed),
    "dropout": lambda seed: random.dropout(np.ones(2000, np.float32), 0.5, seed=seed),
    "shuffle": lambda seed: random.shuffle(np.arange(2000) / 999.5, seed=seed),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws(name: str) -> None:
    draw = DRAWS[name]
    values = draw(4)
    assert values.mean() == pytest.approx(1.0, abs=0.15)  # all of them have the mean 1
    assert np.array_equal(values, draw(4)) and not np.array_equal(values, draw(5))
    generator, again = random.SeedGenerator(4), random.SeedGenerator(4)
    first, second = draw(generator), draw(generator)
    assert np.array_equal(first, values) and not np.array_equal(first, second)
    assert np.array_equal(draw(again), first) and np.array_equal(draw(again), second)
    fastnn.utils.set_random_seed(1)
    first, second = draw(None), draw(None)
    fastnn.utils.set_random_seed(1)
    assert np.array_equal(draw(None), first) and not np.array_equal(first, second)


def test_bounds_of_draws() -> None:
    assert np.abs(random.truncated_normal((5000,), seed=1)).max() <= 2
    assert set(random.randint((500,), 0, 3, seed=1).tolist()) == {0, 1, 2}
    rows = random.dropout(np.ones((50, 6), np.float32), 0.5, noise_shape=(None, 1), seed=1)
    assert set(rows.ravel().tolist()) == {0.0, 2.0} and (rows == rows[:, :1]).all()
    assert not random.dropout(X, 1.0).any() and np.array_equal(random.dropout(X, 0.0), X)
    generator = random.SeedGenerator(7)
    assert generator.next().tolist() == [7, 0] and generator.next().tolist() == [7, 1]
    assert random.SeedGenerator.from_config(generator.get_config()).next().tolist() == [7, 0]
