"""Schedules that go from an initial value to a smaller one: those of Keras, and the stepwise ones of PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fastnn._numbers import finite, positive
from fastnn.schedules.base import LearningRateSchedule, Steps


class ExponentialDecay(LearningRateSchedule):
    """A constant factor for every `decay_steps` steps.

        value(t) = initial_learning_rate * decay_rate ** (t / decay_steps)

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : float
        Positive.
    decay_rate : float
        Not negative.
    staircase : bool
        Round t / decay_steps down: the value stays for decay_steps steps, then falls at once.
    name : str

    Notes
    -----
    PyTorch's ExponentialLR(gamma) is ExponentialDecay(rate, 1, gamma).
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = finite("initial_learning_rate", initial_learning_rate)
        self.decay_steps = positive("decay_steps", decay_steps)
        self.decay_rate = finite("decay_rate", decay_rate, at_least=0.0)
        self.staircase, self.name = staircase, name

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        periods = steps / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (np.floor(periods) if self.staircase else periods)


class InverseTimeDecay(LearningRateSchedule):
    """Falls like one over the time.

        value(t) = initial_learning_rate / (1 + decay_rate * t / decay_steps)

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : float
        Positive.
    decay_rate : float
        Not negative.
    staircase : bool
        Round t / decay_steps down.
    name : str
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = finite("initial_learning_rate", initial_learning_rate)
        self.decay_steps = positive("decay_steps", decay_steps)
        self.decay_rate = finite("decay_rate", decay_rate, at_least=0.0)
        self.staircase, self.name = staircase, name

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        periods = steps / self.decay_steps
        return self.initial_learning_rate / (1.0 + self.decay_rate * (np.floor(periods) if self.staircase else periods))


class PolynomialDecay(LearningRateSchedule):
    """Goes to `end_learning_rate` in `decay_steps` steps along a power of the time that is left.

        value(t) = (initial - end) * (1 - t / decay_steps) ** power + end

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : float
        Positive. Later values are end_learning_rate.
    end_learning_rate : float
    power : float
        Positive; 1 is a straight line.
    cycle : bool
        Instead of staying at the end, stretch decay_steps to its next multiple: the value jumps up and falls again,
        more slowly.
    name : str

    Notes
    -----
    PyTorch's PolynomialLR(total_iters, power) has the end 0; its LinearLR is the straight line.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = finite("initial_learning_rate", initial_learning_rate)
        self.decay_steps = positive("decay_steps", decay_steps)
        self.end_learning_rate = finite("end_learning_rate", end_learning_rate)
        self.power = positive("power", power)
        self.cycle, self.name = cycle, name

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        if self.cycle:
            fraction = steps / (self.decay_steps * np.maximum(1.0, np.ceil(steps / self.decay_steps)))
        else:
            fraction = np.minimum(steps, self.decay_steps) / self.decay_steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * (1.0 - fraction) ** self.power + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a period of the cosine, after a linear warm-up if wanted.

        value(t) = top * ((1 - alpha) * (1 + cos(pi * t / decay_steps)) / 2 + alpha)

    Parameters
    ----------
    initial_learning_rate : float
        The top, or where the warm-up begins.
    decay_steps : float
        Positive; counted from the end of the warm-up. Later values are alpha * top.
    alpha : float
        What is left at the end, as a fraction of the top.
    name : str
    warmup_target : float, optional
        The top that a straight line reaches from initial_learning_rate in warmup_steps steps. Without it there is no
        warm-up, whatever warmup_steps says (as in Keras).
    warmup_steps : float
        Not negative.

    Notes
    -----
    PyTorch's CosineAnnealingLR(T_max, eta_min) is CosineDecay(rate, T_max, eta_min / rate) up to T_max; after it,
    PyTorch's goes up again.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate = finite("initial_learning_rate", initial_learning_rate)
        self.decay_steps = positive("decay_steps", decay_steps)
        self.alpha, self.name = finite("alpha", alpha), name
        self.warmup_target = None if warmup_target is None else finite("warmup_target", warmup_target)
        self.warmup_steps = finite("warmup_steps", warmup_steps, at_least=0.0)

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        if self.warmup_target is None:
            return self._decay(steps, self.initial_learning_rate)
        decayed = self._decay(np.maximum(steps - self.warmup_steps, 0.0), self.warmup_target)
        rise = (self.warmup_target - self.initial_learning_rate) / max(self.warmup_steps, 1.0)
        return np.where(steps < self.warmup_steps, rise * steps + self.initial_learning_rate, decayed)

    def _decay(self, steps: Steps, top: float) -> NDArray[np.float64]:
        cosine = 0.5 * (1.0 + np.cos(np.pi * np.minimum(steps, self.decay_steps) / self.decay_steps))
        return top * ((1.0 - self.alpha) * cosine + self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """Half a period of the cosine again and again, each longer than the one before.

        value(t) = initial_learning_rate * ((1 - alpha) * m_mul ** i * (1 + cos(pi * f)) / 2 + alpha)

    where i counts the restarts and f is the part of the i-th period, of first_decay_steps * t_mul ** i steps, that has
    passed.

    Parameters
    ----------
    initial_learning_rate : float
    first_decay_steps : float
        The length of the first period; positive.
    t_mul : float
        Each period is so many times longer than the one before; at least 1.
    m_mul : float
        Each period begins so many times higher than the one before; not negative.
    alpha : float
        What is left at the end of a period, as a fraction of initial_learning_rate.
    name : str

    Notes
    -----
    The step of a restart belongs to the new period. Keras computes i from a ratio of logarithms, which can round
    to just below an integer. There t_mul below 1 gives NaN in the end; here it is refused. PyTorch's
    CosineAnnealingWarmRestarts(T_0, T_mult, eta_min) is CosineDecayRestarts(rate, T_0, T_mult, 1, eta_min / rate).

    References
    ----------
    As `CosineDecay`.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = finite("initial_learning_rate", initial_learning_rate)
        self.first_decay_steps = positive("first_decay_steps", first_decay_steps)
        self.t_mul = finite("t_mul", t_mul, at_least=1.0)
        self.m_mul = finite("m_mul", m_mul, at_least=0.0)
        self.alpha, self.name = finite("alpha", alpha), name

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        time = steps / self.first_decay_steps
        restarts = self._restarts(time)
        fraction = (time - self._start(restarts)) / self.t_mul**restarts
        cosine = 0.5 * self.m_mul**restarts * (1.0 + np.cos(np.pi * fraction))
        return self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)

    def _start(self, restarts: NDArray[np.float64]) -> NDArray[np.float64]:
        """When the period after so many restarts begins, in units of the first period."""
        if self.t_mul == 1.0:
            return restarts
        return (self.t_mul**restarts - 1.0) / (self.t_mul - 1.0)

    def _restarts(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.t_mul == 1.0:
            return np.floor(time)
        # The ratio of logarithms may be off by one in either direction. A start that only rounding misses is hit.
        guess = np.floor(np.log1p(time * (self.t_mul - 1.0)) / np.log(self.t_mul))
        reached = time * (1.0 + 1e-12)
        guess = np.where(reached >= self._start(guess + 1.0), guess + 1.0, guess)
        return np.where(reached < self._start(guess), guess - 1.0, guess)


class PiecewiseConstantDecay(LearningRateSchedule):
    """One value up to and with each boundary, another after it.

        value(t) = values[i],  boundaries[i - 1] < t <= boundaries[i]

    Parameters
    ----------
    boundaries : sequence of float
        Strictly increasing steps.
    values : sequence of float
        One more than there are boundaries.
    name : str

    Notes
    -----
    The step of a boundary still has the value to its left, as in Keras; in `MultiStepDecay`, as in PyTorch, it has the
    value to its right.
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                f"There must be one more of values than of boundaries. Received: {len(boundaries)} boundaries, "
                f"{len(values)} values"
            )
        self.boundaries = increasing("boundaries", boundaries)
        # Not "values": that is the method which all schedules share.
        self._values = [finite(f"values[{i}]", value) for i, value in enumerate(values)]
        self.name = name

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        return np.array(self._values)[np.searchsorted(self.boundaries, steps, side="left")]

    def get_config(self) -> dict[str, object]:
        return {"boundaries": list(self.boundaries), "values": list(self._values), "name": self.name}

    def __repr__(self) -> str:
        return f"PiecewiseConstantDecay(boundaries={self.boundaries!r}, values={self._values!r}, name={self.name!r})"


