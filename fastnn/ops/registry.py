"""Every public array function, described so that tests, benchmarks and documentation can walk them.

A function enters by the decorator `operation`, the functions of the table rows by their generators.  What the compiled
tables say (row, what backward keeps, parameters) and what the reference says (defaults, constraints, documentation)
meets here; nothing is stated a second time.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin

import numpy as np
import numpy.typing as npt

from fastnn._errors import unknown

__all__ = ["Arguments", "Operation", "Parameter", "operation", "operations", "sample_arguments"]

KINDS = (
    "activation",
    "activation_backward",
    "activation_grad",
    "learned",
    "learned_backward",
    "rows",
    "dense",
    "convolution",
    "pooling",
    "normalization",
    "recurrent",
    "attention",
    "loss",
    "random",
    "optimizer",
    "clipping",
)


class Arguments(NamedTuple):
    """Arguments of one call: `function(*args, **kwargs)`."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


Sample = Callable[[tuple[int, ...], np.dtype[Any], np.random.Generator], Arguments]


class Parameter(NamedTuple):
    """A numeric parameter of a table row: its default, and the constraint on it such as ">= 0" or ""."""

    name: str
    default: float
    constraint: str


@dataclass(frozen=True)
class Operation:
    """One public function of fastnn.ops.

    Attributes:
        name: the function's name in fastnn.ops.
        function: the function.
        kind: one of KINDS.
        sample: makes arguments of a given shape and dtype, see `sample_arguments`.
        row: the table row behind it, or None.
        keeps: "x" or "y", what the backward function of an activation wants; else None.
        params: the row's parameters that the function takes.
        reference: the NumPy function that states the same formula, or None where several together do.
        backward: the name of the operation that computes its gradient, or None.
        writes: names of the arguments that are updated in place.
    """

    name: str
    function: Callable[..., Any]
    kind: str
    sample: Sample
    row: str | None = None
    keeps: str | None = None
    params: tuple[Parameter, ...] = ()
    reference: Callable[..., Any] | None = None
    backward: str | None = None
    writes: tuple[str, ...] = ()

    @property
    def takes_out(self) -> bool:
        """Whether the result can be written into `out`."""
        return "out" in inspect.signature(self.function).parameters


_operations: dict[str, Operation] = {}
F = TypeVar("F", bound=Callable[..., Any])


def operation(kind: str, sample: Sample, **description: Any) -> Callable[[F], F]:
    """Enter a function into the registry; the fields of `Operation` by name."""

    def enter(function: F) -> F:
        entry = Operation(function.__name__, function, kind, sample, **description)
        if kind not in KINDS or entry.name in _operations:
            raise ValueError(f"operation: expected a new name and a kind of {KINDS}. Received: {entry.name}, {kind}")
        _operations[entry.name] = entry
        return function

    return enter


def operations(kind: str | None = None) -> tuple[Operation, ...]:
    """All operations, or those of one kind, in the order of their definition.

    Raises:
        ValueError: no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise unknown("kind of operation", kind, KINDS)
    return tuple(entry for entry in _operations.values() if kind in (None, entry.kind))


def find(name: str) -> Operation:
    """The operation of that name.

    Raises:
        ValueError: no such operation; the message names the nearest one.
    """
    if name not in _operations:
        raise unknown("operation", name, _operations)
    return _operations[name]


def sample_arguments(
    op: Operation | str,
    shape: tuple[int, ...] = (32, 64),
    dtype: npt.DTypeLike = np.float32,
    rng: np.random.Generator | int = 0,
) -> Arguments:
    """Arguments that the operation accepts, for tests and benchmarks.

    Parameters:
        op: an operation or its name.
        shape: shape of the main array (samples, features).
        dtype: float32 or float64.
        rng: generator of the values, or a seed.

    Returns:
        Arguments(args, kwargs): call as `op.function(*args, **kwargs)`; arrays are fresh, so functions that work in
        place can have them.
    """
    entry = find(op) if isinstance(op, str) else op
    return entry.sample(tuple(shape), np.dtype(dtype), np.random.default_rng(rng))


def parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The numeric parameters in a reference function's signature: those with a default that may
    be given by position."""
    return {
        name: Parameter(name, float(parameter.default), _constraint(function, parameter.annotation))
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY
    }


def row_parameters(names: tuple[str, ...], *functions: Callable[..., Any]) -> dict[str, Parameter]:
    """The parameters of a table row, in its order, as its reference functions state them.

    Raises:
        TypeError: a parameter of the table stands in no signature, or a signature has one that the table lacks.
    """
    found = {name: parameter for function in functions for name, parameter in parameters(function).items()}
    if set(found) != set(names):
        where = functions[0].__name__
        raise TypeError(f"{where}: the table row has the parameters {names}. Received: {tuple(found)}")
    return {name: found[name] for name in names}


def _constraint(function: Callable[..., Any], annotation: Any) -> str:
    """What an annotation such as NonNegative says; typing.get_type_hints would evaluate all of them, and slowly."""
    if isinstance(annotation, str):
        annotation = getattr(sys.modules[function.__module__], annotation, None)
    return str(get_args(annotation)[1]) if get_origin(annotation) is Annotated else ""


def twins(module: Any, *names: str) -> list[Callable[..., Any]]:
    """The reference functions of those names.

    Raises:
        ImportError: one is missing; every table row needs its twin.
    """
    for name in names:
        if not hasattr(module, name):
            raise ImportError(
                f"{module.__name__}: expected {name}, the twin of a table row. Received: no such function"
            )
    return [getattr(module, name) for name in names]
