"""Activations made of the exponential function."""

from __future__ import annotations

import numpy as np

from fastnn.reference import special
from fastnn.reference.arrays import Array, NonNegative, Positive, double_precision, extra_precision, own_precision
from fastnn.reference.special import BEYOND as _BEYOND

_SCALE, _ALPHA = np.longdouble("1.0507009873554805"), np.longdouble("1.6732632423543772")


@double_precision
def elu(x: Array, alpha: NonNegative = 1.0) -> Array:
    """Exponential linear unit: negative inputs saturate smoothly at -alpha.

    ``elu(x) = x`` where ``x > 0``, ``alpha * (exp(x) - 1)`` elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    alpha : float, >= 0
        Minus the limit for ``x -> -inf``.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[-alpha, inf)``.

    Notes
    -----
    ``exp(x) - 1`` is evaluated as one function, so small negative inputs keep all their digits.  ``alpha`` must not
    be negative because the backward pass reads the sign of ``x`` off the output.

    References
    ----------
    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear units
    (ELUs)", ICLR 2016.
    """
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@own_precision
def elu_backward(dy: Array, y: Array, alpha: NonNegative = 1.0) -> Array:
    """Gradient of `elu`, from its output.

    ``dx = dy`` where ``y > 0``, ``dy * (y + alpha)`` elsewhere

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `elu`, computed with the same ``alpha``.
    alpha : float, >= 0
        As in `elu`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; the derivative at 0 is ``alpha``.

    Notes
    -----
    ``alpha * exp(x) = y + alpha``: the exponential is not computed again.
    """
    return dy * np.where(y > 0, 1, y + alpha)


@extra_precision
def selu(x: Array) -> Array:
    """Scaled exponential linear unit, which keeps mean 0 and variance 1 from layer to layer.

    ``selu(x) = scale * x`` where ``x > 0``, ``scale * alpha * (exp(x) - 1)`` elsewhere, with ``scale =
    1.0507009873554805`` and ``alpha = 1.6732632423543772``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[-1.7581, inf)``.

    Notes
    -----
    Made for weights from the ``lecun_normal`` initializer.

    References
    ----------
    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NIPS 2017.
    """
    return _SCALE * np.where(x > 0, x, _ALPHA * np.expm1(np.minimum(x, 0)))


@own_precision
def selu_backward(dy: Array, y: Array) -> Array:
    """Gradient of `selu`, from its output.

    ``dx = scale * dy`` where ``y > 0``, ``dy * (y + scale * alpha)`` elsewhere

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `selu`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; the derivative at 0 is ``scale * alpha``.
    """
    return dy * np.where(y > 0, float(_SCALE), y + float(_SCALE * _ALPHA))


@double_precision
def celu(x: Array, alpha: Positive = 1.0) -> Array:
    """Continuously differentiable exponential linear unit.

    ``celu(x) = x`` where ``x > 0``, ``alpha * (exp(x / alpha) - 1)`` elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    alpha : float, > 0
        Minus the limit for ``x -> -inf``.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[-alpha, inf)``.

    Notes
    -----
    ``alpha * exp(x / alpha) = y + alpha``: the exponential is not computed again, and the sign of ``x`` is read off
    ``y``, which is why ``alpha`` must be positive.

    References
    ----------
    Barron, "Continuously differentiable exponential linear units", arXiv:1704.07483, 2017.
    """
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


@own_precision
def celu_backward(dy: Array, y: Array, alpha: Positive = 1.0) -> Array:
    """Gradient of `celu`, from its output.

    ``dx = dy`` where ``y > 0``, ``dy * (1 + y / alpha)`` elsewhere

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `celu`, computed with the same parameters.
    alpha : float
        As in `celu`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; the derivative at 0 is 1 for every ``alpha``.
    """
    return dy * np.where(y > 0, 1, (y + alpha) / alpha)


@double_precision
def exponential(x: Array) -> Array:
    """Exponential function.

    ``exponential(x) = exp(x)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[0, inf]``.
    """
    return np.exp(x)


@double_precision
def exponential_backward(dy: Array, y: Array) -> Array:
    """Gradient of `exponential`, from its output.

    ``dx = dy * y``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `exponential`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * y


@extra_precision
def soft_exponential(x: Array, alpha: float = 0.5) -> Array:
    """From a logarithm over the straight line to an exponential, by one parameter.

    ``soft_exponential(x) = -log(1 - alpha * (x + alpha)) / alpha`` for ``alpha < 0``, ``x`` for ``alpha = 0``,
    ``(exp(alpha * x) - 1) / alpha + alpha`` for ``alpha > 0``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    alpha : float
        -1 gives the logarithm of x, 0 x itself, 1 the exponential of x.

    Returns
    -------
    array, shape and dtype of x
        Activation; NaN for negative ``alpha`` where the logarithm has no value, at ``x < 1 / alpha - alpha``.

    Notes
    -----
    In its paper ``alpha`` is learned, from 0 on; here it is a number. Continuous in ``alpha``.

    References
    ----------
    Godfrey and Gashler, "A continuum among logarithmic, linear, and exponential functions, and its potential to
    improve generalization in neural networks", KDIR 2015.
    """
    return special.soft_exponential(x, alpha)


@extra_precision
def soft_exponential_backward(dy: Array, x: Array, alpha: float = 0.5) -> Array:
    """Gradient of `soft_exponential`, from its input.

    ``dx = dy / (1 - alpha * (x + alpha))`` for ``alpha < 0``, ``dy * exp(alpha * x)`` otherwise

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `soft_exponential`.
    alpha : float
        As in `soft_exponential`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * special.soft_exponential_slope(x, alpha)


@extra_precision
def gaussian(x: Array) -> Array:
    """Gaussian bell of height 1.

    ``gaussian(x) = exp(-x**2)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[0, 1]``.
    """
    return np.exp(-(np.clip(x, -_BEYOND, _BEYOND) ** 2))


@extra_precision
def gaussian_backward(dy: Array, x: Array) -> Array:
    """Gradient of `gaussian`, from its input.

    ``dx = -2 * x * exp(-x**2) * dy``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `gaussian`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    x = np.clip(x, -_BEYOND, _BEYOND)
    return dy * (-2 * x * np.exp(-(x**2)))
