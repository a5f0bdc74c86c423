"""Transposed convolution of sequences, images and volumes: every element is spread over a window of the output."""

from __future__ import annotations

from typing import Any

from fastnn.activations import LINEAR, ActivationSpec
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from ._convolution import Convolution, Depth
from ._weights import Arguments
from ._windows import Axis, count, numbers
from .base import Shape
from .convolutional import OneKernel
from .core import emit_activation


class _Transposed(OneKernel):
    """Its window is that of the plain convolution, from what comes out to what goes in; see `Conv2DTranspose`."""

    transposed = True

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
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
        weights = {"kernel": Arguments(kernel_initializer, kernel_regularizer, kernel_constraint)}
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, weights,
            bias_initializer, bias_regularizer, bias_constraint, activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        kind = type(self).__name__
        self.filters = count(kind, "filters", filters)
        self.output_padding: tuple[int, ...] | None = None
        if output_padding is not None:
            self.output_padding = numbers(kind, "output_padding", output_padding, self.rank, least=0)
            if any(extra >= stride for extra, stride in zip(self.output_padding, self.strides)):
                raise ValueError(
                    f"{kind}: output_padding must be smaller than strides, {self.strides}. Received: {output_padding!r}"
                )

    def _kernel_shape(self, channels: int) -> Shape:
        return self.filters, channels

    def _units(self, channels: int) -> int:
        return self.filters

    def axes(self, shape: Shape) -> tuple[Axis, ...]:
        extras = self.output_padding or (None,) * self.rank

        def one(n: int, kernel: int, stride: int, dilation: int, extra: int | None) -> Axis:
            reach = (kernel - 1) * dilation + 1
            same = self.padding == "same"
            if extra is None:
                extra = stride - reach % 2 if same else max(stride - reach, 0)
            if not same:
                return Axis((n - 1) * stride + reach + extra, kernel, stride, dilation, 0, n)
            size = (n - 1) * stride + reach % 2 + extra
            # what is not cut off at the near end: half of all that is left of a window's margins, rounded up
            left = reach - 1 if stride >= reach else (reach + reach % 2 - 1 + extra) // 2
            if size < 1:
                raise ValueError(f"{self.name}: the output must have elements. Received: {n} elements, {self!r}")
            return Axis(size, kernel, stride, dilation, reach - 1 - left, n)

        return tuple(map(one, shape, self.kernel_size, self.strides, self.dilation_rate, extras))

    def output_sizes(self, shape: Shape) -> tuple[int, ...]:
        return tuple(a.size for a in self.axes(shape))

    def _volumes(self, plan: Plan, fused: ActivationSpec, x: int, depth: Depth) -> tuple[int, Backward]:
        steps = Convolution(plan, depth.ints, LINEAR, transposed=True)
        images = steps.forward(x, depth.weights(plan.parameter(self.kernel)))
        z = depth.scatter(images, self.bias_buffer(plan))
        shape = (plan.buffers[z].size // plan.batch,)
        y, activation_backward = emit_activation(plan, fused, z, shape)

        def backward(dy: int, need_dx: bool) -> int:
            dz, db, dw = activation_backward(dy, True), self.bias_gradient(plan), plan.gradient(self.kernel)
            if db != ABSENT:
                rows = plan.buffers[z].size // self.filters
                plan.step("column_sums", (dz, db), ints=(rows, self.filters, self.filters, 0, 0))
            gradient = depth.gradient(dw)
            dx = steps.backward(depth.gather(dz), need_dx, gradient)
            depth.back(gradient, dw)
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        extra = None if self.output_padding is None else list(self.output_padding)
        return {**super().get_config(), "filters": self.filters, "output_padding": extra}


class Conv2DTranspose(_Transposed):
    """Transposed convolution of images: every pixel is spread over a window of the output.

    Parameters:
        filters, kernel_size, data_format, activation, use_bias, kernel_initializer, bias_initializer,
            kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint: as in
            `Conv2D`, but W has the shape (*kernel_size, filters, channels).
        strides: pixels from one window of the output to the next.
        padding: "same" for size * stride pixels, or "valid" for all that the windows cover, at least size * stride.
        output_padding: None for these sizes; or a number of pixels at the far end, fewer than strides.  The output then
            has (size - 1) * stride + kernel_size + output_padding pixels, or with "same" kernel_size % 2 instead.
        dilation_rate: pixels from one element of the window to the next.

    Raises:
        TypeError: an argument or activation that nobody knows.
        ValueError: a number, a padding or a format that is not served.
    """

    rank = 2


class Conv1DTranspose(_Transposed):
    """Transposed convolution of sequences: `Conv2DTranspose` with one number for each size."""

    rank = 1


class Conv3DTranspose(_Transposed):
    """Transposed convolution of volumes, shape (depth, height, width, channels): `Conv2DTranspose` with three numbers.

    What every slice gives to the slices around it are channels of one image first, which costs memory for
    kernel_size[0] copies of the output.
    """

    rank = 3
