"""Optimizers whose steps are scaled by the gradients so far: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.ops import _optimizer_scalars as formulas
from fastnn.optimizers.base import Flavors, LearningRate, Optimizer, Scalar


class Adagrad(Optimizer):
    """Gradient descent, each step divided by the root of the sum of all squared gradients.

        a += g * g;  p -= rate * g / sqrt(a + epsilon)

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001; flavors "torch", "book" and "paper": 0.01.
    initial_accumulator_value : float, optional
        What a starts from. Default 0.1; in the other flavors 0.
    epsilon : float, optional
        Default 1e-7; flavor "torch": 1e-10; "paper": 0, the form without epsilon, in which 0 / 0 counts as 0.
    weight_decay, name, **options
        See `Optimizer`.
    lr_decay : float
        The rate falls as rate / (1 + lr_decay * t), t = 0, 1, ...
    epsilon_inside : bool, optional
        Whether epsilon stands under the root, or is added to it: p -= rate * g / (sqrt(a) + epsilon). Default: under it
        in flavor "keras", added to it in the others.
    flavor : {"keras", "torch", "book", "paper"}

    References
    ----------
    J. Duchi, E. Hazan, Y. Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR
    12, 2011.
    """

    _row = "adagrad"
    _hyper_parameters = ("initial_accumulator_value", "epsilon", "lr_decay", "epsilon_inside")
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.001, "initial_accumulator_value": 0.1, "epsilon": 1e-7, "epsilon_inside": True},
        "torch": {
            "learning_rate": 0.01, "initial_accumulator_value": 0.0, "epsilon": 1e-10, "epsilon_inside": False
        },
        "book": {"learning_rate": 0.01, "initial_accumulator_value": 0.0, "epsilon": 1e-7, "epsilon_inside": False},
        "paper": {"learning_rate": 0.01, "initial_accumulator_value": 0.0, "epsilon": 0.0, "epsilon_inside": False},
    }  # fmt: skip

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        initial_accumulator_value: float | None = None,
        epsilon: float | None = None,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        lr_decay: float = 0.0,
        epsilon_inside: bool | None = None,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.initial_accumulator_value = self._given("initial_accumulator_value", initial_accumulator_value)
        self.epsilon, self.lr_decay = self._given("epsilon", epsilon), self._given("lr_decay", lr_decay)
        self.epsilon_inside = bool(self._default("epsilon_inside") if epsilon_inside is None else epsilon_inside)

    def slot_value(self, name: str, parameter: NDArray[Any]) -> ArrayLike:
        return self.initial_accumulator_value

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        falling = formulas.inverse_time(step, rate, self.lr_decay)
        return formulas.adagrad(falling, self.epsilon, self.epsilon_inside)


class Adadelta(Optimizer):
    """Steps of the size of the last steps, relative to the size of the last gradients.

        a = rho * a + (1 - rho) * g * g;  change = sqrt(d + epsilon) / sqrt(a + epsilon) * g
        d = rho * d + (1 - rho) * change * change;  p -= rate * change

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001; in the other flavors 1, which is to say none.
    rho : float, optional
        At least 0, less than 1. Default 0.95; flavor "torch": 0.9.
    epsilon : float, optional
        Default 1e-7; in the other flavors 1e-6.
    weight_decay, name, **options
        See `Optimizer`.
    flavor : {"keras", "torch", "book", "paper"}

    References
    ----------
    M. D. Zeiler, "ADADELTA: An Adaptive Learning Rate Method", arXiv:1212.5701, 2012.
    """

    _row = "adadelta"
    _hyper_parameters = ("rho", "epsilon")
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-7},
        "torch": {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-6},
        "book": {"learning_rate": 1.0, "epsilon": 1e-6},
        "paper": {"learning_rate": 1.0, "epsilon": 1e-6},
    }

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        rho: float | None = None,
        epsilon: float | None = None,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.rho, self.epsilon = self._given("rho", rho, below=1.0), self._given("epsilon", epsilon)

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        return formulas.adadelta(rate, self.rho, self.epsilon)


class RMSprop(Optimizer):
    """Gradient descent, each step divided by a moving root mean square of the gradient.

        v = rho * v + (1 - rho) * g * g;  p -= rate * g / sqrt(v + epsilon)
        centered:  m = rho * m + (1 - rho) * g;  p -= rate * g / sqrt(v - m * m + epsilon)
        momentum:  b = momentum * b + rate * g / sqrt(...);  p -= b

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001; flavors "torch" and "book": 0.01.
    rho : float, optional
        At least 0, less than 1. Default 0.9; flavors "torch" and "book": 0.99.
    momentum : float, schedule or callable
        From 0 to 1. Flavor "torch" keeps learning rates out of b: b = momentum * b + g / ...; p -= rate * b.
    epsilon : float, optional
        Default 1e-7; flavor "torch": 1e-8; "paper": 0, the form without epsilon, in which 0 / 0 counts as 0.
    centered : bool
        Divide by the standard deviation instead. A variance below 0, which rounding alone can make, counts as 0;
        PyTorch gives NaN there.
    weight_decay, name, **options
        See `Optimizer`.
    epsilon_inside : bool, optional
        Whether epsilon stands under the root, or is added to it. Default: under it in flavor "keras", added to it in
        the others.
    flavor : {"keras", "torch", "book", "paper"}

    References
    ----------
    T. Tieleman, G. Hinton, "Lecture 6.5 - rmsprop", Coursera: Neural Networks for Machine Learning, 2012.
    A. Graves, "Generating Sequences With Recurrent Neural Networks", arXiv:1308.0850, 2013.
    """

    _hyper_parameters = ("rho", "momentum", "epsilon", "centered", "epsilon_inside")
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7, "epsilon_inside": True},
        "torch": {"learning_rate": 0.01, "rho": 0.99, "epsilon": 1e-8, "epsilon_inside": False},
        "book": {"learning_rate": 0.01, "rho": 0.99, "epsilon": 1e-7, "epsilon_inside": False},
        "paper": {"learning_rate": 0.001, "rho": 0.9, "epsilon": 0.0, "epsilon_inside": False},
    }

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        rho: float | None = None,
        momentum: LearningRate = 0.0,
        epsilon: float | None = None,
        centered: bool = False,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        epsilon_inside: bool | None = None,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.rho, self.epsilon = self._given("rho", rho, below=1.0), self._given("epsilon", epsilon)
        self.momentum, self.centered = self._course("momentum", momentum), bool(centered)
        self.epsilon_inside = bool(self._default("epsilon_inside") if epsilon_inside is None else epsilon_inside)

    @property
    def row(self) -> str:
        moving = callable(self.momentum) or self.momentum > 0.0
        return "rmsprop" + "_centered" * self.centered + "_momentum" * moving

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        if not self.row.endswith("momentum"):
            return formulas.rmsprop(rate, self.rho, self.epsilon, self.epsilon_inside)
        return formulas.rmsprop_momentum(
            rate, self._values("momentum", step), self.rho, self.epsilon, self.epsilon_inside,
            "outside" if self.flavor == "torch" else "inside",
        )  # fmt: skip
