"""Classes and functions of the user that files may name, beside the closed lists: registered by code, never by a file.

A registration is a name in a table.  Reading a file looks names up there; it imports nothing and runs nothing that the
program has not put there itself.  Names and behaviour are Keras's: a class registered in a package is called
"package>Class" in files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

_objects: dict[str, Any] = {}
_names: dict[Any, str] = {}
_scope: ContextVar[Mapping[str, Any]] = ContextVar("fastnn_custom_objects", default={})  # noqa: B039 - never written


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """A decorator: files may name this class or function from now on.

    A class may be a layer, loss, metric, optimizer, schedule, initializer, regularizer or constraint; a function, a
    metric, initializer or constraint.  Losses and activations are no functions here: training needs their gradients.

    Parameters:
        package: of the class; files name it "package>name".
        name: by default that of the class.

    Raises:
        ValueError: not strings without ">", or the class has no get_config.
    """
    for part in (package, name):
        if part is not None and (not isinstance(part, str) or not part or ">" in part):
            raise ValueError(f"a package and a name must be strings without '>'. Received: {package!r} and {name!r}")

    def register(thing: T) -> T:
        if isinstance(thing, type) and not hasattr(thing, "get_config"):
            raise ValueError(f"a class must have get_config to be registered. Received: {thing!r}")
        registered = f"{package}>{name or getattr(thing, '__name__', '')}"
        _objects[registered] = thing
        _names[thing] = registered
        return thing

    return register


class CustomObjectScope:
    """Inside a `with` block, files may also name these.

    Parameters:
        custom_objects: name -> class or function.

    Raises:
        TypeError: not a dictionary of names.
    """

    def __init__(self, custom_objects: Mapping[str, Any] | None) -> None:
        objects = {} if custom_objects is None else custom_objects
        if not isinstance(objects, Mapping) or not all(isinstance(name, str) for name in objects):
            raise TypeError(f"custom_objects must be a dictionary from names to classes. Received: {custom_objects!r}")
        self.custom_objects = dict(objects)
        self._tokens: list[Token[Mapping[str, Any]]] = []

    def __enter__(self) -> CustomObjectScope:
        self._tokens.append(_scope.set({**_scope.get(), **self.custom_objects}))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _scope.reset(self._tokens.pop())


custom_object_scope = CustomObjectScope


def get_custom_objects() -> dict[str, Any]:
    """The table of registered classes itself, name -> class; changing it changes what files may name."""
    return _objects


def get_registered_name(obj: Any) -> str:
    """What files call the class: its registered name, else its own."""
    name = _names.get(obj)
    if name is None or name not in _objects:
        name = next((name for name, known in _scope.get().items() if known is obj), None)
    return name or str(obj.__name__)


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """The class that a name means: of the scope, registered, or in one of the dictionaries; None if there is none."""
    for objects in (_scope.get(), _objects, custom_objects or {}, module_objects or {}):
        if name in objects:
            return objects[name]
    return None


def named_function(identifier: Any) -> Any:
    """The user's function that a name or a description means, or the name of one of fastnn's; else what came.

    Keras's form is {"class_name": "function", "config": name}.
    """
    described = isinstance(identifier, Mapping) and identifier.get("class_name") == "function"
    name = identifier.get("config") if described else identifier
    if not isinstance(name, str):
        return identifier
    found = get_registered_object(name)
    if found is not None and not isinstance(found, type):
        return found
    return name


def describe_function(function: Any) -> dict[str, Any]:
    """The form that `named_function` reads, of a function that `is_registered`."""
    return {"class_name": "function", "config": get_registered_name(function)}


def is_registered(thing: Any) -> bool:
    """Whether files can name this class or function: it is registered, or in a scope."""
    return any(thing is known for objects in (_objects, _scope.get()) for known in objects.values())


def names() -> list[str]:
    """Everything that can be named here and now."""
    return [*_scope.get(), *_objects]
