"""Losses that measure how alike a row of predictions and a row of targets are: direction and overlap."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, NonNegative, Positive, exactly


def _unit(x: Array, eps: float) -> tuple[Array, Array]:
    """Rows of length 1, and what they were multiplied by."""
    scale = np.minimum(1 / np.sqrt(np.sum(x * x, axis=-1, keepdims=True)), 1 / eps)
    return x * scale, scale


@exactly
def cosine_similarity(p: Array, t: Array, eps: Positive = 1e-7) -> Array:
    """Minus the cosine of the angle between prediction and target.

    ``-sum_c u_c * q_c`` with ``q = p * min(1 / norm(p), 1 / eps)`` and ``u = t * min(1 / norm(t), 1 / eps)``

    Parameters
    ----------
    p : array, shape (..., outputs), float32 or float64
        Predictions.
    t : array, shape (..., outputs)
        Targets.
    eps : float, > 0
        Smallest norm that is divided by.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    Keras's: -1 for equal directions, 1 for opposite ones.
    """
    losses: Array = -np.sum(_unit(p, eps)[0] * _unit(t, eps)[0], axis=-1)
    return losses


@exactly
def cosine_similarity_grad(p: Array, t: Array, eps: Positive = 1e-7) -> Array:
    """Derivative of `cosine_similarity` with respect to the predictions.

    ``(cos * q - u) * min(1 / norm(p), 1 / eps)``; ``-u / eps`` where ``norm(p) < eps``

    Parameters
    ----------
    p : array, shape (..., outputs), float32 or float64
        Predictions.
    t : array, shape (..., outputs)
        Targets.
    eps : float, > 0
        As in `cosine_similarity`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each row's loss.
    """
    (q, scale), (u, _) = _unit(p, eps), _unit(t, eps)
    cosine = np.sum(u * q, axis=-1, keepdims=True)
    gradient: Array = (np.where(scale < 1 / eps, cosine * q, 0) - u) * scale
    return gradient


@exactly
def dice(p: Array, t: Array, eps: NonNegative = 1e-7) -> Array:
    """One minus the overlap of two sets, given as the degrees to which each element belongs to them.

    ``1 - 2 * sum(t * p) / (sum(t) + sum(p) + eps)``

    Parameters
    ----------
    p : array, shape (..., outputs), float32 or float64
        Predictions, from 0 to 1.
    t : array, shape (..., outputs)
        Targets, from 0 to 1.
    eps : float, >= 0
        Keeps empty sets from 0 / 0.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    Keras's formula for one row; Keras takes the sums over the whole batch by default, as `fastnn.losses.Dice` does.

    References
    ----------
    Milletari, Navab and Ahmadi, "V-Net: Fully convolutional neural networks for volumetric medical image
    segmentation", 2016.
    """
    return 1 - 2 * np.sum(t * p, axis=-1) / (np.sum(t, axis=-1) + np.sum(p, axis=-1) + eps)


@exactly
def dice_grad(p: Array, t: Array, eps: NonNegative = 1e-7) -> Array:
    """Derivative of `dice` with respect to the predictions.

    ``-2 * (t - sum(t * p) / w) / w`` with ``w = sum(t) + sum(p) + eps``

    Parameters
    ----------
    p : array, shape (..., outputs), float32 or float64
        Predictions, from 0 to 1.
    t : array, shape (..., outputs)
        Targets, from 0 to 1.
    eps : float, >= 0
        As in `dice`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each row's loss.
    """
    whole = np.sum(t, axis=-1, keepdims=True) + np.sum(p, axis=-1, keepdims=True) + eps
    gradient: Array = -2 * (t - np.sum(t * p, axis=-1, keepdims=True) / whole) / whole
    return gradient


@exactly
def tversky(p: Array, t: Array, alpha: NonNegative = 0.5, beta: NonNegative = 0.5, eps: NonNegative = 1e-7) -> Array:
    """`dice` with factors for the two ways in which sets can differ.

    ``1 - i / w`` with ``i = sum(t * p)`` and ``w = i + alpha * sum(t * (1 - p)) + beta * sum(p * (1 - t)) + eps``

    Parameters
    ----------
    p : array, shape (..., outputs), float32 or float64
        Predictions, from 0 to 1.
    t : array, shape (..., outputs)
        Targets, from 0 to 1.
    alpha : float, >= 0
        Factor of what only the targets have.
    beta : float, >= 0
        Factor of what only the predictions have.
    eps : float, >= 0
        Keeps empty sets from 0 / 0.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    Keras's formula for one row; which of alpha and beta belongs to what is as in its code.

    References
    ----------
    Salehi, Erdogmus and Gholipour, "Tversky loss function for image segmentation using 3D fully
    convolutional deep networks", 2017.
    """
    both = np.sum(t * p, axis=-1)
    return 1 - both / (both + alpha * np.sum(t * (1 - p), axis=-1) + beta * np.sum(p * (1 - t), axis=-1) + eps)


@exactly
def tversky_grad(
    p: Array, t: Array, alpha: NonNegative = 0.5, beta: NonNegative = 0.5, eps: NonNegative = 1e-7
) -> Array:
    """Derivative of `tversky` with respect to the predictions.

    ``(i * w' / w - t) / w`` with ``w' = t * (1 - alpha - beta) + beta``

    Parameters
    ----------
    p : array, shape (..., outputs), float32 or float64
        Predictions, from 0 to 1.
    t : array, shape (..., outputs)
        Targets, from 0 to 1.
    alpha, beta, eps : float, >= 0
        As in `tversky`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each row's loss.
    """
    both = np.sum(t * p, axis=-1, keepdims=True)
    missed, invented = np.sum(t * (1 - p), axis=-1, keepdims=True), np.sum(p * (1 - t), axis=-1, keepdims=True)
    whole = both + alpha * missed + beta * invented + eps
    gradient: Array = (both * (t * (1 - alpha - beta) + beta) / whole - t) / whole
    return gradient
