"""Random tensors in `call`: what `keras.random.normal` and `uniform` become while a layer is traced.

They are drawn for every batch anew, in predictions too, from the streams that dropout draws from: a function of the
seeds of model and layer, the step and the element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn import seeds
from fastnn._errors import unknown
from fastnn.engine.plan import Plan
from fastnn.engine.step import Backward

from . import tensors
from .base import Layer, Shape, size
from .core import Dropout, random_stream

KINDS = ("normal", "uniform")


class Draw(Layer):
    """Random numbers, from the normal distribution or evenly distributed.

    Parameters:
        kind: "normal" or "uniform".
        shape: of a sample; or of the whole tensor if not `per_sample`.
        low, high: mean and standard deviation, or the ends.
        seed: from 0 to 2**32 - 1.
        per_sample: whether each sample of the batch gets numbers of its own.

    Raises:
        ValueError: no such kind.

    Notes:
        Keras has the functions, and no such layer.
    """

    draws = True

    def __init__(
        self, kind: str, shape: Sequence[int], low: float, high: float, seed: int, per_sample: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if kind not in KINDS:
            raise unknown("distribution", kind, KINDS)
        self.kind, self.shape, self.low, self.high = kind, tuple(shape), float(low), float(high)
        self.seed, self.per_sample = seeds.check_seed(seed), bool(per_sample)
        self.gives_fixed = not self.per_sample

    def infer_shape(self, input_shape: Any) -> Shape:
        return self.shape

    def emit(self, plan: Plan, x: Any) -> tuple[int, Backward]:
        n = size(self.shape) * (plan.batch if self.per_sample else 1)
        y, numbers = plan.fixed(n), (n, random_stream(plan, self.seed))
        if self.kind == "normal":
            plan.step("gaussian_noise", (y,), ints=numbers, reals=(self.low, self.high))
        else:  # the slopes of a randomized rectifier below 0
            below, product = plan.fixed(n), plan.fixed(n)
            plan.step("fill", (below,), ints=(n,), reals=(-1.0,))
            plan.step("rrelu", (below, product, y), ints=numbers, reals=(self.low, self.high))
        return y, lambda dy, need: ()

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "kind": self.kind, "shape": list(self.shape)}
        return {**config, "low": self.low, "high": self.high, "seed": self.seed, "per_sample": self.per_sample}


def draw(kind: str, shape: Sequence[int | None], low: Any, high: Any, seed: int) -> Any:
    """A random tensor; None in front of the shape is the batch."""
    per_sample = len(shape) > 0 and shape[0] is None
    rest = shape[1:] if per_sample else shape
    if None in rest:
        raise ValueError(f"random.{kind}: expected whole numbers behind the batch. Received: shape {tuple(shape)}")
    layer = Draw(kind, [int(n or 0) for n in rest], low, high, seed, per_sample, dtype=tensors.TRACED.get())
    return tensors.call(layer, [])


def dropout(x: Any, rate: float, seed: int) -> Any:
    """Dropout in every mode."""
    return tensors.call(Dropout(rate, seed=seed, dtype=x.dtype), x, training=True)
