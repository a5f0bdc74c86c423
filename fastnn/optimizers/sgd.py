"""Gradient descent, with momentum if wanted."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fastnn.ops import _optimizer_scalars as formulas
from fastnn.optimizers.base import Flavors, LearningRate, Optimizer, Scalar


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

        momentum = 0:  p -= rate * g
        momentum > 0:  v = momentum * v - rate * g;  p += v
        nesterov:      v = momentum * v - rate * g;  p += momentum * v - rate * g

    Flavor "torch" keeps learning rates out of the velocity: v = momentum * v + g; p -= rate * v, or with nesterov
    p -= rate * (g + momentum * v). That is the same path until the rate changes.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.01; flavor "torch": 0.001.
    momentum : float, schedule or callable
        From 0 to 1.
    nesterov : bool
        Without effect if momentum is 0.
    weight_decay, name, **options
        See `Optimizer`.
    dampening : float
        The velocity takes (1 - dampening) * g, but the whole first gradient; not with nesterov.
    flavor : {"keras", "torch", "book", "paper"}
        The last three have the same velocity as Keras, but for "torch".

    Notes
    -----
    Nesterov's gradient is that at the point p + momentum * v, where the velocity leads. Here, as in Keras and PyTorch,
    the parameters of the model are that point; seen from there it is the same method. `fastnn.ops.look_ahead_` has the
    other view, for code that moves the parameters itself.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum in deep learning",
    ICML 2013.
    """

    _hyper_parameters = ("momentum", "nesterov", "dampening")
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.01},
        "torch": {"learning_rate": 0.001},
        "book": {},
        "paper": {},
    }

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        momentum: LearningRate = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        dampening: float = 0.0,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        course: Any = self._course("momentum", momentum) if not isinstance(momentum, (int, float)) else momentum
        if not callable(course) and not (isinstance(course, float) and 0.0 <= course <= 1.0):
            raise ValueError(f"momentum must be a float between 0.0 and 1.0. Received: momentum={momentum!r}")
        self.momentum, self.nesterov = course, bool(nesterov)
        self.dampening = float(dampening)
        if not 0.0 <= self.dampening <= 1.0 or (self.dampening and self.nesterov):
            raise ValueError(
                f"dampening must be between 0.0 and 1.0, and 0.0 with nesterov. Received: dampening={dampening!r}"
            )

    @property
    def row(self) -> str:
        if not callable(self.momentum) and self.momentum == 0.0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        if self.row == "sgd":
            return formulas.sgd(rate)
        form: Literal["inside", "outside"] = "outside" if self.flavor == "torch" else "inside"
        rule = formulas.nesterov if self.nesterov else formulas.momentum
        return rule(step, rate, self._values("momentum", step), self.dampening, form)
