"""Values and gradients of the losses in fastnn.ops, and the conventions for targets and means."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from fastnn import ops
from fastnn.testing import gradcheck

RECEIVED = "Received: "


def rng(seed=0):
    return np.random.default_rng(seed)


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
    assert loss(mask=mask, ignore_index=1) == pytest.approx(each[mask & (labels != 1)].mean())
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
    labels[1] = 0
    grad = ops.softmax_cross_entropy_backward(probs, labels, mask=np.arange(6) != 1)
    assert np.isfinite(grad).all()


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
