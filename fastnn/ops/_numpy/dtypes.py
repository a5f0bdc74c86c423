"""The types of keras.ops: what Python's numbers become, and what two types make together.

Keras promotes as JAX does: any floating type stands above all integers, so int32 and float32 make float32, where NumPy
takes float64; and a Python number never widens an array.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastnn import config

Array: TypeAlias = NDArray[Any]
DType: TypeAlias = np.dtype[Any]

INDEX = np.dtype(np.int32)  # of positions and counts


def floatx() -> DType:
    """The default float type."""
    return np.dtype(config.floatx())


def standard(dtype: Any = None) -> DType:
    """A type as Keras means it: None and float are the default float type, int is int32."""
    if dtype is None or dtype is float or dtype == "float":
        return floatx()
    if dtype is int or dtype == "int":
        return INDEX
    try:
        found = np.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"NumPy has no such type. Received: dtype {dtype!r}") from error
    if found.kind not in "biufc":
        raise ValueError(f"A type of numbers or bool is expected. Received: dtype {dtype!r}")
    return found


def tensor(x: Any, dtype: Any = None) -> Array:
    """An array: of `dtype`, or of the array's own type; Python's floats become floatx, its integers int32."""
    array = np.asarray(x)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"Numbers, or arrays of numbers, are expected. Received: {x!r}")
    if dtype is not None:
        return array.astype(standard(dtype), copy=False)
    if isinstance(x, (np.ndarray, np.generic)) or _holds_arrays(x):
        return array
    if array.dtype == np.float64:
        return array.astype(floatx())
    if array.dtype == np.int64 and (array.size == 0 or np.abs(array).max() <= np.iinfo(INDEX).max):
        return array.astype(INDEX)
    return array


def _holds_arrays(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and any(isinstance(item, (np.ndarray, np.generic)) for item in x)


def result_type(*values: Any, floating: bool = False) -> DType:
    """The type that these make together; at least a float type if `floating`."""
    strong = [tensor(value).dtype for value in values if not isinstance(value, (bool, int, float))]
    floats = [dtype for dtype in strong if dtype.kind in "fc"]
    if floats:
        return np.result_type(*floats)
    if floating or any(isinstance(value, float) for value in values):
        return floatx()
    numbers = any(isinstance(value, int) and not isinstance(value, bool) for value in values)
    if strong:
        joint = np.result_type(*strong)
        if joint.kind == "f":  # uint64 and a signed type
            return floatx()
        return INDEX if numbers and joint.kind == "b" else joint
    return INDEX if numbers else np.dtype(bool)


def promoted(*values: Any, floating: bool = False) -> list[Array]:
    """The values as arrays of their common type."""
    dtype = result_type(*values, floating=floating)
    return [tensor(value).astype(dtype, copy=False) for value in values]


def as_float(x: Any) -> Array:
    """An array of a floating or complex type."""
    return promoted(tensor(x), floating=True)[0]


def sum_type(dtype: DType) -> DType:
    """What Keras adds and multiplies in: integers of at least 32 bits, where NumPy takes 64."""
    if dtype.kind == "b":
        return INDEX
    if dtype.kind in "iu" and dtype.itemsize < 4:
        return np.dtype(np.uint32 if dtype.kind == "u" else np.int32)
    return dtype
