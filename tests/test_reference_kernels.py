"""The reference kernels: matrix products, optimizers, random numbers, and the interface of the backends.

Oracles: exact arithmetic by hand, the published rules in mpmath, the known answers published with Random123.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from fastnn.reference import activations, affine, kernels, optimizers, random, rows

INF = np.inf
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


# --- dense


def test_gemm_and_sums():
    a, b, c = np.array([[1.0, 2, 3], [4, 5, 6]]), np.array([[1.0, 0], [2, -1], [0, 3]]), np.ones((2, 2))
    product = np.array([[5.0, 7], [14, 13]])
    for left, ta in ((a, False), (a.T, True)):
        for right, tb in ((b, False), (b.T, True)):
            np.testing.assert_array_equal(affine.gemm(left, right, None, ta, tb), product)
    np.testing.assert_array_equal(affine.gemm(a, b, c, alpha=2.0, beta=-1.0), 2 * product - 1)
    np.testing.assert_array_equal(affine.gemm(a, b, c * np.nan), product)
    np.testing.assert_array_equal(affine.add_bias(c, np.array([1.0, 2])), [[2, 3], [2, 3]])
    many = np.full((3000, 1), 0.1, np.float32)
    assert affine.column_sums(many) == np.float32(3000 * np.float64(np.float32(0.1)))


# --- optimizers


def test_optimizers_by_hand():
    p, g, v = np.array([1.0]), np.array([0.5]), np.array([0.25])
    assert optimizers.sgd(p, g, 0.5) == (0.75,)
    assert optimizers.momentum(p, g, v, 0.5, -0.5, 1.0) == (0.875, -0.125)
    assert optimizers.momentum(p, g, v, 0.5, 1.0, -0.5) == (0.6875, 0.625)  # rates outside the velocity
    assert optimizers.nesterov(p, g, v, 0.5, -0.5, 0.5, -0.5) == (0.6875, -0.125)
    assert optimizers.nesterov(p, g, v, 0.5, 1.0, -0.25, -0.5) == (0.59375, 0.625)
    assert optimizers.asgd(p, g, v, 0.5, 0.25, 0.5) == (0.5, 0.375)
    a, d = np.array([2.0]), np.array([0.75])
    assert optimizers.adagrad(p, g, a, 1.0, 0.0, 0.0)[1] == 2.25
    assert optimizers.adagrad(p, g, a, 1.5, 0.0, 0.0) == (0.5, 2.25)
    assert optimizers.adagrad(p, g, a, 1.5, 0.0, 1.0) == (0.7, 2.25)  # eps outside the root
    assert optimizers.adagrad(p, g, a, 1.5, 1.75, 0.0) == (0.625, 2.25)  # and inside
    # mean square 1/4, root of 3/4 + 1/4 and of 1/4 + 1/4 ... with eps = 0: sqrt(d / a) * g
    assert optimizers.adadelta(p, g, v, 4 * d / 3, 1.0, 0.5, 0.5, 0.0) == (0.0, 0.25, 1.0)
    assert optimizers.rmsprop(p, g, v, 0.5, 0.5, 0.5, 0.0, 0.0) == (0.5, 0.25)
    assert optimizers.rmsprop(p, g, v, 0.5, 0.5, 0.5, 0.75, 0.0) == (0.75, 0.25)  # eps inside the root
    assert optimizers.rmsprop(p, g, v, 0.5, 0.5, 0.5, 0.0, 0.5) == (0.75, 0.25)  # and outside
    assert optimizers.rmsprop_momentum(p, g, v, d, 0.5, 0.25, 2.0, 0.5, 0.5, 0.0, 0.0) == (-0.25, 0.25, 0.625)
    m = np.array([-0.5])
    assert optimizers.rmsprop_centered(p, g, v, m, 0.5, 0.5, 0.5, 0.0, 0.0) == (0.5, 0.25, 0.0)
    assert optimizers.rmsprop_centered(p, g, v, g, 1.0, 0.5, 0.5, 0.25, 0.0) == (0.0, 0.25, 0.5)  # 1/4 - 1/4 + eps
    assert optimizers.rmsprop_centered(p, g, v, 3 * g, 1.0, 0.5, 0.5, 0.25, 0.0)[0] == 0  # a variance is not negative
    found = optimizers.rmsprop_centered_momentum(p, g, v, m, d, 0.5, 0.25, 2.0, 0.5, 0.5, 0.0, 0.0)
    assert found == (-0.25, 0.25, 0.0, 0.625)
    # a: 1/4 -> 1/2 + 1/4 ... sqrt(a) from 0 to 1/2; z = 1/2 + 1/4 - 1/2 * 2 = -1/4; p = (clip(z) - z) / (1/2 * 2 + 1)
    assert optimizers.ftrl(p, g, 0 * a, 0 * a, 2.0, 0.125, 1.0, 0.25) == (0.0625, 0.25, -0.25)
    assert optimizers.ftrl_power(p, g, 0 * a, 0 * a, 2.0, 0.125, 1.0, 0.25, 1.0) == (-0.125 / 1.5, 0.25, 0.25)
    assert optimizers.amsgrad(p, 3 * g, np.array([0.5]), v, 4 * g * g * 4, 0.25, 2.0, 0.5, 0.375, 0.5) == (
        1 - 0.25 / 4.5, 1.0, 1.0, 4.0
    )  # fmt: skip
    assert optimizers.adamax(p, g, -g, a, 0.5, 0.75, 0.5, 0.0, 0.25) == (0.9, 0.25, 1.0)
    assert optimizers.adamax(p, g, -g, a, 0.5, 0.75, 0.5, 0.75, 0.0) == (0.9, 0.25, 1.25)
    assert optimizers.nadam(p, 3 * g, g, v, 0.25, 0.5, 2.0, 0.5, 0.375, 0.5) == (0.6, 1.0, 1.0)
    assert optimizers.radam(p, 3 * g, g, v, 0.25, 0.0, 0.5, 0.375, 0.0) == (0.75, 1.0, 1.0)
    assert optimizers.radam(p, 3 * g, g, v, 0.0, 0.25, 0.5, 0.375, 1.0) == (0.875, 1.0, 1.0)
    # x = 1 - 2 / 4 = 1/2; z = 2 - 3/2 / 3 - 1 / 4; p = x / 2 + z
    assert optimizers.schedule_free_adamw(p, 3 * g, a, v, 1.0, 2.0, 0.25, 0.375, 1.0, 0.25, 0.5, 1.0) == (
        1.5,
        1.25,
        1.0,
    )
    assert optimizers.lion(p, g, -v, 0.25, 0.5, 0.5, 0.75, 0.25) == (0.75, -0.0625)
    assert optimizers.lion(p, g, -g, 0.25, 0.5, 0.5, 0.75, 0.25)[0] == 1  # sign(0) = 0
    assert optimizers.rprop(p, g, v, d, 0.5, 2.0, 0.1, 1.0, 0.0) == (0.0, 0.5, 1.0)  # grows to its bound
    assert optimizers.rprop(p, g, -v, d, 0.5, 2.0, 0.1, 1.0, 0.0) == (1.0, 0.0, 0.375)  # turned: waits
    assert optimizers.rprop(p, g, -v, d, 0.5, 2.0, 0.1, 1.0, 1.0) == (0.25, 0.0, 0.375)  # or goes back
    assert optimizers.rprop(p, g, 0 * v, d, 0.5, 2.0, 0.1, 1.0, 0.0) == (0.25, 0.5, 0.75)  # after a turn
    assert optimizers.adam(p, 3 * g, np.array([0.5]), v, 0.25, 2.0, 0.5, 0.375, 0.5) == (0.9, 1.0, 1.0)
    assert optimizers.regularize(p, g, 2.0, 0.25, 0.125) == (0.875, 1.25)


@pytest.mark.parametrize("paper", [True, False])
def test_adam_follows_the_paper(paper):
    lr, b1, b2, eps = 0.1, 0.9, 0.99, 1e-3
    p, m, v = np.array([0.7]), np.zeros(1), np.zeros(1)
    x, m1, v1 = mpf(0.7), mpf(0), mpf(0)
    for t, g in enumerate([0.5, -0.25, 3.0, 1e-3, -2.0], start=1):
        m1, v1 = b1 * m1 + (1 - b1) * g, b2 * v1 + (1 - b2) * mpf(g) ** 2
        first, second = 1 - mpf(b1) ** t, 1 - mpf(b2) ** t
        if paper:
            rate, scale = lr / (1 - b1**t), 1 / np.sqrt(1 - b2**t)
            x -= lr * (m1 / first) / (mpmath.sqrt(v1 / second) + eps)
        else:
            rate, scale = lr * np.sqrt(1 - b2**t) / (1 - b1**t), 1.0
            x -= lr * mpmath.sqrt(second) / first * m1 / (mpmath.sqrt(v1) + eps)
        p, m, v = optimizers.adam(p, np.array([g]), m, v, rate, scale, 1 - b1, 1 - b2, eps)
        np.testing.assert_allclose(p, float(x), rtol=1e-13)


def test_nesterov_is_the_look_ahead_form():
    rate, mu, slope = 0.1, 0.9, 3.0
    p, v, w, u = np.array([1.0]), np.zeros(1), 1.0, 0.0
    for _ in range(20):
        u = mu * u - rate * slope * (w + mu * u)
        w += u
        p, v = optimizers.nesterov(p, slope * p, v, mu, -rate, mu, -rate)
        np.testing.assert_allclose(p - mu * v, w, atol=1e-14)


# --- random numbers

# The vectors published with Random123: counter, key, words.
PHILOX = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize("vector", PHILOX)
def test_philox_known_answers(vector):
    counter, key, words = ([int(word, 16) for word in part.split()] for part in vector)
    np.testing.assert_array_equal(
        random.philox4x32(np.array([counter, counter], np.uint32), tuple(key)), [words, words]
    )
    first = 4 * (counter[0] + 2**32 * counter[1])
    drawn = random.random_bits(3, key[0] + 2**32 * key[1], stream=counter[3], step=counter[2], first=first)
    np.testing.assert_array_equal(drawn, words[:3])


def test_random_bits_are_addressable():
    words = random.random_bits(100, 7, 1, 2)
    np.testing.assert_array_equal(random.random_bits(90, 7, 1, 2, first=8), random.random_bits(98, 7, 1, 2)[8:])
    assert words.dtype == np.uint32
    assert len(np.unique(words)) == 100
    for other in ((8, 1, 2), (7, 2, 2), (7, 1, 3), (7 + 2**32, 1, 2)):
        assert (random.random_bits(100, *other) != words).all()
    assert random.random_bits(0, 7, 1, 2).size == 0
    with pytest.raises(ValueError, match="Received: 6"):
        random.random_bits(1, 7, 1, 2, first=6)


@dtypes
def test_dropout(dtype):
    x = np.arange(1, 20001, dtype=dtype).reshape(100, 200)
    y, mask = random.dropout(x, 0.25, seed=3, stream=5, step=9)
    assert (y.dtype, mask.dtype) == (dtype, np.uint8)
    assert abs(mask.mean() - 0.75) < 5 * np.sqrt(0.25 * 0.75 / x.size)
    np.testing.assert_array_equal(mask.reshape(-1), random.random_bits(x.size, 3, 5, 9) >= 2**30)
    np.testing.assert_array_equal(y, np.where(mask, x * dtype(4 / 3), 0))
    np.testing.assert_array_equal(random.dropout(x, 0.0, 3, 5, 9)[0], x)
    np.testing.assert_array_equal(random.masked_scale(np.array([np.nan, 2.0]), np.array([0, 1], np.uint8), 3.0), [0, 6])


# --- kernels

LOGITS = np.array([[0.5, -1.0, 2.0, 0.0], [30.0, -30.0, 700.0, 699.0]])
# the parameters of the activation rows, at their defaults
PARAMS = {
    "identity": (),
    "relu": (0.0,),
    "leaky_relu": (0.01,),
    "elu": (1.0,),
    "sigmoid": (),
    "tanh": (),
    "softplus": (),
    "silu": (),
    "gelu": (),
    "gelu_tanh": (),
}


def forward(name, x):
    return getattr(activations, name)(x)


@pytest.mark.parametrize("name", PARAMS)
def test_activation_kernels_in_place(name):
    params, x = PARAMS[name], np.linspace(-3, 3, 12).reshape(3, 4)
    y, bias = x.copy(), np.arange(4.0)
    kernels.activation_forward(name, y, y, params)
    np.testing.assert_array_equal(y, forward(name, x))
    dy = x + 1
    kernels.activation_backward(name, dy, activations.sigmoid(x), dy, params)
    np.testing.assert_array_equal(dy, getattr(activations, f"{name}_backward")(x + 1, activations.sigmoid(x)))
    for z in (None, np.empty_like(x)):
        y = x.copy()
        kernels.bias_forward(name, y, bias, z, params)
        np.testing.assert_array_equal(y, forward(name, x + bias))
        assert z is None or (z == x + bias).all()
    dz, db = x + 1, np.empty(4)
    kernels.bias_backward(name, dz, y, dz, db, params)
    np.testing.assert_array_equal(dz, getattr(activations, f"{name}_backward")(x + 1, y))
    np.testing.assert_allclose(db, dz.sum(axis=0))


def test_loss_kernels_weigh_and_scale():
    pred, target = np.array([[1.0, 3.0], [2.0, 2.0]]), np.array([[0.0, 1.0], [2.0, 5.0]])
    row_loss = np.empty(2)
    kernels.elementwise_loss("mse", pred, target, np.array([1.0, 0.5]), 0.25, pred, row_loss, ())
    np.testing.assert_array_equal(row_loss, [2.5, 2.25])
    np.testing.assert_array_equal(pred, [[0.25, 0.5], [0, -0.375]])
    kernels.elementwise_loss(
        "binary_cross_entropy", np.zeros((1, 2)), np.zeros((1, 2)), None, 1.0, None, row_loss[:1], (0.25,)
    )
    np.testing.assert_allclose(row_loss[0], np.log(4 / 3))

    logits, labels, probs = np.zeros((3, 2)), np.array([1, 7, 0], np.int32), np.empty((3, 2))
    grad, row_loss = np.empty((3, 2)), np.empty(3)
    weights, name = np.array([2.0, 2, 0]), "softmax_cross_entropy"
    kernels.row_loss(name, (logits,), labels, weights, 0.5, (grad,), row_loss, (), 7, probs=probs)
    np.testing.assert_allclose(row_loss, [2 * np.log(2), 0, 0])
    np.testing.assert_allclose(grad, [[0.5, -0.5], [0, 0], [0, 0]])
    np.testing.assert_allclose(probs, 0.5)
    kernels.row_loss("categorical_cross_entropy", (probs,), labels, weights, 0.5, (grad,), row_loss, (1e-7,), 7)
    np.testing.assert_allclose(row_loss, [2 * np.log(2), 0, 0])
    np.testing.assert_allclose(grad, [[1, -1], [0, 0], [0, 0]])


def test_hits():
    pred, hits = np.array([[0.1, 0.9], [0.5, 0.5], [0.7, 0.3]], np.float32), np.empty(3)
    kernels.label_hits(pred, np.array([1, 0, 1], np.int32), hits)
    np.testing.assert_array_equal(hits, [1, 1, 0])
    kernels.argmax_hits(pred, np.array([[0, 1], [0, 1], [1, 0]], np.float32), hits)
    np.testing.assert_array_equal(hits, [1, 0, 1])
    kernels.threshold_hits(pred, np.array([[0, 1], [0, 0], [0, 0]], np.float32), 0.5, hits)
    np.testing.assert_array_equal(hits, [1, 1, 0.5])


def test_remaining_kernels_write_their_outputs():
    x, out = LOGITS.copy(), np.empty((2, 4))
    for name, vector in (("softmax", False), ("log_softmax", False), ("logsumexp", True), ("column_sums", True)):
        target = np.empty(4 if name == "column_sums" else 2) if vector else out
        getattr(kernels, name)(x, target)
        oracle = affine.column_sums if name == "column_sums" else getattr(rows, name)
        np.testing.assert_array_equal(target, oracle(x))
    for name in ("softmax_backward", "log_softmax_backward"):
        getattr(kernels, name)(x, -np.abs(x), out)
        np.testing.assert_array_equal(out, getattr(rows, name)(x, -np.abs(x)))
    c = np.ones((4, 4))
    kernels.gemm(x, x, c, True, False, 0.5, 2.0)
    np.testing.assert_allclose(c, 0.5 * x.T @ x + 2)
    p, g, m, v = np.ones(3), np.full(3, 2.0), np.zeros(3), np.zeros(3)
    kernels.optimizer_update("adam", p, g, (m, v), np.array([0.5, 0.0, 0.25, 0.5, 1.0, 0.5, 1.0, 0.0]))
    np.testing.assert_array_equal([p, m, v], [[0.5] * 3, [0.5] * 3, [1.0] * 3])
    np.testing.assert_array_equal(g, 2)
    p, g, v = np.linspace(-1, 1, 70001), np.linspace(2, 1, 70001), np.zeros(70001)  # several passes
    kernels.optimizer_update("momentum", p, g, (v,), (1.0, 0.0, 0.0, 0.5, -0.5, 1.0))
    np.testing.assert_array_equal(p, np.linspace(-1, 1, 70001) - 0.5 * g)
    np.testing.assert_array_equal(v, -0.5 * g)
    words, mask, y = np.empty(12, np.uint32), np.empty((3, 4), np.uint8), np.ones((3, 4), np.float32)
    kernels.random_bits(words, 1, 2, 3)
    kernels.dropout(y, y, mask, 1, 2, 3, 0.5)
    np.testing.assert_array_equal(mask.reshape(-1), words >= 2**31)
    kernels.masked_scale(y, mask, y, 0.5)
    np.testing.assert_array_equal(y, mask)
    assert kernels.sum_of_squares(np.full((2, 2), 3e20, np.float32)) == pytest.approx(3.6e41)
    assert kernels.first_nonfinite(np.array([[1, 2], [np.nan, INF]])) == 2
    assert kernels.first_nonfinite(np.ones(5)) == 5
    assert kernels.name == "reference"
