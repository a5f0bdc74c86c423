"""Metrics with Keras's names, arguments and defaults: how `fit` and `evaluate` compute them, and direct calls.

A metric that a kernel can compute says which one (`Metric.kernel`); the engine then gets one value per row of
predictions from it, in the same pass as the loss. A direct `update_state` runs the same kernel through the current
backend. A metric without a kernel is given the predictions of every batch. Totals and counts are kept in float64.

Not here: anything that has to see a whole epoch at once, since metrics are given one batch after the other and forget
them.
"""

from __future__ import annotations

from typing import Any

from fastnn import _keras
from fastnn._arrays import Shape, target_kind
from fastnn._custom_objects import describe_function, is_registered, named_function
from fastnn._registry import Registry
from fastnn.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from fastnn.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from fastnn.metrics.base import Mean, MeanMetricWrapper, Metric, MetricKernel, Sum
from fastnn.metrics.confusion import FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives
from fastnn.metrics.correlation import ConcordanceCorrelation, PearsonCorrelation, R2Score
from fastnn.metrics.curves import (
    AUC,
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from fastnn.metrics.f_score import F1Score, FBetaScore
from fastnn.metrics.functions import (
    binary_accuracy,
    categorical_accuracy,
    concordance_correlation,
    pearson_correlation,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from fastnn.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
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
from fastnn.metrics.variables import MetricVariable

_CLASSES: tuple[type[Metric], ...] = (
    *(Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy),
    *(TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy),
    *(TruePositives, TrueNegatives, FalsePositives, FalseNegatives, Precision, Recall, F1Score, FBetaScore),
    *(AUC, SensitivityAtSpecificity, SpecificityAtSensitivity, PrecisionAtRecall, RecallAtPrecision),
    *(IoU, BinaryIoU, MeanIoU, OneHotIoU, OneHotMeanIoU),
    *(MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError),
    *(MeanSquaredLogarithmicError, LogCoshError, CosineSimilarity),
    *(R2Score, PearsonCorrelation, ConcordanceCorrelation),
    *(KLDivergence, Poisson, Hinge, SquaredHinge, CategoricalHinge),
    *(BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy, Mean, Sum),
)

__all__ = [
    "Metric", "MetricKernel", "MetricVariable", "MeanMetricWrapper",
    "Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "AUC", "F1Score", "FBetaScore", "FalseNegatives", "FalsePositives", "Precision", "PrecisionAtRecall", "Recall",
    "RecallAtPrecision", "SensitivityAtSpecificity", "SpecificityAtSensitivity", "TrueNegatives", "TruePositives",
    "BinaryIoU", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU",
    "ConcordanceCorrelation", "CosineSimilarity", "LogCoshError", "MeanAbsoluteError", "MeanAbsolutePercentageError",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "PearsonCorrelation", "R2Score", "RootMeanSquaredError",
    "BinaryCrossentropy", "CategoricalCrossentropy", "KLDivergence", "Poisson", "SparseCategoricalCrossentropy",
    "CategoricalHinge", "Hinge", "SquaredHinge",
    "Mean", "Sum",
    "binary_accuracy", "binary_crossentropy", "binary_focal_crossentropy", "categorical_accuracy",
    "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "concordance_correlation",
    "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_error", "mean_squared_logarithmic_error", "pearson_correlation", "poisson",
    "sparse_categorical_accuracy", "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy",
    "squared_hinge", "top_k_categorical_accuracy",
    "deserialize", "direction", "get", "is_known", "resolve", "serialize",
]  # fmt: skip


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
    identifier = named_function(identifier)
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
    """The dictionary from which `get` builds an equal metric, without its state.

    Raises
    ------
    ValueError
        For a function that is not registered (fastnn.saving), or with arguments of its own.
    """
    if type(metric) is MeanMetricWrapper and is_known(metric):
        return describe_function(metric._fn)
    return _registry.serialize(metric)


def deserialize(config: object) -> Metric | None:
    """The metric that `serialize` described: another name of `get`."""
    return get(config)


def is_known(metric: object) -> bool:
    """Whether `serialize` describes it so that `get` finds it again: what is one's own, if it is registered."""
    if type(metric) is MeanMetricWrapper:
        return is_registered(metric._fn) and not metric._fn_kwargs
    return type(metric) in _CLASSES or is_registered(type(metric))


def direction(name: str, model: Any = None) -> str | None:
    """ "up" if more of what is called `name` in the logs is better, "down" if less is, None if that is not known.

    "val" or "validation" at the beginning does not count, with a space or an underscore behind it. The metrics of
    `model`, if there is one, go before those of this module; the name of one of several outputs does not count either.
    """
    name = name.replace(" ", "_").removeprefix("validation_").removeprefix("val_")
    outputs = getattr(model, "output_names", ())
    if len(outputs) > 1:  # whose names stand before those of their losses and metrics
        name = next((name[len(output) + 1 :] for output in outputs if name.startswith(f"{output}_")), name)
    for metric in getattr(model, "metrics", ()):
        known = getattr(metric, "_direction", None)
        if getattr(metric, "name", None) == name and known is not None:
            return str(known)
    if name == "loss" or name.endswith("_loss"):
        return "down"
    return _registry.find(name)._direction if name in _registry else None


_registry: Registry[Metric] = Registry(
    "metric",
    Metric,
    _CLASSES,
    {
        **{cls.default_name: cls for cls in _CLASSES},
        "mse": MeanSquaredError,
        "mae": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError,
        "msle": MeanSquaredLogarithmicError,
        "rmse": RootMeanSquaredError,
        "log_cosh": LogCoshError,
        "kld": KLDivergence,
        "kullback_leibler_divergence": KLDivergence,
        "bce": BinaryCrossentropy,
        "cosine": CosineSimilarity,
        "cosine_proximity": CosineSimilarity,
        "acc": Accuracy,
    },
)


def __getattr__(name: str) -> Any:
    raise _keras.absent("metrics", name, __all__)
