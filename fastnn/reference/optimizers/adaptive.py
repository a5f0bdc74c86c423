"""Steps scaled by the gradients so far: adagrad, adadelta, the rmsprop family, ftrl."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array


@np.errstate(all="ignore")
def adagrad(p: Array, g: Array, a: Array, rate: float, eps_in: float, eps_out: float) -> tuple[Array, Array]:
    """AdaGrad: steps scaled by the root of the sum of all squared gradients.

    ``a <- a + g**2``, then ``p <- p - rate * g / (sqrt(a + eps_in) + eps_out)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    a : array, shape and dtype of p
        Sum of the squared gradients, from an initial value on.
    rate : float
        Learning rate.
    eps_in, eps_out : float
        Keep the quotient finite, inside and outside the root; one of them is usually 0.

    Returns
    -------
    p, a : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    Keras: ``eps_in = 1e-7``, ``a = 0.1`` at first.  PyTorch: ``eps_out = 1e-10``, ``a = 0`` at first, and a rate that
    falls as ``lr / (1 + lr_decay * (t - 1))``.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 12,
    2011.
    """
    a = a + g * g
    return p - rate * g / (np.sqrt(a + eps_in) + eps_out), a


@np.errstate(all="ignore")
def adadelta(
    p: Array, g: Array, a: Array, d: Array, rate: float, rho: float, one_minus_rho: float, eps: float
) -> tuple[Array, Array, Array]:
    """AdaDelta: steps of the size of the last steps, relative to the size of the last gradients.

    ``a <- rho * a + (1 - rho) * g**2``, ``change = sqrt(d + eps) / sqrt(a + eps) * g``,
    ``d <- rho * d + (1 - rho) * change**2``, then ``p <- p - rate * change``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    a, d : arrays, shape and dtype of p
        Running means of the squared gradient and of the squared change, 0 at first.
    rate : float
        Learning rate, 1 in the paper.
    rho, one_minus_rho : float
        The parts that the running means keep and take.
    eps : float
        Keeps the quotient finite and starts the first step.

    Returns
    -------
    p, a, d : arrays, shape and dtype of p
        The new parameter and state.

    References
    ----------
    Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701, 2012.
    """
    a = rho * a + one_minus_rho * g * g
    change = np.sqrt(d + eps) / np.sqrt(a + eps) * g
    d = rho * d + one_minus_rho * change * change
    return p - rate * change, a, d


@np.errstate(all="ignore")
def rmsprop(
    p: Array, g: Array, v: Array, rate: float, rho: float, one_minus_rho: float, eps_in: float, eps_out: float
) -> tuple[Array, Array]:
    """RMSprop: steps scaled by a running root mean square of the gradient.

    ``v <- rho * v + (1 - rho) * g**2``, then ``p <- p - rate * g / (sqrt(v + eps_in) + eps_out)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    v : array, shape and dtype of p
        Running mean of the squared gradient, 0 at first.
    rate : float
        Learning rate.
    rho, one_minus_rho : float
        The parts that the running means keep and take.
    eps_in, eps_out : float
        Keep the quotient finite, inside and outside the root; one of them is usually 0.

    Returns
    -------
    p, v : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    ``eps`` stands inside the root in Keras, outside in PyTorch.

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5 - rmsprop: divide the gradient by a running average of its recent magnitude",
    Neural Networks for Machine Learning, Coursera, 2012.
    """
    v = rho * v + one_minus_rho * g * g
    return p - rate * g / (np.sqrt(v + eps_in) + eps_out), v


@np.errstate(all="ignore")
def rmsprop_momentum(
    p: Array,
    g: Array,
    v: Array,
    b: Array,
    mu: float,
    gain: float,
    step: float,
    rho: float,
    one_minus_rho: float,
    eps_in: float,
    eps_out: float,
) -> tuple[Array, Array, Array]:
    """RMSprop with momentum on the scaled gradient.

    ``v <- rho * v + (1 - rho) * g**2``, ``b <- mu * b + gain * g / (sqrt(v + eps_in) + eps_out)``, then
    ``p <- p - step * b``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    v : array, shape and dtype of p
        Running mean of the squared gradient, 0 at first.
    b : array, shape and dtype of p
        Buffer of the scaled gradients, 0 at first.
    mu : float
        Momentum: the part of the buffer that is kept.
    gain, step : float
        What the buffer takes of the scaled gradient, and the parameter of the buffer.
    rho, one_minus_rho : float
        The parts that the running means keep and take.
    eps_in, eps_out : float
        Keep the quotient finite, inside and outside the root; one of them is usually 0.

    Returns
    -------
    p, v, b : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    Keras: ``gain = lr``, ``step = 1`` and ``eps_in``; PyTorch: ``gain = 1``, ``step = lr`` and ``eps_out``.

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5 - rmsprop: divide the gradient by a running average of its recent magnitude",
    Neural Networks for Machine Learning, Coursera, 2012.
    """
    v = rho * v + one_minus_rho * g * g
    b = mu * b + gain * g / (np.sqrt(v + eps_in) + eps_out)
    return p - step * b, v, b


def _variance(v: Array, m: Array) -> Array:
    """``v - m**2``, at least 0; infinite where v is infinite, even if m**2 is that as well."""
    return np.maximum(v - np.minimum(m * m, np.finfo(v.dtype).max), 0)


@np.errstate(all="ignore")
def rmsprop_centered(
    p: Array, g: Array, v: Array, m: Array, rate: float, rho: float, one_minus_rho: float, eps_in: float, eps_out: float
) -> tuple[Array, Array, Array]:
    """RMSprop scaled by a running standard deviation of the gradient.

    ``v <- rho * v + (1 - rho) * g**2``, ``m <- rho * m + (1 - rho) * g``, then
    ``p <- p - rate * g / (sqrt(v - m**2 + eps_in) + eps_out)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    v, m : arrays, shape and dtype of p
        Running means of the squared gradient and of the gradient, 0 at first.
    rate : float
        Learning rate.
    rho, one_minus_rho : float
        The parts that the running means keep and take.
    eps_in, eps_out : float
        Keep the quotient finite, inside and outside the root; one of them is usually 0.

    Returns
    -------
    p, v, m : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    A difference ``v - m**2`` below 0, which rounding alone can make, counts as 0.

    References
    ----------
    Graves, "Generating sequences with recurrent neural networks", arXiv:1308.0850, 2013.
    """
    v = rho * v + one_minus_rho * g * g
    m = rho * m + one_minus_rho * g
    variance = _variance(v, m)
    return p - rate * g / (np.sqrt(variance + eps_in) + eps_out), v, m


@np.errstate(all="ignore")
def rmsprop_centered_momentum(
    p: Array,
    g: Array,
    v: Array,
    m: Array,
    b: Array,
    mu: float,
    gain: float,
    step: float,
    rho: float,
    one_minus_rho: float,
    eps_in: float,
    eps_out: float,
) -> tuple[Array, Array, Array, Array]:
    """RMSprop scaled by a running standard deviation, with momentum on the scaled gradient.

    ``v <- rho * v + (1 - rho) * g**2``, ``m <- rho * m + (1 - rho) * g``,
    ``b <- mu * b + gain * g / (sqrt(v - m**2 + eps_in) + eps_out)``, then ``p <- p - step * b``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    v, m : arrays, shape and dtype of p
        Running means of the squared gradient and of the gradient, 0 at first.
    b : array, shape and dtype of p
        Buffer of the scaled gradients, 0 at first.
    mu : float
        Momentum: the part of the buffer that is kept.
    gain, step : float
        What the buffer takes of the scaled gradient, and the parameter of the buffer.
    rho, one_minus_rho : float
        The parts that the running means keep and take.
    eps_in, eps_out : float
        Keep the quotient finite, inside and outside the root; one of them is usually 0.

    Returns
    -------
    p, v, m, b : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    Keras: ``gain = lr``, ``step = 1`` and ``eps_in``; PyTorch: ``gain = 1``, ``step = lr`` and ``eps_out``.
    A difference ``v - m**2`` below 0, which rounding alone can make, counts as 0.

    References
    ----------
    Graves, "Generating sequences with recurrent neural networks", arXiv:1308.0850, 2013.
    """
    v = rho * v + one_minus_rho * g * g
    m = rho * m + one_minus_rho * g
    variance = _variance(v, m)
    b = mu * b + gain * g / (np.sqrt(variance + eps_in) + eps_out)
    return p - step * b, v, m, b


@np.errstate(all="ignore")
def ftrl(
    p: Array, g: Array, a: Array, z: Array, inverse_rate: float, l1: float, two_l2: float, two_shrinkage: float
) -> tuple[Array, Array, Array]:
    """Follow the regularized leader: AdaGrad's rates with an L1 penalty that makes parameters exactly 0.

    ``z <- z + g + two_shrinkage * p - (sqrt(a + g**2) - sqrt(a)) * inverse_rate * p``, ``a <- a + g**2``, then
    ``p <- (clip(z, -l1, l1) - z) / (sqrt(a) * inverse_rate + two_l2)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    a : array, shape and dtype of p
        Sum of the squared gradients.
    z : array, shape and dtype of p
        Sum of the gradients less what the changing rate took back, 0 at first.
    inverse_rate : float
        1 / learning rate.
    l1 : float
        Parameters whose ``z`` stays within it are 0.
    two_l2 : float
        Twice the L2 penalty, plus ``beta`` / learning rate.
    two_shrinkage : float
        Adds ``two_shrinkage * p`` to the gradient, but not to ``a``.

    Returns
    -------
    p, a, z : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    Keras: ``inverse_rate = 1 / lr``, ``two_l2 = 2 * l2 + beta / lr``, ``two_shrinkage = 2 * l2_shrinkage``, and
    ``a = 0.1`` at first.  The paper: ``two_l2 = l2 + beta / lr``, and ``a = 0`` at first.  A parameter is made from the
    state anew in every step: where it began counts for little.

    References
    ----------
    McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013.
    """
    return ftrl_power(p, g, a, z, inverse_rate, l1, two_l2, two_shrinkage, 0.5)


@np.errstate(all="ignore")
def ftrl_power(
    p: Array,
    g: Array,
    a: Array,
    z: Array,
    inverse_rate: float,
    l1: float,
    two_l2: float,
    two_shrinkage: float,
    power: float,
) -> tuple[Array, Array, Array]:
    """Follow the regularized leader with rates that fall with another power of the sum of squares.

    ``z <- z + g + two_shrinkage * p - ((a + g**2)**power - a**power) * inverse_rate * p``, ``a <- a + g**2``, then
    ``p <- (clip(z, -l1, l1) - z) / (a**power * inverse_rate + two_l2)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    a : array, shape and dtype of p
        Sum of the squared gradients.
    z : array, shape and dtype of p
        Sum of the gradients less what the changing rate took back, 0 at first.
    inverse_rate : float
        1 / learning rate.
    l1 : float
        Parameters whose ``z`` stays within it are 0.
    two_l2 : float
        Twice the L2 penalty, plus ``beta`` / learning rate.
    two_shrinkage : float
        Adds ``two_shrinkage * p`` to the gradient, but not to ``a``.
    power : float
        Keras's ``-learning_rate_power``; 1/2 is `ftrl`.

    Returns
    -------
    p, a, z : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    Keras: ``inverse_rate = 1 / lr``, ``two_l2 = 2 * l2 + beta / lr``, ``two_shrinkage = 2 * l2_shrinkage``, and
    ``a = 0.1`` at first.  The paper: ``two_l2 = l2 + beta / lr``, and ``a = 0`` at first.  A parameter is made from the
    state anew in every step: where it began counts for little.

    References
    ----------
    McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013.
    """
    before, a = a**power, a + g * g
    z = z + g + two_shrinkage * p - (a**power - before) * inverse_rate * p
    return (np.clip(z, -l1, l1) - z) / (a**power * inverse_rate + two_l2), a, z
