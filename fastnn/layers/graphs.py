"""From calls of layers to the engine's graph: models and composed layers are taken apart, tensors become numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fastnn.engine.graph import Graph, Node

from . import composed
from .base import Layer, Shape
from .core import InputLayer
from .tensors import Call, Tensor, calls_between
from .tensors import call as call_layer
from .tied import connect


class Assembly:
    """A graph that is being put together."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._tensors = 0

    def tensors(self, count: int) -> tuple[int, ...]:
        """New numbers."""
        self._tensors += count
        return tuple(range(self._tensors - count, self._tensors))

    def add(
        self, layer: Layer, inputs: tuple[int, ...], *, joined: bool = False, outputs: int = 1, split: bool = False,
        training: bool | None = None, options: dict[str, Any] | None = None, unmasked: bool = False,
        rows: int | None = None,
    ) -> tuple[int, ...]:  # fmt: skip
        """A call of a layer, or all nodes of a model; returns the numbers of its outputs."""
        inner = layer.inner_graph(options or {})
        if inner is None:
            made = self.tensors(outputs)
            self.nodes.append(Node(layer, inputs, made, joined, split, training, options, unmasked, rows=rows))
            return made
        numbers = dict(zip(inner.inputs, inputs))
        for node in inner.nodes:
            new = self.tensors(len(node.outputs))
            numbers.update(zip(node.outputs, new))
            given = tuple(numbers[tensor] for tensor in node.inputs)
            self.nodes.append(
                node._replace(
                    inputs=given, outputs=new, training=training if node.training is None else node.training,
                    rows=rows if node.rows is None else node.rows,
                )
            )  # fmt: skip
        return tuple(numbers[tensor] for tensor in inner.outputs)

    def finish(
        self, inputs: tuple[int, ...], outputs: tuple[int, ...], input_shapes: Iterable[Shape],
        output_shapes: Iterable[Shape],
    ) -> Graph:  # fmt: skip
        return Graph(tuple(self.nodes), inputs, outputs, tuple(input_shapes), tuple(output_shapes))


def stack_graph(layers: Iterable[Layer], input_shape: Shape, output_shape: Shape) -> Graph:
    """Layers one on top of the other."""
    assembly = Assembly()
    inputs = x = assembly.tensors(1)
    for layer in layers:
        x = assembly.add(layer, x)
    return assembly.finish(inputs, x, [input_shape], [output_shape])


class Network:
    """What leads from some symbolic tensors to others.

    Attributes:
        calls: those that compute something, each behind those whose results it takes.
        layers: every layer once, from the inputs on, in Keras's order: by the greatest number of calls between the
            layer and an output, then as a search from the outputs meets them.
    """

    def __init__(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.calls, met = calls_between(inputs, outputs)
        if not all(isinstance(tensor.call.layer, InputLayer) for tensor in inputs):
            self._cut()
            self.calls, met = calls_between(self.inputs, self.outputs)
        self.layers = self._ordered([*(tensor.call for tensor in self.inputs if tensor.call not in met), *met])

    def _cut(self) -> None:
        """Put an Input in the place of every tensor that another layer makes, and call the layers above again."""
        places: dict[int, Tensor] = {}
        for tensor in self.inputs:
            fresh = isinstance(tensor.call.layer, InputLayer)
            places[id(tensor)] = tensor if fresh else InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype).output
        for call in self.calls:
            given = [places[id(tensor)] for tensor in call.inputs]
            out = call_layer(
                call.layer, given if call.joined else given[0], call.training, call.options, call.unmasked, kept=False,
                whole=call.whole,
            )  # fmt: skip
            made = out if call.split else [out]
            places.update((id(old), places.get(id(old), new)) for old, new in zip(call.outputs, made))
        self.inputs, self.outputs = ([places[id(t)] for t in tensors] for tensors in (self.inputs, self.outputs))

    def _ordered(self, met: Sequence[Call]) -> list[Layer]:
        depths: dict[int, int] = {}
        deepest: dict[int, int] = {}
        makers = [tensor.call for tensor in self.inputs]
        for call in [*reversed(self.calls), *makers]:
            depth = max(depths.get(id(call), 0), deepest.get(id(call.layer), 0))
            deepest[id(call.layer)] = depth
            for tensor in call.inputs:
                depths[id(tensor.call)] = max(depth + 1, depths.get(id(tensor.call), 0))
        layers = list({id(call.layer): call.layer for call in met}.values())
        return sorted(layers, key=lambda layer: -deepest[id(layer)])

    def graph(self) -> Graph:
        """The engine's view."""
        assembly = Assembly()
        inputs = assembly.tensors(len(self.inputs))
        numbers = dict(zip(map(id, self.inputs), inputs))
        for call in self.calls:
            made = assembly.add(
                call.layer, tuple(numbers[id(tensor)] for tensor in call.inputs), joined=call.joined,
                outputs=len(call.outputs), split=call.split, training=call.training, options=call.options,
                unmasked=call.unmasked, rows=call.rows,
            )  # fmt: skip
            for tensor, number in zip(call.outputs, made):
                numbers.setdefault(id(tensor), number)
        outputs = tuple(numbers[id(tensor)] for tensor in self.outputs)
        shapes = ([tensor.sample_shape for tensor in tensors] for tensors in (self.inputs, self.outputs))
        return assembly.finish(inputs, outputs, *shapes)


