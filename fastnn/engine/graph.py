"""A network as a list of nodes - which layer is called with which tensors - and its steps in a plan.

A stack of layers is the list in which every node takes what the one before it gives.  Tensors are numbers; a layer that
is called several times stands in several nodes.  Backward, a tensor that is used once gets its gradient as it comes;
the gradients of several uses are added, and so are those of weights (`Plan.use`).  Nothing is computed where nothing
learns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from . import lengths, masks, penalties
from .arena import Parameter
from .plan import ABSENT, Plan

Shape = tuple[int, ...]  # in a graph that is not closed with None for lengths that are not known (lengths.py)
# (dy, which dx are wanted) -> dx; adds the backward steps.  All three are a buffer or a flag for a layer that is called
# with a tensor or gives one, and tuples of them for one that is called with several or gives several; ABSENT stands for
# a gradient that there is not.
Backward = Callable[[Any, Any], Any]


class Emitter(Protocol):
    """The part of a layer that plans need: emit(plan, buffer of x) -> buffer of y, what adds the backward steps.

    Layers with an activation take `bare=True` as well: leave it out, the loss wants what comes before it.
    """

    @property
    def name(self) -> str: ...

    @property
    def trainable(self) -> bool: ...

    @property
    def weights(self) -> list[Parameter]: ...

    @property
    def emit(self) -> Callable[..., tuple[Any, Backward]]: ...

    @property
    def shapes_of_call(self) -> Callable[..., Any]: ...


class Node(NamedTuple):
    """One call of a layer.

    joined, split: the layer takes, or gives, a tuple of tensors.  training: it behaves as in training, or as in
    inference, in any mode; None: as the mode is.
    options: arguments of this call that `emit` takes by name.  unmasked: the masks of its inputs end here.
    shapes: in a graph that was closed, those of the layer and of the layers within it.
    rows: how many samples the layer sees, where that is not the batch.
    """

    layer: Emitter
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    joined: bool = False
    split: bool = False
    training: bool | None = None
    options: dict[str, Any] | None = None
    unmasked: bool = False
    shapes: lengths.Shapes = lengths.NONE
    rows: int | None = None


class Graph(NamedTuple):
    """Nodes in an order in which they can be computed; shapes are those of one sample."""

    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]

    @property
    def is_open(self) -> bool:
        """Whether samples may have different lengths; plans are made of closed graphs only."""
        return lengths.is_open(self.input_shapes)

    def closed(self, input_shapes: Sequence[Shape]) -> Graph:
        """The graph for samples of these shapes.

        Raises:
            ValueError: a layer does not take what arrives there then.
        """
        shapes = dict(zip(self.inputs, input_shapes))
        nodes = []
        for node in self.nodes:
            given = tuple(shapes[tensor] for tensor in node.inputs)
            found: dict[int, tuple[Any, Any]] = {}
            made = node.layer.shapes_of_call(given if node.joined else given[0], node.options or {}, found)
            nodes.append(node._replace(shapes=found))
            shapes.update(zip(node.outputs, made if node.split else (made,)))
        outputs = tuple(shapes[tensor] for tensor in self.outputs)
        return self._replace(nodes=tuple(nodes), input_shapes=tuple(input_shapes), output_shapes=outputs)

    @property
    def weights(self) -> list[Parameter]:
        """Of all layers, each once."""
        return list({id(weight): weight for node in self.nodes for weight in node.layer.weights}.values())

    @property
    def draws(self) -> bool:
        """Whether predictions differ from call to call, or change something: layers behave as in training."""
        return any(node.training or getattr(node.layer, "draws", False) for node in self.nodes)

    def final(self, output: int) -> Emitter | None:
        """The layer whose result is this output and nothing else, so that a loss may take its activation over."""
        tensor = self.outputs[output]
        makers = [node for node in self.nodes if node.outputs == (tensor,) and not node.split]
        used = self.outputs.count(tensor) + sum(node.inputs.count(tensor) for node in self.nodes)
        return makers[0].layer if makers and used == 1 else None


class Flow:
    """The forward steps of a graph, and what adds the backward ones.

    Parameters:
        inputs: the buffers of the graph's inputs.
        bare: tensors that are wanted without the activation of their layer.
        observer: what looks at the tensors of every node and at their gradients (engine/observing.py).

    Attributes:
        values: the buffer of every tensor.
    """

    def __init__(
        self, plan: Plan, graph: Graph, inputs: Sequence[int], bare: Collection[int] = (), observer: Any = None
    ) -> None:
        self.plan, self.graph, self.observer = plan, graph, observer
        self.values = dict(zip(graph.inputs, inputs))
        self._backwards: list[Backward] = []
        for number, node in enumerate(graph.nodes):
            self._forward(number, node, any(tensor in bare for tensor in node.outputs))

    def _forward(self, number: int, node: Node, bare: bool) -> None:
        given = tuple(self.values[tensor] for tensor in node.inputs)
        options = {**(node.options or {}), **({"bare": True} if bare else {})}
        training = self.plan.training
        self.plan.training = training if node.training is None else node.training
        with lengths.within(node.shapes), self.plan.of(node.rows):
            with self.plan.part(node.layer.name, "forward"):
                x = given if node.joined else given[0]
                y, backward = masks.emit(self.plan, node.layer, x, unmasked=node.unmasked, **options)
            self.plan.training = training
            self.values.update(zip(node.outputs, y if node.split else (y,)))
            self._backwards.append(penalties.on_output(self.plan, node.layer, y, backward))
        if self.observer is not None:
            with lengths.within(node.shapes):
                self.observer.forward(self.plan, number, given, y if node.split else (y,), bare)

    @property
    def outputs(self) -> list[int]:
        """The buffers of the graph's outputs."""
        return [self.values[tensor] for tensor in self.graph.outputs]

    def _learning(self, wanted: Iterable[int]) -> set[int]:
        """The tensors that depend on something that wants a gradient."""
        learning = set(wanted)
        for node in self.graph.nodes:
            if learning.intersection(node.inputs) or any(map(self.plan.wants_gradient, node.layer.weights)):
                learning.update(node.outputs)
        return learning

    def backward(self, gradients: Iterable[tuple[int, int]], wanted: Collection[int] = ()) -> dict[int, int]:
        """The backward steps, from gradients of tensors, (tensor, buffer), to those of the `wanted` inputs."""
        learning = self._learning(wanted)
        parts: dict[int, list[int]] = {}
        for tensor, buffer in gradients:
            if buffer != ABSENT:
                parts.setdefault(tensor, []).append(buffer)
        for number in reversed(range(len(self._backwards))):
            node, backward = self.graph.nodes[number], self._backwards[number]
            if not learning.intersection(node.outputs):
                continue
            dy = [self._total(parts.pop(tensor, [])) for tensor in node.outputs]
            if getattr(node.layer, "activity_regularizer", None) is not None:
                dy = self._own(dy, [self.values[tensor] for tensor in node.outputs], parts)
            if all(buffer == ABSENT for buffer in dy):
                continue
            need = tuple(tensor in learning for tensor in node.inputs)
            with lengths.within(node.shapes):
                if self.observer is not None:
                    self.observer.backward(self.plan, number, dy)
                with self.plan.part(node.layer.name, "backward"), self.plan.of(node.rows), self.plan.use():
                    dx = backward(tuple(dy) if node.split else dy[0], need if node.joined else need[0])
            for tensor, buffer in zip(node.inputs, dx if node.joined else (dx,)):
                if buffer != ABSENT and tensor in learning:
                    parts.setdefault(tensor, []).append(buffer)
        return {tensor: self._total(parts.get(tensor, [])) for tensor in wanted}

    def _total(self, parts: Sequence[int]) -> int:
        """The sum of the gradients of all uses: the only one as it is, more of them in a buffer of their own."""
        if len(parts) < 2:
            return parts[0] if parts else ABSENT
        first, second, *rest = parts
        size = self.plan.buffers[first].size
        total = self.plan.fixed(size)
        self.plan.step("blend", (first, second, total), ints=(size,), reals=(1.0, 1.0))
        for part in rest:
            self.plan.step("combine", (part, total, ABSENT), ints=(size, -1, -1, 0), reals=(1.0, 1.0))
        return total

    def _own(self, dy: Sequence[int], y: Sequence[int], others: dict[int, list[int]]) -> list[int]:
        """Gradients that a penalty may be added to in place: nobody else's; zeros where there is none."""
        owned: list[int] = []
        for gradient, value in zip(dy, y):
            source = value if gradient == ABSENT else gradient
            if gradient == ABSENT or gradient in owned or any(gradient in parts for parts in others.values()):
                size = self.plan.buffers[source].size
                gradient, absent = self.plan.fixed(size), gradient == ABSENT
                self.plan.step("activation", (source, gradient), row="identity", ints=(size,))
                if absent:
                    self.plan.step("clip_values", (gradient,), ints=(size,), reals=(0.0,))
            owned.append(gradient)
        return owned
