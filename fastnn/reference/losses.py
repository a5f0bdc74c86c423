"""The element-wise losses and their gradients, in readable NumPy.

Every row of the compiled table has its twin here: ``name(p, t)``, the loss of each element, and ``name_grad(p, t)``,
its derivative with respect to the prediction.  Parameters come last, by keyword, with the public default.  Nothing
is averaged here: means, sample weights and reductions are applied by the callers.  Losses that look at a whole row
of predictions stand in `fastnn.reference.cross_entropy`.

NaN in, NaN out; no warnings.
"""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, BelowHalf, double_precision, own_precision
from fastnn.reference.special import logistic


@own_precision
def mse(p: Array, t: Array) -> Array:
    """Squared error of each element.

    ``mse(p, t) = (p - t)**2``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predictions.
    t : array, shape of p
        Targets.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    No factor 1/2, as in Keras and PyTorch; many textbooks and scikit-learn's networks have one.

    References
    ----------
    Bishop, "Neural Networks for Pattern Recognition", Oxford University Press, 1995, section 6.1.
    """
    return np.square(p - t)


@own_precision
def mse_grad(p: Array, t: Array) -> Array:
    """Derivative of `mse` with respect to the prediction.

    ``2 * (p - t)``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions; targets.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return 2 * (p - t)


@own_precision
def mae(p: Array, t: Array) -> Array:
    """Absolute error of each element.

    ``mae(p, t) = abs(p - t)``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predictions.
    t : array, shape of p
        Targets.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    ``nn.L1Loss`` in PyTorch.  Its minimum is the median of the targets, so single outliers count less than in `mse`.

    References
    ----------
    Bishop, "Neural Networks for Pattern Recognition", Oxford University Press, 1995, section 6.2 (Minkowski error).
    """
    return np.abs(p - t)


@own_precision
def mae_grad(p: Array, t: Array) -> Array:
    """Derivative of `mae` with respect to the prediction.

    ``sign(p - t)``, which is 0 where ``p = t``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions; targets.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return np.sign(p - t)


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
