"""The losses of whole rows: for the rows of src_c/row_losses.def `name`, `name_backward` and `name_with_grad`.

They are generated, but for the cross-entropies (fastnn.ops.classification) and ctc_loss (fastnn.ops.ctc).  What a
function takes besides the inputs and the parameters of its row follows from the kind of target: labels may be ignored
and have class weights, outputs may have weights, samples may be masked.  A loss of several inputs has a gradient for
each of them, and `out` is a tuple then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn import _native
from fastnn._errors import unknown
from fastnn.backend import NATIVE, current
from fastnn.ops import _documentation, _generate
from fastnn.ops import classification as classes
from fastnn.ops._check import (
    as_array,
    common_dtype,
    describe,
    into,
    number,
    operands,
    overlapping,
    received,
    well_formed,
)
from fastnn.ops._targets import REDUCTIONS, Problem, factors_of, row_weights
from fastnn.ops.registry import Arguments, Parameter, operation, row_parameters, twins
from fastnn.reference import row_losses as reference

Array = NDArray[Any]
Params = tuple[float, ...]
Inputs = tuple[Any, ...]
_INT32 = np.iinfo(np.int32)
BY_HAND = (
    "softmax_cross_entropy",
    "cross_entropy_of_softmax",
    "categorical_cross_entropy",
    "textbook_cross_entropy",
    "ctc",
)


# Kernels that read predictions again after they have written gradients.
READ_AGAIN = ("circle", "multilabel_margin")
# What the factors of the outputs are called, by the kind of target.
FACTORS = {"outputs": "class_weight", "positives": "pos_weight"}
LIKE_INPUTS = ("rows", "elements", *FACTORS)


class Row(NamedTuple):
    """A row of the table, with what the reference says about it."""

    name: str
    target: str
    inputs: tuple[str, ...]
    params: dict[str, Parameter]
    value: Callable[..., Any]
    slope: Callable[..., Any]

    @property
    def labelled(self) -> bool:
        return self.target in ("classes", "labels")


def _rows() -> dict[str, Row]:
    rows = {}
    for name, target, inputs, params in _native.tables()["row_losses"]:
        if name not in BY_HAND:
            value, slope = twins(reference, name, f"{name}_grad")
            rows[name] = Row(name, target, inputs, row_parameters(params, value, slope), value, slope)
    return rows


ROWS = _rows()
functions: dict[str, Callable[..., Any]] = {}

# ------------------------------------------------------------------------------- inputs and targets of the same shape


class Rows(NamedTuple):
    """Well-formed inputs and targets of one call.

    inputs: each (rows, outputs); target: (rows, outputs), (rows,) or None; weights: float64 (rows,) or None; counted:
    what 'mean' divides by; shape, dtype: of the inputs as given; factors: of the outputs, (outputs,) or None.
    """

    inputs: tuple[Array, ...]
    target: Array | None
    weights: NDArray[np.float64] | None
    counted: float
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    factors: Array | None = None

    def run(self, row: str, scale: float, grads: tuple[Array, ...] | None, params: Params) -> NDArray[np.float64]:
        """Losses of the rows; fills the gradients, if they are wanted."""
        losses = np.empty(len(self.inputs[0]))
        shaped = None if grads is None else tuple(g.reshape(self.inputs[0].shape) for g in grads)
        current().row_loss(
            row, self.inputs, self.target, self.weights, scale, shaped, losses, params, class_weight=self.factors
        )
        return losses


def _prepared(op: str, row: Row, inputs: Inputs, target: Any, mask: Any, factors: Any, by_element: bool) -> Rows:
    """Check inputs, targets, mask and factors against each other."""
    values = dict(zip(row.inputs, inputs, strict=True))
    one: Array | None = None  # number for each row
    if row.target in LIKE_INPUTS:
        values["t"] = target
    elif row.target in ("signs", "groups"):
        one = as_array(op, "t", target)
    arrays, dtype, shape = operands(op, values, passive="t" if "t" in values else "")
    if not shape or shape[-1] == 0:
        raise ValueError(f"{op}: {row.inputs[0]} must have shape (..., outputs), outputs > 0. Received: shape {shape}")
    rows, cols = math.prod(shape[:-1]), shape[-1]
    if one is not None:
        if one.shape != shape[:-1]:
            raise ValueError(f"{op}: t must have shape {shape[:-1]}. {received(t=one)}")
        if row.target == "signs" and one.dtype.kind == "f":
            dtype = common_dtype(arrays[0], one)
        arrays = [well_formed(array, dtype) for array in arrays]
        one = _group_numbers(op, one) if row.target == "groups" else well_formed(one, dtype).reshape(rows)
    weights = None if mask is None else row_weights(op, mask, shape[:-1])
    counted = float(rows if weights is None else weights.sum())
    if by_element:
        rows, cols = rows * cols, 1
    flat = [array.reshape(rows, cols) for array in arrays]
    count = len(row.inputs)
    weight = None if factors is None else factors_of(op, FACTORS[row.target], factors, cols, dtype)
    return Rows(tuple(flat[:count]), one if one is not None else (*flat[count:], None)[0], weights, counted, shape,
                dtype, weight)  # fmt: skip


def _group_numbers(op: str, labels: Array) -> Array:
    """Labels of any integer type as int32 that are equal where they are."""
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{op}: labels must be integers. {received(t=labels)}")
    flat = labels.reshape(-1)
    if not flat.size or (flat.min() >= _INT32.min and flat.max() <= _INT32.max):
        return well_formed(flat, np.dtype(np.int32))
    return np.unique(flat, return_inverse=True)[1].reshape(-1).astype(np.int32)


def _start(
    op: str, row: str, inputs: Inputs, target: Any, reduction: str, denom: Any, mask: Any, factors: Any
) -> tuple[Rows, float]:
    """The arguments, and the factor of the reduction."""
    if reduction not in REDUCTIONS:
        raise unknown(f"{op} reduction", reduction, REDUCTIONS)
    entry = ROWS[row]
    case = _prepared(op, entry, inputs, target, mask, factors, entry.target == "elements" and reduction == "none")
    problem = Problem(case.inputs[0], case.inputs[0], None, case.counted, case.shape)
    scale = problem.scale(reduction, denom, op)
    return case, scale if reduction == "mean" else scale * _elements_of(entry, case, reduction)


def _elements_of(row: Row, case: Rows, reduction: str) -> int:
    """How many losses a loss of the kernel is the mean of: a sum, and a scale, are of the losses of the elements."""
    return case.shape[-1] if row.target == "elements" and reduction != "none" else 1


@np.errstate(all="ignore")
def _finish(case: Rows, losses: Array, reduction: str, scale: float, elements: bool) -> Any:
    if reduction == "none":
        values = losses.astype(case.dtype).reshape(case.shape if elements else case.shape[:-1])
        return values if values.ndim else values[()]
    return _native.fast.total(losses) * scale if scale else 0.0


def _value(
    op: str,
    row: str,
    inputs: Inputs,
    target: Any,
    params: Params,
    reduction: str,
    denom: Any = None,
    mask: Any = None,
    factors: Any = None,
) -> Any:
    case, scale = _start(op, row, inputs, target, reduction, denom, mask, factors)
    losses = case.run(row, 1.0, None, params) if case.inputs[0].size else np.empty(0)
    return _finish(case, losses, reduction, scale, ROWS[row].target == "elements")


def _with_grad(
    op: str,
    row: str,
    inputs: Inputs,
    target: Any,
    params: Params,
    reduction: str,
    denom: Any = None,
    mask: Any = None,
    factors: Any = None,
    out: Any = None,
) -> tuple[Any, ...]:
    case, scale = _start(op, row, inputs, target, reduction, denom, mask, factors)
    losses, grads = _gradients(op, row, case, inputs, target, params, scale, out)
    return (_finish(case, losses, reduction, scale, ROWS[row].target == "elements"), *grads)


def _backward(
    op: str,
    row: str,
    inputs: Inputs,
    target: Any,
    params: Params,
    scale: Any,
    mask: Any = None,
    factors: Any = None,
    out: Any = None,
) -> Any:
    case, mean = _start(op, row, inputs, target, "mean", None, mask, factors)
    factor = mean if scale is None else number(op, "scale", scale) * _elements_of(ROWS[row], case, "sum")
    _, grads = _gradients(op, row, case, inputs, target, params, factor, out)
    return grads[0] if len(grads) == 1 else grads


def _gradients(
    op: str, row: str, case: Rows, inputs: Inputs, target: Any, params: Params, scale: float, out: Any
) -> tuple[Array, tuple[Array, ...]]:
    """Losses of the rows, and the gradients with respect to all inputs."""
    outs = (out,) if len(inputs) == 1 else _several(op, out, len(inputs))
    losses, grads = np.empty(0), list(case.inputs)
    if row in READ_AGAIN:
        case = case._replace(inputs=tuple(x.copy() if _shared(x, outs) else x for x in case.inputs))

    def fill(place: int, earlier: tuple[Array, ...]) -> None:
        """Memory for the gradients from that place on, then the gradients."""
        nonlocal losses
        if place == len(inputs):
            losses = case.run(row, scale, earlier, params)
            return
        apart = (*inputs[:place], *inputs[place + 1 :], *outs[:place], target)
        name = "out" if len(inputs) == 1 else f"out[{place}]"
        grads[place] = into(
            op, outs[place], case.shape, case.dtype, lambda grad: fill(place + 1, (*earlier, grad)),
            same=(inputs[place],), apart=apart, name=name,
        )  # fmt: skip

    for place in range(len(inputs) if math.prod(case.shape) == 0 else 1):
        fill(place, ())
    return losses, tuple(grads)


def _several(op: str, out: Any, count: int) -> tuple[Any, ...]:
    """Where the gradients of several inputs are to go: None for each that needs memory."""
    if out is None:
        return (None,) * count
    if not isinstance(out, (tuple, list)) or len(out) != count:
        raise TypeError(f"{op}: out must be {count} arrays, one for each input. Received: {describe(out)}")
    return tuple(out)


def _shared(x: Array, outs: tuple[Any, ...]) -> bool:
    return any(isinstance(out, np.ndarray) and overlapping(x, out) for out in outs)


# ------------------------------------------------------------------------------------------------- classes and labels


def _labels_only(op: str, row: str, x: Any, targets: Any) -> None:
    if ROWS[row].target == "labels" and np.shape(targets) == np.shape(x) and np.ndim(x):
        raise ValueError(f"{op}: targets must be labels. {received(targets=np.asarray(targets))}")


def _class_value(
    op: str, row: str, inputs: Inputs, target: Any, params: Params, reduction: str, denom: Any, *counting: Any
) -> Any:
    _labels_only(op, row, inputs[0], target)
    return classes.value(op, ROWS[row].inputs[0], row, params, inputs[0], target, reduction, denom, counting)


def _class_backward(
    op: str, row: str, inputs: Inputs, target: Any, params: Params, scale: Any, *counting: Any, out: Any
) -> Any:
    _labels_only(op, row, inputs[0], target)
    name, mask = ROWS[row].inputs[0], counting[1]
    return classes.gradient(op, name, row, params, inputs[0], target, scale, counting, out, mask)


def _class_with_grad(
    op: str, row: str, inputs: Inputs, target: Any, params: Params, reduction: str, denom: Any, *counting: Any, out: Any
) -> Any:
    _labels_only(op, row, inputs[0], target)
    name, mask = ROWS[row].inputs[0], counting[1]
    return classes.both(op, name, row, params, inputs[0], target, reduction, denom, counting, out, mask)


# --------------------------------------------------------------------------------------------------------- generation

SHORT_CUTS = {
    "value": _native.fast.row_loss,
    "backward": _native.fast.row_loss_backward,
    "both": _native.fast.row_loss_with_grad,
}
TABLE = [name for name, *_ in _native.tables()["row_losses"]]
OPTIONS = {
    "reduction": 'str = "mean"',
    "denom": "float | None = None",
    "scale": "float | None = None",
    "ignore_index": "int | None = None",
    "mask": "ArrayLike | None = None",
    "class_weight": "ArrayLike | None = None",
    "pos_weight": "ArrayLike | None = None",
    "label_smoothing": "float = 0.0",
    "out": "NDArray[Any] | None = None",
}
MASK = """\
mask : array of bool or of weights >= 0, shape (...), optional
    Factor of each sample's loss."""
