"""A training that made no progress: whether its learning rate is to blame, found by trying others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .report import Finding, number

# What counts as progress: a loss below this part of where it began and of the best constant output; a better rate also
# brings it below this part of what the rate of the model reached.
PROGRESS = 0.9
# Of the loss of training samples: a rate that halves it does what a rate can do.
BY_HEART = 0.5
# A loss that grew by this factor has diverged; mini-batches make it go up and down by less.
DIVERGED = 1.5
# Weights that moved by as many times their norm were thrown, not trained; a unit that died then gets tiny updates.
THROWN = 10.0
# Other rates that are tried, as factors: every decade down after a divergence, growing ones until weights change by a
# thirtieth in a step.
FAR_SMALLER = tuple(10.0**-power for power in range(1, 13))
SMALLER, LARGER = (0.1, 0.01), (10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
LARGE_UPDATE = 0.03
# Update to weight of a step.  1e-3 is usual; at a ten-thousandth, 1,000 steps change weights by a tenth at most, and
# trainings with even smaller updates are not worth trying.
TINY_UPDATE = 1e-4
# Targets of this size, ten times that of first outputs, are named as the cause where a training makes no progress;
# where it does, they do no harm (outputs.py asks for a thousand).
LARGE_TARGET = 10.0


@dataclass(frozen=True)
class Situation:
    """What a training started from: rate, held-out loss, what progress is measured by, root mean square of targets."""

    rate: float | None
    before: float
    scale: float
    targets: float


def reached(trial: dict[str, Any], scale: float) -> bool:
    """Whether a training made progress."""
    return trial["after"] is not None and trial["after"] < PROGRESS * scale


def by_heart(trial: dict[str, Any], scale: float) -> bool:
    """Whether the training samples were learned, whatever became of others."""
    return trial["trained"] is not None and trial["trained"] < BY_HEART * scale


def judge(
    at: Situation, first: dict[str, Any], attempt: Callable[[float], dict[str, Any]],
    unrelated: Callable[[], list[Finding]],
) -> list[Finding]:  # fmt: skip
    """Findings about a training without progress; `attempt(factor)` trains with the rate times factor."""
    if at.rate == 0:
        text = "The learning rate is 0: no step changes anything."
        return [Finding("learning rate too small", text, "Set it to 0.01 or so, Adam's to 0.001.", (), {"rate": 0.0})]
    lost = first["after"] is None or first["after"] > DIVERGED * at.before
    diverged = lost or first["change"] is None or first["change"] > THROWN
    if by_heart(first, at.scale) and first["after"] is not None:
        return unrelated()  # the rate does what a rate can do
    better = None
    if at.rate is not None:
        if diverged:
            better = _first(FAR_SMALLER, at, first, attempt)
        elif (first["update_ratio"] or 0) <= LARGE_UPDATE:
            better = _first(LARGER, at, first, attempt)
    if better is None:
        found = [] if diverged and first["after"] is None else unrelated()
        if found:
            return found
        if at.rate is not None and not diverged and (first["update_ratio"] or 1) >= TINY_UPDATE:
            better = _first(SMALLER, at, first, attempt)
    if at.targets > LARGE_TARGET:
        return [_targets(at, first, better)]
    if better is not None:
        return [_better(at, first, better)]
    return [_lost(at, first)] if diverged else []


def _first(
    factors: tuple[float, ...], at: Situation, first: dict[str, Any], attempt: Callable[[float], dict[str, Any]]
) -> dict[str, Any] | None:
    """The first of these factors that makes progress."""
    for factor in factors:
        trial = attempt(factor)
        improves = first["after"] is None or (trial["after"] is not None and trial["after"] < PROGRESS * first["after"])
        if reached(trial, at.scale) and improves:
            return trial
        ratio = trial["update_ratio"]
        if factor > 1 and (ratio is None or ratio > LARGE_UPDATE or (trial["change"] or THROWN) >= THROWN):
            return None
        calm = trial["after"] is not None and (trial["change"] or 0) < TINY_UPDATE
        if factor < 1 and calm:
            return None
    return None


def _evidence(at: Situation, first: dict[str, Any], better: dict[str, Any] | None) -> dict[str, Any]:
    evidence = {
        "learning_rate": at.rate, "before": at.before, "after": first["after"], "update_ratio": first["update_ratio"],
        "change": first["change"],
    }  # fmt: skip
    if better is not None:
        evidence |= {"better_rate": better["learning_rate"], "after_better_rate": better["after"]}
    return evidence


def _course(at: Situation, first: dict[str, Any]) -> str:
    rate = "With its schedule" if at.rate is None else f"With {at.rate:.3g}"
    return (
        f"{rate} the loss of held-out samples went from {number(at.before)} to {number(first['after'])} in "
        f"{first['steps']} steps"
    )


def _better(at: Situation, first: dict[str, Any], better: dict[str, Any]) -> Finding:
    course = f"{_course(at, first)}, with {better['learning_rate']:.3g} to {number(better['after'])}"
    evidence = _evidence(at, first, better)
    assert at.rate is not None
    if better["learning_rate"] < at.rate:
        remedy = f"Set the learning rate to {better['learning_rate']:.3g} or less; clipnorm=1 helps besides."
        return Finding("learning rate too large", f"{course}.", remedy, (), evidence)
    text = (
        f"{course}; a step changed the weights by {number(first['update_ratio'])} of their norm, where 1e-3 is usual."
    )
    remedy = f"Set the learning rate to {better['learning_rate']:.3g} or so."
    return Finding("learning rate too small", text, remedy, (), evidence)


def _targets(at: Situation, first: dict[str, Any], better: dict[str, Any] | None) -> Finding:
    text = (
        f"The root mean square of the targets is {number(at.targets)}; outputs start near 1. {_course(at, first)}, "
        f"which is no progress."
    )
    remedy = "Train for (y - mean) / deviation, and undo it in predictions."
    if better is not None:
        remedy += f" As they are, they need a learning rate of {better['learning_rate']:.3g} or so."
    evidence = {"root_mean_square": at.targets, **_evidence(at, first, better)}
    return Finding("targets not scaled", text, remedy, (), evidence)


def _lost(at: Situation, first: dict[str, Any]) -> Finding:
    text = f"{_course(at, first)}, the weights moved by {number(first['change'])} times their norm"
    if first["after"] is None and at.rate is not None:
        text += ", and no smaller rate helped: what passes through the layers, or the time steps, grows too much."
        remedy = "Start from smaller weights (glorot_uniform, he_normal; orthogonal for recurrent ones); clip the norm."
        return Finding("exploding gradients", text, remedy, (), _evidence(at, first, None))
    remedy = "Begin with a hundredth of the learning rate, and clip with clipnorm=1."
    return Finding("learning rate too large", f"{text}.", remedy, (), _evidence(at, first, None))
