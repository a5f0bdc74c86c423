"""Initial values that are not drawn: constants, identities, and arrays of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastnn import config
from fastnn._numbers import finite, whole
from fastnn.initializers.base import Array, Initializer, Shape


class Zeros(Initializer):
    """All values are 0."""

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        return np.zeros(tuple(shape), dtype or config.floatx())


class Ones(Initializer):
    """All values are 1."""

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        return np.ones(tuple(shape), dtype or config.floatx())


class Constant(Initializer):
    """All values are `value`.

    Parameters
    ----------
    value : float or array_like
        An array must be broadcastable to the shape asked for.
    """

    def __init__(self, value: ArrayLike = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        values = np.empty(tuple(shape), dtype or config.floatx())
        values[...] = self.value
        return values

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value.tolist() if isinstance(self.value, (np.ndarray, np.generic)) else self.value}


class Identity(Initializer):
    """gain on the diagonal of a matrix, 0 elsewhere.

    Parameters
    ----------
    gain : float
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = finite("gain", gain)

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        if len(shape) != 2:
            raise ValueError(f"Identity is for matrices, of two dimensions. Received: shape={tuple(shape)}")
        values = np.zeros(tuple(shape), dtype or config.floatx())
        np.fill_diagonal(values, self.gain)
        return values

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class Dirac(Initializer):
    """The kernel of a convolution that passes its input on: 1 in the middle of the window, from channel i to channel i.

    Parameters
    ----------
    groups : int
        Groups of the convolution; each passes on as many channels as it can.

    Notes
    -----
    PyTorch's dirac_, for kernels in Keras's order: (*window, inputs / groups, outputs).
    """

    def __init__(self, groups: int = 1) -> None:
        self.groups = whole("groups", groups, at_least=1)

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        if not 3 <= len(shape) <= 5 or shape[-1] % self.groups:
            raise ValueError(
                f"Dirac is for kernels of three to five dimensions, (*window, inputs, outputs), whose outputs can be "
                f"divided by groups={self.groups}. Received: shape={tuple(shape)}"
            )
        values = np.zeros(tuple(shape), dtype or config.floatx())
        middle = values[tuple(length // 2 for length in shape[:-2])]
        outputs = shape[-1] // self.groups
        for group in range(self.groups):
            np.fill_diagonal(middle[:, group * outputs : (group + 1) * outputs], 1.0)
        return values

    def get_config(self) -> dict[str, Any]:
        return {"groups": self.groups}


class FromArray(Constant):
    """The values themselves, for exactly their shape."""

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        values = np.asarray(self.value)
        if values.shape != tuple(shape):
            raise ValueError(f"An array as initializer must have the shape {values.shape}. Received: {tuple(shape)}")
        return values.astype(dtype or config.floatx())
