"""Initializers: what the weights of a layer start from, with Keras's names, arguments and defaults.

An initializer is called with a shape and a dtype and returns a new array. A random one draws from NumPy's PCG64
generator seeded with the words [seed, 0], in float64, rounded to the dtype last: that is what Keras's NumPy backend
does, so an integer seed gives the same bits here and there. As in Keras, the seed is fixed when the initializer is
made: two calls for the same shape return the same values. An initializer without a seed takes one from
`fastnn.seeds`.

Not here: Keras's SeedGenerator objects as seeds, `Identity`, `Orthogonal`, `STFT`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastnn import config, seeds
from fastnn._errors import unknown
from fastnn._registry import Registry, from_config

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = Sequence[int]
Self = TypeVar("Self", bound="Initializer")

# The standard deviation of a standard normal that is cut at -2 and 2.
_TRUNCATED_STDDEV = 0.87962566103423978

_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


class Initializer:
    """Base class: subclasses define `__call__(shape, dtype=None)`, and `get_config` if they have arguments."""

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        """A new array of `shape`; `dtype` None means `fastnn.config.floatx()`."""
        raise NotImplementedError(f"{type(self).__name__} does not define __call__")

    def get_config(self) -> dict[str, Any]:
        """The keyword arguments that build an equal initializer."""
        return {}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """The initializer that `get_config` described."""
        return from_config(cls, config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class Zeros(Initializer):
    """All values are 0."""

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        return np.zeros(tuple(shape), dtype or config.floatx())


class Ones(Initializer):
    """All values are 1."""

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        return np.ones(tuple(shape), dtype or config.floatx())


class Constant(Initializer):
    """All values are `value`.

    Parameters
    ----------
    value : float or array_like
        An array must be broadcastable to the shape asked for.
    """

    def __init__(self, value: ArrayLike = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        values = np.empty(tuple(shape), dtype or config.floatx())
        values[...] = self.value
        return values

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value.tolist() if isinstance(self.value, (np.ndarray, np.generic)) else self.value}


class RandomInitializer(Initializer):
    """Base class of those that draw numbers.

    Parameters
    ----------
    seed : int, optional
        From 0 to 2**32 - 1. Default: `fastnn.seeds.make_seed()`, now.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._given_seed = None if seed is None else seeds.check_seed(seed)
        self.seed = seeds.make_seed() if self._given_seed is None else self._given_seed

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._given_seed}

    def _generator(self) -> np.random.Generator:
        return np.random.default_rng(np.array([self.seed, 0], np.uint32))

    def _normal(self, shape: Shape, mean: float, stddev: float, dtype: DTypeLike | None) -> Array:
        draws: Array = self._generator().normal(mean, stddev, tuple(shape))
        return draws.astype(_float_type(dtype))

    def _uniform(self, shape: Shape, minval: float, maxval: float, dtype: DTypeLike | None) -> Array:
        draws: Array = self._generator().uniform(minval, maxval, tuple(shape))
        return draws.astype(_float_type(dtype))

    def _truncated_normal(self, shape: Shape, mean: float, stddev: float, dtype: DTypeLike | None) -> Array:
        """The draws within two standard deviations of the mean; the others are left out and more are drawn."""
        generator, size = self._generator(), math.prod(shape)
        lowest, highest = mean - 2 * stddev, mean + 2 * stddev
        parts: list[Array] = []
        while sum(part.size for part in parts) < size:
            draws = generator.normal(mean, stddev, size)
            parts.append(draws[(draws >= lowest) & (draws <= highest)])
        drawn = np.concatenate(parts) if parts else np.empty(0)
        return drawn[:size].astype(_float_type(dtype)).reshape(tuple(shape))


class RandomNormal(RandomInitializer):
    """Draws from the normal distribution N(mean, stddev^2).

    Parameters
    ----------
    mean, stddev : float
    seed : int, optional
        See `RandomInitializer`.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev = _finite("mean", mean), _finite("stddev", stddev, at_least=0.0)
        super().__init__(seed)

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        return self._normal(shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


class TruncatedNormal(RandomNormal):
    """Draws from N(mean, stddev^2), without those that lie more than two standard deviations from the mean.

    The standard deviation of what remains is 0.8796 stddev.

    Parameters
    ----------
    mean, stddev : float
        Of the distribution before it is cut.
    seed : int, optional
        See `RandomInitializer`.
    """

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        return self._truncated_normal(shape, self.mean, self.stddev, dtype)


class RandomUniform(RandomInitializer):
    """Draws from the uniform distribution on [minval, maxval).

    Parameters
    ----------
    minval, maxval : float
    seed : int, optional
        See `RandomInitializer`.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval, self.maxval = _finite("minval", minval), _finite("maxval", maxval)
        if self.maxval < self.minval:
            raise ValueError(f"maxval must not be less than minval. Received: minval={minval!r}, maxval={maxval!r}")
        super().__init__(seed)

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        return self._uniform(shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, **super().get_config()}


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
        if not _finite("scale", scale) > 0:
            raise ValueError(f"scale must be positive. Received: scale={scale!r}")
        if mode not in _MODES:
            raise unknown("mode", mode, _MODES)
        distribution = "truncated_normal" if distribution == "normal" else distribution.lower()
        if distribution not in _DISTRIBUTIONS:
            raise unknown("distribution", distribution, _DISTRIBUTIONS)
        self.scale, self.mode, self.distribution = float(scale), mode, distribution
        self.input_axes, self.output_axes = input_axes, output_axes
        super().__init__(seed)

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}
        variance = self.scale / max(1.0, fans[self.mode])
        if self.distribution == "truncated_normal":
            return self._truncated_normal(shape, 0.0, math.sqrt(variance) / _TRUNCATED_STDDEV, dtype)
        if self.distribution == "untruncated_normal":
            return self._normal(shape, 0.0, math.sqrt(variance), dtype)
        limit = math.sqrt(3.0 * variance)
        return self._uniform(shape, -limit, limit, dtype)

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
    """A VarianceScaling with a name of its own: only the seed is free."""

    _preset: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self._preset, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return RandomInitializer.get_config(self)


