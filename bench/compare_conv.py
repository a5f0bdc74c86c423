"""Convolution and pooling beside PyTorch: forward and backward over a grid of shapes, one thread, float32.

    python bench/compare_conv.py                 the whole grid: some minutes
    python bench/compare_conv.py --quick         a few shapes
    python bench/compare_conv.py --repeats 31    more repetitions
    python bench/compare_conv.py --json bench/results/convolution.json --chart docs/convolution.svg

Every line is one shape.  Contenders take turns, and medians are compared: a number above 1 says how many times longer
PyTorch takes, "last" with its tensors channels-last, "first" with them as PyTorch has them by default.  PyTorch's
autograd is called as a training step calls it: forward with gradients wanted, then backward.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

import fastnn
from fastnn import ops
from fastnn.benchmarks import load, machine

# channels, filters, kernel, image, batch
QUICK = [
    (1, 6, 5, 28, 32),
    (6, 16, 5, 14, 32),
    (3, 32, 3, 32, 32),
    (32, 64, 3, 16, 32),
    (128, 128, 3, 8, 32),
    (64, 64, 1, 16, 32),
    (32, 32, 3, 16, 1),
]
AXES = (1, 3, 16, 64, 128), (1, 3, 5), (8, 16, 32, 64), (1, 32, 128)  # channels, kernel, image, batch


def grid() -> Iterator[tuple[int, ...]]:
    """Shapes of at most about 4 GFLOP."""
    for channels, kernel, image, batch in itertools.product(*AXES):
        filters = max(8, channels)
        if 2.0 * channels * filters * kernel**2 * image**2 * batch <= 4e9:
            yield channels, filters, kernel, image, batch


def medians(contenders: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each, in turns."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for function in contenders.values():
        function()
    for _ in range(repeats):
        for name, function in contenders.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def compare(shape: tuple[int, ...], repeats: int) -> dict[str, float]:
    """Median seconds of everybody."""
    channels, filters, kernel, image, batch = shape
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, image, image, channels)).astype(np.float32)
    w = rng.normal(size=(kernel, kernel, channels, filters)).astype(np.float32)
    b = rng.normal(size=filters).astype(np.float32)
    workspace: dict[str, object] = {}
    y, _ = ops.conv2d(x, w, b, padding="same")
    dw, db = np.empty_like(w), np.empty_like(b)

    def ours_forward() -> object:
        return ops.conv2d(x, w, b, padding="same", workspace=workspace, out=y)

    def ours_step() -> object:
        _, ctx = ops.conv2d(x, w, b, padding="same", workspace=workspace, out=y)
        return ops.conv2d_backward(y, ctx, dW=dw, db=db)

    contenders: dict[str, Callable[[], object]] = {"forward": ours_forward, "step": ours_step}
    for name, order in (("last", torch.channels_last), ("first", torch.contiguous_format)):
        tx = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))).to(memory_format=order)
        tw = torch.from_numpy(np.ascontiguousarray(w.transpose(3, 2, 0, 1))).to(memory_format=order)
        tb = torch.from_numpy(b)
        leaves = [t.clone(memory_format=torch.preserve_format).requires_grad_() for t in (tx, tw, tb)]

        def forward(tx: torch.Tensor = tx, tw: torch.Tensor = tw, tb: torch.Tensor = tb) -> object:
            with torch.no_grad():
                return torch.nn.functional.conv2d(tx, tw, tb, padding="same" if kernel % 2 else 0)

        gradient = forward()

        def step(leaves: list[torch.Tensor] = leaves, gradient: object = gradient) -> object:
            out = torch.nn.functional.conv2d(*leaves, padding="same" if kernel % 2 else 0)
            return torch.autograd.grad(out, leaves, gradient)

        contenders[f"{name} forward"], contenders[f"{name} step"] = forward, step
    return medians(contenders, repeats)


def line(shape: tuple[int, ...], found: dict[str, float]) -> str:
    """One line of the table."""
    channels, filters, kernel, image, batch = shape
    gflops = 2e-9 * batch * image**2 * filters * channels * kernel**2
    pairs = itertools.product(("forward", "step"), ("last", "first"))
    cells = [f"{found[f'{name} {what}'] / found[what]:7.2f}" for what, name in pairs]
    numbers = " ".join(f"{number:5}" for number in shape)
    speeds = f"{1e6 * found['forward']:9.1f} {gflops / found['forward']:6.1f} {1e6 * found['step']:9.1f}"
    return f"{numbers} {speeds} {' '.join(cells)}"


def ratio(found: dict[str, float], what: str) -> float:
    """How many times longer PyTorch takes, in the layout that suits it better."""
    return min(found[f"last {what}"], found[f"first {what}"]) / found[what]


def chart(rows: list[tuple[tuple[int, ...], dict[str, float]]], path: Path) -> None:
    """How many times longer a step takes with PyTorch, against the channels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    colors = dict(zip(AXES[2], ("#4c78a8", "#e45756", "#2a7f7b", "#b279a2")))
    for place, kernel in enumerate(AXES[1]):
        axes = figure.add_subplot(1, len(AXES[1]), place + 1)
        for image, (batch, style) in itertools.product(AXES[2], zip(AXES[3], (":", "--", "-"))):
            curve = [(s[0], ratio(row, "step")) for s, row in rows if s[2:] == (kernel, image, batch)]
            if curve:
                axes.plot(*zip(*curve), style, color=colors[image], marker="o", markersize=3,
                          label=f"{image} x {image}, batch {batch}")  # fmt: skip
        axes.axhline(1, color="black", linewidth=1)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.set_xlabel("channels")
        axes.set_title(f"{kernel} x {kernel}, forward and backward: PyTorch / fastnn")
        axes.grid(alpha=0.3)
    figure.axes[0].legend(frameon=False, fontsize=6, ncols=2)
    figure.savefig(path)
    print(f"written: {path}")


