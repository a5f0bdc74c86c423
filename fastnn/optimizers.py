"""Optimizers with Keras's names, arguments, defaults and update rules.

An optimizer holds hyper-parameters and counts updates. The arithmetic on parameters is a row of the table of
optimizers (`Optimizer.row`); what the row needs to know about a step is a few scalars, and `scalars` computes them
for a whole block of steps at once, so that an epoch can run without coming back to Python. The state of the row lies
beside the parameters, in the engine's arena.

Weight decay is decoupled, for every optimizer: p -= learning_rate * weight_decay * p before the update.

Not here: clipping of gradients, moving averages of weights, loss scaling, gradient accumulation, AMSGrad, RMSprop with
momentum or centered. Passing such an option, with a value that would switch it on, is a ValueError.
"""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastnn._errors import unknown
from fastnn._registry import Registry, from_config
from fastnn.ops import _optimizer_scalars as formulas

LearningRate: TypeAlias = "float | Callable[[int], float]"
Scalar: TypeAlias = "float | NDArray[np.float64]"
Self = TypeVar("Self", bound="Optimizer")

# Scalars are computed ahead for this many steps.
_BLOCK = 1024

# Options of Keras that do not work here yet, each with the values that leave it off.
_ABSENT_OPTIONS: dict[str, tuple[object, ...]] = {
    "clipnorm": (None,),
    "clipvalue": (None,),
    "global_clipnorm": (None,),
    "use_ema": (False, None),
    "ema_momentum": (0.99, None),
    "ema_overwrite_frequency": (None,),
    "loss_scale_factor": (None,),
    "gradient_accumulation_steps": (None,),
    "amsgrad": (False, None),
    "centered": (False, None),
}