def describe(network: Network, serialize: Any) -> dict[str, Any]:
    """Layers and calls as JSON can hold them; a tensor is [number of the call, number of its output]."""
    makers = [tensor.call for tensor in network.inputs]
    calls = [*makers, *network.calls]
    number = {id(call): i for i, call in enumerate(calls)}
    place = {id(layer): i for i, layer in enumerate(network.layers)}

    def references(tensors: Iterable[Tensor]) -> list[list[int]]:
        return [[number[id(tensor.call)], tensor.index] for tensor in tensors]

    described = []
    for call in network.calls:
        entry: dict[str, Any] = {"layer": place[id(call.layer)], "inputs": references(call.inputs)}
        entry.update({name: True for name in ("joined", "unmasked", "whole") if getattr(call, name)})
        if call.training is not None:
            entry["training" if call.training else "inference"] = True
        if call.options:
            entry["options"] = call.options
        described.append(entry)
    return {
        "layers": [serialize(layer) for layer in network.layers],
        "inputs": [place[id(call.layer)] for call in makers],
        "calls": described,
        "outputs": references(network.outputs),
    }


def rebuild(config: dict[str, Any], deserialize: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and outputs of what `describe` described.

    Raises:
        ValueError: a number points nowhere.
    """
    layers = connect(deserialize(entry) for entry in config["layers"])
    made: list[tuple[Tensor, ...]] = []

    def tensor(reference: Any) -> Tensor:
        call, index = reference
        return _entry(_entry(made, call, "call"), index, "output of a call")

    for place in config["inputs"]:
        layer = _entry(layers, place, "layer")
        if not isinstance(layer, InputLayer):
            raise ValueError(f"expected an InputLayer for each input. Received: {layer!r}")
        made.append((layer.output,))
    for entry in config["calls"]:
        given = [tensor(reference) for reference in entry["inputs"]]
        if not (given or entry.get("joined")) or not (entry.get("joined") or len(given) == 1):
            raise ValueError(f"expected tensors for each call. Received: {entry!r}")
        layer = _entry(layers, entry["layer"], "layer")
        x, training = given if entry.get("joined") else given[0], _mode(entry)
        options = entry.get("options", {})
        if not isinstance(options, dict):
            raise ValueError(f"expected the arguments of a call by name. Received: {options!r}")
        unmasked, whole = bool(entry.get("unmasked")), bool(entry.get("whole"))
        told = bool(layer.call_options or options or unmasked or whole or not given)
        own_way = not told and composed.of(layer) is None  # models arrange their tensors
        out = layer(x, training=training) if own_way else call_layer(layer, x, training, options, unmasked, whole=whole)
        made.append(_flat(out))
    return [tensors[0] for tensors in made[: len(config["inputs"])]], [tensor(r) for r in config["outputs"]]


def _mode(entry: dict[str, Any]) -> bool | None:
    """Whether a call that was described behaves as in training in any mode, or as in inference."""
    return True if entry.get("training") else False if entry.get("inference") else None


def _flat(output: Any) -> tuple[Tensor, ...]:
    if isinstance(output, dict):
        return tuple(output.values())
    return tuple(output) if isinstance(output, list) else (output,)


def _entry(entries: Sequence[Any], index: Any, what: str) -> Any:
    if type(index) is not int or not 0 <= index < len(entries):
        raise ValueError(f"expected the number of a {what}, below {len(entries)}. Received: {index!r}")
    return entries[index]