ELEMENTS = """\
reduction : {"mean", "sum", "none"}
    Of the losses of all elements, to one number; "none" leaves one loss per element."""
ELEMENTS_SCALE = """\
scale : float, optional
    Factor of every element's derivative. Default: that of the mean loss, 1 / number of elements."""
ELEMENTS_LOSS = 'float, or array of shape (..., outputs) for reduction="none"; 0.0 for no elements'
FACTOR_TEXTS = {
    "class_weight": """\
class_weight : array of numbers >= 0, shape (outputs,), optional
    Factor of each output's losses.""",
    "pos_weight": """\
pos_weight : array of numbers >= 0, shape (outputs,), optional
    Factor of each output's losses where the target is 1.""",
}
OUTS = """\
out : tuple of arrays, optional
    Where to put the gradients, one for each input: of its shape and dtype. Each may be exactly its input; None for one
    that is to be a new array."""
GRADS = 'One gradient for each input, of its shape; of the reduced loss (for "none": of every loss of its own).'


def _options(row: Row, kind: str) -> list[str]:
    """The keywords that the function takes: kind is "value", "backward" or "both"."""
    names = ["scale"] if kind == "backward" else ["reduction"] + ["denom"] * (row.target != "elements")
    if row.labelled:
        names += ["ignore_index", "mask", "class_weight"] + ["label_smoothing"] * (row.target == "classes")
    elif row.target != "elements":
        names += ["mask"]
    if row.target in FACTORS:
        names.append(FACTORS[row.target])
    return names + ["out"] * (kind != "value")


