"""Layers with Keras's names, arguments and defaults."""

from __future__ import annotations

from typing import Any

from fastnn import _keras

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
from .registry import deserialize, serialize

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
    "deserialize",
    "serialize",
]


# what Keras also calls them
_ALIASES = {
    "GlobalAvgPool": "GlobalAveragePooling",
    "GlobalMaxPool": "GlobalMaxPooling",
    "AvgPool": "AveragePooling",
    "MaxPool": "MaxPooling",
    "Convolution": "Conv",
}


def __getattr__(name: str) -> Any:
    for short, long in _ALIASES.items():
        if short in name and (full := name.replace(short, long, 1)) in __all__:
            return globals()[full]
    raise _keras.absent("layers", name, __all__)
