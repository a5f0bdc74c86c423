"""Layers with Keras's names, arguments and defaults."""

from .activations import ELU, GLU, LeakyReLU, Maxout, MaxoutActivation, ReLU, RReLU, Softmax
from .base import Layer
from .cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from .convolutional import Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D
from .core import Activation, Dense, Dropout, Flatten, Input, InputLayer
from .embedding import Embedding, Masking
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
from .recurrent import GRU, LSTM, RNN, SimpleRNN
from .wrappers import Bidirectional, TimeDistributed

__all__ = [
    "APL",
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "Bidirectional",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "ELU",
    "Embedding",
    "Flatten",
    "GLU",
    "GRU",
    "GRUCell",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "LSTM",
    "LSTMCell",
    "Layer",
    "LeakyReLU",
    "LearnedSwish",
    "Masking",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maxout",
    "MaxoutActivation",
    "PReLU",
    "RNN",
    "RReLU",
    "ReLU",
    "SReLU",
    "SimpleRNN",
    "SimpleRNNCell",
    "SoftExponential",
    "Softmax",
    "StackedRNNCells",
    "TimeDistributed",
]
