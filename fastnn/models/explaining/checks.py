"""What can be written out, and what is too large for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn import losses, optimizers
from fastnn.activations import LINEAR, ActivationSpec
from fastnn.layers import Activation, Dense, Flatten
from fastnn.layers.core import InputLayer
from fastnn.models.compiling import Goals
from fastnn.models.data import Data

if TYPE_CHECKING:
    from fastnn.models.model import Model

# What a reader follows: a line for each unit and sample and for each weight, a few hundred lines at most.
MOST_SAMPLES = 4
MOST_UNITS = 8
MOST_WEIGHTS = 100

WRITTEN: tuple[Any, ...] = (Dense, Activation, Flatten, InputLayer)
LOSSES = (
    losses.MeanSquaredError, losses.MeanAbsoluteError, losses.BinaryCrossentropy, losses.CategoricalCrossentropy,
    losses.SparseCategoricalCrossentropy,
)  # fmt: skip


def refuse(what: str, received: Any) -> ValueError:
    return ValueError(f"explain: {what}. Received: {received}")


def model(model: Model) -> None:
    """Layers and optimizer.

    Raises:
        ValueError: one of them is not written out, or too large.
    """
    if not model.compiled or not model.built:
        raise refuse("expected a model that is compiled and has an input shape", model)
    if model.graph.is_open:
        raise refuse("models whose inputs have a known length are written out", model.graph.input_shapes)
    for node in model.graph.nodes:
        _layer(node.layer)
        if node.joined or node.split:
            raise refuse("layers with one input and one output are written out", node.layer.name)
    names = [node.layer.name for node in model.graph.nodes]
    if len(set(names)) < len(names):
        raise refuse("layers that are called once are written out", names)
    if len(model.graph.inputs) != 1 or len(model.graph.outputs) != 1:
        raise refuse("models with one input and one output are written out", model)
    weights = sum(weight.size for weight in model.weights)
    if weights > MOST_WEIGHTS:
        raise refuse(f"at most {MOST_WEIGHTS} weights fit on a page", f"{model.name} with {weights}")
    if model.graph.input_shapes[0] and _size(model.graph.input_shapes[0]) > MOST_UNITS:
        raise refuse(f"at most {MOST_UNITS} inputs fit on a page", model.graph.input_shapes[0])
    _optimizer(model.optimizer)


def _layer(layer: Any) -> None:
    if not isinstance(layer, WRITTEN):
        raise refuse("Dense, Activation, Flatten and Input are written out", f"{layer.name} ({type(layer).__name__})")
    shape: tuple[int, ...] = layer.shape_out
    if len(shape) > 1 and isinstance(layer, Dense):
        raise refuse("Dense layers are written out for inputs of one axis; put Flatten below", layer.name)
    if _size(shape) > MOST_UNITS:
        raise refuse(f"at most {MOST_UNITS} units of a layer fit on a page", f"{layer.name} with {_size(shape)}")
    extra = [weight for weight in layer.weights if weight.regularizer is not None or weight.constraint is not None]
    if extra or layer.activity_regularizer is not None:
        raise refuse("regularizers and constraints are not written out", layer.name)


def _optimizer(optimizer: Any) -> None:
    known = isinstance(optimizer, (optimizers.SGD, optimizers.Adam))
    if not known or optimizer.row not in ("sgd", "momentum", "nesterov", "adam") or optimizer.flavor != "keras":
        raise refuse("SGD, with momentum or not, and Adam in the flavor 'keras' are written out", optimizer)
    if optimizer._option_config() or optimizer.weight_decay or getattr(optimizer, "dampening", 0):
        raise refuse("weight decay, clipping, accumulation, averages and scaled losses are not written out", optimizer)


def data(model: Model, data: Data, goals: Goals) -> None:
    """Samples and loss.

    Raises:
        ValueError: too many samples, or a loss that is not written out.
    """
    if data.n > MOST_SAMPLES:
        raise refuse(f"at most {MOST_SAMPLES} samples fit on a page", data.n)
    goal = goals.parts[0]
    if type(goal.loss) not in LOSSES or goal.loss.reduction not in ("sum_over_batch_size", "mean"):
        names = ", ".join(loss.__name__ for loss in LOSSES)
        raise refuse(f"these losses are written out, as means over the batch: {names}", goal.loss)
    kernel = goal.objective.loss
    loss: Any = goal.loss
    if (
        getattr(loss, "label_smoothing", 0)
        or kernel.smoothing
        or kernel.class_weight
        or goal.objective.ignore is not None
        or kernel.axis != -1
    ):
        raise refuse("label smoothing, class weights and ignored classes are not written out", goal.loss)
    cross_entropy = hasattr(goal.loss, "from_logits")
    if cross_entropy and not kernel.fused and not loss.from_logits:
        raise refuse(
            "cross-entropies are written out behind their activation (softmax, sigmoid), or from_logits=True",
            goal.objective.final,
        )
    final = goal.objective.final
    layers: list[Any] = [node.layer for node in model.graph.nodes]
    for layer in layers:
        spec: ActivationSpec = getattr(layer, "activation", LINEAR)
        if not spec.row and not (spec is final and kernel.fused):
            raise refuse("hidden activations that work on single numbers are written out", f"{layer.name}: {spec.name}")


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
