"""fastnn: neural networks on CPUs, fast.  NumPy arrays in and out, Keras's vocabulary.

import fastnn
from fastnn import layers

model = fastnn.Sequential([layers.Input((784,)), layers.Dense(100, activation="relu"), layers.Dense(10)])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .backend import use_backend
from .threads import get_num_threads, num_threads, set_num_threads

if TYPE_CHECKING:
    from . import (
        activations,
        callbacks,
        config,
        constraints,
        data,
        datasets,
        initializers,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        regularizers,
        schedules,
        testing,
        utils,
    )
    from .configuration import show_config
    from .layers import Input
    from .models import Model, Sequential, load_model

# everything else is imported when first asked for: a program that only wants fastnn.ops does not pay for the models
_MODULES = (
    "activations", "callbacks", "config", "constraints", "data", "datasets", "initializers", "layers", "losses",
    "metrics",
    "models", "ops", "optimizers", "regularizers", "schedules", "testing", "utils",
)  # fmt: skip
_NAMES = {
    "Input": "layers",
    "Model": "models",
    "Sequential": "models",
    "load_model": "models",
    "show_config": "configuration",
}

__all__ = [
    "__version__", "use_backend", "get_num_threads", "num_threads", "set_num_threads", "show_config",
    "Input", "Model", "Sequential", "load_model",
    "activations", "callbacks", "config", "constraints", "data", "datasets", "initializers", "layers", "losses",
    "metrics",
    "models", "ops", "optimizers", "regularizers", "schedules", "testing", "utils",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'fastnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
