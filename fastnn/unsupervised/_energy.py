"""The arithmetic of a restricted Boltzmann machine beside its training: energies and likelihoods of data.

energy of Bernoulli visible units   E(v, h) = -b v - c h - v W h
energy of Gaussian visible units    E(v, h) = |v - b|^2 / 2 - c h - v W h      (of variance 1)
free energy                         F(v) = -log sum over h of exp(-E(v, h))
probability                         p(v) = exp(-F(v)) / Z
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn import ops

Array = NDArray[Any]
Rows = NDArray[np.float64]

# states of a layer that are enumerated at once, and units of which all states are
_AT_ONCE = 12
MOST_UNITS = 24


class Weights(NamedTuple):
    """Kernel (visible, hidden), bias of the visible and bias of the hidden units."""

    kernel: Array
    visible_bias: Array
    hidden_bias: Array
    gaussian: bool

    def hidden(self, v: Array) -> Array:
        """``P(h = 1 | v) = sigmoid(c + v W)``"""
        return np.asarray(ops.affine(v, self.kernel, self.hidden_bias, "sigmoid"))

    def visible(self, h: Array) -> Array:
        """``P(v = 1 | h) = sigmoid(b + W h)``; for Gaussian units the mean, ``b + W h``"""
        activation = None if self.gaussian else "sigmoid"
        return np.asarray(ops.affine(h, self.kernel, self.visible_bias, activation, w_layout="oi"))


def free_energy(w: Weights, v: Array) -> Rows:
    """``F(v) = -b v - sum of softplus(c + v W)``; for Gaussian units ``|v - b|^2 / 2`` instead of the first term."""
    into_hidden = ops.affine(v, w.kernel, w.hidden_bias)
    return _visible_energy(w, v) - ops.softplus(into_hidden).sum(axis=1, dtype=np.float64)


def _visible_energy(w: Weights, v: Array) -> Rows:
    b = w.visible_bias.astype(np.float64)
    wide = v.astype(np.float64)
    return 0.5 * ((wide - b) ** 2).sum(axis=1) if w.gaussian else -wide @ b


def pseudo_likelihood(w: Weights, v: Array, flipped: NDArray[np.int64]) -> Rows:
    """An estimate from one unit of each sample: visible units times ``log sigmoid(F(v with the unit flipped) - F(v))``.

    Parameters:
        flipped: which unit, for each sample.
    """
    other, rows = v.copy(), np.arange(len(v))
    other[rows, flipped] = 1 - other[rows, flipped]
    return v.shape[1] * np.asarray(ops.log_sigmoid(free_energy(w, other) - free_energy(w, v)))


def exact_pseudo_likelihood(w: Weights, v: Array) -> Rows:
    """``sum over i of log P(v_i | all other visible units)``"""
    into_hidden = np.asarray(ops.affine(v, w.kernel, w.hidden_bias))
    before = ops.softplus(into_hidden).sum(axis=1, dtype=np.float64)
    total = np.zeros(len(v))
    for i, (row, bias) in enumerate(zip(w.kernel, w.visible_bias)):
        change = 1 - 2 * v[:, i]
        after = ops.softplus(into_hidden + change[:, np.newaxis] * row).sum(axis=1, dtype=np.float64)
        total += ops.log_sigmoid(before - after - change.astype(np.float64) * float(bias))
    return total


def log_partition(w: Weights) -> float:
    """log Z, by enumerating the states of the smaller layer: exact, and 2 ** units free energies long.

    Raises:
        ValueError: the layer that has to be enumerated is too large.
    """
    kernel, b, c = (np.asarray(a, np.float64) for a in w[:3])
    inputs, units = kernel.shape
    if w.gaussian:  # integrate over v: that is a Gaussian for every h
        pieces = (
            h @ c + (m * b + m**2 / 2).sum(axis=1) + inputs / 2 * math.log(2 * math.pi)
            for h in _states(units)
            for m in [h @ kernel.T]
        )
    elif inputs < units:
        pieces = (v @ b + np.logaddexp(0, v @ kernel + c).sum(axis=1) for v in _states(inputs))
    else:
        pieces = (h @ c + np.logaddexp(0, h @ kernel.T + b).sum(axis=1) for h in _states(units))
    total = -math.inf
    for piece in pieces:
        total = float(np.logaddexp(total, np.logaddexp.reduce(piece)))
    return total


def _states(units: int) -> Iterator[Rows]:
    """All states of so many binary units, some at a time."""
    if units > MOST_UNITS:
        raise ValueError(f"log_partition: at most {MOST_UNITS} units can be enumerated. Received: {units}")
    step = 1 << min(units, _AT_ONCE)
    for first in range(0, 1 << units, step):
        numbers = np.arange(first, first + step)
        yield (numbers[:, np.newaxis] >> np.arange(units) & 1).astype(np.float64)
