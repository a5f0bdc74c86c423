"""Normalisation of every sample along one or more axes: layer, root mean square, unit and local response.

Every forward function returns (y, cache), and its backward function takes the cache; it holds the input itself, not a
copy, so the input must not change in between.  Axes that are not the last ones are moved there and back.  Refused: axes
that are named twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.backend import current
from fastnn.ops._check import as_array, common_dtype, into, number, received, well_formed
from fastnn.ops._window import integer
from fastnn.ops.normalization import EPS, dtype_of, formed, one_axis, per_channel, sample_gradient
from fastnn.ops.registry import Arguments, operation

Array = NDArray[Any]
Axes = int | tuple[int, ...]


class RowNormCache(NamedTuple):
    """What the backward functions need.

    x: matrix of the rows.  stats: (2, rows), means and inverse deviations.  order: of the axes before they became rows
    and columns.  affine: shape of gamma and beta.
    """

    kind: str
    x: Array
    gamma: Array | None
    has_beta: bool
    stats: NDArray[np.float64]
    eps: float
    shape: tuple[int, ...]
    order: tuple[int, ...]
    affine: tuple[int, ...]


class LocalResponseCache(NamedTuple):
    """What `lrn_backward` needs: the input as rows of channels, and the numbers."""

    x: Array
    numbers: tuple[int, float, float, float]
    shape: tuple[int, ...]
    order: tuple[int, ...]


def _axes(op: str, axis: Any, ndim: int) -> tuple[int, ...]:
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(sorted(one_axis(op, a, ndim) for a in given))
    if not axes or len(set(axes)) < len(axes):
        raise ValueError(f"{op}: axis must name one or more axes, each once. Received: {axis!r}")
    return axes


def _order(axes: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """All axes, those that are normalised at the end."""
    return (*(a for a in range(ndim) if a not in axes), *axes)


def _rows(array: Array, order: tuple[int, ...], count: int, dtype: np.dtype[Any]) -> Array:
    """The array as a matrix whose rows are normalised; count: of axes that make a row."""
    moved = well_formed(array.transpose(order), dtype)
    split = len(order) - count
    return moved.reshape(math.prod(moved.shape[:split]), math.prod(moved.shape[split:]))


def _filled(shape: tuple[int, ...], order: tuple[int, ...], rows: Array, kernel: Callable[[Array], None]) -> Any:
    """What fills an array of `shape` from a kernel that writes rows."""

    def fill(out: Array) -> None:
        if order == tuple(range(len(order))):
            kernel(out.reshape(rows.shape))
            return
        matrix = np.empty(rows.shape, out.dtype)
        kernel(matrix)
        out.transpose(order)[...] = matrix.reshape([shape[a] for a in order])

    return fill


def _forward(
    op: str,
    kind: str,
    x: ArrayLike,
    gamma: ArrayLike | None,
    beta: ArrayLike | None,
    axis: Any,
    eps: Any,
    out: Array | None,
) -> tuple[Any, RowNormCache]:
    array, margin = as_array(op, "x", x), number(op, "eps", eps, EPS)
    axes = _axes(op, axis, array.ndim)
    affine, order = tuple(array.shape[a] for a in axes), _order(axes, array.ndim)
    factors, shifts = (per_channel(op, n, v, (affine,)) for n, v in (("gamma", gamma), ("beta", beta)))
    dtype = dtype_of(array, factors, shifts)
    rows = _rows(array, order, len(axes), dtype)
    factors, shifts = (None if a is None else well_formed(a, dtype).reshape(-1) for a in (factors, shifts))
    stats = np.zeros((2, len(rows)))

    def kernel(matrix: Array) -> None:
        current().row_norm(kind, rows, factors, shifts, matrix, stats, margin)

    y = into(op, out, array.shape, dtype, _filled(array.shape, order, rows, kernel), apart=(x, gamma, beta))
    return y, RowNormCache(kind, rows, factors, beta is not None, stats, margin, array.shape, order, affine)


def _backward(op: str, dy: ArrayLike, cache: Any, out: Array | None) -> tuple[Any, Any, Any]:
    gradient = as_array(op, "dy", dy)
    if not isinstance(cache, RowNormCache):
        raise TypeError(f"{op}: cache must be what the forward function returned. {received(cache=cache)}")
    if gradient.shape != cache.shape:
        raise ValueError(f"{op}: dy must have the shape of the output, {cache.shape}. {received(dy=gradient)}")
    dtype = common_dtype(gradient, cache.x)
    x, factors = well_formed(cache.x, dtype), formed(cache.gamma, dtype)
    given = _rows(gradient, cache.order, len(cache.affine), dtype)
    dgamma = None if factors is None else np.zeros(cache.affine, dtype)
    dbeta = np.zeros(cache.affine, dtype) if cache.has_beta else None

    def kernel(matrix: Array) -> None:
        of_gamma, of_beta = (None if a is None else a.reshape(-1) for a in (dgamma, dbeta))
        current().row_norm_backward(cache.kind, given, x, factors, cache.stats, matrix, of_gamma, of_beta, cache.eps)

    fill = _filled(cache.shape, cache.order, x, kernel)
    dx = into(op, out, cache.shape, dtype, fill, same=(dy,), apart=(cache.x, cache.gamma))
    return dx, dgamma, dbeta


# -------------------------------------------------------------------------------------------------------------- samples


def _sample_rows(arrays: int) -> Any:
    """x and so many arrays of the shape of its last axis, which has a few elements at least."""

    def sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
        cols = max(4, shape[-1])
        affine = rng.normal(1, 0.3, (arrays, cols)).astype(dtype)
        return Arguments((rng.normal(size=(*shape[:-1], cols)).astype(dtype), *affine), {})

    return sample


def _sample_local(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((rng.normal(size=shape).astype(dtype),), {"size": 3, "alpha": 0.5})


# ------------------------------------------------------------------------------------------------------------ functions


@operation("normalization", _sample_rows(2), backward="layernorm_backward")
def layernorm(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    eps: float = 1e-3,
    out: Array | None = None,
) -> tuple[Any, RowNormCache]:
    """Normalise every sample by its own mean and variance.

    ``y = gamma * (x - mean) / sqrt(variance + eps) + beta``, with statistics over the given axes

    Parameters
    ----------
    x : array
        Activations.
    gamma, beta : arrays, shape of x along the given axes, optional
        Scale and shift of each element. Default: 1 and 0.
    axis : int or tuple of int
        The axes that are normalised.
    eps : float, >= 0
        Added to the variance. Keras has 1e-3, PyTorch 1e-5.
    out : array, optional
        Where to put y; it must not share memory with an input.

    Returns
    -------
    y : array, shape of x
        NumPy's result dtype for x, gamma and beta, at least float32.
    cache
        What `layernorm_backward` needs.

    Raises
    ------
    TypeError
        An argument does not hold real numbers.
    ValueError
        Shapes do not fit, or a number is out of range.

    References
    ----------
    Ba, Kiros and Hinton, "Layer normalization", 2016, arXiv:1607.06450.
    """
    return _forward("layernorm", "layer", x, gamma, beta, axis, eps, out)


@operation("normalization", sample_gradient(layernorm, _sample_rows(2)))
def layernorm_backward(dy: ArrayLike, cache: RowNormCache, *, out: Array | None = None) -> tuple[Any, Any, Any]:
    """Gradients of `layernorm`.

    With ``z = (x - mean) / deviation`` and ``h = gamma * dy``: ``dx = (h - mean(h) - z * mean(h * z)) / deviation``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the output.
    cache
        What `layernorm` returned.
    out : array, optional
        Where to put dx. It may be exactly dy, not a shifted view of it.

    Returns
    -------
    (dx, dgamma, dbeta)
        In the shapes of x, gamma and beta; None for gamma or beta that were not given.

    Raises
    ------
    TypeError
        dy does not hold real numbers, or cache is something else.
    ValueError
        dy has another shape than the output.
    """
    return _backward("layernorm_backward", dy, cache, out)


@operation("normalization", _sample_rows(1), backward="rmsnorm_backward")
def rmsnorm(
    x: ArrayLike, gamma: ArrayLike | None = None, *, axis: Axes = -1, eps: float = 1e-6, out: Array | None = None
) -> tuple[Any, RowNormCache]:
    """Divide every sample by the root of its mean square.

    ``y = gamma * x / sqrt(mean(x ** 2) + eps)``, the mean over the given axes

    Parameters
    ----------
    x : array
        Activations.
    gamma : array, shape of x along the given axes, optional
        Scale of each element. Default: 1.
    axis : int or tuple of int
        The axes that are normalised.
    eps : float, >= 0
        Added to the mean square. Keras has 1e-6, PyTorch the machine epsilon.
    out : array, optional
        Where to put y; it must not share memory with an input.

    Returns
    -------
    y : array, shape of x
        NumPy's result dtype for x and gamma, at least float32.
    cache
        What `rmsnorm_backward` needs.

    Raises
    ------
    TypeError
        An argument does not hold real numbers.
    ValueError
        Shapes do not fit, or a number is out of range.

    References
    ----------
    Zhang and Sennrich, "Root mean square layer normalization", NeurIPS 2019.
    """
    return _forward("rmsnorm", "rms", x, gamma, None, axis, eps, out)


@operation("normalization", sample_gradient(rmsnorm, _sample_rows(1)))
def rmsnorm_backward(dy: ArrayLike, cache: RowNormCache, *, out: Array | None = None) -> tuple[Any, Any]:
    """Gradients of `rmsnorm`.

    With ``z = x / rms`` and ``h = gamma * dy``: ``dx = (h - z * mean(h * z)) / rms``, ``dgamma = sum(dy * z)``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the output.
    cache
        What `rmsnorm` returned.
    out : array, optional
        Where to put dx. It may be exactly dy, not a shifted view of it.

    Returns
    -------
    (dx, dgamma)
        In the shapes of x and gamma; None for a gamma that was not given.

    Raises
    ------
    TypeError
        dy does not hold real numbers, or cache is something else.
    ValueError
        dy has another shape than the output.
    """
    return _backward("rmsnorm_backward", dy, cache, out)[:2]


@operation("normalization", _sample_rows(0), backward="unit_normalize_backward")
def unit_normalize(
    x: ArrayLike, *, axis: Axes = -1, eps: float = 1e-12, out: Array | None = None
) -> tuple[Any, RowNormCache]:
    """Divide every sample by its Euclidean norm.

    ``y = x / max(sqrt(sum(x ** 2)), eps)``, the sum over the given axes

    Parameters
    ----------
    x : array
        Activations.
    axis : int or tuple of int
        The axes that are normalised.
    eps : float, >= 0
        The smallest norm that is divided by.
    out : array, optional
        Where to put y; it must not share memory with x.

    Returns
    -------
    y : array, shape of x
        x's dtype, at least float32.
    cache
        What `unit_normalize_backward` needs.

    Raises
    ------
    TypeError
        x does not hold real numbers.
    ValueError
        A number is out of range.
    """
    return _forward("unit_normalize", "unit", x, None, None, axis, eps, out)


@operation("normalization", sample_gradient(unit_normalize, _sample_rows(0)))
def unit_normalize_backward(dy: ArrayLike, cache: RowNormCache, *, out: Array | None = None) -> Any:
    """Gradient of `unit_normalize`.

    ``dx = (dy - y * sum(dy * y)) / norm``; where the norm was below eps, ``dx = dy / eps``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the output.
    cache
        What `unit_normalize` returned.
    out : array, optional
        Where to put the result. It may be exactly dy, not a shifted view of it.

    Returns
    -------
    array, shape of x
        NumPy's result dtype for dy and x, at least float32.

    Raises
    ------
    TypeError
        dy does not hold real numbers, or cache is something else.
    ValueError
        dy has another shape than the output.
    """
    return _backward("unit_normalize_backward", dy, cache, out)[0]


@operation("normalization", _sample_local, backward="lrn_backward")
def lrn(
    x: ArrayLike,
    size: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    axis: int = -1,
    out: Array | None = None,
) -> tuple[Any, LocalResponseCache]:
    """Local response normalisation: divide every channel by what its neighbours show at the same place.

    ``y[c] = x[c] / (k + alpha / size * sum(x[c - size // 2 : c + (size + 1) // 2] ** 2)) ** beta``

    Parameters
    ----------
    x : array
        Activations.
    size : int
        Number of neighbours, with the channel itself; those outside of the channels count as 0.
    alpha, beta, k : float, alpha and beta >= 0, k > 0
        As in the formula. The paper, and TensorFlow, do not divide alpha by size; PyTorch and Caffe do.
    axis : int
        The axis of the channels.
    out : array, optional
        Where to put y; it must not share memory with x.

    Returns
    -------
    y : array, shape of x
        x's dtype, at least float32.
    cache
        What `lrn_backward` needs.

    Raises
    ------
    TypeError
        x does not hold real numbers.
    ValueError
        A number is out of range.

    References
    ----------
    Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012.
    """
    op = "lrn"
    array, neighbours = as_array(op, "x", x), integer(op, "size", size)
    order = _order((one_axis(op, axis, array.ndim),), array.ndim)
    scale = number(op, "alpha", alpha, EPS) / neighbours
    numbers = (neighbours, scale, number(op, "beta", beta, EPS), number(op, "k", k, "> 0 and < inf"))
    dtype = common_dtype(array)
    rows = _rows(array, order, 1, dtype)
    fill = _filled(array.shape, order, rows, lambda y: current().local_response(rows, y, *numbers))
    return into(op, out, array.shape, dtype, fill, apart=(x,)), LocalResponseCache(rows, numbers, array.shape, order)


@operation("normalization", sample_gradient(lrn, _sample_local))
def lrn_backward(dy: ArrayLike, cache: LocalResponseCache, *, out: Array | None = None) -> Any:
    """Gradient of `lrn`.

    With the base ``s`` of the power:
    ``dx = dy * s ** -beta - 2 * alpha / size * beta * x * sum(dy * x * s ** (-beta - 1))``, the sum over the channels
    that have this one among their neighbours

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the output.
    cache
        What `lrn` returned.
    out : array, optional
        Where to put the result; it must not share memory with dy.

    Returns
    -------
    array, shape of x
        NumPy's result dtype for dy and x, at least float32.

    Raises
    ------
    TypeError
        dy does not hold real numbers, or cache is something else.
    ValueError
        dy has another shape than the output.
    """
    op = "lrn_backward"
    gradient = as_array(op, "dy", dy)
    if not isinstance(cache, LocalResponseCache):
        raise TypeError(f"{op}: cache must be what lrn returned. {received(cache=cache)}")
    if gradient.shape != cache.shape:
        raise ValueError(f"{op}: dy must have the shape of the output, {cache.shape}. {received(dy=gradient)}")
    dtype = common_dtype(gradient, cache.x)
    x, given = well_formed(cache.x, dtype), _rows(gradient, cache.order, 1, dtype)
    fill = _filled(
        cache.shape, cache.order, x, lambda dx: current().local_response_backward(given, x, dx, *cache.numbers)
    )
    return into(op, out, cache.shape, dtype, fill, apart=(dy, cache.x))
