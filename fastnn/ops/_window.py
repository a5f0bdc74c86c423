"""Arguments of functions that slide a window over images: sizes, padding, layouts.

Kernels know channels-last images, weights (kernel height, kernel width, channels / groups, filters), and the tuple
(kernel, stride, padding, dilation, groups) with pairs (down, across).  Channels-first images are transposed on the way
in and out, unless they are a transposed view of a channels-last array already.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastnn._errors import unknown
from fastnn.backend import current
from fastnn.ops._check import received, well_formed

Array: TypeAlias = NDArray[Any]
Pair: TypeAlias = tuple[int, int]
Workspace: TypeAlias = "dict[str, Any] | None"
Padding: TypeAlias = "int | str | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]"

LAYOUTS = ("NHWC", "NCHW")
W_LAYOUTS = ("HWIO", "OIHW")
_NAMED = ("same", "valid")


class Window(NamedTuple):
    """A checked window: geometry as kernels want it, sizes of the image and of the output."""

    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]
    dilation: Pair
    groups: int
    size: Pair
    output: Pair

    @property
    def geometry(self) -> tuple[Any, ...]:
        """What kernels get; the padding at the far end follows from the sizes."""
        return self.kernel, self.stride, (self.padding[0][0], self.padding[1][0]), self.dilation, self.groups


def choice(op: str, name: str, value: object, choices: tuple[str, ...]) -> str:
    """One of some names."""
    if value not in choices:
        raise unknown(f"{op} {name}", value, choices)
    return str(value)


def integer(op: str, name: str, value: Any, least: int = 1) -> int:
    """A whole number that is not below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{op}: {name} must be whole numbers. {received(**{name: value})}")
    if number < least:
        raise ValueError(f"{op}: {name} must be at least {least}. {received(**{name: value})}")
    return number


def pair(op: str, name: str, value: Any, least: int = 1) -> Pair:
    """One number for both axes, or two: (down, across)."""
    if isinstance(value, (tuple, list, np.ndarray)):
        if len(value) != 2:
            raise ValueError(f"{op}: {name} must be one number or two. {received(**{name: value})}")
        return integer(op, name, value[0], least), integer(op, name, value[1], least)
    number = integer(op, name, value, least)
    return number, number


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> Pair:
    """Padding for which the output has ceil(size / stride) positions; an odd one goes to the far end."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def explicit_padding(op: str, padding: Any) -> tuple[Pair, Pair]:
    """Padding given in numbers: one for all ends, (down, across), or ((top, bottom), (left, right))."""
    if isinstance(padding, (tuple, list)) and len(padding) == 2 and any(np.ndim(p) for p in padding):
        return pair(op, "padding", padding[0], 0), pair(op, "padding", padding[1], 0)
    down, across = pair(op, "padding", padding, 0)
    return (down, down), (across, across)


def window(
    op: str,
    size: Pair,
    kernel: Pair,
    stride: Any,
    padding: Any,
    dilation: Any = 1,
    groups: int = 1,
) -> Window:
    """The window over images of that size, and how large its output is."""
    strides, dilations = pair(op, "stride", stride), pair(op, "dilation", dilation)
    if isinstance(padding, str):
        named = choice(op, "padding", padding, _NAMED)
        ends = [(0, 0) if named == "valid" else same_padding(*sizes) for sizes in zip(size, kernel, strides, dilations)]
        pads = (ends[0], ends[1])
    else:
        pads = explicit_padding(op, padding)
    output = tuple(
        (n + sum(p) - (k - 1) * d - 1) // s + 1 for n, k, s, p, d in zip(size, kernel, strides, pads, dilations)
    )
    if min(output) < 1:
        raise ValueError(
            f"{op}: the window must fit into the padded image. "
            f"Received: image {size}, window {kernel}, padding {pads}, dilation {dilations}"
        )
    return Window(kernel, strides, pads, dilations, groups, size, (output[0], output[1]))


def image_shape(op: str, name: str, shape: tuple[int, ...], layout: str) -> tuple[int, int, int, int]:
    """(images, height, width, channels) of images in that layout."""
    if len(shape) != 4:
        raise ValueError(f"{op}: {name} must have the four dimensions {layout}. Received: {name} of shape {shape}")
    n, *rest = shape
    h, w, c = (rest[1], rest[2], rest[0]) if layout == "NCHW" else rest
    if min(h, w, c) < 1:
        raise ValueError(f"{op}: {name} must have pixels and channels. Received: {name} of shape {shape}")
    return n, h, w, c


def outer_shape(shape: tuple[int, int, int, int], layout: str) -> tuple[int, ...]:
    """The shape that the caller sees."""
    n, h, w, c = shape
    return (n, c, h, w) if layout == "NCHW" else shape


def memory(workspace: Workspace, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array that the workspace keeps for the next call."""
    array = None if workspace is None else workspace.get(name)
    if array is None or array.shape != shape or array.dtype != dtype:
        array = np.empty(shape, dtype)
        if workspace is not None:
            workspace[name] = array
    return array


def channels_last(
    array: Array, dtype: np.dtype[Any], layout: str, workspace: Workspace = None, name: str = ""
) -> Array:
    """The images as kernels want them."""
    if layout == "NHWC":
        return well_formed(array, dtype)
    view = array.transpose(0, 2, 3, 1)
    if view.flags.c_contiguous:
        return well_formed(view, dtype)
    source = well_formed(array, dtype)
    n, h, w, c = view.shape
    result = memory(workspace if name else None, name, view.shape, dtype)
    if result.size:
        current().transpose(source.reshape(n, c, h * w), result.reshape(n, h * w, c))
    return result


def channels_first(images: Array, out: Array) -> None:
    """Write channels-last images into a contiguous channels-first array."""
    n, h, w, c = images.shape
    current().transpose(images.reshape(n, h * w, c), out.reshape(n, c, h * w))
