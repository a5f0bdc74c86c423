"""Training steps, native against the reference: the same model, the same data, the same `fit`.

What is timed is whole epochs inside `fit` (shuffling, gathering, forward, backward, update), without the checks that
`fit` makes before the first one.  NumPy keeps the threads of its own BLAS, whatever fastnn.set_num_threads says.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from fastnn.backend import use_backend
from fastnn.benchmarks.operations import BLAS_SETTLES
from fastnn.benchmarks.timing import alternate
from fastnn.benchmarks.workloads import Workload
from fastnn.callbacks import Callback
from fastnn.models import Model

__all__ = ["Stopwatch", "TrainingResult", "bench_training", "compare_training"]

Array = NDArray[Any]
# steps of one epoch: few enough that both sides have their turn often
LEAST_STEPS, MOST_STEPS = 5, 50


class Stopwatch(Callback):
    """Takes the time of every epoch of `fit`.

    Attributes:
        epochs: seconds, one entry an epoch; validation counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[float] = []
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.epochs.append(time.perf_counter() - self._started)


@dataclass(frozen=True)
class TrainingResult:
    """What `compare_training` found.

    Attributes:
        name: of the model or workload.
        batch: samples per step.
        parameters: of the model.
        native, reference: median seconds per step.
        ratio: how many times longer the reference takes.
        rounds: how often the two took turns.
        steps: that each of them ran for this, without the warm-up.
    """

    name: str
    batch: int
    parameters: int
    native: float
    reference: float
    ratio: float
    rounds: int
    steps: dict[str, int]


def compare_training(model: Model, x: Array, y: Array, batch: int = 32, seconds: float = 2.0) -> TrainingResult:
    """Time the training steps of a compiled model on these data, native and reference in turns.

    The model is trained on by both.

    Parameters:
        x, y: samples and targets; as many full batches as there are, at most 50, are used.
        batch: samples per step; fewer if there are fewer samples.
        seconds: about how long to measure.

    Raises:
        ValueError, TypeError: data do not fit the model or each other.
    """
    batch = min(batch, len(x))
    available = max(1, len(x) // batch)

    def epochs(steps: int, count: int) -> float:
        watch = Stopwatch()
        samples = slice(steps * batch)
        model.fit(x[samples], y[samples], batch_size=batch, epochs=count, verbose=0, callbacks=[watch])
        return sum(watch.epochs) / count

    few = min(available, LEAST_STEPS)
    with use_backend("reference"):
        each = min(epochs(few, 1), epochs(few, 1)) / few
    # the reference's turn, warm-up included, must fit into the time a few times over
    steps = min(available, MOST_STEPS, max(few, int(seconds / 8 / each)))
    epoch = functools.partial(epochs, steps)

    found = alternate({"native": epoch, "reference": epoch}, seconds, inside=use_backend, settle=BLAS_SETTLES)
    rounds = len(found.rounds["native"])
    return TrainingResult(
        model.name,
        batch,
        model.count_params(),
        found.seconds("native") / steps,
        found.seconds("reference") / steps,
        found.ratio("reference", "native"),
        rounds,
        {name: rounds * calls * steps for name, calls in found.calls.items()},
    )


def bench_training(workload: Workload, seconds: float = 2.0) -> TrainingResult:
    """Measure one workload, see `compare_training`."""
    steps = MOST_STEPS if workload.is_dense else LEAST_STEPS
    return compare_training(workload.model(), *workload.data(steps), workload.batch, seconds)
