"""Saving and loading, and the classes of your own that files may name (Keras's `keras.saving`).

    @fastnn.saving.register_keras_serializable("mine")
    class Scale(fastnn.layers.Layer): ...

    model.save("model.fastnn")                      # names the class "mine>Scale"
    fastnn.saving.load_model("model.fastnn")        # finds it, if the program has registered it

A file can only name what the program knows already: loading imports nothing and runs no code that a file brings.
"""

from __future__ import annotations

import os
from typing import Any

from fastnn import _keras
from fastnn._custom_objects import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from fastnn.layers.registry import deserialize as deserialize_layer
from fastnn.layers.registry import serialize as serialize_layer
from fastnn.models import Model, load_model, save_model
from fastnn.models.torch_files import load_torch_weights, save_torch_weights, torch_state_dict

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_layer",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_torch_weights",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_torch_weights",
    "save_weights",
    "serialize_layer",
    "torch_state_dict",
]


def save_weights(model: Model, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """As `model.save_weights(filepath)`."""
    model.save_weights(filepath, overwrite)


def load_weights(model: Model, filepath: str | os.PathLike[str]) -> None:
    """As `model.load_weights(filepath)`."""
    model.load_weights(filepath)


def __getattr__(name: str) -> Any:
    raise _keras.absent("saving", name, __all__)
