"""The steps of one convolution of channels-last images, forward and back; what layers make of it stands elsewhere."""

from __future__ import annotations

import math

from fastnn.activations import ActivationSpec
from fastnn.engine.plan import ABSENT, Plan

from ._strided import Way, add, copy, permute, zero
from ._windows import Axis, window


class Convolution:
    """y = act(x * w + b), or its transpose, which is the gradient of a convolution with the roles changed.

    Parameters:
        plan: where the steps go.
        ints: the window, see fastnn.engine.plan.
        fused: an activation of single elements.
        transposed: whether y is the image and x what the window makes of it.
    """

    def __init__(self, plan: Plan, ints: tuple[int, ...], fused: ActivationSpec, transposed: bool = False) -> None:
        self.plan, self.ints, self.fused, self.transposed = plan, ints, fused, transposed
        image, made = ints[0] * math.prod(ints[1:4]), ints[0] * math.prod(ints[4:7])
        self.x_size, self.y_size, self.units = (made, image, ints[3]) if transposed else (image, made, ints[6])

    def forward(self, x: int, w: int, b: int = ABSENT) -> int:
        plan, fused = self.plan, self.fused
        op = "conv2d_input" if self.transposed else "conv2d"
        self.x, self.w = x, w
        self.y = plan.fixed(self.y_size)
        self.z = plan.fixed(self.y_size) if plan.learning and fused.keeps == "x" else ABSENT
        plan.step(f"{op}_prepare", (w, b), ints=self.ints)
        plan.step(op, (x, w, b, self.y, self.z), row=fused.row, ints=self.ints, reals=fused.params)
        return self.y

    def backward(self, dy: int, need_dx: bool, dw: int, db: int = ABSENT) -> int:
        plan, ints, row, params = self.plan, self.ints, self.fused.row, self.fused.params
        dz = dy if row == "identity" else plan.fixed(self.y_size)
        if dz != dy or db != ABSENT:
            kept = self.z if self.z != ABSENT else self.y
            rows = self.y_size // self.units
            plan.step("bias_backward", (dy, kept, dz, db), row=row, ints=(rows, self.units), reals=params)
        if dw != ABSENT:
            plan.step("conv2d_weights_prepare", (), ints=ints)
            plan.step("conv2d_weights", (dz, self.x, dw) if self.transposed else (self.x, dz, dw), ints=ints)
            plan.step("conv2d_weights_finish", (dw,), ints=ints)
        if not need_dx:
            return ABSENT
        dx = plan.fixed(self.x_size)
        op = "conv2d" if self.transposed else "conv2d_input"
        plan.step(f"{op}_prepare", (self.w, ABSENT), ints=ints)
        plan.step(op, (dz, self.w, ABSENT, dx, ABSENT), row="identity", ints=ints)
        return dx


class Depth:
    """How a convolution of volumes becomes one of images: the slices that a window sees become channels of one image.

    Parameters:
        axes: depth, height, width.
        channels, groups: of x; the slices of a group stand together.
    """

    def __init__(self, plan: Plan, axes: tuple[Axis, ...], channels: int, filters: int, groups: int) -> None:
        self.plan, (self.depth, *image), self.channels, self.groups = plan, axes, channels, groups
        self.pixels = image[0].size * image[1].size
        self.taps, self.places, self.filters = self.depth.kernel, image[0].kernel * image[1].kernel, filters
        batch = plan.batch * self.depth.output
        self.ints = window(batch, tuple(image), channels * self.taps, filters, groups)
        d = self.depth
        self.trivial = (d.kernel, d.stride, d.pad, d.output) == (1, 1, 0, d.size)

    def _slices(self) -> list[tuple[list[Way], tuple[int, int]]]:
        """For every tap the ways from x to the images, and where they begin."""
        d, channels, line = self.depth, self.channels, self.pixels * self.channels
        part, found = channels // self.groups, []
        for tap in range(d.kernel):
            shift = tap * d.dilation - d.pad  # output o reads slice o * stride + shift
            low = max(0, -(shift // d.stride))
            high = min(d.output, (d.size - 1 - shift) // d.stride + 1)
            if high <= low:
                continue
            ways = [
                Way(self.plan.batch, d.size * line, d.output * line * self.taps),
                Way(high - low, d.stride * line, line * self.taps),
                Way(self.pixels, channels, channels * self.taps),
                Way(self.groups, part, part * self.taps),
                Way(part, 1, 1),
            ]
            found.append((ways, ((low * d.stride + shift) * line, low * line * self.taps + tap * part)))
        return found

    def gather(self, x: int) -> int:
        """The images."""
        if self.trivial:
            return x
        images = self.plan.fixed(self.plan.batch * self.depth.output * self.pixels * self.channels * self.taps)
        slices = self._slices()
        if sum(ways[1].size for ways, _ in slices) < self.taps * self.depth.output:
            zero(self.plan, images)  # some windows reach into the padding
        for ways, starts in slices:
            copy(self.plan, x, images, ways, starts)
        return images

    def scatter(self, dimages: int, bias: int = ABSENT) -> int:
        """The gradient of x; or the volume that images are spread over, which begins with a bias."""
        if self.trivial and bias == ABSENT:
            return dimages
        elements = self.plan.batch * self.depth.size * self.pixels
        dx = self.plan.fixed(elements * self.channels)
        if bias == ABSENT:
            zero(self.plan, dx)
        else:
            copy(self.plan, bias, dx, [Way(elements, 0, self.channels), Way(self.channels, 1, 1)])
        for ways, (x_start, start) in self._slices():
            add(self.plan, dimages, dx, [Way(way.size, way.y, way.x) for way in ways], (start, x_start))
        return dx

    def _shape(self) -> tuple[int, int, int]:
        return self.taps, self.places, self.channels // self.groups * self.filters

    def weights(self, w: int) -> int:
        """(depth, height and width, channels, filters) with the depth among the channels."""
        return permute(self.plan, w, self._shape(), (1, 0, 2))

    def gradient(self, dw: int) -> int:
        """Where the gradient of these weights is to go."""
        return dw if dw == ABSENT or 1 in self._shape()[:2] else self.plan.fixed(math.prod(self._shape()))

    def back(self, gradient: int, dw: int) -> None:
        """The gradient in the order of the layer's own weights."""
        if gradient != dw:
            taps, places, rest = self._shape()
            permute(self.plan, gradient, (places, taps, rest), (1, 0, 2), dw)