def _documented(row: Row, kind: str) -> str:
    source = row.slope if kind == "backward" else row.value
    head, sections = _documentation.parse(source.__doc__)
    entries = _documentation.entries(sections["Parameters"])
    if row.labelled:
        entries["t"] = classes.TARGETS
    for internal in ("class_weight", "row_weight"):
        entries.pop(internal, None)
    counting = _documentation.entries(classes.COUNTING)
    texts = _documentation.entries(classes.REDUCTION) | counting | {"mask": MASK}
    texts |= {"scale": classes.SCALE, "out": classes.OUT if len(row.inputs) == 1 else OUTS}
    if row.target in FACTORS:
        texts |= FACTOR_TEXTS
    if row.target == "elements":
        texts |= {"reduction": ELEMENTS, "scale": ELEMENTS_SCALE}
    sections["Parameters"] = "\n".join([*entries.values(), *(texts[name] for name in _options(row, kind))])
    sections["Raises"] = classes.RAISES
    loss = ELEMENTS_LOSS if row.target == "elements" else classes.LOSS
    if kind == "value":
        sections["Returns"] = loss
    elif kind == "both":
        several = f"(loss, {', '.join(f'd{name}' for name in row.inputs)})\n    {loss}. {GRADS}"
        sections["Returns"] = classes.BOTH if len(row.inputs) == 1 else several
        if row.target == "groups":
            sections["Returns"] = classes.BOTH.replace("of each sample's own", "of their sum")
    return _documentation.render(head, sections)


