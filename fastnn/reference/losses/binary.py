"""Element-wise losses of two classes, 0 and 1: cross-entropies, focal losses; see the package for the conventions."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, BelowHalf, NonNegative, double_precision, own_precision
from fastnn.reference.special import log_one_plus_exp, logistic


def _miss(p: Array, t: Array) -> Array:
    """Probability that was not given to the target."""
    return t * (1 - p) + (1 - t) * p


@own_precision
def binary_cross_entropy(p: Array, t: Array, eps: BelowHalf = 1e-7) -> Array:
    """Cross-entropy of two classes, from a predicted probability.

    ``-(t * log(q) + (1 - t) * log(1 - q))`` with ``q = clip(p, eps, 1 - eps)``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predicted probabilities of the second class.
    t : array, shape of p
        Target probabilities: 0, 1 or anything between.
    eps : float, 0 <= eps < 0.5
        Keeps the logarithms finite: the largest loss of a wrong prediction is ``-log(eps)``.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    Clips as Keras does, in the dtype of ``p``: in float32, ``1 - 1e-7`` is 0.99999988, so a prediction of 1 for the
    target 0 costs 15.94, and a prediction of 0 for the target 1 costs 16.12.  PyTorch does not clip the probability
    but cuts the logarithms off at -100.  Prefer `binary_cross_entropy_with_logits` where the logits are at hand.

    References
    ----------
    Bishop, "Neural Networks for Pattern Recognition", Oxford University Press, 1995, section 6.7.
    """
    q = np.clip(p, eps, 1 - eps).astype(np.float64)
    return -(t * np.log(q) + (1 - t) * np.log1p(-q))


@own_precision
def binary_cross_entropy_grad(p: Array, t: Array, eps: BelowHalf = 1e-7) -> Array:
    """Derivative of `binary_cross_entropy` with respect to the predicted probability.

    ``(p - t) / (p * (1 - p))`` where ``eps <= p <= 1 - eps``, 0 elsewhere

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predicted probabilities; target probabilities.
    eps : float, 0 <= eps < 0.5
        As in `binary_cross_entropy`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.  It is 0 where ``p`` was clipped: there the loss is constant.
    """
    clipped = (p < eps) | (p > 1 - eps)
    return np.where(clipped, 0, (p - t) / (p * (1 - p)))


@double_precision
def binary_cross_entropy_with_logits(p: Array, t: Array) -> Array:
    """Cross-entropy of two classes, from the logit, that is, from the value before the sigmoid.

    ``-(t * log(s) + (1 - t) * log(1 - s))`` with ``s = sigmoid(p)``, which is
    ``max(p, 0) - p * t + log1p(exp(-abs(p)))``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predicted logits of the second class.
    t : array, shape of p
        Target probabilities: 0, 1 or anything between.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    Exact for any finite logit, without clipping; the two terms of an infinite logit cancel to NaN.  The same as
    ``from_logits=True`` in Keras on its TensorFlow and JAX backends, and as ``nn.BCEWithLogitsLoss`` in PyTorch.

    References
    ----------
    Bishop, "Neural Networks for Pattern Recognition", Oxford University Press, 1995, section 6.7.
    """
    return np.maximum(p, 0) - p * t + np.log1p(np.exp(-np.abs(p)))


@double_precision
def binary_cross_entropy_with_logits_grad(p: Array, t: Array) -> Array:
    """Derivative of `binary_cross_entropy_with_logits` with respect to the logit.

    ``sigmoid(p) - t``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predicted logits; target probabilities.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss, in [-1, 1].
    """
    return logistic(p) - t


@own_precision
def weighted_binary_cross_entropy(p: Array, t: Array, pos_weight: NonNegative = 1.0, eps: BelowHalf = 1e-7) -> Array:
    """Cross-entropy of two classes of unlike importance, from a predicted probability.

    ``-(pos_weight * t * log(q) + (1 - t) * log(1 - q))`` with ``q = clip(p, eps, 1 - eps)``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predicted probabilities of the second class.
    t : array, shape of p
        Target probabilities: 0, 1 or anything between.
    pos_weight : float, >= 0
        Factor of the losses of targets 1.
    eps : float, >= 0 and < 0.5
        As in `binary_cross_entropy`.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    Prefer `weighted_binary_cross_entropy_with_logits` where the logits are at hand.
    """
    q = np.clip(p, eps, 1 - eps).astype(np.float64)
    return -(pos_weight * t * np.log(q) + (1 - t) * np.log1p(-q))


@own_precision
def weighted_binary_cross_entropy_grad(
    p: Array, t: Array, pos_weight: NonNegative = 1.0, eps: BelowHalf = 1e-7
) -> Array:
    """Derivative of `weighted_binary_cross_entropy` with respect to the prediction.

    ``(1 - t) / (1 - p) - pos_weight * t / p`` where ``eps <= p <= 1 - eps``, 0 elsewhere

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predicted probabilities; target probabilities.
    pos_weight : float, >= 0
        As in `weighted_binary_cross_entropy`.
    eps : float, >= 0 and < 0.5
        As in `binary_cross_entropy`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    clipped = (p < eps) | (p > 1 - eps)
    return np.where(clipped, 0, (1 - t) / (1 - p) - pos_weight * t / p)


