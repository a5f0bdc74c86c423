"""The scalars of the optimizer rows (src_c/optimizers.def), computed once per step in double precision.

One function per row, named like it, or one for the rows of a family; the results stand in the order of the row's
scalars. Learning rate, momentum, beta_1 and the step (1, 2, ...) may be Python floats, or arrays with one entry per
step. `with_common` puts the three scalars that all rows share in front and makes the block that the kernels read, one
row per step.

Where libraries differ, arguments say what to do, not whom to follow: which library does what is written where users
choose (fastnn.optimizers, docs/optimizers.md).

Nothing here knows about parameters, gradients or state, and nothing is checked: the callers have done that.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

AdamForm: TypeAlias = Literal["folded", "textbook", "uncorrected"]
MomentumForm: TypeAlias = Literal["inside", "outside", "look_ahead"]
Number: TypeAlias = "float | NDArray[np.float64]"
Scalars: TypeAlias = "tuple[Number, ...]"

# What stands for an epsilon of 0: 0 / 0, the step of a parameter without a gradient, is then 0. It is too small to
# change any other step (the smallest normal float32, so that it survives where denormals are flushed).
SMALLEST = float(np.finfo(np.float32).tiny)


def places(epsilon: float, inside: bool) -> tuple[float, float]:
    """The eps under the root and the eps beside it."""
    return (epsilon, 0.0) if inside and epsilon else (0.0, max(epsilon, SMALLEST))


# -------------------------------------------------------------------------------------------------------------- descent


def sgd(rate: Number) -> Scalars:
    """p -= rate * g."""
    return (rate,)


def _velocity(step: Number, rate: Number, dampening: float, form: MomentumForm) -> Number:
    """What the velocity takes of the gradient; the first gradient is taken whole."""
    taken = np.where(np.equal(step, 1.0), 1.0, 1.0 - dampening) if dampening else 1.0
    return taken * np.ones_like(rate) if form == "outside" else -rate * taken


def momentum(step: Number, rate: Number, mu: Number, dampening: float = 0.0, form: MomentumForm = "inside") -> Scalars:
    """The velocity holds learning rates, or it does not:

    * inside (Keras): v = mu * v - rate * (1 - dampening) * g; p += v;
    * outside (PyTorch): v = mu * v + (1 - dampening) * g; p -= rate * v.
    """
    return mu, _velocity(step, rate, dampening, form), -rate if form == "outside" else 1.0


def nesterov(step: Number, rate: Number, mu: Number, dampening: float = 0.0, form: MomentumForm = "inside") -> Scalars:
    """As `momentum`, and then p -= rate * (g + mu * v) (outside), or the same with rates in v (inside).

    look_ahead: the caller has added mu * v to p and taken the gradient there; v = mu * v - rate * g; p -= rate * g.
    """
    gain = _velocity(step, rate, dampening, form)
    return mu, gain, {"inside": mu, "outside": -rate * mu, "look_ahead": 0.0}[form], -rate


def asgd(step: Number, rate: Number, lambd: float, alpha: float, t0: float) -> Scalars:
    """eta = rate / (1 + lambd * rate * (step - 1))^alpha; p -= eta * (lambd * p + g); averaging begins after t0."""
    eta = rate / (1.0 + lambd * rate * (step - 1.0)) ** alpha
    return eta, lambd * eta, 1.0 / np.maximum(1.0, step - 1.0 - t0)


# ---------------------------------------------------------------------------------------- scaled by what gradients were


def inverse_time(step: Number, rate: Number, decay: float) -> Number:
    """rate / (1 + decay * (step - 1)): PyTorch's lr_decay."""
    return rate / (1.0 + decay * (step - 1.0))


def adagrad(rate: Number, epsilon: float, eps_inside: bool = True) -> Scalars:
    """a += g * g; p -= rate * g / sqrt(a + epsilon), or rate * g / (sqrt(a) + epsilon)."""
    return rate, *places(epsilon, eps_inside)


