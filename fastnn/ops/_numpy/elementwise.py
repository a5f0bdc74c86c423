"""Element by element: NumPy's functions with Keras's arguments and types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.ops._numpy.dtypes import Array, as_float, promoted, tensor


def _unary(name: str, function: Any, floating: bool) -> Callable[[Any], Array]:
    def unary(x: Any) -> Any:
        return function(as_float(x) if floating else tensor(x))

    unary.__doc__ = f"numpy.{function.__name__} of every element" + (", in a floating type." if floating else ".")
    return unary


def _binary(name: str, function: Any, floating: bool) -> Callable[[Any, Any], Array]:
    def binary(x1: Any, x2: Any) -> Any:
        return function(*promoted(x1, x2, floating=floating))

    binary.__doc__ = f"numpy.{function.__name__} of the elements of two arrays, in Keras's common type of both."
    return binary


def _bitwise(name: str, function: Any) -> Callable[[Any, Any], Array]:
    def bitwise(x: Any, y: Any) -> Any:
        return function(*promoted(x, y))

    bitwise.__doc__ = f"numpy.{function.__name__} of two arrays of integers or bool."
    return bitwise


_FLOATING = (
    "arccos arccosh arcsin arcsinh arctanh cbrt ceil cos cosh deg2rad exp exp2 expm1 fabs floor i0 log log10 log1p "
    "log2 rad2deg sin sinh sqrt tan"
)
_SAME = (
    "abs absolute bitwise_invert bitwise_not conj conjugate imag isfinite isinf isnan isneginf isposinf isreal "
    "logical_not negative real signbit trunc"
)
_BINARY = (
    "add bitwise_and equal floor_divide fmax fmin fmod gcd greater greater_equal lcm less less_equal logical_and "
    "logical_or logical_xor maximum minimum mod multiply not_equal power subtract"
)
_QUOTIENTS = "arctan2 divide hypot logaddexp logaddexp2 nextafter true_divide"
_BITWISE = "bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor left_shift right_shift"
_OTHER_NAMES = {
    "bitwise_invert": "invert", "bitwise_not": "invert", "bitwise_left_shift": "left_shift",
    "bitwise_right_shift": "right_shift",
}  # fmt: skip


def _numpy(name: str) -> Any:
    return getattr(np, _OTHER_NAMES.get(name, name))


_functions: dict[str, Callable[..., Any]] = {name: _unary(name, _numpy(name), True) for name in _FLOATING.split()}
_functions |= {name: _unary(name, _numpy(name), False) for name in _SAME.split()}
_functions |= {name: _binary(name, _numpy(name), False) for name in _BINARY.split()}
_functions |= {name: _binary(name, _numpy(name), True) for name in _QUOTIENTS.split()}
_functions |= {name: _bitwise(name, _numpy(name)) for name in _BITWISE.split()}
globals().update(_functions)


def square(x: Any) -> Any:
    """The squares; of bool, integers."""
    array = tensor(x)
    return np.square(array.astype(np.int32) if array.dtype == bool else array)


def reciprocal(x: Any) -> Any:
    """``1 / x``, in a floating type."""
    return 1 / as_float(x)


def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``, in a floating type."""
    return 1 / np.sqrt(as_float(x))


def round(x: Any, decimals: int = 0) -> Any:
    """Rounded to so many decimals, halves to the even neighbour."""
    return np.round(tensor(x), decimals)


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """``min(max(x, x_min), x_max)`` in the type of x."""
    array = tensor(x)
    array = array.astype(np.int32) if array.dtype == bool else array
    low, high = (None if bound is None else tensor(bound).astype(array.dtype) for bound in (x_min, x_max))
    return np.clip(array, low, high)


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """NaN and infinities replaced; None is the largest number of the type."""
    return np.nan_to_num(tensor(x), nan=nan, posinf=posinf, neginf=neginf)


def angle(x: Any) -> Any:
    """The angle of complex numbers, in radians."""
    return np.angle(as_float(x)).astype(as_float(x).real.dtype)


def ldexp(x1: Any, x2: Any) -> Any:
    """``x1 * 2**x2`` for integers x2."""
    return np.ldexp(as_float(x1), tensor(x2))


def divide_no_nan(x1: Any, x2: Any) -> Any:
    """``x1 / x2``, and 0 where x2 is 0."""
    a, b = promoted(x1, x2, floating=True)
    return np.where(b == 0, np.zeros((), a.dtype), a / np.where(b == 0, np.ones((), b.dtype), b))


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """Elements of x1 where the condition holds, else of x2; with the condition alone, where it holds."""
    if (x1 is None) != (x2 is None):
        raise ValueError(f"where takes both x1 and x2, or none. Received: x1={x1!r}, x2={x2!r}")
    if x1 is None:
        return tuple(index.astype(np.int32) for index in np.nonzero(tensor(condition)))
    return np.where(tensor(condition, bool), *promoted(x1, x2))


def isclose(x1: Any, x2: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Where ``|x1 - x2| <= atol + rtol * |x2|``."""
    a, b = promoted(x1, x2)
    return np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)


def allclose(x1: Any, x2: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Whether `isclose` holds everywhere."""
    return np.asarray(isclose(x1, x2, rtol, atol, equal_nan)).all()


__all__ = [
    *_functions,
    "allclose", "angle", "clip", "divide_no_nan", "isclose", "ldexp", "nan_to_num", "reciprocal", "round", "rsqrt",
    "square", "where",
]  # fmt: skip
