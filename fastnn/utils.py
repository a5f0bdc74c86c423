"""What keras.utils has that a training script needs: seeding, one-hot encoding, registering classes of one's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._custom_objects import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from fastnn.seeds import set_random_seed

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "register_keras_serializable",
    "set_random_seed",
    "to_categorical",
]


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


def _some(values: NDArray[np.generic]) -> str:
    return np.array2string(values.ravel()[:5], threshold=5) + ("" if values.size <= 5 else " and more")
