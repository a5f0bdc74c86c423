"""Layers whose weights are those of layers within them."""

from __future__ import annotations

from .base import Layer


class Composite(Layer):
    """A layer with the weights of others, which it makes itself or was given."""

    _adopted: tuple[Layer, ...] = ()

    def _adopt(self, *layers: Layer) -> None:
        self._adopted = layers
        self.parameters = [p for layer in layers for p in layer.weights]
        if not self.trainable:
            self.trainable = False  # reaches the layers

    @property
    def trainable(self) -> bool:
        """Whether the optimizer may change the parameters; setting it sets it for the layers within."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self._adopted:
            layer.trainable = value
