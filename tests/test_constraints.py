"""Constraints: what they do to norms, by hand; names, configs, what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from fastnn import constraints
from fastnn.constraints import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm

ALL = [MaxNorm(1.5), MaxNorm(axis=[0, 1]), NonNeg(), UnitNorm(axis=-1), MinMaxNorm(0.5, 2.0, 0.5, axis=1)]
# columns of the norms 5, 0.5 and 0
W = np.array([[3.0, 0.3, 0.0], [-4.0, 0.4, 0.0]])


def norms(w, axis=0):
    return np.linalg.norm(w, axis=axis)


def test_by_hand():
    np.testing.assert_array_equal(NonNeg()(W), [[3, 0.3, 0], [0, 0.4, 0]])
    np.testing.assert_allclose(MaxNorm(2)(W), [[1.2, 0.3, 0], [-1.6, 0.4, 0]], rtol=3e-7)
    np.testing.assert_allclose(UnitNorm()(W), [[0.6, 0.6, 0], [-0.8, 0.8, 0]], rtol=3e-7)
    np.testing.assert_allclose(MinMaxNorm(1.0, 2.0)(W), [[1.2, 0.6, 0], [-1.6, 0.8, 0]], rtol=3e-7)
    np.testing.assert_allclose(norms(MinMaxNorm(1.0, 2.0, rate=0.5)(W)), [3.5, 0.75, 0], rtol=3e-7)
    # exactly: the epsilon of 1e-7 is added to the norm
    assert UnitNorm()(np.array([[1.0]]))[0, 0] == 1.0 / (1.0 + 1e-7)
    assert MaxNorm(2)(np.array([[1.0]]))[0, 0] == 1.0 / (1.0 + 1e-7)


def test_axes():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 5))
    unit = UnitNorm(axis=[0, 1, 2])(kernel)
    np.testing.assert_allclose(norms(unit.reshape(-1, 5)), 1.0, rtol=1e-6)
    np.testing.assert_allclose(norms(UnitNorm(axis=-1)(W)[:, :], 1), 1.0, rtol=1e-6)
    assert norms(MaxNorm(0.7, axis=(0, 1, 2))(kernel).reshape(-1, 5)).max() <= 0.7


@pytest.mark.parametrize("constraint", ALL, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_input_are_kept(constraint, dtype):
    w = np.random.default_rng(1).normal(size=(4, 6)).astype(dtype)
    before = w.copy()
    result = constraint(w)
    assert result.dtype == dtype
    assert result.shape == w.shape
    np.testing.assert_array_equal(w, before)
    np.testing.assert_array_equal(constraint(w), result)


@pytest.mark.parametrize("constraint", [MaxNorm(1.5), UnitNorm(), MinMaxNorm(0.5, 2.0), NonNeg()], ids=str)
def test_what_is_allowed_stays(constraint):
    once = constraint(np.random.default_rng(1).normal(size=(4, 6)))
    np.testing.assert_allclose(constraint(once), once, rtol=1e-6)


def test_nan_stays_nan():
    w = np.array([[np.nan, 1.0], [1.0, 1.0]])
    assert np.isnan(NonNeg()(w)[0, 0])
    for constraint in (MaxNorm(), UnitNorm(), MinMaxNorm()):
        assert np.isnan(constraint(w)[:, 0]).all()
        assert np.isfinite(constraint(w)[:, 1]).all()


@pytest.mark.parametrize("constraint", ALL, ids=str)
def test_config_round_trip(constraint):
    twin = constraints.deserialize(json.loads(json.dumps(constraints.serialize(constraint))))
    assert type(twin) is type(constraint)
    assert twin.get_config() == constraint.get_config()
    np.testing.assert_array_equal(twin(W), constraint(W))


@pytest.mark.parametrize(
    ("identifier", "cls"),
    [
        ("max_norm", MaxNorm),
        ("non_neg", NonNeg),
        ("unit_norm", UnitNorm),
        ("min_max_norm", MinMaxNorm),
        ("MaxNorm", MaxNorm),
        (NonNeg, NonNeg),
        ({"class_name": "MaxNorm", "config": {"max_value": 3, "axis": [0, 1]}}, MaxNorm),
    ],
)
def test_get(identifier, cls):
    assert type(constraints.get(identifier)) is cls


def test_get_passes_objects_and_functions():
    own = Constraint()
    assert constraints.get(own) is own
    assert constraints.get(np.abs) is np.abs
    assert constraints.get(None) is None
    assert constraints.max_norm(3).get_config() == {"max_value": 3.0, "axis": 0}
    with pytest.raises(NotImplementedError, match="Constraint does not define __call__"):
        own(W)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MaxNorm(-1), r"max_value must be a finite number not less than 0\. Received: max_value=-1"),
        (lambda: MaxNorm(math.nan), "max_value must be a finite number"),
        (lambda: MinMaxNorm(2.0, 1.0), "max_value must not be less than min_value"),
        (lambda: MinMaxNorm(rate=1.5), "rate must be a finite number from 0 to 1"),
        (lambda: UnitNorm(axis=0.5), "axis must be an integer"),
        (lambda: constraints.get("maxnrom"), "Did you mean"),
        (lambda: constraints.get(3), "A constraint is named by"),
        (lambda: constraints.serialize(np.abs), "Only an instance of Constraint"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
