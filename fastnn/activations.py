"""Activations by name: what `activation="relu"` or `activation=activations.relu` means to a layer.

Names, aliases, parameters and their defaults are Keras's ("leaky_relu" has a `negative_slope` of 0.2 here, and an
`alpha` of 0.01 in fastnn.ops, where the functions on arrays are).  Every activation is an attribute of this module; it
can be called with an array, and with parameters: `activations.relu(x, negative_slope=0.1, max_value=6)`.  A layer takes
one with parameters as `activations.get({"class_name": "elu", "config": {"alpha": 0.5}})` or
`activations.elu.with_parameters(alpha=0.5)`.

Those that work along an axis take it in such a call, `activations.softmax(x, axis=1)`; in a layer it is the last one.

Differs from Keras: `threshold` has defaults (0 and 0), parameters out of their range are refused, and what Keras
leaves to NaN at infinities has its limit.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fastnn import ops
from fastnn._errors import unknown
from fastnn.ops.activations import ROWS
from fastnn.ops.gates import GATES
from fastnn.ops.registry import Parameter, parameters


class ActivationSpec(NamedTuple):
    """What a layer has to know of an activation; called with an array, it computes.

    name: the public name.  row: the table row, or "" for those of ROW_WISE, which work along the last axis.
    keeps: "x" or "y", what the backward pass needs.  params: the row's parameters.
    """

    name: str
    row: str
    keeps: str
    params: tuple[float, ...] = ()

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.row:
            return getattr(ops, self.name)(x, **_along(self, args, kwargs))
        if args or kwargs:
            return self.with_parameters(*args, **kwargs)(x)
        return getattr(ops, self.name)(x, **_values(self))

    def with_parameters(self, *args: Any, **kwargs: Any) -> ActivationSpec:
        """This activation with parameters, in Keras's order or by Keras's names.

        Raises:
            TypeError: more of them than there are, or what is no number.
            ValueError: a name is unknown (the message offers the nearest one), or a value is out of its range.
        """
        return _with(self, _by_name(self, args, kwargs))

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __signature__(self) -> inspect.Signature:
        either = inspect.Parameter.POSITIONAL_OR_KEYWORD
        taken = [inspect.Parameter(name, either, default=value) for name, value in _signature(self).items()]
        return inspect.Signature([inspect.Parameter("x", either), *taken])


# Other names of the same activations: Keras's, and those of the lecture notes and of NumPy.
ALIASES = {
    "linear": "identity",
    "swish": "silu",
    "hard_swish": "hard_silu",
    "unit_step": "heaviside",
    "signum": "sign",
    "atan": "arctan",
    "sin": "sinusoid",
}
# Keras's names and defaults where those of fastnn.ops differ.
KERAS_NAMES = {"leaky_relu": {"alpha": "negative_slope"}}
KERAS_DEFAULTS: dict[str, tuple[float, ...]] = {"leaky_relu": (0.2,)}
ROW_WISE = ("softmax", "log_softmax", "softmin", "sparsemax", *GATES)  # gates halve the last axis

LINEAR = ActivationSpec("identity", "identity", "y")


# --------------------------------------------------------------------------------------- parameters under Keras's names


def _taken(row: str) -> dict[str, Parameter]:
    """The parameters that the function in fastnn.ops takes (the others belong to the backward pass alone)."""
    return parameters(ROWS[row].forward) if row else {}


def _values(spec: ActivationSpec) -> dict[str, float]:
    """The values of those parameters."""
    row = dict(zip(ROWS[spec.row].params, spec.params)) if spec.row else {}
    return {name: row[name] for name in _taken(spec.row)}


def _keras_values(spec: ActivationSpec) -> dict[str, Any]:
    """The values by Keras's names; None stands for infinity, which JSON does not have."""
    renamed = KERAS_NAMES.get(spec.name, {})
    return {renamed.get(name, name): None if value == math.inf else value for name, value in _values(spec).items()}


def _signature(spec: ActivationSpec) -> dict[str, Any]:
    """Keras's parameters of an activation, with their defaults or what they are set to."""
    if not spec.row:
        return {"axis": -1}
    if spec == _named(spec.name) and spec.name in _FORMS:
        return {name: p.default for name, p in inspect.signature(_FORMS[spec.name]).parameters.items()}
    return _keras_values(spec)


