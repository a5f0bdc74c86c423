"""Losses that `call` adds: `self.add_loss(...)` while a layer or model is traced."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.engine.penalties import LOSS
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from . import composed, fixed, functions, tensors
from .base import Shape
from .merging import Merge

Array = npt.NDArray[Any]


class AddedLoss(Merge):
    """Its first tensor as it is; its second one, a number, is added to the loss of the model.

    Notes:
        In Keras a layer keeps such losses in a list.
    """

    least = most = 2
    takes_fixed = True

    def infer_shape(self, input_shape: Any) -> Shape:
        return self.check(input_shape)[0]

    def emit(self, plan: Plan, x: Any) -> tuple[int, Backward]:
        y, loss = x
        if plan.scored:
            value = plan.numbers(1)

            def copy(step: int, loss: Array, value: Array) -> None:
                value[0] = loss[0]

            plan.step("call", (loss, value), ints=(1,), call=copy)
            plan.score(value, 1, float(plan.samples), slot=LOSS)

        def backward(dy: int, need: tuple[bool, bool]) -> tuple[int, int]:
            slope = ABSENT
            if need[1]:
                slope = plan.fixed(1)
                plan.step("fill", (slope,), ints=(1,), reals=(1.0,))
            return dy, slope

        return y, backward


def with_losses(outputs: Any, losses: list[Any]) -> Any:
    """What `call` returned, where the first tensor brings the losses along that it has added.

    Raises:
        ValueError: there is no tensor of the batch.
    """
    if not losses:
        return outputs
    flat = composed.leaves(outputs)
    tensor = next((x for x in flat if isinstance(x, tensors.Tensor) and not x.fixed), None)
    if tensor is None:
        raise ValueError(f"add_loss: expected a call that returns tensors of the batch. Received: {outputs!r}")
    carrier = tensor
    for loss in losses:
        given = fixed.symbol(loss if isinstance(loss, tensors.Tensor) else np.asarray(loss), tensor.dtype)
        total = functions.call("sum", (given,), {})
        carrier = tensors.call(AddedLoss(dtype=tensor.dtype), [carrier, total], whole=True)
    return composed.arranged(outputs, lambda x: carrier if x is tensor else x)
