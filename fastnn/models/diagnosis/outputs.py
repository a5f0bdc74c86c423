"""Targets, loss and output layer: whether they fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.engine.observing import limits, rectifies
from fastnn.models.compiling import Goal, Goals

from .report import Finding, number, percent

Array = npt.NDArray[Any]

# losses of numbers, by their rows: any output may be asked for
REGRESSION = ("mse", "half_mse", "half_sse", "mae", "huber", "smooth_l1", "log_cosh")
# Targets that the output's activation cannot reach, as a share of all: one per cent may be outliers.
OUT_OF_REACH = 0.01
# Initial outputs are about 1: a target of this size needs weights that large, and its squared error makes gradients of
# that size in the first steps (prices in euros; hundreds still work with adaptive optimizers).
LARGEST_TARGET = 1000.0
# From this share on, always answering with the most frequent class looks like success.
MAJORITY = 0.9
# samples from which shares of classes say something
FEWEST_FOR_SHARES = 10


def judge(goals: Goals, targets: Sequence[Any]) -> tuple[list[Finding], bool]:
    """Findings about the outputs, and whether one can train with these targets at all."""
    findings: list[Finding] = []
    trainable = True
    for goal in goals.parts:
        y = np.asarray(targets[goal.objective.output])
        where = (goal.name,) if goals.outputs > 1 else ()
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            share = float(1 - np.isfinite(y).mean())
            findings.append(
                Finding(
                    "not finite", f"{number(100 * share)} % of the targets are NaN or infinite.",
                    "Remove those samples.", where, {"share": share},
                )
            )  # fmt: skip
            trainable = trainable and goal.objective.loss.target != "labels"
            continue
        wrong = _range(goal, y, where)
        findings += wrong + _fit(goal, y, where) + ([] if wrong else _classes(goal, y, where))
        trainable = trainable and not (wrong and goal.objective.loss.target == "labels")
    return findings, trainable


def _range(goal: Goal, y: Array, where: tuple[str, ...]) -> list[Finding]:
    """Labels that the loss does not know."""
    kernel, name, classes = goal.objective.loss, goal.loss.name, goal.objective.cols
    if kernel.target == "labels":
        counted = y[y != goal.objective.ignore] if goal.objective.ignore is not None else y
        if counted.size == 0 or (counted.min() >= 0 and counted.max() < classes):
            return []
        least, most = float(counted.min()), float(counted.max())
        remedy = "Count classes from 0"
        if most >= classes and not (least == 1 and most == classes):
            remedy = f"Give the last layer {int(most) + 1} units, one for each class"
        text = f"{name} takes labels from 0 to {classes - 1}, but they go from {least:g} to {most:g}."
        return [Finding("labels out of range", text, f"{remedy}.", where, {"min": least, "max": most})]
    if not _is_cross_entropy(goal) or y.size == 0:
        return []
    least, most = float(y.min()), float(y.max())
    if least < 0 or most > 1:
        text = f"{name} takes targets from 0 to 1, but they go from {least:g} to {most:g}."
        remedy = "Encode classes as 0 and 1; scale numbers to that range, or use mse for a regression."
        return [Finding("labels out of range", text, remedy, where, {"min": least, "max": most})]
    if _is_categorical(goal) and y.shape[-1] == classes and classes > 1:
        sums = y.sum(axis=-1)
        share = float(np.mean(np.abs(sums - 1) > 1e-3))
        if share > OUT_OF_REACH:
            text = f"{name} takes rows that sum to 1, but {percent(share)} of them do not (sums from {sums.min():g} " \
                f"to {sums.max():g})."  # fmt: skip
            remedy = "For several classes at once use binary_crossentropy with sigmoid; else make each row one-hot."
            return [Finding("labels out of range", text, remedy, where, {"share": share})]
    return []


def _fit(goal: Goal, y: Array, where: tuple[str, ...]) -> list[Finding]:
    """Whether the last activation gives what the loss expects."""
    final, kernel = goal.objective.final, goal.objective.loss
    if final is None:
        return []
    kind = "loss and output do not fit"
    name, loss = "linear" if final.name == "identity" else final.name, goal.loss.name
    units = goal.objective.cols
    evidence: dict[str, Any] = {"activation": name, "loss": loss, "units": units}
    if name == "softmax" and units == 1:
        text = "The softmax of a single unit is 1, whatever the weights are: nothing can be learned."
        return [
            Finding(kind, text, "Use sigmoid with binary_crossentropy, or one unit for each class.", where, evidence)
        ]
    if _is_cross_entropy(goal):
        wanted = "softmax" if _is_categorical(goal) else "sigmoid"
        if _is_categorical(goal) and units == 1:
            text = f"{loss} compares classes, but there is one unit: its probability is always 1."
            remedy = "Use sigmoid with binary_crossentropy, or one unit for each class."
            return [Finding(kind, text, remedy, where, evidence)]
        if getattr(goal.loss, "from_logits", False):
            if name != "identity" and name != "linear":
                text = f"{loss} with from_logits=True takes numbers before the activation, but the last layer has " \
                    f"the activation {name!r}."  # fmt: skip
                if kernel.fused:
                    text += " It is left out of training here; in Keras it would be applied twice."
                remedy = "Leave one of the two out: from_logits=True with a linear layer, or the activation without it."
                return [Finding(kind, text, remedy, where, evidence)]
        elif name not in ("softmax", "sigmoid", "hard_sigmoid", "sparsemax"):
            text = f"{loss} takes probabilities, but the last layer has the activation {name!r}: what lies outside " \
                f"of 0 to 1 is cut off and has no gradient."  # fmt: skip
            remedy = f"Give the last layer {wanted!r}, or the loss from_logits=True."
            return [Finding(kind, text, remedy, where, evidence)]
    elif kernel.row in REGRESSION and y.size:
        return _reach(goal, y, where, name, evidence)
    return []


def _reach(goal: Goal, y: Array, where: tuple[str, ...], name: str, evidence: dict[str, Any]) -> list[Finding]:
    final = goal.objective.final
    low, high = limits(final) or ((0.0, np.inf) if rectifies(final) else (-np.inf, np.inf))
    if name == "softmax":
        low, high = 0.0, 1.0
    outside = float(np.mean((y < low) | (y > high)))
    found = []
    if outside > OUT_OF_REACH:
        text = (
            f"{percent(outside)} of the targets lie outside of {low:g} to {high:g}, which is all that {name!r} gives."
        )
        remedy = "Give the last layer no activation, or bring the targets into its range."
        evidence = {**evidence, "share": outside}
        found.append(Finding("loss and output do not fit", text, remedy, where, evidence))
    size = float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))
    if size > LARGEST_TARGET:
        text = f"The root mean square of the targets is {number(size)}; outputs start near 1."
        remedy = "Train for (y - mean) / deviation, and undo it in predictions; or train for the logarithm."
        found.append(Finding("targets not scaled", text, remedy, where, {"root_mean_square": size}))
    return found


def _classes(goal: Goal, y: Array, where: tuple[str, ...]) -> list[Finding]:
    counts = class_counts(goal, y)
    if counts is None or counts.sum() < FEWEST_FOR_SHARES:
        return []
    share, most = float(counts.max() / counts.sum()), int(counts.argmax())
    if share < MAJORITY:
        return []
    several = "the only one that occurs" if share == 1 else f"the others have {number(100 * (1 - share))} % together"
    text = (
        f"Class {most} has {number(100 * share)} % of the samples, {several}: always answering {most} is that accurate."
    )
    remedy = (
        "Pass class_weight to fit (1 / share of each class), draw batches evenly, and judge by recall, F1 or AUC "
        "instead of accuracy."
    )
    return [Finding("class imbalance", text, remedy, where, {"share": share, "class": most})]


def class_counts(goal: Goal, y: Array) -> Array | None:
    """How often each class occurs, where the targets are classes; None where they are not."""
    if not goal.classifies or y.size == 0:
        return None
    if goal.objective.loss.target == "labels":
        labels = y[y != goal.objective.ignore] if goal.objective.ignore is not None else y
        if labels.size == 0 or labels.min() < 0:
            return None
        return np.bincount(labels.reshape(-1).astype(np.int64), minlength=goal.objective.cols)
    if _is_categorical(goal) and y.shape[-1] == goal.objective.cols > 1:
        return np.bincount(y.argmax(axis=-1).reshape(-1), minlength=goal.objective.cols)
    if goal.objective.cols == 1 and np.isin(y, (0, 1)).all():
        return np.bincount(y.reshape(-1).astype(np.int64), minlength=2)
    return None


def _is_cross_entropy(goal: Goal) -> bool:
    return hasattr(goal.loss, "from_logits")


def _is_categorical(goal: Goal) -> bool:
    return getattr(goal.loss, "_activation", None) == "softmax"
