"""Dropout, random bits and optimizer steps of fastnn.ops, against hand-computed numbers and published vectors."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from fastnn import ops
from fastnn.ops.optimizers import _from_table
from fastnn.testing import gradcheck

RECEIVED = "Received: "


def rng(seed=0):
    return np.random.default_rng(seed)


# ---------------------------------------------------------------------------------------------------------- dropout


def test_dropout_with_the_callers_randomness(backend):
    x = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    kept = np.array([[1, 0, 1], [0, 1, 1]])
    y, mask = ops.dropout(x, 0.5, mask=kept)
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(y, 2 * x * kept)
    np.testing.assert_array_equal(ops.dropout(x, 0.5, mask=kept.astype(bool), scale=1.0)[0], x * kept)
    u = np.array([[0.1, 0.25, 0.3], [0.0, 0.9, 0.24]])
    y, mask = ops.dropout(x, 0.25, u=u)
    np.testing.assert_array_equal(mask, u >= 0.25)
    np.testing.assert_allclose(y, x * mask / 0.75)
    assert y.dtype == np.float32


def test_dropout_is_repeatable_and_keeps_the_mean(backend):
    x = np.ones((100, 400))
    y, mask = ops.dropout(x, 0.3, rng=7)
    np.testing.assert_array_equal(y, ops.dropout(x, 0.3, rng=7)[0])
    assert not np.array_equal(mask, ops.dropout(x, 0.3, rng=8)[1])
    deviation = math.sqrt(0.3 * 0.7 / x.size)
    assert abs(mask.mean() - 0.7) < 5 * deviation
    np.testing.assert_array_equal(y, mask / 0.7)
    unscaled, same = ops.dropout(x, 0.3, rng=7, scale=1.0)
    np.testing.assert_array_equal(same, mask)
    np.testing.assert_array_equal(unscaled, mask)


def test_dropout_masks_are_those_of_random_bits(backend):
    _, mask = ops.dropout(np.ones(1000), 0.25, rng=99)
    np.testing.assert_array_equal(mask, ops.random_bits(99, 0, 0, 1000) >= 2**30)


def test_dropout_draws_from_generators():
    x = np.ones(64)
    for make in (np.random.default_rng, np.random.RandomState):
        generator = make(3)
        first, second = (ops.dropout(x, 0.5, rng=generator)[1] for _ in range(2))
        assert not np.array_equal(first, second)
        np.testing.assert_array_equal(first, ops.dropout(x, 0.5, rng=make(3))[1])
    assert not np.array_equal(ops.dropout(x, 0.5)[1], ops.dropout(x, 0.5)[1])  # fresh entropy


def test_dropout_of_nothing_and_of_everything(backend):
    x = np.array([1.0, np.inf, np.nan])
    np.testing.assert_array_equal(ops.dropout(x, 0.0, rng=1)[0], x)
    for randomness in ({"rng": 1}, {"u": np.zeros(3)}):
        y, mask = ops.dropout(x, 1.0, **randomness)
        np.testing.assert_array_equal(y, [0, 0, 0])
        assert not mask.any()
    y, mask = ops.dropout(2.0, 0.5, mask=True)
    assert y == 4
    assert isinstance(mask, np.bool_)


def test_dropout_gradients(backend):
    x = rng().normal(size=(4, 5))
    _, mask = ops.dropout(x, 0.4, rng=5)
    gradcheck(lambda x: ops.dropout(x, 0.4, mask=mask)[0], [x], lambda dy, x: ops.dropout_backward(dy, mask, 0.4))
    np.testing.assert_array_equal(ops.dropout_backward(x, mask, 0.4, scale=1), x * mask)


def test_dropout_refuses():
    x = np.ones(3)
    for p in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"p must be >= 0 and <= 1. Received: "):
            ops.dropout(x, p)
    with pytest.raises(ValueError, match=r"one of mask, u and rng. Received: "):
        ops.dropout(x, 0.5, mask=x > 0, rng=1)
    with pytest.raises(TypeError, match=r"mask must hold bools or integers.*Received: "):
        ops.dropout(x, 0.5, mask=x / 0.5)  # already scaled: another convention
    for bad in ({"mask": [True]}, {"u": [0.5]}, {"rng": -1}, {"rng": 2**64}):
        with pytest.raises(ValueError, match=RECEIVED):
            ops.dropout(x, 0.5, **bad)
    for bad in ({"rng": 1.5}, {"rng": "seed"}, {"rng": True}, {"scale": "2"}):
        with pytest.raises(TypeError, match=RECEIVED):
            ops.dropout(x, 0.5, **bad)


def test_random_bits_are_philox(backend):
    """The first test vectors of the paper's library: key 0 and counter 0, and all bits set."""
    assert [hex(word) for word in ops.random_bits(0, 0, 0, 4)] == [
        "0x6627e8d5",
        "0xe169c58d",
        "0xbc57ac4c",
        "0x9b00dbd8",
    ]
    assert ops.random_bits(0, 0, 0, 0).shape == (0,)
    np.testing.assert_array_equal(ops.random_bits(5, 6, 7, 1001)[:17], ops.random_bits(5, 6, 7, 17))
    for bad in ((-1, 0, 0, 1), (2**64, 0, 0, 1), (0, 2**32, 0, 1), (0, 0, -1, 1), (0, 0, 0, -1)):
        with pytest.raises(ValueError, match=RECEIVED):
            ops.random_bits(*bad)
    with pytest.raises(TypeError, match=RECEIVED):
        ops.random_bits(0, 0, 0, 1.0)


