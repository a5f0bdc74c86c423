"""Normalisation of channels by statistics of the batch, of each sample, or of groups of channels, and the gradients.

Every forward function returns (y, cache), and its backward function takes the cache; it holds the input itself, not a
copy, so the input must not change in between.  Statistics are those of the population ("biased"), eps stands inside the
root.  Refused: statistics of the batch along its first axis, and moving statistics without the other half.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.backend import current
from fastnn.ops._check import as_array, common_dtype, flag, into, number, overlapping, received, well_formed, writable
from fastnn.ops._norm_geometry import Geometry, geometry
from fastnn.ops._window import integer
from fastnn.ops.registry import Arguments, operation

Array = NDArray[Any]
EPS = ">= 0 and < inf"


class ChannelNormCache(NamedTuple):
    """What the backward functions need: arrays as the kernels had them.

    stats: (2, images * groups), means and inverse deviations.  fixed: whether they were given.  shape: of gamma and
    beta.
    """

    x: Array
    gamma: Array | None
    has_beta: bool
    stats: NDArray[np.float64]
    view: Geometry | None
    fixed: bool
    shape: tuple[int, ...]


def one_axis(op: str, axis: Any, ndim: int, first: int = 0) -> int:
    """An axis as a number from `first` on."""
    index = integer(op, "axis", axis, -ndim)
    if not -ndim <= index < ndim or index % ndim < first:
        kept = "the samples' own axis does not count" if first else "there are as many as x has"
        raise ValueError(f"{op}: axis must be one of x, {kept}. Received: axis {axis!r}, x with {ndim} axes")
    return index % ndim


def per_channel(op: str, name: str, value: ArrayLike | None, shapes: tuple[tuple[int, ...], ...]) -> Array | None:
    """gamma, beta and the like: None, or an array of one of these shapes."""
    if value is None:
        return None
    array = as_array(op, name, value)
    if array.shape not in shapes:
        raise ValueError(
            f"{op}: {name} must have the shape {' or '.join(map(str, shapes))}. {received(**{name: array})}"
        )
    return array


def dtype_of(*arrays: Array | None) -> np.dtype[Any]:
    return common_dtype(*(array for array in arrays if array is not None))


def formed(array: Array | None, dtype: np.dtype[Any]) -> Array | None:
    return None if array is None else well_formed(array, dtype)


def _running(
    op: str, mean: Any, variance: Any, shapes: tuple[tuple[int, ...], ...], training: bool
) -> tuple[Array, Array] | None:
    if (mean is None) != (variance is None) or (mean is None and not training):
        wanted = "both or none" if training else "both where training is False"
        raise TypeError(
            f"{op}: running_mean and running_var are given {wanted}. "
            f"{received(running_mean=mean, running_var=variance)}"
        )
    if mean is None:
        return None
    for name, array in (("running_mean", mean), ("running_var", variance)):
        per_channel(op, name, array, shapes)
        if training:
            writable(op, name, array, None, None)
    if training and overlapping(mean, variance):
        raise ValueError(f"{op}: running_mean and running_var must not share memory. Received: arrays that do")
    return np.asarray(mean), np.asarray(variance)


def _forward(
    op: str,
    x: ArrayLike,
    view: Geometry | None,
    array: Array,
    gamma: Array | None,
    beta: Array | None,
    running: tuple[Array, Array] | None,
    fixed: bool,
    momentum: float,
    eps: float,
    unbiased: bool,
    shape: tuple[int, ...],
    out: Array | None,
    apart: tuple[object, ...],
) -> tuple[Any, ChannelNormCache]:
    dtype = dtype_of(array, gamma, beta)
    source, factors, shifts = well_formed(array, dtype), formed(gamma, dtype), formed(beta, dtype)
    stats = np.zeros((2, view.statistics if view else 0))
    moving = (None, None) if running is None else tuple(well_formed(a, dtype) for a in running)

    def fill(y: Array) -> None:
        assert view is not None
        current().group_norm(
            source, factors, shifts, moving[0], moving[1], y, stats, tuple(view), fixed, unbiased, eps, momentum
        )

    y = into(op, out, array.shape, dtype, fill, apart=(x, *apart))
    if running is not None and not fixed:
        for kept, new in zip(running, moving):
            if new is not kept:
                with np.errstate(all="ignore"):
                    kept[...] = new
    return y, ChannelNormCache(source, factors, beta is not None, stats, view, fixed, shape)


def _backward(op: str, dy: ArrayLike, cache: Any, out: Array | None) -> tuple[Any, Any, Any]:
    gradient = as_array(op, "dy", dy)
    if not isinstance(cache, ChannelNormCache):
        raise TypeError(f"{op}: cache must be what the forward function returned. {received(cache=cache)}")
    if gradient.shape != cache.x.shape:
        raise ValueError(f"{op}: dy must have the shape of the output, {cache.x.shape}. {received(dy=gradient)}")
    dtype = common_dtype(gradient, cache.x)
    source, given = well_formed(cache.x, dtype), well_formed(gradient, dtype)
    dgamma = None if cache.gamma is None else np.zeros(cache.shape, dtype)
    dbeta = np.zeros(cache.shape, dtype) if cache.has_beta else None
    view = cache.view

    def fill(dx: Array) -> None:
        assert view is not None
        factors = formed(cache.gamma, dtype)
        current().group_norm_backward(given, source, factors, cache.stats, dx, dgamma, dbeta, tuple(view), cache.fixed)

    dx = into(op, out, cache.x.shape, dtype, fill, same=(dy,), apart=(cache.x, cache.gamma))
    return dx, dgamma, dbeta


# -------------------------------------------------------------------------------------------------------------- samples


def sample_affine(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    """x, gamma and beta; with a few elements at least for every statistic."""
    x, (gamma, beta) = rng.normal(size=(max(1, shape[0] // 4), 4, *shape[1:])), rng.normal(1, 0.3, (2, shape[-1]))
    return Arguments(tuple(a.astype(dtype) for a in (x, gamma, beta)), {})


def _sample_group(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    (x, *affine), kwargs = sample_affine(shape, dtype, rng)
    return Arguments((x, 1 if shape[-1] % 2 else 2, *affine), kwargs)


def sample_gradient(forward: Any, sample: Any) -> Any:
    """Arguments of a backward function: dy and the cache of a call."""

    def arguments(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
        args, kwargs = sample(shape, dtype, rng)
        y, cache = forward(*args, **kwargs)
        return Arguments((rng.normal(size=y.shape).astype(dtype), cache), {})

    return arguments


# ------------------------------------------------------------------------------------------------------------ functions


@operation("normalization", sample_affine, backward="batchnorm_backward")
def batchnorm(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    *,
    training: bool = True,
    momentum: float = 0.99,
    eps: float = 1e-3,
    axis: int | None = -1,
    unbiased: bool = False,
    out: Array | None = None,
) -> tuple[Any, ChannelNormCache]:
    """Normalise every channel by its mean and variance over the batch.

    ``y = gamma * (x - mean) / sqrt(variance + eps) + beta``

    Parameters
    ----------
    x : array, at least two dimensions
        Activations; samples along the first axis.
    gamma, beta : arrays, shape (channels,), optional
        Scale and shift of each channel. Default: 1 and 0.
    running_mean, running_var : arrays, shape (channels,), optional
        Moving statistics. In training they take those of the batch in, in place:
        ``running = momentum * running + (1 - momentum) * batch``; else they take their place.
    training : bool
        Whether the statistics are those of the batch.
    momentum : float, from 0 to 1
        The part of the moving statistics that is kept. PyTorch's momentum is 1 less this one.
    eps : float, >= 0
        Added to the variance.
    axis : int or None
        The axis of the channels: -1 or, for images with the channels first, 1. None gives every element of a sample
        statistics of its own over the batch; gamma and the others then have the shape of a sample, or are flat.
    unbiased : bool
        Whether running_var takes in ``sum((x - mean) ** 2) / (n - 1)``, as in PyTorch, instead of ``/ n``, as in
        Keras. The output is computed with the latter in any case.
    out : array, optional
        Where to put y; it must not share memory with an input.

    Returns
    -------
    y : array, shape of x
        NumPy's result dtype for x, gamma and beta, at least float32.
    cache
        What `batchnorm_backward` needs.

    Raises
    ------
    TypeError
        An argument does not hold real numbers, moving statistics are missing, or cannot be written in place.
    ValueError
        Shapes do not fit, or a number is out of range.

    Notes
    -----
    The sums are taken around the mean, so channels may be far from zero: those of mean 1e4 and deviation 1e-2 keep
    their digits in float32. Without samples, moving statistics stay as they are.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift",
    ICML 2015.
    """
    op = "batchnorm"
    array, learning = as_array(op, "x", x), flag(op, "training", training)
    if array.ndim < 2:
        raise ValueError(f"{op}: x must have at least two dimensions. {received(x=array)}")
    if axis is None:
        before, channels, after = array.shape[0], math.prod(array.shape[1:]), 1
        shapes: tuple[tuple[int, ...], ...] = tuple(dict.fromkeys(((channels,), array.shape[1:])))
    else:
        at = one_axis(op, axis, array.ndim)
        before, channels, after = math.prod(array.shape[:at]), array.shape[at], math.prod(array.shape[at + 1 :])
        shapes = ((channels,),)
    factors, shifts = per_channel(op, "gamma", gamma, shapes), per_channel(op, "beta", beta, shapes)
    running = _running(op, running_mean, running_var, shapes, learning)
    given = factors if factors is not None else shifts
    return _forward(
        op, x, geometry(1, before, channels, after) if array.size else None, array, factors, shifts, running,
        not learning, number(op, "momentum", momentum, ">= 0 and <= 1"), number(op, "eps", eps, EPS),
        flag(op, "unbiased", unbiased), shapes[0] if given is None else given.shape, out,
        (gamma, beta, running_mean, running_var),
    )  # fmt: skip


@operation("normalization", sample_gradient(batchnorm, sample_affine))
def batchnorm_backward(dy: ArrayLike, cache: ChannelNormCache, *, out: Array | None = None) -> tuple[Any, Any, Any]:
    """Gradients of `batchnorm`.

    With ``z = (x - mean) / deviation`` and ``h = gamma * dy``: ``dx = (h - mean(h) - z * mean(h * z)) / deviation``;
    where the moving statistics were used, ``dx = h / deviation``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the output.
    cache
        What `batchnorm` returned.
    out : array, optional
        Where to put dx. It may be exactly dy, not a shifted view of it.

    Returns
    -------
    (dx, dgamma, dbeta)
        In the shapes of x, gamma and beta; ``dgamma = sum(dy * z)``, ``dbeta = sum(dy)``. None for gamma or beta that
        were not given.

    Raises
    ------
    TypeError
        dy does not hold real numbers, or cache is something else.
    ValueError
        dy has another shape than the output.
    """
    return _backward("batchnorm_backward", dy, cache, out)


def _grouped(
    op: str,
    x: ArrayLike,
    groups: Any,
    gamma: ArrayLike | None,
    beta: ArrayLike | None,
    axis: Any,
    eps: Any,
    out: Array | None,
) -> tuple[Any, ChannelNormCache]:
    array = as_array(op, "x", x)
    if array.ndim < 2:
        raise ValueError(f"{op}: x must have at least two dimensions. {received(x=array)}")
    at = one_axis(op, axis, array.ndim, 1)
    channels, after = array.shape[at], math.prod(array.shape[at + 1 :])
    count = max(1, channels) if groups is None else integer(op, "groups", groups, 1)
    if channels % count:
        raise ValueError(f"{op}: groups must divide the channels. Received: groups {count}, {channels} channels")
    factors, shifts = (per_channel(op, n, v, ((channels,),)) for n, v in (("gamma", gamma), ("beta", beta)))
    view = geometry(len(array), math.prod(array.shape[1:at]), channels, after, count) if array.size else None
    margin = number(op, "eps", eps, EPS)
    return _forward(
        op, x, view, array, factors, shifts, None, False, 1.0, margin, False, (channels,), out, (gamma, beta)
    )


@operation("normalization", _sample_group, backward="groupnorm_backward")
def groupnorm(
    x: ArrayLike,
    groups: int,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    *,
    axis: int = -1,
    eps: float = 1e-3,
    out: Array | None = None,
) -> tuple[Any, ChannelNormCache]:
    """Normalise every sample by the mean and variance of groups of its channels.

    ``y = gamma * (x - mean) / sqrt(variance + eps) + beta``, with statistics over a group's channels and all other
    axes of the sample

    Parameters
    ----------
    x : array, at least two dimensions
        Activations; samples along the first axis.
    groups : int
        Into how many groups of neighbours the channels are divided; it must divide their number.
    gamma, beta : arrays, shape (channels,), optional
        Scale and shift of each channel. Default: 1 and 0.
    axis : int
        The axis of the channels: -1 or, with the channels first, 1.
    eps : float, >= 0
        Added to the variance.
    out : array, optional
        Where to put y; it must not share memory with an input.

    Returns
    -------
    y : array, shape of x
        NumPy's result dtype for x, gamma and beta, at least float32.
    cache
        What `groupnorm_backward` needs.

    Raises
    ------
    TypeError
        An argument does not hold real numbers.
    ValueError
        Shapes do not fit, or a number is out of range.

    References
    ----------
    Wu and He, "Group normalization", ECCV 2018.
    """
    return _grouped("groupnorm", x, integer("groupnorm", "groups", groups, 1), gamma, beta, axis, eps, out)


@operation("normalization", sample_gradient(groupnorm, _sample_group))
def groupnorm_backward(dy: ArrayLike, cache: ChannelNormCache, *, out: Array | None = None) -> tuple[Any, Any, Any]:
    """Gradients of `groupnorm`.

    With ``z = (x - mean) / deviation`` and ``h = gamma * dy``: ``dx = (h - mean(h) - z * mean(h * z)) / deviation``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the output.
    cache
        What `groupnorm` returned.
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
    return _backward("groupnorm_backward", dy, cache, out)


