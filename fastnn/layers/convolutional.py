"""Convolution of sequences, images and volumes, plain and depthwise, with a fused activation."""

from __future__ import annotations

from typing import Any, ClassVar

from fastnn import activations
from fastnn.activations import LINEAR, ActivationSpec
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from . import _weights
from ._channels import ChannelsLayer
from ._convolution import Convolution, Depth
from ._weights import Arguments
from ._windows import Axis, axis, count, numbers, padding_name, window
from .base import Shape
from .core import activated_shape, emit_activation


class ConvolutionLayer(ChannelsLayer):
    """What all convolutions share: windows, activation and bias.  Subclasses have the kernels.

    Parameters:
        weights: the arguments of the kernels, by the name that they begin with; the bias is added here.
    """

    paddings: ClassVar[tuple[str, ...]] = ("valid", "same")

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        weights: dict[str, Arguments],
        bias_initializer: Any = "zeros",
        bias_regularizer: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        kind = type(self).__name__
        self.kernel_size = numbers(kind, "kernel_size", kernel_size, self.rank)
        self.strides = numbers(kind, "strides", strides, self.rank)
        self.dilation_rate = numbers(kind, "dilation_rate", dilation_rate, self.rank)
        self.padding = padding_name(kind, padding, self.paddings)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self._weight_arguments = (*weights, "bias")
        _weights.take(self, {**weights, "bias": Arguments(bias_initializer, bias_regularizer, bias_constraint)})

    # what the kinds differ in

    def _kernels(self, channels: int) -> dict[str, tuple[str, Shape]]:
        """The kernels: the name of each, the name that its arguments begin with, and its shape."""
        raise NotImplementedError

    def _units(self, channels: int) -> int:
        """Channels of the output."""
        raise NotImplementedError

    def axes(self, shape: Shape) -> tuple[Axis, ...]:
        """The axes of the window, as those of a plain convolution."""
        sizes = zip(shape, self.kernel_size, self.strides, self.dilation_rate)
        return tuple(axis(self.name, *numbers, self.padding) for numbers in sizes)

    def output_sizes(self, shape: Shape) -> tuple[int, ...]:
        return tuple(a.output for a in self.axes(shape))

    # -------------------------------------------------------------------------------------------------------- building

    def build_last(self, shape: Shape) -> None:
        if shape[-1] is None:
            raise ValueError(f"{self.name}: the number of channels must be known. Received: samples of shape {shape}")
        for name, (arguments, kernel_shape) in self._kernels(shape[-1]).items():
            setattr(self, name, _weights.add(self, arguments, kernel_shape, name))
        self.bias = _weights.add(self, "bias", (self._units(shape[-1]),)) if self.use_bias else None

    def output_last(self, shape: Shape) -> Shape:
        return (*self.output_sizes(shape), self._units(shape[-1]))

    def infer_shape(self, input_shape: Shape) -> Shape:
        return activated_shape(self.activation, super().infer_shape(input_shape), self.name)

    def emit(self, plan: Plan, x: int, bare: bool = False, **options: Any) -> tuple[int, Backward]:
        """`bare` leaves the activation out: losses that are computed from logits ask for it."""
        assert self.shape_in is not None
        spec = LINEAR if bare else self.activation
        y, backward = super().emit(plan, x, fused=spec if spec.row else LINEAR)
        if spec.row:
            return y, backward
        # along the last axis, whatever that is: as in Keras
        out, after = emit_activation(plan, spec, y, super().infer_shape(self.shape_in))
        return out, lambda dy, need_dx: backward(after(dy, True), need_dx)

    def bias_buffer(self, plan: Plan) -> int:
        return ABSENT if self.bias is None else plan.parameter(self.bias)

    def bias_gradient(self, plan: Plan) -> int:
        return ABSENT if self.bias is None else plan.gradient(self.bias)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "dilation_rate": list(self.dilation_rate),
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **_weights.config(self, self._weight_arguments),
        }


