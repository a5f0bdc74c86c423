"""Models with Keras's names: Sequential, and reading a saved model."""

from __future__ import annotations

from typing import Any

from fastnn import _keras

from .model import Model
from .saving import load_model, save_model
from .sequential import Sequential

# the closed list of classes that a file may name
MODELS: dict[str, type[Model]] = {"Sequential": Sequential}

__all__ = ["Model", "Sequential", "load_model", "save_model"]


def __getattr__(name: str) -> Any:
    raise _keras.absent("models", name, __all__)
