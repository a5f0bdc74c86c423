"""Element-wise losses of two classes, -1 and 1: the margins; see the package for the conventions."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, double_precision, own_precision
from fastnn.reference.special import log_one_plus_exp, logistic


@own_precision
def hinge(p: Array, t: Array) -> Array:
    """How far each prediction falls short of the margin on the side of its target.

    ``hinge(p, t) = max(1 - t * p, 0)``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predictions: any real number, its sign being the class.
    t : array, shape of p
        Targets: -1 or 1.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    On the margin itself the derivative is 0.  Keras turns targets that are all 0 or 1 into -1 and 1 first;
    so does `fastnn.losses.Hinge`, but not this function.

    References
    ----------
    Cortes and Vapnik, "Support-vector networks", Machine Learning 20, 1995.
    """
    return np.maximum(1 - t * p, 0)


@own_precision
def hinge_grad(p: Array, t: Array) -> Array:
    """Derivative of `hinge` with respect to the prediction.

    ``-t`` where ``t * p < 1``, 0 elsewhere

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions; targets, -1 or 1.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    margin = 1 - t * p
    return np.where(np.isnan(margin), margin, np.where(margin > 0, -t, 0))


@own_precision
def squared_hinge(p: Array, t: Array) -> Array:
    """Square of how far each prediction falls short of the margin on the side of its target.

    ``squared_hinge(p, t) = max(1 - t * p, 0)**2``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predictions: any real number, its sign being the class.
    t : array, shape of p
        Targets: -1 or 1.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    For targets of 0 and 1 see `hinge`.
    """
    return np.square(np.maximum(1 - t * p, 0))


@own_precision
def squared_hinge_grad(p: Array, t: Array) -> Array:
    """Derivative of `squared_hinge` with respect to the prediction.

    ``-2 * t * max(1 - t * p, 0)``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions; targets, -1 or 1.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return -2 * t * np.maximum(1 - t * p, 0)


@double_precision
def soft_margin(p: Array, t: Array) -> Array:
    """Logistic loss of each prediction against its target of -1 or 1.

    ``soft_margin(p, t) = log(1 + exp(-t * p))``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predictions: any real number, its sign being the class.
    t : array, shape of p
        Targets: -1 or 1.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    PyTorch's ``nn.SoftMarginLoss``; the cross-entropy of the logit p, with -1 in the place of 0.
    """
    return log_one_plus_exp(-t * p)


@double_precision
def soft_margin_grad(p: Array, t: Array) -> Array:
    """Derivative of `soft_margin` with respect to the prediction.

    ``-t * sigmoid(-t * p)``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions; targets, -1 or 1.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return -t * logistic(-t * p)
