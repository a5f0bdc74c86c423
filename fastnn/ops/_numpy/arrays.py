"""Making, reshaping, joining, sorting and indexing arrays."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.ops._numpy.dtypes import INDEX, Array, as_float, floatx, promoted, result_type, standard, sum_type, tensor


def _own_type(dtype: Any, x: Array) -> Any:
    return x.dtype if dtype is None else standard(dtype)


# -- made from shapes and numbers


def zeros(shape: Any, dtype: Any = None) -> Array:
    """Zeros of a shape."""
    return np.zeros(shape, standard(dtype))


def ones(shape: Any, dtype: Any = None) -> Array:
    """Ones of a shape."""
    return np.ones(shape, standard(dtype))


def empty(shape: Any, dtype: Any = None) -> Array:
    """An array of a shape, of which nobody knows what it holds."""
    return np.empty(shape, standard(dtype))


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Array:
    """One value, everywhere; of the default float type unless `dtype` says otherwise."""
    return np.full(shape, tensor(fill_value), standard(dtype))


def zeros_like(x: Any, dtype: Any = None) -> Array:
    """Zeros of the shape and type of x."""
    array = tensor(x)
    return np.zeros(array.shape, _own_type(dtype, array))


def ones_like(x: Any, dtype: Any = None) -> Array:
    """Ones of the shape and type of x."""
    array = tensor(x)
    return np.ones(array.shape, _own_type(dtype, array))


def empty_like(x: Any, dtype: Any = None) -> Array:
    """An array of the shape and type of x."""
    array = tensor(x)
    return np.empty(array.shape, _own_type(dtype, array))


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Array:
    """One value in the shape and type of x."""
    array = tensor(x)
    return np.full(array.shape, tensor(fill_value), _own_type(dtype, array))


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Array:
    """Numbers from start to before stop; int32 for integers."""
    if dtype is None:
        dtype = result_type(*(value for value in (start, stop, step) if value is not None))
    first, end = (0, start) if stop is None else (start, stop)
    return np.arange(first, end, 1 if step is None else step).astype(standard(dtype))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Array:
    """Ones on a diagonal."""
    return np.eye(N, M, k, standard(dtype))


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Array:
    """Ones on a diagonal and below."""
    return np.tri(N, M, k, standard(dtype))


def _spaced(function: Any, dtype: Any, start: Any, stop: Any, **options: Any) -> Any:
    kind = result_type(start, stop, floating=True) if dtype is None else standard(dtype)
    return function(start, stop, dtype=kind, **options)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Evenly spaced numbers; with `retstep`, and their distance."""
    return _spaced(np.linspace, dtype, start, stop, num=num, endpoint=endpoint, retstep=retstep, axis=axis)


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None, axis: int = 0
) -> Any:
    """Powers of `base` at evenly spaced exponents."""
    return _spaced(np.logspace, dtype, start, stop, num=num, endpoint=endpoint, base=base, axis=axis)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """Numbers with a constant ratio."""
    return _spaced(np.geomspace, dtype, start, stop, num=num, endpoint=endpoint, axis=axis)


def meshgrid(*x: Any, indexing: str = "xy") -> list[Array]:
    """Coordinates of a grid."""
    return list(np.meshgrid(*map(tensor, x), indexing=indexing))  # type: ignore[call-overload]


def bartlett(x: int) -> Array:
    """Bartlett's window of so many points."""
    return np.bartlett(int(x)).astype(floatx())


def blackman(x: int) -> Array:
    """Blackman's window of so many points."""
    return np.blackman(int(x)).astype(floatx())


def hamming(x: int) -> Array:
    """Hamming's window of so many points."""
    return np.hamming(int(x)).astype(floatx())


def hanning(x: int) -> Array:
    """Hann's window of so many points."""
    return np.hanning(int(x)).astype(floatx())


def kaiser(x: int, beta: float) -> Array:
    """Kaiser's window of so many points."""
    return np.kaiser(int(x), float(beta)).astype(floatx())


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:
    """Vandermonde's matrix: powers of x in columns."""
    array = tensor(x)
    return np.vander(array, N, increasing).astype(array.dtype)


# -- shapes


def reshape(x: Any, newshape: Any) -> Array:
    """The elements in another shape."""
    return np.reshape(tensor(x), newshape)


def ravel(x: Any) -> Array:
    """All elements in one row."""
    return np.ravel(tensor(x))


def expand_dims(x: Any, axis: Any) -> Array:
    """With axes of length 1."""
    return np.expand_dims(tensor(x), tuple(axis) if isinstance(axis, list) else axis)


def squeeze(x: Any, axis: Any = None) -> Array:
    """Without axes of length 1."""
    return np.squeeze(tensor(x), tuple(axis) if isinstance(axis, list) else axis)


