"""Adam and its family: Adam (with AMSGrad), AdamW, Adamax, Nadam, RAdam."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnn.ops import _optimizer_scalars as formulas
from fastnn.optimizers.base import Flavors, LearningRate, Optimizer, Scalar


class Adam(Optimizer):
    """Gradient descent with moving averages of the gradient and its square.

        m += (g - m) * (1 - beta_1);  v += (g * g - v) * (1 - beta_2)
        p -= rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)        t = 1, 2, ...

    Flavors "torch" and "paper" add epsilon to sqrt(v / (1 - beta_2^t)) instead (Algorithm 1 of the paper).

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001.
    beta_1 : float, schedule or callable, optional
        At least 0, less than 1. Default 0.9. One that changes is corrected for as in PyTorch, by its value in the step.
    beta_2 : float, optional
        At least 0, less than 1. Default 0.999.
    epsilon : float, optional
        Default 1e-7; flavors "torch" and "paper": 1e-8.
    amsgrad : bool
        Use the largest v so far. In flavor "paper" nothing is then corrected for bias, as that paper has it.
    weight_decay, name, **options
        See `Optimizer`.
    flavor : {"keras", "torch", "book", "paper"}

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    S. J. Reddi, S. Kale, S. Kumar, "On the Convergence of Adam and Beyond", ICLR 2018.
    """

    _hyper_parameters = ("beta_1", "beta_2", "epsilon", "amsgrad")
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        "torch": {"epsilon": 1e-8},
        "book": {},
        "paper": {"epsilon": 1e-8},
    }

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        beta_1: LearningRate | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.beta_1, self.beta_2 = self._course("beta_1", beta_1, 1.0), self._given("beta_2", beta_2, 1.0)
        self.epsilon, self.amsgrad = self._given("epsilon", epsilon), bool(amsgrad)

    @property
    def row(self) -> str:
        return "amsgrad" if self.amsgrad else "adam"

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        form: formulas.AdamForm = "textbook" if self.flavor in ("torch", "paper") else "folded"
        if self.amsgrad and self.flavor == "paper":
            form = "uncorrected"
        return formulas.adam(step, rate, self._values("beta_1", step, 1.0), self.beta_2, self.epsilon, form)


class AdamW(Adam):
    """Adam whose weight decay is decoupled from the gradient.

        p -= rate * weight_decay * p, then as Adam

    In flavor "paper" the decay does not depend on the learning rate, only on how a schedule changes it:
    p -= rate / (rate of the first step) * weight_decay * p.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001.
    weight_decay : float, optional
        Default 0.004; flavor "torch": 0.01; "paper": 1e-5, which is our choice.
    beta_1, beta_2, epsilon, amsgrad
        See `Adam`.
    name, **options
        See `Optimizer`.
    flavor : {"keras", "torch", "paper"}

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """

    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "weight_decay": 0.004},
        "torch": {"epsilon": 1e-8, "weight_decay": 0.01},
        "paper": {"epsilon": 1e-8, "weight_decay": 1e-5},
    }

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        weight_decay: float | None = None,
        beta_1: LearningRate | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        amsgrad: bool = False,
        name: str | None = None,
        *,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        options = {"decoupled_weight_decay": True, **options}
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, name, flavor=flavor, **options)

    def _decay(self, rate: NDArray[np.float64]) -> Scalar:
        if self.flavor != "paper":
            return super()._decay(rate)
        first = self._learning_rate(0) if callable(self._learning_rate) else self._learning_rate
        if first == 0.0 and callable(self._learning_rate):
            raise ValueError("AdamW, flavor 'paper': the learning rate must not begin with 0. Received: 0.0 at step 0")
        return (rate / first if first else 1.0) * (self.weight_decay or 0.0)


class Adamax(Optimizer):
    """Adam with a moving maximum in the place of the root mean square.

        m += (g - m) * (1 - beta_1);  u = max(beta_2 * u, |g|)
        p -= rate / (1 - beta_1^t) * m / (u + epsilon)        t = 1, 2, ...

    Flavor "torch": u = max(beta_2 * u, |g| + epsilon), p -= rate / (1 - beta_1^t) * m / u.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001; flavors "torch" and "paper": 0.002.
    beta_1 : float, schedule or callable, optional
        At least 0, less than 1. Default 0.9.
    beta_2 : float, optional
        At least 0, less than 1. Default 0.999.
    epsilon : float, optional
        Default 1e-7; flavor "torch": 1e-8; "paper": 0, and 0 / 0 counts as 0.
    weight_decay, name, **options
        See `Optimizer`.
    flavor : {"keras", "torch", "paper"}

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, section 7.
    """

    _row = "adamax"
    _hyper_parameters = ("beta_1", "beta_2", "epsilon")
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        "torch": {"learning_rate": 0.002, "epsilon": 1e-8},
        "paper": {"learning_rate": 0.002, "epsilon": 0.0},
    }

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        beta_1: LearningRate | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.beta_1, self.beta_2 = self._course("beta_1", beta_1, 1.0), self._given("beta_2", beta_2, 1.0)
        self.epsilon = self._given("epsilon", epsilon)

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        beta_1, inside = self._values("beta_1", step, 1.0), self.flavor == "torch"
        return formulas.adamax(step, rate, beta_1, self.beta_2, self.epsilon, inside)


class Nadam(Optimizer):
    """Adam with Nesterov's momentum.

        mu_t = beta_1 * (1 - 0.96^(t * momentum_decay) / 2)        t = 1, 2, ...
        m += (g - m) * (1 - beta_1);  v += (g * g - v) * (1 - beta_2)
        mhat = mu_(t+1) / (1 - mu_1 * ... * mu_(t+1)) * m + (1 - mu_t) / (1 - mu_1 * ... * mu_t) * g
        p -= rate * mhat / (sqrt(v / (1 - beta_2^t)) + epsilon)

    Flavor "paper": m += (g - m) * (1 - mu_t), and beta_2 * v / (1 - beta_2^t) under the root.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001; flavors "torch" and "paper": 0.002.
    beta_1, beta_2 : float, optional
        At least 0, less than 1. Default 0.9, in flavor "paper" 0.99; and 0.999.
    epsilon : float, optional
        Default 1e-7; flavors "torch" and "paper": 1e-8.
    weight_decay, name, **options
        See `Optimizer`.
    momentum_decay : float, optional
        Default 1; flavors "torch" and "paper": 0.004.
    flavor : {"keras", "torch", "paper"}

    References
    ----------
    T. Dozat, "Incorporating Nesterov Momentum into Adam", ICLR workshop, 2016.
    """

    _row = "nadam"
    _hyper_parameters = ("beta_1", "beta_2", "epsilon", "momentum_decay")
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "momentum_decay": 1.0},
        "torch": {"learning_rate": 0.002, "epsilon": 1e-8, "momentum_decay": 0.004},
        "paper": {"learning_rate": 0.002, "beta_1": 0.99, "epsilon": 1e-8, "momentum_decay": 0.004},
    }

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        beta_1: float | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        momentum_decay: float | None = None,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.beta_1, self.beta_2 = self._given("beta_1", beta_1, 1.0), self._given("beta_2", beta_2, 1.0)
        self.epsilon = self._given("epsilon", epsilon)
        self.momentum_decay = self._given("momentum_decay", momentum_decay)

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        return formulas.nadam(
            step, rate, self.beta_1, self.beta_2, self.epsilon, self.momentum_decay, self.flavor == "paper"
        )


class RAdam(Optimizer):
    """Adam that begins as momentum, until enough gradients are known for their root mean square to mean something.

        rho_inf = 2 / (1 - beta_2) - 1;  rho = rho_inf - 2 * t * beta_2^t / (1 - beta_2^t)        t = 1, 2, ...
        rho <= threshold:  p -= rate / (1 - beta_1^t) * m
        rho > threshold:   p -= rate / (1 - beta_1^t) * r * sqrt(1 - beta_2^t) * m / (sqrt(v) + epsilon)
            with r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001.
    beta_1 : float, schedule or callable, optional
        At least 0, less than 1. Default 0.9.
    beta_2 : float, optional
        At least 0, less than 1. Default 0.999.
    epsilon : float, optional
        Default 1e-7; flavor "torch": 1e-8; "paper": 0, and 0 / 0 counts as 0.
    weight_decay, name, **options
        See `Optimizer`.
    threshold : float, optional
        At least 4. Default 5: rectified from step 6 on; flavor "paper": 4, from step 5 on.
    flavor : {"keras", "torch", "paper"}
        Keras has no RAdam: "keras" is PyTorch's rule with Keras's epsilon and weight decay.

    References
    ----------
    L. Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020.
    """

    _row = "radam"
    _hyper_parameters = ("beta_1", "beta_2", "epsilon", "threshold")
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "threshold": 5.0},
        "torch": {"epsilon": 1e-8},
        "paper": {"epsilon": 0.0, "threshold": 4.0},
    }

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        beta_1: LearningRate | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        threshold: float | None = None,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.beta_1, self.beta_2 = self._course("beta_1", beta_1, 1.0), self._given("beta_2", beta_2, 1.0)
        self.epsilon, self.threshold = self._given("epsilon", epsilon), self._given("threshold", threshold)
        if self.threshold < 4.0:
            raise ValueError(f"threshold must be at least 4. Received: threshold={threshold!r}")

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        beta_1 = self._values("beta_1", step, 1.0)
        return formulas.radam(step, rate, beta_1, self.beta_2, self.epsilon, self.threshold)
