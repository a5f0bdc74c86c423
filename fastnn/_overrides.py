"""Methods that users override in subclasses, and that would never be called: a class that does so is refused.

fastnn compiles a model into steps of native code, so Keras's hooks for single steps have no place in it.  A base class
states its hooks in a table, and what to do instead; the table is looked at once for every subclass, when it is defined,
so that no script runs on without the method that it has written.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping


def refuse(cls: type, base: type, hooks: Mapping[str, str]) -> None:
    """Refuse a class that overrides one of the hooks of its base.

    Parameters:
        hooks: name of a method -> what to do instead.

    Raises:
        TypeError: it does; the message names the class and the method.
    """
    for name, instead in hooks.items():
        if inspect.getattr_static(cls, name, None) is not inspect.getattr_static(base, name, None):
            raise never_called(cls, name, instead)


def never_called(cls: type, name: str, instead: str) -> TypeError:
    """The error about a method that is overridden in vain."""
    return TypeError(
        f"{cls.__name__}.{name} would never be called: {instead}. "
        f"Received: class {cls.__name__} with a {name} of its own"
    )


def is_above(cls: type, name: str, others: Iterable[str]) -> bool:
    """Whether the method that the class has stands above - was written after - all of the other ones."""
    place = _place(cls, name)
    known = [found for found in (_place(cls, other) for other in others) if found is not None]
    return place is not None and all(place < found for found in known)


def _place(cls: type, name: str) -> int | None:
    """How far up the class that defines the method stands: 0 is the class itself; None if nobody does."""
    return next((place for place, part in enumerate(cls.__mro__) if name in vars(part)), None)
