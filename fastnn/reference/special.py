"""Functions that several activations and losses are made of; they work in the dtype of their argument."""

from __future__ import annotations

import math

import numpy as np

from fastnn.reference.arrays import Array

PI = np.longdouble("3.14159265358979323846264338327950288")

BEYOND = 200  # there, in every floating-point format, the normal distribution is 0 or 1 and its density 0

_CUBIC = np.longdouble("0.044715")
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def logistic(x: Array) -> Array:
    """``1 / (1 + exp(-x))``; exp is taken of negative numbers only, so nothing overflows and the left tail is exact."""
    e: Array = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def log_one_plus_exp(x: Array) -> Array:
    """``log(1 + exp(x))`` without overflow and with full relative accuracy for very negative x."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def normal_cdf(x: Array) -> Array:
    """``erfc(-x / sqrt(2)) / 2`` for finite x; unlike ``1 + erf`` it does not cancel in the left tail."""
    z = -x * np.sqrt(x.dtype.type(0.5))
    z_double = z.astype(np.float64)  # math.erfc takes a double: what that rounds off enters to first order
    cdf: Array = _erfc(z_double) / 2 - (z - z_double) * np.exp(-z * z) / np.sqrt(x.dtype.type(PI))
    return cdf


def normal_pdf(x: Array) -> Array:
    """``exp(-x**2 / 2) / sqrt(2 * pi)``."""
    pdf: Array = np.exp(-x * x / 2) / np.sqrt(2 * x.dtype.type(PI))
    return pdf


def gelu_gate_exponent(x: Array) -> tuple[Array, Array]:
    """``2 * u`` and its derivative, where ``u = sqrt(2 / pi) * (x + 0.044715 * x**3)``."""
    real = x.dtype.type
    scale, cubic = 2 * np.sqrt(2 / real(PI)), real(_CUBIC)
    return scale * x * (1 + cubic * x * x), scale * (1 + 3 * cubic * x * x)


def blocked(dy: Array) -> Array:
    """What a slope of zero lets through: 0, also of infinities; NaN stays NaN."""
    return np.where(np.isnan(dy), dy, 0)


def scaled(x: Array, slope: float) -> Array:
    """``slope * x``, and 0 for a slope of 0 also where x is infinite."""
    return slope * x if slope else blocked(x)


def finite_square(x: Array) -> Array:
    """x, with infinities drawn in to where the square is finite, also times any usual number."""
    largest = np.finfo(x.dtype).max ** x.dtype.type(0.4)  # beyond the numbers of the next narrower format
    return np.clip(x, -largest, largest)


def root_gate(x: Array, b: float) -> Array:
    """``(1 + x / sqrt(x**2 + b)) / 2``, 1/2 at 0; for negative x as ``b / (root - x) / root / 2``."""
    x = finite_square(x)
    root = np.sqrt(x * x + b)
    gate: Array = np.where(x < 0, b / (root - x), x + root) / root / 2
    return np.where(root == 0, 0.5, gate)


def isru_root(x: Array, alpha: float) -> Array:
    """``1 / sqrt(1 + alpha * x**2)``."""
    x = finite_square(x)
    root: Array = 1 / np.sqrt(1 + alpha * x * x)
    return root


def x_cosine_minus_sine(x: Array, sign: int) -> Array:
    """``x * cos(x) - sin(x)`` for sign = -1, ``x * cosh(x) - sinh(x)`` for sign = 1, by their series, for abs(x) <= 1.

    The terms are ``sign**k * 2 * k * x**(2 * k + 1) / (2 * k + 1)!``: the leading ones, which cancel, are not there.
    """
    power, total = x, np.zeros_like(x)
    for k in range(1, 13):
        power = sign * power * x * x / (2 * k * (2 * k + 1))
        total = total + 2 * k * power
    return total


def times(a: Array | float, x: Array) -> Array:
    """``a * x``, where 0 times infinity is 0."""
    return np.where(np.equal(a, 0), np.where(np.isnan(x), x, 0), a * x)


def soft_exponential(x: Array, alpha: Array | float) -> Array:
    """``(exp(alpha * x) - 1) / alpha + alpha`` for positive alpha, ``x`` for 0, ``-log(1 - alpha * (x + alpha)) /
    alpha`` for negative alpha; the logarithm is taken of whichever form of its argument does not cancel.
    """
    inside, safe = (1 - alpha) * (1 + alpha) - alpha * x, np.where(np.equal(alpha, 0), 1, alpha)
    logarithm = np.where(inside < 0.5, np.log(inside), np.log1p(-alpha * (x + alpha))) / -safe
    exponential = np.where(np.equal(alpha, 0), x, np.expm1(times(alpha, x)) / safe + alpha)
    return np.where(np.less(alpha, 0), logarithm, exponential)


def soft_exponential_slope(x: Array, alpha: Array | float) -> Array:
    """Its derivative by x: ``exp(alpha * x)``, or ``1 / (1 - alpha * (x + alpha))`` for negative alpha."""
    inside = (1 - alpha) * (1 + alpha) - alpha * x
    return np.where(np.less(alpha, 0), np.where(inside < 0, np.nan, 1 / inside), np.exp(times(alpha, x)))
