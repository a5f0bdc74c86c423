"""Regularizers: what large weights, or large outputs of a layer, add to the loss; Keras's names, formulas and defaults.

A regularizer gives the penalty and its gradient. Those that look at each element alone tell their coefficients too, so
that the update of the weights can do the work in passing.

Not here: functions as regularizers, because they have no gradient. A regularizer of one's own is a subclass of
`Regularizer` that defines `__call__`, `gradient` and, to be saved, `get_config`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastnn import _overrides, config
from fastnn._errors import unknown
from fastnn._numbers import finite
from fastnn._registry import Registry, from_config

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]

Array: TypeAlias = NDArray[Any]
Self = TypeVar("Self", bound="Regularizer")


class Regularizer:
    """Base class: subclasses define `__call__` and `gradient`, and `get_config` if they have arguments.

    Raises
    ------
    TypeError
        When a class is defined that changes the penalty of its base and not its gradient.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = ("gradient", "coefficients")
        if _overrides.is_above(cls, "__call__", known) and any(
            getattr(cls, name) is not getattr(Regularizer, name) for name in known
        ):
            raise _overrides.never_called(
                cls, "__call__", "training goes by the gradient, which is that of another penalty; define gradient(x), "
                "the derivative of __call__(x), as well"
            )  # fmt: skip
        if _overrides.is_above(cls, "gradient", ("coefficients",)):
            cls.coefficients = Regularizer.coefficients  # type: ignore[method-assign] # computed in Python, as written

    def __call__(self, x: Array) -> float:
        """The penalty for the array x."""
        raise NotImplementedError(f"{type(self).__name__} does not define __call__")

    def gradient(self, x: Array) -> Array:
        """The gradient of the penalty with respect to x, in its shape and dtype."""
        raise NotImplementedError(
            "a regularizer needs `gradient(self, x)`, which returns the gradient of its penalty in the shape of x: "
            f"fastnn does not differentiate Python. Received: {type(self).__name__} without gradient"
        )

    def coefficients(self) -> tuple[float, float] | None:
        """(l1, l2) if the penalty is l1 * sum|x| + l2 * sum x^2, else None."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The keyword arguments that build an equal regularizer."""
        return {}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """The regularizer that `get_config` described."""
        return from_config(cls, config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class L1L2(Regularizer):
    """The absolute values and the squares of all elements.

        penalty  = l1 * sum |x| + l2 * sum x^2
        gradient = l1 * sign(x) + 2 * l2 * x,  sign(0) = 0

    Parameters
    ----------
    l1, l2 : float, optional
        Not negative. None means 0.

    Notes
    -----
    l2 is half of what PyTorch calls weight_decay in its SGD: the gradient of l2 * x^2 has the factor 2. By the *name*
    "l1_l2" both factors are 0.01, as Keras documents; Keras 3 itself makes an L1L2 of two zeros of the name.
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = 0.0 if l1 is None else finite("l1", l1, at_least=0.0)
        self.l2 = 0.0 if l2 is None else finite("l2", l2, at_least=0.0)

    def __call__(self, x: Array) -> float:
        # A factor of 0 means that the sum does not matter, be it infinite.
        penalty = self.l1 * float(np.sum(np.abs(x), dtype=np.float64)) if self.l1 else 0.0
        return penalty + (self.l2 * float(np.sum(np.square(x, dtype=np.float64))) if self.l2 else 0.0)

    def gradient(self, x: Array) -> Array:
        result = np.zeros_like(x)
        if self.l1:
            result += self.l1 * np.sign(x)
        if self.l2:
            result += (2.0 * self.l2) * x
        return result

    def coefficients(self) -> tuple[float, float]:
        return self.l1, self.l2

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """The absolute values of all elements: l1 * sum |x|.

    Parameters
    ----------
    l1 : float, optional
        Not negative. None means 0.01.
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        super().__init__(l1=0.01 if l1 is None else l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """The squares of all elements: l2 * sum x^2, with the gradient 2 * l2 * x.

    Parameters
    ----------
    l2 : float, optional
        Not negative. None means 0.01.
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """How far the rows, or the columns, of a matrix are from being orthogonal to each other.

        penalty = factor * mean over all pairs i < j of |u_i . u_j|,  u_i = x_i / |x_i|

    Parameters
    ----------
    factor : float
        Not negative.
    mode : {"rows", "columns"}

    Notes
    -----
    The gradient takes |0|' = 0. As in Keras, a row shorter than `fastnn.config.epsilon()` is divided by that instead of
    its length. A single row has no pairs and no penalty; Keras gives NaN.
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = finite("factor", factor, at_least=0.0)
        if mode not in ("rows", "columns"):
            raise unknown("mode", mode, ("rows", "columns"))
        self.mode = mode

    def __call__(self, x: Array) -> float:
        units, _ = self._units(x)
        return 0.5 * self._weight(units) * float(np.sum(np.abs(self._products(units)), dtype=np.float64))

    def gradient(self, x: Array) -> Array:
        units, lengths = self._units(x)
        of_units = self._weight(units) * (np.sign(self._products(units)) @ units)
        # Along itself a row only changes its length, which does not matter.
        along = np.sum(of_units * units, axis=1, keepdims=True) * units
        of_rows = np.where(lengths > config.epsilon(), of_units - along, of_units)
        result = (of_rows / np.maximum(lengths, config.epsilon())).astype(x.dtype, copy=False)
        return result if self.mode == "rows" else np.ascontiguousarray(result.T)

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}

    def _units(self, x: Array) -> tuple[Array, Array]:
        """The rows, or the columns as rows, of length 1; and their lengths."""
        if np.ndim(x) != 2:
            raise ValueError(f"OrthogonalRegularizer is for matrices. Received: shape={np.shape(x)}")
        rows = x if self.mode == "rows" else x.T
        lengths = np.sqrt(np.sum(np.square(rows), axis=1, keepdims=True))
        return rows / np.maximum(lengths, config.epsilon()), lengths

    def _products(self, units: Array) -> Array:
        products: Array = units @ units.T
        np.fill_diagonal(products, 0.0)
        return products

    def _weight(self, units: Array) -> float:
        """factor / the number of pairs."""
        pairs = len(units) * (len(units) - 1) / 2
        return self.factor / pairs if pairs else 0.0


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


def get(identifier: object) -> Regularizer | None:
    """The regularizer that `identifier` means.

    Parameters
    ----------
    identifier : str, class, instance, dict or None
        "l2", L2, L2(0.001), {"class_name": "L2", "config": {"l2": 0.001}}; None gives None.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest match), and for everything else.
    """
    if identifier is None:
        return None
    if isinstance(identifier, str) and _registry.find(identifier) is L1L2:
        return L1L2(0.01, 0.01)
    return _registry.make(identifier)


def serialize(regularizer: Regularizer) -> dict[str, Any]:
    """The dictionary from which `deserialize` builds an equal regularizer."""
    return _registry.serialize(regularizer)


def deserialize(config: Mapping[str, Any]) -> Regularizer:
    """The regularizer that `serialize` described."""
    return _registry.make(config)


_registry: Registry[Regularizer] = Registry("regularizer", Regularizer, (L1, L2, L1L2, OrthogonalRegularizer), {})
