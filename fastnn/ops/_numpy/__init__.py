"""What keras.ops has beside fastnn's kernels, computed by NumPy: metrics, callbacks and data preparation call it.

`find` looks a name up in the modules of this package. They are imported when the first such name is asked for, and each
names its functions in `__all__`:

    elementwise     exp, add, equal, logical_and ...     by factories, from NumPy's functions
    reductions      sum, mean, argmax, cumsum ...        likewise
    arrays          zeros, reshape, concatenate, sort ...
    core            cast, shape, scatter, slice, while_loop ...
    networks        one_hot, moments, categorical_crossentropy ...
    algebra         linear algebra and Fourier transforms
    special         erf, top_k, segment_sum ...
    image           keras.ops.image

Results have the types that Keras gives (`dtypes`): integers and float32 make float32, a sum of int32 is int32, an
argmax is int32. There are no warnings of NumPy's. What they are for symbolic tensors stands in
fastnn/layers/functions.py; those that are not there are refused, with the name of the layer to call.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.ops import _symbolic

_MODULES = ("elementwise", "reductions", "arrays", "core", "networks", "algebra", "special")
_NAMESPACES = ("linalg", "nn", "numpy")  # in Keras they repeat names of keras.ops

# what to write instead where a model is built from symbolic tensors
_LAYERS = {
    "add": "Add", "subtract": "Subtract", "multiply": "Multiply", "maximum": "Maximum", "minimum": "Minimum",
    "concatenate": "Concatenate", "dot": "Dot", "average": "Average", "reshape": "Reshape", "transpose": "Permute",
    "repeat": "RepeatVector", "einsum": "EinsumDense", "average_pool": "AveragePooling2D", "max_pool": "MaxPooling2D",
    "pad": "ZeroPadding2D", "normalize": "UnitNormalization", "ravel": "Flatten",
}  # fmt: skip


def find(name: str) -> Any:
    """The function, or the namespace, that keras.ops calls `name`; None if it is not here."""
    if name == "image":
        return importlib.import_module(f"{__name__}.image")
    if name in _NAMESPACES:
        return importlib.import_module("fastnn.ops")
    return _functions().get(name)


@functools.cache
def _functions() -> dict[str, Callable[..., Any]]:
    modules = [importlib.import_module(f"{__name__}.{module}") for module in _MODULES]
    return {name: _guarded(name, getattr(module, name)) for module in modules for name in module.__all__}


def names() -> list[str]:
    """All names that `find` knows."""
    return sorted([*_functions(), "image", *_NAMESPACES])


def _guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, without NumPy's warnings; of symbolic tensors it is a layer."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        tensor = _symbolic.among(args, kwargs)
        if tensor is not None:
            return tensor.__fastnn_function__(name, args, kwargs)
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    guarded.__module__ = "fastnn.ops"
    guarded.__name__ = guarded.__qualname__ = name
    return guarded


def symbolic(name: str, value: object) -> TypeError:
    """The error for a symbolic tensor."""
    layer = _LAYERS.get(name)
    instead = f"call layers.{layer}" if layer else "call a layer, or compute it in a layer of your own"
    return TypeError(f"{name} takes arrays, it is no layer: to build a model, {instead}. Received: {value!r}")
