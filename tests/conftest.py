"""Fixtures that several test modules share."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from command import QUICK, Run, write

import fastnn
from fastnn import cli
from fastnn.backend import current

# A shell that started the tests in the background has left SIGINT ignored, and children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=["native", "reference"])
def backend(request):
    """Each of the two backends in turn."""
    with fastnn.use_backend(request.param):
        yield current()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command that must succeed; returns what it wrote to standard output and standard error."""

    def call(*argv: object) -> tuple[str, str]:
        before = fastnn.get_num_threads()
        try:
            status = cli.main([str(argument) for argument in argv])
        finally:
            fastnn.set_num_threads(before)
        out, err = capsys.readouterr()
        assert status == 0, err
        return out, err

    return call


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Two classes far apart, with a header: 60 lines."""
    rng = np.random.default_rng(0)
    lines = ["length,width,kind"]
    for i in range(60):
        length, width = rng.normal((1000, 1) if i % 2 else (3000, 9), (50, 0.5))
        lines.append(f"{length:.3f},{width:.3f},{'rose' if i % 2 else 'tulip'}")
    return write(tmp_path / "flowers.csv", "\n".join(lines) + "\n")


@pytest.fixture
def trained(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "digits.fastnn"
    run("train", *QUICK, "--save", path)
    return path
