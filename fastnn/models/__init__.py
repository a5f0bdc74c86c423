"""Models with Keras's names: Model, Sequential, copies and pictures of them, and reading a saved model."""

from __future__ import annotations

from typing import Any

from fastnn import _keras
from fastnn.layers import registry

from .cloning import clone_model, model_from_json
from .model import Model
from .plotting import plot_model
from .saving import load_model, save_model
from .sequential import Sequential

# the closed list of classes that a file may name; a model may also stand in another one, as a layer
MODELS: dict[str, type[Model]] = {"Sequential": Sequential, "Functional": Model}
registry.LAYERS.update(MODELS)

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "plot_model", "save_model"]


def __getattr__(name: str) -> Any:
    raise _keras.absent("models", name, __all__)
