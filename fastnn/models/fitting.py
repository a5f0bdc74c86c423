"""The loop behind `fit`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from fastnn.callbacks import CallbackList, History, ProgbarLogger

from .batches import Batch, batches, known_length
from .compiling import Goals
from .data import Data, is_array_like, one_of, sample_weights, split, warn, warn_unlike, whole, whole_or_none
from .evaluating import arrays, prepare, score
from .loops import DEFAULT_BATCH, VERBOSE, Hooks, Logs, batch_hooks, run_batches
from .runner import Pass, shuffled
from .scores import Scores, continued

if TYPE_CHECKING:
    from .model import Model


def fit(
    model: Model,
    x: Any,
    y: Any,
    *,
    batch_size: Any,
    epochs: Any,
    verbose: Any,
    callbacks: Any,
    validation_split: float,
    validation_data: Any,
    shuffle: bool,
    class_weight: Any,
    sample_weight: Any,
    initial_epoch: Any,
    steps_per_epoch: Any,
    validation_steps: Any,
    validation_batch_size: Any,
    validation_freq: Any,
) -> History:
    """See `Model.fit`."""
    one_of(verbose, VERBOSE, "verbose")
    epochs = whole(epochs, "epochs", "fit", least=0)
    initial_epoch = whole(initial_epoch, "initial_epoch", "fit", least=0)
    batch_size = whole_or_none(batch_size, "batch_size", "fit")
    steps = whole_or_none(steps_per_epoch, "steps_per_epoch", "fit")
    source: _Arrays | _Batches
    if is_array_like(x):
        x, y, weights = arrays(model, Batch(x, y, sample_weight), None, "fit")
        tail = None
        if validation_split and validation_data is None:
            (x, y, weights), tail = split(x, y, weights, validation_split, "fit")
        if class_weight is not None:  # which is of training only
            weights = sample_weights(model._structures[1], sample_weight, class_weight, y, "fit")
        source = _Arrays(model, x, y, weights, batch_size, shuffle, steps)
        if tail is not None:
            validation_data = tail
            for goal in source.goals.parts:
                if goal.classifies:
                    warn_unlike(y[goal.objective.output], tail[1][goal.objective.output])
    else:
        _refuse_beside_batches(x, y=y, sample_weight=sample_weight, validation_split=validation_split or None)
        source = _Batches(model, x, class_weight, steps)
    size = whole_or_none(validation_batch_size, "validation_batch_size", "fit") or batch_size
    validation = _Validation(model, validation_data, size, validation_steps, validation_freq)

    model.stop_training = False
    hooks = CallbackList(
        callbacks, add_history=True, add_progbar=verbose != 0, model=model,
        verbose=verbose, epochs=epochs, steps=source.steps,
    )  # fmt: skip
    around = batch_hooks(hooks, "train") if callbacks is not None else None
    model.position, model.resume_at = 0, None
    logs: Logs = {}
    try:
        hooks.on_train_begin()
        if model.resume_at is not None:
            initial_epoch = model.resume_at[0]
            source.resume(model.resume_at[1])
        for epoch in range(initial_epoch, epochs):
            if not source.begin():
                break
            hooks.on_epoch_begin(epoch)
            logs = source.epoch(around, hooks.progbar)
            if validation.due(epoch):
                logs.update(validation.run(hooks))
            hooks.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        if epochs:
            model.runner.finalize()
    finally:
        model.runner.observe(None)
        if hooks.progbar is not None:
            hooks.progbar.close()
    hooks.on_train_end(logs)
    assert hooks.history is not None
    return hooks.history


def _refuse_beside_batches(x: Any, **given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"fit: batches bring their own targets and weights, and are not split. "
                f"Received: {name} beside x of type {type(x).__name__}"
            )


class _Arrays:
    """Epochs over arrays, shuffled by index."""

    def __init__(
        self, model: Model, x: Any, y: Any, weights: Any, batch: int | None, shuffle: Any, steps: int | None
    ) -> None:
        self.model, self.shuffle = model, bool(shuffle)
        self.data, self.goals = model.prepare(x, y, weights, "fit")
        optimizer = model.optimizer
        whole = optimizer is not None and optimizer.whole_batch
        self.batch = batch = batch or (self.data.n if whole else DEFAULT_BATCH)
        if whole and batch < self.data.n:
            warn(
                f"fit: {type(optimizer).__name__} expects all samples in one batch. "
                f"Received: batch_size={batch} for {self.data.n} samples"
            )
        every = -(-self.data.n // batch)
        self.steps = every if steps is None else steps
        self.walk: Pass | None = None
        self.skipped = 0
        if self.steps > every:
            warn(f"fit: an epoch ends with the data, after {every} batches. Received: steps_per_epoch={steps}")

    def resume(self, batch: int) -> None:
        """Go on where a training was interrupted: `batch` batches into an epoch, at `model.position` in an order."""
        self.skipped = batch
        if self.model.position:
            self._begin(self.model.shuffles - 1)
            assert self.walk is not None
            self.walk.done = min(self.model.position, self.walk.batches)

    def begin(self) -> bool:
        """Begin a new pass unless `steps_per_epoch` has left a part of the last one."""
        if self.walk is None or self.walk.done == self.walk.batches:
            self._begin(self.model.next_shuffle() if self.shuffle else 0)
        return True

    def _begin(self, number: int) -> None:
        model = self.model
        order = shuffled(self.data.n, model.seed, number) if self.shuffle else None
        self.walk = Pass(model.runner, self.data, self.goals, self.batch, seed=model.seed, order=order)

    def epoch(self, around: Hooks | None, progbar: ProgbarLogger | None) -> Logs:
        assert self.walk is not None
        scores = Scores(self.goals)
        count = min(self.steps - self.skipped, self.walk.batches - self.walk.done)
        first, self.skipped = self.skipped, 0
        run_batches(self.walk, count, scores, around, progbar, first=first, stopped=self._stopped, moved=self._moved)
        return scores.finish()

    def _stopped(self) -> bool:
        return self.model.stop_training

    def _moved(self) -> None:
        assert self.walk is not None
        self.model.position = self.walk.done % self.walk.batches


class _Batches:
    """Epochs over an iterable of batches.

    A generator goes on where it stopped.  Anything else starts again with every epoch - or, where `steps_per_epoch`
    sets the length of epochs, when it has come to its end.
    """

    def __init__(self, model: Model, source: Any, class_weight: Any, steps: int | None) -> None:
        self.model, self.source, self.class_weight = model, source, class_weight
        self.once = hasattr(source, "__next__")
        self.goes_on = self.once or steps is not None
        self.steps = known_length(source) if steps is None else steps
        self.running = batches(source, "fit")
        self.next: Batch | None = None
        self.epochs = 0

    def resume(self, batch: int) -> None:
        """Go on where a training was interrupted: the first batches of the iterable are left out."""
        for _ in range(batch):
            next(self.running, None)

    def begin(self) -> bool:
        """Fetch the first batch of an epoch; False if a generator has no more."""
        if self.epochs and not self.goes_on:
            self.running = batches(self.source, "fit")
        self.next = next(self.running, None)
        if self.next is None and self.epochs and not self.once:
            self.running = batches(self.source, "fit")
            self.next = next(self.running, None)
        if self.next is None and not self.epochs:
            raise ValueError("fit: expected at least one batch. Received: an empty iterable")
        if self.next is None:
            warn(f"fit: training ends here. Received: a generator without further batches after {self.epochs} epochs")
        return self.next is not None

    def epoch(self, around: Hooks | None, progbar: ProgbarLogger | None) -> Logs:
        model, batch = self.model, self.next
        scores: Scores | None = None
        done = 0
        while batch is not None:
            data, goals = prepare(model, batch, self.class_weight, "fit")
            scores = continued(scores, goals, "fit")
            walk = Pass(model.runner, data, goals, data.n, seed=model.seed)
            done += run_batches(walk, 1, scores, around, progbar, first=done)
            if model.stop_training or done == self.steps:
                break
            batch = next(self.running, None)
        if self.steps is not None and done < self.steps and not model.stop_training:
            warn(f"fit: expected {self.steps} batches an epoch. Received: an iterable that ended after {done}")
        self.epochs += 1
        assert scores is not None
        return scores.finish()


class _Validation:
    """The evaluation after epochs; arrays are prepared once, before training begins."""

    def __init__(self, model: Model, data: Any, batch_size: int | None, steps: Any, freq: Any) -> None:
        self.model, self.data = model, data
        self.steps = whole_or_none(steps, "validation_steps", "fit")
        self.frequency: Any = freq if _is_list(freq) else whole(freq, "validation_freq", "fit")
        self.prepared = None
        self.batch_size = None
        if isinstance(data, (tuple, list)):
            if len(data) not in (2, 3):
                raise ValueError(
                    f"fit: validation_data must be (x, y), (x, y, sample_weight) or an iterable of batches. "
                    f"Received: {len(data)} items"
                )
            self.prepared = prepare(model, Batch(*data), None, "fit: validation_data")
            self.batch_size = batch_size or DEFAULT_BATCH

    def due(self, epoch: int) -> bool:
        if self.data is None:
            return False
        return epoch + 1 in self.frequency if _is_list(self.frequency) else (epoch + 1) % self.frequency == 0

    def run(self, hooks: CallbackList) -> Logs:
        where = "fit: validation_data"
        items: Iterable[tuple[Data, Goals]]
        if self.prepared is not None:
            items = [self.prepared]
        else:
            items = (prepare(self.model, batch, None, where) for batch in batches(self.data, where))
        logs = score(self.model, items, self.batch_size, self.steps, hooks, None, where)
        return {f"val_{name}": value for name, value in logs.items()}


def _is_list(freq: Any) -> bool:
    return not isinstance(freq, (int, str)) and isinstance(freq, Collection)
