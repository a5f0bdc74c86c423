"""Normalisation: batch, layer, group, instance, root mean square, unit and local response normalisation.

What batch, instance and group normalisation share is the view of an array as (images, outer, channels, inner): each
image and group of channels has a mean and a variance over outer, the channels of the group, and inner.  One image
stands for a whole batch in batch normalisation; one channel a group makes instance normalisation.  Layer normalisation
and its relatives normalise each row of a matrix.

Variances are those of the population: the sum of squared deviations divided by their number.  Sums are in float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.arrays import Array

Doubles = NDArray[np.float64]


def _grouped(x: Array, groups: int) -> Doubles:
    """(images, outer, channels, inner) as (images, groups, elements of the group) in float64."""
    images, outer, channels, inner = x.shape
    split = x.astype(np.float64).reshape(images, outer, groups, channels // groups, inner)
    return split.transpose(0, 2, 1, 3, 4).reshape(images, groups, -1)


def _per_channel(values: Doubles, channels: int) -> Doubles:
    """(images, groups) as (images, 1, channels, 1)."""
    images, groups = values.shape
    return np.repeat(values, channels // groups, axis=1).reshape(images, 1, channels, 1)


def _factors(gamma: Array | None, channels: int) -> Doubles:
    values = np.ones(channels) if gamma is None else gamma.astype(np.float64)
    return values.reshape(1, 1, channels, 1)


@np.errstate(all="ignore")
def moments(x: Array, groups: int) -> tuple[Doubles, Doubles]:
    """Mean and variance of each group of channels.

    ``mean = sum(x) / n``; ``variance = sum((x - mean) ** 2) / n``

    Parameters
    ----------
    x : array, shape (images, outer, channels, inner)
        Activations.
    groups : int
        Groups into which the channels are divided.

    Returns
    -------
    mean, variance : arrays of float64, shape (images, groups)
        The variance is that of the population ("biased").
    """
    values = _grouped(x, groups)
    mean = values.mean(axis=2)
    return mean, np.square(values - mean[:, :, np.newaxis]).mean(axis=2)


@np.errstate(all="ignore")
def group_norm(x: Array, gamma: Array | None, beta: Array | None, mean: Doubles, inverse: Doubles) -> Array:
    """Normalise channels by given statistics of their groups, scale and shift them.

    ``y = gamma * (x - mean) * inverse + beta``

    Parameters
    ----------
    x : array, shape (images, outer, channels, inner)
        Activations.
    gamma, beta : arrays, shape (channels,), or None
        Scale and shift of each channel; 1 and 0 if there are none.
    mean, inverse : arrays of float64, shape (images, groups)
        ``inverse = 1 / sqrt(variance + eps)``

    Returns
    -------
    array, shape and dtype of x
        A new array.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift",
    ICML 2015; Wu and He, "Group normalization", ECCV 2018; Ulyanov, Vedaldi and Lempitsky, "Instance normalization",
    2016, arXiv:1607.08022.
    """
    channels = x.shape[2]
    y = (x - _per_channel(mean, channels)) * _per_channel(inverse, channels) * _factors(gamma, channels)
    if beta is not None:
        y += beta.reshape(1, 1, channels, 1)
    return y.astype(x.dtype)


@np.errstate(all="ignore")
def group_norm_backward(
    dy: Array, x: Array, gamma: Array | None, mean: Doubles, inverse: Doubles, fixed: bool = False
) -> tuple[Array, Array, Array]:
    """Gradients of `group_norm`.

    With ``z = (x - mean) * inverse`` and ``h = gamma * dy``: ``dx = inverse * (h - mean(h) - z * mean(h * z))``, the
    means taken over each group, because each of its elements moves the group's mean and variance.

    Parameters
    ----------
    dy, x, gamma, mean, inverse
        As in `group_norm`; dy has the shape of x.
    fixed : bool
        Whether the statistics do not depend on x, as those of a finished training: then ``dx = inverse * h``.

    Returns
    -------
    dx : array, shape of x
        Gradient with respect to x.
    dgamma, dbeta : arrays, shape (channels,)
        ``sum(dy * z)`` and ``sum(dy)`` over images, outer and inner.
    """
    channels, groups = x.shape[2], mean.shape[1]
    dy = dy.astype(np.float64)
    scale = _per_channel(inverse, channels)
    z = (x - _per_channel(mean, channels)) * scale
    h = dy * _factors(gamma, channels)
    dx = h * scale
    if not fixed:
        of_h = _per_channel(_grouped(h, groups).mean(axis=2), channels)
        of_hz = _per_channel(_grouped(h * z, groups).mean(axis=2), channels)
        dx = (h - of_h - z * of_hz) * scale
    axes = (0, 1, 3)
    return dx.astype(x.dtype), (dy * z).sum(axis=axes).astype(x.dtype), dy.sum(axis=axes).astype(x.dtype)


@np.errstate(all="ignore")
def row_statistics(kind: str, x: Array, eps: float) -> tuple[Doubles, Doubles]:
    """The mean of each row and what its elements are multiplied by.

    =========  =======================================================
    kind       inverse
    =========  =======================================================
    layer      ``1 / sqrt(variance + eps)``
    rms        ``1 / sqrt(mean(x ** 2) + eps)``; the mean counts as 0
    unit       ``1 / max(sqrt(sum(x ** 2)), eps)``; the mean counts as 0
    scaled     ``1 / sqrt(variance + eps)``
    =========  =======================================================

    Parameters
    ----------
    kind : str
        One of the table.
    x : array, shape (rows, columns)
        Activations.
    eps : float
        Keeps the inverse finite.

    Returns
    -------
    mean, inverse : arrays of float64, shape (rows,)
    """
    values = x.astype(np.float64)
    if kind == "unit":
        norm = np.sqrt(np.square(values).sum(axis=1))
        return np.zeros(len(x)), 1 / np.where(norm < eps, eps, norm)
    if kind == "rms":
        return np.zeros(len(x)), 1 / np.sqrt(np.square(values).mean(axis=1) + eps)
    mean = values.mean(axis=1)
    return mean, 1 / np.sqrt(np.square(values - mean[:, np.newaxis]).mean(axis=1) + eps)


@np.errstate(all="ignore")
def row_norm(kind: str, x: Array, gamma: Array | None, beta: Array | None, mean: Doubles, inverse: Doubles) -> Array:
    """Normalise rows by their statistics, scale and shift their columns.

    ``y = gamma * (x - mean) * inverse + beta``; only kind "layer" subtracts the mean

    Parameters
    ----------
    kind : str
        As in `row_statistics`.
    x : array, shape (rows, columns)
        Activations.
    gamma, beta : arrays, shape (columns,), or None
        Scale and shift of each column.
    mean, inverse : arrays of float64, shape (rows,)
        From `row_statistics`.

    Returns
    -------
    array, shape and dtype of x
        A new array.

    References
    ----------
    Ba, Kiros and Hinton, "Layer normalization", 2016, arXiv:1607.06450; Zhang and Sennrich, "Root mean square layer
    normalization", NeurIPS 2019.
    """
    y = (x - mean[:, np.newaxis] if kind == "layer" else x.astype(np.float64)) * inverse[:, np.newaxis]
    if gamma is not None:
        y = y * gamma
    if beta is not None:
        y = y + beta
    return y.astype(x.dtype)


@np.errstate(all="ignore")
def row_norm_backward(
    kind: str, dy: Array, x: Array, gamma: Array | None, mean: Doubles, inverse: Doubles, eps: float
) -> tuple[Array, Array, Array]:
    """Gradients of `row_norm`.

    With ``h = gamma * dy`` and ``z`` the normalised row, the elements of a row pull at each other through its mean,
    which gives ``-mean(h)``, and through its deviation, which gives ``-mean(h * z)`` times how far they are from the
    mean.

    Parameters
    ----------
    kind, x, gamma, mean, inverse
        As in `row_norm`.
    dy : array, shape of x
        Gradient with respect to the output.
    eps : float
        As in `row_statistics`; a unit norm that is held at eps does not depend on the row.

    Returns
    -------
    dx : array, shape of x
        Gradient with respect to x.
    dgamma, dbeta : arrays, shape (columns,)
        ``sum(dy * z)`` and ``sum(dy)`` over the rows.
    """
    dy = dy.astype(np.float64)
    scale, centre = inverse[:, np.newaxis], mean[:, np.newaxis]
    from_mean = (x - centre) * scale
    z = from_mean if kind == "layer" else x * scale
    h = dy if gamma is None else dy * gamma
    of_hz = (h * z).sum(axis=1, keepdims=True)
    if kind == "unit":
        of_hz[scale >= 1 / eps] = 0
    else:
        of_hz /= x.shape[1]
    dx = h - from_mean * of_hz
    if kind == "layer":
        dx -= h.mean(axis=1, keepdims=True)
    return (dx * scale).astype(x.dtype), (dy * z).sum(axis=0).astype(x.dtype), dy.sum(axis=0).astype(x.dtype)


def _window_sums(values: Doubles, before: int, after: int) -> Doubles:
    """The sum over columns c - before ... c + after, inside of the row, for every column c."""
    cols = values.shape[1]
    total = np.zeros_like(values)
    for w in range(-min(before, cols), min(after, cols) + 1):
        here, there = slice(max(0, -w), cols - max(0, w)), slice(max(0, w), cols - max(0, -w))
        total[:, here] += values[:, there]
    return total


@np.errstate(all="ignore")
def local_response(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """Local response normalisation of the columns of each row.

    ``y = x / (k + alpha * sum(x ** 2 over the neighbours)) ** beta``

    Parameters
    ----------
    x : array, shape (rows, columns)
        Activations, one row a pixel.
    size : int
        Neighbours, with the column itself: c - size // 2 to c + (size - 1) // 2.
    alpha, beta, k : float
        As in the formula; alpha has been divided by size.

    Returns
    -------
    array, shape and dtype of x
        A new array.

    References
    ----------
    Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012.
    """
    values = x.astype(np.float64)
    base = k + alpha * _window_sums(np.square(values), size // 2, (size - 1) // 2)
    return (values * base**-beta).astype(x.dtype)


@np.errstate(all="ignore")
def local_response_backward(dy: Array, x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """Gradient of `local_response`.

    With the base ``s`` of the power: ``dx = dy * s ** -beta - 2 * alpha * beta * x * sum(dy * x * s ** (-beta - 1))``,
    the sum over the columns that have this one among their neighbours.

    Parameters
    ----------
    dy : array, shape of x
        Gradient with respect to the output.
    x, size, alpha, beta, k
        As in `local_response`.

    Returns
    -------
    array, shape and dtype of x
        A new array.
    """
    values, dy = x.astype(np.float64), dy.astype(np.float64)
    before, after = size // 2, (size - 1) // 2
    base = k + alpha * _window_sums(np.square(values), before, after)
    pulls = _window_sums(dy * values * base ** (-beta - 1), after, before)
    return (dy * base**-beta - 2 * alpha * beta * values * pulls).astype(x.dtype)
