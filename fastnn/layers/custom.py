"""Layers that users write in Python: `forward` and `backward` on NumPy arrays become steps of the plan.

The methods take by name what they need, so a simple layer stays simple:

    forward(self, x)       may also take `training` (bool) and `kept`, a dict that is empty before every forward pass
    backward(self, dy)     may also take `x`, `y` (what forward got and returned), `training` and the same `kept`

`backward` returns dx, or in a layer with weights (dx, gradient of the first weight, gradient of the second, ...), None
for a weight that is not trained.  A layer called with several tensors gets tuples, and returns tuples, in their place.
Arrays have the batch axis first.  What methods are given is read-only, and stays as it is until the step is over; the
engine then uses that memory again, so who wants an array longer copies it.  An exception in a method ends the run, and
reaches the caller.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn.engine.plan import ABSENT, Plan

if TYPE_CHECKING:
    from .base import Layer

Array = npt.NDArray[Any]
Structure = Any  # one thing, or a tuple of them for a layer with several inputs or outputs

OF_FORWARD = ("training", "kept")
OF_BACKWARD = ("x", "y", "training", "kept")


def is_several(shape: Any) -> bool:
    """Whether this is a tuple of shapes."""
    return isinstance(shape, tuple) and bool(shape) and isinstance(shape[0], tuple)


def _as_list(structure: Structure) -> list[Any]:
    return list(structure) if isinstance(structure, (tuple, list)) else [structure]


def _like(shape: Any, things: Sequence[Any]) -> Structure:
    """One thing, or a tuple where the shape is a tuple of shapes."""
    return tuple(things) if is_several(shape) else things[0]


def _with_batch(batch: int, shape: Any) -> list[tuple[int, ...]]:
    return [(batch, *one) for one in (shape if is_several(shape) else (shape,))]


def _wanted(where: str, method: Callable[..., Any], first: str, known: tuple[str, ...]) -> list[str]:
    """Which of the arguments that the engine offers a method takes.

    Raises:
        TypeError: it wants something else.
    """
    parameters = list(inspect.signature(method).parameters.values())
    rest = [p for p in parameters[1:] if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if not parameters or any(p.name not in known and p.default is p.empty for p in rest):
        raise TypeError(
            f"{where} must take {first}, and by name whichever it needs of {', '.join(known)}. "
            f"Received: a method that takes {inspect.signature(method)}"
        )
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return list(known)
    return [p.name for p in rest if p.name in known]


def _seen(flat: Array, shape: tuple[int, ...]) -> Array:
    """A buffer in its shape, as a method may see it."""
    array = flat.reshape(shape)
    array.flags.writeable = False
    return array


def _put(where: str, what: str, value: Any, target: Array) -> None:
    """Copy what a method returned into a buffer.

    Raises:
        TypeError, ValueError: it is no array of real numbers, or has another shape.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{where} must return {what} as an array of real numbers. Received: {array.dtype}")
    if array.shape != target.shape:
        raise ValueError(f"{where} must return {what} of shape {target.shape}. Received: {array.shape}")
    target[...] = array


class Forward:
    """The step forward: calls the layer's `forward`, and has `kept` for the step back."""

    def __init__(self, layer: Any, batch: int, training: bool) -> None:
        self.layer: Any = layer
        self.training = training
        self.where = f"{type(layer).__name__}.forward"
        self.inputs = _with_batch(batch, layer.shape_in)
        self.outputs = _with_batch(batch, layer.shape_out)
        self.wanted = _wanted(self.where, layer.forward, "x", OF_FORWARD)
        self.kept: dict[str, Any] = {}

    def __call__(self, step: int, *buffers: Array) -> None:
        xs = list(map(_seen, buffers, self.inputs))
        self.kept = {}
        offered = {"training": self.training, "kept": self.kept}
        returned = self.layer.forward(_like(self.layer.shape_in, xs), **{n: offered[n] for n in self.wanted})
        values = list(returned) if is_several(self.layer.shape_out) else [returned]
        if len(values) != len(self.outputs):
            raise ValueError(f"{self.where} must return {len(self.outputs)} arrays. Received: {len(values)}")
        for value, buffer, shape in zip(values, buffers[len(xs) :], self.outputs):
            if np.shape(value) != shape:
                raise ValueError(
                    f"{self.where} must return y of the shape that compute_output_shape says, {shape}. "
                    f"Received: {np.shape(value)}"
                )
            _put(self.where, "y", value, buffer.reshape(shape))


