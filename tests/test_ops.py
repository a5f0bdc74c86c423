"""Values of fastnn.ops: against hand-computed numbers, other formulas in double precision, and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from fastnn import ops
from fastnn.ops.registry import find, operations
from fastnn.testing import gradcheck

ACTIVATIONS = operations("activation")
RECEIVED = "Received: "


def rng(seed=0):
    return np.random.default_rng(seed)


def away_from_kinks(shape, seed=0):
    x = rng(seed).uniform(0.05, 3, shape)
    return x * rng(seed + 1).choice([-1.0, 1.0], shape)


# ------------------------------------------------------------------------------------------------------ activations


def oracle(name, x):
    """The activations by other means than the package's."""
    return {
        "identity": lambda: x,
        "relu": lambda: (x + np.abs(x)) / 2,
        "leaky_relu": lambda: np.maximum(x, 0.01 * x),
        "elu": lambda: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
        "sigmoid": lambda: special.expit(x),
        "tanh": lambda: 2 * special.expit(2 * x) - 1,
        "softplus": lambda: np.logaddexp(0, x),
        "silu": lambda: x * special.expit(x),
        "gelu": lambda: x * special.ndtr(x),
        "gelu_tanh": lambda: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    }[name]()


@pytest.mark.parametrize("name", [op.name for op in ACTIVATIONS])
def test_activation_values(name, backend):
    x = np.concatenate([np.linspace(-6, 6, 121), [0.0]])
    np.testing.assert_allclose(getattr(ops, name)(x), oracle(name, x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [op.name for op in ACTIVATIONS])
def test_activation_gradients(name, backend):
    forward, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
    keeps_x = find(name).keeps == "x"
    x = away_from_kinks((4, 5))
    gradcheck(forward, [x], lambda dy, x: backward(dy, x if keeps_x else forward(x)))
    np.testing.assert_allclose(
        getattr(ops, f"{name}_grad")(x), backward(np.ones_like(x), x if keeps_x else forward(x)), rtol=1e-13
    )


@pytest.mark.parametrize(("name", "parameters"), [("elu", {"alpha": 0.3}), ("leaky_relu", {"alpha": 0.25})])
def test_parameters_reach_forward_and_backward(name, parameters, backend):
    forward, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
    keeps_x = find(name).keeps == "x"
    x = away_from_kinks((3, 4))
    assert not np.allclose(forward(x, **parameters), forward(x))
    gradcheck(
        lambda x: forward(x, **parameters),
        [x],
        lambda dy, x: backward(dy, x if keeps_x else forward(x, **parameters), **parameters),
    )


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


def test_chains_in_place(backend):
    x = rng().normal(size=(8, 4)).astype(np.float32)
    expected = np.tanh(np.maximum(x, 0).astype(np.float64))
    assert ops.tanh(ops.relu(x, out=x), out=x) is x
    np.testing.assert_allclose(x, expected, rtol=3e-7)


# ---------------------------------------------------------------------------------------------------------- softmax


@pytest.mark.parametrize("axis", [-1, 0, 1, -3])
def test_softmax_family_along_any_axis(axis, backend):
    x = rng().normal(size=(3, 4, 5)) * 5
    np.testing.assert_allclose(ops.softmax(x, axis), special.softmax(x, axis), rtol=1e-13)
    np.testing.assert_allclose(ops.log_softmax(x, axis), special.log_softmax(x, axis), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(ops.logsumexp(x, axis), special.logsumexp(x, axis), rtol=1e-13)
    gradcheck(lambda x: ops.softmax(x, axis), [x], lambda dy, x: ops.softmax_backward(dy, ops.softmax(x, axis), axis))
    gradcheck(
        lambda x: ops.log_softmax(x, axis),
        [x],
        lambda dy, x: ops.log_softmax_backward(dy, ops.log_softmax(x, axis), axis),
    )


def test_softmax_of_large_and_masked_logits(backend):
    x = np.array([[1e4, 1e4, -np.inf], [0.0, -1e4, -1e4]], np.float32)
    np.testing.assert_array_equal(ops.softmax(x), [[0.5, 0.5, 0], [1, 0, 0]])
    np.testing.assert_array_equal(ops.log_softmax(x)[1], [0, -1e4, -1e4])
    np.testing.assert_allclose(ops.logsumexp(x), [1e4 + math.log(2), 0])
    assert ops.logsumexp(np.full((2, 3), -np.inf)).tolist() == [-np.inf, -np.inf]


def test_logsumexp_of_nothing_and_of_one_row(backend):
    assert ops.logsumexp(np.empty((2, 0))).tolist() == [-np.inf, -np.inf]
    value = ops.logsumexp(np.zeros(4, np.float32))
    assert isinstance(value, np.float32)
    assert value == np.float32(math.log(4))


@pytest.mark.parametrize("function", [ops.softmax, ops.log_softmax, ops.logsumexp])
def test_axis_is_checked(function):
    x = np.zeros((2, 3))
    for axis, error in ((2, ValueError), (-3, ValueError), (0.0, TypeError), (None, TypeError), (True, TypeError)):
        with pytest.raises(error, match=RECEIVED):
            function(x, axis)
    with pytest.raises(ValueError, match=f"at least one dimension. {RECEIVED}"):
        function(1.0)


# ------------------------------------------------------------------------------------------------------------ dense


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("flip_a", [False, True])
@pytest.mark.parametrize("flip_b", [False, True])
@pytest.mark.parametrize("view", [False, True])
def test_matmul_in_all_transpositions(dtype, flip_a, flip_b, view, backend):
    a, b = rng(1).normal(size=(5, 7)).astype(dtype), rng(2).normal(size=(7, 3)).astype(dtype)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    left = np.ascontiguousarray(a.T) if flip_a else a
    right = np.ascontiguousarray(b.T) if flip_b else b
    if view:  # the same matrices as transposed views
        left, right = np.asfortranarray(left), np.asfortranarray(right)
    actual = ops.matmul(left, right, flip_a, flip_b)
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual, expected, atol=20 * np.finfo(dtype).eps)


def test_matmul_of_vectors(backend):
    a, b = rng(1).normal(size=(4, 3)), rng(2).normal(size=3)
    np.testing.assert_allclose(ops.matmul(a, b), a @ b)
    np.testing.assert_allclose(ops.matmul(b, a, transpose_b=True), b @ a.T)
    assert isinstance(ops.matmul(b, b), np.float64)
    np.testing.assert_allclose(ops.matmul(b, b), b @ b)


def test_matmul_over_nothing(backend):
    out = np.full((2, 3), np.nan)
    np.testing.assert_array_equal(ops.matmul(np.empty((2, 0)), np.empty((0, 3)), out=out), np.zeros((2, 3)))
    assert ops.matmul(np.empty((0, 4)), np.empty((4, 3))).shape == (0, 3)


def test_matmul_refuses():
    a = np.zeros((2, 3))
    with pytest.raises(ValueError, match=rf"inner dimensions.*{RECEIVED}a float64 \(2, 3\), b float64 \(2, 3\)"):
        ops.matmul(a, a)
    with pytest.raises(ValueError, match=RECEIVED):
        ops.matmul(np.zeros((1, 2, 3)), a)
    with pytest.raises(ValueError, match=RECEIVED):
        ops.matmul(2.0, a)
    with pytest.raises(TypeError, match=RECEIVED):
        ops.matmul(a, a, transpose_b=1)


def test_dimensions_beyond_blas_are_refused():
    long = np.broadcast_to(np.float32(0), (2**31, 1))
    with pytest.raises(ValueError, match=r"no dimension may exceed 2147483647. Received: "):
        ops.matmul(long, np.zeros((1, 1), np.float32))


@pytest.mark.parametrize("layout", ["io", "oi"])
@pytest.mark.parametrize("activation", [None, "relu", "tanh", "gelu", "elu", "leaky_relu"])
@pytest.mark.parametrize("lead", [(6,), (), (2, 3)])
def test_affine(layout, activation, lead, backend):
    x, W, b = rng(1).normal(size=(*lead, 4)), rng(2).normal(size=(4, 3)), rng(3).normal(size=3)
    weights = W if layout == "io" else np.ascontiguousarray(W.T)
    expected = x @ W + b
    if activation:
        expected = getattr(ops, activation)(expected)
    actual = ops.affine(x, weights, b, activation, w_layout=layout)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ops.affine(x, weights, w_layout=layout), x @ W, rtol=1e-12, atol=1e-13)
    out = np.empty(np.shape(expected))
    assert ops.affine(x, weights, b, activation, out, layout) is out
    np.testing.assert_array_equal(out, actual)


