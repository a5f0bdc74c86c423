"""Clipping of gradients in place: by value, by the norm of one array, by the norm of all arrays together.

The functions that clip by a norm return the norm they found, because it is what one logs and what tells that a
gradient was not finite.  Norms are summed in double precision.  Refused: what could not be changed in place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn._native import fast
from fastnn.backend import NATIVE, current
from fastnn.ops._check import as_array, common_dtype, describe, number, well_formed, writable
from fastnn.ops.registry import Arguments, operation
from fastnn.reference import clipping as reference

Array = NDArray[Any]
Arrays = Mapping[Any, Any] | Sequence[Any]


def _sample_one(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((3 * rng.normal(size=shape).astype(dtype), 1.5), {})


def _sample_range(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((rng.normal(size=shape).astype(dtype), -0.5, 0.75), {})


def _sample_many(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments(([rng.normal(size=shape).astype(dtype), rng.normal(size=shape[-1:]).astype(dtype)], 1.5), {})


def _sample_sumsq(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((_sample_many(shape, dtype, rng).args[0],), {})


def _named(op: str, name: str, arrays: Any) -> dict[str, Any]:
    """The arrays of a collection, named for messages: `grads['W1']`, `grads[0]`."""
    if isinstance(arrays, Mapping):
        return {f"{name}[{key!r}]": array for key, array in arrays.items()}
    if isinstance(arrays, (list, tuple)):
        return {f"{name}[{index}]": array for index, array in enumerate(arrays)}
    raise TypeError(f"{op}: {name} must be a dict, list or tuple of arrays. Received: {describe(arrays)}")


def _sum_of_squares(arrays: list[Array]) -> float:
    """In order, in double precision; of infinite elements, or of doubles beyond 1e154, infinity."""
    total = 0.0
    for array in arrays:
        if array.size:
            total += current().sum_of_squares(well_formed(array, common_dtype(array)))
    return total


@np.errstate(all="ignore")
def _clip(op: str, arrays: dict[str, Any], max_norm: float, eps: float) -> float:
    """Scale all arrays so that their common norm is at most max_norm; the norm before that."""
    most, guard = number(op, "max_norm", max_norm, ">= 0"), number(op, "eps", eps, ">= 0")
    for name, array in arrays.items():
        writable(op, name, array, None, None)
    if len({id(array) for array in arrays.values()}) < len(arrays):
        raise ValueError(f"{op}: no array may stand in the collection twice. Received: {', '.join(arrays)}")
    norm = math.sqrt(_sum_of_squares(list(arrays.values())))
    if not norm + guard <= most:
        factor = most / (norm + guard)
        for array in arrays.values():
            np.multiply(array, factor, out=array)
    return norm


@operation("clipping", _sample_sumsq, reference=reference.sumsq)
def sumsq(arrays: Arrays) -> float:
    """Sum of the squares of all elements of several arrays.

    ``sumsq(arrays) = sum over arrays of sum x**2``

    Parameters
    ----------
    arrays : dict, list or tuple of arrays
        Arrays of any shapes and dtypes.

    Returns
    -------
    float
        Summed in double precision; infinite if an element is, or if doubles are so large (1e154) that their squares
        are.

    Raises
    ------
    TypeError
        Not a collection of arrays of real numbers.
    """
    if current() is NATIVE and (total := fast.sum_of_squares(arrays)) is not None:
        return total
    return _sum_of_squares([as_array("sumsq", name, a) for name, a in _named("sumsq", "arrays", arrays).items()])


@operation("clipping", _sample_range, reference=reference.clip_by_value, writes=("g",))
def clip_by_value_(g: Array, lo: float, hi: float) -> None:
    """Limit every element of a gradient, in place.

    ``g = min(max(g, lo), hi)``

    Parameters
    ----------
    g : array of float32 or float64, any shape and layout
        Gradient; changed in place.
    lo, hi : float
        The smallest and the largest value that stay as they are.

    Returns
    -------
    None

    Raises
    ------
    TypeError
        g is no NumPy array of float32 or float64, or a limit is no number.
    ValueError
        g cannot be written, a limit is NaN, or lo is greater than hi.

    Notes
    -----
    NaN stays NaN. Keras's `clipvalue=c` and PyTorch's `clip_grad_value_` are ``clip_by_value_(g, -c, c)``.
    """
    op = "clip_by_value_"
    low, high = number(op, "lo", lo), number(op, "hi", hi)
    if not low <= high:
        raise ValueError(f"{op}: lo must not be greater than hi. Received: lo {low!r}, hi {high!r}")
    if current() is NATIVE and fast.clip(g, low, high):
        return
    writable(op, "g", g, None, None)
    with np.errstate(all="ignore"):  # a limit that float32 cannot hold is infinite
        limits = np.array([low, high], g.dtype)
        np.minimum(np.maximum(g, limits[0], out=g), limits[1], out=g)


@operation("clipping", _sample_one, reference=reference.clip_by_norm, writes=("g",))
def clip_by_norm_(g: Array, max_norm: float, eps: float = 1e-6) -> float:
    """Scale a gradient, in place, so that its norm is at most max_norm.

    ``g = g * max_norm / (norm + eps)`` where ``norm + eps > max_norm``, with ``norm = sqrt(sum g**2)``

    Parameters
    ----------
    g : array of float32 or float64, any shape and layout
        Gradient; changed in place.
    max_norm : float, >= 0
        The norm that is not exceeded.
    eps : float, >= 0
        Added to the norm, as PyTorch does; 0 for Keras's `clipnorm`.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    TypeError
        g is no NumPy array of float32 or float64, or max_norm or eps is no number.
    ValueError
        g cannot be written, or max_norm or eps is negative.

    Notes
    -----
    If the norm is infinite, finite elements become 0 and infinite ones NaN; if it is NaN, all become NaN.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, section 3.2.
    """
    if current() is NATIVE and (norm := fast.clip_by_norm((g,), max_norm, eps)) is not None:
        return norm
    return _clip("clip_by_norm_", {"g": g}, max_norm, eps)


@operation("clipping", _sample_many, reference=reference.clip_by_global_norm, writes=("grads",))
def clip_by_global_norm_(grads: Arrays, max_norm: float, eps: float = 1e-6) -> float:
    """Scale all gradients, in place, so that their common norm is at most max_norm.

    ``g = g * max_norm / (norm + eps)`` for all g where ``norm + eps > max_norm``, with ``norm = sqrt(sumsq(grads))``

    Parameters
    ----------
    grads : dict, list or tuple of arrays of float32 or float64
        Gradients of all parameters; changed in place.
    max_norm : float, >= 0
        The norm that is not exceeded.
    eps : float, >= 0
        Added to the norm, as PyTorch's `clip_grad_norm_` does; 0 for Keras's `global_clipnorm`.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    TypeError
        grads is no collection, one of them is no NumPy array of float32 or float64, or max_norm or eps is no number.
    ValueError
        An array cannot be written or stands in the collection twice, or max_norm or eps is negative.

    Notes
    -----
    If the norm is infinite, finite elements become 0 and infinite ones NaN; if it is NaN, all become NaN.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, section 3.2.
    """
    if current() is NATIVE and (norm := fast.clip_by_norm(grads, max_norm, eps)) is not None:
        return norm
    return _clip("clip_by_global_norm_", _named("clip_by_global_norm_", "grads", grads), max_norm, eps)
