"""Layers that remember from batch to batch, and what must not show in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .graph import Graph


def every_layer(graph: Graph) -> Iterator[Any]:
    """The layers of a graph and those within them."""
    waiting: list[Any] = [node.layer for node in graph.nodes]
    while waiting:
        layer = waiting.pop()
        yield layer
        waiting.extend(getattr(layer, "_adopted", ()))


@contextmanager
def states_aside(graph: Graph) -> Iterator[None]:
    """Around plans that are not those of a training or prediction: layers begin with zeros, and get theirs back."""
    kept = [(layer, layer.states) for layer in every_layer(graph) if getattr(layer, "stateful", False)]
    for layer, _ in kept:
        layer.states = None
    try:
        yield
    finally:
        for layer, states in kept:
            layer.states = states
