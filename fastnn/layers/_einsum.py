"""What an einsum equation of a layer means: its axes, their sizes, and in which part of a matrix product each stands.

An equation is "abc,cd->abd" - input, kernel, output, the first letter of input and output the batch - or has "..." for
axes that are as they are, at the beginning ("...c,cd->...d") or at the end ("ab...,bc->ac...") of input and output.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import Any, NamedTuple

from .base import Shape

FORMS = (r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)", r"0([a-zA-Z]+),([a-zA-Z]+)->0([a-zA-Z]+)",
         r"([a-zA-Z]+)0,([a-zA-Z]+)->([a-zA-Z]+)0")  # fmt: skip


class Einsum(NamedTuple):
    """An equation for inputs of a certain shape.

    Attributes:
        input, kernel, output: the letters of their axes; "..." has become letters.
        sizes: of every letter but that of the batch.
        bias: letters of the bias's axes; "1" is an axis of size 1.
    """

    input: str
    kernel: str
    output: str
    sizes: dict[str, int]
    bias: str

    @property
    def batch(self) -> str:
        return self.input[0]

    @property
    def shared(self) -> str:
        """Axes of all three: as many products."""
        return "".join(c for c in self.input if c in self.kernel and c in self.output)

    @property
    def rows(self) -> str:
        """Axes that the kernel does not know."""
        return "".join(c for c in self.input if c in self.output and c not in self.kernel)

    @property
    def inner(self) -> str:
        """Axes that products sum over."""
        return "".join(c for c in self.input if c in self.kernel and c not in self.output)

    @property
    def columns(self) -> str:
        """Axes that only the kernel brings."""
        return "".join(c for c in self.output if c not in self.input)

    @property
    def summed(self) -> str:
        """Axes of the input that nobody else knows."""
        return "".join(c for c in self.input if c not in self.kernel and c not in self.output)

    def shape(self, letters: str) -> Shape:
        """The sizes of some axes, the batch not among them."""
        return tuple(1 if c == "1" else self.sizes[c] for c in letters)


def analyse(
    where: str, equation: Any, bias_axes: Any, input_shape: Shape, output_shape: Sequence[int | None]
) -> Einsum:
    """The equation for samples of that shape; output_shape: sizes behind the batch, None for those the input tells.

    Raises:
        ValueError: no such equation, or shapes that do not fit it.
    """
    match = re.fullmatch("|".join(FORMS), equation.replace("...", "0")) if isinstance(equation, str) else None
    if match is None:
        raise ValueError(
            f"{where}: an equation must be of the form 'ab,bc->ac', '...b,bc->...c' or 'ab...,bc->ac...'. "
            f"Received: {equation!r}"
        )
    given, kernel, output = (part for part in match.groups() if part is not None)
    left, right = equation.startswith("..."), "->" in equation and equation.endswith("...")
    elided = 1 + len(input_shape) - len(given)
    if elided < 0 or (elided and not left and not right):
        raise ValueError(
            f"{where}: expected inputs with the axes of {equation!r}, the batch among them. "
            f"Received: {len(input_shape)} axes behind the batch"
        )
    free = "".join(c for c in string.ascii_letters if c not in given + kernel + output)[:elided]
    told = list(output if left and elided else output[1:])
    given, output = (free + given, free + output) if left else (given + free, output + free)
    known = given + kernel + output
    if any(len(set(part)) < len(part) for part in (given, kernel, output)):
        raise ValueError(f"{where}: expected each letter once in input, kernel and output. Received: {equation!r}")
    if output[0] != given[0] or given[0] in kernel:
        raise ValueError(
            f"{where}: the first axis of input and output must be the batch, which the kernel does not have. "
            f"Received: {equation!r}"
        )
    sizes = dict(zip(given[1:], input_shape))
    if len(output_shape) != len(told):
        raise ValueError(
            f"{where}: output_shape must have {len(told)} sizes for {equation!r}. Received: {tuple(output_shape)}"
        )
    for letter, size in zip(told, output_shape):
        if size is not None and sizes.setdefault(letter, size) != size:
            raise ValueError(
                f"{where}: axis {letter!r} has size {sizes[letter]} in the input. Received: {size} in output_shape"
            )
    unknown = [c for c in known if c != given[0] and c not in sizes]
    if unknown or any(c not in given + kernel for c in output) or any(c not in given + output for c in kernel):
        raise ValueError(
            f"{where}: every axis must stand in the input, or in kernel and output with a size in output_shape. "
            f"Received: {equation!r}, output_shape {tuple(output_shape)}"
        )
    return Einsum(given, kernel, output, sizes, _bias(where, bias_axes, output, free if right else ""))


def _bias(where: str, bias_axes: Any, output: str, elided: str) -> str:
    """From the first of its axes to the end of the output, the others of size 1."""
    if bias_axes is None:
        return ""
    allowed = output[1:].replace(elided, "") if elided else output[1:]
    if not isinstance(bias_axes, str) or not bias_axes or any(c not in allowed for c in bias_axes):
        raise ValueError(
            f"{where}: bias_axes must be letters of the output {output!r} behind the batch. Received: {bias_axes!r}"
        )
    first = min(output.index(c) for c in bias_axes)
    return "".join(c if c in bias_axes else "1" for c in output[first:])
