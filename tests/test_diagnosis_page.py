"""docs/diagnosis.md: its examples run, and print what the page says."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from pathlib import Path

import fastnn

PAGE = Path(__file__).parent.parent / "docs" / "diagnosis.md"
NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"


def outputs(text):
    """What each of the page's pieces of code prints; they follow on each other."""
    names, printed = {"__name__": "page"}, []
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream), warnings.catch_warnings():
            exec(compile(code, PAGE.name, "exec"), names)
        printed.append(stream.getvalue())
    return printed


def test_the_page_prints_what_it_says():
    text = PAGE.read_text()
    written = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    try:
        printed = outputs(text)
    finally:
        fastnn.config.set_floatx("float32")
    assert len(written) == len(printed) == 5
    for page, run in zip(written, printed):
        # the words are the same; the last digits may depend on instruction set and BLAS
        assert " ".join(re.sub(NUMBER, "#", page).split()) == " ".join(re.sub(NUMBER, "#", run).split())
