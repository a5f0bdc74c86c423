"""Activations over groups of columns: the gated linear units (glu, reglu, geglu ...) and maxout, with their gradients.

A gate cuts an axis in two halves, a and b, and gives a * activation(b).  Kernels work on the last axis of contiguous
rows; another axis costs a copy there and back.  Refused: axes that cannot be cut into equal parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._native import fast
from fastnn.backend import NATIVE, current
from fastnn.ops import _documentation, _generate
from fastnn.ops._check import as_array, common_dtype, into, is_number, received, rows_of, well_formed
from fastnn.ops._symbolic import traced
from fastnn.ops.activations import ROWS
from fastnn.ops.registry import Arguments, Sample, operation
from fastnn.ops.rowwise import _axis
from fastnn.reference import gates as reference

Array = NDArray[Any]

# Each gate: the activation of the second half, and what the function is called in words.
GATES = {
    "glu": ("sigmoid", "Gated linear unit"),
    "bilinear": ("identity", "Bilinear unit, a gate without an activation"),
    "reglu": ("relu", "Gated linear unit with ReLU"),
    "geglu": ("gelu", "Gated linear unit with GELU"),
    "swiglu": ("silu", "Gated linear unit with SiLU (swish)"),
}
functions: dict[str, Callable[..., Any]] = {}


def _grouped(
    op: str, axis: Any, parts: int, out: Array | None, kernel: Callable[..., None], **values: ArrayLike
) -> Any:
    """Apply a kernel from rows of x to rows that are shorter by the factor `parts`, or from dy and x to rows of x."""
    arrays = {name: as_array(op, name, value) for name, value in values.items()}
    wide = arrays["x"].shape
    if is_number(values["x"]) or not wide:
        raise ValueError(f"{op}: expected at least one dimension. {received(**arrays)}")
    place = _axis(op, axis, len(wide))
    if wide[place] % parts:
        raise ValueError(f"{op}: axis {axis} must have a multiple of {parts} elements. {received(**arrays)}")
    narrow = (*wide[:place], wide[place] // parts, *wide[place + 1 :])
    if "dy" in arrays and arrays["dy"].shape != narrow:
        raise ValueError(f"{op}: dy must have shape {narrow}. {received(**arrays)}")
    dtype = common_dtype(*arrays.values())
    ready = [rows_of(well_formed(np.moveaxis(array, place, -1), dtype)) for array in arrays.values()]
    shape = wide if "dy" in arrays else narrow
    last = place == len(wide) - 1

    def fill(result: Array) -> None:
        target = result if last else np.empty(np.moveaxis(result, place, -1).shape, dtype)
        kernel(*ready, rows_of(target))
        if not last:
            result[...] = np.moveaxis(target, -1, place)

    groups: dict[bool, list[Any]] = {True: [], False: []}
    for name, value in values.items():
        groups[arrays[name].shape == shape].append(value)
    return into(op, out, shape, dtype, fill, same=tuple(groups[True]), apart=tuple(groups[False]))


def _gated(op: str, gate: str, x: ArrayLike, axis: int, out: Array | None) -> Any:
    if (layer := traced(op, x, out, axis)) is not None:
        return layer

    def kernel(x: Array, y: Array) -> None:
        current().gated_forward(gate, x, y, ROWS[gate].defaults)

    return _grouped(op, axis, 2, out, kernel, x=x)


def _gated_backward(op: str, gate: str, dy: ArrayLike, x: ArrayLike, axis: int, out: Array | None) -> Any:
    def kernel(dy: Array, x: Array, dx: Array) -> None:
        current().gated_backward(gate, dy, x, dx, ROWS[gate].defaults)

    return _grouped(op, axis, 2, out, kernel, dy=dy, x=x)


def _sample(parts: int, backward: bool) -> Sample:
    def sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
        x = rng.normal(size=(*shape[:-1], parts * shape[-1])).astype(dtype)
        dy = rng.normal(size=shape).astype(dtype)
        return Arguments((dy, x) if backward else (x,), {"pieces": parts} if parts > 2 else {})

    return sample


_AXIS = "axis : int\n    The axis that is cut in halves."


def _documented(twin: Callable[..., Any], head: str) -> str:
    """The reference's docstring with a head of its own and an axis instead of the gate."""
    _, sections = _documentation.parse(twin.__doc__)
    entries = _documentation.entries(sections["Parameters"])
    entries.pop("gate")
    text = {
        name: "\n".join(lines).replace("last axis of even length", "an axis of even length")
        for name, lines in (("Parameters", [*entries.values(), _AXIS, _documentation.OUT]),)
    }
    for name in ("Returns", "References"):
        if name in sections:
            text[name] = sections[name].replace("the last axis", "the axis").replace("`gated`", "the function")
    text["Parameters"] = text["Parameters"].replace("the last axis", "the axis").replace("`gated`", "the function")
    text["Raises"] = _documentation.RAISES
    return _documentation.render(head, text)


