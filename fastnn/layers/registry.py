"""The closed list of layers that a file may name: nothing is ever imported by string."""

from __future__ import annotations

from typing import Any

from fastnn._errors import unknown

from .activations import ELU, GLU, LeakyReLU, Maxout, MaxoutActivation, ReLU, RReLU, Softmax
from .base import Layer
from .cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from .convolutional import Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D
from .core import Activation, Dense, Dropout, Flatten, InputLayer
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

CLASSES: tuple[type[Layer], ...] = (InputLayer, Dense, Activation, Flatten, Dropout)
CLASSES += (ReLU, LeakyReLU, ELU, Softmax, RReLU, GLU, Maxout, MaxoutActivation)
CLASSES += (PReLU, SReLU, LearnedSwish, SoftExponential, APL)
CLASSES += (Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D)
CLASSES += (MaxPooling1D, MaxPooling2D, AveragePooling1D, AveragePooling2D)
CLASSES += (GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalAveragePooling1D, GlobalAveragePooling2D)
CLASSES += (SimpleRNN, LSTM, GRU, RNN, SimpleRNNCell, LSTMCell, GRUCell, StackedRNNCells)
CLASSES += (Embedding, Masking, Bidirectional, TimeDistributed)
LAYERS: dict[str, type[Layer]] = {cls.__name__: cls for cls in CLASSES}


def serialize(layer: Layer) -> dict[str, Any]:
    """{"class_name", "config"}, from which `deserialize` builds an equal layer.

    Raises:
        ValueError: the class of the layer is not in the list.
    """
    name = type(layer).__name__
    if LAYERS.get(name) is not type(layer):
        raise ValueError(f"a layer can be described if its class is one of {list(LAYERS)}. Received: {layer!r}")
    return {"class_name": name, "config": layer.get_config()}


def deserialize(entry: Any) -> Layer:
    """The layer that `serialize` described.

    Raises:
        ValueError: not such a description, or the class is not in the list.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        raise ValueError(f"a layer must be described by class_name and config. Received: {entry!r}")
    name = entry.get("class_name")
    if name not in LAYERS:
        raise unknown("layer", name, LAYERS)
    return LAYERS[name].from_config(entry["config"])
