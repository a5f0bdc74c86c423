"""Activations with learned parameters, forward and backward side by side, in readable NumPy.

Parameters are arrays: one value for all elements, for each column, for each channel ... whatever NumPy broadcasts
against ``x``.  A backward function returns the gradient with respect to ``x`` and one for each parameter, in the
parameter's shape: where a value serves many elements, their gradients add up.  A product with a parameter or an
incoming gradient of 0 is 0, also at an infinite ``x``.
"""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, double_precision
from fastnn.reference.special import logistic, soft_exponential, soft_exponential_slope, times

# Sums of pieces: their parameters have an axis more, the first, that counts the pieces.
SUMS = ("apl",)


def _sum_to(gradient: Array, parameter: Array) -> Array:
    """Add up what the elements that share a value contribute."""
    added = tuple(range(gradient.ndim - parameter.ndim))
    total = gradient.sum(axis=added)
    repeated = tuple(i for i in range(parameter.ndim) if parameter.shape[i] == 1)
    result: Array = total.sum(axis=repeated, keepdims=True)
    return result


@double_precision
def prelu(x: Array, alpha: Array) -> Array:
    """Rectified linear unit whose slope for negative inputs is learned.

    ``prelu(x) = x`` where ``x > 0``, ``alpha * x`` elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    alpha : array that broadcasts against x
        Slopes of the negative part.

    Returns
    -------
    array, shape of x
        Activation.

    Notes
    -----
    PyTorch's slopes belong to axis 1: give them the shape (channels, 1, 1) for images with channels first. Keras
    starts from 0, PyTorch and the paper from 0.25.

    References
    ----------
    He, Zhang, Ren and Sun, "Delving deep into rectifiers: surpassing human-level performance on ImageNet
    classification", ICCV 2015.
    """
    return np.where(x > 0, x, times(alpha, x))


@double_precision
def prelu_backward(dy: Array, x: Array, alpha: Array) -> tuple[Array, Array]:
    """Gradient of `prelu`.

    ``dx = dy`` where ``x > 0``, ``alpha * dy`` elsewhere; ``dalpha = sum of dy * x`` over ``x <= 0``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `prelu`.
    alpha : array that broadcasts against x
        Slopes of the negative part.

    Returns
    -------
    dx : array, shape of x
        Gradient with respect to ``x``.
    dalpha : array, shape of alpha
        Gradient with respect to ``alpha``.
    """
    positive = x > 0
    dalpha = np.where(positive, 0, times(dy, x))
    return np.where(positive, dy, dy * alpha), _sum_to(dalpha, alpha)


@double_precision
def srelu(x: Array, t_left: Array, a_left: Array, t_right: Array, a_right: Array) -> Array:
    """S-shaped rectified linear unit: three straight lines, whose two bends and outer slopes are learned.

    ``srelu(x) = t_left + a_left * (x - t_left)`` where ``x <= t_left``, ``t_right + a_right * (x - t_right)`` where
    ``x >= t_right``, ``x`` between

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    t_left, a_left : arrays that broadcast against x
        Where the left part ends, and its slope.
    t_right, a_right : arrays that broadcast against x
        Where the right part begins, and its slope.

    Returns
    -------
    array, shape of x
        Activation.

    Notes
    -----
    Where training has moved ``t_left`` above ``t_right``, the left part wins.

    References
    ----------
    Jin, Xu, Feng, Wei, Xiong and Yan, "Deep learning with S-shaped rectified linear activation units", AAAI 2016.
    """
    left, right = t_left + times(a_left, x - t_left), t_right + times(a_right, x - t_right)
    return np.where(x <= t_left, left, np.where(x >= t_right, right, x))


