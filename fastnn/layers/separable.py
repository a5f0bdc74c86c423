"""Separable convolution of sequences and images: every channel by itself, then all channels of each element."""

from __future__ import annotations

from typing import Any

from fastnn.activations import LINEAR, ActivationSpec
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import Plan
from fastnn.engine.step import Backward

from ._convolution import Convolution
from ._weights import Arguments
from ._windows import Axis, count, window
from .base import Shape
from .convolutional import ConvolutionLayer


class _Separable(ConvolutionLayer):
    """Documented at `SeparableConv2D`."""

    depthwise_kernel: Parameter
    pointwise_kernel: Parameter

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        weights = {
            "depthwise": Arguments(depthwise_initializer, depthwise_regularizer, depthwise_constraint),
            "pointwise": Arguments(pointwise_initializer, pointwise_regularizer, pointwise_constraint),
        }
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, weights,
            bias_initializer, bias_regularizer, bias_constraint, activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        kind = type(self).__name__
        self.filters = count(kind, "filters", filters)
        self.depth_multiplier = count(kind, "depth_multiplier", depth_multiplier)

    def _units(self, channels: int) -> int:
        return self.filters

    def _kernels(self, channels: int) -> dict[str, tuple[str, Shape]]:
        between = channels * self.depth_multiplier
        return {
            "depthwise_kernel": ("depthwise", (*self.kernel_size, channels, self.depth_multiplier)),
            "pointwise_kernel": ("pointwise", (*(1,) * self.rank, between, self.filters)),
        }

    def emit_last(
        self, plan: Plan, x: int, shape: Shape, fused: ActivationSpec = LINEAR, **options: Any
    ) -> tuple[int, Backward]:
        channels, axes = shape[-1], self.axes(shape)
        between = channels * self.depth_multiplier
        each = tuple(Axis(a.output, 1, 1, 1, 0, a.output) for a in axes)
        depthwise = Convolution(plan, window(plan.batch, axes, channels, between, channels), LINEAR)
        pointwise = Convolution(plan, window(plan.batch, each, between, self.filters, 1), fused)
        middle = depthwise.forward(x, plan.parameter(self.depthwise_kernel))
        y = pointwise.forward(middle, plan.parameter(self.pointwise_kernel), self.bias_buffer(plan))

        def backward(dy: int, need_dx: bool) -> int:
            first, second = plan.gradient(self.depthwise_kernel), plan.gradient(self.pointwise_kernel)
            dmiddle = pointwise.backward(dy, True, second, self.bias_gradient(plan))
            return depthwise.backward(dmiddle, need_dx, first)

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "depth_multiplier": self.depth_multiplier}


class SeparableConv2D(_Separable):
    """Convolution of every channel of an image by itself, then a mixture of the channels of each pixel.

    Parameters:
        filters: channels of the output.
        kernel_size, strides, padding, data_format, dilation_rate: of the first step, as in `Conv2D`.
        depth_multiplier: filters of each channel in the first step.
        activation, use_bias: of the second step, as in `Conv2D`; the first has none.
        depthwise_initializer, pointwise_initializer, bias_initializer: how the kernels, shapes (*kernel_size, channels,
            depth_multiplier) and (1, 1, channels * depth_multiplier, filters), and the bias, shape (filters,), start.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer, depthwise_constraint,
            pointwise_constraint, bias_constraint: as in `Conv2D`.

    Raises:
        TypeError: an argument or activation that nobody knows.
        ValueError: a number, a padding or a format that is not served.

    References:
        Chollet, "Xception: deep learning with depthwise separable convolutions", CVPR 2017.
    """

    rank = 2


class SeparableConv1D(_Separable):
    """Separable convolution of sequences: `SeparableConv2D` with one number for each size."""

    rank = 1