@pytest.mark.parametrize("layout", ["io", "oi"])
@pytest.mark.parametrize("lead", [(6,), (), (2, 3)])
def test_affine_gradients(layout, lead, backend):
    W = rng(2).normal(size=(4, 3) if layout == "io" else (3, 4))
    gradcheck(
        lambda x, W, b: ops.affine(x, W, b, w_layout=layout),
        [rng(1).normal(size=(*lead, 4)), W, rng(3).normal(size=3)],
        lambda dy, x, W, b: ops.affine_backward(dy, x, W, w_layout=layout),
        names=("x", "W", "b"),
    )


def test_affine_gradients_through_an_activation(backend):
    def backward(dy, x, W, b):
        y = ops.affine(x, W, b, "tanh")
        return ops.affine_backward(ops.tanh_backward(dy, y), x, W)

    gradcheck(
        lambda x, W, b: ops.affine(x, W, b, "tanh"),
        [rng(1).normal(size=(5, 4)), rng(2).normal(size=(4, 3)), rng(3).normal(size=3)],
        backward,
    )


def test_affine_backward_into_buffers(backend):
    dy, x, W = rng(1).normal(size=(5, 3)), rng(2).normal(size=(5, 4)), rng(3).normal(size=(4, 3))
    dW, db = np.full((4, 3), np.nan), np.full(3, np.nan)
    dx, dW_out, db_out = ops.affine_backward(dy, x, W, need_dx=False, dW=dW, db=db)
    assert dx is None
    assert dW_out is dW
    assert db_out is db
    np.testing.assert_allclose(dW, x.T @ dy)
    np.testing.assert_allclose(db, dy.sum(0))
    ops.affine_backward(dy, x, W, need_dx=False, dW=dW, db=db, accumulate=True)
    np.testing.assert_allclose(dW, 2 * x.T @ dy)
    np.testing.assert_allclose(db, 2 * dy.sum(0))
    strided = np.ones((8, 6))[::2, ::2]  # accumulation reads what is there, in any layout
    ops.affine_backward(dy, x, W, need_dx=False, dW=strided, db=db, accumulate=True)
    np.testing.assert_allclose(strided, 1 + x.T @ dy)


def test_affine_backward_without_samples(backend):
    dW, db = np.ones((4, 3)), np.ones(3)
    dx, _, _ = ops.affine_backward(np.empty((0, 3)), np.empty((0, 4)), np.ones((4, 3)), dW=dW, db=db, accumulate=True)
    assert dx.shape == (0, 4)
    assert dW.sum() == 12
    ops.affine_backward(np.empty((0, 3)), np.empty((0, 4)), np.ones((4, 3)), dW=dW, db=db)
    assert dW.sum() == db.sum() == 0


