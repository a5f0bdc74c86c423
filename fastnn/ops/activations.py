"""The activation functions: for every row of src_c/activations.def `name`, `name_backward` and `name_grad`.

They are generated.  A call costs one look at the context's backend and one native call that checks and computes; what
that call does not take (other dtypes, layouts, scalars, the reference backend) goes the general way below.  Refused:
arrays of different shapes, and everything that fastnn.ops._check refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import _native
from fastnn.backend import NATIVE, current
from fastnn.ops import _documentation, _generate
from fastnn.ops._check import flag, into, operands
from fastnn.ops._symbolic import traced
from fastnn.ops.registry import Arguments, Parameter, Sample, operation, parameters, row_parameters, twins
from fastnn.reference import activations as reference

Array = NDArray[Any]
Params = tuple[float, ...]


class Row(NamedTuple):
    """A row of the activation table, with what the reference says about it; `defaults` as kernels want them."""

    position: int
    name: str
    keeps: str
    params: dict[str, Parameter]
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    defaults: Params


def _rows() -> dict[str, Row]:
    rows = {}
    for position, (name, keeps, params) in enumerate(_native.tables()["activations"]):
        forward, backward = twins(reference, name, f"{name}_backward")
        described = row_parameters(params, forward, backward)
        defaults = tuple(param.default for param in described.values())
        rows[name] = Row(position, name, keeps, described, forward, backward, defaults)
    return rows


ROWS = _rows()
functions: dict[str, Callable[..., Any]] = {}

# Rows whose output is 0 for all x <= 0, where a parameter asks for a derivative at 0 alone: backward then has to be
# given the input in the place of the output, which it takes.
SIGN_FROM_INPUT = {"relu": "zero_grad"}


# ------------------------------------------------------------------------------------------------- the general way


def _forward(op: str, row: str, x: ArrayLike, out: Array | None, params: Params) -> Any:
    if (layer := traced(row, x, out, params=params)) is not None:
        return layer
    (array,), dtype, shape = operands(op, {"x": x})
    return into(op, out, shape, dtype, lambda y: current().activation_forward(row, array, y, params), same=(x,))


def _grad(op: str, row: str, x: ArrayLike, out: Array | None, params: Params) -> Any:
    (array,), dtype, shape = operands(op, {"x": x})

    def fill(dx: Array) -> None:
        if row in SIGN_FROM_INPUT and any(params):
            current().activation_backward(row, np.ones(shape, dtype), array, dx, params)
        else:
            current().activation_derivative(row, array, dx, params)

    return into(op, out, shape, dtype, fill, same=(x,))


def _backward(op: str, row: str, dy: ArrayLike, kept: ArrayLike, out: Array | None, params: Params) -> Any:
    (gradient, array), dtype, shape = operands(op, {"dy": dy, ROWS[row].keeps: kept})

    def fill(dx: Array) -> None:
        current().activation_backward(row, gradient, array, dx, params)

    return into(op, out, shape, dtype, fill, same=(dy, kept))


# ------------------------------------------------------------------------------------------------------ generation

# A flag of one row's functions that selects another row.
FLAGS = {"gelu": ("approximate", "gelu_tanh", "approximate : bool\n    Compute `gelu_tanh` instead of the exact form.")}


def _sample_forward(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((rng.normal(size=shape).astype(dtype),), {})


def _sample_backward(row: Row) -> Sample:
    def sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
        dy, x = rng.normal(size=(2, *shape)).astype(dtype)
        return Arguments((dy, x if row.keeps == "x" else np.asarray(row.forward(x))), {})

    return sample


def _define(op: str, row: Row, kind: str, taken: dict[str, Parameter], doc: str, sample: Sample, **fields: Any) -> None:
    arrays = f"dy, {row.keeps}" if kind == "activation_backward" else "x"
    fast, general = {
        "activation": (_native.fast.forward, _forward),
        "activation_backward": (_native.fast.backward, _backward),
        "activation_grad": (_native.fast.derivative, _grad),
    }[kind]
    signature = "".join(f"{name}: ArrayLike, " for name in arrays.split(", "))
    signature += _generate.parameters_of(taken)
    checks = _generate.check_lines(op, taken)
    index, name = repr(row.position), repr(row.name)
    if row.name in FLAGS:
        switch, other, _ = FLAGS[row.name]
        signature += f"{switch}: bool = False, "
        checks.append(f"if type({switch}) is not bool: {switch} = flag({op!r}, {switch!r}, {switch})")
        index, name = f"{ROWS[other].position} if {switch} else {index}", f"{other!r} if {switch} else {name}"
    params = _generate.tuple_of(row.params, taken)
    usual = f" and not {SIGN_FROM_INPUT[row.name]}" if kind == "activation_grad" and row.name in SIGN_FROM_INPUT else ""
    function = _generate.define(
        op,
        f"{signature}out: NDArray[Any] | None = None",
        [
            *checks,
            f"if current() is NATIVE{usual}:",
            f"    result = fast({index}, {arrays}, out, {params})",
            "    if result is not None:",
            "        return result",
            f"return general({op!r}, {name}, {arrays}, out, {params})",
        ],
        {"current": current, "NATIVE": NATIVE, "fast": fast, "general": general, "flag": flag},
        doc,
    )
    enter = operation(kind, sample, row=row.name, keeps=row.keeps, params=tuple(taken.values()), **fields)
    functions[op] = enter(function)


def _define_row(row: Row) -> None:
    name, extra = row.name, FLAGS[row.name][2:] if row.name in FLAGS else ()
    forward, backward = parameters(row.forward), parameters(row.backward)
    _define(
        name, row, "activation", forward, _documentation.public(row.forward, *extra), _sample_forward,
        reference=row.forward, backward=f"{name}_backward",
    )  # fmt: skip
    _define(
        f"{name}_backward", row, "activation_backward", backward, _documentation.public(row.backward, *extra),
        _sample_backward(row), reference=row.backward,
    )  # fmt: skip
    _define(
        f"{name}_grad", row, "activation_grad", backward,
        _documentation.derivative(row.forward, row.backward, row.keeps, *extra), _sample_forward,
    )  # fmt: skip


for _row in ROWS.values():
    _define_row(_row)
