"""The report of a run of the laboratory as a page of Markdown, whose pictures are files beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from fastnn.lab import catalogue, summary
from fastnn.lab.frame import Table
from fastnn.lab.running import SUFFIXES, Run, file_stem


def page(runs: Sequence[Run], pictures: str = "") -> str:
    """The text of the file.

    Parameters:
        runs: of one command, in the order of the page.
        pictures: the folder that `running.write` has written them to, as seen from the page.

    Raises:
        ValueError: there is none.
    """
    summary.check(runs)
    told = ", ".join(f"{count} {name}" for name, count in summary.counts(runs).items())
    failed = summary.failures(runs)
    facts = {"Command": f"`{summary.command(runs)}`"} | {k: _text(v) for k, v in summary.circumstances(runs).items()}
    parts = [
        f"# {summary.title(runs)}",
        summary.INTRODUCTION,
        _rows(["", ""], [[name, fact] for name, fact in facts.items()]),
        f"## Claims\n\n{told}." + (f" **{failed} failed.**" if failed else ""),
        _rows(["experiment", "the notes say", "verdict", "what was seen"], _claims(runs)),
        *(_experiment(run, pictures) for run in runs),
        summary.CONCLUSION,
    ]
    return "\n\n".join(parts) + "\n"


def _claims(runs: Sequence[Run]) -> list[list[str]]:
    found = []
    for run in runs:
        for finding in run.result.findings if run.result else ():
            verdict = finding.verdict + ("" if finding.holds else ", **check failed**")
            found.append([f"[{run.name}](#{run.name})", _text(finding.claim), verdict, _text(finding.evidence)])
    return found


def _experiment(run: Run, pictures: str) -> str:
    parts = [f"## {run.name}"]
    if run.result is None:
        parts += [f"{catalogue.EXPERIMENTS[run.name].capitalize()}: **failed**.", f"```\n{run.failure}\n```"]
    else:
        parts.append(_text(run.result.sentence))
        for key, picture in run.pictures.items():
            path = os.path.join(pictures, file_stem(run.name, key) + SUFFIXES[type(picture)])
            parts.append(f"![{run.name}: {key}]({Path(path).as_posix()})")
        parts += map(_table, run.result.tables)
    about = _prose(run)
    parts.append(
        f"<details><summary>What the notes say, what is done here, and where it comes from</summary>\n\n{about}"
    )
    parts += ["</details>", f"`{run.command}` took {run.seconds:.1f} s."]
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    body = _rows(table.columns, table.cells(), table.numeric())
    if len(table.rows) <= summary.LONG:
        return f"**{_text(table.title)}**\n\n{body}"
    return f"<details><summary>{_text(table.title)} ({len(table.rows)} rows)</summary>\n\n{body}\n\n</details>"


def _rows(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool] | None = None) -> str:
    sides = ["--:" if right else "---" for right in numeric or [False] * len(columns)]
    lines = [[_cell(name) for name in columns], sides, *([_cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _prose(run: Run) -> str:
    return "\n\n".join(part if part.startswith("    ") else _text(part) for part in summary.about(run))


def _text(text: str) -> str:
    """Characters that mean something in Markdown or HTML mean themselves."""
    return re.sub(r"([\\`*_<>\[\]#])", r"\\\1", text)