def test_affine_refuses():
    x, W, b = np.zeros((2, 4)), np.zeros((4, 3)), np.zeros(3)
    with pytest.raises(ValueError, match=r"Did you mean 'relu'.*Received: 'rleu'"):
        ops.affine(x, W, b, "rleu")
    with pytest.raises(ValueError, match=r"w_layout.*Received: 'oo'"):
        ops.affine(x, W, b, w_layout="oo")
    with pytest.raises(ValueError, match=rf"W of layout 'oi'. {RECEIVED}x float64 \(2, 4\), W float64 \(4, 3\)"):
        ops.affine(x, W, b, w_layout="oi")
    with pytest.raises(ValueError, match=rf"b must have shape \(3,\). {RECEIVED}b float64 \(4,\)"):
        ops.affine(x, W, np.zeros(4))
    for bad in ({"accumulate": True}, {"accumulate": True, "dW": W.copy()}, {"dW": np.zeros((3, 4))}, {"db": W}):
        with pytest.raises(ValueError, match=RECEIVED):
            ops.affine_backward(np.zeros((2, 3)), x, W, **bad)
    memory = np.zeros(12)
    with pytest.raises(ValueError, match="dW and db must not share memory"):
        ops.affine_backward(np.zeros((2, 3)), x, W, dW=memory.reshape(4, 3), db=memory[:3])
    dW = np.ones((4, 3))
    with pytest.raises(TypeError, match="db must have dtype float64"):
        ops.affine_backward(np.zeros((2, 3)), x, W, dW=dW, db=np.zeros(3, np.float32))
    assert dW.sum() == 12  # nothing was written before everything was checked


def test_bias_add_and_column_sums(backend):
    x, b = rng(1).normal(size=(2, 5, 3)), rng(2).normal(size=3)
    np.testing.assert_array_equal(ops.bias_add(x, b), x + b)
    np.testing.assert_allclose(ops.column_sums(x), x.sum(axis=(0, 1)), rtol=1e-13)
    copy = x.copy()
    assert ops.bias_add(copy, b, out=copy) is copy
    np.testing.assert_array_equal(copy, x + b)


# ------------------------------------------------------------------------------------------ element-wise losses


def test_losses_by_hand(backend):
    p, t = np.array([[0.5, 1.0], [2.0, -1.0]]), np.array([[0.0, 1.0], [1.0, 1.0]])
    assert ops.mse(p, t) == (0.25 + 0 + 1 + 4) / 4
    assert ops.mse(p, t, reduction="sum") == 5.25
    np.testing.assert_array_equal(ops.mse(p, t, reduction="none"), [[0.25, 0], [1, 4]])
    assert ops.mae(p, t) == (0.5 + 0 + 1 + 2) / 4
    np.testing.assert_array_equal(ops.mse_backward(p, t), [[0.25, 0], [0.5, -1]])
    np.testing.assert_array_equal(ops.mse_backward(p, t, scale=0.5), [[0.5, 0], [1, -2]])
    np.testing.assert_array_equal(ops.mae_backward(p, t, scale=1), [[1, 0], [1, -1]])
    q = np.array([0.25, 0.5])
    assert ops.binary_cross_entropy(q, np.array([1.0, 0.0])) == pytest.approx((math.log(4) + math.log(2)) / 2)
    assert ops.binary_cross_entropy_with_logits(np.zeros(3), np.array([0, 1, 1])) == pytest.approx(math.log(2))


def test_binary_cross_entropy_is_clipped_and_the_logits_form_is_not(backend):
    assert ops.binary_cross_entropy(np.array([0.0]), np.array([1.0])) == pytest.approx(-math.log(1e-7))
    assert ops.binary_cross_entropy(np.array([0.0]), np.array([1.0]), eps=1e-3) == pytest.approx(-math.log(1e-3))
    assert ops.binary_cross_entropy_with_logits(np.array([-1000.0]), np.array([1.0])) == 1000
    with pytest.raises(ValueError, match=r"eps must be >= 0 and < 0.5. Received: eps 0.5"):
        ops.binary_cross_entropy(np.array([0.0]), np.array([1.0]), eps=0.5)


@pytest.mark.parametrize("name", ["mse", "mae", "binary_cross_entropy", "binary_cross_entropy_with_logits"])
@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (2, 3, 4)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_loss_gradients(name, shape, reduction, backend):
    loss, backward, both = (getattr(ops, name + suffix) for suffix in ("", "_backward", "_with_grad"))
    p = rng(1).uniform(0.1, 0.9, shape)
    t = (p + rng(2).choice([-0.5, 0.5], shape) > 0.5).astype(float)
    scale = {"mean": None, "sum": 1.0, "none": 1.0}[reduction]
    gradcheck(lambda p: loss(p, t, reduction=reduction), [p], lambda dy, p: dy * backward(p, t, scale=scale))
    value, grad = both(p, t, reduction=reduction)
    np.testing.assert_allclose(value, loss(p, t, reduction=reduction), rtol=1e-14)
    np.testing.assert_allclose(grad, backward(p, t, scale=scale), rtol=1e-14)
    assert isinstance(value, float) if reduction != "none" else value.shape == shape