def _sample(row: Row) -> Callable[..., Arguments]:
    def sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
        inputs: list[Array] = [rng.normal(size=shape).astype(dtype) for _ in row.inputs]
        if row.inputs[0] == "probs" and row.labelled:
            inputs = [rng.dirichlet(np.full(shape[-1], 2.0), shape[:-1]).astype(dtype)]
        elif row.inputs[0] == "probs" or row.name in ("dice", "tversky"):
            inputs = [rng.uniform(0.05, 0.95, shape).astype(dtype)]
        elif row.name == "circle":
            inputs[0] /= np.linalg.norm(inputs[0], axis=-1, keepdims=True)
        elif "var" in row.inputs:
            inputs[1] = rng.uniform(0.5, 2.0, shape).astype(dtype)
        if row.labelled:
            return Arguments((*inputs, rng.integers(0, shape[-1], shape[:-1])), {})
        if row.target == "none":
            return Arguments((*inputs,), {})
        if row.target == "groups":
            return Arguments((*inputs, rng.integers(0, 3, shape[:-1])), {"gamma": 8.0})  # 80 magnifies roundings
        signs = row.target in ("elements", "signs")
        drawn = rng.choice([-1, 1] if signs else [0, 1], shape[:-1] if row.target == "signs" else shape)
        return Arguments((*inputs, drawn.astype(dtype)), {})

    return sample


