"""Noise of training beside dropout: alpha dropout, whole channels dropped, Gaussian noise, salt and pepper, units.

Everything is drawn from the words of `fastnn.reference.random.random_bits`, so that it is a function of (seed, stream,
step, element).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.arrays import Array
from fastnn.reference.random import random_bits

ALPHA = 1.6732632423543772  # of SELU
SCALE = 1.0507009873554805


def dropout_mask(count: int, rate: float, seed: int, stream: int, step: int) -> NDArray[np.uint8]:
    """``mask_i = (word_i >= rate * 2**32)``

    Parameters
    ----------
    count : int
        Length of the mask.
    rate : float, 0 <= rate < 1
        Probability of a 0.
    seed, stream, step : int
        As in `random_bits`.

    Returns
    -------
    array of uint8, shape (count,)
        1 where something is kept.
    """
    words = random_bits(count, seed, stream, step)
    return (words.astype(np.float64) >= rate * 2.0**32).astype(np.uint8)


def alpha_dropout_numbers(rate: float) -> tuple[float, float, float]:
    """How alpha dropout keeps mean 0 and variance 1: elements dropped take the value SELU goes to at minus infinity.

    ``kept = a * x + b``, ``dropped = a * low + b`` with ``low = -SCALE * ALPHA``,
    ``a = ((1 - rate) * (1 + rate * low ** 2)) ** -1/2``, ``b = -a * rate * low``

    Parameters
    ----------
    rate : float, 0 <= rate < 1
        Probability of an element to be dropped.

    Returns
    -------
    a, b, dropped : float

    References
    ----------
    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NIPS 2017.
    """
    low = -SCALE * ALPHA
    a = 1 / math.sqrt((1 - rate) * (1 + rate * low**2))
    b = -a * rate * low
    return a, b, a * low + b


@np.errstate(all="ignore")
def alpha_dropout(x: Array, mask: NDArray[np.uint8], scale: float, shift: float, fill: float) -> Array:
    """``y = scale * x + shift`` where the mask is 1, ``fill`` elsewhere.

    Parameters
    ----------
    x : array, any shape
        Activations.
    mask : array of uint8, shape of x
        From `dropout_mask`.
    scale, shift, fill : float
        From `alpha_dropout_numbers`.

    Returns
    -------
    array, shape and dtype of x
        A new array.
    """
    return np.where(mask != 0, x * x.dtype.type(scale) + x.dtype.type(shift), x.dtype.type(fill))


def gaussian_noise(count: int, mean: float, deviation: float, seed: int, stream: int, step: int) -> NDArray[np.float64]:
    """Normally distributed numbers, by the transform of Box and Muller.

    Words ``v, w`` make ``u = (v + 1/2) / 2**32`` and two numbers ``sqrt(-2 log u) * cos(2 pi w / 2**32)``, and the same
    with the sine.

    Parameters
    ----------
    count : int
        How many.
    mean, deviation : float
        Of the distribution.
    seed, stream, step : int
        As in `random_bits`.

    Returns
    -------
    array of float64, shape (count,)
        None is further than 6.8 deviations from the mean, because a word has 32 bits.

    References
    ----------
    Box and Muller, "A note on the generation of random normal deviates", Annals of Mathematical Statistics 29, 1958.
    """
    words = random_bits(count + count % 2, seed, stream, step).reshape(-1, 2).astype(np.float64)
    radius = np.sqrt(-2 * np.log((words[:, 0] + 0.5) / 2.0**32))
    angle = 2 * np.pi * words[:, 1] / 2.0**32
    pairs = radius[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return mean + deviation * pairs.reshape(-1)[:count]


def bernoulli(p: Array, seed: int, stream: int, step: int) -> Array:
    """Units that are on, 1, with probability p, and off, 0, otherwise.

    ``y_i = 1`` where ``floor(word_i / 2**8) < 2**24 * p_i``

    Parameters
    ----------
    p : array, any shape
        Probabilities.
    seed, stream, step : int
        As in `random_bits`; element ``i``, counted in C order, uses word ``i``.

    Returns
    -------
    array, shape and dtype of p
        NaN where p is. A probability counts as the next larger multiple of 2**-24, which is what a float32 near 1 can
        tell apart.
    """
    words = random_bits(p.size, seed, stream, step).reshape(p.shape) >> np.uint32(8)
    on = words.astype(np.float64) < p.astype(np.float64) * 2.0**24
    return np.where(np.isnan(p), p, on.astype(p.dtype))


def salt_and_pepper(
    x: Array, rate: float, low: float, high: float, seed: int, stream: int, step: int
) -> tuple[Array, NDArray[np.uint8]]:
    """A part of the elements is replaced by the lowest or the highest value, by each with the same probability.

    ``y_i = low`` where ``word_i < rate / 2 * 2**32``, else ``high`` where ``word_i < rate * 2**32``, else ``x_i``

    Parameters
    ----------
    x : array, any shape
        Data.
    rate : float, 0 <= rate < 1
        Probability of an element to be replaced.
    low, high : float
        By what.
    seed, stream, step : int
        As in `random_bits`.

    Returns
    -------
    y : array, shape and dtype of x
        A new array.
    mask : array of uint8, shape of x
        1 where the element was kept; `masked_scale` applies it to the gradient.

    References
    ----------
    Vincent, Larochelle, Lajoie, Bengio and Manzagol, "Stacked denoising autoencoders", JMLR 11, 2010.
    """
    words = random_bits(x.size, seed, stream, step).reshape(x.shape).astype(np.float64)
    other = np.where(words < rate / 2 * 2.0**32, x.dtype.type(low), x.dtype.type(high))
    kept = words >= rate * 2.0**32
    return np.where(kept, x, other), kept.astype(np.uint8)
