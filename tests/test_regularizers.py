"""Regularizers: penalties by hand, gradients by finite differences, names and configs."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from fastnn import config, regularizers
from fastnn.regularizers import L1, L1L2, L2, OrthogonalRegularizer, Regularizer

ALL = [
    L1(0.3),
    L2(0.2),
    L1L2(0.1, 0.4),
    L1L2(0.0, 0.0),
    OrthogonalRegularizer(0.5),
    OrthogonalRegularizer(0.5, mode="columns"),
]
X = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])


def test_penalties_by_hand():
    assert L1(0.1)(X) == pytest.approx(0.75)
    assert L2(0.1)(X) == pytest.approx(1.525)
    assert L1L2(0.1, 0.1)(X) == pytest.approx(2.275)
    assert L1L2()(X) == 0
    # rows 1/sqrt(2) (1, 1), (1, 0), (0, 1): the pairs' cosines are sqrt(1/2), sqrt(1/2), 0
    rows = np.array([[2.0, 2.0], [5.0, 0.0], [0.0, 0.1]])
    assert OrthogonalRegularizer(3.0)(rows) == pytest.approx(math.sqrt(2))
    assert OrthogonalRegularizer(3.0, "columns")(rows.T) == pytest.approx(math.sqrt(2))
    assert OrthogonalRegularizer(3.0)(np.eye(4)) == 0
    assert type(L2()(X.astype(np.float32))) is float


def test_gradients_by_hand():
    np.testing.assert_allclose(L1(0.1).gradient(X), [[0.1, -0.1, 0.1], [0.0, 0.1, -0.1]])
    np.testing.assert_allclose(L2(0.1).gradient(X), 0.2 * X)
    np.testing.assert_allclose(L1L2(0.1, 0.1).gradient(X), 0.2 * X + 0.1 * np.sign(X))


@pytest.mark.parametrize("regularizer", ALL, ids=str)
@pytest.mark.parametrize("shape", [(4, 3), (3, 7), (1, 5), (5, 1)])
def test_gradients_are_finite_differences(regularizer, shape):
    x = np.random.default_rng(3).normal(size=shape)
    gradient = regularizer.gradient(x)
    assert gradient.shape == x.shape
    step = 1e-6
    for place in np.ndindex(shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        assert gradient[place] == pytest.approx((regularizer(up) - regularizer(down)) / (2 * step), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("regularizer", ALL, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_input_are_kept(regularizer, dtype):
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(dtype)
    before = x.copy()
    gradient = regularizer.gradient(x)
    assert gradient.dtype == dtype
    assert gradient.flags.c_contiguous
    regularizer(x)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(gradient, regularizer.gradient(x.astype(np.float64)), rtol=2e-5, atol=1e-6)


def test_a_long_sum_in_float32_is_exact_enough():
    x = np.full(10**6, 0.1, np.float32)
    assert L2(1.0)(x) == pytest.approx(10**6 * float(np.float32(0.1)) ** 2, rel=1e-12)


def test_special_values():
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0])
    np.testing.assert_array_equal(L1(0.5).gradient(x), [np.nan, 0.5, -0.5, 0.0, 0.0])
    np.testing.assert_array_equal(L2(0.5).gradient(x), x)
    assert math.isnan(L2()(x))
    assert L1()(x[1:]) == math.inf
    assert L1L2(0.0, 0.0)(x[1:]) == 0


def test_orthogonal_at_its_edges():
    regularizer = OrthogonalRegularizer(1.0)
    assert regularizer(np.ones((1, 3))) == 0
    assert not regularizer.gradient(np.ones((1, 3))).any()
    zeros = np.zeros((3, 4))
    assert regularizer(zeros) == 0
    assert not regularizer.gradient(zeros).any()
    tiny = np.array([[1e-9, 0.0], [1.0, 1.0]])  # shorter than epsilon: divided by epsilon
    assert regularizer(tiny) == pytest.approx(1e-9 / config.epsilon() / math.sqrt(2))
    assert regularizer.gradient(tiny)[0] == pytest.approx(np.array([1, 1]) / config.epsilon() / math.sqrt(2))


def test_a_class_without_gradient_is_told_what_to_write():
    class OnlyValues(Regularizer):
        def __call__(self, x):
            return float(x.sum())

    with pytest.raises(NotImplementedError, match=r"needs `gradient\(self, x\)`.*Received: OnlyValues"):
        OnlyValues().gradient(np.ones(3))


def test_coefficients():
    assert L1(0.3).coefficients() == (0.3, 0.0)
    assert L2(0.3).coefficients() == (0.0, 0.3)
    assert L1L2(0.1, 0.2).coefficients() == (0.1, 0.2)
    assert OrthogonalRegularizer().coefficients() is None
    assert Regularizer().coefficients() is None


@pytest.mark.parametrize("regularizer", ALL, ids=str)
def test_config_round_trip(regularizer):
    twin = regularizers.deserialize(json.loads(json.dumps(regularizers.serialize(regularizer))))
    assert type(twin) is type(regularizer)
    assert twin.get_config() == regularizer.get_config()
    assert type(regularizer).from_config(regularizer.get_config())(X) == regularizer(X)


@pytest.mark.parametrize(
    ("identifier", "cls", "arguments"),
    [
        ("l1", L1, {"l1": 0.01}),
        ("L2", L2, {"l2": 0.01}),
        ("l1_l2", L1L2, {"l1": 0.01, "l2": 0.01}),
        ("L1L2", L1L2, {"l1": 0.01, "l2": 0.01}),
        ("orthogonal_regularizer", OrthogonalRegularizer, {"factor": 0.01, "mode": "rows"}),
        (L2, L2, {"l2": 0.01}),
        (L1(None), L1, {"l1": 0.01}),
        ({"class_name": "L1L2", "config": {"l1": 0.5}}, L1L2, {"l1": 0.5, "l2": 0.0}),
    ],
)
def test_get(identifier, cls, arguments):
    found = regularizers.get(identifier)
    assert type(found) is cls
    assert found.get_config() == arguments


def test_get_passes_objects():
    class Own(Regularizer):
        def __call__(self, x):
            return 1.0

    own = Own()
    assert regularizers.get(own) is own
    assert regularizers.get(None) is None
    assert regularizers.l1_l2(l2=0.5).coefficients() == (0.0, 0.5)
    with pytest.raises(NotImplementedError, match=r"needs `gradient.*Received: Own without gradient"):
        own.gradient(X)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: L1(-0.1), r"l1 must be a finite number not less than 0\. Received: l1=-0.1"),
        (lambda: L2(math.inf), "l2 must be a finite number"),
        (lambda: L2("0.1"), "Received: l2='0.1'"),
        (lambda: OrthogonalRegularizer(mode="row"), "Did you mean 'rows'"),
        (lambda: OrthogonalRegularizer()(np.ones(3)), r"is for matrices. Received: shape=\(3,\)"),
        (lambda: regularizers.get("l3"), "Unknown regularizer 'l3'"),
        (lambda: regularizers.get(np.sum), "A regularizer is named by"),
        (lambda: regularizers.get(0.1), "Received: 0.1"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
