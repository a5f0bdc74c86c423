"""The "reference" backend: the readable functions of this package behind the interface of the compiled kernels.

Like the compiled ones, these kernels see well-formed arrays only (C-contiguous, one real dtype, outputs of the right
shape), write into their output arguments, and accept exactly the buffer of an input as an output.  Everything
is computed before anything is written.  Checking and conversion are the business of `fastnn.ops`.

No formula stands here.  The functions of a row are found by name: an activation is a pair ``name``,
``name_backward`` in `activations`, a loss a pair ``name``, ``name_grad`` in `losses` or `row_losses`, an optimizer the
function ``name`` in `optimizers`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn.reference import (
    activations,
    affine,
    convolution,
    group_kernels,
    losses,
    norm_kernels,
    optimizers,
    pooling,
    random,
    recurrent,
    row_losses,
    rows,
    windows,
)
from fastnn.reference.arrays import Array, Labels
from fastnn.reference.attention import attention as attention
from fastnn.reference.attention import attention_backward as attention_backward

if TYPE_CHECKING:
    from fastnn.reference.program import Program as Program  # __getattr__ below

name = "reference"

# Elements per pass of an optimizer.  NumPy's temporaries then stay in the cache and in the process; in one pass over
# a long array each of them can be fetched from the system anew (measured: Adam on 90,000 float32, 1.0 ms against 0.3
# ms), and the baseline for the compiled kernels would be slower than NumPy has to be.
_PASS = 32768


class Activation(NamedTuple):
    """The functions of one row, what its backward function keeps, and which of its parameters ``forward`` takes."""

    forward: Callable[..., Array]
    backward: Callable[..., Array]
    keeps: str
    taken: tuple[int, ...]

    def output(self, x: Array, params: Sequence[float]) -> Array:
        return self.forward(x, *(params[i] for i in self.taken))


@functools.cache
def _activation(row: str) -> Activation:
    forward, backward = getattr(activations, row), getattr(activations, f"{row}_backward")
    _, keeps, *parameters = inspect.signature(backward).parameters  # those after dy and kept are all of the row's
    _, *taken = inspect.signature(forward).parameters
    return Activation(forward, backward, keeps, tuple(parameters.index(parameter) for parameter in taken))


def _store(out: NDArray[Any] | None, values: Any) -> None:
    if out is not None:
        with np.errstate(all="ignore"):  # too large for float32: infinity, silently
            out[...] = values


def _weights(row_weight: Array | None, count: int) -> Array:
    return np.ones(count) if row_weight is None else row_weight


# --- activations


def activation_forward(row: str, x: Array, y: Array, params: Sequence[float]) -> None:
    """``y = act(x)``, any shape."""
    _store(y, _activation(row).output(x, params))


def activation_backward(row: str, dy: Array, kept: Array, dx: Array, params: Sequence[float]) -> None:
    """``dx = dy * act'``, from the input or the output, whichever the row keeps."""
    _store(dx, _activation(row).backward(dy, kept, *params))


def activation_derivative(row: str, x: Array, dx: Array, params: Sequence[float]) -> None:
    """``dx = act'(x)``; the output that some rows need is computed in float64."""
    act = _activation(row)
    exact = x.astype(np.float64)
    kept = exact if act.keeps == "x" else act.output(exact, params)
    _store(dx, act.backward(np.ones_like(exact), kept, *params))


# --- rows


def softmax(x: Array, y: Array) -> None:
    """Softmax of every row of ``x``, shape (rows, columns), into ``y``."""
    _store(y, rows.softmax(x))


def log_softmax(x: Array, y: Array) -> None:
    """Log-softmax of every row of ``x``, shape (rows, columns), into ``y``."""
    _store(y, rows.log_softmax(x))


def logsumexp(x: Array, y: Array) -> None:
    """Log-sum-exp of every row of ``x``, shape (rows, columns), into ``y``, shape (rows,)."""
    _store(y, rows.logsumexp(x))


def softmax_backward(dy: Array, y: Array, dx: Array) -> None:
    """Gradient of softmax from its output, shapes (rows, columns)."""
    _store(dx, rows.softmax_backward(dy, y))


def log_softmax_backward(dy: Array, y: Array, dx: Array) -> None:
    """Gradient of log-softmax from its output, shapes (rows, columns)."""
    _store(dx, rows.log_softmax_backward(dy, y))


# --- recurrent cells and embeddings: the kernels of a module of their own

embedding = recurrent.embedding
embedding_backward = recurrent.embedding_backward
recurrent_backward = recurrent.recurrent_backward
recurrent_forward = recurrent.recurrent_forward


