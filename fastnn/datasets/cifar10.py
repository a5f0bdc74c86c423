"""CIFAR-10: 60,000 colour pictures of 32 x 32 pixels, from local files where there are any, else downloaded once.

It reads the binary version only: that for Python is a pickle, which runs whatever it says.
"""

from __future__ import annotations

import os

import numpy as np

from fastnn.datasets import _files, _sources

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# pictures in each file, and the colours, rows and columns of a picture
_COUNT = 10000
_PICTURE = (3, 32, 32)
_PARTS = {**{f"batch {i}": f"data_batch_{i}.bin" for i in range(1, 6)}, "test": "test_batch.bin"}
_ARCHIVE = "cifar-10-binary.tar.gz"


def load_data(path: str | os.PathLike[str] | None = None) -> _files.Split:
    """Load CIFAR-10 as `(x_train, y_train), (x_test, y_test)`.

    A folder holds it if it, or its subfolder `cifar10` or `cifar-10-batches-bin`, has the archive of the binary version
    (`cifar-10-binary.tar.gz`) or the six files from it (`data_batch_1.bin` ... `data_batch_5.bin`, `test_batch.bin`).
    Without a path the first of these is taken:

    1. the folder in the environment variable `FASTNN_DATA`;
    2. the user's cache (see `fastnn.datasets.mnist`);
    3. the archive from the web (170 MB), checked against its SHA-256 and kept in the cache. This needs the extra
       `data`.

    Parameters
    ----------
    path
        A folder as above, the archive, or one of the files, which stands for its folder.

    Returns
    -------
    Two pairs of uint8 arrays: images (50000, 32, 32, 3), red, green and blue from 0 to 255, and labels (50000, 1), 0 to
    9, whose meaning `CLASS_NAMES` tells, for training, then images (10000, 32, 32, 3) and labels (10000, 1) for
    testing.

    Raises
    ------
    FileNotFoundError
        If the path does not exist, a folder lacks some of the files, or they are nowhere and cannot be downloaded; the
        message tells what was tried and how to get the files.
    ValueError
        If a file is damaged or does not hold such data.
    TypeError
        If the path is not a path.

    References
    ----------
    A. Krizhevsky: Learning multiple layers of features from tiny images. Technical report, University of Toronto, 2009.
    """
    source = _source()
    files = source.locate(path)
    images, labels = [], []
    for key, name in _PARTS.items():
        size = 1 + int(np.prod(_PICTURE))
        records = _files.read_raw(files[key], f"cifar-10-batches-bin/{name}", (_COUNT, size))
        _sources.check_labels(source, key, records[:, 0], files[key])
        images.append(records[:, 1:].reshape(-1, *_PICTURE).transpose(0, 2, 3, 1))
        labels.append(records[:, :1])
    train = np.ascontiguousarray(np.concatenate(images[:-1])), np.concatenate(labels[:-1])
    return train, (np.ascontiguousarray(images[-1]), labels[-1].copy())


def _spellings(name: str) -> list[str]:
    return [name]


def _source() -> _sources.Source:
    shelves = ("cifar10", "cifar-10-batches-bin")
    return _sources.Source(
        "cifar10", "CIFAR-10", _PARTS, _spellings, _ARCHIVE, shelves, True, ((URL, SHA256),), hint=""
    )
