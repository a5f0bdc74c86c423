"""A window that slides over images: what convolution, pooling and im2col have in common.

Images are channels-last.  Along each of the two axes, output position ``o`` sees the input positions
``o * stride - padding + k * dilation`` for ``k = 0 ... kernel - 1``.  ``padding`` is that at the near end; at the
far end there is as much as the length of the output asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Pair = tuple[int, int]


class Geometry(NamedTuple):
    """Sizes of a window, down and across; ``groups`` belongs to convolution."""

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1


def padded(x: NDArray[Any], geometry: Geometry, size: Pair, fill: float = 0.0) -> NDArray[Any]:
    """The images ``x`` (images, height, width, channels) with a border, so that ``size`` windows fit."""
    border = [(0, 0)]
    for length, count, k, s, near, d in zip(x.shape[1:3], size, *geometry[:4]):
        needed = (count - 1) * s + (k - 1) * d + 1
        border.append((near, max(0, needed - length - near)))
    return np.pad(x, [*border, (0, 0)], constant_values=fill)


def taps(geometry: Geometry, size: Pair) -> Iterator[tuple[Pair, tuple[slice, slice, slice]]]:
    """Every place (ky, kx) of the window, with the part of the padded images that all windows have there."""
    (kh, kw), (sy, sx), _, (dy, dx), _ = geometry
    for ky in range(kh):
        for kx in range(kw):
            down = slice(ky * dy, ky * dy + (size[0] - 1) * sy + 1, sy)
            across = slice(kx * dx, kx * dx + (size[1] - 1) * sx + 1, sx)
            yield (ky, kx), (slice(None), down, across)


def cropped(x: NDArray[Any], geometry: Geometry, shape: tuple[int, ...]) -> NDArray[Any]:
    """``padded`` undone: the part of ``x`` that the images of that shape had."""
    (top, left), (height, width) = geometry.padding, shape[1:3]
    return x[:, top : top + height, left : left + width]
