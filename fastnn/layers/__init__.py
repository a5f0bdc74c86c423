"""Layers with Keras's names, arguments and defaults."""

from .activations import ELU, GLU, LeakyReLU, Maxout, MaxoutActivation, ReLU, RReLU, Softmax
from .base import Layer
from .convolutional import Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D
from .core import Activation, Dense, Dropout, Input, InputLayer
from .learned import APL, LearnedSwish, PReLU, SoftExponential, SReLU
from .padding import Cropping1D, Cropping2D, Cropping3D, ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
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
from .reshaping import Flatten, Identity, Permute, RepeatVector, Reshape
from .upsampling import UpSampling1D, UpSampling2D, UpSampling3D

__all__ = [
    "APL",
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
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
    "Identity",
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
    "Permute",
    "RReLU",
    "ReLU",
    "RepeatVector",
    "Reshape",
    "SReLU",
    "SoftExponential",
    "Softmax",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]
