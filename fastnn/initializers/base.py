"""What every initializer is: called with a shape and a dtype, it returns a new array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from numpy.typing import DTypeLike, NDArray

from fastnn._registry import from_config

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = Sequence[int]
Self = TypeVar("Self", bound="Initializer")


class Initializer:
    """Base class: subclasses define `__call__(shape, dtype=None)`, and `get_config` if they have arguments."""

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        """A new array of `shape`; `dtype` None means `fastnn.config.floatx()`."""
        raise NotImplementedError(f"{type(self).__name__} does not define __call__")

    def get_config(self) -> dict[str, Any]:
        """The keyword arguments that build an equal initializer."""
        return {}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """The initializer that `get_config` described."""
        return from_config(cls, config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"