def test_reduced_losses_are_python_floats_and_sum_in_double():
    p = np.full(2**20, np.float32(0.1))
    value = ops.mse(p, np.zeros_like(p))
    assert type(value) is float
    assert value == pytest.approx(float(np.float32(0.1) * np.float32(0.1)), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_integer_targets_do_not_widen(dtype, backend):
    p, t = rng().uniform(0.1, 0.9, (4, 3)).astype(np.float32), rng(1).integers(0, 2, (4, 3))
    grad = ops.binary_cross_entropy_backward(p, t.astype(dtype))
    assert grad.dtype == np.float32
    np.testing.assert_array_equal(grad, ops.binary_cross_entropy_backward(p, t.astype(np.float32)))
    assert ops.mse_backward(p, t.astype(np.float64)).dtype == np.float64


def test_reductions_are_checked():
    p = np.zeros(3)
    with pytest.raises(ValueError, match=r"Did you mean 'mean'.*Received: 'meen'"):
        ops.mse(p, p, reduction="meen")
    assert ops.mse(p[:0], p[:0]) == 0
    assert ops.mse(p[:0], p[:0], reduction="none").shape == (0,)


# --------------------------------------------------------------------------------------------------- cross-entropy


def one_hot(labels, classes):
    return np.eye(classes)[labels]


@pytest.fixture
def classes():
    logits = rng(5).normal(size=(6, 4)) * 3
    return logits, np.array([0, 3, 1, 1, 2, 0])


def test_cross_entropy_against_scipy(classes, backend):
    logits, labels = classes
    expected = -special.log_softmax(logits, axis=1)[np.arange(6), labels]
    loss, probs = ops.softmax_cross_entropy(logits, labels)
    assert type(loss) is float
    assert loss == pytest.approx(expected.mean(), rel=1e-13)
    np.testing.assert_allclose(probs, special.softmax(logits, axis=1), rtol=1e-13)
    assert ops.softmax_cross_entropy(logits, labels, reduction="sum")[0] == pytest.approx(expected.sum(), rel=1e-13)
    np.testing.assert_allclose(ops.softmax_cross_entropy(logits, labels, reduction="none")[0], expected, rtol=1e-12)
    assert ops.cross_entropy(probs, labels) == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize(
    "dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, ">i4"]
)
@pytest.mark.parametrize("form", ["labels", "column", "one-hot", "reversed"])
def test_targets_in_every_form(classes, dtype, form, backend):
    logits, labels = classes
    expected = ops.softmax_cross_entropy(logits, labels)[0]
    given = labels.astype(dtype)
    given = {
        "labels": given,
        "column": given[:, None],
        "one-hot": one_hot(labels, 4).astype(dtype),
        "reversed": given[::-1].copy()[::-1],
    }[form]
    assert ops.softmax_cross_entropy(logits, given)[0] == pytest.approx(expected, rel=1e-13)
    loss, grad = ops.softmax_cross_entropy_with_grad(logits.astype(np.float32), given)
    assert grad.dtype == np.float32  # neither labels nor integer rows widen the logits
    assert loss == pytest.approx(expected, rel=1e-6)


def test_boolean_and_soft_rows(classes, backend):
    logits, labels = classes
    hard = ops.softmax_cross_entropy(logits, labels)[0]
    assert ops.softmax_cross_entropy(logits, one_hot(labels, 4).astype(bool))[0] == pytest.approx(hard, rel=1e-13)
    soft = rng(6).dirichlet(np.ones(4), 6)
    expected = -(soft * special.log_softmax(logits, axis=1)).sum(axis=1).mean()
    assert ops.softmax_cross_entropy(logits, soft)[0] == pytest.approx(expected, rel=1e-13)


def test_a_single_sample(classes, backend):
    logits, labels = classes
    loss, probs = ops.softmax_cross_entropy(logits[0], 0)
    assert probs.shape == (4,)
    assert loss == pytest.approx(ops.softmax_cross_entropy(logits[:1], labels[:1])[0])
    for target in (np.int64(0), np.array(0), np.array([0]), one_hot(0, 4)):
        assert ops.softmax_cross_entropy(logits[0], target)[0] == pytest.approx(loss)
    value = ops.softmax_cross_entropy(logits[0], 0, reduction="none")[0]
    assert isinstance(value, np.float64)
    np.testing.assert_allclose(ops.softmax_cross_entropy_backward(probs, 0), probs - one_hot(0, 4))


def test_sequences_of_samples(classes, backend):
    logits, labels = classes
    loss, probs = ops.softmax_cross_entropy(logits.reshape(2, 3, 4), labels.reshape(2, 3), reduction="none")
    assert loss.shape == (2, 3)
    assert probs.shape == (2, 3, 4)
    np.testing.assert_array_equal(loss.ravel(), ops.softmax_cross_entropy(logits, labels, reduction="none")[0])


def options():
    return {
        "mean": {},
        "sum": {"reduction": "sum"},
        "none": {"reduction": "none"},
        "denom": {"denom": 10},
        "ignore": {"ignore_index": 1},
        "mask": {"mask": np.array([1, 0, 1, 1, 0, 1], bool)},
        "weights": {"mask": np.array([1, 0.5, 2, 0, 0.25, 1])},
        "mask and ignore": {"mask": np.array([1, 0, 1, 1, 0, 1], bool), "ignore_index": 1, "denom": 6},
    }


@pytest.mark.parametrize("option", options())
@pytest.mark.parametrize("form", ["labels", "rows"])
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "cross_entropy"])
def test_cross_entropy_gradients(classes, option, form, name, backend):
    logits, labels = classes
    logits = logits / 3  # differences need probabilities well above the step
    keywords = options()[option]
    if form == "rows":
        labels = rng(6).dirichlet(np.ones(4), 6) * 1.5  # need not sum to 1
    predictions = logits if name.startswith("softmax") else special.softmax(logits, axis=1) * 2  # nor the predictions
    with_grad = getattr(ops, f"{name}_with_grad")

    def loss(x):
        return with_grad(x, labels, **keywords)[0]

    def backward(dy, x):
        return np.asarray(dy)[..., None] * with_grad(x, labels, **keywords)[1]

    gradcheck(loss, [predictions], backward)
    plain = getattr(ops, name)(predictions, labels, **keywords)
    np.testing.assert_allclose(plain[0] if name.startswith("softmax") else plain, loss(predictions), rtol=1e-13)
    # and the gradient from the probabilities, in the conventions of the backward functions
    scale = {"sum": 1.0, "none": 1.0, "denom": 0.1, "mask and ignore": 1 / 6}.get(option)
    counting = {key: value for key, value in keywords.items() if key in ("mask", "ignore_index")}
    given = special.softmax(logits, axis=1) if name.startswith("softmax") else predictions
    actual = getattr(ops, f"{name}_backward")(given, labels, scale=scale, **counting)
    np.testing.assert_allclose(actual, with_grad(predictions, labels, **keywords)[1], rtol=1e-10, atol=1e-14)


