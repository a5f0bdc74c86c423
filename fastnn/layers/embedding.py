"""Embedding: a learned vector for each index; Masking: which time steps count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fastnn import constraints, initializers, regularizers
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.ops._check import flag, number

from .base import Layer, Shape, described, regularizer, size


class Embedding(Layer):
    """y[..., :] = W[index]: looks up a vector for each whole number of the input.

    Parameters:
        input_dim: number of vectors; indices are 0 to input_dim - 1.
        output_dim: size of a vector.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of W, shape (input_dim, output_dim).
        mask_zero: whether index 0 is padding: the output then has a mask that leaves these time steps out.
        weights: the first value of W, instead of the initializer's.

    Raises:
        ValueError: sizes are no positive whole numbers, or there are more vectors than the layer's dtype can count
            (2**24 in float32).
        IndexError: while the model runs, an input is no whole number from 0 to input_dim - 1.

    Notes:
        Keras leaves what an index out of range does to its backend; here it is always an error.
    """

    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **Layer.neutral_options,
        "lora_rank": (None,),
        "lora_alpha": (None,),
        "quantization_config": (None,),
        "input_length": (None,),
    }
    uses_mask = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("input_length", None)  # Keras 2: the shape of the input says it
        super().__init__(**kwargs)
        for name, value in (("input_dim", input_dim), ("output_dim", output_dim)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{self.name}: {name} must be a positive whole number. Received: {value!r}")
        self.input_dim, self.output_dim = int(input_dim), int(output_dim)
        most = 2 ** (np.finfo(self.dtype).nmant + 1)
        if self.input_dim > most:
            raise ValueError(f"{self.name}: {self.dtype} counts indices up to {most}. Received: input_dim {input_dim}")
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizer(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = flag(self.name, "mask_zero", mask_zero)
        self._first = weights[0] if isinstance(weights, (list, tuple)) and len(weights) == 1 else weights

    def make_weights(self, input_shape: Shape) -> None:
        initializer = self.embeddings_initializer if self._first is None else np.asarray(self._first)
        self.embeddings = self.add_weight(
            "embeddings", (self.input_dim, self.output_dim), initializer,
            regularizer=self.embeddings_regularizer, constraint=self.embeddings_constraint,
        )  # fmt: skip

    def infer_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.output_dim)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        count = size(self.shape_in)
        n = plan.batch * count
        index = plan.buffer(count, np.int64)
        y = plan.buffer(count * self.output_dim)
        plan.step("to_indices", (x, index), ints=(n, self.input_dim))
        ints = (n, self.output_dim, self.input_dim)
        plan.step("embedding", (plan.parameter(self.embeddings), index, y), ints=ints)
        if self.mask_zero:
            mask = plan.buffer(count, np.uint8)
            plan.step("mask_rows", (x, ABSENT, mask), ints=(n, 1), reals=(0.0,))
            plan.masks[y] = mask

        def backward(dy: int, need_dx: bool) -> int:
            dw = plan.gradient(self.embeddings)
            if dw != ABSENT:
                plan.step("embedding_backward", (dy, index, dw), ints=ints)
            if not need_dx:
                return ABSENT
            dx = plan.buffer(count)  # an index has no gradient
            plan.step("fill", (dx,), ints=(n,), reals=(0.0,))
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "mask_zero": self.mask_zero,
        }
        for module, name in ((regularizers, "embeddings_regularizer"), (constraints, "embeddings_constraint")):
            if getattr(self, name) is not None:
                config[name] = described(module, getattr(self, name), self.name)
        return config


class Masking(Layer):
    """Leaves out the time steps of a sequence in which all features are `mask_value`: their features become 0.

    Parameters:
        mask_value: what padding consists of.

    Raises:
        ValueError: the input is no sequence.
    """

    uses_mask = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = number(self.name, "mask_value", mask_value)

    def make_weights(self, input_shape: Shape) -> None:
        if len(input_shape) < 2:
            raise ValueError(f"{self.name}: expected sequences of shape (steps, features). Received: {input_shape}")

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        per_sample = size(self.shape_in)
        features = self.shape_in[-1]
        ints = (plan.batch * per_sample // features, features)
        y, mask = plan.buffer(per_sample), plan.buffer(per_sample // features, np.uint8)
        plan.step("mask_rows", (x, y, mask), ints=ints, reals=(self.mask_value,))
        plan.masks[y] = mask

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.buffer(per_sample)
            plan.step("keep_rows", (dy, mask, dx), ints=ints)
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}
