"""All parameters of a model in one flat array.

Layers hold views.  So the optimizer is one loop, the gradient of the whole model is one array of the same layout, each
optimizer slot another, and a checkpoint is one write.  Every parameter starts on a 64-byte boundary; the few numbers of
padding stay zero through every update because their gradient is zero.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ALIGNMENT = 64


def aligned_zeros(count: int, dtype: npt.DTypeLike) -> Array:
    """`count` zeros, the first on an ALIGNMENT-byte boundary."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(count * item + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + count * item].view(dtype)


_drawn_later: ContextVar[bool] = ContextVar("fastnn_drawn_later", default=False)


@contextmanager
def drawn_later() -> Iterator[None]:
    """Parameters made inside this block get their value when it is first asked for.

    So a description that a file holds can be checked against the numbers in the file before anything is allocated.
    """
    token = _drawn_later.set(True)
    try:
        yield
    finally:
        _drawn_later.reset(token)


# while `call` of a layer is traced: what stands for a weight in it
WEIGHTS: ContextVar[Callable[[Parameter], Any] | None] = ContextVar("fastnn_weights", default=None)


def _operator(function: Callable[[Any, Any], Any]) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The methods of an operator for a weight on its left and on its right."""

    def left(self: Any, other: Any) -> Any:
        # a symbolic tensor knows better what it becomes beside a weight
        return NotImplemented if hasattr(other, "__fastnn_function__") else function(self.symbol(), other)

    return left, lambda self, other: function(other, self.symbol())


class Parameter:
    """One weight array of a layer: its name, shape and value, and whether the optimizer may change it.

    Parameters:
        name: "layer/weight".
        shape, dtype: of the value, for good.
        draw: (shape, dtype) -> first value.
        trainable: whether the optimizer may change it.
        regularizer: None, or what adds a penalty to the loss (fastnn.regularizers).
        constraint: None, or value -> value, applied after every update (fastnn.constraints).

    Raises:
        ValueError: the initializer drew something of another shape.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        draw: Callable[..., npt.ArrayLike],
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> None:
        self.name = name
        self.regularizer, self.constraint = regularizer, constraint
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.trainable = trainable
        self._draw = draw
        self._value: Array | None = None
        # the flat array of an arena and where in it the value starts
        self.home: tuple[Array, int] | None = None
        if not _drawn_later.get():
            self.assign(draw(shape, dtype=self.dtype.name))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def value(self) -> Array:
        """The value itself, not a copy."""
        if self._value is None:
            self.assign(self._draw(self.shape, dtype=self.dtype.name))
            assert self._value is not None
        return self._value

    def place(self, flat: Array, start: int) -> None:
        """Move the value into `flat`, from `start` on; it stays there."""
        view = flat[start : start + self.size].reshape(self.shape)
        view[...] = self.value
        self._value = view
        self.home = (flat, start)

    def numpy(self) -> Array:
        """A copy of the value."""
        return self.value.copy()

    def _refuse_traced(self, value: Any) -> None:
        if WEIGHTS.get() is not None and self._value is not None:
            raise TypeError(
                f"{self.name}: assign in `call` would happen once, while it is traced, and not for every batch; a "
                f"layer with forward(x) and backward(dy) may change its weights. Received: {value!r}"
            )

    def assign(self, value: npt.ArrayLike) -> None:
        """Overwrite the value in place.

        Raises:
            TypeError: not real numbers.
            ValueError: the shape differs.
        """
        self._refuse_traced(value)
        new = self.check(value)
        if self._value is None:
            self._value = np.array(new, self.dtype)
        else:
            self._value[...] = new

    def assign_add(self, value: npt.ArrayLike) -> None:
        """Add to the value in place; errors as in `assign`."""
        self._refuse_traced(value)
        self.assign(self.value + np.asarray(value))

    def assign_sub(self, value: npt.ArrayLike) -> None:
        """Subtract from the value in place; errors as in `assign`."""
        self._refuse_traced(value)
        self.assign(self.value - np.asarray(value))

    def symbol(self) -> Any:
        """What operators compute with: the value, and while `call` of a layer is traced a symbolic tensor."""
        symbolic = WEIGHTS.get()
        return self.value if symbolic is None else symbolic(self)

    def __fastnn_symbol__(self) -> Any:
        """The tensor, while `call` of a layer is traced; else None (fastnn/ops/_symbolic.py)."""
        symbolic = WEIGHTS.get()
        return None if symbolic is None else symbolic(self)

    __array_priority__ = 1000.0  # so arrays leave operators to it
    __add__, __radd__ = _operator(operator.add)
    __sub__, __rsub__ = _operator(operator.sub)
    __mul__, __rmul__ = _operator(operator.mul)
    __truediv__, __rtruediv__ = _operator(operator.truediv)
    __pow__, __rpow__ = _operator(operator.pow)
    __matmul__, __rmatmul__ = _operator(operator.matmul)

    def __neg__(self) -> Any:
        return -self.symbol()

    def __abs__(self) -> Any:
        return abs(self.symbol())

    def __getitem__(self, key: Any) -> Any:
        """A copy of a part of the value."""
        part = self.symbol()[key]
        return part.copy() if isinstance(part, (np.ndarray, np.generic)) else part

    def check(self, value: npt.ArrayLike) -> Array:
        """`value` as an array that can be assigned, or the error that `assign` raises."""
        new = np.asarray(value)
        if new.dtype.kind not in "biuf":
            raise TypeError(f"{self.name}: expected real numbers. Received: dtype {new.dtype}")
        if new.shape != self.shape:
            raise ValueError(f"{self.name}: expected shape {self.shape}. Received: {new.shape}")
        return new

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            return np.asarray(self.value, dtype=dtype)
        return np.array(self.value, dtype=dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "home": None}  # a copy lies in no arena

    def __repr__(self) -> str:
        return f"<Parameter {self.name} shape={self.shape} dtype={self.dtype}>"


