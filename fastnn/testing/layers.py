"""A layer by itself: its gradients against central differences, in float64, and what else every layer must hold to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.backend import current, use_backend
from fastnn.engine.plan import ABSENT, Plan
from fastnn.testing.gradcheck import gradcheck

Array = NDArray[Any]


def check_layer(
    layer: Any,
    input_shape: Any,
    x: Any = None,
    *,
    batch: int = 3,
    step: float = 6e-6,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    options: Mapping[str, Any] | None = None,
) -> float:
    """Check a layer, one of your own or of `fastnn.layers`, outside of any model.

    The gradients with respect to input and weights, in training, are compared with central differences; one sample must
    give what it gives among several; both backends must agree; and a layer built from the layer's config must compute
    the same. Random layers draw the same numbers in every pass.

    Parameters
    ----------
    layer : fastnn.layers.Layer
        Of dtype float64; it is built here if it is not yet.
    input_shape : tuple of int
        Shape of a sample, without the batch axis; a tuple of shapes for a layer that is called with several tensors.
    x : array, shape (batch, *input_shape), optional
        Where to check, further than the step from the layer's kinks; normal random numbers by default. A tuple for
        several inputs.
    batch : int
        Number of samples if x is not given.
    step : float
        Relative size of the differences.
    rtol, atol : float
        The error allowed is ``atol + rtol * abs(difference quotient)``.
    options : dict, optional
        Arguments of the call, such as ``use_causal_mask`` of attention.

    Returns
    -------
    float
        The largest error of a gradient, as a part of the error allowed: at most 1.

    Raises
    ------
    AssertionError
        If one of these things does not hold. The message says which, and names the worst element of a gradient.
    TypeError
        If the layer is not float64: differences in float32 check nothing.

    Examples
    --------
    >>> from fastnn import layers
    >>> check_layer(layers.Dense(2, "tanh", dtype="float64"), (3,)) <= 1
    True
    """
    if layer.dtype != "float64":
        raise TypeError(f"check_layer needs a layer of dtype float64. Received: {layer.dtype}")
    several = bool(input_shape) and isinstance(input_shape[0], (tuple, list))
    shapes = [tuple(shape) for shape in (input_shape if several else (input_shape,))]
    layer.build_once(tuple(shapes) if several else shapes[0])
    if x is None:
        random = np.random.default_rng(0)
        inputs = [random.normal(size=(batch, *shape)) for shape in shapes]
    else:
        inputs = [np.array(part, np.float64) for part in (x if several else (x,))]
    weights = [parameter.numpy() for parameter in layer.weights]
    before = [part.copy() for part in inputs]

    call = dict(options or {})
    output = _run(layer, inputs, True, call)[0]
    alone, together = (_run(layer, parts, False, call)[0] for parts in ([part[:1] for part in inputs], inputs))
    _compare("one sample", alone, [part[:1] for part in together])
    other = "reference" if current().name == "native" else "native"
    with use_backend(other):
        again, gradients = _run(layer, inputs, True, call, _direction(output))
    _compare(f"the {other} backend", again, output)
    _compare(f"gradients on the {other} backend", gradients, _run(layer, inputs, True, call, _direction(output))[1])
    _same_from_config(layer, inputs, weights, call)
    if any(not np.array_equal(a, b) for a, b in zip(inputs, before)):
        raise AssertionError(f"check_layer: {layer.name} must not change its input. Received: changed values")

    trained = [parameter for parameter in layer.weights if parameter.trainable]

    def set_weights(values: Sequence[ArrayLike]) -> None:
        for parameter, value in zip(trained, values):
            parameter.assign(value)

    def forward(*values: Array) -> Array:
        set_weights(values[len(inputs) :])
        return _flat(_run(layer, list(values[: len(inputs)]), True, call)[0])

    def backward(dy: Array, *values: Array) -> list[Array]:
        set_weights(values[len(inputs) :])
        parts = list(np.split(dy, np.cumsum([part.size for part in output])[:-1]))
        dys = [part.reshape(like.shape) for part, like in zip(parts, output)]
        return _run(layer, list(values[: len(inputs)]), True, call, dys)[1]

    names = ["x"] if len(inputs) == 1 else [f"x[{i}]" for i in range(len(inputs))]
    names += [parameter.name for parameter in trained]
    points = [*inputs, *(parameter.numpy() for parameter in trained)]
    try:
        return gradcheck(forward, points, backward, names=names, step=step, rtol=rtol, atol=atol)
    finally:
        for parameter, value in zip(layer.weights, weights):
            parameter.assign(value)


def run_layer(layer: Any, x: Any, training: bool = False, options: Mapping[str, Any] | None = None) -> Any:
    """What a built layer computes: an array, or a tuple of arrays for a layer with several outputs.

    Parameters
    ----------
    layer : fastnn.layers.Layer
        Built.
    x : array, shape (batch, *input_shape)
        A tuple for a layer that is called with several tensors.
    training : bool
        Whether it behaves as in training.
    options : dict, optional
        Arguments of the call.

    Returns
    -------
    array or tuple of arrays, of the layer's dtype
    """
    inputs = [np.ascontiguousarray(part, layer.dtype) for part in (x if isinstance(x, tuple) else (x,))]
    outputs = _run(layer, inputs, training, dict(options or {}))[0]
    return tuple(outputs) if len(outputs) > 1 or _several(layer.shape_out) else outputs[0]


def _several(shape: Any) -> bool:
    return bool(shape) and isinstance(shape[0], tuple)


def _flat(arrays: Sequence[Array]) -> Array:
    return np.concatenate([array.reshape(-1) for array in arrays])


def _direction(output: Sequence[Array]) -> list[Array]:
    """A gradient for each output, the same in every call."""
    random = np.random.default_rng(1)
    return [random.normal(size=part.shape).astype(part.dtype) for part in output]


def _run(
    layer: Any, inputs: list[Array], training: bool, call: dict[str, Any], dys: list[Array] | None = None
) -> tuple[list[Array], list[Array]]:
    """Outputs; with dys also the gradients of the inputs and of the trained weights."""
    trained = [parameter for parameter in layer.weights if parameter.trainable]
    gradients = {id(parameter): np.zeros(parameter.shape, layer.dtype) for parameter in trained}
    plan = Plan(layer.dtype, len(inputs[0]), training, gradients if dys is not None else None)
    given = tuple(part.shape[1:] for part in inputs)
    output_shape = layer.shape_behind(given, call) if call else layer.shape_out
    several_in, several_out = _several(layer.shape_in), _several(output_shape)
    xs = [plan.array(part) for part in inputs]
    y, backward = layer.emit(plan, tuple(xs) if several_in else xs[0], **call)
    shapes = output_shape if several_out else (output_shape,)
    outputs = [_copied(plan, b, (plan.batch, *s)) for b, s in zip(y if several_out else (y,), shapes)]
    found: list[Array] = []
    if dys is not None:
        gradient = [plan.array(np.ascontiguousarray(part)) for part in dys]
        need = (True,) * len(inputs) if several_in else True
        dx = backward(tuple(gradient) if several_out else gradient[0], need)
        for buffer, part in zip(dx if several_in else (dx,), inputs):
            found.append(np.zeros(part.shape) if buffer == ABSENT else _copied(plan, buffer, part.shape))
        found += list(gradients.values())
    current().Program(plan).run(0, 1, None, None, 7, 0)
    return outputs, found


def _copied(plan: Plan, buffer: int, shape: tuple[int, ...]) -> Array:
    """An array that the plan copies a buffer to."""
    array = np.zeros(shape, plan.dtype)
    ints = (math.prod(shape),)
    plan.step("activation", (buffer, plan.array(array)), row="identity", ints=ints)
    return array


def _compare(what: str, found: Sequence[Array], expected: Sequence[Array]) -> None:
    for one, two in zip(found, expected, strict=True):
        if one.shape != two.shape or not np.allclose(one, two, rtol=1e-9, atol=1e-11, equal_nan=True):
            raise AssertionError(f"check_layer: {what} must give the same. Expected: {two!r}. Received: {one!r}")


def _same_from_config(layer: Any, inputs: list[Array], weights: list[Array], call: dict[str, Any]) -> None:
    try:
        twin = type(layer).from_config(layer.get_config())
    except TypeError as error:
        raise AssertionError(
            f"check_layer: get_config must return the arguments of {type(layer).__name__}. Received: {error}"
        ) from error
    if twin.get_config() != layer.get_config():
        raise AssertionError(
            f"check_layer: a layer from the config must have the same one, {layer.get_config()}. "
            f"Received: {twin.get_config()}"
        )
    twin.build_once(layer.shape_in)
    twin.set_weights(weights)
    _compare("a layer from the same config", _run(twin, inputs, False, call)[0], _run(layer, inputs, False, call)[0])
