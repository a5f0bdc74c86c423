"""Values and gradients of the losses against Keras (on PyTorch) and PyTorch itself."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

from fastnn import losses, ops  # noqa: E402

F = torch.nn.functional
RNG = np.random.default_rng(11)
N, C = 7, 5
NUMBERS, OTHERS, THIRD = RNG.normal(size=(3, N, C))
POSITIVE, MORE = RNG.uniform(0.1, 3, size=(2, N, C))
PROBS, SHARES = RNG.dirichlet(np.ones(C), (2, N))
UNIT, BITS = RNG.uniform(0.05, 0.95, (N, C)), RNG.integers(0, 2, (N, C)).astype(float)
LABELS = np.array([0, 4, 2, 2, 1, 3, 0])
ONE_HOT = np.eye(C)[LABELS]
SIGNS = np.where(BITS > 0, 1.0, -1.0)
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 3.0, 0.25, 1.5])
FACTORS = np.array([1.0, 0.5, 2.0, 3.0, 0.25])
CROWD = np.array([3, 1, 3, 3, 1, -7, 1])  # the last but one has nobody of its kind
UNIT_ROWS = NUMBERS / np.linalg.norm(NUMBERS, axis=1, keepdims=True)
DTYPES = ["float32", "float64"]
TOLERANCE = {"float32": {"rtol": 3e-5, "atol": 3e-6}, "float64": {"rtol": 1e-9, "atol": 1e-12}}

# name of the class in both libraries, its arguments, targets, predictions
KERAS = {
    "MeanSquaredError": ("MeanSquaredError", {}, NUMBERS, OTHERS),
    "MeanAbsoluteError": ("MeanAbsoluteError", {}, NUMBERS, OTHERS),
    "MeanAbsolutePercentageError": ("MeanAbsolutePercentageError", {}, NUMBERS, OTHERS),
    "MeanSquaredLogarithmicError": ("MeanSquaredLogarithmicError", {}, POSITIVE, MORE),
    "LogCosh": ("LogCosh", {}, NUMBERS, OTHERS),
    "Huber": ("Huber", {"delta": 0.6}, NUMBERS, OTHERS),
    "KLDivergence": ("KLDivergence", {}, SHARES, PROBS),
    "Poisson": ("Poisson", {}, POSITIVE, MORE),
    "Hinge": ("Hinge", {}, BITS, NUMBERS),
    "Hinge of signs": ("Hinge", {}, SIGNS, NUMBERS),
    "SquaredHinge": ("SquaredHinge", {}, BITS, NUMBERS),
    "CategoricalHinge": ("CategoricalHinge", {}, ONE_HOT, NUMBERS),
    "CosineSimilarity": ("CosineSimilarity", {}, NUMBERS, OTHERS),
    "BinaryCrossentropy": ("BinaryCrossentropy", {"label_smoothing": 0.2}, BITS, UNIT),
    "BinaryCrossentropy of logits": ("BinaryCrossentropy", {"from_logits": True}, BITS, NUMBERS),
    "BinaryFocal": ("BinaryFocalCrossentropy", {"gamma": 1.7}, BITS, UNIT),
    "BinaryFocal, balanced": ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.3}, BITS, UNIT),
    "BinaryFocal of logits": ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, BITS, NUMBERS),
    "CategoricalCrossentropy": ("CategoricalCrossentropy", {"label_smoothing": 0.2}, ONE_HOT, PROBS * 2),
    "CategoricalCrossentropy of logits": (
        "CategoricalCrossentropy",
        {"from_logits": True, "label_smoothing": 0.1},
        SHARES,
        NUMBERS,
    ),
    "SparseCategoricalCrossentropy": ("SparseCategoricalCrossentropy", {}, LABELS, PROBS),
    "SparseCategoricalCrossentropy of logits": (
        "SparseCategoricalCrossentropy",
        {"from_logits": True, "ignore_class": 2},
        LABELS,
        NUMBERS,
    ),
    "CategoricalFocal": ("CategoricalFocalCrossentropy", {"label_smoothing": 0.1}, ONE_HOT, PROBS),
    "CategoricalFocal, several alphas": (
        "CategoricalFocalCrossentropy",
        {"alpha": [0.1, 0.2, 0.3, 0.25, 0.15], "gamma": 1.5},
        ONE_HOT,
        PROBS,
    ),
    "CategoricalFocal of logits": ("CategoricalFocalCrossentropy", {"from_logits": True}, ONE_HOT, NUMBERS),
    "CategoricalGeneralized": ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, LABELS, PROBS),
    "Dice": ("Dice", {}, BITS, UNIT),
    "Dice of samples": ("Dice", {"axis": -1}, BITS, UNIT),
    "Tversky": ("Tversky", {"alpha": 0.3, "beta": 0.9}, BITS, UNIT),
    "Tversky of samples": ("Tversky", {"alpha": 0.3, "axis": 1}, BITS, UNIT),
    "Circle": ("Circle", {"gamma": 4.0}, CROWD, UNIT_ROWS),
    "Circle with itself": ("Circle", {"gamma": 6.0, "margin": 0.25, "remove_diagonal": False}, CROWD, UNIT_ROWS),
    "CTC": ("CTC", {}, np.array([[1, 2, 0], [3, 3, 1]]), RNG.normal(size=(2, 8, 4))),
}


# Keras's losses take means in float32 whatever they are given
KERAS_TOLERANCE = {"rtol": 3e-5, "atol": 3e-6}


def with_gradient(loss, y, p, weights, dtype):
    """The gradient of a fastnn loss: through the model, whose only layer is the identity."""
    from fastnn import Sequential
    from fastnn.layers import Dense, Input

    model = Sequential([Input(p.shape[1:], dtype=dtype), Dense(p.shape[-1], use_bias=False, dtype=dtype)])
    model.set_weights([np.eye(p.shape[-1])])
    model.compile("sgd", loss)
    data, goal = model.prepare(p, y, weights, "test")
    return model.runner.gradient(data, goal, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", KERAS)
def test_values_are_those_of_keras(name, dtype):
    cls, options, y, p = KERAS[name]
    y, p = (a.astype(dtype) if a.dtype.kind == "f" else a for a in (y, p))
    theirs = getattr(keras.losses, cls)
    for reduction in ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None):
        for weights in (None, WEIGHTS[: len(p)]):
            if weights is not None and reduction is None:
                continue
            ours = getattr(losses, cls)(**options, reduction=reduction)
            given = {"sample_weight": None if weights is None else weights.astype(dtype)}
            expected = theirs(**options, reduction=reduction, dtype=dtype)(y, p, **given)
            expected = expected.detach().cpu().numpy()
            np.testing.assert_allclose(ours(y, p, weights), expected, err_msg=str(reduction), **KERAS_TOLERANCE)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", KERAS)
def test_gradients_are_those_of_keras(name, weighted, dtype):
    cls, options, y, p = KERAS[name]
    y, p = (a.astype(dtype) if a.dtype.kind == "f" else a for a in (y, p))
    ours = getattr(losses, cls)(**options)
    if weighted and ours.kernel().axes == 0:
        pytest.skip("a loss of the whole batch has no weights in training")
    weights = WEIGHTS[: len(p)] if weighted else None
    x = torch.tensor(p, requires_grad=True)
    kernel = torch.eye(p.shape[-1], dtype=x.dtype, requires_grad=True)
    given = None if weights is None else weights.astype(dtype)
    value = getattr(keras.losses, cls)(**options, dtype=dtype)(y, x @ kernel, sample_weight=given)
    value.backward()
    loss, (gradient,) = with_gradient(ours, y, p, weights, dtype)
    np.testing.assert_allclose(loss, value.item(), **KERAS_TOLERANCE)
    np.testing.assert_allclose(gradient, kernel.grad.numpy(), **KERAS_TOLERANCE)


# ------------------------------------------------------------------------------------------------------------ PyTorch


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def tensor(a, dtype):
    return torch.tensor(a.astype(dtype) if a.dtype.kind == "f" else a)


def label_lists(bits):
    """PyTorch's form of targets: the labels of the classes that are right, then -1."""
    lists = np.full(bits.shape, -1)
    for row, right in zip(lists, bits, strict=True):
        found = np.flatnonzero(right)
        row[: len(found)] = found
    return lists


