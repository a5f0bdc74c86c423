"""Data that come in batches: iterables and generators of x, (x, y) or (x, y, sample_weight)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from .data import is_array_like


class Batch(NamedTuple):
    """One item of an iterable of batches."""

    x: Any
    y: Any = None
    weights: Any = None


def batches(source: Iterable[Any], where: str) -> Iterator[Batch]:
    """The batches of an iterable.

    Raises:
        TypeError: not an iterable.
        ValueError: an item is something else than a batch.
    """
    try:
        items = iter(source)
    except TypeError:
        raise TypeError(f"{where}: expected arrays or an iterable of batches. Received: {source!r}") from None
    # what is only indexed may know no end
    return (_batch(item, where) for item in islice(items, known_length(source)))


def known_length(source: Any) -> int | None:
    """How many batches an iterable has, if it says so."""
    return len(source) if hasattr(source, "__len__") else None


def _batch(item: Any, where: str) -> Batch:
    if not isinstance(item, tuple):
        batch = Batch(item)
    elif 1 <= len(item) <= 3:
        batch = Batch(*item)
    else:
        raise ValueError(f"{where}: batches must be (x, y) or (x, y, sample_weight). Received: {len(item)} items")
    if not is_array_like(batch.x):
        raise TypeError(f"{where}: batches must hold arrays. Received: x of type {type(batch.x).__name__}")
    return batch
