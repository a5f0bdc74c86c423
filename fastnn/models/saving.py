"""Model files: a `.fastnn` file is a zip of JSON (what the model is) and safetensors (its numbers); never pickle.

    model.json                format version, class and config, compile settings, seeds and counters, metadata
    weights.safetensors       every parameter, by "layer/name"
    optimizer.safetensors     every slot of the optimizer, by "slot/layer/name"; state of the whole, by "model/name"

Files whose name ends in `.keras` or `.weights.h5` are Keras's (keras_files.py).

Files are written beside their target, flushed to disk and renamed, so an interrupted save leaves the old file.  Reading
trusts nothing: sizes are checked before anything is unpacked, classes come from closed lists, and nothing is allocated
for a parameter before the file has been seen to hold one of that shape.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn import losses, metrics, optimizers
from fastnn._custom_objects import CustomObjectScope
from fastnn._errors import unknown
from fastnn.engine.arena import drawn_later

from . import keras_files
from .data import warn

if TYPE_CHECKING:
    from .model import Model

Array = npt.NDArray[Any]

FORMAT = 1
SUFFIX, WEIGHTS_SUFFIX = ".fastnn", ".safetensors"
# before the names of the optimizer's state that is not kept for each parameter
WHOLE = "model"
DESCRIPTION, WEIGHTS, OPTIMIZER = "model.json", "weights.safetensors", "optimizer.safetensors"
# a JSON description of a model, even of a large one, is far below this
LARGEST_JSON = 64 * 2**20


# ------------------------------------------------------------------------------------------------------------- writing


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block succeeds."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o777)
        else:
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _ends(path: Path, suffixes: tuple[str, ...], where: str) -> str:
    """The one of these suffixes that the name of the file has."""
    for suffix in suffixes:
        if path.name.endswith(suffix) and path.name != suffix:
            return suffix
    raise ValueError(f"{where}: the file name must end in one of {list(suffixes)}. Received: {str(path)!r}")


def target(filepath: Any, overwrite: bool, suffixes: tuple[str, ...], where: str) -> Path:
    path = Path(filepath)
    _ends(path, suffixes, where)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{where}: there is no such folder. Received: {str(path.parent)!r}")
    if path.is_dir():
        raise IsADirectoryError(f"{where}: expected the name of a file. Received: the folder {str(filepath)!r}")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{where}: the file exists; pass overwrite=True to replace it. Received: {str(filepath)!r}"
        )
    return path.resolve()  # a link stays a link


def save(model: Model, filepath: Any, overwrite: bool = True) -> None:
    """See `Model.save`."""
    path = target(filepath, overwrite, (SUFFIX, keras_files.SUFFIX), "save")
    _check_built(model, "save")
    write = keras_files.write if path.suffix == keras_files.SUFFIX else _write
    with replacing(path) as temporary, temporary.open("wb") as stream:
        write(model, stream)


def save_model(model: Model, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Keras's function for `model.save(filepath, overwrite)`."""
    model.save(filepath, overwrite)


def save_weights(model: Model, filepath: Any, overwrite: bool = True) -> None:
    """See `Model.save_weights`."""
    path = target(filepath, overwrite, (WEIGHTS_SUFFIX, keras_files.WEIGHTS_SUFFIX), "save_weights")
    _check_built(model, "save_weights")
    content = _weights(model) if path.suffix == WEIGHTS_SUFFIX else keras_files.weights(model)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def to_bytes(model: Model) -> bytes:
    """What `save` writes; also of a model without a shape."""
    stream = BytesIO()
    _write(model, stream)
    return stream.getvalue()


def _check_built(model: Model, where: str) -> None:
    if not model.built:
        raise ValueError(f"{where}: expected a built model; give it an Input or fit it first. Received: {model!r}")


def _write(model: Model, stream: IO[bytes]) -> None:
    try:
        text = json.dumps(_description(model), indent=1)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"save: metadata and arguments must be what JSON can hold. Received: {error}") from error
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(DESCRIPTION, text)
        if model.built and model.layers:
            archive.writestr(WEIGHTS, _weights(model))
            slots = {**dict(_slots(model)), **_whole_state(model)}
            if slots:
                archive.writestr(OPTIMIZER, _to_safetensors(slots))


