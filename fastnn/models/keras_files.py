"""Files of Keras 3: `.keras`, a zip of JSON and HDF5, and `.weights.h5`, the HDF5 file alone.

    metadata.json             the version of Keras
    config.json               class, config and compile settings (keras_reading.py, keras_writing.py, keras_calls.py)
    model.weights.h5          layers/<class, numbered>/vars/0, 1 ...; cells and models within; optimizer/vars/0 ...

They need h5py, the extra `keras`.  As with fastnn's own files, nothing is unpacked, allocated or read before its size
and shape have been checked; links out of the file, compressed data and objects are refused.  What Keras does not keep
does not travel: the seed, the counters of shuffling, the metadata.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn import losses, metrics, optimizers
from fastnn.engine.arena import drawn_later
from fastnn.layers import registry
from fastnn.layers.base import Layer
from fastnn.layers.cells import StackedRNNCells
from fastnn.layers.multi_head_attention import GroupedQueryAttention, ManyHeads
from fastnn.layers.recurrent import RNN
from fastnn.layers.wrappers import Bidirectional, TimeDistributed

from . import keras_optimizers, keras_reading, keras_writing

if TYPE_CHECKING:
    from .model import Model

Array = npt.NDArray[Any]

SUFFIX, WEIGHTS_SUFFIX = ".keras", ".weights.h5"
METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
# the version of Keras whose format this is
KERAS_VERSION = "3.10.0"
LARGEST_JSON = 64 * 2**20
# groups within groups
DEEPEST = 64


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "Files of Keras need h5py: install fastnn-cpu[keras]. Received: no module named 'h5py'"
        ) from error
    return h5py


# ----------------------------------------------------------------------------------------------------------- variables


def groups(layer: Layer, path: str = "") -> Iterator[tuple[str, str, list[Any]]]:
    """Where Keras keeps the variables of a layer and of those within: (path, name, parameters in Keras's order)."""
    from .model import Model
    from .sequential import Sequential

    if isinstance(layer, Model):
        yield path, layer.name, []
        inner = layer.layers if isinstance(layer, Sequential) else layer._known_network().layers
        yield from _numbered(inner, f"{path}layers/")
    elif isinstance(layer, Bidirectional):
        yield path, layer.name, []
        for name in ("forward_layer", "backward_layer"):
            yield from groups(getattr(layer, name), f"{path}{name}/")
    elif isinstance(layer, TimeDistributed):
        yield path, layer.name, []
        yield from groups(layer.layer, f"{path}layer/")
    elif isinstance(layer, RNN):
        yield path, layer.name, []
        yield from groups(layer.cell, f"{path}cell/")
    elif isinstance(layer, StackedRNNCells):
        yield path, layer.name, []
        yield from _numbered(layer.cells, f"{path}cells/")
    elif isinstance(layer, ManyHeads):
        yield path, layer.name, []
        yield from _projections(layer, path)
    else:
        trained = [p for p in layer.parameters if p not in layer.untrained]
        yield path, layer.name, [*trained, *layer.untrained]


def _projections(layer: ManyHeads, path: str) -> Iterator[tuple[str, str, list[Any]]]:
    """Each projection has a group, named as Keras's attribute."""
    found: dict[str, list[Any]] = {}
    for parameter in layer.parameters:
        found.setdefault(parameter.name.split("/")[-2], []).append(parameter)
    for name, parameters in found.items():
        hidden = "_" if name == "gate" or isinstance(layer, GroupedQueryAttention) else ""
        yield f"{path}{hidden}{name.removeprefix('attention_')}_dense/", name, parameters


def _numbered(layers: Any, path: str) -> Iterator[tuple[str, str, list[Any]]]:
    """Layers by class, as Keras counts them: dense, dense_1 ..."""
    from .model import Model
    from .sequential import Sequential

    counts: dict[str, int] = {}
    for layer in layers:
        kind = type(layer).__name__
        if isinstance(layer, Model):
            kind = "Sequential" if isinstance(layer, Sequential) else "Functional"
        stem = _snake_case(kind)
        count = counts.get(stem, 0)
        counts[stem] = count + 1
        yield from groups(layer, f"{path}{stem}_{count}/" if count else f"{path}{stem}/")


def _snake_case(name: str) -> str:
    """Conv2DTranspose -> conv2d_transpose, as Keras does it."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _places(model: Model) -> dict[str, Any]:
    """Every parameter by the path of its variable; a layer that stands in several places is kept at the first."""
    found: dict[str, Any] = {}
    known: set[int] = set()
    for path, _, parameters in groups(model):
        for i, parameter in enumerate(parameters):
            if id(parameter) not in known:
                found[f"{path}vars/{i}"] = parameter
        known.update(map(id, parameters))
    return found


# ------------------------------------------------------------------------------------------------------------- writing


def write(model: Model, stream: IO[bytes]) -> None:
    """A `.keras` file."""
    _h5py()
    described = keras_writing.model(model)
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(METADATA, json.dumps({"keras_version": KERAS_VERSION, "date_saved": now}))
        archive.writestr(CONFIG, json.dumps(described))
        archive.writestr(WEIGHTS, weights(model, whole=True))


def weights(model: Model, whole: bool = False) -> bytes:
    """A `.weights.h5` file; `whole`: with the optimizer's state."""
    h5py = _h5py()
    stream = BytesIO()
    with h5py.File(stream, "w") as file:
        known: set[int] = set()
        for path, name, parameters in groups(model):
            if path and any(id(p) in known for p in parameters):
                continue  # Keras writes a layer once
            group = file.create_group(f"{path}vars")
            group.attrs["name"] = name
            for i, parameter in enumerate(parameters):
                counts = parameter.name.endswith("/count") and parameter.shape == ()
                group[str(i)] = parameter.value.astype(np.int32) if counts else parameter.value
            known.update(map(id, parameters))
        state = keras_optimizers.state(model) if whole and model.optimizer is not None else None
        if state is not None and model.optimizer is not None:
            group = file.create_group("optimizer/vars")
            group.attrs["name"] = model.optimizer.name
            for i, array in enumerate(state):
                group[str(i)] = array
    return stream.getvalue()


# ------------------------------------------------------------------------------------------------------------- reading


def read(stream: IO[bytes], compile: bool) -> Model:
    """The model of a `.keras` file."""
    _h5py()
    parts = _parts(stream)
    described = json.loads(parts[CONFIG])
    with drawn_later():
        model: Any = registry.deserialize(keras_reading.model(described))
    if not model.built:
        raise ValueError(f"expected a built model: one with an Input, or that has seen data. Received: {model!r}")
    model.get_config()  # says whether a layer stands in two models
    arrays = _arrays(parts[WEIGHTS])
    _assign(model, arrays)
    if described["config"].get("trainable") is False:
        model.trainable = False
    compiled = keras_reading.compiled(described.get("compile_config") or {}) if compile else None
    if compiled is not None:
        from .saving import resolved

        for name, module in (("loss", losses), ("metrics", metrics), ("weighted_metrics", metrics)):
            compiled[name] = resolved(compiled[name], module)
        model.compile(optimizers.get(compiled.pop("optimizer")), **compiled)
        if "optimizer/vars/0" in arrays:
            keras_optimizers.restore(model, keras_optimizers.in_order(arrays))
    return model


def load_weights(model: Model, data: bytes) -> None:
    """Assign what a `.weights.h5` file holds."""
    _assign(model, _arrays(data))


def load_weights_of_model(model: Model, stream: IO[bytes]) -> None:
    """Assign the weights in a `.keras` file."""
    _assign(model, _arrays(_parts(stream)[WEIGHTS]))


def _parts(stream: IO[bytes]) -> dict[str, bytes]:
    """The parts of the zip, after their declared sizes have been held against the file's."""
    size = stream.seek(0, os.SEEK_END)
    with zipfile.ZipFile(stream) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if not {CONFIG, WEIGHTS} <= set(infos) <= {METADATA, CONFIG, WEIGHTS}:
            raise ValueError(f"expected the parts {[METADATA, CONFIG, WEIGHTS]}. Received: {sorted(infos)}")
        if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos.values()):
            raise ValueError("expected parts that are stored as they are. Received: compressed or encrypted ones")
        total = sum(info.file_size for info in infos.values())
        if total > size or infos[CONFIG].file_size > LARGEST_JSON:
            raise ValueError(f"the parts claim more bytes than the file has, or than makes sense. Received: {total}")
        return {name: archive.read(infos[name]) for name in (CONFIG, WEIGHTS)}


