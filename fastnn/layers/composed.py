"""Layers that users compose of other layers: `call` strings sublayers and operators together, as in Keras.

    class Block(Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.dense, self.norm = Dense(units), LayerNormalization()

        def call(self, inputs, training=None, mask=None):
            return self.norm(inputs + self.dense(inputs))

`call` is not run for every batch.  It is run with symbolic tensors, once for every way in which the layer is called,
and what it strings together becomes a graph, which stands in the place of the layer in every model (engine/graph.py).
So it cannot depend on values: a layer that computes on arrays defines `forward` and `backward` instead (custom.py).
Functions of fastnn.ops are layers in it (functions.py), weights and arrays are tensors (fixed.py), random numbers are
drawn for every batch (drawing.py), and losses may be added (added.py).

Sublayers are those that are kept in attributes, also in lists and dictionaries.  `training` is the mode in which the
model runs, to be passed on or decided by (branches.py); `mask` is None, for masks travel beside the tensors and reach
the sublayers by themselves.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.engine.arena import Parameter
from fastnn.engine.graph import Backward, Flow, Graph
from fastnn.engine.plan import ABSENT, Plan

from . import tensors
from ._shapes import with_batch

if TYPE_CHECKING:
    from .base import Layer


def of(layer: Any) -> Composition | None:
    """What a layer whose class defines `call`, and neither steps nor `forward`, is composed of; else None."""
    found: Composition | None = vars(layer).get("_composition")
    if found is None and _has_call(type(layer)) and not hasattr(layer, "state_size"):  # which a recurrent cell has
        found = vars(layer)["_composition"] = Composition(layer)
    return found


def _has_call(cls: type) -> bool:
    for part in cls.__mro__:
        if "emit" in vars(part) or "forward" in vars(part):
            return False
        if "call" in vars(part):
            return True
    return False


def layers_in(thing: Any) -> list[Layer]:
    """The layers among the attributes of an object, in the order in which they were set; in lists and so on, too."""
    return [layer for _, layer in _named_layers(thing)]


def _named_layers(thing: Any) -> list[tuple[str, Layer]]:
    """Each once, with the way to it: "dense", "blocks/0"."""
    from .base import Layer

    found: dict[int, tuple[str, Layer]] = {}

    def look(path: str, part: Any) -> None:
        if isinstance(part, Layer):
            found.setdefault(id(part), (path, part))
        elif isinstance(part, (list, tuple)) and not isinstance(part, Graph):
            for i, entry in enumerate(part):
                look(f"{path}/{i}", entry)
        elif isinstance(part, dict):
            for name, entry in part.items():
                look(f"{path}/{name}", entry)

    for name, part in vars(thing).items():
        look(name, part)
    return list(found.values())


class Trace:
    """What one way of calling the layer has strung together."""

    def __init__(self, outputs: Any, graph: Graph) -> None:
        self.outputs, self.graph = outputs, graph

    @property
    def flat(self) -> list[tensors.Tensor]:
        """The outputs, one after the other."""
        return leaves(self.outputs)

    @property
    def shape(self) -> Any:
        """Of the output, or a tuple of those of several."""
        shapes = self.graph.output_shapes
        return shapes[0] if isinstance(self.outputs, tensors.Tensor) else shapes

    def shape_behind(self, input_shape: Any) -> Any:
        """The shape of the output, or a tuple of those of several, for inputs of these shapes."""
        shapes = self.closed(input_shape).output_shapes
        return shapes[0] if isinstance(self.outputs, tensors.Tensor) else shapes

    def closed(self, input_shape: Any) -> Graph:
        """The graph for inputs of these shapes."""
        flat = tuple(input_shape) if tensors.is_shapes(input_shape) else (input_shape,)
        return self.graph if flat == self.graph.input_shapes else self.graph.closed(flat)

    def pack(self, made: list[Any]) -> Any:
        """Outputs arranged as `call` returned them."""
        given = iter(made)
        return arranged(self.outputs, lambda _: next(given))


class Composition:
    """The graphs of a layer that is composed of others.

    Attributes:
        layer: the layer.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._traces: dict[str, Trace] = {}
        self._shapes: Any = None

    # ----------------------------------------------------------------------------------------------------- being called

    def __call__(self, given: tuple[Any, ...], named: dict[str, Any], training: Any) -> Any:
        """Call the layer with symbolic tensors, and with whatever else its `call` takes."""
        try:
            bound = inspect.signature(self._method()).bind(*given, **named).arguments
        except TypeError as error:
            raise TypeError(f"{self.layer.name}: {error}. Received: {len(given)} tensors and {sorted(named)}") from None
        found: list[Any] = []
        arguments = {name: _described(value, found, f"{self.layer.name}: {name}") for name, value in bound.items()}
        first = next(iter(bound.values()), None)
        if not found:
            raise TypeError(
                f"{self.layer.name}: a layer is called with symbolic tensors or arrays. Received: {given!r}"
            )
        plain = len(bound) == 1 and _is_plain(first)
        options = {} if plain else {"arguments": arguments}
        x = found[0] if plain and not isinstance(first, (list, tuple)) else found
        out = tensors.call(self.layer, x, training, options)
        return self.trace(options).pack(out if isinstance(out, list) else [out])

    def _method(self) -> Callable[..., Any]:
        return self.layer.call  # type: ignore[attr-defined]

    # ------------------------------------------------------------------------------------------------------- its graphs

    def trace(self, options: Mapping[str, Any] | None = None) -> Trace:
        """The graph for a call with these arguments: by default with one tensor or list, as the layer is built for.

        Raises:
            TypeError: `call` does something else with its inputs than to hand them to layers.
            ValueError: it makes layers with weights, which would be others in every call.
        """
        key = repr(options or {})
        if key not in self._traces:
            self._traces[key] = self._traced(options or {})
            if not self.layer._trainable:
                self.layer.trainable = False  # reaches the layers that have been built
        return self._traces[key]

    @property
    def draws(self) -> bool:
        """See `Layer.draws`."""
        return any(trace.graph.draws for trace in self._traces.values())

    @property
    def first(self) -> Trace:
        """The graph of the first call."""
        return next(iter(self._traces.values()), None) or self.trace()

    def _traced(self, options: Mapping[str, Any]) -> Trace:
        from . import branches
        from .core import InputLayer
        from .graphs import Network
        from .reshaping import Identity

        layer, kind = self.layer, type(self.layer).__name__
        arguments = options.get("arguments")
        shapes: Any = layer.shape_in if arguments is None else tuple(_shapes_in(arguments))
        flat = list(shapes) if tensors.is_shapes(shapes) else [shapes]
        inputs = [InputLayer(shape, name=f"{layer.name}_input", dtype=layer.dtype).output for shape in flat]
        signature = inspect.signature(self._method())
        if arguments is not None:
            bound, given = signature.bind_partial(), iter(inputs)
            bound.arguments.update({name: _restored(entry, given) for name, entry in arguments.items()})
        else:
            bound = signature.bind_partial(inputs if tensors.is_shapes(shapes) else inputs[0])
        aware = "training" in signature.parameters

        def run(mode: Any) -> Any:
            if aware:
                bound.arguments["training"] = mode
            return self._method()(*bound.args, **bound.kwargs)

        try:
            outputs, networks = branches.traced(inputs, run, layer.dtype)
        except (TypeError, AttributeError) as error:
            raise TypeError(
                f"{kind}.call can string layers and operators together, once, before there are values; there is no "
                f"automatic differentiation of what it computes on arrays: define forward(x) and backward(dy) for "
                f"that (docs/custom-layers.md). {error}"
            ) from error
        made = leaves(outputs)
        if not made or not all(isinstance(tensor, tensors.Tensor) for tensor in made):
            raise TypeError(f"{kind}.call must return what layers give for its inputs. Received: {outputs!r}")
        penalty = layer.activity_regularizer
        if penalty is not None:  # on what the layer gives, not on what its sublayers do
            made = [Identity(activity_regularizer=penalty, dtype=layer.dtype)(tensor) for tensor in made]
        network = Network(inputs, made)
        own = {id(part) for part in layers_in(layer)}
        weights = {id(weight) for weight in self.weights}
        for part in [layer for each in (networks or [network]) for layer in each.layers]:
            if id(part) not in own and not weights.issuperset(map(id, part.weights)):
                raise ValueError(
                    f"{kind}: layers with weights must be made in __init__ or build and kept as attributes. "
                    f"Received: {part!r} made elsewhere"
                )
        graph, results = network.graph(), iter(made)
        for part in layers_in(layer):
            if hasattr(part, "in_graph"):
                part.in_graph = True
        return Trace(arranged(outputs, lambda _: next(results)), graph)

    # ----------------------------------------------------------------------------------------------------- as one layer

    @property
    def layers(self) -> list[Layer]:
        """The sublayers."""
        return layers_in(self.layer)

    @property
    def weights(self) -> list[Parameter]:
        """Those of the layer itself, then those of its sublayers, each once."""
        every = [*self.layer.parameters, *(p for part in self.layers for p in part.weights)]
        return list({id(p): p for p in every}.values())

    @property
    def weight_paths(self) -> dict[str, Parameter]:
        """The weights by names that an equal layer has as well: those of sublayers by attribute, number and name."""
        paths = {p.name: p for p in self.layer.parameters}
        known = set(map(id, paths.values()))
        for path, part in _named_layers(self.layer):
            for i, parameter in enumerate(part.weights):
                if id(parameter) not in known:
                    known.add(id(parameter))
                    paths[f"{path}/{i}/{parameter.name.rsplit('/', 1)[-1]}"] = parameter
        return paths

    def emit(self, plan: Plan, x: Any, options: Mapping[str, Any] | None = None) -> tuple[Any, Backward]:
        """Within a layer that wraps this one, or called with arrays; a model takes it apart before."""
        trace, several = self.trace(options) if options else self.first, isinstance(x, tuple)
        graph = trace.closed(self.layer.shape_in) if trace.graph.is_open else trace.graph
        flow = Flow(plan, graph, x if several else (x,))
        single = isinstance(trace.outputs, tensors.Tensor)

        def backward(dy: Any, need: Any) -> Any:
            inputs = trace.graph.inputs
            wanted = [t for t, needed in zip(inputs, need if several else (need,)) if needed]
            found = flow.backward(zip(trace.graph.outputs, (dy,) if single else dy), wanted)
            dx = tuple(found.get(tensor, ABSENT) for tensor in inputs)
            return dx if several else dx[0]

        return flow.outputs[0] if single else tuple(flow.outputs), backward


