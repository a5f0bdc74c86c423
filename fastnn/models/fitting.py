"""The loops behind fit, evaluate, predict and the *_on_batch methods."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastnn.callbacks import CallbackList

from .data import (
    Batch,
    Data,
    batches,
    is_array_like,
    prepare_inputs,
    sample_weights,
    split,
    warn_unlike_tail,
)
from .runner import Pass, shuffled

DEFAULT_BATCH = 32


def positive(value: Any, name: str, where: str) -> int:
    """A whole number of at least 1.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{where}: {name} must be a positive whole number. Received: {value!r}")
    return int(value)


def display_mode(verbose: Any) -> int:
    """0, 1 or 2; "auto" is 1."""
    if verbose == "auto":
        return 1
    if verbose not in (0, 1, 2):
        raise ValueError(f"verbose must be 0, 1, 2 or 'auto'. Received: {verbose!r}")
    return int(verbose)


class Scores:
    """Turns sums of scores into logs, and feeds metrics that are computed from the predictions."""

    def __init__(self, model: Any, prefix: str = "") -> None:
        self.model, self.prefix = model, prefix
        self.totals: np.ndarray | None = None
        self.samples = 0
        for metric in model.metrics:
            metric.reset_state()

    def add(self, part: Pass) -> None:
        self.totals = part.totals if self.totals is None else self.totals + part.totals
        self.samples += part.samples

    def logs(self, part: Pass | None = None, final: bool = False) -> dict[str, float]:
        """Means so far; metrics computed from predictions only when a pass is over."""
        totals = self.totals
        samples = self.samples
        if part is not None:
            totals = part.totals if totals is None else totals + part.totals
            samples += part.samples
        if totals is None or samples == 0:
            return {}
        values = iter((totals / samples).tolist())
        logs = {self.prefix + "loss": next(values)}
        for metric, inside in zip(self.model.metrics, self.model.metrics_inside):
            if inside:
                logs[self.prefix + metric.name] = next(values)
            elif final:
                logs[self.prefix + metric.name] = float(metric.result())
        return logs


def fit(
    model: Any,
    x: Any,
    y: Any,
    *,
    batch_size: int | None,
    epochs: int,
    verbose: Any,
    callbacks: Any,
    validation_split: float,
    validation_data: Any,
    shuffle: bool,
    class_weight: Any,
    sample_weight: Any,
    initial_epoch: int,
    steps_per_epoch: int | None,
    validation_steps: int | None,
    validation_batch_size: int | None,
    validation_freq: int | Sequence[int],
) -> Any:
    where = "fit"
    mode = display_mode(verbose)
    epochs = positive(epochs, "epochs", where)
    if steps_per_epoch is not None:
        steps_per_epoch = positive(steps_per_epoch, "steps_per_epoch", where)
    source: _ArraySource | _BatchSource
    if is_array_like(x):
        batch = positive(batch_size, "batch_size", where) if batch_size is not None else DEFAULT_BATCH
        weights = sample_weights(sample_weight, class_weight, y, len(x), where)
        if validation_split and validation_data is None:
            x, y, weights, validation_data = _split(x, y, weights, validation_split, where)
        source = _ArraySource(model, x, y, weights, batch, shuffle, steps_per_epoch)
    else:
        if y is not None or sample_weight is not None:
            raise ValueError(
                f"{where}: batches bring their own targets and weights. Received: y or sample_weight beside an iterable"
            )
        if validation_split:
            raise ValueError(f"{where}: validation_split needs arrays. Received: x of type {type(x).__name__}")
        source = _BatchSource(model, x, class_weight, steps_per_epoch)

    validation = _Validation(
        model, validation_data, validation_batch_size or batch_size, validation_steps, validation_freq
    )
    model.stop_training = False
    hooks = CallbackList(
        callbacks, add_history=True, add_progbar=mode > 0, model=model, verbose=mode, epochs=epochs, steps=source.steps
    )
    hooks.on_train_begin()
    logs: dict[str, float] = {}
    try:
        for epoch in range(initial_epoch, epochs):
            hooks.on_epoch_begin(epoch)
            logs = source.epoch(hooks)
            model.epochs_seen += 1
            if not logs:
                break
            if validation.due(epoch):
                logs.update(validation.run(hooks))
            hooks.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
    except BaseException:
        if hooks.progbar is not None:
            hooks.progbar.close()
        raise
    hooks.on_train_end(logs)
    return model.history


