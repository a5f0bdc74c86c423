"""Saving and loading, and the classes of your own that files may name (Keras's `keras.saving`).

    @fastnn.saving.register_keras_serializable("mine")
    class Scale(fastnn.layers.Layer): ...

    model.save("model.fastnn")                      # names the class "mine>Scale"
    fastnn.saving.load_model("model.fastnn")        # finds it, if the program has registered it

A file can only name what the program knows already: loading imports nothing and runs no code that a file brings.
"""

from fastnn._custom_objects import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from fastnn.layers.registry import deserialize as deserialize_layer
from fastnn.layers.registry import serialize as serialize_layer
from fastnn.models import load_model

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_layer",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "register_keras_serializable",
    "serialize_layer",
]