class StepDecay(LearningRateSchedule):
    """Multiplied by `gamma` every `step_size` steps; PyTorch's StepLR, counted in updates.

        value(t) = initial_learning_rate * gamma ** floor(t / step_size)

    Parameters
    ----------
    initial_learning_rate : float
    step_size : float
        Positive.
    gamma : float
        Not negative.
    name : str

    Notes
    -----
    PyTorch's schedulers are mostly stepped once per epoch: then step_size is epochs times the batches in one.
    """

    def __init__(
        self, initial_learning_rate: float, step_size: float, gamma: float = 0.1, name: str = "StepDecay"
    ) -> None:
        self.initial_learning_rate = finite("initial_learning_rate", initial_learning_rate)
        self.step_size = positive("step_size", step_size)
        self.gamma, self.name = finite("gamma", gamma, at_least=0.0), name

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        return self.initial_learning_rate * self.gamma ** np.floor(steps / self.step_size)


class MultiStepDecay(LearningRateSchedule):
    """Multiplied by `gamma` at each of the `milestones`; PyTorch's MultiStepLR, counted in updates.

        value(t) = initial_learning_rate * gamma ** (the number of milestones <= t)

    Parameters
    ----------
    initial_learning_rate : float
    milestones : sequence of float
        Strictly increasing steps.
    gamma : float
        Not negative.
    name : str
    """

    def __init__(
        self,
        initial_learning_rate: float,
        milestones: Sequence[float],
        gamma: float = 0.1,
        name: str = "MultiStepDecay",
    ) -> None:
        self.initial_learning_rate = finite("initial_learning_rate", initial_learning_rate)
        self.milestones = increasing("milestones", milestones)
        self.gamma, self.name = finite("gamma", gamma, at_least=0.0), name

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        passed = np.searchsorted(self.milestones, steps, side="right")
        return self.initial_learning_rate * self.gamma ** passed.astype(np.float64)


