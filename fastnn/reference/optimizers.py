"""The optimizers: what happens to a parameter in one step, in readable NumPy.

Every row of the compiled table has its twin here: ``name(p, g, *slots, *scalars)`` returns the new parameter and the
new slots (the state that is kept per parameter), as new arrays.  The scalars are computed once per step by the
caller, for instance Adam's bias correction, so one function serves the conventions of several libraries.

Common to all optimizers is what comes before the row, in `regularize`.
"""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array


@np.errstate(all="ignore")
def regularize(
    p: Array, g: Array, gradient_scale: float = 1.0, l2: float = 0.0, decay: float = 0.0
) -> tuple[Array, Array]:
    """Gradient scaling, L2 penalty and decoupled weight decay: what all optimizers do before their own rule.

    ``g <- gradient_scale * g + l2 * p``, then ``p <- p - decay * p``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    gradient_scale : float
        For clipping by norm and for averaging.
    l2 : float
        Coupled decay: the gradient of ``l2 / 2 * sum(p**2)`` is added to the gradient and goes through the rule.
    decay : float
        Decoupled decay, usually learning rate times weight decay: the parameter shrinks past the rule.

    Returns
    -------
    p, g : arrays, shape and dtype of p
        What the optimizer's own rule sees.

    Notes
    -----
    Keras's ``weight_decay`` and PyTorch's AdamW are decoupled; ``weight_decay`` of PyTorch's other optimizers is
    ``l2``.  A term that is switched off (factor 1, 0 and 0) is left out.

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """
    if gradient_scale != 1:
        g = gradient_scale * g
    if l2 != 0:
        g = g + l2 * p
    if decay != 0:
        p = p - decay * p
    return p, g


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
def momentum(p: Array, g: Array, v: Array, rate: float, mu: float) -> tuple[Array, Array]:
    """Gradient descent with momentum: the parameter rolls on with a velocity.

    ``v <- mu * v - rate * g``, then ``p <- p + v``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    v : array, shape and dtype of p
        Velocity, 0 at first.
    rate : float
        Learning rate.
    mu : float
        Momentum: the part of the velocity that is kept.

    Returns
    -------
    p, v : arrays, shape and dtype of p
        The new parameter and velocity.

    Notes
    -----
    The rule of Keras, with the learning rate inside the velocity.  PyTorch keeps ``v <- mu * v + g`` and applies the
    rate afterwards: the same path while the rate is constant, another one when a schedule changes it.

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational Mathematics and
    Mathematical Physics 4, 1964.
    """
    v = mu * v - rate * g
    return p + v, v


@np.errstate(all="ignore")
def nesterov(p: Array, g: Array, v: Array, rate: float, mu: float) -> tuple[Array, Array]:
    """Gradient descent with Nesterov's momentum: the gradient is taken where the velocity leads.

    ``v <- mu * v - rate * g``, then ``p <- p + mu * v - rate * g``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient at ``p``.
    v : array, shape and dtype of p
        Velocity, 0 at first.
    rate : float
        Learning rate.
    mu : float
        Momentum: the part of the velocity that is kept.

    Returns
    -------
    p, v : arrays, shape and dtype of p
        The new parameter and velocity.

    Notes
    -----
    The rule of Keras, in which ``p`` is the point that looks ahead.  With ``w = p - mu * v`` it reads
    ``v <- mu * v - rate * gradient(w + mu * v)``, ``w <- w + v``: the form of the papers.

    References
    ----------
    Nesterov, "A method for solving the convex programming problem with convergence rate O(1/k^2)", Doklady Akademii
    Nauk SSSR 269, 1983.
    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning", ICML
    2013.
    """
    v = mu * v - rate * g
    return p + mu * v - rate * g, v


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
def rmsprop(p: Array, g: Array, v: Array, rate: float, rho: float, eps: float) -> tuple[Array, Array]:
    """RMSprop: steps scaled by a running root mean square of the gradient.

    ``v <- rho * v + (1 - rho) * g**2``, then ``p <- p - rate * g / sqrt(v + eps)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    v : array, shape and dtype of p
        Running mean of the squared gradient, 0 at first.
    rate : float
        Learning rate.
    rho : float
        The part of the running mean that is kept.
    eps : float
        Keeps the quotient finite.

    Returns
    -------
    p, v : arrays, shape and dtype of p
        The new parameter and running mean.

    Notes
    -----
    ``eps`` stands inside the root, as in Keras; PyTorch adds it to the root.

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5 - rmsprop: divide the gradient by a running average of its recent magnitude",
    Neural Networks for Machine Learning, Coursera, 2012.
    """
    v = rho * v + (1 - rho) * g * g
    return p - rate * g / np.sqrt(v + eps), v
