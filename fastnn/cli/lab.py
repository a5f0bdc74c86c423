"""`fastnn lab`: run experiments, print what was seen, write pictures, numbers and a report."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import time
from pathlib import Path

from fastnn import threads
from fastnn.lab import catalogue, drawing, markdown
from fastnn.lab import report as html
from fastnn.lab.frame import VERDICTS, Settings
from fastnn.lab.running import Run, run_all, write
from fastnn.lab.running import run as run_one

WIDTH = 100  # of printed text


def _experiments(arguments: argparse.Namespace) -> int:
    settings = Settings(
        data=arguments.data,
        data_dir=arguments.data_dir,
        seed=arguments.seed,
        backend=arguments.backend,
        quick=arguments.quick,
    )
    names = _select(arguments.names)
    out = Path(arguments.out) if arguments.out else None
    if out and out.exists() and not out.is_dir():
        raise NotADirectoryError(f"--out: expected a folder. Received: {str(out)!r}")
    report = _check_report(arguments.report) if arguments.report else None
    if report and report.suffix.lower() == ".md" and out is None:
        out = report.parent  # a page of Markdown shows files
    if arguments.threads:
        threads.set_num_threads(arguments.threads)
    settings.images()  # here, so that what is missing is said once and is downloaded once
    draw = bool(out or report)
    if draw and not drawing.available():
        print(f"fastnn: warning: {drawing.MISSING}", file=sys.stderr)
        draw = False

    started = time.perf_counter()
    done: list[Run] = []
    if len(names) == 1:
        runs = iter([run_one(names[0], settings, draw=draw)])  # its error is the command's
    else:
        workers = arguments.workers or threads.get_num_threads()
        runs = run_all(names, settings, draw=draw, workers=workers)
    for one in runs:
        done.append(one)
        _show(one, f"{len(done)}/{len(names)}" if len(names) > 1 else "")
        for path in write(one, out) if out else []:
            print(f"Wrote {path}")
        sys.stdout.flush()
    if len(names) > 1:
        _summarise(done, time.perf_counter() - started)
    if report:
        report.write_text(_page(done, report, out), encoding="utf-8")
        print(f"\nWrote {report}")
    return _status(done, arguments.check)


def _select(given: list[str]) -> list[str]:
    if given == ["all"]:
        return catalogue.names()
    for name in given:
        if name in ("all", "list"):
            raise ValueError(f"fastnn lab: expected {name!r} alone. Received: {' '.join(given)}")
        catalogue.check(name)
    return list(dict.fromkeys(given))


def _check_report(path: str) -> Path:
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm", ".md"):
        raise ValueError(f"--report: the file name must end in .html or .md. Received: {path!r}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"--report: there is no such folder. Received: {str(target.parent)!r}")
    return target


def _page(done: list[Run], report: Path, out: Path | None) -> str:
    """One file with everything inside (HTML), or one that shows the pictures in `out` (Markdown)."""
    if report.suffix.lower() != ".md":
        return html.page(done)
    return markdown.page(done, os.path.relpath(out, report.parent) if out else "")


def _show(one: Run, place: str) -> None:
    head = " ".join(filter(None, [place, one.name, "-", catalogue.EXPERIMENTS[one.name], f"({one.seconds:.1f} s)"]))
    print(f"\n=== {head}\n" if place else f"{head}\n")
    if one.result is None:
        print(one.failure)
        return
    for table in one.result.tables:
        print(f"{table}\n")
    print(textwrap.fill(one.result.sentence, WIDTH) + "\n")
    for finding in one.result.findings:
        print("\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in str(finding).split("\n")))


def _summarise(done: list[Run], seconds: float) -> None:
    findings = [finding for one in done if one.result for finding in one.result.findings]
    counts = {verdict: sum(finding.verdict == verdict for finding in findings) for verdict in VERDICTS}
    told = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
    print(f"\n{len(done)} experiments, {len(findings)} claims: {told}; {seconds:.0f} s")


def _status(done: list[Run], check: bool) -> int:
    """1 if an experiment failed, or if one of its findings does not hold and that is asked for."""
    status = 0
    for one in done:
        if one.failure:
            print(f"fastnn lab: {one.name} failed: {one.failure.splitlines()[-1]}", file=sys.stderr)
            status = 1
        for claim in one.broken:
            print(f"fastnn lab: {one.name}: does not hold: {claim}", file=sys.stderr)
            status = max(status, int(check))
    return status


def _list() -> int:
    width = max(map(len, catalogue.names()))
    for name, text in catalogue.EXPERIMENTS.items():
        print(f"{name:<{width}}  {text}")
    return 0


def run(arguments: argparse.Namespace) -> int:
    return _list() if arguments.names == ["list"] else _experiments(arguments)