@double_precision
def weighted_binary_cross_entropy_with_logits(p: Array, t: Array, pos_weight: NonNegative = 1.0) -> Array:
    """Cross-entropy of two classes of unlike importance, from the logit.

    ``-(pos_weight * t * log(s) + (1 - t) * log(1 - s))`` with ``s = sigmoid(p)``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predicted logits of the second class.
    t : array, shape of p
        Target probabilities: 0, 1 or anything between.
    pos_weight : float, >= 0
        Factor of the losses of targets 1.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    ``pos_weight`` of PyTorch's ``nn.BCEWithLogitsLoss``: more than 1 raises the recall, less than 1 the precision.
    """
    return (1 - t) * log_one_plus_exp(p) + pos_weight * t * log_one_plus_exp(-p)


@double_precision
def weighted_binary_cross_entropy_with_logits_grad(p: Array, t: Array, pos_weight: NonNegative = 1.0) -> Array:
    """Derivative of `weighted_binary_cross_entropy_with_logits` with respect to the logit.

    ``(1 - t) * sigmoid(p) - pos_weight * t * sigmoid(-p)``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predicted logits; target probabilities.
    pos_weight : float, >= 0
        As in `weighted_binary_cross_entropy_with_logits`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return (1 - t) * logistic(p) - pos_weight * t * logistic(-p)


@double_precision
def cut_binary_cross_entropy(p: Array, t: Array, most: NonNegative = 100.0) -> Array:
    """Cross-entropy of two classes, from a predicted probability, with the logarithms cut off.

    ``t * min(-log(p), most) + (1 - t) * min(-log(1 - p), most)``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predicted probabilities of the second class.
    t : array, shape of p
        Target probabilities: 0, 1 or anything between.
    most : float, >= 0
        The largest value of a negative logarithm.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    PyTorch's ``nn.BCELoss``, its gradient included, which is not 0 where the logarithm is cut off.  Keras clips the
    probability instead: `binary_cross_entropy`.
    """
    return t * np.minimum(-np.log(p), most) + (1 - t) * np.minimum(-np.log1p(-p), most)


@double_precision
def cut_binary_cross_entropy_grad(p: Array, t: Array, most: NonNegative = 100.0) -> Array:
    """Derivative of `cut_binary_cross_entropy` with respect to the prediction.

    ``(p - t) / max(p * (1 - p), 1e-12)``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predicted probabilities; target probabilities.
    most : float, >= 0
        As in `cut_binary_cross_entropy`; the gradient does not depend on it.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return (p - t) / np.maximum(p * (1 - p), 1e-12)