def multilabel_margin(x, t, **given):
    return F.multilabel_margin_loss(x, torch.tensor(label_lists(t.numpy())), **given)


# name of the op, its keywords, inputs, targets; torch function, its keywords
TORCH = {
    "mse": ("mse", {}, (NUMBERS,), OTHERS, F.mse_loss, {}),
    "mae": ("mae", {}, (NUMBERS,), OTHERS, F.l1_loss, {}),
    "huber": ("huber", {"delta": 0.6}, (NUMBERS,), OTHERS, F.huber_loss, {"delta": 0.6}),
    "smooth_l1": ("smooth_l1", {"beta": 0.6}, (NUMBERS,), OTHERS, F.smooth_l1_loss, {"beta": 0.6}),
    "smooth_l1 as mae": ("smooth_l1", {"beta": 0.0}, (NUMBERS,), OTHERS, F.smooth_l1_loss, {"beta": 0.0}),
    "poisson": ("poisson", {"eps": 1e-8}, (POSITIVE,), MORE, F.poisson_nll_loss, {"log_input": False}),
    "poisson_nll": ("poisson_nll", {}, (NUMBERS,), MORE, F.poisson_nll_loss, {}),
    "bce": ("cut_binary_cross_entropy", {}, (UNIT,), BITS, F.binary_cross_entropy, {}),
    "bce with logits": (
        "binary_cross_entropy_with_logits",
        {},
        (NUMBERS,),
        UNIT,
        F.binary_cross_entropy_with_logits,
        {},
    ),
    "bce with pos_weight": (
        "weighted_binary_cross_entropy_with_logits",
        {"pos_weight": 2.5},
        (NUMBERS,),
        UNIT,
        F.binary_cross_entropy_with_logits,
        {"pos_weight": torch.tensor(2.5)},
    ),
    "bce with a vector as pos_weight": (
        "balanced_binary_cross_entropy_with_logits",
        {"pos_weight": FACTORS},
        (NUMBERS,),
        UNIT,
        lambda x, t, **k: F.binary_cross_entropy_with_logits(x, t, pos_weight=tensor(FACTORS, str(x.dtype)[6:]), **k),
        {},
    ),
    "multilabel_margin": ("multilabel_margin", {}, (NUMBERS,), BITS, multilabel_margin, {}),
    "multilabel_soft_margin": ("multilabel_soft_margin", {}, (NUMBERS,), BITS, F.multilabel_soft_margin_loss, {}),
    "multilabel_soft_margin, weighted": (
        "multilabel_soft_margin",
        {"class_weight": FACTORS},
        (NUMBERS,),
        BITS,
        lambda x, t, **k: F.multilabel_soft_margin_loss(x, t, tensor(FACTORS, str(x.dtype)[6:]), **k),
        {},
    ),
    "soft_margin": ("soft_margin", {}, (NUMBERS,), SIGNS, F.soft_margin_loss, {}),
    "gaussian_nll": (
        "gaussian_nll",
        {"full": 1},
        (NUMBERS, POSITIVE),
        OTHERS,
        lambda m, v, t, **k: F.gaussian_nll_loss(m, t, v, full=True, **k),
        {},
    ),
    "margin_ranking": (
        "margin_ranking",
        {"margin": 0.3},
        (NUMBERS, OTHERS),
        SIGNS,
        F.margin_ranking_loss,
        {"margin": 0.3},
    ),
    "cosine_embedding": (
        "cosine_embedding",
        {"margin": 0.1},
        (NUMBERS, OTHERS),
        SIGNS[:, 0],
        F.cosine_embedding_loss,
        {"margin": 0.1},
    ),
    "triplet": ("triplet_margin", {}, (NUMBERS, OTHERS, THIRD), None, F.triplet_margin_loss, {}),
    "triplet, swapped": (
        "triplet_margin",
        {"swap": 1, "power": 3, "margin": 2},
        (NUMBERS, OTHERS, THIRD),
        None,
        F.triplet_margin_loss,
        {"swap": True, "p": 3, "margin": 2},
    ),
    "multi_margin": (
        "multi_margin",
        {"power": 2, "margin": 0.8},
        (NUMBERS,),
        LABELS,
        F.multi_margin_loss,
        {"p": 2, "margin": 0.8},
    ),
    "nll": ("nll", {"ignore_index": 2}, (log_softmax(NUMBERS),), LABELS, F.nll_loss, {"ignore_index": 2}),
    "nll, weighted": (
        "nll",
        {"class_weight": FACTORS},
        (log_softmax(NUMBERS),),
        LABELS,
        lambda x, y, **k: F.nll_loss(x, y, weight=tensor(FACTORS, str(x.dtype)[6:]), **k),
        {},
    ),
}


