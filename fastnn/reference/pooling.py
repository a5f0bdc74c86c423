"""Max and average pooling and their gradients, one place of the window at a time.

Positions outside of the image are never a maximum.  NaN is larger than any number, and of several equal elements the
first is the maximum (in the order of rows, then columns).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.windows import Geometry, Pair, cropped, padded, taps

Array = NDArray[Any]
Window = tuple[slice, slice, slice]


def _positions(shape: tuple[int, ...], geometry: Geometry, size: Pair) -> Iterator[tuple[Window, Array]]:
    """Every place of the window, with the number row * width + column of the pixel there; -1 outside of the image."""
    number = np.arange(shape[1] * shape[2]).reshape(1, shape[1], shape[2], 1)
    number = padded(number, geometry, size, fill=-1)
    for _, window in taps(geometry, size):
        yield window, number[window]


@np.errstate(all="ignore")
def max_pool(x: Array, geometry: Geometry, size: Pair) -> tuple[Array, Array]:
    """Maxima, shape (images, *size, channels), and where they stand in the image: row * width + column."""
    images = padded(x, geometry, size)
    y = np.empty((len(x), *size, x.shape[3]), x.dtype)
    argmax = np.full(y.shape, -1, np.int32)
    for window, position in _positions(x.shape, geometry, size):
        value = images[window]
        larger = (value > y) | (np.isnan(value) & ~np.isnan(y))
        better = (position >= 0) & ((argmax < 0) | larger)
        y = np.where(better, value, y)
        argmax = np.where(better, position, argmax)
    return y, argmax.astype(np.int32)


@np.errstate(all="ignore")
def max_pool_backward(dy: Array, argmax: Array, geometry: Geometry, shape: tuple[int, ...]) -> Array:
    """Gradient with respect to images of that shape: dy goes to the element that was the maximum."""
    dx = padded(np.zeros(shape), geometry, dy.shape[1:3])
    for window, position in _positions(shape, geometry, dy.shape[1:3]):
        dx[window] += np.where(argmax == position, dy, 0)
    return cropped(dx, geometry, shape)


@np.errstate(all="ignore")
def max_pool_split_backward(dy: Array, x: Array, y: Array, geometry: Geometry) -> Array:
    """The same, with dy in equal parts for all elements of the window that equal its maximum y."""
    size = dy.shape[1:3]
    images, dx = padded(x, geometry, size), padded(np.zeros(x.shape), geometry, size)
    ties = [
        (window, (position >= 0) & ((images[window] == y) | (np.isnan(images[window]) & np.isnan(y))))
        for window, position in _positions(x.shape, geometry, size)
    ]
    part = dy / np.sum([tie for _, tie in ties], axis=0)
    for window, tie in ties:
        dx[window] += np.where(tie, part, 0)
    return cropped(dx, geometry, x.shape)


def _counts(shape: tuple[int, ...], geometry: Geometry, size: Pair, with_padding: bool) -> Array:
    """Elements that each window's average counts."""
    if with_padding:
        return np.full((1, *size, 1), float(geometry.kernel[0] * geometry.kernel[1]))
    return np.sum([position >= 0 for _, position in _positions(shape, geometry, size)], axis=0).astype(np.float64)


@np.errstate(all="ignore")
def average_pool(x: Array, geometry: Geometry, size: Pair, with_padding: bool) -> Array:
    """Averages, shape (images, *size, channels), over the window or over its part inside of the image."""
    images = padded(x.astype(np.float64), geometry, size)
    total = sum(images[window] for _, window in taps(geometry, size))
    return total / _counts(x.shape, geometry, size, with_padding)


@np.errstate(all="ignore")
def average_pool_backward(dy: Array, geometry: Geometry, shape: tuple[int, ...], with_padding: bool) -> Array:
    """Gradient with respect to images of that shape: every element of a window gets the same part of dy."""
    size = dy.shape[1:3]
    dx = padded(np.zeros(shape), geometry, size)
    part = dy / _counts(shape, geometry, size, with_padding)
    for _, window in taps(geometry, size):
        dx[window] += part
    return cropped(dx, geometry, shape)
