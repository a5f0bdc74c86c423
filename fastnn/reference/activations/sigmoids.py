"""Activations with two limits, and their relatives."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, NonNegative, Positive, double_precision, extra_precision, own_precision
from fastnn.reference.special import finite_square, isru_root, log_one_plus_exp, logistic, x_cosine_minus_sine

_HEIGHT = np.longdouble("1.7159")


@double_precision
def sigmoid(x: Array) -> Array:
    """Logistic function, which maps the real line to (0, 1).

    ``sigmoid(x) = 1 / (1 + exp(-x))``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[0, 1]``.

    Notes
    -----
    Evaluated as ``exp(x) / (1 + exp(x))`` for negative ``x``: no overflow, and small results keep all their digits.

    References
    ----------
    Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
    """
    return logistic(x)


@double_precision
def sigmoid_backward(dy: Array, y: Array) -> Array:
    """Gradient of `sigmoid`, from its output.

    ``dx = dy * y * (1 - y)``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `sigmoid`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; the derivative is at most 1/4.
    """
    return dy * y * (1 - y)


@double_precision
def log_sigmoid(x: Array) -> Array:
    """Logarithm of the logistic function.

    ``log_sigmoid(x) = log(1 / (1 + exp(-x))) = -softplus(-x)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``(-inf, 0]``.

    Notes
    -----
    Finite wherever the result is: the sigmoid itself would round to 0, and its logarithm to -inf, below ``x =
    -104`` in float32.
    """
    return -log_one_plus_exp(-x)


@double_precision
def log_sigmoid_backward(dy: Array, x: Array) -> Array:
    """Gradient of `log_sigmoid`, from its input.

    ``dx = dy * sigmoid(-x)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `log_sigmoid`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * logistic(-x)


@double_precision
def tanh(x: Array) -> Array:
    """Hyperbolic tangent, which maps the real line to (-1, 1).

    ``tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)) = 2 * sigmoid(2 * x) - 1``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[-1, 1]``.

    References
    ----------
    LeCun, Bottou, Orr and Mueller, "Efficient BackProp", in "Neural Networks: Tricks of the Trade", 1998.
    """
    return np.tanh(x)


@double_precision
def tanh_backward(dy: Array, y: Array) -> Array:
    """Gradient of `tanh`, from its output.

    ``dx = dy * (1 - y**2)``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `tanh`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * (1 - y) * (1 + y)


@extra_precision
def lecun_tanh(x: Array) -> Array:
    """Scaled hyperbolic tangent with values of 1 and -1 at 1 and -1.

    ``lecun_tanh(x) = 1.7159 * tanh(2 * x / 3)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[-1.7159, 1.7159]``.

    References
    ----------
    LeCun, Bottou, Orr and Mueller, "Efficient BackProp", in "Neural Networks: Tricks of the Trade", 1998.
    """
    return x.dtype.type(_HEIGHT) * np.tanh(2 * x / 3)


@own_precision
def lecun_tanh_backward(dy: Array, y: Array) -> Array:
    """Gradient of `lecun_tanh`, from its output.

    ``dx = dy * 2/3 * (1.7159 - y**2 / 1.7159)``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `lecun_tanh`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    height = y.dtype.type(_HEIGHT)
    return dy * (2 * (height - y) * (height + y) / (3 * height))


@extra_precision
def tanh_shrink(x: Array) -> Array:
    """What the hyperbolic tangent takes away.

    ``tanh_shrink(x) = x - tanh(x)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation.

    Notes
    -----
    Near 0 it is ``x**3 / 3``, of which the difference as it stands would leave nothing; hence ``(x * cosh(x) -
    sinh(x)) / cosh(x)``, the numerator by its series.
    """
    small = np.clip(x, -1, 1)
    return np.where(np.abs(x) < 1, x_cosine_minus_sine(small, 1) / np.cosh(small), x - np.tanh(x))


@extra_precision
def tanh_shrink_backward(dy: Array, x: Array) -> Array:
    """Gradient of `tanh_shrink`, from its input.

    ``dx = dy * tanh(x)**2``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `tanh_shrink`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * np.tanh(x) ** 2


@double_precision
def arctan(x: Array) -> Array:
    """Arc tangent.

    ``arctan(x) = atan(x)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[-pi/2, pi/2]``.
    """
    return np.arctan(x)


@double_precision
def arctan_backward(dy: Array, x: Array) -> Array:
    """Gradient of `arctan`, from its input.

    ``dx = dy / (1 + x**2)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `arctan`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy / (1 + x * x)


@extra_precision
def softsign(x: Array) -> Array:
    """Sigmoid that approaches its limits like 1 / x instead of exponentially.

    ``softsign(x) = x / (1 + abs(x))``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[-1, 1]``.

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
    """
    x = finite_square(x)
    return x / (1 + np.abs(x))


@extra_precision
def softsign_backward(dy: Array, x: Array) -> Array:
    """Gradient of `softsign`, from its input.

    ``dx = dy / (1 + abs(x))**2``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `softsign`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy / (1 + np.abs(x)) ** 2


@extra_precision
def isru(x: Array, alpha: NonNegative = 1.0) -> Array:
    """Inverse square root unit: a sigmoid without exponentials.

    ``isru(x) = x / sqrt(1 + alpha * x**2)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    alpha : float, >= 0
        The limits are ``-1 / sqrt(alpha)`` and ``1 / sqrt(alpha)``.

    Returns
    -------
    array, shape and dtype of x
        Activation.

    References
    ----------
    Carlile, Delamarter, Kinney, Marti and Whitney, "Improving deep learning by inverse square root linear units
    (ISRLUs)", arXiv:1710.09967, 2017.
    """
    x = finite_square(x)
    return x / np.sqrt(1 + alpha * x * x)


@extra_precision
def isru_backward(dy: Array, x: Array, alpha: NonNegative = 1.0) -> Array:
    """Gradient of `isru`, from its input.

    ``dx = dy / sqrt(1 + alpha * x**2)**3``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `isru`.
    alpha : float
        As in `isru`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * isru_root(x, alpha) ** 3


@extra_precision
def soft_clipping(x: Array, alpha: Positive = 1.0) -> Array:
    """The input held between 0 and 1, with rounded corners.

    ``soft_clipping(x) = log((1 + exp(alpha * x)) / (1 + exp(alpha * (x - 1)))) / alpha``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    alpha : float, > 0
        Sharpness: the corners are rounded over a width of about ``1 / alpha``.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[0, 1]``.

    References
    ----------
    Klimek and Perelstein, "Neural network-based approach to phase space integration", SciPost Physics 9, 2020.
    """
    x = finite_square(x)
    left = np.minimum(x, 1 - x)  # the curve is symmetric about (1/2, 1/2); to the right, the logarithms cancel
    lower = (log_one_plus_exp(alpha * left) - log_one_plus_exp(alpha * (left - 1))) / alpha
    return np.where(x > 0.5, 1 - lower, lower)


@extra_precision
def soft_clipping_backward(dy: Array, x: Array, alpha: Positive = 1.0) -> Array:
    """Gradient of `soft_clipping`, from its input.

    ``dx = dy * (sigmoid(alpha * x) - sigmoid(alpha * (x - 1)))``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `soft_clipping`.
    alpha : float
        As in `soft_clipping`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.

    Notes
    -----
    The difference of the two sigmoids, written as a product.
    """
    return dy * (-np.expm1(-alpha) * logistic(alpha * x) * logistic(alpha * (1 - x)))
