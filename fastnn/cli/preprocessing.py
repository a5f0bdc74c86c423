"""What happens to data before a network sees them and to its answers after: stored in the model's metadata as JSON.

    inputs = (x - offset) / divisor                       one number for all, or one for each feature
    answer = classes[argmax(output)]                      classification
    answer = output * target_divisor + target_offset      regression

`fastnn predict` applies it.  In Python, `Preprocessing.of(model)` gives it back.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Numbers = float | list[float]

KEY = "preprocessing"


@dataclass(frozen=True)
class Preprocessing:
    """How samples become inputs and outputs become answers.

    Attributes:
        offset, divisor: of the inputs.
        classes: names of the classes, in the order of the outputs; None for regression.
        target_offset, target_divisor: of the targets, one number for each output; only for regression.
        columns: names of the features, in the order of the inputs, if they came from a table with a header.
        target: name of the column that is predicted, and
        target_index: its place in a table.
    """

    offset: Numbers = 0.0
    divisor: Numbers = 1.0
    classes: list[str] | None = None
    target_offset: Numbers = 0.0
    target_divisor: Numbers = 1.0
    columns: list[str] | None = None
    target: str | None = None
    target_index: int | None = None

    def inputs(self, x: Array) -> Array:
        """Samples as the network wants them, float32."""
        work = np.float32 if x.dtype == np.uint8 else np.float64  # pixels are exact in float32
        scaled = np.subtract(x, np.asarray(self.offset, work), dtype=work)
        scaled /= np.asarray(self.divisor, work)
        return scaled.astype(np.float32, copy=False)

    def targets(self, y: Array) -> Array:
        """Numbers to predict, as the network is to learn them, float32."""
        return ((y - np.asarray(self.target_offset)) / np.asarray(self.target_divisor)).astype(np.float32)

    def values(self, outputs: Array) -> Array:
        """Outputs of a regression in the units of the targets, float64."""
        values: Array = outputs * np.asarray(self.target_divisor) + np.asarray(self.target_offset)
        return values

    def store(self, model: Any) -> None:
        """Put it into the model's metadata."""
        model.metadata[KEY] = asdict(self)

    @classmethod
    def of(cls, model: Any) -> Preprocessing | None:
        """What `store` put into a model; None if there is nothing.

        Raises:
            ValueError: there is something else, or it does not fit the model.
        """
        stored = model.metadata.get(KEY)
        if stored is None:
            return None
        features, outputs = math.prod(model.shape_in), math.prod(model.shape_out)
        fits = (
            isinstance(stored, dict)
            and set(stored) == set(cls.__dataclass_fields__)
            and all(_numbers(stored[name], features) for name in ("offset", "divisor"))
            and all(_numbers(stored[name], outputs) for name in ("target_offset", "target_divisor"))
            and (stored["classes"] is None or _names(stored["classes"], outputs))
            and (stored["columns"] is None or _names(stored["columns"], features))
            and isinstance(stored["target"], (str, type(None)))
            and isinstance(stored["target_index"], (int, type(None)))
        )
        if not fits:
            raise ValueError(
                f"the metadata of the model must describe {features} features and {outputs} outputs in {KEY!r}. "
                f"Received: {str(stored)[:200]}"
            )
        return cls(**stored)


def _numbers(value: object, length: int) -> bool:
    items = value if isinstance(value, list) else [value]
    return all(isinstance(item, (int, float)) and math.isfinite(item) for item in items) and (
        not isinstance(value, list) or len(value) == length
    )


def _names(value: object, length: int) -> bool:
    return isinstance(value, list) and len(value) == length and all(isinstance(item, str) for item in value)


def standardising(x: Array) -> tuple[Numbers, Numbers]:
    """Offset and divisor that give mean 0 and deviation 1: of every column of a table, of all pixels of images.

    What does not vary is only shifted.
    """
    axis = 0 if x.ndim == 2 else None
    mean, deviation = x.mean(axis, dtype=np.float64), x.std(axis, dtype=np.float64)
    # the deviation of equal numbers may come out as a rounding error instead of 0
    deviation = np.where(x.max(axis) == x.min(axis), 1.0, deviation)
    offset, divisor = mean.tolist(), deviation.tolist()
    return offset, divisor
