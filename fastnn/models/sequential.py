"""A stack of layers, each feeding the next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastnn.layers import registry as layer_registry
from fastnn.layers.base import Layer, Shape, check_shape
from fastnn.layers.core import InputLayer

from .model import Model


class Sequential(Model):
    """A stack of layers, as `keras.Sequential`.

    Parameters:
        layers: the layers in order; the first may be an `Input`, or name its `input_shape`.  Without either, the model
            is built when it first sees data.
        name: unique name.

    Examples:
        >>> model = Sequential([Input((64,)), Dense(32, activation="relu"), Dense(10, activation="softmax")])
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    """

    def __init__(self, layers: Iterable[Layer] | None = None, name: str | None = None) -> None:
        super().__init__(name)
        self._input: InputLayer | None = None
        self._layers: list[Layer] = []
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: Layer) -> None:
        """Put a layer on top.

        Raises:
            TypeError: not a layer.
            ValueError: the layer or its name is already there, or an Input comes late.
        """
        if not isinstance(layer, Layer):
            raise TypeError(f"{self.name}: expected a layer. Received: {layer!r}")
        if isinstance(layer, InputLayer):
            if self._layers or self._input is not None:
                raise ValueError(f"{self.name}: expected the Input first. Received: {layer!r} after other layers")
            self._input = layer
            return
        if any(layer is other or layer.name == other.name for other in self._layers):
            raise ValueError(f"{self.name}: expected layers with unique names. Received: {layer.name!r} twice")
        if not self._layers and self._input is None and layer.declared_input_shape is not None:
            self._input = InputLayer(layer.declared_input_shape, dtype=layer.dtype)
        shape = self.output_shape if self._layers else self.input_shape
        if shape is not None:
            layer.build_once(shape)
        self._layers.append(layer)
        self._changed()

    def pop(self) -> Layer:
        """Take the last layer off.

        Raises:
            ValueError: there is none.
        """
        if not self._layers:
            raise ValueError(f"{self.name}: expected at least one layer to remove. Received: an empty model")
        layer = self._layers.pop()
        self._changed()
        return layer

    def _changed(self) -> None:
        self._runner = None
        self._objectives = {}

    def build(self, input_shape: Any = None) -> None:
        """Build all layers for samples of this shape; a leading None (the batch axis, as Keras writes it) is dropped."""
        if input_shape is None:
            if self._input is None:
                raise ValueError(f"{self.name}: expected an input shape. Received: None")
            return
        shape = tuple(input_shape)
        if shape and shape[0] is None:
            shape = shape[1:]
        checked = check_shape(shape, f"{self.name}: input_shape")
        if self._input is None:
            self._input = InputLayer(checked, dtype=self._layers[0].dtype if self._layers else None)
        elif self._input.shape != checked:
            raise ValueError(f"{self.name} was built for inputs of shape {self._input.shape}. Received: {checked}")
        for layer in self._layers:
            checked = layer.build_once(checked)
        self._changed()

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the Input."""
        return list(self._layers)

    @property
    def input_shape(self) -> Shape | None:
        return self._input.shape if self._input is not None else None

    @property
    def output_shape(self) -> Shape | None:
        return self._layers[-1].output_shape if self._layers else self.input_shape

    def get_config(self) -> dict[str, Any]:
        layers = [*([self._input] if self._input is not None else []), *self._layers]
        return {"name": self.name, "layers": [layer_registry.serialize(layer) for layer in layers]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        return cls([layer_registry.deserialize(entry) for entry in config["layers"]], name=config.get("name"))
