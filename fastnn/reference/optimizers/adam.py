"""Steps from running means of the gradient and of its square: the family of adam."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array


@np.errstate(all="ignore")
def adam(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    rate: float,
    root_scale: float,
    one_minus_beta1: float,
    one_minus_beta2: float,
    eps: float,
) -> tuple[Array, Array, Array]:
    """Adam: steps scaled by running means of the gradient and of its square.

    ``m <- m + (g - m) * (1 - beta1)`` and ``v <- v + (g**2 - v) * (1 - beta2)``, then
    ``p <- p - rate * m / (sqrt(v) * root_scale + eps)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    m, v : arrays, shape and dtype of p
        Running means of the gradient and of its square, 0 at first.
    rate, root_scale : float
        Learning rate ``lr`` and bias correction at step ``t = 1, 2, ...``, see Notes.
    one_minus_beta1, one_minus_beta2 : float
        How far the running means move in one step.
    eps : float
        Keeps the quotient finite.

    Returns
    -------
    p, m, v : arrays, shape and dtype of p
        The new parameter and running means.

    Notes
    -----
    Keras (the end of the paper's section 2): ``rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t)``, ``root_scale = 1``,
    ``eps = 1e-7``.  PyTorch (the paper's algorithm 1): ``rate = lr / (1 - beta1**t)``,
    ``root_scale = 1 / sqrt(1 - beta2**t)``, ``eps = 1e-8``.  The two differ by the place of ``eps`` only.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """
    m = m + (g - m) * one_minus_beta1
    v = v + (g * g - v) * one_minus_beta2
    return p - rate * m / (np.sqrt(v) * root_scale + eps), m, v


@np.errstate(all="ignore")
def amsgrad(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    largest: Array,
    rate: float,
    root_scale: float,
    one_minus_beta1: float,
    one_minus_beta2: float,
    eps: float,
) -> tuple[Array, Array, Array, Array]:
    """AMSGrad: Adam whose running mean square counts with its largest value so far.

    ``m <- m + (g - m) * (1 - beta1)``, ``v <- v + (g**2 - v) * (1 - beta2)``, ``largest <- max(largest, v)``, then
    ``p <- p - rate * m / (sqrt(largest) * root_scale + eps)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    m, v : arrays, shape and dtype of p
        Running means of the gradient and of its square, 0 at first.
    largest : array, shape and dtype of p
        Largest ``v`` so far, 0 at first.
    rate, root_scale : float
        Learning rate and bias correction, as in `adam`; the paper corrects nothing.
    one_minus_beta1, one_minus_beta2 : float
        How far the running means move in one step.
    eps : float
        Keeps the quotient finite.

    Returns
    -------
    p, m, v, largest : arrays, shape and dtype of p
        The new parameter and state.

    References
    ----------
    Reddi, Kale and Kumar, "On the convergence of Adam and beyond", ICLR 2018.
    """
    m = m + (g - m) * one_minus_beta1
    v = v + (g * g - v) * one_minus_beta2
    largest = np.maximum(largest, v)
    return p - rate * m / (np.sqrt(largest) * root_scale + eps), m, v, largest


@np.errstate(all="ignore")
def adamax(
    p: Array,
    g: Array,
    m: Array,
    u: Array,
    rate: float,
    one_minus_beta1: float,
    beta2: float,
    eps_in: float,
    eps_out: float,
) -> tuple[Array, Array, Array]:
    """Adamax: Adam with a running maximum in the place of the root mean square.

    ``m <- m + (g - m) * (1 - beta1)``, ``u <- max(beta2 * u, |g| + eps_in)``, then
    ``p <- p - rate * m / (u + eps_out)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    m : array, shape and dtype of p
        Running mean of the gradient, 0 at first.
    u : array, shape and dtype of p
        Running maximum of its size, 0 at first.
    rate : float
        ``lr / (1 - beta1**t)`` at step ``t = 1, 2, ...``.
    one_minus_beta1 : float
        How far the running mean moves in one step.
    beta2 : float
        What the running maximum keeps.
    eps_in, eps_out : float
        Keep the quotient finite: in the maximum (PyTorch) and beside it (Keras).

    Returns
    -------
    p, m, u : arrays, shape and dtype of p
        The new parameter and state.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, section 7.
    """
    m = m + (g - m) * one_minus_beta1
    u = np.maximum(beta2 * u, np.abs(g) + eps_in)
    return p - rate * m / (u + eps_out), m, u


@np.errstate(all="ignore")
def nadam(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    m_rate: float,
    g_rate: float,
    root_scale: float,
    one_minus_beta1: float,
    one_minus_beta2: float,
    eps: float,
) -> tuple[Array, Array, Array]:
    """Nadam: Adam with Nesterov's momentum.

    ``m <- m + (g - m) * (1 - beta1)`` and ``v <- v + (g**2 - v) * (1 - beta2)``, then
    ``p <- p - (m_rate * m + g_rate * g) / (sqrt(v) * root_scale + eps)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    m, v : arrays, shape and dtype of p
        Running means of the gradient and of its square, 0 at first.
    m_rate, g_rate : float
        Learning rate with the weights of the running mean and of the gradient itself, see Notes.
    root_scale : float
        Bias correction of the root, ``1 / sqrt(1 - beta2**t)``.
    one_minus_beta1, one_minus_beta2 : float
        How far the running means move in one step.
    eps : float
        Keeps the quotient finite.

    Returns
    -------
    p, m, v : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    ``mu_t = beta1 * (1 - 0.96**(t * momentum_decay) / 2)``, ``m_rate = lr * mu_(t+1) / (1 - mu_1 ... mu_(t+1))``,
    ``g_rate = lr * (1 - mu_t) / (1 - mu_1 ... mu_t)``; ``momentum_decay`` is 1 in Keras, 0.004 in PyTorch and in the
    paper, where the running means take ``1 - mu_t`` of the gradient too.

    References
    ----------
    Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop, 2016.
    """
    m = m + (g - m) * one_minus_beta1
    v = v + (g * g - v) * one_minus_beta2
    return p - (m_rate * m + g_rate * g) / (np.sqrt(v) * root_scale + eps), m, v


@np.errstate(all="ignore")
def radam(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    plain: float,
    adaptive: float,
    one_minus_beta1: float,
    one_minus_beta2: float,
    eps: float,
) -> tuple[Array, Array, Array]:
    """Rectified Adam: Adam once enough gradients are known for its root mean square to mean something.

    ``m <- m + (g - m) * (1 - beta1)`` and ``v <- v + (g**2 - v) * (1 - beta2)``, then
    ``p <- p - (plain + adaptive / (sqrt(v) + eps)) * m``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    m, v : arrays, shape and dtype of p
        Running means of the gradient and of its square, 0 at first.
    plain, adaptive : float
        One of them is 0: the rate with bias correction before, and the rectified rate after that point.
    one_minus_beta1, one_minus_beta2 : float
        How far the running means move in one step.
    eps : float
        Keeps the quotient finite.

    Returns
    -------
    p, m, v : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    With ``rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)``, ``rho_inf = 2 / (1 - beta2) - 1``: up to a threshold of
    ``rho`` (4 in the paper, 5 in PyTorch) ``plain = lr / (1 - beta1**t)``, above it ``adaptive = plain * sqrt(1 -
    beta2**t) * sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))``.

    References
    ----------
    Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020.
    """
    m = m + (g - m) * one_minus_beta1
    v = v + (g * g - v) * one_minus_beta2
    return p - (plain + adaptive / (np.sqrt(v) + eps)) * m, m, v


@np.errstate(all="ignore")
def schedule_free_adamw(
    p: Array,
    g: Array,
    z: Array,
    v: Array,
    rate: float,
    root_scale: float,
    one_minus_beta1: float,
    one_minus_beta2: float,
    eps: float,
    z_decay: float,
    keep: float,
    pull: float,
) -> tuple[Array, Array, Array]:
    """Schedule-free AdamW: the gradient is taken between a walker and the mean of its path.

    ``v <- v + (g**2 - v) * (1 - beta2)``, ``x = p - (1 - beta1) * z``,
    ``z <- z - rate * g / (sqrt(v) * root_scale + eps) - z_decay * p``, then ``p <- keep * x + pull * z``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    z : array, shape and dtype of p
        The walker, the parameter itself at first.
    v : array, shape and dtype of p
        Running mean of the squared gradient, 0 at first.
    rate, root_scale : float
        Learning rate and bias correction of the root.
    one_minus_beta1, one_minus_beta2 : float
        How far the running means move in one step.
    eps : float
        Keeps the quotient finite.
    z_decay : float
        Decay of the walker, learning rate times weight decay.
    keep, pull : float
        With the weight ``c`` of the walker in the mean: ``1 - c`` and ``1 - beta1 + beta1 * c``.

    Returns
    -------
    p, z, v : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    ``p`` is ``y = (1 - beta1) * z + beta1 * mean``; the mean, which the paper evaluates, is ``(p - (1 - beta1) * z) /
    beta1``.  Keras: ``c = 1 / t``.  The paper: the squares of the rates decide.

    References
    ----------
    Defazio et al., "The road less scheduled", NeurIPS 2024.
    """
    v = v + (g * g - v) * one_minus_beta2
    mean_part = p - one_minus_beta1 * z
    z = z - rate * g / (np.sqrt(v) * root_scale + eps) - z_decay * p
    return keep * mean_part + pull * z, z, v
