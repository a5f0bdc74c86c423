"""Bilinear: a dense layer of the products of two inputs."""

from __future__ import annotations

from typing import Any

from fastnn.engine.plan import ABSENT, Plan

from . import _weights
from ._strided import Way, add, copy, zero
from ._weights import Arguments
from ._windows import count
from .base import Layer, Shape, size

Pair = tuple[int, int]


class Bilinear(Layer):
    """y_k = x1^T W_k x2 + b_k, over the last axis of two inputs.

    Parameters:
        units: size of the output's last axis.
        use_bias: whether to add b.
        kernel_initializer, bias_initializer: how W, shape (units, inputs of x1, inputs of x2), and b, shape (units,),
            start.
        kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint: as in `Dense`.

    Raises:
        TypeError: an argument that nobody knows.
        ValueError: units is not a positive whole number; not two inputs that differ in their last axis at most.

    Notes:
        Keras has no such layer.  W and b have the shapes of PyTorch's `nn.Bilinear`, but start as those of `Dense`.
    """

    def __init__(
        self,
        units: int,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = count("Bilinear", "units", units)
        self.use_bias = bool(use_bias)
        kernel = Arguments(kernel_initializer, kernel_regularizer, kernel_constraint)
        _weights.take(self, {"kernel": kernel, "bias": Arguments(bias_initializer, bias_regularizer, bias_constraint)})

    def _shapes(self, input_shape: Any) -> tuple[Shape, Shape]:
        shapes = [tuple(s) for s in input_shape if isinstance(s, (tuple, list))]
        if len(shapes) != 2 or len(input_shape) != 2 or not all(shapes) or shapes[0][:-1] != shapes[1][:-1]:
            raise ValueError(
                f"{self.name}: expected two inputs whose shapes differ in the last axis at most. "
                f"Received: {input_shape}"
            )
        return shapes[0], shapes[1]

    def make_weights(self, input_shape: Any) -> None:
        first, second = self._shapes(input_shape)
        self.kernel = _weights.add(self, "kernel", (self.units, first[-1], second[-1]))
        self.bias = _weights.add(self, "bias", (self.units,)) if self.use_bias else None

    def infer_shape(self, input_shape: Any) -> Shape:
        return (*self._shapes(input_shape)[0][:-1], self.units)

    def emit(self, plan: Plan, x: Any) -> tuple[int, Any]:
        first, second = self._shapes(self.shape_in)
        rows, n, m = plan.batch * size(first[:-1]), first[-1], second[-1]
        one, two = x
        # the products of all pairs; each input is repeated along the other's axis
        repeat_one = [Way(rows, n, n * m), Way(n, 1, m), Way(m, 0, 1)]
        repeat_two = [Way(rows, m, n * m), Way(n, 0, m), Way(m, 1, 1)]

        def repeated(source: int, ways: list[Way]) -> int:
            target = plan.fixed(rows * n * m)
            copy(plan, source, target, ways)
            return target

        def product(a: int, b: int) -> int:
            target = plan.fixed(rows * n * m)
            plan.step("multiply", (a, b, target), ints=(rows * n * m,))
            return target

        wide_one, wide_two = repeated(one, repeat_one), repeated(two, repeat_two)
        pairs = product(wide_one, wide_two)
        y = plan.fixed(rows * self.units)
        w = plan.parameter(self.kernel)
        plan.step("gemm", (pairs, w, y), ints=(0, 1, rows, self.units, n * m))
        if self.bias is not None:
            add(plan, plan.parameter(self.bias), y, [Way(rows, 0, self.units), Way(self.units, 1, 1)])

        def backward(dy: int, need: Any) -> Pair:
            dw = plan.gradient(self.kernel)
            db = ABSENT if self.bias is None else plan.gradient(self.bias)
            if dw != ABSENT:
                plan.step("gemm", (dy, pairs, dw), ints=(1, 0, self.units, n * m, rows))
            if db != ABSENT:
                plan.step("bias_backward", (dy, y, dy, db), row="identity", ints=(rows, self.units))
            if not any(need):
                return ABSENT, ABSENT
            dpairs = plan.fixed(rows * n * m)
            plan.step("gemm", (dy, w, dpairs), ints=(0, 0, rows, n * m, self.units))
            found = []
            for wanted, other, ways, inputs in ((need[0], wide_two, repeat_one, n), (need[1], wide_one, repeat_two, m)):
                if not wanted:
                    found.append(ABSENT)
                    continue
                dx = plan.fixed(rows * inputs)
                zero(plan, dx)
                add(plan, product(dpairs, other), dx, [Way(way.size, way.y, way.x) for way in ways])
                found.append(dx)
            return found[0], found[1]

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            **_weights.config(self, ("kernel", "bias")),
        }