# --- groups of columns, learned parameters, random slopes: the kernels of a module of their own

gated_backward = group_kernels.gated_backward
gated_forward = group_kernels.gated_forward
group_norm = norm_kernels.group_norm
group_norm_backward = norm_kernels.group_norm_backward
learned_backward = group_kernels.learned_backward
learned_forward = group_kernels.learned_forward
local_response = norm_kernels.local_response
local_response_backward = norm_kernels.local_response_backward
maxout = group_kernels.maxout
maxout_backward = group_kernels.maxout_backward
multiply = group_kernels.multiply
row_norm = norm_kernels.row_norm
row_norm_backward = norm_kernels.row_norm_backward
rrelu = group_kernels.rrelu
softmin = group_kernels.softmin
softmin_backward = group_kernels.softmin_backward
sparsemax = group_kernels.sparsemax
sparsemax_backward = group_kernels.sparsemax_backward


# --- dense layers


def gemm(a: Array, b: Array, c: Array, transpose_a: bool, transpose_b: bool, alpha: float, beta: float) -> None:
    """``c = alpha * op(a) @ op(b) + beta * c``."""
    _store(c, affine.gemm(a, b, c, transpose_a, transpose_b, alpha, beta))


def bias_forward(row: str, y: Array, bias: Array | None, z: Array | None, params: Sequence[float]) -> None:
    """``z = y + bias`` unless ``z`` is None, then ``y = act(z)``; ``y`` holds a product on entry."""
    pre_activation = y if bias is None else affine.add_bias(y, bias)
    output = _activation(row).output(pre_activation, params)
    _store(z, pre_activation)
    _store(y, output)


def bias_backward(row: str, dy: Array, kept: Array, dz: Array, db: Array | None, params: Sequence[float]) -> None:
    """``dz = dy * act'(kept)`` and, unless ``db`` is None, ``db = column sums of dz``."""
    _store(dz, _activation(row).backward(dy, kept, *params))
    if db is not None:
        _store(db, affine.column_sums(dz))


def column_sums(x: Array, sums: Array) -> None:
    """Sum of each column of ``x``, shape (rows, columns), into ``sums``, shape (columns,)."""
    _store(sums, affine.column_sums(x))


# --- losses and hits


@np.errstate(all="ignore")
def elementwise_loss(
    row: str,
    pred: Array,
    target: Array,
    row_weight: Array | None,
    grad_scale: float,
    grad: Array | None,
    row_loss: Array | None,
    params: Sequence[float],
) -> None:
    """``row_loss = weight * mean (or sum) of the row's losses``, ``grad`` its derivative times ``grad_scale``."""
    count, columns = pred.shape
    weight = _weights(row_weight, count)
    divisor = 1 if row in losses.SUMMED else columns
    counts = weight != 0  # what has no weight counts nothing, whatever it holds
    with np.errstate(invalid="ignore"):
        loss = getattr(losses, row)(pred, target, *params).sum(axis=1, dtype=np.float64) * (weight / divisor)
        if grad is not None:
            slope = getattr(losses, f"{row}_grad")(pred, target, *params)
            slope = slope * (weight * grad_scale / divisor)[:, np.newaxis]
            _store(grad, np.where(counts[:, np.newaxis], slope, 0))
    _store(row_loss, np.where(counts, loss, 0))


def loss_sum(
    row: str, pred: Array, target: Array, grad_scale: float, grad: Array | None, params: Sequence[float]
) -> float:
    """The losses of all elements, added up; ``grad`` their derivatives times ``grad_scale``."""
    loss, slope = getattr(losses, row)(pred, target, *params), getattr(losses, f"{row}_grad")
    with np.errstate(all="ignore"):  # a sum of infinities of both signs, a gradient too small for the dtype
        total = float(loss.sum(dtype=np.float64))
        if grad is not None:
            grad[...] = slope(pred, target, *params) * np.float64(grad_scale)
    return total


@functools.cache
def _options_of(row: str) -> frozenset[str]:
    """What a row loss knows besides inputs, target and the parameters of its row."""
    twin = getattr(row_losses, row)  # the formula knows some, its decorator others
    return frozenset(inspect.signature(twin).parameters) | frozenset(
        inspect.signature(twin, follow_wrapped=False).parameters
    )


