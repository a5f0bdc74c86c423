"""Small problems in the plane, and a curve: drawn from a seed, and the same for the same seed everywhere.

All of them return `(x, y)`: float32 points and int64 labels (float32 values for `sine`), in random order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float32]
Labels = NDArray[np.int64]


def spirals(
    samples: int = 300, classes: int = 3, noise: float = 0.2, turns: float = 0.64, seed: int = 0
) -> tuple[Points, Labels]:
    """Arms of a spiral that wind around each other: no straight line separates them.

    Point r in 0 ... 1 of arm c lies at (r sin(a), r cos(a)), a = 2 pi (turns r + c / classes) + noise * N(0, 1).

    Parameters
    ----------
    samples : int
        Of all arms together, as evenly as possible.
    classes : int
        Arms.
    noise : float
        Standard deviation of the angle, in radians.
    turns : float
        How often an arm goes around.
    seed : int

    Returns
    -------
    x : ndarray of float32, shape (samples, 2)
    y : ndarray of int64, shape (samples,)
    """
    generator = _generator("spirals", samples, seed, noise=noise)
    labels = np.arange(samples) % _at_least("spirals", "classes", classes, 1)
    count = np.bincount(labels, minlength=classes)[labels]
    radius = (np.arange(samples) // classes) / count
    angle = 2 * np.pi * (turns * radius + labels / classes) + noise * generator.normal(size=samples)
    return _shuffled(generator, radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], 1), labels)


def moons(samples: int = 200, noise: float = 0.1, seed: int = 0) -> tuple[Points, Labels]:
    """Two half circles that reach into each other.

    Class 0: (cos(t), sin(t)); class 1: (1 - cos(t), 1/2 - sin(t)); t in 0 ... pi, plus noise * N(0, 1).

    Parameters
    ----------
    samples : int
    noise : float
        Standard deviation of each coordinate.
    seed : int

    Returns
    -------
    x : ndarray of float32, shape (samples, 2)
    y : ndarray of int64, shape (samples,)
    """
    generator = _generator("moons", samples, seed, noise=noise)
    upper = (samples + 1) // 2
    labels = (np.arange(samples) >= upper).astype(np.int64)
    t = np.concatenate([np.linspace(0, np.pi, upper), np.linspace(0, np.pi, samples - upper)])
    points = np.stack([np.cos(t), np.sin(t)], 1)
    points = np.where(labels[:, None] == 1, [1.0, 0.5] - points, points)
    return _shuffled(generator, points + noise * generator.normal(size=points.shape), labels)


def circles(samples: int = 200, noise: float = 0.05, factor: float = 0.5, seed: int = 0) -> tuple[Points, Labels]:
    """A circle of radius 1 (class 0) around one of radius `factor` (class 1).

    Parameters
    ----------
    samples : int
    noise : float
        Standard deviation of each coordinate.
    factor : float
        From 0 to below 1.
    seed : int

    Returns
    -------
    x : ndarray of float32, shape (samples, 2)
    y : ndarray of int64, shape (samples,)
    """
    generator = _generator("circles", samples, seed, noise=noise)
    if not 0 <= factor < 1:
        raise ValueError(f"circles: factor must be from 0 to below 1. Received: factor={factor!r}")
    labels = np.arange(samples) % 2
    count = np.bincount(labels, minlength=2)[labels]
    angle = 2 * np.pi * (np.arange(samples) // 2) / count
    points = np.where(labels == 1, factor, 1.0)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return _shuffled(generator, points + noise * generator.normal(size=points.shape), labels)


def blobs(
    samples: int = 300,
    centers: int | ArrayLike = 3,
    features: int = 2,
    std: float = 1.0,
    box: tuple[float, float] = (-10.0, 10.0),
    seed: int = 0,
) -> tuple[Points, Labels]:
    """Clouds of points around centres, normally distributed.

    Parameters
    ----------
    samples : int
        Of all clouds together, as evenly as possible.
    centers : int or array_like, shape (clouds, features)
        How many centres to draw uniformly from `box`, or the centres.
    features : int
        Coordinates, if the centres are drawn.
    std : float
        Standard deviation of each coordinate.
    box : (float, float)
    seed : int

    Returns
    -------
    x : ndarray of float32, shape (samples, features)
    y : ndarray of int64, shape (samples,)
    """
    generator = _generator("blobs", samples, seed, std=std)
    if isinstance(centers, (int, np.integer)):
        shape = _at_least("blobs", "centers", centers, 1), _at_least("blobs", "features", features, 1)
        places = generator.uniform(*box, size=shape)
    else:
        places = np.asarray(centers, np.float64)
        if places.ndim != 2:
            raise ValueError(f"blobs: centers must have shape (clouds, features). Received: shape {places.shape}")
    labels = np.arange(samples) % len(places)
    return _shuffled(generator, places[labels] + std * generator.normal(size=(samples, places.shape[1])), labels)


def xor(samples: int = 4, noise: float = 0.0, seed: int = 0) -> tuple[Points, Labels]:
    """The corners (0, 0), (0, 1), (1, 0), (1, 1) of a square with the labels 0, 1, 1, 0, one after the other.

    Parameters
    ----------
    samples : int
        Four and no noise are the truth table, in this order; more go around again.
    noise : float
        Standard deviation of each coordinate.
    seed : int

    Returns
    -------
    x : ndarray of float32, shape (samples, 2)
    y : ndarray of int64, shape (samples,)
    """
    generator = _generator("xor", samples, seed, noise=noise)
    corners = np.arange(samples) % 4
    points = np.stack([corners // 2, corners % 2], 1)
    labels = points[:, 0] ^ points[:, 1]
    return (points + noise * generator.normal(size=points.shape)).astype(np.float32), labels.astype(np.int64)


def sine(
    samples: int = 200, noise: float = 0.0, periods: float = 1.0, seed: int = 0
) -> tuple[Points, NDArray[np.float32]]:
    """Points of a sine, for regression: y = sin(2 pi periods x) + noise * N(0, 1), x uniform in 0 ... 1.

    Parameters
    ----------
    samples : int
    noise : float
        Standard deviation of y.
    periods : float
        Between 0 and 1.
    seed : int

    Returns
    -------
    x, y : ndarray of float32, shape (samples, 1)
    """
    generator = _generator("sine", samples, seed, noise=noise)
    x = generator.uniform(size=(samples, 1))
    y = np.sin(2 * np.pi * periods * x) + noise * generator.normal(size=x.shape)
    return x.astype(np.float32), y.astype(np.float32)


def _at_least(where: str, name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{where}: {name} must be an integer not less than {least}. Received: {name}={value!r}")
    return int(value)


def _generator(where: str, samples: int, seed: int, **spreads: float) -> np.random.Generator:
    _at_least(where, "samples", samples, 1)
    for name, value in spreads.items():
        if not 0 <= value < np.inf:
            raise ValueError(f"{where}: {name} must be a finite number not below 0. Received: {name}={value!r}")
    # PCG64 by name: what NumPy's default is may change one day
    return np.random.Generator(np.random.PCG64(_at_least(where, "seed", seed, 0)))


def _shuffled(generator: np.random.Generator, x: NDArray[np.float64], y: NDArray[np.int64]) -> tuple[Points, Labels]:
    order = generator.permutation(len(x))
    return x[order].astype(np.float32), y[order].astype(np.int64)
