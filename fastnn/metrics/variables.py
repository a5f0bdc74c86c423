"""Numbers that a metric of one's own keeps, in the form in which Keras's metrics keep them.

    class Worst(Metric):
        def __init__(self, name="worst", **kwargs):
            super().__init__(name=name, **kwargs)
            self.worst = self.add_variable(shape=(), initializer="zeros", name="worst")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.worst.assign(np.maximum(self.worst, np.abs(y_true - y_pred).max()))

        def result(self):
            return self.worst

The built-in metrics need none of this: they keep floats and arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastnn._errors import unknown

_FILLED = {"zeros": 0.0, "ones": 1.0}


class MetricVariable(NDArrayOperatorsMixin):
    """An array that is changed by `assign`; wherever NumPy expects an array, it serves as one.

    Parameters
    ----------
    shape : tuple of int
    initializer : "zeros", "ones", number or callable
        What it holds at first, and again after `reset`; a callable gets (shape, dtype=dtype).
    dtype
        Default: float64, in which the sums of all metrics are kept.
    name : str, optional
    """

    def __init__(
        self,
        shape: tuple[int, ...] = (),
        initializer: str | float | Callable[..., ArrayLike] = "zeros",
        dtype: DTypeLike | None = None,
        name: str | None = None,
    ) -> None:
        if isinstance(initializer, str) and initializer.lower() not in _FILLED:
            raise unknown("initializer of a metric's variable", initializer, _FILLED)
        self.name = name or "variable"
        self._initializer = _FILLED[initializer.lower()] if isinstance(initializer, str) else initializer
        self._value: NDArray[Any] = np.empty(tuple(shape), np.float64 if dtype is None else dtype)
        self.reset()

    @property
    def shape(self) -> tuple[int, ...]:
        return self._value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._value.dtype

    @property
    def value(self) -> NDArray[Any]:
        """A copy of the numbers."""
        return self._value.copy()

    def numpy(self) -> NDArray[Any]:
        """A copy of the numbers."""
        return self._value.copy()

    def assign(self, value: ArrayLike) -> MetricVariable:
        """Overwrite the numbers; shapes must agree."""
        array = np.asarray(value)
        if array.shape != self.shape:
            raise ValueError(f"{self.name}: expected the shape {self.shape}. Received: shape {array.shape}")
        self._value[...] = array
        return self

    def assign_add(self, value: ArrayLike) -> MetricVariable:
        """Add to the numbers."""
        return self.assign(self._value + np.asarray(value))

    def assign_sub(self, value: ArrayLike) -> MetricVariable:
        """Subtract from the numbers."""
        return self.assign(self._value - np.asarray(value))

    def reset(self) -> None:
        """Back to what the initializer gives."""
        first = self._initializer
        self._value[...] = first(self.shape, dtype=self.dtype) if callable(first) else first

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return self._value.astype(self.dtype if dtype is None else dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        arrays = [x._value if isinstance(x, MetricVariable) else x for x in inputs]
        return getattr(ufunc, method)(*arrays, **kwargs)

    def __getitem__(self, index: Any) -> Any:
        return self._value[index]

    def __len__(self) -> int:
        return len(self._value)

    def __float__(self) -> float:
        return float(self._value)

    def __repr__(self) -> str:
        return f"MetricVariable({self._value!r}, name={self.name!r})"
