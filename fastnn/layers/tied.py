"""Dense layers backwards: y = act(x W' + b) with the weights W of another layer, for decoders of autoencoders.

A description names the other layer; the model that is built from it connects the two (`connect`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastnn import activations, initializers
from fastnn.activations import LINEAR, ActivationSpec
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import Plan
from fastnn.engine.step import Backward
from fastnn.ops.gates import GATES

from .base import Layer, Shape, size
from .core import Dense, emit_activation, emit_affine


class TiedDense(Layer):
    """y = activation(x W' + b) over the last axis, where W, shape (units, inputs), is the kernel of another layer.

    Both layers learn the same weights; only b is this layer's own.  So a decoder is the encoder turned around.

    Parameters:
        tied_to: the `Dense` layer whose kernel is used; it stands in the same model, ahead of this layer.
        activation: a name (see fastnn.activations), a function of fastnn.ops, or None for none.
        use_bias: whether to add b.
        bias_initializer: how b, shape (units,), starts.

    Raises:
        TypeError: tied_to is no Dense layer, nor the name of one.
        ValueError: an activation that nobody knows, or that halves the axis.

    Notes:
        Keras has no such layer; its manual leaves it to a subclass.

    Examples:
        >>> code = Dense(32, activation="sigmoid")
        >>> model = Sequential([Input((784,)), code, TiedDense(code, activation="sigmoid")])
    """

    supports_masking = True

    def __init__(
        self,
        tied_to: Dense | str,
        activation: Any = None,
        use_bias: bool = True,
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(tied_to, (Dense, str)):
            raise TypeError(f"{self.name}: tied_to must be a Dense layer. Received: {tied_to!r}")
        self.tied_to = tied_to
        self.activation: ActivationSpec = activations.get(activation)
        if self.activation.name in GATES:
            raise ValueError(f"{self.name}: expected an activation that keeps the shape. Received: {activation!r}")
        self.use_bias = bool(use_bias)
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias: Parameter | None = None

    def _other(self) -> Dense:
        if not isinstance(self.tied_to, Dense) or not self.tied_to.built:
            raise ValueError(
                f"{self.name}: expected a built Dense layer ahead of it to be tied to. Received: {self.tied_to!r}"
            )
        return self.tied_to

    @property
    def kernel(self) -> Parameter:
        """Of the other layer, shape (units, inputs)."""
        return self._other().kernel

    @property
    def weights(self) -> list[Parameter]:
        """The other layer's kernel, and the bias."""
        return [self.kernel, *self.parameters] if self.built else []

    def make_weights(self, input_shape: Shape) -> None:
        kernel = self.kernel
        if not input_shape or input_shape[-1] != kernel.shape[1]:
            raise ValueError(f"{self.name}: expected {kernel.shape[1]} values of a sample. Received: {input_shape}")
        if kernel.dtype.name != self.dtype:
            raise ValueError(
                f"{self.name}: expected the dtype {kernel.dtype} of {self.tied_to}. Received: {self.dtype}"
            )
        if self.use_bias:
            self.bias = self.add_weight("bias", (kernel.shape[0],), self.bias_initializer)

    def infer_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.kernel.shape[0])

    def emit(self, plan: Plan, x: int, bare: bool = False) -> tuple[int, Backward]:
        """`bare` leaves the activation out: losses that are computed from logits ask for it."""
        assert self.shape_in
        spec = LINEAR if bare else self.activation
        rows = plan.batch * size(self.shape_in[:-1])
        y, backward = emit_affine(plan, spec if spec.row else LINEAR, x, self.kernel, self.bias, rows, turned=True)
        if spec.row:
            return y, backward
        out, after = emit_activation(plan, spec, y, (*self.shape_in[:-1], self.kernel.shape[0]))
        return out, lambda dy, need_dx: backward(after(dy, True), need_dx)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tied_to": self.tied_to if isinstance(self.tied_to, str) else self.tied_to.name,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "bias_initializer": initializers.serialize(self.bias_initializer),
        }


def connect(layers: Iterable[Layer]) -> list[Layer]:
    """The layers of a description, where names of tied layers have become the layers themselves.

    Raises:
        ValueError: there is no Dense layer of that name.
    """
    found = list(layers)
    named = {layer.name: layer for layer in found}
    for layer in found:
        if isinstance(layer, TiedDense) and isinstance(layer.tied_to, str):
            other = named.get(layer.tied_to)
            if not isinstance(other, Dense):
                raise ValueError(
                    f"{layer.name}: expected a Dense layer {layer.tied_to!r} in the model. Received: {other}"
                )
            layer.tied_to = other
    return found


def check_connected(layers: Iterable[Layer]) -> None:
    """Layers that can be described together: those that tied layers are tied to are among them.

    Raises:
        ValueError: one is not.
    """
    found = list(layers)
    for layer in found:
        if isinstance(layer, TiedDense) and not any(layer.tied_to is other for other in found):
            raise ValueError(
                f"{layer.name}: a model with a tied layer can be described if the layer it is tied to stands in the "
                f"model itself. Received: {layer.tied_to!r} elsewhere"
            )
