"""What a model is made of: its layers, how they are strung together, and what that means for shapes and weights.

A model is a layer: it can be called with symbolic tensors, which puts it into another model.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy.typing as npt

from fastnn import _overrides
from fastnn import config as settings
from fastnn._errors import unknown
from fastnn.engine import lengths
from fastnn.engine.arena import Parameter
from fastnn.engine.graph import Backward, Flow, Graph
from fastnn.engine.plan import ABSENT, Plan
from fastnn.layers import branches, composed, fixed, tensors
from fastnn.layers import registry as layer_registry
from fastnn.layers._shapes import with_batch
from fastnn.layers.base import Layer, Shape, set_all, take_name, unique_name
from fastnn.layers.core import InputLayer
from fastnn.layers.graphs import Network, describe, rebuild
from fastnn.layers.tied import TiedDense, check_connected

from . import summarising
from .structures import Structure


class Topology(Layer):
    """The part of `Model` that knows its layers.

    Attributes:
        takes_one: whether there is one input, also while its shape is not known.
    """

    takes_one: ClassVar[bool] = False
    called_by_steps: ClassVar[bool] = False
    in_graph: bool = False  # whether another model has been made of this one's layers

    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True
    ) -> None:
        # nothing of Layer's own: a model has no parameters but those of its layers
        functional = inputs is not None or outputs is not None
        kind = "Functional" if functional and type(self).__name__ == "Model" else type(self).__name__
        self.name = unique_name(kind) if name is None else take_name(kind, name)
        self.activity_regularizer = None
        self.declared_input_shape = None
        self.calls = []
        self._graph: Graph | None = None
        self._network: Network | None = None
        self._structures = Structure(0, ["input"]), Structure(0, ["output"])
        if functional:
            if type(self).call is not Topology.call:
                raise _overrides.never_called(
                    type(self), "call", "a model of inputs and outputs is the graph between them; leave them out, and "
                    "call layers in call, or leave out call"
                )  # fmt: skip
            self._connect(inputs, outputs)
            if not trainable:
                self.trainable = False

    # ---------------------------------------------------------------------------------------------------------- network

    def _connect(self, inputs: Any, outputs: Any) -> None:
        """Make this the model that leads from those tensors to these."""
        flat = []
        for what, given in (("inputs", inputs), ("outputs", outputs)):
            # in the order of the names, as in Keras: so the order of the layers, and of their weights, is the same
            found = [given[name] for name in sorted(given)] if isinstance(given, dict) else given
            found = found if isinstance(found, (list, tuple)) else [found]
            for tensor in found:
                if not isinstance(tensor, tensors.Tensor):
                    raise TypeError(
                        f"{self.name}: {what} must be a symbolic tensor, a list or a dictionary of them. "
                        f"Received: {tensor!r}"
                    )
            if not found:
                raise ValueError(f"{self.name}: expected {what}. Received: {given!r}")
            if names := [tensor.name for tensor in found if tensor.fixed]:
                raise ValueError(f"{self.name}: expected {what} with a batch. Received: {names}")
            flat.append(list(found))
        if len({id(tensor) for tensor in flat[0]}) < len(flat[0]):
            raise ValueError(f"{self.name}: expected each input once. Received: {[t.name for t in flat[0]]}")
        network = Network(*flat)
        names = [layer.name for layer in network.layers]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{self.name}: expected layers with unique names. Received: {name!r} twice")
        self._structures = (
            Structure(inputs, [tensor.name for tensor in network.inputs]),
            Structure(outputs, [tensor.name for tensor in network.outputs]),
        )
        self._network = network
        self._changed()

    def _changed(self) -> None:
        """The graph is another one."""
        self._graph = None

    @property
    def graph(self) -> Graph:
        """The engine's view.

        Raises:
            ValueError: the shapes are not known yet.
        """
        if self._graph is None:
            if not self.built:
                raise ValueError(
                    f"{self.name}: expected a built model; add an Input, or call build or fit first. "
                    f"Received: no input shape"
                )
            self._graph = self._make_graph()
            for part in self.all_layers():
                if isinstance(part, Topology):
                    part.in_graph = True
        return self._graph

    def _make_graph(self) -> Graph:
        assert self._network is not None
        return self._network.graph()

    @property
    def inputs(self) -> list[tensors.Tensor]:
        """The symbolic tensors that go in."""
        return list(self._known_network().inputs)

    @property
    def outputs(self) -> list[tensors.Tensor]:
        """The symbolic tensors that come out."""
        return list(self._known_network().outputs)

    @property
    def input(self) -> Any:
        """The symbolic tensors that go in, arranged as they were given."""
        return self._structures[0].pack(self.inputs)

    @property
    def output(self) -> Any:
        """The symbolic tensors that come out, arranged as they were given."""
        return self._structures[1].pack(self.outputs)

    def _known_network(self) -> Network:
        if self._network is None:
            raise ValueError(f"{self.name}: expected a built model. Received: no input shape")
        return self._network

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs, as dictionaries of arrays use them."""
        return list(self._structures[0].names)

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, as logs and dictionaries of losses use them."""
        return list(self._structures[1].names)

    # ------------------------------------------------------------------------------------------------ subclassed models

    def call(self, inputs: Any) -> Any:
        """What a subclass defines: symbolic tensors in, symbolic tensors out, by calling layers made in __init__.

        It is called when the shape of the inputs is known; `training` may be a second argument, to be passed on to
        layers, or decided by.  What it does becomes a plan, so it cannot depend on values.
        """
        raise NotImplementedError(
            f"{self.name}: expected inputs and outputs, Model(inputs, outputs), or a subclass that defines call"
        )

    def _trace(self, shapes: Any) -> None:
        """Call `call` with symbolic tensors of these shapes."""
        dtype = next((layer.dtype for layer in self._own_layers()), settings.floatx())
        named = shapes if isinstance(shapes, dict) else None
        flat = [shapes] if isinstance(shapes, tuple) else list(shapes.values()) if named else shapes
        names = list(named) if named else ["input", *(f"input_{i}" for i in range(1, len(flat)))]
        made = [InputLayer(shape, name=name, dtype=dtype).output for shape, name in zip(flat, names)]
        inputs: Any = made[0] if isinstance(shapes, tuple) else dict(zip(named, made)) if named else made
        run: Any = self.call
        aware = "training" in inspect.signature(run).parameters
        call = (lambda mode: run(inputs, training=mode)) if aware else (lambda mode: run(inputs))
        outputs, networks = branches.traced(made, call, dtype)
        if not tensors.is_symbolic(outputs):
            raise TypeError(f"{self.name}: call must return what layers give for its inputs. Received: {outputs!r}")
        self._connect(inputs, outputs)
        own = [id(layer) for layer in self._own_layers()]
        for layer in [x for each in (networks or [self._known_network()]) for x in each.layers]:
            if layer.weights and id(layer) not in own and not isinstance(layer, fixed.Weight):
                self._network = None
                raise ValueError(
                    f"{self.name}: layers with weights must be made in __init__ and kept as attributes. "
                    f"Received: {layer!r} made elsewhere"
                )

    def _own_layers(self) -> list[Layer]:
        """The layers among the attributes, in the order in which they were set; in lists and dictionaries, too."""
        return composed.layers_in(self)

    # --------------------------------------------------------------------------------------------------- as a layer

    def make_weights(self, input_shape: Any) -> None:
        """Give all layers their shapes, for samples of this one, or of these if the model has several inputs.

        `build` and `compute_output_shape` take the same with the batch axis in front.

        Raises:
            ValueError: not a shape, not the one that was declared, or a layer does not take it.
        """
        if self._network is None:
            self._trace(list(input_shape) if tensors.is_shapes(input_shape) else input_shape)
            return
        flat = self._structures[0].flatten(input_shape, self.name, "input shapes")
        known = [tensor.sample_shape for tensor in self.inputs]
        if flat != known and not lengths.matches(known, flat):
            raise ValueError(
                f"{self.name} was built for inputs of shape {self.input_shape}. Received: {with_batch(input_shape)}"
            )

    def build_once(self, input_shape: Any) -> Any:
        """Build for these inputs, or check that they are those the model was built for; returns the output shapes."""
        if input_shape is None:
            if not self.built:
                raise ValueError(f"{self.name}: expected an input shape. Received: None")
            input_shape = self.shape_in
        elif not self.built:
            self._run_build(input_shape)
        self.make_weights(input_shape)  # also for a model whose own build does not call that of Model
        return self.shape_behind(input_shape)

    def _infer_any(self, input_shape: Any, options: Any) -> Any:
        return self.build_once(input_shape)

    def shape_behind(self, input_shape: Any, options: Any = None) -> Any:
        shapes = self._closed(input_shape).output_shapes
        return shapes[0] if self._structures[1].single else shapes

    def shapes_of_call(self, input_shape: Any, options: Any, found: dict[int, tuple[Any, Any]]) -> Any:
        made = self.shape_behind(input_shape)
        found[id(self)] = input_shape, made
        return made

    def _closed(self, input_shape: Any) -> Graph:
        """The graph for inputs of these shapes."""
        if isinstance(input_shape, dict):
            input_shape = self._structures[0].flatten(input_shape, self.name, "input shapes")
        flat = tuple(input_shape) if tensors.is_shapes(input_shape) else (input_shape,)
        return self.graph if flat == self.graph.input_shapes else self.graph.closed(flat)

    def connect(self, x: Any, training: Any = None) -> Any:
        """The model as a layer of another one: symbolic tensors in and out."""
        given = x
        if self._network is not None and (isinstance(x, dict) or not self._structures[0].single):
            given = self._structures[0].flatten(x, self.name, "inputs")
        elif isinstance(x, dict):
            self.build_once({name: tensor.sample_shape for name, tensor in x.items()})
            given = self._structures[0].flatten(x, self.name, "inputs")
        out = tensors.call(self, given, training)
        return self._structures[1].pack(out) if isinstance(out, list) else out

    def emit(self, plan: Plan, x: Any) -> tuple[Any, Backward]:
        """Within a layer that wraps this model; a model within a model is taken apart before."""
        several, found = isinstance(x, tuple), lengths.of_call(self)
        flow = Flow(plan, self.graph if found is None else self._closed(found[0]), x if several else (x,))
        single = self._structures[1].single

        def backward(dy: Any, need: Any) -> Any:
            wanted = [t for t, needed in zip(self.graph.inputs, need if several else (need,)) if needed]
            found = flow.backward(zip(self.graph.outputs, (dy,) if single else dy), wanted)
            dx = tuple(found.get(tensor, ABSENT) for tensor in self.graph.inputs)
            return dx if several else dx[0]

        return flow.outputs[0] if single else tuple(flow.outputs), backward

    # ------------------------------------------------------------------------------------------------------- its shapes

    def _is_built(self) -> bool:
        return self._network is not None

    @property
    def dtype(self) -> str:  # type: ignore[override]
        """Of the parameters."""
        return next((p.dtype.name for p in self.weights), next((x.dtype for x in self.layers), settings.floatx()))

    @property
    def _batch(self) -> int | None:  # type: ignore[override]
        """The number of samples that an Input has told, which shapes show."""
        return next((x.call.batch for x in self._network.inputs if x.call.batch), None) if self._network else None

    @property
    def shape_in(self) -> Any:
        """Of one sample; None as long as it is not known; a tuple where there are several inputs."""
        return _one_or_all(self.graph.input_shapes) if self.built else None

    @property
    def shape_out(self) -> Any:
        """Of one sample; None as long as it is not known; a tuple where there are several outputs."""
        return _one_or_all(self.graph.output_shapes) if self.built else None

    # ---------------------------------------------------------------------------------------------------------- layers

    @property
    def layers(self) -> list[Layer]:
        """The layers in order; those of a functional model with its InputLayers, as in Keras."""
        if type(self).call is Topology.call:
            return list(self._known_network().layers)
        own = self._own_layers()
        known = {id(layer) for layer in own}
        used = self._network.layers if self._network is not None else []
        return own + [x for x in used if id(x) not in known and not isinstance(x, InputLayer)]

    @property
    def weights(self) -> list[Parameter]:
        """All parameters, layer by layer, each once."""
        return list({id(p): p for layer in self.layers for p in layer.weights}.values())

    @property
    def trainable_weights(self) -> list[Parameter]:
        """Those that the optimizer may change."""
        return [p for p in self.weights if p.trainable]

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """The others."""
        return [p for p in self.weights if not p.trainable]

    @property
    def trainable(self) -> bool:
        """Whether the optimizer may change something; setting it sets it for every layer."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.layers:
            layer.trainable = value

    def all_layers(self) -> list[Layer]:
        """The layers, and those of nested models and of layers that are composed of others."""
        return nested_layers(self.layers)

    def weight_paths(self) -> dict[str, Parameter]:
        """All parameters by names that are unique in the model: "layer/weight", behind the names of nested models."""
        paths: dict[str, Parameter] = {}
        known: set[int] = set()
        for layer in self.layers:
            for name, parameter in layer.weight_paths().items():
                if id(parameter) in known:
                    continue
                known.add(id(parameter))
                # wrapped layers may share a name
                path = f"{layer.name}/{name}" if layer.is_nested or name in paths else name
                if path in paths:
                    raise ValueError(f"{self.name}: expected weights with names of their own. Received: {path!r} twice")
                paths[path] = parameter
        return paths

    @property
    def draws(self) -> bool:
        return self.built and self.graph.draws

    @property
    def is_nested(self) -> bool:
        return True

    def inner_graph(self, options: Any = None) -> Graph:
        return self.graph

    def get_weights(self) -> list[npt.NDArray[Any]]:
        """Copies of all parameters, layer by layer."""
        return [p.numpy() for p in self.weights]

    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Overwrite all parameters.

        Raises:
            TypeError, ValueError: the number of arrays or a shape differs, or something is not a number; nothing is
                changed then.
        """
        set_all(self.weights, weights, self.name)

    def count_params(self) -> int:
        """Number of parameters of all layers."""
        for layer in self.layers:
            layer.count_params()  # complains about those without a shape
        return sum(p.size for p in self.weights)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or by index.

        Raises:
            ValueError: no such layer, or neither or both of the arguments are given.
        """
        if (name is None) == (index is None):
            raise ValueError(f"get_layer: expected a name or an index. Received: name={name!r}, index={index!r}")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"get_layer: expected an index below {len(layers)}. Received: {index}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise unknown("layer of the model", name, [layer.name for layer in layers])

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
        batch_size: int = 32,
    ) -> None:
        """Print the layers with their output shapes, numbers of parameters and costs, and what each is connected to.

        FLOPs are those of one sample in inference: two for each multiplication with its addition in a product, a
        convolution or a recurrence, one for each operation elsewhere (fastnn.engine.costs); "?" for layers written in
        Python.  Memory is that of the arrays which a layer makes for a whole batch; at the end stands what a program
        allocates for all of them, where arrays share memory as soon as they can.

        Parameters:
            line_length: characters per line, at least as many as the table needs.
            positions: where columns end, in characters or shares of the line, at least as far as they need.
            print_fn: called with the text instead of print.
            expand_nested: show the layers of nested models, too.
            show_trainable: show which layers are trained: Y, N, or - for those without weights.
            layer_range: names of the first and the last layer to show, or regular expressions.
            batch_size: of the batch whose memory is told.

        Raises:
            ValueError: no layer has such a name, positions do not rise, or the batch size is not positive.
        """
        options = summarising.Options(line_length, positions, expand_nested, show_trainable, layer_range, batch_size)
        if type(batch_size) is not int or batch_size < 1:
            raise ValueError(f"summary: batch_size must be a positive whole number. Received: {batch_size!r}")
        (print_fn or print)(summarising.summary(self, options))

    # ---------------------------------------------------------------------------------------------------------- configs

    @property
    def saved_as(self) -> type[Layer]:
        """The class that a description names: a subclassed model is described as the graph that its call has traced."""
        from .model import Model

        return Model if self._network is not None else type(self)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` builds an equal model from, without the weights.

        Raises:
            ValueError: a subclassed model is not built; a layer stands in the model and in a nested one, which a
                description cannot say.
        """
        if self._network is None:
            raise ValueError(
                f"{self.name}: a subclassed model is described by the graph of its call; build it first. "
                f"Received: not built"
            )
        layers = self._network.layers
        check_connected(layers)
        if sum(len({id(p) for p in x.weights}) - isinstance(x, TiedDense) for x in layers) > len(self.weights):
            raise ValueError(
                f"{self.name}: a layer that stands in the model and in a nested model cannot be described. "
                f"Received: shared weights"
            )
        structures = dict(zip(("input_names", "output_names"), self._structures))
        return {
            "name": self.name,
            **describe(self._network, layer_registry.serialize),
            **{key: structure.keys for key, structure in structures.items() if structure.keys is not None},
            "single": [structure.single for structure in self._structures],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The model that `get_config` described; of a class with a `get_config` of its own, cls(**config)."""
        if "layers" not in config:
            return cls(**config)
        inputs, outputs = rebuild(config, layer_registry.deserialize)
        arranged: list[Any] = []
        singles: tuple[bool, bool] = tuple(config["single"])
        if len(singles) != 2:
            raise ValueError(f"expected to know of inputs and outputs whether there is one. Received: {singles}")
        for flat, key, single in zip((inputs, outputs), ("input_names", "output_names"), singles):
            names = config.get(key)
            if names is None:
                arranged.append(flat[0] if single else flat)
            elif len(names) == len(flat) and all(isinstance(name, str) for name in names):
                arranged.append(dict(zip(names, flat)))
            else:
                raise ValueError(f"expected {len(flat)} {key}. Received: {names!r}")
        return cls(arranged[0], arranged[1], name=config.get("name"))

    def to_json(self, **options: Any) -> str:
        """The architecture as JSON, for `model_from_json`; options are those of json.dumps."""
        return json.dumps(layer_registry.serialize(self), **options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name} built={self.built}>"


def _one_or_all(shapes: Sequence[Shape]) -> Any:
    return shapes[0] if len(shapes) == 1 else tuple(shapes)


def nested_layers(layers: Sequence[Layer]) -> list[Layer]:
    """Layers, each with those that it is made of behind it."""
    found: list[Layer] = []
    for layer in layers:
        composition = None if isinstance(layer, Topology) else composed.of(layer)
        inner = layer.layers if isinstance(layer, Topology) else composition.layers if composition is not None else []
        found += [layer, *nested_layers(inner)]
    return found
