"""The settings of keras.config: the default float type, the fuzz factor, and what cannot be set.

They are read when an object is called or compiled, not when it is constructed. The half-precision types of Keras are
refused: the kernels compute in float32 and float64.
"""

from __future__ import annotations

import math
from typing import Any

from fastnn import _keras
from fastnn._errors import unknown

_FLOAT_TYPES = ("float32", "float64")

_floatx = "float32"
_epsilon = 1e-7


def floatx() -> str:
    """The name of the default float type, "float32" unless set otherwise."""
    return _floatx


def set_floatx(value: str) -> None:
    """Set the default float type.

    Parameters
    ----------
    value : {"float32", "float64"}

    Raises
    ------
    ValueError
        For every other value.
    """
    global _floatx
    if value not in _FLOAT_TYPES:
        raise unknown("float type", value, _FLOAT_TYPES)
    _floatx = value


def epsilon() -> float:
    """The fuzz factor that keeps logarithms and quotients finite, 1e-7 unless set otherwise."""
    return _epsilon


def set_epsilon(value: float) -> None:
    """Set the fuzz factor.

    Parameters
    ----------
    value : float
        Positive and less than one half: probabilities are clipped to [value, 1 - value].

    Raises
    ------
    ValueError
        For every other value.
    """
    global _epsilon
    number = float(value)
    if not (math.isfinite(number) and 0.0 < number < 0.5):
        raise ValueError(f"epsilon must lie between 0 and 0.5. Received: {value!r}")
    _epsilon = number


def image_data_format() -> str:
    """Where pictures have their channels by default: always "channels_last"; layers take `data_format`."""
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Accept "channels_last"; there is no setting for all layers.

    Raises
    ------
    ValueError
        For every other value.
    """
    if data_format != "channels_last":
        raise ValueError(
            f"set_image_data_format: layers have 'channels_last' by default; pass data_format to them. "
            f"Received: {data_format!r}"
        )


def backend() -> str:
    """What scripts for Keras ask for: "numpy", because arrays are NumPy's."""
    return "numpy"


def __getattr__(name: str) -> Any:
    raise _keras.absent("config", name, globals())
