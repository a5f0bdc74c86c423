"""The book's helpers for images, data and curves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import ops

__all__ = ["col2im", "im2col", "shuffle_dataset", "smooth_curve"]

_WINDOW = 11


def smooth_curve(x: ArrayLike) -> NDArray[Any]:
    """A curve of losses made smooth, for plotting: a moving mean over 11 values, weighted by a Kaiser window (beta 2).

    The curve is continued by its mirror image at both ends; the result is as long as x.
    """
    padded = np.pad(np.asarray(x, float), (_WINDOW - 1, 0), "reflect")
    padded = np.pad(padded, (0, _WINDOW - 1), "symmetric")
    window = np.kaiser(_WINDOW, 2)
    half = _WINDOW // 2
    smooth: NDArray[Any] = np.convolve(padded, window / window.sum(), "valid")[half:-half]
    return smooth


def shuffle_dataset(x: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Samples and targets in one random order, drawn from ``np.random.permutation``."""
    order = np.random.permutation(len(x))
    return x[order], t[order]


def im2col(input_data: NDArray[Any], filter_h: int, filter_w: int, stride: int = 1, pad: int = 0) -> NDArray[Any]:
    """Patches of images (N, C, H, W): a row for every window, (N out_h out_w, C filter_h filter_w)."""
    return ops.im2col(input_data, filter_h, filter_w, stride, pad, order="nyx,cij", layout="NCHW")


def col2im(
    col: NDArray[Any], input_shape: tuple[int, ...], filter_h: int, filter_w: int, stride: int = 1, pad: int = 0
) -> NDArray[Any]:
    """Images (N, C, H, W) from such rows; where windows overlap, numbers are added."""
    return ops.col2im(col, input_shape, filter_h, filter_w, stride, pad, order="nyx,cij", layout="NCHW")
