"""Adafactor: second moments of a matrix from means of its rows and columns, which are all that it remembers."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnn.optimizers.base import Flavors, LearningRate, Optimizer, Scalar


class Adafactor(Optimizer):
    """RMSprop that remembers means of rows and columns only, with steps relative to the size of the parameter.

        rho = min(rate, 1 / sqrt(t)),  beta = 1 - t^beta_2_decay,  s = g^2 + epsilon_1          t = 1, 2, ...
        r = beta * r + (1 - beta) * mean of s over its last axis, c likewise over its last axis but one
        v = r / mean(r) c^T  (for vectors v = beta * v + (1 - beta) * s),  u = g / sqrt(v)
        p -= rho * max(epsilon_2, rms(p)) * u / max(1, rms(u) / clip_threshold)

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001.
    beta_2_decay : float
        At most 0.
    epsilon_1, epsilon_2 : float
        What keeps v above 0; the smallest scale of a parameter.
    clip_threshold : float
        The largest root mean square of u, above 0.
    relative_step : bool
        Without effect, as in Keras, where rho is the smaller of rate and 1 / sqrt(t) in any case.
    weight_decay, name, **options
        See `Optimizer`.

    Notes
    -----
    As in Keras, without the paper's first moment. The state of a matrix is as many numbers as it has rows and columns.

    References
    ----------
    N. Shazeer, M. Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", ICML 2018.
    """

    _tensors = True
    _row = "adafactor"
    _hyper_parameters = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")
    _flavors: ClassVar[Flavors] = {"keras": {"learning_rate": 0.001}}

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        options = {"decoupled_weight_decay": True, **options}
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        if not self.decoupled_weight_decay:
            raise ValueError("Adafactor: the weight decay is decoupled. Received: decoupled_weight_decay=False")
        self.beta_2_decay = -self._given("-beta_2_decay", -beta_2_decay)
        self.epsilon_1, self.epsilon_2 = self._given("epsilon_1", epsilon_1), self._given("epsilon_2", epsilon_2)
        self.clip_threshold = self._given("clip_threshold", clip_threshold)
        if self.clip_threshold == 0.0:
            raise ValueError(f"clip_threshold must be above 0. Received: clip_threshold={clip_threshold!r}")
        self.relative_step = bool(relative_step)

    def slots(self) -> tuple[str, ...]:
        return ()

    def compact_slots(self) -> tuple[str, ...]:
        return ("moments",)

    def compact_size(self, parameter: Any) -> int:
        matrices, rows, columns, factored = _matrices(parameter.shape)
        return matrices * (rows + columns) if factored else int(parameter.size)

    def plan_key(self) -> tuple[object, ...]:
        return (*super().plan_key(), self.epsilon_1, self.epsilon_2, self.clip_threshold)

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        return np.minimum(rate, 1 / np.sqrt(step)), 1 - step**self.beta_2_decay

    def emit(self, update: Any) -> None:
        for place, parameter in enumerate(update.parameters):
            buffers = update.buffers(place, "value", "gradient", "moments")
            decays = float(self.decays(parameter))
            update.step(
                "adafactor", (*buffers, update.scales),
                ints=(*_matrices(parameter.shape), self.first_column, place),
                reals=(decays, self.epsilon_1, self.epsilon_2, self.clip_threshold),
            )  # fmt: skip


def _matrices(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """How many matrices a parameter is, their rows and columns, and 1 if they are factored.

    A vector, or a matrix of one row or column, for which the outer product is the running mean of the squares itself,
    has nothing to factor: it is one row, and what is remembered is as long.
    """
    if len(shape) < 2 or min(shape[-2:]) < 2:
        return 1, 1, math.prod(shape), 0
    return math.prod(shape[:-2]), shape[-2], shape[-1], 1
