"""Arguments of the public array functions: what they accept, the dtype they compute in, where results go.

Kernels see C-contiguous, aligned, native-endian arrays of float32 or float64.  Everything else that a caller may pass
is turned into that here, or refused: complex, extended, string and object data, masked arrays, shapes that do not
match, an `out` of another shape or dtype, and an `out` that overlaps an input without being exactly that input.

The dtype of a result is NumPy's for the *arrays* among the arguments, at least float32; Python and NumPy scalars never
widen it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

F32 = np.dtype(np.float32)
F64 = np.dtype(np.float64)
# bits of ndarray.flags.num, which is quicker to ask than the flags one by one
_OWNDATA, _READABLE, _WRITABLE = 0x0004, 0x0101, 0x0501  # C-contiguous and aligned; and writeable
_OWN_WRITABLE = _OWNDATA | _WRITABLE
_NUMBERS = (bool, int, float, np.generic)
_LONGEST = 2**31 - 1


def describe(value: object) -> str:
    """A value in an error message: dtype and shape of an array, the repr of anything else."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}" if value.dtype.isnative else f"{value.dtype.str} {value.shape}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def received(**values: object) -> str:
    """The end of an error message: every value with its name."""
    return "Received: " + ", ".join(f"{name} {describe(value)}" for name, value in values.items())


def is_number(value: object) -> bool:
    """Whether a value is a Python or NumPy scalar: it then never decides the dtype."""
    return isinstance(value, _NUMBERS)


def number(op: str, name: str, value: Any, constraint: str = "") -> float:
    """`value` as a Python float that fulfils the constraint, such as ">= 0 and < 1" (NaN fulfils none)."""
    if type(value) is float:
        if not constraint or _holds(constraint)(value):
            return value
        real = True
    elif isinstance(value, (np.generic, np.ndarray)):
        real = value.ndim == 0 and value.dtype.kind in "biuf"
    else:
        real = isinstance(value, (int, float))
    if not real:
        raise TypeError(f"{op}: {name} must be a real number. {received(**{name: value})}")
    result = float(value)
    if constraint and not _holds(constraint)(result):
        raise ValueError(f"{op}: {name} must be {constraint}. {received(**{name: value})}")
    return result


@lru_cache
def _holds(constraint: str) -> Callable[[float], bool]:
    """A constraint as a function; the text comes from this package only."""
    condition = " and ".join(f"x {part}" for part in constraint.split(" and "))
    holds: Callable[[float], bool] = eval(f"lambda x: {condition}", {"inf": math.inf})
    return holds


def flag(op: str, name: str, value: object) -> bool:
    """`value` as a bool; strings and numbers are refused, because every non-empty string would mean True."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{op}: {name} must be True or False. {received(**{name: value})}")
    return bool(value)


def as_array(op: str, name: str, value: object) -> Array:
    """`value` as an array of real numbers, in whatever layout it has."""
    if type(value) is not np.ndarray:
        if isinstance(value, np.ma.MaskedArray):
            raise TypeError(f"{op}: {name} must not be a masked array. {received(**{name: type(value)})}")
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise ValueError(f"{op}: {name} is no array: {error} Received: {describe(value)}") from None
    if value.dtype.kind not in "biuf" or value.dtype.itemsize > 8:
        raise TypeError(f"{op}: {name} must hold real numbers of at most 64 bits. {received(**{name: value})}")
    return value


def common_dtype(*arrays: Array) -> np.dtype[Any]:
    """float32, or float64 where NumPy's promotion of the arrays with float32 needs it."""
    first = arrays[0].dtype
    if first is F32 or first is F64:
        for array in arrays:
            if array.dtype is not first:
                break
        else:
            return first
    return F32 if np.result_type(np.float32, *(array.dtype for array in arrays)).itemsize == 4 else F64


def well_formed(array: Array, dtype: np.dtype[Any]) -> Array:
    """The array itself if a kernel can read it, else a converted copy."""
    if array.flags.num & _READABLE == _READABLE and (array.dtype is dtype or array.dtype == dtype):
        return array
    if array.dtype.itemsize <= dtype.itemsize:
        return np.array(array, dtype=dtype, order="C")
    with np.errstate(all="ignore"):  # a double that float32 cannot hold becomes inf, as in a kernel
        return np.array(array, dtype=dtype, order="C")


def operands(
    op: str, values: Mapping[str, object], passive: str = ""
) -> tuple[list[Array], np.dtype[Any], tuple[int, ...]]:
    """Inputs of an element-wise function: arrays of one shape, or scalars, which take the shape of the arrays.

    Parameters:
        passive: the name of an input that does not widen the dtype while it holds integers or bools (targets).

    Returns:
        The inputs as well-formed arrays of one dtype and shape; that dtype and shape.
    """
    ready: list[Any] = list(values.values())
    first = ready[0]
    if type(first) is np.ndarray and ((dtype := first.dtype) is F32 or dtype is F64):
        shape = first.shape
        if all(
            type(other) is np.ndarray
            and other.dtype is dtype
            and other.flags.num & _READABLE == _READABLE
            and other.shape == shape
            for other in ready
        ):
            return ready, dtype, shape
    return _converted(op, values, passive)