def _by_name(spec: ActivationSpec, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by name, of which some were given by position."""
    names = list(_signature(spec))
    if len(args) > len(names) or any(name in kwargs for name in names[: len(args)]):
        raise TypeError(f"{spec.name}: expected at most the parameters {names}, each once. Received: {args} {kwargs}")
    return {**dict(zip(names, args)), **kwargs}


def _along(spec: ActivationSpec, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The axis of one of ROW_WISE; the function in fastnn.ops knows which there are."""
    given = _by_name(spec, args, kwargs)
    for name in given:
        if name != "axis":
            raise unknown(f"parameter of {spec.name}", name, ["axis"])
    return given


def _with(spec: ActivationSpec, given: Mapping[str, Any]) -> ActivationSpec:
    """The activation with the parameters given by Keras's names, or those of fastnn.ops."""
    if not given:
        return spec
    if not spec.row:
        axis = _along(spec, (), given)["axis"]
        if isinstance(axis, bool) or axis != -1:
            raise ValueError(f"{spec.name}: in a layer the axis is the last one, -1. Received: axis={axis!r}")
        return spec
    known = _signature(spec)
    own = {keras: name for name, keras in KERAS_NAMES.get(spec.name, {}).items()}
    for name in given:
        if name not in known and name not in own.values():
            raise unknown(f"parameter of {spec.name}", name, known)
    if spec == _named(spec.name) and spec.name in _FORMS:
        return _FORMS[spec.name](**given)
    values = dict(zip(ROWS[spec.row].params, spec.params))
    for name, value in given.items():
        parameter = own.get(name, name)
        values[parameter] = math.inf if value is None and _taken(spec.row)[parameter].default == math.inf else value
    getattr(ops, spec.row)(0.0, **{name: values[name] for name in _taken(spec.row)})  # knows what they may be
    return spec._replace(params=tuple(map(float, values.values())))


# Activations whose parameters choose between rows: functions with Keras's signature.


def _relu(negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> ActivationSpec:
    given = {"negative_slope": negative_slope, "max_value": max_value, "threshold": threshold}
    general = _with(_named("rectifier"), given)
    return _named("relu") if general == _named("rectifier") else general


def _gelu(approximate: bool = False) -> ActivationSpec:
    ops.gelu(0.0, approximate=approximate)  # refuses what is no bool
    return _named("gelu_tanh" if approximate else "gelu")


_FORMS: dict[str, Callable[..., ActivationSpec]] = {"relu": _relu, "gelu": _gelu}


# ----------------------------------------------------------------------------------------------------------- by name


def get(identifier: object) -> ActivationSpec:
    """The activation that a layer argument names.

    Parameters:
        identifier: a name or alias; an activation of this module; a function of fastnn.ops, with its defaults; a
            dictionary {"class_name": name, "config": parameters}; a layer without weights such as LeakyReLU(0.1); or
            None for the identity.

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
    spec = getattr(identifier, "spec", None)
    if isinstance(spec, ActivationSpec):  # of a layer
        return spec
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
    if name == "function" and isinstance(config, str):  # Keras's form for an activation by name
        return _named(config)
    if not isinstance(name, str) or not isinstance(config, Mapping):
        raise ValueError(f"activation: expected class_name and config. Received: {dict(identifier)!r}")
    return _with(_named(name), config)


def serialize(spec: ActivationSpec) -> str | dict[str, Any]:
    """What `get` turns into an equal specification: the name, with the parameters where they are not the default."""
    name = "linear" if spec.name == "identity" else spec.name
    if spec == _named(name):
        return name
    return {"class_name": name, "config": _keras_values(spec)}


def deserialize(config: str | Mapping[str, Any]) -> ActivationSpec:
    """The inverse of `serialize`."""
    return get(config)


def __getattr__(name: str) -> ActivationSpec:
    if name in ROWS or name in ROW_WISE or name in ALIASES:
        return _named(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *ROWS, *ROW_WISE, *ALIASES])
