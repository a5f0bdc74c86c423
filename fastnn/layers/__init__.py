"""Layers with Keras's names, arguments and defaults."""

from .base import Layer
from .core import Activation, Dense, Dropout, Flatten, Input, InputLayer

__all__ = ["Activation", "Dense", "Dropout", "Flatten", "Input", "InputLayer", "Layer"]