def check(name, options, inputs, target, function, theirs, dtype, reduction):
    """Value and gradient of one op against a function of PyTorch."""
    arrays = [a.astype(dtype) for a in inputs]
    given = () if target is None else (target.astype(dtype) if target.dtype.kind == "f" else target,)
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = function(*tensors, *(torch.tensor(g) for g in given), reduction=reduction, **theirs)
    expected.sum().backward()
    loss, *grads = getattr(ops, f"{name}_with_grad")(*arrays, *given, reduction=reduction, **options)
    if name.startswith("balanced") and reduction == "none":
        expected = expected.mean(-1)  # the op has one loss for each row
        for x in tensors:
            x.grad /= x.shape[-1]
    by_rows = ("balanced_binary_cross_entropy_with_logits",)
    columns = arrays[0].shape[-1] if name in by_rows and reduction == "sum" else 1
    np.testing.assert_allclose(np.asarray(loss) * columns, expected.detach().numpy(), **TOLERANCE[dtype])
    for grad, x in zip(grads, tensors, strict=True):
        np.testing.assert_allclose(grad * columns, x.grad.numpy(), **TOLERANCE[dtype])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TORCH)
def test_ops_are_those_of_pytorch(name, dtype, reduction):
    check(*TORCH[name], dtype, reduction)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", ["labels", "ignored", "rows"])
