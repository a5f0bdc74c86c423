"""Convolution (cross-correlation, as every library calls it) and its gradients, one place of the window at a time.

``y[n, oy, ox, f] = sum over ky, kx, c of x[n, oy * sy - py + ky * dy, ox * sx - px + kx * dx, c] * w[ky, kx, c, f]``

with x = 0 outside of the image.  With ``groups`` the channels and the filters are cut into so many parts, and every
part of the filters sees its own part of the channels only.  The sums are taken in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.windows import Geometry, Pair, cropped, padded, taps

Array = NDArray[Any]


def _by_group(array: Array, groups: int) -> Array:
    """The last axis in two: (..., groups, its part)."""
    return array.reshape(*array.shape[:-1], groups, array.shape[-1] // groups).astype(np.float64)


@np.errstate(all="ignore")
def conv2d(x: Array, w: Array, geometry: Geometry, size: Pair) -> Array:
    """Output, shape (images, *size, filters), of the images x (images, height, width, channels).

    w has the shape (kernel height, kernel width, channels / groups, filters).
    """
    images, weights = _by_group(padded(x, geometry, size), geometry.groups), _by_group(w, geometry.groups)
    y = np.zeros((len(x), *size, *weights.shape[-2:]))
    for place, window in taps(geometry, size):
        y += np.einsum("nyxgc,cgf->nyxgf", images[window], weights[place])
    return y.reshape(*y.shape[:3], -1)


@np.errstate(all="ignore")
def conv2d_input(dy: Array, w: Array, geometry: Geometry, shape: tuple[int, ...]) -> Array:
    """Gradient with respect to images of that shape; also the output of a transposed convolution."""
    gradient, weights = _by_group(dy, geometry.groups), _by_group(w, geometry.groups)
    dx = _by_group(padded(np.zeros(shape), geometry, dy.shape[1:3]), geometry.groups)
    for place, window in taps(geometry, dy.shape[1:3]):
        dx[window] += np.einsum("nyxgf,cgf->nyxgc", gradient, weights[place])
    return cropped(dx.reshape(*dx.shape[:3], -1), geometry, shape)


@np.errstate(all="ignore")
def conv2d_weights(x: Array, dy: Array, geometry: Geometry) -> Array:
    """Gradient with respect to the weights, shape (kernel height, kernel width, channels / groups, filters)."""
    size = dy.shape[1:3]
    images, gradient = _by_group(padded(x, geometry, size), geometry.groups), _by_group(dy, geometry.groups)
    dw = np.empty((*geometry.kernel, images.shape[-1], dy.shape[-1]))
    for place, window in taps(geometry, size):
        dw[place] = np.einsum("nyxgc,nyxgf->cgf", images[window], gradient).reshape(dw.shape[2:])
    return dw


def im2col(x: Array, geometry: Geometry, size: Pair) -> Array:
    """All patches, shape (images, *size, kernel height, kernel width, channels)."""
    images = padded(x, geometry, size)
    columns = np.empty((len(x), *size, *geometry.kernel, x.shape[-1]), x.dtype)
    for (ky, kx), window in taps(geometry, size):
        columns[:, :, :, ky, kx] = images[window]
    return columns


@np.errstate(all="ignore")
def col2im(columns: Array, geometry: Geometry, shape: tuple[int, ...]) -> Array:
    """Images of that shape: every element is the sum of its copies in the patches."""
    size = columns.shape[1:3]
    x = padded(np.zeros(shape), geometry, size)
    for (ky, kx), window in taps(geometry, size):
        x[window] += columns[:, :, :, ky, kx]
    return cropped(x, geometry, shape)
