"""Recurrent layers beside PyTorch and JAX: whole sequences, forward, and forward with all gradients, float32.

    python bench/compare_recurrent.py                   the whole grid, one thread: some minutes
    python bench/compare_recurrent.py --quick           a few shapes
    python bench/compare_recurrent.py --json bench/results/recurrent.json --chart docs/recurrent.svg

Every line is one shape: microseconds of fastnn, and how many times longer the others take; contenders take turns, and
medians are compared.  PyTorch's autograd is called as a training step calls it; JAX runs a jitted scan and its
gradient.  As many features as units go in; the gradient arrives at the output of every time step.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--quick", action="store_true", help="a few shapes only")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seconds", type=float, default=1.0, help="for each line")
parser.add_argument("--json", type=Path)
parser.add_argument("--chart", type=Path, help="a picture, .svg or .png (needs matplotlib)")
options = parser.parse_args()
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(options.threads)  # read when the libraries are loaded: before the imports below
if hasattr(os, "sched_setaffinity"):  # JAX takes as many threads as it may use cores
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

import fastnn  # noqa: E402
from fastnn import ops  # noqa: E402
from fastnn.benchmarks import load, machine  # noqa: E402

CELLS = {"rnn": 1, "lstm": 4, "gru": 3}
GRID = list(itertools.product(CELLS, (16, 64, 128, 256), (10, 50, 200), (1, 32)))  # cell, units, steps, batch
QUICK = [("rnn", 64, 28, 32), ("lstm", 64, 28, 32), ("gru", 64, 28, 32), ("lstm", 128, 50, 32), ("gru", 128, 50, 1)]
Calls = dict[str, Callable[[], object]]


def ours(cell: str, x: Any, w: Any, u: Any, b: Any, dy: Any) -> Calls:
    forwards: dict[str, Callable[[], Any]] = {
        "rnn": lambda: ops.rnn_forward(x, None, w, u, b),
        "lstm": lambda: ops.lstm_forward(x, None, None, w, u, b),
        "gru": lambda: ops.gru_forward(x, None, w, u, np.stack([b, b]), reset_after=True),
    }
    forward, backward = forwards[cell], getattr(ops, f"{cell}_backward")
    return {"fastnn forward": forward, "fastnn step": lambda: backward(dy, forward()[1])}


def pytorch(cell: str, x: Any, units: int, dy: Any) -> Calls:
    layer = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](units, units, batch_first=True)
    tx, tdy = torch.from_numpy(x), torch.from_numpy(dy)
    leaf = tx.clone().requires_grad_()

    def forward() -> object:
        with torch.inference_mode():
            return layer(tx)[0]

    return {
        "torch forward": forward,
        "torch step": lambda: torch.autograd.grad(layer(leaf)[0], [leaf, *layer.parameters()], tdy),
    }


def jitted(cell: str, x: Any, w: Any, u: Any, b: Any, dy: Any) -> Calls:
    units = u.shape[0]

    def forward(x: Any, w: Any, u: Any, b: Any) -> Any:
        def one(state: Any, z: Any) -> Any:
            h, c = state
            if cell == "gru":
                r = h @ u
                update, reset = jnp.split(jax.nn.sigmoid(z[:, : 2 * units] + r[:, : 2 * units]), 2, -1)
                h = update * h + (1 - update) * jnp.tanh(z[:, 2 * units :] + reset * r[:, 2 * units :])
            elif cell == "lstm":
                enter, forget, new, leave = jnp.split(z + h @ u, 4, -1)
                c = jax.nn.sigmoid(forget) * c + jax.nn.sigmoid(enter) * jnp.tanh(new)
                h = jax.nn.sigmoid(leave) * jnp.tanh(c)
            else:
                h = jnp.tanh(z + h @ u)
            return (h, c), h

        start = jnp.zeros((x.shape[0], units))
        return jax.lax.scan(one, (start, start), (x @ w + b).transpose(1, 0, 2))[1]

    arguments = tuple(map(jnp.asarray, (x, w, u, b)))
    gradient = jnp.asarray(dy.transpose(1, 0, 2))
    both = jax.jit(lambda *given: jax.vjp(forward, *given)[1](gradient))
    alone = jax.jit(forward)
    return {
        "jax forward": lambda: jax.block_until_ready(alone(*arguments)),
        "jax step": lambda: jax.block_until_ready(both(*arguments)),
    }


def compare(cell: str, units: int, steps: int, batch: int) -> dict[str, float]:
    """Median microseconds of everybody."""
    rng = np.random.default_rng(0)
    width = CELLS[cell] * units
    x, dy = (rng.standard_normal((batch, steps, units), np.float32) for _ in range(2))
    w, u = (rng.standard_normal((units, width), np.float32) / np.float32(units**0.5) for _ in range(2))
    b = rng.standard_normal(width).astype(np.float32)
    calls = {**ours(cell, x, w, u, b, dy), **pytorch(cell, x, units, dy), **jitted(cell, x, w, u, b, dy)}
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + options.seconds
    while time.perf_counter() < end or len(times["jax step"]) < 5:
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) * 1e6 for name, taken in times.items()}


def chart(found: list[tuple[tuple[Any, ...], dict[str, float]]], path: Path) -> None:
    """How many times longer a step takes elsewhere, against the units."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    for place, cell in enumerate(CELLS):
        axes = figure.add_subplot(1, 3, place + 1)
        for batch, style in ((1, ":"), (32, "-")):
            for steps, color in ((10, "#4c78a8"), (50, "#e45756"), (200, "#2a7f7b")):
                rows = [(s[1], row) for s, row in found if s[0] == cell and s[2:] == (steps, batch)]
                best = [min(row["torch step"], row["jax step"]) / row["fastnn step"] for _, row in rows]
                axes.plot([units for units, _ in rows], best, style, color=color, marker="o", markersize=3,
                          label=f"{steps} steps, batch {batch}")  # fmt: skip
        axes.axhline(1, color="black", linewidth=1)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.set_xlabel("units")
        axes.set_title(f"{cell}: faster of PyTorch and JAX / fastnn")
        axes.grid(alpha=0.3)
    figure.axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path)
    print(f"written: {path}")


