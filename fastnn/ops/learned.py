"""The activations with learned parameters: for every row of src_c/learned.def `name` and `name_backward`.

They are generated.  Parameters are arrays that broadcast against the input, one value for all elements, each column,
each channel ...; their gradients come in their shapes.  Kernels want one value for each column of a matrix: the input
is seen as (rows, columns), with as many of its leading axes as rows as the parameters do not distinguish.  Refused:
parameters that do not broadcast against the input, and everything that fastnn.ops._check refuses.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import _native
from fastnn._native import fast
from fastnn.backend import NATIVE, current
from fastnn.ops import _documentation, _generate
from fastnn.ops._check import as_array, common_dtype, into, is_number, received, well_formed
from fastnn.ops.registry import Arguments, Sample, operation, twins
from fastnn.reference import learned as reference

Array = NDArray[Any]

MOST_PIECES = 32


class Row(NamedTuple):
    """A row of the table of learned activations; `sums`: of pieces, which the first axis of parameters counts."""

    name: str
    params: tuple[str, ...]
    sums: bool
    forward: Callable[..., Any]
    backward: Callable[..., Any]


def _rows() -> dict[str, Row]:
    rows = {}
    for name, params, sums in _native.tables()["learned"]:
        forward, backward = twins(reference, name, f"{name}_backward")
        stated = tuple(inspect.signature(forward).parameters)[1:]
        if stated != params or sums != (name in reference.SUMS):
            raise TypeError(f"{name}: the table row has the parameters {params}, sums {sums}. Received: {stated}")
        rows[name] = Row(name, params, sums, forward, backward)
    return rows


ROWS = _rows()
functions: dict[str, Callable[..., Any]] = {}


# --------------------------------------------------------------------------------------------------- as kernels want it


class Matrix(NamedTuple):
    """Arguments as kernels want them, and how they were given.

    x, dy: arrays of shape (rows, cols), dy None in the forward pass.  params: (parameters, cols).  dtype, shape: of
    the result.  split: how many axes are rows.  given: the parameters as they came.
    """

    x: Array
    dy: Array | None
    params: Array
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    split: int
    given: tuple[Array, ...]


def _matrix(op: str, row: Row, params: tuple[ArrayLike, ...], **inputs: ArrayLike) -> Matrix:
    values: dict[str, Any] = {**inputs, **dict(zip(row.params, params))}
    arrays = {name: as_array(op, name, value) for name, value in values.items()}
    dtype = common_dtype(*([a for name, a in arrays.items() if not is_number(values[name])] or arrays.values()))
    shape, given = arrays["x"].shape, tuple(arrays[name] for name in row.params)
    if "dy" in inputs and arrays["dy"].shape != shape:
        if not is_number(values["dy"]):
            raise ValueError(f"{op}: dy and x must have the same shape. {received(**arrays)}")
        arrays["dy"] = np.broadcast_to(arrays["dy"], shape)
    pieces = _pieces(op, row, given, arrays)
    split = max(0, len(shape) - 1)
    for array in given:
        own = array.shape[1:] if row.sums else array.shape
        split = min(split, next((len(shape) - len(own) + i for i, n in enumerate(own) if n != 1), split))
        if len(own) > len(shape) or any(n not in (1, m) for n, m in zip(own[::-1], shape[::-1])):
            raise ValueError(f"{op}: parameters must broadcast against x. {received(**arrays)}")
    rows, columns = math.prod(shape[:split]), shape[split:]
    stacked = np.empty((len(given), pieces, *columns), dtype)
    for place, array in zip(stacked, given):
        own = array.shape[1:] if row.sums else array.shape
        with np.errstate(all="ignore"):
            place[...] = array.reshape(pieces, *own[max(0, len(own) - len(columns)) :] or (1,) * len(columns))
    matrix = (rows, math.prod(columns))
    dy, x = (well_formed(arrays[n], dtype).reshape(matrix) if n in inputs else None for n in ("dy", "x"))
    assert x is not None
    return Matrix(x, dy, stacked.reshape(-1, matrix[1]), dtype, shape, split, given)


def _pieces(op: str, row: Row, given: tuple[Array, ...], arrays: dict[str, Array]) -> int:
    if not row.sums:
        return 1
    counts = {array.shape[0] if array.ndim else 0 for array in given}
    if len(counts) != 1 or not 1 <= min(counts) <= MOST_PIECES:
        raise ValueError(
            f"{op}: the first axis of {' and '.join(row.params)} must have one length, from 1 to {MOST_PIECES}. "
            f"{received(**arrays)}"
        )
    return counts.pop()


def _gradients(row: Row, m: Matrix, sums: NDArray[np.float64]) -> list[Any]:
    """Sums over the rows as gradients in the shapes of the parameters."""
    results = []
    columns = m.shape[m.split :]
    for part, array in zip(np.split(sums, len(m.given)), m.given):
        own = array.shape[1:] if row.sums else array.shape
        tail = (1,) * (len(columns) - len(own)) + own[max(0, len(own) - len(columns)) :]
        shared = tuple(1 + i for i, n in enumerate(tail) if n == 1)
        with np.errstate(all="ignore"):
            folded = part.reshape(-1, *columns).sum(axis=shared).astype(m.dtype)
        results.append(folded.reshape(array.shape)[()])
    return results


# ------------------------------------------------------------------------------------------------------------ functions


def _forward(op: str, x: ArrayLike, params: tuple[ArrayLike, ...], out: Array | None) -> Any:
    m = _matrix(op, ROWS[op], params, x=x)

    def fill(y: Array) -> None:
        current().learned_forward(op, m.x, m.params, y.reshape(m.x.shape))

    return into(op, out, m.shape, m.dtype, fill, same=(x,), apart=params)


def _backward(op: str, name: str, dy: ArrayLike, x: ArrayLike, params: tuple[ArrayLike, ...], out: Any) -> Any:
    row = ROWS[name]
    m = _matrix(op, row, params, dy=dy, x=x)
    sums = np.zeros(m.params.shape)

    def fill(dx: Array) -> None:
        assert m.dy is not None
        current().learned_backward(name, m.dy, m.x, m.params, dx.reshape(m.x.shape), sums)

    dx = into(op, out, m.shape, m.dtype, fill, same=(dy, x), apart=params)
    return dx, *_gradients(row, m, sums)


def _sample(row: Row, backward: bool) -> Sample:
    def sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
        arrays = rng.normal(size=(1 + backward, *shape)).astype(dtype)
        of_a_unit = (*((2,) if row.sums else ()), *shape[-1:])
        params = rng.uniform(-0.15, 0.5, (len(row.params), *of_a_unit)).astype(dtype)
        return Arguments((*arrays, *params), {})

    return sample


def _define(row: Row) -> None:
    name, params = row.name, "".join(f"{p}: ArrayLike, " for p in row.params)
    given = "(" + "".join(f"{p}, " for p in row.params) + ")"
    scope = {"forward": _forward, "backward": _backward, "fast": fast, "current": current, "NATIVE": NATIVE}
    number = list(ROWS).index(name)
    forward = _generate.define(
        name, f"x: ArrayLike, {params}out: NDArray[Any] | None = None", [
            f"if current() is NATIVE and (result := fast.learned({number}, x, {given}, out)) is not None:",
            "    return result",
            f"return forward({name!r}, x, {given}, out)",
        ],
        scope, _documentation.public(row.forward),
    )  # fmt: skip
    op = f"{name}_backward"
    backward = _generate.define(
        op, f"dy: ArrayLike, x: ArrayLike, {params}out: NDArray[Any] | None = None",
        [
            "if current() is NATIVE:",
            f"    result = fast.learned_backward({number}, dy, x, {given}, out)",
            "    if result is not None:",
            "        return result",
            f"return backward({op!r}, {name!r}, dy, x, {given}, out)",
        ],
        scope, _documentation.public(row.backward), f"tuple[{', '.join(['Any'] * (1 + len(row.params)))}]",
    )  # fmt: skip
    enter = operation("learned", _sample(row, False), row=name, keeps="x", reference=row.forward, backward=op)
    functions[name] = enter(forward)
    enter = operation("learned_backward", _sample(row, True), row=name, keeps="x", reference=row.backward)
    functions[op] = enter(backward)


for _row in ROWS.values():
    _define(_row)
