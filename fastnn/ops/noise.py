"""Dropout with any source of randomness, and the counter-based random bits behind it.

With the same seed a mask is the same for any number of threads.  Code that must reproduce its own masks hands them in
(`mask`) or the uniform numbers they are drawn from (`u`).  Refused: probabilities outside [0, 1], masks of floats, and
more than one source of randomness.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._native import fast
from fastnn.backend import NATIVE, current
from fastnn.ops._check import as_array, describe, into, number, operands, received, well_formed
from fastnn.ops.registry import Arguments, operation
from fastnn.reference import random as reference

Array = NDArray[Any]
Mask = NDArray[np.bool_]


def _sample_dropout(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((rng.normal(size=shape).astype(dtype), 0.25), {"rng": 1234})


def _sample_backward(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((rng.normal(size=shape).astype(dtype), rng.random(shape) >= 0.25, 0.25), {})


def _sample_bits(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((1234, 1, 2, math.prod(shape)), {})


def _factor(op: str, p: float, scale: float | None) -> float:
    """What kept elements are multiplied by; nothing is kept where p = 1."""
    if scale is not None:
        return number(op, "scale", scale)
    return 1.0 / (1.0 - p) if p < 1 else 0.0


def _given_mask(op: str, mask: object, shape: tuple[int, ...]) -> Mask:
    array = as_array(op, "mask", mask)
    if array.dtype.kind == "f":
        raise TypeError(f"{op}: mask must hold bools or integers, 0 where an element drops. {received(mask=array)}")
    if array.shape != shape:
        raise ValueError(f"{op}: mask must have shape {shape}. {received(mask=array)}")
    return well_formed(array, np.dtype(np.bool_))


def _kept(u: object, x: Array, p: float) -> Mask | None:
    """The mask that uniform numbers give, if they are an array that needs no checks."""
    if type(u) is np.ndarray and u.dtype.kind == "f" and u.shape == x.shape:
        return np.asarray(u >= p)
    return None


def seed_of(op: str, rng: Any) -> int:
    """64 bits from a generator (anything with `bytes`), or the seed itself."""
    if type(rng) is int and 0 <= rng < 2**64:
        return rng
    if rng is None:
        return int.from_bytes(os.urandom(8), "little")
    if type(rng) is int or (isinstance(rng, (int, np.integer)) and not isinstance(rng, bool)):
        return _word(op, "rng", rng, 64)
    if not hasattr(rng, "bytes"):
        raise TypeError(f"{op}: rng must be a NumPy generator or a whole number. Received: {describe(rng)}")
    return int.from_bytes(rng.bytes(8), "little")


def _word(op: str, name: str, value: Any, bits: int) -> int:
    """An unsigned number of that many bits."""
    if type(value) is int and 0 <= value < 1 << bits:
        return value
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{op}: {name} must be a whole number. {received(**{name: value})}")
    if not 0 <= value < 2**bits:
        raise ValueError(f"{op}: {name} must be from 0 to 2**{bits} - 1. {received(**{name: value})}")
    return int(value)


@operation("random", _sample_dropout, backward="dropout_backward")
def dropout(
    x: ArrayLike,
    p: float,
    *,
    mask: ArrayLike | None = None,
    u: ArrayLike | None = None,
    scale: float | None = None,
    rng: Any = None,
    out: Array | None = None,
) -> tuple[Any, Any]:
    """Zero a random part of the elements, and scale the others so that the mean stays.

    ``y = x * scale`` where the mask is set, 0 elsewhere

    Parameters
    ----------
    x : array, any shape
        Activations.
    p : float, from 0 to 1
        Probability of an element to be dropped.
    mask : array of bools or integers, shape of x, optional
        The mask itself: not 0 where an element is kept.
    u : array of floats, shape of x, optional
        Numbers drawn uniformly from [0, 1): an element is kept where u >= p.
    scale : float, optional
        Factor of the elements kept. Default: 1 / (1 - p); 1 for the kind of dropout that scales at inference.
    rng : Generator, RandomState or int, optional
        Where the mask comes from if neither mask nor u is given: a seed (from 0 to 2**64 - 1) always gives the same
        mask; a generator is asked for 8 bytes. Default: fresh entropy.
    out : array, optional
        Where to put y: of its shape and dtype. It may be exactly x, not a shifted view of it.

    Returns
    -------
    y : array, shape of x
        NumPy's result dtype for x, at least float32. Dropped elements are 0, even if they were infinite or NaN.
    mask : array of bool, shape of x
        True where an element was kept; `dropout_backward` wants it.

    Raises
    ------
    TypeError
        An argument does not hold real numbers, or the mask holds floats.
    ValueError
        Shapes differ, p is out of range, or there is more than one of mask, u and rng.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", Journal of Machine Learning Research 15, 2014.
    """
    op = "dropout"
    rate = p if type(p) is float and 0.0 <= p <= 1.0 else number(op, "p", p, ">= 0 and <= 1")
    seed = None
    if mask is u is scale is None and rate < 1.0 and current() is NATIVE and fast.readable(x):
        seed = seed_of(op, rng)
        if (result := fast.dropout(x, seed, rate, out)) is not None:
            return result
    return _dropout(op, x, rate, mask, u, scale, rng, seed, out)


def _dropout(
    op: str, x: Any, rate: float, mask: Any, u: Any, scale: Any, rng: Any, seed: int | None, out: Any
) -> tuple[Any, Any]:
    """The general way of `dropout`."""
    factor = _factor(op, rate, scale)
    if (mask is not None) + (u is not None) + (rng is not None) > 1:
        raise ValueError(f"{op}: expected one of mask, u and rng. {received(mask=mask, u=u, rng=rng)}")
    if current() is NATIVE and fast.readable(x):
        given = mask if u is None else _kept(u, x, rate)
        if given is not None and (scaled := fast.masked_scale(x, given, factor, out)) is not None:
            return scaled, given
    (array,), dtype, shape = operands(op, {"x": x})
    if mask is not None:
        kept = _given_mask(op, mask, shape)
    elif u is not None:
        uniform = as_array(op, "u", u)
        if uniform.shape != shape:
            raise ValueError(f"{op}: u must have shape {shape}. {received(u=uniform)}")
        kept = np.asarray(uniform >= rate)
    elif rate == 1 or not array.size:
        kept = np.zeros(shape, np.bool_)
    else:
        seed, kept = seed_of(op, rng) if seed is None else seed, np.empty(shape, np.bool_)
        drawn = kept.view(np.uint8)
        if scale is None:
            y = into(op, out, shape, dtype, lambda y: current().dropout(array, y, drawn, seed, 0, 0, rate), same=(x,))
            return y, kept if shape else kept[()]
        current().dropout(array, np.empty_like(array), drawn, seed, 0, 0, rate)
    y = _scaled(op, x, array, kept, factor, out, apart=(mask, u))
    return y, kept if shape else kept[()]


def _scaled(op: str, x: Any, array: Array, kept: Mask, factor: float, out: Any, apart: tuple[Any, ...]) -> Any:
    flags = kept.view(np.uint8)

    def fill(y: Array) -> None:
        current().masked_scale(array, flags, y, factor)

    return into(op, out, array.shape, array.dtype, fill, same=(x,), apart=apart)


@operation("random", _sample_backward, reference=reference.masked_scale)
def dropout_backward(
    dy: ArrayLike, mask: ArrayLike, p: float, *, scale: float | None = None, out: Array | None = None
) -> Any:
    """Gradient of `dropout`, from its mask.

    ``dx = dy * scale`` where the mask is set, 0 elsewhere

    Parameters
    ----------
    dy : array, any shape
        Gradient with respect to the output.
    mask : array of bools or integers, shape of dy
        As `dropout` returned it.
    p, scale : float
        As in `dropout`.
    out : array, optional
        Where to put the result: of its shape and dtype. It may be exactly dy, not a shifted view of it.

    Returns
    -------
    array, shape of dy
        Gradient with respect to x.

    Raises
    ------
    TypeError
        dy does not hold real numbers, or the mask holds floats.
    ValueError
        Shapes differ, or p is out of range.
    """
    op = "dropout_backward"
    factor = _factor(op, number(op, "p", p, ">= 0 and <= 1"), scale)
    if current() is NATIVE and (dx := fast.masked_scale(dy, mask, factor, out)) is not None:
        return dx
    (array,), _, shape = operands(op, {"dy": dy})
    return _scaled(op, dy, array, _given_mask(op, mask, shape), factor, out, apart=(mask,))


@operation("random", _sample_bits, reference=reference.random_bits)
def random_bits(seed: int, stream: int, step: int, n: int) -> NDArray[np.uint32]:
    """Words of a counter-based random stream (Philox4x32-10).

    ``word i = philox(key=seed, counter=(i // 4, step, stream))[i % 4]``

    Parameters
    ----------
    seed : int, from 0 to 2**64 - 1
        Names the run.
    stream : int, from 0 to 2**32 - 1
        Names the place that draws, such as one layer.
    step : int, from 0 to 2**32 - 1
        Names the training step.
    n : int
        Number of words.

    Returns
    -------
    array of uint32, shape (n,)
        Independent, uniformly distributed words, the same on every machine and for any number of threads.

    Raises
    ------
    TypeError
        An argument is not a whole number.
    ValueError
        An argument is out of its range.

    References
    ----------
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    op = "random_bits"
    words = np.empty(_word(op, "n", n, 62), np.uint32)
    key, counter = _word(op, "seed", seed, 64), (_word(op, "stream", stream, 32), _word(op, "step", step, 32))
    if words.size:
        current().random_bits(words, key, *counter)
    return words
