"""One step without an update: weights, activations, and gradients on their way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn.engine.observing import Observer
from fastnn.models.compiling import Goals
from fastnn.models.data import Data

from .report import Finding, listed, number, percent

if TYPE_CHECKING:
    from fastnn.models.model import Model

Array = npt.NDArray[Any]

# Samples of the step: enough for a unit that is 0 for all of them to be dead, few enough to be quick.
SAMPLES = 512
# Fresh layers have no dead units, layers after a healthy training up to a fifth; more than half of them is a failure.
DEAD = 0.5
# Of so few samples, a healthy unit is 0 for all by chance (1 in 2^n).
FEWEST_FOR_DEAD = 8
# Fresh layers of Glorot's initialisation have up to a tenth of their outputs near a limit; more than half means that
# most gradients are cut to less than 8 % in this layer alone.
SATURATED = 0.5
# The norm of the signal in the first layer with weights, as a part of that in the last hidden one.  A sigmoid takes a
# factor of 4 to 8 a layer, so two or three layers are well above; four or five steps on, the first layers stand still.
VANISHING = 1e-3
# Where no short training at any rate made progress, though x knows of y, a tenth suffices: two sigmoids take that much.
VANISHING_WITHOUT_PROGRESS = 0.1
# Healthy initialisation keeps the norm within a factor of ten; each layer that multiplies it by ten makes three layers.
EXPLODING = 1e3
# Two units are alike if weights and gradients differ by less than this part: rounding is 1e-7, training noise far more.
ALIKE = 1e-5


def judge(model: Model, data: Data, goals: Goals) -> tuple[list[Finding], dict[str, dict[str, Any]]]:
    """Findings of one look, and the numbers by layer."""
    runner = model.runner
    observer = Observer(runner.graph)
    broken = [p.name for p in runner.arena.parameters if not np.isfinite(p.value).all()]
    runner.observe(observer)
    try:
        loss, gradients = runner.gradient(data, goals, model.seed)
    finally:
        runner.observe(None)
    layers = observer.summary()
    findings = _not_finite(broken, layers, loss, gradients)
    findings += _symmetric(model, gradients)
    last = {node.layer.name for node in runner.graph.nodes if set(node.outputs) & set(runner.graph.outputs)}
    findings += _saturated({name: numbers for name, numbers in layers.items() if name not in last})
    findings += _dead(layers) if data.n >= FEWEST_FOR_DEAD else []
    if not findings or findings[0].name != "not finite":
        findings += flow(model, layers)
    return findings, layers


def _not_finite(broken: list[str], layers: dict[str, Any], loss: float, gradients: list[Array]) -> list[Finding]:
    if broken:
        text = f"NaN or infinity stands in the weights {listed(broken)}; every later step keeps it there."
        remedy = (
            "Begin again from fresh weights, with a tenth of the learning rate or clipnorm=1; callbacks.TerminateOnNaN "
            "stops in time. Look for a division by 0 or a logarithm of 0 in what is your own."
        )
        return [Finding("not finite", text, remedy, tuple(broken), {"weights": len(broken)})]
    where = [name for name, numbers in layers.items() if numbers["not_finite"]]
    bad = not np.isfinite(loss) or not all(np.isfinite(g).all() for g in gradients)
    if not where and not bad:
        return []
    place = f"the outputs of {listed(where)}" if where else "the loss" if not np.isfinite(loss) else "the gradients"
    text = f"NaN or infinity appears first in {place}, though the weights are finite."
    remedy = "Scale inputs and initial weights down; look at logarithms, divisions and exponentials of that place."
    return [Finding("not finite", text, remedy, tuple(where[:1]), {"loss": loss if np.isfinite(loss) else None})]


def _symmetric(model: Model, gradients: list[Array]) -> list[Finding]:
    """Units of a layer that have the same weights and get the same gradient stay the same for ever."""
    by_id = {id(p): g for p, g in zip((p for p in model.runner.arena.parameters if p.trainable), gradients)}
    names = []
    for layer in {id(node.layer): node.layer for node in model.runner.graph.nodes}.values():
        kernels = [p for p in layer.weights if id(p) in by_id and len(p.shape) > 1 and "kernel" in p.name]
        if not kernels:
            continue
        units = getattr(layer, "units", kernels[0].shape[-1])
        if units < 2 or kernels[0].shape[-1] % units:
            continue
        matter = [p for p in layer.weights if id(p) in by_id]
        if all(_alike(p.value, units) and _alike(by_id[id(p)], units) for p in matter):
            names.append(layer.name)
    if not names:
        return []
    text = (
        f"All units of {listed(names)} have the same weights and get the same gradients: each layer counts as one unit."
    )
    remedy = "Draw the weights at random (glorot_uniform, he_normal); zeros are for biases."
    return [Finding("symmetric weights", text, remedy, tuple(names), {"layers": len(names)})]


def _alike(values: Array, units: int) -> bool:
    if values.shape[-1] % units:
        return True
    parts = np.asarray(values, np.float64).reshape(-1, units)
    return bool(np.abs(parts - parts[:, :1]).max() <= ALIKE * np.abs(parts).max())


def _saturated(layers: dict[str, Any]) -> list[Finding]:
    shares = {name: numbers["saturated"] for name, numbers in layers.items() if (numbers["saturated"] or 0) > SATURATED}
    if not shares:
        return []
    shown = listed([f"{name} {percent(share)}" for name, share in shares.items()])
    text = f"Outputs that lie within 2 % of a limit of the activation, where its derivative is nearly 0: {shown}."
    remedy = (
        "Scale the inputs to unit variance, start from smaller weights (glorot_uniform), put BatchNormalization before "
        "the activation, or take relu with he_normal."
    )
    return [Finding("saturation", text, remedy, tuple(shares), {"saturated": shares})]


def _dead(layers: dict[str, Any]) -> list[Finding]:
    shares = {name: numbers["dead"] for name, numbers in layers.items() if (numbers["dead"] or 0) > DEAD}
    if not shares:
        return []
    shown = listed([f"{name} {percent(share)}" for name, share in shares.items()])
    text = f"Units that are 0 for every sample and so get no gradient: {shown}."
    remedy = (
        "Begin again with a smaller learning rate, he_normal and biases that are not negative; leaky_relu or elu keep "
        "a gradient below 0."
    )
    return [Finding("dead units", text, remedy, tuple(shares), {"dead": shares})]


def flow(model: Model, layers: dict[str, Any], vanishing: float = VANISHING) -> list[Finding]:
    """Where the signal gets lost, or grows, between the last hidden layer with weights and the first one."""
    graph = model.runner.graph
    observer = Observer(graph)
    finals = {node.layer.name for node in graph.nodes if set(node.outputs) & set(graph.outputs)}
    named = [
        (record.name, layers[record.name]["signal"])
        for node, record in zip(graph.nodes, observer.records)
        if any("kernel" in weight.name for weight in node.layer.weights) and record.name in layers
    ]
    signals = [(name, signal) for name, signal in named if signal is not None]
    hidden = [entry for entry in signals if entry[0] not in finals] or signals
    if len(hidden) < 2 or not hidden[-1][1]:
        return []
    (first, at_first), (last, at_last) = hidden[0], hidden[-1]
    ratio = at_first / at_last
    evidence = {"signals": dict(signals), "ratio": ratio}
    course = (
        f"Its norm is {number(at_last)} at {last} and {number(at_first)} at {first}, {number(ratio)} times as much."
    )
    if ratio < vanishing:
        text = f"The gradient gets lost on its way back. {course}"
        remedy = (
            "Take relu with he_normal (or tanh with glorot_uniform) instead of sigmoid, BatchNormalization between the "
            "layers, shortcuts around them, or fewer layers."
        )
        return [Finding("vanishing gradients", text, remedy, (first,), evidence)]
    if ratio > EXPLODING:
        text = f"The gradient grows on its way back. {course}"
        remedy = (
            "Start from smaller weights (glorot_uniform, he_normal), clip with clipnorm=1, or normalise the layers."
        )
        return [Finding("exploding gradients", text, remedy, (first,), evidence)]
    return []