# ------------------------------------------------------------------------------------------------------- optimizers


def adam_by_the_paper(p, gradients, lr, b1, b2, eps, form):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        if form == "textbook":
            p = p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        else:
            p = p - lr * math.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)
    return p


@pytest.mark.parametrize("form", ["folded", "textbook"])
def test_adam_against_the_paper(form, backend):
    p, gradients = rng(1).normal(size=(3, 4)), rng(2).normal(size=(5, 3, 4))
    expected = adam_by_the_paper(p, gradients, 0.01, 0.8, 0.95, 1e-2, form)
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        ops.adam_(p, g, m, v, t, lr=0.01, b1=0.8, b2=0.95, eps=1e-2, form=form)
    np.testing.assert_allclose(p, expected, rtol=1e-12)
    # the forms differ: eps is added in different places
    other = adam_by_the_paper(p, gradients, 0.01, 0.8, 0.95, 1e-2, "folded" if form == "textbook" else "textbook")
    assert not np.allclose(p, other, rtol=1e-6)


def test_adam_raw_is_every_adam(backend):
    p, g = rng(1).normal(size=5), rng(2).normal(size=5)
    one, other = ([p.copy(), np.zeros(5), np.zeros(5)] for _ in range(2))
    ops.adam_(one[0], g, one[1], one[2], 1, 0.1, 0.9, 0.99, 1e-8, "textbook")
    ops.adam_raw_(other[0], g, other[1], other[2], 0.9, 0.99, 0.1 / (1 - 0.9), 1 / math.sqrt(1 - 0.99), 1e-8)
    np.testing.assert_allclose(one, other, rtol=1e-14)


def test_sgd_momentum_nesterov_and_rmsprop_by_hand(backend):
    def start():
        return np.array([1.0]), np.array([0.5]), np.array([2.0])

    p, g, _ = start()
    ops.sgd_(p, g, 0.1)
    assert p[0] == pytest.approx(0.95)
    p, g, v = start()
    ops.momentum_(p, g, v, lr=0.1, mu=0.9)
    assert (p[0], v[0]) == (pytest.approx(2.75), pytest.approx(1.75))
    p, g, v = start()
    ops.nesterov_(p, g, v, lr=0.1, mu=0.9)
    assert (p[0], v[0]) == (pytest.approx(1 + 0.9 * 1.75 - 0.05), pytest.approx(1.75))
    p, g, v = start()
    ops.rmsprop_(p, g, v, lr=0.1, rho=0.9, eps=0.01)
    assert v[0] == pytest.approx(0.9 * 2 + 0.1 * 0.25)
    assert p[0] == pytest.approx(1 - 0.05 / math.sqrt(1.825 + 0.01))


def test_weight_decay_is_coupled_or_decoupled(backend):
    p, g = np.array([2.0]), np.array([0.5])
    ops.sgd_(p, g, 0.1, weight_decay=0.01)
    assert p[0] == pytest.approx(2 - 0.1 * (0.5 + 0.02))
    p, m, v = np.array([2.0]), np.zeros(1), np.zeros(1)
    ops.adam_(p, g, m, v, 1, lr=0.1, weight_decay=0.01, decoupled=True)
    assert p[0] == pytest.approx(2 - 0.1 * 0.01 * 2 - 0.1, abs=1e-6)  # Adam's first step is the rate
    p, m, v = np.array([2.0]), np.zeros(1), np.zeros(1)
    ops.adam_(p, g, m, v, 1, lr=0.1, weight_decay=0.01)
    assert m[0] == pytest.approx(0.1 * 0.52)


def test_updates_are_seen_by_whoever_holds_the_memory(backend):
    arena = np.arange(12.0)
    weights, alias = arena[2:8].reshape(2, 3).T, arena[2:8]
    ops.sgd_(weights, np.ones((3, 2)), 1.0)
    np.testing.assert_array_equal(alias, np.arange(2.0, 8.0) - 1)
    np.testing.assert_array_equal(arena[[0, 1, 8, 9, 10, 11]], [0, 1, 8, 9, 10, 11])