def _weights(model: Model) -> bytes:
    return _to_safetensors({name: p.value for name, p in model.weight_paths().items()})


def _to_safetensors(arrays: dict[str, Array]) -> bytes:
    from safetensors.numpy import save as to_bytes

    # safetensors sorts; the order is what another model with other names of layers goes by
    contiguous = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    return to_bytes(contiguous, {"order": json.dumps(list(arrays))})


def _slots(model: Model) -> Iterator[tuple[str, Array]]:
    """The optimizer's state for each parameter, where there is one yet."""
    runner = model.runner
    for slot in runner.slots:
        for name, view in zip(model.weight_paths(), runner.slot_views(slot)):
            yield f"{slot}/{name}", view


def _whole_state(model: Model) -> dict[str, Array]:
    """The part of the optimizer's state that belongs to no single parameter."""
    optimizer, trainable = model.optimizer, tuple(p.trainable for p in model.weights)
    if optimizer is None or model.runner.minimised not in (None, trainable):  # it is that of other parameters
        return {}
    return {f"{WHOLE}/{name}": a for name, a in optimizer.state_arrays().items()}


def _description(model: Model) -> dict[str, Any]:
    from . import MODELS

    name = next((name for name, known in MODELS.items() if known is model.saved_as), None)
    if name is None:
        raise ValueError(f"save: a model can be saved if its class is one of {list(MODELS)}. Received: {model!r}")
    compiled = None
    if model._compiled is not None:
        compiled = {
            "optimizer": optimizers.serialize(model._compiled.optimizer),
            "loss": _identifier(model.loss, losses),
            "loss_weights": model._compiled.loss_weights,
            "metrics": _metric_identifiers(model._compiled.metrics),
            "weighted_metrics": _metric_identifiers(model._compiled.weighted_metrics),
            "iterations": model._compiled.optimizer.steps,
        }
    return {
        "format": FORMAT,
        "class_name": name,
        "config": model.get_config(),
        "compiled": compiled,
        "seed": model.seed,
        "shuffles": model.shuffles,
        "position": model.position,
        "metadata": model.metadata,
    }


