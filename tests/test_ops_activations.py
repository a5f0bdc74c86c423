"""Every activation of the table, on both backends, against mpmath and values by hand (oracles.py).

Nothing here knows a formula: all tests walk the table.  Dtypes, layouts and `out` are for the contract tests.
"""

from __future__ import annotations

import math

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracles import CASE_IDS, CASES, EXACT, KINKS, LIMITS, POINTS

from fastnn import ops
from fastnn.ops.activations import ROWS
from fastnn.ops.registry import find
from fastnn.testing import gradcheck, max_ulp, special_values

names = pytest.mark.parametrize("name", EXACT)
cases = pytest.mark.parametrize(("name", "parameters"), CASES, ids=CASE_IDS)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
PIECEWISE_CONSTANT = {"binary_step", "heaviside", "sign"}


def forward(name, x, parameters=None):
    return getattr(ops, name)(x, **(parameters or {}))


def backward(name, dy, x, parameters=None):
    """The gradient from the input, whatever the row keeps."""
    kept = x if find(name).keeps == "x" else forward(name, x, parameters)
    return getattr(ops, f"{name}_backward")(dy, kept, **(parameters or {}))


def derivative(name, x, parameters=None):
    return getattr(ops, f"{name}_grad")(x, **(parameters or {}))


def in_domain(name, x, parameters):
    """The points where the activation has a value: all, but for the logarithm of a soft exponential."""
    alpha = parameters.get("alpha", 1.0)
    return x[x > 1 / alpha - alpha + 0.02] if name == "soft_exponential" and alpha < -1e-30 else x


def test_every_row_has_an_oracle():
    assert set(EXACT) == set(LIMITS) == set(ROWS)
    with_parameters = {name for name in ROWS if find(name).params}
    assert with_parameters == set(oracles.PARAMETERS)


# ------------------------------------------------------------------------------------------------------------ values


@cases
@dtypes
def test_values(name, parameters, dtype, backend):
    x = in_domain(name, np.concatenate([POINTS, [0.0]]).astype(dtype), parameters)
    exact = oracles.exact(name, x, **{key: float(dtype(value)) for key, value in parameters.items()})
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(forward(name, x, parameters), exact.astype(dtype), rtol=8 * eps, atol=8 * eps)


@names
@dtypes
def test_values_keep_their_digits_over_all_magnitudes(name, dtype, backend):
    magnitudes = np.exp2(np.linspace(-120, 100, 67)).astype(dtype)
    x = np.concatenate([-magnitudes, magnitudes])
    if name in ("sinusoid", "sinc"):
        x = x[np.abs(x) < 1e5]
    with np.errstate(all="ignore"):
        exact = oracles.exact(name, x).astype(dtype)
    normal = (np.abs(exact) >= np.finfo(dtype).tiny) | (exact == 0)
    assert max_ulp(forward(name, x)[normal], exact[normal]) <= 4


@cases
def test_derivatives(name, parameters, backend):
    x = in_domain(name, POINTS, parameters)
    exact = oracles.slope(name, x, **parameters)
    np.testing.assert_allclose(derivative(name, x, parameters), exact, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(backward(name, np.full_like(x, 3.0), x, parameters), 3 * exact, rtol=1e-13, atol=1e-15)
    single = derivative(name, x.astype(np.float32), parameters)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, exact, rtol=4e-6, atol=1e-6)


@cases
def test_gradients_against_differences(name, parameters, backend):
    x = in_domain(name, POINTS[np.abs(POINTS) < 10], parameters)
    gradcheck(lambda x: forward(name, x, parameters), [x], lambda dy, x: backward(name, dy, x, parameters))
    np.testing.assert_allclose(
        derivative(name, x, parameters), backward(name, np.ones_like(x), x, parameters), rtol=1e-13
    )


@pytest.mark.parametrize("name", [name for name in EXACT if find(name).params])
def test_parameters_matter_and_have_their_order(name, backend):
    for parameters in oracles.PARAMETERS[name]:
        values = {param.name: param.default for param in find(name).params} | parameters
        if "alpha" not in parameters or abs(parameters["alpha"]) > 1e-8:
            x = in_domain(name, POINTS, parameters)
            assert not np.array_equal(forward(name, x, parameters), forward(name, x))
        np.testing.assert_array_equal(getattr(ops, name)(POINTS, *values.values()), forward(name, POINTS, parameters))


# ---------------------------------------------------------------------------------------------------- special values


