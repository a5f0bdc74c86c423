"""What keras.ops has for networks beside the kernels: labels, losses of arrays, normalisation, rearranged pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import config
from fastnn.ops import activations, rowwise
from fastnn.ops._numpy.dtypes import Array, as_float, promoted, standard, tensor

swish = activations.functions["silu"]
hard_swish = activations.functions["hard_silu"]


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Array:
    """1 at the place of each label along a new axis; a label that is no class has zeros only."""
    if sparse:
        raise ValueError("NumPy has no sparse arrays; expected sparse=False. Received: True")
    labels = tensor(x)
    rows = (labels[..., None] == np.arange(num_classes)).astype(standard(dtype))
    return np.moveaxis(rows, -1, axis)


def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Array:
    """1 at the places of all labels of a row."""
    if num_classes is None:
        raise ValueError("multi_hot needs num_classes. Received: None")
    labels = tensor(inputs)
    return one_hot(labels, num_classes, axis, dtype, sparse).max(axis=1 if labels.ndim > 1 else 0)


def _log_probabilities(output: Array, from_logits: bool, axis: int) -> Array:
    if from_logits:
        return rowwise.log_softmax(output, axis=axis)
    share = output / output.sum(axis=axis, keepdims=True)
    return np.log(np.clip(share, config.epsilon(), 1 - config.epsilon()))


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Array:
    """``-sum(target * log(output))`` along an axis; outputs are divided by their sum and clipped by epsilon."""
    true, predicted = promoted(target, output, floating=True)
    if true.shape != predicted.shape or true.ndim == 0:
        raise ValueError(f"Two arrays of one shape are expected. Received: {true.shape} and {predicted.shape}")
    return -(true * _log_probabilities(predicted, from_logits, axis)).sum(axis=axis)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Array:
    """``-log(output[target])`` along an axis."""
    labels, predicted = tensor(target), as_float(output)
    if labels.ndim == predicted.ndim and labels.shape[-1] == 1:
        labels = labels[..., 0]
    return categorical_crossentropy(
        one_hot(labels, predicted.shape[axis], axis, predicted.dtype), predicted, from_logits, axis
    )


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Array:
    """``-target * log(output) - (1 - target) * log(1 - output)`` of every element."""
    true, predicted = promoted(target, output, floating=True)
    if true.shape != predicted.shape:
        raise ValueError(f"Two arrays of one shape are expected. Received: {true.shape} and {predicted.shape}")
    if from_logits:
        return np.maximum(predicted, 0) - predicted * true + np.log1p(np.exp(-np.abs(predicted)))
    share = np.clip(predicted, config.epsilon(), 1 - config.epsilon())
    return -(true * np.log(share) + (1 - true) * np.log(1 - share))


def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Array:
    """``x / max(norm, epsilon)``, with the norm of that order along the axis."""
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"order must be an integer, at least 1. Received: {order!r}")
    values = np.atleast_1d(as_float(x))
    axes = tuple(axis) if isinstance(axis, list) else axis
    norm = (np.abs(values) ** order).sum(axis=axes, keepdims=True) ** np.asarray(1 / order, values.dtype)
    bound = config.epsilon() if epsilon is None else epsilon
    return values / np.maximum(norm, np.sqrt(np.asarray(bound, norm.dtype)) if order == 2 else bound)


def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    """Mean and variance."""
    if synchronized:
        raise ValueError("There is one machine; expected synchronized=False. Received: True")
    values = as_float(x)
    axis = tuple(axes) if isinstance(axes, list) else axes
    return values.mean(axis=axis, keepdims=keepdims), values.var(axis=axis, keepdims=keepdims)


def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Array:
    """``(x - mean) / sqrt(variance + epsilon) * scale + offset``, with one value of each along the axis."""
    values = as_float(x)
    shape = [1] * values.ndim
    shape[axis] = -1

    def along(vector: Any) -> Array:
        return tensor(vector).astype(values.dtype).reshape(shape)

    result = (values - along(mean)) / np.sqrt(along(variance) + np.asarray(epsilon, values.dtype))
    result = result if scale is None else result * along(scale)
    return result if offset is None else result + along(offset)


def _over(axis: Any, values: Array) -> tuple[tuple[int, ...], list[int]]:
    """The axes to reduce, and the shape to which parameters of them are brought."""
    axes = tuple(sorted(one % values.ndim for one in ((axis,) if isinstance(axis, int) else axis)))
    return axes, [length if at in axes else 1 for at, length in enumerate(values.shape)]


def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Array:
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` with the moments along the axes."""
    values = as_float(x)
    axes, shape = _over(axis, values)
    mean, variance = moments(values, axes, keepdims=True)
    bound = np.asarray(config.epsilon() if epsilon is None else epsilon, values.dtype)
    result = (values - mean) / np.sqrt(variance + bound)
    result = result if gamma is None else result * tensor(gamma, values.dtype).reshape(shape)
    return result if beta is None else result + tensor(beta, values.dtype).reshape(shape)


