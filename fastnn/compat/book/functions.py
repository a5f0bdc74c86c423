"""Activation functions and losses under the book's names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import ops

Array = NDArray[Any]

__all__ = [
    "cross_entropy_error",
    "identity_function",
    "mean_squared_error",
    "relu",
    "relu_grad",
    "sigmoid",
    "sigmoid_grad",
    "softmax",
    "softmax_loss",
    "step_function",
    "sum_squared_error",
]


def identity_function(x: Any) -> Any:
    """The argument itself."""
    return x


def step_function(x: ArrayLike) -> Array:
    """1 where x > 0, else 0, as integers."""
    return np.array(np.asarray(x) > 0, dtype=int)


def sigmoid(x: ArrayLike) -> Any:
    """``1 / (1 + exp(-x))``"""
    return ops.sigmoid(x)


def sigmoid_grad(x: ArrayLike) -> Any:
    """``sigmoid(x) * (1 - sigmoid(x))``"""
    return ops.sigmoid_grad(x)


def relu(x: ArrayLike) -> Any:
    """``max(x, 0)``"""
    return ops.relu(x)


def relu_grad(x: ArrayLike) -> Any:
    """1 where x >= 0, else 0; so 1 at 0, unlike the layer `Relu`."""
    return ops.relu_grad(x, zero_grad=1.0)


def softmax(x: ArrayLike) -> Any:
    """``exp(x) / sum(exp(x))`` over the last axis."""
    return ops.softmax(x)


def sum_squared_error(y: ArrayLike, t: ArrayLike) -> float:
    """``0.5 * sum((y - t)**2)`` over all elements."""
    return 0.5 * float(ops.mse(y, t, reduction="sum"))


mean_squared_error = sum_squared_error  # its name in the first printings: a sum all the same


def cross_entropy_error(y: Array, t: Array) -> float:
    """``-mean(log(p + 1e-7))`` over the samples, p being the probability of a sample's class.

    Parameters
    ----------
    y : array, shape (N, classes), or (classes,) for one sample
        Predicted probabilities.
    t : array, shape of y or (N,)
        One-hot rows, of which the position of the largest element counts; or labels.
    """
    probs = y.reshape(1, -1) if y.ndim == 1 else y
    labels = t.reshape(probs.shape).argmax(axis=1) if t.size == probs.size else t.reshape(-1)
    chosen = probs[np.arange(len(probs)), labels]
    return -float(np.sum(np.log(chosen + 1e-7))) / len(probs)


def softmax_loss(X: ArrayLike, t: Array) -> float:
    """`cross_entropy_error` of `softmax`."""
    return cross_entropy_error(softmax(X), t)
