"""Short trainings: whether the loss comes down, with which learning rate, and whether x says anything about y."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn.engine.observing import Observer
from fastnn.models.borrowing import unchanged
from fastnn.models.compiling import Goal, Goals
from fastnn.models.data import Data
from fastnn.models.runner import Pass, shuffled
from fastnn.models.scores import Scores

from . import rates, relation
from .outputs import REGRESSION, class_counts
from .report import Finding
from .state import rows, sample

if TYPE_CHECKING:
    from fastnn.models.model import Model

Array = npt.NDArray[Any]

# Samples from which a held-out fifth says something.
FEWEST = 50
HELD_OUT = 0.2
# Steps of an optimizer that sees all samples at once and evaluates them several times a step.
WHOLE_BATCH_STEPS = 10
# Of those that are trained with, and that are judged; a few thousand tell a trend.
SAMPLES = 4096
JUDGED_AT_ONCE = 256
# The loss is looked at after so many steps: a training that is lost need not go on.
CHUNK = 50
# A model whose loss is below this part of the best constant output has learned; its learning rate is no longer judged.
LEARNED = 0.5


def judge(
    model: Model, data: Data, goals: Goals, batch: int, steps: int
) -> tuple[list[Finding], dict[str, Any], set[str]]:
    """Findings, the trials, and which kinds of findings could be judged."""
    data = sample(data, SAMPLES)
    order = np.random.default_rng(1).permutation(data.n)
    cut = int(data.n * HELD_OUT)
    held, train = rows(data, np.sort(order[:cut])), rows(data, np.sort(order[cut:]))
    optimizer = model.optimizer
    assert optimizer is not None
    numeric = not callable(optimizer._learning_rate) and not optimizer.whole_batch
    rate = optimizer.learning_rate if numeric else None
    if optimizer.whole_batch:
        batch, steps = train.n, min(steps, WHOLE_BATCH_STEPS)
    before, constant = _loss(model, held, goals), _constant(goals, data, held)
    scale = min(value for value in (before, constant) if value is not None and np.isfinite(value))
    learned = constant is not None and before < LEARNED * constant
    trials: list[dict[str, Any]] = []

    def attempt(factor: float) -> dict[str, Any]:
        at = None if rate is None else rate * factor
        trials.append(_trial(model, train, held, goals, batch, steps, at))
        return trials[-1]

    def unrelated() -> list[Finding]:
        """Whether the labels are to blame; what rates made of the model is asked first, since it is cheaper."""
        if constant is None or not all(np.ptp(np.asarray(y, np.float64)) > 0 for y in data.y if np.size(y)):
            return []
        best = min([before, *(trial["after"] for trial in trials if trial["after"] is not None)])
        return relation.unrelated(data, goals, best, constant) if best > rates.PROGRESS * constant else []

    first = attempt(1.0)
    kinds = {"labels not related to x"} if constant is not None else set()
    findings: list[Finding] = []
    progress = learned or rates.reached(first, scale)
    if rate is not None and not learned:
        kinds |= {"learning rate too small", "learning rate too large"}
    if not progress:
        situation = rates.Situation(rate, before, scale, _size_of_targets(goals, data))
        findings = rates.judge(situation, first, attempt, unrelated)
        progress = any(rates.reached(trial, scale) for trial in trials)
    by_heart = not progress and rates.by_heart(first, scale)
    tried = {"before": before, "constant": constant, "progress": progress, "by_heart": by_heart, "trials": trials}
    return findings, tried, kinds


def _size_of_targets(goals: Goals, data: Data) -> float:
    """The largest root mean square of what a regression asks for; 0 where there is none."""
    sizes = [
        float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))
        for goal, y in zip(goals.parts, data.y)
        if y is not None and goal.objective.loss.row in REGRESSION
    ]
    return max(sizes, default=0.0)


def _trial(
    model: Model, train: Data, held: Data, goals: Goals, batch: int, steps: int, rate: float | None
) -> dict[str, Any]:
    """Train for some steps, look, and undo it."""
    with unchanged(model), np.errstate(all="ignore"):
        optimizer, runner = model.optimizer, model.runner
        assert optimizer is not None
        if rate is not None:
            optimizer.learning_rate = rate
        observer = Observer(runner.graph, every=max(1, steps // 20))
        runner.observe(observer)
        start = [parameter.numpy() for parameter in runner.arena.parameters if parameter.trainable]
        trained, done, number_ = 0.0, 0, 0
        while done < steps and np.isfinite(trained):
            order = shuffled(train.n, model.seed, number_)
            walk = Pass(runner, train, goals, batch, seed=model.seed, order=order)
            while walk.done < walk.batches and done < steps and np.isfinite(trained):
                scores = Scores(goals)
                done += walk.advance(min(CHUNK, steps - done), scores)
                trained = float(scores.totals[0] / scores.samples)
            number_ += 1
        ratios = [numbers["update_ratio"] for numbers in observer.summary().values()]
        end = [parameter.numpy() for parameter in runner.arena.parameters if parameter.trainable]
        runner.observe(None)
        after = _loss(model, held, goals) if np.isfinite(trained) else np.inf
    known = [ratio for ratio in ratios if ratio is not None]
    change = _norm([b.astype(np.float64) - a for a, b in zip(start, end)]) / max(_norm(start), 1.0)
    return {
        "learning_rate": rate, "steps": steps, "after": after if np.isfinite(after) else None,
        "trained": trained if np.isfinite(trained) else None,
        "update_ratio": max(known) if known else None, "change": change if np.isfinite(change) else None,
    }  # fmt: skip


def _norm(arrays: list[Array]) -> float:
    return float(np.sqrt(sum(np.sum(np.square(array, dtype=np.float64)) for array in arrays)))


def _loss(model: Model, data: Data, goals: Goals) -> float:
    scores = Scores(goals)
    walk = Pass(model.runner, data, goals, JUDGED_AT_ONCE, seed=None)
    while walk.done < walk.batches:
        walk.advance(walk.batches, scores)
    return float(scores.totals[0] / scores.samples)


def _constant(goals: Goals, data: Data, held: Data) -> float | None:
    """The loss on held-out samples of the best outputs that do not depend on x; None where that is not known."""
    total = 0.0
    for goal, y, judged, weights in zip(goals.parts, data.y, held.y, held.weights):
        if weights is not None or goal.loss.reduction not in ("sum_over_batch_size", "mean", "mean_with_sample_weight"):
            return None
        outputs = _constant_outputs(goal, np.asarray(y))
        if not outputs:
            return None
        found = []
        for output in outputs:
            shape = (len(judged), *goal.objective.output_shape)
            found.append(float(goal.loss(judged, np.ascontiguousarray(np.broadcast_to(output, shape)))))
        total += goal.objective.share * min(found)
    return float(total) if np.isfinite(total) else None


def _constant_outputs(goal: Goal, y: Array) -> list[Array]:
    logits = getattr(goal.loss, "from_logits", None)
    counts = class_counts(goal, y)
    if logits is not None:
        if goal.objective.cols > 1 and counts is not None:
            share = (counts + 1e-3) / (counts + 1e-3).sum()
            return [np.log(share) if logits else share]
        if goal.objective.cols == y.size // max(1, len(y)):
            share = np.clip(y.reshape(len(y), -1).mean(axis=0), 1e-3, 1 - 1e-3).reshape(goal.objective.output_shape)
            return [np.log(share / (1 - share)) if logits else share]
        return []
    if goal.objective.loss.row not in REGRESSION or y.size // max(1, len(y)) != goal.objective.size:
        return []
    flat = y.reshape(len(y), *goal.objective.output_shape).astype(np.float64)
    return [flat.mean(axis=0), np.median(flat, axis=0)]