def main() -> None:
    torch.set_num_threads(options.threads)
    fastnn.set_num_threads(options.threads)
    about = machine()
    print(f"{about['processor']}, {about['isa']}, {options.threads} thread(s), load {load()}")
    print("                           forward us                      step us")
    print("cell units steps batch      fastnn   torch     jax       fastnn   torch     jax")
    found: list[tuple[tuple[Any, ...], dict[str, float]]] = []
    for shape in QUICK if options.quick else GRID:
        row = compare(*shape)
        found.append((shape, row))
        cells = [
            f"{row[f'fastnn {what}']:>12.1f} {row[f'torch {what}'] / row[f'fastnn {what}']:>7.2f} "
            f"{row[f'jax {what}'] / row[f'fastnn {what}']:>7.2f}"
            for what in ("forward", "step")
        ]
        print(f"{shape[0]:<4} {shape[1]:>5} {shape[2]:>5} {shape[3]:>5}{''.join(cells)}", flush=True)
    for what in ("forward", "step"):
        for peer in ("torch", "jax"):
            ratios = [row[f"{peer} {what}"] / row[f"fastnn {what}"] for _, row in found]
            mean, slower = statistics.geometric_mean(ratios), sum(ratio < 1 for ratio in ratios)
            print(f"{what}: {peer} takes {mean:.2f} times as long (geometric mean); faster in {slower} of {len(found)}")
    if options.json:
        lines = [{"cell": s[0], "units": s[1], "steps": s[2], "batch": s[3], "us": row} for s, row in found]
        content = {"configuration": about, "load": load(), "lines": lines}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if options.chart:
        chart(found, options.chart)


if __name__ == "__main__":
    main()
