"""Max and average pooling of images, over windows or over whole images, and their gradients.

Images are channels-last ("NHWC", the fast way) or channels-first ("NCHW", transposed on the way in and out).  Padding
is never a maximum; an average may count it (PyTorch's default) or not (Keras's "same").  Refused: padding that is as
large as the window, which would make windows without a pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.backend import current
from fastnn.ops._check import as_array, common_dtype, flag, into, received
from fastnn.ops._convolution import sample_images
from fastnn.ops._window import (
    LAYOUTS,
    Padding,
    Pair,
    Window,
    channels_first,
    channels_last,
    choice,
    image_shape,
    integer,
    outer_shape,
    pair,
    window,
)
from fastnn.ops.registry import Arguments, operation

Array = NDArray[Any]
TIES = ("first", "split")
Shape = tuple[int, int, int, int]


def _window(op: str, shape: Shape, pool: Any, stride: Any, padding: Any) -> Window:
    kernel = pair(op, "pool", pool)
    win = window(op, shape[1:3], kernel, kernel if stride is None else stride, padding)
    if any(max(ends) >= k for ends, k in zip(win.padding, kernel)):
        raise ValueError(f"{op}: padding must be smaller than the window. Received: padding {padding}, window {kernel}")
    if shape[1] * shape[2] > np.iinfo(np.int32).max:
        raise ValueError(f"{op}: an image must have fewer than 2**31 pixels. Received: {shape[1:3]}")
    return win


def _given_shape(op: str, x_shape: Any, layout: str) -> Shape:
    if not isinstance(x_shape, (tuple, list)):
        raise TypeError(f"{op}: x_shape must be a tuple of sizes. {received(x_shape=x_shape)}")
    return image_shape(op, "x", tuple(integer(op, "x_shape", size, 0) for size in x_shape), layout)


def _like_output(op: str, dy: ArrayLike, shape: Shape, win: Window, layout: str) -> Array:
    """dy, if it has the shape of the output for images of that shape."""
    gradient, wanted = as_array(op, "dy", dy), outer_shape((shape[0], *win.output, shape[3]), layout)
    if gradient.shape != wanted:
        raise ValueError(f"{op}: dy must have the shape of the output, {wanted}. {received(dy=gradient)}")
    return gradient


def _deliver(images: Array, out: Array, layout: str) -> None:
    if layout == "NCHW":
        channels_first(images, out)


def _work(out: Array, shape: Shape, layout: str) -> Array:
    """Where a kernel writes: `out`, or channels-last images of their own."""
    return out if layout == "NHWC" else np.empty(shape, out.dtype)


def _sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    x = rng.integers(-4, 5, size=sample_images(shape, shape[-1])).astype(dtype)
    return Arguments((x, 2), {"padding": 1})


def _sample_max_backward(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    (x, pool), kwargs = _sample(shape, dtype, rng)
    y, argmax = maxpool2d(x, pool, **kwargs)
    return Arguments((rng.normal(size=y.shape).astype(dtype), argmax, x.shape, pool), kwargs)


@operation("pooling", _sample, backward="maxpool2d_backward")
def maxpool2d(
    x: ArrayLike,
    pool: int | Pair,
    stride: int | Pair | None = None,
    padding: Padding = 0,
    layout: str = "NHWC",
    out: Array | None = None,
) -> tuple[Any, NDArray[np.int32]]:
    """The largest element of every window of an image, and where it stands.

    ``y[n, i, j, c] = max over k, l of x[n, i * s - p + k, j * s - p + l, c]``, inside of the image

    Parameters
    ----------
    x : array, shape (images, height, width, channels), or (images, channels, height, width) with layout="NCHW"
        Images.
    pool : int or pair
        Size of the window, (down, across).
    stride : int or pair, optional
        Pixels from one window to the next; the size of the window if it is not given.
    padding : int, pair, pair of pairs, "same" or "valid"
        As in `conv2d`, but padded places are never the maximum.
    layout : {"NHWC", "NCHW"}
        Order of the dimensions of x, y and argmax.
    out : array, optional
        Where to put y; it must not share memory with x.

    Returns
    -------
    (y, argmax)
        y: x's dtype, at least float32.  argmax: int32, shape of y, the place row * width + column in the image, as
        PyTorch's indices.

    Raises
    ------
    TypeError
        x does not hold real numbers, or `out` has another dtype than the result.
    ValueError
        Shapes do not fit, a number is too small, or padding is not smaller than the window.

    Notes
    -----
    Of several equal elements the first is the maximum (rows before columns).  NaN is larger than any number; of several
    NaN the first is named, where PyTorch names the last.
    """
    op = "maxpool2d"
    images, layout = as_array(op, "x", x), choice(op, "layout", layout, LAYOUTS)
    shape = image_shape(op, "x", images.shape, layout)
    win = _window(op, shape, pool, stride, padding)
    dtype, target = common_dtype(images), (shape[0], *win.output, shape[3])
    argmax = np.empty(outer_shape(target, layout), np.int32)

    def fill(y: Array) -> None:
        work, places = _work(y, target, layout), _work(argmax, target, layout)
        current().max_pool(channels_last(images, dtype, layout), work, places, win.geometry)
        _deliver(work, y, layout)
        if layout == "NCHW":
            argmax[...] = places.transpose(0, 3, 1, 2)

    return into(op, out, outer_shape(target, layout), dtype, fill, apart=(x,)), argmax


@operation("pooling", _sample_max_backward)
def maxpool2d_backward(
    dy: ArrayLike,
    argmax: NDArray[np.integer[Any]],
    x_shape: tuple[int, ...],
    pool: int | Pair,
    stride: int | Pair | None = None,
    padding: Padding = 0,
    layout: str = "NHWC",
    ties: str = "first",
    x: ArrayLike | None = None,
    out: Array | None = None,
) -> Any:
    """Gradient of `maxpool2d`.

    ``dx = sum over the windows that see an element of dy, where the element is the maximum, else of 0``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the maxima.
    argmax : array of integers, shape of y
        What `maxpool2d` returned.
    x_shape : tuple of int
        Shape of the images.
    pool, stride, padding, layout
        As given to `maxpool2d`.
    ties : {"first", "split"}
        Whether the first of several equal elements gets all of dy, or all of them get equal parts.
    x : array, shape x_shape, optional
        The images; needed for ties="split".
    out : array, optional
        Where to put the result; it must not share memory with an input.

    Returns
    -------
    array, shape x_shape
        NumPy's result dtype for dy (and x), at least float32.

    Raises
    ------
    TypeError
        An argument has the wrong type, or `out` has another dtype than the result.
    ValueError
        Shapes do not fit, a name is unknown, or x is missing.
    """
    op = "maxpool2d_backward"
    layout, rule = choice(op, "layout", layout, LAYOUTS), choice(op, "ties", ties, TIES)
    shape = _given_shape(op, x_shape, layout)
    win = _window(op, shape, pool, stride, padding)
    gradient = _like_output(op, dy, shape, win, layout)
    places = as_array(op, "argmax", argmax)
    if places.dtype.kind not in "iu" or places.shape != gradient.shape:
        kinds = received(argmax=places, dy=gradient)
        raise ValueError(f"{op}: argmax must be integers of the shape of dy. {kinds}")
    if rule == "split" and x is None:
        raise ValueError(f"{op}: ties='split' needs the images x. Received: x None")
    images = None if x is None or rule == "first" else as_array(op, "x", x)
    if images is not None and images.shape != outer_shape(shape, layout):
        raise ValueError(f"{op}: x must have the shape {tuple(x_shape)}. {received(x=images)}")
    dtype = common_dtype(gradient) if images is None else common_dtype(gradient, images)

    def fill(dx: Array) -> None:
        work, dy_last = _work(dx, shape, layout), channels_last(gradient, dtype, layout)
        if images is None:
            last = places if layout == "NHWC" else places.transpose(0, 2, 3, 1)
            here = np.ascontiguousarray(last, np.int32)
            current().max_pool_backward(dy_last, here, work, win.geometry)
        else:
            x_last, y = channels_last(images, dtype, layout), np.empty(dy_last.shape, dtype)
            current().max_pool(x_last, y, None, win.geometry)
            current().max_pool_split_backward(dy_last, x_last, y, work, win.geometry)
        _deliver(work, dx, layout)

    return into(op, out, outer_shape(shape, layout), dtype, fill, apart=(dy, x))


def _sample_average_backward(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    (x, pool), kwargs = _sample(shape, dtype, rng)
    y = avgpool2d(x, pool, **kwargs)
    return Arguments((rng.normal(size=y.shape).astype(dtype), x.shape, pool), kwargs)


@operation("pooling", _sample, backward="avgpool2d_backward")
def avgpool2d(
    x: ArrayLike,
    pool: int | Pair,
    stride: int | Pair | None = None,
    padding: Padding = 0,
    layout: str = "NHWC",
    count_include_pad: bool = False,
    out: Array | None = None,
) -> Any:
    """The average of every window of an image.

    ``y[n, i, j, c] = sum over k, l of x[n, i * s - p + k, j * s - p + l, c] / count``

    Parameters
    ----------
    x : array, shape (images, height, width, channels), or (images, channels, height, width) with layout="NCHW"
        Images.
    pool : int or pair
        Size of the window, (down, across).
    stride : int or pair, optional
        Pixels from one window to the next; the size of the window if it is not given.
    padding : int, pair, pair of pairs, "same" or "valid"
        As in `conv2d`.
    layout : {"NHWC", "NCHW"}
        Order of the dimensions of x and y.
    count_include_pad : bool
        Whether padding counts as zeros (PyTorch's default), or only elements inside of the image count (Keras).
    out : array, optional
        Where to put the result; it must not share memory with x.

    Returns
    -------
    array, (images, out height, out width, channels) in the layout of x
        x's dtype, at least float32.

    Raises
    ------
    TypeError
        x does not hold real numbers, or `out` has another dtype than the result.
    ValueError
        Shapes do not fit, a number is too small, or padding is not smaller than the window.
    """
    op = "avgpool2d"
    images, layout = as_array(op, "x", x), choice(op, "layout", layout, LAYOUTS)
    shape, with_padding = image_shape(op, "x", images.shape, layout), flag(op, "count_include_pad", count_include_pad)
    win = _window(op, shape, pool, stride, padding)
    dtype, target = common_dtype(images), (shape[0], *win.output, shape[3])

    def fill(y: Array) -> None:
        work = _work(y, target, layout)
        current().average_pool(channels_last(images, dtype, layout), work, with_padding, win.geometry)
        _deliver(work, y, layout)

    return into(op, out, outer_shape(target, layout), dtype, fill, apart=(x,))


@operation("pooling", _sample_average_backward)
def avgpool2d_backward(
    dy: ArrayLike,
    x_shape: tuple[int, ...],
    pool: int | Pair,
    stride: int | Pair | None = None,
    padding: Padding = 0,
    layout: str = "NHWC",
    count_include_pad: bool = False,
    out: Array | None = None,
) -> Any:
    """Gradient of `avgpool2d`.

    ``dx = sum of dy / count over the windows that see an element``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the averages.
    x_shape : tuple of int
        Shape of the images.
    pool, stride, padding, layout, count_include_pad
        As given to `avgpool2d`.
    out : array, optional
        Where to put the result; it must not share memory with dy.

    Returns
    -------
    array, shape x_shape
        dy's dtype, at least float32.

    Raises
    ------
    TypeError
        An argument has the wrong type, or `out` has another dtype than the result.
    ValueError
        Shapes do not fit, or a name is unknown.
    """
    op = "avgpool2d_backward"
    layout, with_padding = choice(op, "layout", layout, LAYOUTS), flag(op, "count_include_pad", count_include_pad)
    shape = _given_shape(op, x_shape, layout)
    win = _window(op, shape, pool, stride, padding)
    gradient = _like_output(op, dy, shape, win, layout)
    dtype = common_dtype(gradient)

    def fill(dx: Array) -> None:
        work = _work(dx, shape, layout)
        current().average_pool_backward(channels_last(gradient, dtype, layout), work, with_padding, win.geometry)
        _deliver(work, dx, layout)

    return into(op, out, outer_shape(shape, layout), dtype, fill, apart=(dy,))
