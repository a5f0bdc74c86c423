"""Recurrence and embeddings as array functions: plain loops in NumPy, differences, the corners of the contract."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fastnn
from fastnn import ops
from fastnn.testing import gradcheck

SIZES = [(1, 1, 1, 1), (3, 4, 2, 5), (9, 3, 4, 17), (2, 7, 5, 8), (13, 2, 3, 33)]  # samples, steps, features, units


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, h, c, Wx, Wh, b):
    """i, f, g, o; written as in a textbook."""
    hs = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ Wx + h @ Wh + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        hs.append(h)
    return np.stack(hs, axis=1), h, c


def gru(x, h, Wx, Wh, b, reset_after):
    hs, units = [], h.shape[1]
    b, c = b if reset_after else (b, np.zeros_like(b))
    for t in range(x.shape[1]):
        u = x[:, t] @ Wx + b
        v = h @ Wh + c
        z, r = (sigmoid(u[:, k * units : (k + 1) * units] + v[:, k * units : (k + 1) * units]) for k in (0, 1))
        inner = r * v[:, 2 * units :] if reset_after else (r * h) @ Wh[:, 2 * units :]
        h = z * h + (1 - z) * np.tanh(u[:, 2 * units :] + inner)
        hs.append(h)
    return np.stack(hs, axis=1)


def arrays(kind, samples, steps, features, units, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    gates = {"rnn": 1, "lstm": 4}.get(kind, 3)
    states = [rng.normal(size=(samples, units)) for _ in range(2 if kind == "lstm" else 1)]
    bias = (2, gates * units) if kind == "gru_after" else (gates * units,)
    weights = [rng.normal(size=s) * 0.5 for s in ((features, gates * units), (units, gates * units), bias)]
    return [a.astype(dtype) for a in (rng.normal(size=(samples, steps, features)), *states, *weights)]


@pytest.mark.parametrize("sizes", SIZES)
def test_formulas(sizes, backend):
    x, h, Wx, Wh, b = arrays("rnn", *sizes)
    y, cache = ops.rnn_forward(x, h, Wx, Wh, b)
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ Wx + h @ Wh + b)
        np.testing.assert_allclose(y[:, t], h, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(cache.h, y[:, -1])

    x, h, c, Wx, Wh, b = arrays("lstm", *sizes)
    y, cache = ops.lstm_forward(x, h, c, Wx, Wh, b)
    hs, _, c = lstm(x, h, c, Wx, Wh, b)
    np.testing.assert_allclose(y, hs, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(cache.c, c, rtol=1e-11, atol=1e-14)

    for kind in ("gru", "gru_after"):
        after = kind == "gru_after"
        x, h, Wx, Wh, b = arrays(kind, *sizes)
        y, _ = ops.gru_forward(x, h, Wx, Wh, b, reset_after=after)
        np.testing.assert_allclose(y, gru(x, h, Wx, Wh, b, after), rtol=1e-10, atol=1e-13)


OPTIONS = [
    ("rnn", {}),
    ("rnn", {"activation": "gelu", "reverse": True}),
    ("rnn", {"activation": None}),
    ("lstm", {}),
    ("lstm", {"reverse": True, "gates": "fcio"}),
    ("lstm", {"activation": "softsign", "recurrent_activation": "arctan"}),
    ("lstm", {"activation": "gelu", "recurrent_activation": "sigmoid"}),
    ("gru", {}),
    ("gru", {"activation": "gelu", "recurrent_activation": "arctan", "gates": "hzr"}),
    ("gru_after", {"reverse": True}),
    ("gru_after", {"activation": "softsign", "recurrent_activation": "gelu"}),
]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=str)
def test_gradients(kind, options, masked, backend):
    name = kind.removesuffix("_after")
    options = {**options, "mask": np.random.default_rng(1).random((3, 4)) > 0.4} if masked else dict(options)
    if kind == "gru_after":
        options["reset_after"] = True
    inputs = [a * 0.7 for a in arrays(kind, 3, 4, 2, 5)]
    forward, backward = getattr(ops, f"{name}_forward"), getattr(ops, f"{name}_backward")

    def everything(*inputs):
        y, cache = forward(*inputs, **options)
        last = [cache.h, cache.c] if kind == "lstm" else [cache.h]
        return np.concatenate([y.reshape(-1), *(s.reshape(-1) for s in last)])

    def gradients(dy, *inputs):
        _, cache = forward(*inputs, **options)
        parts = np.split(dy, [60, 75])
        return backward(parts[0].reshape(3, 4, 5), cache, *(p.reshape(3, 5) for p in parts[1:] if p.size))

    assert gradcheck(everything, inputs, gradients) <= 1


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "gru_after"])
def test_cells_are_sequences_of_one_step(kind, backend):
    name, more = kind.removesuffix("_after"), {"reset_after": True} if kind == "gru_after" else {}
    inputs = arrays(kind, 3, 1, 2, 5)
    y, cache = getattr(ops, f"{name}_forward")(*inputs, **more)
    *states, one = getattr(ops, f"{name}_cell")(inputs[0][:, 0], *inputs[1:], **more)
    np.testing.assert_array_equal(states[0], y[:, 0])
    dy = np.random.default_rng(2).normal(size=states[0].shape)
    ends = [dy, None][: len(states)]
    whole = getattr(ops, f"{name}_backward")(None, cache, *ends)
    cell = getattr(ops, f"{name}_cell_backward")(*ends, one)
    np.testing.assert_array_equal(cell[0], whole[0][:, 0])
    for a, b in zip(cell[1:], whole[1:], strict=True):
        np.testing.assert_array_equal(a, b)


def permuted(array, order, wanted):
    """Columns of gates in another order."""
    parts = dict(zip(order, np.split(array, len(order), axis=-1)))
    return np.concatenate([parts[g] for g in wanted], axis=-1)


@pytest.mark.parametrize("wanted", ["".join(p) for p in itertools.permutations("ifgo")][::5])
def test_any_order_of_gates_of_an_lstm(wanted, backend):
    x, h, c, *weights = arrays("lstm", 3, 4, 2, 5)
    other = [permuted(w, "ifgo", wanted) for w in weights]
    y, cache = ops.lstm_forward(x, h, c, *weights)
    y2, cache2 = ops.lstm_forward(x, h, c, *other, gates=wanted)
    np.testing.assert_array_equal(y2, y)
    one, two = (ops.lstm_backward(np.ones_like(y), k) for k in (cache, cache2))
    np.testing.assert_allclose(two[0], one[0], rtol=1e-12, atol=1e-13)
    for a, b in zip(one[3:], two[3:], strict=True):
        np.testing.assert_allclose(b, permuted(a, "ifgo", wanted), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("wanted", ["".join(p) for p in itertools.permutations("zrh")])
@pytest.mark.parametrize("after", [False, True])
def test_any_order_of_gates_of_a_gru(wanted, after, backend):
    x, h, *weights = arrays("gru_after" if after else "gru", 3, 4, 2, 5)
    other = [permuted(w, "zrh", wanted) for w in weights]
    y, cache = ops.gru_forward(x, h, *weights, reset_after=after)
    y2, cache2 = ops.gru_forward(x, h, *other, gates=wanted, reset_after=after)
    np.testing.assert_allclose(y2, y, rtol=1e-14)
    one, two = (ops.gru_backward(np.ones_like(y), k) for k in (cache, cache2))
    for a, b in zip(one[2:], two[2:], strict=True):
        np.testing.assert_allclose(b, permuted(a, "zrh", wanted), rtol=1e-12, atol=1e-13)


def test_reverse_is_the_reversed_sequence(backend):
    x, *rest = arrays("gru", 3, 4, 2, 5)
    mask = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 1, 1, 1]], bool)
    y, _ = ops.gru_forward(x, *rest, reverse=True, mask=mask)
    z, _ = ops.gru_forward(x[:, ::-1], *rest, mask=mask[:, ::-1])
    np.testing.assert_array_equal(y, z[:, ::-1])


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "gru_after"])
def test_masked_steps_change_nothing(kind, backend):
    """A padded sequence is the short sequence."""
    name, more = kind.removesuffix("_after"), {"reset_after": True} if kind == "gru_after" else {}
    x, *rest = arrays(kind, 2, 5, 3, 6)
    forward, backward = getattr(ops, f"{name}_forward"), getattr(ops, f"{name}_backward")
    mask = np.ones((2, 5), bool)
    mask[:, 3:] = False
    padded, cache = forward(x, *rest, mask=mask, **more)
    short, cache2 = forward(x[:, :3], *rest, **more)
    np.testing.assert_array_equal(padded[:, :3], short)
    np.testing.assert_array_equal(padded[:, 3:], np.repeat(short[:, 2:], 2, axis=1))
    dy = np.random.default_rng(3).normal(size=padded.shape)
    shorter = dy[:, :3].copy()
    shorter[:, 2] += dy[:, 3] + dy[:, 4]
    one, two = backward(dy, cache), backward(shorter, cache2)
    np.testing.assert_array_equal(one[0][:, 3:], 0)
    np.testing.assert_allclose(one[0][:, :3], two[0], rtol=1e-12)
    for a, b in zip(one[1:], two[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "gru_after"])
def test_bits_do_not_depend_on_threads(kind):
    name, more = kind.removesuffix("_after"), {"reset_after": True} if kind == "gru_after" else {}
    inputs = arrays(kind, 70, 20, 9, 61, np.float32)
    results = []
    for threads in (1, 2, 5):
        with fastnn.num_threads(threads):
            y, cache = getattr(ops, f"{name}_forward")(*inputs, **more)
            results.append([y, *getattr(ops, f"{name}_backward")(np.ones_like(y), cache)])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["lstm", "gru", "gru_after"])
def test_float32_is_close_to_float64(kind):
    name, more = kind.removesuffix("_after"), {"reset_after": True} if kind == "gru_after" else {}
    for activations in ({}, {"activation": "silu", "recurrent_activation": "hard_sigmoid"}):
        exact, _ = getattr(ops, f"{name}_forward")(*arrays(kind, 5, 6, 4, 19), **more, **activations)
        y, _ = getattr(ops, f"{name}_forward")(*arrays(kind, 5, 6, 4, 19, np.float32), **more, **activations)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, exact, rtol=2e-3, atol=2e-4 if activations else 2e-6)


def test_large_numbers_saturate_and_nan_stays_with_its_sample(backend):
    x, h, c, Wx, Wh, b = arrays("lstm", 3, 4, 2, 5)
    x[0] *= 1e6
    x[1, 1, 0] = np.nan
    y, _ = ops.lstm_forward(x, h, c, Wx, Wh, b)
    assert np.isfinite(y[[0, 2]]).all()
    assert np.isfinite(y[1, 0]).all()
    assert np.isnan(y[1, 1:]).all()


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (ValueError, lambda a: ops.lstm_forward(*a, gates="ifgg")),
        (ValueError, lambda a: ops.lstm_forward(*a, gates="ifg")),
        (ValueError, lambda a: ops.lstm_forward(a[0][:, 0], *a[1:])),
        (ValueError, lambda a: ops.lstm_forward(a[0][:, :0], *a[1:])),
        (ValueError, lambda a: ops.lstm_forward(*a, activation="tanhh")),
        (ValueError, lambda a: ops.lstm_forward(*a, mask=np.ones((3, 5), bool))),
        (TypeError, lambda a: ops.lstm_forward(*a, reverse="no")),
        (TypeError, lambda a: ops.lstm_backward(None, ops.lstm_forward(*a)[1])),
        (TypeError, lambda a: ops.gru_backward(a[0], ops.lstm_forward(*a)[1])),
        (ValueError, lambda a: ops.lstm_backward(a[0], ops.lstm_forward(*a)[1])),
        (TypeError, lambda a: ops.gru_forward(a[0], a[1], a[3], a[4], a[5], reset_after="yes")),
    ],
)
def test_errors(error, call):
    with pytest.raises(error, match=r"Received: "):
        call(arrays("lstm", 3, 4, 2, 5))


# ------------------------------------------------------------------------------------------------------- embeddings


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
def test_embedding(dtype, kind, backend):
    rng = np.random.default_rng(4)
    W, idx = rng.normal(size=(7, 5)).astype(dtype), rng.integers(0, 7, (4, 3)).astype(kind)
    np.testing.assert_array_equal(ops.embedding(W, idx), W[idx], strict=True)
    dout = rng.normal(size=(4, 3, 5)).astype(dtype)
    expected = np.zeros_like(W)
    for i, d in zip(idx.reshape(-1), dout.reshape(-1, 5)):
        expected[i] += d
    np.testing.assert_array_equal(ops.embedding_backward(dout, idx, rows=7), expected, strict=True)
    out = np.ones_like(W)
    assert ops.embedding_backward(dout, idx, out) is out
    np.testing.assert_allclose(out, expected + 1, rtol=1e-5)
    np.testing.assert_array_equal(ops.embedding_backward(dout, idx, out, accumulate=False), expected)


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (IndexError, lambda W: ops.embedding(W, [0, 7])),
        (IndexError, lambda W: ops.embedding(W, [-1])),
        (IndexError, lambda W: ops.embedding_backward(np.ones((1, 5)), [7], W)),
        (TypeError, lambda W: ops.embedding(W, [0.0])),
        (ValueError, lambda W: ops.embedding(W[0], [0])),
        (ValueError, lambda W: ops.embedding_backward(np.ones((2, 5)), [1], W)),
        (ValueError, lambda W: ops.embedding_backward(np.ones((1, 5)), [1])),
    ],
)
def test_embedding_errors(error, call):
    with pytest.raises(error, match=r"Received: "):
        call(np.ones((7, 5)))


def test_embedding_of_nothing(backend):
    assert ops.embedding(np.ones((3, 2)), np.zeros((0, 4), int)).shape == (0, 4, 2)
    assert (ops.embedding_backward(np.ones((0, 2)), np.zeros(0, int), rows=3) == 0).all()


def test_embedding_of_one_index_and_of_no_columns():
    w = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(ops.embedding(w, 2), w[2])
    np.testing.assert_array_equal(ops.embedding_backward(np.ones(3), 2, rows=4), np.eye(4)[:, [2]] * np.ones(3))
    assert ops.embedding_backward(np.zeros((2, 0)), [1, 2], rows=3).shape == (3, 0)