class Range(NamedTuple):
    """`size` trainable numbers, from `at` in the flat array `home` on, from `start` in gradients and slots.

    They are all of one `kind`, which the caller has given them.
    """

    home: Array
    at: int
    start: int
    size: int
    kind: Hashable = None

    @property
    def values(self) -> Array:
        return self.home[self.at : self.at + self.size]

    def of(self, flat: Array) -> Array:
        """The part of a gradient or slot that belongs to the range."""
        return flat[self.start : self.start + self.size]


class Arena:
    """Where the parameters of a model lie, and the layout of its gradients and slots.

    A parameter is moved once in its life: one that lies in another model's arena, because the models share a layer,
    stays there, and both models see it change.  Gradients and slots are each model's own.

    Parameters:
        parameters: of one dtype.
        dtype: theirs.
    """

    def __init__(self, parameters: Sequence[Parameter], dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self.parameters = list(parameters)
        self.offsets, self.size = self._layout(self.parameters)
        new = [parameter for parameter in self.parameters if parameter.home is None]
        starts, size = self._layout(new)
        values = aligned_zeros(size, self.dtype)
        for parameter, start in zip(new, starts):
            parameter.place(values, start)

    def _padded(self, parameter: Parameter) -> int:
        per_line = ALIGNMENT // self.dtype.itemsize
        return -(-parameter.size // per_line) * per_line

    def _layout(self, parameters: Sequence[Parameter]) -> tuple[list[int], int]:
        """The offset of each, in elements, and the size of the whole."""
        offsets, size = [], 0
        for parameter in parameters:
            offsets.append(size)
            size += self._padded(parameter)
        return offsets, size

    def like(self) -> Array:
        """A zeroed array of the layout: for gradients or an optimizer slot."""
        return aligned_zeros(self.size, self.dtype)

    def views(self, flat: Array) -> list[Array]:
        """The parts of `flat` that belong to each parameter, in their shapes."""
        return [flat[o : o + p.size].reshape(p.shape) for o, p in zip(self.offsets, self.parameters)]

    def trainable_parameters(self) -> list[tuple[Parameter, Range]]:
        """The trainable parameters, each with its range."""
        found = []
        for parameter, start in zip(self.parameters, self.offsets):
            if parameter.trainable:
                assert parameter.home is not None
                found.append((parameter, Range(*parameter.home, start, self._padded(parameter))))
        return found

    def trainable_ranges(self, kind: Callable[[Parameter], Hashable] = lambda parameter: None) -> list[Range]:
        """The trainable parameters; those of a kind that are neighbours in the arena and in the slots are one range."""
        ranges: list[Range] = []
        for parameter, part in self.trainable_parameters():
            new = part._replace(kind=kind(parameter))
            last = ranges[-1] if ranges else None
            follows = (last.kind, last.at + last.size, last.start + last.size) if last else ()
            if last and last.home is new.home and follows == (new.kind, new.at, new.start):
                ranges[-1] = last._replace(size=last.size + new.size)
            else:
                ranges.append(new)
        return ranges