def test_what_counts_and_what_a_mean_divides_by(classes, backend):
    logits, labels = classes
    each = ops.softmax_cross_entropy(logits, labels, reduction="none")[0]
    mask = np.array([1, 0, 1, 1, 0, 1], bool)

    def loss(**keywords):
        return ops.softmax_cross_entropy(logits, labels, **keywords)[0]

    assert loss(mask=mask) == pytest.approx(each[mask].mean())
    assert loss(mask=mask, denom=6) == pytest.approx(each[mask].sum() / 6)
    assert loss(ignore_index=1) == pytest.approx(each[labels != 1].mean())
    np.testing.assert_allclose(loss(reduction="none", mask=mask), each * mask)
    assert loss(mask=np.zeros(6)) == 0
    assert not ops.softmax_cross_entropy_backward(np.full((6, 4), 0.25), labels, mask=np.zeros(6)).any()


@pytest.mark.parametrize("ignore", [-1, -100, 255, 2])
def test_ignored_labels_may_be_out_of_range(classes, ignore, backend):
    logits, labels = classes
    marked = np.where(labels == 2, ignore, labels)
    expected, grad = ops.softmax_cross_entropy_with_grad(logits, labels, ignore_index=2)
    for dtype in (np.int16, np.int64):
        loss, actual = ops.softmax_cross_entropy_with_grad(logits, marked.astype(dtype), ignore_index=ignore)
        assert loss == pytest.approx(expected)
        np.testing.assert_array_equal(actual, grad)
    assert not grad[labels == 2].any()


def test_ignored_samples_may_hold_anything(classes, backend):
    logits, labels = classes
    logits[1], labels[1] = np.nan, -1
    loss, probs = ops.softmax_cross_entropy(logits, labels, ignore_index=-1)
    assert math.isfinite(loss)
    grad = ops.softmax_cross_entropy_backward(probs, labels, ignore_index=-1)
    assert np.isfinite(grad).all()
    assert np.isfinite(ops.softmax_cross_entropy_with_grad(logits, labels, ignore_index=-1)[1]).all()


@pytest.mark.parametrize("form", ["labels", "rows"])
def test_log_eps_changes_the_value_only(classes, form, backend):
    logits, labels = classes
    rows = one_hot(labels, 4)
    targets = labels if form == "labels" else rows
    probs = special.softmax(logits, axis=1)
    expected = -(rows * np.log(probs + 1e-2)).sum() / 6
    assert ops.softmax_cross_entropy(logits, targets, log_eps=1e-2)[0] == pytest.approx(expected, rel=1e-12)
    loss, grad = ops.softmax_cross_entropy_with_grad(logits, targets, log_eps=1e-2)
    assert loss == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(grad, (probs - rows) / 6, rtol=1e-12, atol=1e-16)
    masked = ops.softmax_cross_entropy(logits, targets, log_eps=1e-2, mask=np.arange(6) < 2, reduction="none")[0]
    assert np.count_nonzero(masked) == 2


def test_gradient_of_a_sure_prediction_keeps_its_digits():
    probs = np.array([[1 - 1e-7, 1e-7]], np.float32)
    grad = ops.softmax_cross_entropy_backward(probs, np.array([0]), scale=1 / 3)
    np.testing.assert_allclose(grad, [[(float(probs[0, 0]) - 1) / 3, float(probs[0, 1]) / 3]], rtol=1e-6)


def test_gradient_in_place_of_the_probabilities(classes, backend):
    logits, labels = classes
    probs = ops.softmax(logits)
    expected = ops.softmax_cross_entropy_backward(probs, labels)
    assert ops.softmax_cross_entropy_backward(probs, labels, out=probs) is probs
    np.testing.assert_array_equal(probs, expected)
    assert ops.softmax_cross_entropy_with_grad(logits, labels, out=logits)[1] is logits
    np.testing.assert_allclose(logits, expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("function", [ops.softmax_cross_entropy, ops.softmax_cross_entropy_backward, ops.cross_entropy])
def test_wrong_targets_are_named(function):
    predictions = np.full((4, 3), 1 / 3)
    for labels, first in (([0, 3, 5, 1], "3 at position 1"), ([0, 1, -1, -2], "-1 at position 2")):
        with pytest.raises(ValueError, match=f"labels must be from 0 to 2. Received: {first}"):
            function(predictions, np.array(labels))
    with pytest.raises(ValueError, match="Received: -2 at position 3"):
        function(predictions, np.array([0, 1, -1, -2]), ignore_index=-1)
    with pytest.raises(ValueError, match="Received: 18446744073709551615 at position 0"):
        function(predictions, np.full(4, 2**64 - 1, np.uint64))
    with pytest.raises(TypeError, match=r"labels must be integers. Received: targets float64 \(4,\)"):
        function(predictions, np.zeros(4))
    with pytest.raises(TypeError, match=r"labels must be integers. Received: targets bool \(4,\)"):
        function(predictions, np.zeros(4, bool))
    with pytest.raises(ValueError, match=r"Received: targets int64 \(3,\)"):
        function(predictions, np.zeros(3, np.int64))
    for mask in (np.ones(3), np.ones((4, 3)), -np.ones(4), np.full(4, np.nan), np.full(4, np.inf)):
        with pytest.raises(ValueError, match=r"mask must.*Received: "):
            function(predictions, np.zeros(4, int), mask=mask)


def test_cross_entropy_options_are_checked():
    logits, labels = np.zeros((2, 3)), np.array([0, 1])
    for denom in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match=RECEIVED):
            ops.softmax_cross_entropy(logits, labels, denom=denom)
    with pytest.raises(ValueError, match=r"denom belongs to reduction='mean'. Received: 3 and 'sum'"):
        ops.softmax_cross_entropy(logits, labels, denom=3, reduction="sum")
    with pytest.raises(ValueError, match="Received: 'all'"):
        ops.cross_entropy(logits, labels, reduction="all")
    with pytest.raises(ValueError, match=r"log_eps must be >= 0. Received: "):
        ops.softmax_cross_entropy(logits, labels, log_eps=-1e-7)
    with pytest.raises(ValueError, match=RECEIVED):
        ops.softmax_cross_entropy(np.zeros((2, 0)), labels)


