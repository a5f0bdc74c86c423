"""Functions that several activations and losses are made of; they work in the dtype of their argument."""

from __future__ import annotations

import math

import numpy as np

from fastnn.reference.arrays import Array

PI = np.longdouble("3.14159265358979323846264338327950288")

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