class GlorotUniform(_Preset):
    """Uniform on [-limit, limit), limit = sqrt(6 / (fan_in + fan_out)); also called Xavier uniform.

    Reference: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, equation 16.
    """

    _preset = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Preset):
    """Truncated normal with stddev sqrt(2 / (fan_in + fan_out)) after truncation; also called Xavier normal.

    Reference: as `GlorotUniform`.
    """

    _preset = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Preset):
    """Uniform on [-limit, limit), limit = sqrt(6 / fan_in).

    Reference: K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015, equation 10.
    """

    _preset = (2.0, "fan_in", "uniform")


class HeNormal(_Preset):
    """Truncated normal with stddev sqrt(2 / fan_in) after truncation.

    Reference: as `HeUniform`.
    """

    _preset = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Preset):
    """Uniform on [-limit, limit), limit = sqrt(3 / fan_in).

    Reference: Y. LeCun, L. Bottou, G. Orr, K.-R. Mueller, "Efficient BackProp", 1998, section 4.6.
    """

    _preset = (1.0, "fan_in", "uniform")


class LecunNormal(_Preset):
    """Truncated normal with stddev sqrt(1 / fan_in) after truncation.

    Reference: as `LecunUniform`.
    """

    _preset = (1.0, "fan_in", "truncated_normal")


def compute_fans(
    shape: Shape, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """The number of inputs and outputs of a unit with weights of this shape, (fan_in, fan_out).

    A matrix is (inputs, outputs), a convolution kernel (*window, inputs, outputs): the size of the window multiplies
    both.
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def get(identifier: object) -> Initializer | Callable[..., Array] | None:
    """The initializer that `identifier` means.

    Parameters
    ----------
    identifier : str, class, instance, dict, callable, ndarray or None
        "glorot_uniform", GlorotUniform, GlorotUniform(seed=1), {"class_name": "GlorotUniform", "config": {"seed": 1}};
        a function of (shape, dtype) or an array with the values is taken as it is; None gives None.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest match), and for everything else.
    """
    if identifier is None:
        return None
    if isinstance(identifier, np.ndarray):
        return _FromArray(identifier)
    if callable(identifier) and not isinstance(identifier, (type, Initializer)):
        return cast("Callable[..., Array]", identifier)
    return _registry.make(identifier)


def serialize(initializer: object) -> dict[str, Any]:
    """The dictionary from which `get` builds an equal initializer.

    Raises
    ------
    ValueError
        If it is not an Initializer: a function has no config.
    """
    if not isinstance(initializer, Initializer):
        raise ValueError(f"Only an instance of Initializer can be serialized. Received: {initializer!r}")
    if isinstance(initializer, _FromArray):
        initializer = Constant(initializer.value)
    return _registry.serialize(initializer)


class _FromArray(Constant):
    """The values themselves, for exactly their shape."""

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        values = np.asarray(self.value)
        if values.shape != tuple(shape):
            raise ValueError(f"An array as initializer must have the shape {values.shape}. Received: {tuple(shape)}")
        return values.astype(dtype or config.floatx())


def _float_type(dtype: DTypeLike | None) -> np.dtype[Any]:
    found = np.dtype(dtype or config.floatx())
    if found.kind != "f":
        raise ValueError(f"A random initializer needs a real floating-point dtype. Received: {found}")
    return found


def _finite(name: str, value: float, at_least: float = -math.inf) -> float:
    number = float(value)
    if not math.isfinite(number) or number < at_least:
        bound = "" if at_least == -math.inf else f" and not less than {at_least:g}"
        raise ValueError(f"{name} must be finite{bound}. Received: {name}={value!r}")
    return number


_CLASSES: tuple[type[Initializer], ...] = (
    *(Zeros, Ones, Constant, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling),
    *(GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal),
)
_registry: Registry[Initializer] = Registry(
    "initializer",
    Initializer,
    _CLASSES,
    {"zero": Zeros, "one": Ones, "normal": RandomNormal, "uniform": RandomUniform},
)
