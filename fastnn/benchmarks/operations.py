"""Every operation of fastnn.ops, native against the reference: the same public function, the same arrays.

Results go into arrays that are there already wherever a function takes `out`, so that no figure contains the price of
fresh memory.  The reference is written to be read and computes part of its formulas in double precision; how much of
the machine is used is told by the third contender, a plain copy that moves as many bytes as the operation must.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastnn._errors import unknown
from fastnn.backend import use_backend
from fastnn.benchmarks.timing import alternate, measure
from fastnn.ops.registry import Operation, operations, sample_arguments

__all__ = ["Call", "OperationResult", "bench_operation", "prepare", "select"]

COLUMNS = 64
# NumPy's BLAS keeps its threads spinning for a while after a product.
BLAS_SETTLES = 0.1


@dataclass(frozen=True)
class Call:
    """A call of one operation, ready to be repeated.

    Attributes:
        run: makes the call, with the backend of the context.
        elements: of the main array.
        bytes: that every implementation must move: all arrays read and all arrays written, once.
    """

    run: Callable[[], object]
    elements: int
    bytes: int


@dataclass(frozen=True)
class OperationResult:
    """What `bench_operation` found.

    Attributes:
        name, dtype, elements, bytes: what was measured, see `Call`.
        native, reference: median seconds per call.
        ratio: how many times longer the reference takes.
        of_copy: how many times longer `numpy.copyto` on one thread takes to move as many bytes: 1 is the speed at which
            this machine copies; arithmetic makes it less, more threads or work in place can make it more.
    """

    name: str
    dtype: str
    elements: int
    bytes: int
    native: float
    reference: float
    ratio: float
    of_copy: float

    @property
    def ns_per_element(self) -> float:
        return self.native / self.elements * 1e9

    @property
    def bytes_per_second(self) -> float:
        return self.bytes / self.native


def select(names: Iterable[str] = ()) -> tuple[Operation, ...]:
    """The operations of those names; the name of a table row stands for all its operations; no name, for all there are.

    Raises:
        ValueError: no such name; the message offers the nearest one.
    """
    everything = operations()
    chosen: list[Operation] = []
    for name in names:
        found = [op for op in everything if name in (op.name, op.row)]
        if not found:
            raise unknown("operation", name, {op.name for op in everything} | {op.row for op in everything if op.row})
        chosen += [op for op in found if op not in chosen]
    return tuple(chosen) or everything


def prepare(op: Operation | str, size: int, dtype: DTypeLike = np.float32, rng: int = 0) -> Call:
    """The call of an operation on random arrays of about `size` elements in rows of 64.

    Raises:
        ValueError: no such operation, or fewer than one element.
    """
    if size < 1:
        raise ValueError(f"prepare: size must be at least 1. Received: {size!r}")
    entry = next(iter(select([op]))) if isinstance(op, str) else op
    shape = (size // COLUMNS, COLUMNS) if size >= COLUMNS else (1, size)
    args, kwargs = sample_arguments(entry, shape, dtype, rng)
    result = entry.function(*args, **kwargs)
    if entry.takes_out and (written := tuple(_arrays(result))):
        several = entry.kind == "loss" and len(written) > 1  # a gradient for each input
        kwargs = {**kwargs, "out": written if several else written[0]}
    bound = inspect.signature(entry.function).bind(*args, **kwargs).arguments
    inputs = [value for name, value in bound.items() if name != "out"]
    moved = [*inputs, *(bound[name] for name in entry.writes), result]
    elements = sum(array.size for array in _arrays(inputs[0])) or sum(array.size for array in _arrays(result))
    return Call(
        functools.partial(entry.function, *args, **kwargs), elements, sum(array.nbytes for array in _arrays(moved))
    )


def _arrays(value: Any) -> Iterator[NDArray[Any]]:
    """All arrays in a value, within lists and tuples too."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _arrays(item)


def _aligned(size: int) -> NDArray[np.uint8]:
    """So many bytes, from the start of a cache line on: elsewhere some machines copy at a tenth of the speed."""
    buffer = np.ones(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size]


def bench_operation(
    op: Operation | str, size: int = 65536, dtype: DTypeLike = np.float32, seconds: float = 0.2
) -> OperationResult:
    """Measure one operation.

    Parameters:
        op: of `fastnn.ops.registry`, or its name.
        size: elements of the main array, about.
        dtype: float32 or float64.
        seconds: about how long to measure.

    Raises:
        ValueError: no such operation, or fewer than one element.
    """
    entry = next(iter(select([op]))) if isinstance(op, str) else op
    call = prepare(entry, size, dtype)
    timer = functools.partial(measure, call.run)
    source, target = _aligned(call.bytes // 2), _aligned(call.bytes // 2)
    found = alternate(
        {
            "native": timer,
            "copy": functools.partial(measure, functools.partial(np.copyto, target, source)),
            "reference": timer,
        },
        seconds,
        inside=lambda name: nullcontext() if name == "copy" else use_backend(name),
        settle=BLAS_SETTLES if entry.kind == "dense" and call.elements > 4096 else 0.0,
    )
    return OperationResult(
        entry.name,
        np.dtype(dtype).name,
        call.elements,
        call.bytes,
        found.seconds("native"),
        found.seconds("reference"),
        found.ratio("reference", "native"),
        found.ratio("copy", "native"),
    )