def _identifier(thing: Any, module: Any) -> Any:
    """A name stays a name; an object becomes its config; lists and dictionaries of them stay what they are."""
    if thing is None or isinstance(thing, str) or (isinstance(thing, dict) and "class_name" in thing):
        return thing
    if isinstance(thing, dict):
        return {name: _identifier(part, module) for name, part in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [_identifier(part, module) for part in thing]
    return module.serialize(module.get(thing))


def _metric_identifiers(chosen: Any) -> Any:
    if isinstance(chosen, dict) and "class_name" not in chosen:
        return {name: _metric_identifiers(part) for name, part in chosen.items()}
    if isinstance(chosen, (list, tuple)):
        return [_metric_identifiers(metric) for metric in chosen if _can_be_named(metric)]
    return _identifier(chosen, metrics) if _can_be_named(chosen) else None


def _can_be_named(metric: Any) -> bool:
    if metric is None or isinstance(metric, (str, dict, list, tuple)) or metrics.is_known(metrics.get(metric)):
        return True
    warn(
        f"save: a metric that is a function or a class of your own is not saved unless it is registered "
        f"(fastnn.saving.register_keras_serializable); compile again after loading. Received: {metric!r}"
    )
    return False


# ------------------------------------------------------------------------------------------------------------- reading


def source(filepath: Any, suffixes: tuple[str, ...], where: str) -> Path:
    path = Path(filepath)
    _ends(path, suffixes, where)
    if not path.is_file():
        raise FileNotFoundError(f"{where}: there is no such file. Received: {str(filepath)!r}")
    return path


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Whatever a damaged or hostile file leads to is a ValueError that names the file."""
    from safetensors import SafetensorError

    try:
        yield
    except (
        *(zipfile.BadZipFile, SafetensorError, EOFError, OSError, RuntimeError),  # RecursionError is a RuntimeError
        *(ValueError, TypeError, KeyError, AttributeError, OverflowError, NotImplementedError),
    ) as error:
        if isinstance(error, ValueError) and "Received" in str(error):
            raise ValueError(f"{name}: {error}") from error
        raise ValueError(f"{name} is damaged, or not a file of such a model. Received: {error!r}") from error


def load_weights(model: Model, filepath: Any) -> None:
    """See `Model.load_weights`."""
    suffixes = (WEIGHTS_SUFFIX, SUFFIX, keras_files.WEIGHTS_SUFFIX, keras_files.SUFFIX)
    path = source(filepath, suffixes, "load_weights")
    _check_built(model, "load_weights")
    with path.open("rb") as stream, reading(path.name):
        if path.suffix == keras_files.SUFFIX:
            keras_files.load_weights_of_model(model, stream)
            return
        if path.suffix not in suffixes:  # .weights.h5
            keras_files.load_weights(model, stream.read())
            return
        data = _parts(stream)[WEIGHTS] if path.suffix == SUFFIX else stream.read()
        found = _from_safetensors(data)
        parameters = model.weight_paths()
        if set(found) != set(parameters) and len(found) == len(parameters):
            # another model numbers its layers differently: the order decides
            found = dict(zip(parameters, (found[name] for name in _order(data))))
        _check(found, {name: (p.shape, p.dtype) for name, p in parameters.items()})
        for name, parameter in parameters.items():
            parameter.assign(found[name])


def load_model(
    filepath: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None, compile: bool = True
) -> Model:
    """Read a model that `Model.save` wrote, ready to predict or to go on training with the same numbers.

    Parameters:
        filepath: a `.fastnn` file, or a `.keras` file, also one that Keras 3 wrote.
        custom_objects: name -> what it means, for classes and functions of your own that are not registered
            (fastnn.saving).
        compile: whether to restore optimizer (with its state), loss and metrics.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: files of Keras need h5py (the extra `keras`).
        ValueError: not such a file, damaged, from a newer version, or naming something unknown.
    """
    path = source(filepath, (SUFFIX, keras_files.SUFFIX), "load_model")
    with CustomObjectScope(custom_objects), path.open("rb") as stream, reading(path.name):
        if path.suffix == keras_files.SUFFIX:
            return keras_files.read(stream, compile)
        parts = _parts(stream)
        if WEIGHTS not in parts:
            raise ValueError(f"expected the part {WEIGHTS}. Received: {sorted(parts)}")
        return _model(parts, compile)


def load_state(model: Model, filepath: Any) -> None:
    """See `Model.load_state`."""
    path = source(filepath, (SUFFIX,), "load_state")
    _check_built(model, "load_state")
    saved, optimizer = load_model(path), model.optimizer
    if optimizer is None or saved.optimizer is None or type(optimizer) is not type(saved.optimizer):
        raise ValueError(f"load_state: expected a model with {optimizer!r}. Received: one with {saved.optimizer!r}")
    _check(
        dict(enumerate(saved.get_weights())),
        {i: (p.shape, p.dtype) for i, p in enumerate(model.weights)},
    )
    model.set_weights(saved.get_weights())
    for name in set(model.runner.slots) - set(saved.runner.slots):
        model.runner.restart_slot(name)
    for name in saved.runner.slots:
        for view, array in zip(model.runner.slot_views(name), saved.runner.slot_views(name)):
            view[...] = array
    for ours, theirs in zip(model.all_layers(), saved.all_layers()):
        if hasattr(theirs, "seed"):
            ours.seed = theirs.seed
    model.runner.pool.clear(lambda key: True)  # plans know the seeds
    size = sum(part.size for part in model.runner.arena.trainable_ranges())
    optimizer.set_state_arrays(saved.optimizer.state_arrays(), size)
    optimizer.steps = saved.optimizer.steps
    if not callable(optimizer._learning_rate):
        optimizer.learning_rate = saved.optimizer.learning_rate
    model._seed, model.shuffles, model.position = saved._seed, saved.shuffles, saved.position
    model.metadata = saved.metadata


def from_bytes(data: bytes, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """The model whose `to_bytes` this is; custom_objects: the user's classes in it that are not registered."""
    with CustomObjectScope(custom_objects), reading("a model in memory"):
        return _model(_parts(BytesIO(data)), True)


def _parts(stream: IO[bytes]) -> dict[str, bytes]:
    """The parts of a model file, after their declared sizes have been held against the file's."""
    size = stream.seek(0, os.SEEK_END)
    with zipfile.ZipFile(stream) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if DESCRIPTION not in infos or not set(infos) <= {DESCRIPTION, WEIGHTS, OPTIMIZER}:
            raise ValueError(f"expected the parts {[DESCRIPTION, WEIGHTS, OPTIMIZER]}. Received: {sorted(infos)}")
        if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos.values()):
            raise ValueError("expected parts that are stored as they are. Received: compressed or encrypted ones")
        total = sum(info.file_size for info in infos.values())
        if total > size or infos[DESCRIPTION].file_size > LARGEST_JSON:
            raise ValueError(f"the parts claim more bytes than the file has, or than makes sense. Received: {total}")
        return {name: archive.read(info) for name, info in infos.items()}


