"""Schedules: how the learning rate, or the momentum, changes from update to update.

Keras's names, arguments and values, and those of PyTorch's schedulers that Keras lacks. A schedule is a pure function
of the number of updates made so far (0, 1, ...; Keras's `iterations`), never of epochs: it has no state, so a training
that resumes goes on where it was. What depends on how the training goes, and on epochs, is a callback:
`fastnn.callbacks.ReduceLROnPlateau`, `LearningRateScheduler`.

| PyTorch                     | here                                                              |
|-----------------------------|-------------------------------------------------------------------|
| StepLR, MultiStepLR         | `StepDecay`, `MultiStepDecay`                                     |
| ExponentialLR, PolynomialLR | `ExponentialDecay` with decay_steps=1, `PolynomialDecay` to 0     |
| LinearLR, ConstantLR        | `LinearWarmup`, `PiecewiseConstantDecay`                          |
| CosineAnnealingLR           | `CosineDecay`                                                     |
| CosineAnnealingWarmRestarts | `CosineDecayRestarts`                                             |
| OneCycleLR, CyclicLR        | `OneCycle`, `Cyclic`; `OneCycleMomentum`, `CyclicMomentum`        |
| SequentialLR                | `SequentialSchedule`                                              |
| LambdaLR                    | any function of the step, given to the optimizer                  |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnn._registry import Registry, from_config
from fastnn.schedules.base import LearningRateSchedule
from fastnn.schedules.chains import Constant, LinearWarmup, SequentialSchedule
from fastnn.schedules.cycles import Cyclic, CyclicMomentum, OneCycle, OneCycleMomentum
from fastnn.schedules.decays import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    MultiStepDecay,
    NoamDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
    StepDecay,
)

__all__ = [
    "LearningRateSchedule",
    "ExponentialDecay", "PiecewiseConstantDecay", "PolynomialDecay", "InverseTimeDecay",
    "CosineDecay", "CosineDecayRestarts",
    "StepDecay", "MultiStepDecay", "NoamDecay",
    "OneCycle", "OneCycleMomentum", "Cyclic", "CyclicMomentum",
    "Constant", "LinearWarmup", "SequentialSchedule",
    "get", "serialize", "deserialize",
]  # fmt: skip


def get(identifier: object) -> LearningRateSchedule:
    """The schedule that `identifier` means.

    Parameters
    ----------
    identifier : LearningRateSchedule or dict
        {"class_name": "StepDecay", "config": {"initial_learning_rate": 0.1, "step_size": 100}}; an instance is returned
        as it is. A name alone is not enough: every schedule needs arguments.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest match), and for everything else.
    """
    if isinstance(identifier, str):
        return from_config(_registry.find(identifier), {})  # says which arguments are missing
    return _registry.make(identifier)


def serialize(schedule: LearningRateSchedule) -> dict[str, Any]:
    """The dictionary from which `deserialize` builds an equal schedule."""
    return _registry.serialize(schedule)


def deserialize(config: Mapping[str, Any]) -> LearningRateSchedule:
    """The schedule that `serialize` described."""
    return get(config)


_registry: Registry[LearningRateSchedule] = Registry(
    "schedule",
    LearningRateSchedule,
    (
        *(ExponentialDecay, PiecewiseConstantDecay, PolynomialDecay, InverseTimeDecay, CosineDecay),
        *(CosineDecayRestarts, StepDecay, MultiStepDecay, NoamDecay, OneCycle, OneCycleMomentum, Cyclic),
        *(CyclicMomentum, Constant, LinearWarmup, SequentialSchedule),
    ),
    {},
)
