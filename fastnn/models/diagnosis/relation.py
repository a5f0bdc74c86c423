"""Whether x says anything about y: nearest neighbours, and a linear fit where they know nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.models.compiling import Goal, Goals
from fastnn.models.data import Data

from .outputs import class_counts
from .report import Finding, number, percent

Array = npt.NDArray[Any]

# Labels are related to x if neighbours or a linear fit know them better than chance by so many standard errors.  One in
# twenty shuffled data sets gets there by luck; that the model does not beat a constant is asked besides.
STANDARD_ERRORS = 2.0
NEIGHBOURS = 5
# of those that are compared with each other
SAMPLES = 1000


def unrelated(data: Data, goals: Goals, best: float, constant: float) -> list[Finding]:
    x = np.concatenate(
        [np.asarray(a, np.float64).reshape(data.n, -1) for a in data.inputs[: _count_of_inputs(data, goals)]], axis=1
    )
    known = [_neighbours(x, goal, np.asarray(y)) for goal, y in zip(goals.parts, data.y)]
    if any(entry is None or entry["errors"] > STANDARD_ERRORS for entry in known):
        return []
    fits = [_linear(x, goal, np.asarray(y)) for goal, y in zip(goals.parts, data.y)]
    if max(fits) > STANDARD_ERRORS:
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
        "neighbours nor a linear fit nor the network see, such as parity, looks the same."
    )
    evidence = {"held_out_loss": best, "constant_loss": constant, **{k: v for k, v in entry.items() if k != "text"}}
    evidence["linear_errors"] = max(fits)
    return [Finding("labels not related to x", text, remedy, (), evidence)]


def _count_of_inputs(data: Data, goals: Goals) -> int:
    """The inputs of the network stand before targets and weights."""
    behind = sum((goal.objective.loss.target != "none") + goal.objective.weighted for goal in goals.parts)
    return len(data.inputs) - behind


def _neighbours(x: Array, goal: Goal, y: Array) -> dict[str, Any] | None:
    """What the nearest samples know of y, against chance; None where y is nothing that they could know."""
    n = min(len(x), SAMPLES)
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


def _linear(x: Array, goal: Goal, y: Array) -> float:
    """How many standard errors the correlation of y with ridge regression is above 0, each sample left out in turn."""
    n = min(len(x), SAMPLES)
    x, y = x[:n], y[:n]
    counts = class_counts(goal, y) if goal.classifies else None
    numbers = y.reshape(n, -1)
    if counts is not None:
        labels = numbers.argmax(axis=1) if numbers.shape[1] > 1 else numbers[:, 0].astype(np.int64)
        numbers = np.eye(len(counts))[labels]
    centred = numbers.astype(np.float64) - numbers.mean(axis=0)
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    # the residual of a sample that was left out is (G y)_i / G_ii with G = (x x^T + penalty)^-1
    inverse = np.linalg.inv(x @ x.T + max(x.shape[1], 1) * np.eye(n))
    guess = centred - inverse @ centred / np.diag(inverse)[:, None]
    guess -= guess.mean(axis=0)
    spread = float(np.sqrt((centred**2).sum() * (guess**2).sum()))
    return float((centred * guess).sum()) / spread * float(np.sqrt(n)) if spread > 0 else 0.0
