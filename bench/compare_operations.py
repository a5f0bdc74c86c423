"""Every activation and loss beside NumPy and PyTorch: forward, backward, at four sizes.

    python bench/compare_operations.py                                  all of them, one thread and two
    python bench/compare_operations.py --threads 1 --sizes 1M relu gelu_tanh
    python bench/compare_operations.py --json bench/results/NAME.json   keep the figures

For every size: nanoseconds an element of fastnn (float32), how many times longer NumPy's textbook form, NumPy's own
function and PyTorch take, and how many times longer `numpy.copyto` takes to move the bytes that the operation must move
("copy": 1 is the speed at which this machine copies on one thread).  fastnn and whoever offers it write into arrays
that are there already.  Contenders take turns, medians of rounds are kept, ratios are medians of the rounds' ratios
(fastnn.benchmarks.timing).  The losses are value and gradient together.

At the end: geometric means, and every case in which somebody else was faster.  Without PyTorch (pip install -e
'.[peers]') its columns stay empty.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("names", nargs="*", help="rows of the tables (default: all)")
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
parser.add_argument("--sizes", nargs="+", default=["1k", "64k", "1M", "16M"])
parser.add_argument("--seconds", type=float, default=0.6, help="for each line")
parser.add_argument("--json", type=Path)
options = parser.parse_args()
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(max(options.threads))  # read when the libraries are loaded: before the imports below

import numpy as np  # noqa: E402
import peer_operations as peers  # noqa: E402

import fastnn  # noqa: E402
from fastnn import ops  # noqa: E402
from fastnn.benchmarks import alternate, load, machine, measure  # noqa: E402
from fastnn.ops.registry import operations, sample_arguments  # noqa: E402

torch = peers.torch
PEERS = ("numpy", "ufunc", "torch", "copy")
UNITS = {"": 1, "k": 1024, "M": 1024**2}
Contenders = dict[str, Callable[[], object]]


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An array at the start of a cache line, its pages touched."""
    buffer = np.ones(math.prod(shape) * 4 + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    array = buffer[start : start + math.prod(shape) * 4].view(np.float32).reshape(shape)
    array[...] = 0
    return array


def filled(values: Any) -> np.ndarray:
    array = aligned(np.shape(values))
    array[...] = values
    return array


def forward(row: str, shape: tuple[int, ...]) -> tuple[Contenders, int]:
    x, y, other = filled(np.random.default_rng(0).normal(size=shape)), aligned(shape), aligned(shape)
    contenders: Contenders = {"fastnn": partial(getattr(ops, row), x, out=y)}
    if row in peers.NUMPY:
        contenders["numpy"] = partial(peers.NUMPY[row], x)
    if row in peers.UFUNCS:
        contenders["ufunc"] = partial(peers.UFUNCS[row], x, out=other)
    if function := peers.torch_forward(row):
        contenders["torch"] = partial(function, torch.from_numpy(x), torch.from_numpy(other))
    return contenders, 2


def backward(row: str, shape: tuple[int, ...]) -> tuple[Contenders, int]:
    (op,) = (entry for entry in operations("activation_backward") if entry.row == row)
    rng = np.random.default_rng(0)
    x, dy, dx, other = filled(rng.normal(size=shape)), filled(rng.normal(size=shape)), aligned(shape), aligned(shape)
    y = filled(getattr(ops, row)(x))
    contenders: Contenders = {"fastnn": partial(op.function, dy, x if op.keeps == "x" else y, out=dx)}
    if row in peers.NUMPY_BACKWARD:
        contenders["numpy"] = partial(peers.NUMPY_BACKWARD[row], dy, x, y)
    if function := peers.torch_backward(row):
        contenders["torch"] = partial(function, *map(torch.from_numpy, (dy, x, y, other)))
    return contenders, 3


def loss(row: str, shape: tuple[int, ...]) -> tuple[Contenders, int]:
    args, kwargs = sample_arguments(row, shape, np.float32)
    function = getattr(ops, f"{row}_with_grad")
    _, *slopes = function(*args, **kwargs)
    out = tuple(map(filled, slopes)) if len(slopes) > 1 else filled(slopes[0])
    p, t, *more = (filled(a) if isinstance(a, np.ndarray) and a.dtype == np.float32 else a for a in args)
    contenders: Contenders = {"fastnn": partial(function, p, t, *more, **kwargs, out=out)}
    if row in peers.NUMPY_LOSSES:
        contenders["numpy"] = partial(peers.NUMPY_LOSSES[row], p, t)
    if function := peers.torch_loss(row):
        contenders["torch"] = partial(function, torch.from_numpy(p).requires_grad_(), torch.from_numpy(t))
    return contenders, 3


def cross_entropy(shape: tuple[int, int]) -> tuple[Contenders, int]:
    rng = np.random.default_rng(0)
    z, labels, grad = filled(rng.normal(size=shape)), rng.integers(0, shape[1], shape[0]), aligned(shape)

    def textbook() -> Any:
        e = np.exp(z - z.max(axis=1, keepdims=True))
        probs = e / e.sum(axis=1, keepdims=True)
        rows = np.arange(len(z))
        value = -np.mean(np.log(probs[rows, labels]))
        probs[rows, labels] -= 1
        return value, probs / np.float32(len(z))

    contenders: Contenders = {
        "fastnn": partial(ops.softmax_cross_entropy_with_grad, z, labels, out=grad),
        "numpy": textbook,
    }
    if function := peers.torch_loss("softmax_cross_entropy"):
        contenders["torch"] = partial(function, torch.from_numpy(z).requires_grad_(), torch.from_numpy(labels))
    return contenders, 2


def cases() -> Iterator[tuple[str, str, Callable[[], tuple[Contenders, int]], int]]:
    """(name, size, what makes the contenders, elements)."""
    activations = [entry.row for entry in operations("activation") if entry.row]
    losses = [entry.row for entry in operations("loss") if entry.row and entry.name == entry.row]
    losses = [row for row in losses if row not in ("circle", "ctc")]  # they compare all rows, or take sequences
    unknown = set(options.names) - {*activations, *losses, "softmax_cross_entropy"}
    if unknown:
        parser.error(f"expected rows of the tables. Received: {', '.join(sorted(unknown))}")
    wanted = options.names or [*activations, *losses, "softmax_cross_entropy"]
    for size in options.sizes:
        elements = int(size.rstrip("kM")) * UNITS[size.lstrip("0123456789")]
        shape = (elements // 64, 64)
        for row in wanted:
            if row in activations:
                yield row, size, partial(forward, row, shape), elements
                yield f"{row}_backward", size, partial(backward, row, shape), elements
            elif row in losses:
                yield f"{row}_with_grad", size, partial(loss, row, shape), elements
    if "softmax_cross_entropy" in wanted:
        for rows, cols in ((128, 10), (128, 1000), (32, 50000)):
            yield "softmax_cross_entropy", f"{rows}x{cols}", partial(cross_entropy, (rows, cols)), rows * cols


def one(name: str, size: str, contenders: Contenders, arrays: int, elements: int, threads: int) -> dict[str, Any]:
    source, target = aligned((arrays * elements // 2,)), aligned((arrays * elements // 2,))
    timers = {who: partial(measure, call) for who, call in contenders.items()}
    timers["copy"] = partial(measure, partial(np.copyto, target, source))
    with np.errstate(all="ignore"):
        found = alternate(timers, options.seconds, settle=0.01 if threads > 1 else 0.0)
    line: dict[str, Any] = {"name": name, "size": size, "elements": elements, "threads": threads}
    line["ns"] = found.seconds("fastnn") / elements * 1e9
    line["us"] = found.seconds("fastnn") * 1e6
    line |= {who: found.ratio(who, "fastnn") for who in timers if who != "fastnn"}
    return line


def mean(lines: list[dict[str, Any]], who: str) -> float:
    values = [math.log(line[who]) for line in lines if who in line]
    return math.exp(sum(values) / len(values)) if values else math.nan


def main() -> None:
    about = machine()
    print(f"{about['processor']}, {about['isa']}, load {load()}", file=sys.stderr)
    lines: list[dict[str, Any]] = []
    print(f"{'operation':42s} {'size':>9s} {'thr':>3s} {'ns/el':>8s}" + "".join(f" {who:>6s}" for who in PEERS))
    for threads in options.threads:
        fastnn.set_num_threads(threads)
        if torch is not None:
            torch.set_num_threads(threads)
        for name, size, make, elements in cases():
            lines.append(line := one(name, size, *make(), elements, threads))
            ratios = " ".join(f"{line[who]:6.2f}" if who in line else "     -" for who in PEERS)
            print(f"{name:42s} {size:>9s} {threads:3d} {line['ns']:8.3f} {ratios}", flush=True)
    print("\ngeometric means: " + ", ".join(f"{who} {mean(lines, who):.1f}" for who in PEERS))
    for who in ("torch", "ufunc", "numpy"):
        lost = [line for line in lines if line.get(who, 2) < 1]
        print(f"slower than {who}: {len(lost)} of {sum(who in line for line in lines)}")
        for line in lost:
            print(f"    {line['name']} {line['size']} {line['threads']} thread(s): {line[who]:.2f}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"configuration": about, "load": load(), "lines": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
