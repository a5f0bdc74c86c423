"""The step of weights that are used backwards, for RBMs and tied decoders (fastnn.engine.plan)."""

from __future__ import annotations

from typing import Any

from . import kernels
from .steps import operation


@operation
def affine_transposed(program: Any, step: Any, x: Any, w: Any, b: Any, y: Any, z: Any) -> None:
    _, _, rows, units, inputs = step.ints
    y = y.reshape(rows, units)
    kernels.gemm(x.reshape(rows, inputs), w.reshape(units, inputs), y, False, True, 1.0, 0.0)
    kernels.bias_forward(step.row, y, b, None if z is None else z.reshape(rows, units), step.reals)
