"""What a diagnosis consists of: findings with evidence and remedy, and the text that they make."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastnn.callbacks.observing import table

WIDTH = 100


@dataclass(frozen=True)
class Finding:
    """Something that keeps a model from learning.

    Attributes:
        name: of the kind, one of `KINDS`.
        message: what is the matter, with the numbers that show it.
        remedy: what to do about it.
        where: the layers, inputs or outputs concerned.
        evidence: the numbers, by name.
    """

    name: str
    message: str
    remedy: str
    where: tuple[str, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}: {self.message} Remedy: {self.remedy}"


# Causes before their consequences: the report has them in this order.
KINDS = (
    "not finite",
    "labels out of range",
    "loss and output do not fit",
    "inputs not scaled",
    "targets not scaled",
    "class imbalance",
    "nothing to train",
    "labels not related to x",
    "symmetric weights",
    "saturation",
    "dead units",
    "exploding gradients",
    "vanishing gradients",
    "learning rate too large",
    "learning rate too small",
)


@dataclass(frozen=True)
class Diagnosis:
    """Why a model is not learning, as far as its numbers tell.

    Attributes:
        findings: causes before consequences; empty if nothing was found.
        layers: what one look at activations and gradients showed, by layer (the names are `callbacks.Monitor`'s).
        trials: what short trainings gave: the loss on held-out samples before, after, and of the best constant output,
            and whether any made progress.
        looked_at: which kinds of findings could be judged.
    """

    findings: tuple[Finding, ...]
    layers: dict[str, dict[str, Any]]
    trials: dict[str, Any]
    looked_at: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether there are findings."""
        return bool(self.findings)

    def __contains__(self, name: object) -> bool:
        return any(finding.name == name for finding in self.findings)

    def __getitem__(self, name: str) -> Finding:
        """The finding of that kind.

        Raises:
            KeyError: there is none.
        """
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(f"expected one of the findings {[finding.name for finding in self.findings]}. Received: {name}")

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        findings = [
            {
                "name": finding.name, "message": finding.message, "remedy": finding.remedy,
                "where": list(finding.where), "evidence": finding.evidence,
            }
            for finding in self.findings
        ]  # fmt: skip
        return {
            "findings": findings, "layers": self.layers, "trials": self.trials, "looked_at": list(self.looked_at),
        }  # fmt: skip

    def __str__(self) -> str:
        count = len(self.findings)
        lines = textwrap.wrap(_headline(count) if count else _nothing_found(self.trials), WIDTH)
        for number, finding in enumerate(self.findings, 1):
            lines += [
                "",
                f"{number}. {finding.name}" + (f" ({listed(finding.where)})" if finding.where else ""),
                *_indented(finding.message),
                *_indented(f"Remedy: {finding.remedy}"),
            ]
        if self.layers:
            lines += ["", table(self.layers)]
        if self.trials:
            lines += ["", *textwrap.wrap(_of_trials(self.trials), WIDTH)]
        missing = [kind for kind in KINDS if kind not in self.looked_at]
        if missing:
            lines += ["", *textwrap.wrap(f"Not judged here: {', '.join(missing)}.", WIDTH)]
        return "\n".join(lines)


def listed(names: Sequence[str], most: int = 4) -> str:
    """Some names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def number(value: float | None) -> str:
    """A number for readers."""
    return "not finite" if value is None else f"{value:.3g}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _headline(count: int) -> str:
    if count == 1:
        return "One thing was found that keeps this model from learning."
    return f"{count} things were found that keep this model from learning; the first may cause the others."


def _nothing_found(trials: dict[str, Any]) -> str:
    if not trials or trials["progress"]:
        return "Nothing was found that keeps this model from learning."
    if trials["by_heart"]:
        return (
            "No cause was found, but what the model learns of training samples does not help with held-out ones: more "
            "samples, fewer weights or regularisation may."
        )
    return "No cause was found, but none of the short trainings made progress on held-out samples."


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="   ", subsequent_indent="   ")


def _of_trials(trials: dict[str, Any]) -> str:
    text = f"The loss of held-out samples is {number(trials['before'])} now"
    if trials.get("constant") is not None:
        text += f"; the best constant output has {number(trials['constant'])}"
    for trial in trials["trials"]:
        rate = "" if trial["learning_rate"] is None else f" with learning rate {trial['learning_rate']:.3g}"
        text += f"; after {trial['steps']} steps{rate} it was {number(trial['after'])}"
    return text + "."
