"""Random initial values: every formula once, for the functions of fastnn.ops and for the classes of initializers.

Each function takes a NumPy generator, draws in float64 and rounds to the dtype last. The draws of Keras's NumPy backend
are made in the same order, so the same seed gives the same bits here and there; where Keras has no such function, the
order is our own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastnn import seeds
from fastnn._errors import unknown

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = Sequence[int]
Generator: TypeAlias = "np.random.Generator | np.random.RandomState"

# The standard deviation of a standard normal that is cut at -2 and 2.
TRUNCATED_STDDEV = 0.87962566103423978

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")

# (scale, mode, distribution) of the presets of `variance_scaling`
PRESETS = {
    "glorot_uniform": (1.0, "fan_avg", "uniform"),
    "glorot_normal": (1.0, "fan_avg", "truncated_normal"),
    "he_uniform": (2.0, "fan_in", "uniform"),
    "he_normal": (2.0, "fan_in", "truncated_normal"),
    "lecun_uniform": (1.0, "fan_in", "uniform"),
    "lecun_normal": (1.0, "fan_in", "truncated_normal"),
}


def seeded(seed: int) -> np.random.Generator:
    """The generator that Keras's NumPy backend makes of an integer seed."""
    return np.random.default_rng(np.array([seeds.check_seed(seed), 0], np.uint32))


def float_type(dtype: DTypeLike) -> np.dtype[Any]:
    """The dtype, if it is one of real floating-point numbers."""
    found = np.dtype(dtype)
    if found.kind != "f":
        raise ValueError(f"A random initializer needs a real floating-point dtype. Received: {found}")
    return found


