"""How losses and metrics bring what a user passes into the form the kernels read; every misfit is a ValueError.

Predictions have the shape (..., outputs): rows are all but the last axis. The kernels see them as (rows, outputs).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastnn import config

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int | None, ...]

_INT32 = np.iinfo(np.int32)


def as_floats(values: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """Contiguous float32 or float64: `dtype`, or else the type that an array has, or else `fastnn.config.floatx()`."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise ValueError(f"Real numbers of at most 64 bits are expected. Received: dtype {array.dtype}")
    if dtype is None:
        own = array.dtype.newbyteorder("=")
        keep = isinstance(values, (np.ndarray, np.generic)) and own in (np.float32, np.float64)
        dtype = own if keep else config.floatx()
    # Not ascontiguousarray, which would give an array of rank 0 an axis and leave an unaligned one as it is.
    return np.require(array, dtype, ["C", "A"])


def as_matrix(predictions: Array, name: str) -> Array:
    """The predictions as (rows, outputs)."""
    if predictions.ndim == 0 or predictions.shape[-1] == 0:
        raise ValueError(
            f"{name}: predictions need a last axis with at least one output. Received: shape {predictions.shape}"
        )
    return predictions.reshape(-1, predictions.shape[-1])


def same_rank(true: Array, pred: Array) -> tuple[Array, Array]:
    """Both with the same number of axes, where they differ by a last axis of length 1 only (Keras's rule).

    The shorter one gets that axis if it has a single axis; otherwise the longer one loses it.
    """
    if true.ndim == pred.ndim + 1:
        pred, true = same_rank(pred, true)
    elif pred.ndim == true.ndim + 1 and pred.shape[-1] == 1:
        if true.ndim == 1:
            true = true[:, np.newaxis]
        else:
            pred = pred[..., 0]
    return true, pred


def as_target_rows(true: Array, pred: Array, name: str) -> Array:
    """Targets that have the shape of the predictions, as (rows, outputs) of the same dtype."""
    if true.shape != pred.shape:
        hint = ""
        if true.shape == pred.shape[:-1] or true.shape == (*pred.shape[:-1], 1):
            hint = " Integer labels go with the sparse categorical loss and metric, or with to_categorical."
        raise ValueError(
            f"{name}: y_true and y_pred must have the same shape.{hint} "
            f"Received: y_true {true.shape}, y_pred {pred.shape}"
        )
    return as_matrix(as_floats(true, pred.dtype), name)


def as_labels(true: Array, shape: tuple[int, ...], name: str, ignore: int | None = None, check: bool = True) -> Array:
    """Integer labels, one per row of predictions of `shape`, as contiguous int32 of shape (rows,).

    Whole numbers of a float type are accepted. With `check`, every label but `ignore` must be less than shape[-1].
    """
    if true.shape not in (shape[:-1], (*shape[:-1], 1)):
        hint = " One-hot rows go with the categorical loss and metric." if true.shape == shape else ""
        raise ValueError(
            f"{name}: there must be one integer label per row of y_pred.{hint} "
            f"Received: y_true {true.shape}, y_pred {shape}"
        )
    labels = true.reshape(-1)
    if labels.dtype.kind not in "biuf" or (labels.dtype.kind == "f" and not np.array_equal(labels, np.trunc(labels))):
        raise ValueError(f"{name}: labels must be whole numbers. Received: {labels.dtype} {labels[:5]}")
    lowest, highest = (0, shape[-1] - 1) if check else (int(_INT32.min) + 1, int(_INT32.max))
    outside = (labels < lowest) | (labels > highest)
    if ignore is not None:
        outside &= labels != ignore
    if outside.any():
        first = int(outside.argmax())
        raise ValueError(
            f"{name}: labels must lie between {lowest} and {highest}. Received: {labels[first]} at index {first}"
        )
    return np.require(labels, np.int32, ["C", "A"])


def spread_weights(
    sample_weight: ArrayLike, shape: tuple[int, ...], name: str = "sample_weight"
) -> NDArray[np.float64]:
    """One weight for every sample of `shape`: the weights may miss axes at the end, or have more of length 1."""
    weights = np.asarray(sample_weight, np.float64)
    given = weights.shape
    while weights.ndim and weights.shape[-1] == 1 and weights.shape != shape[: weights.ndim]:
        weights = weights[..., 0]
    if weights.shape != shape[: weights.ndim]:
        raise ValueError(f"{name} must have the shape {shape} or its first axes. Received: shape {given}")
    missing = (1,) * (len(shape) - weights.ndim)
    return np.broadcast_to(weights.reshape(*weights.shape, *missing), shape)


def target_kind(output_shape: Shape, target_shape: Shape) -> str:
    """What targets of this shape are for outputs of that shape, by Keras's rule.

    Returns
    -------
    str
        "binary" for a single output; "sparse" if the targets have fewer axes, or a last axis of length 1; else
        "categorical".
    """
    if output_shape and output_shape[-1] == 1:
        return "binary"
    if len(target_shape) < len(output_shape) or (target_shape and target_shape[-1] == 1):
        return "sparse"
    return "categorical"
