"""Activations by name: what `activation="relu"` means to a layer.

Names, aliases and default parameters are Keras's ("leaky_relu" has slope 0.2 there, "linear" is `identity` here).  The
functions themselves, on arrays, are in fastnn.ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastnn import ops
from fastnn._errors import unknown
from fastnn.ops.activations import ROWS


class ActivationSpec(NamedTuple):
    """What a layer has to know of an activation.

    name: the public name.  row: the table row, or "" for the row-wise `softmax` and `log_softmax`.
    keeps: "x" or "y", what the backward pass needs.  params: the row's parameters.
    """

    name: str
    row: str
    keeps: str
    params: tuple[float, ...] = ()


ALIASES = {"linear": "identity", "swish": "silu"}
KERAS_DEFAULTS: dict[str, tuple[float, ...]] = {"leaky_relu": (0.2,)}
ROW_WISE = ("softmax", "log_softmax")

LINEAR = ActivationSpec("identity", "identity", "y")


def get(identifier: str | Callable[..., Any] | ActivationSpec | None) -> ActivationSpec:
    """The activation that a layer argument names.

    Parameters:
        identifier: a name or alias, a function of fastnn.ops, or None for the identity.

    Raises:
        ValueError: the name is unknown; the message offers the nearest one.
        TypeError: neither a name nor a function of fastnn.ops.
    """
    if identifier is None:
        return LINEAR
    if isinstance(identifier, ActivationSpec):
        return identifier
    if callable(identifier):
        name = getattr(identifier, "__name__", "")
        if getattr(ops, name, None) is not identifier or not (name in ROWS or name in ROW_WISE):
            raise TypeError(f"activation: expected a name or an activation of fastnn.ops. Received: {identifier!r}")
        row = ROWS.get(name)
        return ActivationSpec(name, name, row.keeps, row.defaults) if row else ActivationSpec(name, "", "y")
    if not isinstance(identifier, str):
        raise TypeError(f"activation: expected a name or an activation of fastnn.ops. Received: {identifier!r}")
    name = ALIASES.get(identifier, identifier)
    if name in ROW_WISE:
        return ActivationSpec(name, "", "y")
    if name not in ROWS:
        raise unknown("activation", identifier, [*ROWS, *ROW_WISE, *ALIASES])
    return ActivationSpec(name, name, ROWS[name].keeps, KERAS_DEFAULTS.get(name, ROWS[name].defaults))


def serialize(spec: ActivationSpec) -> str:
    """The name that `get` turns into an equal specification."""
    return "linear" if spec.name == "identity" else spec.name