def test_cross_entropy_of_logits(form, weighted, smoothing, dtype, reduction):
    targets = SHARES.astype(dtype) if form == "rows" else LABELS
    ignore = {"ignore_index": 2} if form == "ignored" else {}
    weight = FACTORS if weighted else None
    if form != "rows" and weighted and smoothing:
        reduction = "sum" if reduction == "mean" else reduction  # PyTorch's mean mixes two divisors there
    x = torch.tensor(NUMBERS.astype(dtype), requires_grad=True)
    expected = F.cross_entropy(
        x,
        torch.tensor(targets),
        weight=None if weight is None else tensor(weight, dtype),
        label_smoothing=smoothing,
        reduction=reduction,
        **ignore,
    )
    expected.sum().backward()
    given = {"class_weight": weight, "label_smoothing": smoothing, **ignore}
    loss, grad = ops.softmax_cross_entropy_with_grad(NUMBERS.astype(dtype), targets, reduction=reduction, **given)
    np.testing.assert_allclose(loss, expected.detach().numpy(), **TOLERANCE[dtype])
    np.testing.assert_allclose(grad, x.grad.numpy(), **TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("blank", [0, 3])
@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_ctc(dtype, blank, reduction):
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(4, 12, 6)).astype(dtype)
    targets = rng.choice([k for k in range(6) if k != blank], (4, 5))
    targets[1] = targets[1, 0]  # a label that repeats
    steps, labels = np.array([12, 11, 7, 12]), np.array([5, 4, 3, 0])
    x = torch.tensor(logits, requires_grad=True)
    log_probs = torch.log_softmax(x, -1).transpose(0, 1)
    expected = F.ctc_loss(log_probs, *map(torch.tensor, (targets, steps, labels)), blank=blank, reduction=reduction)
    expected.sum().backward()
    loss, grad = ops.ctc_loss_with_grad(logits, targets, steps, labels, blank=blank, reduction=reduction)
    np.testing.assert_allclose(loss, expected.detach().numpy(), **TOLERANCE[dtype])
    np.testing.assert_allclose(grad, x.grad.numpy(), **TOLERANCE[dtype])


