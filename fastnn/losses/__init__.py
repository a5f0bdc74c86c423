"""Losses with Keras's names, arguments and defaults: how a training step computes them, and direct calls.

A loss object says which kernel computes it (`Loss.kernel`); the engine runs that kernel, values and gradient
together, in every step. A direct call runs the same kernel without the gradient, through the current backend, so
there is one formula for both. Sums are taken in float64.

Conventions (Keras 3): the loss of a sample is the mean over the last axis, or the cross-entropy of that axis; then
`reduction` says what becomes of the samples. Probabilities are clipped to [epsilon, 1 - epsilon], epsilon being
`fastnn.config.epsilon()`, unless softmax or sigmoid is the activation of the model's last layer: then the loss is
computed from the value before that activation, as Keras does with TensorFlow, and nothing is clipped.

Not here: losses written as Python functions. Training needs the gradient, which a function of arrays does not tell.
Other differences from Keras: shapes that do not fit are refused instead of broadcast, and so are labels out of range.
"""

from __future__ import annotations

from typing import Any

from fastnn import _keras
from fastnn._arrays import Shape, target_kind
from fastnn._registry import Registry
from fastnn.losses.base import IGNORE_NOTHING, REDUCTIONS, Loss, LossKernel, run_kernel
from fastnn.losses.binary import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
)
from fastnn.losses.categorical import (
    NLL,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from fastnn.losses.embedding import Circle, circle
from fastnn.losses.margin import (
    CategoricalHinge,
    CosineEmbedding,
    Hinge,
    MarginRanking,
    MultiMargin,
    SoftMargin,
    SquaredHinge,
    TripletMargin,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from fastnn.losses.multilabel import MultiLabelMargin, MultiLabelSoftMargin
from fastnn.losses.probabilistic import GaussianNLL, KLDivergence, Poisson, PoissonNLL, kl_divergence, poisson
from fastnn.losses.regression import (
    HalfMeanSquaredError,
    HalfSumSquaredError,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    SmoothL1,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from fastnn.losses.sequence import CTC, ctc
from fastnn.losses.similarity import CosineSimilarity, Dice, Tversky, cosine_similarity, dice, tversky

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CTC",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineEmbedding",
    "CosineSimilarity",
    "Dice",
    "GaussianNLL",
    "HalfMeanSquaredError",
    "HalfSumSquaredError",
    "Hinge",
    "Huber",
    "IGNORE_NOTHING",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossKernel",
    "MarginRanking",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "MultiLabelMargin",
    "MultiLabelSoftMargin",
    "MultiMargin",
    "NLL",
    "Poisson",
    "PoissonNLL",
    "REDUCTIONS",
    "SmoothL1",
    "SoftMargin",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "TripletMargin",
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "dice",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "resolve",
    "run_kernel",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]


def get(identifier: object) -> Loss | None:
    """The loss that `identifier` means.

    Parameters
    ----------
    identifier : str, class, instance, dict, function of this module or None
        "mse", "mean_squared_error", MeanSquaredError, {"class_name": "MeanSquaredError", "config": {}}; None gives
        None.

    Returns
    -------
    Loss
        Always an object; Keras returns a function for a string in snake case.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest match), for functions, and for everything else.
    """
    if identifier is None:
        return None
    if callable(identifier) and not isinstance(identifier, (type, Loss)):
        name = getattr(identifier, "__name__", "")
        if globals().get(name) is not identifier:
            raise ValueError(
                "A loss must be one of fastnn.losses or an instance of a subclass of Loss with call(y_true, y_pred) "
                "and its derivative, gradient(y_true, y_pred) (docs/custom-layers.md); a function does not tell its "
                f"gradient. Received: {identifier!r}"
            )
        identifier = name
    return _registry.make(identifier)


def resolve(identifier: object, output_shape: Shape, target_shape: Shape) -> Loss | None:
    """`get`, but "crossentropy" and "ce" mean the cross-entropy for outputs and targets of these shapes.

    As in Keras: the binary one for a single output, the sparse one if the targets have fewer axes than the outputs or a
    last axis of length 1, else the categorical one.
    """
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        identifier = {
            "binary": BinaryCrossentropy,
            "sparse": SparseCategoricalCrossentropy,
            "categorical": CategoricalCrossentropy,
        }[target_kind(output_shape, target_shape)]
    return get(identifier)


def serialize(loss: Loss) -> dict[str, Any]:
    """The dictionary from which `get` builds an equal loss."""
    return _registry.serialize(loss)


def deserialize(config: object) -> Loss | None:
    """The loss that `serialize` described: another name of `get`."""
    return get(config)


_CLASSES: tuple[type[Loss], ...] = (
    *(
        MeanSquaredError,
        HalfMeanSquaredError,
        HalfSumSquaredError,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredLogarithmicError,
        LogCosh,
        Huber,
        SmoothL1,
    ),
    *(
        KLDivergence,
        Poisson,
        PoissonNLL,
        GaussianNLL,
    ),
    *(
        BinaryCrossentropy,
        BinaryFocalCrossentropy,
    ),
    *(
        CategoricalCrossentropy,
        SparseCategoricalCrossentropy,
        CategoricalFocalCrossentropy,
        CategoricalGeneralizedCrossEntropy,
        NLL,
    ),
    *(
        Hinge,
        SquaredHinge,
        SoftMargin,
        CategoricalHinge,
        MultiMargin,
        MarginRanking,
        CosineEmbedding,
        TripletMargin,
    ),
    *(
        MultiLabelMargin,
        MultiLabelSoftMargin,
    ),
    *(
        Circle,
        CosineSimilarity,
        Dice,
        Tversky,
    ),
    *(CTC,),
)
_registry: Registry[Loss] = Registry(
    "loss",
    Loss,
    _CLASSES,
    {
        "mse": MeanSquaredError,
        "mae": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError,
        "msle": MeanSquaredLogarithmicError,
        "bce": BinaryCrossentropy,
        "kld": KLDivergence,
        "kl_divergence": KLDivergence,
        "kullback_leibler_divergence": KLDivergence,
        "logcosh": LogCosh,
        "huber_loss": Huber,
        "smooth_l1": SmoothL1,
        "poisson_nll": PoissonNLL,
        "gaussian_nll": GaussianNLL,
    },
)


def __getattr__(name: str) -> Any:
    raise _keras.absent("losses", name, __all__)
