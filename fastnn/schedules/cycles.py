"""Schedules that rise and fall: the cyclical ones of L. N. Smith, for the learning rate and for the momentum.

The momentum goes down while the learning rate goes up, so each shape stands here once and serves two classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn._errors import unknown
from fastnn._numbers import finite, positive, whole
from fastnn.schedules.base import LearningRateSchedule, Steps

_STRATEGIES = ("cos", "linear")
_MODES = ("triangular", "triangular2", "exp_range")


class _OneCycle(LearningRateSchedule):
    """The phases of one cycle; a subclass says between which values each of them goes."""

    def __init__(self, total_steps: int, pct_start: float, anneal_strategy: str, three_phase: bool, name: str) -> None:
        self.total_steps = whole("total_steps", total_steps, at_least=1)
        self.pct_start = finite("pct_start", pct_start, at_least=0.0, at_most=1.0)
        if anneal_strategy not in _STRATEGIES:
            raise unknown("anneal_strategy", anneal_strategy, _STRATEGIES)
        self.anneal_strategy, self.three_phase, self.name = anneal_strategy, three_phase, name

    def _corners(self) -> list[float]:
        """The value where each phase begins, and where the last one ends."""
        raise NotImplementedError(f"{type(self).__name__} does not define _corners")

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        last = self.total_steps - 1.0
        turns = [self.pct_start * self.total_steps - 1.0]
        if self.three_phase:
            turns.append(2.0 * turns[0])
        begins, ends = np.array([0.0, *turns]), np.array([*turns, last])
        steps = np.minimum(steps, last)
        phase = np.searchsorted(turns, steps, side="left")  # a turn belongs to the phase that it ends
        length = (ends - begins)[phase]
        # A phase without length is already at its end.
        fraction = np.where(length > 0.0, (steps - begins[phase]) / np.where(length > 0.0, length, 1.0), 1.0)
        corners = np.array(self._corners())
        start, end = corners[phase], corners[phase + 1]
        if self.anneal_strategy == "linear":
            return (end - start) * fraction + start
        return end + (start - end) / 2.0 * (1.0 + np.cos(np.pi * fraction))


class OneCycle(_OneCycle):
    """Up from max_learning_rate / div_factor to max_learning_rate, and down to nearly nothing; PyTorch's OneCycleLR.

    With initial = max_learning_rate / div_factor and final = initial / final_div_factor, the corners are

        two phases:    initial -> max (at pct_start * total_steps - 1) -> final (at total_steps - 1)
        three phases:  initial -> max -> initial (at twice the step of max) -> final

    Parameters
    ----------
    max_learning_rate : float
    total_steps : int
        The updates in the whole training: epochs times the batches in one.
    pct_start : float
        From 0 to 1: the part of the cycle in which the value rises.
    anneal_strategy : {"cos", "linear"}
    div_factor, final_div_factor : float
        Positive.
    three_phase : bool
    name : str

    Notes
    -----
    Steps from total_steps on keep the last value; PyTorch raises an error there. `OneCycleMomentum` is its counterpart.

    References
    ----------
    L. N. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2018.
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        name: str = "OneCycle",
    ) -> None:
        super().__init__(total_steps, pct_start, anneal_strategy, three_phase, name)
        self.max_learning_rate = finite("max_learning_rate", max_learning_rate)
        self.div_factor = positive("div_factor", div_factor)
        self.final_div_factor = positive("final_div_factor", final_div_factor)

    def _corners(self) -> list[float]:
        initial = self.max_learning_rate / self.div_factor
        final = initial / self.final_div_factor
        return [initial, self.max_learning_rate, *([initial] if self.three_phase else []), final]