def compare_pool(channels: int, image: int, batch: int, repeats: int) -> str:
    """One line of the table of max-pooling, windows of 2 x 2."""
    x = np.random.default_rng(0).normal(size=(batch, image, image, channels)).astype(np.float32)
    y, _ = ops.maxpool2d(x, 2)
    dx = np.empty_like(x)

    def ours() -> object:
        _, places = ops.maxpool2d(x, 2, out=y)
        return ops.maxpool2d_backward(y, places, x.shape, 2, out=dx)

    contenders: dict[str, Callable[[], object]] = {"ours": ours}
    for name, order in (("last", torch.channels_last), ("first", torch.contiguous_format)):
        leaf = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))).to(memory_format=order).requires_grad_()

        def step(leaf: torch.Tensor = leaf) -> object:
            out = torch.nn.functional.max_pool2d(leaf, 2)
            return torch.autograd.grad(out, leaf, out)

        contenders[name] = step
    found = medians(contenders, repeats)
    ratios = " ".join(f"{found[name] / found['ours']:7.2f}" for name in ("last", "first"))
    return f"{channels:5} {image:5} {batch:5} {1e6 * found['ours']:9.1f} {ratios}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few shapes only")
    parser.add_argument("--repeats", type=int, default=11, help="repetitions of each call (default: 11)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--chart", type=Path, help="a picture, .svg or .png (needs matplotlib)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    with fastnn.num_threads(1):
        about = machine()
        print(f"{about['processor']}, {about['isa']}, 1 thread, load {load()}")
        print("                              fastnn: forward, step      PyTorch's time / fastnn's: forward, step")
        print("chans filts kernel image batch      us GFLOP/s        us    last   first    last   first")
        for shape in QUICK if options.quick else grid():
            rows.append((shape, compare(shape, options.repeats)))
            print(line(*rows[-1]), flush=True)
        print("\nmax-pooling 2 x 2, forward and backward\nchans image batch        us    last   first")
        for channels, image, batch in [(6, 28, 32), (16, 10, 32), (32, 32, 32), (64, 16, 1), (128, 16, 128)]:
            print(compare_pool(channels, image, batch, options.repeats), flush=True)
    for what in ("forward", "step"):
        ratios = [ratio(found, what) for _, found in rows]
        mean, slower = statistics.geometric_mean(ratios), sum(r < 1 for r in ratios)
        print(f"{what}: PyTorch takes {mean:.2f} times as long (geometric mean, its better layout); "
              f"faster in {slower} of {len(rows)}")  # fmt: skip
    if options.json:
        names = ("channels", "filters", "kernel", "image", "batch")
        lines = [{**dict(zip(names, s)), "us": {k: v * 1e6 for k, v in found.items()}} for s, found in rows]
        content = {"configuration": about, "load": load(), "lines": lines}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if options.chart:
        chart(rows, options.chart)


if __name__ == "__main__":
    main()
