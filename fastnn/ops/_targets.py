"""Targets of classification losses: class labels or target rows, which rows count, and what a mean divides by.

Labels may be of any integer dtype and of the shape of the predictions without its last axis (also with that axis of
length 1); anything of exactly the predictions' shape is target rows (one-hot or probabilities; integers and bools too).
A row counts unless its label is `ignore_index` or its mask is 0.  Kernels get int32 labels, -1 for ignored ones.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn._native import fast
from fastnn.backend import current
from fastnn.ops._check import as_array, common_dtype, number, received, well_formed

Array = NDArray[Any]
IGNORED = -1
REDUCTIONS = ("mean", "sum", "none")


class Problem(NamedTuple):
    """Well-formed predictions and targets of one classification loss.

    predictions: (rows, classes); target: int32 (rows,) or reals (rows, classes); weights: float64 (rows,) or None;
    counted: what 'mean' divides by; shape: of the predictions as given; class_weight: (classes,) or None.
    """

    predictions: Array
    target: Array
    weights: NDArray[np.float64] | None
    counted: float
    shape: tuple[int, ...]
    class_weight: Array | None = None
    smoothing: float = 0.0

    def run(
        self, row: str, scale: float, grad: Array | None, params: tuple[float, ...] = (), probs: Array | None = None
    ) -> NDArray[np.float64]:
        """Losses of the rows, by the kernel of that name; fills the gradient and the probabilities that are wanted."""
        row_loss = np.empty(len(self.predictions))
        grads = None if grad is None else (grad.reshape(self.predictions.shape),)
        current().row_loss(
            row, (self.predictions,), self.target, self.weights, scale, grads, row_loss, params,
            IGNORED, self.class_weight, self.smoothing, probs,
        )  # fmt: skip
        return row_loss

    def scale(self, reduction: str, denom: float | None, op: str) -> float:
        """The factor of the reduction: what a row's loss is multiplied by before the sum."""
        if reduction != "mean":
            if denom is not None:
                raise ValueError(f"{op}: denom belongs to reduction='mean'. Received: {denom} and {reduction!r}")
            return 1.0
        if denom is not None:
            return 1.0 / number(op, "denom", denom, "> 0 and < inf")
        return 1.0 / self.counted if self.counted else 0.0


def problem(
    op: str,
    name: str,
    predictions: Any,
    targets: Any,
    ignore_index: int | None = None,
    mask: Any = None,
    class_weight: Any = None,
    label_smoothing: float = 0.0,
) -> Problem:
    """Check predictions, targets and masks against each other.

    Raises:
        TypeError: something does not hold real numbers, or labels are no integers.
        ValueError: shapes do not fit, or a label is out of range; the message names the first one and its place.
    """
    values, target = as_array(op, name, predictions), as_array(op, "targets", targets)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError(f"{op}: {name} must have shape (..., classes), classes > 0. {received(**{name: values})}")
    shape, rows, classes = values.shape, math.prod(values.shape[:-1]), values.shape[-1]
    labels: Array | None = None
    if target.shape == shape:
        # integers and bools are targets by name only: they do not widen the predictions
        dtype = common_dtype(values, target) if target.dtype.kind == "f" else common_dtype(values)
        rows_target = well_formed(target, dtype).reshape(rows, classes)
    elif target.shape in (shape[:-1], (*shape[:-1], 1)):
        dtype = common_dtype(values)
        labels = rows_target = _labels(op, target.reshape(rows), classes, ignore_index)
    else:
        raise ValueError(
            f"{op}: targets must be labels of shape {shape[:-1]} or rows of shape {shape}. {received(targets=target)}"
        )
    weights = None if mask is None else row_weights(op, mask, shape[:-1])
    ignored = None if labels is None or ignore_index is None else labels == IGNORED
    counted: float = rows
    if weights is not None:
        counted = float(np.sum(weights if ignored is None else weights[~ignored]))
    elif ignored is not None:
        counted = rows - np.count_nonzero(ignored)
    factors = None if class_weight is None else factors_of(op, "class_weight", class_weight, classes, dtype)
    if factors is not None and labels is not None:
        # as in PyTorch, the mean of labels is weighted; that of target rows is not
        each = np.where(labels < 0, 0.0, factors[np.maximum(labels, 0)].astype(np.float64))
        counted = float(np.sum(each if weights is None else each * weights))
    smoothing = number(op, "label_smoothing", label_smoothing, ">= 0 and <= 1")
    matrix = well_formed(values, dtype).reshape(rows, classes)
    return Problem(matrix, rows_target, weights, counted, shape, factors, smoothing)


def factors_of(op: str, name: str, factors: Any, columns: int, dtype: np.dtype[Any]) -> Array:
    """One factor for each class or output."""
    array = as_array(op, name, factors)
    if array.shape != (columns,):
        raise ValueError(f"{op}: {name} must have shape {(columns,)}. {received(**{name: array})}")
    weights = np.array(array, dtype)
    wrong = ~((weights >= 0) & (weights < np.inf))
    if wrong.any():
        raise ValueError(f"{op}: {name} must hold finite numbers >= 0. Received: {weights[wrong][0]}")
    return weights


def _labels(op: str, labels: Array, classes: int, ignore_index: int | None) -> NDArray[np.int32]:
    """Labels as int32, those to be ignored as -1."""
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{op}: labels must be integers. {received(targets=labels)}")
    if not labels.size:
        return labels.astype(np.int32)
    # as unsigned numbers, negative labels are the largest: one pass finds whether all are in range
    if labels.dtype.isnative and np.maximum.reduce(labels.view(f"u{labels.itemsize}")) < classes:
        result = labels.astype(np.int32)
        if ignore_index is not None:
            result[labels == ignore_index] = IGNORED
        return result
    ignored = np.zeros(labels.shape, np.bool_) if ignore_index is None else labels == ignore_index
    wrong = ((labels < 0) | (labels >= classes)) & ~ignored
    if not wrong.any():
        return np.where(ignored, IGNORED, labels).astype(np.int32)
    first = int(np.argmax(wrong))
    raise ValueError(f"{op}: labels must be from 0 to {classes - 1}. Received: {labels[first]} at position {first}")


def row_weights(op: str, mask: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A mask or weights per row as float64."""
    array = as_array(op, "mask", mask)
    if array.shape != shape:
        raise ValueError(f"{op}: mask must have shape {shape}. {received(mask=array)}")
    weights = array.astype(np.float64).reshape(-1)
    wrong = ~((weights >= 0) & (weights < np.inf))
    if wrong.any():
        raise ValueError(f"{op}: mask must hold bools or finite weights >= 0. Received: {weights[wrong][0]}")
    return weights


@np.errstate(all="ignore")
def reduced(row_loss: NDArray[np.float64], reduction: str, scale: float, case: Problem) -> Any:
    """The loss: a Python float, or without reduction an array of the predictions' dtype."""
    if reduction == "none":
        losses = row_loss.astype(case.predictions.dtype).reshape(case.shape[:-1])
        return losses if losses.ndim else losses[()]
    return fast.total(row_loss) * scale if scale else 0.0  # nothing counts: no loss, as there is no gradient