class OneKernel(ConvolutionLayer):
    """A convolution with one kernel, in groups of channels, or the transpose of one."""

    argument: ClassVar[str] = "kernel"
    transposed: ClassVar[bool] = False
    kernel: Parameter

    def _kernel_shape(self, channels: int) -> Shape:
        """Without the axes of the window."""
        raise NotImplementedError

    def _groups(self, channels: int) -> int:
        return 1

    def _kernels(self, channels: int) -> dict[str, tuple[str, Shape]]:
        return {"kernel": (self.argument, (*self.kernel_size, *self._kernel_shape(channels)))}

    def emit_last(
        self, plan: Plan, x: int, shape: Shape, fused: ActivationSpec = LINEAR, **options: Any
    ) -> tuple[int, Backward]:
        channels, units, axes = shape[-1], self._units(shape[-1]), self.axes(shape)
        if self.rank == 3:
            ends = (units, channels) if self.transposed else (channels, units)
            return self._volumes(plan, fused, x, Depth(plan, axes, *ends, self._groups(channels)))
        ends = (units, channels) if self.transposed else (channels, units)
        ints = window(plan.batch, axes, *ends, self._groups(channels))
        steps = Convolution(plan, ints, fused, self.transposed)
        y = steps.forward(x, plan.parameter(self.kernel), self.bias_buffer(plan))

        def backward(dy: int, need_dx: bool) -> int:
            return steps.backward(dy, need_dx, plan.gradient(self.kernel), self.bias_gradient(plan))

        return y, backward

    def _volumes(self, plan: Plan, fused: ActivationSpec, x: int, depth: Depth) -> tuple[int, Backward]:
        steps = Convolution(plan, depth.ints, fused)
        y = steps.forward(depth.gather(x), depth.weights(plan.parameter(self.kernel)), self.bias_buffer(plan))

        def backward(dy: int, need_dx: bool) -> int:
            dw = plan.gradient(self.kernel)
            gradient = depth.gradient(dw)
            dx = steps.backward(dy, need_dx, gradient, self.bias_gradient(plan))
            depth.back(gradient, dw)
            return depth.scatter(dx) if need_dx else ABSENT

        return y, backward


class _Plain(OneKernel):
    """Convolution with filters of their own, in groups; documented at `Conv2D`."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
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
        self.filters, self.groups = count(kind, "filters", filters), count(kind, "groups", groups)
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
        data_format: "channels_last" (the default), or "channels_first", which is transposed on the way in and out.
        dilation_rate: pixels from one element of the window to the next.
        groups: parts of the channels, each seen by its own part of the filters only.
        activation: a name (see fastnn.activations), a function of fastnn.ops, or None for none.
        use_bias: whether to add b.
        kernel_initializer, bias_initializer: how W, shape (*kernel_size, channels / groups, filters), and b, shape
            (filters,), start.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties that the loss gets for W, b and the
            output (fastnn.regularizers).
        kernel_constraint, bias_constraint: what W and b are put back to after each update (fastnn.constraints).

    Raises:
        TypeError: an argument or activation that nobody knows.
        ValueError: a number, a padding or a format that is not served.

    Notes:
        Other than Keras, strides and dilation may both be more than 1.

    References:
        LeCun et al., "Gradient-based learning applied to document recognition", Proceedings of the IEEE 86, 1998.
    """

    rank = 2


class Conv1D(_Plain):
    """Convolution of sequences, shape (steps, channels): `Conv2D` with one number for each size.

    `padding` may also be "causal": zeros before the first step only, so that no output depends on later steps.
    """

    rank = 1
    paddings = ("valid", "same", "causal")


class Conv3D(_Plain):
    """Convolution of volumes, shape (depth, height, width, channels): `Conv2D` with three numbers for each size.

    The slices that a window sees are put beside each other as channels of one image, which costs memory for
    kernel_size[0] copies of the volume.
    """

    rank = 3


class _Depthwise(OneKernel):
    """Every channel by itself; documented at `DepthwiseConv2D`."""

    argument = "depthwise"

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        weights = {"depthwise": Arguments(depthwise_initializer, depthwise_regularizer, depthwise_constraint)}
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, weights,
            bias_initializer, bias_regularizer, bias_constraint, activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = count(type(self).__name__, "depth_multiplier", depth_multiplier)

    def _kernel_shape(self, channels: int) -> Shape:
        return channels, self.depth_multiplier  # in memory the same as (1, channels * depth_multiplier)

    def _units(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def _groups(self, channels: int) -> int:
        return channels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}


class DepthwiseConv2D(_Depthwise):
    """Convolution of every channel of an image by itself, with depth_multiplier filters each.

    Parameters:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: as in `Conv2D`.
        depth_multiplier: filters of each channel; the output has channels * depth_multiplier channels.
        depthwise_initializer, bias_initializer: how W, shape (*kernel_size, channels, depth_multiplier), and b start.
        depthwise_regularizer, bias_regularizer, activity_regularizer, depthwise_constraint, bias_constraint: as in
            `Conv2D`.

    Raises:
        TypeError: an argument or activation that nobody knows.
        ValueError: a number, a padding or a format that is not served.
    """

    rank = 2


class DepthwiseConv1D(_Depthwise):
    """Convolution of every channel of a sequence by itself: `DepthwiseConv2D` with one number for each size."""

    rank = 1
