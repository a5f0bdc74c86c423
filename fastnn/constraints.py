"""Constraints: what weights are put back to after each update; Keras's names, formulas and defaults.

A constraint is a function from the weights to the weights that are nearest to them, in some sense, among the allowed.
The norms are Euclidean, taken along `axis`: 0 for the (inputs, outputs) of a dense layer, [0, 1, 2] for the (height,
width, inputs, outputs) of a convolution give one norm for each unit.

As in Keras, a division by a norm adds `fastnn.config.epsilon()` to it, so that even allowed weights shrink by a few
parts in ten million.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from fastnn import config
from fastnn._custom_objects import describe_function, is_registered, named_function
from fastnn._numbers import finite, whole
from fastnn._registry import Registry, from_config

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]

Array: TypeAlias = NDArray[Any]
Axis: TypeAlias = "int | Sequence[int]"
Self = TypeVar("Self", bound="Constraint")


class Constraint:
    """Base class: subclasses define `__call__`, and `get_config` if they have arguments."""

    def __call__(self, w: Array) -> Array:
        """The allowed weights for the weights w, in a new array of its shape and dtype."""
        raise NotImplementedError(f"{type(self).__name__} does not define __call__")

    def get_config(self) -> dict[str, Any]:
        """The keyword arguments that build an equal constraint."""
        return {}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """The constraint that `get_config` described."""
        return from_config(cls, config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class NonNeg(Constraint):
    """No element below 0: max(w, 0)."""

    def __call__(self, w: Array) -> Array:
        return np.maximum(w, 0)


class _Norm(Constraint):
    """One whose subject is the norm along some axes."""

    def __init__(self, axis: Axis) -> None:
        self.axis: int | list[int]
        if isinstance(axis, Sequence) and not isinstance(axis, str):
            self.axis = [whole("axis", item, at_least=-64) for item in axis]
        else:
            self.axis = whole("axis", axis, at_least=-64)

    def _norms(self, w: Array) -> Array:
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        return np.sqrt(np.sum(np.square(w), axis=axis, keepdims=True))


class UnitNorm(_Norm):
    """Every norm is 1: w / (|w| + epsilon).

    Parameters
    ----------
    axis : int or sequence of int
    """

    def __init__(self, axis: Axis = 0) -> None:
        super().__init__(axis)

    def __call__(self, w: Array) -> Array:
        return w / (config.epsilon() + self._norms(w))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MaxNorm(_Norm):
    """No norm above max_value: w * min(|w|, max_value) / (|w| + epsilon).

    Parameters
    ----------
    max_value : float
        Not negative.
    axis : int or sequence of int

    References
    ----------
    N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 2014, section 5.1.
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        self.max_value = finite("max_value", max_value, at_least=0.0)
        super().__init__(axis)

    def __call__(self, w: Array) -> Array:
        norms = self._norms(w)
        return w * (np.minimum(norms, self.max_value) / (config.epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class MinMaxNorm(_Norm):
    """Every norm between two bounds, or on the way there.

        w * (rate * clip(|w|, min_value, max_value) + (1 - rate) * |w|) / (|w| + epsilon)

    Parameters
    ----------
    min_value, max_value : float
        Not negative, in this order.
    rate : float
        From 0 to 1: the part of the way that one call goes.
    axis : int or sequence of int
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0) -> None:
        self.min_value = finite("min_value", min_value, at_least=0.0)
        self.max_value = finite("max_value", max_value, at_least=0.0)
        if self.max_value < self.min_value:
            raise ValueError(
                f"max_value must not be less than min_value. Received: min_value={min_value!r}, max_value={max_value!r}"
            )
        self.rate = finite("rate", rate, at_least=0.0, at_most=1.0)
        super().__init__(axis)

    def __call__(self, w: Array) -> Array:
        norms = self._norms(w)
        desired = self.rate * np.clip(norms, self.min_value, self.max_value) + (1.0 - self.rate) * norms
        return w * (desired / (config.epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm


def get(identifier: object) -> Constraint | Callable[[Array], Array] | None:
    """The constraint that `identifier` means.

    Parameters
    ----------
    identifier : str, class, instance, dict, callable or None
        "max_norm", MaxNorm, MaxNorm(3), {"class_name": "MaxNorm", "config": {"max_value": 3}}; a function of the
        weights is taken as it is; None gives None.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest match), and for everything else.
    """
    if identifier is None:
        return None
    identifier = named_function(identifier)
    if callable(identifier) and not isinstance(identifier, (type, Constraint)):
        return cast("Callable[[Array], Array]", identifier)
    return _registry.make(identifier)


def serialize(constraint: object) -> dict[str, Any]:
    """The dictionary from which `deserialize` builds an equal constraint.

    Raises
    ------
    ValueError
        If it is neither a Constraint nor a function that is registered (fastnn.saving): others have no config.
    """
    if callable(constraint) and not isinstance(constraint, (type, Constraint)) and is_registered(constraint):
        return describe_function(constraint)
    if not isinstance(constraint, Constraint):
        raise ValueError(f"Only an instance of Constraint can be serialized. Received: {constraint!r}")
    return _registry.serialize(constraint)


def deserialize(config: Mapping[str, Any]) -> Constraint | Callable[[Array], Array] | None:
    """The constraint that `serialize` described."""
    return get(config)


_registry: Registry[Constraint] = Registry("constraint", Constraint, (MaxNorm, NonNeg, UnitNorm, MinMaxNorm), {})
