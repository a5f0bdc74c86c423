"""Networks that learn by heart: a few training pictures, some with a wrong label, and all the others for testing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn.lab.frame import Settings

Array = NDArray[Any]

SAMPLES = 300
CLASSES = 10


class Few(NamedTuple):
    """A few samples to train with, and many to test with; the labels for testing are all right."""

    x: Array
    y: Array
    x_test: Array
    y_test: Array


def few(settings: Settings, *, samples: int = SAMPLES, wrong: float = 0.0) -> Few:
    """Draw the training samples.

    Parameters:
        samples: for training. Of the digits, which are few, those that are left over are for testing as well.
        wrong: share of the training samples whose label is drawn anew, from all classes.
    """
    images, rng = settings.images(), settings.rng(1)
    order = rng.permutation(len(images.x_train))
    chosen, rest = order[:samples], order[samples:]
    y = images.y_train[chosen].copy()
    noisy = round(wrong * samples)
    y[:noisy] = rng.integers(0, CLASSES, noisy)
    if settings.data == "mnist":
        return Few(images.x_train[chosen], y, images.x_test, images.y_test)
    x_test = np.concatenate([images.x_train[rest], images.x_test])
    return Few(images.x_train[chosen], y, x_test, np.concatenate([images.y_train[rest], images.y_test]))
