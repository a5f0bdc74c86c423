"""keras.ops.image on arrays: one picture (height, width, channels) or a batch of them.

Pictures are enlarged and reduced by the nearest pixel or bilinearly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import _keras
from fastnn.ops._numpy.dtypes import Array, as_float, tensor


def _last(images: Any, data_format: str | None) -> Array:
    array = tensor(images)
    if array.ndim not in (3, 4):
        raise ValueError(f"A picture or a batch of them, 3 or 4 axes, is expected. Received: shape {array.shape}")
    if data_format not in (None, "channels_last", "channels_first"):
        raise ValueError(f"data_format is 'channels_last' or 'channels_first'. Received: {data_format!r}")
    return np.moveaxis(array, -3, -1) if data_format == "channels_first" else array


def _back(images: Array, data_format: str | None) -> Array:
    return np.ascontiguousarray(np.moveaxis(images, -1, -3) if data_format == "channels_first" else images)


def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Array:
    """``0.2989 r + 0.5870 g + 0.1140 b``, with one channel."""
    array = _last(images, data_format)
    gray = as_float(array) @ np.asarray([0.2989, 0.5870, 0.1140], as_float(array).dtype)
    return _back(gray[..., None].astype(array.dtype), data_format)


def rgb_to_hsv(images: Any, data_format: str | None = None) -> Array:
    """Hue, saturation and value, from 0 to 1, of colours from 0 to 1."""
    array = _floats(images, data_format)
    r, g, b = np.moveaxis(array, -1, 0)
    value = array.max(axis=-1)
    spread = value - array.min(axis=-1)
    divisor = np.where(spread > 0, spread, 1)
    sectors = [(g - b) / divisor, (b - r) / divisor + 2, (r - g) / divisor + 4]
    hue = np.select([spread == 0, value == r, value == g], [np.zeros_like(value), *sectors[:2]], sectors[2])
    saturation = np.where(value > 0, spread / np.where(value > 0, value, 1), 0)
    return _back(np.stack([hue / 6 % 1, saturation, value], axis=-1).astype(array.dtype), data_format)


def hsv_to_rgb(images: Any, data_format: str | None = None) -> Array:
    """The inverse of `rgb_to_hsv`."""
    array = _floats(images, data_format)
    hue, saturation, value = np.moveaxis(array, -1, 0)
    places = (hue[..., None] * 6 + np.asarray([5, 3, 1], array.dtype)) % 6
    share = np.clip(np.minimum(places, 4 - places), 0, 1)
    return _back((value[..., None] * (1 - saturation[..., None] * share)).astype(array.dtype), data_format)


def _floats(images: Any, data_format: str | None) -> Array:
    array = _last(images, data_format)
    if array.dtype.kind != "f" or array.shape[-1] != 3:
        raise ValueError(f"Three channels of a float type are expected. Received: {array.dtype} {array.shape}")
    return array


def _weights(source: int, target: int, interpolation: str, antialias: bool) -> Array:
    """The matrix (target, source) that makes a line of another length; pixels have their centres in the middle."""
    scale = source / target
    if interpolation == "nearest":
        return np.eye(source)[np.minimum((np.arange(target) + 0.5) * scale, source - 1).astype(int)]
    wide = max(scale, 1.0) if antialias else 1.0
    centres = (np.arange(target) + 0.5) * scale - 0.5
    if not antialias:
        centres = centres.clip(0, source - 1)
    weights = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(source)) / wide)
    return weights / weights.sum(axis=1, keepdims=True)


def resize(
    images: Any,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Array:
    """Pictures of another size (height, width), by "nearest" or "bilinear"; `antialias` averages when reducing."""
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f"interpolation is 'nearest' or 'bilinear'. Received: {interpolation!r}")
    if crop_to_aspect_ratio or pad_to_aspect_ratio:
        raise ValueError(
            "resize keeps no aspect ratio, crop_images and pad_images do that before. Received: "
            f"crop_to_aspect_ratio={crop_to_aspect_ratio}, pad_to_aspect_ratio={pad_to_aspect_ratio}"
        )
    array = _last(images, data_format)
    rows, columns = (_weights(*ends, interpolation, antialias) for ends in zip(array.shape[-3:-1], size))
    resized = np.einsum("ih,...hwc,jw->...ijc", rows, array.astype(np.float64), columns, optimize=True)
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        resized = np.round(resized).clip(limits.min, limits.max)
    return _back(resized.astype(array.dtype), data_format)


def _margins(before: int | None, after: int | None, target: int | None, difference: int, side: str) -> tuple[int, int]:
    """What is cut off, or added, at both ends of an axis; of the two ends and the target, two are given."""
    if sum(given is None for given in (before, after, target)) != 1:
        raise ValueError(f"Of the two ends and the target {side}, two are expected. Received: {before, after, target}")
    first = difference - (after or 0) if before is None else before
    last = difference - first if after is None else after
    if first < 0 or last < 0:
        raise ValueError(f"The ends must not be negative. Received: {first} and {last} for the {side}")
    return first, last


def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Array:
    """Without their margins; of top, bottom and target height, two are given, and so for the width."""
    array = _last(images, data_format)
    height, width = array.shape[-3:-1]
    top, bottom = _margins(top_cropping, bottom_cropping, target_height, height - (target_height or 0), "height")
    left, right = _margins(left_cropping, right_cropping, target_width, width - (target_width or 0), "width")
    return _back(array[..., top : height - bottom, left : width - right, :], data_format)


def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Array:
    """With margins of zeros; of top, bottom and target height, two are given, and so for the width."""
    array = _last(images, data_format)
    height, width = array.shape[-3:-1]
    rows = _margins(top_padding, bottom_padding, target_height, (target_height or 0) - height, "height")
    columns = _margins(left_padding, right_padding, target_width, (target_width or 0) - width, "width")
    return _back(np.pad(array, [(0, 0)] * (array.ndim - 3) + [rows, columns, (0, 0)]), data_format)


__all__ = ["crop_images", "hsv_to_rgb", "pad_images", "resize", "rgb_to_grayscale", "rgb_to_hsv"]


def __getattr__(name: str) -> Any:
    raise _keras.absent("ops.image", name, __all__)
