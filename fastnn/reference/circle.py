"""Circle loss: every row of embeddings is compared with every other one of the batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastnn.reference.arrays import Array, NonNegative, exactly


class _Pairs(NamedTuple):
    """Terms of all pairs (of one label, of different labels; -inf where there is no pair), and their derivatives.

    slopes: with respect to the product of the two rows; whole: which rows have pairs of both kinds.
    """

    alike: Array
    other: Array
    slopes_alike: Array
    slopes_other: Array
    whole: Array


def _pairs(x: Array, t: Array, gamma: float, margin: float, remove_diagonal: float) -> _Pairs:
    gap = 1 - x @ x.T
    d = np.maximum(gap, 0)
    same = t[:, np.newaxis] == t[np.newaxis, :]
    positive, negative = same & ~np.eye(len(x), dtype=bool) if remove_diagonal else same, ~same
    near = np.maximum(1 + margin - d, 0)
    falls = np.where(gap > 0, -1.0, np.where(gap <= 0, 0, gap))  # of d with the product
    return _Pairs(
        np.where(positive, -gamma * (margin + d) * (margin - d), -np.inf),
        np.where(negative, gamma * near * (1 - margin - d), -np.inf),
        falls * gamma * 2 * d,
        falls * gamma * np.where(near > 0, 2 * d - 2, 0),
        positive.any(axis=1) & negative.any(axis=1),
    )


def _logsumexp(terms: Array) -> Array:
    top = np.max(terms, axis=1)
    shift = np.where(np.isfinite(top), top, 0)
    return shift + np.log(np.sum(np.exp(terms - shift[:, np.newaxis]), axis=1))


def _rescaled(whole: Array, rescale: float, row_weight: Array | None) -> float:
    """All rows over those that count, or the same of their weights."""
    weight = np.ones(len(whole)) if rescale != 2 or row_weight is None else row_weight
    counted = float(np.sum(weight[whole]))
    return 1.0 if rescale == 0 else float(np.sum(weight)) / counted if counted else 0.0


@exactly
def circle(
    embeddings: Array,
    t: Array,
    gamma: NonNegative = 80.0,
    margin: NonNegative = 0.4,
    remove_diagonal: NonNegative = 1.0,
    rescale: NonNegative = 0.0,
    *,
    row_weight: Array | None = None,
) -> Array:
    """Pulls rows of one label together and pushes those of different labels apart, those that are far off the most.

    ``log(1 + exp(P_i + N_i))`` with the distances ``d_ij = max(0, 1 - x_i . x_j)``,
    ``P_i = log sum_j exp(-gamma * (margin + d_ij) * (margin - d_ij))`` over the rows with the label of row i and
    ``N_i = log sum_j exp(gamma * max(0, 1 + margin - d_ij) * (1 - margin - d_ij))`` over the others

    Parameters
    ----------
    embeddings : array, shape (rows, numbers), float32 or float64
        Rows x of length 1.
    t : integer array, shape (rows,)
        Labels: any integers.
    gamma : float, >= 0
        Scale of the similarities.
    margin : float, >= 0
        Rows of one label are to be closer than this, others further away than 1 less this.
    remove_diagonal : float, >= 0
        If it is not 0, a row is not compared with itself.
    rescale : float, >= 0
        0: the losses as they are; 1: times the number of rows over the number of those that have pairs of both kinds,
        so that their mean is over these; 2: likewise with sums of weights.
    row_weight : array, shape (rows,), optional
        Weights of the rows, for ``rescale``.

    Returns
    -------
    array of float64, shape (rows,)
        Loss of each row, not yet averaged; 0 for one that has no pairs of both kinds.

    Notes
    -----
    Keras's; the paper measures similarity instead of distance.  The rows are judged together: a row's loss depends on
    all others.

    References
    ----------
    Sun et al., "Circle loss: a unified perspective of pair similarity optimization", CVPR 2020.
    """
    pairs = _pairs(embeddings, t, gamma, margin, remove_diagonal)
    losses = np.logaddexp(0, _logsumexp(pairs.alike) + _logsumexp(pairs.other))
    return np.where(pairs.whole, losses, 0) * _rescaled(pairs.whole, rescale, row_weight)


@exactly
def circle_grad(
    embeddings: Array,
    t: Array,
    gamma: NonNegative = 80.0,
    margin: NonNegative = 0.4,
    remove_diagonal: NonNegative = 1.0,
    rescale: NonNegative = 0.0,
    *,
    row_weight: Array | None = None,
) -> Array:
    """Derivative of the weighted sum of `circle` with respect to the embeddings.

    ``sum_j (G_ij + G_ji) * x_j`` with ``G_ij = w_i * sigmoid(P_i + N_i)`` times the derivative of ``P_i`` or ``N_i``
    with respect to ``x_i . x_j``

    Parameters
    ----------
    embeddings : array, shape (rows, numbers), float32 or float64
        Rows x of length 1.
    t : integer array, shape (rows,)
        Labels: any integers.
    gamma, margin, remove_diagonal, rescale : float
        As in `circle`.
    row_weight : array, shape (rows,), optional
        Factors w of the losses.

    Returns
    -------
    array, shape and dtype of embeddings
        Derivative of the sum of the weighted losses: rows are compared with each other, so that also one without
        weight has a gradient.
    """
    pairs = _pairs(embeddings, t, gamma, margin, remove_diagonal)
    p, n = _logsumexp(pairs.alike)[:, np.newaxis], _logsumexp(pairs.other)[:, np.newaxis]
    weight = np.ones(len(embeddings)) if row_weight is None else row_weight
    of_row = np.where(pairs.whole, weight, 0)[:, np.newaxis] * _rescaled(pairs.whole, rescale, row_weight)
    of_row = np.where(of_row == 0, 0, of_row * np.exp(-np.logaddexp(0, -(p + n))))
    shares = np.exp(pairs.alike - p) * pairs.slopes_alike + np.exp(pairs.other - n) * pairs.slopes_other
    g = np.where(of_row == 0, 0, of_row * shares)
    gradient: Array = (g + g.T) @ embeddings
    return gradient
