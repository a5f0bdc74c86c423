"""Relatives of softmax whose rows are probabilities too: softmin, sparsemax and gumbel-softmax, in readable NumPy.

As in `rows`: a ``-inf`` of softmax and sparsemax is a masked element of probability 0; a row that is masked altogether,
or that contains ``+inf`` or NaN, has no probabilities and becomes NaN.  No warnings.
"""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, double_precision
from fastnn.reference.rows import softmax, softmax_backward


@double_precision
def softmin(x: Array, axis: int = -1) -> Array:
    """Probabilities proportional to the exponentials of the negative inputs: the smallest gets most.

    ``softmin(x)_i = exp(-x_i) / sum_k exp(-x_k)``

    Parameters
    ----------
    x : array, at least one dimension, float32 or float64
        Costs.
    axis : int
        The axis along which the probabilities sum to 1.

    Returns
    -------
    array, shape and dtype of x
        Probabilities, in [0, 1].
    """
    return softmax(-x, axis)


@double_precision
def softmin_backward(dy: Array, y: Array, axis: int = -1) -> Array:
    """Gradient of `softmin`, from its output.

    ``dx_i = -y_i * (dy_i - sum_k dy_k * y_k)``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `softmin`.
    axis : int
        As in `softmin`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; along ``axis`` it sums to 0.
    """
    return -softmax_backward(dy, y, axis)


@double_precision
def sparsemax(x: Array, axis: int = -1) -> Array:
    """The probabilities nearest to the inputs: unlike those of softmax, many of them are exactly 0.

    ``sparsemax(x)_i = max(x_i - t, 0)`` with the ``t`` for which they sum to 1

    Parameters
    ----------
    x : array, at least one dimension, float32 or float64
        Scores.
    axis : int
        The axis along which the probabilities sum to 1.

    Returns
    -------
    array, shape and dtype of x
        Probabilities, in [0, 1].

    Notes
    -----
    With the scores in falling order, the first ``k`` are not 0, where ``k`` is the largest number with
    ``1 + k * x_k > x_1 + ... + x_k``; then ``t = (x_1 + ... + x_k - 1) / k``.  In Keras 3.15 rows with more than one
    such element do not sum to 1.

    References
    ----------
    Martins and Astudillo, "From softmax to sparsemax: a sparse model of attention and multi-label classification",
    ICML 2016.
    """
    z = np.moveaxis(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf), axis, -1)
    falling = np.where(np.isfinite(z), z, -4.0)  # a score 4 below the largest never counts; -inf has no sum
    falling = -np.sort(-falling, axis=-1)
    sums, rank = np.cumsum(falling, axis=-1), np.arange(1, z.shape[-1] + 1)
    support = np.count_nonzero(1 + rank * falling > sums, axis=-1)[..., np.newaxis]
    t = (np.take_along_axis(sums, np.maximum(support - 1, 0), axis=-1) - 1) / support if z.size else 0
    broken = np.isnan(z).any(axis=-1, keepdims=True)
    return np.moveaxis(np.where(broken, np.nan, np.maximum(z - t, 0)), -1, axis)


@double_precision
def sparsemax_backward(dy: Array, y: Array, axis: int = -1) -> Array:
    """Gradient of `sparsemax`, from its output.

    ``dx_i = dy_i - mean of dy`` where ``y_i > 0``, 0 elsewhere; the mean is that of the elements with ``y > 0``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `sparsemax`.
    axis : int
        As in `sparsemax`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; along ``axis`` it sums to 0.
    """
    support = y != 0
    count = np.sum(support, axis=axis, keepdims=True)
    mean = np.sum(np.where(support, dy, 0), axis=axis, keepdims=True) / count
    return np.where(support, dy - mean + (y - y), 0)


@double_precision
def gumbel_softmax(x: Array, noise: Array, temperature: float = 1.0, axis: int = -1) -> Array:
    """Softmax of noisy logits: a differentiable draw from the categories.

    ``gumbel_softmax(x) = softmax((x + noise) / temperature)``; noise is ``-log(-log(u))`` with u uniform in (0, 1)

    Parameters
    ----------
    x : array, at least one dimension, float32 or float64
        Logits.
    noise : array, shape of x
        Independent draws from the standard Gumbel distribution.
    temperature : float
        The lower, the nearer to a draw of one category.
    axis : int
        The axis along which the probabilities sum to 1.

    Returns
    -------
    array, shape of x
        Probabilities, in [0, 1].

    References
    ----------
    Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax", ICLR 2017.
    Maddison et al., "The concrete distribution: a continuous relaxation of discrete random variables", ICLR
    2017.
    """
    return softmax((x + noise) / temperature, axis)


@double_precision
def gumbel_softmax_backward(dy: Array, y: Array, temperature: float = 1.0, axis: int = -1) -> Array:
    """Gradient of `gumbel_softmax` with respect to the logits, from its soft output.

    ``dx_i = y_i * (dy_i - sum_k dy_k * y_k) / temperature``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; the soft output.  For hard draws this is the straight-through estimate.
    temperature : float
        As in `gumbel_softmax`.
    axis : int
        As in `gumbel_softmax`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return softmax_backward(dy, y, axis) / temperature
