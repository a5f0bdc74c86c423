"""The element-wise losses: for every row of src_c/losses.def `name`, `name_backward` and `name_with_grad`.

They are generated.  Values are summed in double precision; a reduced loss is a Python float, which never widens what it
is combined with.  Targets of integers or bools do not widen the dtype either.  Refused: shapes that differ (nothing is
broadcast but scalars) and unknown reductions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import _native
from fastnn._errors import unknown
from fastnn.backend import NATIVE, current
from fastnn.ops import _documentation, _generate
from fastnn.ops._check import into, number, operands
from fastnn.ops.registry import Arguments, Parameter, operation, row_parameters, twins
from fastnn.reference import losses as reference

Array = NDArray[Any]
Params = tuple[float, ...]
REDUCTIONS = ("mean", "sum", "none")


class Row(NamedTuple):
    """A row of the loss table, with what the reference says about it.

    sums: whether the loss of a sample, the last axis, is the sum over its elements; then a mean is over the samples.
    """

    name: str
    sums: bool
    params: dict[str, Parameter]
    value: Callable[..., Any]
    slope: Callable[..., Any]


def _rows() -> list[Row]:
    rows = []
    for name, reduce, params in _native.tables()["losses"]:
        value, slope = twins(reference, name, f"{name}_grad")
        rows.append(Row(name, reduce == "sum", row_parameters(params, value, slope), value, slope))
    return rows


ROWS = _rows()
SUMMED = frozenset(row.name for row in ROWS if row.sums)
functions: dict[str, Callable[..., Any]] = {}


# -------------------------------------------------------------------------------------------------- what they share


def _factor(op: str, row: str, reduction: str, p: Array) -> float:
    """What the sum over all elements is multiplied by; the mean of nothing is 0."""
    if reduction not in REDUCTIONS:
        raise unknown(f"{op} reduction", reduction, REDUCTIONS)
    count = p.size // (p.shape[-1] or 1) if row in SUMMED and p.ndim else p.size
    return 1.0 if reduction != "mean" else 1.0 / count if count else 0.0


def _run(row: str, p: Array, t: Array, params: Params, reduction: str, factor: float, grad: Array | None) -> Any:
    """The reduced loss; `grad` gets factor times the derivative of each element's."""
    if reduction != "none":
        return current().loss_sum(row, p, t, factor, grad, params) * factor if p.size else 0.0
    losses = np.empty(p.size)
    pred, target = p.reshape(-1, 1), t.reshape(-1, 1)
    slopes = None if grad is None else grad.reshape(-1, 1)
    current().elementwise_loss(row, pred, target, None, factor, slopes, losses, params)
    with np.errstate(all="ignore"):
        return losses.astype(p.dtype).reshape(p.shape)[()]


def _value(op: str, row: str, p: ArrayLike, t: ArrayLike, params: Params, reduction: str) -> Any:
    (pred, target), _, _ = operands(op, {"p": p, "t": t}, passive="t")
    return _run(row, pred, target, params, reduction, _factor(op, row, reduction, pred), None)


def _backward(op: str, row: str, p: ArrayLike, t: ArrayLike, params: Params, scale: float | None, out: Any) -> Any:
    (pred, target), dtype, shape = operands(op, {"p": p, "t": t}, passive="t")
    factor = _factor(op, row, "mean", pred) if scale is None else number(op, "scale", scale)
    return into(op, out, shape, dtype, lambda grad: _run(row, pred, target, params, "sum", factor, grad), same=(p, t))


def _with_grad(
    op: str, row: str, p: ArrayLike, t: ArrayLike, params: Params, reduction: str, out: Any
) -> tuple[Any, Any]:
    (pred, target), dtype, shape = operands(op, {"p": p, "t": t}, passive="t")
    factor = _factor(op, row, reduction, pred)
    value: Any = 0.0

    def fill(grad: Array) -> None:
        nonlocal value
        value = _run(row, pred, target, params, reduction, factor, grad)

    grad = into(op, out, shape, dtype, fill, same=(p, t))
    return value, grad


# ------------------------------------------------------------------------------------------------------- generation

REDUCTION = """\
reduction : {"mean", "sum", "none"}
    Of the losses of all elements, to one number; "none" leaves one loss per element. Where the loss of a sample is a
    sum over the last axis, the mean is over the samples."""
SCALE = """\
scale : float, optional
    Factor of every element's derivative. Default: that of the mean loss, 1 / number of elements (of samples, where the
    loss of a sample is a sum)."""
LOSS_RETURNS = """\
float, or array of the shape of p for reduction="none"
    The loss, summed in double precision; 0.0 for the mean of no elements."""
BOTH_RETURNS = """\
(loss, grad)
    As the function without `_with_grad` returns it; and the gradient of the reduced loss with respect to p (for "none":
    of every element's own loss)."""


SHORT_CUTS = {
    _value: _native.fast.loss,
    _backward: _native.fast.loss_backward,
    _with_grad: _native.fast.loss_with_grad,
}

# of what these take logarithms
POSITIVE = ("msle", "poisson", "kl_divergence")


def _sample(name: str) -> Callable[..., Arguments]:
    def sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
        if name in POSITIVE:
            p, t = rng.uniform(0.05, 0.95, (2, *shape))
        elif "binary" not in name:
            p, t = rng.normal(size=(2, *shape))
        else:
            t = rng.integers(0, 2, shape).astype(float)
            p = rng.normal(size=shape) if name.endswith("logits") else rng.uniform(0.05, 0.95, shape)
        return Arguments((p.astype(dtype), t.astype(dtype)), {})

    return sample


def _define(op: str, row: Row, general: Callable[..., Any], keywords: dict[str, str], doc: str, **fields: Any) -> None:
    signature = "p: ArrayLike, t: ArrayLike, " + _generate.parameters_of(row.params) + "*, "
    params = _generate.tuple_of(row.params, row.params)
    short_cut = [
        "if current() is NATIVE:",
        f"    result = fast({ROWS.index(row)}, p, t, {params}, {', '.join(keywords)})",
        "    if result is not None:",
        "        return result",
    ]
    function = _generate.define(
        op,
        signature + ", ".join(f"{name}: {rest}" for name, rest in keywords.items()),
        [
            *_generate.check_lines(op, row.params),
            *short_cut,
            f"return general({op!r}, {row.name!r}, p, t, {params}, {', '.join(keywords)})",
        ],
        {"general": general, "fast": SHORT_CUTS[general], "current": current, "NATIVE": NATIVE},
        doc,
    )  # fmt: skip
    enter = operation("loss", _sample(row.name), row=row.name, params=tuple(row.params.values()), **fields)
    functions[op] = enter(function)


def _define_row(row: Row) -> None:
    name, public = row.name, _documentation.public
    reduction, out = 'str = "mean"', "NDArray[Any] | None = None"
    _define(
        name, row, _value, {"reduction": reduction}, public(row.value, REDUCTION, out=False, returns=LOSS_RETURNS),
        reference=row.value, backward=f"{name}_backward",
    )  # fmt: skip
    _define(
        f"{name}_backward", row, _backward, {"scale": "float | None = None", "out": out}, public(row.slope, SCALE),
        reference=row.slope,
    )  # fmt: skip
    _define(
        f"{name}_with_grad", row, _with_grad, {"reduction": reduction, "out": out},
        public(row.value, REDUCTION, returns=BOTH_RETURNS),
    )  # fmt: skip


for _row in ROWS:
    _define_row(_row)
