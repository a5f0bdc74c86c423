"""Initial values drawn from one distribution, whatever the shape: normal, uniform, orthogonal, sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastnn import config, seeds
from fastnn._numbers import finite, positive
from fastnn.initializers.base import Array, Initializer, Shape
from fastnn.ops import _draws


class RandomInitializer(Initializer):
    """Base class of those that draw numbers; subclasses define `_draw`.

    Parameters
    ----------
    seed : int, optional
        From 0 to 2**32 - 1. Default: `fastnn.seeds.make_seed()`, now.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._given_seed = None if seed is None else seeds.check_seed(seed)
        self.seed = seeds.make_seed() if self._given_seed is None else self._given_seed

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None) -> Array:
        return self._draw(_draws.seeded(self.seed), tuple(shape), dtype or config.floatx())

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        raise NotImplementedError(f"{type(self).__name__} does not define _draw")

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._given_seed}


class RandomNormal(RandomInitializer):
    """Draws from the normal distribution N(mean, stddev^2).

    Parameters
    ----------
    mean, stddev : float
    seed : int, optional
        See `RandomInitializer`.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev = finite("mean", mean), finite("stddev", stddev, at_least=0.0)
        super().__init__(seed)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return _draws.normal(generator, shape, self.mean, self.stddev, dtype)

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

    Notes
    -----
    PyTorch's trunc_normal_ cuts at fixed values instead: `TruncNormal`.
    """

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return _draws.truncated_normal(generator, shape, self.mean, self.stddev, dtype)


class TruncNormal(RandomNormal):
    """Draws from N(mean, stddev^2), without those outside [a, b]; PyTorch's trunc_normal_.

    Parameters
    ----------
    mean, stddev : float
        Of the distribution before it is cut; stddev positive.
    a, b : float
        The bounds themselves, whatever the standard deviation: with stddev=0.02, the defaults cut nothing.
    seed : int, optional
        See `RandomInitializer`.

    Notes
    -----
    The distribution is right for any bounds, far out in a tail too.
    """

    def __init__(
        self, mean: float = 0.0, stddev: float = 1.0, a: float = -2.0, b: float = 2.0, seed: int | None = None
    ) -> None:
        self.a, self.b = finite("a", a), finite("b", b)
        if not self.a < self.b:
            raise ValueError(f"a must be less than b. Received: a={a!r}, b={b!r}")
        super().__init__(mean, positive("stddev", stddev), seed)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return _draws.normal_between(generator, shape, self.mean, self.stddev, self.a, self.b, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"a": self.a, "b": self.b, **super().get_config()}


class RandomUniform(RandomInitializer):
    """Draws from the uniform distribution on [minval, maxval).

    Parameters
    ----------
    minval, maxval : float
    seed : int, optional
        See `RandomInitializer`.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval, self.maxval = finite("minval", minval), finite("maxval", maxval)
        if self.maxval < self.minval:
            raise ValueError(f"maxval must not be less than minval. Received: minval={minval!r}, maxval={maxval!r}")
        super().__init__(seed)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return _draws.uniform(generator, shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, **super().get_config()}


class Orthogonal(RandomInitializer):
    """gain times a random matrix with orthonormal columns, or rows if these are fewer.

    Of a kernel with more than two dimensions, all but the last count as one.

    Parameters
    ----------
    gain : float
    seed : int, optional
        See `RandomInitializer`.

    Notes
    -----
    The draws are those of Keras's NumPy backend; the decomposition is that of the LAPACK behind NumPy, so the last bits
    may differ between machines.

    References
    ----------
    A. M. Saxe, J. L. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", ICLR 2014.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain = finite("gain", gain)
        super().__init__(seed)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return _draws.orthogonal(generator, shape, self.gain, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, **super().get_config()}


class Sparse(RandomInitializer):
    """Draws from N(0, stddev^2), of which ceil(sparsity * rows) in each column of the matrix are 0.

    In Keras's order (inputs, outputs) a column holds what one unit receives, so every unit has equally many inputs.

    Parameters
    ----------
    sparsity : float
        The part that is 0, from 0 to 1.
    stddev : float
        Of the others.
    seed : int, optional
        See `RandomInitializer`.

    Notes
    -----
    PyTorch's sparse_ does the same to the columns of its (outputs, inputs): there every input has equally many units.

    References
    ----------
    J. Martens, "Deep learning via Hessian-free optimization", ICML 2010, section 5.
    """

    def __init__(self, sparsity: float, stddev: float = 0.01, seed: int | None = None) -> None:
        self.sparsity = finite("sparsity", sparsity, at_least=0.0, at_most=1.0)
        self.stddev = finite("stddev", stddev, at_least=0.0)
        super().__init__(seed)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return _draws.sparse_normal(generator, shape, self.sparsity, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"sparsity": self.sparsity, "stddev": self.stddev, **super().get_config()}
