"""Arguments of a constructor by name, as scikit-learn asks its estimators for them; it need not be installed."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from fastnn._errors import unknown

Self = TypeVar("Self", bound="Parameters")


class Parameters:
    """Base class of estimators: an attribute for each argument of the constructor, unchanged."""

    @classmethod
    def _names(cls) -> list[str]:
        return list(inspect.signature(cls).parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor, as scikit-learn's `clone` asks for them; `deep` changes nothing."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self: Self, **params: Any) -> Self:
        """Change arguments of the constructor; they count from the next `fit` on.

        Raises:
            ValueError: a name that the constructor does not know, or a value that it refuses.
        """
        for name in params:
            if name not in self._names():
                raise unknown(f"argument of {type(self).__name__}", name, self._names())
        type(self)(**{**self.get_params(), **params})  # complains
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = {name: p.default for name, p in inspect.signature(type(self)).parameters.items()}
        own = [f"{name}={value!r}" for name, value in self.get_params().items() if value is not defaults[name]]
        return f"{type(self).__name__}({', '.join(own)})"