# ---------------------------------------------------------------------------------------------------------- dropout


def test_dropout_with_the_callers_randomness(backend):
    x = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    kept = np.array([[1, 0, 1], [0, 1, 1]])
    y, mask = ops.dropout(x, 0.5, mask=kept)
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(y, 2 * x * kept)
    np.testing.assert_array_equal(ops.dropout(x, 0.5, mask=kept.astype(bool), scale=1.0)[0], x * kept)
    u = np.array([[0.1, 0.25, 0.3], [0.0, 0.9, 0.24]])
    y, mask = ops.dropout(x, 0.25, u=u)
    np.testing.assert_array_equal(mask, u >= 0.25)
    np.testing.assert_allclose(y, x * mask / 0.75)
    assert y.dtype == np.float32


def test_dropout_is_repeatable_and_keeps_the_mean(backend):
    x = np.ones((100, 400))
    y, mask = ops.dropout(x, 0.3, rng=7)
    np.testing.assert_array_equal(y, ops.dropout(x, 0.3, rng=7)[0])
    assert not np.array_equal(mask, ops.dropout(x, 0.3, rng=8)[1])
    deviation = math.sqrt(0.3 * 0.7 / x.size)
    assert abs(mask.mean() - 0.7) < 5 * deviation
    np.testing.assert_array_equal(y, mask / 0.7)
    unscaled, same = ops.dropout(x, 0.3, rng=7, scale=1.0)
    np.testing.assert_array_equal(same, mask)
    np.testing.assert_array_equal(unscaled, mask)


def test_dropout_masks_are_those_of_random_bits(backend):
    _, mask = ops.dropout(np.ones(1000), 0.25, rng=99)
    np.testing.assert_array_equal(mask, ops.random_bits(99, 0, 0, 1000) >= 2**30)


def test_dropout_draws_from_generators():
    x = np.ones(64)
    for make in (np.random.default_rng, np.random.RandomState):
        generator = make(3)
        first, second = (ops.dropout(x, 0.5, rng=generator)[1] for _ in range(2))
        assert not np.array_equal(first, second)
        np.testing.assert_array_equal(first, ops.dropout(x, 0.5, rng=make(3))[1])
    assert not np.array_equal(ops.dropout(x, 0.5)[1], ops.dropout(x, 0.5)[1])  # fresh entropy


def test_dropout_of_nothing_and_of_everything(backend):
    x = np.array([1.0, np.inf, np.nan])
    np.testing.assert_array_equal(ops.dropout(x, 0.0, rng=1)[0], x)
    for randomness in ({"rng": 1}, {"u": np.zeros(3)}):
        y, mask = ops.dropout(x, 1.0, **randomness)
        np.testing.assert_array_equal(y, [0, 0, 0])
        assert not mask.any()
    y, mask = ops.dropout(2.0, 0.5, mask=True)
    assert y == 4
    assert isinstance(mask, np.bool_)


def test_dropout_gradients(backend):
    x = rng().normal(size=(4, 5))
    _, mask = ops.dropout(x, 0.4, rng=5)
    gradcheck(lambda x: ops.dropout(x, 0.4, mask=mask)[0], [x], lambda dy, x: ops.dropout_backward(dy, mask, 0.4))
    np.testing.assert_array_equal(ops.dropout_backward(x, mask, 0.4, scale=1), x * mask)


def test_dropout_refuses():
    x = np.ones(3)
    for p in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"p must be >= 0 and <= 1. Received: "):
            ops.dropout(x, p)
    with pytest.raises(ValueError, match=r"one of mask, u and rng. Received: "):
        ops.dropout(x, 0.5, mask=x > 0, rng=1)
    with pytest.raises(TypeError, match=r"mask must hold bools or integers.*Received: "):
        ops.dropout(x, 0.5, mask=x / 0.5)  # already scaled: another convention
    for bad in ({"mask": [True]}, {"u": [0.5]}, {"rng": -1}, {"rng": 2**64}):
        with pytest.raises(ValueError, match=RECEIVED):
            ops.dropout(x, 0.5, **bad)
    for bad in ({"rng": 1.5}, {"rng": "seed"}, {"rng": True}, {"scale": "2"}):
        with pytest.raises(TypeError, match=RECEIVED):
            ops.dropout(x, 0.5, **bad)


