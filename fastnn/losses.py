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

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import config
from fastnn._arrays import (
    Array,
    Shape,
    as_floats,
    as_labels,
    as_matrix,
    as_target_rows,
    same_rank,
    spread_weights,
    target_kind,
)
from fastnn._errors import unknown
from fastnn._registry import Registry, from_config
from fastnn.backend import current

Self = TypeVar("Self", bound="Loss")

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")

# No class has this index: "ignore nothing".
IGNORE_NOTHING = int(np.iinfo(np.int32).min)


class LossKernel(NamedTuple):
    """Which kernel of the backend computes a loss, and from what.

    op : the function of the backend; row : its row in the table of losses ("" if it has none)
    params : the arguments at the end of the function: the row's parameters for "elementwise_loss"; the label to ignore
        for "softmax_cross_entropy"; epsilon and the label to ignore for "categorical_cross_entropy"
    target : "labels" (int32, one per row) or "rows" (like the predictions)
    fused : the predictions it wants are the values before the last layer's activation
    """

    op: str
    row: str
    params: tuple[float, ...]
    target: str
    fused: bool


class Loss:
    """Base class; subclasses define `kernel`.

    Parameters
    ----------
    name : str, optional
        Default: the name of the class in snake case.
    reduction : {"sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none"} or None
        "sum_over_batch_size" and "mean" divide the weighted sum by the number of samples, "mean_with_sample_weight" by
        the sum of the weights, "sum" by nothing; "none" and None leave one value per sample.
    dtype : {"float32", "float64"}, optional
        Of direct calls. Default: that of `y_pred`, or `fastnn.config.floatx()` if it has another. In training, the
        model's dtype counts.
    """

    default_name: ClassVar[str] = "loss"
    # The label whose samples count nothing; only the sparse loss has one.
    ignore_class: int | None = None

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: str | None = None
    ) -> None:
        if reduction is not None and reduction not in REDUCTIONS:
            raise unknown("reduction", reduction, REDUCTIONS)
        self.name = name or self.default_name
        self.reduction = reduction
        self.dtype = dtype

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        """The kernel for predictions that come out of `output_activation` (None: of none, or of nobody knows what)."""
        raise NotImplementedError(f"{type(self).__name__} does not define kernel")

    def prepare_targets(self, y_true: ArrayLike) -> Array:
        """The targets as the kernel wants them to be smoothed; without label smoothing, `y_true` itself."""
        return np.asarray(y_true)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """The loss of every sample, of the dtype of the predictions."""
        pred = as_floats(y_pred, self.dtype)
        return self._sample_losses(y_true, pred).astype(pred.dtype)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float | Array:
        """The reduced loss.

        Parameters
        ----------
        y_true : array_like
            The shape of `y_pred`; a last axis of length 1 may be missing or too many.
        y_pred : array_like of float32 or float64, shape (..., outputs)
        sample_weight : array_like, optional
            One weight per sample, shape (...); trailing axes may be missing.

        Returns
        -------
        float, or an array of shape (...) for reduction "none" or None

        Raises
        ------
        ValueError
            If shapes do not fit, a label is out of range, or there is no sample to take the mean of.
        """
        pred = as_floats(y_pred, self.dtype)
        losses = self._sample_losses(y_true, pred)
        weights = None if sample_weight is None else spread_weights(sample_weight, losses.shape)
        if weights is not None:
            losses = losses * weights
        if self.reduction in (None, "none"):
            return losses.astype(pred.dtype)
        if losses.size == 0:
            raise ValueError(f"{self.name}: there is no sample to reduce. Received: y_pred of shape {pred.shape}")
        divisor = self.divisor(np.asarray(y_true), losses.shape, weights)
        return float(losses.sum()) / divisor if divisor else 0.0

    def divisor(self, y_true: Array, shape: tuple[int, ...], weights: NDArray[np.float64] | None = None) -> float:
        """What the weighted sum of the sample losses is divided by.

        Parameters
        ----------
        y_true : ndarray
            Only looked at if a class is ignored; its samples do not count then.
        shape : tuple of int
            Of the sample losses.
        weights : ndarray of float64, optional
            The weights of the samples, of that shape.
        """
        if self.reduction not in ("sum_over_batch_size", "mean", "mean_with_sample_weight"):
            return 1.0
        counts = np.ones(shape)
        if self.ignore_class is not None:
            counts = (np.asarray(y_true).reshape(shape) != self.ignore_class).astype(np.float64)
        if self.reduction == "mean_with_sample_weight" and weights is not None:
            counts = counts * weights
        return float(counts.sum())

    def get_config(self) -> dict[str, Any]:
        """The keyword arguments that build an equal loss."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """The loss that `get_config` described."""
        return from_config(cls, config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.get_config().items())})"

    def _sample_losses(self, y_true: ArrayLike, pred: Array) -> NDArray[np.float64]:
        kernel, true = self.kernel(), self.prepare_targets(y_true)
        if kernel.target == "labels":
            target = as_labels(true, pred.shape, self.name, self.ignore_class)
        else:
            true, pred = same_rank(true, pred)
            target = as_target_rows(true, pred, self.name)
        return run_kernel(kernel, as_matrix(pred, self.name), target).reshape(pred.shape[:-1])


class MeanSquaredError(Loss):
    """loss = mean((y_true - y_pred)^2) over the last axis."""

    default_name = "mean_squared_error"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "mse", (), "rows", False)


class MeanAbsoluteError(Loss):
    """loss = mean(|y_true - y_pred|) over the last axis."""

    default_name = "mean_absolute_error"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return LossKernel("elementwise_loss", "mae", (), "rows", False)


class _Crossentropy(Loss):
    """What the cross-entropies share: the predictions may be logits, and the targets may be smoothed."""

    # The activation that turns logits into the probabilities of this loss.
    _activation: ClassVar[str]

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not 0.0 <= label_smoothing <= 1.0:
            raise ValueError(f"label_smoothing must lie between 0 and 1. Received: {label_smoothing!r}")
        if axis != -1:
            raise ValueError(f"The classes must stand on the last axis, axis=-1. Received: axis={axis!r}")
        self.from_logits, self.label_smoothing, self.axis = bool(from_logits), float(label_smoothing), axis

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis}
        return {**super().get_config(), **own}

    def _fused(self, output_activation: str | None) -> bool:
        """Whether the loss is to be computed from the values before `output_activation`."""
        if output_activation != self._activation:
            return False
        if self.from_logits:
            warnings.warn(
                f"{self.name}: from_logits=True, but the last layer has the activation {output_activation!r}: its "
                f"outputs are probabilities. The loss is computed from the values before the activation.",
                stacklevel=2,
            )
        return True


class BinaryCrossentropy(_Crossentropy):
    """loss = mean(-y_true log(p) - (1 - y_true) log(1 - p)) over the last axis, p = clip(y_pred, epsilon, 1 - epsilon).

    Parameters
    ----------
    from_logits : bool
        If true, y_pred is any real number x and loss = mean(max(x, 0) - x y_true + log(1 + exp(-|x|))), p = sigmoid(x).
    label_smoothing : float
        From 0 to 1: y_true becomes y_true (1 - label_smoothing) + label_smoothing / 2.
    axis : int
        Only -1.
    reduction, name, dtype
        See `Loss`.
    """

    default_name = "binary_crossentropy"
    _activation = "sigmoid"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        fused = self._fused(output_activation)
        if fused or self.from_logits:
            return LossKernel("elementwise_loss", "binary_cross_entropy_with_logits", (), "rows", fused)
        return LossKernel("elementwise_loss", "binary_cross_entropy", (config.epsilon(),), "rows", False)

    def prepare_targets(self, y_true: ArrayLike) -> Array:
        return _smooth(y_true, self.label_smoothing, 0.5)


class CategoricalCrossentropy(_Crossentropy):
    """loss = -sum_c y_true_c log(p_c), p = clip(y_pred / sum(y_pred), epsilon, 1 - epsilon); targets are one-hot rows.

    Parameters
    ----------
    from_logits : bool
        If true, y_pred are any real numbers and p = softmax(y_pred), unclipped.
    label_smoothing : float
        From 0 to 1: y_true becomes y_true (1 - label_smoothing) + label_smoothing / classes.
    axis : int
        Only -1.
    reduction, name, dtype
        See `Loss`.
    """

    default_name = "categorical_crossentropy"
    _activation = "softmax"

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        return _class_kernel(self.from_logits, self._fused(output_activation), "rows", IGNORE_NOTHING)

    def prepare_targets(self, y_true: ArrayLike) -> Array:
        true = np.asarray(y_true)
        return _smooth(true, self.label_smoothing, 1.0 / true.shape[-1] if true.ndim and true.shape[-1] else 0.0)


class SparseCategoricalCrossentropy(_Crossentropy):
    """loss = -log(p[y_true]), p = clip(y_pred / sum(y_pred), epsilon, 1 - epsilon); targets are integer labels.

    Parameters
    ----------
    from_logits : bool
        If true, y_pred are any real numbers and p = softmax(y_pred), unclipped.
    ignore_class : int, optional
        Samples with this label have loss 0 and gradient 0, and do not count in the number of samples of a mean.
    reduction, axis, name, dtype
        See `Loss` and `CategoricalCrossentropy`.
    """

    default_name = "sparse_categorical_crossentropy"
    _activation = "softmax"

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits=from_logits, axis=axis, reduction=reduction, name=name, dtype=dtype)
        self.ignore_class = ignore_class

    def kernel(self, output_activation: str | None = None) -> LossKernel:
        ignore = IGNORE_NOTHING if self.ignore_class is None else self.ignore_class
        return _class_kernel(self.from_logits, self._fused(output_activation), "labels", ignore)

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "ignore_class": self.ignore_class}
        return {**Loss.get_config(self), **own}


def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `MeanSquaredError`."""
    return MeanSquaredError().call(y_true, y_pred)


