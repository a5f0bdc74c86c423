"""Metrics against Keras and scikit-learn: the same batches, weighted or not."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from fastnn import metrics

keras = pytest.importorskip("keras")
scores = pytest.importorskip("sklearn.metrics")

RNG = np.random.default_rng(5)
N, CLASSES = 60, 4
LABELS = RNG.integers(0, CLASSES, N)
ROWS = np.eye(CLASSES, dtype=np.float32)[LABELS]
MULTI = (RNG.random((N, CLASSES)) < 0.4).astype(np.float32)
PRED = RNG.dirichlet(np.ones(CLASSES), N).astype(np.float32)
PROBS = np.clip(0.3 * MULTI + 0.7 * RNG.random((N, CLASSES)), 0, 1).astype(np.float32)
REAL, NEAR = RNG.normal(size=(2, N, CLASSES)).astype(np.float32)
GUESS = RNG.integers(0, CLASSES, N)
WEIGHTS = RNG.integers(0, 5, N).astype(np.float32)

# name, arguments, data
CASES: list[tuple[str, dict[str, Any], tuple[Any, Any]]] = [
    ("Accuracy", {}, (LABELS, GUESS)),
    ("BinaryAccuracy", {"threshold": 0.4}, (MULTI, PROBS)),
    ("CategoricalAccuracy", {}, (ROWS, PRED)),
    ("SparseCategoricalAccuracy", {}, (LABELS, PRED)),
    ("TopKCategoricalAccuracy", {"k": 2}, (ROWS, PRED)),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, (LABELS, PRED)),
    ("SparseTopKCategoricalAccuracy", {"k": 1, "from_sorted_ids": True}, (LABELS, GUESS[:, None].astype(np.float32))),
    *((name, {}, (MULTI, PROBS)) for name in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives")),
    ("TruePositives", {"thresholds": [0.2, 0.7, 0.4]}, (MULTI, PROBS)),
    ("FalseNegatives", {"thresholds": [0.0, 0.5, 1.0]}, (MULTI, PROBS)),
    *(
        (name, options, (MULTI, PROBS))
        for name in ("Precision", "Recall")
        for options in (
            {}, {"thresholds": 0.7}, {"thresholds": [0.3, 0.6]}, {"top_k": 2}, {"class_id": 2},
            {"top_k": 2, "class_id": 1, "thresholds": 0.3},
        )
    ),
    *(
        (name, {argument: value, "num_thresholds": count}, (MULTI, PROBS))
        for name, argument in (
            ("SensitivityAtSpecificity", "specificity"), ("SpecificityAtSensitivity", "sensitivity"),
            ("PrecisionAtRecall", "recall"), ("RecallAtPrecision", "precision"),
        )
        for value in (0.3, 0.8)
        for count in (1, 7, 200)
    ),
    *(
        ("AUC", {"curve": curve, "summation_method": method, **options}, (MULTI, PROBS))
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
        for options in ({}, {"num_thresholds": 7}, {"thresholds": [0.1, 0.35, 0.8]})
    ),
    ("AUC", {"multi_label": True}, (MULTI, PROBS)),
    ("AUC", {"multi_label": True, "num_labels": CLASSES, "label_weights": [1.0, 0.5, 0.0, 2.0]}, (MULTI, PROBS)),
    ("AUC", {"label_weights": [1.0, 0.5, 0.0, 2.0]}, (MULTI, PROBS)),
    ("AUC", {"from_logits": True}, (MULTI, NEAR)),
    *(
        ("FBetaScore", {"average": average, "beta": 2.0, "threshold": threshold}, (MULTI, PROBS))
        for average in (None, "micro", "macro", "weighted")
        for threshold in (None, 0.4)
    ),
    ("F1Score", {"average": "macro"}, (ROWS, PRED)),
    ("IoU", {"num_classes": CLASSES, "target_class_ids": [0, 3]}, (LABELS, GUESS)),
    ("MeanIoU", {"num_classes": CLASSES, "ignore_class": 1}, (LABELS, GUESS)),
    ("BinaryIoU", {"threshold": 0.6}, (MULTI[:, 0], PROBS[:, 0])),
    ("OneHotIoU", {"num_classes": CLASSES, "target_class_ids": [1, 2]}, (ROWS, PRED)),
    ("OneHotMeanIoU", {"num_classes": CLASSES}, (ROWS, PRED)),
    *(
        (name, {}, (REAL, NEAR))
        for name in (
            "MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError",
            "LogCoshError", "CosineSimilarity", "PearsonCorrelation", "ConcordanceCorrelation", "R2Score",
        )
    ),
    ("R2Score", {"class_aggregation": None}, (REAL, NEAR)),
    ("R2Score", {"class_aggregation": "variance_weighted_average", "num_regressors": 3}, (REAL, NEAR)),
    ("MeanSquaredLogarithmicError", {}, (np.abs(REAL), np.abs(NEAR))),
    ("Poisson", {}, (np.abs(REAL), np.abs(NEAR))),
    ("KLDivergence", {}, (PRED[::-1], PRED)),
    *((name, {}, (np.sign(REAL), NEAR)) for name in ("Hinge", "SquaredHinge")),
    ("Hinge", {}, (MULTI, NEAR)),
    ("CategoricalHinge", {}, (ROWS, NEAR)),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, (MULTI, PROBS)),
    ("CategoricalCrossentropy", {"from_logits": True}, (ROWS, NEAR)),
    ("SparseCategoricalCrossentropy", {}, (LABELS, PRED)),
]  # fmt: skip


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize(("name", "options", "data"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)])
def test_same_as_keras(name: str, options: dict[str, Any], data: tuple[Any, Any], weights: Any) -> None:
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    for part in (slice(0, 32), slice(32, 60)):  # batches of different lengths
        chosen = None if weights is None else weights[part]
        ours.update_state(data[0][part], data[1][part], chosen)
        if "IoU" in name and chosen is not None:
            chosen = chosen.astype(np.int32)  # Keras warns of others
        theirs.update_state(data[0][part], data[1][part], chosen)
    result = theirs.result()
    expected = np.asarray(result.detach() if hasattr(result, "detach") else result)
    assert np.allclose(ours.result(), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES} | {"Mean", "Sum"}))
def test_same_arguments_defaults_and_names_as_keras(name: str) -> None:
    ours, theirs = (inspect.signature(getattr(module, name)).parameters for module in (metrics, keras.metrics))
    assert set(theirs) <= set(ours)
    for argument, parameter in theirs.items():
        if argument not in ("name", "dtype"):
            assert ours[argument].default == parameter.default, argument
    given = next((options for case, options, _ in CASES if case == name), {})
    keras.utils.clear_session() if hasattr(keras.utils, "clear_session") else keras.backend.clear_session()
    assert getattr(metrics, name)(**given).name == getattr(keras.metrics, name)(**given).name


def test_every_metric_of_keras_is_here() -> None:
    classes = {name for name, value in vars(keras.metrics).items() if inspect.isclass(value)}
    assert classes - set(vars(metrics)) == set()
    compared = {case[0] for case in CASES} | {"Mean", "Sum", "Metric", "MeanMetricWrapper"}
    assert classes - compared == set()


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_same_as_scikit_learn(weights: Any) -> None:
    options = {"sample_weight": weights}
    true, pred = MULTI[:, 0], PROBS[:, 0]
    found = pred > 0.5

    def ours(name: str, data: tuple[Any, Any] = (true, pred), **arguments: Any) -> Any:
        return getattr(metrics, name)(**arguments)(*data, weights)

    assert ours("Precision") == pytest.approx(scores.precision_score(true, found, **options))
    assert ours("Recall") == pytest.approx(scores.recall_score(true, found, **options))
    every = sorted(set(pred.tolist()))
    assert ours("AUC", thresholds=every) == pytest.approx(scores.roc_auc_score(true, pred, **options), abs=1e-9)
    for average in (None, "micro", "macro", "weighted"):
        mine = ours("FBetaScore", (MULTI, PROBS), average=average, beta=0.5, threshold=0.5)
        theirs = scores.fbeta_score(MULTI, PROBS > 0.5, beta=0.5, average=average, **options)
        assert np.allclose(mine, theirs, rtol=1e-12)
    assert np.allclose(
        ours("MeanIoU", (LABELS, GUESS), num_classes=CLASSES),
        scores.jaccard_score(LABELS, GUESS, average="macro", **options),
    )
    assert ours("TopKCategoricalAccuracy", (ROWS, PRED), k=2) == pytest.approx(
        scores.top_k_accuracy_score(LABELS, PRED, k=2, **options)
    )
    data = REAL.astype(np.float64) + 1e6, NEAR.astype(np.float64) + 1e6  # far from 0: nothing may cancel
    for ours_name, theirs_name in (
        (None, "raw_values"),
        ("uniform_average", "uniform_average"),
        ("variance_weighted_average", "variance_weighted"),
    ):
        mine = ours("R2Score", data, class_aggregation=ours_name)
        assert np.allclose(mine, scores.r2_score(*data, multioutput=theirs_name, **options), rtol=1e-8)
    assert ours("MeanSquaredError", data) == pytest.approx(scores.mean_squared_error(*data, **options))
