"""What all losses are: an object that names its kernel, prepares targets, and reduces the losses of samples.

A loss object says which kernel computes it (`Loss.kernel`); the engine runs that kernel, values and gradient
together, in every step. A direct call runs the same kernel without the gradient, through the current backend, so
there is one formula for both. Sums are taken in float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import _overrides
from fastnn._arrays import (
    Array,
    as_floats,
    as_labels,
    as_matrix,
    as_target_rows,
    same_rank,
    spread_weights,
)
from fastnn._errors import unknown
from fastnn._registry import from_config
from fastnn.backend import current
from fastnn.losses.custom import losses_of

Self = TypeVar("Self", bound="Loss")

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")

# No class has this index: "ignore nothing".
IGNORE_NOTHING = int(np.iinfo(np.int32).min)


class LossKernel(NamedTuple):
    """Which kernel of the backend computes a loss, and from what.

    op : the function of the backend, "elementwise_loss" or "row_loss"; row : the row of its table
    params : the parameters of that row
    target : "labels" (int32, one per row of predictions), "rows" (like one input), "signs" (one number per row),
        "groups" (int32, one per row, any: rows are judged together), "sequences" (int32 labels, -1 after the last), or
        "none"
    fused : the predictions it wants are the values before the last layer's activation
    inputs : how many inputs stand side by side on the last axis of the predictions
    axes : how many axes of the predictions, the last ones, make a row; 0 for the whole batch
    ignore, smoothing, class_weight : what is done to the targets; see fastnn.backend
    axis : the axis of the predictions that is the last one for the kernel
    python, target_shape : a loss that computes itself in Python, and the shape of its targets for one sample
    """

    op: str
    row: str
    params: tuple[float, ...]
    target: str
    fused: bool = False
    inputs: int = 1
    axes: int = 1
    ignore: int = IGNORE_NOTHING
    smoothing: float = 0.0
    class_weight: tuple[float, ...] | None = None
    axis: int = -1
    python: Any = None
    target_shape: tuple[int, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether the targets are integers."""
        return self.target in ("labels", "groups", "sequences")

    def seen(self, shape: tuple[int, ...], name: str) -> tuple[int, ...]:
        """The shape of predictions (the batch's axis included) with the axis of the kernel moved to the end.

        Raises
        ------
        ValueError
            If there is no such axis, or it is the batch's.
        """
        rank = len(shape)
        if self.axis == -1:
            return shape
        if not -rank < self.axis < rank or self.axis == 0:
            raise ValueError(f"{name}: axis must be one of the axes 1 to {rank - 1}. Received: axis={self.axis}")
        at = self.axis % rank
        return (*shape[:at], *shape[at + 1 :], shape[at])

    def moved(self, array: Array, rank: int) -> Array:
        """The array with the axis of the kernel at the end, if it has as many axes as the predictions."""
        return array if self.axis == -1 or array.ndim != rank else np.moveaxis(array, self.axis, -1)