def transpose(x: Any, axes: Any = None) -> Array:
    """The axes in another order."""
    return np.transpose(tensor(x), axes)


def swapaxes(x: Any, axis1: int, axis2: int) -> Array:
    """Two axes exchanged."""
    return np.swapaxes(tensor(x), axis1, axis2)


def moveaxis(x: Any, source: Any, destination: Any) -> Array:
    """Axes moved to other places."""
    return np.moveaxis(tensor(x), source, destination)


def broadcast_to(x: Any, shape: Any) -> Array:
    """Repeated to a shape, as an array of its own."""
    return np.broadcast_to(tensor(x), shape).copy()


def tile(x: Any, repeats: Any) -> Array:
    """Copies side by side."""
    return np.tile(tensor(x), repeats)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Array:
    """Each element several times."""
    return np.repeat(tensor(x), repeats, axis)


def flip(x: Any, axis: Any = None) -> Array:
    """In reverse order."""
    return np.flip(tensor(x), axis)


def fliplr(x: Any) -> Array:
    """Left and right exchanged."""
    return np.fliplr(tensor(x))


def flipud(x: Any) -> Array:
    """Top and bottom exchanged."""
    return np.flipud(tensor(x))


def rot90(array: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """Turned by k quarters."""
    return np.rot90(tensor(array), k, axes)


def roll(x: Any, shift: Any, axis: Any = None) -> Array:
    """Shifted; what falls off comes back at the other end."""
    return np.roll(tensor(x), shift, axis)


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Array:
    """With more elements at the ends of the axes."""
    if constant_values is None:
        return np.pad(tensor(x), pad_width, mode=mode)  # type: ignore[call-overload]
    if mode != "constant":
        raise ValueError(f"constant_values goes with mode='constant'. Received: mode={mode!r}")
    return np.pad(tensor(x), pad_width, mode="constant", constant_values=constant_values)


# -- joined and split


def concatenate(xs: Sequence[Any], axis: int = 0) -> Array:
    """Joined along an axis."""
    return np.concatenate(promoted(*xs), axis=axis)


def append(x1: Any, x2: Any, axis: int | None = None) -> Array:
    """The second after the first; flattened if there is no axis."""
    a, b = promoted(x1, x2)
    return np.append(a, b, axis=axis) if axis is not None else np.append(a, b)


def stack(x: Sequence[Any], axis: int = 0) -> Array:
    """Joined along a new axis."""
    return np.stack(promoted(*x), axis=axis)


def hstack(xs: Sequence[Any]) -> Array:
    """Side by side."""
    return np.hstack(promoted(*xs))


def vstack(xs: Sequence[Any]) -> Array:
    """One below the other."""
    return np.vstack(promoted(*xs))


def dstack(xs: Sequence[Any]) -> Array:
    """One behind the other."""
    return np.dstack(promoted(*xs))


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts of equal length, or between the indices."""
    return list(np.split(tensor(x), indices_or_sections, axis))


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """So many parts of nearly equal length."""
    return list(np.array_split(tensor(x), indices_or_sections, axis))


def hsplit(x: Any, indices_or_sections: Any) -> list[Array]:
    """Parts side by side."""
    return list(np.hsplit(tensor(x), indices_or_sections))


def vsplit(x: Any, indices_or_sections: Any) -> list[Array]:
    """Parts one below the other."""
    return list(np.vsplit(tensor(x), indices_or_sections))


def dsplit(x: Any, indices_or_sections: Any) -> list[Array]:
    """Parts one behind the other."""
    return list(np.dsplit(tensor(x), indices_or_sections))


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Array]:
    """The slices along an axis."""
    moved = np.moveaxis(tensor(x), axis, 0)
    if num is not None and num != len(moved):
        raise ValueError(f"num must be the length of the axis, {len(moved)}. Received: {num}")
    return list(moved)


# -- diagonals and triangles


def diag(x: Any, k: int = 0) -> Array:
    """The diagonal of a matrix, or the matrix of a diagonal."""
    return np.diag(tensor(x), k).copy()


def diagflat(x: Any, k: int = 0) -> Array:
    """The matrix whose diagonal holds all elements."""
    return np.diagflat(tensor(x), k)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The diagonals of two axes."""
    return np.diagonal(tensor(x), offset, axis1, axis2).copy()


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sums of the diagonals."""
    array = tensor(x)
    return np.trace(array, offset, axis1, axis2, dtype=sum_type(array.dtype))


def tril(x: Any, k: int = 0) -> Array:
    """0 above the diagonal."""
    return np.tril(tensor(x), k)


def triu(x: Any, k: int = 0) -> Array:
    """0 below the diagonal."""
    return np.triu(tensor(x), k)


# -- picked, sorted, counted


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The elements, or slices, at the indices."""
    return np.take(tensor(x), tensor(indices), axis)


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Array:
    """One element of every row for each index."""
    return np.take_along_axis(tensor(x), tensor(indices), axis)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Array:
    """Of the choices, the one whose condition holds first."""
    choices = promoted(*choicelist, default)
    return np.select([tensor(condition, bool) for condition in condlist], choices[:-1], choices[-1])


def nonzero(x: Any) -> tuple[Array, ...]:
    """Where the elements are not 0: one array of indices for each axis."""
    return tuple(index.astype(INDEX) for index in np.nonzero(tensor(x)))


def sort(x: Any, axis: int | None = -1) -> Array:
    """In ascending order."""
    return np.sort(tensor(x), axis)


def argsort(x: Any, axis: int | None = -1) -> Array:
    """The indices that sort, equal elements in their order."""
    return np.argsort(tensor(x), axis, kind="stable").astype(INDEX)


def argpartition(x: Any, kth: int, axis: int = -1) -> Array:
    """Indices of the smaller elements, of the k-th one, and of the larger ones."""
    return np.argpartition(tensor(x), kth, axis).astype(INDEX)


def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """Where values would have to go into a sorted sequence."""
    return np.asarray(np.searchsorted(*promoted(sorted_sequence, values), side=side)).astype(INDEX)[()]  # type: ignore[call-overload]


def digitize(x: Any, bins: Any) -> Any:
    """The bin of each element."""
    return np.asarray(np.digitize(tensor(x), tensor(bins))).astype(INDEX)[()]


def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Array:
    """How often each integer occurs, or the sum of its weights, for each row of x."""
    if sparse:
        raise ValueError("NumPy has no sparse arrays; expected sparse=False. Received: True")
    array = tensor(x)
    factors = None if weights is None else tensor(weights)
    kind = INDEX if factors is None else factors.dtype
    if array.ndim < 2:
        return np.bincount(array, factors, minlength).astype(kind)
    length = max(minlength, int(array.max()) + 1 if array.size else 0)
    rows = array.reshape(-1, array.shape[-1])
    of_rows = [None] * len(rows) if factors is None else list(factors.reshape(rows.shape))
    counts = [np.bincount(row, row_weights, length) for row, row_weights in zip(rows, of_rows)]
    return np.stack(counts).astype(kind).reshape(*array.shape[:-1], length)


def histogram(x: Any, bins: Any = 10, range: Any = None) -> tuple[Array, Array]:
    """How many elements lie in each bin, and the edges of the bins."""
    array = tensor(x)
    counts, edges = np.histogram(array, bins=bins, range=range)
    return counts.astype(INDEX), edges.astype(as_float(array).dtype)


def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Array:
    """Which elements of x1 are among x2."""
    return np.isin(tensor(x1), tensor(x2), assume_unique=assume_unique, invert=invert)


def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """The indices along each axis, from those into the flat array."""
    given = tensor(indices)
    return tuple(np.asarray(index).astype(given.dtype)[()] for index in np.unravel_index(given, shape))


def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The distinct elements, in order, and what else is asked for; `size` cuts or fills them."""
    array = tensor(x)
    values, *others = np.unique(array, True, True, True, axis=axis)
    index, inverse, counts = (np.asarray(other).astype(INDEX) for other in others)
    inverse = inverse.reshape(array.shape if axis is None else (-1,))
    if size is not None:
        along, missing = axis or 0, size - values.shape[axis or 0]
        if missing > 0:
            fill = values.min() if fill_value is None else fill_value
            ends = [(0, missing if at == along % values.ndim else 0) for at in builtins.range(values.ndim)]
            values = np.pad(values, ends, constant_values=fill)
            index, counts = np.pad(index, (0, missing)), np.pad(counts, (0, missing))
        values = values.take(np.arange(size), axis=along)
        index, counts = index[:size], counts[:size]
    wanted = [index] * return_index + [inverse] * return_inverse + [counts] * return_counts
    return (values, *wanted) if wanted else values


__all__ = [
    "append", "arange", "argpartition", "argsort", "array_split", "bartlett", "bincount", "blackman", "broadcast_to",
    "concatenate", "diag", "diagflat", "diagonal", "digitize", "dsplit", "dstack", "empty", "empty_like",
    "expand_dims", "eye", "flip", "fliplr", "flipud", "full", "full_like", "geomspace", "hamming", "hanning",
    "histogram", "hsplit", "hstack", "isin", "kaiser", "linspace", "logspace", "meshgrid", "moveaxis", "nonzero",
    "ones", "ones_like", "pad", "ravel", "repeat", "reshape", "roll", "rot90", "searchsorted", "select", "sort",
    "split", "squeeze", "stack", "swapaxes", "take", "take_along_axis", "tile", "trace", "transpose", "tri", "tril",
    "triu", "unique", "unravel_index", "unstack", "vander", "vsplit", "vstack", "zeros", "zeros_like",
]  # fmt: skip