class Optimizer:
    """Base class; subclasses define `_row` (or `row`), `_hyper_parameters` and `_row_scalars`.

    Parameters
    ----------
    learning_rate : float or callable
        A callable is given the number of updates made so far (0, 1, ...) and returns the rate of the next one.
    weight_decay : float, optional
        p -= learning_rate * weight_decay * p in every step, before the update.
    name : str, optional
        Default: the name of the class in lower case.
    **options
        Further options of Keras, at their defaults only.

    Raises
    ------
    ValueError
        For rates that are not floats, and for options that do not work here yet.
    """

    _row: ClassVar[str] = ""
    # The hyper-parameters that the scalars depend on, apart from the learning rate.
    _hyper_parameters: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, learning_rate: LearningRate, weight_decay: float | None = None, name: str | None = None, **options: Any
    ) -> None:
        self._refuse(options)
        if not callable(learning_rate) and not isinstance(learning_rate, float):
            raise ValueError(
                "learning_rate must be a float, such as 0.001, or a function of the step that returns one. "
                f"Received: learning_rate={learning_rate!r}"
            )
        self.name = name or type(self).__name__.lower()
        self.iterations = 0
        self.weight_decay = None if weight_decay is None else _number("weight_decay", weight_decay)
        self.learning_rate = learning_rate
        self._key: tuple[object, ...] = ()
        self._first, self._block = 0, np.empty((0, 0))

    @property
    def row(self) -> str:
        """The name of the row in the table of optimizers."""
        return self._row

    @property
    def learning_rate(self) -> float:
        """The rate of the next update."""
        return self._rate(self.iterations)

    @learning_rate.setter
    def learning_rate(self, value: LearningRate) -> None:
        self._learning_rate: LearningRate = value if callable(value) else _number("learning_rate", value)

    def slot_value(self, name: str) -> float:
        """What the state called `name` starts from."""
        return 0.0

    def scalars(self, first_step: int, count: int) -> NDArray[np.float64]:
        """The scalars of the updates first_step, ..., first_step + count - 1, counted from 0.

        Returns
        -------
        ndarray of float64, shape (count, 3 + n), contiguous and read-only
            gradient_scale, l2, decay, then the n scalars of the row.
        """
        if callable(self._learning_rate):
            # Not computed ahead: nobody knows what a function will return later.
            return self._compute(first_step, count)
        key = (self._learning_rate, self.weight_decay, *(getattr(self, name) for name in self._hyper_parameters))
        start = first_step - self._first
        if key != self._key or start < 0 or start + count > len(self._block):
            self._block = self._compute(first_step, max(count, _BLOCK))
            self._key, self._first, start = key, first_step, 0
        return self._block[start : start + count]

    def get_config(self) -> dict[str, Any]:
        """The keyword arguments that build an equal optimizer, without its state.

        Raises
        ------
        ValueError
            If the learning rate is a function.
        """
        if callable(self._learning_rate):
            raise ValueError(f"A function as learning rate has no config. Received: {self._learning_rate!r}")
        own = {name: getattr(self, name) for name in self._hyper_parameters}
        return {"name": self.name, "learning_rate": self._learning_rate, "weight_decay": self.weight_decay, **own}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """The optimizer that `get_config` described."""
        return from_config(cls, config)

    def __repr__(self) -> str:
        own = "".join(f", {name}={getattr(self, name)!r}" for name in self._hyper_parameters)
        return f"{type(self).__name__}(learning_rate={self._learning_rate!r}{own})"

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        """The scalars of the row; `step` counts from 1."""
        raise NotImplementedError(f"{type(self).__name__} does not define _row_scalars")

    @classmethod
    def _refuse(cls, options: dict[str, Any]) -> None:
        for name, value in options.items():
            if name not in _ABSENT_OPTIONS:
                known = inspect.signature(cls).parameters.keys() | _ABSENT_OPTIONS.keys()
                raise unknown(f"argument of {cls.__name__}", name, known - {"options"})
            if value not in _ABSENT_OPTIONS[name]:
                raise ValueError(
                    f"{cls.__name__}: the option {name!r} does not work in this version. Received: {name}={value!r}"
                )

    def _rate(self, step: int) -> float:
        if callable(self._learning_rate):
            return _number("learning_rate", self._learning_rate(step))
        return self._learning_rate

    def _compute(self, first_step: int, count: int) -> NDArray[np.float64]:
        steps = range(first_step, first_step + count)
        if callable(self._learning_rate):
            rate = np.array([self._rate(step) for step in steps])
        else:
            rate = np.full(count, self._learning_rate)
        row = self._row_scalars(np.array(steps, np.float64) + 1.0, rate)
        block = formulas.with_common(row, count, decay=rate * (self.weight_decay or 0.0))
        block.flags.writeable = False
        return block


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

        momentum = 0:  p -= rate * g
        momentum > 0:  v = momentum * v - rate * g;  p += v
        nesterov:      v = momentum * v - rate * g;  p += momentum * v - rate * g

    Parameters
    ----------
    learning_rate : float or callable
    momentum : float
        From 0 to 1.
    nesterov : bool
        Without effect if momentum is 0.
    weight_decay, name, **options
        See `Optimizer`.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum in deep learning",
    ICML 2013.
    """

    _hyper_parameters = ("momentum", "nesterov")

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, **options)
        if not isinstance(momentum, float) or not 0.0 <= momentum <= 1.0:
            raise ValueError(f"momentum must be a float between 0.0 and 1.0. Received: momentum={momentum!r}")
        self.momentum, self.nesterov = momentum, bool(nesterov)

    @property
    def row(self) -> str:
        if self.momentum == 0.0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        if self.row == "sgd":
            return formulas.sgd(rate)
        return formulas.nesterov(rate, self.momentum) if self.nesterov else formulas.momentum(rate, self.momentum)


class Adam(Optimizer):
    """Gradient descent with moving averages of the gradient and its square.

        m += (g - m) * (1 - beta_1);  v += (g * g - v) * (1 - beta_2)
        p -= rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)        t = 1, 2, ...

    Parameters
    ----------
    learning_rate : float or callable
    beta_1, beta_2 : float
        At least 0, less than 1.
    epsilon : float
        The "epsilon hat" of the paper: PyTorch adds its epsilon to sqrt(v / (1 - beta_2^t)) instead.
    weight_decay, name, **options
        See `Optimizer`.

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    """

    _hyper_parameters = ("beta_1", "beta_2", "epsilon")
    _row = "adam"

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, amsgrad=amsgrad, **options)
        self.beta_1, self.beta_2 = _number("beta_1", beta_1, below=1.0), _number("beta_2", beta_2, below=1.0)
        self.epsilon = _number("epsilon", epsilon)

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        return formulas.adam(step, rate, self.beta_1, self.beta_2, self.epsilon)


class RMSprop(Optimizer):
    """Gradient descent, each step divided by a moving root mean square of the gradient.

        v = rho * v + (1 - rho) * g * g;  p -= rate * g / sqrt(v + epsilon)

    Parameters
    ----------
    learning_rate : float or callable
    rho : float
        At least 0, less than 1.
    momentum : float
        Only 0.0.
    epsilon : float
        Stands inside the root, as in Keras; PyTorch's stands outside.
    weight_decay, name, **options
        See `Optimizer`.

    References
    ----------
    T. Tieleman, G. Hinton, "Lecture 6.5 - rmsprop", Coursera: Neural Networks for Machine Learning, 2012.
    """

    _hyper_parameters = ("rho", "epsilon")
    _row = "rmsprop"

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, centered=centered, **options)
        if momentum != 0.0:
            raise ValueError(f"RMSprop works without momentum only in this version. Received: momentum={momentum!r}")
        self.rho, self.epsilon = _number("rho", rho, below=1.0), _number("epsilon", epsilon)

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        return formulas.rmsprop(rate, self.rho, self.epsilon)


def get(identifier: object) -> Optimizer | None:
    """The optimizer that `identifier` means.

    Parameters
    ----------
    identifier : str, class, instance, dict or None
        "adam" in any case, Adam, Adam(1e-3), {"class_name": "Adam", "config": {"learning_rate": 1e-3}}; None gives
        None.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest match), and for everything else.
    """
    return None if identifier is None else _registry.make(identifier)


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The dictionary from which `get` builds an equal optimizer, without its state."""
    return _registry.serialize(optimizer)


def _number(name: str, value: object, below: float = math.inf) -> float:
    """`value` as a float that is finite, at least 0 and less than `below`."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    number = float(value) if isinstance(value, numbers.Real) else math.nan
    if not 0.0 <= number < below:
        bounds = "a finite number that is at least 0" + ("" if below == math.inf else f" and less than {below:g}")
        raise ValueError(f"{name} must be {bounds}. Received: {name}={value!r}")
    return number


_CLASSES: tuple[type[Optimizer], ...] = (SGD, Adam, RMSprop)
_registry: Registry[Optimizer] = Registry("optimizer", Optimizer, _CLASSES, {})
