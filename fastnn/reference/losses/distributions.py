"""Element-wise losses that compare counts or probabilities; see the package for the conventions."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, NonNegative, double_precision


@double_precision
def poisson(p: Array, t: Array, eps: NonNegative = 1e-7) -> Array:
    """Negative logarithm of the Poisson probability of a count, from its predicted mean.

    ``poisson(p, t) = p - t * log(p + eps)``, the terms without p left out

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predicted means, positive.
    t : array, shape of p
        Counts.
    eps : float, >= 0
        Added to p before the logarithm is taken.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    Keras's `Poisson`; PyTorch's ``nn.PoissonNLLLoss(log_input=False)`` with ``eps=1e-8``.  For a predicted logarithm
    see `poisson_nll`.
    """
    return p - np.where(t == 0, 0, t * np.log(p + eps))


@double_precision
def poisson_grad(p: Array, t: Array, eps: NonNegative = 1e-7) -> Array:
    """Derivative of `poisson` with respect to the prediction.

    ``1 - t / (p + eps)``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predicted means, positive; counts.
    eps : float, >= 0
        As in `poisson`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return 1 - np.where(t == 0, 0, t / (p + eps))


@double_precision
def poisson_nll(p: Array, t: Array) -> Array:
    """Negative logarithm of the Poisson probability of a count, from the predicted logarithm of its mean.

    ``poisson_nll(p, t) = exp(p) - t * p``, the terms without p left out

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predicted logarithms of means.
    t : array, shape of p
        Counts.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    PyTorch's ``nn.PoissonNLLLoss`` with its defaults.  For a predicted mean see `poisson`.
    """
    difference = np.exp(p) - np.where(t == 0, 0, t * p)
    # both too large for the dtype: the larger of their logarithms decides
    finite = np.minimum(p, np.finfo(np.float64).max)
    larger = np.copysign(np.inf, finite - np.log(np.abs(t)) - np.log(np.abs(finite)))
    undecided = np.isnan(difference) & ~np.isnan(p) & ~np.isnan(t) & (np.isfinite(p) | np.isfinite(t))
    return np.where(undecided, larger, difference)


@double_precision
def poisson_nll_grad(p: Array, t: Array) -> Array:
    """Derivative of `poisson_nll` with respect to the prediction.

    ``exp(p) - t``

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predicted logarithms of means; counts.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.
    """
    return np.where(np.isinf(t) & np.isfinite(p), -t, np.exp(p) - t)


@double_precision
def kl_divergence(p: Array, t: Array, eps: NonNegative = 1e-7) -> Array:
    """Divergence of predicted from true probabilities; the loss of a sample is the sum over its elements.

    ``kl_divergence(p, t) = u * log(u / q)`` with ``u = clip(t, eps, 1)`` and ``q = clip(p, eps, 1)``

    Parameters
    ----------
    p : array, any shape, float32 or float64
        Predicted probabilities.
    t : array, shape of p
        True probabilities.
    eps : float, >= 0
        Keeps the logarithm finite.

    Returns
    -------
    array, shape and dtype of p
        Loss of each element, not yet averaged.

    Notes
    -----
    Keras's `KLDivergence`.  PyTorch's ``nn.KLDivLoss`` takes the logarithm of p and clips nothing.

    References
    ----------
    Kullback and Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22, 1951.
    """
    u = np.clip(t, eps, 1)
    return u * np.log(u / np.clip(p, eps, 1))


@double_precision
def kl_divergence_grad(p: Array, t: Array, eps: NonNegative = 1e-7) -> Array:
    """Derivative of `kl_divergence` with respect to the prediction.

    ``-clip(t, eps, 1) / p`` where ``eps <= p <= 1``, 0 elsewhere

    Parameters
    ----------
    p, t : arrays of one shape, float32 or float64
        Predicted probabilities; true probabilities.
    eps : float, >= 0
        As in `kl_divergence`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each element's loss.  It is 0 where ``p`` was clipped.
    """
    return np.where((p < eps) | (p > 1), 0, -np.clip(t, eps, 1) / p)
