"""Array functions of normalisation: values, gradients by differences, conventions, moving statistics, limits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import fastnn
from fastnn import ops
from fastnn.testing import gradcheck

RNG = np.random.default_rng(1)


def normalised(x, axes, eps, centred=True):
    mean = x.mean(axis=axes, keepdims=True) if centred else 0.0
    return (x - mean) / np.sqrt(np.square(x - mean).mean(axis=axes, keepdims=True) + eps)


def along(values, axis, ndim):
    shape = [1] * ndim
    shape[axis] = -1
    return values.reshape(shape)


# --------------------------------------------------------------------------------------------------------------- values


def test_batchnorm_by_hand(backend):
    x = np.array([[1.0, 10.0], [3.0, 10.0]])
    mean, variance = np.array([0.0, 1.0]), np.array([1.0, 2.0])
    y, _ = ops.batchnorm(x, [2.0, 1.0], [0.5, -1.0], mean, variance, momentum=0.75, eps=3.0)
    np.testing.assert_allclose(y, [[0.5 - 2 * 1 / 2, -1.0], [0.5 + 2 * 1 / 2, -1.0]])
    np.testing.assert_allclose(mean, [0.25 * 2, 0.75 + 0.25 * 10])
    np.testing.assert_allclose(variance, [0.75 + 0.25 * 1, 0.75 * 2])
    y, _ = ops.batchnorm(x, None, None, mean, variance, training=False, eps=0.0)
    np.testing.assert_allclose(y[:, 0], [(1 - 0.5) / 1.0, (3 - 0.5) / 1.0])


def test_batchnorm_unbiased_is_pytorchs_running_variance(backend):
    x = RNG.normal(size=(5, 3))
    mean, variance = np.zeros(3), np.ones(3)
    ops.batchnorm(x, None, None, mean, variance, momentum=0.9, unbiased=True)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * x.var(axis=0, ddof=1))
    ops.batchnorm(x[:1], None, None, mean, variance, momentum=0.0, unbiased=True)  # one sample: n - 1 is taken as 1
    np.testing.assert_allclose(variance, 0.0)


@pytest.mark.parametrize("axis", [-1, 1, 2, 0, None])
@pytest.mark.parametrize("shape", [(7, 3, 5), (33, 2, 70), (5, 4, 1), (3, 300, 2)])
def test_batchnorm_along_every_axis(axis, shape, backend):
    x = RNG.normal(2, 3, size=shape)
    if axis is None:
        gamma, beta = RNG.normal(size=(2, *shape[1:]))
        expected = normalised(x, 0, 1e-3) * gamma + beta
    else:
        gamma, beta = RNG.normal(size=(2, shape[axis]))
        others = tuple(a for a in range(3) if a != axis % 3)
        expected = normalised(x, others, 1e-3) * along(gamma, axis, 3) + along(beta, axis, 3)
    y, cache = ops.batchnorm(x, gamma, beta, axis=axis)
    np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-12)
    dx, dgamma, dbeta = ops.batchnorm_backward(np.ones_like(x), cache)
    assert (dx.shape, dgamma.shape, dbeta.shape) == (x.shape, gamma.shape, beta.shape)
    if axis is None:  # the book's: everything flat
        flat, _ = ops.batchnorm(x.reshape(len(x), -1), gamma.ravel(), beta.ravel())
        np.testing.assert_array_equal(flat.reshape(shape), y)
        again, _ = ops.batchnorm(x, gamma.ravel(), beta.ravel(), axis=None)
        np.testing.assert_array_equal(again, y)


@pytest.mark.parametrize("axis", [-1, 1, 2])
@pytest.mark.parametrize("shape", [(2, 6, 6), (9, 12, 30), (3, 6, 6, 6), (2, 6, 300)])
def test_groupnorm(axis, shape, backend):
    x = RNG.normal(2, 3, size=shape)
    channels, at = shape[axis], axis % len(shape)
    gamma, beta = RNG.normal(size=(2, channels))
    y, _ = ops.groupnorm(x, 3, gamma, beta, axis=axis, eps=1e-2)
    split = x.reshape(*shape[:at], 3, channels // 3, *shape[at + 1 :])
    others = tuple(a for a in range(1, split.ndim) if a != at)
    expected = normalised(split, others, 1e-2).reshape(shape) * along(gamma, at, x.ndim) + along(beta, at, x.ndim)
    np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-12)
    y, _ = ops.instancenorm(x, gamma, beta, axis=axis, eps=1e-2)
    others = tuple(a for a in range(1, x.ndim) if a != at)
    expected = normalised(x, others, 1e-2) * along(gamma, at, x.ndim) + along(beta, at, x.ndim)
    np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), (0, 2), (2, 0), (0, 1, 2)])
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 50, 70)])
def test_rows(axis, shape, backend):
    x = RNG.normal(1, 2, size=shape)
    axes = tuple(sorted(a % 3 for a in (axis if isinstance(axis, tuple) else (axis,))))
    affine = tuple(shape[a] for a in axes)
    gamma, beta = RNG.normal(size=(2, *affine))
    wide = [n if a in axes else 1 for a, n in enumerate(shape)]
    y, _ = ops.layernorm(x, gamma, beta, axis=axis)
    expected = normalised(x, axes, 1e-3) * gamma.reshape(wide) + beta.reshape(wide)
    np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-12)
    y, _ = ops.rmsnorm(x, gamma, axis=axis)
    np.testing.assert_allclose(y, normalised(x, axes, 1e-6, False) * gamma.reshape(wide), rtol=1e-11)
    y, _ = ops.unit_normalize(x, axis=axis)
    np.testing.assert_allclose(y, x / np.sqrt(np.square(x).sum(axis=axes, keepdims=True)), rtol=1e-12)


def test_unit_normalize_of_nothing(backend):
    y, cache = ops.unit_normalize(np.zeros((2, 3)))
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_allclose(ops.unit_normalize_backward(np.ones((2, 3)), cache), 1e12)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9, 30])
def test_lrn_by_hand(size, backend):
    x, dy = RNG.normal(size=(2, 2, 7))
    alpha, beta, k = 0.7, 0.6, 1.3
    y, cache = ops.lrn(x, size, alpha, beta, k)
    for r in range(2):
        for c in range(7):
            seen = [j for j in range(7) if c - size // 2 <= j <= c + (size - 1) // 2]
            base = k + alpha / size * mpmath.fsum(x[r, j] ** 2 for j in seen)
            assert abs(y[r, c] - x[r, c] * base**-beta) < 1e-14
    gradcheck(
        lambda x: ops.lrn(x, size, alpha, beta, k)[0], [x], lambda dy, x: ops.lrn_backward(dy, cache), dy=dy, rtol=1e-5
    )


def test_lrn_of_many_channels(backend):
    """More than a kernel takes at once, and a window wider than that."""
    x, dy = RNG.normal(size=(2, 1, 5000))
    for size in (5, 4001, 20000):
        y, cache = ops.lrn(x, size, 2.0)
        squares = np.concatenate([[0], np.cumsum(x[0] ** 2)])
        low = np.maximum(np.arange(5000) - size // 2, 0)
        high = np.minimum(np.arange(5000) + (size - 1) // 2 + 1, 5000)
        base = 1 + 2.0 / size * (squares[high] - squares[low])
        np.testing.assert_allclose(y[0], x[0] * base**-0.75, rtol=1e-10)
        pulls = np.concatenate([[0], np.cumsum(dy[0] * x[0] * base**-1.75)])
        low = np.maximum(np.arange(5000) - (size - 1) // 2, 0)
        high = np.minimum(np.arange(5000) + size // 2 + 1, 5000)
        expected = dy[0] * base**-0.75 - 2 * 2.0 / size * 0.75 * x[0] * (pulls[high] - pulls[low])
        np.testing.assert_allclose(ops.lrn_backward(dy, cache)[0], expected, rtol=1e-8, atol=1e-10)


# ------------------------------------------------------------------------------------------------------------ gradients

GRADIENTS = [
    ("batchnorm", {}, (4, 3)),
    ("batchnorm", {"axis": 1}, (3, 4, 2)),
    ("batchnorm", {"axis": None}, (4, 2, 3)),
    ("batchnorm", {"axis": 0}, (3, 4)),
    ("groupnorm", {"groups": 2}, (2, 3, 4)),
    ("groupnorm", {"groups": 2, "axis": 1}, (2, 4, 3)),
    ("instancenorm", {}, (2, 5, 3)),
    ("instancenorm", {"axis": 1, "eps": 1e-5}, (2, 3, 5)),
    ("layernorm", {}, (3, 5)),
    ("layernorm", {"axis": (0, 2)}, (3, 2, 4)),
    ("rmsnorm", {"axis": (1, 2)}, (2, 3, 4)),
    ("rmsnorm", {"axis": 0}, (5, 2)),
]


def affine_shape(name, kwargs, shape):
    axis = kwargs.get("axis", -1)
    if axis is None:
        return shape[1:]
    return tuple(shape[a] for a in (axis if isinstance(axis, tuple) else (axis,)))


@pytest.mark.parametrize(("name", "kwargs", "shape"), GRADIENTS, ids=str)
def test_gradients(name, kwargs, shape, backend):
    forward, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
    affine = affine_shape(name, kwargs, shape)
    inputs = [RNG.normal(size=s) for s in (shape, affine, affine)][: 2 if name == "rmsnorm" else 3]

    def call(*arrays):
        first, *rest = arrays
        keywords = dict(kwargs)
        return forward(first, *([keywords.pop("groups")] if "groups" in keywords else []), *rest, **keywords)

    gradcheck(lambda *a: call(*a)[0], inputs, lambda dy, *a: backward(dy, call(*a)[1]), rtol=1e-5)


def test_gradient_at_fixed_statistics(backend):
    inputs = [RNG.normal(size=s) for s in ((4, 3), (3,), (3,))]
    mean, variance = RNG.normal(size=3), RNG.uniform(0.5, 2, 3)

    def call(*arrays):
        return ops.batchnorm(*arrays, mean, variance, training=False)

    gradcheck(lambda *a: call(*a)[0], inputs, lambda dy, *a: ops.batchnorm_backward(dy, call(*a)[1]), rtol=1e-6)


def test_gradient_of_unit_normalize(backend):
    x = RNG.normal(size=(3, 4))
    gradcheck(
        lambda x: ops.unit_normalize(x)[0], [x],
        lambda dy, x: ops.unit_normalize_backward(dy, ops.unit_normalize(x)[1]), rtol=1e-5,
    )  # fmt: skip


def test_only_what_was_given_has_a_gradient(backend):
    x = RNG.normal(size=(4, 3))
    assert ops.batchnorm_backward(x, ops.batchnorm(x)[1])[1:] == (None, None)
    _, dgamma, dbeta = ops.batchnorm_backward(x, ops.batchnorm(x, None, np.zeros(3))[1])
    assert dgamma is None
    np.testing.assert_allclose(dbeta, x.sum(axis=0))
    _, dgamma, dbeta = ops.layernorm_backward(x, ops.layernorm(x, np.ones(3))[1])
    assert dbeta is None and dgamma.shape == (3,)


# --------------------------------------------------------------------------------------------------- precision, limits


@pytest.mark.parametrize("shape", [(4096, 3), (4096, 48), (300, 700), (64, 5, 31)])
def test_float32_far_from_zero(shape, backend):
    """Rounding of the input is the input's; nothing of what is left of it may be lost."""
    x = (1e4 + 1e-2 * RNG.normal(size=shape)).astype(np.float32)
    axis = 1 if len(shape) == 3 else -1
    others = (0, 2) if len(shape) == 3 else 0
    y, cache = ops.batchnorm(x, eps=0.0, axis=axis)
    expected = normalised(x.astype(np.float64), others, 0.0)
    np.testing.assert_allclose(y, expected, atol=2e-6 * np.abs(expected).max())
    dy = RNG.normal(size=shape).astype(np.float32)
    dx = ops.batchnorm_backward(dy, cache)[0]
    exact = ops.batchnorm_backward(dy.astype(np.float64), ops.batchnorm(x.astype(np.float64), eps=0.0, axis=axis)[1])[0]
    np.testing.assert_allclose(dx, exact, atol=1e-5 * np.abs(exact).max())
    y, _ = ops.instancenorm(x, eps=1e-7) if len(shape) == 3 else ops.layernorm(x, eps=1e-7)
    expected = normalised(x.astype(np.float64), 1 if len(shape) == 3 else -1, 1e-7)
    np.testing.assert_allclose(y, expected, atol=2e-6 * np.abs(expected).max())


