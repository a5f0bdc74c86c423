"""Calls of layers as the JSON of a Keras 3 file has them, in both directions.

A call is {"args": [...], "kwargs": {...}}, what Python gave to the layer, with a description in the place of every
tensor: the name of the layer that makes it, the number of the call, the number of the output.

Masks that Embedding and Masking make are no arguments here, since they come along with the sequences; some versions of
Keras write them down as operations on tensors.  Such arguments are left out, if the mask arrives here, too; all other
operations are refused by name, and so are arguments that a layer does not have here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn._custom_objects import get_registered_object
from fastnn.layers import registry
from fastnn.layers._attending import FLAGS, MASKS, Attending
from fastnn.layers.recurrent import RNN
from fastnn.layers.tensors import Call, Tensor
from fastnn.layers.wrappers import Bidirectional

TENSOR = "__keras_tensor__"
OPERATIONS = ("keras.src.ops", "keras.ops")
MODELS = ("Sequential", "Functional")
# layers that make a mask of what they are called with; and what Keras computes masks with
_MAKERS = ("Embedding", "Masking")
_MASKING = "NotEqual Any All LogicalOr Cast ConvertToTensor OnesLike ZerosLike BroadcastTo ExpandDims Concatenate"


@dataclass(frozen=True)
class Reference:
    """A tensor: the layer that makes it, in which of its calls, as which output; and its shape without the batch."""

    name: str
    call: int
    index: int
    sample_shape: tuple[Any, ...] = field(default=(), compare=False)


# ------------------------------------------------------------------------------------------------------------- reading


class Calls:
    """The calls in a functional model.

    Parameters:
        entries: its layers and operations as the file has them.
        name_of: the name by which fastnn knows the class of one.
    """

    def __init__(self, entries: Sequence[Any], name_of: Callable[[Any], str]) -> None:
        self.entries = {entry["name"]: entry for entry in entries if not is_operation(entry)}
        self.operations = {entry["name"]: entry for entry in entries if is_operation(entry)}
        self._name_of = name_of

    def read(self, layer: str, call: Mapping[str, Any]) -> tuple[list[Reference], bool, dict[str, Any], Any]:
        """The tensors of a call, whether the layer takes them together, the options of the call, and its mode.

        Raises:
            ValueError: an argument that is not served here, or a tensor that an operation makes.
        """
        args, kwargs = _value(call["args"]), _value(call["kwargs"])
        training = kwargs.pop("training", None)
        if training is not None and type(training) is not bool:
            raise ValueError(f"{layer}: expected a call with training=True, False or None. Received: {training!r}")
        cls = self._class(layer)
        if isinstance(cls, type) and issubclass(cls, Attending):
            given, options = self._attending(layer, cls, args, kwargs)
            joined = True
        else:
            given, joined, options = *self._tensors(layer, args, kwargs), {}
        for tensor in given:
            if not isinstance(tensor, Reference):
                raise ValueError(f"{layer}: a layer is called with tensors. Received: {tensor!r}")
            if tensor.name in self.operations:
                raise ValueError(
                    f"{layer}: fastnn traces no operations on tensors; use a layer. Received: keras.ops at "
                    f"{tensor.name!r}"
                )
        return given, joined, options, training

    def _class(self, layer: str) -> Any:
        name = self._name_of(self.entries[layer])
        return get_registered_object(name) or registry.LAYERS.get(name)

    def _tensors(self, layer: str, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], bool]:
        given = list(_leaves(args))
        joined = len(args) > 1 or any(not isinstance(arg, Reference) for arg in args)
        for name, value in kwargs.items():
            if name == "initial_state" and value is not None:
                given += _leaves(value)
                joined = True
            elif name == "mask":
                foreign = [mask.name for mask in _leaves(value) if not self._arrives(mask, args)]
                if foreign:
                    raise ValueError(f"{layer}: a mask given to a call is not served. Received: the mask {foreign}")
            elif value is not None:
                raise ValueError(f"{layer}: a call with further arguments is not served. Received: {name}={value!r}")
        if not given or any(arg is not None and next(_leaves(arg), None) is None for arg in args):
            raise ValueError(f"{layer}: a layer is called with tensors. Received: {args!r}")
        return given, joined

    def _attending(
        self, layer: str, cls: type[Attending], args: list[Any], kwargs: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Sequences, masks and options of a call of an attention layer."""
        try:
            found = inspect.signature(cls.__call__).bind(None, *args, **kwargs).arguments
        except TypeError as error:
            raise ValueError(
                f"{layer}: expected the arguments of {cls.__name__}; {error}. Received: {len(args)} arguments and "
                f"{sorted(kwargs)}"
            ) from None
        for name in (*MASKS[:3], "mask"):
            sequence = found.get(name.removesuffix("_mask"), args)
            found[name] = self._foreign(found.get(name), sequence)
        found.update({name: False for name in FLAGS if found.get(name) is None})
        constant = found.get("attention_mask")
        if isinstance(constant, list):
            found["attention_mask"] = _one_mask(layer, constant, found)
        if isinstance(found["mask"], list) and not any(_leaves(found["mask"])):
            found["mask"] = None
        return cls.arranged(layer, found)

    def _foreign(self, mask: Any, sequence: Any) -> Any:
        """The mask, or None for one that arrives with the sequence."""
        if isinstance(mask, list):
            return [self._foreign(part, sequence) for part in mask]
        return None if isinstance(mask, Reference) and self._arrives(mask, sequence) else mask

    def _arrives(self, mask: Reference, sequence: Any) -> bool:
        """Whether operations make the mask of what an Embedding or a Masking below the sequence is called with."""
        if mask.name not in self.operations:
            return False
        of_makers, met = self._below(_leaves(sequence))
        waiting = [mask]
        while waiting:
            entry = self.operations[waiting.pop().name]
            kind = entry["class_name"]
            if kind not in _MASKING.split():
                return False
            for leaf in _leaves(_value(entry["inbound_nodes"][0]["args"])):
                if leaf.name in self.operations:
                    waiting.append(leaf)
                elif leaf not in (of_makers if kind == "NotEqual" else met):
                    return False
        return True

    def _below(self, tensors: Iterator[Reference]) -> tuple[set[Reference], set[Reference]]:
        """What makers of masks are called with, and all tensors, below layers that pass masks on."""
        of_makers: set[Reference] = set()
        met: set[Reference] = set()
        waiting = list(tensors)
        while waiting:
            tensor = waiting.pop()
            if tensor in met or tensor.name not in self.entries:
                continue
            met.add(tensor)
            name = self._name_of(self.entries[tensor.name])
            nodes = self.entries[tensor.name]["inbound_nodes"]
            given = list(_leaves(_value(nodes[tensor.call]["args"]))) if nodes else []
            if name in (*_MAKERS, *MODELS):
                of_makers.update(given)
            cls = self._class(tensor.name)
            if name in MODELS or any(getattr(cls, f, False) for f in ("supports_masking", "uses_mask", "merges_masks")):
                waiting += given
        return of_makers, met | of_makers


