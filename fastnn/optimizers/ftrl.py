"""Follow the regularized leader: Ftrl."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.ops import _optimizer_scalars as formulas
from fastnn.optimizers.base import Flavors, LearningRate, Optimizer, Scalar


class Ftrl(Optimizer):
    """Adagrad's rates with an L1 penalty that makes parameters exactly 0.

        z += g + 2 * l2_shrinkage * p - ((a + g * g)^-power - a^-power) / rate * p;  a += g * g
        p = (clip(z, -l1, l1) - z) / (a^-power / rate + 2 * l2 + beta / rate)

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001; flavor "paper": 0.1, which is our choice. A rate of 0 counts as 1e-30.
    learning_rate_power : float
        The power above; at most 0.
    initial_accumulator_value : float, optional
        What a starts from. Default 0.1; flavor "paper": 0.
    l1_regularization_strength, l2_regularization_strength, l2_shrinkage_regularization_strength : float
        l1, l2 and l2_shrinkage above. In flavor "paper" l2 counts once instead of twice.
    beta : float, optional
        Default 0; flavor "paper": 1.
    weight_decay, name, **options
        See `Optimizer`.
    flavor : {"keras", "paper"}

    References
    ----------
    H. B. McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013.
    """

    _hyper_parameters = (
        "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength", "l2_regularization_strength",
        "l2_shrinkage_regularization_strength", "beta",
    )  # fmt: skip
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.001, "initial_accumulator_value": 0.1, "beta": 0.0},
        "paper": {"learning_rate": 0.1, "initial_accumulator_value": 0.0, "beta": 1.0},
    }

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float | None = None,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float | None = None,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        if not isinstance(learning_rate_power, (int, float)) or not -float("inf") < learning_rate_power <= 0.0:
            raise ValueError(
                "learning_rate_power must be a finite number that is at most 0. "
                f"Received: learning_rate_power={learning_rate_power!r}"
            )
        self.learning_rate_power = float(learning_rate_power)
        self.initial_accumulator_value = self._given("initial_accumulator_value", initial_accumulator_value)
        self.l1_regularization_strength = self._given("l1_regularization_strength", l1_regularization_strength)
        self.l2_regularization_strength = self._given("l2_regularization_strength", l2_regularization_strength)
        self.l2_shrinkage_regularization_strength = self._given(
            "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength
        )
        self.beta = self._given("beta", beta)

    @property
    def row(self) -> str:
        return "ftrl" if self.learning_rate_power == -0.5 else "ftrl_power"

    def slot_value(self, name: str, parameter: NDArray[Any]) -> ArrayLike:
        return self.initial_accumulator_value if name == "a" else 0.0

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        scalars = formulas.ftrl(
            rate, self.l1_regularization_strength, self.l2_regularization_strength,
            self.l2_shrinkage_regularization_strength, self.beta, self.flavor == "paper",
        )  # fmt: skip
        return scalars if self.row == "ftrl" else (*scalars, -self.learning_rate_power)