def _model(parts: dict[str, bytes], compile: bool) -> Model:
    from . import MODELS

    described = json.loads(parts[DESCRIPTION])
    if described["format"] != FORMAT:
        raise ValueError(f"expected format {FORMAT}; another version wrote this. Received: {described['format']!r}")
    if described["class_name"] not in MODELS:
        raise unknown("model class", described["class_name"], MODELS)
    with drawn_later():
        model = MODELS[described["class_name"]].from_config(described["config"])
    if WEIGHTS in parts:
        found = _from_safetensors(parts[WEIGHTS])
        parameters = model.weight_paths()
        _check(found, {name: (p.shape, p.dtype) for name, p in parameters.items()})
        for name, parameter in parameters.items():
            parameter.assign(found[name])
    model._seed = _whole(described, "seed", 2**64)
    model.shuffles = _whole(described, "shuffles", 2**63)
    model.position = _whole({"position": 0, **described}, "position", 2**63)
    model.metadata = dict(described["metadata"])
    if compile and described["compiled"] is not None:
        _restore(model, described["compiled"], parts.get(OPTIMIZER))
    return model


def _restore(model: Model, compiled: dict[str, Any], slots: bytes | None) -> None:
    names = ("loss", "metrics", "loss_weights", "weighted_metrics")
    modules = {"loss": losses, "metrics": metrics, "weighted_metrics": metrics}
    given = {name: resolved(compiled.get(name), modules.get(name)) for name in names}
    model.compile(optimizers.get(compiled["optimizer"]), **given)
    assert model.optimizer is not None
    if slots is not None:
        found = _from_safetensors(slots)
        whole = {name: found.pop(name) for name in list(found) if name.startswith(f"{WHOLE}/")}
        size = sum(part.size for part in model.runner.arena.trainable_ranges())
        model.optimizer.set_state_arrays({name[len(WHOLE) + 1 :]: array for name, array in whole.items()}, size)
        for name in model.runner.slot_names():
            model.runner.slot(name)
        places = dict(_slots(model))
        _check(found, {name: (view.shape, view.dtype) for name, view in places.items()})
        for name, view in places.items():
            view[...] = found[name]
    model.optimizer.steps = _whole(compiled, "iterations", 2**63)


def resolved(given: Any, module: Any) -> Any:
    """Descriptions as objects, as long as the classes of the user's that they name are known; names stay names."""
    if module is None:
        return given
    if isinstance(given, dict):
        if "class_name" in given:
            return module.get(given)
        return {name: resolved(part, module) for name, part in given.items()}
    return [resolved(part, module) for part in given] if isinstance(given, list) else given


def _whole(described: dict[str, Any], name: str, end: int) -> int:
    value = described[name]
    if type(value) is not int or not 0 <= value < end:
        raise ValueError(f"expected {name} to be a whole number below {end}. Received: {value!r}")
    return value


def _from_safetensors(data: bytes) -> dict[str, Array]:
    from safetensors.numpy import load

    return load(data)


def _order(data: bytes) -> list[str]:
    """The names in the order of the model that wrote them; the header has been read before, so it is sound."""
    length = int.from_bytes(data[:8], "little")
    order: list[str] = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["order"])
    return order


def _check(found: dict[Any, Array], expected: dict[Any, tuple[tuple[int, ...], np.dtype[Any]]]) -> None:
    """Hold the arrays of a file against what a model has, before any of them is used."""
    if set(found) != set(expected):
        raise ValueError(f"expected arrays named {sorted(expected)}. Received: {sorted(found)}")
    for name, (shape, dtype) in expected.items():
        array = found[name]
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(f"{name} must be {dtype} of shape {shape}. Received: {array.dtype} of shape {array.shape}")
