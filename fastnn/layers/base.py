"""What every layer is: parameters, a shape rule, and steps of a plan forward and backward."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn import config, initializers
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import Plan

Shape = tuple[int, ...]
# (buffer of dy, whether dx is wanted) -> buffer of dx; emits the backward steps
Backward = Callable[[int, bool], int]

_names: Counter[str] = Counter()


def unique_name(class_name: str) -> str:
    """dense, dense_1, dense_2 ... as Keras counts them."""
    stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name).lower()
    count = _names[stem]
    _names[stem] += 1
    return f"{stem}_{count}" if count else stem


def reset_names() -> None:
    """Start counting again (keras.utils.clear_session)."""
    _names.clear()


def check_shape(shape: Sequence[int | None], where: str) -> Shape:
    """A shape per sample: positive whole numbers."""
    try:
        result = tuple(int(n) for n in shape)  # type: ignore[arg-type]
    except TypeError:
        result = ()
        shape = shape if isinstance(shape, tuple) else (shape,)
    if len(result) != len(shape) or any(n < 1 for n in result):
        raise ValueError(f"{where}: expected positive sizes for every axis after the batch. Received: {shape}")
    return result


class Layer:
    """Base class of layers.

    A subclass defines `build` (add parameters), `compute_output_shape` and `emit`.  Shapes never include the batch axis.

    Parameters:
        name: unique name; by default the class in snake case with a number.
        dtype: "float32" or "float64"; by default fastnn.config.floatx().
        trainable: whether the optimizer may change the parameters.
        input_shape, input_dim, batch_input_shape: of the first layer of a Sequential, Keras's shorthands for an Input.
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: str | None = None,
        trainable: bool = True,
        input_shape: Sequence[int] | None = None,
        input_dim: int | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
    ) -> None:
        self.name = name or unique_name(type(self).__name__)
        self.dtype = str(np.dtype(dtype or config.floatx()))
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"{self.name}: dtype must be 'float32' or 'float64'. Received: {dtype!r}")
        self._trainable = bool(trainable)
        if batch_input_shape is not None:
            input_shape = batch_input_shape[1:]  # type: ignore[assignment]
        if input_dim is not None:
            input_shape = (input_dim,)
        self.declared_input_shape = (
            None if input_shape is None else check_shape(input_shape, f"{self.name}: input_shape")
        )
        self.input_shape: Shape | None = None
        self.output_shape: Shape | None = None
        self.parameters: list[Parameter] = []

    # ----------------------------------------------------------------------------------------------- to be overridden

    def build(self, input_shape: Shape) -> None:
        """Add the parameters."""

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        """Add the forward steps; return the output buffer and what adds the backward steps."""
        raise NotImplementedError(f"{type(self).__name__} does not define emit")

    def get_config(self) -> dict[str, Any]:
        """The keyword arguments that build an equal layer."""
        config: dict[str, Any] = {"name": self.name, "dtype": self.dtype, "trainable": self.trainable}
        if self.declared_input_shape is not None:
            config["input_shape"] = list(self.declared_input_shape)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        return cls(**config)

    # -------------------------------------------------------------------------------------------------------- building

    @property
    def built(self) -> bool:
        return self.input_shape is not None

    def build_once(self, input_shape: Shape) -> Shape:
        """Build for this input, or check that it is the one the layer was built for; returns the output shape."""
        if self.declared_input_shape is not None and self.declared_input_shape != input_shape:
            raise ValueError(
                f"{self.name}: expected the declared input shape {self.declared_input_shape}. Received: {input_shape}"
            )
        if self.input_shape is None:
            self.build(input_shape)
            self.input_shape = input_shape
            self.output_shape = self.compute_output_shape(input_shape)
        elif self.input_shape != input_shape:
            raise ValueError(f"{self.name} was built for inputs of shape {self.input_shape}. Received: {input_shape}")
        assert self.output_shape is not None
        return self.output_shape

    def add_weight(self, name: str, shape: Shape, initializer: Any, trainable: bool = True) -> Parameter:
        """A parameter, drawn now; the model moves it into its arena later."""
        draw = initializers.get(initializer)
        assert draw is not None
        value = np.ascontiguousarray(draw(shape, dtype=self.dtype), dtype=self.dtype)
        parameter = Parameter(f"{self.name}/{name}", value.reshape(shape), trainable and self._trainable)
        self.parameters.append(parameter)
        return parameter

    # --------------------------------------------------------------------------------------------------------- weights

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for parameter in self.parameters:
            parameter.trainable = self._trainable

    @property
    def weights(self) -> list[Parameter]:
        return list(self.parameters)

    @property
    def trainable_weights(self) -> list[Parameter]:
        return [p for p in self.parameters if p.trainable]

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        return [p for p in self.parameters if not p.trainable]

    def count_params(self) -> int:
        """Number of parameters.

        Raises:
            ValueError: the layer has no shape yet.
        """
        if not self.built:
            raise ValueError(f"{self.name}: expected a built layer; give it an input shape first. Received: not built")
        return sum(p.size for p in self.parameters)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the parameters, in the order of `weights`."""
        return [p.numpy() for p in self.parameters]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Overwrite the parameters.

        Raises:
            ValueError: the number of arrays or a shape differs; nothing is changed then.
        """
        set_all(self.parameters, weights, self.name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name} input_shape={self.input_shape} built={self.built}>"


def set_all(parameters: Sequence[Parameter], values: Sequence[np.ndarray], where: str) -> None:
    """Assign all values, after all shapes have been checked."""
    arrays = [np.asarray(v) for v in values]
    if len(arrays) != len(parameters):
        raise ValueError(f"{where}: expected {len(parameters)} weight arrays. Received: {len(arrays)}")
    for parameter, array in zip(parameters, arrays):
        if parameter.shape != array.shape:
            raise ValueError(f"{parameter.name}: expected shape {parameter.shape}. Received: {array.shape}")
    for parameter, array in zip(parameters, arrays):
        parameter.assign(array)


def size(shape: Shape) -> int:
    """Elements per sample."""
    return math.prod(shape)