@np.errstate(all="ignore")
def row_loss(
    row: str,
    inputs: Sequence[Array],
    target: Labels | Array | None,
    row_weight: Array | None,
    grad_scale: float,
    grads: Sequence[Array] | None,
    row_loss: Array | None,
    params: Sequence[float],
    ignore: int = -1,
    class_weight: Array | None = None,
    smoothing: float = 0.0,
    probs: Array | None = None,
    lengths: Labels | None = None,
) -> None:
    """Weighted losses of rows, and the gradients of all inputs; ``probs`` gets the softmax of the (only) input.

    A row that does not count (its label is ignored, or its weight is 0) has loss and gradient 0.
    """
    weight = _weights(row_weight, len(inputs[0]))
    given = tuple(inputs) if target is None else (*inputs, target)
    known = {"ignore": ignore, "smoothing": smoothing, "class_weight": class_weight, "lengths": lengths}
    known["row_weight"] = weight
    options: dict[str, Any] = {name: value for name, value in known.items() if name in _options_of(row)}
    loss = getattr(row_losses, row)(*given, *params, **options)
    together = "row_weight" in options  # then the gradient is that of the weighted sum
    if together:
        options["row_weight"] = weight * grad_scale
    slopes = getattr(row_losses, f"{row}_grad")(*given, *params, **options) if grads is not None else ()
    probabilities = None if probs is None else rows.softmax(inputs[0])
    _store(row_loss, np.where(weight == 0, 0, weight * loss))
    for grad, slope in zip(grads or (), slopes if isinstance(slopes, tuple) else (slopes,), strict=True):
        factor = (weight * grad_scale)[:, np.newaxis]
        _store(grad, slope if together else np.where(factor == 0, 0, slope * factor))
    _store(probs, probabilities)


def label_hits(pred: Array, labels: Labels, hits: Array) -> None:
    """1 for each row whose largest element stands at its label; the first of several largest counts."""
    _store(hits, np.argmax(pred, axis=1) == labels)


def argmax_hits(pred: Array, target: Array, hits: Array) -> None:
    """1 for each row whose largest element stands where that of its target row stands."""
    _store(hits, np.argmax(pred, axis=1) == np.argmax(target, axis=1))


@np.errstate(all="ignore")
def threshold_hits(pred: Array, target: Array, threshold: float, hits: Array) -> None:
    """For each row, the part of its elements for which ``pred > threshold`` (1 or 0) equals the target."""
    right = (pred.astype(np.float64) > threshold) == target
    _store(hits, right.sum(axis=1) / np.float64(pred.shape[1]))


# --- optimizers


def optimizer_update(row: str, p: Array, g: Array, slots: Sequence[Array], scalars: Sequence[float]) -> None:
    """One step, in place; ``scalars`` are gradient_scale, l2 and decay, then those of the row."""
    gradient_scale, l2, decay, *own = map(float, scalars)
    rule = getattr(optimizers, row)
    for start in range(0, p.size, _PASS):
        part = slice(start, start + _PASS)
        old = [array[part] for array in (p, *slots)]
        decayed, gradient = optimizers.regularize(old[0], g[part], gradient_scale, l2, decay)
        new = rule(decayed, gradient, *old[1:], *own)
        for out, values in zip(old, new, strict=True):
            _store(out, values)


def adafactor(
    p: Array,
    g: Array,
    r: Array,
    c: Array | None,
    gradient_scale: float,
    decay: float,
    rate: float,
    beta: float,
    eps1: float,
    eps2: float,
    threshold: float,
) -> None:
    """One step for one parameter, in place; p and g are matrices, or without ``c`` anything of three axes."""
    with np.errstate(all="ignore"):
        decayed, scaled = p.astype(np.float64) * (1 - decay), g.astype(np.float64) * gradient_scale
    new = optimizers.adafactor_step(decayed, scaled, r, c, rate, beta, eps1, eps2, threshold)
    for out, values in zip((p, r, c), new, strict=True):
        _store(out, values)


# --- images; a geometry is the tuple (kernel, stride, padding, dilation, groups), see `windows`


def conv2d(
    row: str,
    x: Array,
    w: Array,
    bias: Array | None,
    y: Array,
    z: Array | None,
    params: Sequence[float],
    geometry: tuple[Any, ...],
    workspace: object = None,
) -> None:
    """``z = conv2d(x, w) + bias`` (kept unless ``z`` is None), ``y = act(z)``."""
    _store(y, convolution.conv2d(x, w, windows.Geometry(*geometry), y.shape[1:3]))
    bias_forward(row, y, bias, z, params)


def conv2d_input(
    row: str,
    dy: Array,
    w: Array,
    bias: Array | None,
    dx: Array,
    z: Array | None,
    params: Sequence[float],
    geometry: tuple[Any, ...],
    workspace: object = None,
) -> None:
    """``dx``, the gradient of `conv2d` for ``x``; with bias and activation a transposed convolution."""
    _store(dx, convolution.conv2d_input(dy, w, windows.Geometry(*geometry), dx.shape))
    bias_forward(row, dx, bias, z, params)


