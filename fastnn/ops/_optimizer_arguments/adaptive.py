"""Arguments of adagrad_, adadelta_, the rmsprop family, ftrl_ and ftrl_power_."""

from __future__ import annotations

from fastnn.ops import _optimizer_scalars as formulas
from fastnn.ops._check import flag, number
from fastnn.ops._optimizer_arguments.common import PART, Scalars, form_of, rate_and_common


def adagrad(
    op: str,
    lr: float = 0.001,
    eps: float = 1e-7,
    eps_inside: bool = True,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of adagrad_.

    Parameters
    ----------
    eps : float, >= 0
        Keeps the quotient finite. With 0, the textbook form without eps, 0 / 0 counts as 0.
    eps_inside : bool
        Whether eps is under the root (Keras) or added to it (PyTorch).
    lr, weight_decay, decoupled
        As in `sgd_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    return (*common, *formulas.adagrad(rate, number(op, "eps", eps, ">= 0"), flag(op, "eps_inside", eps_inside)))


def adadelta(
    op: str,
    lr: float = 0.001,
    rho: float = 0.95,
    eps: float = 1e-7,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of adadelta_.

    Parameters
    ----------
    lr : float, >= 0
        Learning rate; the paper has none, that is 1.
    rho : float, from 0 to less than 1
        The part of the running means that is kept.
    eps : float, >= 0
        Keeps the quotient finite, and starts the first step.
    weight_decay, decoupled
        As in `sgd_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    return (*common, *formulas.adadelta(rate, number(op, "rho", rho, PART), number(op, "eps", eps, ">= 0")))


def rmsprop(
    op: str,
    lr: float = 0.001,
    rho: float = 0.9,
    eps: float = 1e-7,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    eps_inside: bool = True,
) -> Scalars:
    """Arguments of rmsprop_.

    Parameters
    ----------
    rho : float, from 0 to less than 1
        The part of the running mean that is kept.
    eps : float, >= 0
        Keeps the quotient finite. With 0, 0 / 0 counts as 0.
    eps_inside : bool
        Whether eps is under the root (Keras) or added to it (PyTorch).
    lr, weight_decay, decoupled
        As in `sgd_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    kept, epsilon = number(op, "rho", rho, PART), number(op, "eps", eps, ">= 0")
    return (*common, *formulas.rmsprop(rate, kept, epsilon, flag(op, "eps_inside", eps_inside)))


def rmsprop_momentum(
    op: str,
    lr: float = 0.001,
    mu: float = 0.9,
    rho: float = 0.9,
    eps: float = 1e-7,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    eps_inside: bool = True,
    form: str = "inside",
) -> Scalars:
    """Arguments of rmsprop_momentum_ and rmsprop_centered_momentum_.

    Parameters
    ----------
    mu : float, >= 0
        Momentum: the part of the buffer that is kept.
    form : {"inside", "outside"}
        Whether the buffer holds learning rates (Keras) or is multiplied by them (PyTorch).
    lr, weight_decay, decoupled, rho, eps, eps_inside
        As in `rmsprop_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    kept, epsilon = number(op, "rho", rho, PART), number(op, "eps", eps, ">= 0")
    inside, where = flag(op, "eps_inside", eps_inside), form_of(op, form, "inside", "outside")
    return (*common, *formulas.rmsprop_momentum(rate, number(op, "mu", mu, ">= 0"), kept, epsilon, inside, where))


def ftrl(
    op: str,
    lr: float = 0.001,
    l1: float = 0.0,
    l2: float = 0.0,
    l2_shrinkage: float = 0.0,
    beta: float = 0.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of ftrl_.

    Parameters
    ----------
    l1, l2 : float, >= 0
        Penalties l1 * sum(abs(p)) and l2 * sum(p**2). The paper's second one is half of that.
    l2_shrinkage : float, >= 0
        2 * l2_shrinkage * p is added to the gradient, but not to the sum of squares.
    beta : float, >= 0
        Makes the first rates smaller.
    lr, weight_decay, decoupled
        As in `sgd_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    penalties = number(op, "l1", l1, ">= 0"), number(op, "l2", l2, ">= 0")
    others = number(op, "l2_shrinkage", l2_shrinkage, ">= 0"), number(op, "beta", beta, ">= 0")
    return (*common, *formulas.ftrl(rate, *penalties, *others))


def ftrl_power(
    op: str,
    power: float,
    lr: float = 0.001,
    l1: float = 0.0,
    l2: float = 0.0,
    l2_shrinkage: float = 0.0,
    beta: float = 0.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of ftrl_power_.

    Parameters
    ----------
    power : float, >= 0
        Keras's -learning_rate_power: the rates fall with this power of the sum of squares; 0 keeps them.
    lr, weight_decay, decoupled, l1, l2, l2_shrinkage, beta
        As in `ftrl_`.
    """
    return (*ftrl(op, lr, l1, l2, l2_shrinkage, beta, weight_decay, decoupled), number(op, "power", power, ">= 0"))
