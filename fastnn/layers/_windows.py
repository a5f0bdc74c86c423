"""What layers with a sliding window share: their sizes, their padding, and the window of a plan's steps.

Everything is two-dimensional inside: layers over sequences see images of height 1, which lie in memory in the same way.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

from .base import Shape

Pair = tuple[int, int]


class Axis(NamedTuple):
    """One axis of a window, from an image to what comes out."""

    size: int
    kernel: int
    stride: int
    dilation: int
    pad: int
    output: int


def numbers(where: str, name: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """One whole number for every axis, or a tuple of them.

    Raises:
        ValueError: anything else.
    """
    values = value if isinstance(value, (tuple, list)) else (value,) * rank
    try:
        result = tuple(map(operator.index, values))
        valid = len(result) == rank and min(result) >= least and not any(isinstance(v, bool) for v in values)
    except TypeError:
        valid = False
    if not valid:
        raise ValueError(
            f"{where}: {name} must be a whole number of at least {least}, or {rank} of them. Received: {value!r}"
        )
    return result


def count(where: str, name: str, value: Any) -> int:
    """A positive whole number.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ValueError(f"{where}: {name} must be a positive whole number. Received: {value!r}")
    return operator.index(value)


def padding_name(where: str, padding: Any, names: tuple[str, ...]) -> str:
    """The name of a padding, in lower case.

    Raises:
        ValueError: none of these names.
    """
    lowered = padding.lower() if isinstance(padding, str) else ""
    if lowered not in names:
        raise ValueError(f"{where}: padding must be one of {', '.join(map(repr, names))}. Received: {padding!r}")
    return lowered


DATA_FORMATS = ("channels_last", "channels_first")


def data_format_name(where: str, data_format: Any) -> str:
    """The data format; None means "channels_last", whatever Keras's configuration file says.

    Raises:
        ValueError: no such format.
    """
    if data_format is not None and data_format not in DATA_FORMATS:
        raise ValueError(f"{where}: data_format must be one of {DATA_FORMATS} or None. Received: {data_format!r}")
    return data_format or "channels_last"


def axis(where: str, size: int, kernel: int, stride: int, dilation: int, padding: str) -> Axis:
    """An axis of a layer with "valid", "same" or "causal" padding.

    Raises:
        ValueError: the window does not fit.
    """
    reach = (kernel - 1) * dilation + 1
    if padding == "valid":
        if reach > size:
            raise ValueError(f"{where}: a window of {reach} does not fit with padding='valid'. Received: size {size}")
        return Axis(size, kernel, stride, dilation, 0, (size - reach) // stride + 1)
    output = -(-size // stride)
    missing = max((output - 1) * stride + reach - size, 0)
    return Axis(size, kernel, stride, dilation, reach - 1 if padding == "causal" else missing // 2, output)


def two(axes: tuple[Axis, ...]) -> tuple[Axis, Axis]:
    """Down and across; a sequence is one row."""
    return (axes[0], axes[1]) if len(axes) == 2 else (Axis(1, 1, 1, 1, 0, 1), axes[0])


def window(batch: int, axes: tuple[Axis, ...], channels: int, filters: int, groups: int) -> tuple[int, ...]:
    """The 16 numbers of a step, see fastnn.engine.plan."""
    y, x = two(axes)
    pairs = [n for name in ("kernel", "stride", "pad", "dilation") for n in (getattr(y, name), getattr(x, name))]
    return batch, y.size, x.size, channels, y.output, x.output, filters, *pairs, groups


def check_rank(where: str, shape: Shape, rank: int, data_format: str = "channels_last") -> None:
    """Refuse what is no sequence, image or volume with channels.

    Raises:
        ValueError: another number of axes.
    """
    if len(shape) != rank + 1:
        axes = {1: ("steps",), 2: ("height", "width"), 3: ("depth", "height", "width")}[rank]
        wanted = ("channels", *axes) if data_format == "channels_first" else (*axes, "channels")
        raise ValueError(f"{where}: expected samples of shape ({', '.join(wanted)}). Received: {shape}")
