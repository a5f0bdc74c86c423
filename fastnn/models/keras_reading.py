"""What the JSON of a Keras 3 file says, in the words of fastnn's own configs.

Keras writes an object as {"module", "class_name", "config", "registered_name"}, and a call of a layer as the arguments
of that call (keras_calls.py).  Names are looked up in fastnn's closed lists and among the classes that the program has
registered (fastnn.saving); nothing is imported and no code that a file brings is run.  What fastnn does not have is
refused by its name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from fastnn import _custom_objects, metrics
from fastnn.layers import registry

from .keras_calls import OPERATIONS, Calls

# arguments that Keras writes down and that ask for nothing at these values
IDLE: dict[str, tuple[Any, ...]] = {"sparse": (False,), "ragged": (False,), "optional": (False,), "axis": (-1,)}
FUNCTIONAL = "Functional"
MODULES = ("keras", "builtins")
# classes that have another name here
NAMES = {"GroupQueryAttention": "GroupedQueryAttention"}


def model(entry: Any) -> dict[str, Any]:
    """The description of a model: {"class_name", "config"} as `fastnn.layers.deserialize` takes it.

    Raises:
        ValueError: it names something that fastnn does not have; the message says what.
    """
    found = _layer(_object(entry))
    if found["class_name"] not in ("Sequential", FUNCTIONAL):
        raise ValueError(
            f"expected a Sequential or a functional model; a subclass of Model keeps its graph in Python code. "
            f"Received: {found['class_name']!r}"
        )
    return found


def compiled(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments of `Model.compile`; None for a model that was not compiled."""
    if not config:
        return None
    if "optimizer" not in config:
        raise ValueError(f"expected the arguments of compile; pass compile=False. Received: {sorted(config)}")
    found = {name: _plain(config.get(name)) for name in ("optimizer", "loss", "loss_weights")}
    judged = {name: _metrics(config.get(name)) for name in ("metrics", "weighted_metrics")}
    return {**found, **judged}


# ------------------------------------------------------------------------------------------------------------- objects


