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

from .outputs import REGRESSION, class_counts
from .report import Finding, number, percent
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
# What counts as progress: a loss below this part of where it began and of the best constant output.
PROGRESS = 0.9
# A model whose loss is below this part of the best constant output has learned; its learning rate is no longer judged.
LEARNED = 0.5
# A loss that grew by this factor has diverged; mini-batches make it go up and down by less.
DIVERGED = 1.5
# Other rates that are tried, as factors; growing ones until weights change by a thirtieth in a step.
SMALLER, LARGER = (0.1, 0.01), (10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
LARGE_UPDATE = 0.03
# Update to weight of a step.  1e-3 is usual; at a ten-thousandth, 1,000 steps change weights by a tenth at most.
TINY_UPDATE = 1e-4
# Labels are related to x if the nearest neighbours know them better than chance by so many standard errors.  One in
# forty shuffled data sets gets there by luck; that the model does not beat a constant is asked besides.
STANDARD_ERRORS = 2.0
NEIGHBOURS = 5
NEIGHBOUR_SAMPLES = 1000


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
    trials = [_trial(model, train, held, goals, batch, steps, rate)]
    kinds: set[str] = set()
    findings: list[Finding] = []
    learned = constant is not None and before < LEARNED * constant
    if rate and not learned:
        kinds |= {"learning rate too small", "learning rate too large"}
        findings += _rate(model, (train, held), goals, batch, steps, rate, before, scale, trials)
    if constant is not None:
        kinds.add("labels not related to x")
        best = min([before, *(trial["after"] for trial in trials if trial["after"] is not None)])
        varied = all(np.ptp(np.asarray(y, np.float64)) > 0 for y in data.y if y is not None and np.size(y))
        if best > PROGRESS * constant and varied:
            findings += _unrelated(data, goals, best, constant)
    return findings, {"before": before, "constant": constant, "trials": trials}, kinds


def _rate(
    model: Model, parts: tuple[Data, Data], goals: Goals, batch: int, steps: int, rate: float, before: float,
    scale: float, trials: list[dict[str, Any]],
) -> list[Finding]:  # fmt: skip
    """Whether the learning rate is to blame, by trainings with others; adds those to the trials."""
    after, ratio = trials[0]["after"], trials[0]["update_ratio"]
    if after is not None and after < PROGRESS * scale:
        return []
    evidence = {"learning_rate": rate, "before": before, "after": after, "update_ratio": ratio}
    moved = ratio is None or ratio >= TINY_UPDATE
    worse = after is None or after > DIVERGED * before
    for factor in SMALLER if moved or worse else LARGER:
        trial = _trial(model, *parts, goals, batch, steps, rate * factor)
        trials.append(trial)
        reached = trial["after"]
        if reached is None or reached >= PROGRESS * scale or (after is not None and reached > PROGRESS * after):
            if factor > 1 and (trial["update_ratio"] or 1) > LARGE_UPDATE:
                break
            continue
        evidence |= {"better_rate": trial["learning_rate"], "after_better_rate": trial["after"]}
        course = (
            f"With {rate:.3g} the loss of held-out samples went from {number(before)} to {number(after)} in {steps} "
            f"steps, with {trial['learning_rate']:.3g} to {number(trial['after'])}"
        )
        if factor < 1:
            text = f"{course}."
            remedy = f"Set the learning rate to {trial['learning_rate']:.3g} or less; clipnorm=1 helps besides."
            return [Finding("learning rate too large", text, remedy, (), evidence)]
        text = f"{course}; a step changed the weights by {number(ratio)} of their norm, where 1e-3 is usual."
        remedy = f"Set the learning rate to {trial['learning_rate']:.3g} or so."
        return [Finding("learning rate too small", text, remedy, (), evidence)]
    return []


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
        scores, done, number_ = Scores(goals), 0, 0
        while done < steps:
            order = shuffled(train.n, model.seed, number_)
            walk = Pass(runner, train, goals, batch, seed=model.seed, order=order)
            while walk.done < walk.batches and done < steps:
                done += walk.advance(steps - done, scores)
            number_ += 1
        ratios = [numbers["update_ratio"] for numbers in observer.summary().values()]
        runner.observe(None)
        after = _loss(model, held, goals)
    known = [ratio for ratio in ratios if ratio is not None]
    return {
        "learning_rate": rate, "steps": steps, "after": after if np.isfinite(after) else None,
        "update_ratio": max(known) if known else None,
    }  # fmt: skip


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


# ------------------------------------------------------------------------------------------------ is there a relation


def _unrelated(data: Data, goals: Goals, best: float, constant: float) -> list[Finding]:
    x = np.concatenate(
        [np.asarray(a, np.float64).reshape(data.n, -1) for a in data.inputs[: _count_of_inputs(data, goals)]], axis=1
    )
    known = [_neighbours(x, goal, np.asarray(y)) for goal, y in zip(goals.parts, data.y)]
    if any(entry is None or entry["errors"] > STANDARD_ERRORS for entry in known):
        return []
    entry = known[0]
    assert entry is not None
    text = (
        f"After training, held-out samples have the loss {number(best)}; a constant output has {number(constant)}. "
        f"{entry['text']}."
    )
    remedy = (
        "Check that x and y are still in the same order (one of them shuffled or sorted alone, rows dropped from one), "
        "that labels are read from the right place, and that x holds what decides about y; a relation that neither "
        "neighbours nor the network see, such as parity, looks the same."
    )
    evidence = {"held_out_loss": best, "constant_loss": constant, **{k: v for k, v in entry.items() if k != "text"}}
    return [Finding("labels not related to x", text, remedy, (), evidence)]


def _count_of_inputs(data: Data, goals: Goals) -> int:
    """The inputs of the network stand before targets and weights."""
    behind = sum((goal.objective.loss.target != "none") + goal.objective.weighted for goal in goals.parts)
    return len(data.inputs) - behind


def _neighbours(x: Array, goal: Goal, y: Array) -> dict[str, Any] | None:
    """What the nearest samples know of y, against chance; None where y is nothing that they could know."""
    n = min(len(x), NEIGHBOUR_SAMPLES)
    x, y = x[:n], y[:n]
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    squares = (x**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * x @ x.T
    np.fill_diagonal(distances, np.inf)
    nearest = np.argpartition(distances, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    if goal.classifies:
        counts = class_counts(goal, y)
        if counts is None or y.size // n not in (1, goal.objective.cols):
            return None
        labels = y.reshape(n, -1).argmax(axis=1) if y.size > n else y.reshape(n).astype(np.int64)
        votes = np.zeros((n, len(counts)))
        np.add.at(votes, (np.arange(n)[:, None], labels[nearest]), 1)
        # a vote counts as much as it is rarer by chance: else the most frequent class wins everywhere
        share = counts / counts.sum()
        found = float(np.mean(votes[np.arange(n), labels] / NEIGHBOURS))
        chance = float((share**2).sum())
        errors = (found - chance) / max(np.sqrt(chance * (1 - chance) / n), 1e-12)
        text = (
            f"Of the {NEIGHBOURS} nearest neighbours {percent(found)} have the same class, {percent(chance)} by chance"
        )
        return {"neighbours_agree": found, "chance": chance, "errors": float(errors), "text": text}
    if y.size % n:
        return None
    numbers = y.reshape(n, -1).astype(np.float64)
    guess = numbers[nearest].mean(axis=1)
    centred, guess = numbers - numbers.mean(axis=0), guess - guess.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=0) * (guess**2).sum(axis=0))
    correlation = float(np.max((centred * guess).sum(axis=0) / np.where(spread > 0, spread, np.inf)))
    text = f"The mean of the {NEIGHBOURS} nearest neighbours has a correlation of {number(correlation)} with the target"
    return {"correlation": correlation, "errors": correlation * float(np.sqrt(n)), "text": text}