class OneCycleMomentum(_OneCycle):
    """The momentum beside a `OneCycle`: down to base_momentum while the learning rate rises, then up again.

    Parameters
    ----------
    total_steps : int
    base_momentum, max_momentum : float
    pct_start, anneal_strategy, three_phase, name
        As in `OneCycle`. In the third phase the momentum stays at max_momentum.
    """

    def __init__(
        self,
        total_steps: int,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        three_phase: bool = False,
        name: str = "OneCycleMomentum",
    ) -> None:
        super().__init__(total_steps, pct_start, anneal_strategy, three_phase, name)
        self.base_momentum = finite("base_momentum", base_momentum)
        self.max_momentum = finite("max_momentum", max_momentum)

    def _corners(self) -> list[float]:
        return [self.max_momentum, self.base_momentum, *([self.max_momentum] if self.three_phase else []),
                self.max_momentum]  # fmt: skip


class _Cyclic(LearningRateSchedule):
    """Triangles; a subclass says what it adds them to."""

    def __init__(self, step_size_up: float, step_size_down: float | None, mode: str, gamma: float, name: str) -> None:
        self.step_size_up = positive("step_size_up", step_size_up)
        self.step_size_down = None if step_size_down is None else positive("step_size_down", step_size_down)
        if mode not in _MODES:
            raise unknown("mode", mode, _MODES)
        self.mode, self.gamma, self.name = mode, finite("gamma", gamma, at_least=0.0), name

    def _height(self, steps: Steps) -> NDArray[np.float64]:
        """From 0 at the foot of a triangle to 1 at its top, times what is left of the amplitude."""
        up = self.step_size_up
        down = up if self.step_size_down is None else self.step_size_down
        cycle = np.floor(steps / (up + down))
        place = steps - cycle * (up + down)
        height = np.where(place <= up, place / up, (up + down - place) / down)
        if self.mode == "triangular2":
            return height * 0.5**cycle
        if self.mode == "exp_range":
            return height * self.gamma**steps
        return height


class Cyclic(_Cyclic):
    """Up and down between two values along straight lines; PyTorch's CyclicLR.

        value(t) = base_learning_rate + (max_learning_rate - base_learning_rate) * height(t) * scale(t)

    | mode          | scale(t)                                                  |
    |---------------|-----------------------------------------------------------|
    | "triangular"  | 1                                                         |
    | "triangular2" | 0.5 ** (the number of complete cycles)                    |
    | "exp_range"   | gamma ** t                                                |

    Parameters
    ----------
    base_learning_rate, max_learning_rate : float
        At the foot and at the top.
    step_size_up : float
        Steps from the foot to the top; positive.
    step_size_down : float, optional
        Steps from the top to the foot. Default: step_size_up.
    mode : {"triangular", "triangular2", "exp_range"}
    gamma : float
        For "exp_range".
    name : str

    Notes
    -----
    PyTorch's scale_fn is not here: a function has no config. `CyclicMomentum` is the counterpart.

    References
    ----------
    L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017.
    """

    def __init__(
        self,
        base_learning_rate: float,
        max_learning_rate: float,
        step_size_up: float = 2000,
        step_size_down: float | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        name: str = "Cyclic",
    ) -> None:
        super().__init__(step_size_up, step_size_down, mode, gamma, name)
        self.base_learning_rate = finite("base_learning_rate", base_learning_rate)
        self.max_learning_rate = finite("max_learning_rate", max_learning_rate)

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        return self.base_learning_rate + (self.max_learning_rate - self.base_learning_rate) * self._height(steps)


class CyclicMomentum(_Cyclic):
    """The momentum beside a `Cyclic`: max_momentum where the learning rate is at its foot, base_momentum at its top.

    Parameters
    ----------
    base_momentum, max_momentum : float
    step_size_up, step_size_down, mode, gamma, name
        As in `Cyclic`.
    """

    def __init__(
        self,
        base_momentum: float = 0.8,
        max_momentum: float = 0.9,
        step_size_up: float = 2000,
        step_size_down: float | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        name: str = "CyclicMomentum",
    ) -> None:
        super().__init__(step_size_up, step_size_down, mode, gamma, name)
        self.base_momentum = finite("base_momentum", base_momentum)
        self.max_momentum = finite("max_momentum", max_momentum)

    def _curve(self, steps: Steps) -> NDArray[np.float64]:
        return self.max_momentum - (self.max_momentum - self.base_momentum) * self._height(steps)
