"""Model files: a `.fastnn` file is a zip of JSON (what the model is) and safetensors (its numbers); never pickle.

    model.json                format version, class and config, compile settings, seeds and counters, metadata
    weights.safetensors       every parameter, by "layer/name"
    optimizer.safetensors     every slot of the optimizer, by "slot/layer/name"

Files are written beside their target, flushed to disk and renamed, so an interrupted save leaves the old file.  Reading
trusts nothing: sizes are checked before anything is unpacked, classes come from closed lists, shapes must fit.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import losses, metrics, optimizers
from fastnn._errors import unknown

FORMAT = 1
SUFFIX = ".fastnn"
# a JSON description of a model, even a large one, is far below this
LARGEST_JSON = 64 * 2**20
PARTS = ("model.json", "weights.safetensors", "optimizer.safetensors")


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


def _target(filepath: Any, overwrite: bool, suffix: str, what: str) -> Path:
    path = Path(filepath)
    if path.suffix != suffix:
        raise ValueError(f"{what}: the file name must end in {suffix!r}. Received: {str(filepath)!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{what}: there is no such folder. Received: {str(path.parent)!r}")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{what}: the file exists; pass overwrite=True to replace it. Received: {str(filepath)!r}"
        )
    return path


def _source(filepath: Any, suffixes: tuple[str, ...], what: str) -> Path:
    path = Path(filepath)
    if path.suffix not in suffixes:
        raise ValueError(f"{what}: the file name must end in one of {list(suffixes)}. Received: {str(filepath)!r}")
    if not path.is_file():
        raise FileNotFoundError(f"{what}: there is no such file. Received: {str(filepath)!r}")
    return path


def _weights(model: Any) -> dict[str, np.ndarray]:
    return {p.name: np.ascontiguousarray(p.value) for p in model.weights}


def _slots(model: Any) -> dict[str, np.ndarray]:
    runner = model._runner
    if runner is None:
        return {}
    return {
        f"{slot}/{p.name}": np.ascontiguousarray(view)
        for slot, flat in runner.slots.items()
        for p, view in zip(runner.arena.parameters, runner.arena.views(flat))
    }


def _identifier(thing: Any, module: Any) -> Any:
    """A name stays a name; an object becomes its config."""
    if thing is None or isinstance(thing, (str, dict)):
        return thing
    return module.serialize(module.get(thing))


def _description(model: Any) -> dict[str, Any]:
    compiled = None
    if model.compiled:
        compiled = {
            "optimizer": optimizers.serialize(model.optimizer),
            "loss": _identifier(model.loss, losses),
            "metrics": [_identifier(m, metrics) for m in model._metric_names],
            "iterations": model.optimizer.iterations,
        }
    return {
        "format": FORMAT,
        "class_name": type(model).__name__,
        "config": model.get_config(),
        "compiled": compiled,
        "seed": model.seed,
        "epochs_seen": model.epochs_seen,
        "metadata": model.metadata,
    }


def save(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write a `.fastnn` file; see `Model.save`.

    Raises:
        ValueError: the suffix is not `.fastnn`, or the model has no shape yet.
        FileExistsError, FileNotFoundError: the target exists and overwrite is false; its folder does not exist.
    """
    from safetensors.numpy import save as to_bytes

    path = _target(filepath, overwrite, SUFFIX, "save")
    if not model.built:
        raise ValueError(f"save: expected a built model; give it an Input or fit it first. Received: {model!r}")
    text = json.dumps(_description(model), indent=1)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("model.json", text)
        archive.writestr("weights.safetensors", to_bytes(_weights(model)))
        slots = _slots(model)
        if slots:
            archive.writestr("optimizer.safetensors", to_bytes(slots))


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write the parameters to a `.safetensors` file."""
    from safetensors.numpy import save_file

    path = _target(filepath, overwrite, ".safetensors", "save_weights")
    if not model.built:
        raise ValueError(f"save_weights: expected a built model. Received: {model!r}")
    with replacing(path) as temporary:
        save_file(_weights(model), temporary)


def load_weights(model: Any, filepath: Any) -> None:
    """Read parameters from a `.safetensors` or `.fastnn` file into a model of the same layers."""
    path = _source(filepath, (".safetensors", SUFFIX), "load_weights")
    if not model.built:
        raise ValueError(f"load_weights: expected a built model. Received: {model!r}")
    data = _read(path)["weights.safetensors"] if path.suffix == SUFFIX else path.read_bytes()
    found = _tensors(data, path)
    # the layers of another process may be numbered on (dense_7): then the order decides
    if set(found) != {p.name for p in model.weights} and len(found) == len(model.weights):
        raise ValueError(
            f"load_weights: expected the parameters {[p.name for p in model.weights]}. Received: {sorted(found)}"
        )
    _assign({p.name: p.value for p in model.weights}, found, f"load_weights: {path.name}")


def load_model(filepath: str | os.PathLike[str], compile: bool = True) -> Any:  # noqa: A002
    """Read a model that `Model.save` wrote, ready to predict or to go on training with the same numbers.

    Parameters:
        filepath: a `.fastnn` file.
        compile: whether to restore optimizer (with its state), loss and metrics.

    Raises:
        ValueError: not such a file, damaged, from a newer version, or naming something unknown.
        FileNotFoundError: there is no such file.
    """
    from . import MODELS

    path = _source(filepath, (SUFFIX,), "load_model")
    parts = _read(path)
    try:
        described = json.loads(parts["model.json"])
        version, class_name, config = described["format"], described["class_name"], described["config"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"load_model: model.json is damaged in {path.name}. Received: {error!r}") from error
    if version != FORMAT:
        raise ValueError(f"load_model: expected format {FORMAT}. Received: {version!r}, written by another version")
    if class_name not in MODELS:
        raise unknown("model class", class_name, MODELS)
    try:
        model = MODELS[class_name].from_config(config)
    except (TypeError, KeyError) as error:
        raise ValueError(
            f"load_model: the description of the model is damaged in {path.name}. Received: {error!r}"
        ) from error
    if not model.built:
        raise ValueError(f"load_model: the description has no input shape. Received: {path.name}")
    _assign({p.name: p.value for p in model.weights}, _tensors(parts["weights.safetensors"], path), path.name)
    model.seed, model.epochs_seen = int(described["seed"]), int(described["epochs_seen"])
    model.metadata = dict(described.get("metadata") or {})
    if compile and described.get("compiled"):
        _restore_compiled(model, described["compiled"], parts.get("optimizer.safetensors"), path)
    return model


def _restore_compiled(model: Any, compiled: dict[str, Any], slots: bytes | None, path: Path) -> None:
    model.compile(optimizers.get(compiled["optimizer"]), compiled["loss"], compiled["metrics"])
    model.optimizer.iterations = int(compiled["iterations"])
    if slots is None:
        return
    runner = model.runner
    runner.ready_to_train()
    places = {
        f"{slot}/{p.name}": view
        for slot, flat in runner.slots.items()
        for p, view in zip(runner.arena.parameters, runner.arena.views(flat))
    }
    _assign(places, _tensors(slots, path), path.name)


def _read(path: Path) -> dict[str, bytes]:
    """The parts of a model file, after their declared sizes have been held against the file's."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = {info.filename: info for info in archive.infolist()}
            if not set(infos) <= set(PARTS) or not {"model.json", "weights.safetensors"} <= set(infos):
                raise ValueError(f"{path.name}: expected the parts {list(PARTS)}. Received: {sorted(infos)}")
            total = sum(info.file_size for info in infos.values())
            # parts are stored, not compressed: together they cannot be larger than the file
            if total > path.stat().st_size or infos["model.json"].file_size > LARGEST_JSON:
                raise ValueError(f"{path.name}: the parts claim more bytes than the file has. Received: {total}")
            return {name: archive.read(name) for name in infos}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f"{path.name} is not a fastnn model file, or is damaged. Received: {error}") from error


def _tensors(data: bytes, path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{path.name}: the numbers are damaged. Received: {error}") from error


def _assign(places: dict[str, np.ndarray], found: dict[str, np.ndarray], where: str) -> None:
    """Copy arrays to their places, after all names, shapes and dtypes have been checked."""
    if set(places) != set(found):
        raise ValueError(f"{where}: expected arrays named {sorted(places)}. Received: {sorted(found)}")
    for name, place in places.items():
        if found[name].shape != place.shape or found[name].dtype != place.dtype:
            raise ValueError(
                f"{where}: {name} must be {place.dtype} of shape {place.shape}. "
                f"Received: {found[name].dtype} of shape {found[name].shape}"
            )
    for name, place in places.items():
        place[...] = found[name]
