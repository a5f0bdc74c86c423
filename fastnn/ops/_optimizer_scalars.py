"""The scalars of the optimizer rows (src_c/optimizers.def), computed once per step in double precision.

One function per row, named like it; the results stand in the order of the row's scalars. The learning rate and the step
may be Python floats, or arrays with one entry per step. `with_common` puts the three scalars that all rows share in
front and makes the block that the kernels read, one row per step.

Nothing here knows about parameters, gradients or state, and nothing is checked: the callers have done that.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

AdamForm: TypeAlias = Literal["folded", "textbook"]
Steps = TypeVar("Steps", float, NDArray[np.float64])


def sgd(rate: Steps) -> tuple[Steps]:
    """p -= rate * g."""
    return (rate,)


def momentum(rate: Steps, mu: float) -> tuple[Steps, float]:
    """v = mu * v - rate * g; p += v."""
    return rate, mu


def nesterov(rate: Steps, mu: float) -> tuple[Steps, float]:
    """v = mu * v - rate * g; p += mu * v - rate * g."""
    return rate, mu


def adam(
    step: Steps, rate: Steps, beta_1: float, beta_2: float, epsilon: float, form: AdamForm = "folded"
) -> tuple[Steps, Steps, float, float, float]:
    """p -= rate' * m / (sqrt(v) * root_scale + epsilon), corrected for the bias at `step` = 1, 2, ...

    Both forms are the same but for what epsilon is added to:

    * folded (Keras, TensorFlow; the "epsilon hat" of the paper): to sqrt(v). Both corrections go into the rate,
      rate' = rate * sqrt(1 - beta_2^t) / (1 - beta_1^t), root_scale = 1;
    * textbook (Algorithm 1 of the paper, PyTorch): to sqrt(v / (1 - beta_2^t)). Then
      rate' = rate / (1 - beta_1^t), root_scale = 1 / sqrt(1 - beta_2^t).

    Reference: D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, section 2.
    """
    first = 1.0 - beta_1**step
    root = np.sqrt(1.0 - beta_2**step)
    if form == "folded":
        return rate * root / first, 0.0 * root + 1.0, 1.0 - beta_1, 1.0 - beta_2, epsilon
    return rate / first, 1.0 / root, 1.0 - beta_1, 1.0 - beta_2, epsilon


def rmsprop(rate: Steps, rho: float, epsilon: float) -> tuple[Steps, float, float]:
    """v = rho * v + (1 - rho) * g * g; p -= rate * g / sqrt(v + epsilon)."""
    return rate, rho, epsilon


def with_common(
    scalars: tuple[float | NDArray[np.float64], ...],
    steps: int = 1,
    gradient_scale: float = 1.0,
    l2: float = 0.0,
    decay: float | NDArray[np.float64] = 0.0,
) -> NDArray[np.float64]:
    """The block (steps, 3 + len(scalars)): gradient_scale, l2, decay, then the scalars of the row, for each step.

    Before the row is applied, the kernels do g = gradient_scale * g + l2 * p and p -= decay * p.
    """
    columns = (gradient_scale, l2, decay, *scalars)
    block = np.empty((steps, len(columns)))
    for index, column in enumerate(columns):
        block[:, index] = column
    return block
