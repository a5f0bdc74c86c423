"""Steps that know the sign of the gradient only: lion, rprop."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array


@np.errstate(all="ignore")
def lion(
    p: Array,
    g: Array,
    m: Array,
    rate: float,
    beta1: float,
    one_minus_beta1: float,
    beta2: float,
    one_minus_beta2: float,
) -> tuple[Array, Array]:
    """Lion: steps of one size, in the direction of a running mean of the gradient.

    ``p <- p - rate * sign(beta1 * m + (1 - beta1) * g)``, then ``m <- beta2 * m + (1 - beta2) * g``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    m : array, shape and dtype of p
        Running mean of the gradient, 0 at first.
    rate : float
        Learning rate.
    beta1, one_minus_beta1 : float
        Weights of running mean and gradient in the direction of the step.
    beta2, one_minus_beta2 : float
        What the running mean keeps and takes.

    Returns
    -------
    p, m : arrays, shape and dtype of p
        The new parameter and state.

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.
    """
    p = p - rate * np.sign(beta1 * m + one_minus_beta1 * g)
    return p, beta2 * m + one_minus_beta2 * g


@np.errstate(all="ignore")
def rprop(
    p: Array,
    g: Array,
    last: Array,
    size: Array,
    shrink: float,
    grow: float,
    smallest: float,
    largest: float,
    take_back: float,
) -> tuple[Array, Array, Array]:
    """Resilient backpropagation: every parameter has a step size, which grows until its gradient turns.

    ``turn = sign(g * last)``; ``size <- clip(size * factor, smallest, largest)``, where ``factor`` is ``grow`` if
    ``turn > 0``, ``shrink`` if ``turn < 0``, else 1; then, if ``turn < 0``, ``last <- 0`` and
    ``p <- p + take_back * old size * sign(last)``; otherwise ``p <- p - size * sign(g)`` and ``last <- g``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    last : array, shape and dtype of p
        Gradient of the last step, 0 at first and after a turn.
    size : array, shape and dtype of p
        Step size, the learning rate at first.
    shrink, grow : float
        Factors of the step size.
    smallest, largest : float
        Its bounds.
    take_back : float
        1 takes the step back that led too far (Rprop+), 0 waits for the next one (iRprop-).

    Returns
    -------
    p, last, size : arrays, shape and dtype of p
        The new parameter and state.

    Notes
    -----
    For full batches: noise in the gradient's sign defeats it.  PyTorch's rule has ``take_back = 0``, the paper's 1.

    References
    ----------
    Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm", IEEE
    International Conference on Neural Networks, 1993.
    Igel and Huesken, "Improving the Rprop learning algorithm", Neural Computation, 2000.
    """
    turn = np.sign(g) * np.sign(last)
    factor = np.where(turn > 0, grow, np.where(turn < 0, shrink, 1.0)).astype(p.dtype)
    new = np.clip(size * factor, smallest, largest)
    change = np.where(turn < 0, take_back * size * np.sign(last), -new * np.sign(g))
    return p + change, np.where(turn < 0, 0.0, g).astype(p.dtype), new
