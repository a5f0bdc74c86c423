"""Rules that look at whole tensors: lamb, lars, adafactor, muon; and lamb_direction, the row behind the first.

The functions with the names of the methods take the hyper-parameters themselves, since no compiled row stands behind
them: one whole step of one parameter.
"""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array


@np.errstate(all="ignore")
def lamb_direction(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    direction: Array,
    gain: float,
    root_scale: float,
    one_minus_beta1: float,
    one_minus_beta2: float,
    eps: float,
) -> tuple[Array, Array, Array, Array]:
    """The direction of LAMB's step, which is Adam's; how far to go follows from the norms of p and of the direction.

    ``m <- m + (g - m) * (1 - beta1)`` and ``v <- v + (g**2 - v) * (1 - beta2)``, then
    ``direction <- gain * m / (sqrt(v) * root_scale + eps)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter, which stays; its gradient.
    m, v : arrays, shape and dtype of p
        Running means of the gradient and of its square, 0 at first.
    direction : array, shape and dtype of p
        Only written.
    gain, root_scale : float
        Bias corrections ``1 / (1 - beta1**t)`` and ``1 / sqrt(1 - beta2**t)``.
    one_minus_beta1, one_minus_beta2 : float
        How far the running means move in one step.
    eps : float
        Keeps the quotient finite.

    Returns
    -------
    p, m, v, direction : arrays, shape and dtype of p
        The parameter and the new state.

    References
    ----------
    You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020.
    """
    m = m + (g - m) * one_minus_beta1
    v = v + (g * g - v) * one_minus_beta2
    return p, m, v, gain * m / (np.sqrt(v) * root_scale + eps)


def norm(x: Array) -> float:
    """The Euclidean norm of all elements, in float64."""
    return float(np.sqrt(np.sum(np.square(x, dtype=np.float64))))


def trust_ratio(p: float, g: float, coefficient: float = 1.0, decay: float = 0.0, eps: float = 0.0) -> float:
    """How long a step is, relative to its parameter: a ratio of norms.

    ``coefficient * |p| / (|g| + decay * |p| + eps)``; 1 where p or g is 0.

    Parameters
    ----------
    p, g : float
        Norms of the parameter and of its gradient or direction.
    coefficient : float
        Factor.
    decay : float
        Weight decay that is added to the gradient.
    eps : float
        Added to the denominator.

    Returns
    -------
    float
        The ratio.

    References
    ----------
    You, Gitman and Ginsburg, "Large batch training of convolutional networks", 2017.
    """
    return coefficient * p / (g + decay * p + eps) if p > 0 and g > 0 else 1.0


@np.errstate(all="ignore")
def lamb(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-7,
    weight_decay: float = 0.0,
    decoupled: bool = True,
) -> tuple[Array, Array, Array]:
    """LAMB: Adam's direction, as long as the parameter is.

    ``d = m / (1 - b1**t) / (sqrt(v / (1 - b2**t)) + eps)``, then ``p <- p - lr * |p| / |d| * d``

    where m and v are running means of g and g**2, as in Adam.  Before, ``p <- p - lr * weight_decay * p`` (decoupled),
    or ``d <- d + weight_decay * p``.

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    m, v : arrays, shape and dtype of p
        Running means of the gradient and of its square, 0 at first.
    t : int
        Number of the step, from 1 on.
    lr : float
        Learning rate: the length of a step, relative to the parameter's.
    b1, b2 : float
        The parts of the running means that are kept.
    eps : float
        Keeps the quotient finite.
    weight_decay : float
        How fast parameters decay.
    decoupled : bool
        Whether they decay before the step, as in Keras; if not, the decay is part of the direction and counts in its
        norm, as in the paper.

    Returns
    -------
    p, m, v : arrays, shape and dtype of p
        The new parameter and running means.

    Notes
    -----
    Where p or d is 0, the ratio of norms is 1.

    References
    ----------
    You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020.
    """
    if decoupled:
        p = p - lr * weight_decay * p
    gain, root_scale = 1 / (1 - b1**t), 1 / np.sqrt(1 - b2**t)
    p, m, v, direction = lamb_direction(p, g, m, v, g, gain, float(root_scale), 1 - b1, 1 - b2, eps)
    if not decoupled:
        direction = direction + weight_decay * p
    return p - lr * trust_ratio(norm(p), norm(direction)) * direction, m, v


@np.errstate(all="ignore")
def lars(
    p: Array,
    g: Array,
    v: Array,
    lr: float = 0.1,
    mu: float = 0.9,
    weight_decay: float = 0.0005,
    trust_coefficient: float = 0.001,
    eps: float = 0.0,
) -> tuple[Array, Array]:
    """LARS: momentum with a learning rate for each parameter, from the norms of the parameter and of its gradient.

    ``rate = lr * trust_coefficient * |p| / (|g| + weight_decay * |p| + eps)``, then
    ``v <- mu * v - rate * (g + weight_decay * p)`` and ``p <- p + v``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    v : array, shape and dtype of p
        Velocity, 0 at first.
    lr : float
        Learning rate.
    mu : float
        Momentum: the part of the velocity that is kept.
    weight_decay : float
        L2 penalty, added to the gradient.
    trust_coefficient : float
        Length of a step, relative to the parameter's.
    eps : float
        Added to the denominator.

    Returns
    -------
    p, v : arrays, shape and dtype of p
        The new parameter and velocity.

    Notes
    -----
    Where the norm of p or g is 0, ``rate = lr``.

    References
    ----------
    You, Gitman and Ginsburg, "Large batch training of convolutional networks", 2017, algorithm 1.
    """
    rate = lr * trust_ratio(norm(p), norm(g), trust_coefficient, weight_decay, eps)
    v = mu * v - rate * (g + weight_decay * p)
    return p + v, v


