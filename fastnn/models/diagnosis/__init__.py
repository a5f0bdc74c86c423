"""Why is it not learning?  `model.diagnose(x, y)` looks at data, weights, one step and a few short trainings.

What is looked at stands in modules of its own: the data and how they fit the loss (`data`, `outputs`), weights,
activations and gradients of one step (`signals`), and short trainings (`trials`) with several
learning rates (`rates`), beside what simple methods know of y (`relation`).  Every
judgement has a threshold: a constant with its reason.  A threshold is set where a network that learns does not come,
rather than where one that learns badly begins: a finding is to be believed.

The model is afterwards what it was: weights, optimizer and counters are put back.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.models.batches import Batch
from fastnn.models.borrowing import unchanged
from fastnn.models.data import Data, whole
from fastnn.models.evaluating import arrays

from . import data, outputs, signals, trials
from .report import KINDS, Diagnosis, Finding
from .state import loss_alone, sample

if TYPE_CHECKING:
    from fastnn.models.model import Model

__all__ = ["KINDS", "Diagnosis", "Finding", "diagnose"]


def diagnose(model: Model, x: Any, y: Any, sample_weight: Any, batch_size: Any, steps: Any) -> Diagnosis:
    """See `Model.diagnose`."""
    where = "diagnose"
    batch_size, steps = whole(batch_size, "batch_size", where), whole(steps, "steps", where, least=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they warn of is a finding here
        inputs, targets, weights = arrays(model, Batch(x, y, sample_weight), None, where)
        findings = data.inputs(model, inputs)
        assert model._compiled is not None
        weighted = tuple(part is not None for part in weights)
        graph = model.runner.lengths.of(inputs)
        goals = model._compiled.goals(graph, model._structures[1], targets, weighted, where)
        judged, trainable = outputs.judge(goals, targets)
        findings += judged
        looked_at = {*KINDS[: KINDS.index("labels not related to x")]}
        layers: dict[str, Any] = {}
        tried: dict[str, Any] = {}
        if not any(parameter.trainable for parameter in model.runner.arena.parameters):
            trainable = False
            text = "None of its weights is trainable: no training changes what the model computes."
            remedy = "Set trainable = True for what is to learn, and compile again."
            findings.append(Finding("nothing to train", text, remedy, (), {"trainable_weights": 0}))
        if trainable:
            goals = loss_alone(goals)
            prepared = _prepared(model, inputs, targets, weights, goals)
            with unchanged(model):
                model.runner.observe(None)
                found, layers = signals.judge(model, sample(prepared, signals.SAMPLES), goals)
                known = any(finding.name == "not finite" for finding in findings)  # then the rest follows from the data
                findings += [finding for finding in found if not (known and finding.name == "not finite")]
                looked_at |= {
                    "symmetric weights", "saturation", "dead units", "exploding gradients", "vanishing gradients",
                }  # fmt: skip
                finite = not any(finding.name == "not finite" for finding in findings)
                if steps and finite and prepared.n >= trials.FEWEST:
                    found, tried, kinds = trials.judge(model, prepared, goals, batch_size, steps)
                    findings += found
                    if not (findings or tried["progress"] or tried["by_heart"]):
                        findings += signals.flow(model, layers, signals.VANISHING_WITHOUT_PROGRESS)
                    looked_at |= kinds
    ordered = sorted(findings, key=lambda finding: KINDS.index(finding.name))
    return Diagnosis(tuple(ordered), layers, tried, tuple(kind for kind in KINDS if kind in looked_at))


def _prepared(model: Model, inputs: Any, targets: Any, weights: Any, goals: Any) -> Data:
    from fastnn.models.data import prepare

    graph = model.runner.lengths.of(inputs)
    prepared = prepare(graph, inputs, targets, weights, goals=goals, dtype=model.runner.dtype, where="diagnose")
    return prepared._replace(y=tuple(np.asarray(part) if part is not None else part for part in prepared.y))