def _object(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
        raise ValueError(f"expected class_name and config. Received: {entry!r}")
    return entry


def _name(entry: Mapping[str, Any]) -> str:
    """The name by which fastnn knows the class.

    Raises:
        ValueError: it is a class of somebody else's that the program has not registered.
    """
    name, module, registered = entry["class_name"], entry.get("module"), entry.get("registered_name")
    if isinstance(registered, str) and _custom_objects.get_registered_object(registered) is not None:
        return registered
    if _custom_objects.get_registered_object(name) is not None:
        return str(name)
    own = isinstance(module, str) and module.split(".")[0] in MODULES
    if not own and (module is not None or isinstance(registered, str)):
        raise ValueError(
            f"{registered or name!r} must be registered (fastnn.saving.register_keras_serializable) or passed in "
            f"custom_objects before a file can name it. Received: a class of {module!r}"
        )
    if own and module is not None and module.startswith(OPERATIONS):
        raise ValueError(f"fastnn traces no operations on tensors; use a layer. Received: keras.ops {name!r}")
    return NAMES.get(name, name)


def _plain(value: Any) -> Any:
    """Any part of a config: objects within it become fastnn's."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    if not isinstance(value.get("class_name"), str):
        return {name: _plain(part) for name, part in value.items()}
    name, config = value["class_name"], value.get("config")
    if name == "__tuple__":
        return [_plain(part) for part in value["items"]]
    if name == "__numpy__":
        return value["config"]["value"]
    if name == "DTypePolicy":
        return value["config"]["name"]
    if name in ("__lambda__", "Lambda", "__slice__", "__bytes__", "__typespec__", "__tensor__"):
        raise ValueError(f"a file of code, or of things that fastnn does not have, is not read. Received: {name!r}")
    if name == "function":
        return _function(value)
    if not isinstance(config, dict):
        raise ValueError(f"expected class_name and config. Received: {value!r}")
    known = _name(value)
    if known in registry.LAYERS:
        return _layer(value)
    return {"class_name": known, "config": {key: _plain(part) for key, part in config.items()}}


def _function(entry: Mapping[str, Any]) -> Any:
    """A function by its name; one of the user's is the function itself."""
    for name in (entry.get("registered_name"), entry.get("config")):
        found = _custom_objects.get_registered_object(name) if isinstance(name, str) else None
        if found is not None:
            return found
    module = entry.get("module")
    if not isinstance(entry.get("config"), str) or (module is not None and str(module).split(".")[0] not in MODULES):
        raise ValueError(
            f"a function must be registered (fastnn.saving.register_keras_serializable) or passed in custom_objects "
            f"before a file can name it. Received: {entry.get('registered_name') or entry.get('config')!r}"
        )
    return entry["config"]


def _metrics(given: Any) -> Any:
    """Metrics without what Keras writes down and fastnn leaves to itself."""
    if isinstance(given, list):
        return [_metrics(part) for part in given]
    if isinstance(given, dict) and "class_name" not in given:
        return {name: _metrics(part) for name, part in given.items()}
    found = _plain(given)
    if isinstance(found, dict):
        config = found["config"]
        if config.get("dtype") not in (None, "float32", "float64"):
            config = {**config, "dtype": None}
        cls = getattr(metrics, found["class_name"], None)
        known = inspect.signature(cls).parameters if isinstance(cls, type) else config
        return {**found, "config": _without_idle(config, known)}
    return found


def _without_idle(config: dict[str, Any], known: Any) -> dict[str, Any]:
    """The config without arguments that fastnn does not have and that ask for nothing."""
    return {
        name: value
        for name, value in config.items()
        if name in known or not (value is None or any(value == idle for idle in IDLE.get(name, ())))
    }


# -------------------------------------------------------------------------------------------------------------- layers


def _layer(entry: Any) -> dict[str, Any]:
    config = entry.get("config")
    name = _name(_object(entry))
    if not isinstance(config, dict):
        raise ValueError(f"expected the config of {name}. Received: {config!r}")
    special = _SPECIAL.get(name)
    if special is not None:
        return {"class_name": name, "config": special(config)}
    config = {key: _plain(part) for key, part in config.items()}
    if name in registry.LAYERS:
        cls = registry.LAYERS[name]
        config = _without_idle(config, {*cls._arguments(), *cls.neutral_options})
    return {"class_name": name, "config": config}


def _input(config: dict[str, Any]) -> dict[str, Any]:
    shape = config.get("batch_shape", [None, *(config.get("shape") or ())])
    if not isinstance(shape, list) or not shape or any(config.get(name) for name in ("sparse", "ragged")):
        raise ValueError(f"expected a dense input with the shape of a batch. Received: {config!r}")
    dtype = _plain(config.get("dtype"))
    return {
        "batch_shape": shape,
        "name": config.get("name"),
        "dtype": dtype if dtype in ("float32", "float64") else None,
    }


def _sequential(config: dict[str, Any]) -> dict[str, Any]:
    layers = [_layer(entry) for entry in config["layers"]]
    built = config.get("build_input_shape")
    if built and layers and layers[0]["class_name"] != "InputLayer":
        layers.insert(0, {"class_name": "InputLayer", "config": _input({"batch_shape": built})})
    return {"name": config.get("name"), "layers": layers}


def _functional(config: dict[str, Any]) -> dict[str, Any]:
    """Keras's layers with their calls as the list of calls that `graphs.rebuild` takes."""
    graph = Calls([_object(entry) for entry in config["layers"]], _name)
    entries = list(graph.entries.values())
    place = {entry["name"]: i for i, entry in enumerate(entries)}
    inputs, input_names, input_single = _flat(config["input_layers"])
    outputs, output_names, output_single = _flat(config["output_layers"])
    known = {(name, call): i for i, (name, call, _) in enumerate(inputs)}
    waiting = [(entry, k, call) for entry in entries for k, call in enumerate(entry["inbound_nodes"])]
    calls: list[dict[str, Any]] = []
    while waiting:
        left = []
        for entry, k, call in waiting:
            given, joined, options, training = graph.read(entry["name"], call)
            if not all((tensor.name, tensor.call) in known for tensor in given):
                left.append((entry, k, call))
                continue
            made: dict[str, Any] = {"layer": place[entry["name"]]}
            made["inputs"] = [[known[tensor.name, tensor.call], tensor.index] for tensor in given]
            made.update({key: part for key, part in (("joined", joined), ("options", options)) if part})
            if training is not None:
                made["training" if training else "inference"] = True
            calls.append(made)
            known[entry["name"], k] = len(inputs) + len(calls) - 1
        if len(left) == len(waiting):
            raise ValueError(f"expected calls in some order. Received: loops at {[e['name'] for e, *_ in left]}")
        waiting = left
    names = {"input_names": input_names, "output_names": output_names}
    # at the ends, and only there, the calls of a functional model count from the one that made it
    models = {entry["name"] for entry in entries if entry["class_name"] == FUNCTIONAL}
    ends = [(name, call - (name in models), index) for name, call, index in outputs]
    for name, call, _ in ends:
        if (name, call) not in known:
            what = (
                "fastnn traces no operations on tensors"
                if name in graph.operations
                else "expected a call that there is"
            )
            raise ValueError(f"{what}. Received: the output {name!r}")
    return {
        "name": config.get("name"),
        "layers": [_layer(entry) for entry in entries],
        "inputs": [place[name] for name, *_ in inputs],
        "calls": calls,
        "outputs": [[known[name, call], index] for name, call, index in ends],
        "single": [input_single, output_single],
        **{key: value for key, value in names.items() if value is not None},
    }


def _flat(given: Any) -> tuple[list[tuple[str, int, int]], list[str] | None, bool]:
    """Inputs or outputs as a list; the names, if it is a dictionary; whether there is one by itself."""
    if isinstance(given, dict):
        if given.get("class_name") == "__tuple__":
            return _flat(given["items"])
        names = sorted(given)
        return [_leaf(given[name]) for name in names], names, False
    if isinstance(given, list) and given and isinstance(given[0], str):
        return [_leaf(given)], None, True
    return [_leaf(part) for part in given], None, False


def _leaf(given: Any) -> tuple[str, int, int]:
    if not isinstance(given, list) or [type(part) for part in given] != [str, int, int]:
        raise ValueError(f"expected [layer, call, output]. Received: {given!r}")
    name, call, index = given
    return name, call, index


_SPECIAL: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "InputLayer": _input,
    "Sequential": _sequential,
    FUNCTIONAL: _functional,
}
