"""Activations that bend smoothly from one straight line into another."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, NonNegative, double_precision, extra_precision
from fastnn.reference.special import finite_square, isru_root, log_one_plus_exp, logistic, root_gate


@double_precision
def softplus(x: Array) -> Array:
    """Smooth version of the rectified linear unit.

    ``softplus(x) = log(1 + exp(x)) = max(x, 0) + log1p(exp(-abs(x)))``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[0, inf)``.

    Notes
    -----
    The same function everywhere, as in Keras; PyTorch switches to ``x`` above a threshold of 20.

    References
    ----------
    Dugas, Bengio, Belisle, Nadeau and Garcia, "Incorporating second-order functional knowledge for better option
    pricing", NIPS 2000.
    """
    return log_one_plus_exp(x)


@double_precision
def softplus_backward(dy: Array, x: Array) -> Array:
    """Gradient of `softplus`, from its input.

    ``dx = dy * sigmoid(x)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `softplus`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * logistic(x)


@extra_precision
def squareplus(x: Array, b: NonNegative = 4.0) -> Array:
    """Smooth rectified linear unit without exponentials.

    ``squareplus(x) = (x + sqrt(x**2 + b)) / 2``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    b : float, >= 0
        Size of the rounded region; 0 gives `relu`.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[0, inf)``.

    Notes
    -----
    For negative ``x`` the sum cancels; ``b / (sqrt(x**2 + b) - x) / 2`` is the same number.

    References
    ----------
    Barron, "Squareplus: a softplus-like algebraic rectifier", arXiv:2112.11687, 2021.
    """
    x = finite_square(x)
    root = np.sqrt(x * x + b)
    return np.where(x < 0, b / (root - x), x + root) / 2


@extra_precision
def squareplus_backward(dy: Array, x: Array, b: NonNegative = 4.0) -> Array:
    """Gradient of `squareplus`, from its input.

    ``dx = dy * (1 + x / sqrt(x**2 + b)) / 2``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `squareplus`.
    b : float
        As in `squareplus`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; 1/2 at 0 for every ``b``.
    """
    return dy * root_gate(x, b)


@extra_precision
def bent_identity(x: Array) -> Array:
    """Straight line of slope 1/2 that bends into one of slope 3/2.

    ``bent_identity(x) = (sqrt(x**2 + 1) - 1) / 2 + x``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation.
    """
    x = finite_square(x)
    return x + x * x / (1 + np.sqrt(x * x + 1)) / 2


@extra_precision
def bent_identity_backward(dy: Array, x: Array) -> Array:
    """Gradient of `bent_identity`, from its input.

    ``dx = dy * (1 + x / (2 * sqrt(x**2 + 1)))``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `bent_identity`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    x = finite_square(x)
    return dy * (1 + x / np.sqrt(x * x + 1) / 2)


@extra_precision
def isrlu(x: Array, alpha: NonNegative = 1.0) -> Array:
    """Inverse square root linear unit: linear on the right, saturating without exponentials on the left.

    ``isrlu(x) = x`` where ``x >= 0``, ``x / sqrt(1 + alpha * x**2)`` elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    alpha : float, >= 0
        The limit for ``x -> -inf`` is ``-1 / sqrt(alpha)``.

    Returns
    -------
    array, shape and dtype of x
        Activation.

    References
    ----------
    Carlile, Delamarter, Kinney, Marti and Whitney, "Improving deep learning by inverse square root linear units
    (ISRLUs)", arXiv:1710.09967, 2017.
    """
    left = finite_square(x)
    return np.where(x < 0, left / np.sqrt(1 + alpha * left * left), x)


@extra_precision
def isrlu_backward(dy: Array, x: Array, alpha: NonNegative = 1.0) -> Array:
    """Gradient of `isrlu`, from its input.

    ``dx = dy`` where ``x >= 0``, ``dy / sqrt(1 + alpha * x**2)**3`` elsewhere

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `isrlu`.
    alpha : float
        As in `isrlu`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return np.where(x < 0, dy * isru_root(x, alpha) ** 3, dy * np.where(np.isnan(x), x, 1))