@double_precision
def binary_focal(
    p: Array,
    t: Array,
    gamma: NonNegative = 2.0,
    pos_weight: NonNegative = 1.0,
    neg_weight: NonNegative = 1.0,
    eps: BelowHalf = 1e-7,
) -> Array:
    """Cross-entropy of two classes that plays down easy examples, from a predicted probability.

    ``w * m**gamma * binary_cross_entropy(p, t, eps)`` with ``m = t * (1 - p) + (1 - t) * p`` and
    ``w = t * pos_weight + (1 - t) * neg_weight``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predicted probabilities of the second class.
    t : array, shape of p
        Target probabilities: 0, 1 or anything between.
    gamma : float, >= 0
        How much easy examples are played down; 0 gives the cross-entropy.
    pos_weight, neg_weight : float, >= 0
        Factors of the losses of targets 1 and 0.
    eps : float, >= 0 and < 0.5
        As in `binary_cross_entropy`.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    Keras's ``apply_class_balancing=True`` with ``alpha`` is ``pos_weight=alpha, neg_weight=1 - alpha``.

    References
    ----------
    Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """
    q = np.clip(p, eps, 1 - eps)
    entropy = -(t * np.log(q) + (1 - t) * np.log1p(-q))
    return (t * pos_weight + (1 - t) * neg_weight) * _miss(p, t) ** gamma * entropy


@double_precision
def binary_focal_grad(
    p: Array,
    t: Array,
    gamma: NonNegative = 2.0,
    pos_weight: NonNegative = 1.0,
    neg_weight: NonNegative = 1.0,
    eps: BelowHalf = 1e-7,
) -> Array:
    """Derivative of `binary_focal` with respect to the prediction.

    ``w * (gamma * m**(gamma - 1) * (1 - 2 * t) * c + m**gamma * c')`` with ``c`` the cross-entropy and
    ``c'`` its derivative

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predicted probabilities; target probabilities.
    gamma, pos_weight, neg_weight : float, >= 0
        As in `binary_focal`.
    eps : float, >= 0 and < 0.5
        As in `binary_cross_entropy`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    q, miss = np.clip(p, eps, 1 - eps), _miss(p, t)
    entropy = -(t * np.log(q) + (1 - t) * np.log1p(-q))
    slope = np.where((p < eps) | (p > 1 - eps), 0, (p - t) / (p * (1 - p)))
    steepness = gamma * miss ** (gamma - 1) if gamma else 0
    return (t * pos_weight + (1 - t) * neg_weight) * (steepness * (1 - 2 * t) * entropy + miss**gamma * slope)


@double_precision
def binary_focal_with_logits(
    p: Array, t: Array, gamma: NonNegative = 2.0, pos_weight: NonNegative = 1.0, neg_weight: NonNegative = 1.0
) -> Array:
    """Cross-entropy of two classes that plays down easy examples, from the logit.

    ``w * m**gamma * binary_cross_entropy_with_logits(p, t)`` with ``s = sigmoid(p)``,
    ``m = t * (1 - s) + (1 - t) * s`` and ``w = t * pos_weight + (1 - t) * neg_weight``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predicted logits of the second class.
    t : array, shape of p
        Target probabilities: 0, 1 or anything between.
    gamma : float, >= 0
        How much easy examples are played down; 0 gives the cross-entropy.
    pos_weight, neg_weight : float, >= 0
        Factors of the losses of targets 1 and 0.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    Keras's ``apply_class_balancing=True`` with ``alpha`` is ``pos_weight=alpha, neg_weight=1 - alpha``.
    Nothing is clipped, unlike in Keras.

    References
    ----------
    Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """
    miss = t * logistic(-p) + (1 - t) * logistic(p)
    return (t * pos_weight + (1 - t) * neg_weight) * miss**gamma * (log_one_plus_exp(p) - t * p)


@double_precision
def binary_focal_with_logits_grad(
    p: Array, t: Array, gamma: NonNegative = 2.0, pos_weight: NonNegative = 1.0, neg_weight: NonNegative = 1.0
) -> Array:
    """Derivative of `binary_focal_with_logits` with respect to the logit.

    ``w * m**gamma * (gamma * (1 - 2 * t) * c * s * (1 - s) / m + s - t)`` with ``c`` the cross-entropy

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predicted logits; target probabilities.
    gamma, pos_weight, neg_weight : float, >= 0
        As in `binary_focal_with_logits`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    s, rest = logistic(p), logistic(-p)
    miss = t * rest + (1 - t) * s
    entropy = np.maximum(p, 0) - p * t + np.log1p(np.exp(-np.abs(p)))
    steepness = gamma * (1 - 2 * t) * entropy * np.where(miss == 0, 0, s * rest / miss)
    return (t * pos_weight + (1 - t) * neg_weight) * miss**gamma * (steepness + s - t)
