"""Initial values of weights as arrays: for code that has no use for the objects of fastnn.initializers.

With an integer seed the values are those of the initializer of that name, and of Keras's NumPy backend. Shapes are
Keras's: (inputs, outputs), or (*window, inputs, outputs).

These are not in the registry of operations: no kernel is behind them, NumPy draws the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastnn import seeds
from fastnn._numbers import finite
from fastnn.ops import _draws
from fastnn.ops._check import describe

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = "int | Sequence[int]"
Source: TypeAlias = "np.random.Generator | np.random.RandomState | int | None"

__all__ = [
    "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "orthogonal",
    "truncated_normal", "variance_scaling",
]  # fmt: skip


def glorot_uniform(shape: Shape, rng: Source = None, dtype: DTypeLike = np.float32) -> Array:
    """Uniform draws on [-limit, limit), limit = sqrt(6 / (fan_in + fan_out)); Xavier uniform.

    Parameters
    ----------
    shape : int or sequence of int
        (inputs, outputs), or (*window, inputs, outputs).
    rng : Generator, RandomState, int or None
        A generator is advanced; an integer from 0 to 2**32 - 1 is a seed; None draws anew in every call.
    dtype : dtype
        Of real floating-point numbers.

    Returns
    -------
    ndarray of the shape and dtype

    Raises
    ------
    TypeError
        rng is something else, or the shape does not consist of integers.
    ValueError
        The seed is out of its range, a dimension is negative, or the dtype is no floating-point one.

    References
    ----------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
    """
    return _preset("glorot_uniform", shape, rng, dtype)


def glorot_normal(shape: Shape, rng: Source = None, dtype: DTypeLike = np.float32) -> Array:
    """Truncated normal draws of standard deviation sqrt(2 / (fan_in + fan_out)); Xavier normal.

    Parameters
    ----------
    shape, rng, dtype
        As in `glorot_uniform`.

    Returns
    -------
    ndarray of the shape and dtype

    Raises
    ------
    TypeError, ValueError
        As in `glorot_uniform`.
    """
    return _preset("glorot_normal", shape, rng, dtype)


def he_uniform(shape: Shape, rng: Source = None, dtype: DTypeLike = np.float32) -> Array:
    """Uniform draws on [-limit, limit), limit = sqrt(6 / fan_in).

    Parameters
    ----------
    shape, rng, dtype
        As in `glorot_uniform`.

    Returns
    -------
    ndarray of the shape and dtype

    Raises
    ------
    TypeError, ValueError
        As in `glorot_uniform`.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015.
    """
    return _preset("he_uniform", shape, rng, dtype)


def he_normal(shape: Shape, rng: Source = None, dtype: DTypeLike = np.float32) -> Array:
    """Truncated normal draws of standard deviation sqrt(2 / fan_in).

    Parameters
    ----------
    shape, rng, dtype
        As in `glorot_uniform`.

    Returns
    -------
    ndarray of the shape and dtype

    Raises
    ------
    TypeError, ValueError
        As in `glorot_uniform`.
    """
    return _preset("he_normal", shape, rng, dtype)


def lecun_uniform(shape: Shape, rng: Source = None, dtype: DTypeLike = np.float32) -> Array:
    """Uniform draws on [-limit, limit), limit = sqrt(3 / fan_in).

    Parameters
    ----------
    shape, rng, dtype
        As in `glorot_uniform`.

    Returns
    -------
    ndarray of the shape and dtype

    Raises
    ------
    TypeError, ValueError
        As in `glorot_uniform`.

    References
    ----------
    Y. LeCun, L. Bottou, G. Orr, K.-R. Mueller, "Efficient BackProp", 1998.
    """
    return _preset("lecun_uniform", shape, rng, dtype)


def lecun_normal(shape: Shape, rng: Source = None, dtype: DTypeLike = np.float32) -> Array:
    """Truncated normal draws of standard deviation sqrt(1 / fan_in).

    Parameters
    ----------
    shape, rng, dtype
        As in `glorot_uniform`.

    Returns
    -------
    ndarray of the shape and dtype

    Raises
    ------
    TypeError, ValueError
        As in `glorot_uniform`.
    """
    return _preset("lecun_normal", shape, rng, dtype)


def variance_scaling(
    shape: Shape,
    rng: Source = None,
    dtype: DTypeLike = np.float32,
    *,
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
) -> Array:
    """Draws whose variance is scale / max(1, n), n one of the fans or their mean.

    Parameters
    ----------
    shape, rng, dtype
        As in `glorot_uniform`.
    scale : float
        Positive.
    mode : {"fan_in", "fan_out", "fan_avg"}
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}

    Returns
    -------
    ndarray of the shape and dtype

    Raises
    ------
    TypeError, ValueError
        As in `glorot_uniform`; a ValueError too for a scale, mode or distribution that does not exist.
    """
    chosen = _draws.check_scaling(scale, mode, distribution)
    return _draws.variance_scaling(_generator("variance_scaling", rng), _shape(shape), *chosen, dtype=dtype)


def truncated_normal(
    shape: Shape, rng: Source = None, dtype: DTypeLike = np.float32, *, mean: float = 0.0, stddev: float = 1.0
) -> Array:
    """Draws from N(mean, stddev^2) without those more than two standard deviations from the mean.

    Parameters
    ----------
    shape, rng, dtype
        As in `glorot_uniform`.
    mean, stddev : float
        Of the distribution before it is cut; what remains has the standard deviation 0.8796 stddev.

    Returns
    -------
    ndarray of the shape and dtype

    Raises
    ------
    TypeError, ValueError
        As in `glorot_uniform`; a ValueError too for a negative stddev.
    """
    mean, stddev = finite("mean", mean), finite("stddev", stddev, at_least=0.0)
    return _draws.truncated_normal(_generator("truncated_normal", rng), _shape(shape), mean, stddev, dtype)


def orthogonal(shape: Shape, rng: Source = None, dtype: DTypeLike = np.float32, *, gain: float = 1.0) -> Array:
    """gain times a random matrix with orthonormal columns, or rows if these are fewer.

    Parameters
    ----------
    shape, rng, dtype
        As in `glorot_uniform`; at least two dimensions, of which all but the last count as one.
    gain : float

    Returns
    -------
    ndarray of the shape and dtype

    Raises
    ------
    TypeError, ValueError
        As in `glorot_uniform`; a ValueError too for fewer than two dimensions.

    References
    ----------
    A. M. Saxe, J. L. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", ICLR 2014.
    """
    return _draws.orthogonal(_generator("orthogonal", rng), _shape(shape), finite("gain", gain), dtype)


def _preset(name: str, shape: Shape, rng: Source, dtype: DTypeLike) -> Array:
    return _draws.variance_scaling(_generator(name, rng), _shape(shape), *_draws.PRESETS[name], dtype=dtype)


def _generator(op: str, rng: object) -> np.random.Generator | np.random.RandomState:
    if rng is None:
        return np.random.default_rng()
    if isinstance(rng, (np.random.Generator, np.random.RandomState)):
        return rng
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        return _draws.seeded(seeds.check_seed(rng))
    raise TypeError(f"{op}: rng must be a NumPy generator, a RandomState or an integer. Received: {describe(rng)}")


def _shape(shape: Shape) -> tuple[int, ...]:
    if not isinstance(shape, (int, np.integer, Iterable)):
        raise TypeError(f"A shape consists of integers. Received: {shape!r}")
    lengths = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if not all(isinstance(length, (int, np.integer)) for length in lengths):
        raise TypeError(f"A shape consists of integers. Received: {shape!r}")
    if any(length < 0 for length in lengths):
        raise ValueError(f"A shape consists of integers not below 0. Received: {shape!r}")
    return tuple(int(length) for length in lengths)
