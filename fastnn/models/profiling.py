"""Where the time of a training step goes: what `Model.profile` returns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn import threads
from fastnn._numbers import positive
from fastnn.backend import current
from fastnn.engine.plan import Plan, Step
from fastnn.engine.states import states_aside

from .batches import Batch
from .borrowing import unchanged
from .data import whole
from .evaluating import prepare
from .loops import DEFAULT_BATCH

if TYPE_CHECKING:
    from .model import Model

Array = npt.NDArray[Any]

# steps that run before the clock does, and those that run between two looks at it
WARM_UP, ROUND = 3, 64


class Entry(NamedTuple):
    """Steps of one kind that one layer adds in one phase.

    layer: its name, "" where the step is nobody's.  phase: "gather", "forward", "loss", "metrics", "backward",
    "penalties" or "update".  operation: of the plan, with the row it computes.  seconds: for one mini-batch.
    """

    layer: str
    phase: str
    operation: str
    seconds: float


class Profile:
    """How long the parts of a training step take.

    Attributes:
        name: of the model.
        batch: samples per step.
        steps: measured.
        backend: its name.
        threads: that it may use.
        seconds: for one step, between the beginning of the first operation and the end of the last, on average.
        entries: in the order in which they run.
    """

    def __init__(self, name: str, plan: Plan, step_seconds: Array, seconds: float, steps: int) -> None:
        self.name, self.batch, self.steps, self.seconds = name, plan.batch, steps, seconds / steps
        self.backend, self.threads = current().name, threads.get_num_threads()
        found: dict[tuple[str, str, str], float] = {}
        for step, taken in zip(plan.steps, step_seconds.tolist()):
            key = (*step.part, _operation(step))
            found[key] = found.get(key, 0.0) + taken / steps
        self.entries = [Entry(*key, taken) for key, taken in found.items()]

    def by_phase(self) -> dict[str, float]:
        """Seconds of each phase."""
        return _sums((entry.phase, entry.seconds) for entry in self.entries)

    def by_layer(self) -> dict[str, float]:
        """Seconds of each layer, forward and backward."""
        return _sums((entry.layer, entry.seconds) for entry in self.entries if entry.layer)

    def by_operation(self) -> dict[str, float]:
        """Seconds of each operation."""
        return _sums((entry.operation, entry.seconds) for entry in self.entries)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, for JSON."""
        return {
            "name": self.name, "batch": self.batch, "steps": self.steps, "backend": self.backend,
            "threads": self.threads, "seconds": self.seconds, "entries": [entry._asdict() for entry in self.entries],
        }  # fmt: skip

    def __str__(self) -> str:
        rest = max(0.0, self.seconds - sum(entry.seconds for entry in self.entries))
        entries = [*self.entries, Entry("", "between", "clock, binding, waiting", rest)]
        rows = [((e.layer or "-", e.phase, e.operation), e.seconds) for e in entries]
        titles = ("layer", "phase", "operation")
        widths = [max(map(len, column)) for column in zip(titles, *(texts for texts, _ in rows))]
        plural = "s" * (self.threads != 1)
        lines = [
            f"{self.name}: {self.seconds * 1e6:.1f} us a step of {self.batch} samples "
            f"({self.backend}, {self.threads} thread{plural}, mean of {self.steps} steps)",
            "  ".join(f"{title:<{width}}" for title, width in zip(titles, widths)) + "        us  share",
        ]
        for texts, seconds in rows:
            columns = "  ".join(f"{text:<{width}}" for text, width in zip(texts, widths))
            lines.append(f"{columns}  {seconds * 1e6:>8.1f}  {seconds / self.seconds:>5.0%}")
        phases = ", ".join(f"{phase} {taken / self.seconds:.0%}" for phase, taken in self.by_phase().items())
        return "\n".join([*lines, phases])


def _operation(step: Step) -> str:
    return f"{step.op} {step.row}" if step.row else step.op


def _sums(pairs: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, value in pairs:
        found[key] = found.get(key, 0.0) + value
    return found


def profile(model: Model, x: Any, y: Any, sample_weight: Any, batch_size: Any, seconds: float) -> Profile:
    """See `Model.profile`."""
    seconds = positive("seconds", seconds)
    batch = whole(DEFAULT_BATCH if batch_size is None else batch_size, "batch_size", "profile")
    data, goals = prepare(model, Batch(x, y, sample_weight), None, "profile")
    runner, optimizer = model.runner, model.optimizer
    assert optimizer is not None
    if optimizer.whole_batch:
        raise ValueError(
            f"profile: expected an optimizer that adds steps to the plan. Received: {type(optimizer).__name__}"
        )
    batch = min(batch, data.n)
    with states_aside(model.graph):
        program = runner.for_training(goals, batch, True, data.graph).program
    program.bind(data.inputs, runner.predictions(goals, data.n))
    most = min(data.n // batch, ROUND)
    with runner.updating, unchanged(model):
        done, taken = -WARM_UP, 0.0
        while done <= 0 or taken < seconds:
            count = min(most, -done) if done < 0 else most
            if done <= 0:
                program.time_steps(True)
                taken = 0.0
            scalars = optimizer.scalars(optimizer.steps, count)
            started = time.perf_counter()
            program.run(0, count, None, scalars, model.seed, optimizer.steps & 0xFFFFFFFF)
            taken += time.perf_counter() - started
            optimizer.steps += count
            done += count
    return Profile(model.name, program.plan, np.asarray(program.step_seconds), taken, done)
