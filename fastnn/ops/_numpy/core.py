"""Conversion, slices and scattered updates, and Keras's loops, which are Python's here.

Nothing is changed in place: `scatter_update` and `slice_update` return a copy. There are no gradients to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn.ops._numpy.dtypes import Array, standard, tensor

_UPDATES = {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}


def array(x: Any, dtype: Any = None) -> Array:
    """An array of its own."""
    return np.array(tensor(x, dtype))


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Array:
    """An array; Python's floats become the default float type, its integers int32."""
    if sparse or ragged:
        raise ValueError(f"NumPy has dense arrays only. Received: sparse={sparse}, ragged={ragged}")
    return tensor(x, dtype)


def convert_to_numpy(x: Any) -> Array:
    """An array."""
    return tensor(x)


def is_tensor(x: Any) -> bool:
    """Whether x is an array."""
    return isinstance(x, (np.ndarray, np.generic))


def cast(x: Any, dtype: Any) -> Array:
    """In another type."""
    return tensor(x).astype(standard(dtype))


def saturate_cast(x: Any, dtype: Any) -> Array:
    """In another type; numbers beyond its range become its ends."""
    values, kind = tensor(x), standard(dtype)
    if kind.kind == "b":
        return values.astype(kind)
    limits = np.iinfo(kind) if kind.kind in "iu" else np.finfo(kind)
    low, high = limits.min, limits.max
    if values.dtype.kind in "iu" and kind.kind in "iu":  # exactly, in the integers of Python
        own = np.iinfo(values.dtype)
        return values.clip(max(int(low), int(own.min)), min(int(high), int(own.max))).astype(kind)
    result = values.clip(low, high).astype(kind)
    if kind.kind in "iu":  # the highest integer may be no float
        result = np.where(values >= float(high), kind.type(high), result)
    return result


def copy(x: Any) -> Array:
    """A copy."""
    return tensor(x).copy()


def shape(x: Any) -> tuple[int, ...]:
    """The shape."""
    return tensor(x).shape


def size(x: Any) -> int:
    """The number of elements."""
    return tensor(x).size


def ndim(x: Any) -> int:
    """The number of axes."""
    return tensor(x).ndim


def dtype(x: Any) -> str:
    """The name of the type."""
    return tensor(x).dtype.name


def view(x: Any, dtype: Any = None) -> Array:
    """The same bytes as another type."""
    return tensor(x).view(standard(dtype)) if dtype is not None else tensor(x).view()


def get_item(x: Any, key: Any) -> Any:
    """``x[key]``"""
    return tensor(x)[key]


def stop_gradient(variable: Any) -> Any:
    """What it is given: NumPy's arrays carry no gradients."""
    return variable


def slice(inputs: Any, start_indices: Any, shape: Sequence[int]) -> Array:
    """A part of that shape, from `start_indices` on; a length of -1 reaches to the end."""
    return tensor(inputs)[_part(start_indices, shape)].copy()


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Array:
    """A copy, in which `updates` stand from `start_indices` on."""
    result, new = tensor(inputs).copy(), tensor(updates)
    result[_part(start_indices, new.shape)] = new
    return result


def _part(start: Any, lengths: Sequence[int]) -> tuple[Any, ...]:
    starts = [int(index) for index in start]
    if len(starts) != len(lengths):
        raise ValueError(f"As many lengths as starts are expected. Received: {starts} and {tuple(lengths)}")
    return tuple(np.s_[at : None if length == -1 else at + length] for at, length in zip(starts, lengths))


def scatter(indices: Any, values: Any, shape: Sequence[int]) -> Array:
    """Zeros of a shape, with the values added at the indices; the last axis of `indices` is one index."""
    places, parts = tensor(indices), tensor(values)
    result = np.zeros(tuple(shape), parts.dtype)
    depth = places.shape[-1]
    np.add.at(result, tuple(places.reshape(-1, depth).T), parts.reshape(-1, *result.shape[depth:]))
    return result


def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Array:
    """A copy, with updates at the indices: put there, or by "add", "max", "min", "mul" to what is there."""
    result, places = tensor(inputs).copy(), tuple(np.moveaxis(tensor(indices), -1, 0))
    new = tensor(updates).astype(result.dtype)
    if reduction is None:
        result[places] = new
    elif reduction in _UPDATES:
        _UPDATES[reduction].at(result, places, new)
    else:
        raise ValueError(
            f"reduction is None or one of {', '.join(repr(name) for name in _UPDATES)}. Received: {reduction!r}"
        )
    return result


