"""Attributes of layers that are set after the layer has been made: `layer.activation = "tanh"`, `dropout.rate = 0.5`.

What is an argument of the constructor means the same as if the layer had been made with it: it is checked and converted
by the constructor, and it counts from the next step on, for programs that exist are made anew.  What would change the
shape of the output or of a weight is refused once the layer is built.

Layers that users write in Python keep what they are given; their methods see it in the next step.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from fastnn import activations
from fastnn.activations import ActivationSpec
from fastnn.engine.arena import Parameter, drawn_later

if TYPE_CHECKING:
    from .base import Layer


class Changes:
    """Counts the changes of all layers: what has been made before the last one may be out of date."""

    count = 0


class Settable:
    """The part of `Layer` that sets attributes."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, see the module.

        Raises:
            TypeError, ValueError: the constructor would not take the value, or weights and shapes would be others.
        """
        old = self.__dict__.get(name)
        if isinstance(old, ActivationSpec) and type(self).__module__.startswith("fastnn."):
            value = activations.get(value)
        built = self.__dict__.get("_known_shapes", (None, None))[1] is not None
        if not built or name not in _arguments(type(self)) or name in _OWN:  # type: ignore[arg-type]
            super().__setattr__(name, value)
            return
        if value is old and name in self.__dict__:
            return
        Changes.count += 1
        if type(self).__module__.startswith("fastnn."):
            _change(self, name, value)  # type: ignore[arg-type]
        else:
            super().__setattr__(name, value)


# What has ways of its own: names, weights and shapes.
_OWN = ("name", "trainable", "input_shape", "output_shape", "weights")


@functools.cache
def _arguments(kind: type[Layer]) -> frozenset[str]:
    return frozenset(kind._arguments())


def _change(layer: Layer, name: str, value: Any) -> None:
    """Let a layer be as if it had been made with this value of an argument."""
    kind, config = type(layer), layer.get_config()
    if name not in config and not hasattr(layer, name):
        object.__setattr__(layer, name, value)
        return
    with drawn_later():
        before, after, built = (kind.from_config({**config, **new}) for new in ({}, {name: value}, {name: value}))
        try:
            built.build_once(layer.shape_in)  # type: ignore[arg-type]
            shapes = built.shape_out, [parameter.shape for parameter in built.weights]
        except (TypeError, ValueError):
            shapes = None, []
    if shapes != (layer.shape_out, [parameter.shape for parameter in layer.weights]) or _within(after, name):
        raise ValueError(
            f"{layer.name}: {name} cannot change once the layer is built: its weights or its output would be others. "
            f"Received: {value!r}"
        )
    for attribute, new in vars(after).items():
        if not (_same(new, vars(before).get(attribute)) or _is_part(new)):
            object.__setattr__(layer, attribute, new)
    for parameter, other in zip(layer.weights, built.weights):
        parameter.regularizer, parameter.constraint = other.regularizer, other.constraint


def _within(layer: Layer, name: str) -> bool:
    return _is_part(vars(layer).get(name))


def _is_part(value: Any) -> bool:
    """Whether this is a layer or a weight, or several of them."""
    if isinstance(value, (list, tuple)):
        return any(map(_is_part, value))
    return isinstance(value, (Settable, Parameter))


def _same(a: Any, b: Any) -> bool:
    try:
        return a is b or (type(a) is type(b) and bool(a == b))
    except ValueError:  # arrays
        return False
