"""Random arrays with Keras's names, from NumPy's generators and fastnn's seeds.

The same seed gives the same numbers, call after call, as in Keras; a `SeedGenerator` gives others at every call, and
without a seed they come from the global one (`fastnn.utils.set_random_seed`).

The numbers are not Keras's: there, they depend on the backend. `shuffle` keeps slices along the axis whole.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import _keras, config, seeds
from fastnn._errors import unknown

Array = NDArray[Any]
Seed = Any  # None, an integer or a SeedGenerator

__all__ = [
    "SeedGenerator", "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint", "shuffle",
    "truncated_normal", "uniform",
]  # fmt: skip


class SeedGenerator:
    """Seeds, another one at every call of `next`.

    Parameters
    ----------
    seed : int, optional
        Where to start; None takes one from the global seed.
    name : str, optional

    Raises
    ------
    ValueError
        If `seed` is no integer from 0 to 2**32 - 1.
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self._initial = seed
        self.name = "seed_generator" if name is None else name
        first = seeds.make_seed() if seed is None else seeds.check_seed(seed)
        self.state = np.array([first, 0], np.uint32)

    def next(self, ordered: bool = True) -> Array:
        """A seed, of two numbers; if not `ordered`, they do not count upwards."""
        now = self.state.copy()
        self.state = now + np.array([0, 1], np.uint32) if ordered else (now + np.uint32(1)) * np.uint32(5387) % 933199
        self.state = self.state.astype(np.uint32)
        return now

    def get_config(self) -> dict[str, Any]:
        """What makes an equal one."""
        return {"seed": self._initial, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """The generator of a config."""
        return cls(**config)


def _rng(seed: Seed) -> np.random.Generator:
    if isinstance(seed, SeedGenerator):
        return np.random.default_rng(seed.next())
    return np.random.default_rng([seeds.make_seed() if seed is None else seeds.check_seed(seed), 0])


def _float(dtype: Any) -> Any:
    found = np.dtype(config.floatx() if dtype is None else dtype)
    if found.kind != "f":
        raise unknown("float type", str(dtype), ("float16", "float32", "float64"))
    return found


# while `call` of a layer is traced: what makes random tensors (fastnn/layers/drawing.py)
TRACED: ContextVar[Callable[..., Any] | None] = ContextVar("fastnn_random", default=None)


def _number(seed: Seed) -> int:
    """A seed as one number."""
    if isinstance(seed, SeedGenerator):
        return int(seed.next() @ np.array([1, 2654435761], np.uint64) % 2**32)
    return seeds.make_seed() if seed is None else seeds.check_seed(seed)


def _refuse_traced(name: str) -> None:
    if TRACED.get() is not None:
        raise TypeError(
            f"random.{name} in `call` would be drawn once, while it is traced, and not for every batch; expected "
            f"normal, uniform or dropout. Received: {name}"
        )


def normal(shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Seed = None) -> Array:
    """From the normal distribution."""
    if (draw := TRACED.get()) is not None:
        return draw("normal", shape, mean, stddev, _number(seed))
    return np.asarray(_rng(seed).normal(mean, stddev, size=shape)).astype(_float(dtype))


def truncated_normal(
    shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Seed = None
) -> Array:
    """From the normal distribution, drawn again where they are more than two standard deviations off."""
    _refuse_traced("truncated_normal")
    rng = _rng(seed)
    values = np.asarray(rng.normal(size=shape))
    while (beyond := np.abs(values) > 2).any():
        values[beyond] = rng.normal(size=int(beyond.sum()))
    return (mean + stddev * values).astype(_float(dtype))


def uniform(shape: Sequence[int], minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Seed = None) -> Array:
    """Evenly distributed from minval to before maxval; integers if `dtype` is an integer type."""
    if dtype is not None and np.dtype(dtype).kind in "iu":
        return randint(shape, minval, maxval, dtype, seed)
    if (draw := TRACED.get()) is not None:
        return draw("uniform", shape, minval, maxval, _number(seed))
    kind = _float(dtype)
    values = np.asarray(_rng(seed).uniform(minval, maxval, size=shape)).astype(kind)
    below = np.nextafter(np.asarray(maxval, kind), np.asarray(minval, kind))  # rounding must not reach maxval
    return np.where(values == np.asarray(maxval, kind), below, values)


def randint(shape: Sequence[int], minval: Any, maxval: Any, dtype: Any = "int32", seed: Seed = None) -> Array:
    """Integers from minval to before maxval."""
    _refuse_traced("randint")
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        raise ValueError(f"An integer type is expected. Received: dtype {dtype!r}")
    return np.asarray(_rng(seed).integers(minval, maxval, size=shape, dtype=kind.type))


def binomial(shape: Sequence[int], counts: Any, probabilities: Any, dtype: Any = None, seed: Seed = None) -> Array:
    """How many of `counts` trials succeed."""
    _refuse_traced("binomial")
    drawn = _rng(seed).binomial(np.asarray(counts, np.int64), probabilities, size=shape)
    return np.asarray(drawn).astype(_float(dtype))


def gamma(shape: Sequence[int], alpha: Any, dtype: Any = None, seed: Seed = None) -> Array:
    """From the gamma distribution of shape alpha and scale 1."""
    _refuse_traced("gamma")
    return np.asarray(_rng(seed).gamma(alpha, size=shape)).astype(_float(dtype))


def beta(shape: Sequence[int], alpha: Any, beta: Any, dtype: Any = None, seed: Seed = None) -> Array:
    """From the beta distribution."""
    _refuse_traced("beta")
    return np.asarray(_rng(seed).beta(alpha, beta, size=shape)).astype(_float(dtype))


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Seed = None) -> Array:
    """Classes, (rows, num_samples), with the probabilities ``softmax(logits)`` of each row.

    Drawn by adding noise of Gumbel's distribution to the logits and taking the largest.
    """
    _refuse_traced("categorical")
    rows = np.asarray(logits, np.float64)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"logits must have the shape (rows, classes). Received: shape {rows.shape}")
    noise = _rng(seed).gumbel(size=(len(rows), operator.index(num_samples), rows.shape[1]))
    return (rows[:, None, :] + noise).argmax(axis=-1).astype(np.dtype(dtype))


