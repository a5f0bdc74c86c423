"""PyTorch's initializers under their names there, and those of the books: all `VarianceScaling` with a gain.

PyTorch does not truncate its normal ones. Its weights are (outputs, inputs), ours (inputs, outputs), so fan_in and
fan_out mean the same units in both. What goes under the names Xavier and LeCun elsewhere is told apart in
docs/initializers.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastnn._errors import unknown
from fastnn._numbers import finite, positive, whole
from fastnn.initializers.base import Array
from fastnn.initializers.random import RandomInitializer
from fastnn.initializers.scaling import VarianceScaling
from fastnn.ops import _draws

_LINEAR = (
    *("linear", "sigmoid", "conv1d", "conv2d", "conv3d"),
    *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
)
_GAINS = {"tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75, **dict.fromkeys(_LINEAR, 1.0)}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which PyTorch scales weights before a nonlinearity.

    Parameters
    ----------
    nonlinearity : str
        "linear", "sigmoid", "conv1d" and the other convolutions: 1; "tanh": 5/3; "relu": sqrt(2); "selu": 3/4;
        "leaky_relu": sqrt(2 / (1 + param^2)).
    param : float, optional
        The slope of "leaky_relu". Default: 0.01. The others do not look at it.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For a nonlinearity without a gain (with the nearest match).
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else finite("param", param)
        return math.sqrt(2.0 / (1.0 + slope * slope))
    if nonlinearity not in _GAINS:
        raise unknown("nonlinearity", nonlinearity, [*_GAINS, "leaky_relu"])
    return _GAINS[nonlinearity]


class _Xavier(VarianceScaling):
    """Scaled by the mean of the fans and a gain."""

    _distribution = ""

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain = positive("gain", gain)
        super().__init__(self.gain * self.gain, "fan_avg", self._distribution, seed)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, **RandomInitializer.get_config(self)}


class XavierUniform(_Xavier):
    """Uniform on [-limit, limit), limit = gain * sqrt(6 / (fan_in + fan_out)); PyTorch's xavier_uniform_.

    With gain 1 it is `GlorotUniform`.

    Parameters
    ----------
    gain : float
        Positive; see `calculate_gain`.
    seed : int, optional
        See `RandomInitializer`.
    """

    _distribution = "uniform"


class XavierNormal(_Xavier):
    """Normal with stddev gain * sqrt(2 / (fan_in + fan_out)), not truncated; PyTorch's xavier_normal_.

    Parameters
    ----------
    gain : float
        Positive; see `calculate_gain`.
    seed : int, optional
        See `RandomInitializer`.
    """

    _distribution = "untruncated_normal"


class _Kaiming(VarianceScaling):
    """Scaled by one fan and the gain of a nonlinearity."""

    _distribution = ""

    def __init__(
        self, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", seed: int | None = None
    ) -> None:
        if mode not in ("fan_in", "fan_out"):
            raise unknown("mode", mode, ("fan_in", "fan_out"))
        self.a, self.nonlinearity = finite("a", a), nonlinearity
        super().__init__(calculate_gain(nonlinearity, self.a) ** 2, mode, self._distribution, seed)

    def get_config(self) -> dict[str, Any]:
        own = {"a": self.a, "mode": self.mode, "nonlinearity": self.nonlinearity}
        return {**own, **RandomInitializer.get_config(self)}


class KaimingUniform(_Kaiming):
    """Uniform on [-limit, limit), limit = gain * sqrt(3 / fan); PyTorch's kaiming_uniform_.

    With the defaults it is `HeUniform`; with a = sqrt(5), `FanInUniform`.

    Parameters
    ----------
    a : float
        The slope of a "leaky_relu" that follows.
    mode : {"fan_in", "fan_out"}
    nonlinearity : str
        What follows; see `calculate_gain`.
    seed : int, optional
        See `RandomInitializer`.
    """

    _distribution = "uniform"


class KaimingNormal(_Kaiming):
    """Normal with stddev gain / sqrt(fan), not truncated; PyTorch's kaiming_normal_.

    With the defaults it is the He initialization of many books, randn * sqrt(2 / fan_in).

    Parameters
    ----------
    a, mode, nonlinearity, seed
        As in `KaimingUniform`.
    """

    _distribution = "untruncated_normal"


class _FanIn(VarianceScaling):
    """Scaled by fan_in alone, which may be given: that of a bias does not show in its shape."""

    _scale, _distribution = 1.0, ""

    def __init__(self, fan_in: int | None = None, seed: int | None = None) -> None:
        self.fan_in = None if fan_in is None else whole("fan_in", fan_in, at_least=1)
        super().__init__(self._scale, "fan_in", self._distribution, seed)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        if self.fan_in is None:
            return super()._draw(generator, shape, dtype)
        scale = self.scale / self.fan_in
        # a unit without a shape has fan_in 1
        return _draws.variance_scaling(generator, shape, scale, self.mode, self.distribution, dtype, (), ())

    def get_config(self) -> dict[str, Any]:
        return {"fan_in": self.fan_in, **RandomInitializer.get_config(self)}


class FanInUniform(_FanIn):
    """Uniform on [-limit, limit), limit = 1 / sqrt(fan_in): what PyTorch's Linear and convolutions start from.

    Some lecture notes call it LeCun uniform; Keras's `LecunUniform` is wider by sqrt(3).

    Parameters
    ----------
    fan_in : int, optional
        Default: that of the shape. PyTorch draws a bias with the fan_in of its weights.
    seed : int, optional
        See `RandomInitializer`.
    """

    _scale, _distribution = 1.0 / 3.0, "uniform"


class FanInNormal(_FanIn):
    """Normal with stddev 1 / sqrt(fan_in), not truncated: `randn(fan_in, fan_out) / sqrt(fan_in)`.

    "Xavier" in Caffe's sense and in "Deep Learning from Scratch"; LeCun normal in lecture notes.

    Parameters
    ----------
    fan_in : int, optional
        Default: that of the shape.
    seed : int, optional
        See `RandomInitializer`.
    """

    _scale, _distribution = 1.0, "untruncated_normal"