@np.errstate(all="ignore")
def adafactor(
    p: Array,
    g: Array,
    r: Array,
    c: Array | None,
    t: int,
    lr: float = 0.001,
    beta_2_decay: float = -0.8,
    eps1: float = 1e-30,
    eps2: float = 1e-3,
    clip_threshold: float = 1.0,
    weight_decay: float = 0.0,
    relative_step: bool = True,
) -> tuple[Array, Array, Array | None]:
    """Adafactor: RMSprop that remembers means of rows and columns of g**2 only, and steps relative to the parameter.

    ``rho = min(lr, 1 / sqrt(t))``, ``beta = 1 - t**beta_2_decay``, ``s = g**2 + eps1``;
    ``r <- beta * r + (1 - beta) * mean(s, -1)``, ``c <- beta * c + (1 - beta) * mean(s, -2)``,
    ``v = outer(r / mean(r, -1), c)``, ``u = g / sqrt(v)``;
    ``p <- p - rho * max(eps2, rms(p)) * u / max(1, rms(u) / clip_threshold)``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    r, c : arrays, shape of p without its last axis, and without the last but one
        0 at first.  For a parameter with fewer than two axes, r has the shape of p and is v itself, c is None.
    t : int
        Number of the step, from 1 on.
    lr : float
        The largest rate.
    beta_2_decay : float
        Exponent, negative.
    eps1 : float
        Keeps v above 0.
    eps2 : float
        The smallest scale of a parameter.
    clip_threshold : float
        The largest root mean square of u.
    weight_decay : float
        Decoupled: ``p <- p - lr * weight_decay * p`` before.
    relative_step : bool
        Without effect: Keras takes the smaller of lr and 1 / sqrt(t) in any case.

    Returns
    -------
    p, r, c : arrays
        The new parameter and state.

    References
    ----------
    Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", ICML 2018.
    """
    rate, beta = min(lr, 1 / float(np.sqrt(t))), 1 - float(t) ** beta_2_decay
    return adafactor_step(p - lr * weight_decay * p, g, r, c, rate, beta, eps1, eps2, clip_threshold)


@np.errstate(all="ignore")
def adafactor_step(
    p: Array,
    g: Array,
    r: Array,
    c: Array | None,
    rate: float,
    beta: float,
    eps1: float,
    eps2: float,
    threshold: float,
) -> tuple[Array, Array, Array | None]:
    """What the step number is for in `adafactor` has become numbers: the rate and beta.

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    r, c : arrays, shape of p without its last axis, and without the last but one
        As in `adafactor`.
    rate, beta : float
        The rate of the step; what the running means keep.
    eps1, eps2, threshold : float
        As in `adafactor`.

    Returns
    -------
    p, r, c : arrays
        The new parameter and state.
    """
    squares = g.astype(np.float64) ** 2 + eps1
    if c is None:
        v = r = beta * r + (1 - beta) * squares
    else:
        r = beta * r + (1 - beta) * squares.mean(axis=-1)
        c = beta * c + (1 - beta) * squares.mean(axis=-2)
        v = (r / r.mean(axis=-1, keepdims=True))[..., np.newaxis] * c[..., np.newaxis, :]
    u = g / np.sqrt(v)
    step = rate * np.maximum(eps2, rms(p)) / np.maximum(1.0, rms(u) / threshold)
    return p - float(step) * u, r, c


def rms(x: Array) -> float:
    """The root of the mean square of all elements, in float64."""
    return norm(x) / float(np.sqrt(x.size))


@np.errstate(all="ignore")
def muon(
    p: Array,
    g: Array,
    m: Array,
    lr: float = 0.001,
    mu: float = 0.95,
    nesterov: bool = True,
    weight_decay: float = 0.004,
    ns_steps: int = 5,
    a: float = 3.4445,
    b: float = -4.7750,
    c: float = 2.0315,
    rms_rate: float = 0.2,
) -> tuple[Array, Array]:
    """Muon: momentum whose step is made nearly orthogonal, so that all directions of a matrix learn alike.

    ``m <- mu * m + g``, ``x = g + mu * m`` (nesterov) or ``x = m``, ``x <- x / (|x| + 1e-7)``; then, `ns_steps` times,
    ``s = x x^T`` and ``x <- a x + (b s + c s s) x``; at last ``p <- p - lr * rms_rate * sqrt(max(shape)) * x``

    Parameters
    ----------
    p, g : matrices of one shape, float32 or float64
        Parameter; its gradient.
    m : matrix, shape and dtype of p
        Momentum, 0 at first.
    lr : float
        Learning rate.
    mu : float
        The part of the momentum that is kept.
    nesterov : bool
        Whether to look ahead.
    weight_decay : float
        Decoupled: ``p <- p - lr * weight_decay * p`` before.
    ns_steps : int
        Newton-Schulz iterations.
    a, b, c : float
        Their coefficients.
    rms_rate : float
        Root mean square of the step, about; 0 leaves x as it is.

    Returns
    -------
    p, m : matrices, shape and dtype of p
        The new parameter and momentum.

    References
    ----------
    Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    Liu et al., "Muon is scalable for LLM training", 2025.
    """
    p = p - lr * weight_decay * p
    m = mu * m + g
    x = g + mu * m if nesterov else m
    x = x * (1 / (norm(x) + 1e-7))
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(ns_steps):
        s = x @ x.T
        x = a * x + (b * s + c * (s @ s)) @ x
    scale = rms_rate * float(np.sqrt(max(x.shape))) if rms_rate else 1.0
    return p - lr * scale * (x.T if tall else x), m
