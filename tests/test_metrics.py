"""Metrics: values of Keras (version 3.15.1) and hand-computed ones, states, names, and what the engine is told."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from fastnn import metrics
from fastnn.backend import use_backend
from fastnn.metrics import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    Mean,
    MeanAbsoluteError,
    MeanMetricWrapper,
    MeanSquaredError,
    Metric,
    MetricKernel,
    SparseCategoricalAccuracy,
)

P = np.array([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [1.0, 2.0, 1.0]], np.float32)
Z = np.array([[2.0, -1.0, 0.5], [100.0, 0.0, -100.0], [0.1, 0.2, 0.3], [-3.0, 0.0, 3.0]], np.float32)
T = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0], [0.25, 0.5, 0.25]], np.float32)
Y = np.array([1, 2, 0, 1])
W = np.array([1.0, 0.5, 2.0, 0.0])
BP = np.array([[0.6, 0.4], [0.4, 0.6], [0.0, 1.0], [1e-3, 0.999]], np.float32)
BT = np.array([[0, 1], [0, 0], [1, 0], [0, 1]], np.float32)
SEQUENCES = np.abs(np.random.default_rng(0).normal(size=(2, 3, 4))).astype(np.float32)
LABELS = np.array([[0, 3, 1], [2, 2, 0]])
SEQUENCE_WEIGHTS = np.array([[1, 0, 2], [0.5, 1, 1]])


@pytest.fixture(autouse=True, params=["native", "reference"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with use_backend(request.param):
        yield request.param


@pytest.mark.parametrize(
    ("metric", "updates", "expected"),
    [
        (BinaryAccuracy(), [([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]])], 0.75),
        (BinaryAccuracy(), [([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]], [1, 0, 0, 1])], 0.5),
        (BinaryAccuracy(), [([1, 1, 0, 0], [[0.98], [1], [0], [0.6]])], 0.75),
        (BinaryAccuracy(threshold=0.4), [(BT, BP), (BT[:1], BP[:1])], 0.3),
        (BinaryAccuracy(), [(BT, BP, W)], 0.0714285746216774),
        (CategoricalAccuracy(), [(T, P), (T[:1], Z[:1])], 0.4),
        (CategoricalAccuracy(), [(T, P, W)], 0.2857142984867096),
        (SparseCategoricalAccuracy(), [(Y, P), (Y[:3], Z[:3])], 0.2857142984867096),
        (SparseCategoricalAccuracy(), [(Y[:, None], P, W)], 0.2857142984867096),
        (SparseCategoricalAccuracy(), [(LABELS, SEQUENCES)], 0.1666666716337204),
        (SparseCategoricalAccuracy(), [(LABELS, SEQUENCES, SEQUENCE_WEIGHTS)], 0.36363640427589417),
        (SparseCategoricalAccuracy(), [(LABELS, SEQUENCES, [1, 3])], 0.0833333358168602),
        (MeanSquaredError(), [(T, Z), (T[:1], Z[:1])], 1349.1209716796875),
        (MeanSquaredError(), [(T, Z, W)], 962.9171142578125),
        (MeanAbsoluteError(), [(T, Z, W)], 10.266667366027832),
        (Accuracy(), [([[1], [2], [3], [4]], [[0], [2], [3], [4]])], 0.75),
        (Accuracy(), [([[1], [2], [3], [4]], [[0], [2], [3], [4]], [1, 1, 0, 0])], 0.5),
        (Mean(), [([1, 3, 5, 7],)], 4.0),
        (Mean(), [([1, 3, 5, 7], [1, 1, 0, 0])], 2.0),
        (Mean(), [(np.arange(6.0).reshape(2, 3),), (10.0,)], 5.0),
        (
            Mean(),
            [
                (np.arange(6.0).reshape(2, 3), [1, 2]),
                (np.arange(6.0).reshape(2, 3), np.arange(6).reshape(2, 3)),
            ],
            3.4166665077209473,
        ),
    ],
)
def test_results_are_those_of_keras(metric: Metric, updates: list[tuple[object, ...]], expected: float) -> None:
    metric.reset_state()
    for update in updates:
        metric.update_state(*update)
    assert metric.result() == pytest.approx(expected, rel=1e-6)


def test_state() -> None:
    metric = SparseCategoricalAccuracy()
    assert metric.result() == 0.0
    assert metric([0, 1], [[0.9, 0.1], [0.8, 0.2]]) == 0.5
    assert metric([1, 1], [[0.1, 0.9], [0.2, 0.8]]) == 0.75
    metric.add(total=0.0, count=4.0)
    assert metric.result() == 3 / 8
    metric.reset_state()
    assert (metric.total, metric.count, metric.result()) == (0.0, 0.0, 0.0)


def test_no_samples_change_nothing() -> None:
    metric = MeanSquaredError()
    metric.update_state(np.ones((0, 3)), np.ones((0, 3)))
    assert (metric.total, metric.count) == (0.0, 0.0)


def test_the_first_of_equal_predictions_counts() -> None:
    assert SparseCategoricalAccuracy()([0, 1], [[0.5, 0.5], [0.5, 0.5]]) == 0.5


def test_ignored_and_unseen_labels_are_misses() -> None:
    assert SparseCategoricalAccuracy()([-1, 7], [[0.5, 0.5], [0.5, 0.5]]) == 0.0


def test_a_long_sum_keeps_its_digits() -> None:
    metric = Mean()
    for _ in range(10_000):
        metric.update_state(np.full(100, 0.1, np.float64))
    assert metric.result() == pytest.approx(0.1, rel=1e-12)


def test_a_function_becomes_a_metric() -> None:
    def worst(y_true: np.ndarray, y_pred: np.ndarray, scale: float = 1.0) -> np.ndarray:
        return scale * np.abs(y_true - y_pred).max(axis=-1)

    metric = metrics.get(worst)
    assert isinstance(metric, MeanMetricWrapper)
    assert metric.name == "worst"
    assert metric([[0.0, 1.0], [1.0, 1.0]], [[0.5, 1.0], [1.0, 4.0]]) == 1.75
    assert metric.kernel((None, 2), (None, 2)) is None
    assert MeanMetricWrapper(worst, name="w", scale=2.0)([[0.0]], [[1.0]]) == 2.0
    with pytest.raises(ValueError, match="has no config"):
        metrics.serialize(metric)


# --- names


@pytest.mark.parametrize(
    ("output", "target", "cls"),
    [
        ((None, 1), (None, 1), BinaryAccuracy),
        ((None, 1), (None,), BinaryAccuracy),
        ((None, 10), (None,), SparseCategoricalAccuracy),
        ((None, 10), (None, 1), SparseCategoricalAccuracy),
        ((None, 10), (None, 10), CategoricalAccuracy),
        ((None, 7, 10), (None, 7), SparseCategoricalAccuracy),
        ((None, 7, 10), (None, 7, 10), CategoricalAccuracy),
    ],
)
@pytest.mark.parametrize("name", ["accuracy", "acc", "Accuracy"])
def test_accuracy_is_resolved_by_the_shapes(
    output: tuple[int | None, ...], target: tuple[int | None, ...], cls: type[Metric], name: str
) -> None:
    metric = metrics.resolve(name, output, target)
    assert type(metric) is cls
    assert metric.name == name


def test_resolve_names() -> None:
    assert metrics.resolve("mse", (None, 1), (None,)).name == "mse"
    assert metrics.resolve(MeanSquaredError, (None, 1), (None,)).name == "mean_squared_error"
    exact = Accuracy(name="exact")
    assert metrics.resolve(exact, (None, 1), (None,)) is exact
    assert exact.name == "exact"


@pytest.mark.parametrize(
    ("identifier", "cls"),
    [
        ("mse", MeanSquaredError),
        ("MAE", MeanAbsoluteError),
        ("mean_absolute_error", MeanAbsoluteError),
        ("binary_accuracy", BinaryAccuracy),
        ("CategoricalAccuracy", CategoricalAccuracy),
        ("accuracy", Accuracy),
        (Mean, Mean),
        ({"class_name": "BinaryAccuracy", "config": {"threshold": 0.25}}, BinaryAccuracy),
    ],
)
def test_get(identifier: object, cls: type[Metric]) -> None:
    assert type(metrics.get(identifier)) is cls


@pytest.mark.parametrize("metric", [BinaryAccuracy(threshold=0.25), MeanSquaredError(name="error"), Mean()], ids=str)
def test_config_round_trip(metric: Metric) -> None:
    twin = metrics.get(metrics.serialize(metric))
    assert type(twin) is type(metric)
    assert twin.get_config() == metric.get_config()


def test_directions() -> None:
    names = ("accuracy", "acc", "binary_accuracy", "mse", "mean_absolute_error", "loss", "mean", "lr")
    assert [metrics.direction(name) for name in names] == ["up", "up", "up", "down", "down", "down", None, None]


# --- what the engine is told


def test_kernels() -> None:
    shapes = (None, 10), (None, 10)
    assert BinaryAccuracy(threshold=0.25, name="b").kernel(*shapes) == MetricKernel("b", "threshold_hits", "", (0.25,))
    assert CategoricalAccuracy().kernel(*shapes) == MetricKernel("categorical_accuracy", "argmax_hits", "", ())
    assert SparseCategoricalAccuracy().kernel((None, 10), (None,)).op == "label_hits"
    assert MeanSquaredError(name="mse").kernel(*shapes) == MetricKernel("mse", "elementwise_loss", "mse", ())
    assert MeanAbsoluteError().kernel(*shapes).row == "mae"
    assert Accuracy().kernel(*shapes) is None
    assert Mean().kernel(*shapes) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.get("acuracy_"), "Did you mean 'accuracy'"),
        (lambda: metrics.get(1), "Received: 1"),
        (lambda: metrics.resolve(None, (None, 1), (None, 1)), "Received: None"),
        (lambda: CategoricalAccuracy()(Y, P), "sparse categorical loss and metric"),
        (lambda: SparseCategoricalAccuracy()(T, P), "One-hot rows go with"),
        (lambda: SparseCategoricalAccuracy()([0.5, 1, 1, 1], P), "whole numbers"),
        (lambda: Accuracy()([1, 2], [1, 2, 3]), "must have the same shape"),
        (lambda: MeanSquaredError()(T, P, [1.0, 2.0]), "sample_weight must have the shape"),
        (lambda: Mean()([1.0, 2.0], [1.0, 2.0, 3.0]), "sample_weight must have the shape"),
    ],
)
def test_errors(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
