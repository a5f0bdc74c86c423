"""Numbers near the ends of the range: results that can be represented come out, although what is between overflows."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import ops

pytestmark = pytest.mark.usefixtures("backend")

LOG2 = float(np.log(2.0))


@pytest.mark.parametrize("cols", [3, 40, 300])
@pytest.mark.parametrize("size", [1e19, 1e25, 1e37])
def test_batch_statistics_of_large_numbers(size, cols):
    x = (np.random.default_rng(0).normal(size=(200, cols)) * size).astype(np.float32)
    wide = x.astype(np.float64)
    y, _ = ops.batchnorm(x)
    expected = (wide - wide.mean(axis=0)) / wide.std(axis=0)
    np.testing.assert_allclose(y, expected, rtol=2e-5, atol=2e-6)


def test_gradients_of_scale_and_shift_from_large_numbers():
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(64, 5)) * 1e30).astype(np.float32)
    dy = (rng.normal(size=(64, 5)) * 1e12).astype(np.float32)
    gamma = np.ones(5, np.float32)
    y, cache = ops.batchnorm(x, gamma, np.zeros(5, np.float32))
    _, dgamma, dbeta = ops.batchnorm_backward(dy, cache)
    np.testing.assert_allclose(dgamma, (dy.astype(np.float64) * y).sum(axis=0), rtol=1e-4)
    np.testing.assert_allclose(dbeta, dy.astype(np.float64).sum(axis=0), rtol=1e-4)


def test_what_is_not_finite_stays_so_in_its_own_channel():
    x = np.ones((100, 4), np.float32)
    x[7, 1], x[9, 2] = np.nan, np.inf
    y, _ = ops.batchnorm(x)
    assert np.isnan(y[:, 1:3]).all()
    assert (y[:, [0, 3]] == 0).all()


@pytest.mark.parametrize(
    ("p", "t", "loss", "grad"),
    [
        (1e20, 1e20, np.inf, np.inf),  # exp(p) wins
        (100.0, 3e38, np.inf, np.inf),  # e^100 = 2.7e43 against 3e40
        (89.0, 2e38, -1.7351e40, 2.48961e38),  # beyond float32: -inf
        (-1e20, 1e20, np.inf, -1e20),  # t p is below the range
        (np.inf, 1.0, np.inf, np.inf),
        (-np.inf, 0.0, 0.0, 0.0),
        (2.0, 3.0, np.exp(2.0) - 6.0, np.exp(2.0) - 3.0),
        (np.nan, 1.0, np.nan, np.nan),
    ],
)
def test_poisson_of_logarithms(p, t, loss, grad):
    with np.errstate(over="ignore"):
        wanted = np.float32(loss), np.float32(grad)
    arrays = np.array([[p]], np.float32), np.array([[t]], np.float32)
    value, found = ops.poisson_nll_with_grad(*arrays, reduction="sum")
    np.testing.assert_allclose(np.float32(value), wanted[0], rtol=1e-5)
    np.testing.assert_allclose(found[0, 0], wanted[1], rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cols", [2, 5000])
@pytest.mark.parametrize("form", ["labels", "rows", "smoothed"])
def test_cross_entropy_of_large_logits_keeps_the_logarithm(form, cols, dtype):
    """Two equal logits and others far below: the loss is log 2, however large they are."""
    z = np.full((3, cols), -1e30, dtype)
    z[:, :2] = np.array([[1e16], [1e25], [-1e18]], dtype)
    labels = np.array([0, 1, 0])
    target = labels if form != "rows" else np.eye(cols, dtype=dtype)[labels]
    options = {}
    expected = LOG2
    if form == "smoothed":
        if cols > 2:  # a part of the target stands where the logits are far below
            pytest.skip("the other logits count, too")
        options = {"label_smoothing": 0.1}
    for found in (
        ops.softmax_cross_entropy(z, target, reduction="none", **options)[0],
        ops.softmax_cross_entropy_with_grad(z, target, reduction="none", **options)[0],
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
