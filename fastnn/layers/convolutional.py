"""Convolution of images and sequences (channels last), plain, depthwise and transposed, with a fused activation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fastnn import activations, initializers
from fastnn.activations import LINEAR
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from ._windows import Axis, axis, check_rank, numbers, padding_name, window
from .base import Layer, Shape, size
from .core import emit_activation
from .pooling import CHANNELS_LAST


class _Convolution(Layer):
    """What all convolutions share: parameters, windows, and the steps forward and backward.

    A transposed convolution is the gradient of a convolution, so its steps are the same with the roles changed; its
    window is that of the plain convolution, from what comes out to what goes in.
    """

    rank: ClassVar[int] = 2
    paddings: ClassVar[tuple[str, ...]] = ("valid", "same")
    transposed: ClassVar[bool] = False
    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **Layer.neutral_options,
        **CHANNELS_LAST,
        **dict.fromkeys(("kernel_regularizer", "bias_regularizer", "kernel_constraint", "bias_constraint"), (None,)),
    }

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        bias_initializer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.kernel_size = numbers(kind, "kernel_size", kernel_size, self.rank)
        self.strides = numbers(kind, "strides", strides, self.rank)
        self.dilation_rate = numbers(kind, "dilation_rate", dilation_rate, self.rank)
        self.padding = padding_name(kind, padding, self.paddings)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    # what the kinds differ in

    def _kernel_shape(self, channels: int) -> Shape:
        raise NotImplementedError

    def _units(self, channels: int) -> int:
        """Channels of the output."""
        raise NotImplementedError

    def _groups(self, channels: int) -> int:
        return 1

    def _axes(self, input_shape: Shape) -> tuple[Axis, ...]:
        """The axes of the plain convolution."""
        sizes = zip(input_shape, self.kernel_size, self.strides, self.dilation_rate)
        return tuple(axis(self.name, *numbers, self.padding) for numbers in sizes)

    # -------------------------------------------------------------------------------------------------------- building

    def build(self, input_shape: Shape) -> None:
        check_rank(self.name, input_shape, self.rank)
        shape = (*self.kernel_size, *self._kernel_shape(input_shape[-1]))
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer)
        units = (self._units(input_shape[-1]),)
        self.bias = self.add_weight("bias", units, self.bias_initializer) if self.use_bias else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self.name, input_shape, self.rank)
        axes = self._axes(input_shape)
        return (*(a.size if self.transposed else a.output for a in axes), self._units(input_shape[-1]))

    def emit(self, plan: Plan, x: int, bare: bool = False) -> tuple[int, Backward]:
        """`bare` leaves the activation out: losses that are computed from logits ask for it."""
        assert self.input_shape and self.output_shape
        spec = LINEAR if bare else self.activation
        fused = spec if spec.row else LINEAR
        channels, units, per_sample = self.input_shape[-1], self.output_shape[-1], size(self.output_shape)
        ends = (units, channels) if self.transposed else (channels, units)
        ints = window(plan.batch, self._axes(self.input_shape), *ends, self._groups(channels))
        forward, back = ("conv2d_input", "conv2d") if self.transposed else ("conv2d", "conv2d_input")
        w = plan.parameter(self.kernel)
        b = plan.parameter(self.bias) if self.bias is not None else ABSENT
        y = plan.buffer(per_sample)
        z = plan.buffer(per_sample) if plan.training and fused.keeps == "x" else ABSENT
        plan.step(f"{forward}_prepare", (w, b), ints=ints)
        plan.step(forward, (x, w, b, y, z), row=fused.row, ints=ints, reals=fused.params)
        inputs, rows = size(self.input_shape), plan.batch * per_sample // units

        def backward(dy: int, need_dx: bool) -> int:
            dw = plan.gradient(self.kernel)
            db = plan.gradient(self.bias) if self.bias is not None else ABSENT
            dz = dy if fused.row == "identity" else plan.buffer(per_sample)
            if dz != dy or db != ABSENT:
                kept = z if z != ABSENT else y
                plan.step("bias_backward", (dy, kept, dz, db), row=fused.row, ints=(rows, units), reals=fused.params)
            if dw != ABSENT:
                plan.step("conv2d_weights_prepare", (), ints=ints)
                plan.step("conv2d_weights", (dz, x, dw) if self.transposed else (x, dz, dw), ints=ints)
                plan.step("conv2d_weights_finish", (dw,), ints=ints)
            if not need_dx:
                return ABSENT
            dx = plan.buffer(inputs)
            plan.step(f"{back}_prepare", (w, ABSENT), ints=ints)
            plan.step(back, (dz, w, ABSENT, dx, ABSENT), row="identity", ints=ints)
            return dx

        if spec.row:
            return y, backward
        out, after = emit_activation(plan, spec, y, self.output_shape)
        return out, lambda dy, need_dx: backward(after(dy, True), need_dx)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "dilation_rate": list(self.dilation_rate),
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
        }


def _count(kind: str, name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{kind}: {name} must be a positive whole number. Received: {value!r}")
    return int(value)


class _Plain(_Convolution):
    """Convolution with filters of their own, in groups; documented at `Conv2D`."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, dilation_rate, activation, use_bias, kernel_initializer, bias_initializer,
            **kwargs,
        )  # fmt: skip
        kind = type(self).__name__
        self.filters, self.groups = _count(kind, "filters", filters), _count(kind, "groups", groups)
        if self.filters % self.groups:
            raise ValueError(f"{kind}: groups must divide filters. Received: {groups} and {filters}")

    def _kernel_shape(self, channels: int) -> Shape:
        if channels % self.groups:
            raise ValueError(f"{self.name}: groups must divide the channels. Received: {self.groups} and {channels}")
        return channels // self.groups, self.filters

    def _units(self, channels: int) -> int:
        return self.filters

    def _groups(self, channels: int) -> int:
        return self.groups

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "groups": self.groups}


