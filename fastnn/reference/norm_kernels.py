"""The part of the reference kernels that normalises; see `kernels` for the conventions.

Formulas stand in `normalization`.  A geometry is the tuple (images, outer, channels, inner, groups, ...); the rest of
it, the tiles, matters to the compiled kernels only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.reference import normalization as norm
from fastnn.reference.arrays import Array
from fastnn.reference.normalization import Doubles


def _store(out: NDArray[Any] | None, values: Any) -> None:
    if out is not None:
        with np.errstate(all="ignore"):  # too large for float32: infinity, silently
            out[...] = values


def take_in(moving: Array | None, batch: Array, momentum: float, factor: float = 1.0) -> None:
    """Moving statistics take those of a batch in, in place."""
    if moving is not None:
        _store(moving, momentum * moving.astype(np.float64) + (1 - momentum) * factor * batch)


@np.errstate(all="ignore")
def group_norm(
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    mean: Array | None,
    variance: Array | None,
    y: Array,
    stats: Doubles,
    geometry: tuple[int, ...],
    fixed: bool,
    unbiased: bool,
    eps: float,
    momentum: float,
) -> None:
    """``y = gamma * (x - mean) / sqrt(variance + eps) + beta``, by the statistics of x, or (fixed) by those given.

    Where they are not fixed, mean and variance take those of x in, unless they are None.
    """
    *shape, groups = geometry[:5]
    values = x.reshape(shape)
    if fixed:
        assert mean is not None and variance is not None
        means, variances = (a.astype(np.float64).reshape(1, -1) for a in (mean, variance))
    else:
        means, variances = norm.moments(values, groups)
        n = values.size / means.size
        take_in(mean, means[0], momentum)
        take_in(variance, variances[0], momentum, n / (n - 1) if unbiased and n > 1 else 1.0)
    inverse = 1 / np.sqrt(variances + eps)
    _store(stats, np.stack([means.reshape(-1), inverse.reshape(-1)]))
    _store(y, norm.group_norm(values, gamma, beta, means, inverse).reshape(y.shape))


def group_norm_backward(
    dy: Array,
    x: Array,
    gamma: Array | None,
    stats: Doubles,
    dx: Array | None,
    dgamma: Array | None,
    dbeta: Array | None,
    geometry: tuple[int, ...],
    fixed: bool,
) -> None:
    """Gradients of `group_norm`."""
    shape = geometry[:4]
    mean, inverse = stats.reshape(2, geometry[0], geometry[4])
    results = norm.group_norm_backward(dy.reshape(shape), x.reshape(shape), gamma, mean, inverse, fixed)
    for out, values in zip((dx, dgamma, dbeta), results):
        _store(out, values if out is None else values.reshape(out.shape))


def row_norm(
    kind: str, x: Array, gamma: Array | None, beta: Array | None, y: Array, stats: Doubles, eps: float
) -> None:
    """Rows of ``x``, shape (rows, columns), normalised; ``stats`` (2, rows): their means and inverse deviations."""
    mean, inverse = norm.row_statistics(kind, x, eps)
    _store(stats, np.stack([mean, inverse]))
    _store(y, norm.row_norm(kind, x, gamma, beta, mean, inverse))


def row_norm_backward(
    kind: str,
    dy: Array,
    x: Array,
    gamma: Array | None,
    stats: Doubles,
    dx: Array | None,
    dgamma: Array | None,
    dbeta: Array | None,
    eps: float,
) -> None:
    """Gradients of `row_norm`."""
    for out, values in zip((dx, dgamma, dbeta), norm.row_norm_backward(kind, dy, x, gamma, stats[0], stats[1], eps)):
        _store(out, values)


def local_response(x: Array, y: Array, size: int, alpha: float, beta: float, k: float) -> None:
    """Local response normalisation of the rows of ``x``; alpha is divided by size already."""
    _store(y, norm.local_response(x, size, alpha, beta, k))


def local_response_backward(dy: Array, x: Array, dx: Array, size: int, alpha: float, beta: float, k: float) -> None:
    """Gradient of `local_response`."""
    _store(dx, norm.local_response_backward(dy, x, size, alpha, beta, k))
