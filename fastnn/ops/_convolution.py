"""What a convolution and its transpose share: checking weights, running forward, running backward.

A transposed convolution is the gradient of a convolution with respect to its input.  So both use the same three
kernels, and the window always describes the plain convolution: from images to outputs, from outputs to images.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._errors import unknown
from fastnn.backend import current
from fastnn.ops._check import (
    as_array,
    common_dtype,
    fits_blas,
    flag,
    into,
    overlapping,
    received,
    rows_of,
    well_formed,
    writable,
)
from fastnn.ops._window import (
    W_LAYOUTS,
    Window,
    Workspace,
    channels_first,
    channels_last,
    integer,
    memory,
    outer_shape,
)
from fastnn.ops.activations import ROWS

Array = NDArray[Any]


class ConvolutionContext(NamedTuple):
    """What the backward function of a convolution needs: arrays as the kernels had them, and how they were given."""

    x: Array
    w: Array
    kept: Array | None
    activation: str
    window: Window
    layout: str
    w_layout: str
    workspace: Workspace


class Arrays(NamedTuple):
    """The checked array arguments of a forward function; weights as kernels want them."""

    x: Array
    w: Array
    bias: Array | None
    dtype: np.dtype[Any]


def checked_workspace(op: str, workspace: object) -> Workspace:
    if workspace is not None and not isinstance(workspace, dict):
        raise TypeError(f"{op}: workspace must be a dict, empty at first. {received(workspace=workspace)}")
    return workspace


def checked_arrays(op: str, x: ArrayLike, W: ArrayLike, b: ArrayLike | None, w_layout: str) -> Arrays:
    """Arrays of real numbers and of the right number of dimensions."""
    if w_layout not in W_LAYOUTS:
        raise unknown(f"{op} w_layout", w_layout, W_LAYOUTS)
    samples, weights = as_array(op, "x", x), as_array(op, "W", W)
    bias = None if b is None else as_array(op, "b", b)
    if weights.ndim != 4 or min(weights.shape) < 1:
        raise ValueError(f"{op}: W must have the four dimensions {w_layout}. {received(W=weights)}")
    fits_blas(op, x=samples, W=weights)
    dtype = common_dtype(samples, weights) if bias is None else common_dtype(samples, weights, bias)
    if w_layout == "OIHW":
        weights = weights.transpose(2, 3, 1, 0)
    return Arrays(samples, well_formed(weights, dtype), None if bias is None else well_formed(bias, dtype), dtype)


def check_channels(op: str, a: Arrays, groups: int, channels: int, given: int, units: int, w_layout: str) -> None:
    """channels, given: of x, and those that W stands for; units: filters of the layer."""
    if channels != given or units % groups or channels % groups:
        raise ValueError(
            f"{op}: channels of x and W of layout {w_layout!r} do not fit, or groups do not divide channels and "
            f"filters. Received: x with {channels} channels, W for {given} channels and {units} filters, "
            f"groups {groups}"
        )
    if a.bias is not None and a.bias.shape != (units,):
        raise ValueError(f"{op}: b must have shape {(units,)}. {received(b=a.bias)}")


def checked_activation(activation: str | None) -> str:
    if activation is not None and activation not in ROWS:
        raise unknown("activation", activation, ROWS)
    return activation or "identity"


def forward(
    op: str,
    transposed: bool,
    a: Arrays,
    window: Window,
    target: tuple[int, int, int, int],
    activation: str,
    layout: str,
    w_layout: str,
    workspace: Workspace,
    out: Array | None,
    apart: tuple[object, ...],
) -> tuple[Any, ConvolutionContext]:
    """Allocate, convolve (or the transpose of it), and note what backward needs; target: shape, channels last."""
    row, kernel = ROWS[activation], current().conv2d_input if transposed else current().conv2d
    source = channels_last(a.x, a.dtype, layout, workspace, "x")
    z = memory(workspace, "z", target, a.dtype) if row.keeps == "x" and activation != "identity" else None
    kept = z

    def fill(y: Array) -> None:
        nonlocal kept
        images = memory(workspace, "y", target, a.dtype) if layout == "NCHW" else y
        if images.size:
            kernel(row.name, source, a.w, a.bias, images, z, row.defaults, window.geometry, workspace)
        if layout == "NCHW" and images.size:
            channels_first(images, y)
        if z is None and activation != "identity":
            kept = images

    y = into(op, out, outer_shape(target, layout), a.dtype, fill, apart=apart)
    return y, ConvolutionContext(source, a.w, kept, activation, window, layout, w_layout, workspace)


def backward(
    op: str,
    transposed: bool,
    dy: ArrayLike,
    ctx: ConvolutionContext,
    need_dx: bool,
    dW: Array | None,
    db: Array | None,
) -> tuple[Any, Any, Any]:
    """Gradients of `forward`."""
    if not isinstance(ctx, ConvolutionContext):
        raise TypeError(f"{op}: ctx must be what the forward function returned. {received(ctx=ctx)}")
    gradient, wants_dx = as_array(op, "dy", dy), flag(op, "need_dx", need_dx)
    geometry, x, w = ctx.window.geometry, ctx.x, ctx.w
    units = w.shape[2] * ctx.window.groups if transposed else w.shape[3]
    y_size = ctx.window.size if transposed else ctx.window.output
    target = (x.shape[0], *y_size, units)
    if gradient.shape != outer_shape(target, ctx.layout):
        shape = outer_shape(target, ctx.layout)
        raise ValueError(f"{op}: dy must have the shape of the output, {shape}. {received(dy=gradient)}")
    dtype = common_dtype(gradient, x, w)
    w_shape = w.shape if ctx.w_layout == "HWIO" else (w.shape[3], w.shape[2], *w.shape[:2])
    for name, array, wanted in (("dW", dW, w_shape), ("db", db, (units,))):
        if array is not None:
            writable(op, name, array, wanted, dtype)
    if dW is not None and db is not None and overlapping(dW, db):
        raise ValueError(f"{op}: dW and db must not share memory. {received(dW=dW, db=db)}")

    dz = channels_last(gradient, dtype, ctx.layout, ctx.workspace, "dy")
    x, w = well_formed(x, dtype), well_formed(w, dtype)
    if ctx.kept is not None:
        row, kept = ROWS[ctx.activation], well_formed(ctx.kept, dtype)
        given, dz = dz, memory(ctx.workspace, "dz", target, dtype)
        if dz.size:
            current().activation_backward(row.name, given, kept, dz, row.defaults)

    def fill_dx(dx: Array) -> None:
        images = dx if ctx.layout == "NHWC" else memory(ctx.workspace, "dx", x.shape, dtype)
        kernel = current().conv2d if transposed else current().conv2d_input
        kernel("identity", dz, w, None, images, None, (), geometry, ctx.workspace)
        if ctx.layout == "NCHW":
            channels_first(images, dx)

    def fill_dw(out: Array) -> None:
        grads = out if ctx.w_layout == "HWIO" else np.empty(w.shape, dtype)
        if x.shape[0] == 0:
            grads[...] = 0
        else:
            images, outputs = (dz, x) if transposed else (x, dz)
            current().conv2d_weights(images, outputs, grads, geometry, ctx.workspace)
        if ctx.w_layout == "OIHW":
            out[...] = grads.transpose(3, 2, 0, 1)

    apart = (dy, ctx.x, ctx.w, ctx.kept)
    dx = into(op, None, outer_shape(x.shape, ctx.layout), dtype, fill_dx) if wants_dx else None
    sums = into(op, db, (units,), dtype, lambda s: current().column_sums(rows_of(dz), s), name="db", apart=apart)
    grads = into(op, dW, w_shape, dtype, fill_dw, name="dW", apart=apart)
    return dx, grads, sums


def transposed_size(op: str, n: int, kernel: int, stride: int, dilation: int, padding: Any, extra: int) -> int:
    """Length of the output of a transposed convolution along one axis; padding: "same", "valid" or (near, far)."""
    reach = (kernel - 1) * dilation + 1
    if padding == "same":
        return n * stride
    if padding == "valid":
        return n * stride + max(reach - stride, 0)
    size = (n - 1) * stride + reach - sum(padding) + extra
    if size < 1 or extra >= max(stride, dilation):
        raise ValueError(
            f"{op}: the output must have pixels, and output_padding must be smaller than stride or dilation. "
            f"Received: size {n}, window {kernel}, padding {padding}, output_padding {extra}"
        )
    return size


def sample_images(shape: tuple[int, ...], channels: int) -> tuple[int, int, int, int]:
    """A shape of images of about as many elements as `shape`."""
    rows = max(1, math.prod(shape[:-1]))
    return max(1, rows // 12), 4, 3, channels


def checked_groups(op: str, groups: Any) -> int:
    return integer(op, "groups", groups)