def adadelta(rate: Number, rho: float, epsilon: float) -> Scalars:
    """p -= rate * sqrt(mean square of changes + epsilon) / sqrt(mean square of gradients + epsilon) * g."""
    return rate, rho, 1.0 - rho, max(epsilon, SMALLEST)


def rmsprop(rate: Number, rho: float, epsilon: float, eps_inside: bool = True) -> Scalars:
    """v = rho * v + (1 - rho) * g * g; p -= rate * g / sqrt(v + epsilon), or / (sqrt(v) + epsilon)."""
    return rate, rho, 1.0 - rho, *places(epsilon, eps_inside)


def rmsprop_momentum(
    rate: Number, mu: Number, rho: float, epsilon: float, eps_inside: bool = True, form: MomentumForm = "inside"
) -> Scalars:
    """b = mu * b + rate * quotient; p -= b (inside), or b = mu * b + quotient; p -= rate * b (outside)."""
    gain, step = (rate, 1.0) if form == "inside" else (1.0, rate)
    return mu, gain, step, rho, 1.0 - rho, *places(epsilon, eps_inside)


def ftrl(rate: Number, l1: float, l2: float, l2_shrinkage: float, beta: float, halves: bool = False) -> Scalars:
    """p = (clip(z, -l1, l1) - z) / (a^power / rate + 2 * l2 + beta / rate); l2 counts once if it is in `halves`.

    A rate of 0, as at the beginning of a warm-up, counts as a very small one.
    """
    inverse = 1.0 / np.maximum(rate, 1e-30)
    return inverse, l1, np.maximum((1.0 if halves else 2.0) * l2 + beta * inverse, SMALLEST), 2.0 * l2_shrinkage


# --------------------------------------------------------------------------------------------------- the family of Adam


def adam(
    step: Number, rate: Number, beta_1: Number, beta_2: float, epsilon: float, form: AdamForm = "folded"
) -> Scalars:
    """p -= rate' * m / (sqrt(v) * root_scale + epsilon), corrected for the bias at `step` = 1, 2, ...

    The first two forms are the same but for what epsilon is added to:

    * folded (Keras, TensorFlow; the "epsilon hat" of the paper): to sqrt(v). Both corrections go into the rate,
      rate' = rate * sqrt(1 - beta_2^t) / (1 - beta_1^t), root_scale = 1;
    * textbook (Algorithm 1 of the paper, PyTorch): to sqrt(v / (1 - beta_2^t)). Then
      rate' = rate / (1 - beta_1^t), root_scale = 1 / sqrt(1 - beta_2^t);
    * uncorrected (the paper of AMSGrad): rate' = rate, root_scale = 1.

    Reference: D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, section 2.
    """
    first = 1.0 - beta_1**step
    root = np.sqrt(1.0 - beta_2**step)
    kept = 1.0 - beta_1, 1.0 - beta_2, max(epsilon, SMALLEST)
    if form == "folded":
        return rate * root / first, 1.0, *kept
    if form == "textbook":
        return rate / first, 1.0 / root, *kept
    return rate, 1.0, *kept


def adamax(
    step: Number, rate: Number, beta_1: Number, beta_2: float, epsilon: float, eps_inside: bool = False
) -> Scalars:
    """p -= rate / (1 - beta_1^t) * m / (u + epsilon); or epsilon is added to |g| in the maximum u."""
    return rate / (1.0 - beta_1**step), 1.0 - beta_1, beta_2, *places(epsilon, eps_inside)