def test_constant_channels_and_one_sample(backend):
    y, cache = ops.batchnorm(np.full((5, 3), 7.0, np.float32), None, np.float32([1, 2, 3]))
    np.testing.assert_array_equal(y, np.tile(np.float32([1, 2, 3]), (5, 1)))
    y, cache = ops.batchnorm(np.float32([[1, 2, 3]]))
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_allclose(ops.batchnorm_backward(np.ones((1, 3), np.float32), cache)[0], 0, atol=1e-5)


@pytest.mark.parametrize("name", ["batchnorm", "instancenorm", "layernorm", "rmsnorm", "unit_normalize", "lrn"])
def test_nan_stays_in_its_statistics(name, backend):
    x = RNG.normal(size=(3, 4, 5))
    x[1, 2, 3] = np.nan
    y, _ = getattr(ops, name)(x)
    touched = {
        "batchnorm": np.s_[:, :, 3], "instancenorm": np.s_[1, :, 3], "lrn": np.s_[1, 2, 1:],
    }.get(name, np.s_[1, 2])  # fmt: skip
    bad = np.zeros(x.shape, bool)
    bad[touched] = True
    np.testing.assert_array_equal(np.isnan(y), bad)


def test_no_samples_leave_moving_statistics_alone(backend):
    mean, variance = np.ones(3), np.full(3, 2.0)
    y, cache = ops.batchnorm(np.empty((0, 3)), np.ones(3), np.ones(3), mean, variance)
    assert y.shape == (0, 3)
    np.testing.assert_array_equal([mean, variance], [[1] * 3, [2] * 3])
    dx, dgamma, dbeta = ops.batchnorm_backward(np.empty((0, 3)), cache)
    assert dx.shape == (0, 3)
    np.testing.assert_array_equal([dgamma, dbeta], 0)


