"""MNIST: 70,000 handwritten digits of 28 x 28 pixels, from local files where there are any, else downloaded once.

It refuses sets that are not MNIST's size, incomplete folders and damaged files; it never downloads in place of a path
that was given and is wrong.
"""

from __future__ import annotations

import os

from fastnn.datasets import _files, _sources

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

_SHAPES: dict[str, tuple[int, ...]] = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
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
    source = _source()
    return _sources.read_digits(source, source.locate(path), _SHAPES)


def _source() -> _sources.Source:
    parts, spellings = _sources.IDX, _sources.idx_spellings
    return _sources.Source("mnist", "MNIST", parts, spellings, "mnist.npz", ("mnist",), True, ((URL, SHA256),))
