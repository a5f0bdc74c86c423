"""Activations that multiply the input by a gate made of it."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, double_precision, extra_precision
from fastnn.reference.special import BEYOND as _BEYOND
from fastnn.reference.special import (
    finite_square,
    gelu_gate_exponent,
    log_one_plus_exp,
    logistic,
    normal_cdf,
    normal_pdf,
    root_gate,
)


@double_precision
def silu(x: Array) -> Array:
    """Sigmoid-weighted linear unit, also called swish.

    ``silu(x) = x * sigmoid(x)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation; its minimum is -0.2785 at ``x = -1.2785``.

    References
    ----------
    Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function approximation in
    reinforcement learning", Neural Networks 107, 2018.
    Ramachandran, Zoph and Le, "Searching for activation functions", arXiv:1710.05941, 2017.
    """
    return np.maximum(x, -1000) * logistic(x)  # sigmoid(-1000) is 0 in float64


@double_precision
def silu_backward(dy: Array, x: Array) -> Array:
    """Gradient of `silu`, from its input.

    ``dx = dy * s * (1 + x * (1 - s))`` with ``s = sigmoid(x)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `silu`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * logistic(x) * (1 + np.clip(x, -1000, 1000) * logistic(-x))


@extra_precision
def gelu(x: Array) -> Array:
    """Gaussian error linear unit, exact form: the input times the normal distribution function.

    ``gelu(x) = x * Phi(x)`` with ``Phi(x) = erfc(-x / sqrt(2)) / 2``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation; its minimum is -0.1700 at ``x = -0.7518``.

    Notes
    -----
    The exact form is the default of Keras's ``activations.gelu`` and of PyTorch; Keras's ``ops.gelu`` defaults to
    the approximation `gelu_tanh`.  In the left tail, ``1 + erf`` cancels, ``erfc`` does not.

    References
    ----------
    Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415, 2016.
    """
    return np.maximum(x, -_BEYOND) * normal_cdf(np.clip(x, -_BEYOND, _BEYOND))


@extra_precision
def gelu_backward(dy: Array, x: Array) -> Array:
    """Gradient of `gelu`, from its input.

    ``dx = dy * (Phi(x) + x * phi(x))`` with ``phi(x) = exp(-x**2 / 2) / sqrt(2 * pi)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `gelu`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    x = np.clip(x, -_BEYOND, _BEYOND)
    return dy * (normal_cdf(x) + x * normal_pdf(x))


@extra_precision
def gelu_tanh(x: Array) -> Array:
    """Gaussian error linear unit, the approximation by a hyperbolic tangent.

    ``gelu_tanh(x) = x / 2 * (1 + tanh(u)) = x * sigmoid(2 * u)`` with ``u = sqrt(2 / pi) * (x + 0.044715 * x**3)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation; it differs from `gelu` by at most 0.00048.

    Notes
    -----
    ``approximate=True`` in Keras, ``"tanh"`` in PyTorch.  In the left tail, ``1 + tanh`` cancels, the sigmoid does not.

    References
    ----------
    Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415, 2016.
    """
    exponent, _ = gelu_gate_exponent(np.clip(x, -_BEYOND, _BEYOND))
    return np.maximum(x, -_BEYOND) * logistic(exponent)


@extra_precision
def gelu_tanh_backward(dy: Array, x: Array) -> Array:
    """Gradient of `gelu_tanh`, from its input.

    ``dx = dy * s * (1 + x * 2 * u' * (1 - s))`` with ``s = sigmoid(2 * u)``, ``u`` as in `gelu_tanh` and
    ``u' = sqrt(2 / pi) * (1 + 3 * 0.044715 * x**2)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `gelu_tanh`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    x = np.clip(x, -_BEYOND, _BEYOND)
    exponent, slope = gelu_gate_exponent(x)
    return dy * logistic(exponent) * (1 + x * slope * logistic(-exponent))


@extra_precision
def quick_gelu(x: Array) -> Array:
    """Gaussian error linear unit, the approximation by a logistic function.

    ``quick_gelu(x) = x * sigmoid(1.702 * x)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation; it differs from `gelu` by at most 0.0203.

    References
    ----------
    Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415, 2016.
    """
    return np.maximum(x, -1000) * logistic(x.dtype.type("1.702") * x)  # sigmoid(-1000) is 0 in float64


@extra_precision
def quick_gelu_backward(dy: Array, x: Array) -> Array:
    """Gradient of `quick_gelu`, from its input.

    ``dx = dy * s * (1 + 1.702 * x * (1 - s))`` with ``s = sigmoid(1.702 * x)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `quick_gelu`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    x = x.dtype.type("1.702") * np.clip(x, -1000, 1000)
    return dy * logistic(x) * (1 + x * logistic(-x))


@extra_precision
def mish(x: Array) -> Array:
    """Input times the hyperbolic tangent of its softplus.

    ``mish(x) = x * tanh(log(1 + exp(x)))``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation; its minimum is -0.3088 at ``x = -1.1924``.

    References
    ----------
    Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020.
    """
    return np.maximum(x, -1000) * np.tanh(log_one_plus_exp(x))


@extra_precision
def mish_backward(dy: Array, x: Array) -> Array:
    """Gradient of `mish`, from its input.

    ``dx = dy * (t + x * sigmoid(x) * (1 - t**2))`` with ``t = tanh(softplus(x))``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `mish`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    gate = np.tanh(log_one_plus_exp(x))
    return dy * (gate + np.clip(x, -1000, 1000) * logistic(x) * (1 - gate) * (1 + gate))


@extra_precision
def dish(x: Array) -> Array:
    """Sigmoid-weighted linear unit without exponentials.

    ``dish(x) = x / 2 * (1 + x / sqrt(1 + x**2))``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation; its minimum is -0.1501 at ``x = -0.7862``.

    Notes
    -----
    The shape of `silu` and `gelu` from one square root; it is Thinc's.
    """
    x = finite_square(x)
    return x * root_gate(x, 1.0)


@extra_precision
def dish_backward(dy: Array, x: Array) -> Array:
    """Gradient of `dish`, from its input.

    ``dx = dy * (1 + s) / 2 * (1 + s - s**2)`` with ``s = x / sqrt(1 + x**2)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `dish`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    x = finite_square(x)
    sine = x / np.sqrt(1 + x * x)
    return dy * root_gate(x, 1.0) * (1 + sine * (1 - sine))
