"""Metrics of counts - thresholds, curves, F-scores, regions - against hand-computed values and a plain count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastnn import metrics
from fastnn.metrics import (
    AUC,
    BinaryIoU,
    F1Score,
    FalseNegatives,
    FalsePositives,
    FBetaScore,
    IoU,
    MeanIoU,
    OneHotIoU,
    OneHotMeanIoU,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)

RNG = np.random.default_rng(3)
TRUE = (RNG.random((50, 3)) < 0.4).astype(np.float32)
PRED = np.clip(0.35 * TRUE + 0.65 * RNG.random((50, 3)), 0, 1).astype(np.float32)
WEIGHTS = RNG.integers(0, 5, 50) / 4
KINDS = {TruePositives: (1, 1), FalsePositives: (0, 1), TrueNegatives: (0, 0), FalseNegatives: (1, 0)}


def count(true: Any, pred: Any, threshold: float, target: int, positive: int, weights: Any = None) -> float:
    """What the definition says, number by number."""
    total = 0.0
    for index in np.ndindex(*np.shape(pred)):
        if (true[index] != 0) == target and (pred[index] > np.float32(threshold)) == positive:
            total += 1.0 if weights is None else weights[index[0]]
    return total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("thresholds", [None, 0.3, [0.7, 0.1, 0.5], [0.0, 0.5, 1.0], np.linspace(0, 1, 11).tolist()])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_counts(kind: Any, thresholds: Any, weights: Any) -> None:
    metric = kind(thresholds)
    for part in (slice(0, 32), slice(32, 50)):
        metric.update_state(TRUE[part], PRED[part], None if weights is None else weights[part])
    several = [0.5] if thresholds is None else np.atleast_1d(thresholds)
    expected = [count(TRUE, PRED, t, *KINDS[kind], weights) for t in several]
    assert np.allclose(metric.result(), expected if len(expected) > 1 else expected[0], rtol=1e-12)
    metric.reset_state()
    assert not np.any(metric.result())


def test_a_prediction_at_the_threshold_is_not_positive_and_nan_never_is() -> None:
    assert TruePositives(0.5)([1, 1, 1], [0.5, 0.75, np.nan]) == 1.0
    assert FalseNegatives(0.5)([1, 1, 1], [0.5, 0.75, np.nan]) == 2.0
    # 0.4 as a number of the predictions' dtype
    assert TruePositives(0.4)([1], np.array([0.4], np.float32)) == 0.0


def test_precision_and_recall() -> None:
    true, pred = [0, 1, 1, 1], [0.9, 0.1, 0.8, 0.9]
    assert Precision()(true, pred) == pytest.approx(2 / 3)
    assert Recall()(true, pred) == pytest.approx(2 / 3)
    assert Precision()(true, pred, [0, 1, 1, 0]) == 1.0
    assert Recall()(true, pred, [1, 3, 1, 0]) == 0.25
    assert np.allclose(Precision([0.5, 0.85])(true, pred), [2 / 3, 1 / 2])
    assert Precision()([0, 1], [0.1, 0.2]) == 0.0  # nothing found


def test_top_k_and_class_id() -> None:
    true = np.array([[0, 1, 0, 1], [1, 0, 0, 0]])
    pred = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.2, 0.2]])
    assert Precision(top_k=2)(true, pred) == 0.25  # of equal ones the first: 1 and 2 in the second row
    assert Recall(top_k=2)(true, pred) == pytest.approx(1 / 3)
    assert Precision(top_k=2, thresholds=0.25)(true, pred) == 0.5
    assert Recall(thresholds=0.25, class_id=1)(true, pred) == 1.0
    assert Recall(thresholds=0.25, class_id=3)(true, pred) == 0.0
    assert Precision(top_k=1, class_id=0)(true, pred) == 0.0


def test_points_of_the_curve() -> None:
    true, pred = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0.05, 0.3, 0.65, 0.25, 0.55, 0.75, 0.85])
    # rates for thresholds between neighbours, from the highest to the lowest
    assert SensitivityAtSpecificity(0.6)(true, pred) == 0.75  # 0.55 found, 0.65 a false alarm
    assert SensitivityAtSpecificity(1.0)(true, pred) == 0.5
    assert SpecificityAtSensitivity(0.75)(true, pred) == pytest.approx(2 / 3)
    assert SpecificityAtSensitivity(1.0)(true, pred) == pytest.approx(1 / 3)
    assert PrecisionAtRecall(0.75)(true, pred) == 0.75
    assert RecallAtPrecision(0.7)(true, pred) == 0.75
    assert RecallAtPrecision(1.0, num_thresholds=1)(true, pred) == 0.0  # 0.5 has a precision of 3/4
    assert PrecisionAtRecall(0.5, class_id=1)(np.stack([1 - true, true], 1), np.stack([1 - pred, pred], 1)) == 1.0


def test_area_under_roc() -> None:
    true, pred = [0, 0, 1, 1], [0, 0.5, 0.3, 0.9]
    assert AUC(num_thresholds=3)(true, pred) == 0.75
    assert AUC(num_thresholds=3)(true, pred, [1, 0, 0, 1]) == 1.0
    # the share of pairs that are in order, as Mann and Whitney count
    pairs = [
        (p > q) + 0.5 * (p == q)
        for p, t in zip(PRED[:, 0], TRUE[:, 0])
        if t
        for q, s in zip(PRED[:, 0], TRUE[:, 0])
        if not s
    ]
    every = sorted(set(PRED[:, 0].tolist()))
    assert AUC(thresholds=every)(TRUE[:, 0], PRED[:, 0]) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert AUC(num_thresholds=5000)(TRUE[:, 0], PRED[:, 0]) == pytest.approx(np.mean(pairs), abs=2e-3)


def test_area_of_every_label() -> None:
    by_label = [AUC()(TRUE[:, k], PRED[:, k]) for k in range(3)]
    assert AUC(multi_label=True)(TRUE, PRED) == pytest.approx(np.mean(by_label), abs=1e-12)
    weights = [1.0, 0.0, 3.0]
    weighted = AUC(multi_label=True, num_labels=3, label_weights=weights)(TRUE, PRED)
    assert weighted == pytest.approx(np.average(by_label, weights=weights), abs=1e-12)
    logits = np.log(PRED / (1 - PRED).clip(1e-6))
    assert AUC(from_logits=True)(TRUE, logits) == pytest.approx(AUC()(TRUE, PRED), abs=5e-3)


@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
def test_sums_from_below_and_above(curve: str) -> None:
    low, high = (AUC(20, curve, method)(TRUE, PRED) for method in ("minoring", "majoring"))
    middle = AUC(20, curve)(TRUE, PRED)
    assert low < middle < high
    assert high - low < 0.25


def test_f_scores() -> None:
    true = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0]])
    pred = np.array([[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    # labels above 0.5: TP (1, 2, 1), FP (0, 1, 1), FN (2, 0, 0)
    assert np.allclose(F1Score(threshold=0.5)(true, pred), [2 / 4, 4 / 5, 2 / 3])
    assert FBetaScore(threshold=0.5, average="macro", beta=2.0)(true, pred) == pytest.approx(
        np.mean([5 / (5 + 8), 10 / 11, 5 / 6])
    )
    assert F1Score("micro", 0.5)(true, pred) == pytest.approx(8 / (8 + 2 + 2))
    assert F1Score("weighted", 0.5)(true, pred) == pytest.approx((3 * 0.5 + 2 * 0.8 + 2 / 3) / 6)
    # without a threshold the largest of each row, here (2), (1 and 2), (1): TP (0, 1, 1), FP (0, 1, 1), FN (3, 1, 0)
    assert np.allclose(F1Score()(true, pred), [0.0, 2 / 4, 2 / 3])
    assert F1Score("macro", 0.5)(true, pred, [0, 0, 1]) == pytest.approx(2 / 3)


def test_intersection_over_union() -> None:
    assert IoU(2, [0])([0, 0, 1, 1], [0, 1, 0, 1]) == pytest.approx(1 / 3)
    assert MeanIoU(2)([0, 0, 1, 1], [0, 1, 0, 1], [0.3, 0.3, 0.3, 0.1]) == pytest.approx((0.3 / 0.9 + 0.1 / 0.7) / 2)
    assert BinaryIoU([1], 0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]) == pytest.approx(1 / 3)
    assert MeanIoU(3)([0, 1], [0, 1]) == 1.0  # the class that does not occur does not count
    assert MeanIoU(2, ignore_class=255)([0, 1, 255], [0, 1, 0]) == 1.0
    assert MeanIoU(2)([0, 1, 7, -1], [0, 1, 0, 1]) == 1.0
    rows, pred = np.eye(3)[[2, 0, 1, 0]], np.array([[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]])
    assert OneHotIoU(3, [0, 2])(rows, pred, [0.1, 0.2, 0.3, 0.4]) == pytest.approx((0 + 0.1 / 0.7) / 2)
    assert OneHotMeanIoU(3, sparse_y_pred=True)(rows, [2, 0, 1, 0]) == 1.0
    metric = MeanIoU(2)
    metric.update_state([0, 0], [0, 1])
    metric.update_state([1, 1], [0, 1])
    assert np.array_equal(metric.total_cm, [[1, 1], [1, 1]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Precision(1.5), "from 0 to 1. Received: thresholds=1.5"),
        (lambda: Precision(top_k=0), "Received: top_k=0"),
        (lambda: Precision()([1, 0], [1.0, 0.0, 1.0]), r"Received: y_true \(2,\), y_pred \(3,\)"),
        (lambda: Precision(class_id=3)(TRUE, PRED), "class_id=3 needs that class"),
        (lambda: AUC(num_thresholds=1), "Received: num_thresholds=1"),
        (lambda: AUC(curve="ROK"), "Did you mean 'ROC'"),
        (lambda: AUC(summation_method="interpolate"), "Did you mean 'interpolation'"),
        (lambda: AUC(num_labels=3), "multi_label=True. Received: num_labels=3"),
        (lambda: AUC(multi_label=True, num_labels=2)(TRUE, PRED), "expected 2 labels"),
        (lambda: AUC(multi_label=True)([1], [0.5]), "multi_label needs predictions"),
        (lambda: SensitivityAtSpecificity(-1), "Received: specificity=-1"),
        (lambda: RecallAtPrecision(1.5), "Received: precision=1.5"),
        (lambda: FBetaScore(average="mean"), "Received: average='mean'"),
        (lambda: FBetaScore(beta=0.0), "Received: beta=0.0"),
        (lambda: F1Score(threshold=0.0), "Received: threshold=0.0"),
        (lambda: F1Score()([1, 0], [0.5, 0.5]), r"\(samples, labels\). Received"),
        (lambda: IoU(2, [2]), r"classes below 2. Received: target_class_ids=\[2\]"),
        (lambda: MeanIoU(2)([0, 1], [0]), "as many labels as predictions"),
        (lambda: MeanIoU(2)([0, 1], [0, 1], [1, 1, 1]), "one weight for each of 2 labels. Received: 3"),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_every_metric_survives_its_config() -> None:
    arguments: dict[str, tuple[Any, ...]] = {
        "IoU": (3, [0, 2]), "MeanIoU": (3,), "OneHotIoU": (3, [1]), "OneHotMeanIoU": (3,),
        "SensitivityAtSpecificity": (0.5,), "SpecificityAtSensitivity": (0.5,), "PrecisionAtRecall": (0.5, 10),
        "RecallAtPrecision": (0.5, 20, 1), "AUC": (50, "PR", "minoring"), "FBetaScore": ("micro", 2.0, 0.25),
        "Precision": (None, 2, 1), "TruePositives": ([0.25, 0.5],), "TopKCategoricalAccuracy": (2,),
    }  # fmt: skip
    for cls in metrics._CLASSES:
        metric = cls(*arguments.get(cls.__name__, ()))
        twin = metrics.get(metrics.serialize(metric))
        assert type(twin) is cls
        assert twin.get_config() == metric.get_config()
        assert metrics.get(cls.__name__ if not arguments.get(cls.__name__) else metric).name == metric.name
