"""Activations that are straight lines between constants, and the parabolas that round them off."""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, double_precision, own_precision
from fastnn.reference.special import blocked, scaled


@own_precision
def binary_step(x: Array) -> Array:
    """Binary step: off below zero, on from zero upwards.

    ``binary_step(x) = 0`` where ``x < 0``, ``1`` elsewhere

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        0 or 1.

    Notes
    -----
    The perceptron's activation; it takes 1 at 0, where `heaviside` takes 1/2. The derivative is zero everywhere.

    References
    ----------
    McCulloch and Pitts, "A logical calculus of the ideas immanent in nervous activity", Bulletin of Mathematical
    Biophysics 5, 1943.
    """
    return np.where(x < 0, 0, np.where(x >= 0, 1, x))


@own_precision
def binary_step_backward(dy: Array, y: Array) -> Array:
    """Gradient of `binary_step`, from its output.

    ``dx = 0``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `binary_step`.

    Returns
    -------
    array, shape and dtype of dy
        Zero everywhere: a unit behind it learns nothing by gradients.
    """
    return blocked(dy + y)


@own_precision
def heaviside(x: Array) -> Array:
    """Unit step with 1/2 at zero.

    ``heaviside(x) = 0`` where ``x < 0``, ``1/2`` at 0, ``1`` where ``x > 0``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        0, 1/2 or 1.

    Notes
    -----
    ``numpy.heaviside(x, 0.5)``. The derivative is zero everywhere.
    """
    return np.where(x < 0, 0, np.where(x > 0, 1, x + 0.5))


@own_precision
def heaviside_backward(dy: Array, y: Array) -> Array:
    """Gradient of `heaviside`, from its output.

    ``dx = 0``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `heaviside`.

    Returns
    -------
    array, shape and dtype of dy
        Zero everywhere: a unit behind it learns nothing by gradients.
    """
    return blocked(dy + y)


@own_precision
def sign(x: Array) -> Array:
    """Sign of the input.

    ``sign(x) = -1`` where ``x < 0``, ``0`` at 0, ``1`` where ``x > 0``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        -1, 0 or 1; a zero keeps its sign.

    Notes
    -----
    The derivative is zero everywhere.

    References
    ----------
    Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in the brain",
    Psychological Review 65, 1958.
    """
    return np.where(x < 0, -1, np.where(x > 0, 1, x))


@own_precision
def sign_backward(dy: Array, y: Array) -> Array:
    """Gradient of `sign`, from its output.

    ``dx = 0``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `sign`.

    Returns
    -------
    array, shape and dtype of dy
        Zero everywhere: a unit behind it learns nothing by gradients.
    """
    return blocked(dy + y)


@own_precision
def piecewise_linear(x: Array) -> Array:
    """Straight line of slope 1 between the constants 0 and 1.

    ``piecewise_linear(x) = min(max(x + 1/2, 0), 1)``

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
    A hard sigmoid of slope 1; `hard_sigmoid` has the slope 1/6, `clipped_linear` any.
    """
    return np.clip(x + 0.5, 0, 1)


@own_precision
def piecewise_linear_backward(dy: Array, x: Array) -> Array:
    """Gradient of `piecewise_linear`, from its input.

    ``dx = dy`` where ``-1/2 < x < 1/2``, ``0`` elsewhere

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `piecewise_linear`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; 0 at the two kinks.
    """
    return np.where(np.abs(x) >= 0.5, blocked(dy), dy)


@double_precision
def hard_sigmoid(x: Array) -> Array:
    """Straight line of slope 1/6 between the constants 0 and 1, in the place of a sigmoid.

    ``hard_sigmoid(x) = min(max(x / 6 + 1/2, 0), 1) = min(max(x + 3, 0), 6) / 6``

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
    Keras 3 and PyTorch have this slope. Keras 2 and Theano had ``0.2 * x + 0.5``: `clipped_linear` with that slope
    and offset.

    References
    ----------
    Courbariaux, Bengio and David, "BinaryConnect: training deep neural networks with binary weights during
    propagations", NIPS 2015.
    """
    return np.clip(x + 3, 0, 6) / 6


@double_precision
def hard_sigmoid_backward(dy: Array, x: Array) -> Array:
    """Gradient of `hard_sigmoid`, from its input.

    ``dx = dy / 6`` where ``-3 < x < 3``, ``0`` elsewhere

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `hard_sigmoid`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; 0 at the two kinks, as in Keras and PyTorch.
    """
    return np.where(np.abs(x) >= 3, blocked(dy), dy / 6)


@own_precision
def hard_tanh(x: Array, min_value: float = -1.0, max_value: float = 1.0) -> Array:
    """The input itself, held between two bounds.

    ``hard_tanh(x) = min(max(x, min_value), max_value)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    min_value : float
        Lower bound.
    max_value : float
        Upper bound, above the lower one.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[min_value, max_value]``.

    Notes
    -----
    PyTorch calls the bounds ``min_val`` and ``max_val``; Keras has -1 and 1.

    References
    ----------
    Collobert, "Large scale machine learning", PhD thesis, Universite Paris VI, 2004.
    """
    return np.where(x < min_value, min_value, np.where(x > max_value, max_value, x))


