"""Activations with learned parameters as array functions: every row of the table, by hand and by finite differences."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest
from contract import assert_close, assert_same_bits

import fastnn
from fastnn import _native, ops
from fastnn.ops import learned
from fastnn.ops.registry import sample_arguments
from fastnn.testing import gradcheck

NAMES = [name for name, _, _ in _native.tables()["learned"]]
INF, NAN = np.inf, np.nan

rows = pytest.mark.parametrize("name", NAMES)


def rng(seed=0):
    return np.random.default_rng(seed)


def functions(name):
    return getattr(ops, name), getattr(ops, f"{name}_backward")


def parameters(name, shape, seed=0, dtype=np.float64):
    """Parameters of that shape, apart from each other and from the inputs of `inputs`, so that no kink is near."""
    row = learned.ROWS[name]
    shape = (3, *shape) if row.sums else shape
    count = len(row.params)
    return [(np.round(rng(seed + i).uniform(-0.3, 0.6, shape), 1) + 0.05).astype(dtype) for i in range(count)]


def inputs(shape, seed=1, dtype=np.float64):
    return (np.round(rng(seed).uniform(-2, 2, shape), 1) + 0.0123).astype(dtype)


# --------------------------------------------------------------------------------------------------- table and values


def test_the_table_is_what_is_public():
    assert {f"{name}{end}" for name in NAMES for end in ("", "_backward")} == set(learned.functions)
    assert "prelu" in NAMES and "apl" in NAMES
    assert {name for name, _, sums in _native.tables()["learned"] if sums} == {"apl"}


def test_values_by_hand(backend):
    x = np.array([[-2.0, 3.0], [1.0, -4.0]])
    np.testing.assert_array_equal(ops.prelu(x, np.array([0.5, 0.25])), [[-1, 3], [1, -1]])
    dx, dalpha = ops.prelu_backward(np.array([[1.0, 2], [3, 4]]), x, np.array([0.5, 0.25]))
    np.testing.assert_array_equal(dx, [[0.5, 2], [3, 1]])
    np.testing.assert_array_equal(dalpha, [-2, -16])

    x = np.array([-3.0, -1, 0.5, 2, 4])
    np.testing.assert_array_equal(ops.srelu(x, -1.0, 0.5, 2.0, 0.25), [-2, -1, 0.5, 2, 2.5])
    dx, *gradients = ops.srelu_backward(np.array([1.0, 2, 4, 8, 16]), x, -1.0, 0.5, 2.0, 0.25)
    np.testing.assert_array_equal(dx, [0.5, 1, 4, 2, 4])
    assert gradients == [1.5, -2, 18, 32]  # (1-a) dy; (x-t) dy; (1-a) dy; (x-t) dy

    x, slope, hinge = np.array([-2.0, 0.5]), np.array([0.5, -1.0]), np.array([1.0, -1.0])
    # by pieces: max(0, x) + 0.5 max(0, 1 - x) - max(0, -1 - x)
    np.testing.assert_array_equal(ops.apl(x, slope, hinge), [1.5 - 1, 0.5 + 0.25])
    dx, dslope, dhinge = ops.apl_backward(np.array([1.0, 2.0]), x, slope, hinge)
    np.testing.assert_array_equal(dx, [-0.5 + 1, 2 - 1])
    np.testing.assert_array_equal(dslope, [3 + 1, 1])
    np.testing.assert_array_equal(dhinge, [0.5 + 1, -1])

    np.testing.assert_allclose(ops.learned_swish(1.5, 2.0), 1.5 / (1 + np.exp(-3)), rtol=1e-15)
    np.testing.assert_array_equal(ops.learned_swish(np.array([-3.0, 2.0]), 0.0), [-1.5, 1])
    np.testing.assert_allclose(ops.learned_soft_exponential(1.5, 0.5), (np.exp(0.75) - 1) / 0.5 + 0.5, rtol=1e-15)
    np.testing.assert_allclose(ops.learned_soft_exponential(1.5, -1.0), np.log(1.5), rtol=1e-14)
    np.testing.assert_array_equal(ops.learned_soft_exponential(np.array([-3.0, INF]), 0.0), [-3, INF])


ALPHAS = [-1.5, -1, -0.5, -0.1, -1e-3, -1e-8, -1e-300, 0, 1e-300, 1e-9, 1e-4, 0.1, 0.5, 1, 2]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_soft_exponential_is_accurate_on_both_sides_of_zero(backend, alpha):
    """Against the formulas in many digits; at 0 against the limits."""
    xs = [x for x in (-3.0, -0.7, -1e-3, 0.0, 1e-5, 0.3, 1.0, 2.5, 6.0) if alpha >= 0 or 1 - alpha * (x + alpha) > 0.05]
    with mpmath.workdps(1000):
        a = mpmath.mpf(alpha)

        def f(x, a):
            if a == 0:
                return x
            return (mpmath.exp(a * x) - 1) / a + a if a > 0 else -mpmath.log(1 - a * (x + a)) / a

        def slope(x):
            return mpmath.exp(a * x) if a >= 0 else 1 / (1 - a * (x + a))

        def in_alpha(x):
            if a == 0:
                return x**2 / 2 + 1
            if a > 0:
                return (x * mpmath.exp(a * x)) / a - (mpmath.exp(a * x) - 1) / a**2 + 1
            inside = 1 - a * (x + a)
            return mpmath.log(inside) / a**2 + (x + 2 * a) / (a * inside)

        exact = [[float(g) for g in (f(mpmath.mpf(x), a), slope(mpmath.mpf(x)), in_alpha(mpmath.mpf(x)))] for x in xs]
    x = np.array(xs)
    y = ops.learned_soft_exponential(x, alpha)
    dx, dalpha = ops.learned_soft_exponential_backward(np.ones_like(x), x, np.full_like(x, alpha))
    for found, expected in zip((y, dx, dalpha), np.transpose(exact)):
        np.testing.assert_allclose(found, expected, rtol=4e-15, atol=4e-16)


# --------------------------------------------------------------------------------------------------------- gradients


@rows
def test_gradients_of_input_and_parameters(name, backend):
    forward, backward = functions(name)
    gradcheck(forward, [inputs((4, 5)), *parameters(name, (5,))], backward)


SHARING = [(), (1,), (5,), (3, 1), (1, 5), (2, 1, 1), (2, 1, 5), (1, 3, 1), (4, 2, 3, 5), (4, 1, 1, 1), (1, 2, 1, 5)]


@rows
@pytest.mark.parametrize("shape", SHARING, ids=str)
def test_parameters_broadcast_as_in_numpy(name, shape, backend):
    forward, backward = functions(name)
    x, given = inputs((4, 2, 3, 5)), parameters(name, shape)
    row = learned.ROWS[name]
    pieces = (slice(None),) if row.sums else ()
    full = [np.broadcast_to(p[(*pieces, *(None,) * (4 - len(shape)))], (*p.shape[: row.sums], *x.shape)) for p in given]
    np.testing.assert_array_equal(forward(x, *given), forward(x, *full))
    dy = inputs(x.shape, 7)
    dx, *gradients = backward(dy, x, *given)
    wide_dx, *wide = backward(dy, x, *full)
    np.testing.assert_array_equal(dx, wide_dx)
    for gradient, whole, p in zip(gradients, wide, given, strict=True):
        assert np.shape(gradient) == p.shape
        added = tuple(row.sums + i for i in range(4) if i < 4 - len(shape) or shape[i - 4] == 1)
        expected = whole.sum(axis=added).reshape(p.shape)
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12)


# ------------------------------------------------------------------------------------------ backends, threads, shapes


@rows
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "cols"), [(1, 1), (3, 31), (40, 33), (2, 513), (3, 5000), (1000, 3), (7, 2048)])
def test_native_is_the_reference_at_every_width(name, dtype, n, cols):
    """Short rows share a call, long ones are cut: all ways through the drivers."""
    forward, backward = functions(name)
    x, dy, given = inputs((n, cols), 2, dtype), inputs((n, cols), 3, dtype), parameters(name, (cols,), 4, dtype)
    native = [forward(x, *given), *backward(dy, x, *given)]
    with fastnn.use_backend("reference"):
        reference = [forward(x, *given), *backward(dy, x, *given)]
    assert_close(native, reference, dtype, ulps=16)


@rows
@pytest.mark.parametrize("shape", [(3000, 96), (5, 70000), (300000, 1)], ids=str)
def test_bits_do_not_depend_on_the_threads(name, shape):
    arguments = sample_arguments(f"{name}_backward", shape, np.float32)
    results = []
    for threads, _ in itertools.product((1, 2, 3), range(2)):
        with fastnn.num_threads(threads):
            results.append(getattr(ops, f"{name}_backward")(*arguments.args))
    for other in results[1:]:
        assert_same_bits(other, results[0])


@rows
def test_a_value_does_not_depend_on_its_place(name):
    forward, backward = functions(name)
    x, given = inputs((1, 1), dtype=np.float32), parameters(name, (1,), dtype=np.float32)
    expected, expected_dx = forward(x, *given), backward(x, x, *given)[0]
    for n in (1, 7, 31, 32, 33, 100, 2049):
        wide = np.tile(x, (3, n))
        many = [np.repeat(p, n, axis=-1) for p in given]
        assert (forward(wide, *many) == expected).all()
        assert (backward(wide, wide, *many)[0] == expected_dx).all()


@rows
def test_empty_and_scalar_inputs(name, backend):
    forward, backward = functions(name)
    given = parameters(name, (3,))
    assert forward(np.ones((0, 3)), *given).shape == (0, 3)
    dx, *gradients = backward(np.ones((0, 3)), np.ones((0, 3)), *given)
    assert dx.shape == (0, 3) and all((g == 0).all() and g.shape == p.shape for g, p in zip(gradients, given))
    scalars = parameters(name, ())
    assert isinstance(forward(0.7, *scalars), np.float64)
    one = forward(np.array([0.7]), *scalars)
    np.testing.assert_array_equal(one, [forward(0.7, *scalars)])


# --------------------------------------------------------------------------------------------- special values, errors


@rows
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_stays_and_infinities_have_limits(name, dtype, backend):
    forward, backward = functions(name)
    x = np.array([NAN, INF, -INF], dtype)
    given = [np.zeros((2, 3) if learned.ROWS[name].sums else 3, dtype)] * len(learned.ROWS[name].params)
    limits = {
        "prelu": [NAN, INF, 0],
        "srelu": [NAN, 0, 0],
        "learned_swish": [NAN, INF, -INF],  # half of x
        "learned_soft_exponential": [NAN, INF, -INF],
        "apl": [NAN, INF, 0],
    }
    np.testing.assert_array_equal(forward(x, *given), limits[name])
    dx, *gradients = backward(np.zeros(3, dtype), x, *given)
    assert not np.isnan(dx[1:]).any()
    assert all(not np.isnan(g[..., 1:]).any() for g in gradients)


def test_infinite_inputs_with_other_parameters(backend):
    x = np.array([INF, -INF])
    np.testing.assert_array_equal(ops.prelu(x, 0.5), [INF, -INF])
    np.testing.assert_array_equal(ops.learned_swish(x, 1.0), [INF, 0])
    np.testing.assert_array_equal(ops.learned_swish(x, -1.0), [0, -INF])
    np.testing.assert_array_equal(ops.learned_soft_exponential(x, 0.5), [INF, -2 + 0.5])
    np.testing.assert_array_equal(ops.learned_soft_exponential(x, -0.5), [INF, NAN])
    np.testing.assert_array_equal(ops.learned_soft_exponential_backward(np.ones(2), x, -0.5)[0], [0, NAN])
    dx, dalpha = ops.learned_soft_exponential_backward(np.ones(2), x, np.array([0.5, 0.5]))
    np.testing.assert_array_equal(dx, [INF, 0])
    np.testing.assert_array_equal(dalpha, [INF, 5])


@rows
def test_parameters_that_do_not_fit_are_refused(name):
    forward, backward = functions(name)
    x = np.ones((4, 3), np.float32)
    for shape in [(4,), (2, 3), (4, 3, 1), (1, 1, 1)]:
        given = parameters(name, shape)
        with pytest.raises(ValueError, match=r"must broadcast against x\. Received: "):
            forward(x, *given)
        with pytest.raises(ValueError, match=r"must broadcast against x\. Received: "):
            backward(x, x, *given)
    with pytest.raises(ValueError, match=r"dy and x must have the same shape\. Received: "):
        backward(x[:2], x, *parameters(name, (3,)))


def test_pieces_are_counted():
    x = np.ones((4, 3))
    for slope, hinge in [(np.ones((2, 3)), np.ones((3, 3))), (np.ones((33, 3)),) * 2, (np.ones((0, 3)),) * 2, (1, 1)]:
        with pytest.raises(ValueError, match=r"first axis of slope and hinge must have one length.*Received: "):
            ops.apl(x, slope, hinge)
    assert ops.apl(x, np.ones((32, 3)), np.ones((32, 1))).shape == (4, 3)


def test_a_parameter_widens_the_result_only_as_an_array():
    x = np.ones(3, np.float32)
    assert ops.prelu(x, 0.25).dtype == np.float32
    assert ops.prelu(x, np.float64(0.25)).dtype == np.float32
    assert ops.prelu(x, np.array([0.25])).dtype == np.float64
