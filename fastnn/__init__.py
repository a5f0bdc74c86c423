"""fastnn: neural networks on CPUs, fast.  NumPy arrays in and out, Keras's vocabulary.

import fastnn
from fastnn import layers

model = fastnn.Sequential([layers.Input((784,)), layers.Dense(100, activation="relu"), layers.Dense(10)])
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import _keras
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
        ensembles,
        initializers,
        lab,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        preprocessing,
        random,
        regularizers,
        saving,
        schedules,
        search,
        testing,
        unsupervised,
        utils,
    )
    from .configuration import show_config
    from .initializers import Initializer
    from .layers import Input, Layer
    from .losses import Loss
    from .metrics import Metric
    from .models import Model, Sequential, load_model
    from .models.explaining import explain
    from .optimizers import Optimizer
    from .regularizers import Regularizer

# everything else is imported when first asked for: a program that only wants fastnn.ops does not pay for the models
_MODULES = (
    "activations", "callbacks", "config", "constraints", "data", "datasets", "ensembles", "initializers", "lab",
    "layers", "losses", "metrics", "models", "ops", "optimizers", "preprocessing", "random", "regularizers",
    "saving", "schedules", "search", "testing", "unsupervised", "utils",
)  # fmt: skip
_NAMES = {
    "Initializer": "initializers",
    "Input": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "explain": "models.explaining",
    "load_model": "models",
    "show_config": "configuration",
}

__all__ = [
    "__version__", "use_backend", "get_num_threads", "num_threads", "set_num_threads", "show_config",
    "Initializer", "Input", "Layer", "Loss", "Metric", "Model", "Optimizer", "Regularizer", "Sequential", "load_model",
    "version", "explain",
    "activations", "callbacks", "config", "constraints", "data", "datasets", "ensembles", "initializers", "lab",
    "layers", "losses", "metrics", "models", "ops", "optimizers", "preprocessing", "random", "regularizers",
    "saving", "schedules", "search", "testing", "unsupervised", "utils",
]  # fmt: skip


# beside `import fastnn as keras` there is sys.modules["keras"] = fastnn, and then `from keras.layers import Dense`
sys.meta_path.insert(0, _keras.Finder())


def version() -> str:
    """The version of fastnn, where scripts for Keras ask for Keras's."""
    return __version__


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise _keras.absent("", name, __all__)


def __dir__() -> list[str]:
    return sorted(__all__)
