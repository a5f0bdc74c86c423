"""Functions from source text: a real signature, no per-call cost, and readable tracebacks.

The functions of the table rows differ in name, parameters and row only.  Closures over `*args` would cost more than
the kernels they call on small arrays and would hide the signature, so each function is compiled from a few lines.
"""

from __future__ import annotations

import linecache
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastnn.ops._check import number
from fastnn.ops.registry import Parameter

MODULE = "fastnn.ops"


def define(
    name: str, signature: str, body: Sequence[str], namespace: Mapping[str, Any], doc: str, returns: str = "Any"
) -> Any:
    """The function `def name(signature): body` of module fastnn.ops, with `namespace` in its globals."""
    source = f"def {name}({signature}) -> {returns}:\n" + "".join(f"    {line}\n" for line in body)
    filename = f"<{MODULE}.{name}>"
    scope: dict[str, Any] = {
        "__name__": MODULE, "Any": Any, "ArrayLike": ArrayLike, "NDArray": NDArray, "number": number, **namespace
    }  # fmt: skip
    exec(compile(source, filename, "exec", annotations.compiler_flag, dont_inherit=True), scope)
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    function: Callable[..., Any] = scope[name]
    function.__doc__ = doc
    return function


def literal(value: float) -> str:
    """A number as source text."""
    return repr(value) if math.isfinite(value) else f'float("{value}")'


def parameters_of(taken: Mapping[str, Parameter]) -> str:
    """The parameters in a signature: `alpha: float = 1.0, `."""
    for name in taken:
        if not name.isidentifier():
            raise ValueError(f"a parameter of a table row must be an identifier. Received: {name!r}")
    return "".join(f"{p.name}: float = {literal(p.default)}, " for p in taken.values())


def tuple_of(row: Mapping[str, Parameter], taken: Mapping[str, Parameter]) -> str:
    """The tuple that kernels want, all parameters of the row: those taken by name, the others by default."""
    return "(" + "".join(f"{name}, " if name in taken else f"{literal(p.default)}, " for name, p in row.items()) + ")"


def check_lines(op: str, taken: Mapping[str, Parameter]) -> list[str]:
    """Lines that let floats within their constraint pass at once, and convert or refuse everything else."""
    lines = []
    for p in taken.values():
        # floats are compared with floats in half the time
        limits = re.sub(r"(?<![\w.])\d+(?![\w.])", r"\g<0>.0", p.constraint)
        holds = " and ".join(f"{p.name} {part}" for part in limits.split(" and "))
        condition = f"type({p.name}) is not float" + (f" or not ({holds})" if p.constraint else "")
        lines += [f"if {condition}:", f"    {p.name} = number({op!r}, {p.name!r}, {p.name}, {p.constraint!r})"]
    return lines