@names
@dtypes
def test_limits(name, dtype, backend):
    x = np.array([-np.inf, 0, np.inf], dtype)
    expected = np.array(LIMITS[name], dtype)
    tolerance = 2 * np.finfo(dtype).eps
    np.testing.assert_allclose(forward(name, x), expected[:3], rtol=tolerance)
    np.testing.assert_allclose(backward(name, np.ones_like(x), x), expected[3:], rtol=tolerance)
    np.testing.assert_allclose(derivative(name, x), expected[3:], rtol=tolerance)


@pytest.mark.parametrize("name", KINKS)
@dtypes
def test_kinks(name, dtype, backend):
    x, expected = (np.array(list(values), dtype) for values in (KINKS[name], KINKS[name].values()))
    np.testing.assert_array_equal(derivative(name, x), expected)
    np.testing.assert_array_equal(backward(name, np.ones_like(x), x), expected)
    for side in (-np.inf, np.inf):  # the neighbours are on a branch each
        near = np.nextafter(x, dtype(side))
        np.testing.assert_allclose(
            derivative(name, near), oracles.slope(name, x + 0.01 * np.sign(side)), rtol=0.02, atol=0.02
        )


@cases
@dtypes
def test_nan_in_nan_out(name, parameters, dtype, backend):
    nan = np.array([np.nan], dtype)
    assert np.isnan(forward(name, nan, parameters)).all()
    for x in (-7.0, -0.75, 0.0, 0.3, 7.0):
        if in_domain(name, np.array([x]), parameters).size:
            assert np.isnan(backward(name, nan, np.array([x], dtype), parameters)).all()
    slopes = derivative(name, nan, parameters)[0], backward(name, np.ones(1, dtype), nan, parameters)[0]
    values = {param.name: param.default for param in find(name).params} | parameters
    branches = (0, 1, values.get("alpha"), values.get("negative_slope"), values.get("slope"))
    piecewise_linear = {
        *("identity", "relu", "leaky_relu", "relu6", "rectifier", "threshold", "hard_shrink", "soft_shrink"),
        *("hard_tanh", "clipped_linear", "piecewise_linear"),
    }
    scaled = {"hard_sigmoid": 1 / 6, "sparse_sigmoid": 0.5}
    for slope in slopes:  # a piecewise linear one has no slope but those of its pieces
        if name in piecewise_linear:
            assert any(slope == dtype(branch) for branch in branches if branch is not None)
        else:
            assert np.isnan(slope) or slope == dtype(scaled.get(name, np.nan))


@cases
@dtypes
def test_special_values_agree_in_both_backends(name, parameters, dtype):
    import fastnn

    x = special_values(dtype)
    dy = np.linspace(-2, 2, x.size).astype(dtype)
    calls = (
        (8, lambda: forward(name, x, parameters)),
        (256, lambda: derivative(name, x, parameters)),  # of a steep sigmoid: its argument is rounded
        (256, lambda: backward(name, dy, x, parameters)),
    )
    tiny, eps = float(np.finfo(dtype).tiny), float(np.finfo(dtype).eps)
    ordinary = np.abs(x) < 1e4 if name in ("sinusoid", "sinc") else np.full(x.shape, True)
    for ulps, call in calls:
        native = call()
        with fastnn.use_backend("reference"):
            reference = call()
        np.testing.assert_allclose(native[ordinary], reference[ordinary], rtol=ulps * eps, atol=8 * tiny)
        if name in ("sinusoid", "sinc"):
            np.testing.assert_array_equal(np.isnan(native), np.isnan(reference))
            assert np.all(np.abs(native[~np.isnan(native)]) <= 2)


@names
@dtypes
def test_finite_inputs_have_finite_slopes(name, dtype, backend):
    x = special_values(dtype)
    x = x[np.isfinite(x)]
    if name in ("exponential", "soft_exponential"):
        x = x[x < 80]
    assert np.isfinite(derivative(name, x)).all()
    assert np.isfinite(backward(name, np.ones_like(x), x)).all()


