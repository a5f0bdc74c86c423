"""Randomised leaky ReLU, in training and at inference, with its gradient.

Slopes are drawn as dropout draws its masks: with the same seed they are the same for any number of threads.  Refused:
slopes of another shape, and more than one source of randomness.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._native import fast
from fastnn.backend import NATIVE, current
from fastnn.ops._check import flag, into, number, operands, received
from fastnn.ops.noise import seed_of
from fastnn.ops.registry import Arguments, operation

Array = NDArray[Any]


def _sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((rng.normal(size=shape).astype(dtype),), {"rng": 1234})


def _sample_backward(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    dy, x = rng.normal(size=(2, *shape))
    return Arguments((dy.astype(dtype), np.where(x > 0, 1, rng.uniform(1 / 8, 1 / 3, shape)).astype(dtype)), {})


@operation("random", _sample, backward="rrelu_backward")
def rrelu(
    x: ArrayLike,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    *,
    training: bool = True,
    slopes: ArrayLike | None = None,
    rng: Any = None,
    out: Array | None = None,
) -> tuple[Any, Any]:
    """Leaky rectified linear unit whose slope for negative inputs is drawn anew for every element.

    ``y = x`` where ``x > 0``, ``slope * x`` elsewhere

    Parameters
    ----------
    x : array, any shape
        Pre-activation.
    lower, upper : float
        The interval from which slopes are drawn uniformly.
    training : bool
        Whether slopes are drawn; if not, all of them are (lower + upper) / 2.
    slopes : array of floats, shape of x, optional
        The slopes themselves; they count where ``x <= 0``.
    rng : Generator, RandomState or int, optional
        Where the slopes come from if they are not given, as in `dropout`.
    out : array, optional
        Where to put y: of its shape and dtype. It may be exactly x, not a shifted view of it.

    Returns
    -------
    y : array, shape of x
        Activation.
    slopes : array, shape of x
        Derivative of every element: 1 where ``x > 0``, its slope elsewhere; `rrelu_backward` wants it.

    Raises
    ------
    TypeError
        An argument does not hold real numbers.
    ValueError
        Shapes differ, lower is above upper, or slopes and rng are both given or given although nothing is drawn.

    References
    ----------
    Xu, Wang, Chen and Li, "Empirical evaluation of rectified activations in convolutional network", 2015,
    arXiv:1505.00853.
    """
    op = "rrelu"
    low = lower if type(lower) is float else number(op, "lower", lower)
    high = upper if type(upper) is float else number(op, "upper", upper)
    if not low <= high:
        raise ValueError(f"{op}: lower must not be above upper. {received(lower=lower, upper=upper)}")
    drawing = (training if type(training) is bool else flag(op, "training", training)) and slopes is None
    if rng is not None and not drawing:
        raise ValueError(f"{op}: rng serves only where slopes are drawn. {received(training=training, slopes=slopes)}")
    seed = None
    if drawing and current() is NATIVE and fast.readable(x):
        seed = seed_of(op, rng)
        if (result := fast.rrelu(x, seed, low, high, out)) is not None:
            return result
    return _rrelu(op, x, low, high, drawing, slopes, rng, seed, out)


def _rrelu(
    op: str, x: Any, low: float, high: float, drawing: bool, slopes: Any, rng: Any, seed: Any, out: Any
) -> tuple[Any, Any]:
    """The general way of `rrelu`."""
    if slopes is None:
        (array,), dtype, shape = operands(op, {"x": x})
        derivative = np.full(shape, (low + high) / 2, dtype)
    else:
        (array, given), dtype, shape = operands(op, {"x": x, "slopes": slopes})
        derivative = np.array(given, dtype)
    if drawing and seed is None:
        seed = seed_of(op, rng)

    def fill(y: Array) -> None:
        if drawing:
            current().rrelu(array, y, derivative, seed, 0, 0, low, high)
        else:
            derivative[array > 0] = 1
            current().multiply(array, derivative, y)

    y = into(op, out, shape, dtype, fill, same=(x,), apart=(slopes,))
    return y, derivative if shape else derivative[()]


@operation("random", _sample_backward)
def rrelu_backward(dy: ArrayLike, slopes: ArrayLike, *, out: Array | None = None) -> Any:
    """Gradient of `rrelu`, from its slopes.

    ``dx = dy * slopes``

    Parameters
    ----------
    dy, slopes : arrays of one shape
        Gradient with respect to the output; slopes as `rrelu` returned them.
    out : array, optional
        Where to put the result: of its shape and dtype. It may be exactly an input, not a shifted view of one.

    Returns
    -------
    array, shape of dy
        Gradient with respect to x.

    Raises
    ------
    TypeError
        An argument does not hold real numbers.
    ValueError
        Shapes differ.
    """
    if current() is NATIVE and (dx := fast.multiply(dy, slopes, out)) is not None:
        return dx
    return _rrelu_backward(dy, slopes, out)


def _rrelu_backward(dy: Any, slopes: Any, out: Any) -> Any:
    """The general way of `rrelu_backward`."""
    op = "rrelu_backward"
    (gradient, factors), dtype, shape = operands(op, {"dy": dy, "slopes": slopes})
    return into(op, out, shape, dtype, lambda dx: current().multiply(gradient, factors, dx), same=(dy, slopes))
