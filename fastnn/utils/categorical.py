"""Labels to one-hot rows, and rows to unit length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> NDArray[np.float64]:
    """One-hot rows from integer labels.

    y[..., c] = 1 where c = x[...], else 0

    Parameters
    ----------
    x : array_like of int, shape (...,) or (..., 1)
        Class indices from 0. Numbers of a float type are accepted if they are whole.
    num_classes : int, optional
        Default: the largest label plus one.

    Returns
    -------
    ndarray of float64, shape (..., num_classes)

    Raises
    ------
    ValueError
        If a label is not a whole number, is negative, or is not less than `num_classes`.
    """
    labels = np.asarray(x)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.dtype.kind not in "biuf" or not np.array_equal(labels, np.trunc(labels)):
        raise ValueError(f"to_categorical: labels must be whole numbers. Received: {labels.dtype} {_some(labels)}")
    if labels.size == 0 and num_classes is None:
        raise ValueError(f"to_categorical: without labels, num_classes must be given. Received: shape {labels.shape}")
    classes = int(labels.max()) + 1 if num_classes is None else num_classes
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        raise ValueError(
            f"to_categorical: labels must lie between 0 and {classes - 1}. Received: {_some(labels[outside])}"
        )
    rows = np.zeros((labels.size, classes))
    rows[np.arange(labels.size), labels.ravel().astype(np.intp)] = 1.0
    return rows.reshape(*labels.shape, classes)


def normalize(x: ArrayLike, axis: int = -1, order: float = 2) -> NDArray[Any]:
    """Divide by the norm along an axis; where that is 0, nothing changes.

    x / (sum(|x|^order))^(1 / order)

    Parameters
    ----------
    x : array_like of real numbers
    axis : int
    order : float
        Of the norm, at least 1; `numpy.inf` is the largest absolute value.

    Returns
    -------
    ndarray, shape of x
        float32 for float32, else float64.

    Raises
    ------
    ValueError
        If `order` is less than 1, or there is no such axis.

    Notes
    -----
    Computed in units of the largest absolute value, so that no power overflows or vanishes.
    """
    array = np.asarray(x)
    if array.dtype != np.float32:
        array = array.astype(np.float64)
    if not -max(array.ndim, 1) <= axis < max(array.ndim, 1):
        raise ValueError(f"normalize: axis must be one of {array.ndim}. Received: axis={axis!r}")
    if not order >= 1:
        raise ValueError(f"normalize: order must be at least 1. Received: order={order!r}")
    array = np.atleast_1d(array)
    unit = np.max(np.abs(array), axis=axis, keepdims=True, initial=0)
    scaled = array / np.where((unit > 0) & np.isfinite(unit), unit, 1)
    norm = np.linalg.norm(scaled, ord=order, axis=axis, keepdims=True)
    return np.asarray(scaled / np.where(norm > 0, norm, 1), array.dtype)


def _some(values: NDArray[np.generic]) -> str:
    return np.array2string(values.ravel()[:5], threshold=5) + ("" if values.size <= 5 else " and more")