def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Array:
    """``x / sqrt(mean(x**2) + epsilon) * scale`` with the mean along the axes."""
    values = as_float(x)
    axes, shape = _over(axis, values)
    bound = np.asarray(config.epsilon() if epsilon is None else epsilon, values.dtype)
    result = values / np.sqrt(np.square(values).mean(axis=axes, keepdims=True) + bound)
    return result if scale is None else result * tensor(scale, values.dtype).reshape(shape)


def psnr(x1: Any, x2: Any, max_val: float) -> Any:
    """Peak signal-to-noise ratio in decibels: ``20 log10(max_val) - 10 log10(mean((x1 - x2)**2))``."""
    a, b = promoted(x1, x2, floating=True)
    if a.shape != b.shape:
        raise ValueError(f"Two arrays of one shape are expected. Received: {a.shape} and {b.shape}")
    return (20 * np.log10(max_val) - 10 * np.log10(np.square(a - b).mean())).astype(a.dtype)


def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Array:
    """Blocks of pixels from groups of channels."""
    images = _channels_last(x, data_format)
    n, height, width, channels = images.shape
    if channels % block_size**2:
        raise ValueError(f"The channels must be a multiple of block_size**2. Received: {channels}, {block_size}")
    parts = images.reshape(n, height, width, block_size, block_size, -1).transpose(0, 1, 3, 2, 4, 5)
    return _back(parts.reshape(n, height * block_size, width * block_size, -1), data_format)


def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Array:
    """Groups of channels from blocks of pixels."""
    images = _channels_last(x, data_format)
    n, height, width, _ = images.shape
    if height % block_size or width % block_size:
        raise ValueError(f"The sides must be multiples of block_size. Received: {height, width}, {block_size}")
    rows, columns = height // block_size, width // block_size
    parts = images.reshape(n, rows, block_size, columns, block_size, -1).transpose(0, 1, 3, 2, 4, 5)
    return _back(parts.reshape(n, rows, columns, -1), data_format)


def _channels_last(x: Any, data_format: str) -> Array:
    images = tensor(x)
    if images.ndim != 4 or data_format not in ("channels_last", "channels_first"):
        raise ValueError(f"Four axes are expected. Received: shape {images.shape}, data_format {data_format!r}")
    return images if data_format == "channels_last" else np.moveaxis(images, 1, -1)


def _back(images: Array, data_format: str) -> Array:
    return images if data_format == "channels_last" else np.moveaxis(images, -1, 1)


__all__ = [
    "batch_normalization", "binary_crossentropy", "categorical_crossentropy", "depth_to_space", "hard_swish",
    "layer_normalization", "moments", "multi_hot", "normalize", "one_hot", "psnr", "rms_normalization",
    "space_to_depth", "sparse_categorical_crossentropy", "swish",
]  # fmt: skip
