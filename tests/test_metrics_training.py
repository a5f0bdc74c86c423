"""Metrics in `fit` and `evaluate`: over uneven batches they are what a single update with everything gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastnn import Sequential, layers, load_model, metrics
from fastnn.layers import Dense, Input
from fastnn.metrics import Metric

RNG = np.random.default_rng(0)
X = RNG.normal(size=(77, 4)).astype(np.float32)
LABELS = (np.abs(X).argmax(axis=1) % 3).astype(np.int64)
ROWS = np.eye(3, dtype=np.float32)[LABELS]
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "IoU": (3, [0, 2], None, None, None, False, False), "MeanIoU": (3, None, None, None, False, False),
    "OneHotIoU": (3, [1]), "OneHotMeanIoU": (3,), "SensitivityAtSpecificity": (0.5,), "TopKCategoricalAccuracy": (2,),
    "SpecificityAtSensitivity": (0.5,), "PrecisionAtRecall": (0.5,), "RecallAtPrecision": (0.5,),
}  # fmt: skip
# those that take values, or labels where the others take rows
OTHERS = {"Mean", "Sum", "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "SparseCategoricalCrossentropy"}
NAMES = sorted({cls.__name__ for cls in metrics._CLASSES} - OTHERS)


def model_for(*chosen: Any, weighted: Any = (), loss: str = "categorical_crossentropy") -> Sequential:
    model = Sequential([layers.Input((4,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", loss, list(chosen), weighted_metrics=list(weighted))
    return model


def make(name: str, **options: Any) -> Metric:
    return getattr(metrics, name)(*ARGUMENTS.get(name, ()), **options)


@pytest.mark.parametrize("name", NAMES)
def test_evaluate_with_an_uneven_last_batch(name: str, backend: Any) -> None:
    model = model_for(make(name))
    _, value = model.evaluate(X, ROWS, batch_size=16, verbose=0)
    expected = make(name)(ROWS, model.predict(X, verbose=0))
    assert np.allclose(value, expected, rtol=1e-5, atol=1e-7)
    assert np.allclose(model.metrics[0].result(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"BinaryIoU", "Accuracy"}))  # these do not look at rows
def test_weighted_metrics(name: str) -> None:
    weights = RNG.integers(0, 4, len(X)).astype(np.float64)
    model = model_for(make(name), weighted=[make(name)])
    logs = model.evaluate(X, ROWS, batch_size=16, verbose=0, sample_weight=weights, return_dict=True)
    predictions = model.predict(X, verbose=0)
    plain, weighted = make(name), make(name)
    plain.update_state(ROWS, predictions)
    weighted.update_state(ROWS, predictions, weights)
    assert list(logs) == ["loss", plain.name, f"weighted_{plain.name}"]
    assert np.allclose(logs[plain.name], plain.result(), rtol=1e-5, atol=1e-7)
    assert np.allclose(logs[f"weighted_{plain.name}"], weighted.result(), rtol=1e-5, atol=1e-7)


def test_weighted_metrics_without_weights_are_computed_inside() -> None:
    model = model_for(weighted=["accuracy"])
    accuracy = (model.predict(X, verbose=0).argmax(axis=1) == LABELS).mean()
    assert model.evaluate(X, ROWS, verbose=0)[1] == pytest.approx(accuracy)
    assert model.metrics_names == ["loss", "accuracy"]
    assert model._goals is not None and model._goals.parts[0].inside == (True,)


def test_class_weights_count_in_weighted_metrics() -> None:
    model = model_for("mse", weighted=["mse"])
    history = model.fit(X, ROWS, epochs=1, class_weight={0: 0.0, 1: 0.0, 2: 1.0}, verbose=0).history
    assert list(history) == ["loss", "mse", "weighted_mse"]
    assert history["mse"] != history["weighted_mse"]


def test_sparse_metrics() -> None:
    model = model_for(
        metrics.SparseTopKCategoricalAccuracy(2), "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
        loss="sparse_categorical_crossentropy",
    )  # fmt: skip
    values = model.evaluate(X, LABELS, batch_size=10, verbose=0)
    predictions = model.predict(X, verbose=0)
    order = np.argsort(-predictions, axis=1)
    assert values[1] == pytest.approx((order[:, :2] == LABELS[:, None]).any(axis=1).mean())
    assert values[2] == pytest.approx((order[:, 0] == LABELS).mean())
    assert values[3] == pytest.approx(values[0], rel=1e-5)


def test_epochs_start_anew_and_validation_has_its_own() -> None:
    model = model_for(metrics.AUC(name="auc"), metrics.Precision(name="p"), "f1_score")
    history = model.fit(X, ROWS, epochs=3, validation_data=(X[:20], ROWS[:20]), batch_size=16, verbose=0).history
    assert [len(values) for values in history.values()] == [3] * 8
    after = model.predict(X[:20], verbose=0)
    assert history["val_auc"][-1] == pytest.approx(metrics.AUC()(ROWS[:20], after))
    assert history["val_p"][-1] == pytest.approx(metrics.Precision()(ROWS[:20], after))
    assert np.allclose(history["val_f1_score"][-1], metrics.F1Score()(ROWS[:20], after))
    assert np.shape(history["f1_score"][0]) == (3,)


class Worst(Metric):
    """As the Keras documentation writes metrics."""

    def __init__(self, name: str = "worst", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.worst = self.add_weight(shape=(), initializer="zeros", name="worst")
        self.batches = self.add_variable(shape=(), initializer="zeros", dtype="int64")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.worst.assign(np.maximum(self.worst, np.abs(y_true - y_pred).max()))
        self.batches.assign_add(1)

    def result(self) -> Any:
        return self.worst


def test_metrics_of_ones_own(tmp_path: Any) -> None:
    def furthest(y_true: Any, y_pred: Any) -> Any:
        return np.abs(y_true - y_pred).max(axis=-1)

    worst = Worst()
    model = model_for(worst, furthest, weighted=[furthest])
    logs = model.evaluate(X, ROWS, batch_size=16, verbose=0, return_dict=True)
    gaps = np.abs(ROWS - model.predict(X, verbose=0)).max(axis=-1)
    assert logs["worst"] == pytest.approx(gaps.max()) and worst.batches == 5
    assert logs["furthest"] == pytest.approx(gaps.mean(), rel=1e-6) == logs["weighted_furthest"]
    worst.reset_state()
    assert float(worst.worst) == 0.0 and worst.variables == [worst.worst, worst.batches]
    with pytest.warns(UserWarning, match="of your own is not saved"):
        model.save(tmp_path / "m.fastnn")
    assert load_model(tmp_path / "m.fastnn").evaluate(X, ROWS, verbose=0) == pytest.approx(logs["loss"], rel=1e-5)


def test_metrics_are_saved_with_the_model(tmp_path: Any) -> None:
    model = model_for(metrics.AUC(50, "PR", name="area"), "mse", weighted=[metrics.Recall(0.25)])
    before = model.evaluate(X, ROWS, verbose=0, return_dict=True)
    model.save(tmp_path / "m.fastnn")
    assert load_model(tmp_path / "m.fastnn").evaluate(X, ROWS, verbose=0, return_dict=True) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ["aucx"]}, "Did you mean 'auc'"),
        ({"weighted_metrics": "accuracy"}, "weighted_metrics must be a list or a dictionary. Received: 'accuracy'"),
        ({"weighted_metrics": ["acuracy_"]}, "Did you mean"),
    ],
)
def test_errors_of_compile(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sequential([layers.Input((4,)), layers.Dense(3)]).compile("sgd", "mse", **arguments)


def test_variables() -> None:
    variable = metrics.MetricVariable((2,), "ones", name="v")
    assert np.array_equal(variable.assign_add([1, 2]) * 2, [4, 6])
    assert np.array_equal(variable.assign_sub(1), [1, 2]) and variable[1] == 2 and len(variable) == 2
    with pytest.raises(ValueError, match=r"v: expected the shape \(2,\). Received: shape \(3,\)"):
        variable.assign(np.zeros(3))
    with pytest.raises(ValueError, match="Did you mean 'zeros'"):
        metrics.MetricVariable(initializer="zero")
    variable.reset()
    assert np.array_equal(variable.numpy(), [1, 1])


def test_weights_in_some_batches_only_are_refused() -> None:
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse", weighted_metrics=["mae"])
    x, y = np.ones((8, 2)), np.ones((8, 1))
    with pytest.raises(ValueError, match="Received: batches with and without"):
        model.evaluate(iter([(x, y), (x, y, np.ones(8))]), verbose=0)
