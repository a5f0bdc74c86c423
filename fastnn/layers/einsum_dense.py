"""EinsumDense: a dense layer over any axes, named by an einsum equation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fastnn import activations
from fastnn.activations import LINEAR
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.initializers import VarianceScaling

from . import _strided, _weights
from ._einsum import Einsum, analyse
from ._strided import Way
from ._weights import Arguments
from ._windows import count
from .base import Layer, Shape, size
from .core import activated_shape, emit_activation


class EinsumDense(Layer):
    """y = activation(einsum(equation, x, W) + b).

    Parameters:
        equation: "ab,bc->ac": the axes of input, kernel and output, the batch first. "..." at the beginning or at the
            end of input and output stands for axes that stay as they are.
        output_shape: sizes of the output behind the batch and without "..."; None where the input tells them.
        activation: as in `Dense`.
        bias_axes: the letters of the output's axes that b has; None for no b.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint: as in `Dense`. Initializers that count connections count those of the
            equation.

    Raises:
        TypeError: an argument or activation that nobody knows.
        ValueError: no such equation, or shapes that do not fit it.

    Notes:
        Sums over axes of the input that neither kernel nor output have are served; a letter that stands twice in one
        term is refused, and so is a kernel that has the batch.

    Examples:
        >>> EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")  # Dense(64) on sequences
        <EinsumDense name=einsum_dense input_shape=None built=False>
    """

    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **Layer.neutral_options,
        "lora_rank": (None,),
        "lora_alpha": (None,),
        "gptq_unpacked_column_size": (None,),
        "quantization_config": (None,),
    }

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: Any = None,
        bias_axes: str | None = None,
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
        sizes = output_shape if isinstance(output_shape, (list, tuple)) else [output_shape]
        self.partial_output_shape = tuple(
            None if n is None else count(self.name, "a size of output_shape", n) for n in sizes
        )
        self.equation, self.bias_axes = equation, bias_axes
        self.activation = activations.get(activation)
        kernel = Arguments(kernel_initializer, kernel_regularizer, kernel_constraint)
        _weights.take(self, {"kernel": kernel, "bias": Arguments(bias_initializer, bias_regularizer, bias_constraint)})

    def _einsum(self, input_shape: Shape) -> Einsum:
        return analyse(self.name, self.equation, self.bias_axes, input_shape, self.partial_output_shape)

    def make_weights(self, input_shape: Shape) -> None:
        e = self._einsum(input_shape)
        given = self.kernel_initializer  # type: ignore[has-type]
        if isinstance(given, VarianceScaling) and (given.input_axes is None or given.output_axes is None):
            outward = [i for i, c in enumerate(e.kernel) if c in e.output]
            inward = [i for i, c in enumerate(e.kernel) if c not in e.output]
            config = {**given.get_config(), "seed": given.seed, "input_axes": inward, "output_axes": outward}
            self.kernel_initializer = type(given).from_config(config)
        self.kernel = _weights.add(self, "kernel", e.shape(e.kernel))
        self.kernel_initializer = given
        self.bias: Parameter | None = _weights.add(self, "bias", e.shape(e.bias)) if e.bias else None

    def infer_shape(self, input_shape: Shape) -> Shape:
        e = self._einsum(input_shape)
        return activated_shape(self.activation, e.shape(e.output[1:]), self.name)

    def emit(self, plan: Plan, x: int, bare: bool = False) -> tuple[int, Backward]:
        """`bare` leaves the activation out: losses that are computed from logits ask for it."""
        assert self.shape_in
        e = self._einsum(self.shape_in)
        y, backward = _emit_product(plan, e, x, self.kernel, self.bias)
        if bare or self.activation == LINEAR:
            return y, backward
        out, after = emit_activation(plan, self.activation, y, e.shape(e.output[1:]))
        return out, lambda dy, need_dx: backward(after(dy, True), need_dx)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "equation": self.equation,
            "output_shape": list(self.partial_output_shape),
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            **_weights.config(self, ("kernel", "bias")),
        }


def _emit_product(plan: Plan, e: Einsum, x: int, kernel: Parameter, bias: Parameter | None) -> tuple[int, Backward]:
    """Steps of einsum + bias: matrices (shared, rows, inner) times (shared, inner, columns)."""
    sizes = {**e.sizes, e.batch: plan.batch}
    shared, rows, inner, columns = e.shared, e.rows, e.inner, e.columns
    count, m, k, n = (size(tuple(sizes[c] for c in part)) for part in (shared, rows, inner, columns))
    kept = "".join(c for c in e.input if c not in e.summed)

    def arranged(buffer: int, axes: str, order: str, place: int | None = None) -> int:
        shape = tuple(sizes[c] for c in axes)
        return _strided.permute(plan, buffer, shape, [axes.index(c) for c in order], place)

    def product(a: int, b: int, c: int, ta: int, tb: int, m: int, n: int, k: int) -> None:
        if count == 1:
            plan.step("gemm", (a, b, c), ints=(ta, tb, m, n, k))
        else:
            plan.step("products", (a, b, c), ints=(count, m * n * k, ta, tb, m, n, k))

    left = arranged(_reduced(plan, e, x, sizes), kept, shared + rows + inner)
    w = arranged(plan.parameter(kernel), e.kernel, shared + inner + columns)
    y = plan.fixed(count * m * n)
    straight = not shared and e.output == rows + columns
    fused = bias is not None and straight and e.bias == columns
    if straight and (fused or bias is None):
        b = ABSENT if bias is None else plan.parameter(bias)
        plan.step("affine", (left, w, b, y, ABSENT), row="identity", ints=(m, k, n))
    else:
        product(left, w, y, 0, 0, m, n, k)
        y = arranged(y, shared + rows + columns, e.output)
    ways = _repeated(e, sizes)
    if bias is not None and not fused:
        _strided.add(plan, plan.parameter(bias), y, ways)

    def backward(dy: int, need_dx: bool) -> int:
        db = ABSENT if bias is None else plan.gradient(bias)
        if db != ABSENT and fused:
            plan.step("bias_backward", (dy, dy, dy, db), row="identity", ints=(m, n))
        elif db != ABSENT:
            _strided.zero(plan, db)
            _strided.add(plan, dy, db, [Way(way.size, way.y, way.x) for way in ways])
        dz = arranged(dy, e.output, shared + rows + columns)
        dw = plan.gradient(kernel)
        if dw != ABSENT:
            in_order = shared + inner + columns == e.kernel
            target = dw if in_order else plan.fixed(kernel.size)
            product(left, dz, target, 1, 0, k, n, m)
            if not in_order:
                arranged(target, shared + inner + columns, e.kernel, dw)
        if not need_dx:
            return ABSENT
        dleft = plan.fixed(count * m * k)
        product(dz, w, dleft, 0, 1, m, k, n)
        return _spread(plan, e, arranged(dleft, shared + rows + inner, kept), sizes)

    return y, backward


def _repeated(e: Einsum, sizes: Mapping[str, int]) -> list[Way]:
    """How the bias is repeated over the output."""
    bias = e.bias.rjust(len(e.output), "1")
    own = _strided.steps([1 if c == "1" else sizes[c] for c in bias])
    whole = _strided.steps([sizes[c] for c in e.output])
    return [Way(sizes[c], 0 if b == "1" else of_b, of_y) for c, b, of_b, of_y in zip(e.output, bias, own, whole)]


def _reduction(e: Einsum, sizes: Mapping[str, int]) -> list[Way]:
    """From the input to the input without the axes that are summed."""
    whole = _strided.steps([sizes[c] for c in e.input])
    kept = [c for c in e.input if c not in e.summed]
    target = dict(zip(kept, _strided.steps([sizes[c] for c in kept])))
    return [Way(sizes[c], step, target.get(c, 0)) for c, step in zip(e.input, whole)]


def _reduced(plan: Plan, e: Einsum, x: int, sizes: Mapping[str, int]) -> int:
    if not e.summed:
        return x
    y = plan.fixed(plan.buffers[x].size // size(e.shape(e.summed)))
    _strided.zero(plan, y)
    _strided.add(plan, x, y, _reduction(e, sizes))
    return y


def _spread(plan: Plan, e: Einsum, dy: int, sizes: Mapping[str, int]) -> int:
    if not e.summed:
        return dy
    dx = plan.fixed(plan.buffers[dy].size * size(e.shape(e.summed)))
    _strided.copy(plan, dy, dx, [Way(way.size, way.y, way.x) for way in _reduction(e, sizes)])
    return dx
