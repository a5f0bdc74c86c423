"""All parameters of a model in one flat array.

Layers hold views.  So the optimizer is one loop, the gradient of the whole model is one array of the same layout, each
optimizer slot another, and a checkpoint is one write.  Every parameter starts on a 64-byte boundary; the few numbers of
padding stay zero through every update because their gradient is zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ALIGNMENT = 64


def aligned_zeros(count: int, dtype: npt.DTypeLike) -> np.ndarray:
    """`count` zeros, the first on an ALIGNMENT-byte boundary."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(count * item + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + count * item].view(dtype)


class Parameter:
    """One weight array of a layer: its value, and whether the optimizer may change it."""

    def __init__(self, name: str, value: np.ndarray, trainable: bool = True) -> None:
        self.name = name
        self.value = value
        self.trainable = trainable

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    @property
    def size(self) -> int:
        return self.value.size

    def numpy(self) -> np.ndarray:
        """A copy of the value."""
        return self.value.copy()

    def assign(self, value: npt.ArrayLike) -> None:
        """Overwrite the value in place.

        Raises:
            ValueError: the shape differs.
        """
        new = np.asarray(value)
        if new.shape != self.shape:
            raise ValueError(f"{self.name}: expected a value of shape {self.shape}. Received shape {new.shape}")
        self.value[...] = new

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            return np.asarray(self.value, dtype=dtype)
        return np.array(self.value, dtype=dtype)

    def __repr__(self) -> str:
        return f"<Parameter {self.name} shape={self.shape} dtype={self.dtype}>"


class Arena:
    """Moves parameters into one flat array and makes their values views of it.

    Parameters that already live in another model's arena stay there (two models may share layers); they are then not
    part of `values`, and the optimizer walks them as ranges of their own.
    """

    def __init__(self, parameters: Sequence[Parameter], dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self.parameters = list(parameters)
        self.offsets: list[int] = []
        per_line = ALIGNMENT // self.dtype.itemsize
        size = 0
        for parameter in self.parameters:
            self.offsets.append(size)
            size += -(-parameter.size // per_line) * per_line
        self.values = aligned_zeros(size, self.dtype)
        for parameter, view in zip(self.parameters, self.views(self.values)):
            view[...] = parameter.value
            parameter.value = view

    @property
    def size(self) -> int:
        return self.values.size

    def like(self) -> np.ndarray:
        """A zeroed array of the same layout: for gradients or an optimizer slot."""
        return aligned_zeros(self.size, self.dtype)

    def views(self, flat: np.ndarray) -> list[np.ndarray]:
        """The parts of `flat` that belong to each parameter, in their shapes."""
        return [flat[o : o + p.size].reshape(p.shape) for o, p in zip(self.offsets, self.parameters)]

    def trainable_ranges(self) -> list[tuple[int, int]]:
        """(start, stop) of the runs of trainable parameters, neighbours merged."""
        ranges: list[tuple[int, int]] = []
        ends = [*self.offsets[1:], self.size]
        for parameter, start, stop in zip(self.parameters, self.offsets, ends):
            if not parameter.trainable:
                continue
            if ranges and ranges[-1][1] == start:
                ranges[-1] = (ranges[-1][0], stop)
            else:
                ranges.append((start, stop))
        return ranges
