"""Values of the losses by hand and by mpmath, their gradients by differences; that none of the catalogue is missing."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest

from fastnn import losses, ops
from fastnn.backend import use_backend
from fastnn.ops.registry import operations, sample_arguments
from fastnn.testing import gradcheck

# the losses that Keras and PyTorch have between them: the class and the op of each
CATALOGUE = {
    "MSE": ("MeanSquaredError", "mse"),
    "MSE with 1/2": ("HalfMeanSquaredError", "half_mse"),
    "sum of squares with 1/2": ("HalfSumSquaredError", "half_sse"),
    "MAE": ("MeanAbsoluteError", "mae"),
    "MAPE": ("MeanAbsolutePercentageError", "mape"),
    "MSLE": ("MeanSquaredLogarithmicError", "msle"),
    "log-cosh": ("LogCosh", "log_cosh"),
    "Huber": ("Huber", "huber"),
    "smooth L1": ("SmoothL1", "smooth_l1"),
    "binary cross-entropy": ("BinaryCrossentropy", "binary_cross_entropy"),
    "of logits": ("BinaryCrossentropy", "binary_cross_entropy_with_logits"),
    "with pos_weight": ("BinaryCrossentropy", "weighted_binary_cross_entropy_with_logits"),
    "categorical cross-entropy": ("CategoricalCrossentropy", "cross_entropy"),
    "sparse categorical cross-entropy": ("SparseCategoricalCrossentropy", "softmax_cross_entropy"),
    "NLL": ("NLL", "nll"),
    "KLD": ("KLDivergence", "kl_divergence"),
    "Poisson": ("Poisson", "poisson"),
    "Poisson NLL": ("PoissonNLL", "poisson_nll"),
    "Gaussian NLL": ("GaussianNLL", "gaussian_nll"),
    "hinge": ("Hinge", "hinge"),
    "squared hinge": ("SquaredHinge", "squared_hinge"),
    "categorical hinge": ("CategoricalHinge", "categorical_hinge"),
    "multi-margin": ("MultiMargin", "multi_margin"),
    "soft margin": ("SoftMargin", "soft_margin"),
    "multi-label margin": ("MultiLabelMargin", "multilabel_margin"),
    "multi-label soft margin": ("MultiLabelSoftMargin", "multilabel_soft_margin"),
    "a pos_weight for each output": ("BinaryCrossentropy", "balanced_binary_cross_entropy_with_logits"),
    "from probabilities": ("BinaryCrossentropy", "balanced_binary_cross_entropy"),
    "circle": ("Circle", "circle"),
    "cosine similarity": ("CosineSimilarity", "cosine_similarity"),
    "cosine embedding": ("CosineEmbedding", "cosine_embedding"),
    "binary focal": ("BinaryFocalCrossentropy", "binary_focal"),
    "categorical focal": ("CategoricalFocalCrossentropy", "categorical_focal"),
    "generalized cross-entropy": ("CategoricalGeneralizedCrossEntropy", "generalized_cross_entropy"),
    "Dice": ("Dice", "dice"),
    "Tversky": ("Tversky", "tversky"),
    "triplet": ("TripletMargin", "triplet_margin"),
    "margin ranking": ("MarginRanking", "margin_ranking"),
    "CTC": ("CTC", "ctc_loss"),
}
# losses of several inputs
SEVERAL = {"gaussian_nll": 2, "margin_ranking": 2, "cosine_embedding": 2, "triplet_margin": 3}
ROWS = [op for op in operations("loss") if op.backward and op.name not in ("softmax_cross_entropy", "ctc_loss")]


@pytest.mark.parametrize("name", CATALOGUE)
def test_nothing_of_the_catalogue_is_missing(name):
    cls, op = CATALOGUE[name]
    assert isinstance(losses.get(cls), losses.Loss)
    assert type(losses.get(losses.get(cls).name)) is getattr(losses, cls)
    for suffix in ("", "_backward", "_with_grad"):
        assert f"{op}{suffix}" in ops.__all__


@pytest.mark.parametrize("alias", ["mse", "mae", "mape", "msle", "bce", "kld", "logcosh", "log_cosh", "huber", "ctc"])
def test_aliases(alias):
    assert isinstance(losses.get(alias), losses.Loss)
    assert isinstance(losses.get(alias.upper()), losses.Loss)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_gradients_by_differences(op, reduction, backend):
    """Of every input, through the backward function; and the fused call gives the same."""
    if op.name == "circle" and reduction == "none":
        pytest.skip("the losses of all rows depend on each other; without reduction the gradient is that of their sum")
    arguments = sample_arguments(op, (5, 4), np.float64, rng=6)
    count = len(arguments.args)
    targets = 0 if op.name == "triplet_margin" else 1
    inputs, rest = list(arguments.args[: count - targets]), arguments.args[count - targets :]
    backward, both = getattr(ops, op.backward), getattr(ops, f"{op.name}_with_grad")
    scale = {"mean": None, "sum": 1.0, "none": 1.0}[reduction]

    def loss(*values):
        return op.function(*values, *rest, reduction=reduction)

    def gradient(dy, *values):
        if reduction == "none":  # of every loss of its own
            found = both(*values, *rest, reduction="none")[1:]
            dy = np.asarray(dy)
            dy = dy if dy.ndim == values[0].ndim else dy[..., np.newaxis]
        else:
            found = backward(*values, *rest, scale=scale)
            found = found if isinstance(found, tuple) else (found,)
        parts = [dy * part for part in found]
        return parts if len(parts) > 1 else parts[0]

    gradcheck(loss, inputs, gradient, rtol=2e-6)
    value, *grads = both(*inputs, *rest, reduction=reduction)
    np.testing.assert_allclose(value, loss(*inputs), rtol=1e-12)
    if reduction != "none":
        found = backward(*inputs, *rest, scale=scale)
        for one, two in zip(grads, found if isinstance(found, tuple) else (found,), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_sums_and_means_are_those_of_the_unreduced_losses(op, dtype, backend):
    args = sample_arguments(op, (5, 3), dtype, rng=11).args
    each, total, mean = (op.function(*args, reduction=how) for how in ("none", "sum", "mean"))
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(total, each.sum(dtype=np.float64), rtol=tolerance, atol=tolerance)
    if op.name != "circle":  # whose mean counts otherwise
        count = len(each) if op.name in ("kl_divergence", "half_sse") else each.size
        np.testing.assert_allclose(mean, total / count, rtol=1e-12)


@pytest.mark.parametrize("name", ["gaussian_nll", "margin_ranking"])
def test_scales_are_factors_of_elements(name, backend):
    args = sample_arguments(next(op for op in ROWS if op.name == name), (2, 3), np.float64, rng=3).args
    for scale in (1, 1.0, 0.25):
        together = getattr(ops, f"{name}_backward")(*args, scale=scale)
        for i, j in np.ndindex(2, 3):
            alone = getattr(ops, f"{name}_backward")(*(a[i, j : j + 1] for a in args), scale=scale)
            np.testing.assert_allclose([part[i, j] for part in together], np.ravel(alone), rtol=1e-14)


def m(x):
    return mpmath.mpf(float(x))


def logit(x):
    return 1 / (1 + mpmath.exp(-m(x)))


EXACT = {
    "mape": lambda p, t: 100 * abs(m(p) - m(t)) / max(abs(m(t)), m(1e-7)),
    "msle": lambda p, t: (mpmath.log1p(max(m(p), m(1e-7))) - mpmath.log1p(max(m(t), m(1e-7)))) ** 2,
    "log_cosh": lambda p, t: mpmath.log(mpmath.cosh(m(p) - m(t))),
    "huber": lambda p, t: min(abs(m(p) - m(t)), 1) * (abs(m(p) - m(t)) - min(abs(m(p) - m(t)), 1) / 2),
    "poisson": lambda p, t: m(p) - m(t) * mpmath.log(m(p) + m(1e-7)),
    "poisson_nll": lambda p, t: mpmath.exp(m(p)) - m(t) * m(p),
    "kl_divergence": lambda p, t: m(t) * mpmath.log(m(t) / m(p)),
    "soft_margin": lambda p, t: mpmath.log1p(mpmath.exp(-m(t) * m(p))),
    "squared_hinge": lambda p, t: max(0, 1 - m(t) * m(p)) ** 2,
    "binary_focal": lambda p, t: (
        (m(t) * (1 - m(p)) + (1 - m(t)) * m(p)) ** 2
        * -(m(t) * mpmath.log(m(p)) + (1 - m(t)) * mpmath.log1p(-m(p)))
    ),
    "binary_focal_with_logits": lambda p, t: (
        (m(t) * (1 - logit(p)) + (1 - m(t)) * logit(p)) ** 2
        * -(m(t) * mpmath.log(logit(p)) + (1 - m(t)) * mpmath.log1p(-logit(p)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", EXACT)
def test_elements_against_mpmath(name, dtype, backend):
    p, t = sample_arguments(name, (40,), dtype, rng=9).args
    with mpmath.workdps(40):
        expected = np.array([float(EXACT[name](*pair)) for pair in zip(p, t, strict=True)])
    # the error of a difference of logarithms is that of its terms
    np.testing.assert_allclose(
        getattr(ops, name)(p, t, reduction="none"),
        expected,
        rtol=40 * np.finfo(dtype).eps,
        atol=4 * np.finfo(dtype).eps,
    )


def test_log_cosh_of_small_and_large_errors(backend):
    e = np.array([1e-150, 1e-8, 1e-3, 1.0, 20.0, 1e4, 1e300])
    expected = [float(mpmath.mpf(x) ** 2 / 2) if x < 1e-6 else None for x in e]
    actual = ops.log_cosh(e, np.zeros_like(e), reduction="none")
    assert actual[1] == pytest.approx(expected[1], rel=1e-14)
    assert actual[2] == pytest.approx(float(mpmath.log(mpmath.cosh(mpmath.mpf(1e-3)))), rel=1e-14)
    np.testing.assert_allclose(actual[4:], e[4:] - math.log(2), rtol=1e-15)


def test_kinks(backend):
    one = np.ones(1)
    assert ops.hinge_backward(one, one, scale=1) == 0  # on the margin
    assert ops.mae_backward(one, one, scale=1) == 0
    assert ops.mape_backward(one, one, scale=1) == 0
    assert ops.squared_hinge_backward(one, one, scale=1) == 0
    np.testing.assert_array_equal(ops.kl_divergence_backward([0.0, 2.0], [0.5, 0.5], scale=1), [0, 0])  # clipped
    assert abs(ops.binary_focal_backward(np.array([0.0]), np.array([0.0]), scale=1)[0]) < 1e-300
    np.testing.assert_array_equal(ops.margin_ranking_backward([1.0], [1.0], [1.0], scale=1), [[-1], [1]])  # PyTorch's


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_nan_in_nan_out(op, backend):
    arguments = sample_arguments(op, (2, 3), np.float64, rng=1)
    if op.name == "circle":
        pytest.skip("every row depends on all of them")
    first = arguments.args[0].copy()
    first[0, 1] = np.nan
    if op.name in ("nll", "textbook_cross_entropy", "generalized_cross_entropy", "multi_margin"):
        first[0] = np.nan  # the others of a row do not matter to these
    loss = op.function(first, *arguments.args[1:], reduction="none")
    assert np.isnan(loss[0]).any()
    assert np.isfinite(loss[1]).all()


def test_huge_logits_do_not_overflow(backend):
    big = np.array([[1e30, -1e30, 0.0]], np.float32)
    for name in ("categorical_focal_with_logits", "softmax_cross_entropy"):
        loss, grad = getattr(ops, f"{name}_with_grad")(big, np.array([0]))
        assert loss == 0
        assert np.isfinite(grad).all()
    assert ops.soft_margin(np.array([-1e30], np.float32), np.ones(1, np.float32)) == pytest.approx(1e30)
    assert np.isfinite(ops.binary_focal_with_logits_backward(big, np.ones_like(big))).all()


def test_every_column_of_a_weighted_row_counts():
    """A wide row, each class in turn: vectorised sums have lost lanes before."""
    z = np.random.default_rng(0).normal(size=(67, 67))
    labels = np.arange(67)
    weight = np.linspace(0.5, 2, 67)
    expected = -(z - np.log(np.exp(z).sum(1, keepdims=True)))[labels, labels]
    np.testing.assert_allclose(ops.nll(z, labels, reduction="none"), -z[labels, labels], rtol=1e-14)
    found = ops.softmax_cross_entropy(z, labels, reduction="none", class_weight=weight)[0]
    np.testing.assert_allclose(found, expected * weight, rtol=1e-12)


def test_smoothing_is_that_of_smoothed_rows(backend):
    z, labels = np.random.default_rng(0).normal(size=(6, 4)), np.array([0, 1, 2, 3, 0, 1])
    rows = np.eye(4)[labels] * 0.9 + 0.1 / 4
    for name in ("softmax_cross_entropy", "nll", "categorical_focal_with_logits"):
        both = getattr(ops, f"{name}_with_grad")
        for one, two in zip(both(z, labels, label_smoothing=0.1), both(z, rows), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-12)


def brute_force_ctc(probs, labels, blank):
    """The probability of all paths, one by one."""
    total = 0.0
    for path in itertools.product(range(probs.shape[1]), repeat=len(probs)):
        merged = [k for k, _ in itertools.groupby(path)]
        if [k for k in merged if k != blank] == list(labels):
            total += math.prod(probs[t, k] for t, k in enumerate(path))
    return -math.log(total)


@pytest.mark.parametrize("labels", [[1], [1, 2], [1, 1], [2, 1, 2], []])
@pytest.mark.parametrize("blank", [0, 3])
def test_ctc_adds_up_all_paths(labels, blank, backend):
    logits = np.random.default_rng(3).normal(size=(1, 5, 4))
    probs = np.exp(logits[0]) / np.exp(logits[0]).sum(1, keepdims=True)
    target = np.array([[*labels, -1]])
    assert ops.ctc_loss(logits, target, blank=blank) == pytest.approx(brute_force_ctc(probs, labels, blank))
    gradcheck(
        lambda x: ops.ctc_loss(x, target, blank=blank),
        [logits],
        lambda dy, x: dy * ops.ctc_loss_backward(x, target, blank=blank),
    )


def test_ctc_errors():
    logits = np.zeros((2, 4, 3))
    for call, message in (
        (lambda: ops.ctc_loss(logits, [[0], [1]]), "not the blank, 0. Received: 0"),
        (lambda: ops.ctc_loss(logits, [[3], [1]]), "labels must be from 0 to 2"),
        (lambda: ops.ctc_loss(logits, [[1]]), r"targets must have shape \(2, labels\)"),
        (lambda: ops.ctc_loss(logits, [[1], [1]], [5, 4]), "input_lengths must be from 0 to 4"),
        (lambda: ops.ctc_loss(logits, [[1], [1]], blank=3), "blank must be a class from 0 to 2. Received: 3"),
        (lambda: ops.ctc_loss(logits[0], [[1], [1]]), r"logits must have shape \(samples, steps, classes\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_textbook_cross_entropy(backend):
    probs, labels = np.array([[0.2, 0.8], [1.0, 0.0]]), np.array([1, 1])
    expected = -(math.log(0.8 + 1e-2) + math.log(1e-2)) / 2
    loss, grad = ops.cross_entropy_with_grad(probs, labels, log_eps=1e-2)
    assert loss == ops.cross_entropy(probs, labels, log_eps=1e-2) == pytest.approx(expected)
    np.testing.assert_allclose(grad, [[0, -0.5 / 0.81], [0, -50]])


def test_overlaps_of_the_whole_batch():
    t, p = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.5, 0.5], [1.0, 0.0]])
    assert losses.Dice()(t, p) == pytest.approx(1 - 2 * 1.5 / (3 + 2 + 1e-7))
    assert losses.Dice()(t, p, [1.0, 3.0]) == pytest.approx(2 * (1 - 3 / 5), rel=1e-6)
    np.testing.assert_allclose(losses.dice(t, p, axis=-1), [1 - 1 / 2, 1 - 2 / 3], rtol=1e-6)
    assert losses.Tversky(0.5, 0.5, axis=(-2, -1))(t, p) == pytest.approx(1 - 1.5 / 2.5, rel=1e-6)
    with pytest.raises(ValueError, match="last axes"):
        losses.Dice(axis=1)(np.ones((2, 3, 4)), np.ones((2, 3, 4)))


def test_backends_agree_on_in_place_gradients():
    for op in ROWS:
        arguments = sample_arguments(op, (4, 40), np.float64, rng=2)
        both = getattr(ops, f"{op.name}_with_grad")
        expected = both(*arguments.args)[1]
        x = arguments.args[0].copy()
        if op.name not in SEVERAL:
            with use_backend("native"):
                assert both(x, *arguments.args[1:], out=x)[1] is x
            np.testing.assert_allclose(x, expected, rtol=1e-12, atol=1e-15, err_msg=op.name)


@pytest.mark.parametrize("name", SEVERAL)
def test_gradients_of_several_inputs_go_where_they_are_wanted(name, backend):
    count, args = SEVERAL[name], sample_arguments(name, (4, 6), np.float64, rng=3).args
    expected = getattr(ops, f"{name}_with_grad")(*args)[1:]
    for suffix in ("_backward", "_with_grad"):
        function = getattr(ops, f"{name}{suffix}")
        for out in (
            tuple(np.empty((4, 6)) for _ in range(count)),
            [None, *(np.empty((4, 12))[:, ::2] for _ in range(count - 1))],
            "the inputs",
        ):
            inputs = tuple(x.copy() for x in args[:count])
            given = inputs if isinstance(out, str) else out
            found = function(*inputs, *args[count:], out=given)
            grads = found[1:] if suffix == "_with_grad" else found
            for grad, place, wanted in zip(grads, given, expected, strict=True):
                assert place is None or grad is place
                np.testing.assert_allclose(grad, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", SEVERAL)
def test_places_for_several_gradients_are_checked(name):
    count, args = SEVERAL[name], sample_arguments(name, (4, 6), np.float64, rng=3).args
    function = getattr(ops, f"{name}_backward")
    shared = np.empty((4, 6))
    for out, error, message in (
        (np.empty((4, 6)), TypeError, f"out must be {count} arrays"),
        ((np.empty((4, 6)),), TypeError, f"out must be {count} arrays"),
        ((shared,) * count, ValueError, r"out\[.\] must not share memory"),
        ((args[1], *(None,) * (count - 1)), ValueError, "must not share memory with this input"),
        ((None, np.empty((4, 5)), *(None,) * (count - 2)), ValueError, r"out\[1\]"),
    ):
        with pytest.raises(error, match=message):
            function(*args, out=out)


def test_multilabel_margin_by_hand(backend):
    p, t = np.array([[0.1, 0.2, 0.4, 0.8]]), np.array([[1, 0, 0, 1]])
    # PyTorch's documentation: 0.25 ((1 - (0.1 - 0.2)) + (1 - (0.1 - 0.4)) + (1 - (0.8 - 0.2)) + (1 - (0.8 - 0.4)))
    assert ops.multilabel_margin(p, t) == pytest.approx(0.85)
    np.testing.assert_allclose(ops.multilabel_margin_backward(p, t), [[-0.5, 0.5, 0.5, -0.5]])
    assert ops.multilabel_margin(p, np.ones_like(p)) == ops.multilabel_margin(p, np.zeros_like(p)) == 0


def test_circle_by_hand(backend):
    """Against the definition, pair by pair."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(9, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    labels = np.array([0, 1, 2, 0, 1, 0, 5, 2, 1])
    gamma, m = mpmath.mpf(8), mpmath.mpf("0.4")
    for itself in (True, False):
        expected = []
        for i in range(9):
            sums = [mpmath.mpf(0), mpmath.mpf(0)]
            for j in range(9):
                d = max(mpmath.mpf(0), 1 - mpmath.fdot(x[i], x[j]))
                if labels[i] == labels[j]:
                    if i != j or itself:
                        sums[0] += mpmath.exp(-gamma * (m + d) * (m - d))
                else:
                    sums[1] += mpmath.exp(gamma * max(0, 1 + m - d) * (1 - m - d))
            expected.append(float(mpmath.log1p(sums[0] * sums[1])))
        found = ops.circle(x, labels, gamma=8, remove_diagonal=0 if itself else 1, reduction="none")
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[6] == 0  # nobody has its label