def test_ctc_that_is_impossible():
    logits = np.zeros((1, 2, 3))
    theirs = F.ctc_loss(
        torch.log_softmax(torch.tensor(logits), -1).transpose(0, 1), *map(torch.tensor, ([[1, 1]], [2], [2]))
    )
    assert np.isinf(theirs.item())
    loss, grad = ops.ctc_loss_with_grad(logits, [[1, 1]])
    assert np.isinf(loss)
    assert not grad.any()
    assert ops.ctc_loss(logits, [[1, 1]], zero_infinity=True) == 0


def test_lists_of_labels_are_those_of_pytorch():
    expected = F.multilabel_margin_loss(torch.tensor(NUMBERS), torch.tensor(label_lists(BITS)), reduction="none")
    loss = losses.MultiLabelMargin(label_lists=True, reduction="none")
    np.testing.assert_allclose(loss(label_lists(BITS), NUMBERS), expected.numpy(), rtol=1e-12)


# ------------------------------------------------------------------------------------- other axes than the last, Keras

IMAGES = RNG.normal(size=(4, C, 3, 2))
CHANNELS_FIRST = {
    "CategoricalCrossentropy": ({}, np.moveaxis(RNG.dirichlet(np.ones(C), (4, 3, 2)), -1, 1)),
    "CategoricalFocalCrossentropy": ({"gamma": 1.5}, np.moveaxis(RNG.dirichlet(np.ones(C), (4, 3, 2)), -1, 1)),
    "SparseCategoricalCrossentropy": ({}, RNG.integers(0, C, (4, 3, 2))),
    "BinaryCrossentropy": ({}, RNG.integers(0, 2, IMAGES.shape).astype(float)),
    "BinaryFocalCrossentropy": ({"gamma": 1.5}, RNG.integers(0, 2, IMAGES.shape).astype(float)),
    "CosineSimilarity": (None, RNG.normal(size=IMAGES.shape)),
}


@pytest.mark.parametrize("axis", [1, -3])
@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("name", CHANNELS_FIRST)
def test_axes(name, logits, axis):
    options, y = CHANNELS_FIRST[name]
    if options is None:
        options, p = {}, IMAGES
    else:
        options = {**options, "from_logits": logits}
        p = IMAGES if logits else np.exp(IMAGES) / np.exp(IMAGES).sum(1, keepdims=True)
    kernel = torch.eye(2, dtype=torch.float64, requires_grad=True)
    value = getattr(keras.losses, name)(**options, axis=axis, dtype="float64")(y, torch.tensor(p) @ kernel)
    value.backward()
    ours = getattr(losses, name)(**options, axis=axis)
    np.testing.assert_allclose(ours(y, p), value.item(), **KERAS_TOLERANCE)
    loss, (gradient,) = with_gradient(ours, y, p, None, "float64")
    np.testing.assert_allclose(loss, value.item(), **KERAS_TOLERANCE)
    np.testing.assert_allclose(gradient, kernel.grad.numpy(), **KERAS_TOLERANCE)