# -- loops


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """``true_fn()`` if `pred`, else ``false_fn()``."""
    return true_fn() if pred else false_fn()


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """``branches[index](*operands)``; an index beyond the ends is the nearest one."""
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """``value = body_fun(i, value)`` for i from lower to before upper."""
    value = init_val
    for i in range(int(lower), int(upper)):
        value = body_fun(i, value)
    return value


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """``loop_vars = body(*loop_vars)`` as long as ``cond(*loop_vars)``."""
    several = isinstance(loop_vars, (tuple, list))
    values = tuple(loop_vars) if several else (loop_vars,)
    done = 0
    while (maximum_iterations is None or done < maximum_iterations) and cond(*values):
        after = body(*values)
        values = tuple(after) if isinstance(after, (tuple, list)) else (after,)
        done += 1
    return values if several else values[0]


def _leaves(function: Callable[..., Any], *trees: Any) -> Any:
    """The function of the arrays in lists, tuples and dicts, in the same structure."""
    first = trees[0]
    if isinstance(first, dict):
        return {key: _leaves(function, *(tree[key] for tree in trees)) for key in first}
    if isinstance(first, (list, tuple)):
        parts = [_leaves(function, *parts) for parts in zip(*trees)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    return function(*trees)


def _length(xs: Any) -> int:
    while not is_tensor(xs):
        xs = next(iter(xs.values() if isinstance(xs, dict) else xs))
    return len(xs)


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """f of every slice along the first axis, stacked; xs may be arrays in lists, tuples and dicts."""
    return scan(lambda carry, x: (carry, f(x)), None, xs)[1]


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """The same as `map`."""
    return map(function, elements)


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: Any = 1,
) -> tuple[Any, Any]:
    """``carry, y = f(carry, x)`` for every slice x along the first axis; the last carry, and all y stacked."""
    if xs is None and length is None:
        raise ValueError("scan takes xs, or the length. Received: neither")
    arrays = xs if xs is None else tensor(xs) if not isinstance(xs, (dict, list, tuple)) else _leaves(tensor, xs)
    count = int(length) if length is not None else _length(arrays)
    carry, results = init, []
    for i in reversed(range(count)) if reverse else range(count):
        carry, y = f(carry, None if xs is None else _leaves(lambda x, i=i: x[i], arrays))
        results.append(y)
    if reverse:
        results.reverse()
    if not results or results[0] is None:
        return carry, None
    return carry, _leaves(lambda *ys: np.stack([tensor(y) for y in ys]), *results)


def vectorize(pyfunc: Callable[..., Any], *, excluded: Any = None, signature: str | None = None) -> Callable[..., Any]:
    """NumPy's vectorize."""
    return np.vectorize(pyfunc, excluded=excluded, signature=signature)


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Calls f, which returns its result and its gradient's function, and passes on the result."""
    return lambda *args, **kwargs: f(*args, **kwargs)[0]


def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Array:
    """Windows along the last axis, one every `sequence_stride`."""
    windows = np.lib.stride_tricks.sliding_window_view(tensor(x), sequence_length, axis=-1)
    return windows[..., ::sequence_stride, :].copy()


def view_as_complex(x: Any) -> Array:
    """Complex numbers from pairs along the last axis."""
    pairs = tensor(x)
    if pairs.shape[-1:] != (2,):
        raise ValueError(f"The last axis must have length 2. Received: shape {pairs.shape}")
    return pairs[..., 0] + 1j * pairs[..., 1]


def view_as_real(x: Any) -> Array:
    """Pairs along a new last axis from complex numbers."""
    return np.stack([tensor(x).real, tensor(x).imag], axis=-1)


__all__ = [
    "array", "cast", "cond", "convert_to_numpy", "convert_to_tensor", "copy", "custom_gradient", "dtype",
    "extract_sequences", "fori_loop", "get_item", "is_tensor", "map", "ndim", "saturate_cast", "scan", "scatter",
    "scatter_update", "shape", "size", "slice", "slice_update", "stop_gradient", "switch", "vectorize",
    "vectorized_map", "view", "view_as_complex", "view_as_real", "while_loop",
]  # fmt: skip
