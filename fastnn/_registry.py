"""A closed list of classes and the ways in which a user may name one: string, class, instance or config.

Initializers, losses, optimizers and metrics each have one. There is no import by string: a config can only mean a class
that stands in the list, or one that the program has registered (fastnn.saving).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from fastnn import _custom_objects
from fastnn._errors import unknown


class Configurable(Protocol):
    """What a class must offer to stand in a registry."""

    def get_config(self) -> dict[str, Any]: ...


T = TypeVar("T", bound=Configurable)


def snake_case(name: str) -> str:
    """GlorotUniform -> glorot_uniform."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def article(noun: str) -> str:
    """A or An."""
    return "An" if noun[0] in "aeiou" else "A"


class Registry(Generic[T]):
    """The classes of one `kind`, each known by its own name, that name in snake case, and the aliases given."""

    def __init__(self, kind: str, base: type[T], classes: Iterable[type[T]], aliases: Mapping[str, type[T]]) -> None:
        self.kind = kind
        self.base = base
        self.names: dict[str, type[T]] = {}
        for cls in classes:
            self.names[cls.__name__] = self.names[snake_case(cls.__name__)] = cls
        self.names.update(aliases)

    def __contains__(self, name: str) -> bool:
        return any(known.lower() == name.lower() for known in self.names)

    def find(self, name: str) -> type[T]:
        """The class called `name`, whatever its case; one of the user's by exactly its name, before all others."""
        own = _custom_objects.get_registered_object(name)
        if isinstance(own, type) and issubclass(own, self.base):
            return own
        for known, cls in self.names.items():
            if known.lower() == name.lower():
                return cls
        if own is not None:
            raise ValueError(f"{name!r} must stand for a class of the kind {self.kind!r}. Received: {own!r}")
        raise unknown(self.kind, name, [*self.names, *_custom_objects.names()])

    def make(self, identifier: object) -> T:
        """The object that `identifier` means; an instance is returned as it is."""
        if isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, str):
            return self._bare(self.find(identifier), identifier)
        if isinstance(identifier, type) and issubclass(identifier, self.base):
            return self._bare(identifier, identifier)
        if isinstance(identifier, Mapping):
            return self._from_mapping(identifier)
        raise ValueError(
            f"{article(self.kind)} {self.kind} is named by a string, a class, an instance or a dictionary with the "
            f"keys 'class_name' and 'config'. Received: {identifier!r}"
        )

    def _bare(self, cls: type[T], identifier: object) -> T:
        """An object of a class that is named without arguments."""
        parameters = inspect.signature(cls).parameters.values()
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        needed = [p.name for p in parameters if p.default is p.empty and p.kind not in variable]
        if needed:
            raise ValueError(
                f"{article(self.kind)} {self.kind} of the class {cls.__name__} needs {', '.join(needed)}: give an "
                f"instance or a dictionary with the keys 'class_name' and 'config'. Received: {identifier!r}"
            )
        return cls()

    def serialize(self, thing: T) -> dict[str, Any]:
        """The dictionary from which `make` builds an equal object.

        Raises:
            ValueError: the class is the user's, not registered (fastnn.saving), and has the name of one in the list.
        """
        cls = type(thing)
        own = cls not in self.names.values()
        name = _custom_objects.get_registered_name(cls) if own else cls.__name__
        if own and name in self.names:
            raise ValueError(
                f"{article(self.kind).lower()} {self.kind} of your own needs another name than {name!r}, or "
                f"fastnn.saving.register_keras_serializable, to be described. Received: {thing!r}"
            )
        return {"class_name": name, "config": thing.get_config()}

    def _from_mapping(self, mapping: Mapping[str, Any]) -> T:
        name, config = mapping.get("class_name"), mapping.get("config", {})
        if not isinstance(name, str) or not isinstance(config, Mapping):
            raise ValueError(
                f"{article(self.kind)} {self.kind} dictionary needs 'class_name' (a string) and 'config' (a "
                f"dictionary). Received: {dict(mapping)!r}"
            )
        return from_config(self.find(name), config)


def from_config(cls: type[T], config: Mapping[str, Any]) -> T:
    """Build `cls` from the keyword arguments in `config`; an argument it does not have is a ValueError."""
    try:
        inspect.signature(cls).bind(**config)
    except TypeError as error:
        raise ValueError(f"{cls.__name__} cannot be built so: {error}. Received: config={dict(config)!r}") from None
    return cls(**config)
