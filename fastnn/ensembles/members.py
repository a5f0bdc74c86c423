"""How members are trained: from seeds of their own, on samples drawn with replacement, or as snapshots of one model.

Each function here is what another process is asked to do: it returns finished models and what they logged.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn._callback import Callback, Logs
from fastnn.models import Model
from fastnn.models.compiling import leaves
from fastnn.models.saving import from_bytes, to_bytes
from fastnn.schedules import CosineDecayRestarts
from fastnn.seeds import random_seed

from . import combining

History = dict[str, list[float]]
Build = Callable[[], Model]


def seed_of(seed: int, member: int) -> int:
    """The seed of a member, from that of the ensemble."""
    return int(np.random.SeedSequence([seed, member]).generate_state(1)[0])


def train(build: Build, seed: int, x: Any, y: Any, bagging: bool, options: Mapping[str, Any]) -> tuple[Model, History]:
    """One member, built and fitted after `set_random_seed(seed)`; for bagging on as many samples, drawn from all."""
    with random_seed(seed):
        model = built(build)
        options = own_copies(options)
        if bagging:
            chosen = np.random.Generator(np.random.PCG64(seed)).integers(0, length(x), length(x))
            x, y = take(x, chosen), take(y, chosen)
            if options.get("sample_weight") is not None:
                options["sample_weight"] = take(options["sample_weight"], chosen)
        history = model.fit(x, y, **options).history
    return model, history


def train_snapshots(
    build: Build, seed: int, x: Any, y: Any, count: int, options: Mapping[str, Any]
) -> list[tuple[Model, History]]:
    """`count` members from one training, each what the model is at the end of one cycle of the learning rate."""
    if options.get("initial_epoch"):
        raise ValueError(
            "snapshots: cycles are counted from the first epoch; initial_epoch must be 0. "
            f"Received: initial_epoch={options['initial_epoch']!r}"
        )
    epochs = int(options.get("epochs", 1))
    if epochs % count:
        raise ValueError(
            f"snapshots: epochs must be a multiple of the members, a cycle for each. Received: epochs={epochs} for "
            f"{count} members"
        )
    cycles = CyclicSnapshots(epochs // count)
    with random_seed(seed):
        model = built(build)
        options = own_copies(options)
        chosen = options.pop("callbacks", None) or []
        callbacks = [*(chosen if isinstance(chosen, (list, tuple)) else [chosen]), cycles]
        trained = len(model.fit(x, y, callbacks=callbacks, **options).epoch)
    if not cycles.models:
        raise ValueError(
            f"snapshots: training was stopped before the end of the first cycle, of {epochs // count} epochs, so that "
            f"there is no member. Received: {trained} epochs"
        )
    if len(cycles.models) < count:
        warnings.warn(
            f"snapshots: training was stopped after {trained} of {epochs} epochs, so that there are "
            f"{len(cycles.models)} members instead of {count}.",
            stacklevel=3,
        )
    snapshots = [from_bytes(data) for data in cycles.models]
    for snapshot in snapshots:
        assert snapshot.optimizer is not None
        snapshot.optimizer.learning_rate = cycles.rate  # and not the cycles, which were no part of what was built
    return list(zip(snapshots, cycles.histories))


class CyclicSnapshots(Callback):
    """Lets the learning rate fall from its value to zero along half a cosine, again and again, and keeps each end.

        value(t) = learning_rate (1 + cos(pi f)) / 2,    f: the part of the cycle that has passed

    Parameters
    ----------
    epochs_per_cycle : int

    Attributes
    ----------
    models : list of bytes
        The model at the end of each cycle, as `Model.save` writes it.
    histories : list of dict
        What was logged in each cycle; the last one may be unfinished.
    rate : float
        The learning rate from which each cycle starts.
    """

    def __init__(self, epochs_per_cycle: int) -> None:
        super().__init__()
        self.epochs_per_cycle = epochs_per_cycle
        self.models: list[bytes] = []
        self.histories: list[History] = []
        self.rate = 0.0

    def on_train_begin(self, logs: Logs = None) -> None:
        optimizer, steps = self.model.optimizer, self.params.get("steps")
        if not steps:
            raise ValueError("snapshots: the number of steps in an epoch must be known. Received: steps=None")
        if callable(optimizer._learning_rate):
            raise ValueError(
                "snapshots set the learning rate, but the optimizer has a schedule that sets it already. "
                f"Received: learning_rate={optimizer._learning_rate!r}"
            )
        self.rate = optimizer.learning_rate
        optimizer.learning_rate = CosineDecayRestarts(self.rate, self.epochs_per_cycle * steps, t_mul=1.0)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if epoch % self.epochs_per_cycle == 0:
            self.histories.append({})
        for name, value in (logs or {}).items():
            self.histories[-1].setdefault(name, []).append(value)
        if (epoch + 1) % self.epochs_per_cycle == 0:
            self.models.append(to_bytes(self.model))

    def on_train_end(self, logs: Logs = None) -> None:
        self.model.optimizer.learning_rate = self.rate


class Checked:
    """`build` for an ensemble that combines outputs like this: a model is refused before it is trained in vain."""

    def __init__(self, build: Build, combine: str, from_logits: bool) -> None:
        self.build, self.combine, self.from_logits = build, combine, from_logits

    def __call__(self) -> Model:
        model = built(self.build)
        if model.loss is not None:
            combining.check_kinds([combining.kind(loss) for loss in leaves(model.loss)], self.combine, self.from_logits)
        return model


def built(build: Build) -> Model:
    """The compiled model that `build` returns."""
    model = build()
    if not isinstance(model, Model) or not model.compiled:
        raise ValueError(f"build must return a compiled model. Received: {model!r}")
    return model


def own_copies(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of `fit` for one member: callbacks keep state, so each member has its own."""
    return {**options, **({"callbacks": copy.deepcopy(options["callbacks"])} if options.get("callbacks") else {})}


def length(x: Any) -> int:
    """How many samples there are."""
    return len(next(iter(x.values())) if isinstance(x, Mapping) else x[0] if _several(x) else x)


def take(x: Any, chosen: npt.NDArray[np.int64]) -> Any:
    """Some samples of arrays arranged as `fit` takes them."""
    if x is None:
        return None
    if isinstance(x, Mapping):
        return {name: take(part, chosen) for name, part in x.items()}
    if _several(x):
        return [take(part, chosen) for part in x]
    return np.asarray(x)[chosen]


def _several(x: Any) -> bool:
    """Whether it is a list of arrays, for several inputs or outputs."""
    return isinstance(x, (list, tuple)) and bool(x) and all(hasattr(part, "__array__") and np.ndim(part) for part in x)
