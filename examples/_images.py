"""The images that the examples learn from."""

from typing import Any

import numpy as np

import fastnn as keras


def load(quick: bool) -> Any:
    """(x_train, y_train), (x_test, y_test): MNIST, or quickly the 8 x 8 digits of the package; pixels in [0, 1]."""
    source, top = (keras.datasets.digits, 16) if quick else (keras.datasets.mnist, 255)
    (x_train, y_train), (x_test, y_test) = source.load_data()
    return (x_train.astype(np.float32) / top, y_train), (x_test.astype(np.float32) / top, y_test)
