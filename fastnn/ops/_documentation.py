"""Docstrings of the public functions, made from those of the reference functions.

A docstring is a head (sentence, formula) and sections under dashed headings, whose parameters are entries that start
without indentation.  Only what the public function adds is written here: `out`, the errors, the bare derivatives.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

ORDER = ("Parameters", "Returns", "Raises", "Notes", "References")
OUT = """\
out : array, optional
    Where to put the result: of the result's shape and dtype. It may be exactly an input, not a shifted view of one."""
RAISES = """\
TypeError
    An argument does not hold real numbers of at most 64 bits, or `out` has another dtype than the result.
ValueError
    Shapes differ, a parameter is out of its range, or `out` overlaps an input without being exactly that input."""


def parse(doc: str | None) -> tuple[str, dict[str, str]]:
    """The head of a docstring, and its sections by heading."""
    head: list[str] = []
    sections: dict[str, list[str]] = {}
    lines, current = inspect.cleandoc(doc or "").splitlines(), head
    for line, following in zip(lines, [*lines, ""][1:], strict=True):
        if following and set(following) == {"-"} and len(following) == len(line):
            current = sections.setdefault(line, [])
        elif line and set(line) == {"-"}:
            continue
        else:
            current.append(line)
    return "\n".join(head).strip(), {name: "\n".join(text).strip("\n") for name, text in sections.items()}


def render(head: str, sections: dict[str, str]) -> str:
    """The docstring of a head and sections, in the usual order."""
    parts = [head]
    parts += [f"{name}\n{'-' * len(name)}\n{sections[name]}" for name in ORDER if sections.get(name)]
    return "\n\n".join(parts) + "\n"


def entries(section: str) -> dict[str, str]:
    """The entries of a parameter section, by the names before the colon."""
    found: dict[str, list[str]] = {}
    for line in section.splitlines():
        if line and not line[0].isspace():
            found[line.partition(" :")[0]] = [line]
        elif found:
            found[next(reversed(found))].append(line)
    return {names: "\n".join(lines).rstrip() for names, lines in found.items()}


def public(reference: Callable[..., Any], *extra: str, out: bool = True, returns: str | None = None) -> str:
    """The reference's docstring with more parameters, `out` and the errors."""
    head, sections = parse(reference.__doc__)
    parameters = [sections.get("Parameters", ""), *extra, *([OUT] if out else [])]
    sections["Parameters"] = "\n".join(part for part in parameters if part)
    sections["Raises"] = RAISES
    if returns:
        sections["Returns"] = returns
    return render(head, sections)


def derivative(forward: Callable[..., Any], backward: Callable[..., Any], keeps: str, *extra: str) -> str:
    """The docstring of the bare derivative `name_grad`."""
    name = forward.__name__
    kept = "x" if keeps == "x" else f"{name}(x)"
    head = f"Derivative of `{name}` at x.\n\n``{name}_grad(x) = {name}_backward(1, {kept})``, in one pass over x"
    inputs = entries(parse(forward.__doc__)[1]["Parameters"])
    parameters = entries(parse(backward.__doc__)[1]["Parameters"])
    chosen = [inputs["x"], *(text for names, text in parameters.items() if "dy" not in names), *extra, OUT]
    returns = "array, shape and dtype of x\n    Derivative of each element."
    return render(head, {"Parameters": "\n".join(chosen), "Returns": returns, "Raises": RAISES})