@names
@dtypes
def test_signed_zeros_and_denormals(name, dtype, backend):
    zeros = np.array([0.0, -0.0], dtype)
    np.testing.assert_allclose(forward(name, zeros), [dtype(LIMITS[name][1])] * 2, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(derivative(name, zeros)[0], derivative(name, zeros)[1])
    if name in KINKS or LIMITS[name][4] == 0:
        return
    small = np.array([3e-39, -3e-39] if dtype == np.float32 else [3e-310, -3e-310], dtype)
    expected = LIMITS[name][1] + LIMITS[name][4] * small.astype(np.longdouble)
    spacing = max(float(np.finfo(dtype).smallest_subnormal), float(np.spacing(np.abs(dtype(LIMITS[name][1])))))
    np.testing.assert_allclose(forward(name, small).astype(np.longdouble), expected, rtol=0, atol=4 * spacing)


def test_piecewise_constant_ones_say_that_their_derivative_is_zero(backend):
    for name in PIECEWISE_CONSTANT:
        assert "derivative is zero" in getattr(ops, name).__doc__
        np.testing.assert_array_equal(derivative(name, POINTS), np.zeros_like(POINTS))
        np.testing.assert_array_equal(backward(name, np.full_like(POINTS, np.inf), POINTS), np.zeros_like(POINTS))


@pytest.mark.parametrize("name", ["sinusoid", "sinc"])
@dtypes
def test_angles_far_out_are_bounded(name, dtype):
    limit = 2.0**17 if dtype == np.float32 else 2.0**46
    near = np.linspace(limit * 0.999, limit, 200).astype(dtype)
    far = np.array([limit * 1.5, 1e25, np.finfo(dtype).max], dtype)
    expected = oracles.exact(name, near).astype(dtype)
    assert max_ulp(forward(name, near), expected) <= 4
    for x in (far, -far):
        assert np.all(np.abs(forward(name, x)) <= 1)
        assert np.all(np.abs(derivative(name, x)) <= 1)
    # close to a multiple of pi/2, where the reduced angle has the fewest digits
    close = np.array([k * math.pi / 2 for k in (1, 2, 3, 11, 226, 710, 80143)]).astype(dtype)
    assert max_ulp(forward(name, close), oracles.exact(name, close).astype(dtype)) <= 4


# ----------------------------------------------------------------------------------------------------- single matters


def test_gelu_has_two_forms(backend):
    x = np.linspace(-4, 4, 33)
    np.testing.assert_array_equal(ops.gelu(x, approximate=True), ops.gelu_tanh(x))
    np.testing.assert_array_equal(ops.gelu_backward(x, x, approximate=True), ops.gelu_tanh_backward(x, x))
    np.testing.assert_array_equal(ops.gelu_grad(x, approximate=True), ops.gelu_tanh_grad(x))
    np.testing.assert_array_equal(ops.gelu(x, np.bool_(False)), ops.gelu(x))
    assert not np.array_equal(ops.gelu(x), ops.gelu_tanh(x))
    # "none" is PyTorch's word for the exact form, and a true value in Python
    with pytest.raises(TypeError, match=r"approximate must be True or False. Received: approximate 'none'"):
        ops.gelu(x, approximate="none")


def test_relu_at_zero(backend):
    y, dy = np.array([-1.0, -0.0, 0.0, 2.0]), np.array([5.0, 5.0, 5.0, 5.0])
    np.testing.assert_array_equal(ops.relu_backward(dy, y), [0, 0, 0, 5])
    np.testing.assert_array_equal(ops.relu_backward(dy, y, zero_grad=1.0), [0, 5, 5, 5])
    np.testing.assert_array_equal(ops.relu_grad(y, 0.5), [0, 0.5, 0.5, 1])


def test_soft_exponential_is_continuous_in_alpha_and_nan_outside_of_its_domain(backend):
    x = np.array([-0.5, 0.25, 3.0])
    for alpha in (1e-12, -1e-12, 1e-300, -1e-300):
        np.testing.assert_allclose(ops.soft_exponential(x, alpha), x, rtol=1e-10)
        np.testing.assert_allclose(ops.soft_exponential_grad(x, alpha), 1, rtol=1e-10)
    outside = np.array([-0.1, -5.0, -np.inf])  # ln(x) for alpha = -1
    assert np.isnan(ops.soft_exponential(outside, -1.0)).all()
    assert np.isnan(ops.soft_exponential_grad(outside, -1.0)).all()
    np.testing.assert_array_equal(ops.soft_exponential(np.array([0.0, 1.0, np.inf]), -1.0), [-np.inf, 0, np.inf])


SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=15)
GRID = np.linspace(-6, 6, 241).astype(np.float32)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(list(EXACT)), st.sampled_from([np.float32, np.float64]), SHAPES)
def test_activations_of_any_shape(data, name, dtype, shape):
    seed = data.draw(st.integers(0, 2**32 - 1))
    chosen = np.random.default_rng(seed).integers(0, GRID.size, shape)
    axes = data.draw(st.permutations(range(len(shape))))
    view = GRID[chosen].astype(dtype).transpose(axes)
    actual = getattr(ops, name)(view)
    assert np.shape(actual) == view.shape
    expected = oracles.exact(name, GRID)[chosen].transpose(axes)
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-7)
