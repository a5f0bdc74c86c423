"""Losses: values of Keras (version 3.15.1, NumPy backend, float32), hand-computed ones, and what the engine is told."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from fastnn import config, losses
from fastnn.backend import use_backend
from fastnn.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    LossKernel,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)

PROBABILITIES = np.array([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [1.0, 2.0, 1.0]], np.float32)
LOGITS = np.array([[2.0, -1.0, 0.5], [100.0, 0.0, -100.0], [0.1, 0.2, 0.3], [-3.0, 0.0, 3.0]], np.float32)
ROWS = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0], [0.25, 0.5, 0.25]], np.float32)
LABELS = np.array([1, 2, 0, 1])
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0])
BINARY_P = np.array([[0.6, 0.4], [0.4, 0.6], [0.0, 1.0], [1e-3, 0.999]], np.float32)
BINARY_T = np.array([[0, 1], [0, 0], [1, 0], [0, 1]], np.float32)


@pytest.fixture(autouse=True, params=["native", "reference"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with use_backend(request.param):
        yield request.param


@pytest.mark.parametrize(
    ("computed", "expected"),
    [
        (lambda: losses.mean_squared_error(ROWS, LOGITS), [2.75, 6733.66650390625, 0.31333330273628235, 6.125]),
        (lambda: losses.mean_absolute_error(ROWS, LOGITS), [1.5, 67.0, 0.46666669845581055, 2.1666667461395264]),
        (
            lambda: losses.categorical_crossentropy(ROWS, PROBABILITIES),
            [0.6931471824645996, 2.3025851249694824, 16.11809539794922, 1.0397207736968994],
        ),
        (
            lambda: losses.categorical_crossentropy(ROWS, PROBABILITIES, label_smoothing=0.1),
            [0.7407177090644836, 2.2146167755126953, 15.580825805664062, 1.051273226737976],
        ),
        (
            lambda: losses.categorical_crossentropy(ROWS, LOGITS, from_logits=True),
            [3.2413113117218018, 200.0, 1.2019429206848145, 3.05094575881958],
        ),
        (
            lambda: losses.categorical_crossentropy(ROWS, LOGITS, from_logits=True, label_smoothing=0.2),
            [2.9413113594055176, 180.0, 1.1819429397583008, 3.05094575881958],
        ),
        (
            lambda: losses.sparse_categorical_crossentropy(LABELS, PROBABILITIES),
            [0.6931471824645996, 2.3025851249694824, 16.11809539794922, 0.6931471824645996],
        ),
        (
            lambda: losses.sparse_categorical_crossentropy(LABELS[:, None], LOGITS, from_logits=True),
            [3.2413113117218018, 200.0, 1.2019429206848145, 3.05094575881958],
        ),
        (
            lambda: losses.sparse_categorical_crossentropy(LABELS, PROBABILITIES, ignore_class=2),
            [0.6931471824645996, 0.0, 16.11809539794922, 0.6931471824645996],
        ),
        (
            lambda: losses.binary_crossentropy(BINARY_T, BINARY_P),
            [0.9162907600402832, 0.7135581970214844, 16.03023910522461, 0.0010004873620346189],
        ),
        (
            lambda: losses.binary_crossentropy(BINARY_T, BINARY_P, label_smoothing=0.2),
            [0.8757442235946655, 0.7135581970214844, 14.427215576171875, 0.6916764974594116],
        ),
    ],
)
def test_sample_losses_are_those_of_keras(computed: object, expected: list[float]) -> None:
    values = computed()  # type: ignore[operator]
    assert values.dtype == np.float32
    # Keras's own rounding shows where 1 - p is computed in float32
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_binary_crossentropy_from_logits_by_hand() -> None:
    def softplus(x: float) -> float:
        return math.log1p(math.exp(x))

    values = losses.binary_crossentropy(BINARY_T, np.array([[0.2, -0.1], [10, 0], [0.01, 0.02], [-0.3, 0]]), True)
    # -log sigmoid(x) = softplus(-x) for the target 1, -log(1 - sigmoid(x)) = softplus(x) for the target 0
    pairs = [(0.2, 0.1), (10, 0), (-0.01, 0.02), (-0.3, 0)]
    np.testing.assert_allclose(values, [(softplus(a) + softplus(b)) / 2 for a, b in pairs], rtol=1e-14)


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        # the losses are 2.75, 6733.6667, 0.31333, 6.125; Keras's values
        ("sum_over_batch_size", 842.552490234375),
        ("mean", 842.552490234375),
        ("sum", 3370.2099609375),
        ("mean_with_sample_weight", 962.9171142578125),
    ],
)
def test_weighted_reductions(reduction: str, expected: float) -> None:
    assert MeanSquaredError(reduction=reduction)(ROWS, LOGITS, WEIGHTS) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("reduction", ["none", None])
def test_no_reduction(reduction: str | None) -> None:
    values = MeanSquaredError(reduction=reduction)(ROWS, LOGITS, WEIGHTS)
    np.testing.assert_allclose(values, [2.75, 6733.66650390625 / 2, 2 * 0.31333330273628235, 0.0], rtol=1e-6)
    assert getattr(values, "dtype", None) == np.float32


@pytest.mark.parametrize(
    ("reduction", "weighted", "expected"),
    [
        ("sum_over_batch_size", False, 5.834796905517578),
        ("sum_over_batch_size", True, 10.976446151733398),
        ("mean_with_sample_weight", False, 5.834796905517578),
        ("mean_with_sample_weight", True, 10.976445198059082),
        ("sum", True, 32.92933654785156),
    ],
)
def test_an_ignored_class_does_not_count(reduction: str, weighted: bool, expected: float) -> None:
    loss = SparseCategoricalCrossentropy(ignore_class=2, reduction=reduction)
    assert loss(LABELS, PROBABILITIES, WEIGHTS if weighted else None) == pytest.approx(expected, rel=1e-6)


def test_an_ignored_class_may_lie_outside_the_classes() -> None:
    loss = SparseCategoricalCrossentropy(ignore_class=-1)
    assert loss([1, -1], PROBABILITIES[:2]) == pytest.approx(math.log(2))
    assert loss([-1, -1], PROBABILITIES[:2]) == 0.0


def test_samples_in_sequences() -> None:
    rng = np.random.default_rng(0)
    p = np.abs(rng.normal(size=(2, 3, 4))).astype(np.float32)
    y = np.array([[0, 3, 1], [2, 2, 0]])
    assert SparseCategoricalCrossentropy()(y, p) == pytest.approx(1.6665898561477661, rel=1e-6)
    weights = np.array([[1, 0, 2], [0.5, 1, 1]])
    assert SparseCategoricalCrossentropy(reduction="sum")(y, p, weights) == pytest.approx(8.88675308227539, rel=1e-6)
    # one weight per sequence: (2 * 4.0110236 + 0 * ...) / 6
    first = 2.0767695903778076 + 1.2012478113174438 + 0.7330061197280884
    assert SparseCategoricalCrossentropy()(y, p, [2.0, 0.0]) == pytest.approx(2 * first / 6, rel=1e-6)
    assert SparseCategoricalCrossentropy()(y, p, [[2.0], [0.0]]) == pytest.approx(2 * first / 6, rel=1e-6)


def test_the_examples_in_the_manual_of_keras() -> None:
    assert BinaryCrossentropy(from_logits=True)([0, 1, 0, 0], [-18.6, 0.51, 2.94, -12.8]) == pytest.approx(
        0.8654578328132629
    )
    assert CategoricalCrossentropy()([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]) == pytest.approx(
        1.177, abs=5e-4
    )
    assert MeanSquaredError()([1.0, 2.0, 3.0], [[1.0], [1.0], [1.0]]) == pytest.approx(5 / 3)
    assert MeanAbsoluteError()([[1.0], [2.0]], [4.0, 4.0]) == pytest.approx(2.5)


def test_float64_against_the_formulas() -> None:
    rng = np.random.default_rng(3)
    z, t = rng.normal(scale=2, size=(20, 6)), rng.random((20, 6))
    q = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    s = 1 / (1 + np.exp(-z))
    cross = -(t * np.log(q)).sum(1)
    binary = -(t * np.log(s) + (1 - t) * np.log(1 - s)).mean(1)
    np.testing.assert_allclose(losses.categorical_crossentropy(t, z, from_logits=True), cross, rtol=1e-13)
    np.testing.assert_allclose(losses.categorical_crossentropy(t, q), cross, rtol=1e-12)
    np.testing.assert_allclose(losses.binary_crossentropy(t, z, from_logits=True), binary, rtol=1e-12)
    np.testing.assert_allclose(losses.binary_crossentropy(t, s), binary, rtol=1e-12)
    np.testing.assert_allclose(losses.mean_squared_error(t, z), ((t - z) ** 2).mean(1), rtol=1e-14)
    np.testing.assert_allclose(losses.mean_absolute_error(t, z), np.abs(t - z).mean(1), rtol=1e-14)


def test_large_logits_stay_finite() -> None:
    logits = np.array([[500.0], [-500.0]], np.float32)
    assert BinaryCrossentropy(from_logits=True, reduction="sum")([[0.0], [1.0]], logits) == pytest.approx(1000.0)
    assert CategoricalCrossentropy(from_logits=True)([[0, 1]], np.array([[1e4, 0.0]])) == pytest.approx(1e4)


def test_epsilon_is_that_of_the_configuration() -> None:
    config.set_epsilon(1e-3)
    try:
        assert BinaryCrossentropy()([[1.0]], [[0.0]]) == pytest.approx(-math.log(1e-3))
        assert CategoricalCrossentropy().kernel().params == (1e-3,)
    finally:
        config.set_epsilon(1e-7)


@pytest.mark.parametrize("dtype", ["float16", "int64", ">f4", ">f8", "bool"])
def test_other_dtypes_and_layouts(dtype: str) -> None:
    pred = np.array([[1, 0, 1], [0, 0, 1]]).astype(dtype)
    true = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]).T[:, :]  # not contiguous
    values = losses.mean_squared_error(true, pred)
    np.testing.assert_allclose(values, [1 / 3 + 1 / 3, 0.0])
    assert values.dtype == (np.float64 if dtype == ">f8" else np.float32)


def test_dtype_argument() -> None:
    values = MeanSquaredError(dtype="float64").call([[0.1]], np.array([[0.2]], np.float32))
    assert values.dtype == np.float64


# --- what the engine is told


def test_kernels() -> None:
    eps = 1e-7
    assert MeanSquaredError().kernel("softmax") == LossKernel("elementwise_loss", "mse", (), "rows")
    assert MeanAbsoluteError().kernel(None) == LossKernel("elementwise_loss", "mae", (), "rows")
    logits = "binary_cross_entropy_with_logits"
    assert BinaryCrossentropy().kernel("sigmoid") == LossKernel("elementwise_loss", logits, (), "rows", True)
    assert BinaryCrossentropy(from_logits=True).kernel() == LossKernel("elementwise_loss", logits, (), "rows")
    plain = LossKernel("elementwise_loss", "binary_cross_entropy", (eps,), "rows")
    assert BinaryCrossentropy().kernel("softmax") == BinaryCrossentropy().kernel() == plain
    weighted = BinaryCrossentropy(pos_weight=3.0)
    assert weighted.kernel("sigmoid")[1:3] == (f"weighted_{logits}", (3.0,))
    assert weighted.kernel()[1:3] == ("weighted_binary_cross_entropy", (3.0, eps))
    assert CategoricalCrossentropy().kernel("softmax") == LossKernel(
        "row_loss", "softmax_cross_entropy", (), "rows", True
    )
    assert CategoricalCrossentropy().kernel("sigmoid") == LossKernel(
        "row_loss", "categorical_cross_entropy", (eps,), "rows"
    )
    smooth = CategoricalCrossentropy(label_smoothing=0.1, class_weight=[1, 2]).kernel()
    assert (smooth.smoothing, smooth.class_weight) == (0.1, (1.0, 2.0))
    assert SparseCategoricalCrossentropy(from_logits=True, ignore_class=255).kernel("identity") == LossKernel(
        "row_loss", "softmax_cross_entropy", (), "labels", ignore=255
    )
    assert SparseCategoricalCrossentropy().kernel("softmax").fused


def test_logits_behind_a_softmax_are_a_mistake() -> None:
    with pytest.warns(UserWarning, match="its outputs are probabilities"):
        kernel = SparseCategoricalCrossentropy(from_logits=True).kernel("softmax")
    assert kernel.fused


def test_prepared_targets() -> None:
    rows = np.array([[0, 1, 0, 0]])
    smoothed = CategoricalCrossentropy(label_smoothing=0.1)
    assert smoothed.prepare_targets(rows) is rows  # the kernel smooths
    assert not smoothed.changes_targets
    np.testing.assert_allclose(
        BinaryCrossentropy(label_smoothing=0.1).prepare_targets(rows), [[0.05, 0.95, 0.05, 0.05]], rtol=1e-6
    )
    assert BinaryCrossentropy().prepare_targets(rows) is rows
    assert MeanSquaredError().prepare_targets(rows) is rows
    np.testing.assert_array_equal(losses.Hinge().prepare_targets(rows), [[-1, 1, -1, -1]])
    np.testing.assert_array_equal(losses.Hinge().prepare_targets([[-1, 0.5]]), [[-1, 0.5]])
    np.testing.assert_array_equal(losses.CTC().prepare_targets([[1, 2, 0], [3, 0, 0]]), [[1, 2, -1], [3, -1, -1]])


def test_divisor() -> None:
    weights = np.array([1.0, 2.0, 4.0])
    labels = np.array([0, 5, 1])
    assert MeanSquaredError().divisor(labels, (3,), weights) == 3
    assert MeanSquaredError(reduction="sum").divisor(labels, (3,), weights) == 1
    assert MeanSquaredError(reduction="mean_with_sample_weight").divisor(labels, (3,), weights) == 7
    ignoring = SparseCategoricalCrossentropy(ignore_class=5)
    assert ignoring.divisor(labels[:, None], (3,), weights) == 2
    ignoring.reduction = "mean_with_sample_weight"
    assert ignoring.divisor(labels, (3,), weights) == 5


# --- names and configs


@pytest.mark.parametrize(
    ("identifier", "cls"),
    [
        ("mse", MeanSquaredError),
        ("MSE", MeanSquaredError),
        ("mean_squared_error", MeanSquaredError),
        ("MeanSquaredError", MeanSquaredError),
        ("mae", MeanAbsoluteError),
        ("bce", BinaryCrossentropy),
        ("binary_crossentropy", BinaryCrossentropy),
        ("categorical_crossentropy", CategoricalCrossentropy),
        ("sparse_categorical_crossentropy", SparseCategoricalCrossentropy),
        (losses.mean_absolute_error, MeanAbsoluteError),
        (MeanSquaredError, MeanSquaredError),
    ],
)
def test_get(identifier: object, cls: type[Loss]) -> None:
    assert type(losses.get(identifier)) is cls


def test_resolve_goes_by_the_shapes() -> None:
    assert isinstance(losses.resolve("crossentropy", (None, 1), (None,)), BinaryCrossentropy)
    assert isinstance(losses.resolve("ce", (None, 10), (None,)), SparseCategoricalCrossentropy)
    assert isinstance(losses.resolve("ce", (None, 10), (None, 1)), SparseCategoricalCrossentropy)
    assert isinstance(losses.resolve("ce", (None, 10), (None, 10)), CategoricalCrossentropy)
    assert isinstance(losses.resolve("mse", (None, 10), (None, 10)), MeanSquaredError)


@pytest.mark.parametrize(
    "loss",
    [
        MeanSquaredError(reduction="sum", name="error"),
        BinaryCrossentropy(from_logits=True, label_smoothing=0.25),
        CategoricalCrossentropy(label_smoothing=0.1),
        SparseCategoricalCrossentropy(from_logits=True, ignore_class=3, reduction=None),
    ],
    ids=str,
)
def test_config_round_trip(loss: Loss) -> None:
    twin = losses.get(losses.serialize(loss))
    assert type(twin) is type(loss)
    assert twin.get_config() == loss.get_config()
    assert type(loss).from_config(loss.get_config()).get_config() == loss.get_config()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.get("mean_square_error"), "Did you mean 'mean_squared_error'"),
        (lambda: losses.get(lambda t, p: p), "does not tell its gradient"),
        (lambda: losses.get(1), "Received: 1"),
        (lambda: MeanSquaredError(reduction="avg"), "Unknown reduction 'avg'"),
        (lambda: BinaryCrossentropy(label_smoothing=1.5), "label_smoothing must lie between 0 and 1"),
        (lambda: MeanSquaredError()([[1.0, 2.0]], [[1.0]]), r"Received: y_true \(1, 2\), y_pred \(1, 1\)"),
        (lambda: MeanSquaredError()(np.ones((3, 3)), np.ones((2, 3))), "must have the same shape"),
        (lambda: CategoricalCrossentropy()(LABELS, PROBABILITIES), "sparse categorical loss"),
        (lambda: SparseCategoricalCrossentropy()(ROWS, PROBABILITIES), "One-hot rows go with"),
        (
            lambda: SparseCategoricalCrossentropy()([0, 3, 1, 1], PROBABILITIES),
            "between 0 and 2. Received: 3 at index 1",
        ),
        (lambda: SparseCategoricalCrossentropy()([0, 0, -1, 1], PROBABILITIES), "Received: -1 at index 2"),
        (lambda: SparseCategoricalCrossentropy()([0.5, 0, 0, 1], PROBABILITIES), "whole numbers"),
        (lambda: SparseCategoricalCrossentropy()([math.nan, 0, 0, 1], PROBABILITIES), "whole numbers"),
        (lambda: SparseCategoricalCrossentropy()([2**40, 0, 0, 1], PROBABILITIES), "at index 0"),
        (lambda: MeanSquaredError()(np.ones((4, 3)), LOGITS, [1.0, 2.0]), r"sample_weight must have the shape \(4,\)"),
        (lambda: MeanSquaredError()(np.ones((0, 3)), np.ones((0, 3))), "no sample to reduce"),
        (lambda: MeanSquaredError()(np.ones((3, 0)), np.ones((3, 0))), "at least one output"),
        (lambda: MeanSquaredError()([[1.0]], [[1j]]), "Received: dtype complex128"),
        (lambda: MeanSquaredError()([[1.0]], [["a"]]), "Real numbers"),
    ],
)
def test_errors(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_arguments_are_left_alone() -> None:
    true, pred = ROWS.copy(), PROBABILITIES.copy()
    CategoricalCrossentropy(label_smoothing=0.3)(true, pred, WEIGHTS)
    assert np.array_equal(true, ROWS)
    assert np.array_equal(pred, PROBABILITIES)


class Masked(np.ndarray):
    """Predictions with a mask, as Keras's layers return them."""

    _keras_mask: np.ndarray


