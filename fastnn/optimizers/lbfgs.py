"""L-BFGS: a quasi-Newton method for data that fit into one batch.

Unlike the others it evaluates the loss more than once in a step, so it is not part of a plan: it gets a function that
evaluates loss and gradient at given parameters, and moves them in Python, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnn.optimizers.base import Flavors, LearningRate, Optimizer
from fastnn.optimizers.line_search import strong_wolfe
from fastnn.optimizers.options import DEFAULTS

Vector = NDArray[np.float64]
# the loss and its gradient where the parameters are x
Closure = Callable[[Vector], tuple[float, Vector]]


class LBFGS(Optimizer):
    """The limited-memory BFGS method: steps along an estimate of -(inverse Hessian) gradient.

    The estimate comes from the last `history_size` changes of parameters and gradient (two-loop recursion). One step
    of training is up to `max_iter` iterations on its mini-batch, which should be the whole data: `fit` warns if it is
    not.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        Length of a step along the direction; the very first one is min(1, 1 / sum |g|) times as long. Default 1.0.
    max_iter : int
        Iterations in one step of training.
    max_eval : int, optional
        Evaluations in one step of training. Default: 1.25 * max_iter.
    tolerance_grad : float
        Stop where no number of the gradient is larger.
    tolerance_change : float
        Stop where neither a parameter nor the loss changes more.
    history_size : int
        How many changes are remembered.
    line_search_fn : {None, "strong_wolfe"}
        None takes every step as it is.
    name
        See `Optimizer`.

    Raises
    ------
    ValueError
        A value out of its range, or an option of `TrainingOptions`: clipped or averaged gradients are not those of the
        loss.

    Notes
    -----
    The rules are those of torch.optim.LBFGS, whose step is also up to max_iter iterations; so are the defaults.

    References
    ----------
    J. Nocedal, S. J. Wright, "Numerical Optimization", 2nd edition, Springer 2006, chapters 3 and 7.
    """

    _row = "lbfgs"
    _hyper_parameters = (
        "max_iter", "max_eval", "tolerance_grad", "tolerance_change", "history_size", "line_search_fn"
    )  # fmt: skip
    _flavors: ClassVar[Flavors] = {"torch": {"learning_rate": 1.0}}

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
        name: str | None = None,
        *,
        flavor: str = "torch",
        **options: Any,
    ) -> None:
        refused = {**DEFAULTS, "weight_decay": None}
        wrong = {key: options[key] for key in refused if options.get(key) not in (None, refused[key])}
        if wrong:
            raise ValueError(f"LBFGS evaluates the loss itself, without {', '.join(wrong)}. Received: {wrong}")
        options.pop("weight_decay", None)
        super().__init__(learning_rate, None, name, flavor=flavor, **options)
        self.max_iter = _count("max_iter", max_iter)
        self.max_eval = self.max_iter * 5 // 4 if max_eval is None else _count("max_eval", max_eval)
        self.history_size = _count("history_size", history_size)
        self.tolerance_grad = self._given("tolerance_grad", tolerance_grad)
        self.tolerance_change = self._given("tolerance_change", tolerance_change)
        if line_search_fn not in (None, "strong_wolfe"):
            raise ValueError(f"line_search_fn must be None or 'strong_wolfe'. Received: {line_search_fn!r}")
        self.line_search_fn = line_search_fn
        self.restart()

    def restart(self) -> None:
        super().restart()
        self.forget()

    def forget(self) -> None:
        """Begin the history anew: it was of other parameters."""
        self.state: dict[str, Any] = {"iterations": 0}

    def state_arrays(self) -> dict[str, Vector]:
        """What a file keeps of the history; empty before the first step."""
        state = self.state
        if "direction" not in state:
            return {}
        size = state["direction"].size
        return {
            "numbers": np.array([state["iterations"], state["scale"], state["length"]]),
            "direction": state["direction"],
            "previous_gradient": state["previous_gradient"],
            "changes": np.reshape(state["changes"], (-1, size)),
            "turns": np.reshape(state["turns"], (-1, size)),
        }

    def set_state_arrays(self, arrays: Mapping[str, Vector], size: int) -> None:
        """Go on from what `state_arrays` gave, for `size` trainable numbers.

        Raises
        ------
        ValueError
            Other arrays than those.
        """
        if not arrays:
            self.forget()
            return
        changes = arrays["changes"].shape[0] if "changes" in arrays and arrays["changes"].ndim == 2 else 0
        vector, history = (size,), (changes, size)
        expected = {
            "numbers": (3,), "direction": vector, "previous_gradient": vector, "changes": history, "turns": history
        }  # fmt: skip
        found = {name: array.shape for name, array in arrays.items()}
        if found != expected or changes > self.history_size or any(a.dtype != np.float64 for a in arrays.values()):
            raise ValueError(f"LBFGS: expected float64 arrays of shapes {expected}. Received: {found}")
        iterations, scale, length = arrays["numbers"].tolist()
        self.state = {
            "iterations": int(iterations), "scale": scale, "length": length, "direction": arrays["direction"].copy(),
            "previous_gradient": arrays["previous_gradient"].copy(),
            "changes": list(arrays["changes"].copy()), "turns": list(arrays["turns"].copy()),
        }  # fmt: skip

    def slots(self) -> tuple[str, ...]:
        return ()

    @property
    def whole_batch(self) -> bool:
        """It moves the parameters itself (`minimise`)."""
        return True

    def minimise(self, x: Vector, closure: Closure) -> tuple[Vector, float]:
        """One step: up to max_iter iterations from x on.

        Parameters
        ----------
        x : vector of float64
            All trainable parameters.
        closure : callable
            x -> (loss, gradient).

        Returns
        -------
        x : vector of float64
            The new parameters.
        loss : float
            The loss at the old ones.
        """
        if "direction" in self.state and self.state["direction"].size != x.size:
            self.forget()
        state, rate = self.state, self.learning_rate
        loss, g = closure(x)
        first_loss, evaluations = loss, 1
        if np.abs(g).max(initial=0.0) <= self.tolerance_grad:
            return x, first_loss
        for iteration in range(1, self.max_iter + 1):
            state["iterations"] += 1
            d = self._direction(g)
            state["previous_gradient"], previous_loss = g, loss
            slope = float(g @ d)
            if state["iterations"] == 1:
                length = min(1.0, 1.0 / float(np.abs(g).sum())) * rate
            else:
                length = rate
            state["direction"], state["length"] = d, length
            if slope > -self.tolerance_change:
                break
            evaluated = 0
            if self.line_search_fn is not None:
                loss, g, length, evaluated = strong_wolfe(
                    closure, x, length, d, loss, g, slope, self.max_eval - evaluations
                )
                state["length"] = length
                x = x + length * d
            else:
                x = x + length * d
                if iteration != self.max_iter:
                    loss, g = closure(x)
                    evaluated = 1
            evaluations += evaluated
            if (
                iteration == self.max_iter
                or evaluations >= self.max_eval
                or np.abs(g).max(initial=0.0) <= self.tolerance_grad
                or np.abs(length * d).max(initial=0.0) <= self.tolerance_change
                or abs(loss - previous_loss) < self.tolerance_change
            ):
                break
        return x, first_loss

    def _direction(self, g: Vector) -> Vector:
        """-H g, with the estimate H of the inverse Hessian after the last change is learnt."""
        state = self.state
        if state["iterations"] == 1 or "direction" not in state:
            state["changes"], state["turns"], state["scale"] = [], [], 1.0
            return -g
        y, s = g - state["previous_gradient"], state["direction"] * state["length"]
        curvature = float(y @ s)
        if curvature > 1e-10:
            if len(state["changes"]) == self.history_size:
                del state["changes"][0], state["turns"][0]
            state["changes"].append(s)
            state["turns"].append(y)
            state["scale"] = curvature / float(y @ y)
        q = -g
        parts = []
        for s, y in zip(reversed(state["changes"]), reversed(state["turns"])):
            weight = float(s @ q) / float(y @ s)
            parts.append(weight)
            q = q - weight * y
        q = q * state["scale"]
        for s, y, weight in zip(state["changes"], state["turns"], reversed(parts)):
            q = q + s * (weight - float(y @ q) / float(y @ s))
        return q


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"LBFGS: {name} must be a whole number >= 1. Received: {name}={value!r}")
    return int(value)
