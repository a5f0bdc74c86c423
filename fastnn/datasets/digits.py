"""Handwritten digits of 8 x 8 pixels, inside the package: 1,797 images for first trials without a network.

The data are made by tools/make_digits.py; their authors and licence (CC BY 4.0) stand in digits.LICENSE.txt.
"""

from __future__ import annotations

from numbers import Real
from pathlib import Path

import numpy as np

from fastnn.datasets import _files

_PATH = Path(__file__).with_name("digits.npz")
_COUNT = 1797


def load_data(test_fraction: float = 0.2) -> _files.Split:
    """Load the 1,797 digits as `(x_train, y_train), (x_test, y_test)`, always split in the same way.

    The split draws no random numbers. In each class, image k = 0, 1, 2, ... in the order of the file is a test image if

        floor((k + 1) f + 1/2) > floor(k f + 1/2),    f = test_fraction

    so the test images are evenly spaced (for f = 1/5: k = 2, 7, 12, ...), and a class of n images gives n f of them,
    rounded. Both parts keep the order of the file.

    Parameters
    ----------
    test_fraction
        Share of test images: 0 (all images are for training) or 0.01 to 0.99. The default 0.2 gives 1,438 images for
        training and 359 for testing.

    Returns
    -------
    Two pairs of uint8 arrays: images (n, 8, 8), 0 (background) to 16, and labels (n,), 0 to 9; the first pair is for
    training, the second for testing.

    Raises
    ------
    TypeError
        If test_fraction is not a real number.
    ValueError
        If test_fraction is out of range, or the package's data file is damaged.

    Notes
    -----
    The file follows its 13 writers one after the other, so training and test images come from the same writers: test
    accuracy says how well known hands are read, and is higher than for new ones. Each pixel counts the black
    dots in a 4 x 4 block of a 32 x 32 bitmap.

    References
    ----------
    E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits (test set). UCI Machine Learning Repository, 1998.
    https://doi.org/10.24432/C50P49. Licence: CC BY 4.0.
    """
    if isinstance(test_fraction, bool) or not isinstance(test_fraction, Real):
        raise TypeError(f"digits.load_data: test_fraction must be a real number. Received: {test_fraction!r}")
    fraction = float(test_fraction)
    if not (fraction == 0 or 0.01 <= fraction <= 0.99):
        raise ValueError(f"digits.load_data: test_fraction must be 0 or 0.01 to 0.99. Received: {test_fraction!r}")
    x = _files.read_npz(_PATH, "x", (_COUNT, 8, 8))
    y = _files.read_npz(_PATH, "y", (_COUNT,))
    is_test = np.zeros(_COUNT, bool)
    for label in range(10):
        members = np.flatnonzero(y == label)
        is_test[members] = np.diff(np.floor(np.arange(members.size + 1) * fraction + 0.5)) > 0
    return (x[~is_test], y[~is_test]), (x[is_test], y[is_test])