@own_precision
def hard_tanh_backward(dy: Array, y: Array, min_value: float = -1.0, max_value: float = 1.0) -> Array:
    """Gradient of `hard_tanh`, from its output.

    ``dx = dy`` where ``min_value < y < max_value``, ``0`` elsewhere

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `hard_tanh`, computed with the same parameters.
    min_value, max_value : float
        As in `hard_tanh`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; 0 at the two kinks, as in Keras and PyTorch.
    """
    finite = np.nan_to_num(y, nan=np.nan)  # a bound may be infinite, and is then no kink
    return np.where((finite <= min_value) | (finite >= max_value), blocked(dy), dy)


@own_precision
def clipped_linear(
    x: Array, slope: float = 1.0, offset: float = 0.0, min_value: float = 0.0, max_value: float = 1.0
) -> Array:
    """Any straight line, held between two bounds.

    ``clipped_linear(x) = min(max(slope * x + offset, min_value), max_value)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.
    slope : float
        Slope of the line.
    offset : float
        Its value at 0.
    min_value : float
        Lower bound.
    max_value : float
        Upper bound, above the lower one.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[min_value, max_value]``.

    Notes
    -----
    The general form of `hard_tanh`, `piecewise_linear` and, with slope 0.2 and offset 0.5, of the hard sigmoid that
    Keras 2 and Theano had.
    """
    line = scaled(x, slope) + offset
    return np.where(line < min_value, min_value, np.where(line > max_value, max_value, line))


@own_precision
def clipped_linear_backward(
    dy: Array, y: Array, slope: float = 1.0, offset: float = 0.0, min_value: float = 0.0, max_value: float = 1.0
) -> Array:
    """Gradient of `clipped_linear`, from its output.

    ``dx = slope * dy`` where ``min_value < y < max_value``, ``0`` elsewhere

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `clipped_linear`, computed with the same parameters.
    slope, offset, min_value, max_value : float
        As in `clipped_linear`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; 0 at the two kinks.
    """
    finite = np.nan_to_num(y, nan=np.nan)  # a bound may be infinite, and is then no kink
    return np.where((finite <= min_value) | (finite >= max_value), blocked(dy), slope * np.nan_to_num(dy, nan=np.nan))


@double_precision
def hard_silu(x: Array) -> Array:
    """Input times a hard sigmoid, also called hard swish.

    ``hard_silu(x) = x * min(max(x + 3, 0), 6) / 6``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation; its minimum is -3/8 at ``x = -3/2``.

    References
    ----------
    Howard et al., "Searching for MobileNetV3", ICCV 2019.
    """
    return np.maximum(x, -3) * (np.clip(x + 3, 0, 6) / 6)


@double_precision
def hard_silu_backward(dy: Array, x: Array) -> Array:
    """Gradient of `hard_silu`, from its input.

    ``dx = 0`` where ``x <= -3``, ``dy`` where ``x >= 3``, ``dy * (x / 3 + 1/2)`` between

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `hard_silu`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; at the kinks that of the outer branches, as in PyTorch.
    """
    return np.where(x <= -3, blocked(dy), np.where(x >= 3, dy, dy * (x / 3 + 0.5)))


@double_precision
def sparse_plus(x: Array) -> Array:
    """Rectified linear unit whose kink is rounded by a parabola: exactly zero on the left, exactly x on the right.

    ``sparse_plus(x) = 0`` where ``x <= -1``, ``(x + 1)**2 / 4`` where ``-1 < x < 1``, ``x`` where ``x >= 1``

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
    The integral of `sparse_sigmoid`, as `softplus` is that of `sigmoid`.

    References
    ----------
    Blondel, Martins and Niculae, "Learning classifiers with Fenchel-Young losses: generalized entropies, margins,
    and algorithms", AISTATS 2019.
    """
    near = np.clip(x, -1, 1)
    return np.where(x >= 1, x, (near + 1) ** 2 / 4)


@double_precision
def sparse_plus_backward(dy: Array, x: Array) -> Array:
    """Gradient of `sparse_plus`, from its input.

    ``dx = dy * min(max((x + 1) / 2, 0), 1)``

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `sparse_plus`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``.
    """
    return dy * (np.clip(x, -1, 1) + 1) / 2


@own_precision
def sparse_sigmoid(x: Array) -> Array:
    """Straight line of slope 1/2 between the constants 0 and 1.

    ``sparse_sigmoid(x) = min(max((x + 1) / 2, 0), 1)``

    Parameters
    ----------
    x : array, any shape, float32 or float64
        Pre-activation.

    Returns
    -------
    array, shape and dtype of x
        Activation, in ``[0, 1]``.

    References
    ----------
    Blondel, Martins and Niculae, "Learning classifiers with Fenchel-Young losses: generalized entropies, margins,
    and algorithms", AISTATS 2019.
    """
    return (np.clip(x, -1, 1) + 1) / 2


@own_precision
def sparse_sigmoid_backward(dy: Array, x: Array) -> Array:
    """Gradient of `sparse_sigmoid`, from its input.

    ``dx = dy / 2`` where ``-1 < x < 1``, ``0`` elsewhere

    Parameters
    ----------
    dy, x : arrays of one shape, float32 or float64
        Gradient with respect to the output; input of `sparse_sigmoid`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; 0 at the two kinks, as in Keras.
    """
    return np.where(np.abs(x) >= 1, blocked(dy), dy / 2)
