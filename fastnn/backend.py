"""Which kernels compute: the protocol that both backends satisfy, and the choice between them.

    native      compiled kernels (fastnn._native): the product
    reference   the same kernels in readable NumPy (fastnn.reference): the oracle, the baseline, the lesson

The choice belongs to the context (a thread, an asyncio task): two threads can use different backends at once.  Nothing
ever falls back from one to the other.  Kernels trust their callers: checking arguments is the work of fastnn.ops.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Protocol

from fastnn import _keras
from fastnn._errors import unknown
from fastnn._native import kernels as _native_kernels
from fastnn._session import clear_session
from fastnn.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from fastnn.reference import kernels as _reference_kernels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]
    Rows = NDArray[np.float64]
    Params = tuple[float, ...]
    Geometry = tuple[Any, ...]  # (kernel, stride, padding, dilation, groups), see fastnn.reference.windows
    Workspace = dict[str, Any] | None

# the lower half is what keras.backend has
__all__ = [
    "Backend",
    "backend",
    "clear_session",
    "current",
    "epsilon",
    "floatx",
    "get_value",
    "image_data_format",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_value",
    "use_backend",
]  # fmt: skip


class Backend(Protocol):
    """The kernels.

    Arrays are C-contiguous, aligned and native-endian; all reals of one call are of one dtype, float32 or float64.
    Results go to arguments that the caller allocated, and an output may be exactly the buffer of an input.  A `row` is
    the name of a table row (src_c/*.def), `params` all of its parameters in the table's order.
    """

    name: str
    Program: Any

    # element-wise, any shape
    def activation_forward(self, row: str, x: Array, y: Array, params: Params) -> None: ...
    def activation_backward(self, row: str, dy: Array, kept: Array, dx: Array, params: Params) -> None: ...
    def activation_derivative(self, row: str, x: Array, dx: Array, params: Params) -> None: ...

    # over the last axis of (rows, cols)
    def softmax(self, x: Array, y: Array) -> None: ...
    def log_softmax(self, x: Array, y: Array) -> None: ...
    def logsumexp(self, x: Array, y: Array) -> None: ...
    def softmax_backward(self, dy: Array, y: Array, dx: Array) -> None: ...
    def log_softmax_backward(self, dy: Array, y: Array, dx: Array) -> None: ...

    def softmin(self, x: Array, y: Array) -> None: ...
    def softmin_backward(self, dy: Array, y: Array, dx: Array) -> None: ...
    def sparsemax(self, x: Array, y: Array) -> None: ...
    def sparsemax_backward(self, dy: Array, y: Array, dx: Array) -> None: ...

    # x (rows, cols), params (parameters, cols): those of the row, for a sum of pieces all pieces of the first
    # parameter, then of the second ...; dx unless None, sums (parameters, cols) over the rows unless None
    def learned_forward(self, row: str, x: Array, params: Array, y: Array) -> None: ...
    def learned_backward(
        self, row: str, dy: Array, x: Array, params: Array, dx: Array | None, sums: Rows | None
    ) -> None: ...

    # x (rows, 2 * cols): first half * act(second half); x (rows, units * pieces): the largest of each unit's pieces
    def gated_forward(self, row: str, x: Array, y: Array, params: Params) -> None: ...
    def gated_backward(self, row: str, dy: Array, x: Array, dx: Array, params: Params) -> None: ...
    def maxout(self, x: Array, y: Array) -> None: ...
    def maxout_backward(self, dy: Array, x: Array, dx: Array) -> None: ...

    # c = alpha * op(a) @ op(b) + beta * c
    def gemm(
        self, a: Array, b: Array, c: Array, transpose_a: bool, transpose_b: bool, alpha: float, beta: float
    ) -> None: ...

    # z = y + bias (kept unless None), y = act(z)
    def bias_forward(self, row: str, y: Array, bias: Array | None, z: Array | None, params: Params) -> None: ...

    # dz = dy * act'(kept), db = column sums of dz (unless None)
    def bias_backward(self, row: str, dy: Array, kept: Array, dz: Array, db: Array | None, params: Params) -> None: ...
    def column_sums(self, x: Array, sums: Array) -> None: ...

    # channels-last images, weights (kernel height, kernel width, channels / groups, filters); memory that a call needs
    # besides its results is taken from `workspace`, a dict, and left there for the next call
    def conv2d(
        self,
        row: str,
        x: Array,
        w: Array,
        bias: Array | None,
        y: Array,
        z: Array | None,
        params: Params,
        geometry: Geometry,
        workspace: Workspace,
    ) -> None: ...
    def conv2d_input(
        self,
        row: str,
        dy: Array,
        w: Array,
        bias: Array | None,
        dx: Array,
        z: Array | None,
        params: Params,
        geometry: Geometry,
        workspace: Workspace,
    ) -> None: ...
    def conv2d_weights(self, x: Array, dy: Array, dw: Array, geometry: Geometry, workspace: Workspace) -> None: ...
    def max_pool(self, x: Array, y: Array, argmax: NDArray[np.int32] | None, geometry: Geometry) -> None: ...
    def max_pool_backward(self, dy: Array, argmax: NDArray[np.int32], dx: Array, geometry: Geometry) -> None: ...
    def max_pool_split_backward(self, dy: Array, x: Array, y: Array, dx: Array, geometry: Geometry) -> None: ...
    def average_pool(self, x: Array, y: Array, padded: bool, geometry: Geometry) -> None: ...
    def average_pool_backward(self, dy: Array, dx: Array, padded: bool, geometry: Geometry) -> None: ...

    # images have the axes `x_axes` in the order (image, row, column, channel), columns the axes `axes` in the order
    # (image, output row, output column, window row, window column, channel)
    def im2col(
        self, x: Array, x_axes: tuple[int, ...], columns: Array, axes: tuple[int, ...], geometry: Geometry
    ) -> None: ...
    def col2im(
        self, columns: Array, axes: tuple[int, ...], x: Array, x_axes: tuple[int, ...], geometry: Geometry
    ) -> None: ...

    # y (n, columns, rows) from x (n, rows, columns)
    def transpose(self, x: Array, y: Array) -> None: ...

    # x seen as (images, outer, channels, inner) of the geometry (fastnn.ops._norm_geometry), y = gamma (x - mean) /
    # sqrt(variance + eps) + beta; stats (2, images * groups): means and inverse deviations.  Fixed: mean and variance
    # are given; else they are moving statistics, or None.
    def group_norm(
        self,
        x: Array,
        gamma: Array | None,
        beta: Array | None,
        mean: Array | None,
        variance: Array | None,
        y: Array,
        stats: Rows,
        geometry: tuple[int, ...],
        fixed: bool,
        unbiased: bool,
        eps: float,
        momentum: float,
    ) -> None: ...
    def group_norm_backward(
        self,
        dy: Array,
        x: Array,
        gamma: Array | None,
        stats: Rows,
        dx: Array | None,
        dgamma: Array | None,
        dbeta: Array | None,
        geometry: tuple[int, ...],
        fixed: bool,
    ) -> None: ...

    # kind: "layer", "rms", "unit" or "scaled"; x (rows, cols), stats (2, rows)
    def row_norm(
        self, kind: str, x: Array, gamma: Array | None, beta: Array | None, y: Array, stats: Rows, eps: float
    ) -> None: ...
    def row_norm_backward(
        self,
        kind: str,
        dy: Array,
        x: Array,
        gamma: Array | None,
        stats: Rows,
        dx: Array | None,
        dgamma: Array | None,
        dbeta: Array | None,
        eps: float,
    ) -> None: ...
    # alpha is divided by size already
    def local_response(self, x: Array, y: Array, size: int, alpha: float, beta: float, k: float) -> None: ...
    def local_response_backward(
        self, dy: Array, x: Array, dx: Array, size: int, alpha: float, beta: float, k: float
    ) -> None: ...

    # time-major, see fastnn.reference.recurrent; a cell is (kind, order of the gates, activation, its parameters,
    # recurrent activation, its parameters)
    def recurrent_forward(
        self,
        cell: tuple[Any, ...],
        wh: Array,
        bias: Array,
        h0: Array | None,
        c0: Array | None,
        z: Array,
        h: Array,
        c: Array | None,
        pre: Array | None,
        mask: NDArray[np.uint8] | None,
    ) -> None: ...
    def recurrent_backward(
        self,
        cell: tuple[Any, ...],
        wh: Array,
        z: Array,
        h: Array,
        c: Array | None,
        pre: Array | None,
        mask: NDArray[np.uint8] | None,
        dy: Array | None,
        dh_last: Array | None,
        dc_last: Array | None,
        dh: Array,
        dc: Array | None,
    ) -> None: ...

    # q (heads, queries, features), k (heads, keys, features), v (heads, keys, columns), weights (heads, queries, keys):
    # softmax(scale q k^T) over what mask, whose axes may have length 1, and causal leave; y = weights v
    def attention(
        self,
        q: Array,
        k: Array,
        v: Array,
        mask: NDArray[np.uint8] | None,
        weights: Array,
        y: Array,
        scale: float,
        causal: bool,
    ) -> None: ...
    def attention_backward(
        self,
        dy: Array,
        q: Array,
        k: Array,
        v: Array,
        mask: NDArray[np.uint8] | None,
        weights: Array,
        dq: Array,
        dk: Array,
        dv: Array,
        scale: float,
        causal: bool,
    ) -> None: ...

    # rows of w; their gradients are added to out
    def embedding(self, w: Array, index: NDArray[np.int64], out: Array) -> None: ...
    def embedding_backward(self, dy: Array, index: NDArray[np.int64], out: Array) -> None: ...

    # row_loss = row_weight * loss of the row; grad = row_weight * grad_scale * its derivative
    def elementwise_loss(
        self,
        row: str,
        pred: Array,
        target: Array,
        row_weight: Rows | None,
        grad_scale: float,
        grad: Array | None,
        row_loss: Rows | None,
        params: Params,
    ) -> None: ...
    # the sum of the losses of all elements (0-d to n-d arrays of one shape); grad = grad_scale * the derivative of each
    def loss_sum(
        self, row: str, pred: Array, target: Array, grad_scale: float, grad: Array | None, params: Params
    ) -> float: ...
    # as elementwise_loss, for losses of whole rows, with one gradient for each input; probs: softmax of the input
    def row_loss(
        self,
        row: str,
        inputs: tuple[Array, ...],
        target: NDArray[Any] | None,
        row_weight: Rows | None,
        grad_scale: float,
        grads: tuple[Array, ...] | None,
        row_loss: Rows | None,
        params: Params,
        ignore: int = -1,
        class_weight: Array | None = None,
        smoothing: float = 0.0,
        probs: Array | None = None,
        lengths: NDArray[np.int32] | None = None,
    ) -> None: ...

    # hits[row]: 1 where the row is right
    def label_hits(self, pred: Array, labels: NDArray[np.int32], hits: Rows) -> None: ...
    def argmax_hits(self, pred: Array, target: Array, hits: Rows) -> None: ...
    def threshold_hits(self, pred: Array, target: Array, threshold: float, hits: Rows) -> None: ...

    # in place; scalars are gradient_scale, l2, decay, then those of the row
    def optimizer_update(
        self, row: str, p: Array, g: Array, slots: tuple[Array, ...], scalars: Sequence[float]
    ) -> None: ...

    # p, g (matrices, rows, cols), r (matrices, rows), c (matrices, cols); or r like p, and c None
    def adafactor(
        self,
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
    ) -> None: ...

    # Philox4x32-10 streams
    def dropout(
        self, x: Array, y: Array, mask: NDArray[np.uint8], seed: int, stream: int, step: int, rate: float
    ) -> None: ...
    def masked_scale(self, x: Array, mask: NDArray[np.uint8], y: Array, scale: float) -> None: ...
    def rrelu(
        self, x: Array, y: Array, slopes: Array, seed: int, stream: int, step: int, lower: float, upper: float
    ) -> None: ...
    def multiply(self, a: Array, b: Array, y: Array) -> None: ...
    def random_bits(self, out: NDArray[np.uint32], seed: int, stream: int, step: int) -> None: ...

    def sum_of_squares(self, x: Array) -> float: ...
    def first_nonfinite(self, x: Array) -> int: ...


NATIVE: Backend = _native_kernels
_BACKENDS: dict[str, Backend] = {"native": NATIVE, "reference": _reference_kernels}
_selected: ContextVar[Backend] = ContextVar("fastnn_backend", default=NATIVE)

current = _selected.get
"""current() -> Backend: the kernels in use here."""


class use_backend:  # noqa: N801 - used as a function and as a context manager
    """Compute with the backend of that name from here on, or inside a `with` block.

        use_backend("reference")            # until the context ends or another call
        with use_backend("reference"):      # only inside
            ...

    Parameters:
        name: "native" (compiled, the default) or "reference" (readable NumPy).

    Raises:
        ValueError: no backend has that name.
    """

    def __init__(self, name: str) -> None:
        backend = _BACKENDS.get(name) if isinstance(name, str) else None
        if backend is None:
            raise unknown("backend", name, _BACKENDS)
        self._backend = backend
        self._token: Token[Backend] | None = _selected.set(backend)

    def __enter__(self) -> Backend:
        if self._token is None:
            self._token = _selected.set(self._backend)
        return self._backend

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _selected.reset(self._token)
            self._token = None

    def __repr__(self) -> str:
        return f"use_backend({self._backend.name!r})"


def get_value(x: Any) -> Any:
    """A weight's value, or that of an optimizer's learning rate, as an array: Keras 2's name for `x.numpy()`."""
    return x.numpy() if hasattr(x, "numpy") else x


def set_value(x: Any, value: Any) -> None:
    """Give a weight, or an optimizer's learning rate, another value: Keras 2's name for `x.assign(value)`.

    Raises:
        TypeError: x is neither of them.
        ValueError: the value has another shape.
    """
    if not hasattr(x, "assign"):
        raise TypeError(f"set_value: expected a weight or optimizer.learning_rate. Received: {x!r}")
    x.assign(value)


def __getattr__(name: str) -> Any:
    raise _keras.absent("backend", name, __all__)
