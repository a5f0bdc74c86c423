"""Weights from and for PyTorch: a state_dict, or a `.safetensors` file of one; torch itself is not needed.

Each layer with weights is paired with a module of PyTorch - by the map that the user gives, by equal names, or in
order - and its arrays are brought into PyTorch's form (torch_rules.py).  Layers behind a Flatten of pictures get
their inputs in PyTorch's order, which has channels ahead of pixels; where that order cannot be known, layers with
weights are refused.  Files of pickles (.pt, .pth, .bin) are refused, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn._errors import unknown
from fastnn.layers.base import Layer

from .saving import _from_safetensors, _order, _to_safetensors, reading, replacing, target
from .saving import source as existing_file
from .torch_orders import SAME, Order, orders_of
from .torch_rules import Rule, rule

if TYPE_CHECKING:
    from .model import Model

Array = npt.NDArray[Any]

SUFFIX = ".safetensors"
PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt")
# weight_ih_l1_reverse: the layer of a stack, and what is left without its number
STACKED = re.compile(r"^((?:weight|bias)_(?:ih|hh))_l(\d+)(_reverse)?$")


class Pair(NamedTuple):
    """A layer and the module that stands for it."""

    layer: Layer
    module: str
    rule: Rule


def load_torch_weights(model: Model, source: Any, names: Mapping[str, str] | None = None, strict: bool = True) -> None:
    """Assign the weights of a PyTorch module to a model with the same layers.

    Parameters:
        model: built.
        source: a `.safetensors` file that `safetensors.torch.save_file(module.state_dict(), ...)` wrote, or the
            state_dict itself, of tensors or arrays.
        names: layer -> module, such as {"hidden": "encoder.fc1"}; the second layer of a stacked LSTM is "lstm.l1".
            Without it, layers and modules are paired by name if all layers have modules of theirs, else in order; a
            file keeps the order only if `save_torch_weights` wrote it or all modules are numbered, as in
            torch.nn.Sequential.
        strict: whether every layer with weights and every array must be used.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: no file and no dictionary.
        ValueError: layers and modules do not fit together, or PyTorch has no such layer; nothing is changed then.

    Notes:
        LSTM and SimpleRNN add PyTorch's two biases up.  GRU is PyTorch's with reset_after=True, the default.  A model
        with data_format="channels_last" takes pictures as (height, width, channels), whatever the module takes.
        Epsilon and momentum of normalisation stand in no state_dict: PyTorch's BatchNorm has eps=1e-5, Keras's 1e-3.
    """
    if isinstance(source, Mapping):
        arrays, ordered = {str(name): _array(name, value) for name, value in source.items()}, True
        _assign(model, arrays, ordered, names, strict)
        return
    path = _path(source)
    with path.open("rb") as stream, reading(path.name):
        data = stream.read()
        arrays = _from_safetensors(data)
        order = _known_order(data)
        if order is not None and set(order) == set(arrays):
            arrays = {name: arrays[name] for name in order}
        _assign(model, arrays, order is not None, names, strict)


def torch_state_dict(model: Model, names: Mapping[str, str] | None = None) -> dict[str, Array]:
    """The weights by PyTorch's names and in PyTorch's form, as NumPy arrays.

    Parameters:
        model: built.
        names: layer -> module; by default modules have the names of layers.

    Raises:
        ValueError: PyTorch has no such layer, or a name is no layer's.

    Examples:
        >>> state = torch_state_dict(model, {"hidden": "0", "out": "2"})
        >>> module.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    """
    found: dict[str, Array] = {}
    layers = _layers(model)
    _check_names(names, layers)
    orders = orders_of(model)
    for layer in layers:
        module = (names or {}).get(layer.name, layer.name)
        known = _rule(layer, orders)
        for entry in known.entries:
            for name, array in zip(entry.names, entry.write(entry.parameter.value)):
                found[_full(module, name)] = np.ascontiguousarray(array).reshape(array.shape)
        for name, array in known.ignored.items():
            found[_full(module, name)] = array
    return found


def save_torch_weights(
    model: Model, filepath: Any, names: Mapping[str, str] | None = None, overwrite: bool = True
) -> None:
    """Write `torch_state_dict(model, names)` to a `.safetensors` file.

    PyTorch reads it with `module.load_state_dict(safetensors.torch.load_file(filepath))`.

    Raises:
        FileExistsError, FileNotFoundError: the file exists and `overwrite` is false; its folder does not exist.
        ValueError: another suffix, or as `torch_state_dict`.
    """
    path = target(filepath, overwrite, (SUFFIX,), "save_torch_weights")
    content = _to_safetensors(torch_state_dict(model, names))
    with replacing(path) as temporary:
        temporary.write_bytes(content)


# -------------------------------------------------------------------------------------------------------------- reading


def _path(source: Any) -> Path:
    try:
        path = Path(source)
    except TypeError:
        raise TypeError(
            f"load_torch_weights: expected a file or a state_dict. Received: {type(source).__name__}"
        ) from None
    if path.suffix in PICKLES:
        raise ValueError(
            f"load_torch_weights: a pickle can run code and is not read; write the state_dict with "
            f"safetensors.torch.save_file. Received: {str(source)!r}"
        )
    return existing_file(source, (SUFFIX,), "load_torch_weights")


def _array(name: Any, value: Any) -> Array:
    """A tensor or an array as an array."""
    detached = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    if detached.dtype.kind not in "biuf":
        raise ValueError(f"load_torch_weights: expected arrays of numbers. Received: {name!r} of {detached.dtype}")
    return np.asarray(detached)


def _known_order(data: bytes) -> list[str] | None:
    """The order that `save_torch_weights` has written down."""
    try:
        return _order(data)
    except (KeyError, TypeError, json.JSONDecodeError):
        return None


def _assign(
    model: Model, arrays: dict[str, Array], ordered: bool, names: Mapping[str, str] | None, strict: bool
) -> None:
    modules = _modules(arrays)
    pairs = _pairs(model, modules, ordered, names, strict)
    values: list[tuple[Any, Array]] = []
    used: set[str] = set()
    for layer, module, known in pairs:
        for entry in known.entries:
            parts = [modules[module].get(name) for name in entry.names]
            full = [_full(module, name) for name in entry.names]
            for name, part, shape in zip(full, parts, entry.shapes):
                if part is None or part[1].shape != shape:
                    received = f"shape {part[1].shape}" if part is not None else sorted(modules[module])
                    raise ValueError(f"{layer.name}: expected {name!r} of shape {shape}. Received: {received}")
            found = [part for part in parts if part is not None]
            values.append((entry.parameter, entry.parameter.check(entry.read(*(array for _, array in found)))))
            used.update(name for name, _ in found)
        used.update(name for key, (name, _) in modules[module].items() if key in known.ignored)
    if strict and set(arrays) - used:
        raise ValueError(
            f"expected arrays of the model's layers only; pass strict=False to leave the others. "
            f"Received: {sorted(set(arrays) - used)}"
        )
    for parameter, value in values:
        parameter.assign(value)


def _modules(arrays: Mapping[str, Array]) -> dict[str, dict[str, tuple[str, Array]]]:
    """Arrays by module and short name, with their full names; the layers of a stack are modules lstm, lstm.l1 ..."""
    found: dict[str, dict[str, tuple[str, Array]]] = {}
    for full, array in arrays.items():
        module, _, name = full.rpartition(".")
        match = STACKED.match(name)
        if match:
            module += "" if match[2] == "0" else f".l{match[2]}"
            name = f"{match[1]}_l0{match[3] or ''}"
        found.setdefault(module, {})[name] = (full, array)
    return found


def _full(module: str, name: str) -> str:
    """The name in a state_dict of an array of a module; the other way of `_modules`."""
    match = re.fullmatch(r"(.*)\.l(\d+)", module)
    stacked = STACKED.match(name)
    if match and stacked:
        module, name = match[1], f"{stacked[1]}_l{match[2]}{stacked[3] or ''}"
    return f"{module}.{name}" if module else name


def _pairs(
    model: Model, modules: Mapping[str, Any], ordered: bool, names: Mapping[str, str] | None, strict: bool
) -> list[Pair]:
    layers, orders = _layers(model), orders_of(model)
    own = [layer.name for layer in layers]
    if names is not None:
        _check_names(names, layers)
        for module in names.values():
            if module not in modules:
                raise unknown("module of the state_dict", str(module), list(modules))
        if strict and set(names) < set(own):
            raise ValueError(f"expected a module for each of {own}; or pass strict=False. Received: {dict(names)}")
        chosen = [(layer, names[layer.name]) for layer in layers if layer.name in names]
    elif all(name in modules for name in own):
        chosen = [(layer, layer.name) for layer in layers]
    else:
        if not ordered and not all(re.search(r"(^|\.)(\d+|l\d+)$", module) for module in modules):
            raise ValueError(
                f"a safetensors file does not keep the order of modules: pass names, layer -> module, for the layers "
                f"{own}. Received: the modules {list(modules)}"
            )
        listed = list(modules) if ordered else sorted(modules, key=_numbers)
        if len(listed) != len(layers):
            raise ValueError(f"expected modules for the layers {own}; or pass names. Received: the modules {listed}")
        chosen = list(zip(layers, listed))
    return [Pair(layer, module, _rule(layer, orders)) for layer, module in chosen]


def _numbers(name: str) -> list[tuple[bool, int, str]]:
    """A key that has 10 behind 9."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def _check_names(names: Mapping[str, str] | None, layers: list[Layer]) -> None:
    for name in names or ():
        if name not in {layer.name for layer in layers}:
            raise unknown("layer with weights", str(name), [layer.name for layer in layers])


def _layers(model: Model) -> list[Layer]:
    """All layers with weights, each once, those of nested models in their place."""
    if not model.built:
        raise ValueError(f"expected a built model; give it an Input or fit it first. Received: {model!r}")
    found = {id(layer): layer for layer in model.all_layers() if not hasattr(layer, "graph") and layer.weights}
    return list(found.values())


# ---------------------------------------------------------------------------------------------- pictures and flattening


def _rule(layer: Layer, orders: Mapping[int, Order]) -> Rule:
    order = orders.get(id(layer), SAME)
    if order.lost:
        raise ValueError(
            f"{layer.name}: PyTorch has features of pictures in another order, which is not known behind {order.lost}; "
            f"Permute((3, 1, 2)) ahead of Flatten, or Permute((2, 3, 1)) behind Reshape((channels, height, width)), "
            f"makes the orders equal. Received: {type(layer).__name__}"
        )
    return rule(layer, order.rows, order.columns)
