"""Fashion-MNIST: 70,000 pictures of clothes of 28 x 28 pixels, from local files where there are any, else downloaded.

Its files have the names of MNIST's, so that it is only looked for in a folder of its own.
"""

from __future__ import annotations

import os

from fastnn.datasets import _files, _sources

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
CLASS_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)

_SHAPES: dict[str, tuple[int, ...]] = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}


def load_data(path: str | os.PathLike[str] | None = None) -> _files.Split:
    """Load Fashion-MNIST as `(x_train, y_train), (x_test, y_test)`.

    Without a path the first of these is taken that has the four IDX files (`train-images-idx3-ubyte`,
    `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`; plain or `.gz`):

    1. the subfolder `fashion_mnist` or `fashion-mnist` of the folder in the environment variable `FASTNN_DATA`;
    2. the same subfolders of the user's cache (see `fastnn.datasets.mnist`);
    3. the files from the web (30 MB), checked against their SHA-256 and kept in the cache. This needs the extra `data`.

    Parameters
    ----------
    path
        A folder that holds the files, or has such a subfolder; or one of the files, which stands for its folder.

    Returns
    -------
    Two pairs of uint8 arrays: images (60000, 28, 28) with grey levels 0 (background) to 255 and labels (60000,) 0 to 9,
    whose meaning `CLASS_NAMES` tells, for training, then images (10000, 28, 28) and labels (10000,) for testing.

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
    H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms.
    arXiv:1708.07747, 2017. Licence: MIT.
    """
    source = _source()
    return _sources.read_digits(source, source.locate(path), _SHAPES)


def _source() -> _sources.Source:
    downloads = tuple((URL + name, digest) for name, digest in SHA256.items())
    shelves = ("fashion_mnist", "fashion-mnist")
    parts, spellings = _sources.IDX, _sources.idx_spellings
    return _sources.Source("fashion_mnist", "Fashion-MNIST", parts, spellings, None, shelves, False, downloads)
