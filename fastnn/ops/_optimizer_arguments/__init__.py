"""What the in-place optimizer functions take after their arrays, and how it becomes the scalars of a row.

One function per row (`ARGUMENTS`), or several rows with the same arguments, and a few under other names (`VARIANTS`).
Their signatures and the Parameters of their docstrings become those of `fastnn.ops.name_` and `name_many`; the
arithmetic is in _optimizer_scalars.  Defaults are Keras's, and so are the conventions where libraries differ.
"""

from __future__ import annotations

from collections.abc import Callable

from fastnn.ops._optimizer_arguments.adam import adam, adam_raw, adamax, adamw, nadam, radam, schedule_free_adamw
from fastnn.ops._optimizer_arguments.adaptive import adadelta, adagrad, ftrl, ftrl_power, rmsprop, rmsprop_momentum
from fastnn.ops._optimizer_arguments.common import NOTHING_COMMON, Scalars
from fastnn.ops._optimizer_arguments.descent import asgd, momentum, nesterov, sgd
from fastnn.ops._optimizer_arguments.signs import lion, rprop

__all__ = ["ARGUMENTS", "NOTHING_COMMON", "VARIANTS"]

ARGUMENTS: dict[str, Callable[..., Scalars]] = {
    "sgd": sgd, "momentum": momentum, "nesterov": nesterov, "asgd": asgd,
    "adagrad": adagrad, "adadelta": adadelta, "rmsprop": rmsprop, "rmsprop_centered": rmsprop,
    "rmsprop_momentum": rmsprop_momentum, "rmsprop_centered_momentum": rmsprop_momentum,
    "ftrl": ftrl, "ftrl_power": ftrl_power,
    "adam": adam, "amsgrad": adam, "adamax": adamax, "nadam": nadam, "radam": radam,
    "schedule_free_adamw": schedule_free_adamw, "lion": lion, "rprop": rprop,
}  # fmt: skip
# functions under another name than their row
VARIANTS: dict[str, tuple[str, Callable[..., Scalars]]] = {"adam_raw": ("adam", adam_raw), "adamw": ("adam", adamw)}
