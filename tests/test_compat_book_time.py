"""The layers of the book's second volume against the formulas that the book prints."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.compat.book import time_layers as book
from fastnn.testing import gradcheck

N, T, D, H = 3, 4, 2, 5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights(gates, seed=0):
    rng = np.random.default_rng(seed)
    return [0.5 * rng.normal(size=s) for s in ((D, gates * H), (H, gates * H), (gates * H,))]


def inputs(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape)


def test_rnn_step():
    Wx, Wh, b = weights(1)
    x, h = inputs(N, D), inputs(N, H, seed=2)
    np.testing.assert_allclose(book.RNN(Wx, Wh, b).forward(x, h), np.tanh(h @ Wh + x @ Wx + b), rtol=1e-12)


def test_lstm_step():
    Wx, Wh, b = weights(4)
    x, h, c = inputs(N, D), inputs(N, H, seed=2), inputs(N, H, seed=3)
    f, g, i, o = np.split(x @ Wx + h @ Wh + b, 4, axis=1)
    c_next = sigmoid(f) * c + np.tanh(g) * sigmoid(i)
    layer = book.LSTM(Wx, Wh, b)
    h_out, c_out = layer.forward(x, h, c)
    np.testing.assert_allclose(c_out, c_next, rtol=1e-12)
    np.testing.assert_allclose(h_out, sigmoid(o) * np.tanh(c_next), rtol=1e-12)


def gru_step(x, h, Wx, Wh, b):
    z = sigmoid(x @ Wx[:, :H] + h @ Wh[:, :H] + b[:H])
    r = sigmoid(x @ Wx[:, H : 2 * H] + h @ Wh[:, H : 2 * H] + b[H : 2 * H])
    h_hat = np.tanh(x @ Wx[:, 2 * H :] + (r * h) @ Wh[:, 2 * H :] + b[2 * H :])
    return (1 - z) * h + z * h_hat


def test_gru_step():
    params = weights(3)
    x, h = inputs(N, D), inputs(N, H, seed=2)
    np.testing.assert_allclose(book.GRU(*params).forward(x, h), gru_step(x, h, *params), rtol=1e-12)


@pytest.mark.parametrize(("cls", "gates"), [(book.TimeRNN, 1), (book.TimeLSTM, 4), (book.TimeGRU, 3)])
def test_sequences_are_steps_and_have_their_gradients(cls, gates):
    xs, params = inputs(N, T, D), weights(gates)

    def gradients(dy, xs, *params):
        layer = cls(*params)
        layer.forward(xs)
        return [layer.backward(dy), *layer.grads]

    assert gradcheck(lambda xs, *p: cls(*p).forward(xs), [xs, *params], gradients) <= 1
    step = {1: book.RNN, 4: book.LSTM, 3: book.GRU}[gates](*params)
    state = [np.zeros((N, H))] * (2 if gates == 4 else 1)
    for x, expected in zip(xs.swapaxes(0, 1), cls(*params).forward(xs).swapaxes(0, 1)):
        out = step.forward(x, *state)
        state = list(out) if gates == 4 else [out]
        np.testing.assert_allclose(state[0], expected, rtol=1e-12)


@pytest.mark.parametrize(("cls", "gates"), [(book.TimeRNN, 1), (book.TimeLSTM, 4), (book.TimeGRU, 3)])
def test_stateful_layers_go_on(cls, gates):
    xs, params = inputs(N, T, D), weights(gates)
    whole = cls(*params).forward(xs)
    layer = cls(*params, stateful=True)
    parts = [layer.forward(xs[:, :2]), layer.forward(xs[:, 2:])]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-12)
    layer.backward(np.ones((N, 2, H)))
    assert layer.dh.shape == (N, H)
    layer.reset_state()
    np.testing.assert_allclose(layer.forward(xs), whole, rtol=1e-12)
    layer.set_state(layer.h)
    assert not np.allclose(layer.forward(xs), whole)


def test_gradients_are_written_in_place():
    layer = book.TimeLSTM(*weights(4))
    before = list(layer.grads)
    layer.forward(inputs(N, T, D))
    layer.backward(np.ones((N, T, H)))
    assert all(a is b and a.any() for a, b in zip(before, layer.grads))


def test_embedding_and_affine():
    W, idx = inputs(7, D), np.random.default_rng(3).integers(0, 7, (N, T))
    layer = book.TimeEmbedding(W)
    np.testing.assert_array_equal(layer.forward(idx), W[idx])
    dout = inputs(N, T, D, seed=4)
    assert layer.backward(dout) is None
    expected = np.zeros_like(W)
    np.add.at(expected, idx, dout)
    np.testing.assert_allclose(layer.grads[0], expected, rtol=1e-12)

    affine = book.TimeAffine(inputs(D, 3), inputs(3, seed=5))
    x = inputs(N, T, D, seed=6)
    np.testing.assert_allclose(affine.forward(x), x @ affine.params[0] + affine.params[1], rtol=1e-12)
    d = inputs(N, T, 3, seed=7)
    np.testing.assert_allclose(affine.backward(d), d @ affine.params[0].T, rtol=1e-12)
    np.testing.assert_allclose(affine.grads[0], np.einsum("ntd,nth->dh", x, d), rtol=1e-12)
    np.testing.assert_allclose(affine.grads[1], d.sum(axis=(0, 1)), rtol=1e-12)


@pytest.mark.parametrize("one_hot", [False, True])
def test_softmax_with_loss(one_hot):
    xs, ts = inputs(N, T, 6), np.random.default_rng(3).integers(0, 6, (N, T))
    if not one_hot:
        ts[0, 1:] = -1
    kept = ts != -1
    p = np.exp(xs) / np.exp(xs).sum(axis=2, keepdims=True)
    expected = -np.log(np.take_along_axis(p, np.where(kept, ts, 0)[..., None], 2)[..., 0])[kept].mean()
    given = np.eye(6)[ts] if one_hot else ts
    layer = book.TimeSoftmaxWithLoss()
    np.testing.assert_allclose(layer.forward(xs, given), expected, rtol=1e-12)
    assert gradcheck(lambda x: layer.forward(x, given), [xs], lambda dy, x: layer.backward(float(dy))) <= 1


def test_dropout_draws_like_the_book():
    layer, xs = book.TimeDropout(0.4), np.ones((N, T, D))
    np.random.seed(3)  # noqa: NPY002
    y = layer.forward(xs)
    np.random.seed(3)  # noqa: NPY002
    np.testing.assert_allclose(y, (np.random.rand(N, T, D) > 0.4) / 0.6, rtol=1e-6)  # noqa: NPY002
    np.testing.assert_array_equal(layer.backward(xs), layer.mask)
    layer.train_flg = False
    assert layer.forward(xs) is xs


def test_backward_before_forward_is_an_error():
    for layer in (book.TimeRNN(*weights(1)), book.TimeSoftmaxWithLoss()):
        with pytest.raises(RuntimeError, match=r"Received: no forward pass"):
            layer.backward(np.ones((N, T, H)))
