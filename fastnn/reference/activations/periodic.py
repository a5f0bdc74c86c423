"""Activations made of sine and cosine."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, double_precision, extra_precision
from fastnn.reference.special import x_cosine_minus_sine


@double_precision
def sinusoid(x: Array) -> Array:
    """Sine.

    ``sinusoid(x) = sin(x)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[-1, 1]``; NaN at infinities, where there is no limit.

    Notes
    -----
    Compiled kernels are accurate for ``abs(x) <= 2**17`` in float32 and ``2**46`` in float64. Beyond, they return the
    value at that limit, which is not the sine of x.

    References
    ----------
    Sitzmann, Martel, Bergman, Lindell and Wetzstein, "Implicit neural representations with periodic activation
    functions", NeurIPS 2020.
    """
    return np.sin(x)


@double_precision
def sinusoid_backward(dy: Array, x: Array) -> Array:
    """Gradient of `sinusoid`, from its input.

    ``dx = dy * cos(x)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `sinusoid`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * np.cos(x)


@extra_precision
def sinc(x: Array) -> Array:
    """Sine over its argument.

    ``sinc(x) = sin(x) / x`` where ``x != 0``, ``1`` at 0

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[-0.2173, 1]``.

    Notes
    -----
    Not normalised: its first zero is at pi. ``numpy.sinc(x)`` is ``sinc(pi * x)``. Beyond the limits of `sinusoid`
    the sine in it is that of the limit, not of x.
    """
    far = np.where(x == 0, 1, x)
    return np.where(x == 0, 1, np.where(np.isinf(x), 0, np.sin(far) / far))


@extra_precision
def sinc_backward(dy: Array, x: Array) -> Array:
    """Gradient of `sinc`, from its input.

    ``dx = dy * (cos(x) - sin(x) / x) / x``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `sinc`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.

    Notes
    -----
    Near 0 the difference is ``-x / 3``; it is taken from the series of ``x * cos(x) - sin(x)``.
    """
    small, far = np.clip(x, -1, 1), np.where(x == 0, 1, x)
    near = x_cosine_minus_sine(small, -1) / np.where(small == 0, 1, small * small)
    far = (np.cos(far) - np.sin(far) / far) / far
    return dy * np.where(np.abs(x) < 1, near, np.where(np.isinf(x), 0, far))
