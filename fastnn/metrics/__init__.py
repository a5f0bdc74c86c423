"""Metrics with Keras's names, arguments and defaults: how `fit` and `evaluate` compute them, and direct calls.

A metric that a kernel can compute says which one (`Metric.kernel`); the engine then gets one value per row of
predictions from it, in the same pass as the loss. A direct `update_state` runs the same kernel through the current
backend. A metric without a kernel is given the predictions of every batch. Totals and counts are kept in float64.

Not here: metrics that are more than a mean over samples (AUC, precision, recall ...).
"""

from __future__ import annotations

from typing import Any

from fastnn._arrays import Shape, target_kind
from fastnn._registry import Registry
from fastnn.metrics.accuracy import Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from fastnn.metrics.base import Mean, MeanMetricWrapper, Metric, MetricKernel
from fastnn.metrics.of_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "MetricKernel",
    "Poisson",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "direction",
    "get",
    "resolve",
    "serialize",
]


def get(identifier: object) -> Metric | None:
    """The metric that `identifier` means.

    Parameters
    ----------
    identifier : str, class, instance, dict, callable or None
        "mse", "mean_squared_error", MeanSquaredError, {"class_name": "MeanSquaredError", "config": {}}; a function of
        (y_true, y_pred) becomes a `MeanMetricWrapper`; None gives None.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest match), and for everything else.
    """
    if identifier is None:
        return None
    if callable(identifier) and not isinstance(identifier, (type, Metric)):
        return MeanMetricWrapper(identifier)
    return _registry.make(identifier)


def resolve(identifier: object, output_shape: Shape, target_shape: Shape) -> Metric:
    """The metric that `identifier` means for outputs and targets of these shapes, batch axis first.

    As in Keras, "accuracy" and "acc" mean BinaryAccuracy for a single output, SparseCategoricalAccuracy if the
    targets have fewer axes than the outputs or a last axis of length 1, else CategoricalAccuracy; and a metric that
    was named by a string has that string as its name.
    """
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        classes: dict[str, type[Metric]] = {
            "binary": BinaryAccuracy,
            "sparse": SparseCategoricalAccuracy,
            "categorical": CategoricalAccuracy,
        }
        return classes[target_kind(output_shape, target_shape)](name=identifier)
    metric = get(identifier)
    if metric is None:
        raise ValueError("A metric is expected. Received: None")
    if isinstance(identifier, str):
        metric.name = identifier
    return metric


def serialize(metric: Metric) -> dict[str, Any]:
    """The dictionary from which `get` builds an equal metric, without its state."""
    return _registry.serialize(metric)


def direction(name: str) -> str | None:
    """ "up" if more of the metric called `name` is better, "down" if less is, None if that is not known."""
    if name == "loss":
        return "down"
    return _registry.find(name)._direction if name in _registry else None


_CLASSES: tuple[type[Metric], ...] = (
    *(Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy),
    *(MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError),
    *(MeanSquaredLogarithmicError, LogCoshError, KLDivergence, Poisson),
    *(Hinge, SquaredHinge, CategoricalHinge, CosineSimilarity),
    *(BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy, Mean),
)
_registry: Registry[Metric] = Registry(
    "metric",
    Metric,
    _CLASSES,
    {
        "mse": MeanSquaredError,
        "mae": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError,
        "msle": MeanSquaredLogarithmicError,
        "rmse": RootMeanSquaredError,
        "logcosh": LogCoshError,
        "log_cosh": LogCoshError,
        "kld": KLDivergence,
        "kl_divergence": KLDivergence,
        "bce": BinaryCrossentropy,
        "acc": Accuracy,
    },
)