def conv2d_weights(x: Array, dy: Array, dw: Array, geometry: tuple[Any, ...], workspace: object = None) -> None:
    """``dw``, the gradient of `conv2d` for ``w``."""
    _store(dw, convolution.conv2d_weights(x, dy, windows.Geometry(*geometry)))


def max_pool(x: Array, y: Array, argmax: NDArray[np.int32] | None, geometry: tuple[Any, ...]) -> None:
    """``y``, the maximum of every window, and where it stands in the image (row * width + column)."""
    maxima, places = pooling.max_pool(x, windows.Geometry(*geometry), y.shape[1:3])
    _store(y, maxima)
    _store(argmax, places)


def max_pool_backward(dy: Array, argmax: NDArray[np.int32], dx: Array, geometry: tuple[Any, ...]) -> None:
    """``dx``: every element of ``dy`` goes to where its maximum stood."""
    _store(dx, pooling.max_pool_backward(dy, argmax, windows.Geometry(*geometry), dx.shape))


def max_pool_split_backward(dy: Array, x: Array, y: Array, dx: Array, geometry: tuple[Any, ...]) -> None:
    """``dx``: every element of ``dy`` is shared among the elements of ``x`` that equal the maximum ``y``."""
    _store(dx, pooling.max_pool_split_backward(dy, x, y, windows.Geometry(*geometry)))


def average_pool(x: Array, y: Array, padded: bool, geometry: tuple[Any, ...]) -> None:
    """``y``, the average of every window, its padding counted if ``padded``."""
    _store(y, pooling.average_pool(x, windows.Geometry(*geometry), y.shape[1:3], padded))


def average_pool_backward(dy: Array, dx: Array, padded: bool, geometry: tuple[Any, ...]) -> None:
    """``dx``: every element of ``dy`` in equal parts for its window."""
    _store(dx, pooling.average_pool_backward(dy, windows.Geometry(*geometry), dx.shape, padded))


def im2col(x: Array, x_axes: tuple[int, ...], columns: Array, axes: tuple[int, ...], geometry: tuple[Any, ...]) -> None:
    """Patches of ``x``; the axes put both arrays into the order of `convolution.im2col`."""
    patches = columns.transpose(axes)
    _store(patches, convolution.im2col(x.transpose(x_axes), windows.Geometry(*geometry), patches.shape[1:3]))


def col2im(columns: Array, axes: tuple[int, ...], x: Array, x_axes: tuple[int, ...], geometry: tuple[Any, ...]) -> None:
    """``x``: every element the sum of its copies in ``columns``."""
    images = x.transpose(x_axes)
    _store(images, convolution.col2im(columns.transpose(axes), windows.Geometry(*geometry), images.shape))


def transpose(x: NDArray[Any], y: NDArray[Any]) -> None:
    """``y`` (n, columns, rows) from ``x`` (n, rows, columns)."""
    _store(y, x.swapaxes(1, 2))


# --- random numbers


def dropout(x: Array, y: Array, mask: NDArray[np.uint8], seed: int, stream: int, step: int, rate: float) -> None:
    """``y = x * mask / (1 - rate)``, where ``mask`` (uint8) is 1 with probability ``1 - rate``."""
    values, kept = random.dropout(x, rate, seed, stream, step)
    _store(mask, kept)
    _store(y, values)


def masked_scale(x: Array, mask: NDArray[np.uint8], y: Array, scale: float) -> None:
    """``y = x * scale`` where ``mask`` is not 0, else 0."""
    _store(y, random.masked_scale(x, mask, scale))


def random_bits(out: NDArray[np.uint32], seed: int, stream: int, step: int) -> None:
    """Fill ``out`` (uint32, one dimension) with the words of a random stream."""
    _store(out, random.random_bits(out.size, seed, stream, step))


# --- whole arrays


@np.errstate(all="ignore")
def sum_of_squares(x: Array) -> float:
    """Sum of the squares of all elements, in float64."""
    return float(np.sum(np.square(x, dtype=np.float64)))


def first_nonfinite(x: Array) -> int:
    """Index, in C order, of the first NaN or infinity; the size of ``x`` if there is none."""
    bad = ~np.isfinite(x.reshape(-1))
    return int(np.argmax(bad)) if bad.any() else x.size


def __getattr__(attribute: str) -> Any:
    """`Program`, the executor of plans, is imported when it is asked for: it calls these kernels."""
    if attribute != "Program":
        raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
    from fastnn.reference.program import Program

    return Program