def _converted(
    op: str, values: Mapping[str, object], passive: str
) -> tuple[list[Array], np.dtype[Any], tuple[int, ...]]:
    """The general case of `operands`."""
    arrays = {name: as_array(op, name, value) for name, value in values.items()}
    strong = [name for name, value in values.items() if not is_number(value)] or list(values)
    shape = arrays[strong[0]].shape
    if any(arrays[name].shape != shape for name in strong):
        raise ValueError(f"{op}: {' and '.join(values)} must have the same shape. {received(**arrays)}")
    deciding = [n for n in strong if n != passive or arrays[n].dtype.kind == "f"] or [n for n in values if n != passive]
    dtype = common_dtype(*(arrays[name] for name in deciding))
    ready = [a if a.shape == shape else np.broadcast_to(a, shape) for a in arrays.values()]
    return [well_formed(array, dtype) for array in ready], dtype, shape


def overlapping(a: Array, b: Array) -> bool:
    """Whether two arrays share memory; True also where that is too hard to decide."""
    if a.flags.num & b.flags.num & _OWNDATA:
        return a is b and a.size > 0
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=100_000)  # type: ignore[arg-type] # any bound is allowed
    except np.exceptions.TooHardError:
        return True


def independent(arrays: list[Any]) -> bool:
    """Whether arrays are, at a glance, fit to be updated together: well-formed, of one kind, each with its own memory.

    False does not mean that they are not.
    """
    first = arrays[0]
    if type(first) is not np.ndarray or ((dtype := first.dtype) is not F32 and dtype is not F64):
        return False
    for array in arrays:
        if (
            type(array) is not np.ndarray
            or array.dtype is not dtype
            or array.flags.num & _OWN_WRITABLE != _OWN_WRITABLE
            or array.shape != first.shape
        ):
            return False
    return len({id(array) for array in arrays}) == len(arrays)


def same_view(a: Array, b: Array) -> bool:
    """Whether two arrays are the same elements of memory in the same order."""
    return (
        a.shape == b.shape
        and a.dtype == b.dtype
        and a.strides == b.strides
        and a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
    )


def writable(op: str, name: str, array: Any, shape: tuple[int, ...] | None, dtype: np.dtype[Any] | None) -> None:
    """Refuse what a result cannot be written into; None stands for any shape, any of the two real dtypes."""
    if (
        type(array) is np.ndarray
        and array.flags.num & _WRITABLE == _WRITABLE
        and array.dtype is dtype
        and array.shape == shape
    ):
        return
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{op}: {name} must be a NumPy array, to be written in place. {received(**{name: array})}")
    if array.dtype != dtype if dtype is not None else array.dtype not in (F32, F64):
        raise TypeError(f"{op}: {name} must have dtype {dtype or 'float32 or float64'}. {received(**{name: array})}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{op}: {name} must have shape {shape}. {received(**{name: array})}")
    if not array.flags.writeable:
        raise ValueError(f"{op}: {name} must be writable. Received: a read-only array")
    repeats = any(stride == 0 and length > 1 for stride, length in zip(array.strides, array.shape, strict=True))
    if repeats and array.size:
        raise ValueError(f"{op}: {name} must not repeat elements. Received: strides {array.strides}")


def into(
    op: str,
    out: Array | None,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    fill: Callable[[Array], object],
    *,
    same: tuple[object, ...] = (),
    apart: tuple[object, ...] = (),
    name: str = "out",
    update: bool = False,
) -> Any:
    """Let `fill` write a well-formed array, and deliver it: as a new array (a scalar if 0-d), or in `out`.

    Parameters:
        same: arguments as the caller gave them, which `out` may be but must not overlap otherwise.
        apart: arguments with which `out` must not share memory at all.
        update: `fill` also reads what is in `out` (accumulation).
    """
    if out is None:
        result = np.empty(shape, dtype)
        if result.size:
            fill(result)
        return result if shape else result[()]
    writable(op, name, out, shape, dtype)
    for source in apart:
        if isinstance(source, np.ndarray) and overlapping(out, source):
            raise ValueError(f"{op}: {name} must not share memory with this input. {received(**{name: out})}")
    for source in same:
        if isinstance(source, np.ndarray) and overlapping(out, source) and not same_view(out, source):
            raise ValueError(f"{op}: {name} must be exactly an input or not overlap it. {received(**{name: out})}")
    if out.size == 0:
        return out
    if out.flags.num & _READABLE == _READABLE:
        fill(np.asarray(out))
    else:
        buffer = np.array(out, order="C") if update else np.empty(shape, dtype)
        fill(buffer)
        out[...] = buffer
    return out


def rows_of(array: Array) -> Array:
    """A contiguous array of at least one dimension as (rows, columns of the last axis)."""
    return array if array.ndim == 2 else array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def fits_blas(op: str, **arrays: Array) -> None:
    """BLAS counts rows and columns in 32 bits."""
    for array in arrays.values():
        if array.size > _LONGEST and max(array.shape) > _LONGEST:
            raise ValueError(f"{op}: no dimension may exceed {_LONGEST}. {received(**arrays)}")