class Conv2D(_Plain):
    """Convolution of images: y = activation(sum over the window and its channels of x * W + b).

    Parameters:
        filters: channels of the output.
        kernel_size: size of the window: a number, or (down, across).
        strides: pixels from one window to the next.
        padding: "valid", or "same" for ceil(size / stride) outputs; an odd pixel of padding goes to the far end.
        data_format: only None and "channels_last".
        dilation_rate: pixels from one element of the window to the next.
        groups: parts of the channels, each seen by its own part of the filters only.
        activation: a name (see fastnn.activations), a function of fastnn.ops, or None for none.
        use_bias: whether to add b.
        kernel_initializer, bias_initializer: how W, shape (*kernel_size, channels / groups, filters), and b, shape
            (filters,), start.

    Raises:
        TypeError: an argument or activation that nobody knows.
        ValueError: a number or a padding that is not served.

    Notes:
        Other than Keras, strides and dilation may both be more than 1.

    References:
        LeCun et al., "Gradient-based learning applied to document recognition", Proceedings of the IEEE 86, 1998.
    """


class Conv1D(_Plain):
    """Convolution of sequences, shape (steps, channels): `Conv2D` with one number for each size.

    `padding` may also be "causal": zeros before the first step only, so that no output depends on later steps.
    """

    rank = 1
    paddings = ("valid", "same", "causal")


class DepthwiseConv2D(_Convolution):
    """Convolution of every channel of an image by itself, with depth_multiplier filters each.

    Parameters:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: as in `Conv2D`.
        depth_multiplier: filters of each channel; the output has channels * depth_multiplier channels.
        depthwise_initializer, bias_initializer: how W, shape (*kernel_size, channels, depth_multiplier), and b start.

    Raises:
        TypeError: an argument or activation that nobody knows.
        ValueError: a number or a padding that is not served.
    """

    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **_Convolution.neutral_options,
        **dict.fromkeys(("depthwise_regularizer", "depthwise_constraint"), (None,)),
    }

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, dilation_rate, activation, use_bias, depthwise_initializer,
            bias_initializer, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = _count(type(self).__name__, "depth_multiplier", depth_multiplier)

    def _kernel_shape(self, channels: int) -> Shape:
        return channels, self.depth_multiplier  # in memory the same as (1, channels * depth_multiplier)

    def _units(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def _groups(self, channels: int) -> int:
        return channels

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "depth_multiplier": self.depth_multiplier}
        config["depthwise_initializer"] = config.pop("kernel_initializer")
        return config


class Conv2DTranspose(_Convolution):
    """Transposed convolution of images: every pixel is spread over a window of the output.

    Parameters:
        filters, kernel_size, activation, use_bias, kernel_initializer, bias_initializer: as in `Conv2D`, but W has the
            shape (*kernel_size, filters, channels).
        strides: pixels from one window of the output to the next.
        padding: "same" for size * stride pixels, or "valid" for all that the windows cover, at least size * stride.
        output_padding: only None.
        data_format: only None and "channels_last".
        dilation_rate: pixels from one element of the window to the next.

    Raises:
        TypeError: an argument or activation that nobody knows.
        ValueError: a number or a padding that is not served.
    """

    transposed = True
    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **_Convolution.neutral_options,
        "output_padding": (None,),
    }

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, dilation_rate, activation, use_bias, kernel_initializer, bias_initializer,
            **kwargs,
        )  # fmt: skip
        self.filters = _count(type(self).__name__, "filters", filters)

    def _kernel_shape(self, channels: int) -> Shape:
        return self.filters, channels

    def _units(self, channels: int) -> int:
        return self.filters

    def _axes(self, input_shape: Shape) -> tuple[Axis, ...]:
        def one(n: int, kernel: int, stride: int, dilation: int) -> Axis:
            reach = (kernel - 1) * dilation + 1
            cut = max(reach - stride, 0)
            if self.padding == "same":
                return Axis(n * stride, kernel, stride, dilation, cut // 2, n)
            return Axis(n * stride + cut, kernel, stride, dilation, 0, n)

        return tuple(map(one, input_shape, self.kernel_size, self.strides, self.dilation_rate))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}