def test_random_bits_are_philox(backend):
    """The first test vectors of the paper's library: key 0 and counter 0, and all bits set."""
    assert [hex(word) for word in ops.random_bits(0, 0, 0, 4)] == [
        "0x6627e8d5",
        "0xe169c58d",
        "0xbc57ac4c",
        "0x9b00dbd8",
    ]
    assert ops.random_bits(0, 0, 0, 0).shape == (0,)
    np.testing.assert_array_equal(ops.random_bits(5, 6, 7, 1001)[:17], ops.random_bits(5, 6, 7, 17))
    for bad in ((-1, 0, 0, 1), (2**64, 0, 0, 1), (0, 2**32, 0, 1), (0, 0, -1, 1), (0, 0, 0, -1)):
        with pytest.raises(ValueError, match=RECEIVED):
            ops.random_bits(*bad)
    with pytest.raises(TypeError, match=RECEIVED):
        ops.random_bits(0, 0, 0, 1.0)


# ------------------------------------------------------------------------------------------------------- optimizers


def adam_by_the_paper(p, gradients, lr, b1, b2, eps, form):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        if form == "textbook":
            p = p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        else:
            p = p - lr * math.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)
    return p


@pytest.mark.parametrize("form", ["folded", "textbook"])
def test_adam_against_the_paper(form, backend):
    p, gradients = rng(1).normal(size=(3, 4)), rng(2).normal(size=(5, 3, 4))
    expected = adam_by_the_paper(p, gradients, 0.01, 0.8, 0.95, 1e-2, form)
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        ops.adam_(p, g, m, v, t, lr=0.01, b1=0.8, b2=0.95, eps=1e-2, form=form)
    np.testing.assert_allclose(p, expected, rtol=1e-12)
    # the forms differ: eps is added in different places
    other = adam_by_the_paper(p, gradients, 0.01, 0.8, 0.95, 1e-2, "folded" if form == "textbook" else "textbook")
    assert not np.allclose(p, other, rtol=1e-6)


def test_adam_raw_is_every_adam(backend):
    p, g = rng(1).normal(size=5), rng(2).normal(size=5)
    one, other = ([p.copy(), np.zeros(5), np.zeros(5)] for _ in range(2))
    ops.adam_(one[0], g, one[1], one[2], 1, 0.1, 0.9, 0.99, 1e-8, "textbook")
    ops.adam_raw_(other[0], g, other[1], other[2], 0.9, 0.99, 0.1 / (1 - 0.9), 1 / math.sqrt(1 - 0.99), 1e-8)
    np.testing.assert_allclose(one, other, rtol=1e-14)


def test_sgd_momentum_nesterov_and_rmsprop_by_hand(backend):
    def start():
        return np.array([1.0]), np.array([0.5]), np.array([2.0])

    p, g, _ = start()
    ops.sgd_(p, g, 0.1)
    assert p[0] == pytest.approx(0.95)
    p, g, v = start()
    ops.momentum_(p, g, v, lr=0.1, mu=0.9)
    assert (p[0], v[0]) == (pytest.approx(2.75), pytest.approx(1.75))
    p, g, v = start()
    ops.nesterov_(p, g, v, lr=0.1, mu=0.9)
    assert (p[0], v[0]) == (pytest.approx(1 + 0.9 * 1.75 - 0.05), pytest.approx(1.75))
    p, g, v = start()
    ops.rmsprop_(p, g, v, lr=0.1, rho=0.9, eps=0.01)
    assert v[0] == pytest.approx(0.9 * 2 + 0.1 * 0.25)
    assert p[0] == pytest.approx(1 - 0.05 / math.sqrt(1.825 + 0.01))


def test_weight_decay_is_coupled_or_decoupled(backend):
    p, g = np.array([2.0]), np.array([0.5])
    ops.sgd_(p, g, 0.1, weight_decay=0.01)
    assert p[0] == pytest.approx(2 - 0.1 * (0.5 + 0.02))
    p, m, v = np.array([2.0]), np.zeros(1), np.zeros(1)
    ops.adam_(p, g, m, v, 1, lr=0.1, weight_decay=0.01, decoupled=True)
    assert p[0] == pytest.approx(2 - 0.1 * 0.01 * 2 - 0.1, abs=1e-6)  # Adam's first step is the rate
    p, m, v = np.array([2.0]), np.zeros(1), np.zeros(1)
    ops.adam_(p, g, m, v, 1, lr=0.1, weight_decay=0.01)
    assert m[0] == pytest.approx(0.1 * 0.52)


def test_updates_are_seen_by_whoever_holds_the_memory(backend):
    arena = np.arange(12.0)
    weights, alias = arena[2:8].reshape(2, 3).T, arena[2:8]
    ops.sgd_(weights, np.ones((3, 2)), 1.0)
    np.testing.assert_array_equal(alias, np.arange(2.0, 8.0) - 1)
    np.testing.assert_array_equal(arena[[0, 1, 8, 9, 10, 11]], [0, 1, 8, 9, 10, 11])


def test_gradients_of_other_dtypes_are_converted(backend):
    p = np.ones(3, np.float32)
    ops.sgd_(p, np.array([1, 2, 3]), 0.5)
    np.testing.assert_array_equal(p, [0.5, 0, -0.5])
    ops.sgd_(p, np.full(3, 1e300), 1.0)  # no float32, and no warning
    np.testing.assert_array_equal(p, [-np.inf] * 3)
    with pytest.raises(ValueError, match=r"g must have shape \(3,\). Received: g float64 \(\)"):
        ops.sgd_(p, 1.0)


