"""Steps along the gradient, or along a velocity that remembers gradients: sgd, momentum, nesterov, asgd."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array


@np.errstate(all="ignore")
def sgd(p: Array, g: Array, rate: float) -> tuple[Array]:
    """Stochastic gradient descent.

    ``p <- p - rate * g``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    rate : float
        Learning rate.

    Returns
    -------
    tuple of one array, shape and dtype of p
        The new parameter.

    References
    ----------
    Robbins and Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22, 1951.
    """
    return (p - rate * g,)


@np.errstate(all="ignore")
def momentum(p: Array, g: Array, v: Array, mu: float, gain: float, step: float) -> tuple[Array, Array]:
    """Gradient descent with momentum: the parameter rolls on with a velocity.

    ``v <- mu * v + gain * g``, then ``p <- p + step * v``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    v : array, shape and dtype of p
        Velocity, 0 at first.
    mu : float
        Momentum: the part of the velocity that is kept.
    gain : float
        What the velocity takes of the gradient.
    step : float
        What the parameter takes of the velocity.

    Returns
    -------
    p, v : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    Keras has the learning rate ``lr`` in the velocity, ``gain = -lr`` and ``step = 1``; PyTorch outside, ``gain = 1 -
    dampening`` (1 in the first step) and ``step = -lr``.  Without dampening that is the same path while the rate is
    constant, another one when a schedule changes it.

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational Mathematics and
    Mathematical Physics 4, 1964.
    """
    v = mu * v + gain * g
    return p + step * v, v


@np.errstate(all="ignore")
def nesterov(p: Array, g: Array, v: Array, mu: float, gain: float, ahead: float, direct: float) -> tuple[Array, Array]:
    """Gradient descent with Nesterov's momentum: the gradient is taken where the velocity leads.

    ``v <- mu * v + gain * g``, then ``p <- p + ahead * v + direct * g``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    v : array, shape and dtype of p
        Velocity, 0 at first.
    mu : float
        Momentum: the part of the velocity that is kept.
    gain : float
        What the velocity takes of the gradient.
    ahead, direct : float
        What the parameter takes of the new velocity and of the gradient.

    Returns
    -------
    p, v : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    Three forms of one method, with learning rate ``lr``:

    Keras: ``gain = direct = -lr``, ``ahead = mu``; ``p`` is the point that looks ahead.  With ``w = p - mu * v`` it
    reads ``v <- mu * v - lr * gradient(w + mu * v)``, ``w <- w + v``: the form of the papers.

    PyTorch: ``gain = 1 - dampening``, ``direct = -lr``, ``ahead = -lr * mu``; the velocity holds no learning rates.

    Look-ahead: the caller has moved ``p`` to ``w + mu * v`` and taken the gradient there, ``gain = direct = -lr``,
    ``ahead = 0``: what comes out is the new ``w``.

    References
    ----------
    Nesterov, "A method for solving the convex programming problem with convergence rate O(1/k^2)", Doklady Akademii
    Nauk SSSR 269, 1983.
    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning", ICML
    2013.
    """
    v = mu * v + gain * g
    return p + ahead * v + direct * g, v


@np.errstate(all="ignore")
def asgd(p: Array, g: Array, average: Array, rate: float, shrink: float, weight: float) -> tuple[Array, Array]:
    """Averaged stochastic gradient descent: beside the parameter walks the mean of its path.

    ``p <- p - shrink * p - rate * g``, then ``average <- average + (p - average) * weight``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    average : array, shape and dtype of p
        Mean of the path, of which the result is taken.
    rate : float
        Learning rate of this step.
    shrink : float
        Learning rate times the L2 penalty ``lambd``.
    weight : float
        1 until averaging begins, then 1/1, 1/2, 1/3 ...

    Returns
    -------
    p, average : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    The rule of PyTorch, with ``rate = lr / (1 + lambd * lr * (t - 1))**alpha``, ``shrink = lambd * rate`` and
    ``weight = 1 / max(1, t - 1 - t0)`` at step ``t = 1, 2, ...``.

    References
    ----------
    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal on Control and
    Optimization 30, 1992.
    """
    p = p - shrink * p - rate * g
    return p, average + (p - average) * weight
