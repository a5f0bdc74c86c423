"""Sample inputs on which numerical code goes wrong: special values, kinks, dense values, awkward memory layouts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


@np.errstate(all="ignore")
def special_values(dtype: DTypeLike = np.float32) -> Array:
    """The numbers that the arithmetic treats specially.

    Parameters
    ----------
    dtype : float16, float32 or float64

    Returns
    -------
    array of dtype, one dimension
        NaN, both infinities, both zeros, and with both signs: the smallest and the largest subnormal, the smallest
        normal and the largest number, 1 and its neighbours.
    """
    real: Any = np.dtype(dtype).type
    info = np.finfo(real)
    one, zero = real(1), real(0)
    positive = [
        np.nextafter(zero, one),
        np.nextafter(info.tiny, zero),
        info.tiny,
        np.nextafter(one, zero),
        one,
        np.nextafter(one, real(2)),
        info.max,
        real(np.inf),
        zero,
    ]
    return np.array([np.nan, *positive, *(-x for x in positive)], dtype=real)


@np.errstate(all="ignore")
def kinks(dtype: DTypeLike = np.float32) -> Array:
    """The points at which piecewise functions usually change, each with its two neighbours.

    Parameters
    ----------
    dtype : float16, float32 or float64

    Returns
    -------
    array of dtype, one dimension
        -6, -3, -1, -1/2, 0, 1/2, 1, 3, 6 and the next numbers on either side; zero with both signs.
    """
    real: Any = np.dtype(dtype).type
    points = np.array([-6, -3, -1, -0.5, -0.0, 0, 0.5, 1, 3, 6], dtype=real)
    return np.concatenate([np.nextafter(points, real(-np.inf)), points, np.nextafter(points, real(np.inf))])


@np.errstate(all="ignore")
def dense_values(dtype: DTypeLike = np.float32, count: int = 4096, low: float = -100.0, high: float = 100.0) -> Array:
    """Finite numbers that cover an interval evenly and all orders of magnitude.

    Parameters
    ----------
    dtype : float16, float32 or float64
    count : int
        How many numbers: half of them evenly spaced in ``[low, high]``, half evenly spaced in the exponent, with both
        signs, from the smallest to the largest number of the dtype.
    low, high : float
        The interval.

    Returns
    -------
    array of dtype, shape (count,)
        The same numbers in every call.
    """
    real: Any = np.dtype(dtype).type
    info = np.finfo(real)
    even = np.linspace(low, high, count - count // 2, dtype=np.float64)
    lowest, highest = np.log2(float(info.smallest_subnormal)), float(info.maxexp)
    exponents = np.linspace(lowest, highest, count // 2, endpoint=False)
    signs = np.where(np.arange(exponents.size) % 2, -1, 1)
    return np.concatenate([even, signs * np.exp2(exponents)]).astype(real)


def shapes() -> list[tuple[int, ...]]:
    """Shapes worth trying: 0-d, empty, a single element, and lengths around those of vector registers and chunks.

    Returns
    -------
    list of tuple of int
    """
    lengths = [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 2047, 2048, 2049]
    return [(), *((n,) for n in lengths), (0, 4), (4, 0), (1, 1), (3, 5), (64, 33), (2, 3, 4)]


def layouts(x: Array) -> Iterator[tuple[str, Array]]:
    """The same values in all layouts that an array can have in memory.

    Parameters
    ----------
    x : array, any shape and dtype

    Yields
    ------
    name : str
        ``contiguous``, ``fortran``, ``strided`` (every second element), ``reversed`` (negative strides), ``unaligned``
        (at an odd address), ``byteswapped`` or ``readonly``.
    array : array, shape of x
        Equal to ``x``.
    """
    yield "contiguous", np.array(x, order="C")
    yield "fortran", np.array(x, order="F")

    every_other: tuple[Any, ...] = (*(slice(None, None, 2) for _ in x.shape), ...)
    strided = np.empty(tuple(2 * n for n in x.shape), x.dtype)[every_other]
    strided[...] = x
    yield "strided", strided

    backwards: tuple[Any, ...] = (*(slice(None, None, -1) for _ in x.shape), ...)
    yield "reversed", np.array(x[backwards], order="C")[backwards]

    buffer = np.empty(x.nbytes + 1, np.uint8)
    unaligned = np.frombuffer(buffer.data, x.dtype, count=x.size, offset=1).reshape(x.shape)
    unaligned[...] = x
    yield "unaligned", unaligned

    yield "byteswapped", x.astype(x.dtype.newbyteorder())

    readonly = np.array(x, order="C")
    readonly.flags.writeable = False
    yield "readonly", readonly
