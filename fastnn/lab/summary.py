"""What every report of a run begins with: its circumstances, and what became of the claims."""

from __future__ import annotations

import re
from collections.abc import Sequence
from inspect import cleandoc

from fastnn.lab import catalogue
from fastnn.lab.frame import VERDICTS, Finding
from fastnn.lab.running import Run, machine

INTRODUCTION = "What lecture notes say about neural networks, tried on this machine."
CONCLUSION = (
    "Numbers belong to this run. A claim is confirmed, not confirmed, or it depends; where it is not confirmed, what "
    "is checked is what is true instead."
)

LONG = 20  # rows from which on a table is folded


def check(runs: Sequence[Run]) -> None:
    """Complain about a report of nothing."""
    if not runs:
        raise ValueError(f"page: expected at least one run. Received: {runs!r}")


def title(runs: Sequence[Run]) -> str:
    return "The laboratory of fastnn" if len(runs) > 1 else f"fastnn lab: {runs[0].name}"


def findings(runs: Sequence[Run]) -> list[Finding]:
    return [finding for run in runs if run.result for finding in run.result.findings]


def counts(runs: Sequence[Run]) -> dict[str, int]:
    """How many claims there are, and how many of each verdict."""
    found = findings(runs)
    return {"claims": len(found)} | {verdict: sum(one.verdict == verdict for one in found) for verdict in VERDICTS}


def failures(runs: Sequence[Run]) -> int:
    """Checks that do not hold, and experiments that raised."""
    return sum(not finding.holds for finding in findings(runs)) + sum(run.result is None for run in runs)


def about(run: Run) -> list[str]:
    """The paragraphs of an experiment's docstring; one that is indented stays as it is."""
    return re.split(r"\n\s*\n", cleandoc(catalogue.module(run.name).__doc__ or ""))


def command(runs: Sequence[Run]) -> str:
    """What repeats all of them."""
    names = [run.name for run in runs]
    if len(names) == 1:
        return runs[0].command
    wanted = "all" if names == catalogue.names() else " ".join(names)
    return runs[0].command.replace(f"lab {names[0]}", f"lab {wanted}", 1)


def circumstances(runs: Sequence[Run]) -> dict[str, str]:
    """What the numbers depend on."""
    settings, about = runs[0].settings, machine()
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    return {
        "Data": f"{settings.data}, seed {settings.seed}, {'quick' if settings.quick else 'whole'} run, "
        f"{settings.backend} backend ({about['isa']})",
        "Time": f"{sum(run.seconds for run in runs):.1f} s for {len(runs)} experiment{'s' * (len(runs) > 1)}",
        "Machine": f"{about['processor']}, {about['cpus']} CPUs; {about['platform']}",
        "Versions": f"fastnn {about['fastnn']}, Python {about['python']}, {packages}",
    }
