"""The activation functions, forward and backward side by side, in readable NumPy.

Every row of the compiled table has its twin here: ``name(x)`` and ``name_backward(dy, kept)``.  The second argument
of a backward function is called ``x`` or ``y`` after what the forward pass has to keep for it: the input, or the
output where the derivative can be read off the output.  Parameters come last, by keyword, with the public default.

Common to all: NaN in, NaN out (at a NaN the piecewise linear ones pass ``dy``, by one of their slopes); infinities give
the limit of the formula, never ``inf * 0``; no warnings.
"""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, NonNegative, double_precision, extra_precision, own_precision
from fastnn.reference.special import gelu_gate_exponent, log_one_plus_exp, logistic, normal_cdf, normal_pdf


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


@double_precision
def elu(x: Array, alpha: NonNegative = 1.0) -> Array:
    """Exponential linear unit: negative inputs saturate smoothly at -alpha.

    ``elu(x) = x`` where ``x > 0``, ``alpha * (exp(x) - 1)`` elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    alpha : float, >= 0
        Minus the limit for ``x -> -inf``.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[-alpha, inf)``.

    Notes
    -----
    ``exp(x) - 1`` is evaluated as one function, so small negative inputs keep all their digits.  ``alpha`` must not
    be negative because the backward pass reads the sign of ``x`` off the output.

    References
    ----------
    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear units
    (ELUs)", ICLR 2016.
    """
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@double_precision
def elu_backward(dy: Array, y: Array, alpha: NonNegative = 1.0) -> Array:
    """Gradient of `elu`, from its output.

    ``dx = dy`` where ``y > 0``, ``dy * (y + alpha)`` elsewhere

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `elu`, computed with the same ``alpha``.
    alpha : float, >= 0
        As in `elu`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; the derivative at 0 is ``alpha``.

    Notes
    -----
    ``alpha * exp(x) = y + alpha``: the exponential is not computed again.
    """
    return dy * np.where(y > 0, 1, y + alpha)


@double_precision
def sigmoid(x: Array) -> Array:
    """Logistic function, which maps the real line to (0, 1).

    ``sigmoid(x) = 1 / (1 + exp(-x))``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[0, 1]``.

    Notes
    -----
    Evaluated as ``exp(x) / (1 + exp(x))`` for negative ``x``: no overflow, and small results keep all their digits.

    References
    ----------
    Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
    """
    return logistic(x)


@double_precision
def sigmoid_backward(dy: Array, y: Array) -> Array:
    """Gradient of `sigmoid`, from its output.

    ``dx = dy * y * (1 - y)``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `sigmoid`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; the derivative is at most 1/4.
    """
    return dy * y * (1 - y)


@double_precision
def tanh(x: Array) -> Array:
    """Hyperbolic tangent, which maps the real line to (-1, 1).

    ``tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)) = 2 * sigmoid(2 * x) - 1``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[-1, 1]``.

    References
    ----------
    LeCun, Bottou, Orr and Mueller, "Efficient BackProp", in "Neural Networks: Tricks of the Trade", 1998.
    """
    return np.tanh(x)


@double_precision
def tanh_backward(dy: Array, y: Array) -> Array:
    """Gradient of `tanh`, from its output.

    ``dx = dy * (1 - y**2)``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `tanh`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * (1 - y) * (1 + y)


@double_precision
def softplus(x: Array) -> Array:
    """Smooth version of the rectified linear unit.

    ``softplus(x) = log(1 + exp(x)) = max(x, 0) + log1p(exp(-abs(x)))``

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
    The same function everywhere, as in Keras; PyTorch switches to ``x`` above a threshold of 20.

    References
    ----------
    Dugas, Bengio, Belisle, Nadeau and Garcia, "Incorporating second-order functional knowledge for better option
    pricing", NIPS 2000.
    """
    return log_one_plus_exp(x)


@double_precision
def softplus_backward(dy: Array, x: Array) -> Array:
    """Gradient of `softplus`, from its input.

    ``dx = dy * sigmoid(x)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `softplus`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * logistic(x)


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


_BEYOND = 200  # there, in every floating-point format, the normal distribution is 0 or 1 and its density 0


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
