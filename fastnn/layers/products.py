"""Products of matrices among symbolic tensors: what `ops.matmul` and `@` become."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from . import arithmetic, fixed, tensors
from .base import Shape, size
from .merging import Merge


class Product(Merge):
    """The matrix products of two tensors, along the last two axes, as `numpy.matmul` has them.

    Parameters:
        shared: whether the second factor is one matrix (k, n), a weight or a constant, for all rows of the first,
            (..., k); else they are (..., m, k) and (..., k, n), with the same axes in front.

    Raises:
        ValueError: on building: the tensors do not fit.

    Notes:
        Keras has the function, and no such layer.
    """

    least = most = 2
    takes_fixed = True

    def __init__(self, shared: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shared = bool(shared)

    def make_weights(self, input_shape: Any) -> None:
        self.infer_shape(input_shape)

    def infer_shape(self, input_shape: Any) -> Shape:
        a, b = self.check(input_shape)
        fits = a and len(b) == 2 if self.shared else len(a) == len(b) >= 2 and a[:-2] == b[:-2]
        if not fits or a[-1] != b[-2]:
            raise ValueError(
                f"{self.name}: expected matrices of which the first has as many columns as the second has rows. "
                f"Received: {list(input_shape)}"
            )
        return (*a[:-1], b[-1])

    def emit(self, plan: Plan, x: Any) -> tuple[int, Backward]:
        (of_a, of_b), (a, b) = self.check(self.shape_in), x
        k, n = of_b[-2:]
        rows = plan.batch * size(of_a[:-1])
        if self.shared:
            return self._with_one(plan, a, b, rows, k, n)
        m = of_a[-2]
        count, work = rows // m, m * n * k
        y = plan.fixed(rows * n)
        plan.step("products", (a, b, y), ints=(count, work, 0, 0, m, n, k))

        def backward(dy: int, need: tuple[bool, bool]) -> tuple[int, int]:
            da = db = ABSENT
            if need[0]:
                da = plan.fixed(rows * k)
                plan.step("products", (dy, b, da), ints=(count, work, 0, 1, m, k, n))
            if need[1]:
                db = plan.fixed(count * k * n)
                plan.step("products", (a, dy, db), ints=(count, work, 1, 0, k, n, m))
            return da, db

        return y, backward

    def _with_one(self, plan: Plan, a: int, b: int, rows: int, k: int, n: int) -> tuple[int, Backward]:
        y = plan.fixed(rows * n)
        plan.step("gemm", (a, b, y), ints=(0, 0, rows, n, k))

        def backward(dy: int, need: tuple[bool, bool]) -> tuple[int, int]:
            da = db = ABSENT
            if need[0]:
                da = plan.fixed(rows * k)
                plan.step("gemm", (dy, b, da), ints=(0, 1, rows, k, n))
            if need[1]:
                db = plan.fixed(k * n)
                plan.step("gemm", (a, dy, db), ints=(1, 0, k, n, rows))
            return da, db

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shared": self.shared}


def matmul(a: tensors.Tensor, b: tensors.Tensor) -> Any:
    """``a @ b``.

    Raises:
        ValueError: the shapes do not fit; the batch would be summed over.
    """
    for tensor in (a, b):
        if not tensor.sample_shape:
            raise ValueError(f"matmul: expected at least one axis beside the batch. Received: {tensor!r}")
    if b.fixed and len(b.sample_shape) <= 2:
        matrix = b if len(b.sample_shape) == 2 else arithmetic.part(b, (..., None))
        y = tensors.call(Product(True, dtype=a.dtype), [a, matrix], unmasked=True, whole=True)
        return y if matrix is b else arithmetic.part(y, (..., 0))
    if a.ndim == 1 or b.ndim == 1:  # a vector is one row, or one column
        left = arithmetic.part(a, None) if a.ndim == 1 else a
        right = arithmetic.part(b, (..., None)) if b.ndim == 1 else b
        y = matmul(left, right)
        y = arithmetic.part(y, (..., 0, slice(None))) if a.ndim == 1 else y
        return arithmetic.part(y, (..., 0)) if b.ndim == 1 else y
    if any(tensor.ndim == 2 and not tensor.fixed for tensor in (a, b)):
        raise ValueError(
            f"matmul: expected tensors with a matrix for each sample, or one matrix as the second factor. "
            f"Received: shapes {a.shape} and {b.shape}"
        )
    return tensors.call(Product(dtype=a.dtype), _leading(a, b), unmasked=True, whole=True)


def _leading(a: tensors.Tensor, b: tensors.Tensor) -> list[tensors.Tensor]:
    """Both with the same axes in front of their matrices."""
    batched = not (a.fixed and b.fixed)
    rank = max(a.ndim, b.ndim)
    fronts = []
    for tensor in (a, b):
        front = tensor.sample_shape[:-2]
        if tensor.fixed and batched and tensor.ndim == rank:
            if front[0] != 1:
                raise ValueError(f"matmul: expected shapes that broadcast. Received: shapes {a.shape} and {b.shape}")
            front = front[1:]
        fronts.append(front)
    try:
        common = np.broadcast_shapes(*fronts)
    except ValueError:
        raise ValueError(f"matmul: expected shapes that broadcast. Received: shapes {a.shape} and {b.shape}") from None
    found = []
    for tensor in (a, b):
        shape = (*common, *tensor.sample_shape[-2:])
        if tensor.fixed and batched:
            tensor = fixed.spread(tensor, shape)
        elif tensor.sample_shape != shape:
            tensor = arithmetic.made(fixed.Repeat, tensor, shape)
        found.append(tensor)
    return found
