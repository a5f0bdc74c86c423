"""More losses of several classes, for whole rows of predictions: focal losses, margins, noise-tolerant cross-entropy.

For the forms of targets see `fastnn.reference.cross_entropy`.
"""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, AtLeastOne, BelowHalf, Labels, NonNegative, UpToOne, common_dtype
from fastnn.reference.cross_entropy import of_classes, target_rows
from fastnn.reference.rows import log_softmax


def _focal(q: Array, rest: Array, t: Array, gamma: float, log_q: Array) -> tuple[Array, Array]:
    """``-t (1 - q)^gamma log(q)`` of every class, and its derivative with respect to ``log q``; ``rest`` is 1 - q."""
    part, known = t * rest**gamma, np.where(t == 0, 0, log_q)
    steepness = gamma * np.where(rest == 0, 0, q / rest) * known
    return -part * known, part * (steepness - 1)


def _clipped(q: Array, eps: float) -> tuple[Array, Array, Array]:
    """q between eps and 1 - eps, 1 - q and log(q), which keep their digits where q is close to 1."""
    clipped, rest = np.clip(q, eps, 1 - eps), np.clip(1 - q, eps, 1 - eps)
    return clipped, rest, np.where(clipped > 0.5, np.log1p(-rest), np.log(clipped))


@of_classes
def categorical_focal(
    probs: Array, t: Array, alpha: NonNegative = 0.25, gamma: NonNegative = 2.0, eps: BelowHalf = 1e-7
) -> Array:
    """Cross-entropy that plays down easy examples, from predicted probabilities.

    ``-alpha * sum_c t_c * (1 - q_c)**gamma * log(q_c)`` with ``q = clip(p / sum(p), eps, 1 - eps)``

    Parameters
    ----------
    probs : array, shape (..., classes), float32 or float64
        Predicted probabilities, or positive numbers proportional to them.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.
    alpha : float, >= 0
        Factor of the loss.
    gamma : float, >= 0
        How much easy examples are played down; 0 gives the cross-entropy.
    eps : float, >= 0 and < 0.5
        Keeps the logarithm finite.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    Keras's, normalisation and clipping included.  Keras's list of alphas, one for each
    class, is a class weight.

    References
    ----------
    Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """
    q, rest, log_q = _clipped(probs / np.sum(probs, axis=-1, keepdims=True), eps)
    losses: Array = alpha * np.sum(_focal(q, rest, t, gamma, log_q)[0], axis=-1)
    return losses


@of_classes
def categorical_focal_grad(
    probs: Array, t: Array, alpha: NonNegative = 0.25, gamma: NonNegative = 2.0, eps: BelowHalf = 1e-7
) -> Array:
    """Derivative of `categorical_focal` with respect to the predictions.

    ``(s_c / q_c - sum_k s_k) / sum(p)`` with ``s_c`` the derivative of the loss with respect to ``log(q_c)``, 0
    where q_c was clipped

    Parameters
    ----------
    probs : array, shape (..., classes), float32 or float64
        Predicted probabilities, or positive numbers proportional to them.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.
    alpha, gamma : float, >= 0
        As in `categorical_focal`.
    eps : float, >= 0 and < 0.5
        As in `categorical_focal`.

    Returns
    -------
    array, shape and dtype of probs
        Derivative of each row's loss.
    """
    total = np.sum(probs, axis=-1, keepdims=True)
    q = probs / total
    clipped, rest, log_q = _clipped(q, eps)
    slopes = np.where(q == clipped, _focal(clipped, rest, t, gamma, log_q)[1], 0)
    share = np.where(slopes == 0, 0, slopes / clipped)
    gradient: Array = alpha * (share - np.sum(slopes, axis=-1, keepdims=True)) / total
    return gradient


@of_classes
def categorical_focal_with_logits(
    logits: Array, t: Array, alpha: NonNegative = 0.25, gamma: NonNegative = 2.0
) -> Array:
    """Cross-entropy that plays down easy examples, from logits.

    ``-alpha * sum_c t_c * (1 - q_c)**gamma * log(q_c)`` with ``q = softmax(z)``

    Parameters
    ----------
    logits : array, shape (..., classes), float32 or float64
        Predictions before the softmax.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.
    alpha : float, >= 0
        Factor of the loss.
    gamma : float, >= 0
        How much easy examples are played down; 0 gives the cross-entropy.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    Nothing is clipped, unlike in Keras.

    References
    ----------
    Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """
    log_q = log_softmax(logits)
    losses: Array = alpha * np.sum(_focal(np.exp(log_q), -np.expm1(log_q), t, gamma, log_q)[0], axis=-1)
    return losses


@of_classes
def categorical_focal_with_logits_grad(
    logits: Array, t: Array, alpha: NonNegative = 0.25, gamma: NonNegative = 2.0
) -> Array:
    """Derivative of `categorical_focal_with_logits` with respect to the logits.

    ``s_c - q_c * sum_k s_k`` with ``s_c`` the derivative of the loss with respect to ``log(q_c)``

    Parameters
    ----------
    logits : array, shape (..., classes), float32 or float64
        Predictions before the softmax.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.
    alpha, gamma : float, >= 0
        As in `categorical_focal`.

    Returns
    -------
    array, shape and dtype of logits
        Derivative of each row's loss.
    """
    log_q = log_softmax(logits)
    q = np.exp(log_q)
    slopes = _focal(q, -np.expm1(log_q), t, gamma, log_q)[1]
    gradient: Array = alpha * (slopes - q * np.sum(slopes, axis=-1, keepdims=True))
    return gradient


