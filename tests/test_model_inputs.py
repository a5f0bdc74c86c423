"""What models accept as data, and how they refuse the rest: right numbers or a clear error, never anything else."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastnn import Sequential, optimizers
from fastnn.layers import Dense, Flatten, Input
from fastnn.testing import layouts

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(3, 2))


def model(dtype="float32"):
    found = Sequential([Input((3,), dtype=dtype), Dense(2, use_bias=False, dtype=dtype)])
    found.set_weights([KERNEL])
    found.compile(optimizers.SGD(0.1), "mse")
    return found


def classifier():
    found = Sequential([Input((3,)), Dense(2, "softmax")])
    found.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return found


X = RNG.integers(0, 100, (10, 3))
Y = RNG.normal(size=(10, 2))

# -------------------------------------------------------------------------------------------------- dtypes and layouts

METHODS = ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"]
COUNTS = ["epochs", "initial_epoch", "steps_per_epoch", "validation_steps", "validation_batch_size"]
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", [*DTYPES, "bool", "longdouble"])
def test_every_real_dtype_gives_the_right_numbers(backend, given, dtype):
    x = (X % 2 if given == "bool" else X).astype(given)
    expected = x.astype(np.float64) @ KERNEL
    found = model(dtype)
    np.testing.assert_allclose(found.predict(x, verbose=0), expected, rtol=2e-6 if dtype == "float32" else 1e-13)
    loss = found.evaluate(x, Y, batch_size=4, verbose=0)
    assert loss == pytest.approx(((expected - Y) ** 2).mean(), rel=1e-6 if dtype == "float32" else 1e-13)
    step = 0.1 * x.astype(np.float64).T @ (expected - Y) / len(x)
    found.fit(x, Y, batch_size=100, verbose=0)
    np.testing.assert_allclose(KERNEL - found.get_weights()[0], step, rtol=1e-4 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("given", DTYPES)
def test_every_layout_gives_the_right_numbers(backend, given):
    wanted, weights = model("float64"), np.arange(10.0)
    options = {"epochs": 2, "batch_size": 3, "shuffle": False, "verbose": 0}
    history = wanted.fit(X, Y, sample_weight=weights, **options).history["loss"]
    for name, x in layouts(X.astype(given)):
        found, before = model("float64"), x.copy()
        np.testing.assert_allclose(found.predict(x, verbose=0), X @ KERNEL, rtol=1e-13, err_msg=name)
        y, w = (next(array for other, array in layouts(values) if other == name) for values in (Y, weights))
        losses = found.fit(x, y, sample_weight=w, **options).history["loss"]
        assert losses == history, name
        np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("given", [*DTYPES, "bool"])
def test_labels_of_every_dtype(backend, given):
    labels = (np.arange(10) % 2).astype(given)
    wanted = classifier()
    expected = wanted.evaluate(X, np.arange(10) % 2, verbose=0)
    for name, y in layouts(labels):
        assert wanted.evaluate(X, y, verbose=0) == expected, name
    assert wanted.evaluate(X, labels[:, np.newaxis], verbose=0) == expected
    assert wanted.evaluate(X, labels.tolist(), verbose=0) == expected


def test_lists_tuples_scalars_of_numpy_and_things_with_an_array(backend):
    class Frame:
        def __array__(self, dtype=None, copy=None):
            return X.astype(dtype or X.dtype)

    found = model()
    expected = found.predict(X, verbose=0)
    for x in (X.tolist(), tuple(map(tuple, X.tolist())), Frame(), memoryview(X).tolist(), [np.array(row) for row in X]):
        np.testing.assert_array_equal(found.predict(x, verbose=0), expected)
        assert found.evaluate(x, Y.tolist(), verbose=0) == found.evaluate(X, Y, verbose=0)
        found.fit(x, Y.tolist(), verbose=0, validation_split=0.2)
        found.set_weights([KERNEL])


def test_subclasses_and_views_of_arrays(backend):
    found = model()
    expected = found.predict(X[2:7], verbose=0)
    big = np.zeros((20, 6), X.dtype)
    big[4:14:2, ::2] = X[2:7]
    np.testing.assert_array_equal(found.predict(big[4:14:2, ::2], verbose=0), expected)
    np.testing.assert_array_equal(found.predict(np.ma.masked_array(X[2:7]), verbose=0), expected)
    np.testing.assert_array_equal(
        found.predict(np.broadcast_to(X[0], (4, 3)), verbose=0), np.tile(found(X[:1]), (4, 1))
    )


def test_images_in_uint8(backend):
    x = RNG.integers(0, 256, (33, 4, 4), dtype=np.uint8)
    found = Sequential([Input((4, 4)), Flatten(), Dense(2, kernel_initializer="ones")])
    np.testing.assert_array_equal(found.predict(x, verbose=0)[:, 0], x.reshape(33, -1).sum(1))


# -------------------------------------------------------------------------------------------------- sizes of all kinds


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 65])
@pytest.mark.parametrize("batch", [1, 7, 32, 64, 10**15])
def test_any_number_of_samples_and_any_batch(backend, n, batch):
    x, y = RNG.normal(size=(n, 3)), RNG.normal(size=(n, 2))
    found = model("float64")
    out = found.predict(x, batch_size=batch, verbose=0)
    np.testing.assert_allclose(out, x @ KERNEL, rtol=1e-12)
    assert found.evaluate(x, y, batch_size=batch, verbose=0) == pytest.approx(((x @ KERNEL - y) ** 2).mean(), rel=1e-12)
    found.fit(x, y, batch_size=batch, verbose=0)
    assert found.optimizer.iterations == -(-n // batch)


@pytest.mark.parametrize("batch", [0, -1, -32, 2.5, "32", True, np.nan])
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_batch_sizes_that_are_none(method, batch):
    arguments = (X,) if method == "predict" else (X, Y)
    with pytest.raises(ValueError, match=f"{method}: batch_size must be a whole number of at least [01]. Received:"):
        getattr(model(), method)(*arguments, batch_size=batch, verbose=0)


@pytest.mark.parametrize(
    "name", ["epochs", "initial_epoch", "steps_per_epoch", "validation_steps", "validation_batch_size"]
)
@pytest.mark.parametrize("value", [-1, 1.5, "2", True])
def test_counts_that_are_none(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least [01]. Received:"):
        model().fit(X, Y, verbose=0, validation_data=(X, Y), **{name: value})


def test_results_are_arrays_of_ones_own(backend):
    found = model()
    first = found.predict(X[:1], verbose=0)
    kept = first.copy()
    found.predict(X[1:2], verbose=0)
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    np.testing.assert_array_equal(found.predict(X[:1], verbose=0), kept)
    flat = Sequential([Input((3,)), Flatten()])
    x = X.astype(np.float32)
    out = flat.predict(x, verbose=0)
    assert not np.shares_memory(out, x)


# -------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "method", ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"]
)
@pytest.mark.parametrize(
    ("x", "error"),
    [
        (np.ones((10, 4)), r"expected x of shape \(samples, 3\). Received: shape \(10, 4\)"),
        (np.ones((10, 3, 1)), r"expected x of shape \(samples, 3\)"),
        (np.ones(10), r"expected x of shape \(samples, 3\). Received: shape \(10,\)"),
        (np.ones((0, 3)), r"at least one sample. Received: x of shape \(0, 3\)"),
        (np.array(3.0), "Received: a single number"),
        ([[1, 2, 3], [4, 5]], "x must be a regular array of numbers. Received:"),
        (np.array([["a", "b", "c"]]), "x must hold real numbers. Received: dtype <U1"),
        (np.ones((10, 3), complex), "x must hold real numbers. Received: dtype complex128"),
        (np.array([[None, 1, 2]]), "x must hold real numbers. Received: dtype object"),
        (np.zeros((10, 3), "datetime64[s]"), "x must hold real numbers. Received: dtype datetime64"),
    ],
)
def test_inputs_that_do_not_fit(method, x, error):
    found = model()
    arguments = [x] if method.startswith("predict") else [x, Y]
    options = {} if method.endswith("batch") else {"verbose": 0}
    with pytest.raises((ValueError, TypeError), match=error):
        getattr(found, method)(*arguments, **options)
    np.testing.assert_allclose(found.predict(X, verbose=0), X @ KERNEL, rtol=1e-5)  # unharmed


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize(
    ("y", "error"),
    [
        (None, "expected y. Received: None"),
        (np.ones((9, 2)), r"x and y must have as many samples. Received: x \(10, 3\), y \(9, 2\)"),
        (np.ones((10, 3)), r"same shape. Received: y_true \(10, 3\), y_pred \(10, 2\)"),
        (np.ones(10), r"same shape.*Received: y_true \(10,\)"),
        (np.full((10, 2), "a"), "y must hold real numbers. Received: dtype <U1"),
        (3.0, "Received: a single number"),
    ],
)
def test_targets_that_do_not_fit(method, y, error):
    options = {} if method.endswith("batch") else {"verbose": 0}
    with pytest.raises((ValueError, TypeError), match=error):
        getattr(model(), method)(X, y, **options)


@pytest.mark.parametrize(
    ("labels", "error"),
    [
        ([0, 1, 2] * 3 + [0], "between 0 and 1. Received: 2 at index 2"),
        ([0, -1] * 5, "between 0 and 1. Received: -1 at index 1"),
        ([0.5] * 10, "whole numbers. Received: float64"),
        ([np.nan] * 10, "whole numbers"),
        (np.array([2**63] * 10, np.uint64), "between 0 and 1. Received: 9223372036854775808"),
        (np.array([2**32] * 10), "between 0 and 1. Received: 4294967296"),
    ],
)
def test_labels_out_of_range(labels, error):
    for method in ("fit", "evaluate"):
        with pytest.raises(ValueError, match=error):
            getattr(classifier(), method)(X, labels, verbose=0)


def test_values_that_are_not_finite_are_named(backend):
    x, y = X.astype(np.float32), Y.copy()
    x[7, 2] = np.nan
    y[3, 1] = -np.inf
    with pytest.warns(RuntimeWarning, match=r"fit: x holds NaN.*Received: nan at index \(7, 2\)"):
        model().fit(x, Y, verbose=0)
    with pytest.warns(RuntimeWarning, match=r"evaluate: y holds NaN.*Received: -inf at index \(3, 1\)"):
        model().evaluate(X, y, verbose=0)
    with pytest.warns(RuntimeWarning, match=r"sample_weight holds NaN.*index \(9,\)"):
        model().train_on_batch(X, Y, sample_weight=[1] * 9 + [np.nan])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model().fit(X, Y, verbose=0)
        assert np.isnan(model().predict(x, verbose=0)[7]).all()  # what goes in comes out


def test_warnings_point_at_the_line_of_the_user():
    x = np.full((10, 3), np.nan)
    with pytest.warns(RuntimeWarning, match=r"holds NaN") as caught:
        model().fit(x, Y, verbose=0)
    assert caught[0].filename == __file__


def test_numbers_that_get_too_large_do_not_crash(backend):
    found = model()
    history = found.fit(X * 1e30, Y, epochs=3, verbose=0).history["loss"]
    assert not np.isfinite(history[-1])
    assert found.predict(X, verbose=0).shape == (10, 2)


def test_nothing_is_left_of_the_callers_arrays():
    """Models do not keep data alive after a call."""
    import weakref

    found = model()
    x, y = X.astype(np.float32), Y.astype(np.float32)
    alive = [weakref.ref(x), weakref.ref(y)]
    found.fit(x, y, verbose=0)
    found.evaluate(x, y, verbose=0)
    found.predict(x, verbose=0)
    del x, y
    assert [ref() for ref in alive] == [None, None]
