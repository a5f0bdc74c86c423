"""Layers with Keras's names, arguments and defaults."""

from .activations import ELU, GLU, LeakyReLU, Maxout, MaxoutActivation, ReLU, RReLU, Softmax
from .base import Layer
from .convolutional import Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D
from .core import Activation, Dense, Dropout, Flatten, Input, InputLayer
from .learned import APL, LearnedSwish, PReLU, SoftExponential, SReLU
from .pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)

__all__ = [
    "APL",
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "ELU",
    "Flatten",
    "GLU",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "LearnedSwish",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maxout",
    "MaxoutActivation",
    "PReLU",
    "RReLU",
    "ReLU",
    "SReLU",
    "SoftExponential",
    "Softmax",
]
