"""Activations that pass the input, or part of it, unchanged."""

from __future__ import annotations

import math

import numpy as np

from fastnn.reference.arrays import Array, NonNegative, own_precision
from fastnn.reference.special import blocked, scaled


@own_precision
def identity(x: Array) -> Array:
    """Linear activation: the input itself.

    ``identity(x) = x``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        A copy of ``x``.

    Notes
    -----
    Keras calls it ``"linear"``, PyTorch ``nn.Identity``.
    """
    return np.positive(x)


@own_precision
def identity_backward(dy: Array, y: Array) -> Array:
    """Gradient of `identity`: the incoming gradient itself.

    ``dx = dy``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `identity` (its values are not looked at).

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return np.positive(dy)


@own_precision
def relu(x: Array) -> Array:
    """Rectified linear unit: negative inputs become zero.

    ``relu(x) = max(x, 0)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[0, inf)``.

    Notes
    -----
    Not written as ``x * (x > 0)``, which would turn ``-inf`` into NaN.

    References
    ----------
    Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    Glorot, Bordes and Bengio, "Deep sparse rectifier neural networks", AISTATS 2011.
    """
    return np.maximum(x, 0)


@own_precision
def relu_backward(dy: Array, y: Array, zero_grad: float = 0.0) -> Array:
    """Gradient of `relu`, from its output.

    ``dx = dy`` where ``y > 0``, ``dy * zero_grad`` where ``y = 0``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `relu`.
    zero_grad : float
        Derivative wherever the output is exactly zero.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.  Where ``y`` is NaN, ``dy`` passes.

    Notes
    -----
    Any number in [0, 1] is a subgradient at the kink ``x = 0``.  Keras and PyTorch take 0, the default.  The output
    does not tell ``x = 0`` from ``x < 0``: with another ``zero_grad``, pass the *input* ``x`` in the place of ``y``
    (negative values give 0).
    """
    at_zero = np.nan_to_num(dy, nan=np.nan) * zero_grad  # an infinite dy would make NaN of zero_grad = 0
    return np.where(y == 0, at_zero, np.where(y < 0, 0, dy))


@own_precision
def leaky_relu(x: Array, alpha: float = 0.01) -> Array:
    """Rectified linear unit with a small slope for negative inputs, so that no unit stops learning.

    ``leaky_relu(x) = x`` where ``x > 0``, ``alpha * x`` elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    alpha : float
        Slope of the negative part.

    Returns
    -------
    array, shape and dtype of x
        Activation.

    Notes
    -----
    The default slope is the paper's and PyTorch's.  Keras calls it ``negative_slope``: 0.2 in the function, 0.3 in
    the layer.

    References
    ----------
    Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML 2013.
    """
    return np.where(x > 0, x, alpha * x)


@own_precision
def leaky_relu_backward(dy: Array, x: Array, alpha: float = 0.01) -> Array:
    """Gradient of `leaky_relu`, from its input.

    ``dx = dy`` where ``x > 0``, ``alpha * dy`` elsewhere

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `leaky_relu`.
    alpha : float
        Slope of the negative part.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; the derivative at 0 is ``alpha``, as in Keras and PyTorch.
    """
    return np.where(x > 0, dy, alpha * dy)


@own_precision
def relu6(x: Array) -> Array:
    """Rectified linear unit that does not exceed 6.

    ``relu6(x) = min(max(x, 0), 6)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[0, 6]``.

    References
    ----------
    Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.
    """
    return np.clip(x, 0, 6)


@own_precision
def relu6_backward(dy: Array, y: Array) -> Array:
    """Gradient of `relu6`, from its output.

    ``dx = dy`` where ``0 < y < 6``, ``0`` elsewhere

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `relu6`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; 0 at the two kinks, as in Keras and PyTorch.
    """
    return np.where((y <= 0) | (y >= 6), blocked(dy), dy)


@own_precision
def rectifier(
    x: Array, negative_slope: NonNegative = 0.0, max_value: NonNegative = math.inf, threshold: NonNegative = 0.0
) -> Array:
    """Rectified linear unit with a slope, a threshold and a largest value: Keras's general ``relu``.

    ``rectifier(x) = min(x, max_value)`` where ``x > threshold``, ``negative_slope * (x - threshold)`` elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    negative_slope : float, >= 0
        Slope below the threshold.
    max_value : float, >= 0
        Largest value; infinity for none (Keras's None).
    threshold : float, >= 0
        Where the unit begins to pass its input.

    Returns
    -------
    array, shape and dtype of x
        Activation.

    Notes
    -----
    ``fastnn.activations.relu`` takes these parameters under Keras's names. Negative ones are refused, as by Keras's
    ReLU layer.
    """
    return np.where(x > threshold, np.minimum(x, max_value), scaled(x - threshold, negative_slope))


@own_precision
def rectifier_backward(
    dy: Array,
    x: Array,
    negative_slope: NonNegative = 0.0,
    max_value: NonNegative = math.inf,
    threshold: NonNegative = 0.0,
) -> Array:
    """Gradient of `rectifier`, from its input.

    ``dx = 0`` where ``x >= max_value``, ``dy`` where ``threshold < x < max_value``, ``negative_slope * dy``
    elsewhere

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `rectifier`.
    negative_slope, max_value, threshold : float
        As in `rectifier`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; ``negative_slope`` at the threshold, 0 where ``x = max_value``.

    Notes
    -----
    Keras differs at its own kinks: with a slope and another parameter its derivative at the threshold is 0, and at
    a ``max_value`` other than 6 it is 1.
    """
    left = negative_slope * np.nan_to_num(dy, nan=np.nan)
    return np.where(x > threshold, np.where(np.nan_to_num(x, nan=np.nan) >= max_value, blocked(dy), dy), left)


@own_precision
def threshold(x: Array, threshold: float = 0.0, default_value: float = 0.0) -> Array:
    """The input where it exceeds a threshold, a constant elsewhere.

    ``threshold(x) = x`` where ``x > threshold``, ``default_value`` elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    threshold : float
        Inputs above it pass.
    default_value : float
        Value of all others.

    Returns
    -------
    array, shape and dtype of x
        Activation.

    Notes
    -----
    Keras and PyTorch (where the constant is called ``value``) have no defaults; those here make it `relu`.
    """
    return np.where(x <= threshold, x.dtype.type(default_value), x)


@own_precision
def threshold_backward(dy: Array, x: Array, threshold: float = 0.0, default_value: float = 0.0) -> Array:
    """Gradient of `threshold`, from its input.

    ``dx = dy`` where ``x > threshold``, ``0`` elsewhere

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `threshold`.
    threshold, default_value : float
        As in `threshold`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return np.where(x <= threshold, blocked(dy), dy)


@own_precision
def hard_shrink(x: Array, threshold: NonNegative = 0.5) -> Array:
    """The input, but zero where it is small.

    ``hard_shrink(x) = x`` where ``abs(x) > threshold``, ``0`` elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    threshold : float, >= 0
        Largest magnitude that becomes zero.

    Returns
    -------
    array, shape and dtype of x
        Activation.

    Notes
    -----
    PyTorch calls the parameter ``lambd``.

    References
    ----------
    Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81, 1994.
    """
    return np.where(np.abs(x) <= threshold, 0, x)


@own_precision
def hard_shrink_backward(dy: Array, y: Array, threshold: NonNegative = 0.5) -> Array:
    """Gradient of `hard_shrink`, from its output.

    ``dx = dy`` where ``y != 0``, ``0`` elsewhere

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `hard_shrink`, computed with the same parameters.
    threshold : float
        As in `hard_shrink`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; 0 at the two kinks, as in Keras and PyTorch.
    """
    return np.where(y == 0, blocked(dy), dy)


@own_precision
def soft_shrink(x: Array, threshold: NonNegative = 0.5) -> Array:
    """The input, moved towards zero by a constant and held there.

    ``soft_shrink(x) = x - threshold`` where ``x > threshold``, ``x + threshold`` where ``x < -threshold``, ``0``
    elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    threshold : float, >= 0
        How far every input is moved.

    Returns
    -------
    array, shape and dtype of x
        Activation.

    Notes
    -----
    The proximal operator of ``threshold * abs(x)``. PyTorch calls the parameter ``lambd``.

    References
    ----------
    Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81, 1994.
    """
    return np.where(np.abs(x) > threshold, x - np.copysign(x.dtype.type(threshold), x), blocked(x))


@own_precision
def soft_shrink_backward(dy: Array, y: Array, threshold: NonNegative = 0.5) -> Array:
    """Gradient of `soft_shrink`, from its output.

    ``dx = dy`` where ``y != 0``, ``0`` elsewhere

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `soft_shrink`, computed with the same parameters.
    threshold : float
        As in `soft_shrink`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; 0 at the two kinks, as in Keras and PyTorch.
    """
    return np.where(y == 0, blocked(dy), dy)