class Loss:
    """Base class; a loss of one's own defines `call` and its derivative, `gradient`; those of fastnn define `kernel`.

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
    # How many of the last axes of the predictions one loss of a subclass with `call` is about.
    axes: ClassVar[int] = 1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _overrides.refuse(cls, Loss, {"__call__": "define call(y_true, y_pred) and gradient(y_true, y_pred)"})
        if _overrides.is_above(cls, "call", ("kernel",)):
            if not _overrides.is_above(cls, "gradient", ("kernel",)):
                raise _overrides.never_called(
                    cls, "call", "there is no automatic differentiation; define gradient(y_true, y_pred) as well, the "
                    "derivative of each loss with respect to y_pred (docs/custom-layers.md)"
                )  # fmt: skip
            for name in ("kernel", "sample_kernel", "prepare_targets", "changes_targets", "check_rank"):
                setattr(cls, name, vars(Loss)[name])

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
        if type(self).call is Loss.call:
            raise NotImplementedError(f"{type(self).__name__} does not define kernel, or call and gradient")
        return LossKernel("python", type(self).__name__, (), "arrays", axes=self.axes, python=self)

    def sample_kernel(self) -> LossKernel:
        """The kernel of the losses of samples that `call` returns, of predictions that come out of no activation."""
        return self.kernel()

    def check_rank(self, rank: int) -> None:
        """Refuse predictions with that many axes, the batch's included, where the loss cannot work with them."""

    @property
    def changes_targets(self) -> bool:
        """Whether the kernel looks at other targets than those that were given."""
        return False

    def prepare_targets(self, y_true: ArrayLike) -> Array:
        """The targets that the kernel looks at: smoothed, in another scale; `y_true` itself if nothing changes."""
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

        Notes
        -----
        As in Keras, a mask comes as the attribute `_keras_mask` of `y_pred`, or not at all: what it leaves out counts
        0, and means are taken of the rest. Keras multiplies by 0, so NaN stays NaN there.

        Returns
        -------
        float, or an array of shape (...) for reduction "none" or None

        Raises
        ------
        ValueError
            If shapes do not fit, a label is out of range, or there is no sample to take the mean of.
        """
        pred, mask = as_floats(y_pred, self.dtype), getattr(y_pred, "_keras_mask", None)
        losses = self._sample_losses(y_true, pred)
        if sample_weight is not None and self.kernel().axes == 0:
            losses = np.broadcast_to(losses, np.shape(sample_weight))  # as in Keras: weighted copies of the one loss
        weights = None if sample_weight is None else spread_weights(sample_weight, losses.shape)
        if weights is not None:
            losses = losses * weights
        counted = None if mask is None else spread_weights(mask, losses.shape, "the mask of y_pred") != 0
        if counted is not None:
            losses = np.where(counted, losses, 0.0)
        if self.reduction in (None, "none"):
            return losses.astype(pred.dtype)
        if losses.size == 0:
            raise ValueError(f"{self.name}: there is no sample to reduce. Received: y_pred of shape {pred.shape}")
        divisor = self.divisor(np.asarray(y_true), losses.shape, weights, counted)
        return float(losses.sum()) / divisor if divisor else 0.0

    def divisor(
        self, y_true: Array, shape: tuple[int, ...], weights: NDArray[np.float64] | None = None,
        counted: NDArray[np.bool_] | None = None,
    ) -> float:  # fmt: skip
        """What the weighted sum of the sample losses is divided by.

        Parameters
        ----------
        y_true : ndarray
            Only looked at if a class is ignored; its samples do not count then.
        shape : tuple of int
            Of the sample losses.
        weights : ndarray of float64, optional
            The weights of the samples, of that shape.
        counted : ndarray of bool, optional
            Which of them a mask lets through, of that shape.
        """
        if self.reduction not in ("sum_over_batch_size", "mean", "mean_with_sample_weight"):
            return 1.0
        counts = np.ones(shape) if counted is None else counted.astype(np.float64)
        if self.ignore_class is not None:
            counts = counts * (np.asarray(y_true).reshape(shape) != self.ignore_class)
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
        kernel, true = self.sample_kernel(), self.prepare_targets(y_true)
        if kernel.python is not None:
            return losses_of(self, true, pred, kernel.axes)
        if kernel.target in ("rows", "signs") and kernel.inputs == 1:
            true, pred = same_rank(true, pred)
        self.check_rank(pred.ndim)
        kernel.seen(pred.shape, self.name)
        true, pred = kernel.moved(true, pred.ndim), np.ascontiguousarray(kernel.moved(pred, pred.ndim))
        shape = loss_shape(kernel, pred.shape, self.name)
        as_matrix(pred, self.name)
        target = as_target(kernel, true, pred.shape, pred.dtype, self.name)
        cols = math.prod(pred.shape) if kernel.axes == 0 else math.prod(pred.shape[len(pred.shape) - kernel.axes :])
        return run_kernel(kernel, pred.reshape(-1, cols), target, pred.shape[-1]).reshape(shape)


def loss_shape(kernel: LossKernel, shape: tuple[int, ...], name: str) -> tuple[int, ...]:
    """The shape of the losses of predictions of this shape.

    Raises
    ------
    ValueError
        If the predictions have too few axes, or their last axis cannot be divided among the inputs.
    """
    if len(shape) < max(1, kernel.axes):
        raise ValueError(f"{name}: predictions need at least {max(1, kernel.axes)} axes. Received: shape {shape}")
    if shape[-1] % kernel.inputs:
        raise ValueError(
            f"{name}: the last axis of the predictions must hold {kernel.inputs} inputs. Received: shape {shape}"
        )
    return shape[: len(shape) - kernel.axes] if kernel.axes else ()


def as_target(kernel: LossKernel, true: Array, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> Array | None:
    """Prepared targets for predictions of this shape and dtype, in the form that the kernel reads.

    Returns
    -------
    ndarray or None
        "labels", "groups": int32, shape (rows,); "sequences": int32, shape (rows, labels); "signs": (rows,); "rows":
        (rows, numbers of one input); "none": None.

    Raises
    ------
    ValueError
        If shapes do not fit, or a label is out of range.
    """
    if kernel.target == "none":
        return None
    if kernel.target == "labels":
        ignore = None if kernel.ignore == IGNORE_NOTHING else kernel.ignore
        return as_labels(true, shape, name, ignore)
    if kernel.target == "groups":
        return as_labels(true, shape, name, check=False)
    if kernel.target == "arrays":
        return np.require(as_floats(true, dtype).reshape(len(true), -1), requirements="C")
    if kernel.target == "sequences":
        return _as_sequences(true, shape, name)
    if kernel.target == "signs":
        if true.shape not in (shape[:-1], (*shape[:-1], 1)):
            raise ValueError(f"{name}: there must be one number per row. Received: y_true {true.shape}, y_pred {shape}")
        return as_floats(true, dtype).reshape(-1)
    wanted = (*shape[:-1], shape[-1] // kernel.inputs)
    if kernel.inputs > 1 and true.shape == wanted[:-1]:
        true = true[..., np.newaxis]
    rows = as_target_rows(true, np.broadcast_to(np.zeros((), dtype), wanted), name)
    if kernel.axes == 1:
        return rows
    return rows.reshape(math.prod(wanted[: len(wanted) - kernel.axes]) if kernel.axes else 1, -1)


def _as_sequences(true: Array, shape: tuple[int, ...], name: str) -> Array:
    """Labels of sequences, -1 after the last: whole numbers below the number of classes."""
    if true.ndim != 2 or len(true) != shape[0]:
        raise ValueError(f"{name}: y_true must have shape ({shape[0]}, labels). Received: shape {true.shape}")
    if true.dtype.kind not in "biuf" or not np.array_equal(true, np.trunc(true)):
        raise ValueError(f"{name}: labels must be whole numbers. Received: {true.dtype}")
    if true.size and not (true.min() >= -1 and true.max() < shape[-1]):
        raise ValueError(f"{name}: labels must be less than {shape[-1]}. Received: {true.min()} to {true.max()}")
    return np.require(true, np.int32, ["C", "A"])


def class_factors(weights: ArrayLike | None, name: str) -> tuple[float, ...] | None:
    """Factors of the classes as a tuple of finite numbers that are not negative."""
    if weights is None:
        return None
    array = np.asarray(weights, np.float64)
    if array.ndim != 1 or not ((array >= 0) & (array < np.inf)).all():
        raise ValueError(f"{name}: class weights must be one finite number >= 0 per class. Received: {weights!r}")
    return tuple(map(float, array))


def inputs_of(kernel: LossKernel, pred: Array) -> tuple[Array, ...]:
    """The inputs that stand side by side in rows of predictions, each contiguous."""
    if kernel.inputs == 1:
        return (pred,)
    return tuple(np.ascontiguousarray(part) for part in np.split(pred, kernel.inputs, axis=1))


def weights_for(kernel: LossKernel, cols: int, dtype: np.dtype[Any]) -> Array | None:
    """The class weights of a kernel as an array for that many classes."""
    if kernel.class_weight is None:
        return None
    if len(kernel.class_weight) != cols:
        raise ValueError(f"expected {cols} class weights, one per class. Received: {len(kernel.class_weight)}")
    return np.array(kernel.class_weight, dtype)


def params_for(kernel: LossKernel, classes: int) -> tuple[float, ...]:
    """The parameters of the kernel's row; the number of classes comes first where the row works on sequences."""
    return (float(classes), *kernel.params) if kernel.target == "sequences" else kernel.params


def run_kernel(kernel: LossKernel, pred: Array, target: Array | None, classes: int = 0) -> NDArray[np.float64]:
    """The unweighted loss of every row, without gradients, by the current backend.

    Parameters
    ----------
    pred : ndarray of float32 or float64, shape (rows, numbers), contiguous
    target : ndarray or None
        As `as_target` makes it.
    classes : int
        Of sequences: the length of the last axis of the predictions.
    """
    losses = np.empty(pred.shape[0])
    if kernel.op == "elementwise_loss":
        assert target is not None
        current().elementwise_loss(kernel.row, pred, target, None, 1.0, None, losses, kernel.params)
        return losses
    current().row_loss(
        kernel.row,
        inputs_of(kernel, pred),
        target,
        None,
        1.0,
        None,
        losses,
        params_for(kernel, classes),
        kernel.ignore,
        weights_for(kernel, pred.shape[1], pred.dtype),
        kernel.smoothing,
    )
    return losses
