"""The report of a run of the laboratory: one HTML file that needs nothing outside of it.

Pictures are inside the page, styles as well (report.css beside this module), and there is no script.  Text from
experiments is escaped wherever it goes.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Sequence
from html import escape
from pathlib import Path

from fastnn.lab import catalogue, summary
from fastnn.lab.frame import Finding, Table
from fastnn.lab.running import Run

STYLE = Path(__file__).with_name("report.css")
SCALE = 1.5  # pixels of a picture for a pixel of the page
WIDE = 600  # pixels from which on a picture is scrolled on a phone, and not shrunk


def page(runs: Sequence[Run]) -> str:
    """The text of the file.

    Parameters:
        runs: of one command, in the order of the page; their pictures are shown if they have any.

    Raises:
        ValueError: there is none.
    """
    summary.check(runs)
    title = summary.title(runs)
    body = [
        f'<header>\n<h1>{escape(title)}</h1>\n<p class="soft">{summary.INTRODUCTION}</p>\n</header>\n<main>',
        _numbers(runs),
        _circumstances(runs),
        *([_contents(runs)] if len(runs) > 1 else []),
        *(_experiment(run) for run in runs),
        f"</main>\n<footer class='soft'>{summary.CONCLUSION}</footer>",
    ]
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>",
            *body,
            "</body>\n</html>\n",
        ]
    )


# ------------------------------------------------------------------------------------------------------------- summary


def _numbers(runs: Sequence[Run]) -> str:
    boxes, wrong = summary.counts(runs), summary.failures(runs)
    told = "".join(f"<div><b>{count}</b><span class='soft'>{text}</span></div>" for text, count in boxes.items())
    if not wrong:
        return f'<div class="figures">{told}</div>'
    failed = f"{wrong} check{'s' * (wrong > 1)} failed; look for the red marks."
    return f'<div class="figures">{told}</div>\n<p><span class="badge failed">{failed}</span></p>'


def _circumstances(runs: Sequence[Run]) -> str:
    facts = {name: escape(fact) for name, fact in summary.circumstances(runs).items()}
    facts = {"Command": f"<code>{escape(summary.command(runs))}</code>"} | facts
    entries = "".join(f"<dt>{name}</dt><dd>{fact}</dd>" for name, fact in facts.items())
    return f'<section class="card"><dl>{entries}</dl></section>'


def _contents(runs: Sequence[Run]) -> str:
    items = []
    for run in runs:
        marks = "" if run.result and run.result.holds else ' <span class="badge failed">failed</span>'
        items.append(
            f'<li><span><a href="#{run.name}">{run.name}</a>{marks}</span><span class="soft">'
            f'{escape(catalogue.EXPERIMENTS[run.name])}</span><span class="soft">{run.seconds:.1f} s</span></li>'
        )
    return f'<nav class="card" aria-label="Experiments"><ul class="contents">{"".join(items)}</ul></nav>'


# ---------------------------------------------------------------------------------------------------------- experiments


def _experiment(run: Run) -> str:
    parts = [
        f'<section class="card" id="{run.name}">\n<h2>{escape(run.name)}</h2>',
        f'<p class="soft">{escape(catalogue.EXPERIMENTS[run.name])}</p>',
    ]
    if run.result is None:
        parts.append(f'<p><span class="badge failed">failed</span></p><pre>{escape(run.failure)}</pre>')
    else:
        parts.append(f'<p class="lead">{_text(run.result.sentence)}</p>')
        parts.append(f'<ul class="claims">{"".join(map(_finding, run.result.findings))}</ul>')
        parts.extend(_picture(f"{run.name}: {key}", made) for key, made in run.pictures.items())
        parts.extend(map(_table, run.result.tables))
    parts.append(
        "<details><summary>What the notes say, what is done here, and where it comes from</summary>"
        f'<div class="text">{_prose(run)}</div></details>'
    )
    parts.append(f'<p class="soft"><code>{escape(run.command)}</code> took {run.seconds:.1f} s.</p>\n</section>')
    return "\n".join(parts)


def _finding(finding: Finding) -> str:
    badge = f'<span class="badge {finding.verdict.replace(" ", "-")}">{finding.verdict}</span>'
    failed = "" if finding.holds else ' <span class="badge failed">check failed</span>'
    text = f"<b>{_text(finding.claim)}</b>{failed}<p>{_text(finding.evidence)}</p>"
    return f"<li><span>{badge}</span><div>{text}</div></li>"


def _picture(name: str, picture: bytes | str) -> str:
    if isinstance(picture, str):
        kind, content, size, wide = "svg+xml", picture.encode(), "", ""
    else:
        width, height = (round(side / SCALE) for side in struct.unpack(">II", picture[16:24]))  # of the PNG header
        kind, content, size = "png", picture, f' width="{width}" height="{height}"'
        wide = ' class="wide"' if width > WIDE else ""
    encoded = base64.b64encode(content).decode("ascii")
    image = f'<img{wide}{size} alt="{escape(name)}" src="data:image/{kind};base64,{encoded}">'
    return f'<figure><div class="scroll" tabindex="0">{image}</div></figure>'


def _table(table: Table) -> str:
    styles = [' class="number"' if numeric else "" for numeric in table.numeric()]
    head = "".join(f'<th scope="col"{style}>{escape(name)}</th>' for name, style in zip(table.columns, styles))
    rows = "".join(
        f"<tr>{''.join(f'<td{style}>{escape(text)}</td>' for text, style in zip(row, styles))}</tr>\n"
        for row in table.cells()
    )
    title = f"<h3>{escape(table.title)}</h3>"
    body = (
        f'<div class="scroll" tabindex="0"><table aria-label="{escape(table.title)}">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>"
    )
    if len(table.rows) <= summary.LONG:
        return f"{title}\n{body}"
    return f"<details><summary>{title} ({len(table.rows)} rows)</summary>\n{body}</details>"


def _prose(run: Run) -> str:
    parts = []
    for part in summary.about(run):
        tag = "pre" if part.startswith("    ") else "p"
        parts.append(f"<{tag}>{_text(part)}</{tag}>")
    return "\n".join(parts)


def _text(text: str) -> str:
    """Escaped, with numbers such as 1e-16 kept in one piece."""
    return re.sub(r"[-\d.]+e-\d+", r'<span class="nowrap">\g<0></span>', escape(text))