def _define(name: str, gate: str, words: str) -> None:
    scope = {"forward": _gated, "backward": _gated_backward, "fast": fast, "current": current, "NATIVE": NATIVE}
    number, params = list(ROWS).index(gate), ROWS[gate].defaults
    op = f"{name}_backward"
    formula = "b" if gate == "identity" else f"{gate}(b)"
    forward = _generate.define(
        name, "x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None",
        [
            f"if current() is NATIVE and (result := fast.gated({number}, x, {params!r}, axis, out)) is not None:",
            "    return result",
            f"return forward({name!r}, {gate!r}, x, axis, out)",
        ], scope,
        _documented(reference.gated, f"{words}.\n\n``{name}([a, b]) = a * {formula}``"),
    )  # fmt: skip
    backward = _generate.define(
        op, "dy: ArrayLike, x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None",
        [
            "if current() is NATIVE:",
            f"    result = fast.gated_backward({number}, dy, x, {params!r}, axis, out)",
            "    if result is not None:",
            "        return result",
            f"return backward({op!r}, {gate!r}, dy, x, axis, out)",
        ], scope,
        _documented(
            reference.gated_backward,
            f"Gradient of `{name}`.\n\n``da = dy * {formula}``, ``db = {gate}_backward(dy * a, ...)``",
        ),
    )  # fmt: skip
    functions[name] = operation("rows", _sample(2, False), backward=op)(forward)
    functions[op] = operation("rows", _sample(2, True))(backward)


for _name, (_gate, _words) in GATES.items():
    _define(_name, _gate, _words)


def _count(op: str, pieces: Any) -> int:
    if isinstance(pieces, bool) or not isinstance(pieces, (int, np.integer)) or pieces < 1:
        raise ValueError(f"{op}: pieces must be a positive whole number. {received(pieces=pieces)}")
    return int(pieces)


@operation("rows", _sample(3, False), reference=reference.maxout, backward="maxout_backward")
def maxout(x: ArrayLike, pieces: int = 2, axis: int = -1, out: Array | None = None) -> Any:
    if current() is NATIVE and (result := fast.maxout(x, pieces, axis, out)) is not None:
        return result

    def kernel(x: Array, y: Array) -> None:
        current().maxout(x, y)

    return _grouped("maxout", axis, _count("maxout", pieces), out, kernel, x=x)


@operation("rows", _sample(3, True), reference=reference.maxout_backward)
def maxout_backward(dy: ArrayLike, x: ArrayLike, pieces: int = 2, axis: int = -1, out: Array | None = None) -> Any:
    if current() is NATIVE and (result := fast.maxout_backward(dy, x, pieces, axis, out)) is not None:
        return result

    def kernel(dy: Array, x: Array, dx: Array) -> None:
        current().maxout_backward(dy, x, dx)

    return _grouped("maxout_backward", axis, _count("maxout_backward", pieces), out, kernel, dy=dy, x=x)


_ALONG = "axis : int\n    The axis that is cut into units and pieces."
for _function in (maxout, maxout_backward):
    _function.__doc__ = _documentation.public(getattr(reference, _function.__name__), _ALONG)