def shuffle(x: Any, axis: int = 0, seed: Seed = None) -> Array:
    """The slices along an axis in another order."""
    _refuse_traced("shuffle")
    return _rng(seed).permutation(np.asarray(x), axis=axis)


def dropout(inputs: Any, rate: float, noise_shape: Sequence[int | None] | None = None, seed: Seed = None) -> Array:
    """0 with probability `rate`, else divided by ``1 - rate``.

    Along axes where `noise_shape` is 1, all elements share their fate; None there is the length of the input.
    """
    tensor = getattr(inputs, "__fastnn_function__", None)
    if tensor is not None:
        if noise_shape is not None:
            raise ValueError(f"dropout of a symbolic tensor has no noise_shape. Received: {noise_shape!r}")
        return tensor("random.dropout", (inputs, rate, _number(seed)), {})
    x = np.asarray(inputs)
    x = x if x.dtype.kind == "f" and isinstance(inputs, (np.ndarray, np.generic)) else x.astype(config.floatx())
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must lie between 0 and 1. Received: {rate!r}")
    if rate == 1:
        return np.zeros_like(x)
    shape = x.shape if noise_shape is None else tuple(
        x.shape[at] if length is None else length for at, length in enumerate(noise_shape)
    )  # fmt: skip
    kept = _rng(seed).uniform(size=shape) < 1 - rate
    return np.where(kept, x / np.asarray(1 - rate, x.dtype), np.zeros((), x.dtype))


def __getattr__(name: str) -> Any:
    raise _keras.absent("random", name, __all__)
