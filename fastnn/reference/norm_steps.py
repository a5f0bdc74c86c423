"""Steps of normalisation in a plan (fastnn.engine.plan); formulas stand in `normalization`.

Between steps, `partial` holds what the compiled kernels leave for each tile of the work; here it is as if there were
one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import norm_kernels as kernels
from . import normalization as norm
from .norm_kernels import take_in
from .steps import operation

ADDED, FLOORED, INVERTED = range(3)
KINDS = ("layer", "rms", "unit", "scaled")


def seen(array: Any, step: Any) -> Any:
    """The flat buffer as (images, outer, channels, inner)."""
    return array.reshape(step.ints[2:6])


def table_of(coefficients: Any, step: Any, index: int) -> Any:
    """One of the coefficients, against (images, outer, channels, inner)."""
    images, channels = step.ints[2], step.ints[4]
    return coefficients.reshape(-1, images, 1, channels, 1)[index]


def store(out: Any, values: Any) -> None:
    if out is not None:
        out[...] = values


@operation
def norm_moments(program: Any, step: Any, x: Any, partial: Any) -> None:
    mean, variance = norm.moments(seen(x, step), step.ints[6])
    partial[: 2 * mean.size] = np.concatenate([mean.reshape(-1), variance.reshape(-1)])


@operation
def norm_statistics(
    program: Any, step: Any, partial: Any, gamma: Any, beta: Any, moving_mean: Any, moving_variance: Any, stats: Any,
    coefficients: Any,
) -> None:  # fmt: skip
    images, channels, groups, rule = step.ints[2], step.ints[4], step.ints[6], step.ints[9]
    eps, momentum = step.reals
    if partial is None:
        mean = np.zeros((1, groups)) if moving_mean is None else moving_mean.astype(np.float64).reshape(1, groups)
        variance = moving_variance.astype(np.float64).reshape(1, groups)
    else:
        mean, variance = partial[: 2 * images * groups].reshape(2, images, groups)
        take_in(moving_mean, mean[0], momentum)
        take_in(moving_variance, variance[0], momentum)
    deviation = np.sqrt(variance + eps) if rule == ADDED else np.maximum(np.sqrt(variance), eps)
    inverse = deviation if rule == INVERTED else 1 / deviation
    if stats is not None:
        stats[...] = np.stack([mean, inverse]).reshape(-1)
    share = channels // groups
    mean, inverse = np.repeat(mean, share, axis=1), np.repeat(inverse, share, axis=1)
    shift = np.zeros(channels) if beta is None else beta.astype(np.float64)
    scale = inverse if gamma is None else inverse * gamma
    m, a, b = coefficients.reshape(3, images, channels)
    m[...] = 0 if rule == INVERTED else mean
    a[...] = scale
    b[...] = mean + shift if rule == INVERTED else shift - (mean - m) * scale


@operation
def norm_apply(program: Any, step: Any, x: Any, coefficients: Any, y: Any) -> None:
    m, a, b = (table_of(coefficients, step, i) for i in range(3))
    y[...] = ((seen(x, step) - m) * a + b).reshape(-1)


@operation
def norm_sums(program: Any, step: Any, dy: Any, x: Any, coefficients: Any, partial: Any) -> None:
    given = seen(dy, step).astype(np.float64)
    products = given * (seen(x, step) - table_of(coefficients, step, 0))
    sums = np.stack([given.sum(axis=(1, 3)), products.sum(axis=(1, 3))])
    partial[: sums.size] = sums.reshape(-1)


@operation
def norm_gradients(
    program: Any, step: Any, partial: Any, gamma: Any, stats: Any, dgamma: Any, dbeta: Any, coefficients: Any
) -> None:
    images, outer, channels, inner, groups = step.ints[2:7]
    share = channels // groups
    mean, inverse = (np.repeat(a, share, axis=1) for a in stats.reshape(2, images, groups))
    of_dy, of_product = partial[: 2 * images * channels].reshape(2, images, channels)
    low = mean - mean.astype(coefficients.dtype)
    of_z = inverse * (of_product - low * of_dy)
    store(dgamma, of_z.sum(axis=0))
    store(dbeta, of_dy.sum(axis=0))
    factors = 1.0 if gamma is None else gamma.astype(np.float64)

    def mean_of_group(values: Any) -> Any:
        of_groups = values.reshape(images, groups, share).sum(axis=2) / (outer * share * inner)
        return np.repeat(of_groups, share, axis=1)

    h, hz = mean_of_group(factors * of_dy), mean_of_group(factors * of_z)
    m, p, q, s = coefficients.reshape(4, images, channels)
    m[...] = mean
    p[...] = factors * inverse
    q[...] = -inverse * inverse * hz
    s[...] = inverse * (inverse * low * hz - h)


@operation
def norm_backward(program: Any, step: Any, dy: Any, x: Any, coefficients: Any, dx: Any) -> None:
    m, p, q, s = (table_of(coefficients, step, i) for i in range(4))
    dx[...] = (p * seen(dy, step) + (q * (seen(x, step) - m) + s)).reshape(-1)


NOTHING = 1e-7  # Keras's: keeps 0 / 0 away where nothing counts


def counted(mask: Any, rows: int, each: int) -> Any:
    """Which rows count, as a column, and how many."""
    kept = np.repeat(mask[: rows // each] != 0, each)[:, np.newaxis]
    return kept, kept.sum() + NOTHING


@operation
def norm_masked_moments(program: Any, step: Any, x: Any, mask: Any, partial: Any) -> None:
    rows, cols, each = step.ints
    kept, n = counted(mask, rows, each)
    values = np.where(kept, x.reshape(rows, cols), 0).astype(np.float64)
    mean = values.sum(axis=0) / n
    variance = (np.where(kept, values - mean, 0) ** 2).sum(axis=0) / n
    partial[: 2 * cols] = np.concatenate([mean, variance])


@operation
def norm_masked_backward(program: Any, step: Any, dy: Any, x: Any, slopes: Any, mask: Any, dx: Any) -> None:
    rows, each = step.ints[3], step.ints[9]
    kept, n = counted(mask, rows, each)
    m, p, q, s = slopes.reshape(4, -1).astype(np.float64)
    dy, x = dy.reshape(rows, -1), x.reshape(rows, -1)
    through = (rows / n) * (q * (x - m) + s - q * m * NOTHING / n)  # slopes are those of means over all rows
    dx[...] = (p * dy + np.where(kept, through, 0)).reshape(-1)


@operation
def norm_rows(program: Any, step: Any, x: Any, gamma: Any, beta: Any, y: Any, stats: Any) -> None:
    rows, cols, kind = step.ints
    kernels.row_norm(
        KINDS[kind], x.reshape(rows, cols), gamma, beta, y.reshape(rows, cols), stats.reshape(2, rows), *step.reals
    )


@operation
def norm_rows_backward(program: Any, step: Any, dy: Any, x: Any, gamma: Any, stats: Any, dx: Any, partial: Any) -> None:
    kind, rows, cols = step.ints[2:5]
    dy, x = dy.reshape(rows, cols), x.reshape(rows, cols)
    mean, inverse = stats.reshape(2, rows)
    values, dgamma, dbeta = norm.row_norm_backward(KINDS[kind], dy, x, gamma, mean, inverse, step.reals[0])
    if dx is not None:
        dx[...] = values.reshape(-1)
    if partial is not None:
        partial[: 2 * cols] = np.concatenate([dgamma, dbeta])


@operation
def norm_rows_gradients(program: Any, step: Any, partial: Any, dgamma: Any, dbeta: Any) -> None:
    cols = step.ints[1]
    store(dgamma, partial[:cols])
    store(dbeta, partial[cols : 2 * cols])


@operation
def local_response(program: Any, step: Any, x: Any, y: Any) -> None:
    rows, cols, size = step.ints
    kernels.local_response(x.reshape(rows, cols), y.reshape(rows, cols), size, *step.reals)


@operation
def local_response_backward(program: Any, step: Any, dy: Any, x: Any, dx: Any) -> None:
    rows, cols, size = step.ints
    dy, x, dx = (a.reshape(rows, cols) for a in (dy, x, dx))
    kernels.local_response_backward(dy, x, dx, size, *step.reals)
