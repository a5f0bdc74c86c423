"""The layers that a file may name: a closed list, and what the user has registered; nothing is imported by string."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastnn import _custom_objects
from fastnn._errors import unknown

from .activations import ELU, GLU, LeakyReLU, Maxout, MaxoutActivation, ReLU, RReLU, Softmax
from .adaptive import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from .added import AddedLoss
from .arithmetic import Divide, Power, Slicing
from .attention import AdditiveAttention, Attention
from .base import Layer
from .bilinear import Bilinear
from .cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from .convolutional import Conv1D, Conv2D, Conv3D, DepthwiseConv1D, DepthwiseConv2D
from .core import Activation, Dense, Dropout, InputLayer
from .corruption import MaskingNoise, SaltAndPepperNoise
from .drawing import Draw
from .einsum import Einsum
from .einsum_dense import EinsumDense
from .elementwise import Clip, Elementwise, Pairwise, Where
from .embedding import Embedding, Masking
from .encoding import CategoryEncoding
from .fixed import Constant, Repeat, Spread, Weight
from .functions import StopGradient
from .learned import APL, LearnedSwish, PReLU, SoftExponential, SReLU
from .merging import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
from .multi_head_attention import GroupedQueryAttention, MultiHeadAttention
from .normalization import (
    BatchNormalization,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    LocalResponseNormalization,
    RMSNormalization,
    UnitNormalization,
)
from .padding import Cropping1D, Cropping2D, Cropping3D, Pad, ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from .pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from .preprocessing import Normalization, Rescaling
from .products import Product
from .recurrent import GRU, LSTM, RNN, SimpleRNN
from .reductions import Reduce
from .regularization import (
    ActivityRegularization,
    AlphaDropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from .reshaping import Flatten, Identity, Permute, RepeatVector, Reshape
from .separable import SeparableConv1D, SeparableConv2D
from .tied import TiedDense
from .transposed import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from .upsampling import UpSampling1D, UpSampling2D, UpSampling3D
from .wrappers import Bidirectional, TimeDistributed

CLASSES: tuple[type[Layer], ...] = (InputLayer, Dense, Activation, Dropout)
CLASSES += (Flatten, Reshape, Permute, RepeatVector, Identity)
CLASSES += (ZeroPadding1D, ZeroPadding2D, ZeroPadding3D, Cropping1D, Cropping2D, Cropping3D)
CLASSES += (UpSampling1D, UpSampling2D, UpSampling3D)
CLASSES += (Bilinear, CategoryEncoding)
CLASSES += (ReLU, LeakyReLU, ELU, Softmax, RReLU, GLU, Maxout, MaxoutActivation)
CLASSES += (PReLU, SReLU, LearnedSwish, SoftExponential, APL)
CLASSES += (Conv1D, Conv2D, Conv3D, Conv1DTranspose, Conv2DTranspose, Conv3DTranspose)
CLASSES += (DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D)
CLASSES += (MaxPooling1D, MaxPooling2D, MaxPooling3D, AveragePooling1D, AveragePooling2D, AveragePooling3D)
CLASSES += (GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D)
CLASSES += (GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D)
CLASSES += (AdaptiveAveragePooling1D, AdaptiveAveragePooling2D, AdaptiveAveragePooling3D)
CLASSES += (AdaptiveMaxPooling1D, AdaptiveMaxPooling2D, AdaptiveMaxPooling3D)
CLASSES += (BatchNormalization, LayerNormalization, GroupNormalization, InstanceNormalization, RMSNormalization)
CLASSES += (UnitNormalization, LocalResponseNormalization, Normalization, Rescaling)
CLASSES += (SpatialDropout1D, SpatialDropout2D, SpatialDropout3D, AlphaDropout, GaussianDropout, GaussianNoise)
CLASSES += (ActivityRegularization, MaskingNoise, SaltAndPepperNoise, TiedDense)
CLASSES += (Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot)
CLASSES += (Divide, Power, Slicing)
# what functions of symbolic tensors become
CLASSES += (
    Clip,
    Constant,
    Draw,
    Elementwise,
    Pad,
    Pairwise,
    Product,
    Reduce,
    Repeat,
    Spread,
    StopGradient,
    Weight,
    Where,
    Einsum,
    AddedLoss,
)
CLASSES += (SimpleRNN, LSTM, GRU, RNN, SimpleRNNCell, LSTMCell, GRUCell, StackedRNNCells)
CLASSES += (Embedding, Masking, Bidirectional, TimeDistributed)
CLASSES += (Attention, AdditiveAttention, MultiHeadAttention, GroupedQueryAttention, EinsumDense)
LAYERS: dict[str, type[Layer]] = {cls.__name__: cls for cls in CLASSES}


def serialize(layer: Layer) -> dict[str, Any]:
    """{"class_name", "config"}, from which `deserialize` builds an equal layer.

    Raises:
        ValueError: the class is the user's, not registered (fastnn.saving), and has the name of one in the list.
    """
    kind = getattr(layer, "saved_as", type(layer))
    known = next((name for name, listed in LAYERS.items() if listed is kind), None)
    name = _custom_objects.get_registered_name(kind) if known is None else known
    if name in LAYERS and LAYERS[name] is not kind:
        raise ValueError(
            f"a layer of your own needs another name than {name!r}, or fastnn.saving.register_keras_serializable, "
            f"to be described. Received: {layer!r}"
        )
    return {"class_name": name, "config": layer.get_config()}


def own_classes(layers: Iterable[Layer]) -> dict[str, type[Layer]]:
    """The classes of these layers that are the user's, by the names that descriptions give them."""
    kinds = {getattr(layer, "saved_as", type(layer)) for layer in layers} - set(LAYERS.values())
    return {_custom_objects.get_registered_name(kind): kind for kind in kinds}


def deserialize(entry: Any) -> Layer:
    """The layer that `serialize` described: of the list, registered, or in a `custom_object_scope` (fastnn.saving).

    Raises:
        ValueError: not such a description, or a class that nobody has made known.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        raise ValueError(f"a layer must be described by class_name and config. Received: {entry!r}")
    name, config = entry.get("class_name"), entry["config"]
    found = _custom_objects.get_registered_object(name) if isinstance(name, str) else None
    if found is None and name in LAYERS:
        return LAYERS[name].from_config(config)
    if found is None:
        hint = "A class of your own must be registered (fastnn.saving.register_keras_serializable) or passed as "
        error = unknown("layer", name, [*LAYERS, *_custom_objects.names()])
        raise ValueError(f"{hint}custom_objects={{{name!r}: the class}} before a file can name it. {error}")
    if not isinstance(found, type) or not issubclass(found, Layer):
        raise ValueError(f"{name!r} must stand for a subclass of fastnn.layers.Layer. Received: {found!r}")
    try:
        return found.from_config(config)
    except TypeError as error:
        raise ValueError(
            f"{found.__name__}: get_config must return the arguments of __init__, which must hand name, dtype and "
            f"trainable on to super().__init__(**kwargs). Received: {error}"
        ) from error
