"""Layers with Keras's names, arguments and defaults."""

from .activations import ELU, GLU, LeakyReLU, Maxout, MaxoutActivation, ReLU, RReLU, Softmax
from .base import Layer
from .core import Activation, Dense, Dropout, Flatten, Input, InputLayer
from .learned import APL, LearnedSwish, PReLU, SoftExponential, SReLU

__all__ = [
    "APL",
    "ELU",
    "GLU",
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "LearnedSwish",
    "Maxout",
    "MaxoutActivation",
    "PReLU",
    "RReLU",
    "ReLU",
    "SReLU",
    "SoftExponential",
    "Softmax",
]
