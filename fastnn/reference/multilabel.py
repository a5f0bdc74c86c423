"""Losses of rows in which several classes, or outputs, can be right at once."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, BelowHalf, exactly


def _gaps(p: Array, t: Array) -> Array:
    """``1 - p_k + p_c`` for every right class k (last axis but one) and every wrong class c (last axis), else 0."""
    right, wrong = t[..., :, np.newaxis] != 0, t[..., np.newaxis, :] == 0
    return np.where(right & wrong, 1 - p[..., :, np.newaxis] + p[..., np.newaxis, :], 0)


@exactly
def multilabel_margin(p: Array, t: Array) -> Array:
    """How far the classes that are right fall short of a margin of 1 above those that are not.

    ``sum_k sum_c max(0, 1 - p_k + p_c) / classes``, k over the classes with ``t_k != 0``, c over the others

    Parameters
    ----------
    p : array, shape (..., classes), float32 or float64
        Scores of the classes.
    t : array, shape (..., classes)
        1 for the classes that are right, 0 for the others.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    PyTorch's ``nn.MultiLabelMarginLoss``, which takes lists of labels that end with -1 instead.

    References
    ----------
    Crammer and Singer, "A family of additive online algorithms for category ranking", JMLR 3, 2003.
    """
    losses: Array = np.sum(np.maximum(_gaps(p, t), 0), axis=(-2, -1)) / p.shape[-1]
    return losses


@exactly
def multilabel_margin_grad(p: Array, t: Array) -> Array:
    """Derivative of `multilabel_margin` with respect to the scores.

    For a wrong class the number of right ones above which it stands by more than ``-1``, for a right class minus the
    number of such wrong ones, both over ``classes``

    Parameters
    ----------
    p : array, shape (..., classes), float32 or float64
        Scores of the classes.
    t : array, shape (..., classes)
        1 for the classes that are right, 0 for the others.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each row's loss; every row sums to 0.
    """
    gaps = _gaps(p, t)
    pulls = np.where(np.isnan(gaps), gaps, gaps > 0)
    slope: Array = (np.sum(pulls, axis=-2) - np.sum(pulls, axis=-1)) / p.shape[-1]
    return slope


def _times(factor: Array, x: Array) -> Array:
    """The product, 0 where the factor is 0 and x infinite."""
    return np.where((factor == 0) & ~np.isnan(x), 0, factor * x)


def _ones(weight: Array | None) -> Array:
    return np.float64(1) if weight is None else np.asarray(weight, np.float64)


def _sigmoid(x: Array) -> Array:
    return np.exp(-np.logaddexp(0, -x))


@exactly
def multilabel_soft_margin(logits: Array, t: Array, *, class_weight: Array | None = None) -> Array:
    """Binary cross-entropy of every class, the classes weighted.

    ``-sum_c w_c * (t_c * log(p_c) + (1 - t_c) * log(1 - p_c)) / classes`` with ``p = sigmoid(logits)``

    Parameters
    ----------
    logits : array, shape (..., classes), float32 or float64
        Predictions before the sigmoid.
    t : array, shape (..., classes)
        1 for the classes that are right, 0 for the others; or probabilities.
    class_weight : array, shape (classes,), optional
        Factors w of the classes.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    PyTorch's ``nn.MultiLabelSoftMarginLoss``.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.2.
    """
    w = _ones(class_weight)
    losses = _times(w * (1 - t), np.logaddexp(0, logits)) + _times(w * t, np.logaddexp(0, -logits))
    mean: Array = np.mean(losses, axis=-1)
    return mean


@exactly
def multilabel_soft_margin_grad(logits: Array, t: Array, *, class_weight: Array | None = None) -> Array:
    """Derivative of `multilabel_soft_margin` with respect to the logits.

    ``w * (sigmoid(logits) - t) / classes``

    Parameters
    ----------
    logits : array, shape (..., classes), float32 or float64
        Predictions before the sigmoid.
    t : array, shape (..., classes)
        1 for the classes that are right, 0 for the others; or probabilities.
    class_weight : array, shape (classes,), optional
        Factors w of the classes.

    Returns
    -------
    array, shape and dtype of logits
        Derivative of each row's loss.
    """
    slope: Array = _ones(class_weight) * (_sigmoid(logits) * (1 - t) - t * _sigmoid(-logits)) / logits.shape[-1]
    return slope


@exactly
def balanced_binary_cross_entropy(
    probs: Array, t: Array, eps: BelowHalf = 1e-7, *, class_weight: Array | None = None
) -> Array:
    """Binary cross-entropy of several outputs, each with a weight of its own for the targets of 1.

    ``-mean_c(w_c * t_c * log(q_c) + (1 - t_c) * log(1 - q_c))`` with ``q = clip(p, eps, 1 - eps)``

    Parameters
    ----------
    probs : array, shape (..., outputs), float32 or float64
        Predicted probabilities p.
    t : array, shape (..., outputs)
        Targets, 0 or 1, or probabilities.
    eps : float, >= 0 and < 0.5
        Keeps the logarithms finite.
    class_weight : array, shape (outputs,), optional
        Weights w of the targets of 1: the larger, the less often they are missed.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    With one weight for all outputs it is `weighted_binary_cross_entropy`.

    References
    ----------
    King and Zeng, "Logistic regression in rare events data", Political Analysis 9, 2001.
    """
    q = np.clip(probs, eps, 1 - eps)
    losses: Array = -np.mean(_ones(class_weight) * t * np.log(q) + (1 - t) * np.log1p(-q), axis=-1)
    return losses


@exactly
def balanced_binary_cross_entropy_grad(
    probs: Array, t: Array, eps: BelowHalf = 1e-7, *, class_weight: Array | None = None
) -> Array:
    """Derivative of `balanced_binary_cross_entropy` with respect to the probabilities.

    ``((1 - t) / (1 - p) - w * t / p) / outputs`` where p is not clipped, 0 elsewhere

    Parameters
    ----------
    probs : array, shape (..., outputs), float32 or float64
        Predicted probabilities p.
    t : array, shape (..., outputs)
        Targets.
    eps : float, >= 0 and < 0.5
        As in `balanced_binary_cross_entropy`.
    class_weight : array, shape (outputs,), optional
        Weights w of the targets of 1.

    Returns
    -------
    array, shape and dtype of probs
        Derivative of each row's loss.
    """
    slope = (1 - t) / (1 - probs) - _ones(class_weight) * t / probs
    return np.where((probs < eps) | (probs > 1 - eps), 0, slope) / probs.shape[-1]


@exactly
def balanced_binary_cross_entropy_with_logits(logits: Array, t: Array, *, class_weight: Array | None = None) -> Array:
    """Binary cross-entropy of several outputs from logits, each with a weight of its own for the targets of 1.

    ``-mean_c(w_c * t_c * log(p_c) + (1 - t_c) * log(1 - p_c))`` with ``p = sigmoid(logits)``

    Parameters
    ----------
    logits : array, shape (..., outputs), float32 or float64
        Predictions before the sigmoid.
    t : array, shape (..., outputs)
        Targets, 0 or 1, or probabilities.
    class_weight : array, shape (outputs,), optional
        Weights w of the targets of 1: the larger, the less often they are missed.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    PyTorch's ``nn.BCEWithLogitsLoss`` with a vector as ``pos_weight``.  With one weight for all outputs it is
    `weighted_binary_cross_entropy_with_logits`.

    References
    ----------
    King and Zeng, "Logistic regression in rare events data", Political Analysis 9, 2001.
    """
    losses = _times(1 - t, np.logaddexp(0, logits)) + _times(_ones(class_weight) * t, np.logaddexp(0, -logits))
    mean: Array = np.mean(losses, axis=-1)
    return mean


@exactly
def balanced_binary_cross_entropy_with_logits_grad(
    logits: Array, t: Array, *, class_weight: Array | None = None
) -> Array:
    """Derivative of `balanced_binary_cross_entropy_with_logits` with respect to the logits.

    ``((1 - t) * sigmoid(logits) - w * t * sigmoid(-logits)) / outputs``

    Parameters
    ----------
    logits : array, shape (..., outputs), float32 or float64
        Predictions before the sigmoid.
    t : array, shape (..., outputs)
        Targets.
    class_weight : array, shape (outputs,), optional
        Weights w of the targets of 1.

    Returns
    -------
    array, shape and dtype of logits
        Derivative of each row's loss.
    """
    slope: Array = ((1 - t) * _sigmoid(logits) - _ones(class_weight) * t * _sigmoid(-logits)) / logits.shape[-1]
    return slope