def test_circle_of_many_rows(backend):
    """More rows than a kernel looks at in one piece; labels of any size; rows without weight are still compared."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(2500, 3)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    labels = rng.integers(0, 9, 2500) * 2**40
    keep = np.arange(2500) < 4
    loss, grad = ops.circle_with_grad(x, labels, gamma=3, mask=keep)
    exact = x.astype(np.float64)
    each = ops.circle(exact, labels, gamma=3, reduction="none")
    assert loss == pytest.approx(each[:4].mean(), rel=1e-5)
    assert grad[4:].any(axis=1).mean() > 0.9
    step = np.zeros_like(exact)
    step[7, 1] = 1e-6
    change = [ops.circle(exact + s, labels, gamma=3, mask=keep) for s in (step, -step)]
    assert grad[7, 1] == pytest.approx((change[0] - change[1]) / 2e-6, rel=1e-3)


def test_circle_counts_the_rows_that_have_pairs_of_both_kinds(backend):
    x = np.eye(4)[[0, 1, 2, 3, 0]]
    labels, weights = np.array([0, 0, 1, 2, 2]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    each = losses.circle(labels, x)
    assert each[2] == 0
    assert losses.Circle()(labels, x) == pytest.approx(each.sum() / 4)
    assert losses.Circle()(labels, x, weights) == pytest.approx((each * weights).sum() / 4)
    mean = losses.Circle(reduction="mean_with_sample_weight")
    assert mean(labels, x, weights) == pytest.approx((each * weights).sum() / 12)
    assert losses.Circle()(np.zeros(5, int), x) == 0
    assert ops.circle(x, labels, rescale=1) == pytest.approx(each.sum() / 4)


def test_labels_of_circle_are_integers():
    with pytest.raises(TypeError, match=r"labels must be integers. Received: t float64"):
        ops.circle(np.eye(3), np.zeros(3))
    with pytest.raises(ValueError, match=r"t must have shape \(3,\)"):
        ops.circle(np.eye(3), np.zeros(2, int))


def test_weights_of_outputs_are_checked():
    x, t = np.zeros((2, 3)), np.ones((2, 3))
    with pytest.raises(ValueError, match=r"pos_weight must have shape \(3,\)"):
        ops.balanced_binary_cross_entropy_with_logits(x, t, pos_weight=[1, 2])
    with pytest.raises(ValueError, match=r"class_weight must hold finite numbers >= 0. Received: -1"):
        ops.multilabel_soft_margin(x, t, class_weight=[1, 2, -1])


def test_one_weight_for_all_outputs_is_a_number(backend):
    rng = np.random.default_rng(7)
    x, t = rng.normal(size=(5, 3)) * 4, rng.integers(0, 2, (5, 3)).astype(float)
    p = 1 / (1 + np.exp(-x))
    for suffix, given in (("_with_logits", x), ("", p)):
        one = getattr(ops, f"weighted_binary_cross_entropy{suffix}_with_grad")(given, t, 2.5)
        several = getattr(ops, f"balanced_binary_cross_entropy{suffix}_with_grad")(given, t, pos_weight=[2.5] * 3)
        plain = getattr(ops, f"balanced_binary_cross_entropy{suffix}")(given, t)
        for a, b in zip(one, several, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
        assert plain == pytest.approx(getattr(ops, f"binary_cross_entropy{suffix}")(given, t), rel=1e-12)
    huge = np.array([[1e4, -1e4, np.inf]])
    loss, grad = ops.balanced_binary_cross_entropy_with_logits_with_grad(huge, [[1.0, 0.0, 1.0]], pos_weight=[1, 2, 3])
    assert loss == 0
    assert not grad.any()


def test_lists_of_labels():
    loss = losses.MultiLabelMargin(label_lists=True)
    lists = np.array([[3, 0, -1, 1], [-1, 2, 2, 2]])
    p = np.random.default_rng(8).normal(size=(2, 4))
    assert loss(lists, p) == losses.MultiLabelMargin()(np.array([[1, 0, 0, 1], [0, 0, 0, 0]]), p)
    with pytest.raises(ValueError, match=r"labels must lie between 0 and 3. Received: 4"):
        loss(np.array([[4, -1, -1, -1]] * 2), p)


@pytest.mark.parametrize("axis", [0, 3, -4])
def test_axes_that_are_not_there(axis):
    for loss in (losses.CategoricalCrossentropy(axis=axis), losses.CosineSimilarity(axis=axis)):
        with pytest.raises(ValueError, match=rf"axis must be one of the axes 1 to 2. Received: axis={axis}"):
            loss(np.ones((2, 3, 4)), np.ones((2, 3, 4)))


def test_far_away_numbers(backend):
    """Squares beyond float32 are added up in double; the margin to an infinite score is infinite, its slope is not."""
    far = [np.full((1, 3), scale, np.float32) for scale in (1e20, 0, 0)]
    np.testing.assert_allclose(ops.triplet_margin(*far), 1.0)  # the two distances are equal
    loss, grad = ops.multi_margin_with_grad(np.array([[1, np.inf, 2]], np.float32), np.array([0]))
    assert loss == np.inf
    np.testing.assert_allclose(grad, [[-2 / 3, 1 / 3, 1 / 3]], rtol=1e-6)
