"""The book's optimizers: `update(params, grads)` changes the arrays of a dict in place, all of them in one call.

What is kept from step to step stands in dicts with the keys of the parameters, made at the first step.  Gradients
without a parameter are not looked at.  Parameters may also be plain numbers, which are replaced in the dict.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import ops

Params = MutableMapping[str, Any]
Slot = dict[str, NDArray[Any]]

__all__ = ["SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "RMSprop"]


def _zeros(params: Params) -> Slot:
    return {key: np.zeros_like(value) if _is_array(value) else np.zeros(()) for key, value in params.items()}


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _step(step: Callable[..., None], params: Params, grads: Params, *slots: Slot, **scalars: Any) -> None:
    """Call one of the `*_many` functions; numbers travel as arrays without dimensions."""
    arrays = {key: value if _is_array(value) else np.array(value, float) for key, value in params.items()}
    step(arrays, {key: grads[key] for key in params}, *slots, **scalars)
    for key, array in arrays.items():
        if array is not params[key]:
            params[key] = array[()]


class SGD:
    """``p -= lr * g``"""

    def __init__(self, lr: float = 0.01) -> None:
        self.lr = lr

    def update(self, params: Params, grads: Params) -> None:
        _step(ops.sgd_many, params, grads, lr=self.lr)


class Momentum:
    """``v = momentum * v - lr * g; p += v``"""

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        self.lr = lr
        self.momentum = momentum
        self.v: Slot | None = None

    def update(self, params: Params, grads: Params) -> None:
        self.v = self.v or _zeros(params)
        _step(ops.momentum_many, params, grads, self.v, lr=self.lr, mu=self.momentum)


class Nesterov:
    """``v = momentum * v - lr * g; p += momentum * v - lr * g``

    Notes
    -----
    That is ``p += momentum**2 * v - (1 + momentum) * lr * g`` with the v of before the step, as the book derives it.
    Some versions of its code take the v of after the step in that line; they compute something else.

    References
    ----------
    Bengio, Boulanger-Lewandowski and Pascanu, "Advances in optimizing recurrent networks", ICASSP 2013, section 3.5.
    """

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        self.lr = lr
        self.momentum = momentum
        self.v: Slot | None = None

    def update(self, params: Params, grads: Params) -> None:
        self.v = self.v or _zeros(params)
        _step(ops.nesterov_many, params, grads, self.v, lr=self.lr, mu=self.momentum)


class AdaGrad:
    """``h += g**2; p -= lr * g / (sqrt(h) + 1e-7)``

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", Journal of
    Machine Learning Research 12, 2011.
    """

    def __init__(self, lr: float = 0.01) -> None:
        self.lr = lr
        self.h: Slot | None = None

    def update(self, params: Params, grads: Params) -> None:
        self.h = self.h or _zeros(params)
        _step(ops.adagrad_many, params, grads, self.h, lr=self.lr, eps=1e-7, eps_inside=False)


class RMSprop:
    """``h = decay_rate * h + (1 - decay_rate) * g**2; p -= lr * g / (sqrt(h) + 1e-7)``

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5 - RMSProp", COURSERA: Neural Networks for Machine Learning, 2012.
    """

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        self.lr = lr
        self.decay_rate = decay_rate
        self.h: Slot | None = None

    def update(self, params: Params, grads: Params) -> None:
        self.h = self.h or _zeros(params)
        scalars = {"lr": self.lr, "rho": self.decay_rate, "eps": 1e-7}
        _step(ops.rmsprop_many, params, grads, self.h, **scalars, eps_inside=False)


class Adam:
    """``m += (1 - beta1) * (g - m); v += (1 - beta2) * (g**2 - v); p -= lr_t * m / (sqrt(v) + 1e-7)``

    with ``lr_t = lr * sqrt(1 - beta2**iter) / (1 - beta1**iter)``.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, section 2.
    """

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.iter = 0
        self.m: Slot | None = None
        self.v: Slot | None = None

    def update(self, params: Params, grads: Params) -> None:
        if not self.m or not self.v:
            self.m, self.v = _zeros(params), _zeros(params)
        self.iter += 1
        scalars = {"t": self.iter, "lr": self.lr, "b1": self.beta1, "b2": self.beta2, "eps": 1e-7}
        _step(ops.adam_many, params, grads, self.m, self.v, **scalars)
