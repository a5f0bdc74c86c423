"""A `call` that decides by `training`: what it strings together in training, and what in inference.

    if training:
        x = self.dropout(x)

Such a `call` is traced once for each mode; the two graphs stand in one layer, which emits the one for the plan's mode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastnn.engine.arena import Parameter
from fastnn.engine.graph import Backward, Flow, Graph
from fastnn.engine.plan import ABSENT, Plan

from . import added, composed, tensors
from .base import Layer
from .graphs import Network

Traced = Callable[[Any], Any]  # what `call` gives in a mode: training, inference, or MODE for both of them


class Branches(Layer):
    """Two graphs between the same inputs and outputs of the same shapes.

    Parameters:
        networks: in training, and in inference.

    Raises:
        ValueError: their outputs have other shapes.
    """

    uses_mask = True

    def __init__(self, networks: Sequence[Network], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.graphs: tuple[Graph, ...] = tuple(network.graph() for network in networks)
        self.parts = [layer for network in networks for layer in network.layers]
        shapes = [graph.output_shapes for graph in self.graphs]
        if shapes[0] != shapes[1] or any(t.fixed for network in networks for t in network.outputs):
            raise ValueError(
                f"{self.name}: a call that decides by training must return tensors of the batch of the same shapes in "
                f"both modes. Received: {list(shapes[0])} in training, {list(shapes[1])} in inference"
            )

    def infer_shape(self, input_shape: Any) -> Any:
        return self.graphs[0].output_shapes

    def _held(self) -> list[Parameter]:
        return list({id(p): p for graph in self.graphs for p in graph.weights}.values())

    @property
    def draws(self) -> bool:
        return any(graph.draws for graph in self.graphs)

    def emit(self, plan: Plan, x: Any) -> tuple[Any, Backward]:
        graph = self.graphs[0 if plan.training else 1]
        flow = Flow(plan, graph, x)

        def backward(dy: Any, need: Any) -> Any:
            wanted = [tensor for tensor, needed in zip(graph.inputs, need) if needed]
            found = flow.backward(zip(graph.outputs, dy), wanted)
            return tuple(found.get(tensor, ABSENT) for tensor in graph.inputs)

        return tuple(flow.outputs), backward

    def get_config(self) -> dict[str, Any]:
        raise ValueError(
            f"{self.name}: a model whose call decides by training cannot be described, its weights can be saved; let "
            f"layers of your own decide, or pass training on to layers. Received: a call with two graphs"
        )


def traced(inputs: Sequence[tensors.Tensor], trace: Traced, dtype: str) -> tuple[Any, list[Network]]:
    """What `call` gives for these inputs, in any mode; and the networks that it has strung together.

    trace: calls it in a mode.
    """

    def once(mode: Any) -> Any:
        losses: list[Any] = []
        token = tensors.LOSSES.set(losses)
        try:
            return added.with_losses(trace(mode), losses)
        finally:
            tensors.LOSSES.reset(token)

    with tensors.tracing(dtype):
        try:
            outputs = once(tensors.MODE)
        except tensors.ModeAskedError:
            found = [once(True), once(False)]
        else:
            return outputs, []
    flat = [composed.leaves(outputs) for outputs in found]
    for outputs, made in zip(found, flat):
        if not made or not all(isinstance(tensor, tensors.Tensor) for tensor in made):
            return outputs, []  # whoever asked complains
    networks = [Network(inputs, made) for made in flat]
    both = iter(tensors.call(Branches(networks, dtype=dtype), list(inputs)))
    return composed.arranged(found[0], lambda _: next(both)), networks