def test_gradients_of_other_dtypes_are_converted(backend):
    p = np.ones(3, np.float32)
    ops.sgd_(p, np.array([1, 2, 3]), 0.5)
    np.testing.assert_array_equal(p, [0.5, 0, -0.5])
    ops.sgd_(p, np.full(3, 1e300), 1.0)  # no float32, and no warning
    np.testing.assert_array_equal(p, [-np.inf] * 3)
    with pytest.raises(ValueError, match=r"g must have shape \(3,\). Received: g float64 \(\)"):
        ops.sgd_(p, 1.0)


@pytest.mark.parametrize("kind", ["dict", "list", "tuple"])
def test_many_parameters_at_once(kind, backend):
    def collect(arrays):
        return {"dict": dict(zip("abc", arrays, strict=True)), "list": arrays, "tuple": tuple(arrays)}[kind]

    shapes = [(3, 2), (), (0, 4)]
    arrays = [[rng(k).random(shape) for shape in shapes] for k in range(4)]
    arrays = [[np.asarray(array) for array in group] for group in arrays]
    expected = [[array.copy() for array in group] for group in arrays]
    for group in zip(*expected, strict=True):
        ops.adam_(*group, 3, lr=0.1)
    assert ops.adam_many(*map(collect, arrays), 3, lr=0.1) is None
    for group, other in zip(arrays, expected, strict=True):
        for one, two in zip(group, other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_many_checks_everything_first():
    p, g = {"W": np.ones(2), "b": np.ones(3)}, {"b": np.ones(3), "W": np.ones(2)}
    ops.sgd_many(p, g, 0.5)  # keys decide, not their order
    np.testing.assert_array_equal(p["b"], [0.5] * 3)
    for bad in ({"W": np.ones(2)}, {"W": np.ones(2), "c": np.ones(3)}, [np.ones(2), np.ones(3)]):
        with pytest.raises(ValueError, match=r"same keys, or one length. Received: p with .* g with "):
            ops.sgd_many(p, bad)
    with pytest.raises(ValueError, match=r"g\['b'\] must have shape \(3,\). Received: g\['b'\] float64 \(2,\)"):
        ops.sgd_many(p, {"W": np.ones(2), "b": np.ones(2)})
    np.testing.assert_array_equal(p["W"], [0.5] * 2)  # the first was fine, and is untouched
    with pytest.raises(TypeError, match=r"p must be a dict, list or tuple of arrays. Received: "):
        ops.sgd_many(np.ones((2, 2)), np.ones((2, 2)))


def test_optimizer_arguments_are_checked():
    p, g, m, v = (np.ones(2) for _ in range(4))
    for bad in (0, -1, 1.5, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"t must be .*Received: "):
            ops.adam_(p, g, m, v, bad)
    for bad in ({"lr": -1.0}, {"lr": math.nan}, {"b1": 1.0}, {"b2": -0.1}, {"eps": -1.0}, {"weight_decay": -1}):
        with pytest.raises(ValueError, match=rf"{next(iter(bad))} must be .*Received: "):
            ops.adam_(p, g, m, v, 1, **bad)
    with pytest.raises(ValueError, match=r"Did you mean 'folded'.*Received: 'fold'"):
        ops.adam_(p, g, m, v, 1, form="fold")
    with pytest.raises(TypeError, match=r"lr must be a real number. Received: "):
        ops.sgd_(p, g, [0.1])
    with pytest.raises(TypeError, match=r"decoupled must be True or False. Received: "):
        ops.sgd_(p, g, 0.1, 0.1, "yes")
    np.testing.assert_array_equal(p, [1, 1])
    ops.sgd_(p, g, np.array(0.5))  # a 0-d array is a number
    np.testing.assert_array_equal(p, [0.5, 0.5])


def test_a_row_without_a_function_of_its_own_takes_its_scalars():
    scalars = _from_table(("rate", "mu"))
    assert list(inspect.signature(scalars).parameters) == ["op", "rate", "mu"]
    assert scalars("new_", 0.5, 1) == (1.0, 0.0, 0.0, 0.5, 1.0)
    with pytest.raises(TypeError, match=r"new_: mu must be a real number. Received: mu 'x'"):
        scalars("new_", 0.5, "x")


def test_adafactor_where_a_row_and_a_column_have_no_gradient(backend):
    """The product of their second moments is below the smallest float32."""
    p, r, c = np.ones((2, 2), np.float32), np.zeros(2, np.float32), np.zeros(2, np.float32)
    ops.adafactor_(p, np.array([[1, 0], [0, 0]], np.float32), r, c, 1)
    np.testing.assert_allclose(p, [[0.999, 1], [1, 1]], rtol=1e-6)