def test_moving_statistics_of_any_layout_and_dtype(backend):
    x = RNG.normal(size=(8, 4)).astype(np.float32)
    buffer = np.zeros((4, 2))
    variance = np.ones(4, np.float64)
    ops.batchnorm(x, None, None, buffer[:, 1], variance, momentum=0.5)
    np.testing.assert_allclose(buffer[:, 1], 0.5 * x.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_array_equal(buffer[:, 0], 0)
    y, _ = ops.batchnorm(x, None, None, buffer[:, 1], variance, training=False)
    assert y.dtype == np.float32  # moving statistics do not widen


def test_bits_do_not_depend_on_the_threads():
    for shape, axis in (((5000, 33), -1), ((5000, 3), -1), ((40, 16, 500), 1), ((50, 2000), -1), ((70, 3000), -1)):
        x, dy = RNG.normal(size=(2, *shape)).astype(np.float32)
        results = []
        for threads in (1, 2, 3, 8):
            with fastnn.num_threads(threads):
                y, cache = ops.batchnorm(x, axis=axis)
                z, other = ops.layernorm(x, np.ones(shape[-1], np.float32), np.ones(shape[-1], np.float32))
                results.append([y, *ops.batchnorm_backward(dy, cache)[:1], z, *ops.layernorm_backward(dy, other)])
        for result in results[1:]:
            for one, two in zip(results[0], result):
                np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ops.batchnorm(x[0]),
        lambda x: ops.batchnorm(x, np.ones(4)),
        lambda x: ops.batchnorm(x, axis=2),
        lambda x: ops.batchnorm(x, axis=1.5),
        lambda x: ops.batchnorm(x, momentum=2),
        lambda x: ops.batchnorm(x, eps=-1),
        lambda x: ops.batchnorm(x, training="yes"),
        lambda x: ops.batchnorm(x, training=False),
        lambda x: ops.batchnorm(x, None, None, np.zeros(3)),
        lambda x: ops.batchnorm(x, None, None, np.zeros(3, int), np.ones(3, int)),
        lambda x: ops.batchnorm(x, None, None, [0.0] * 3, [1.0] * 3),
        lambda x: ops.batchnorm(x, None, None, *[np.zeros(3)] * 2),
        lambda x: ops.batchnorm_backward(x, None),
        lambda x: ops.batchnorm_backward(x[:1], ops.batchnorm(x)[1]),
        lambda x: ops.groupnorm(x, 2),
        lambda x: ops.groupnorm(x, 0),
        lambda x: ops.groupnorm(x, 1, axis=0),
        lambda x: ops.layernorm(x, axis=(0, -2)),
        lambda x: ops.layernorm(x, axis=()),
        lambda x: ops.layernorm_backward(x, ops.batchnorm(x)[1]),
        lambda x: ops.lrn(x, 0),
        lambda x: ops.lrn(x, k=0.0),
        lambda x: ops.lrn_backward(x, ops.layernorm(x)[1]),
    ],
)
def test_errors_say_what_was_expected(call):
    with pytest.raises((TypeError, ValueError), match=r"Received: "):
        call(RNG.normal(size=(2, 3)))


@pytest.mark.parametrize("eps", [1e-12, 1e-5, 1e-3, 1 / 49])
def test_unit_normalize_below_eps_divides_by_eps(eps, backend):
    x = np.array([[0.6, 0.6, 0.1]]) * eps
    _, cache = ops.unit_normalize(x, eps=eps)
    np.testing.assert_allclose(
        ops.unit_normalize_backward(np.ones((1, 3)), cache), np.full((1, 3), 1 / eps), rtol=1e-12
    )


def test_instancenorm_without_channels():
    assert ops.instancenorm(np.zeros((3, 0), np.float32))[0].shape == (3, 0)
