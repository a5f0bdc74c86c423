"""Optimizers whose steps know the sign of the gradient only: Lion, Rprop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.ops import _optimizer_scalars as formulas
from fastnn.optimizers.base import Flavors, LearningRate, Optimizer, Scalar


class Lion(Optimizer):
    """Steps of one size, in the direction of a moving average of the gradient.

        p -= rate * sign(beta_1 * m + (1 - beta_1) * g);  m = beta_2 * m + (1 - beta_2) * g

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001; flavor "paper": 0.0001. The paper advises a third to a tenth of Adam's.
    beta_1 : float, schedule or callable, optional
        At least 0, less than 1. Default 0.9.
    beta_2 : float, optional
        At least 0, less than 1. Default 0.99.
    weight_decay, name, **options
        See `Optimizer`.
    flavor : {"keras", "paper"}

    References
    ----------
    X. Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023.
    """

    _row = "lion"
    _hyper_parameters = ("beta_1", "beta_2")
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.99},
        "paper": {"learning_rate": 0.0001},
    }

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        beta_1: LearningRate | None = None,
        beta_2: float | None = None,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.beta_1, self.beta_2 = self._course("beta_1", beta_1, 1.0), self._given("beta_2", beta_2, 1.0)

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        return formulas.lion(rate, self._values("beta_1", step, 1.0), self.beta_2)


class Rprop(Optimizer):
    """Resilient backpropagation: every parameter has a step size, which grows until its gradient turns.

        same sign as last time:  size = min(size * etas[1], step_sizes[1]);  p -= size * sign(g)
        the gradient has turned: size = max(size * etas[0], step_sizes[0]);  p stays, and no turn is seen next time

    In flavor "paper" the last step is taken back after a turn. For full batches: noise in the gradient defeats it.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        The first step size; later changes have no effect. Default 0.01; flavor "paper": 0.1.
    etas : (float, float)
        Factors of the step size, after a turn and otherwise.
    step_sizes : (float, float)
        Its bounds.
    weight_decay, name, **options
        See `Optimizer`.
    flavor : {"keras", "torch", "paper"}
        Keras has no Rprop: "keras" is PyTorch's rule, with decoupled weight decay.

    References
    ----------
    M. Riedmiller, H. Braun, "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm", IEEE
    International Conference on Neural Networks, 1993.
    """

    _row = "rprop"
    _hyper_parameters = ("etas", "step_sizes")
    _flavors: ClassVar[Flavors] = {"keras": {"learning_rate": 0.01}, "torch": {}, "paper": {"learning_rate": 0.1}}

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        etas: Sequence[float] = (0.5, 1.2),
        step_sizes: Sequence[float] = (1e-6, 50.0),
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.etas, self.step_sizes = self._pair("etas", etas), self._pair("step_sizes", step_sizes)
        if not 0.0 < self.etas[0] < 1.0 < self.etas[1]:
            raise ValueError(f"etas must be a number below 1 and one above it. Received: etas={etas!r}")
        if self.step_sizes[0] > self.step_sizes[1]:
            raise ValueError(f"step_sizes must be in order. Received: step_sizes={step_sizes!r}")

    def _pair(self, name: str, values: Sequence[float]) -> tuple[float, float]:
        if not isinstance(values, (list, tuple)) or len(values) != 2:
            raise ValueError(f"{name} must be two numbers. Received: {name}={values!r}")
        return self._given(name, values[0]), self._given(name, values[1])

    def slot_value(self, name: str, parameter: NDArray[Any]) -> ArrayLike:
        return self.learning_rate if name == "size" else 0.0

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        return formulas.rprop(*self.etas, *self.step_sizes, self.flavor == "paper")
