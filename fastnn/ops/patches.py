"""im2col and col2im: the patches that a window sees, as the rows or columns of a matrix, in any order.

`conv2d` does without them; they serve code that multiplies patches by matrices of its own.  An order names the
dimensions of the matrix by letters: n image, y and x output row and column, i and j row and column of the window, c
channel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.backend import current
from fastnn.ops._check import as_array, common_dtype, into, received, well_formed
from fastnn.ops._convolution import sample_images
from fastnn.ops._window import LAYOUTS, Padding, Pair, Window, choice, image_shape, integer, outer_shape, window
from fastnn.ops.registry import Arguments, operation

Array = NDArray[Any]
LETTERS = "nyxijc"  # the order of kernels
_LAST = (0, 1, 2, 3)
_FIRST = (0, 2, 3, 1)  # channels-first images with their axes in the order of kernels


def _axes(op: str, order: object) -> tuple[str, int]:
    """The letters of an order, and how many of them are rows of the matrix."""
    rows, comma, columns = order.partition(",") if isinstance(order, str) else ("", "", "")
    if not comma or sorted(rows + columns) != sorted(LETTERS):
        raise ValueError(f"{op}: order must be the letters {LETTERS} with one comma. Received: {order!r}")
    return rows + columns, len(rows)


def _shape(win: Window, n: int, channels: int, letters: str, split: int) -> tuple[tuple[int, ...], Pair]:
    """Shape of the columns with six dimensions, and as a matrix."""
    sizes = dict(zip(LETTERS, (n, *win.output, *win.kernel, channels)))
    shape = tuple(sizes[letter] for letter in letters)
    return shape, (math.prod(shape[:split]), math.prod(shape[split:]))


def _sample_im2col(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    x = rng.normal(size=sample_images(shape, shape[-1])).astype(dtype)
    return Arguments((x, 3, 2), {"pad": 1, "order": "nyx,cij"})


@operation("convolution", _sample_im2col, backward="col2im")
def im2col(
    x: ArrayLike,
    fh: int,
    fw: int,
    stride: int | Pair = 1,
    pad: Padding = 0,
    dilation: int | Pair = 1,
    order: str = "nyx,ijc",
    layout: str = "NHWC",
    out: Array | None = None,
) -> Any:
    """All patches of images under a window, as a matrix.

    ``columns[(n, y, x), (i, j, c)] = x[n, y * s - p + i * d, x * s - p + j * d, c]``, in the order that is asked for

    Parameters
    ----------
    x : array, shape (images, height, width, channels), or (images, channels, height, width) with layout="NCHW"
        Images.
    fh, fw : int
        Height and width of the window.
    stride, pad, dilation
        As in `conv2d` (pad is its padding).
    order : str
        What rows and columns of the matrix count: letters n (image), y, x (output), i, j (window), c (channel), a
        comma between rows and columns.  "nyx,cij" and "cij,yxn" are usual with channels-first images, "cij,nyx" too.
    layout : {"NHWC", "NCHW"}
        Order of the dimensions of x.
    out : array, optional
        Where to put the result; it must not share memory with x.

    Returns
    -------
    array, two dimensions
        x's dtype, at least float32.

    Raises
    ------
    TypeError
        x does not hold real numbers, or `out` has another dtype than the result.
    ValueError
        Shapes do not fit, or the order or layout is unknown.
    """
    op = "im2col"
    images = as_array(op, "x", x)
    layout = choice(op, "layout", layout, LAYOUTS)
    n, height, width, channels = image_shape(op, "x", images.shape, layout)
    kernel = integer(op, "fh", fh), integer(op, "fw", fw)
    win = window(op, (height, width), kernel, stride, pad, dilation)
    letters, split = _axes(op, order)
    six, matrix = _shape(win, n, channels, letters, split)
    dtype = common_dtype(images)
    axes, x_axes = tuple(letters.index(letter) for letter in LETTERS), _FIRST if layout == "NCHW" else _LAST

    def fill(columns: Array) -> None:
        current().im2col(well_formed(images, dtype), x_axes, columns.reshape(six), axes, win.geometry)

    return into(op, out, matrix, dtype, fill, apart=(x,))


def _sample_col2im(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    (x, *_), kwargs = _sample_im2col(shape, dtype, rng)
    columns = np.asarray(im2col(x, 3, 2, **kwargs))
    return Arguments((rng.normal(size=columns.shape).astype(dtype), x.shape, 3, 2), kwargs)


@operation("convolution", _sample_col2im, backward="im2col")
def col2im(
    columns: ArrayLike,
    x_shape: tuple[int, ...],
    fh: int,
    fw: int,
    stride: int | Pair = 1,
    pad: Padding = 0,
    dilation: int | Pair = 1,
    order: str = "nyx,ijc",
    layout: str = "NHWC",
    out: Array | None = None,
) -> Any:
    """Images in which every pixel is the sum of its copies in a matrix of patches: the gradient of `im2col`.

    ``x[n, y * s - p + i * d, x * s - p + j * d, c] += columns[(n, y, x), (i, j, c)]``, in the order that is said

    Parameters
    ----------
    columns : array, two dimensions
        Patches, as `im2col` returns them.
    x_shape : tuple of int
        Shape of the images.
    fh, fw, stride, pad, dilation, order, layout
        As in `im2col`.
    out : array, optional
        Where to put the result; it must not share memory with columns.

    Returns
    -------
    array, shape x_shape
        dtype of columns, at least float32.

    Raises
    ------
    TypeError
        columns does not hold real numbers, or `out` has another dtype than the result.
    ValueError
        Shapes do not fit, or the order or layout is unknown.
    """
    op = "col2im"
    given = as_array(op, "columns", columns)
    layout = choice(op, "layout", layout, LAYOUTS)
    if not isinstance(x_shape, (tuple, list)):
        raise TypeError(f"{op}: x_shape must be a tuple of sizes. {received(x_shape=x_shape)}")
    n, height, width, channels = image_shape(op, "x", tuple(integer(op, "x_shape", s, 0) for s in x_shape), layout)
    kernel = integer(op, "fh", fh), integer(op, "fw", fw)
    win = window(op, (height, width), kernel, stride, pad, dilation)
    letters, split = _axes(op, order)
    six, matrix = _shape(win, n, channels, letters, split)
    if given.shape != matrix:
        raise ValueError(f"{op}: columns must have shape {matrix}. {received(columns=given)}")
    dtype = common_dtype(given)
    axes, x_axes = tuple(letters.index(letter) for letter in LETTERS), _FIRST if layout == "NCHW" else _LAST

    def fill(images: Array) -> None:
        current().col2im(well_formed(given, dtype).reshape(six), axes, images, x_axes, win.geometry)

    return into(op, out, outer_shape((n, height, width, channels), layout), dtype, fill, apart=(columns,))
