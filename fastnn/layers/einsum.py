"""Einstein sums of symbolic tensors: what `ops.einsum` becomes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from . import tensors
from .base import Shape, size
from .merging import Merge

Array = npt.NDArray[Any]


class Einsum(Merge):
    """The sum of products of two tensors, as `numpy.einsum` computes it.

    Parameters:
        equation: with a letter for every axis, "bij,bjk->bik"; the letter of the batch stands in front.
        batched: which of the two tensors, and whether the result, have the batch.

    Raises:
        ValueError: no such equation; on building: it does not fit the tensors.

    Notes:
        Keras has the function, and no such layer.
    """

    least = most = 2
    takes_fixed = True

    def __init__(self, equation: str, batched: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.equation, self.batched = equation.replace(" ", ""), [bool(b) for b in batched]
        try:
            given, self.result = self.equation.split("->")
            self.a, self.b = given.split(",")
        except ValueError:
            self.a = self.b = self.result = "?"
        labels = [self.a, self.b, self.result]
        fits = all(label.isalpha() and len(set(label)) == len(label) for label in labels if label)
        known = set(self.result) <= set(self.a) | set(self.b)
        shown = set(self.a) <= set(self.b) | set(self.result) and set(self.b) <= set(self.a) | set(self.result)
        if not (fits and known and shown and len(self.batched) == 3):
            raise ValueError(
                f"einsum of symbolic tensors takes two of them, and a letter for each axis, which stands once in each "
                f"term and in two terms at least. Received: {equation!r}"
            )
        self.gives_fixed = None if self.batched[2] else True

    def _whole(self, shapes: Any, batch: int) -> list[Shape]:
        return [(batch, *shape) if has else tuple(shape) for shape, has in zip(shapes, self.batched)]

    def infer_shape(self, input_shape: Any) -> Shape:
        shapes = self._whole(self.check(input_shape), -1)
        lengths: dict[str, int] = {}
        for letters, shape in zip((self.a, self.b), shapes):
            same = len(letters) == len(shape) and all(lengths.setdefault(x, n) == n for x, n in zip(letters, shape))
            if not same:
                raise ValueError(f"{self.name}: {self.equation} does not fit. Received: {list(input_shape)}")
        whole = tuple(lengths[letter] for letter in self.result)
        if (-1 in whole) != self.batched[2] or -1 in whole[1:]:
            raise ValueError(f"einsum: the batch stays in front. Received: {self.equation!r}")
        return whole[1:] if self.batched[2] else whole

    def emit(self, plan: Plan, x: Any) -> tuple[int, Backward]:
        shapes = self._whole(self.check(self.shape_in), plan.batch)
        sample: Shape = self.shape_out  # type: ignore[assignment]
        output = (plan.batch, *sample) if self.batched[2] else sample
        a, b = self.a, self.b
        lengths = {**dict(zip(a, shapes[0])), **dict(zip(b, shapes[1]))}
        work = 2 * math.prod(lengths.values())
        y = plan.fixed(size(output))

        def sum_of(equation: str, left: Shape, right: Shape, result: Shape) -> Any:
            def compute(step: int, p: Array, q: Array, r: Array) -> None:
                product = np.einsum(equation, p.reshape(left), q.reshape(right), optimize=True)
                r.reshape(result)[...] = product

            return compute

        plan.step("call", (*x, y), ints=(work,), call=sum_of(self.equation, shapes[0], shapes[1], output))

        def backward(dy: int, need: tuple[bool, bool]) -> tuple[int, int]:
            parts = [ABSENT, ABSENT]
            for i, (own, other) in enumerate(((a, b), (b, a))):
                if need[i]:
                    parts[i] = plan.fixed(size(shapes[i]))
                    equation = f"{self.result},{other}->{own}"
                    step = sum_of(equation, output, shapes[1 - i], shapes[i])
                    plan.step("call", (dy, x[1 - i], parts[i]), ints=(work,), call=step)
            return parts[0], parts[1]

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "equation": self.equation, "batched": list(self.batched)}


def einsum(equation: str, a: tensors.Tensor, b: tensors.Tensor) -> Any:
    """The layer for two tensors; "..." stands for the axes that the other letters leave."""
    given, _, result = equation.replace(" ", "").partition("->")
    terms = given.split(",")
    if "..." in equation and len(terms) == 2:
        free = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter not in equation]
        widths = [t.ndim - len(term.replace("...", "")) for t, term in zip((a, b), terms) if "..." in term]
        widest = "".join(free[: max(widths)])
        terms = [
            term.replace("...", widest[len(widest) - (t.ndim - len(term.replace("...", ""))) :])
            for t, term in zip((a, b), terms)
        ]
        result = result.replace("...", widest)
    first = next((term[0] for t, term in zip((a, b), terms) if not t.fixed and term), "")
    batched = [not a.fixed, not b.fixed, bool(first) and result[:1] == first]
    full = f"{','.join(terms)}->{result}" if "->" in equation else equation
    return tensors.call(Einsum(full, batched, dtype=a.dtype), [a, b], unmasked=True, whole=True)
