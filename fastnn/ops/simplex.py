"""Softmin, sparsemax and gumbel-softmax, along any axis, with their gradients.

As for softmax, kernels work on the last axis of contiguous rows; another axis costs a copy there and back.  Refused:
arrays without dimensions, axes that are not there, temperatures that are not positive.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn._native import fast
from fastnn.backend import NATIVE, current
from fastnn.ops import _documentation
from fastnn.ops._check import flag, number, operands, received
from fastnn.ops.noise import seed_of
from fastnn.ops.registry import Arguments, operation
from fastnn.ops.rowwise import Array, _along, _axis, _sample_gradient, _sample_logits
from fastnn.reference import simplex as reference


@operation("rows", _sample_logits, reference=reference.softmin, backward="softmin_backward")
def softmin(x: ArrayLike, axis: int = -1, out: Array | None = None) -> Any:
    if current() is NATIVE and (result := fast.softmin(x, axis, out)) is not None:
        return result
    return _along("softmin", axis, out, current().softmin, x=x)


@operation("rows", _sample_gradient(reference.softmin), reference=reference.softmin_backward)
def softmin_backward(dy: ArrayLike, y: ArrayLike, axis: int = -1, out: Array | None = None) -> Any:
    if current() is NATIVE and (result := fast.softmin_backward(dy, y, axis, out)) is not None:
        return result
    return _along("softmin_backward", axis, out, current().softmin_backward, dy=dy, y=y)


@operation("rows", _sample_logits, reference=reference.sparsemax, backward="sparsemax_backward")
def sparsemax(x: ArrayLike, axis: int = -1, out: Array | None = None) -> Any:
    if current() is NATIVE and (result := fast.sparsemax(x, axis, out)) is not None:
        return result
    return _along("sparsemax", axis, out, current().sparsemax, x=x)


@operation("rows", _sample_gradient(reference.sparsemax), reference=reference.sparsemax_backward)
def sparsemax_backward(dy: ArrayLike, y: ArrayLike, axis: int = -1, out: Array | None = None) -> Any:
    if current() is NATIVE and (result := fast.sparsemax_backward(dy, y, axis, out)) is not None:
        return result
    return _along("sparsemax_backward", axis, out, current().sparsemax_backward, dy=dy, y=y)


def _sample_gumbel(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments(((3 * rng.normal(size=shape)).astype(dtype),), {"temperature": 0.5, "rng": 1234})


def gumbel_noise(seed: int, n: int) -> Array:
    """n draws from the standard Gumbel distribution, float64: -log(-log((word + 1/2) / 2**32))."""
    words = np.empty(n, np.uint32)
    if n:
        current().random_bits(words, seed, 0, 0)
    return -np.log(-np.log((words + 0.5) / 2.0**32))


@operation("random", _sample_gumbel, backward="gumbel_softmax_backward")
def gumbel_softmax(
    x: ArrayLike,
    temperature: float = 1.0,
    *,
    hard: bool = False,
    noise: ArrayLike | None = None,
    rng: Any = None,
    axis: int = -1,
    out: Array | None = None,
) -> tuple[Any, Any]:
    """Softmax of noisy logits: a differentiable draw from the categories.

    ``gumbel_softmax(x) = softmax((x + noise) / temperature)``; noise is ``-log(-log(u))`` with u uniform in (0, 1)

    Parameters
    ----------
    x : array, at least one dimension
        Logits.
    temperature : float, > 0
        The lower, the nearer to a draw of one category.
    hard : bool
        Whether y is 1 at the largest element (the first of several) and 0 elsewhere, instead of the probabilities.
    noise : array of floats, shape of x, optional
        Draws from the standard Gumbel distribution.
    rng : Generator, RandomState or int, optional
        Where the noise comes from if it is not given, as in `dropout`.
    axis : int
        The axis along which the probabilities sum to 1.
    out : array, optional
        Where to put soft: of its shape and dtype. It may be exactly x, not a shifted view of it.

    Returns
    -------
    y : array, shape of x
        The draw: soft itself, or, if hard, its largest element as a one-hot vector.
    soft : array, shape of x
        The probabilities; `gumbel_softmax_backward` wants them, whether y is hard or not.

    Raises
    ------
    TypeError
        An argument does not hold real numbers.
    ValueError
        Shapes differ, the temperature is not positive, or both noise and rng are given.

    Notes
    -----
    PyTorch returns y alone; its gradient for hard draws is the same straight-through estimate.

    References
    ----------
    Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax", ICLR 2017.
    Maddison et al., "The concrete distribution: a continuous relaxation of discrete random variables", ICLR
    2017.
    """
    op = "gumbel_softmax"
    factor, hard = number(op, "temperature", temperature, "> 0"), flag(op, "hard", hard)
    if noise is not None and rng is not None:
        raise ValueError(f"{op}: expected one of noise and rng. {received(noise=noise, rng=rng)}")
    (array,), dtype, shape = operands(op, {"x": x})
    if not shape:
        raise ValueError(f"{op}: expected at least one dimension. {received(x=x)}")
    if noise is None:
        drawn = gumbel_noise(seed_of(op, rng), array.size).reshape(shape)
    else:
        _, (drawn,) = array, operands(op, {"noise": noise})[0]
        if drawn.shape != shape:
            raise ValueError(f"{op}: noise must have the shape of x. {received(x=x, noise=noise)}")

    def kernel(source: Array, y: Array) -> None:
        with np.errstate(all="ignore"):
            position = np.ascontiguousarray(np.moveaxis(drawn, place, -1)).reshape(source.shape)
            noisy = ((source + position) / factor).astype(dtype)
        current().softmax(noisy, y)

    place = _axis(op, axis, len(shape))
    soft = _along(op, axis, out, kernel, x=x)
    if not hard:
        return soft, soft
    categories = np.arange(shape[place]).reshape(-1, *(1,) * (len(shape) - 1 - place))
    winner = np.argmax(soft, axis=place, keepdims=True) if soft.size else np.zeros_like(categories[:1])
    return (categories == winner).astype(dtype).reshape(shape), soft


@operation("random", _sample_gradient(reference.softmin), reference=reference.gumbel_softmax_backward)
def gumbel_softmax_backward(
    dy: ArrayLike, y: ArrayLike, temperature: float = 1.0, axis: int = -1, out: Array | None = None
) -> Any:
    factor = number("gumbel_softmax_backward", "temperature", temperature, "> 0")

    def kernel(gradient: Array, soft: Array, dx: Array) -> None:
        current().softmax_backward(gradient, soft, dx)
        with np.errstate(all="ignore"):
            dx /= factor

    return _along("gumbel_softmax_backward", axis, out, kernel, dy=dy, y=y)


for _function in (softmin, softmin_backward, sparsemax, sparsemax_backward, gumbel_softmax_backward):
    _function.__doc__ = _documentation.public(getattr(reference, _function.__name__))
