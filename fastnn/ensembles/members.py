"""How members are trained: from seeds of their own, on samples drawn with replacement, or as snapshots of one model.

Each function here is what another process is asked to do: it returns finished models and what they logged.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn._callback import Callback, Logs
from fastnn.models import Model
from fastnn.models.saving import from_bytes, to_bytes
from fastnn.schedules import CosineDecayRestarts
from fastnn.seeds import random_seed

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
        history = model.fit(x, y, callbacks=callbacks, **options).history
    size = epochs // count
    return [
        (from_bytes(data), {name: values[i * size : (i + 1) * size] for name, values in history.items()})
        for i, data in enumerate(cycles.models)
    ]


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
    """

    def __init__(self, epochs_per_cycle: int) -> None:
        super().__init__()
        self.epochs_per_cycle = epochs_per_cycle
        self.models: list[bytes] = []
        self._rate = 0.0

    def on_train_begin(self, logs: Logs = None) -> None:
        optimizer, steps = self.model.optimizer, self.params.get("steps")
        if not steps:
            raise ValueError("snapshots: the number of steps in an epoch must be known. Received: steps=None")
        if callable(optimizer._learning_rate):
            raise ValueError(
                "snapshots set the learning rate, but the optimizer has a schedule that sets it already. "
                f"Received: learning_rate={optimizer._learning_rate!r}"
            )
        self._rate = optimizer.learning_rate
        optimizer.learning_rate = CosineDecayRestarts(self._rate, self.epochs_per_cycle * steps, t_mul=1.0)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if (epoch + 1) % self.epochs_per_cycle == 0:
            self.models.append(to_bytes(self.model))

    def on_train_end(self, logs: Logs = None) -> None:
        self.model.optimizer.learning_rate = self._rate


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
