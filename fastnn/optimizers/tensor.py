"""Optimizers that look at whole tensors: Lamb, Lars, Muon; Adafactor has a file of its own.

They tell the engine so (`_tensors`), get each parameter as a segment of its own, and add more than one step to a plan:
norms, ratios of norms, products of matrices (`emit`; see fastnn.engine.update.Update for what they can ask for).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnn.ops import _optimizer_scalars as formulas
from fastnn.optimizers.base import Flavors, LearningRate, Optimizer, Scalar

COMMON = 3  # gradient_scale, l2, decay


class Lamb(Optimizer):
    """Adam's direction, in steps whose length is relative to that of the parameter.

        d = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon),  m and v as in Adam
        p -= rate * |p| / |d| * d,                                      t = 1, 2, ...

    The norms are those of a whole parameter; where one of them is 0, their ratio counts as 1.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001.
    beta_1, beta_2 : float, optional
        At least 0, less than 1. Default 0.9 and 0.999.
    epsilon : float, optional
        Default 1e-7 (paper 1e-6).
    weight_decay : float, optional
        In the flavor "keras" decoupled, in the flavor "paper" d += weight_decay * p, whose norm then is that of d
        (default 0.01).
    flavor : {"keras", "paper"}
        What weight decay is, and defaults.
    name, **options
        See `Optimizer`.

    References
    ----------
    Y. You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", ICLR 2020.
    """

    _row = "lamb_direction"
    _tensors = True
    _hyper_parameters = ("beta_1", "beta_2", "epsilon")
    _flavors: ClassVar[Flavors] = {
        "keras": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        "paper": {"epsilon": 1e-6, "weight_decay": 0.01},
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
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        self.beta_1, self.beta_2 = self._given("beta_1", beta_1, 1.0), self._given("beta_2", beta_2, 1.0)
        self.epsilon = self._given("epsilon", epsilon)

    def slots(self) -> tuple[str, ...]:
        # the direction takes the place of the gradient
        return "m", "v", "gradient"

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        direction = formulas.adam(step, 1.0, self.beta_1, self.beta_2, self.epsilon, "textbook")
        return (*direction, 1.0, 0.0, 0.0, *formulas.sgd(rate))

    def _decay(self, rate: NDArray[np.float64]) -> Scalar:
        return 0.0 if self.flavor == "paper" else super()._decay(rate)

    def plan_key(self) -> tuple[object, ...]:
        return (*super().plan_key(), self.flavor, self.weight_decay)

    def emit(self, update: Any) -> None:
        update.apply(self.row)
        for place, parameter in enumerate(update.parameters):
            if self.flavor == "paper" and self.weight_decay and self.decays(parameter):
                update.combine(self.weight_decay, *update.buffers(place, "value"), 1.0,
                               *update.buffers(place, "gradient"))  # fmt: skip
        p, direction = update.squares(of_parameters=True), update.squares(of_parameters=False)
        ratios = update.ratios(p, direction, update.group(0), scaled=False)
        update.apply("sgd", COMMON + 5, scaled=False, ratios=ratios)


class Lars(Optimizer):
    """Momentum with a learning rate for each parameter, from its norm and that of its gradient.

        local = rate * trust_coefficient * |p| / (|g| + weight_decay * |p| + epsilon)
        v = momentum * v - local * (g + weight_decay * p);  p += v

    Where the norm of p or g is 0, local = rate.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.1.
    momentum : float
        From 0 to 1.
    weight_decay : float, optional
        L2 penalty. Default 0.0005.
    trust_coefficient : float
        How long a step is, relative to the parameter, at a learning rate of 1.
    epsilon : float
        Default 0.
    nesterov : bool
        As in `SGD`.
    exclude_vectors : bool
        Let biases and other parameters with fewer than two axes learn at the plain rate and not decay, as is customary;
        the paper has no such exception.
    name, **options
        See `Optimizer`.

    References
    ----------
    Y. You, I. Gitman, B. Ginsburg, "Large Batch Training of Convolutional Networks", 2017, algorithm 1.
    """

    _tensors = True
    _hyper_parameters = ("momentum", "trust_coefficient", "epsilon", "nesterov", "exclude_vectors")
    _flavors: ClassVar[Flavors] = {"paper": {"learning_rate": 0.1, "weight_decay": 0.0005}}

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        momentum: float = 0.9,
        weight_decay: float | None = None,
        trust_coefficient: float = 0.001,
        epsilon: float = 0.0,
        nesterov: bool = False,
        exclude_vectors: bool = True,
        name: str | None = None,
        *,
        flavor: str = "paper",
        **options: Any,
    ) -> None:
        options = {"decoupled_weight_decay": False, **options}
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        if self.decoupled_weight_decay:
            raise ValueError("Lars: the weight decay is part of the rule. Received: decoupled_weight_decay=True")
        if not isinstance(momentum, float) or not 0.0 <= momentum <= 1.0:
            raise ValueError(f"momentum must be a float between 0.0 and 1.0. Received: momentum={momentum!r}")
        self.momentum, self.nesterov, self.exclude_vectors = momentum, bool(nesterov), bool(exclude_vectors)
        self.trust_coefficient = self._given("trust_coefficient", trust_coefficient)
        self.epsilon = self._given("epsilon", epsilon)

    @property
    def row(self) -> str:
        return "sgd" if self.momentum == 0.0 else "nesterov" if self.nesterov else "momentum"

    def group(self, parameter: Any) -> int:
        return int(self.exclude_vectors and len(parameter.shape) < 2)

    def decays(self, parameter: Any) -> bool:
        return self.group(parameter) == 0 and super().decays(parameter)

    def plan_key(self) -> tuple[object, ...]:
        return (*super().plan_key(), self.trust_coefficient, self.weight_decay, self.epsilon, self.exclude_vectors)

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        if self.row == "sgd":
            return formulas.sgd(rate)
        return (formulas.nesterov if self.nesterov else formulas.momentum)(step, rate, self.momentum)

    def emit(self, update: Any) -> None:
        p, g = update.squares(of_parameters=True), update.squares(of_parameters=False)
        ratios = update.ratios(
            p, g, update.group(0),
            coefficient=self.trust_coefficient, decay=self.weight_decay or 0.0, eps=self.epsilon,
        )  # fmt: skip
        update.apply(self.row, ratios=ratios)


class Muon(Optimizer):
    """Momentum whose step is made nearly orthogonal, so that all directions of a matrix learn alike; Adam for the rest.

        m = momentum * m + g;  x = g + momentum * m (nesterov) or m;  x /= |x| + 1e-7
        ns_steps times:  s = x x^T;  x = muon_a x + (muon_b s + muon_c s s) x
        p -= rate * rms_rate * sqrt(max(rows, columns)) * x

    Matrices learn so, but for those in `exclude_layers` and embeddings; all other parameters learn as in AdamW. Name
    the output layer in `exclude_layers`.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Default 0.001.
    adam_beta_1, adam_beta_2, epsilon : float
        Of Adam.
    adam_weight_decay, weight_decay : float, optional
        Decoupled, of the parameters that learn as in Adam and of the others. Default 0.004.
    name, **options
        See `Optimizer`.
    exclude_layers : list of str, optional
        Regular expressions: a parameter in whose name ("dense_1/kernel") one is found learns as in Adam.
    exclude_embeddings : bool
        Whether parameters with "embedding" in their name learn as in Adam.
    muon_a, muon_b, muon_c : float
        Coefficients of the Newton-Schulz iteration.
    adam_lr_ratio : float
        Adam's learning rate, as a multiple of `learning_rate`.
    momentum : float
        At least 0, less than 1.
    ns_steps : int
        Newton-Schulz iterations.
    nesterov : bool
        Whether the step looks ahead.
    rms_rate : float or None
        None: p -= rate * x.

    References
    ----------
    K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
    J. Liu et al., "Muon is Scalable for LLM Training", 2025.
    """

    _row = "adam"
    _tensors = True
    _hyper_parameters = (
        *("adam_beta_1", "adam_beta_2", "adam_weight_decay", "epsilon", "exclude_layers", "exclude_embeddings"),
        *("muon_a", "muon_b", "muon_c", "adam_lr_ratio", "momentum", "ns_steps", "nesterov", "rms_rate"),
    )
    _flavors: ClassVar[Flavors] = {"keras": {"learning_rate": 0.001, "weight_decay": 0.004}}

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        exclude_layers: Iterable[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1.0,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        flavor: str = "keras",
        **options: Any,
    ) -> None:
        options = {"decoupled_weight_decay": True, **options}
        super().__init__(learning_rate, weight_decay, name, flavor=flavor, **options)
        if not self.decoupled_weight_decay:
            raise ValueError("Muon: the weight decay is decoupled. Received: decoupled_weight_decay=False")
        self.adam_beta_1 = self._given("adam_beta_1", adam_beta_1, 1.0)
        self.adam_beta_2 = self._given("adam_beta_2", adam_beta_2, 1.0)
        self.adam_weight_decay = self._given("adam_weight_decay", adam_weight_decay or 0.0)
        self.epsilon, self.momentum = self._given("epsilon", epsilon), self._given("momentum", momentum, 1.0)
        self.adam_lr_ratio = self._given("adam_lr_ratio", adam_lr_ratio)
        self.muon_a, self.muon_b, self.muon_c = float(muon_a), float(muon_b), float(muon_c)
        self.rms_rate = None if rms_rate is None else self._given("rms_rate", rms_rate)
        if isinstance(ns_steps, bool) or not isinstance(ns_steps, int) or ns_steps < 0:
            raise ValueError(f"ns_steps must be a whole number >= 0. Received: ns_steps={ns_steps!r}")
        self.ns_steps, self.nesterov, self.exclude_embeddings = ns_steps, bool(nesterov), bool(exclude_embeddings)
        self.exclude_layers = tuple(exclude_layers or ())
        for pattern in self.exclude_layers:
            try:
                re.compile(pattern)
            except (re.error, TypeError) as error:
                raise ValueError(
                    f"exclude_layers must hold regular expressions ({error}). Received: {pattern!r}"
                ) from None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "exclude_layers": list(self.exclude_layers)}

    def group(self, parameter: Any) -> int:
        """0: a matrix that learns as in Muon; 1: as in Adam."""
        if len(parameter.shape) != 2 or (self.exclude_embeddings and "embedding" in parameter.name.lower()):
            return 1
        return int(any(re.search(pattern, parameter.name) for pattern in self.exclude_layers))

    def plan_key(self) -> tuple[object, ...]:
        own = (self.exclude_layers, self.exclude_embeddings, self.muon_a, self.muon_b, self.muon_c)
        return (*super().plan_key(), *own, self.momentum, self.ns_steps, self.nesterov, self.rms_rate)

    def _decay(self, rate: NDArray[np.float64]) -> Scalar:
        return rate * self.adam_weight_decay

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        adam = formulas.adam(step, rate * self.adam_lr_ratio, self.adam_beta_1, self.adam_beta_2, self.epsilon)
        return (*adam, 1.0, 0.0, rate * (self.weight_decay or 0.0), *formulas.sgd(rate))

    def emit(self, update: Any) -> None:
        first, end = update.group(0)
        for place in range(first, end):
            self._orthogonal(update, place)
        update.apply("sgd", COMMON + 5, (first, end), scaled=False)
        update.apply(self.row, part=update.group(1))

    def _orthogonal(self, update: Any, place: int) -> None:
        """The gradient of a matrix becomes the direction of its step."""
        g, m = update.buffers(place, "gradient", "m")
        rows, columns = update.parameters[place].shape
        small, large = min(rows, columns), max(rows, columns)
        x, y = (update.plan.numbers(rows * columns, update.plan.dtype) for _ in range(2))
        s, t = (update.plan.numbers(small * small, update.plan.dtype) for _ in range(2))
        scaled = {"a_column": 0, "factor": update.scales, "place": place}
        update.combine(1.0, g, self.momentum, m, **scaled)
        if self.nesterov:
            update.combine(1.0, g, 0.0, x, **scaled)
            update.combine(self.momentum, m, 1.0, x)
        else:
            update.combine(1.0, m, 0.0, x)
        update.combine(1.0, x, 0.0, y, factor=update.inverse_norm(x, 1e-7))
        x, y = y, x
        tall = rows > columns
        for _ in range(self.ns_steps):
            # the smaller of x x^T and x^T x: a tall matrix is iterated as its transpose
            update.product(x, x, s, (small, small, large), transposed=(tall, not tall))
            update.combine(1.0, s, 0.0, t)
            update.product(s, s, t, (small, small, small), alpha=self.muon_c, beta=self.muon_b)
            update.combine(1.0, x, 0.0, y)
            left, right = (x, t) if tall else (t, x)
            update.product(left, right, y, (rows, columns, small), beta=self.muon_a)
            x, y = y, x
        scale = 1.0 if self.rms_rate is None else self.rms_rate * math.sqrt(large)
        update.combine(scale, x, 0.0, g)
