"""Randomised leaky ReLU, in readable NumPy."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array
from fastnn.reference.random import random_bits


@np.errstate(all="ignore")
def rrelu(x: Array, lower: float, upper: float, seed: int, stream: int, step: int) -> tuple[Array, Array]:
    """Rectified linear unit with a random slope for every negative element, as it is used in training.

    ``y = slopes * x``, where a slope is 1 for ``x > 0`` and ``lower + (upper - lower) * word / 2**32`` elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation; element ``i``, counted in C order, uses word ``i`` of `random_bits`.
    lower, upper : float
        The interval that the slopes are drawn from.
    seed, stream, step : int
        As in `random_bits`.

    Returns
    -------
    y : array, shape and dtype of x
        Activation.
    slopes : array, shape and dtype of x
        Derivative of every element.

    References
    ----------
    Xu, Wang, Chen and Li, "Empirical evaluation of rectified activations in convolutional network", 2015,
    arXiv:1505.00853.
    """
    words = random_bits(x.size, seed, stream, step).reshape(x.shape)
    drawn = (lower + (upper - lower) / 2.0**32 * words.astype(np.float64)).astype(x.dtype)
    slopes = np.where(x > 0, x.dtype.type(1), drawn)
    return x * slopes, slopes