def is_operation(entry: Mapping[str, Any]) -> bool:
    """Whether this is an operation on tensors and no layer."""
    module = entry.get("module")
    return isinstance(module, str) and module.startswith(OPERATIONS)


def _value(given: Any) -> Any:
    """Arguments with references in the place of tensors, and lists in that of tuples and arrays."""
    if isinstance(given, list):
        return [_value(part) for part in given]
    if not isinstance(given, dict):
        return given
    kind = given.get("class_name")
    if kind == TENSOR:
        name, call, index = given["config"]["keras_history"]
        shape = given["config"].get("shape")
        return Reference(name, call, index, tuple(shape[1:]) if isinstance(shape, list) else ())
    if kind == "__tuple__":
        return _value(given["items"])
    if kind == "__numpy__":
        return given["config"]["value"]
    return {name: _value(part) for name, part in given.items()}


def _leaves(value: Any) -> Iterator[Reference]:
    """The tensors in a list or a dictionary, in Keras's order: that of the names."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, dict):
        for name in sorted(value):
            yield from _leaves(value[name])
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)


def _one_mask(layer: str, given: list[Any], found: Mapping[str, Any]) -> list[Any]:
    """An attention mask that is the same for all samples.

    Raises:
        ValueError: the file has one for each sample of a batch.
    """
    places, shape = _places(found.get("query"), found.get("value")), np.shape(given)
    if len(shape) > places and shape[0] != 1:
        raise ValueError(
            f"{layer}: an array as attention_mask must be the same for all samples. Received: shape {shape}"
        )
    return given


def _places(query: Any, value: Any) -> int:
    """How many axes an attention mask has without samples and heads."""
    return sum(len(getattr(x, "sample_shape", ())) - 1 for x in (query, value))


# ------------------------------------------------------------------------------------------------------------- writing


def write(call: Call, reference: Callable[[Tensor], Any]) -> dict[str, Any]:
    """The arguments of a call; `reference` describes a tensor.

    Raises:
        ValueError: it has arguments that Keras's layer does not know.
    """
    layer = call.layer
    options: dict[str, Any] = {} if call.training is None else {"training": call.training}
    if isinstance(layer, Attending):
        args, kwargs = layer.arguments_of(call.inputs, call.options)
        if "attention_mask" in call.options:
            kwargs["attention_mask"] = _array(kwargs["attention_mask"], _places(*call.inputs[:2]))
        return {"args": _described(args, reference), "kwargs": {**_described(kwargs, reference), **options}}
    if call.options:
        raise ValueError(
            f"{layer.name}: calls with further arguments are not served in files of Keras; save a .fastnn file. "
            f"Received: {sorted(call.options)}"
        )
    tensors = [reference(tensor) for tensor in call.inputs]
    if call.joined and isinstance(layer, (RNN, Bidirectional)):
        return {"args": tensors[:1], "kwargs": {**options, "initial_state": tensors[1:]}}
    structures = getattr(layer, "_structures", None)
    if call.joined and structures is not None and structures[0].keys is not None:
        return {"args": [dict(zip(structures[0].keys, tensors))], "kwargs": options}
    return {"args": [tensors] if call.joined else tensors, "kwargs": options}


def _described(value: Any, reference: Callable[[Tensor], Any]) -> Any:
    if isinstance(value, Tensor):
        return reference(value)
    if isinstance(value, list):
        return [_described(part, reference) for part in value]
    if isinstance(value, dict):
        return {name: _described(part, reference) for name, part in value.items()}
    return value


def _array(mask: Any, places: int) -> dict[str, Any]:
    """A mask that is the same for all samples, as NumPy's array; that of heads gets an axis for the samples."""
    array = np.asarray(mask, bool)
    if array.ndim == places + 1 and array.shape[0] != 1:
        array = array[np.newaxis]
    return {"class_name": "__numpy__", "config": {"value": array.tolist(), "dtype": "bool"}}


def build_config(shapes: Sequence[Any]) -> dict[str, Any]:
    """What Keras's layers with several arguments are built with: shapes of query, value and key, with the batch."""
    names = ("query_shape", "value_shape", "key_shape")
    return {"shapes_dict": dict(zip(names, shapes))}
