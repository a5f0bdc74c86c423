"""Optimizers with Keras's names, arguments, defaults and update rules, and with those of others on request.

An optimizer holds hyper-parameters and counts updates. The arithmetic on parameters is a row of the table of
optimizers (`Optimizer.row`); what the row needs to know about a step is a few scalars, and `scalars` computes them
for a whole block of steps at once, so that an epoch can run without coming back to Python. The state of the row lies
beside the parameters, in the engine's arena.

Libraries give one name to different rules: where epsilon stands, what a weight decay decays, what a velocity is
measured in. `flavor` says whose rule is meant, and whose defaults: "keras" (the default), "torch", "book" (Deep
Learning from Scratch) or "paper" (where the method was published). docs/optimizers.md has all of them in a table.

What every optimizer can do besides - clipping of gradients, their accumulation, a moving average of the weights -
stands in `TrainingOptions` (options.py).

Not here: scaling of the loss. Passing that option is a ValueError.
"""

from __future__ import annotations

from typing import Any

from fastnn import _keras, schedules
from fastnn._registry import Registry
from fastnn.optimizers.adafactor import Adafactor
from fastnn.optimizers.adam import Adam, Adamax, AdamW, Nadam, RAdam
from fastnn.optimizers.adaptive import Adadelta, Adagrad, RMSprop
from fastnn.optimizers.averaging import ASGD, ScheduleFreeAdamW
from fastnn.optimizers.base import LearningRate, Optimizer
from fastnn.optimizers.ftrl import Ftrl
from fastnn.optimizers.lbfgs import LBFGS
from fastnn.optimizers.sgd import SGD
from fastnn.optimizers.signs import Lion, Rprop
from fastnn.optimizers.tensor import Lamb, Lars, Muon

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lars",
    "LearningRate", "Lion", "Muon", "Nadam", "Optimizer", "RAdam", "RMSprop", "Rprop", "ScheduleFreeAdamW",
    "deserialize", "get", "schedules", "serialize",
]  # fmt: skip


def get(identifier: object) -> Optimizer | None:
    """The optimizer that `identifier` means.

    Parameters
    ----------
    identifier : str, class, instance, dict or None
        "adam" in any case, Adam, Adam(1e-3), {"class_name": "Adam", "config": {"learning_rate": 1e-3}}; None gives
        None.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest match), and for everything else.
    """
    return None if identifier is None else _registry.make(identifier)


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The dictionary from which `get` builds an equal optimizer, without its state."""
    return _registry.serialize(optimizer)


def deserialize(config: dict[str, Any]) -> Optimizer:
    """The optimizer that `serialize` described."""
    return _registry.make(config)


_CLASSES: tuple[type[Optimizer], ...] = (
    *(SGD, Adam, RMSprop, Adagrad, Adadelta, AdamW, Adamax, Nadam, RAdam),
    *(Lamb, Lars, Muon, Adafactor, LBFGS),
    *(Ftrl, Lion, Rprop, ASGD, ScheduleFreeAdamW),
)
# PyTorch's spelling, where snake case does not meet it
_registry: Registry[Optimizer] = Registry("optimizer", Optimizer, _CLASSES, {"NAdam": Nadam})


def __getattr__(name: str) -> Any:
    raise _keras.absent("optimizers", name, __all__)
