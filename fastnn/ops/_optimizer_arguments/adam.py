"""Arguments of the family of adam_."""

from __future__ import annotations

from fastnn.ops import _optimizer_scalars as formulas
from fastnn.ops._check import flag, number
from fastnn.ops._optimizer_arguments.common import NOTHING_COMMON, PART, Scalars, form_of, rate_and_common, step_number


def adam(
    op: str,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-7,
    form: str = "folded",
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of adam_ and amsgrad_.

    Parameters
    ----------
    t : int, >= 1
        Number of this step, the first being 1.
    b1, b2 : float, from 0 to less than 1
        The parts of the running means that are kept.
    eps : float, >= 0
        Keeps the quotient finite.
    form : {"folded", "textbook", "uncorrected"}
        Where eps is added: to sqrt(v) (Keras), or to sqrt(v / (1 - b2**t)) (algorithm 1 of the paper, PyTorch); or no
        bias correction at all (the paper of AMSGrad).
    lr, weight_decay, decoupled
        As in `sgd_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    form = form_of(op, form, "folded", "textbook", "uncorrected")
    beta1, beta2 = number(op, "b1", b1, PART), number(op, "b2", b2, PART)
    return (*common, *formulas.adam(step_number(op, t), rate, beta1, beta2, number(op, "eps", eps, ">= 0"), form))  # type: ignore[arg-type]


def adamw(
    op: str,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-7,
    form: str = "folded",
    weight_decay: float = 0.004,
    decoupled: bool = True,
) -> Scalars:
    """Arguments of adamw_.

    Parameters
    ----------
    t, lr, b1, b2, eps, form, weight_decay, decoupled
        As in `adam_`; the decay is decoupled unless you say otherwise.
    """
    return adam(op, t, lr, b1, b2, eps, form, weight_decay, decoupled)


def adam_raw(op: str, b1: float, b2: float, a: float, s: float, eps: float) -> Scalars:
    """Arguments of adam_raw_.

    Parameters
    ----------
    b1, b2 : float
        The parts of the running means that are kept.
    a, s : float
        rate and root_scale of the formula: every Adam is this function with its own pair.
    eps : float
        Keeps the quotient finite.
    """
    beta1, beta2 = number(op, "b1", b1), number(op, "b2", b2)
    return (*NOTHING_COMMON, number(op, "a", a), number(op, "s", s), 1.0 - beta1, 1.0 - beta2, number(op, "eps", eps))


def adamax(
    op: str,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-7,
    eps_inside: bool = False,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of adamax_.

    Parameters
    ----------
    eps : float, >= 0
        Keeps the quotient finite.
    eps_inside : bool
        Whether eps is added to abs(g) in the maximum (PyTorch) or to the maximum (Keras).
    lr, weight_decay, decoupled, t, b1, b2
        As in `adam_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    given = number(op, "b1", b1, PART), number(op, "b2", b2, PART), number(op, "eps", eps, ">= 0")
    return (*common, *formulas.adamax(step_number(op, t), rate, *given, flag(op, "eps_inside", eps_inside)))


def nadam(
    op: str,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-7,
    momentum_decay: float = 1.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of nadam_.

    Parameters
    ----------
    momentum_decay : float, >= 0
        The momentum grows as b1 * (1 - 0.96**(t * momentum_decay) / 2); 1 in Keras, 0.004 in PyTorch and the paper.
    lr, weight_decay, decoupled, t, b1, b2, eps
        As in `adam_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    given = number(op, "b1", b1, PART), number(op, "b2", b2, PART), number(op, "eps", eps, ">= 0")
    return (
        *common,
        *formulas.nadam(step_number(op, t), rate, *given, number(op, "momentum_decay", momentum_decay, ">= 0")),
    )


def radam(
    op: str,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-7,
    threshold: float = 5.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of radam_.

    Parameters
    ----------
    threshold : float, >= 4
        The mean square counts once rho is greater: 5 in PyTorch (from step 6 on with b2 = 0.999), 4 in the paper.
    lr, weight_decay, decoupled, t, b1, b2, eps
        As in `adam_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    given = number(op, "b1", b1, PART), number(op, "b2", b2, PART), number(op, "eps", eps, ">= 0")
    return (*common, *formulas.radam(step_number(op, t), rate, *given, number(op, "threshold", threshold, ">= 4")))


def schedule_free_adamw(
    op: str,
    t: int,
    lr: float = 0.0025,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight: float | None = None,
    weight_decay: float = 0.0,
    decoupled: bool = True,
) -> Scalars:
    """Arguments of schedule_free_adamw_.

    Parameters
    ----------
    weight : float, from 0 to 1, optional
        Part of the walker z in the mean of its path; default 1 / t.
    lr, weight_decay, decoupled, t, b1, b2, eps
        As in `adam_`; the decay is decoupled unless you say otherwise.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    given = number(op, "b1", b1, PART), number(op, "b2", b2, PART), number(op, "eps", eps, ">= 0")
    step = step_number(op, t)
    part = 1.0 / step if weight is None else number(op, "weight", weight, ">= 0 and <= 1")
    return (*common, *formulas.schedule_free_adamw(step, rate, *given, part))
