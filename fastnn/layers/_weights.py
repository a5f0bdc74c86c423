"""Arguments that belong to a weight: its initializer, regularizer and constraint, under Keras's names.

A layer with a weight "kernel" has the arguments kernel_initializer, kernel_regularizer and kernel_constraint, and
attributes and a config of these names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from fastnn import constraints, initializers, regularizers
from fastnn.engine.arena import Parameter

from .base import Layer, Shape, described, regularizer

PENALTIES: tuple[tuple[str, ModuleType], ...] = (("regularizer", regularizers), ("constraint", constraints))


class Arguments(NamedTuple):
    """What a layer was told about one weight."""

    initializer: Any
    regularizer: Any = None
    constraint: Any = None


def take(layer: Layer, given: Mapping[str, Arguments]) -> None:
    """Set the attributes of each weight, by the name that its arguments begin with."""
    for name, arguments in given.items():
        setattr(layer, f"{name}_initializer", initializers.get(arguments.initializer))
        setattr(layer, f"{name}_regularizer", regularizer(arguments.regularizer))
        setattr(layer, f"{name}_constraint", constraints.get(arguments.constraint))


def add(layer: Layer, name: str, shape: Shape, weight: str | None = None) -> Parameter:
    """The weight whose arguments begin with `name`; its own name is the same unless given."""
    return layer.add_weight(
        weight or name, shape, getattr(layer, f"{name}_initializer"),
        regularizer=getattr(layer, f"{name}_regularizer"), constraint=getattr(layer, f"{name}_constraint"),
    )  # fmt: skip


def config(layer: Layer, names: Sequence[str]) -> dict[str, Any]:
    """The arguments of these weights, as a config has them; no regularizer and no constraint are left out."""
    found = {f"{name}_initializer": initializers.serialize(getattr(layer, f"{name}_initializer")) for name in names}
    for kind, module in PENALTIES:
        for argument in (f"{name}_{kind}" for name in names):
            thing = getattr(layer, argument)
            if thing is not None:
                found[argument] = described(module, thing, layer.name)
    return found
