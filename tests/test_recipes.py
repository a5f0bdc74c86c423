"""docs/adding-an-activation.md, followed to the letter: append what it says to append, run what it says to run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/adding-an-activation.md"
NEEDED = ("fastnn", "src_c", "tests", "tools", "docs", "setup.py", "pyproject.toml", "LICENSE", "README.md")
APPEND = re.compile(r"^Append to `(?P<path>[^`]+)`:\n\n```\w+\n(?P<text>.*?)^```", re.M | re.S)
COMMANDS = re.compile(r"^```sh\n(?P<text>.*?)^```", re.M | re.S)

pytestmark = pytest.mark.skipif(
    not (ROOT / "setup.py").exists() or not any(map(shutil.which, ("cc", "gcc", "clang"))),
    reason="needs the source tree and a C compiler",
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    """A copy of the source tree with the page's additions, built."""
    tree = tmp_path_factory.mktemp("recipe") / "tree"
    tree.mkdir()
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        elif source.exists():
            shutil.copy(source, tree / name)
    steps = APPEND.findall(PAGE.read_text())
    paths = ["src_c/activations.def", "fastnn/reference/activations/gated.py", "tests/oracles.py"]
    assert [path for path, _ in steps] == paths
    for path, text in steps:
        target = tree / path
        separator = "\n\n" if text.startswith("@") else ""
        target.write_text(target.read_text().rstrip() + "\n" + separator + text)
    return tree


def run(tree: Path, command: str) -> str:
    words = shlex.split(command)
    words = [sys.executable if words[0] == "python" else words[0], *words[1:]]
    if words[0] == "pytest":
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words[1:]]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_the_page_adds_a_working_activation(scratch):
    (commands,) = COMMANDS.findall(PAGE.read_text())
    outputs = {command: run(scratch, command) for command in commands.strip().splitlines()}
    (tested,) = (text for command, text in outputs.items() if command.startswith("pytest"))
    assert int(re.search(r"(\d+) passed", tested)[1]) >= 20  # the contract tests walked over it

    program = """
import numpy as np, fastnn
from fastnn import layers, ops
x = np.array([-2.0, 0.0, 3.0, np.inf])
np.testing.assert_allclose(ops.lisht(x), [2 * np.tanh(2), 0, 3 * np.tanh(3), np.inf], rtol=1e-15)
np.testing.assert_allclose(ops.lisht_grad(x[:3]), np.tanh(x[:3]) + x[:3] / np.cosh(x[:3]) ** 2, rtol=1e-14)
assert "Linearly scaled" in ops.lisht.__doc__
model = fastnn.Sequential([layers.Input((4,)), layers.Dense(8, activation="lisht"), layers.Dense(1)])
model.compile("adam", "mse")
rng = np.random.default_rng(0)
data = rng.normal(size=(256, 4)), rng.normal(size=(256, 1)) ** 2
first, *_, last = model.fit(*data, epochs=30, verbose=0).history["loss"]
assert last < first
print("trained")
"""
    assert "trained" in run(scratch, f"python -c {shlex.quote(program)}")