def _arrays(data: bytes) -> dict[str, Any]:
    """The data sets of an HDF5 file by their paths, checked: a lazy reader each, with shape, dtype and `read`."""
    h5py = _h5py()
    if not data.startswith(b"\x89HDF\r\n\x1a\n"):
        raise ValueError(f"expected an HDF5 file. Received: {data[:8]!r}")
    found: dict[str, Any] = {}
    with h5py.File(BytesIO(data), "r") as file:
        total = 0
        for path, dataset in _datasets(h5py, file, "", 0):
            total += dataset.nbytes
            if dataset.nbytes > len(data) or total > len(data):
                raise ValueError(f"{path} claims more bytes than the file has. Received: shape {dataset.shape}")
            found[path] = dataset[()]
    return found


def _datasets(h5py: Any, group: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > DEEPEST:
        raise ValueError(f"expected groups within groups, but not so many. Received: {path[:80]!r}")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"expected no links. Received: a link at {path}{name}")
        thing = group[name]
        if isinstance(thing, h5py.Group):
            yield from _datasets(h5py, thing, f"{path}{name}/", depth + 1)
            continue
        simple = isinstance(thing, h5py.Dataset) and thing.dtype.kind in "biuf" and thing.shape is not None
        if not simple or thing.is_virtual or thing.external or thing.chunks is not None:
            raise ValueError(f"expected arrays of numbers, stored as they are. Received: {path}{name}, {thing!r}")
        yield f"{path}{name}", thing


def _assign(model: Model, arrays: dict[str, Array]) -> None:
    """Hold the arrays against the model's parameters, then assign all of them."""
    places = _places(model)
    # states of random generators, which are no weights, and the optimizer's variables stand beside them
    given = {path for path in arrays if not path.startswith("optimizer/") and "seed_generator/" not in path}
    if given != set(places):
        missing, more = sorted(set(places) - given), sorted(given - set(places))
        raise ValueError(f"expected the variables {missing or sorted(places)}. Received: {more or 'none of them'}")
    for path, parameter in places.items():
        array = arrays[path]
        counts = array.dtype.kind in "iu" and parameter.shape == ()
        if array.shape != parameter.shape or not (array.dtype == parameter.dtype or counts):
            raise ValueError(
                f"{path} must be {parameter.dtype} of shape {parameter.shape}. "
                f"Received: {array.dtype} of shape {array.shape}"
            )
    for path, parameter in places.items():
        parameter.assign(arrays[path])
