"""The loops behind `evaluate`, `predict` and the *_on_batch methods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn.callbacks import CallbackList, ProgbarLogger

from .batches import Batch, batches, known_length
from .compiling import Goals
from .data import Data, is_array_like, one_of, sample_weights, whole_or_none
from .loops import DEFAULT_BATCH, VERBOSE, Logs, batch_hooks, run_batches
from .runner import Pass
from .scores import Scores, continued
from .structures import Parts

if TYPE_CHECKING:
    from .model import Model


def arrays(model: Model, batch: Batch, class_weight: Any, where: str) -> tuple[Parts, Parts, Parts]:
    """Samples, targets and weights for every input and output."""
    if model._compiled is None:
        raise ValueError(f"{where}: expected a compiled model; call compile first. Received: not compiled")
    x, y = model.prepare_inputs(batch.x, where), model.prepare_targets(batch.y, where)
    return x, y, sample_weights(model._structures[1], batch.weights, class_weight, y, where)


def prepare(model: Model, batch: Batch, class_weight: Any, where: str) -> tuple[Data, Goals]:
    """Checked data, and the goals that fit them."""
    return model.prepare(*arrays(model, batch, class_weight, where), where)


def score(
    model: Model,
    items: Iterable[tuple[Data, Goals]],
    batch_size: int | None,
    steps: int | None,
    hooks: CallbackList,
    progbar: ProgbarLogger | None,
    where: str,
) -> Logs:
    """Loss and metrics over all items, cut into mini-batches unless `batch_size` is None."""
    hooks.on_test_begin()
    around = batch_hooks(hooks, "test")
    scores: Scores | None = None
    done = 0
    for data, goals in items:
        scores = continued(scores, goals, where)
        walk = Pass(model.runner, data, goals, batch_size or data.n, seed=None)
        count = walk.batches if steps is None else min(walk.batches, steps - done)
        done += run_batches(walk, count, scores, around, progbar, first=done)
        if done == steps:
            break
    if scores is None:
        raise ValueError(f"{where}: expected at least one batch. Received: an empty iterable")
    logs = scores.finish()
    hooks.on_test_end(logs)
    return logs


def evaluate(
    model: Model, x: Any, y: Any, batch_size: Any, verbose: Any, sample_weight: Any, steps: Any, callbacks: Any
) -> Logs:
    """See `Model.evaluate`."""
    where = "evaluate"
    one_of(verbose, VERBOSE, "verbose")
    size, steps = whole_or_none(batch_size, "batch_size", where), whole_or_none(steps, "steps", where)
    items: Iterable[tuple[Data, Goals]]
    length: int | None
    if is_array_like(x):
        size = size or DEFAULT_BATCH
        data, goals = prepare(model, Batch(x, y, sample_weight), None, where)
        items, length = [(data, goals)], -(-data.n // size)
    else:
        if y is not None or sample_weight is not None:
            raise ValueError(f"{where}: batches bring their own targets and weights. Received: y or sample_weight")
        size, length = None, known_length(x)
        items = (prepare(model, batch, None, where) for batch in batches(x, where))
    hooks = CallbackList(
        callbacks, add_progbar=verbose != 0, model=model, verbose=verbose, epochs=1, steps=steps or length
    )
    try:
        return score(model, items, size, steps, hooks, hooks.progbar, where)
    finally:
        if hooks.progbar is not None:
            hooks.progbar.close()


def on_batch(model: Model, x: Any, y: Any, sample_weight: Any, class_weight: Any, *, train: bool) -> Logs:
    """One step on exactly these samples, or one evaluation."""
    data, goals = prepare(
        model, Batch(x, y, sample_weight), class_weight, "train_on_batch" if train else "test_on_batch"
    )
    scores = Scores(goals)
    Pass(model.runner, data, goals, data.n, seed=model.seed if train else None).advance(1, scores)
    return scores.finish()


def gradients(model: Model, x: Any, y: Any, sample_weight: Any) -> list[npt.NDArray[Any]]:
    """See `Model.gradients`."""
    data, goals = prepare(model, Batch(x, y, sample_weight), None, "gradients")
    runner = model.runner
    moving = [(weight, weight.numpy()) for weight in model.non_trainable_weights]  # statistics of normalisation
    try:
        return runner.gradient(data, goals, model.seed)[1]
    finally:
        for weight, value in moving:
            weight.assign(value)


def predict(model: Model, x: Any, batch_size: Any, verbose: Any, steps: Any, callbacks: Any) -> Any:
    """See `Model.predict`."""
    one_of(verbose, VERBOSE, "verbose")
    size = whole_or_none(batch_size, "batch_size", "predict")
    steps = whole_or_none(steps, "steps", "predict")
    source: Iterable[Parts]
    length: int | None
    if is_array_like(x):
        size = size or DEFAULT_BATCH
        end = None if steps is None else steps * size
        samples = Parts(part[:end] for part in model.prepare_inputs(x, "predict"))
        source, length = [samples], -(-len(samples[0]) // size)
    else:
        size, length = None, steps or known_length(x)
        source = (model.prepare_inputs(batch.x, "predict") for batch in batches(x, "predict"))
    params = {"verbose": verbose, "steps": length}
    hooks = CallbackList(callbacks, add_progbar=verbose in (1, 2), model=model, **params)
    progbar = hooks.progbar
    if verbose == "auto" and progbar is None:  # a bar while it takes long, but no line that stays
        progbar = ProgbarLogger()
        progbar.set_params(params)
        progbar.on_predict_begin()
    around = batch_hooks(hooks, "predict")
    if around is not None and size is not None:
        source = (Parts(part[at : at + size] for part in samples) for at in range(0, len(samples[0]), size))
    outputs: list[list[npt.NDArray[Any]]] = []
    hooks.on_predict_begin()
    try:
        for done, chunk in enumerate(source if size else islice(source, steps)):
            if around is not None:
                around[0](done)
            pulse = None if progbar is None else partial(_update, progbar, done)
            outputs.append(model.runner.predict(chunk, size or len(chunk[0]), pulse))
            if around is not None:
                around[1](done, {"outputs": model._structures[1].pack(outputs[-1])})
    finally:
        if progbar is not None:
            progbar.close()
    hooks.on_predict_end()
    if not outputs:
        raise ValueError("predict: expected at least one batch. Received: an empty iterable")
    return model._structures[1].pack([_joined(part) for part in zip(*outputs)])


def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The predictions of all batches.

    Raises:
        ValueError: they differ in length.
    """
    shapes = list(dict.fromkeys(part.shape[1:] for part in parts))
    if len(shapes) > 1:
        raise ValueError(
            f"predict: expected batches whose predictions are of one shape, to be joined; predict batches of other "
            f"lengths by themselves. Received: samples of shapes {shapes[0]} and {shapes[1]}"
        )
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _update(progbar: ProgbarLogger, before: int, done: int) -> None:
    progbar.update(before + done)
