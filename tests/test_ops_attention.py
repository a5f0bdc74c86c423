"""ops.attention: worked out row by row, gradients by central differences, masks, shapes, dtypes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fastnn
from fastnn import ops
from fastnn.testing import gradcheck

RNG = np.random.default_rng(0)


def by_rows(q, k, v, seen, scale):
    """One query at a time, with Python's floats."""
    y = np.zeros((*q.shape[:-1], v.shape[-1]))
    for at in np.ndindex(q.shape[:-1]):
        *head, _ = at
        keys, values = k[tuple(head)], v[tuple(head)]
        scores = [math.fsum(scale * a * b for a, b in zip(q[at], key)) for key in keys]
        scores = [s if ok else -1e9 for s, ok in zip(scores, seen[at])]
        e = [math.exp(s - max(scores)) for s in scores]
        y[at] = sum(w / math.fsum(e) * row for w, row in zip(e, values))
    return y


def arrays(head=(2, 3), queries=4, keys=5, features=3, columns=2, dtype=np.float64):
    sizes = ((queries, features), (keys, features), (keys, columns))
    return [RNG.normal(size=(*head, *size)).astype(dtype) for size in sizes]


MASKS = {
    "none": None,
    "keys": np.array([True, False, True, True, False]),
    "queries": np.array([[1], [0], [1], [1]]),
    "both": RNG.integers(0, 2, (4, 5)),
    "heads": RNG.integers(0, 2, (3, 1, 5)),
    "samples": RNG.integers(0, 2, (2, 1, 4, 1)),
    "all": RNG.integers(0, 2, (2, 3, 4, 5)).astype(bool),
}


@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", MASKS)
def test_values(backend, name, causal, scale):
    q, k, v = arrays()
    mask = MASKS[name]
    y, cache = ops.attention(q, k, v, mask, causal, scale)
    seen = np.ones((2, 3, 4, 5), bool) if mask is None else np.broadcast_to(mask, (2, 3, 4, 5)) != 0
    seen = seen & np.tri(4, 5, dtype=bool) if causal else seen
    expected = by_rows(q, k, v, seen, scale or 3**-0.5)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(cache.weights.sum(-1), 1, rtol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", MASKS)
def test_gradients(backend, name, causal):
    def forward(q, k, v):
        return ops.attention(q, k, v, MASKS[name], causal)[0]

    def backward(dy, q, k, v):
        return ops.attention_backward(dy, ops.attention(q, k, v, MASKS[name], causal)[1])

    assert gradcheck(forward, arrays(), backward) <= 1


@pytest.mark.parametrize("head", [(), (1,), (2, 1, 2)])
@pytest.mark.parametrize(("queries", "keys", "features", "columns"), [(1, 1, 1, 1), (3, 7, 2, 5), (17, 33, 9, 1)])
def test_shapes(backend, head, queries, keys, features, columns):
    q, k, v = arrays(head, queries, keys, features, columns)
    y, cache = ops.attention(q, k, v)
    seen = np.ones((*head, queries, keys), bool)
    np.testing.assert_allclose(y, by_rows(q, k, v, seen, features**-0.5), rtol=1e-11, atol=1e-13)
    gradients = ops.attention_backward(np.ones_like(y), cache)
    assert [g.shape for g in gradients] == [q.shape, k.shape, v.shape]


@pytest.mark.parametrize("keys", [2047, 2048, 2049, 5000])
def test_many_keys(keys):
    q, k, v = arrays((2,), 3, keys, 4, 3)
    mask = RNG.integers(0, 2, (2, 3, keys))
    y, cache = ops.attention(q, k, v, mask, scale=0.7)
    dy = RNG.normal(size=y.shape)
    with fastnn.use_backend("reference"):
        expected, other = ops.attention(q, k, v, mask, scale=0.7)
        gradients = ops.attention_backward(dy, other)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    for one, two in zip(ops.attention_backward(dy, cache), gradients):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


def test_a_query_that_sees_nothing(backend):
    """The mean of the values, as in Keras, and no gradient to its scores."""
    q, k, v = arrays((), 2, 5)
    mask = np.array([[0] * 5, [1] * 5])
    y, cache = ops.attention(q, k, v, mask)
    np.testing.assert_allclose(y[0], v.mean(axis=0), rtol=1e-13)
    dq, dk, dv = ops.attention_backward(np.array([[1.0, 2], [0, 0]]), cache)
    assert not dq.any()
    assert not dk.any()
    np.testing.assert_allclose(dv, np.tile([0.2, 0.4], (5, 1)), rtol=1e-13)


def test_extreme_scores(backend):
    """Large scores are no overflow; NaN stays in its row; what is not seen does not count, whatever it is."""
    q, k, v = np.eye(2) * 1e5, np.eye(2) * 1e5, np.array([[1.0], [2.0]])
    np.testing.assert_array_equal(ops.attention(q, k, v, scale=1.0)[0], v)
    y, cache = ops.attention(np.array([[np.nan, 1], [1, 1]]), np.ones((3, 2)), np.ones((3, 1)))
    assert np.isnan(y[0]).all()
    assert y[1] == 1
    assert np.isnan(ops.attention_backward(np.ones((2, 1)), cache)[0][0]).all()
    infinite = ops.attention(np.ones((1, 1)), np.array([[np.inf], [2.0]]), v, mask=[False, True])[0]
    np.testing.assert_array_equal(infinite, [[2.0]])


def test_float32_is_near(backend):
    q, k, v = arrays(dtype=np.float32)
    y, cache = ops.attention(q, k, v, causal=True)
    exact, other = ops.attention(*(a.astype(np.float64) for a in (q, k, v)), causal=True)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, exact, rtol=2e-6, atol=2e-6)
    dy = np.ones_like(y)
    for one, two in zip(ops.attention_backward(dy, cache), ops.attention_backward(dy.astype(np.float64), other)):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("threads", [2, 3])
def test_bits_do_not_depend_on_the_threads(threads):
    q, k, v = arrays((4, 3), 70, 80, 32, 32, np.float32)
    results = []
    for count in (1, threads):
        with fastnn.num_threads(count):
            y, cache = ops.attention(q, k, v, causal=True)
            results.append([y, *ops.attention_backward(y, cache)])
    assert all(map(np.array_equal, *results))


Q, K, V = arrays()


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (ValueError, lambda: ops.attention(Q, K[..., :2], V)),
        (ValueError, lambda: ops.attention(Q, K, V[..., :4, :])),
        (ValueError, lambda: ops.attention(Q[0], K, V)),
        (ValueError, lambda: ops.attention(Q[0, 0, 0], K, V)),
        (ValueError, lambda: ops.attention(Q, K[..., :0, :], V[..., :0, :])),
        (ValueError, lambda: ops.attention(Q, K, V, np.ones((4, 4), bool))),
        (TypeError, lambda: ops.attention(Q, K, V, np.zeros((4, 5)))),
        (TypeError, lambda: ops.attention(Q, K, V, causal="yes")),
        (TypeError, lambda: ops.attention(Q, K, V, scale="1")),
        (ValueError, lambda: ops.attention(Q, K, V, out=np.empty((2, 3)))),
        (ValueError, lambda: ops.attention(Q, K, Q[..., :3, :], out=Q)),
        (TypeError, lambda: ops.attention_backward(Q, None)),
        (ValueError, lambda: ops.attention_backward(Q, ops.attention(Q, K, V)[1])),
    ],
)
def test_errors(error, call):
    with pytest.raises(error, match=r"Received: "):
        call()
