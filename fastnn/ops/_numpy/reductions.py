"""Along axes: sums, means, extrema, quantiles, positions, cumulative sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.ops._numpy.dtypes import INDEX, Array, as_float, promoted, standard, sum_type, tensor

Axis = Any  # None, an int, a tuple or list of them


def _axes(axis: Axis) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _means(function: Any) -> Callable[..., Any]:
    def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
        return function(as_float(x), axis=_axes(axis), keepdims=keepdims)

    mean.__doc__ = f"numpy.{function.__name__} in a floating type."
    return mean


def _extrema(function: Any) -> Callable[..., Any]:
    def extremum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
        return function(tensor(x), axis=_axes(axis), keepdims=keepdims)

    extremum.__doc__ = f"numpy.{function.__name__} in the type of x."
    return extremum


def _largest(function: Any) -> Callable[..., Any]:
    def largest(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None) -> Any:
        start = {} if initial is None else {"initial": initial}
        return function(tensor(x), axis=_axes(axis), keepdims=keepdims, **start)

    largest.__doc__ = f"numpy.{function.__name__} in the type of x; `initial` counts as one more element."
    return largest


def _sums(function: Any) -> Callable[..., Any]:
    def add_up(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
        array = tensor(x)
        return function(array, axis=_axes(axis), keepdims=keepdims, dtype=sum_type(array.dtype))

    add_up.__doc__ = f"numpy.{function.__name__}; integers stay in their type, of at least 32 bits."
    return add_up


def _positions(function: Any) -> Callable[..., Any]:
    def position(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return np.asarray(function(tensor(x), axis=axis, keepdims=keepdims)).astype(INDEX)[()]

    position.__doc__ = f"numpy.{function.__name__} as int32."
    return position


def _cumulative(function: Any) -> Callable[..., Any]:
    def cumulative(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
        array = tensor(x)
        kind = standard(dtype) if dtype is not None else INDEX if array.dtype == bool else array.dtype
        return function(array, axis=axis, dtype=kind)

    cumulative.__doc__ = f"numpy.{function.__name__} in the type of x, or in `dtype`."
    return cumulative


def _quantiles(function: Any) -> Callable[..., Any]:
    def quantiles(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Any:
        array = as_float(x)
        found = function(array, tensor(q).astype(np.float64), axis=_axes(axis), method=method, keepdims=keepdims)
        return np.asarray(found).astype(array.dtype)[()]

    quantiles.__doc__ = f"numpy.{function.__name__} in a floating type."
    return quantiles


_functions: dict[str, Callable[..., Any]] = {}
for _make, _names in (
    (_means, "mean median std var nanmean nanmedian nanstd nanvar"),
    (_extrema, "all any amax amin nanmax nanmin ptp"),
    (_largest, "max min"),
    (_sums, "sum nansum nanprod"),
    (_positions, "argmax argmin nanargmax nanargmin"),
    (_cumulative, "cumprod cumsum nancumprod nancumsum"),
    (_quantiles, "percentile quantile nanpercentile nanquantile"),
):
    _functions |= {name: _make(getattr(np, name)) for name in _names.split()}
globals().update(_functions)


def prod(x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The product; integers stay in their type, of at least 32 bits."""
    array = tensor(x)
    kind = sum_type(array.dtype) if dtype is None else standard(dtype)
    return np.prod(array, axis=_axes(axis), keepdims=keepdims, dtype=kind)


def average(x: Any, axis: Axis = None, weights: Any = None) -> Any:
    """The mean with weights."""
    if weights is None:
        return np.average(as_float(x), axis=_axes(axis))
    array, factors = promoted(x, weights, floating=True)
    return np.average(array, axis=_axes(axis), weights=factors)


def count_nonzero(x: Any, axis: Axis = None) -> Any:
    """How many elements are not 0, as int32."""
    return np.asarray(np.count_nonzero(tensor(x), axis=_axes(axis))).astype(INDEX)[()]


def diff(a: Any, n: int = 1, axis: int = -1) -> Array:
    """Differences of neighbours, `n` times."""
    return np.diff(tensor(a), n=n, axis=axis)


def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """The integral by the trapezoidal rule."""
    values = np.moveaxis(as_float(y), axis, -1)
    if x is None:
        width: Any = np.asarray(dx, values.dtype)
    else:
        places = tensor(x, values.dtype)
        width = np.diff(places if places.ndim == 1 else np.moveaxis(places, axis, -1), axis=-1)
    return (width * (values[..., 1:] + values[..., :-1]) / 2).sum(axis=-1)


__all__ = [*_functions, "average", "count_nonzero", "diff", "prod", "trapezoid"]
