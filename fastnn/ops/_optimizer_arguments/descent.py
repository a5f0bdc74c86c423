"""Arguments of sgd_, momentum_, nesterov_ and asgd_."""

from __future__ import annotations

from fastnn.ops import _optimizer_scalars as formulas
from fastnn.ops._check import flag, number
from fastnn.ops._optimizer_arguments.common import Scalars, form_of, rate_and_common, step_number


def sgd(op: str, lr: float = 0.01, weight_decay: float = 0.0, decoupled: bool = False) -> Scalars:
    """Arguments of sgd_.

    Parameters
    ----------
    lr : float, >= 0
        Learning rate.
    weight_decay : float, >= 0
        L2 penalty: weight_decay * p is added to the gradient.
    decoupled : bool
        Subtract lr * weight_decay * p from p instead of adding the penalty to the gradient (Loshchilov and Hutter,
        "Decoupled weight decay regularization", ICLR 2019).
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    return (*common, *formulas.sgd(rate))


def momentum(
    op: str,
    lr: float = 0.01,
    mu: float = 0.9,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    form: str = "inside",
    dampening: float = 0.0,
    first: bool = False,
) -> Scalars:
    """Arguments of momentum_.

    Parameters
    ----------
    mu : float, >= 0
        Momentum: the part of the velocity that is kept.
    form : {"inside", "outside"}
        Where the learning rate is. Inside the velocity (Keras): v = mu * v - lr * g, p += v. Outside (PyTorch):
        v = mu * v + g, p -= lr * v. The two part when lr changes.
    dampening : float
        The part of the gradient that the velocity does not take.
    first : bool
        This is the first step: nothing is dampened, as in PyTorch.
    lr, weight_decay, decoupled
        As in `sgd_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    kept, lost = number(op, "mu", mu, ">= 0"), number(op, "dampening", dampening)
    step = 1.0 if flag(op, "first", first) else 2.0
    return (*common, *formulas.momentum(step, rate, kept, lost, form_of(op, form, "inside", "outside")))


def nesterov(
    op: str,
    lr: float = 0.01,
    mu: float = 0.9,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    form: str = "inside",
    dampening: float = 0.0,
    first: bool = False,
) -> Scalars:
    """Arguments of nesterov_.

    Parameters
    ----------
    mu : float, >= 0
        Momentum: the part of the velocity that is kept.
    form : {"inside", "outside", "look_ahead"}
        Inside and outside as in `momentum_`: p is the point that looks ahead, and g its gradient. Look-ahead is the
        form of the papers: the caller moves p by `look_ahead_`, takes the gradient there and calls this function,
        which leaves in p the new parameter: v = mu * v - lr * g, p -= lr * g.
    lr, weight_decay, decoupled, dampening, first
        As in `momentum_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    kept, lost = number(op, "mu", mu, ">= 0"), number(op, "dampening", dampening)
    step = 1.0 if flag(op, "first", first) else 2.0
    return (*common, *formulas.nesterov(step, rate, kept, lost, form_of(op, form, "inside", "outside", "look_ahead")))


def asgd(
    op: str,
    t: int,
    lr: float = 0.01,
    lambd: float = 1e-4,
    alpha: float = 0.75,
    t0: float = 1e6,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of asgd_.

    Parameters
    ----------
    t : int, >= 1
        Number of this step, the first being 1.
    lambd : float, >= 0
        L2 penalty that also lets the rate fall: eta = lr / (1 + lambd * lr * (t - 1))**alpha.
    alpha : float
        The power with which it falls.
    t0 : float, >= 0
        Steps before averaging begins; until then the average is the parameter.
    lr, weight_decay, decoupled
        As in `sgd_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    given = number(op, "lambd", lambd, ">= 0"), number(op, "alpha", alpha), number(op, "t0", t0, ">= 0")
    return (*common, *formulas.asgd(step_number(op, t), rate, *given))
