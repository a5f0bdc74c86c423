"""Inputs and outputs of a model as users pass them - one thing, a list or a dictionary - and as a flat tuple."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastnn._errors import unknown


class Parts(tuple[Any, ...]):
    """One entry for every input or output of a model, in the model's order."""

    __slots__ = ()


class Structure:
    """How users arrange the inputs or the outputs of a model.

    Parameters:
        like: one thing, a list or a dictionary of things, whose order is that of the names.
        names: of the things, where it is no dictionary.

    Attributes:
        keys: of the dictionary, or None.
        single: whether it is one thing by itself.
        names: of the things, each different from the others.
    """

    def __init__(self, like: Any, names: Sequence[str] = ()) -> None:
        self.keys = sorted(like) if isinstance(like, Mapping) else None
        self.single = self.keys is None and not isinstance(like, (list, tuple))
        self.names = list(self.keys if self.keys is not None else names)
        for i, name in enumerate(self.names):  # a layer may stand for several outputs
            if name in self.names[:i]:
                self.names[i] = next(f"{name}_{k}" for k in range(1, i + 2) if f"{name}_{k}" not in self.names)

    def __len__(self) -> int:
        return len(self.names)

    def pack(self, parts: Sequence[Any]) -> Any:
        """The things arranged as users have them."""
        if self.keys is not None:
            return dict(zip(self.keys, parts))
        return parts[0] if self.single else list(parts)

    def by_name(self, given: Mapping[str, Any], where: str, what: str, *, partly: bool = False) -> list[Any]:
        """The entries of a dictionary in the model's order; None for those missing.

        Raises:
            ValueError: a name is unknown; one is missing, unless `partly`.
        """
        for name in given:
            if name not in self.names:
                raise unknown(f"name in {where}: {what}", name, self.names)
        if not partly and len(given) < len(self.names):
            raise ValueError(f"{where}: expected {what} named {self.names}. Received: {list(given)}")
        return [given.get(name) for name in self.names]

    def flatten(self, given: Any, where: str, what: str, *, partly: bool = False) -> list[Any]:
        """What users pass for the things, in the model's order.

        Raises:
            ValueError: not as many as there are, or under other names.
        """
        if isinstance(given, Parts):
            return list(given)
        if isinstance(given, Mapping):
            return self.by_name(given, where, what, partly=partly)
        if len(self) == 1 and self.single:
            return [given]
        if not isinstance(given, (list, tuple)) or len(given) != len(self):
            if len(self) == 1:
                return [given]
            count = len(given) if isinstance(given, (list, tuple)) else f"one of type {type(given).__name__}"
            raise ValueError(
                f"{where}: expected {len(self)} {what}, a list or a dictionary of {self.names}. Received: {count}"
            )
        return list(given)
