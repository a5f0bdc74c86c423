"""The report of a run of the laboratory: one HTML file, without anything outside of it."""

from __future__ import annotations

from collections.abc import Sequence

from fastnn.lab.running import Run


def page(runs: Sequence[Run]) -> str:
    """The text of the file."""
    raise NotImplementedError("Received: --report")
