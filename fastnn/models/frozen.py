"""Models for inference alone: what `Model.freeze` returns."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn.backend import current
from fastnn.engine.arena import Parameter
from fastnn.engine.graph import Graph
from fastnn.engine.plan import Plan
from fastnn.engine.states import every_layer
from fastnn.engine.step import inference_plan

from .data import inputs_for
from .lengths import Lengths
from .programs import Executor, ProgramPool
from .structures import Structure

if TYPE_CHECKING:
    from .model import Model

Array = npt.NDArray[Any]


class Frozen:
    """A function of samples with the weights that a model had when it was frozen.

    Training the model on, or changing its weights, does not change the function; it cannot be trained itself.  Any
    number of threads may call it at once.  A call looks at its argument and computes: about as fast as a call can be.

    Parameters:
        graph: of layers of its own, which nobody else changes.
        parameters: of these layers.
        inputs, outputs: how they are arranged.
        dtype: of all numbers inside.
        batch_size: samples computed at once.
        name: of the model.

    Attributes:
        name: of the model.
        dtype: of inputs that need no conversion, and of all outputs.
        input_shapes, output_shapes: of one sample, for every input and output; None for unknown lengths.
        weights: those of that moment, which cannot be written to.

    None of them can be set.
    """

    name: str
    dtype: np.dtype[Any]
    batch_size: int
    input_shapes: tuple[tuple[int, ...], ...]
    output_shapes: tuple[tuple[int, ...], ...]
    weights: tuple[Array, ...]
    _lengths: Lengths
    _inputs: Structure
    _outputs: Structure
    _parameters: list[Parameter]
    _pool: ProgramPool
    _plain: bool

    def __init__(
        self,
        graph: Graph,
        parameters: Sequence[Parameter],
        inputs: Structure,
        outputs: Structure,
        dtype: np.dtype[Any],
        batch_size: int,
        name: str,
    ) -> None:
        self.__dict__.update({"name": name, "dtype": dtype, "batch_size": batch_size})
        self.__dict__.update({"input_shapes": graph.input_shapes, "output_shapes": graph.output_shapes})
        self.__dict__.update(
            {"_lengths": Lengths(graph), "_inputs": inputs, "_outputs": outputs, "_parameters": list(parameters)}
        )
        values = [p.value for p in parameters]
        for value in values:
            value.flags.writeable = False
        # the usual case: one input, one output
        plain = len(graph.input_shapes) == 1 and inputs.single and outputs.single
        self.__dict__.update({"weights": tuple(values), "_pool": ProgramPool(), "_plain": plain})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a frozen model cannot be changed; freeze the model again. Received: {name} = {value!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a frozen model cannot be changed; freeze the model again. Received: del {name}")

    def __call__(self, x: Any) -> Any:
        """The outputs for samples, as `Model.predict` would give them.

        Parameters:
            x: array (n, *input_shape), or a list or dictionary of arrays where the model has several inputs.

        Returns:
            Array (n, *output_shape) of `dtype`; a list or a dictionary of them for several outputs.

        Raises:
            TypeError: not numbers.
            ValueError: the shape is another one, or there are no samples.
        """
        if type(x) is np.ndarray and self._plain and x.ndim and 0 < len(x) <= self.batch_size:
            graph = self._lengths.for_one(x)
            y = None if graph is None else self._pool.infer(self._key(graph, len(x)), x, graph, self._executor)
            if y is not None:
                return y
        samples = inputs_for(self._inputs, self.input_shapes, x, self.dtype, self.name)
        n, size, graph = len(samples[0]), self.batch_size, self._lengths.of(samples)
        found = [np.empty((n, *shape), self.dtype) for shape in graph.output_shapes]
        for at in range(0, n, size):
            rows = slice(at, at + size)
            self._run(graph, min(size, n - at), [part[rows] for part in samples], [part[rows] for part in found])
        return self._outputs.pack(found)

    def _key(self, graph: Graph, count: int) -> Hashable:
        return (current(), count) if self._lengths.are_known else (current(), count, graph.input_shapes)

    def _run(self, graph: Graph, count: int, inputs: list[Array], outputs: list[Array]) -> None:
        key = self._key(graph, count)
        executor = self._pool.take(key, self._executor, count, graph)
        try:
            executor.program.infer(inputs, outputs)
        finally:
            self._pool.give(key, executor)

    def _executor(self, count: int, graph: Graph) -> Executor:
        return Executor(self._plan(count, graph))

    def _plan(self, count: int, graph: Graph) -> Plan:
        values = {id(parameter): value for parameter, value in zip(self._parameters, self.weights)}
        return inference_plan(graph, self.dtype, count, values)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_pool"}  # programs stay where they are

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "_pool": ProgramPool()})

    def __repr__(self) -> str:
        return f"<Frozen {self.name}: {self.input_shapes} -> {self.output_shapes}, {self.dtype}>"


def freeze(model: Model, batch_size: int) -> Frozen:
    """See `Model.freeze`."""
    runner = model.runner
    remembering = [layer.name for layer in every_layer(model.graph) if getattr(layer, "stateful", False)]
    if remembering:
        raise ValueError(f"freeze: layers that remember the last batch cannot be frozen. Received: {remembering}")
    if model.graph.draws:
        raise ValueError(
            f"freeze: a frozen model gives the same numbers every time; expected no layer that behaves as in training. "
            f"Received: {model.name}, of which a layer is called with training=True, or draws random numbers"
        )
    # layers of its own: what is written in Python reads their weights, and their attributes may be set later
    graph, parameters = copy.deepcopy((model.graph, runner.arena.parameters))
    return Frozen(graph, parameters, *model._structures, runner.dtype, batch_size, model.name)
