"""Counter-based random bits (Philox4x32-10) and dropout, in readable NumPy.

A counter-based generator has no state: word ``i`` of a stream is a function of ``(seed, stream, step, i)``, a few
rounds of multiplying and mixing.  So a mask can be drawn in any order, by any number of threads, and again after a
resumed run, and is always the same.

References
----------
Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.arrays import Array

_LOW_WORD = np.uint64(0xFFFFFFFF)
_WORD_BITS = np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = 0x9E3779B9, 0xBB67AE85  # golden ratio and sqrt(3) - 1, in units of 2**-32


def philox4x32(counter: NDArray[np.unsignedinteger[Any]], key: tuple[int, int], rounds: int = 10) -> NDArray[np.uint32]:
    """Encrypt counters: 128 random bits for each.

    Each round maps the words ``(c0, c1, c2, c3)`` to ``(high(m1 * c2) ^ c1 ^ k0, low(m1 * c2), high(m0 * c0) ^ c3 ^ k1,
    low(m0 * c0))``, where high and low are the halves of a 64-bit product; then a constant is added to each key word.

    Parameters
    ----------
    counter : array of uint32, shape (..., 4)
        One counter per block of four words.
    key : two integers below 2**32
        The same for all blocks.
    rounds : int
        Ten in Philox4x32-10.

    Returns
    -------
    array of uint32, shape (..., 4)
        Four random words per counter.

    References
    ----------
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    c0, c1, c2, c3 = np.moveaxis(np.asarray(counter).astype(np.uint64), -1, 0)
    k0, k1 = key
    for _ in range(rounds):
        p, q = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2  # 64 bits hold the product of two words
        c0, c1 = (q >> _WORD_BITS) ^ c1 ^ np.uint64(k0), q & _LOW_WORD
        c2, c3 = (p >> _WORD_BITS) ^ c3 ^ np.uint64(k1), p & _LOW_WORD
        k0, k1 = (k0 + _WEYL[0]) % 2**32, (k1 + _WEYL[1]) % 2**32
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def random_bits(count: int, seed: int, stream: int, step: int, first: int = 0) -> NDArray[np.uint32]:
    """Words ``first`` to ``first + count - 1`` of a random stream.

    Word ``i`` is word ``i % 4`` of the Philox block with the counter ``(i // 4 low, i // 4 high, step, stream)`` and
    the key ``(seed low, seed high)``, low and high meaning halves of 32 bits.

    Parameters
    ----------
    count : int
        Number of words.
    seed : int, 0 <= seed < 2**64
        Names the run.
    stream : int, 0 <= stream < 2**32
        Names the place that draws, such as one layer.
    step : int, 0 <= step < 2**32
        Names the training step.
    first : int, multiple of 4
        Index of the first word.

    Returns
    -------
    array of uint32, shape (count,)
        Independent, uniformly distributed words.

    Raises
    ------
    ValueError
        If ``first`` is not a multiple of 4.
    """
    if first % 4:
        raise ValueError(f"first must be a multiple of 4. Received: {first}")
    block = first // 4 + np.arange((count + 3) // 4, dtype=np.uint64)
    counter = np.empty((block.size, 4), np.uint64)
    counter[:, 0] = block & _LOW_WORD
    counter[:, 1] = block >> _WORD_BITS
    counter[:, 2] = step
    counter[:, 3] = stream
    words = philox4x32(counter, (seed % 2**32, seed // 2**32))
    return words.reshape(-1)[:count]


def dropout(x: Array, rate: float, seed: int, stream: int, step: int) -> tuple[Array, NDArray[np.uint8]]:
    """Inverted dropout: zero a random part of the elements and scale the rest, so that the mean stays.

    ``y = x * mask / (1 - rate)`` with ``mask_i = (word_i >= rate * 2**32)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Activations; element ``i``, counted in C order, uses word ``i`` of `random_bits`.
    rate : float, 0 <= rate < 1
        Probability of an element to be dropped.
    seed, stream, step : int
        As in `random_bits`.

    Returns
    -------
    y : array, shape and dtype of x
        Dropped elements are 0, even those that were infinite or NaN.
    mask : array of uint8, shape of x
        1 where the element was kept; `masked_scale` applies it to the gradient.

    Notes
    -----
    Scaling during training, as Keras and PyTorch do, leaves nothing to do at inference; the paper scales at inference
    instead.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", Journal of Machine Learning Research 15, 2014.
    """
    words = random_bits(x.size, seed, stream, step).reshape(x.shape)
    mask = (words.astype(np.float64) >= rate * 2.0**32).astype(np.uint8)
    return masked_scale(x, mask, 1 / (1 - rate)), mask


@np.errstate(all="ignore")
def masked_scale(x: Array, mask: NDArray[np.uint8] | NDArray[np.bool_], scale: float) -> Array:
    """Scale the elements that a mask keeps and zero the others: dropout with a given mask, and its backward pass.

    ``y = x * scale`` where ``mask`` is not 0, 0 elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Activations, or their gradient.
    mask : array of uint8 or bool, shape of x
        Not 0 where an element is kept.
    scale : float
        ``1 / (1 - rate)`` for inverted dropout.

    Returns
    -------
    array, shape and dtype of x
        A new array.
    """
    return np.where(mask != 0, x * scale, x.dtype.type(0))
