"""The book's layers: objects with `forward` and `backward` that remember what the backward pass needs.

Gradients of parameters are left in attributes (`dW`, `db`, `dgamma`, `dbeta`), new arrays in every pass.  Images have
their channels first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import ops
from fastnn.compat.book.functions import *  # noqa: F403  (code that imports * from here expects them, too)
from fastnn.compat.book.functions import __all__ as _functions
from fastnn.compat.book.functions import cross_entropy_error

Array = NDArray[Any]

__all__ = [
    "Affine",
    "BatchNormalization",
    "Convolution",
    "Dropout",
    "Pooling",
    "Relu",
    "Sigmoid",
    "SoftmaxWithLoss",
]
__all__ += _functions


class Relu:
    """``max(x, 0)``; the gradient at 0 is 0.

    Attributes
    ----------
    mask : array of bool or None
        Where the last input was not positive.
    """

    def __init__(self) -> None:
        self._out: Any = None

    @property
    def mask(self) -> Array | None:
        return None if self._out is None else self._out <= 0

    def forward(self, x: Array) -> Array:
        self._out = ops.relu(x)
        return self._out

    def backward(self, dout: Array) -> Array:
        return ops.relu_backward(dout, self._out)


class Sigmoid:
    """``1 / (1 + exp(-x))``

    Attributes
    ----------
    out : array or None
        The last output.
    """

    def __init__(self) -> None:
        self.out: Any = None

    def forward(self, x: Array) -> Array:
        self.out = ops.sigmoid(x)
        return self.out

    def backward(self, dout: Array) -> Array:
        return ops.sigmoid_backward(dout, self.out)


class Affine:
    """``x @ W + b``; inputs with more than two dimensions are flattened to one row per sample.

    Attributes
    ----------
    W, b : arrays
        The parameters, which an optimizer may change in place.
    x : array or None
        The last input, one row per sample.
    original_x_shape : tuple or None
        Its shape before.
    dW, db : arrays or None
        Gradients of the last backward pass.
    """

    def __init__(self, W: Array, b: Array) -> None:
        self.W = W
        self.b = b
        self.x: Any = None
        self.original_x_shape: tuple[int, ...] | None = None
        self.dW: Array | None = None
        self.db: Array | None = None

    def forward(self, x: Array) -> Array:
        self.original_x_shape = x.shape
        self.x = x if x.ndim == 2 else x.reshape(len(x), -1)
        return ops.affine(self.x, self.W, self.b)

    def backward(self, dout: Array) -> Array:
        dx, self.dW, self.db = ops.affine_backward(dout, self.x, self.W)
        return dx.reshape(self.original_x_shape)


class SoftmaxWithLoss:
    """Softmax and cross-entropy; targets are one-hot rows or labels.

    Attributes
    ----------
    loss : float or None
        The last loss.
    y : array or None
        The last probabilities.
    t : array or None
        The last targets.
    """

    def __init__(self) -> None:
        self.loss: float | None = None
        self.y: Array | None = None
        self.t: Array | None = None

    def forward(self, x: Array, t: Array) -> float:
        self.t = t
        self.y = ops.softmax(x)
        self.loss = cross_entropy_error(self.y, t)
        return self.loss

    def backward(self, dout: float = 1) -> Array:
        """The gradient of the mean loss; as in the book, `dout` is not looked at."""
        y, t = self.y, self.t
        if y is None or t is None:
            raise RuntimeError("SoftmaxWithLoss: forward must come before backward. Received: no targets")
        targets = t.reshape(y.shape) if t.size == y.size else t
        return ops.softmax_cross_entropy_backward(y, targets, scale=1.0 / len(t))


class Dropout:
    """Zero a random part of the elements in training; scale all of them by ``1 - dropout_ratio`` at inference.

    Attributes
    ----------
    mask : array of bool or None
        Where the last input was kept, drawn from ``np.random.rand``.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", Journal of Machine Learning Research 15, 2014.
    """

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        self.dropout_ratio = dropout_ratio
        self.mask: Array | None = None

    def forward(self, x: Array, train_flg: bool = True) -> Array:
        if not train_flg:
            return x * (1.0 - self.dropout_ratio)
        self.mask = np.random.rand(*x.shape) > self.dropout_ratio
        return ops.dropout(x, self.dropout_ratio, mask=self.mask, scale=1.0)[0]

    def backward(self, dout: Array) -> Array:
        if self.mask is None:
            raise RuntimeError("Dropout: forward in training must come before backward. Received: no mask")
        return ops.dropout_backward(dout, self.mask, self.dropout_ratio, scale=1.0)


class BatchNormalization:
    """``gamma * (x - mean) / sqrt(var + 1e-6) + beta``, with mean and variance of each feature over the samples.

    The variance is the biased one. Images (N, C, H, W) are flattened: every element has its own statistics. At
    inference, running means take the place of the batch's: ``running = momentum * running + (1 - momentum) * batch``,
    zeros at first.

    Parameters
    ----------
    gamma, beta : arrays, shape (features,)
        Scale and shift.
    momentum : float
        The part of the running statistics that is kept.
    running_mean, running_var : arrays, optional
        Running statistics to go on with.

    Attributes
    ----------
    input_shape, batch_size, xc, xn, std
        Of the last input: its shape, number of samples, centred and normalised values, deviations.
    dgamma, dbeta : arrays or None
        Gradients of the last backward pass.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift",
    ICML 2015.
    """

    EPS = 10e-7

    def __init__(
        self,
        gamma: Array,
        beta: Array,
        momentum: float = 0.9,
        running_mean: Array | None = None,
        running_var: Array | None = None,
    ) -> None:
        self.gamma = gamma
        self.beta = beta
        self.momentum = momentum
        self.input_shape: tuple[int, ...] | None = None
        self.running_mean: Any = running_mean
        self.running_var: Any = running_var
        self.batch_size: int | None = None
        self._cache: Any = None
        self.dgamma: Array | None = None
        self.dbeta: Array | None = None

    def forward(self, x: Array, train_flg: bool = True) -> Array:
        self.input_shape = x.shape
        rows = x if x.ndim == 2 else x.reshape(len(x), -1)
        if self.running_mean is None or self.running_var is None:
            dtype = rows.dtype if rows.dtype.kind == "f" else np.dtype(float)
            self.running_mean = np.zeros(rows.shape[1], dtype)
            self.running_var = np.zeros(rows.shape[1], dtype)
        mean, variance = self.running_mean, self.running_var
        if train_flg:  # the book replaces the running statistics, it does not write into them
            self.batch_size = len(rows)
            mean, variance = self.running_mean, self.running_var = np.array(mean), np.array(variance)
        out, cache = ops.batchnorm(
            rows, self.gamma, self.beta, mean, variance, training=train_flg, momentum=self.momentum, eps=self.EPS
        )
        if train_flg:
            self._cache = cache
        return out.reshape(x.shape)

    @property
    def std(self) -> Array | None:
        return None if self._cache is None else 1 / self._cache.stats[1]

    @property
    def xc(self) -> Array | None:
        return None if self._cache is None else self._cache.x - self._cache.stats[0]

    @property
    def xn(self) -> Array | None:
        return None if self._cache is None else self.xc * self._cache.stats[1]

    def backward(self, dout: Array) -> Array:
        """``gamma / std * (dout - mean(dout) - xn * mean(dout * xn))``, of the last batch in training."""
        if self._cache is None:
            raise RuntimeError("BatchNormalization: forward in training must come before backward. Received: no batch")
        rows = dout if dout.ndim == 2 else dout.reshape(len(dout), -1)
        dx, self.dgamma, self.dbeta = ops.batchnorm_backward(rows, self._cache)
        return dx.reshape(self.input_shape)


class Convolution:
    """Convolution of images (N, C, H, W) with filters (FN, C, FH, FW), without the matrix of patches of the book.

    Attributes
    ----------
    W, b : arrays
        The filters, and a number for each.
    stride, pad : int
        Pixels from one window to the next, and zeros around the image.
    x : array or None
        The last input.
    dW, db : arrays or None
        Gradients of the last backward pass.
    """

    def __init__(self, W: Array, b: Array, stride: int = 1, pad: int = 0) -> None:
        self.W = W
        self.b = b
        self.stride = stride
        self.pad = pad
        self.x: Array | None = None
        self.dW: Array | None = None
        self.db: Array | None = None
        self._context: Any = None

    def forward(self, x: Array) -> Array:
        self.x = x
        y, self._context = ops.conv2d(x, self.W, self.b, self.stride, self.pad, layout="NCHW", w_layout="OIHW")
        return y

    def backward(self, dout: Array) -> Array:
        dx, self.dW, self.db = ops.conv2d_backward(dout, self._context)
        return dx


class Pooling:
    """The largest number of every window of images (N, C, H, W); the zeros of `pad` are numbers like others.

    Attributes
    ----------
    pool_h, pool_w, stride, pad : int
        Size of the window, pixels from one to the next, zeros around the image.
    x : array or None
        The last input.
    arg_max : array or None
        Where the largest numbers of the last input stand, as row * width + column of the padded image; of equal ones
        the first.
    """

    def __init__(self, pool_h: int, pool_w: int, stride: int = 1, pad: int = 0) -> None:
        self.pool_h = pool_h
        self.pool_w = pool_w
        self.stride = stride
        self.pad = pad
        self.x: Array | None = None
        self.arg_max: Any = None

    def forward(self, x: Array) -> Array:
        self.x = x
        around = [(0, 0), (0, 0), (self.pad, self.pad), (self.pad, self.pad)]
        padded = np.pad(x, around) if self.pad else x
        y, self.arg_max = ops.maxpool2d(padded, (self.pool_h, self.pool_w), self.stride, layout="NCHW")
        return y

    def backward(self, dout: Array) -> Array:
        assert self.x is not None
        n, channels, height, width = self.x.shape
        shape = (n, channels, height + 2 * self.pad, width + 2 * self.pad)
        dx = ops.maxpool2d_backward(dout, self.arg_max, shape, (self.pool_h, self.pool_w), self.stride, layout="NCHW")
        inside = slice(self.pad, -self.pad or None)
        return dx[:, :, inside, inside]
