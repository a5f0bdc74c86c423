"""Models with Keras's names: Sequential, and reading a saved model."""

from .model import Model
from .saving import load_model
from .sequential import Sequential

# the closed list of classes that a file may name
MODELS: dict[str, type[Model]] = {"Sequential": Sequential}

__all__ = ["Model", "Sequential", "load_model"]