# ----------------------------------------------------------------------------------------------------------- structures


def leaves(thing: Any) -> list[Any]:
    if isinstance(thing, dict):
        thing = list(thing.values())
    return [leaf for part in thing for leaf in leaves(part)] if isinstance(thing, (list, tuple)) else [thing]


def arranged(thing: Any, new: Callable[[Any], Any]) -> Any:
    """The same lists and dictionaries of other things."""
    if isinstance(thing, dict):
        return {name: arranged(part, new) for name, part in thing.items()}
    if isinstance(thing, (list, tuple)):
        return type(thing)([arranged(part, new) for part in thing])
    return new(thing)


def _is_plain(argument: Any) -> bool:
    """Whether this is a tensor or an array, or a list of nothing else."""
    kinds = (tensors.Tensor, np.ndarray, Parameter)
    if isinstance(argument, (list, tuple)):
        return all(isinstance(part, kinds) for part in argument)
    return isinstance(argument, kinds)


def _described(value: Any, found: list[Any], where: str) -> Any:
    """An argument as JSON can hold it; of tensors and arrays it holds the shapes of a sample, and they are `found`.

    Raises:
        TypeError: a value that a description cannot hold.
    """
    from . import fixed

    if isinstance(value, (np.ndarray, np.generic, Parameter)) and np.ndim(value):
        value = fixed.symbol(value) if tensors.TRACED.get() is not None else np.asarray(value)
        if isinstance(value, np.ndarray):
            found.append(value)
            return {"tensor": list(value.shape[1:])}
    if isinstance(value, tensors.Tensor):
        found.append(value)
        return {"tensor": list(value.sample_shape[value.fixed :])}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {"dict": {str(name): _described(part, found, where) for name, part in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"list": [_described(part, found, where) for part in value]}
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise TypeError(f"{where} must be symbolic tensors, numbers, strings or None. Received: {value!r}")
    return {"value": value}


def _restored(entry: Any, inputs: Iterator[tensors.Tensor]) -> Any:
    """The argument that was described."""
    ((kind, value),) = entry.items()
    if kind == "tensor":
        return next(inputs)
    if kind == "dict":
        return {name: _restored(part, inputs) for name, part in value.items()}
    return [_restored(part, inputs) for part in value] if kind == "list" else value


def _shapes_in(arguments: Mapping[str, Any]) -> list[tuple[int, ...]]:
    """Those of the tensors in described arguments, in their order."""
    shapes: list[tuple[int, ...]] = []

    def look(entry: Any) -> None:
        ((kind, value),) = entry.items()
        if kind == "tensor":
            shapes.append(tuple(value))
        elif kind in ("list", "dict"):
            for part in value.values() if kind == "dict" else value:
                look(part)

    for entry in arguments.values():
        look(entry)
    return shapes


def shape_to_build(shapes: Any, options: Mapping[str, Any]) -> Any:
    """What `build` is given: the shape of the first argument, or of the tensors in it."""
    if not options:
        return shapes
    name, first = next(iter(options["arguments"].items()))
    found = _shapes_in({name: first}) or list(shapes)
    return found[0] if "tensor" in first or "value" in first else tuple(found)


def named_shapes(layer: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The shapes of a call's tensors by Keras's names, where `build` takes several: query_shape is that of query."""
    arguments = options.get("arguments", {})
    named = [name for name, p in inspect.signature(layer.build).parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    found = {}
    for name in named if len(named) > 1 else ():
        argument = name.removesuffix("_shape")
        shapes = _shapes_in({argument: arguments[argument]}) if argument in arguments else []
        if shapes:
            found[name] = with_batch(shapes[0] if "tensor" in arguments[argument] else tuple(shapes))
    return found
