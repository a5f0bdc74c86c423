"""Functions of symbolic tensors: while a model is strung together, `ops.relu(t)` is a layer.

The tensors are made further up (fastnn/layers/tensors.py) and say by a method of their own what they become.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def traced(name: str, x: Any, out: Any, axis: Any = -1, params: tuple[float, ...] = ()) -> Any:
    """What a symbolic tensor x gives for the activation of this name; None for everything else.

    Raises:
        ValueError: there is memory for the result.
    """
    tensor = symbol(x)
    if tensor is None:
        return None
    if out is not None:
        raise ValueError(f"{name}: a symbolic tensor has no memory to write to; expected out=None. Received: {out!r}")
    return tensor.__fastnn_activated__(name, params, axis)


def symbol(x: Any) -> Any:
    """The symbolic tensor that x is, or that stands for a weight while `call` of a layer is traced; else None."""
    find = getattr(x, "__fastnn_symbol__", None)
    return None if find is None else find()


def among(args: Iterable[Any], kwargs: Mapping[str, Any]) -> Any:
    """The first symbolic tensor among the arguments of a function, also in lists; None if there is none."""
    for given in (*args, *kwargs.values()):
        for value in given if type(given) in (list, tuple) else (given,):
            tensor = symbol(value)
            if tensor is not None:
                return tensor
    return None


def called(name: str, *args: Any) -> Any:
    """What a function gives, if there is a symbolic tensor among its arguments; else None."""
    tensor = among(args, {})
    return None if tensor is None else tensor.__fastnn_function__(name, args, {})
