"""Shapes in their two forms, and the ways from one to the other.

Users, and the methods `build` and `compute_output_shape` that they call and override, have shapes as Keras has them,
with the batch axis in front: None, or the size of the batch.  Everything else - `make_weights` and `infer_shape` of the
layers of this package, graphs, plans - has the shape of a sample, without it.  Layer crosses over in `build`,
`compute_output_shape` and what calls them, and nowhere else, so no shape has to be guessed at.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

Shape = tuple[int, ...]  # with None for lengths that are not known (engine/lengths.py)


def check_shape(shape: Any, where: str, open: bool = False) -> Shape:
    """A shape per sample: positive whole numbers, and None for unknown lengths where the shape may be `open`.

    Raises:
        ValueError: anything else.
    """
    try:
        result = tuple(None if n is None and open else operator.index(n) for n in shape)
        valid = all(n is None or n >= 1 for n in result)
    except TypeError:
        valid = False
    if not valid:
        numbers = "positive whole numbers" + (", or None for unknown lengths" if open else "")
        raise ValueError(
            f"{where} must be a tuple of {numbers}, one for every axis after the batch. Received: {shape!r}"
        )
    return result  # type: ignore[return-value]


def with_batch(shape: Any, batch: int | None = None) -> Any:
    """The shape of a batch of samples; a list of them for several, and likewise for a dictionary."""
    if isinstance(shape, dict):
        return {name: with_batch(part, batch) for name, part in shape.items()}
    if _is_several(shape):
        return [with_batch(part, batch) for part in shape]
    return (batch, *shape)


def without_batch(shape: Any, where: str, *, unknown: bool = False) -> Any:
    """The shape of a sample; a tuple of them for several, and likewise for a dictionary.

    Parameters:
        unknown: whether the batch axis must be None, and not a size, and all others known.

    Raises:
        ValueError: not a shape, or nothing that could be a batch axis.
    """
    if isinstance(shape, dict):
        return {name: without_batch(part, where, unknown=unknown) for name, part in shape.items()}
    if _is_several(shape):
        return tuple(without_batch(part, where, unknown=unknown) for part in shape)
    if batch_of(shape, where) is not None and unknown:
        raise ValueError(f"{where} must have None in front, for the batch. Received: {shape!r}")
    return check_shape(shape[1:], where, open=not unknown)


def batch_of(shape: Any, where: str) -> int | None:
    """The batch axis of a shape, or of the first of several.

    Raises:
        ValueError: there is none.
    """
    if isinstance(shape, dict) and shape:
        shape = next(iter(shape.values()))
    if _is_several(shape):
        return batch_of(shape[0], where)
    first: Any = shape[0] if isinstance(shape, (tuple, list)) and shape else ()
    if first is None:
        return None
    try:
        batch = operator.index(first)
    except TypeError:
        batch = 0
    if batch < 1 or len(shape) == 1:  # a single number is the shape of a sample, with the batch forgotten
        raise ValueError(
            f"{where} must be a tuple with the batch axis in front, as in (None, 8), or a list of such tuples. "
            f"Received: {shape!r}"
        )
    return batch


def _is_several(shape: Any) -> bool:
    return isinstance(shape, (tuple, list)) and bool(shape) and isinstance(shape[0], (tuple, list))


def given_shapes(shapes: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """What `build` and `compute_output_shape` are called with: a shape, a list, or Keras's query_shape, value_shape."""
    found = [shape for shape in (*shapes, *named.values()) if shape is not None]
    return found[0] if len(found) == 1 else found or None


def entrance(build: Callable[..., None]) -> Callable[..., None]:
    """A method `build`: what it says while the layer is being built; called by a user, it builds the layer."""

    @functools.wraps(build)
    def enter(self: Any, *shapes: Any, **named: Any) -> None:
        if self._building:
            build(self, *shapes, **named)
            return
        given = given_shapes(shapes, named)
        self.build_once(None if given is None else without_batch(given, f"{self.name}: input_shape"))

    return enter


class Outward:
    """`input_shape` and `output_shape`: the shape in another attribute, with the batch axis; None before there is one.

    A layer of the user's may have attributes of these names, which then are what it has set.
    """

    def __init__(self, attribute: str) -> None:
        self.attribute = attribute

    def __get__(self, layer: Any, owner: Any = None) -> Any:
        if layer is None:
            return self
        shape = getattr(layer, self.attribute)
        return None if shape is None else with_batch(shape, layer._batch)
