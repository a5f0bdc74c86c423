"""CategoryEncoding: whole numbers as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._errors import unknown
from fastnn.engine.plan import ABSENT, Plan

from ._strided import zero
from ._windows import count
from .base import Layer, Shape, size

MODES = ("one_hot", "multi_hot", "count")


class CategoryEncoding(Layer):
    """Whole numbers from 0 to num_tokens - 1, the last axis of the input, as vectors of num_tokens numbers.

    Parameters:
        num_tokens: how many different numbers there are.
        output_mode: "multi_hot": 1 at every number of the last axis, else 0; "count": how often each occurs; "one_hot":
            a vector for every single number (a last axis of length 1 disappears).
        sparse: only False.

    Called with a tuple (numbers, weights) of two inputs of one shape, "count" adds up the weights.

    Raises:
        ValueError: no such mode, or num_tokens is not positive; while running, a number is not whole or out of range.

    Notes:
        The gradient of the numbers is 0.  A step in Python does the work, once for each batch.
    """

    neutral_options = {**Layer.neutral_options, "sparse": (False,)}  # noqa: RUF012 - as in the base class

    def __init__(self, num_tokens: int, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any) -> None:
        super().__init__(sparse=sparse, **kwargs)
        self.num_tokens = count("CategoryEncoding", "num_tokens", num_tokens)
        self.output_mode = "multi_hot" if output_mode == "binary" else output_mode
        if self.output_mode not in MODES:
            raise unknown("output_mode", output_mode, MODES)

    def _numbers_shape(self, input_shape: Any) -> Shape:
        """The shape of the numbers, without that of their weights."""
        if not input_shape or not isinstance(input_shape[0], (tuple, list)):
            return tuple(input_shape)
        if len(input_shape) != 2 or tuple(input_shape[0]) != tuple(input_shape[1]) or self.output_mode != "count":
            raise ValueError(
                f"{self.name}: expected numbers, or with output_mode='count' numbers and weights of one shape. "
                f"Received: {input_shape}"
            )
        return tuple(input_shape[0])

    def make_weights(self, input_shape: Any) -> None:
        self._numbers_shape(input_shape)

    def infer_shape(self, input_shape: Any) -> Shape:
        shape = self._numbers_shape(input_shape)
        if self.output_mode == "one_hot" and shape and (shape[-1] != 1):
            return (*shape, self.num_tokens)
        return (*shape[:-1], self.num_tokens)

    def emit(self, plan: Plan, x: Any) -> tuple[int, Any]:
        buffers = x if isinstance(x, tuple) else (x,)
        assert self.shape_out is not None
        y = plan.buffer(size(self.shape_out))
        counted = plan.buffers[buffers[0]].size if self.output_mode == "count" else 0
        plan.step("call", (*buffers, y), ints=(counted,), call=self._encode)

        def backward(dy: int, need: Any) -> Any:
            needs = need if isinstance(x, tuple) else (need,)
            dxs = [plan.fixed(plan.buffers[b].size) if wanted else ABSENT for b, wanted in zip(buffers, needs)]
            if dxs[0] != ABSENT:
                zero(plan, dxs[0])
            if dxs[1:] and dxs[1] != ABSENT:
                plan.step("call", (dy, buffers[0], dxs[1]), ints=(0,), call=self._pick)
            return tuple(dxs) if isinstance(x, tuple) else dxs[0]

        return y, backward

    def _places(self, numbers: Any, table: Any) -> tuple[Any, Any, Any]:
        """The vectors as a table, and for every number its row and column in it.

        Raises:
            ValueError: it has none.
        """
        shape = self._numbers_shape(self.shape_in)
        together = 1 if self.output_mode == "one_hot" or not shape else shape[-1]
        with np.errstate(invalid="ignore"):
            tokens = numbers.astype(np.int64)
        wrong = (tokens != numbers) | (tokens < 0) | (tokens >= self.num_tokens)
        if wrong.any():
            most = self.num_tokens - 1
            raise ValueError(f"{self.name}: expected whole numbers from 0 to {most}. Received: {numbers[wrong][0]}")
        return table.reshape(-1, self.num_tokens), np.arange(tokens.size) // together, tokens

    def _encode(self, step: int, numbers: Any, *rest: Any) -> None:
        """numbers[, weights], y"""
        *weights, y = rest
        table, rows, tokens = self._places(numbers, y)
        table[...] = 0
        if self.output_mode == "count":
            np.add.at(table, (rows, tokens), weights[0] if weights else 1)
        else:
            table[rows, tokens] = 1

    def _pick(self, step: int, dy: Any, numbers: Any, dweights: Any) -> None:
        """The gradient of the weights."""
        table, rows, tokens = self._places(numbers, dy)
        dweights[...] = table[rows, tokens]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_tokens": self.num_tokens, "output_mode": self.output_mode}
