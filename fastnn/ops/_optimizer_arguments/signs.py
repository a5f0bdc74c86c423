"""Arguments of lion_ and rprop_."""

from __future__ import annotations

from fastnn.ops import _optimizer_scalars as formulas
from fastnn.ops._check import flag, number
from fastnn.ops._optimizer_arguments.common import NOTHING_COMMON, PART, Scalars, rate_and_common


def lion(
    op: str,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.99,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of lion_.

    Parameters
    ----------
    b1 : float, from 0 to less than 1
        Part of the running mean in the direction of the step.
    b2 : float, from 0 to less than 1
        The part of the running mean that is kept.
    lr, weight_decay, decoupled
        As in `sgd_`.
    """
    rate, common = rate_and_common(op, lr, weight_decay, decoupled)
    return (*common, *formulas.lion(rate, number(op, "b1", b1, PART), number(op, "b2", b2, PART)))


def rprop(
    op: str,
    shrink: float = 0.5,
    grow: float = 1.2,
    smallest: float = 1e-6,
    largest: float = 50.0,
    take_back: bool = False,
) -> Scalars:
    """Arguments of rprop_.

    Parameters
    ----------
    shrink : float, > 0 and < 1
        Factor of the step size after the gradient has turned.
    grow : float, >= 1
        Factor of the step size while it has not.
    smallest, largest : float, >= 0
        Bounds of the step size.
    take_back : bool
        After a turn, take the last step back (the paper), or only wait for the next one (PyTorch).
    """
    factors = number(op, "shrink", shrink, "> 0 and < 1"), number(op, "grow", grow, ">= 1")
    bounds = number(op, "smallest", smallest, ">= 0"), number(op, "largest", largest, ">= 0")
    return (*NOTHING_COMMON, *formulas.rprop(*factors, *bounds, flag(op, "take_back", take_back)))
