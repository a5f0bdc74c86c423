"""MNIST: 70,000 handwritten digits of 28 x 28 pixels, from local files where there are any, else downloaded once.

It refuses sets that are not MNIST's size, incomplete folders and damaged files; it never downloads in place of a path
that was given and is wrong.
"""

from __future__ import annotations

import os
from pathlib import Path

from fastnn.datasets import _files

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

_NPZ = "mnist.npz"
_SHAPES: dict[str, tuple[int, ...]] = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}
_IDX = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def load_data(path: str | os.PathLike[str] | None = None) -> _files.Split:
    """Load MNIST as `(x_train, y_train), (x_test, y_test)`.

    A folder holds MNIST if it, or its subfolder `mnist`, has the four IDX files (`train-images-idx3-ubyte`,
    `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`; plain or `.gz`, also spelt
    `train-images.idx3-ubyte` and so on) or `mnist.npz`. Without a path the first of these is taken:

    1. the folder in the environment variable `FASTNN_DATA`;
    2. the user's cache: `$XDG_CACHE_HOME/fastnn` or `~/.cache/fastnn`, on macOS `~/Library/Caches/fastnn`, on Windows
       `%LOCALAPPDATA%\\fastnn`;
    3. `mnist.npz` from the web (11 MB), checked against its SHA-256 and kept in the cache. This needs the extra `data`.

    Parameters
    ----------
    path
        A folder as above, an `.npz` file, or one of the IDX files, which stands for its folder. What is given must
        exist, save for Keras's default `"mnist.npz"`: where there is no such file, it means `None`.

    Returns
    -------
    Two pairs of uint8 arrays: images (60000, 28, 28) with grey levels 0 (background) to 255 and labels (60000,) 0 to 9
    for training, then images (10000, 28, 28) and labels (10000,) for testing.

    Raises
    ------
    FileNotFoundError
        If the path does not exist, a folder lacks some of the files, or MNIST is nowhere and cannot be downloaded; the
        message tells what was tried and how to get the files.
    ValueError
        If a file is damaged or does not hold MNIST.
    TypeError
        If the path is not a path.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document recognition. Proceedings of
    the IEEE 86(11), 1998.
    """
    files = _search() if path is None or _is_keras_default(path) else _given(path)
    data = {}
    for name, shape in _SHAPES.items():
        file = files[name]
        data[name] = _files.read_npz(file, name, shape) if file.suffix == ".npz" else _files.read_idx(file, shape)
        if len(shape) == 1 and (largest := int(data[name].max())) > 9:
            raise ValueError(f"{file}: the labels of MNIST ({name}) are 0 to 9. Received: {largest}")
    return (data["x_train"], data["y_train"]), (data["x_test"], data["y_test"])


def _is_keras_default(path: str | os.PathLike[str]) -> bool:
    return str(path) == _NPZ and not os.path.exists(_NPZ)


def _given(path: str | os.PathLike[str]) -> dict[str, Path]:
    """The file of each array, for the path that the user gave."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"mnist.load_data: path must be a str, a path or None. Received: {path!r}")
    place = Path(path).expanduser()
    if not os.fspath(path) or not place.exists():
        raise FileNotFoundError(f"mnist.load_data: path must be an existing folder or file. Received: {str(path)!r}")
    if place.is_file() and place.suffix == ".npz":
        return dict.fromkeys(_SHAPES, place)
    if place.is_file():
        if not any(place.name in _spellings(name) for name in _IDX.values()):
            raise ValueError(
                f"mnist.load_data: a file must be an .npz file or one of {sorted(_IDX.values())} (also .gz). "
                f"Received: {str(place)!r}"
            )
        place = place.parent
    files = _find(place) or _find(place / "mnist")
    if files is None:
        raise FileNotFoundError(
            f"mnist.load_data: the folder must hold {_NPZ} or {sorted(_IDX.values())} (also .gz). "
            f"Received: {str(place)!r}, which has none of them"
        )
    return files


def _search() -> dict[str, Path]:
    """The file of each array, from FASTNN_DATA or the cache, and downloaded if it is in neither."""
    folders = _files.search_folders("mnist")
    for folder in folders:
        if files := _find(folder):
            return files
    target = _files.cache_dir() / "mnist" / _NPZ
    try:
        return dict.fromkeys(_SHAPES, _files.download(URL, SHA256, target))
    except (ImportError, OSError) as error:
        get = "Get"
        if isinstance(error, ImportError):
            get = "Install the extra 'data' (pip install 'fastnn-cpu[data]'), or get"
        unset = "" if os.environ.get(_files.ENVIRONMENT) else f" ({_files.ENVIRONMENT} is not set)"
        raise FileNotFoundError(
            f"MNIST is not on this machine and could not be downloaded.\n"
            f"Looked in: {', '.join(map(str, folders))}{unset}. The download of {URL} did not work.\n"
            f"{get} {_NPZ} from there, or the four files {', '.join(name + '.gz' for name in _IDX.values())}, by "
            f"another way. Put them into a folder and call mnist.load_data('FOLDER') or set "
            f"{_files.ENVIRONMENT}=FOLDER.\n"
            f"Received: {type(error).__name__}: {error}"
        ) from error


def _find(folder: Path) -> dict[str, Path] | None:
    """The file of each array in this folder, None if there is no trace of MNIST; part of the IDX files is an error."""
    found = {}
    for key, name in _IDX.items():
        for spelling in _spellings(name):
            if (folder / spelling).is_file():
                found[key] = folder / spelling
                break
    if len(found) == len(_IDX):
        return found
    if (folder / _NPZ).is_file():
        return dict.fromkeys(_SHAPES, folder / _NPZ)
    if found:
        raise FileNotFoundError(
            f"{folder}: MNIST needs all of {sorted(_IDX.values())} (also .gz). "
            f"Received: only {sorted(file.name for file in found.values())}"
        )
    return None


def _spellings(name: str) -> list[str]:
    """The names under which this IDX file goes about: with '-' or '.' before 'idx', plain (preferred) or gzipped."""
    return [base + end for end in ("", ".gz") for base in (name, name.replace("-idx", ".idx"))]
