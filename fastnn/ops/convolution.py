"""Convolution and transposed convolution of images, with a fused activation, and their gradients.

Convolution is cross-correlation, as in every library of the field.  Images are channels-last ("NHWC", the fast way) or
channels-first ("NCHW", transposed on the way in and out), weights "HWIO" as in Keras or "OIHW" as in PyTorch.  A
depthwise convolution is one with as many groups as channels.  Nothing is unrolled: the compiled kernels read the images
where they are.  Refused: images without a batch axis, and an `out` that shares memory with an input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.ops._check import received
from fastnn.ops._convolution import (
    ConvolutionContext,
    backward,
    check_channels,
    checked_activation,
    checked_arrays,
    checked_groups,
    checked_workspace,
    forward,
    sample_images,
    transposed_size,
)
from fastnn.ops._window import (
    LAYOUTS,
    Padding,
    Pair,
    Window,
    Workspace,
    choice,
    explicit_padding,
    image_shape,
    pair,
    same_padding,
    window,
)
from fastnn.ops.registry import Arguments, operation

Array = NDArray[Any]


def _sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    channels, filters = shape[-1], 5
    x, W = rng.normal(size=sample_images(shape, channels)), rng.normal(size=(3, 2, channels, filters))
    b = rng.normal(size=filters)
    return Arguments((x.astype(dtype), W.astype(dtype)), {"b": b.astype(dtype), "padding": 1, "activation": "relu"})


def _sample_backward(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    (x, W), _ = _sample(shape, dtype, rng)
    y, ctx = conv2d(x, W, padding=((0, 1), (1, 0)), stride=(1, 2))
    return Arguments((rng.normal(size=y.shape).astype(dtype), ctx), {})


@operation("convolution", _sample, backward="conv2d_backward")
def conv2d(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None = None,
    stride: int | Pair = 1,
    padding: Padding = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    layout: str = "NHWC",
    w_layout: str = "HWIO",
    activation: str | None = None,
    workspace: Workspace = None,
    out: Array | None = None,
) -> tuple[Any, ConvolutionContext]:
    """Convolution of images with filters, followed by an activation: a convolution layer.

    ``y[n, i, j, f] = act(b[f] + sum over k, l, c of x[n, i * s - p + k * d, j * s - p + l * d, c] * W[k, l, c, f])``

    Parameters
    ----------
    x : array, shape (images, height, width, channels), or (images, channels, height, width) with layout="NCHW"
        Images.
    W : array, shape (kernel height, kernel width, channels / groups, filters), or (filters, channels / groups, \
kernel height, kernel width) with w_layout="OIHW"
        Weights.
    b : array, shape (filters,), optional
        Bias.
    stride : int or pair
        Pixels from one window to the next; two numbers are (down, across).
    padding : int, pair, pair of pairs, "same" or "valid"
        Zeros around the image: one number for all sides, (vertical, horizontal), ((top, bottom), (left, right)), none
        ("valid"), or so many that the output has ceil(size / stride) pixels ("same"; an odd one goes to the far end).
    dilation : int or pair
        Pixels from one element of the window to the next.
    groups : int
        Number of parts of the channels; each is seen by its own part of the filters only.
    layout : {"NHWC", "NCHW"}
        Order of the dimensions of x and y.
    w_layout : {"HWIO", "OIHW"}
        Order of the dimensions of W.
    activation : str, optional
        Name of an activation row, applied with its default parameters; None for a linear layer.
    workspace : dict, optional
        Where memory besides the results is kept for the next call: an empty dict at first, then the same one for every
        call of this layer.  The context of an earlier call with it is no longer valid.
    out : array, optional
        Where to put y; it must not share memory with an input.

    Returns
    -------
    (y, ctx)
        y has the layout of x and NumPy's result dtype for the arrays, at least float32; ctx is for `conv2d_backward`
        and refers to x, W and y, which must not be changed before that.

    Raises
    ------
    TypeError
        An argument has the wrong type, or `out` has another dtype than the result.
    ValueError
        Shapes do not fit, a number is too small, or a name is unknown.

    Notes
    -----
    "same" is that of Keras, also for strides; PyTorch pads both sides alike and knows "same" for stride 1 only.
    Every output is summed in one fixed order, whatever the number of threads.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", Proceedings of the
    IEEE 86, 1998.
    """
    op = "conv2d"
    a = checked_arrays(op, x, W, b, w_layout)
    count, parts = checked_workspace(op, workspace), checked_groups(op, groups)
    order = choice(op, "layout", layout, LAYOUTS)
    n, height, width, channels = image_shape(op, "x", a.x.shape, order)
    kernel, filters = (a.w.shape[0], a.w.shape[1]), a.w.shape[3]
    check_channels(op, a, parts, channels, a.w.shape[2] * parts, filters, w_layout)
    win = window(op, (height, width), kernel, stride, padding, dilation, parts)
    target = (n, *win.output, filters)
    name = checked_activation(activation)
    return forward(op, False, a, win, target, name, order, w_layout, count, out, (x, W, b))


@operation("convolution", _sample_backward)
def conv2d_backward(
    dy: ArrayLike, ctx: ConvolutionContext, need_dx: bool = True, dW: Array | None = None, db: Array | None = None
) -> tuple[Any, Any, Any]:
    """Gradients of `conv2d`, its activation included.

    ``dz = dy * act'``, ``dx[p] = sum of dz * W over all windows that see p``, ``dW = sum of x * dz over all windows``,
    ``db = sum of dz over images and pixels``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the output.
    ctx : ConvolutionContext
        What `conv2d` returned.
    need_dx : bool
        Whether dx is wanted; the first layer of a network needs none.
    dW, db : arrays, optional
        Where to put the gradients of W and b: of the shape of W and (filters,), of the result's dtype, sharing no
        memory with an input.

    Returns
    -------
    (dx, dW, db)
        dx has the shape and layout of x, or is None without need_dx; dW has the shape and layout of W.

    Raises
    ------
    TypeError
        An argument has the wrong type, or dW or db has another dtype than the result.
    ValueError
        Shapes do not fit.
    """
    return backward("conv2d_backward", False, dy, ctx, need_dx, dW, db)


def _sample_transpose(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    channels, units = shape[-1], 5
    x, W = rng.normal(size=sample_images(shape, channels)), rng.normal(size=(3, 2, units, channels))
    b = rng.normal(size=units)
    return Arguments((x.astype(dtype), W.astype(dtype)), {"b": b.astype(dtype), "stride": 2, "padding": "same"})


def _sample_transpose_backward(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    (x, W), _ = _sample_transpose(shape, dtype, rng)
    y, ctx = conv2d_transpose(x, W, stride=2, activation="tanh")
    return Arguments((rng.normal(size=y.shape).astype(dtype), ctx), {})


@operation("convolution", _sample_transpose, backward="conv2d_transpose_backward")
def conv2d_transpose(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None = None,
    stride: int | Pair = 1,
    padding: Padding = 0,
    output_padding: int | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    layout: str = "NHWC",
    w_layout: str = "HWIO",
    activation: str | None = None,
    workspace: Workspace = None,
    out: Array | None = None,
) -> tuple[Any, ConvolutionContext]:
    """Transposed convolution of images, followed by an activation: every pixel is spread over a window.

    ``y[n, i * s - p + k * d, j * s - p + l * d, f] += x[n, i, j, c] * W[k, l, f, c]``, summed over i, j, k, l, c; then
    ``y = act(y + b)``

    Parameters
    ----------
    x : array, shape (images, height, width, channels), or (images, channels, height, width) with layout="NCHW"
        Images.
    W : array, shape (kernel height, kernel width, filters / groups, channels), or (channels, filters / groups, \
kernel height, kernel width) with w_layout="OIHW"
        Weights, as Keras and PyTorch have them for this layer.
    b : array, shape (filters,), optional
        Bias.
    stride : int or pair
        Pixels from one window of the output to the next.
    padding : int, pair, pair of pairs, "same" or "valid"
        What is cut off the output at each side.  "same": the output has size * stride pixels; "valid": nothing is cut,
        and the output has at least size * stride pixels.
    output_padding : int or pair
        Further pixels at the far ends of the output; only with padding in numbers.
    dilation : int or pair
        Pixels from one element of the window to the next.
    groups : int
        Number of parts of the channels; each writes its own part of the filters only.
    layout : {"NHWC", "NCHW"}
        Order of the dimensions of x and y.
    w_layout : {"HWIO", "OIHW"}
        Order of the dimensions of W; the letters are those of the convolution whose gradient this is.
    activation : str, optional
        Name of an activation row, applied with its default parameters.
    workspace : dict, optional
        As in `conv2d`.
    out : array, optional
        Where to put y; it must not share memory with an input.

    Returns
    -------
    (y, ctx)
        As in `conv2d`; ctx is for `conv2d_transpose_backward`.

    Raises
    ------
    TypeError
        An argument has the wrong type, or `out` has another dtype than the result.
    ValueError
        Shapes do not fit, a number is too small, or a name is unknown.

    Notes
    -----
    The gradient of `conv2d` with respect to its input.  With padding in numbers it is PyTorch's `conv_transpose2d`; the
    two words give the sizes of Keras's Conv2DTranspose.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.
    """
    op = "conv2d_transpose"
    a = checked_arrays(op, x, W, b, w_layout)
    space, parts = checked_workspace(op, workspace), checked_groups(op, groups)
    order = choice(op, "layout", layout, LAYOUTS)
    n, height, width, channels = image_shape(op, "x", a.x.shape, order)
    kernel, units = (a.w.shape[0], a.w.shape[1]), a.w.shape[2] * parts
    check_channels(op, a, parts, channels, a.w.shape[3], units, w_layout)
    strides, dilations = pair(op, "stride", stride), pair(op, "dilation", dilation)
    extra = pair(op, "output_padding", output_padding, 0)
    named = choice(op, "padding", padding, ("same", "valid")) if isinstance(padding, str) else ""
    if named and any(extra):
        raise ValueError(f"{op}: output_padding needs padding in numbers. {received(padding=padding)}")
    ends: Any = (named, named) if named else explicit_padding(op, padding)
    sizes = [transposed_size(op, *axis) for axis in zip((height, width), kernel, strides, dilations, ends, extra)]
    size = (sizes[0], sizes[1])
    pads = [
        same_padding(*axis) if named == "same" else (0, 0) if named else end
        for *axis, end in zip(size, kernel, strides, dilations, ends)
    ]
    win = Window(kernel, strides, (pads[0], pads[1]), dilations, parts, size, (height, width))
    name = checked_activation(activation)
    return forward(op, True, a, win, (n, *size, units), name, order, w_layout, space, out, (x, W, b))


@operation("convolution", _sample_transpose_backward)
def conv2d_transpose_backward(
    dy: ArrayLike, ctx: ConvolutionContext, need_dx: bool = True, dW: Array | None = None, db: Array | None = None
) -> tuple[Any, Any, Any]:
    """Gradients of `conv2d_transpose`, its activation included.

    ``dz = dy * act'``, ``dx = conv2d(dz, W)``, ``dW = sum of dz * x over all windows``, ``db = sum of dz``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the output.
    ctx : ConvolutionContext
        What `conv2d_transpose` returned.
    need_dx : bool
        Whether dx is wanted.
    dW, db : arrays, optional
        Where to put the gradients of W and b.

    Returns
    -------
    (dx, dW, db)
        dx has the shape and layout of x, or is None without need_dx; dW has the shape and layout of W.

    Raises
    ------
    TypeError
        An argument has the wrong type, or dW or db has another dtype than the result.
    ValueError
        Shapes do not fit.
    """
    return backward("conv2d_transpose_backward", True, dy, ctx, need_dx, dW, db)
