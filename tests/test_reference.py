"""The reference functions against independent oracles: mpmath, values by hand, central differences.

Optimizers, random numbers and the kernel interface are in test_reference_kernels.py.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import warnings
from pathlib import Path

import mpmath
import numpy as np
import oracles
import pytest
from mpmath import mpf

from fastnn import _native
from fastnn.reference import activations, affine, cross_entropy, kernels, losses, optimizers, random, row_losses, rows
from fastnn.testing import dense_values, gradcheck, kinks, layouts, max_ulp, shapes, special_values

ROOT = Path(__file__).parents[1]
INF = np.inf

# the parameters of a row, at their defaults
PARAMS = {"relu": (0.0,), "leaky_relu": (0.01,), "elu": (1.0,), "binary_cross_entropy": (1e-7,)}
MODULES = (
    *(activations, affine, cross_entropy, optimizers, random, rows),
    *(losses.binary, losses.distributions, losses.margins, losses.regression),
)
LOSSES = [getattr(losses, name) for name in losses.__all__ if name != "SUMMED"]
names = pytest.mark.parametrize("name", oracles.EXACT)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def exactly(f, *arrays):
    """The float64 nearest to f in 60 digits, element by element."""
    with mpmath.workdps(60):
        return np.array([float(f(*map(mpf, map(float, xs)))) for xs in zip(*arrays, strict=True)])


def forward(name, x):
    return getattr(activations, name)(x)


def backward(name, dy, x):
    """The gradient from the input, whatever the row keeps."""
    function = getattr(activations, f"{name}_backward")
    keeps = list(inspect.signature(function).parameters)[1]
    return function(dy, x if keeps == "x" else forward(name, x))


def own_functions(module):
    """The functions of a module, and for a package those of its modules."""
    inside = f"{module.__name__}."
    return [f for f in vars(module).values() if inspect.isfunction(f) and f"{f.__module__}.".startswith(inside)]


# --- activations


@names
@dtypes
def test_activation_is_exact_to_the_last_digits(name, dtype):
    """Gradients, limits, kinks and NaN: test_ops_activations.py, which runs on this backend too."""
    x = np.concatenate([dense_values(dtype, 300, -45, 45), kinks(dtype)])
    x = x[np.abs(x) < 1e30]
    with np.errstate(all="ignore"):
        expected = oracles.exact(name, x).astype(dtype)
    y = forward(name, x)
    assert y.dtype == dtype
    normal = (np.abs(expected) >= np.finfo(dtype).tiny) | (expected == 0)
    assert max_ulp(y[normal], expected[normal]) <= (1 if dtype == np.float32 else 2)
    assert max_ulp(y, expected) <= 64  # subnormal: gelu multiplies one by x


@names
def test_any_layout_dtype_and_shape(name):
    x = dense_values(np.float32, 24).reshape(4, 6)
    dy = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
    for _, other in layouts(x):
        np.testing.assert_array_equal(forward(name, other), forward(name, x))
        np.testing.assert_array_equal(backward(name, dy, other), backward(name, dy, x))
        assert forward(name, other).dtype == np.float32
    for shape in shapes():
        assert np.shape(forward(name, np.ones(shape))) == shape
    assert forward(name, np.arange(3, dtype=np.int8)).dtype == np.float32
    assert forward(name, [1, 2]).dtype == np.float64
    with pytest.raises(TypeError, match="complex128"):
        forward(name, np.ones(2, complex))


def test_parameters_of_activations():
    x = np.array([-2.0, -0.0, 0.0, 2.0])
    np.testing.assert_array_equal(activations.leaky_relu(x, alpha=0.5), [-1, 0, 0, 2])
    np.testing.assert_array_equal(activations.leaky_relu_backward(np.ones(4), x, 0.5), [0.5, 0.5, 0.5, 1])
    np.testing.assert_array_equal(activations.relu_backward(np.full(4, 3.0), x, zero_grad=0.5), [0, 1.5, 1.5, 3])
    np.testing.assert_allclose(activations.elu(x, 0.5), [0.5 * np.expm1(-2), 0, 0, 2])
    np.testing.assert_allclose(
        activations.elu_backward(np.ones(4), activations.elu(x, 0.5), 0.5), [np.exp(-2) / 2, 0.5, 0.5, 1]
    )
    np.testing.assert_array_equal(activations.elu(np.array([-INF, -1, 3]), alpha=0.0), [0, 0, 3])


# --- the package as a whole


ROW = re.compile(r"^(ACT|LOSS|OPT|ROW_LOSS)\((\w+),\s*(?:(\w+),\s*)?\(([^()]*)\)(?:,\s*\(([^()]*)\))?", re.MULTILINE)


@pytest.mark.parametrize(
    ("module", "suffix"),
    [
        *((activations, ""), (activations, "_backward"), (losses, ""), (losses, "_grad")),
        *((row_losses, ""), (row_losses, "_grad"), (optimizers, "")),
    ],
)
def test_every_row_has_its_twin(module, suffix):
    table = ROOT / "src_c" / f"{module.__name__.rpartition('.')[2]}.def"
    if not table.exists():
        pytest.skip("needs the source tree")
    found = ROW.findall(table.read_text())
    assert len(found) >= 4
    for macro, name, keeps, first, second in found:
        arguments = list(inspect.signature(getattr(module, name + suffix)).parameters)
        parameters = re.findall(r"\w+", first)
        if macro == "OPT":
            assert arguments == ["p", "g", *parameters, *re.findall(r"\w+", second)]
        elif macro == "LOSS":
            assert arguments == ["p", "t", *parameters]
            assert keeps == ("sum" if name in losses.SUMMED else "mean")
        elif macro == "ROW_LOSS":
            target = [] if keeps == "none" else ["t"]
            wanted = [*parameters, *target, *re.findall(r"\w+", second)]
            assert arguments[: len(wanted)] == wanted
            assert set(arguments[len(wanted) :]) <= {"ignore", "smoothing", "class_weight", "row_weight", "lengths"}
        elif suffix:
            assert arguments == ["dy", keeps, *parameters]
        else:
            assert arguments[0] == "x"
            assert set(arguments[1:]) <= set(parameters)


@pytest.mark.parametrize("package", ["reference", "testing"])
def test_imports_only_numpy_and_itself(package):
    import fastnn.reference

    folder = Path(fastnn.reference.__file__).parents[1] / package
    allowed = {"numpy", f"fastnn.{package}", *sys.stdlib_module_names}
    if package == "testing":  # check_layer runs the steps of a layer
        allowed |= {"fastnn.backend", "fastnn.engine"}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            imported = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                imported = [node.module or ""]
            for module in imported:
                assert {module, module.split(".")[0], ".".join(module.split(".")[:2])} & allowed, (path, module)


def test_docstrings_are_complete():
    for module in MODULES:
        for f in own_functions(module):
            if not f.__name__.startswith("_"):
                lines = inspect.getdoc(f).splitlines()
                assert {"Parameters", "Returns"} <= set(lines), f.__name__
                assert (lines[0][-1], lines[1]) == (".", ""), f.__name__
                documented = re.findall(r"^([\w, ]+) : ", inspect.getdoc(f), re.MULTILINE)
                documented = {name.strip() for entry in documented for name in entry.split(",")}
                assert set(inspect.signature(f).parameters) <= documented, f.__name__


def test_no_warnings_from_special_values():
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for dtype in (np.float32, np.float64):
            x = special_values(dtype)
            a, b = (m.reshape(-1).copy() for m in np.meshgrid(x, x))
            for f in (*own_functions(activations), *LOSSES):
                count = sum(p.default is p.empty for p in inspect.signature(f).parameters.values())
                assert f(*(a, b)[:count]).dtype == dtype
            pairs = np.stack([a, b], axis=1)
            for f in (rows.softmax, rows.log_softmax, rows.logsumexp):
                f(pairs)
            for f in (rows.softmax_backward, rows.log_softmax_backward):
                f(pairs, pairs[::-1])
            for name in ("softmax_cross_entropy", "categorical_cross_entropy", "nll", "categorical_focal"):
                for f in (getattr(row_losses, name), getattr(row_losses, f"{name}_grad")):
                    f(pairs, np.zeros(len(pairs), np.int32))
                    f(pairs, pairs[::-1])
            optimizers.regularize(a, b, 2.0, 0.1, 0.1)
            for name, slots, scalars in _native.tables()["optimizers"]:
                results = getattr(optimizers, name)(a, b, *(a, b, a)[: len(slots)], *[0.1] * len(scalars))
                assert {result.dtype for result in results} == {np.dtype(dtype)}, name
            kernels.sum_of_squares(a)


# --- losses


def test_losses_by_hand():
    p, t = np.array([3.0, 1.0, -2.0]), np.array([1.0, 1.0, 2.0])
    np.testing.assert_array_equal(losses.mse(p, t), [4, 0, 16])
    np.testing.assert_array_equal(losses.mse_grad(p, t), [4, 0, -8])
    np.testing.assert_array_equal(losses.mae(p, t), [2, 0, 4])
    np.testing.assert_array_equal(losses.mae_grad(p, t), [1, 0, -1])


@dtypes
def test_binary_cross_entropy_is_exact_and_clips_in_its_dtype(dtype):
    p, t = dense_values(dtype, 80, 0.001, 0.999)[:40], np.linspace(0, 1, 40, dtype=dtype)
    expected = exactly(lambda p, t: -(t * mpmath.log(p) + (1 - t) * mpmath.log(1 - p)), p, t)
    np.testing.assert_allclose(losses.binary_cross_entropy(p, t), expected, rtol=2 * np.finfo(dtype).eps)
    eps = dtype(1e-7)
    ends = losses.binary_cross_entropy(np.array([0, 1, 0, 1], dtype), np.array([1, 0, 0, 1], dtype))
    near = exactly(lambda q: -mpmath.log(q), [eps, dtype(1) - (dtype(1) - eps), dtype(1) - eps, dtype(1) - eps])
    near[2] = exactly(lambda q: -mpmath.log(1 - q), [eps])[0]
    np.testing.assert_allclose(ends, near, rtol=3 * np.finfo(dtype).eps)
    slopes = losses.binary_cross_entropy_grad(np.array([0, 1, 5e-8, eps, 0.5], dtype), np.ones(5, dtype))
    np.testing.assert_allclose(slopes, [0, 0, 0, -1 / eps, -2], rtol=1e-6)


def test_binary_cross_entropy_with_logits():
    p = np.array([-800.0, -30, -1, 0, 2, 40, 800] * 3)
    t = np.repeat([0.0, 0.3, 1.0], 7)
    with mpmath.workdps(400):
        exact = [mpmath.log1p(mpmath.exp(a)) - mpf(a) * mpf(b) for a, b in zip(p, t, strict=True)]
    np.testing.assert_allclose(losses.binary_cross_entropy_with_logits(p, t), np.array(exact, float), rtol=1e-15)
    np.testing.assert_allclose(
        losses.binary_cross_entropy_with_logits_grad(np.zeros(2), np.array([0.0, 1])), [0.5, -0.5]
    )


@pytest.mark.parametrize("name", ["mse", "mae", "binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_loss_gradients_against_differences(name):
    loss, slope = getattr(losses, name), getattr(losses, f"{name}_grad")
    params = {"eps": 0.1} if name == "binary_cross_entropy" else {}
    p, t = np.array([0.02, 0.15, 0.5, 0.97]), np.array([1.0, 0.3, 0.0, 1.0])
    gradcheck(lambda p: loss(p, t, **params), [p], lambda dy, p: dy * slope(p, t, **params))


# --- rows

LOGITS = np.array([[0.5, -1.0, 2.0, 0.0], [30.0, -30.0, 700.0, 699.0], [-5.0, -5.0, -5.0, -5.0]])


@dtypes
def test_softmax_family_is_exact(dtype):
    x = LOGITS.astype(dtype)
    with mpmath.workdps(400):
        e = [[mpmath.exp(mpf(float(v))) for v in row] for row in x]
        soft = np.array([[float(v / sum(row)) for v in row] for row in e]).astype(dtype)
        log = np.array([[float(mpmath.log(v / sum(row))) for v in row] for row in e]).astype(dtype)
        total = np.array([float(mpmath.log(sum(row))) for row in e]).astype(dtype)
    assert max_ulp(rows.softmax(x), soft) <= 4
    assert max_ulp(rows.log_softmax(x), log) <= 4
    assert max_ulp(rows.logsumexp(x), total) <= 2


def test_softmax_invariances():
    p = rows.softmax(LOGITS)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_array_equal(rows.softmax(LOGITS + 1024), p)
    np.testing.assert_allclose(rows.softmax(LOGITS[:, ::-1]), p[:, ::-1], rtol=1e-15)
    np.testing.assert_array_equal(rows.softmax(LOGITS.T, axis=0), p.T)
    np.testing.assert_allclose(rows.softmax_backward(np.ones_like(p), p), 0, atol=1e-16)
    np.testing.assert_allclose(rows.logsumexp(LOGITS - 7), rows.logsumexp(LOGITS) - 7)


def test_softmax_of_masked_and_infinite_rows():
    x = np.array([[-INF, 0.0, 0.0], [-INF, -INF, -INF], [INF, 0.0, 0.0], [np.nan, 0.0, 0.0]])
    np.testing.assert_array_equal(rows.softmax(x)[0], [0, 0.5, 0.5])
    assert np.isnan(rows.softmax(x)[1:]).all()
    np.testing.assert_allclose(rows.logsumexp(x), [np.log(2), -INF, INF, np.nan])
    assert rows.softmax(np.ones((3, 0))).shape == (3, 0)
    np.testing.assert_array_equal(rows.logsumexp(np.ones((2, 0))), [-INF, -INF])


def test_row_gradients_against_differences():
    x = np.random.default_rng(1).normal(size=(3, 5))
    gradcheck(rows.softmax, [x], lambda dy, x: rows.softmax_backward(dy, rows.softmax(x)))
    gradcheck(rows.log_softmax, [x], lambda dy, x: rows.log_softmax_backward(dy, rows.log_softmax(x)))
    gradcheck(rows.logsumexp, [x], lambda dy, x: dy[:, None] * rows.softmax(x))


# --- cross-entropy


def test_softmax_cross_entropy_values():
    with mpmath.workdps(400):
        e = [[mpmath.exp(mpf(float(v))) for v in row] for row in LOGITS]
        expected = [float(-mpmath.log(row[k] / sum(row))) for row, k in zip(e, [2, 0, 3], strict=True)]
    labels = np.array([2, 0, 3], np.int32)
    np.testing.assert_allclose(cross_entropy.softmax_cross_entropy(LOGITS, labels), expected, rtol=1e-14)
    np.testing.assert_allclose(cross_entropy.softmax_cross_entropy(LOGITS, np.eye(4)[labels]), expected, rtol=1e-14)
    masked = np.array([[-INF, 0.0, 0.0]])
    np.testing.assert_allclose(cross_entropy.softmax_cross_entropy(masked, np.array([[0, 0.5, 0.5]])), [np.log(2)])


def test_categorical_cross_entropy_values():
    p = np.array([[2.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    loss = cross_entropy.categorical_cross_entropy
    np.testing.assert_allclose(loss(p, np.array([0, 1])), [np.log(2), -np.log(1e-7)], rtol=1e-15)
    np.testing.assert_allclose(loss(p, np.array([[0.5, 0.5, 0], [1, 0, 0]])), [1.5 * np.log(2), 1e-7], rtol=1e-7)


TARGETS = [[3, 0, 2], [1, 2, 1], [[0.1, 0.2, 0.3, 0.4], [1.0, 2, 0, 0], [0, 0, 0, 0]]]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "categorical_cross_entropy"])
def test_cross_entropy_gradients_against_differences(name, target):
    loss, slope = getattr(cross_entropy, name), getattr(cross_entropy, f"{name}_grad")
    params = {"eps": 0.1} if name == "categorical_cross_entropy" else {}
    pred = np.array([[0.5, 0.2, 0.3, 0.7], [0.01, 0.9, 0.8, 0.3], [0.02, 0.03, 3.0, 0.01]])
    gradcheck(lambda p: loss(p, target, **params), [pred], lambda dy, p: dy[:, None] * slope(p, target, **params))


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "categorical_cross_entropy"])
def test_ignored_and_wrong_labels(name):
    loss, slope = getattr(cross_entropy, name), getattr(cross_entropy, f"{name}_grad")
    pred, labels = np.array([[0.2, 0.8], [np.nan, 0.5], [0.5, 0.5]], np.float32), np.array([0, -1, 1])
    assert loss(pred, labels, ignore=-1)[1] == 0
    assert (loss(pred, labels, ignore=-1)[[0, 2]] > 0.1).all()
    np.testing.assert_array_equal(slope(pred, labels, ignore=-1)[1], [0, 0])
    assert slope(pred, labels, ignore=-1).dtype == np.float32
    with pytest.raises(ValueError, match=r"from 0 to 1\. Received: -1"):
        loss(pred, labels)
    with pytest.raises(ValueError, match="Received: 2"):
        slope(pred, np.array([0, 2, -1]), ignore=-1)
