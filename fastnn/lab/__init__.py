"""The laboratory: what lecture notes say about neural networks, tried on this machine.

    fastnn lab list
    fastnn lab vanishing-gradient --out pictures
    fastnn lab all --quick --check --report report.html

An experiment is a module of fastnn.lab.experiments with `run(settings) -> Result` and `draw(result) -> pictures`, named
by a line of fastnn.lab.catalogue.  It uses fastnn as any user would.  From Python:

    result = fastnn.lab.run("vanishing-gradient", Settings(quick=True)).result
"""

from __future__ import annotations

from typing import Any

from fastnn import _keras
from fastnn.lab.catalogue import names
from fastnn.lab.frame import Finding, Images, Result, Settings, Table
from fastnn.lab.running import Run, run, run_all

__all__ = ["Finding", "Images", "Result", "Run", "Settings", "Table", "names", "run", "run_all"]


def __getattr__(name: str) -> Any:
    raise _keras.absent("lab", name, __all__)
