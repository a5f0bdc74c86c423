"""Gates, maxout, softmin, sparsemax, gumbel-softmax and rrelu as array functions: by hand, by other formulas, and by
finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from contract import assert_close, assert_same_bits
from scipy import optimize, special

import fastnn
from fastnn import ops
from fastnn.ops.gates import GATES
from fastnn.testing import gradcheck

INF, NAN = np.inf, np.nan
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
gates = pytest.mark.parametrize("name", GATES)

# what multiplies the first half, by other means than the package's
ORACLES = {
    "glu": special.expit,
    "bilinear": lambda b: b,
    "reglu": lambda b: np.maximum(b, 0),
    "geglu": lambda b: b * special.ndtr(b),
    "swiglu": lambda b: b * special.expit(b),
}


def rng(seed=0):
    return np.random.default_rng(seed)


# -------------------------------------------------------------------------------------------------------------- gates


@gates
def test_gates_multiply_the_halves(name, backend):
    x = rng().normal(size=(3, 4, 6))
    a, b = x[..., :3], x[..., 3:]
    np.testing.assert_allclose(getattr(ops, name)(x), a * ORACLES[name](b), rtol=1e-13, atol=1e-15)
    a, b = x[:, :2], x[:, 2:]
    np.testing.assert_allclose(getattr(ops, name)(x, axis=1), a * ORACLES[name](b), rtol=1e-13, atol=1e-15)
    out = np.empty((3, 2, 6))
    assert getattr(ops, name)(x, 1, out=out) is out
    np.testing.assert_array_equal(out, getattr(ops, name)(x, axis=-2))


@gates
@pytest.mark.parametrize("axis", [-1, 0])
def test_gradients_of_gates(name, axis, backend):
    x = rng(1).choice([-1.0, 1.0], (4, 6)) * rng(2).uniform(0.1, 2, (4, 6))
    forward, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
    gradcheck(lambda x: forward(x, axis), [x], lambda dy, x: backward(dy, x, axis))
    inside = x.copy()
    dy = np.ones_like(forward(x, axis))
    backward(dy, inside, axis, out=inside)  # over its own input
    np.testing.assert_array_equal(inside, backward(dy, x, axis))


@gates
@dtypes
def test_wide_gates_are_the_reference(name, dtype):
    x, dy = rng(3).normal(size=(7, 9002)).astype(dtype), rng(4).normal(size=(7, 4501)).astype(dtype)
    native = [getattr(ops, name)(x), getattr(ops, f"{name}_backward")(dy, x)]
    with fastnn.use_backend("reference"):
        assert_close(native, [getattr(ops, name)(x), getattr(ops, f"{name}_backward")(dy, x)], dtype)


def test_gates_refuse_what_has_no_halves():
    with pytest.raises(ValueError, match=r"glu: axis -1 must have a multiple of 2 elements. Received: "):
        ops.glu(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"dy must have shape \(4, 2\). Received: "):
        ops.glu_backward(np.ones((4, 4)), np.ones((4, 4)))
    with pytest.raises(ValueError, match=r"at least one dimension. Received: "):
        ops.swiglu(1.0)
    with pytest.raises(ValueError, match=r"axis must be from -2 to 1. Received: 2"):
        ops.glu(np.ones((4, 4)), axis=2)


# ------------------------------------------------------------------------------------------------------------- maxout


def test_maxout_by_hand(backend):
    x = np.array([[1.0, 5, 2, 4, 4, 3], [NAN, 1, 0, -INF, -INF, -INF]])
    np.testing.assert_array_equal(ops.maxout(x, 3), [[5, 4], [NAN, -INF]])
    np.testing.assert_array_equal(ops.maxout(x, 2), [[5, 4, 4], [NAN, 0, -INF]])
    np.testing.assert_array_equal(ops.maxout(x, 1), x)
    np.testing.assert_array_equal(ops.maxout(x, 2, axis=0), ops.maxout(x.T, 2).T)
    dx = ops.maxout_backward(np.array([[7.0, 8], [9, 10]]), x, 3)
    np.testing.assert_array_equal(dx, [[0, 7, 0, 8, 0, 0], [9, 0, 0, 10, 0, 0]])  # the first of several


@pytest.mark.parametrize("pieces", [1, 2, 3, 5])
@pytest.mark.parametrize("axis", [-1, 1])
def test_gradients_of_maxout(pieces, axis, backend):
    x = rng().permutation(1800).reshape(2, 30, 30) / 100  # all apart
    x = x[:, :, :2] if axis == 1 else x[:, 0]
    gradcheck(lambda x: ops.maxout(x, pieces, axis), [x], lambda dy, x: ops.maxout_backward(dy, x, pieces, axis))


@pytest.mark.parametrize("pieces", [0, -1, 2.0, True, "2", None])
def test_maxout_refuses_pieces(pieces):
    with pytest.raises(ValueError, match=r"maxout: pieces must be a positive whole number. Received: "):
        ops.maxout(np.ones((4, 4)), pieces)


# ------------------------------------------------------------------------------------------------ softmin and sparsemax


def test_softmin(backend):
    x = rng().normal(size=(3, 5))
    np.testing.assert_allclose(ops.softmin(x), special.softmax(-x, axis=-1), rtol=1e-14)
    np.testing.assert_allclose(ops.softmin(x, axis=0), special.softmax(-x, axis=0), rtol=1e-14)
    np.testing.assert_array_equal(ops.softmin(np.array([1000.0, -1000, INF])), [0, 1, 0])
    gradcheck(ops.softmin, [x], lambda dy, x: ops.softmin_backward(dy, ops.softmin(x)))


def projected(x):
    """The nearest probabilities: the t for which max(x - t, 0) sums to 1, by bisection."""
    t = optimize.brentq(lambda t: np.maximum(x - t, 0).sum() - 1, x.min() - 2, x.max(), xtol=1e-15, rtol=1e-15)
    return np.maximum(x - t, 0)


@pytest.mark.parametrize("spread", [1e-3, 0.1, 1, 10])
@pytest.mark.parametrize("cols", [1, 2, 7, 8, 9, 64, 3000])
def test_sparsemax_is_the_projection(spread, cols, backend):
    x = spread * rng(cols).normal(size=(4, cols)) + 5
    y = ops.sparsemax(x)
    np.testing.assert_allclose(y, [projected(row) for row in x], atol=1e-13)
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-13)
    np.testing.assert_allclose(ops.sparsemax(x.T, axis=0), y.T, atol=1e-15)


def test_sparsemax_by_hand(backend):
    x = np.array([[0.5, 0.5, -1, -INF], [3, 1, 1, 0], [0.2, 0.2, 0.2, 0.2]])
    expected = [[0.5, 0.5, 0, 0], [1, 0, 0, 0], [0.25] * 4]
    np.testing.assert_allclose(ops.sparsemax(x), expected, rtol=1e-15)
    dy = np.array([1.0, 2, 4, 8])
    np.testing.assert_allclose(
        ops.sparsemax_backward(np.tile(dy, (3, 1)), np.array(expected)),
        [[-0.5, 0.5, 0, 0], [0, 0, 0, 0], dy - 15 / 4],
        rtol=1e-15,
    )
    hopeless = np.array([[NAN, 1], [INF, 1], [-INF, -INF]])
    assert np.isnan(ops.sparsemax(hopeless)).all()
    assert np.isnan(ops.sparsemax_backward(np.ones((3, 2)), ops.sparsemax(hopeless))).all()


def test_sparsemax_of_rows_that_lose_elements_slowly():
    """Every pass drops few elements: the worst case of the search, still the same as sorting."""
    x = np.stack([np.linspace(0, 1, 5000), -np.geomspace(1e-12, 1, 5000), np.sqrt(np.arange(5000.0)) / 70])
    native = ops.sparsemax(x)
    with fastnn.use_backend("reference"):
        np.testing.assert_allclose(native, ops.sparsemax(x), atol=1e-14)


def test_gradient_of_sparsemax(backend):
    x = np.array([[0.1, 0.4, -0.5, 0.35], [2.0, 0.2, 0.1, 1.9]])
    gradcheck(ops.sparsemax, [x], lambda dy, x: ops.sparsemax_backward(dy, ops.sparsemax(x)))


# ------------------------------------------------------------------------------------------------------ gumbel-softmax


def test_gumbel_softmax_with_given_noise(backend):
    x, noise = rng().normal(size=(4, 5)), rng(1).gumbel(size=(4, 5))
    y, soft = ops.gumbel_softmax(x, 0.5, noise=noise)
    np.testing.assert_allclose(soft, special.softmax((x + noise) / 0.5, axis=-1), rtol=1e-13)
    assert y is soft
    for axis in (0, 1):
        hard, soft = ops.gumbel_softmax(x, 0.5, hard=True, noise=noise, axis=axis)
        np.testing.assert_array_equal(hard, soft == soft.max(axis=axis, keepdims=True))
        np.testing.assert_allclose(soft, special.softmax((x + noise) / 0.5, axis=axis), rtol=1e-13)
    gradcheck(
        lambda x: ops.gumbel_softmax(x, 0.7, noise=noise)[1],
        [x],
        lambda dy, x: ops.gumbel_softmax_backward(dy, ops.gumbel_softmax(x, 0.7, noise=noise)[1], 0.7),
    )


def test_gumbel_softmax_draws_from_the_categories(backend):
    probabilities = np.array([0.1, 0.2, 0.7])
    x = np.tile(np.log(probabilities), (40_000, 1))
    hard, _ = ops.gumbel_softmax(x, 1.0, hard=True, rng=5)
    assert np.abs(hard.mean(axis=0) - probabilities).max() < 5 * np.sqrt(0.25 / len(x))
    np.testing.assert_array_equal(hard, ops.gumbel_softmax(x, 1.0, hard=True, rng=5)[0])
    assert (hard != ops.gumbel_softmax(x, 1.0, hard=True, rng=6)[0]).any()


def test_gumbel_softmax_refuses():
    x = np.ones((2, 3))
    with pytest.raises(ValueError, match=r"temperature must be > 0. Received: "):
        ops.gumbel_softmax(x, 0.0)
    with pytest.raises(ValueError, match=r"expected one of noise and rng"):
        ops.gumbel_softmax(x, noise=x, rng=1)
    with pytest.raises(ValueError, match=r"noise must have the shape of x. Received: "):
        ops.gumbel_softmax(x, noise=x[:, :2])
    with pytest.raises(TypeError, match=r"hard must be True or False. Received: "):
        ops.gumbel_softmax(x, hard=1)


# --------------------------------------------------------------------------------------------------------------- rrelu


@dtypes
def test_rrelu_draws_slopes(dtype, backend):
    x = rng().normal(size=(200, 100)).astype(dtype)
    y, slopes = ops.rrelu(x, 0.125, 0.5, rng=3)
    assert y.dtype == slopes.dtype == dtype
    np.testing.assert_array_equal(y, x * slopes)
    assert (slopes[x > 0] == 1).all()
    drawn = slopes[x <= 0].astype(np.float64)
    assert drawn.min() >= 0.125 and drawn.max() <= 0.5
    assert abs(drawn.mean() - 0.3125) < 5 * 0.375 / np.sqrt(12 * drawn.size)
    assert abs(drawn.var() - 0.375**2 / 12) < 0.02 * 0.375**2 / 12
    np.testing.assert_array_equal(ops.rrelu_backward(x, slopes), x * slopes)
    np.testing.assert_array_equal(ops.rrelu(x, 0.125, 0.5, rng=3)[1], slopes)
    assert (ops.rrelu(x, 0.125, 0.5, rng=4)[1] != slopes).any()


@dtypes
def test_rrelu_draws_the_same_in_both_backends_for_any_number_of_threads(dtype):
    x = rng().normal(size=(1000, 300)).astype(dtype)
    native = ops.rrelu(x, rng=3)
    with fastnn.num_threads(3):
        assert_same_bits(ops.rrelu(x, rng=3), native)
    with fastnn.use_backend("reference"):
        assert_close(native, ops.rrelu(x, rng=3), dtype, ulps=2)


def test_rrelu_at_inference_and_with_given_slopes(backend):
    x = np.array([-2.0, 3, 0, NAN])
    y, slopes = ops.rrelu(x, 0.25, 0.75, training=False)
    np.testing.assert_array_equal(y, [-1, 3, 0, NAN])
    np.testing.assert_array_equal(slopes, [0.5, 1, 0.5, 0.5])
    y, slopes = ops.rrelu(x, slopes=np.array([0.125, 0.25, 0.5, 0.5]))
    np.testing.assert_array_equal(y[:3], [-0.25, 3, 0])
    np.testing.assert_array_equal(slopes, [0.125, 1, 0.5, 0.5])
    gradcheck(
        lambda x: ops.rrelu(x, slopes=np.array([0.1, 0.3]))[0],
        [np.array([-1.0, 2.0])],
        lambda dy, x: ops.rrelu_backward(dy, ops.rrelu(x, slopes=np.array([0.1, 0.3]))[1]),
    )


def test_rrelu_refuses():
    x = np.ones(3)
    with pytest.raises(ValueError, match=r"lower must not be above upper. Received: "):
        ops.rrelu(x, 0.5, 0.25)
    for given in ({"slopes": x}, {"training": False}):
        with pytest.raises(ValueError, match=r"rng serves only where slopes are drawn. Received: "):
            ops.rrelu(x, rng=1, **given)
    with pytest.raises(ValueError, match=r"x and slopes must have the same shape. Received: "):
        ops.rrelu(x, slopes=np.ones(2))
