"""Optimizers that average the path of the parameters: ASGD, ScheduleFreeAdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.ops import _optimizer_scalars as formulas
from fastnn.optimizers.base import Flavors, LearningRate, Optimizer, Scalar


class ASGD(Optimizer):
    """Averaged gradient descent: beside the parameters walks the mean of their path.

        eta = rate / (1 + lambd * rate * t)^alpha        t = 0, 1, ...
        p -= eta * (lambd * p + g);  average += (p - average) / max(1, t - t0)

    The model keeps walking with p. `model.optimizer_state["average"]` has the mean, one array for each of its weights.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.01.
    lambd : float
        L2 penalty, and how fast the rate falls.
    alpha : float
        The power with which it falls.
    t0 : float
        Steps before averaging begins; until then the average is p.
    weight_decay, name, **options
        See `Optimizer`.
    flavor : {"keras", "torch"}
        Keras has no ASGD: "keras" is PyTorch's rule, with decoupled weight decay.

    References
    ----------
    B. T. Polyak, A. B. Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM Journal on Control and
    Optimization 30, 1992.
    """

    _row = "asgd"
    _hyper_parameters = ("lambd", "alpha", "t0")
    _flavors: ClassVar[Flavors] = {"keras": {"learning_rate": 0.01}, "torch": {}}

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.lambd, self.alpha, self.t0 = (
            self._given(key, value) for key, value in {"lambd": lambd, "alpha": alpha, "t0": t0}.items()
        )

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        return formulas.asgd(step, rate, self.lambd, self.alpha, self.t0)


class ScheduleFreeAdamW(Optimizer):
    """AdamW without a schedule: gradients are taken between a walker and the mean of its path.

        r = min(1, t / warmup_steps) * rate        t = 1, 2, ...
        v += (g * g - v) * (1 - beta_2);  x = (p - (1 - beta_1) * z) / beta_1
        z -= r * g / (sqrt(v / (1 - beta_2^t)) + epsilon)
        x += (z - x) / t;  p = (1 - beta_1) * z + beta_1 * x

    Flavor "paper": r has the factor sqrt(1 - beta_2^t) and v is not corrected; the decay r * weight_decay * p goes to
    z; x takes the part r^2 / (sum of all r^2 so far) of z, so the steps of the warm-up count less.

    The model's parameters are p. The paper evaluates x, which `model.optimizer_state["z"]` gives by the formula above.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.0025. In flavor "paper" no callable that is not a schedule.
    beta_1, beta_2 : float, optional
        At least 0, less than 1. Default 0.9 and 0.999.
    epsilon : float, optional
        Default 1e-8.
    warmup_steps : int
        Steps in which the rate rises.
    weight_decay, name, **options
        See `Optimizer`. In flavor "paper" no parameter can be excluded from the decay.
    flavor : {"keras", "paper"}

    References
    ----------
    A. Defazio et al., "The Road Less Scheduled", NeurIPS 2024.
    """

    _row = "schedule_free_adamw"
    _hyper_parameters = ("beta_1", "beta_2", "epsilon", "warmup_steps")
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.0025, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8},
        "paper": {},
    }

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        beta_1: float | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        warmup_steps: int = 0,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.beta_1, self.beta_2 = self._given("beta_1", beta_1, 1.0), self._given("beta_2", beta_2, 1.0)
        self.epsilon = self._given("epsilon", epsilon)
        self.warmup_steps = int(self._given("warmup_steps", warmup_steps))

    def slot_value(self, name: str, parameter: NDArray[Any]) -> ArrayLike:
        return parameter if name == "z" else 0.0

    def exclude_from_weight_decay(
        self, var_list: Iterable[Any] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        super().exclude_from_weight_decay(var_list, var_names)
        if self.flavor == "paper" and (self._undecayed or self._undecayed_names):
            raise ValueError(
                "ScheduleFreeAdamW, flavor 'paper': the decay is part of the rule and applies to all parameters. "
                f"Received: {self._undecayed or self._undecayed_names}"
            )

    def _decay(self, rate: NDArray[np.float64]) -> Scalar:
        return 0.0 if self.flavor == "paper" else super()._decay(rate)

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        betas = self.beta_1, self.beta_2
        if self.flavor != "paper":
            warm = np.minimum(step / self.warmup_steps, 1.0) * rate if self.warmup_steps else rate
            return formulas.schedule_free_adamw(step, warm, *betas, self.epsilon, 1.0 / step)
        # all steps from the first on, for the sum of squares
        every = np.arange(1.0, step[-1] + 1.0)
        rates = self._all_rates(len(every)) * np.sqrt(1.0 - self.beta_2**every)
        if self.warmup_steps:
            rates *= np.minimum(every / self.warmup_steps, 1.0)
        squares = rates * rates
        weights = squares / np.maximum(np.cumsum(squares), formulas.SMALLEST)
        decay = (self.weight_decay or 0.0) if self.decoupled_weight_decay else 0.0
        last = slice(len(every) - len(step), None)
        return formulas.schedule_free_adamw(step, rates[last], *betas, self.epsilon, weights[last], False, decay)