def masked(predictions: np.ndarray, mask: list) -> Masked:
    array = predictions.view(Masked)
    array._keras_mask = np.array(mask)
    return array


@pytest.mark.parametrize(
    ("reduction", "weights", "expected"),
    [  # the losses of four samples are 1, 4, NaN and 16; the third does not count
        ("sum_over_batch_size", None, 7.0),
        ("sum_over_batch_size", [1.0, 2.0, 3.0, 0.5], 17 / 3),
        ("sum", None, 21.0),
        ("sum", [1.0, 2.0, 3.0, 0.5], 17.0),
        ("mean_with_sample_weight", None, 7.0),
        ("mean_with_sample_weight", [1.0, 2.0, 3.0, 0.5], 17 / 3.5),
        ("none", [1.0, 2.0, 3.0, 0.5], [1.0, 8.0, 0.0, 8.0]),
    ],
)
def test_the_mask_of_predictions(reduction: str, weights: list | None, expected: float | list) -> None:
    predictions = masked(np.array([[1.0], [2.0], [np.nan], [4.0]]), [True, True, False, True])
    found = MeanSquaredError(reduction=reduction)(np.zeros((4, 1)), predictions, sample_weight=weights)
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_masks_meet_ignored_labels_and_may_leave_nothing() -> None:
    loss = SparseCategoricalCrossentropy(ignore_class=2)
    each = SparseCategoricalCrossentropy(reduction="none")(LABELS, PROBABILITIES)
    assert loss(LABELS, masked(PROBABILITIES, [1, 1, 0, 1])) == pytest.approx((each[0] + each[3]) / 2)
    assert loss(LABELS, masked(PROBABILITIES, [0, 0, 0, 0])) == 0.0
    with pytest.raises(ValueError, match=r"the mask of y_pred must have the shape \(4,\).*Received: shape \(3,\)"):
        loss(LABELS, masked(PROBABILITIES, [1, 1, 0]))
