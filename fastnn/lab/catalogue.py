"""The experiments: one line each, in the order in which a reader of the notes meets them.

The module of an experiment is imported when it is asked for: `fastnn lab list` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from fastnn._errors import unknown

# name -> what there is to see; the module is fastnn.lab.experiments.<name with underscores>
EXPERIMENTS = {
    # activations and gradients
    "activations": "every activation function and its derivative",
    # initial weights
    # losses
    # optimizers
    # regularisation and normalisation
    # architectures
    # search and ensembles
    # unsupervised learning
}


def names() -> list[str]:
    """The names of all experiments, in the order of the catalogue."""
    return list(EXPERIMENTS)


def check(name: str) -> str:
    """`name`, if there is such an experiment.

    Raises:
        ValueError: there is none; the message offers the nearest name.
    """
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    return name


def module(name: str) -> ModuleType:
    """The module of an experiment: it has `run(settings)` and `draw(result)`."""
    return import_module(f"fastnn.lab.experiments.{check(name).replace('-', '_')}")
