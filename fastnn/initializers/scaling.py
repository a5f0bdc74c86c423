"""Initial values whose variance depends on how many connections a unit has: Keras's Glorot, He and LeCun."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastnn._registry import snake_case
from fastnn.initializers.base import Array
from fastnn.initializers.random import RandomInitializer
from fastnn.ops import _draws


class VarianceScaling(RandomInitializer):
    """Draws whose variance is scale / n, where n counts the connections of a unit.

    n = max(1, fan_in), max(1, fan_out) or their mean, by `mode`; see `compute_fans`

    | distribution         | values                                                                       |
    |----------------------|------------------------------------------------------------------------------|
    | "truncated_normal"   | normal with stddev sqrt(scale / n) / 0.8796..., redrawn beyond 2 stddev       |
    | "untruncated_normal" | normal with stddev sqrt(scale / n)                                           |
    | "uniform"            | uniform on [-limit, limit), limit = sqrt(3 scale / n)                        |

    Parameters
    ----------
    scale : float
        Positive.
    mode : {"fan_in", "fan_out", "fan_avg"}
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
        "normal" means "truncated_normal".
    seed : int, optional
        See `RandomInitializer`.
    input_axes, output_axes : sequence of int, optional
        The axes of the shape whose product is fan_in and fan_out. Only both together have an effect, as in Keras.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        self.scale, self.mode, self.distribution = _draws.check_scaling(scale, mode, distribution)
        self.input_axes, self.output_axes = input_axes, output_axes
        super().__init__(seed)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        axes = self.input_axes, self.output_axes
        return _draws.variance_scaling(generator, shape, self.scale, self.mode, self.distribution, dtype, *axes)

    def get_config(self) -> dict[str, Any]:
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
            **super().get_config(),
        }


class _Preset(VarianceScaling):
    """A VarianceScaling that stands in the table of presets: its scale, mode and distribution are fixed."""

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*_draws.PRESETS[snake_case(type(self).__name__)], seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        return {**axes, **RandomInitializer.get_config(self)}


class GlorotUniform(_Preset):
    """Uniform on [-limit, limit), limit = sqrt(6 / (fan_in + fan_out)); also called Xavier uniform.

    Reference: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, equation 16.
    """


class GlorotNormal(_Preset):
    """Truncated normal with stddev sqrt(2 / (fan_in + fan_out)) after truncation; also called Xavier normal.

    Reference: as `GlorotUniform`.
    """


class HeUniform(_Preset):
    """Uniform on [-limit, limit), limit = sqrt(6 / fan_in).

    Reference: K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015, equation 10.
    """


class HeNormal(_Preset):
    """Truncated normal with stddev sqrt(2 / fan_in) after truncation.

    Reference: as `HeUniform`.
    """


class LecunUniform(_Preset):
    """Uniform on [-limit, limit), limit = sqrt(3 / fan_in).

    Reference: Y. LeCun, L. Bottou, G. Orr, K.-R. Mueller, "Efficient BackProp", 1998, section 4.6.
    """


class LecunNormal(_Preset):
    """Truncated normal with stddev sqrt(1 / fan_in) after truncation.

    Reference: as `LecunUniform`.
    """
