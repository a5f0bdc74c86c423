"""What the arguments of several optimizer functions share: learning rate with weight decay, the step, the form."""

from __future__ import annotations

from typing import Any

from fastnn._errors import unknown
from fastnn.ops._check import flag, number

Scalars = tuple[Any, ...]
NOTHING_COMMON = (1.0, 0.0, 0.0)  # gradient_scale, l2, decay
PART = ">= 0 and < 1"


def rate_and_common(op: str, lr: float, weight_decay: float, decoupled: bool) -> tuple[float, Scalars]:
    """The learning rate, and gradient_scale, l2 and decay."""
    rate, decay = number(op, "lr", lr, ">= 0"), number(op, "weight_decay", weight_decay, ">= 0")
    return rate, (1.0, 0.0, rate * decay) if flag(op, "decoupled", decoupled) else (1.0, decay, 0.0)


def step_number(op: str, t: int) -> float:
    step = number(op, "t", t, ">= 1 and < inf")
    if step != int(step):
        raise ValueError(f"{op}: t must be a whole number. Received: {t!r}")
    return step


def form_of(op: str, form: str, *forms: str) -> Any:
    if form not in forms:
        raise unknown(f"{op} form", form, forms)
    return form
