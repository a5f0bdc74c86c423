"""Lambda: a function of symbolic tensors as a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .base import Layer, refuse_options


class Lambda(Layer):
    """y = function(x), with what layers, operators and functions of fastnn.ops can do with symbolic tensors.

    The function is called once, before there are values, and its gradient follows from what it calls; it cannot do
    with arrays what has no symbolic form.  A file cannot hold it: to save more than the weights of a model, write a
    subclass of Layer with `call`.

    Parameters:
        function: of a tensor, or of a list of them.
        arguments: passed to it by name.
        output_shape, mask: of Keras; shapes follow from the function, and a mask is not served.

    Raises:
        TypeError: not a function.
        ValueError: a mask.
    """

    def __init__(
        self, function: Callable[..., Any], output_shape: Any = None, mask: Any = None,
        arguments: Mapping[str, Any] | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        if not callable(function):
            raise TypeError(f"Lambda: expected a function. Received: {function!r}")
        refuse_options("Lambda", {"mask": mask}, {"mask": (None,)}, ())
        super().__init__(**kwargs)
        self.function, self.arguments = function, dict(arguments or {})

    def call(self, inputs: Any) -> Any:
        return self.function(inputs, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        raise ValueError(
            f"{self.name}: a file cannot hold the function of a Lambda; save the weights alone, or write a subclass of "
            f"fastnn.layers.Layer with call. Received: {self.function!r}"
        )