class _ArraySource:
    """Epochs over arrays, shuffled by index."""

    def __init__(self, model: Any, x: Any, y: Any, weights: Any, batch: int, shuffle: bool, steps: int | None) -> None:
        self.model, self.batch, self.shuffle = model, batch, shuffle
        self.data, self.objective = model.prepare(x, y, weights, "fit")
        every = -(-self.data.n // batch)
        if steps is not None and steps > every:
            warnings.warn(
                f"fit: the data have {every} batches an epoch. Received steps_per_epoch={steps}", stacklevel=4
            )
        self.steps = every if steps is None else min(steps, every)

    def epoch(self, hooks: CallbackList) -> dict[str, float]:
        model, data = self.model, self.data
        scores = Scores(model)
        order = shuffled(data.n, model.seed, model.epochs_seen) if self.shuffle else None
        outside = _Outside(model, self.objective, data, order)
        part = model.runner.run(
            data,
            self.objective,
            self.batch,
            train=True,
            order=order,
            steps=self.steps,
            seed=model.seed,
            predictions=outside.predictions,
            on_batch=_batch_hook(model, hooks, scores) if hooks.wants_batches else None,
            pulse=_pulse(hooks, scores),
        )
        scores.add(part)
        outside.update(part.samples)
        return scores.logs(final=True)


class _Outside:
    """Metrics without a kernel: they look at the predictions of a whole pass."""

    def __init__(self, model: Any, objective: Any, data: Data, order: np.ndarray | None) -> None:
        self.model, self.data, self.order = model, data, order
        self.predictions = (
            np.empty((data.n, *objective.output_shape), model.runner.dtype) if objective.predictions else None
        )

    def update(self, samples: int) -> None:
        if self.predictions is None or self.data.y is None:
            return
        y = self.data.y if self.order is None else self.data.y[self.order]
        for metric, inside in zip(self.model.metrics, self.model.metrics_inside):
            if not inside:
                metric.update_state(y[:samples], self.predictions[:samples])


class _BatchSource:
    """Epochs over an iterable of batches: a generator goes on where it stopped, anything else starts again."""

    def __init__(self, model: Any, source: Any, class_weight: Any, steps: int | None) -> None:
        self.model, self.source, self.class_weight = model, source, class_weight
        self.steps = steps
        if steps is None and hasattr(source, "__len__"):
            self.steps = len(source)
        self.running: Iterator[Batch] | None = None

    def _iterator(self) -> Iterator[Batch]:
        if self.running is None:
            self.running = batches(self.source, "fit")
        return self.running

    def epoch(self, hooks: CallbackList) -> dict[str, float]:
        model = self.model
        scores: Scores | None = None
        done = 0
        endless = iter(self.source) is self.source
        if not endless:
            self.running = None
        for batch in self._iterator():
            weights = sample_weights(batch.weights, self.class_weight, batch.y, len(batch.x), "fit")
            data, objective = model.prepare(batch.x, batch.y, weights, "fit")
            if scores is None:
                scores = Scores(model)
            if hooks.wants_batches:
                hooks.on_train_batch_begin(done)
            outside = _Outside(model, objective, data, None)
            part = model.runner.run(
                data, objective, data.n, train=True, seed=model.seed, predictions=outside.predictions
            )
            scores.add(part)
            outside.update(part.samples)
            if hooks.wants_batches:
                hooks.on_train_batch_end(done, scores.logs())
            done += 1
            if hooks.progbar is not None:
                hooks.progbar.update(done, scores.logs())
            if model.stop_training or (self.steps is not None and done >= self.steps):
                break
        if self.steps is not None and 0 < done < self.steps and not model.stop_training:
            warnings.warn(
                f"fit: expected {self.steps} batches an epoch. Received: the iterable ended after {done}", stacklevel=4
            )
        if scores is None:
            if endless and model.epochs_seen:
                warnings.warn("fit: the generator has no more batches; training ends here", stacklevel=4)
                return {}
            raise ValueError("fit: expected at least one batch. Received: an empty iterable")
        return scores.logs(final=True)


def _batch_hook(model: Any, hooks: CallbackList, scores: Scores) -> Any:
    def hook(step: int, begin: bool, so_far: Pass) -> bool:
        if begin:
            hooks.on_train_batch_begin(step)
        else:
            hooks.on_train_batch_end(step, scores.logs(so_far))
        return bool(model.stop_training)

    return hook


def _pulse(hooks: CallbackList, scores: Scores) -> Any:
    progbar = hooks.progbar
    if progbar is None:
        return None
    return lambda done, so_far: progbar.update(done, scores.logs(so_far))


def _split(x: Any, y: Any, weights: Any, share: float, where: str) -> tuple[Any, ...]:
    x, y = np.asarray(x), np.asarray(y)
    at = split(len(x), share, where)
    warn_unlike_tail(y, at)
    tail = (x[at:], y[at:]) if weights is None else (x[at:], y[at:], weights[at:])
    return x[:at], y[:at], None if weights is None else weights[:at], tail


class _Validation:
    """The evaluation after epochs."""

    def __init__(
        self, model: Any, data: Any, batch_size: int | None, steps: int | None, freq: int | Sequence[int]
    ) -> None:
        self.model, self.data, self.batch_size, self.steps, self.freq = model, data, batch_size, steps, freq
        if isinstance(data, (tuple, list)) and len(data) not in (2, 3):
            raise ValueError(
                f"fit: validation_data must be (x, y), (x, y, sample_weight) or an iterable. Received {len(data)} items"
            )
        if isinstance(freq, int) and freq < 1:
            raise ValueError(f"fit: validation_freq must be at least 1. Received: {freq!r}")

    def due(self, epoch: int) -> bool:
        if self.data is None:
            return False
        return (epoch + 1) % self.freq == 0 if isinstance(self.freq, int) else epoch + 1 in self.freq

    def run(self, hooks: CallbackList) -> dict[str, float]:
        if isinstance(self.data, (tuple, list)):
            x, y, weights = (*self.data, None)[:3]
        else:
            x, y, weights = self.data, None, None
        return _evaluate(self.model, x, y, self.batch_size, weights, self.steps, hooks, prefix="val_", where="fit")


def evaluate(
    model: Any,
    x: Any,
    y: Any,
    batch_size: int | None,
    verbose: Any,
    sample_weight: Any,
    steps: int | None,
    callbacks: Any,
) -> dict[str, float]:
    mode = display_mode(verbose)
    hooks = CallbackList(callbacks, model=model, verbose=mode, epochs=1, steps=steps)
    logs = _evaluate(model, x, y, batch_size, sample_weight, steps, hooks, prefix="", where="evaluate")
    if mode:
        print(" - ".join(f"{name}: {value:.4f}" for name, value in logs.items()))
    return logs


def _evaluate(
    model: Any,
    x: Any,
    y: Any,
    batch_size: int | None,
    weights: Any,
    steps: int | None,
    hooks: CallbackList,
    *,
    prefix: str,
    where: str,
) -> dict[str, float]:
    hooks.on_test_begin()
    items: Iterator[Batch] = iter([Batch(x, y, weights)]) if is_array_like(x) else batches(x, where)
    size = positive(batch_size, "batch_size", where) if batch_size is not None else DEFAULT_BATCH
    scores: Scores | None = None
    for done, batch in enumerate(items):
        spread = sample_weights(batch.weights, None, batch.y, len(batch.x), where)
        data, objective = model.prepare(batch.x, batch.y, spread, where)
        if scores is None:
            scores = Scores(model, prefix)
        outside = _Outside(model, objective, data, None)
        array = is_array_like(x)
        part = model.runner.run(
            data,
            objective,
            size if array else data.n,
            train=False,
            steps=steps if array else None,
            seed=model.seed,
            predictions=outside.predictions,
        )
        scores.add(part)
        outside.update(part.samples)
        if not array and steps is not None and done + 1 >= steps:
            break
    if scores is None:
        raise ValueError(f"{where}: expected at least one batch. Received: an empty iterable")
    logs = scores.logs(final=True)
    hooks.on_test_end(logs)
    return logs


def on_batch(model: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any, *, train: bool) -> dict[str, float]:
    """One step or one evaluation of exactly these samples."""
    where = "train_on_batch" if train else "test_on_batch"
    weights = sample_weights(sample_weight, class_weight, y, len(x), where)
    data, objective = model.prepare(x, y, weights, where)
    scores = Scores(model)
    outside = _Outside(model, objective, data, None)
    part = model.runner.run(data, objective, data.n, train=train, seed=model.seed, predictions=outside.predictions)
    scores.add(part)
    outside.update(part.samples)
    return scores.logs(final=True)


def predict(model: Any, x: Any, batch_size: int | None, verbose: Any, steps: int | None, callbacks: Any) -> np.ndarray:
    """Predictions with progress and hooks, for arrays and iterables."""
    where = "predict"
    mode = display_mode(verbose)
    size = positive(batch_size, "batch_size", where) if batch_size is not None else DEFAULT_BATCH
    hooks = CallbackList(callbacks, model=None, verbose=mode, steps=steps)
    if callbacks is not None:
        hooks.set_model(model)
    hooks.on_predict_begin()
    array = is_array_like(x)
    outputs = []
    for done, batch in enumerate(iter([Batch(x)]) if array else batches(x, where)):
        model._build_for(batch.x)
        samples = prepare_inputs(batch.x, model.input_shape, model.runner.dtype, where)
        if array and steps is not None:
            samples = samples[: steps * size]
        outputs.append(model.runner.predict(samples, size if array else max(1, len(samples))))
        if not array and steps is not None and done + 1 >= steps:
            break
    hooks.on_predict_end()
    if not outputs:
        raise ValueError(f"{where}: expected at least one batch. Received: an empty iterable")
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)
