"""A stack of layers, each feeding the next."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from fastnn import _overrides
from fastnn.engine import lengths
from fastnn.engine.graph import Graph
from fastnn.layers import registry as layer_registry
from fastnn.layers._shapes import with_batch
from fastnn.layers.base import Layer, check_shape
from fastnn.layers.core import InputLayer
from fastnn.layers.graphs import Network, stack_graph
from fastnn.layers.tensors import Call, Tensor
from fastnn.layers.tied import check_connected, connect

from .model import Model
from .structures import Structure


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

    takes_one = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _overrides.refuse(cls, Sequential, {"call": "a Sequential is its layers; derive from Model to write a call"})

    def __init__(self, layers: Iterable[Layer | Tensor] | None = None, name: str | None = None) -> None:
        self._input: InputLayer | None = None
        self._layers: list[Layer] = []
        super().__init__(name=name)
        if layers is not None and not isinstance(layers, Iterable):
            raise TypeError(f"{self.name}: expected a list of layers. Received: {layers!r}")
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: Layer | Tensor) -> None:
        """Put a layer on top; an optimizer that has been used starts from the beginning.

        Raises:
            TypeError: not a layer.
            ValueError: the layer or its name is already there, an Input comes late, or the layer does not take what
                comes out of the one below.
        """
        self._check_free(layer)
        if isinstance(layer, Tensor) and isinstance(layer.call.layer, InputLayer):
            layer = layer.call.layer
        if not isinstance(layer, Layer):
            raise TypeError(f"{self.name}: expected a layer. Received: {layer!r}")
        if isinstance(layer, InputLayer):
            if self._layers or self._input is not None:
                raise ValueError(f"{self.name}: expected the Input first. Received: {layer!r} after other layers")
            self._input = layer
            return
        if any(layer is other or layer.name == other.name for other in self._layers):
            raise ValueError(f"{self.name}: expected layers with unique names. Received: {layer.name!r} twice")
        given = self._input
        if given is None and not self._layers and layer.declared_input_shape is not None:
            given = InputLayer(layer.declared_input_shape, dtype=layer.dtype)
        if given is not None:
            layer.build_once(self.shape_out or given.shape)
        self._input = given
        self._layers.append(layer)
        layer.calls.append(weakref.ref(self))
        self._changed()

    def _check_free(self, change: Any) -> None:
        if self.in_graph:
            raise ValueError(
                f"{self.name} is part of another model, which would not see the change; expected its layers before "
                f"that model is built. Received: {change!r}"
            )

    def pop(self) -> Layer:
        """Take the last layer off; an optimizer that has been used starts from the beginning.

        Raises:
            ValueError: there is none.
        """
        if not self._layers:
            raise ValueError(f"{self.name}: expected at least one layer to remove. Received: an empty model")
        self._check_free("pop")
        layer = self._layers.pop()
        self._changed()
        return layer

    def make_weights(self, input_shape: Any) -> None:
        shape = check_shape(input_shape, f"{self.name}: input_shape", open=True)
        if self._input is not None and not lengths.matches(self._input.shape, shape):
            raise ValueError(
                f"{self.name} was built for inputs of shape {self.input_shape}. Received: {with_batch(shape)}"
            )
        if self._input is not None and all(layer.built for layer in self._layers):
            return
        given = self._input or InputLayer(shape, dtype=self._layers[0].dtype if self._layers else None)
        for layer in self._layers:
            shape = layer.build_once(shape)
        self._input = given
        self._changed()

    def _make_graph(self) -> Graph:
        assert self._input is not None
        return stack_graph(self._layers, self._input.shape, self.shape_out)

    def _known_network(self) -> Network:
        """The symbolic tensors from the Input to the last layer; made when somebody asks for them."""
        if self._input is None:
            raise ValueError(f"{self.name}: expected a built model. Received: no input shape")
        if self._network is None:
            x = self._input.output
            for layer in self._layers:
                known = len(layer.calls)
                x = layer(x)
                del layer.calls[known:]  # what they are now may change with the stack; they ask it
            self._network = Network([self._input.output], [x])
        return self._network

    def inner_calls(self) -> Sequence[Call]:
        """The calls of the layers, as soon as the shapes are known."""
        return self._known_network().calls if self.built else ()

    def _changed(self) -> None:
        super()._changed()
        self._network = None
        if self._input is not None and self._layers:
            self._structures = Structure(0, [self._input.name]), Structure(0, [self._layers[-1].name])

    def _is_built(self) -> bool:
        return self._input is not None

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the Input."""
        return list(self._layers)

    @property
    def _batch(self) -> int | None:  # type: ignore[override]
        return self._input._batch if self._input is not None else None

    @property
    def shape_in(self) -> Any:
        return self._input.shape if self._input is not None else None

    @property
    def shape_out(self) -> Any:
        return self._layers[-1].shape_out if self._layers and self.built else self.shape_in

    @property
    def saved_as(self) -> type[Layer]:
        return type(self)

    def get_config(self) -> dict[str, Any]:
        layers = [*([self._input] if self._input is not None else []), *self._layers]
        check_connected(layers)
        return {"name": self.name, "layers": [layer_registry.serialize(layer) for layer in layers]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        layers = connect(layer_registry.deserialize(entry) for entry in config["layers"])
        return cls(layers, name=config.get("name"))