class NoamDecay(LearningRateSchedule):
    """A linear warm-up, then one over the square root of the time, scaled by the width of the model.

        value(t) = factor * model_dim ** -0.5 * min(n ** -0.5, n * warmup_steps ** -1.5),  n = t + 1

    Parameters
    ----------
    model_dim : float
        The width of the model; positive.
    warmup_steps : float
        Positive.
    factor : float
    name : str

    References
    ----------
    A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, equation 3, which counts steps from 1.
    """

    def __init__(
        self, model_dim: float, warmup_steps: float = 4000, factor: float = 1.0, name: str = "NoamDecay"
    ) -> None:
        self.model_dim = positive("model_dim", model_dim)
        self.warmup_steps = positive("warmup_steps", warmup_steps)
        self.factor, self.name = finite("factor", factor), name

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        n = steps + 1.0
        return self.factor * self.model_dim**-0.5 * np.minimum(n**-0.5, n * self.warmup_steps**-1.5)


def increasing(name: str, steps: Sequence[float]) -> list[float]:
    """The steps as a list of floats; ValueError unless each is larger than the one before."""
    checked = [finite(f"{name}[{i}]", step) for i, step in enumerate(steps)]
    if any(after <= before for before, after in pairwise(checked)):
        raise ValueError(f"{name} must be strictly increasing. Received: {name}={list(steps)!r}")
    return checked