@of_classes
def generalized_cross_entropy(probs: Array, t: Array, q: UpToOne = 0.5) -> Array:
    """Between the cross-entropy (q towards 0) and the absolute error (q = 1), for labels that are partly wrong.

    ``(1 - s**q) / q`` with ``s = sum_c t_c * p_c``, the probability of the right class

    Parameters
    ----------
    probs : array, shape (..., classes), float32 or float64
        Predicted probabilities.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.
    q : float, > 0 and <= 1
        The larger, the less a wrong label does.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    Keras's `CategoricalGeneralizedCrossEntropy`, whose q is less than 1.

    References
    ----------
    Zhang and Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy labels", NeurIPS
    2018.
    """
    right = np.sum(t * probs, axis=-1)
    losses: Array = -np.expm1(q * np.log(right)) / q
    return losses


@of_classes
def generalized_cross_entropy_grad(probs: Array, t: Array, q: UpToOne = 0.5) -> Array:
    """Derivative of `generalized_cross_entropy` with respect to the predictions.

    ``-t * s**(q - 1)``

    Parameters
    ----------
    probs : array, shape (..., classes), float32 or float64
        Predicted probabilities.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.
    q : float, > 0 and <= 1
        As in `generalized_cross_entropy`.

    Returns
    -------
    array, shape and dtype of probs
        Derivative of each row's loss.
    """
    right = np.sum(t * probs, axis=-1, keepdims=True)
    return np.where(t == 0, 0, -t * right ** (q - 1))


@of_classes
def categorical_hinge(p: Array, t: Array) -> Array:
    """How far the right class falls short of a margin of 1 above the best wrong one.

    ``max(0, 1 + max_c((1 - t_c) * p_c) - sum_c t_c * p_c)``

    Parameters
    ----------
    p : array, shape (..., classes), float32 or float64
        Scores of the classes.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    Keras's; a wrong class below 0 counts like one at 0.

    References
    ----------
    Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", JMLR 2, 2001.
    """
    return np.maximum(1 + np.max((1 - t) * p, axis=-1) - np.sum(t * p, axis=-1), 0)


@of_classes
def categorical_hinge_grad(p: Array, t: Array) -> Array:
    """Derivative of `categorical_hinge` with respect to the predictions.

    ``(1 - t_c) * [c is where the maximum is] - t_c`` where the loss is not 0; of several maxima the first counts

    Parameters
    ----------
    p : array, shape (..., classes), float32 or float64
        Scores of the classes.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each row's loss.
    """
    others = (1 - t) * p
    first = np.argmax(others, axis=-1)[..., np.newaxis] == np.arange(p.shape[-1])
    margin = 1 + np.max(others, axis=-1, keepdims=True) - np.sum(t * p, axis=-1, keepdims=True)
    return np.where(margin > 0, (1 - t) * first - t, np.where(margin <= 0, 0, margin))


def _multi_margin(
    p: Array, labels: Labels, margin: float, power: float, ignore: int | None, class_weight: Array | None
) -> tuple[Array, Array]:
    """Loss of every wrong class, and its derivative with respect to that class's score."""
    t = target_rows(labels, p.shape, ignore)
    with np.errstate(all="ignore"):
        return _excess(p, t, margin, power, class_weight)


def _excess(p: Array, t: Array, margin: float, power: float, class_weight: Array | None) -> tuple[Array, Array]:
    right = np.sum(np.where(t == 0, 0, p), axis=-1, keepdims=True)
    excess = np.maximum(margin - right + p.astype(np.float64), 0) * (1 - t)
    weight = np.sum(t if class_weight is None else t * class_weight, axis=-1, keepdims=True) / p.shape[-1]
    slope = np.where(excess == 0, 0, power * excess ** (power - 1))
    return np.where(weight == 0, 0, weight * excess**power), np.where(weight == 0, 0, weight * slope)


def multi_margin(
    p: Array,
    t: Labels,
    margin: NonNegative = 1.0,
    power: AtLeastOne = 1.0,
    *,
    ignore: int | None = None,
    smoothing: float = 0.0,
    class_weight: Array | None = None,
) -> Array:
    """How far the right class falls short of a margin above each of the others.

    ``w_k * sum_(c != k) max(0, margin - p_k + p_c)**power / classes`` for the label k and its class weight

    Parameters
    ----------
    p : array, shape (..., classes), float32 or float64
        Scores of the classes.
    t : integer array, shape (...)
        Class labels.
    margin : float, >= 0
        How much larger the score of the right class is to be.
    power : float, >= 1
        1 or, for the squared form, 2.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    PyTorch's ``nn.MultiMarginLoss``, whose ``p`` is ``power``.

    References
    ----------
    Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", JMLR 2, 2001.
    """
    losses: Array = np.sum(_multi_margin(np.asarray(p), t, margin, power, ignore, class_weight)[0], axis=-1)
    return losses


def multi_margin_grad(
    p: Array,
    t: Labels,
    margin: NonNegative = 1.0,
    power: AtLeastOne = 1.0,
    *,
    ignore: int | None = None,
    smoothing: float = 0.0,
    class_weight: Array | None = None,
) -> Array:
    """Derivative of `multi_margin` with respect to the scores.

    ``w_k * power * max(0, margin - p_k + p_c)**(power - 1) / classes`` for the others, and for the right class k minus
    their sum

    Parameters
    ----------
    p : array, shape (..., classes), float32 or float64
        Scores of the classes.
    t : integer array, shape (...)
        Class labels.
    margin, power : float
        As in `multi_margin`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each row's loss; every row sums to 0.
    """
    slope = _multi_margin(np.asarray(p), t, margin, power, ignore, class_weight)[1]
    right = target_rows(t, np.shape(p), ignore)
    gradient: Array = slope - right * np.sum(slope, axis=-1, keepdims=True)
    return gradient.astype(common_dtype(p))
