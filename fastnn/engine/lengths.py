"""Shapes with axes whose length is not known yet, None, and the shapes of the call for which a plan is being made.

A description - layers, symbolic tensors, the graph of a model - may have None where samples may be of any length.  A
plan is made for some lengths: `Graph.closed` asks every layer for its shapes, and while the steps of a call are
emitted, `within`, the layer sees these as its own.  So a layer states its rule for shapes once, for whole numbers; what
it gives for an unknown axis follows from asking it about two lengths (`infer`): what differs then is not known either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# Two lengths that stand for an unknown one: longer than every window, and with all small divisors.
LENGTHS = (55440, 110880)

# (of the input, of the output) by id of the layer
Shapes = Mapping[int, tuple[Any, Any]]
NONE: Shapes = {}
_of_this_call: ContextVar[Shapes] = ContextVar("shapes of this call", default=NONE)


def is_open(shape: Any) -> bool:
    """Whether a shape, or one of several, has an unknown axis."""
    return any(n is None or (isinstance(n, (tuple, list)) and is_open(n)) for n in shape)


def matches(declared: Any, shape: Any) -> bool:
    """Whether a shape, or several, is the declared one, where that has a length."""
    if len(declared) != len(shape):
        return False
    for known, n in zip(declared, shape):
        if isinstance(known, tuple) or isinstance(n, tuple):
            if not (isinstance(known, tuple) and isinstance(n, tuple) and matches(known, n)):
                return False
        elif n != known and (known is not None or (n is not None and n < 1)):
            return False
    return True


def infer(rule: Callable[[Any], Any], shape: Any) -> Any:
    """What a rule for shapes gives for one with unknown axes.

    Raises:
        ValueError: it needs to know them.
    """
    if not is_open(shape):
        return rule(shape)
    try:
        first, second = (rule(_filled(shape, length)) for length in LENGTHS)
    except (TypeError, ValueError, IndexError) as error:
        text = str(error).replace(str(LENGTHS[0]), "None")
        raise ValueError(f"an axis of unknown length, None in {shape}, does not go here: {text}") from error
    return _common(first, second)


def _filled(shape: Any, length: int) -> Any:
    return tuple(_filled(n, length) if isinstance(n, (tuple, list)) else length if n is None else n for n in shape)


def _common(a: Any, b: Any) -> Any:
    if isinstance(a, (tuple, list)):
        return tuple(_common(*pair) for pair in zip(a, b))
    return a if a == b else None


def of_call(layer: Any) -> tuple[Any, Any] | None:
    """The shapes of a layer's input and output in the call whose steps are being emitted; None: there are no others."""
    return _of_this_call.get().get(id(layer))


@contextmanager
def within(shapes: Shapes) -> Iterator[None]:
    """Around the steps of a call, forward or backward, of layers with these shapes."""
    token = _of_this_call.set(shapes)
    try:
        yield
    finally:
        _of_this_call.reset(token)