@pytest.mark.parametrize("kind", ["dict", "list", "tuple"])
def test_many_parameters_at_once(kind, backend):
    def collect(arrays):
        return {"dict": dict(zip("abc", arrays, strict=True)), "list": arrays, "tuple": tuple(arrays)}[kind]

    shapes = [(3, 2), (), (0, 4)]
    arrays = [[rng(k).random(shape) for shape in shapes] for k in range(4)]
    arrays = [[np.asarray(array) for array in group] for group in arrays]
    expected = [[array.copy() for array in group] for group in arrays]
    for group in zip(*expected, strict=True):
        ops.adam_(*group, 3, lr=0.1)
    assert ops.adam_many(*map(collect, arrays), 3, lr=0.1) is None
    for group, other in zip(arrays, expected, strict=True):
        for one, two in zip(group, other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_many_checks_everything_first():
    p, g = {"W": np.ones(2), "b": np.ones(3)}, {"b": np.ones(3), "W": np.ones(2)}
    ops.sgd_many(p, g, 0.5)  # keys decide, not their order
    np.testing.assert_array_equal(p["b"], [0.5] * 3)
    for bad in ({"W": np.ones(2)}, {"W": np.ones(2), "c": np.ones(3)}, [np.ones(2), np.ones(3)]):
        with pytest.raises(ValueError, match=r"same keys, or one length. Received: p with .* g with "):
            ops.sgd_many(p, bad)
    with pytest.raises(ValueError, match=r"g\['b'\] must have shape \(3,\). Received: g\['b'\] float64 \(2,\)"):
        ops.sgd_many(p, {"W": np.ones(2), "b": np.ones(2)})
    np.testing.assert_array_equal(p["W"], [0.5] * 2)  # the first was fine, and is untouched
    with pytest.raises(TypeError, match=r"p must be a dict, list or tuple of arrays. Received: "):
        ops.sgd_many(np.ones((2, 2)), np.ones((2, 2)))


def test_optimizer_arguments_are_checked():
    p, g, m, v = (np.ones(2) for _ in range(4))
    for bad in (0, -1, 1.5, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"t must be .*Received: "):
            ops.adam_(p, g, m, v, bad)
    for bad in ({"lr": -1.0}, {"lr": math.nan}, {"b1": 1.0}, {"b2": -0.1}, {"eps": -1.0}, {"weight_decay": -1}):
        with pytest.raises(ValueError, match=rf"{next(iter(bad))} must be .*Received: "):
            ops.adam_(p, g, m, v, 1, **bad)
    with pytest.raises(ValueError, match=r"Did you mean 'folded'.*Received: 'fold'"):
        ops.adam_(p, g, m, v, 1, form="fold")
    with pytest.raises(TypeError, match=r"lr must be a real number. Received: "):
        ops.sgd_(p, g, [0.1])
    with pytest.raises(TypeError, match=r"decoupled must be True or False. Received: "):
        ops.sgd_(p, g, 0.1, 0.1, "yes")
    np.testing.assert_array_equal(p, [1, 1])
    ops.sgd_(p, g, np.array(0.5))  # a 0-d array is a number
    np.testing.assert_array_equal(p, [0.5, 0.5])


# ------------------------------------------------------------------------------------------------------- hypothesis

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=70)
NUMBERS = st.floats(-50, 50, width=32)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from([op.name for op in ACTIVATIONS]), st.sampled_from([np.float32, np.float64]), SHAPES)
def test_activations_of_any_shape(data, name, dtype, shape):
    seed = data.draw(st.integers(0, 2**32 - 1))
    x = rng(seed).normal(size=shape).astype(dtype)
    axes = data.draw(st.permutations(range(len(shape))))
    view = x.transpose(axes)
    actual = getattr(ops, name)(view)
    assert np.shape(actual) == view.shape
    np.testing.assert_allclose(actual, oracle(name, view.astype(np.float64)), rtol=1e-6, atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=40), elements=NUMBERS),
    st.data(),
)
def test_softmax_of_any_shape_and_axis(x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    y = ops.softmax(x, axis)
    np.testing.assert_allclose(y, special.softmax(x, axis), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(ops.log_softmax(x, axis), special.log_softmax(x, axis), rtol=1e-12, atol=1e-13)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(0, 40)] * 3), st.booleans(), st.sampled_from([np.float32, np.float64]), st.integers(0, 99)
)
def test_affine_of_any_shape(sizes, flip, dtype, seed):
    rows, inputs, units = sizes
    x, W, b = (
        rng(seed + k).normal(size=s).astype(dtype) for k, s in enumerate([(rows, inputs), (inputs, units), units])
    )
    expected = x.astype(np.float64) @ W.astype(np.float64) + b
    weights = W.T if flip else W
    actual = ops.affine(x, weights, b, w_layout="oi" if flip else "io")
    np.testing.assert_allclose(actual, expected, atol=100 * np.finfo(dtype).eps)
    dy = rng(seed + 3).normal(size=(rows, units)).astype(dtype)
    dx, dW, db = ops.affine_backward(dy, x, weights, w_layout="oi" if flip else "io")
    np.testing.assert_allclose(dx, dy.astype(np.float64) @ W.T, atol=100 * np.finfo(dtype).eps)
    np.testing.assert_allclose(dW.T if flip else dW, x.T.astype(np.float64) @ dy, atol=100 * np.finfo(dtype).eps)
    np.testing.assert_allclose(db, dy.sum(axis=0, dtype=np.float64), atol=100 * np.finfo(dtype).eps)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 50), st.integers(1, 40), st.data())
def test_cross_entropy_of_any_shape(rows, classes, data):
    seed = data.draw(st.integers(0, 99))
    logits = rng(seed).normal(size=(rows, classes)).astype(np.float32) * 4
    labels = rng(seed + 1).integers(-1, classes, rows)
    if labels.shape == logits.shape[:-1] == (0,):
        assert ops.softmax_cross_entropy_with_grad(logits, labels)[0] == 0
        return
    each = -special.log_softmax(logits.astype(np.float64), axis=1)[np.arange(rows), labels] * (labels >= 0)
    counted = np.count_nonzero(labels >= 0)
    loss, grad = ops.softmax_cross_entropy_with_grad(logits, labels, ignore_index=-1)
    assert loss == pytest.approx(each.sum() / counted if counted else 0, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(grad.sum(axis=1), 0, atol=1e-6)
