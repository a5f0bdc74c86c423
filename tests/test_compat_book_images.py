"""Convolution and pooling of fastnn.compat.book against the book's definitions, written out with loops."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.compat.book import layers, util

RNG = np.random.default_rng(0)


def windows(x, high, wide, stride, pad):
    """(n, i, j) and the window there, for all of them, in the order of the book's rows."""
    padded = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    down, across = (padded.shape[2] - high) // stride + 1, (padded.shape[3] - wide) // stride + 1
    for n in range(len(x)):
        for i in range(down):
            for j in range(across):
                rows, columns = slice(i * stride, i * stride + high), slice(j * stride, j * stride + wide)
                yield (n, i, j), (n, slice(None), rows, columns), padded


def numerical(f, x, step=1e-6):
    """The gradient of f, a number, by x, which it looks at anew."""
    found = np.empty_like(x)
    for place in np.ndindex(x.shape):
        kept = x[place]
        x[place] = kept + step
        above = f()
        x[place] = kept - step
        found[place] = (above - f()) / (2 * step)
        x[place] = kept
    return found


@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (2, 1), (3, 2)])
def test_convolution(stride, pad):
    x, w, b = RNG.normal(size=(2, 3, 6, 7)), RNG.normal(size=(4, 3, 3, 2)), RNG.normal(size=4)
    layer = layers.Convolution(w, b, stride, pad)
    y = layer.forward(x)
    for (n, i, j), place, padded in windows(x, 3, 2, stride, pad):
        np.testing.assert_allclose(y[n, :, i, j], (w * padded[place]).sum(axis=(1, 2, 3)) + b, rtol=1e-12, atol=1e-12)
    assert y.shape == (2, 4, (6 + 2 * pad - 3) // stride + 1, (7 + 2 * pad - 2) // stride + 1)
    assert layer.x is x
    dout = RNG.normal(size=y.shape)

    def loss():
        return float((layer.forward(x) * dout).sum())

    dx = layer.backward(dout)
    for found, by in ((dx, x), (layer.dW, w), (layer.db, b)):
        np.testing.assert_allclose(found, numerical(loss, by), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("size", "stride", "pad"), [((2, 2), 2, 0), ((3, 2), 1, 0), ((2, 3), 2, 1)])
def test_pooling(size, stride, pad):
    x = RNG.normal(size=(2, 3, 6, 7)) - 1  # mostly negative: the zeros around may be the largest
    layer = layers.Pooling(*size, stride, pad)
    y = layer.forward(x)
    for (n, i, j), place, padded in windows(x, *size, stride, pad):
        np.testing.assert_array_equal(y[n, :, i, j], padded[place].max(axis=(1, 2)))
    dout = RNG.normal(size=y.shape)
    dx = layer.backward(dout)
    np.testing.assert_allclose(dx, numerical(lambda: float((layer.forward(x) * dout).sum()), x), rtol=1e-6, atol=1e-8)
    assert layers.Pooling(2, 2).stride == 1


def test_patches_and_back():
    x = RNG.normal(size=(2, 3, 5, 6))
    col = util.im2col(x, 3, 2, stride=2, pad=1)
    rows = [padded[place].ravel() for _, place, padded in windows(x, 3, 2, 2, 1)]
    np.testing.assert_array_equal(col, rows)
    back, other = util.col2im(col, x.shape, 3, 2, stride=2, pad=1), RNG.normal(size=x.shape)
    # the transpose of a linear function
    np.testing.assert_allclose((back * other).sum(), (col * util.im2col(other, 3, 2, 2, 1)).sum(), rtol=1e-12)


def test_a_network_of_the_book_learns():
    """Convolution, ReLU, pooling, affine: chapter 7."""
    from fastnn.datasets import digits

    (x, t), _ = digits.load_data()
    x, t = x[:500].reshape(-1, 1, 8, 8) / 16, t[:500]
    w1, b1 = 0.1 * RNG.normal(size=(8, 1, 3, 3)), np.zeros(8)
    w2, b2 = 0.1 * RNG.normal(size=(8 * 3 * 3, 10)), np.zeros(10)
    chain = [layers.Convolution(w1, b1), layers.Relu(), layers.Pooling(2, 2, stride=2), layers.Affine(w2, b2)]
    last, losses = layers.SoftmaxWithLoss(), []
    for _ in range(60):
        h = x
        for layer in chain:
            h = layer.forward(h)
        losses.append(last.forward(h, t))
        d = last.backward()
        for layer in reversed(chain):
            d = layer.backward(d)
        for layer in (chain[0], chain[3]):
            layer.W -= 0.5 * layer.dW
            layer.b -= 0.5 * layer.db
    assert losses[-1] < 0.5 * losses[0]