def nadam(
    step: Number,
    rate: Number,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    momentum_decay: float = 1.0,
    scheduled_means: bool = False,
) -> Scalars:
    """Momentum mu_t = beta_1 * (1 - 0.96^(t * momentum_decay) / 2), its product over all steps in the corrections.

    scheduled_means: as in the paper, the running mean of the gradient moves by 1 - mu_t instead of 1 - beta_1, and the
    mean square is corrected by beta_2 / (1 - beta_2^t) instead of 1 / (1 - beta_2^t).
    """
    last = int(np.max(step)) + 1
    # every factor is below beta_1: after so many steps the product is below 1e-40 and cannot be seen beside 1
    seen = last if beta_1 >= 1.0 else min(last, int(-92.2 / np.log(max(beta_1, 1e-40))) + 1)
    mu = beta_1 * (1.0 - 0.5 * 0.96 ** (np.arange(1.0, seen + 1.0) * momentum_decay))
    product = np.cumprod(mu)

    def until(at: Number) -> Number:
        index = np.asarray(at, np.int64)
        return np.where(index <= seen, product[np.minimum(index, seen) - 1], 0.0)

    now, following = (beta_1 * (1.0 - 0.5 * 0.96 ** (at * momentum_decay)) for at in (step, step + 1.0))
    return (
        rate * following / (1.0 - until(step + 1.0)),
        rate * (1.0 - now) / (1.0 - until(step)),
        np.sqrt((beta_2 if scheduled_means else 1.0) / (1.0 - beta_2**step)),
        1.0 - now if scheduled_means else 1.0 - beta_1,
        1.0 - beta_2,
        max(epsilon, SMALLEST),
    )


def radam(step: Number, rate: Number, beta_1: Number, beta_2: float, epsilon: float, threshold: float = 5.0) -> Scalars:
    """p -= plain * m while rho <= threshold, then p -= adaptive * m / (sqrt(v) + epsilon).

    Reference: L. Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020.
    """
    plain, second = rate / (1.0 - beta_1**step), 1.0 - beta_2**step
    limit = 2.0 / (1.0 - beta_2) - 1.0
    rho = limit - 2.0 * step * beta_2**step / second
    known = rho > threshold
    # where rho is too small the root is not used, but it is computed
    usable, end = np.where(known, rho, 6.0), limit if limit > 4.0 else 6.0
    rectified = np.sqrt((usable - 4.0) * (usable - 2.0) * end / ((end - 4.0) * (end - 2.0) * usable))
    adaptive = np.where(known, plain * np.sqrt(second) * rectified, 0.0)
    return np.where(known, 0.0, plain), adaptive, 1.0 - beta_1, 1.0 - beta_2, max(epsilon, SMALLEST)


def schedule_free_adamw(
    step: Number,
    rate: Number,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight: Number,
    corrected_root: bool = True,
    decay: float = 0.0,
) -> Scalars:
    """z -= rate * g / (sqrt(v / (1 - beta_2^t)) + epsilon); the mean takes `weight` of z, p is in between.

    Without `corrected_root` the correction is in the rate already. decay: of p, subtracted from z, times the rate.
    """
    scale = 1.0 / np.sqrt(1.0 - beta_2**step) if corrected_root else 1.0
    eps = max(epsilon, SMALLEST)
    return rate, scale, 1.0 - beta_1, 1.0 - beta_2, eps, rate * decay, 1.0 - weight, 1.0 - beta_1 + beta_1 * weight


# ---------------------------------------------------------------------------------------------------------------- signs


def lion(rate: Number, beta_1: Number, beta_2: float) -> Scalars:
    """p -= rate * sign(beta_1 * m + (1 - beta_1) * g); m = beta_2 * m + (1 - beta_2) * g."""
    return rate, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2


def rprop(shrink: float, grow: float, smallest: float, largest: float, take_back: bool = False) -> Scalars:
    """size *= grow or shrink, within the bounds; p -= size * sign(g), or the last step is taken back after a turn."""
    return shrink, grow, smallest, largest, float(take_back)


def with_common(
    scalars: Scalars,
    steps: int = 1,
    gradient_scale: float = 1.0,
    l2: float = 0.0,
    decay: Number = 0.0,
) -> NDArray[np.float64]:
    """The block (steps, 3 + len(scalars)): gradient_scale, l2, decay, then the scalars of the row, for each step.

    Before the row is applied, the kernels do g = gradient_scale * g + l2 * p and p -= decay * p.
    """
    columns = (gradient_scale, l2, decay, *scalars)
    block = np.empty((steps, len(columns)))
    for index, column in enumerate(columns):
        block[:, index] = column
    return block
