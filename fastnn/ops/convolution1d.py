"""Convolution of sequences, with a fused activation, and its gradients: that of images of height 1.

Sequences are channels-last ("NWC", the fast way) or channels-first ("NCW"), weights "WIO" as in Keras or "OIW" as in
PyTorch.  Everything else is as in `conv2d`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.ops._check import as_array, received
from fastnn.ops._convolution import ConvolutionContext
from fastnn.ops._window import Workspace, choice, integer
from fastnn.ops.convolution import conv2d, conv2d_backward
from fastnn.ops.registry import Arguments, operation

Array = NDArray[Any]

LAYOUTS = {"NWC": "NHWC", "NCW": "NCHW"}
W_LAYOUTS = {"WIO": "HWIO", "OIW": "OIHW"}
NAMED = ("same", "valid", "causal")


class Conv1DContext(NamedTuple):
    """What `conv1d_backward` needs."""

    images: ConvolutionContext


def _sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    channels, filters = shape[-1], 5
    rows = max(1, math.prod(shape[:-1]))
    x, W = rng.normal(size=(max(1, rows // 6), 6, channels)), rng.normal(size=(3, channels, filters))
    b = rng.normal(size=filters)
    return Arguments((x.astype(dtype), W.astype(dtype)), {"b": b.astype(dtype), "padding": 1, "activation": "relu"})


def _sample_backward(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    (x, W), _ = _sample(shape, dtype, rng)
    y, ctx = conv1d(x, W, padding="causal", stride=2)
    return Arguments((rng.normal(size=y.shape).astype(dtype), ctx), {})


def _raised(array: Array, layout: str) -> Array:
    """Sequences or weights as images of height 1: a view."""
    return np.expand_dims(array, {"NWC": 1, "NCW": 2, "WIO": 0, "OIW": 2}[layout])


def _padding(padding: Any, reach: int) -> Any:
    """The padding of images of height 1."""
    if isinstance(padding, str):
        named = choice("conv1d", "padding", padding, NAMED)
        return ((0, 0), (reach - 1, 0)) if named == "causal" else named
    if isinstance(padding, (tuple, list, np.ndarray)):
        if len(padding) != 2:
            raise ValueError(f"conv1d: padding must be a number, (near, far) or a name. {received(padding=padding)}")
        return (0, 0), (integer("conv1d", "padding", padding[0], 0), integer("conv1d", "padding", padding[1], 0))
    near = integer("conv1d", "padding", padding, 0)
    return (0, 0), (near, near)


@operation("convolution", _sample, backward="conv1d_backward")
def conv1d(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None = None,
    stride: int = 1,
    padding: int | str | tuple[int, int] = 0,
    dilation: int = 1,
    groups: int = 1,
    layout: str = "NWC",
    w_layout: str = "WIO",
    activation: str | None = None,
    workspace: Workspace = None,
    out: Array | None = None,
) -> tuple[Any, Conv1DContext]:
    """Convolution of sequences with filters, followed by an activation: a convolution layer over time.

    ``y[n, i, f] = act(b[f] + sum over k, c of x[n, i * s - p + k * d, c] * W[k, c, f])``

    Parameters
    ----------
    x : array, shape (sequences, steps, channels), or (sequences, channels, steps) with layout="NCW"
        Sequences.
    W : array, shape (kernel, channels / groups, filters), or (filters, channels / groups, kernel) with w_layout="OIW"
        Weights.
    b : array, shape (filters,), optional
        Bias.
    stride : int
        Steps from one window to the next.
    padding : int, pair, "same", "valid" or "causal"
        Zeros around the sequence: one number for both ends, (before, behind), none ("valid"), so many that the output
        has ceil(steps / stride) steps ("same"; an odd one goes behind), or all of them before ("causal"), so that no
        output depends on later steps.
    dilation : int
        Steps from one element of the window to the next.
    groups : int
        Number of parts of the channels; each is seen by its own part of the filters only.
    layout : {"NWC", "NCW"}
        Order of the dimensions of x and y.
    w_layout : {"WIO", "OIW"}
        Order of the dimensions of W.
    activation : str, optional
        Name of an activation row, applied with its default parameters; None for a linear layer.
    workspace : dict, optional
        As in `conv2d`.
    out : array, optional
        Where to put y; it must not share memory with an input.

    Returns
    -------
    (y, ctx)
        y has the layout of x and NumPy's result dtype for the arrays, at least float32; ctx is for `conv1d_backward`
        and refers to x, W and y, which must not be changed before that.

    Raises
    ------
    TypeError
        An argument has the wrong type, or `out` has another dtype than the result.
    ValueError
        Shapes do not fit, a number is too small, or a name is unknown.

    Notes
    -----
    Every output is summed in one fixed order, whatever the number of threads.

    References
    ----------
    Waibel, Hanazawa, Hinton, Shikano and Lang, "Phoneme recognition using time-delay neural networks", IEEE
    Transactions on Acoustics, Speech, and Signal Processing 37, 1989.
    """
    order = choice("conv1d", "layout", layout, tuple(LAYOUTS))
    w_order = choice("conv1d", "w_layout", w_layout, tuple(W_LAYOUTS))
    samples, weights = as_array("conv1d", "x", x), as_array("conv1d", "W", W)
    if samples.ndim != 3 or weights.ndim != 3 or min(weights.shape) < 1:
        raise ValueError(
            f"conv1d: x must have the three dimensions {order}, W the three {w_order}. {received(x=samples, W=weights)}"
        )
    if out is not None and (not isinstance(out, np.ndarray) or out.ndim != 3):
        raise TypeError(f"conv1d: out must be an array of three dimensions. {received(out=out)}")
    steps, dilated = integer("conv1d", "stride", stride), integer("conv1d", "dilation", dilation)
    kernel = weights.shape[0 if w_order == "WIO" else 2]
    y, ctx = conv2d(
        _raised(samples, order), _raised(weights, w_order), b, (1, steps),
        _padding(padding, (kernel - 1) * dilated + 1), (1, dilated), groups, LAYOUTS[order], W_LAYOUTS[w_order],
        activation, workspace, None if out is None else _raised(out, order),
    )  # fmt: skip
    return (out if out is not None else np.squeeze(y, _height(order))), Conv1DContext(ctx)


def _height(layout: str) -> int:
    return 1 if layout in ("NWC", "NHWC") else 2


@operation("convolution", _sample_backward)
def conv1d_backward(
    dy: ArrayLike, ctx: Conv1DContext, need_dx: bool = True, dW: Array | None = None, db: Array | None = None
) -> tuple[Any, Any, Any]:
    """Gradients of `conv1d`, its activation included.

    ``dz = dy * act'``, ``dx[p] = sum of dz * W over all windows that see p``, ``dW = sum of x * dz over all windows``,
    ``db = sum of dz over sequences and steps``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the output.
    ctx : Conv1DContext
        What `conv1d` returned.
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
    op = "conv1d_backward"
    if not isinstance(ctx, Conv1DContext):
        raise TypeError(f"{op}: ctx must be what the forward function returned. {received(ctx=ctx)}")
    layout = "NWC" if ctx.images.layout == "NHWC" else "NCW"
    w_layout = "WIO" if ctx.images.w_layout == "HWIO" else "OIW"
    gradient = as_array(op, "dy", dy)
    if gradient.ndim != 3:
        raise ValueError(f"{op}: dy must have the shape of the output. {received(dy=gradient)}")
    if dW is not None and (not isinstance(dW, np.ndarray) or dW.ndim != 3):
        raise TypeError(f"{op}: dW must be an array of three dimensions. {received(dW=dW)}")
    place = None if dW is None else _raised(dW, w_layout)
    dx, dw, sums = conv2d_backward(_raised(gradient, layout), ctx.images, need_dx, place, db)
    dw = dW if dW is not None else np.squeeze(dw, 0 if w_layout == "WIO" else 2)
    return (None if dx is None else np.squeeze(dx, _height(layout))), dw, sums
