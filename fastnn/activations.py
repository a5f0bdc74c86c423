"""Activations by name: what `activation="relu"` or `activation=activations.relu` means to a layer.

Names, aliases and default parameters are Keras's ("leaky_relu" has slope 0.2 here and 0.01 in fastnn.ops, where the
functions on arrays are).  Every activation is an attribute of this module and can be called with an array.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fastnn import ops
from fastnn._errors import unknown
from fastnn.ops.activations import ROWS
from fastnn.ops.gates import GATES


class ActivationSpec(NamedTuple):
    """What a layer has to know of an activation; called with an array, it computes.

    name: the public name.  row: the table row, or "" for those of ROW_WISE, which work along the last axis.
    keeps: "x" or "y", what the backward pass needs.  params: the row's parameters.
    """

    name: str
    row: str
    keeps: str
    params: tuple[float, ...] = ()

    def __call__(self, x: Any) -> Any:
        function = getattr(ops, self.name)
        return function(x, **_public(self)) if self.row else function(x)


ALIASES = {"linear": "identity", "swish": "silu"}
KERAS_DEFAULTS: dict[str, tuple[float, ...]] = {"leaky_relu": (0.2,)}
ROW_WISE = ("softmax", "log_softmax", "softmin", "sparsemax", *GATES)  # gates halve the last axis

LINEAR = ActivationSpec("identity", "identity", "y")


def _public(spec: ActivationSpec) -> dict[str, float]:
    """The parameters that the function in fastnn.ops takes (the others belong to the backward pass alone)."""
    taken = {parameter.name for parameter in ops.registry.find(spec.name).params}
    return {name: value for name, value in zip(ROWS[spec.row].params, spec.params) if name in taken}


def get(identifier: object) -> ActivationSpec:
    """The activation that a layer argument names.

    Parameters:
        identifier: a name or alias; an activation of this module; a function of fastnn.ops, with its defaults; a
            dictionary {"class_name": name, "config": parameters}; or None for the identity.

    Raises:
        ValueError: the name or a parameter is unknown; the message offers the nearest one.
        TypeError: nothing of all that.
    """
    if identifier is None:
        return LINEAR
    if isinstance(identifier, ActivationSpec):
        return identifier
    if isinstance(identifier, str):
        return _named(identifier)
    if isinstance(identifier, Mapping):
        return _configured(identifier)
    name = getattr(identifier, "__name__", "")
    if getattr(ops, name, None) is not identifier or not (name in ROWS or name in ROW_WISE):
        raise TypeError(f"activation: expected a name or an activation of fastnn.ops. Received: {identifier!r}")
    spec = _named(name)
    return spec._replace(params=ROWS[name].defaults) if spec.row else spec


def _named(identifier: str) -> ActivationSpec:
    name = ALIASES.get(identifier, identifier)
    if name in ROW_WISE:
        return ActivationSpec(name, "", "y")
    if name not in ROWS:
        raise unknown("activation", identifier, [*ROWS, *ROW_WISE, *ALIASES])
    return ActivationSpec(name, name, ROWS[name].keeps, KERAS_DEFAULTS.get(name, ROWS[name].defaults))


def _configured(identifier: Mapping[str, Any]) -> ActivationSpec:
    name, config = identifier.get("class_name"), identifier.get("config", {})
    if not isinstance(name, str) or not isinstance(config, Mapping):
        raise ValueError(f"activation: expected class_name and config. Received: {dict(identifier)!r}")
    spec = _named(name)
    params = dict(zip(ROWS[spec.row].params, spec.params)) if spec.row else {}
    for key, value in config.items():
        if key not in params:
            raise unknown(f"parameter of {name}", key, params)
        params[key] = float(value)
    spec = spec._replace(params=tuple(params.values()))
    spec(0.0)  # the function knows which values its parameters may have
    return spec


def serialize(spec: ActivationSpec) -> str | dict[str, Any]:
    """What `get` turns into an equal specification: the name, with the parameters where they are not the default."""
    name = "linear" if spec.name == "identity" else spec.name
    if spec == _named(name):
        return name
    return {"class_name": name, "config": dict(zip(ROWS[spec.row].params, spec.params))}


def __getattr__(name: str) -> ActivationSpec:
    if name in ROWS or name in ROW_WISE or name in ALIASES:
        return _named(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *ROWS, *ROW_WISE, *ALIASES])
