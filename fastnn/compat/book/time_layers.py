"""The layers of the book's second volume: recurrence over whole sequences, embeddings, and losses of every time step.

As in the book, `params` and `grads` are lists whose arrays stay the same objects; gradients are written into them.  A
layer that is `stateful` begins a batch with the state that the last one ended with.  Gates of the LSTM stand in the
book's order f, g, i, o.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import ops

Array = NDArray[Any]

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Embedding",
    "TimeAffine",
    "TimeDropout",
    "TimeEmbedding",
    "TimeGRU",
    "TimeLSTM",
    "TimeRNN",
    "TimeSoftmaxWithLoss",
]


class _Parameters:
    """Parameters, and gradients of their shapes."""

    def __init__(self, *params: Array) -> None:
        self.params: list[Array] = list(params)
        self.grads: list[Array] = [np.zeros_like(p) for p in params]
        self.cache: Any = None

    def _store(self, *gradients: Array) -> None:
        for place, gradient in zip(self.grads, gradients, strict=True):
            place[...] = gradient

    def _forwarded(self) -> Any:
        if self.cache is None:
            raise RuntimeError(f"{type(self).__name__}: forward must come before backward. Received: no forward pass")
        return self.cache


class RNN(_Parameters):
    """One time step: ``tanh(h_prev @ Wh + x @ Wx + b)``."""

    def __init__(self, Wx: Array, Wh: Array, b: Array) -> None:
        super().__init__(Wx, Wh, b)

    def forward(self, x: Array, h_prev: Array) -> Array:
        Wx, Wh, b = self.params
        h_next, self.cache = ops.rnn_cell(x, h_prev, Wx, Wh, b)
        return h_next

    def backward(self, dh_next: Array) -> tuple[Array, Array]:
        dx, dh_prev, *gradients = ops.rnn_cell_backward(dh_next, self._forwarded())
        self._store(*gradients)
        return dx, dh_prev


class LSTM(_Parameters):
    """One time step; gates f, g, i, o in the columns of the weights."""

    def __init__(self, Wx: Array, Wh: Array, b: Array) -> None:
        super().__init__(Wx, Wh, b)

    def forward(self, x: Array, h_prev: Array, c_prev: Array) -> tuple[Array, Array]:
        Wx, Wh, b = self.params
        h_next, c_next, self.cache = ops.lstm_cell(x, h_prev, c_prev, Wx, Wh, b, gates="fgio")
        return h_next, c_next

    def backward(self, dh_next: Array, dc_next: Array) -> tuple[Array, Array, Array]:
        dx, dh_prev, dc_prev, *gradients = ops.lstm_cell_backward(dh_next, dc_next, self._forwarded())
        self._store(*gradients)
        return dx, dh_prev, dc_prev


class GRU(_Parameters):
    """One time step; gates z, r, h in the columns of the weights, ``h = (1 - z) * h_prev + z * h_hat``.

    The book's z is 1 - z elsewhere: its columns change their sign on the way to the kernel and back.
    """

    def __init__(self, Wx: Array, Wh: Array, b: Array) -> None:
        super().__init__(Wx, Wh, b)

    def forward(self, x: Array, h_prev: Array) -> Array:
        Wx, Wh, b = map(_other_z, self.params)
        h_next, self.cache = ops.gru_cell(x, h_prev, Wx, Wh, b)
        return h_next

    def backward(self, dh_next: Array) -> tuple[Array, Array]:
        dx, dh_prev, *gradients = ops.gru_cell_backward(dh_next, self._forwarded())
        self._store(*(_other_z(g) for g in gradients))
        return dx, dh_prev


def _other_z(array: Array) -> Array:
    """sigmoid(-x) is 1 - sigmoid(x)."""
    changed = array.copy()
    changed[..., : array.shape[-1] // 3] *= -1
    return changed


class _Sequence(_Parameters):
    """What the Time layers share: the state, and the gradient of the initial one in `dh`."""

    def __init__(self, Wx: Array, Wh: Array, b: Array, stateful: bool = False) -> None:
        super().__init__(Wx, Wh, b)
        self.h: Any = None
        self.dh: Any = None
        self.stateful = stateful

    def set_state(self, h: Array) -> None:
        self.h = h

    def reset_state(self) -> None:
        self.h = None


class TimeRNN(_Sequence):
    """`RNN` over sequences, shape (N, T, D)."""

    def forward(self, xs: Array) -> Array:
        Wx, Wh, b = self.params
        hs, self.cache = ops.rnn_forward(xs, self.h if self.stateful else None, Wx, Wh, b)
        self.h = self.cache.h
        return hs

    def backward(self, dhs: Array) -> Array:
        dxs, self.dh, *gradients = ops.rnn_backward(dhs, self._forwarded())
        self._store(*gradients)
        return dxs


class TimeLSTM(_Sequence):
    """`LSTM` over sequences, shape (N, T, D); a memory that was set comes along with the state."""

    def __init__(self, Wx: Array, Wh: Array, b: Array, stateful: bool = False) -> None:
        super().__init__(Wx, Wh, b, stateful)
        self.c: Any = None

    def forward(self, xs: Array) -> Array:
        h, c = (self.h, self.c) if self.stateful else (None, None)
        Wx, Wh, b = self.params
        hs, self.cache = ops.lstm_forward(xs, h, c, Wx, Wh, b, gates="fgio")
        self.h, self.c = self.cache.h, self.cache.c
        return hs

    def backward(self, dhs: Array) -> Array:
        dxs, self.dh, _, *gradients = ops.lstm_backward(dhs, self._forwarded())
        self._store(*gradients)
        return dxs

    def set_state(self, h: Array, c: Array | None = None) -> None:
        self.h, self.c = h, c

    def reset_state(self) -> None:
        self.h, self.c = None, None


class TimeGRU(_Sequence):
    """`GRU` over sequences, shape (N, T, D)."""

    def forward(self, xs: Array) -> Array:
        Wx, Wh, b = map(_other_z, self.params)
        hs, self.cache = ops.gru_forward(xs, self.h if self.stateful else None, Wx, Wh, b)
        self.h = self.cache.h
        return hs

    def backward(self, dhs: Array) -> Array:
        dxs, self.dh, *gradients = ops.gru_backward(dhs, self._forwarded())
        self._store(*(_other_z(g) for g in gradients))
        return dxs


class Embedding(_Parameters):
    """The rows of W that indices name."""

    def __init__(self, W: Array) -> None:
        super().__init__(W)
        self.idx: Any = None

    def forward(self, idx: Array) -> Array:
        self.idx = idx
        y: Array = ops.embedding(self.params[0], idx)
        return y

    def backward(self, dout: Array) -> None:
        if self.idx is None:
            raise RuntimeError("Embedding: forward must come before backward. Received: no forward pass")
        ops.embedding_backward(dout, self.idx, self.grads[0], accumulate=False)


class TimeEmbedding(Embedding):
    """`Embedding` for indices of shape (N, T)."""


class TimeAffine(_Parameters):
    """``x @ W + b`` at every time step of (N, T, D)."""

    def __init__(self, W: Array, b: Array) -> None:
        super().__init__(W, b)
        self.x: Any = None

    def forward(self, x: Array) -> Array:
        self.x = x
        W, b = self.params
        y: Array = ops.affine(x, W, b)
        return y

    def backward(self, dout: Array) -> Array:
        if self.x is None:
            raise RuntimeError("TimeAffine: forward must come before backward. Received: no forward pass")
        rows, x = (a.reshape(-1, a.shape[-1]) for a in (dout, self.x))
        dx, dW, db = ops.affine_backward(rows, x, self.params[0])
        self._store(dW, db)
        return dx.reshape(self.x.shape)


class TimeDropout:
    """Inverted dropout, in training only (`train_flg`); drawn from ``np.random.rand``."""

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self.dropout_ratio = dropout_ratio
        self.mask: Any = None
        self.train_flg = True

    def forward(self, xs: Array) -> Array:
        if not self.train_flg:
            return xs
        kept = np.random.rand(*xs.shape) > self.dropout_ratio
        self.mask = kept.astype(np.float32) * (1 / (1.0 - self.dropout_ratio))
        return xs * self.mask

    def backward(self, dout: Array) -> Array:
        return dout * self.mask


class TimeSoftmaxWithLoss:
    """Softmax and cross-entropy at every time step of (N, T, V), averaged over the labels that are not `ignore_label`.

    Targets are labels (N, T) or one-hot rows (N, T, V).
    """

    def __init__(self) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self.cache: Any = None
        self.ignore_label = -1

    def forward(self, xs: Array, ts: Array) -> float:
        labels = ts.argmax(axis=2) if ts.ndim == 3 else ts
        rows, labels = xs.reshape(-1, xs.shape[2]), labels.reshape(-1)
        loss, gradient = ops.softmax_cross_entropy_with_grad(rows, labels, ignore_index=self.ignore_label)
        self.cache = gradient.reshape(xs.shape)
        return float(loss)

    def backward(self, dout: float = 1) -> Array:
        if self.cache is None:
            raise RuntimeError("TimeSoftmaxWithLoss: forward must come before backward. Received: no forward pass")
        dx: Array = self.cache * self.cache.dtype.type(dout)
        return dx
