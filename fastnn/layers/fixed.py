"""Tensors without a batch: weights and constants in a graph, how they meet the batch, and how layers see them.

`call` of a layer that is composed of others (composed.py) may compute with weights and with arrays:

    return ops.matmul(inputs, self.w) + self.b
    return self.tokens(x) + self.places(ops.arange(x.shape[-1]))

A layer that is called with a fixed tensor takes its first axis for the batch, as Keras does; operators and functions
take it whole.  Where it meets tensors of the batch it is repeated for every sample (`Spread`), its gradient summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from . import _strided, composed, tensors
from ._strided import Way
from .base import Layer, Shape, size

Array = npt.NDArray[Any]


class Weight(Layer):
    """A weight of another layer as a tensor.

    Parameters:
        parameter: the weight.
    """

    gives_fixed = True

    def __init__(self, parameter: Parameter) -> None:
        super().__init__(dtype=parameter.dtype)
        self.parameters = [parameter]

    def infer_shape(self, input_shape: Any) -> Shape:
        return self.parameters[0].shape

    def emit(self, plan: Plan, x: Any) -> tuple[int, Backward]:
        (parameter,) = self.parameters

        def backward(dy: int, need: Any) -> tuple[int, ...]:
            gradient = plan.gradient(parameter)
            if gradient != ABSENT:
                plan.step("activation", (dy, gradient), row="identity", ints=(parameter.size,))
            return ()

        return plan.parameter(parameter), backward

    def get_config(self) -> dict[str, Any]:
        raise ValueError(
            f"{self.name}: a model in whose graph a weight stands by itself cannot be described; let a layer of your "
            f"own compute with it in its call. Received: {self.parameters[0]!r}"
        )


class Constant(Layer):
    """An array as a tensor.

    Parameters:
        value: numbers, in lists or an array.
    """

    gives_fixed = True

    def __init__(self, value: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or not array.size:
            raise TypeError(f"{self.name}: a constant must be an array of numbers. Received: {value!r:.80}")
        self.value: Array = np.array(array, self.dtype, order="C")

    def infer_shape(self, input_shape: Any) -> Shape:
        return self.value.shape

    def emit(self, plan: Plan, x: Any) -> tuple[int, Backward]:
        return plan.constant(self.value), lambda dy, need: ()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "value": self.value.tolist()}


class Spread(Layer):
    """A fixed tensor for every sample of the batch, with axes repeated up to a shape, as NumPy broadcasts.

    Parameters:
        shape: of a sample.

    Raises:
        ValueError: on building: the tensor does not broadcast to it.
    """

    gives_fixed = False

    def __init__(self, shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = tuple(int(n) for n in shape)

    def infer_shape(self, input_shape: Shape) -> Shape:
        check_broadcast(self.name, input_shape, (1, *self.shape))
        return self.shape

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        return repeated(plan, x, self.shape_in, (plan.batch, *self.shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shape": list(self.shape)}


class Repeat(Layer):
    """Samples with axes repeated up to a shape, as NumPy broadcasts.

    Parameters:
        shape: of a sample.

    Raises:
        ValueError: on building: samples do not broadcast to it.
    """

    def __init__(self, shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = tuple(int(n) for n in shape)

    def infer_shape(self, input_shape: Shape) -> Shape:
        check_broadcast(self.name, input_shape, self.shape)
        return self.shape

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        given = (1,) * (len(self.shape) - len(self.shape_in)) + self.shape_in
        return repeated(plan, x, (plan.batch, *given), (plan.batch, *self.shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shape": list(self.shape)}


def check_broadcast(where: str, shape: Shape, target: Shape) -> None:
    """That an array of the shape can be repeated to one of the target.

    Raises:
        ValueError: it cannot.
    """
    try:
        fits = len(shape) <= len(target) and np.broadcast_shapes(shape, target) == target
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{where}: expected a shape that broadcasts to {target}. Received: {shape}")


def repeated(plan: Plan, x: int, shape: Shape, target: Shape) -> tuple[int, Backward]:
    """An array with its axes repeated to a larger shape, aligned at the end; back, the repetitions are summed."""
    full = (1,) * (len(target) - len(shape)) + shape
    of_x, of_y = _strided.steps(full), _strided.steps(target)
    ways = [Way(n, a if given == n else 0, b) for n, given, a, b in zip(target, full, of_x, of_y)]
    y = plan.fixed(size(target))
    _strided.copy(plan, x, y, ways)

    def backward(dy: int, need: bool) -> int:
        if not need or dy == ABSENT:
            return ABSENT
        dx = plan.fixed(size(shape))
        _strided.zero(plan, dx)
        _strided.add(plan, dy, dx, [Way(way.size, way.y, way.x) for way in ways])
        return dx

    return y, backward


# -------------------------------------------------------------------------------------------------------- making them


def weight(parameter: Parameter) -> tensors.Tensor:
    """A weight as a tensor."""
    made: tensors.Tensor = tensors.call(Weight(parameter), [])
    return made


def constant(value: Any, dtype: str) -> tensors.Tensor:
    """An array as a tensor."""
    made: tensors.Tensor = tensors.call(Constant(value, dtype=dtype), [])
    return made


def symbol(x: Any, dtype: str | None = None) -> Any:
    """The tensor of a weight, and of an array while something is traced, or if there is a dtype for it; else x."""
    if isinstance(x, Parameter):
        return weight(x)
    dtype = tensors.TRACED.get() if dtype is None else dtype
    return constant(x, dtype) if dtype is not None and isinstance(x, (np.ndarray, np.generic)) else x


def symbols(xs: Iterable[Any]) -> list[Any]:
    """`symbol` of each."""
    return [symbol(x) for x in xs]


def spread(tensor: tensors.Tensor, shape: Shape | None = None) -> Any:
    """A fixed tensor for every sample, of this shape or of its own without the axis in front that stands for the batch.

    Raises:
        ValueError: that axis is longer than 1; the tensor does not broadcast to the shape.
    """
    if shape is None:
        if tensor.sample_shape[:1] != (1,):
            raise ValueError(
                f"{tensor.name}: beside tensors of the batch, a layer takes constants and weights whose first axis, "
                f"that of the batch, has length 1. Received: shape {tensor.sample_shape}"
            )
        shape = tensor.sample_shape[1:]
    return tensors.call(Spread(shape, dtype=tensor.dtype), tensor)


# -------------------------------------------------------------------------------------------------- how layers see them


def arranged(
    layer: Layer, given: list[tensors.Tensor], whole: bool
) -> tuple[list[tensors.Tensor], tuple[Shape, ...], int | None]:
    """The tensors of a call as the layer sees them, their shapes, and how many samples fixed ones are; None: no such.

    Raises:
        ValueError: fixed tensors that the layer cannot take for samples.
    """
    mixed = any(tensor.fixed for tensor in given) and not all(tensor.fixed for tensor in given)
    if mixed and not layer.takes_fixed:
        given = [spread(tensor) if tensor.fixed else tensor for tensor in given]
    shapes = tuple(tensor.sample_shape for tensor in given)
    if mixed or not given or not given[0].fixed or layer.gives_fixed is False:
        return given, shapes, None
    if whole:
        return given, shapes, 1
    if not all(shapes) or len({shape[0] for shape in shapes}) > 1:
        raise ValueError(
            f"{layer.name}: expected constants or weights of which each has as many samples along its first axis. "
            f"Received: shapes {list(shapes)}"
        )
    return given, tuple(shape[1:] for shape in shapes), shapes[0][0]


def results(call: tensors.Call, shapes: Iterable[Shape]) -> list[tuple[Shape, bool]]:
    """The shape of each output of a call, and whether it is fixed."""
    layer, rows = call.layer, call.rows
    composition = composed.of(layer)
    if composition is not None:
        alone = [tensor.fixed for tensor in composition.trace(call.options).flat]
    else:
        alone = [bool(layer.gives_fixed)] * len(tuple(shapes))
    found = []
    for shape, fixed in zip(shapes, alone):
        whole = shape if fixed or rows is None or call.whole else (rows, *shape)
        found.append((whole, fixed or rows is not None))
    return found