def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of every sample; see `MeanAbsoluteError`."""
    return MeanAbsoluteError().call(y_true, y_pred)


def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """The loss of every sample; see `BinaryCrossentropy`."""
    return BinaryCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """The loss of every sample; see `CategoricalCrossentropy`."""
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Array:
    """The loss of every sample; see `SparseCategoricalCrossentropy`."""
    return SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis).call(y_true, y_pred)


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
                "A loss must be one of fastnn.losses or an instance of a subclass of Loss that names its kernel; "
                f"a function does not tell its gradient. Received: {identifier!r}"
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


def run_kernel(kernel: LossKernel, pred: Array, target: Array) -> NDArray[np.float64]:
    """The unweighted loss of every row, without gradients, by the current backend.

    Parameters
    ----------
    pred : ndarray of float32 or float64, shape (rows, outputs), contiguous
    target : ndarray
        int32, shape (rows,), or like `pred`; as `kernel.target` says.
    """
    losses = np.empty(pred.shape[0])
    if kernel.op == "elementwise_loss":
        current().elementwise_loss(kernel.row, pred, target, None, 1.0, None, losses, kernel.params)
    elif kernel.op == "softmax_cross_entropy":
        (ignore,) = kernel.params
        current().softmax_cross_entropy(pred, target, None, 1.0, None, None, losses, int(ignore))
    else:
        epsilon, ignore = kernel.params
        current().categorical_cross_entropy(pred, target, None, 1.0, None, losses, epsilon, int(ignore))
    return losses


def _class_kernel(from_logits: bool, fused: bool, target: str, ignore: int) -> LossKernel:
    if fused or from_logits:
        return LossKernel("softmax_cross_entropy", "", (ignore,), target, fused)
    return LossKernel("categorical_cross_entropy", "", (config.epsilon(), ignore), target, False)


def _smooth(y_true: ArrayLike, smoothing: float, share: float) -> Array:
    """Move the targets towards `share` by the fraction `smoothing`."""
    if not smoothing:
        return np.asarray(y_true)
    smoothed: Array = as_floats(y_true) * (1.0 - smoothing) + smoothing * share
    return smoothed


_CLASSES: tuple[type[Loss], ...] = (
    *(MeanSquaredError, MeanAbsoluteError),
    *(BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy),
)
_registry: Registry[Loss] = Registry(
    "loss",
    Loss,
    _CLASSES,
    {"mse": MeanSquaredError, "mae": MeanAbsoluteError, "bce": BinaryCrossentropy},
)
