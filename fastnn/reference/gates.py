"""Activations over groups of columns: the gated linear units, and maxout, in readable NumPy.

All of them work along the last axis.  A gate takes its first half times an activation of its second half; the
activation's functions are those of `activations`, with their default parameters.
"""

from __future__ import annotations

import inspect

import numpy as np

from fastnn.reference import activations
from fastnn.reference.arrays import Array, double_precision


@double_precision
def gated(x: Array, gate: str = "sigmoid") -> Array:
    """The first half of the last axis times an activation of the second half.

    ``gated([a, b]) = a * gate(b)``

    Parameters
    ----------
    x : array, last axis of even length, float32 or float64
        Pre-activation: a and b side by side.
    gate : str
        Name of the activation.

    Returns
    -------
    array, half as long as x along the last axis
        Activation.

    References
    ----------
    Dauphin, Fan, Auli and Grangier, "Language modeling with gated convolutional networks", ICML 2017.
    Shazeer, "GLU variants improve transformer", 2020, arXiv:2002.05202.
    """
    a, b = np.split(x, 2, axis=-1)
    y: Array = a * getattr(activations, gate)(b)
    return y


@double_precision
def gated_backward(dy: Array, x: Array, gate: str = "sigmoid") -> Array:
    """Gradient of `gated`.

    ``da = dy * gate(b)``, ``db = dy * a * gate'(b)``

    Parameters
    ----------
    dy : array, half as long as x along the last axis
        Gradient with respect to the output.
    x : array, last axis of even length, float32 or float64
        Input of `gated`.
    gate : str
        Name of the activation.

    Returns
    -------
    array, shape of x
        Gradient with respect to x: da and db side by side.
    """
    a, b = np.split(x, 2, axis=-1)
    value, slope = getattr(activations, gate)(b), getattr(activations, f"{gate}_backward")
    kept = b if "x" in inspect.signature(slope).parameters else value
    return np.concatenate([dy * value, slope(dy * a, kept)], axis=-1)


def _pieces(x: Array, pieces: int) -> Array:
    return x.reshape(*x.shape[:-1], x.shape[-1] // pieces, pieces)


@double_precision
def maxout(x: Array, pieces: int = 2) -> Array:
    """The largest of the pieces of each unit: of several linear layers, whichever is on top.

    ``maxout(x)_u = max(x_(u * pieces), ..., x_(u * pieces + pieces - 1))``

    Parameters
    ----------
    x : array, last axis of length units * pieces, float32 or float64
        Pre-activation; the pieces of a unit lie side by side.
    pieces : int
        Pieces of each unit.

    Returns
    -------
    array, shape (..., units)
        Activation; NaN where a piece is NaN.

    References
    ----------
    Goodfellow, Warde-Farley, Mirza, Courville and Bengio, "Maxout networks", ICML 2013.
    """
    return np.max(_pieces(x, pieces), axis=-1)


@double_precision
def maxout_backward(dy: Array, x: Array, pieces: int = 2) -> Array:
    """Gradient of `maxout`: it goes to the piece that was the largest.

    ``dx = dy`` at the first of the largest pieces of each unit, 0 at the others

    Parameters
    ----------
    dy : array, shape (..., units)
        Gradient with respect to the output.
    x : array, last axis of length units * pieces, float32 or float64
        Input of `maxout`.
    pieces : int
        Pieces of each unit.

    Returns
    -------
    array, shape of x
        Gradient with respect to x.
    """
    winner = np.argmax(_pieces(x, pieces), axis=-1)
    dx = np.where(np.arange(pieces) == winner[..., np.newaxis], dy[..., np.newaxis], 0)
    return dx.reshape(x.shape)
