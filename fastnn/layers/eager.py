"""A layer called with arrays computes at once: a plan for this one call, built, run and forgotten.

Without a mask, without gradients, and much slower than within a model.  The first call builds the
layer for samples of that shape.  What is random draws anew in every call, and is a function of the seed of the layer
and the number of the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.backend import current
from fastnn.engine import lengths
from fastnn.engine.plan import Plan

from . import composed, tensors

if TYPE_CHECKING:
    from .base import Layer

Array = np.ndarray


def run(layer: Layer, x: Any, training: bool, options: Mapping[str, Any]) -> Any:
    """What the layer gives for an array (samples, ...), or for a list of them: an array, or a list.

    Raises:
        TypeError: not arrays of numbers.
        ValueError: no samples, not as many in each of them, or the layer does not take them.
    """
    joined = isinstance(x, (list, tuple)) and any(isinstance(part, np.ndarray) for part in x)
    inputs = [_samples(layer, part) for part in (x if joined else (x,))]
    batch = len(inputs[0])
    if not batch or any(len(part) != batch for part in inputs):
        raise ValueError(
            f"{layer.name}: expected samples, and as many in every array. Received: {[len(part) for part in inputs]}"
        )
    shapes = tuple(part.shape[1:] for part in inputs)
    found = layer.called_with(shapes if joined else shapes[0], options)
    split = tensors.is_shapes(found)
    outputs = [np.empty((batch, *shape), layer.dtype) for shape in (found if split else (found,))]
    shapes_of_call: dict[int, Any] = {}
    layer.shapes_of_call(shapes if joined else shapes[0], options, shapes_of_call)
    with lengths.within(shapes_of_call):
        plan = _plan(layer, inputs, outputs, training, joined, split, options)
    program = current().Program(plan)
    program.bind(inputs, outputs)
    program.run(
        0, 1, None, None, getattr(layer, "seed", None) or 0, layer.count_draw() if training or layer.draws else 0
    )
    return outputs if split else outputs[0]


def _samples(layer: Layer, x: Any) -> Array:
    try:
        array = np.asarray(x)
    except (TypeError, ValueError):
        array = np.array(None)
    if array.dtype.kind not in "biuf" or not array.ndim:
        raise TypeError(
            f"{layer.name}: a layer is called with a symbolic tensor, such as Input gives, with an array of samples, "
            f"or with a list of them. Received: {x!r:.80}"
        )
    return np.ascontiguousarray(array, layer.dtype)


def _plan(
    layer: Layer, inputs: list[Array], outputs: list[Array], training: bool, joined: bool, split: bool,
    options: Mapping[str, Any],
) -> Plan:  # fmt: skip
    batch = len(inputs[0])
    plan = Plan(layer.dtype, batch, training)
    x = tuple(plan.input(part.size // batch) for part in inputs)
    y: Any
    composition, given = composed.of(layer), x if joined else x[0]
    if composition is not None:
        y, _ = composition.emit(plan, given, options)
    else:
        y, _ = layer.emit(plan, given, **options)  # type: ignore[arg-type]
    for buffer, array in zip(y if split else (y,), outputs):
        made = plan.buffer(array.size // batch)  # of its own, also where y is x seen differently
        plan.step("activation", (buffer, made), row="identity", ints=(array.size,))
        plan.output(made, array.size // batch)
    return plan