def compute_fans(
    shape: Shape, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """The number of inputs and outputs of a unit with weights of this shape, (fan_in, fan_out).

    A matrix is (inputs, outputs), a convolution kernel (*window, inputs, outputs): the size of the window multiplies
    both.
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def normal(generator: Generator, shape: Shape, mean: float, stddev: float, dtype: DTypeLike) -> Array:
    """Draws from N(mean, stddev^2)."""
    target = float_type(dtype)
    return np.asarray(generator.normal(mean, stddev, tuple(shape))).astype(target)


def uniform(generator: Generator, shape: Shape, minval: float, maxval: float, dtype: DTypeLike) -> Array:
    """Draws from the uniform distribution on [minval, maxval)."""
    target = float_type(dtype)
    return np.asarray(generator.uniform(minval, maxval, tuple(shape))).astype(target)


def truncated_normal(generator: Generator, shape: Shape, mean: float, stddev: float, dtype: DTypeLike) -> Array:
    """Draws from N(mean, stddev^2) without those beyond two standard deviations."""
    low, high = mean - 2.0 * stddev, mean + 2.0 * stddev

    def propose(count: int) -> Array:
        draws = generator.normal(mean, stddev, count)
        return draws[(draws >= low) & (draws <= high)]

    return _fill(propose, shape, dtype)


def normal_between(
    generator: Generator, shape: Shape, mean: float, stddev: float, low: float, high: float, dtype: DTypeLike
) -> Array:
    """Draws from N(mean, stddev^2) without those outside [low, high], wherever that lies.

    By rejection: from the normal distribution where much of it lies between the bounds, from the uniform one where it
    is nearly flat there, and in a tail from the exponential that touches it (C. P. Robert, "Simulation of truncated
    normal variables", 1995).
    """
    a, b = (low - mean) / stddev, (high - mean) / stddev
    if b < 0.0:  # the lower tail is the upper one of the mirrored distribution
        return -normal_between(generator, shape, -mean, stddev, -high, -low, dtype)
    inside = 0.5 * (math.erf(b / math.sqrt(2.0)) - math.erf(a / math.sqrt(2.0)))
    rate = 0.5 * (a + math.sqrt(a * a + 4.0))

    def propose(count: int) -> Array:
        if inside > 0.3:
            draws = generator.normal(0.0, 1.0, count)
            kept = (draws >= a) & (draws <= b)
        elif a <= 0.0 or (b - a) * rate < 1.0:
            draws = generator.uniform(a, b, count)
            highest = max(a, 0.0)  # where the density is
            kept = generator.uniform(0.0, 1.0, count) <= np.exp(0.5 * (highest * highest - draws * draws))
        else:
            draws = a + generator.exponential(1.0 / rate, count)
            kept = generator.uniform(0.0, 1.0, count) <= np.exp(-0.5 * (draws - rate) ** 2)
            kept &= draws <= b
        return mean + stddev * draws[kept]

    # Rounding in mean + stddev * draw, or to the dtype, must not step over a bound.
    return np.clip(_fill(propose, shape, dtype), *_inner(low, high, dtype))


def variance_scaling(
    generator: Generator,
    shape: Shape,
    scale: float,
    mode: str,
    distribution: str,
    dtype: DTypeLike,
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> Array:
    """Draws with the variance scale / max(1, fan)."""
    fan_in, fan_out = compute_fans(shape, input_axes, output_axes)
    fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}
    variance = scale / max(1.0, fans[mode])
    if distribution == "truncated_normal":
        return truncated_normal(generator, shape, 0.0, math.sqrt(variance) / TRUNCATED_STDDEV, dtype)
    if distribution == "untruncated_normal":
        return normal(generator, shape, 0.0, math.sqrt(variance), dtype)
    limit = math.sqrt(3.0 * variance)
    return uniform(generator, shape, -limit, limit, dtype)


def check_scaling(scale: float, mode: str, distribution: str) -> tuple[float, str, str]:
    """The arguments of `variance_scaling`; ValueError if one is no choice. "normal" means the truncated one."""
    if mode not in MODES:
        raise unknown("mode", mode, MODES)
    chosen = "truncated_normal" if distribution == "normal" else distribution.lower()
    if chosen not in DISTRIBUTIONS:
        raise unknown("distribution", distribution, DISTRIBUTIONS)
    if not (scale > 0 and math.isfinite(scale)):
        raise ValueError(f"scale must be positive and finite. Received: scale={scale!r}")
    return float(scale), mode, chosen


def orthogonal(generator: Generator, shape: Shape, gain: float, dtype: DTypeLike) -> Array:
    """gain times a matrix with orthonormal columns, or rows if these are fewer; other axes join the first.

    Q of the QR decomposition of a normal matrix, its columns multiplied by the signs of R's diagonal: that makes it
    uniform over the orthogonal matrices.
    """
    if len(shape) < 2:
        raise ValueError(f"An orthogonal initializer needs at least two dimensions. Received: shape={tuple(shape)}")
    rows, columns = math.prod(shape[:-1]), shape[-1]
    # Rounded to the dtype before the decomposition, as Keras does.
    matrix = normal(generator, (max(rows, columns), min(rows, columns)), 0.0, 1.0, dtype)
    q, r = np.linalg.qr(matrix.astype(np.float64))
    q = q.astype(matrix.dtype) * np.sign(np.diag(r)).astype(matrix.dtype)
    return matrix.dtype.type(gain) * np.ascontiguousarray(q.T if rows < columns else q).reshape(tuple(shape))


def sparse_normal(generator: Generator, shape: Shape, sparsity: float, stddev: float, dtype: DTypeLike) -> Array:
    """Draws from N(0, stddev^2), of which ceil(sparsity * rows) in each column of the matrix are 0."""
    if len(shape) != 2:
        raise ValueError(f"A sparse initializer needs two dimensions. Received: shape={tuple(shape)}")
    values = normal(generator, shape, 0.0, stddev, dtype)
    zeros = math.ceil(sparsity * shape[0])
    order = np.argsort(generator.uniform(0.0, 1.0, tuple(shape)), axis=0)  # a permutation for each column
    np.put_along_axis(values, order[:zeros], 0.0, axis=0)
    return values


def _fill(propose: Callable[[int], Array], shape: Shape, dtype: DTypeLike) -> Array:
    """What `propose(size)` offers, asked again until there is enough for the shape."""
    target, size = float_type(dtype), math.prod(shape)
    parts: list[Array] = []
    while sum(part.size for part in parts) < size:
        parts.append(propose(size))
    drawn = np.concatenate(parts) if parts else np.empty(0)
    return drawn[:size].astype(target).reshape(tuple(shape))


def _inner(low: float, high: float, dtype: DTypeLike) -> tuple[Any, Any]:
    """The smallest and the largest number of the dtype that lie in [low, high]; nearest ones if none does."""
    a, b, infinity = np.array([low, high, np.inf], dtype)
    inner_a = np.nextafter(a, infinity) if float(a) < low else a
    inner_b = np.nextafter(b, -infinity) if float(b) > high else b
    return (inner_a, inner_b) if inner_a <= inner_b else (a, b)