@operation("normalization", sample_affine, backward="instancenorm_backward")
def instancenorm(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    *,
    axis: int = -1,
    eps: float = 1e-3,
    out: Array | None = None,
) -> tuple[Any, ChannelNormCache]:
    """Normalise every channel of every sample by its own mean and variance.

    ``y = gamma * (x - mean) / sqrt(variance + eps) + beta``: `groupnorm` with one channel a group

    Parameters
    ----------
    x : array, at least two dimensions
        Activations; samples along the first axis.
    gamma, beta : arrays, shape (channels,), optional
        Scale and shift of each channel. Default: 1 and 0.
    axis : int
        The axis of the channels: -1 or, with the channels first, 1.
    eps : float, >= 0
        Added to the variance.
    out : array, optional
        Where to put y; it must not share memory with an input.

    Returns
    -------
    y : array, shape of x
        NumPy's result dtype for x, gamma and beta, at least float32.
    cache
        What `instancenorm_backward` needs.

    Raises
    ------
    TypeError
        An argument does not hold real numbers.
    ValueError
        Shapes do not fit, or a number is out of range.

    References
    ----------
    Ulyanov, Vedaldi and Lempitsky, "Instance normalization: the missing ingredient for fast stylization", 2016,
    arXiv:1607.08022.
    """
    return _grouped("instancenorm", x, None, gamma, beta, axis, eps, out)


@operation("normalization", sample_gradient(instancenorm, sample_affine))
def instancenorm_backward(dy: ArrayLike, cache: ChannelNormCache, *, out: Array | None = None) -> tuple[Any, Any, Any]:
    """Gradients of `instancenorm`.

    With ``z = (x - mean) / deviation`` and ``h = gamma * dy``: ``dx = (h - mean(h) - z * mean(h * z)) / deviation``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the output.
    cache
        What `instancenorm` returned.
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
    return _backward("instancenorm_backward", dy, cache, out)
