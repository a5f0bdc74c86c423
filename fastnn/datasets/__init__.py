"""Data sets as NumPy arrays: pictures with Keras's `load_data()`, and functions that draw small problems.

`digits` ships inside the package; `mnist`, `fashion_mnist` and `cifar10` are read from a folder, a file or the user's
cache, and otherwise downloaded. `spirals`, `moons`, `circles`, `blobs`, `xor`, `sine` and `addition` are drawn from a
seed. Importing this package costs nothing beyond NumPy: downloading and decompressing are imported when needed.

Not here: data sets of texts and of houses (Keras's imdb, reuters, boston_housing, california_housing).
"""

from __future__ import annotations

from typing import Any

from fastnn import _keras
from fastnn.datasets import cifar10, digits, fashion_mnist, mnist
from fastnn.datasets.drawn import blobs, circles, moons, sine, spirals, xor
from fastnn.datasets.sums import addition, as_text

__all__ = [
    "addition", "as_text", "blobs", "cifar10", "circles", "digits", "fashion_mnist", "mnist", "moons", "sine",
    "spirals", "xor",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise _keras.absent("datasets", name, __all__)