class Backward:
    """The step back: calls the layer's `backward`, and puts dx and the gradients where the plan wants them."""

    def __init__(self, forward: Forward) -> None:
        self.forward, self.layer = forward, forward.layer
        self.where = f"{type(self.layer).__name__}.backward"
        self.wanted = _wanted(self.where, self.layer.backward, "dy", OF_BACKWARD)
        self.weights = self.layer.weights

    def __call__(self, step: int, *buffers: Array | None) -> None:
        inputs, outputs = self.forward.inputs, self.forward.outputs
        dtype = np.dtype(self.layer.dtype)
        # an output that nobody looks at has no gradient
        shapes = [*outputs, *inputs, *outputs]
        arrays = [np.zeros(s, dtype) if b is None else _seen(b, s) for b, s in zip(buffers, shapes)]
        dys, xs, ys = arrays[: len(outputs)], arrays[len(outputs) : -len(outputs)], arrays[-len(outputs) :]
        offered = {
            "x": _like(self.layer.shape_in, xs),
            "y": _like(self.layer.shape_out, ys),
            "training": self.forward.training,
            "kept": self.forward.kept,
        }
        returned = self.layer.backward(
            _like(self.layer.shape_out, dys), **{name: offered[name] for name in self.wanted}
        )
        targets = buffers[len(shapes) :]
        names = ["dx"] * len(inputs) + [f"the gradient of {weight.name}" for weight in self.weights]
        target_shapes = [*inputs, *(weight.shape for weight in self.weights)]
        for what, value, target, shape in zip(names, self._values(returned), targets, target_shapes):
            if target is not None:
                _put(self.where, what, value, target.reshape(shape))

    def _values(self, returned: Any) -> list[Any]:
        """What `backward` returned, as a list: dx of each input, the gradient of each weight."""
        dx, gradients = returned, ()
        if self.weights:
            names = ", ".join(f"gradient of {weight.name}" for weight in self.weights)
            if not isinstance(returned, (tuple, list)) or len(returned) != 1 + len(self.weights):
                found = f"{len(returned)} things" if isinstance(returned, (tuple, list)) else type(returned).__name__
                raise ValueError(f"{self.where} must return (dx, {names}). Received: {found}")
            dx, *gradients = returned  # type: ignore[assignment]
        dxs = list(dx) if is_several(self.layer.shape_in) else [dx]
        if len(dxs) != len(self.forward.inputs):
            raise ValueError(f"{self.where} must return dx of {len(self.forward.inputs)} inputs. Received: {len(dxs)}")
        return [*dxs, *gradients]


def emit(layer: Layer, plan: Plan, x: Structure) -> tuple[Structure, Callable[..., Structure]]:
    """Steps of a layer that defines `forward` and `backward`; see the module.

    Raises:
        NotImplementedError: it does not define forward; or training needs its backward, and it has none.
        TypeError: a method wants arguments that there are none of.
    """
    kind = type(layer).__name__
    if not hasattr(layer, "forward"):
        raise NotImplementedError(
            f"{kind} must define forward(x) and backward(dy), or a call that calls other layers. Received: no forward"
        )
    forward = Forward(layer, plan.batch, plan.training)
    inputs = _as_list(x)
    outputs = [plan.buffer(_size(shape)) for shape in forward.outputs]
    plan.step("call", (*inputs, *outputs), call=forward)

    def backward(dy: Structure, need: Structure) -> Structure:
        gradients = [plan.gradient(parameter) for parameter in layer.weights]
        dxs = [plan.buffer(_size(s)) if wanted else ABSENT for wanted, s in zip(_as_list(need), forward.inputs)]
        if any(buffer != ABSENT for buffer in (*dxs, *gradients)):
            if not hasattr(layer, "backward"):
                raise NotImplementedError(f"{kind} must define backward(dy) to be trained. Received: no backward")
            buffers = (*_as_list(dy), *inputs, *outputs, *dxs, *gradients)
            plan.step("call", buffers, call=Backward(forward))
        return _like(layer.shape_in, dxs)

    return _like(layer.shape_out, outputs), backward


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[1:], dtype=np.int64))