def _define(op: str, row: Row, kind: str, general: Callable[..., Any], **fields: Any) -> None:
    options, target = _options(row, kind), "targets" if row.labelled else "t"
    arrays = [*row.inputs, *([target] if row.target != "none" else [])]
    signature = "".join(f"{name}: ArrayLike, " for name in arrays) + _generate.parameters_of(row.params) + "*, "
    # of the keywords, labels take those that say what counts by position
    named = dict.fromkeys(FACTORS.values(), "factors") if row.target in FACTORS else {}
    given = [name if row.labelled and name != "out" else f"{named.get(name, name)}={name}" for name in options]
    if row.target == "labels":
        given.insert(given.index("class_weight") + 1, "0.0")
    counting = [name for name in options if OPTIONS[name].endswith("None") and name not in ("out", "scale")]
    plain = " is ".join([*counting, "None"]) if counting else "True"
    plain += " and type(label_smoothing) is float and label_smoothing == 0" if "label_smoothing" in options else ""
    if row.target == "elements":  # the kernel's losses are means of rows
        plain = "scale is None" if kind == "backward" else "reduction == 'mean'"
    passed = [name for name in options if name in ("reduction", "scale", "out")]
    function = _generate.define(
        op,
        signature + ", ".join(f"{name}: {OPTIONS[name]}" for name in options),
        [
            *_generate.check_lines(op, row.params),
            f"if {plain} and current() is NATIVE:",
            f"    result = fast({TABLE.index(row.name)}, ({', '.join(row.inputs)},), "
            f"{target if row.target != 'none' else None}, {_generate.tuple_of(row.params, row.params)}, "
            f"{', '.join(passed)})",
            "    if result is not None:",
            "        return result",
            f"return general({op!r}, {row.name!r}, ({', '.join(row.inputs)},), "
            f"{target if row.target != 'none' else None}, "
            f"{_generate.tuple_of(row.params, row.params)}, {', '.join(given)})",
        ],
        {"general": general, "fast": SHORT_CUTS[kind], "current": current, "NATIVE": NATIVE},
        _documented(row, kind),
    )
    enter = operation("loss", _sample(row), row=row.name, params=tuple(row.params.values()), **fields)
    functions[op] = enter(function)


for _row in ROWS.values():
    _name = _row.name
    _kinds = (_class_value, _class_backward, _class_with_grad) if _row.labelled else (_value, _backward, _with_grad)
    _define(_name, _row, "value", _kinds[0], reference=_row.value, backward=f"{_name}_backward")
    _define(f"{_name}_backward", _row, "backward", _kinds[1], reference=_row.slope)
    _define(f"{_name}_with_grad", _row, "both", _kinds[2])