@double_precision
def srelu_backward(
    dy: Array, x: Array, t_left: Array, a_left: Array, t_right: Array, a_right: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Gradient of `srelu`.

    On an outer part with bend ``t`` and slope ``a``: ``dx = a * dy``, ``dt = sum of (1 - a) * dy``,
    ``da = sum of (x - t) * dy``; between the bends ``dx = dy``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `srelu`.
    t_left, a_left : arrays that broadcast against x
        Where the left part ends, and its slope.
    t_right, a_right : arrays that broadcast against x
        Where the right part begins, and its slope.

    Returns
    -------
    dx : array, shape of x
        Gradient with respect to ``x``.
    dt_left, da_left, dt_right, da_right : arrays, shapes of the parameters
        Gradients with respect to the parameters.
    """
    left = x <= t_left
    right = ~left & (x >= t_right)
    dx = np.where(left, dy * a_left, np.where(right, dy * a_right, dy))
    gradients = (
        np.where(left, dy * (1 - a_left), 0),
        np.where(left, times(dy, x - t_left), 0),
        np.where(right, dy * (1 - a_right), 0),
        np.where(right, times(dy, x - t_right), 0),
    )
    parameters = (t_left, a_left, t_right, a_right)
    dt_left, da_left, dt_right, da_right = (_sum_to(g, p) for g, p in zip(gradients, parameters))
    return dx, dt_left, da_left, dt_right, da_right


@double_precision
def learned_swish(x: Array, beta: Array) -> Array:
    """Swish whose steepness is learned: between half of the identity (``beta = 0``) and `relu` (``beta`` large).

    ``learned_swish(x) = x * sigmoid(beta * x)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    beta : array that broadcasts against x
        Steepness; with 1 it is `silu`.

    Returns
    -------
    array, shape of x
        Activation.

    References
    ----------
    Ramachandran, Zoph and Le, "Searching for activation functions", 2017, arXiv:1710.05941.
    """
    return times(logistic(times(beta, x)), x)


@double_precision
def learned_swish_backward(dy: Array, x: Array, beta: Array) -> tuple[Array, Array]:
    """Gradient of `learned_swish`.

    With ``s = sigmoid(beta * x)``: ``dx = dy * (s + beta * x * s * (1 - s))`` and
    ``dbeta = sum of dy * x^2 * s * (1 - s)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `learned_swish`.
    beta : array that broadcasts against x
        Steepness.

    Returns
    -------
    dx : array, shape of x
        Gradient with respect to ``x``.
    dbeta : array, shape of beta
        Gradient with respect to ``beta``.
    """
    u = times(beta, x)
    s, slope = logistic(u), logistic(u) * logistic(-u)
    return dy * (s + times(slope, u)), _sum_to(times(dy, times(times(slope, x), x)), beta)


@double_precision
def learned_soft_exponential(x: Array, alpha: Array) -> Array:
    """Soft exponential: logarithm, identity or exponential, whichever its learned parameter says.

    ``(exp(alpha * x) - 1) / alpha + alpha`` where ``alpha > 0``, ``x`` where ``alpha = 0``,
    ``-log(1 - alpha * (x + alpha)) / alpha`` where ``alpha < 0``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    alpha : array that broadcasts against x
        From -1, the logarithm, by 0, the identity, to 1, the exponential; other values continue the family.

    Returns
    -------
    array, shape of x
        Activation.  With a negative alpha NaN for ``x < 1 / alpha - alpha``, where there is no logarithm.

    References
    ----------
    Godfrey and Gashler, "A continuum among logarithmic, linear, and exponential functions, and its potential to
    improve generalization in neural networks", KDIR 2015.
    """
    return soft_exponential(x, alpha)


@double_precision
def learned_soft_exponential_backward(dy: Array, x: Array, alpha: Array) -> tuple[Array, Array]:
    """Gradient of `learned_soft_exponential`.

    With ``u = alpha * x`` and ``v = -alpha * (x + alpha)``: ``dx = dy * exp(u)`` and ``dalpha = sum of dy * (((u - 1) *
    exp(u) + 1) / alpha^2 + 1)`` where ``alpha >= 0``; ``dx = dy / (1 + v)`` and ``dalpha = sum of dy * (1 / (1 + v) +
    (log(1 + v) - v / (1 + v)) / alpha^2)`` where ``alpha < 0``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `learned_soft_exponential`.
    alpha : array that broadcasts against x
        From -1, the logarithm, by 0, the identity, to 1, the exponential.

    Returns
    -------
    dx : array, shape of x
        Gradient with respect to ``x``.
    dalpha : array, shape of alpha
        Gradient with respect to ``alpha``; at ``alpha = 0`` the limit ``dy * (x^2 / 2 + 1)``.

    Notes
    -----
    Both fractions cancel where ``u`` or ``v`` is small; there they are summed as power series.
    """
    u, v = times(alpha, x), -alpha * (x + alpha)
    rate = np.where(v < -1, np.nan, 1 / (1 + v))
    safe = np.where(alpha == 0, 1, alpha)

    # sum over k of u^k / ((k + 2) k!)
    near, term, series = np.clip(u, -1, 1), np.ones_like(u), np.zeros_like(u)
    for k in range(20):
        series += term / (k + 2)
        term = term * near / (k + 1)
    limited = np.clip(u, -1000, 1000)
    fraction = ((limited - 1) * np.exp(limited) + 1) / safe**2
    rising = np.where(np.abs(u) < 1, x**2 * series, fraction) + 1

    # log(1 + v) - v / (1 + v) = the sum over k >= 2 of (v / (1 + v))^k / k
    t = np.clip(v / (1 + v), -0.5, 0.5)
    power, tail = np.ones_like(t), np.zeros_like(t)
    for k in range(2, 56):
        tail += power / k
        power = power * t
    fraction = (np.log1p(v) - 1 + rate) / safe**2
    falling = rate + np.where(np.abs(v / (1 + v)) < 0.5, ((x + alpha) * rate) ** 2 * tail, fraction)

    dx = dy * soft_exponential_slope(x, alpha)
    return dx, _sum_to(times(dy, np.where(alpha < 0, falling, rising)), alpha)


@double_precision
def apl(x: Array, slope: Array, hinge: Array) -> Array:
    """Adaptive piecewise linear unit: `relu` and a sum of learned hinges.

    ``apl(x) = max(0, x) + sum_s slope_s * max(0, hinge_s - x)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    slope : array, shape (pieces, ...), of which a piece broadcasts against x
        What each hinge adds to the slope, counted to the left.
    hinge : array, shape (pieces, ...), of which a piece broadcasts against x
        Where each hinge bends.

    Returns
    -------
    array, shape of x
        Activation.

    References
    ----------
    Agostinelli, Hoffman, Sadowski and Baldi, "Learning activation functions to improve deep neural networks", ICLR
    2015 workshop.
    """
    y = np.maximum(x, 0)
    for a, b in zip(slope, hinge):
        y = y + times(a, np.maximum(b - x, 0))
    return y


@double_precision
def apl_backward(dy: Array, x: Array, slope: Array, hinge: Array) -> tuple[Array, Array, Array]:
    """Gradient of `apl`.

    ``dx = dy * ([x > 0] - sum_s slope_s [x < hinge_s])``, ``dslope_s = sum of dy * max(0, hinge_s - x)``,
    ``dhinge_s = sum of dy * slope_s`` over ``x < hinge_s``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `apl`.
    slope : array, shape (pieces, ...), of which a piece broadcasts against x
        What each hinge adds to the slope, counted to the left.
    hinge : array, shape (pieces, ...), of which a piece broadcasts against x
        Where each hinge bends.

    Returns
    -------
    dx : array, shape of x
        Gradient with respect to ``x``.
    dslope, dhinge : arrays, shapes of the parameters
        Gradients with respect to the parameters.
    """
    dx = np.where(x <= 0, 0, dy)
    dslope, dhinge = np.empty_like(slope), np.empty_like(hinge)
    for s, (a, b) in enumerate(zip(slope, hinge)):
        below = np.where(b > x, dy * a, 0)
        dx = dx - below
        dslope[s] = _sum_to(times(dy, np.maximum(b - x, 0)), a)
        dhinge[s] = _sum_to(below, b)
    return dx, dslope, dhinge
