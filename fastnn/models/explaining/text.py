"""The text of an explanation: sections of formulas, and numbers below them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass
class Section:
    """A title, the formulas it is about, and lines with numbers."""

    title: str
    formulas: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Explanation:
    """One training step, written out.

    Attributes:
        title: what was explained.
        sections: in the order of the step.
        values: by layer and name, the arrays of the engine: "x", "y" (before the activation where the loss computes
            it), "dy", and for each weight "kernel", "kernel.gradient", "kernel.after" and, with the optimizer's slots,
            "kernel.m.after"; besides "loss", a number, under "".
    """

    title: str
    sections: tuple[Section, ...]
    values: dict[str, dict[str, npt.NDArray[Any]]]

    def __str__(self) -> str:
        lines = [self.title]
        for section in self.sections:
            lines += ["", section.title, *(f"  {formula}" for formula in section.formulas)]
            lines += [f"    {line}" for line in section.lines]
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """The same as Markdown."""
        lines = [f"# {self.title}"]
        for section in self.sections:
            lines += ["", f"## {section.title}", ""]
            lines += [f"- `{formula}`" for formula in section.formulas]
            if section.lines:
                lines += ["", "```text", *section.lines, "```"]
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        sections = [
            {"title": section.title, "formulas": section.formulas, "lines": section.lines} for section in self.sections
        ]
        values = {
            layer: {name: array.tolist() for name, array in named.items()} for layer, named in self.values.items()
        }
        return {"title": self.title, "sections": sections, "values": values}


class Numbers:
    """How numbers stand in the text."""

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def __call__(self, value: Any) -> str:
        return f"{float(value):.{self.digits}g}"

    def inside(self, value: Any) -> str:
        """Within a formula: negative ones in parentheses."""
        text = self(value)
        return f"({text})" if text.startswith("-") else text

    def products(self, a: Iterable[Any], b: Iterable[Any]) -> str:
        """a1·b1 + a2·b2 + ..."""
        return " + ".join(f"{self.inside(p)}·{self.inside(q)}" for p, q in zip(a, b))

    def matrix(self, name: str, values: npt.NDArray[Any]) -> list[str]:
        """A weight as it stands in books."""
        rows = [[self(v) for v in row] for row in np.atleast_2d(values)]
        width = max(len(cell) for row in rows for cell in row)
        lead = f"{name} = "
        return [
            (lead if i == 0 else " " * len(lead)) + "[" + "  ".join(cell.rjust(width) for cell in row) + "]"
            for i, row in enumerate(rows)
        ]
