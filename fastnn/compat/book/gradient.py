"""Gradients by finite differences, to check others by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["numerical_gradient"]


def numerical_gradient(f: Callable[[NDArray[Any]], float], x: NDArray[Any]) -> NDArray[Any]:
    """Gradient of f at x by central differences with a step of 1e-4.

    Parameters
    ----------
    f : function
        Takes x; it may also look at the memory of x by another way, such as the layer that holds it.
    x : array of floats
        Changed element by element during the call, and as before after it.

    Returns
    -------
    array, shape and dtype of x
    """
    h = 1e-4
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        before = x[index]
        x[index] = before + h
        above = f(x)
        x[index] = before - h
        below = f(x)
        x[index] = before
        gradient[index] = (above - below) / (2 * h)
    return gradient
