"""Losses of rows that have several inputs: a mean and a variance, two rows to compare, or three."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, AtLeastOne, NonNegative, Positive, exactly

_HALF_LOG_TWO_PI = 0.91893853320467274178


@exactly
def gaussian_nll(mean: Array, var: Array, t: Array, eps: Positive = 1e-6, full: NonNegative = 0.0) -> Array:
    """Negative logarithm of the normal density of the targets, from predicted means and variances.

    ``(log(v) + (t - mean)**2 / v) / 2`` with ``v = max(var, eps)``

    Parameters
    ----------
    mean, var : arrays, shape (..., outputs), float32 or float64
        Predicted means; predicted variances.
    t : array, shape (..., outputs)
        Targets.
    eps : float, > 0
        Smallest variance.
    full : float, >= 0
        If it is not 0, the constant ``log(2 pi) / 2`` is added.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row: the mean of those of its elements.

    Notes
    -----
    PyTorch's ``nn.GaussianNLLLoss``.

    References
    ----------
    Nix and Weigend, "Estimating the mean and variance of the target probability distribution", ICNN 1994.
    """
    v = np.maximum(var, eps)
    losses = (np.log(v) + np.square(mean - t) / v) / 2 + (_HALF_LOG_TWO_PI if full else 0)
    mean_loss: Array = np.mean(losses, axis=-1)
    return mean_loss


@exactly
def gaussian_nll_grad(
    mean: Array, var: Array, t: Array, eps: Positive = 1e-6, full: NonNegative = 0.0
) -> tuple[Array, Array]:
    """Derivatives of `gaussian_nll` with respect to the means and the variances.

    ``(mean - t) / v`` and ``(1 - (t - mean)**2 / v) / (2 * v)``

    Parameters
    ----------
    mean, var : arrays, shape (..., outputs), float32 or float64
        Predicted means; predicted variances.
    t : array, shape (..., outputs)
        Targets.
    eps, full : float
        As in `gaussian_nll`.

    Returns
    -------
    two arrays, shape and dtype of mean
        Derivatives.  As in PyTorch, a variance below eps has the slope of eps, not 0: it can grow.
    """
    v, error = np.maximum(var, eps), mean - t  # divided by outputs: the loss of a row is the mean over its elements
    return error / v / mean.shape[-1], (1 - error * error / v) / (2 * v) / mean.shape[-1]


@exactly
def margin_ranking(x1: Array, x2: Array, t: Array, margin: NonNegative = 0.0) -> Array:
    """How far the larger of two scores falls short of a margin above the other.

    ``max(0, margin - t * (x1 - x2))``

    Parameters
    ----------
    x1, x2 : arrays, shape (..., outputs), float32 or float64
        Scores to compare.
    t : array, shape (..., outputs)
        1 where x1 is to be the larger one, -1 where x2 is.
    margin : float, >= 0
        How much larger it is to be.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row: the mean of those of its elements.

    Notes
    -----
    PyTorch's ``nn.MarginRankingLoss``.

    References
    ----------
    Herbrich, Graepel and Obermayer, "Large margin rank boundaries for ordinal regression", MIT Press, 2000.
    """
    losses: Array = np.mean(np.maximum(margin - t * (x1 - x2), 0), axis=-1)
    return losses


@exactly
def margin_ranking_grad(x1: Array, x2: Array, t: Array, margin: NonNegative = 0.0) -> tuple[Array, Array]:
    """Derivatives of `margin_ranking` with respect to both scores.

    ``-t`` and ``t`` where ``margin - t * (x1 - x2) >= 0``, 0 elsewhere

    Parameters
    ----------
    x1, x2 : arrays, shape (..., outputs), float32 or float64
        Scores to compare.
    t : array, shape (..., outputs)
        1 or -1.
    margin : float, >= 0
        As in `margin_ranking`.

    Returns
    -------
    two arrays, shape and dtype of x1
        Derivatives; where the loss is just 0, those of the side where it is not, as in PyTorch.
    """
    gap = margin - t * (x1 - x2)
    slope = np.where(np.isnan(gap), gap, np.where(gap < 0, 0, t)) / x1.shape[-1]  # that of the mean over a row
    return -slope, slope


def _cosine(x1: Array, x2: Array) -> tuple[Array, Array, Array]:
    """Cosine of the angle between rows, and the squares of their lengths, kept from 0."""
    one = np.sum(x1 * x1, axis=-1, keepdims=True) + 1e-12
    two = np.sum(x2 * x2, axis=-1, keepdims=True) + 1e-12
    return np.sum(x1 * x2, axis=-1, keepdims=True) / np.sqrt(one * two), one, two


@exactly
def cosine_embedding(x1: Array, x2: Array, t: Array, margin: NonNegative = 0.0) -> Array:
    """Pulls rows that belong together towards one direction, and the others apart.

    ``1 - cos(x1, x2)`` where ``t > 0``, ``max(0, cos(x1, x2) - margin)`` elsewhere

    Parameters
    ----------
    x1, x2 : arrays, shape (..., outputs), float32 or float64
        Rows to compare.
    t : array, shape (...)
        1 for rows that belong together, -1 for others.
    margin : float, >= 0
        The cosine below which others are left alone.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    PyTorch's ``nn.CosineEmbeddingLoss``, whose margin may be negative.
    """
    cosine = _cosine(x1, x2)[0][..., 0]
    return np.where(t.reshape(cosine.shape) > 0, 1 - cosine, np.maximum(cosine - margin, 0))


@exactly
def cosine_embedding_grad(x1: Array, x2: Array, t: Array, margin: NonNegative = 0.0) -> tuple[Array, Array]:
    """Derivatives of `cosine_embedding` with respect to both rows.

    ``-d cos`` where ``t > 0``, ``d cos`` where ``cos >= margin``, 0 elsewhere;
    ``d cos / d x1 = x2 / (n1 * n2) - cos * x1 / n1**2`` with the lengths n1 and n2

    Parameters
    ----------
    x1, x2 : arrays, shape (..., outputs), float32 or float64
        Rows to compare.
    t : array, shape (...)
        1 or -1.
    margin : float, >= 0
        As in `cosine_embedding`.

    Returns
    -------
    two arrays, shape and dtype of x1
        Derivatives of each row's loss.
    """
    cosine, one, two = _cosine(x1, x2)
    slope = np.where(t.reshape(cosine.shape) > 0, -1, np.where(cosine < margin, 0, 1))
    both = np.sqrt(one * two)
    return slope * (x2 / both - cosine * x1 / one), slope * (x1 / both - cosine * x2 / two)


def _distance(x: Array, y: Array, power: float, eps: float) -> tuple[Array, Array]:
    """Lengths of the rows ``x - y + eps``, and their derivatives with respect to x."""
    difference = x - y + eps
    length = np.sum(np.abs(difference) ** power, axis=-1, keepdims=True) ** (1 / power)
    relative = np.where(length == 0, 0, np.abs(difference) / length)
    return length, np.sign(difference) * relative ** (power - 1)


@exactly
def triplet_margin(
    anchor: Array,
    positive: Array,
    negative: Array,
    margin: NonNegative = 1.0,
    power: AtLeastOne = 2.0,
    eps: NonNegative = 1e-6,
    swap: NonNegative = 0.0,
) -> Array:
    """Pulls an anchor towards a row of its kind, until a row of another kind is further away by a margin.

    ``max(0, d(anchor, positive) - d(anchor, negative) + margin)`` with
    ``d(x, y) = sum(abs(x - y + eps)**power)**(1 / power)``

    Parameters
    ----------
    anchor, positive, negative : arrays, shape (..., outputs), float32 or float64
        The row that is looked from; one of its kind; one of another kind.
    margin : float, >= 0
        How much further away the other kind is to be.
    power : float, >= 1
        1 for the sum of differences, 2 for the Euclidean distance.
    eps : float, >= 0
        Keeps the derivative of the distance of equal rows finite.
    swap : float, >= 0
        If it is not 0, the smaller of d(anchor, negative) and d(positive, negative) counts.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    PyTorch's ``nn.TripletMarginLoss``, whose ``p`` is ``power``.

    References
    ----------
    Balntas et al., "Learning local feature descriptors with triplets and shallow convolutional neural networks", BMVC
    2016.
    """
    near, far = _distance(anchor, positive, power, eps)[0], _distance(anchor, negative, power, eps)[0]
    if swap:
        far = np.minimum(far, _distance(positive, negative, power, eps)[0])
    return np.maximum(near - far + margin, 0)[..., 0]


@exactly
def triplet_margin_grad(
    anchor: Array,
    positive: Array,
    negative: Array,
    margin: NonNegative = 1.0,
    power: AtLeastOne = 2.0,
    eps: NonNegative = 1e-6,
    swap: NonNegative = 0.0,
) -> tuple[Array, Array, Array]:
    """Derivatives of `triplet_margin` with respect to the three rows.

    Those of the two distances where the loss is not 0:
    ``d d(x, y) / d x = sign(x - y) * (abs(x - y) / d)**(power - 1)``

    Parameters
    ----------
    anchor, positive, negative : arrays, shape (..., outputs), float32 or float64
        As in `triplet_margin`.
    margin, power, eps, swap : float
        As in `triplet_margin`.

    Returns
    -------
    three arrays, shape and dtype of anchor
        Derivatives of each row's loss; where it is just 0, those of the side where it is not, as in PyTorch.
    """
    near, to_positive = _distance(anchor, positive, power, eps)
    far, to_negative = _distance(anchor, negative, power, eps)
    swapped = np.zeros_like(far, np.bool_)
    if swap:
        other, from_positive = _distance(positive, negative, power, eps)
        swapped = other < far
        far, to_negative = np.where(swapped, other, far), np.where(swapped, from_positive, to_negative)
    counts = np.where(near - far + margin < 0, 0, 1)
    of_anchor = to_positive - np.where(swapped, 0, to_negative)
    of_positive = -to_positive - np.where(swapped, to_negative, 0)
    return counts * of_anchor, counts * of_positive, counts * to_negative
