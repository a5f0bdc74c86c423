"""Element-wise losses for regression; see the package for the conventions."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, NonNegative, double_precision, own_precision


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
def half_mse(p: Array, t: Array) -> Array:
    """Half the squared error of each element; the loss of a sample is their mean.

    ``half_mse(p, t) = (p - t)**2 / 2``

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
    The quadratic cost of many textbooks, ``C = 1 / (2 n) * sum((a - y)**2)``, for one output per sample: its gradient
    is the error itself.  For several outputs see `half_sse`.  The loss of scikit-learn's networks for regression.

    References
    ----------
    Bishop, "Neural Networks for Pattern Recognition", Oxford University Press, 1995, section 6.1.
    """
    return np.square(p - t) / 2


@own_precision
def half_mse_grad(p: Array, t: Array) -> Array:
    """Derivative of `half_mse` with respect to the prediction.

    ``p - t``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions; targets.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return p - t


@own_precision
def half_sse(p: Array, t: Array) -> Array:
    """Half the squared error of each element; the loss of a sample is their sum.

    ``half_sse(p, t) = (p - t)**2 / 2``

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
    Half the squared distance between output and target, ``C = 1 / (2 n) * sum(norm(a - y)**2)`` for n samples.

    References
    ----------
    Nielsen, "Neural Networks and Deep Learning", Determination Press, 2015, chapter 1.
    """
    return np.square(p - t) / 2


@own_precision
def half_sse_grad(p: Array, t: Array) -> Array:
    """Derivative of `half_sse` with respect to the prediction.

    ``p - t``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions; targets.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return p - t


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
def mape(p: Array, t: Array, eps: NonNegative = 1e-7) -> Array:
    """Absolute error of each element in percent of its target.

    ``mape(p, t) = 100 * abs(p - t) / max(abs(t), eps)``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predictions.
    t : array, shape of p
        Targets.
    eps : float, >= 0
        Smallest divisor: a target of 0 is not divided by.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    Keras's, with its epsilon.  Errors on small targets dominate it.

    References
    ----------
    Hyndman and Koehler, "Another look at measures of forecast accuracy", International Journal of Forecasting 22, 2006.
    """
    return 100 * np.abs((p - t) / np.maximum(np.abs(t), eps))


@own_precision
def mape_grad(p: Array, t: Array, eps: NonNegative = 1e-7) -> Array:
    """Derivative of `mape` with respect to the prediction.

    ``100 * sign(p - t) / max(abs(t), eps)``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions; targets.
    eps : float, >= 0
        As in `mape`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return 100 * np.sign(p - t) / np.maximum(np.abs(t), eps)


@double_precision
def msle(p: Array, t: Array, eps: NonNegative = 1e-7) -> Array:
    """Squared error of the logarithms of each element plus 1.

    ``msle(p, t) = (log(1 + max(p, eps)) - log(1 + max(t, eps)))**2``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predictions, meant to be positive.
    t : array, shape of p
        Targets, not negative.
    eps : float, >= 0
        Predictions and targets below it count as if they were eps.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    Keras's, with its epsilon.  Measures ratios rather than differences; sums of logarithms are more exact than Keras's,
    which adds 1 before it takes them.
    """
    return np.square(np.log1p(np.maximum(p, eps)) - np.log1p(np.maximum(t, eps)))


@double_precision
def msle_grad(p: Array, t: Array, eps: NonNegative = 1e-7) -> Array:
    """Derivative of `msle` with respect to the prediction.

    ``2 * (log(1 + p) - log(1 + max(t, eps))) / (1 + p)`` where ``p >= eps``, 0 elsewhere

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions, meant to be positive; targets, not negative.
    eps : float, >= 0
        As in `msle`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    slope = 2 * (np.log1p(p) - np.log1p(np.maximum(t, eps))) / (1 + p)
    return np.where(p < eps, 0, slope)


@double_precision
def log_cosh(p: Array, t: Array) -> Array:
    """Logarithm of the hyperbolic cosine of the error of each element.

    ``log_cosh(p, t) = log(cosh(p - t))``

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
    Like ``(p - t)**2 / 2`` for small errors and ``abs(p - t) - log(2)`` for large ones.  Keras computes it as
    ``e + softplus(-2 e) - log(2)``, which loses the digits of small errors.
    """
    e = np.abs(p - t)
    small = np.minimum(e, 1)
    near = np.log1p(2 * np.square(np.sinh(small / 2)))  # cosh(e) - 1 = 2 sinh(e / 2)**2
    return np.where(e < 1, near, e + np.log1p(np.exp(-2 * e)) - np.log(2))


@double_precision
def log_cosh_grad(p: Array, t: Array) -> Array:
    """Derivative of `log_cosh` with respect to the prediction.

    ``tanh(p - t)``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions; targets.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return np.tanh(p - t)


@own_precision
def huber(p: Array, t: Array, delta: NonNegative = 1.0) -> Array:
    """Squared error of each element near 0, absolute error far from it.

    ``huber(p, t) = e**2 / 2 where abs(e) <= delta, delta * abs(e) - delta**2 / 2 elsewhere``, with ``e = p - t``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predictions.
    t : array, shape of p
        Targets.
    delta : float, >= 0
        Where the square ends.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    Keras's `Huber` and PyTorch's ``nn.HuberLoss``.  `smooth_l1` is this divided by its ``beta``.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.
    """
    e = np.abs(p - t)
    return np.where(e <= delta, e * e / 2, delta * (e - delta / 2))


@own_precision
def huber_grad(p: Array, t: Array, delta: NonNegative = 1.0) -> Array:
    """Derivative of `huber` with respect to the prediction.

    ``clip(p - t, -delta, delta)``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions; targets.
    delta : float, >= 0
        As in `huber`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return np.clip(p - t, -delta, delta)


@own_precision
def smooth_l1(p: Array, t: Array, beta: NonNegative = 1.0) -> Array:
    """Absolute error of each element, rounded off near 0.

    ``smooth_l1(p, t) = e**2 / (2 * beta) where abs(e) < beta, abs(e) - beta / 2 elsewhere``, with ``e = p - t``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predictions.
    t : array, shape of p
        Targets.
    beta : float, >= 0
        Where the rounding ends; 0 gives `mae`.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    PyTorch's ``nn.SmoothL1Loss``.

    References
    ----------
    Girshick, "Fast R-CNN", ICCV 2015, section 2.3.
    """
    e = np.abs(p - t)
    if beta == 0:
        return e
    return np.where(e < beta, e * (e / beta) / 2, e - beta / 2)


@own_precision
def smooth_l1_grad(p: Array, t: Array, beta: NonNegative = 1.0) -> Array:
    """Derivative of `smooth_l1` with respect to the prediction.

    ``clip((p - t) / beta, -1, 1)``, and ``sign(p - t)`` for ``beta = 0``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predictions; targets.
    beta : float, >= 0
        As in `smooth_l1`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return np.sign(p - t) if beta == 0 else np.clip((p - t) / beta, -1, 1)
