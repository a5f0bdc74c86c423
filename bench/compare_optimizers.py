"""Optimizer steps beside PyTorch's: one large array, and sixty small ones.

    python bench/compare_optimizers.py                             one thread and two
    python bench/compare_optimizers.py --json bench/results/NAME.json

fastnn runs its update step over the arena of a model with those parameters, as a training step does, with
flavor="torch": the same arithmetic.  PyTorch is asked in every way it offers: `fused=True` and `foreach=True` where
they exist, and the plain loop.  Figures: nanoseconds a parameter of fastnn, and how many times longer PyTorch's
variants take; below 1, PyTorch was faster.  Contenders take turns; medians of rounds (fastnn.benchmarks.timing).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("names", nargs="*", help="such as Adam (default: all)")
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
parser.add_argument("--seconds", type=float, default=1.5, help="for each line")
parser.add_argument("--json", type=Path)
options = parser.parse_args()
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(max(options.threads))  # read when the libraries are loaded: before the imports below

import numpy as np  # noqa: E402

import fastnn  # noqa: E402
from fastnn import backend, optimizers  # noqa: E402
from fastnn.benchmarks import alternate, load, machine, measure  # noqa: E402
from fastnn.engine.arena import Arena, Parameter  # noqa: E402
from fastnn.engine.plan import ABSENT, Plan  # noqa: E402

try:
    import torch
except ImportError:
    sys.exit("compare_optimizers.py: expected PyTorch (pip install -e '.[peers]'). Received: none")

SHAPES = {
    "one of 1M": [(1024, 1024)],
    "60 small": [(n, 32) for n in range(4, 124, 4)] + [(32,)] * 30,
}
# name: (fastnn's class and arguments, PyTorch's)
CASES: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "SGD": ("SGD", {}, "SGD", {"lr": 1e-3}),
    "momentum": ("SGD", {"momentum": 0.9}, "SGD", {"lr": 1e-3, "momentum": 0.9}),
    "Nesterov": (
        "SGD", {"momentum": 0.9, "nesterov": True}, "SGD", {"lr": 1e-3, "momentum": 0.9, "nesterov": True},
    ),
    "Adagrad": ("Adagrad", {}, "Adagrad", {}),
    "Adadelta": ("Adadelta", {}, "Adadelta", {}),
    "RMSprop": ("RMSprop", {}, "RMSprop", {}),
    "centered RMSprop": (
        "RMSprop", {"centered": True, "momentum": 0.9}, "RMSprop", {"centered": True, "momentum": 0.9},
    ),
    "Adam": ("Adam", {}, "Adam", {}),
    "AMSGrad": ("Adam", {"amsgrad": True}, "Adam", {"amsgrad": True}),
    "AdamW": ("AdamW", {}, "AdamW", {}),
    "Adamax": ("Adamax", {}, "Adamax", {}),
    "Nadam": ("Nadam", {}, "NAdam", {}),
    "RAdam": ("RAdam", {}, "RAdam", {}),
    "Rprop": ("Rprop", {}, "Rprop", {}),
    "ASGD": ("ASGD", {}, "ASGD", {}),
}  # fmt: skip
WAYS = {"fused": {"fused": True}, "foreach": {"foreach": True}, "loop": {"foreach": False}}
STEPS = 16


def fastnn_steps(kind: str, arguments: dict[str, Any], shapes: list[tuple[int, ...]]) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    optimizer = getattr(optimizers, kind)(**arguments, flavor="torch")
    arena = Arena(
        [Parameter(str(i), s, np.float32, lambda s, dtype: rng.normal(size=s)) for i, s in enumerate(shapes)],
        np.float32,
    )
    (whole,) = arena.trainable_ranges()
    gradient = arena.like()
    gradient[...] = rng.normal(size=gradient.size)
    names = next(slots for row, slots, _ in fastnn._native.tables()["optimizers"] if row == optimizer.row)
    slots = []
    for name in names:
        slots.append(arena.like())
        for view, parameter in zip(arena.views(slots[-1]), arena.parameters):
            view[...] = optimizer.slot_value(name, parameter.value)
    plan = Plan(np.float32, 1)
    plan.step("update", (ABSENT, ABSENT), row=optimizer.row, ints=(optimizer.first_column, 0, 1))
    program = backend.current().Program(plan, [(whole.values, gradient, slots, 0.0, 1.0)])
    program.bind(())
    scalars = np.array(optimizer.scalars(10, STEPS))
    return lambda: program.run(0, STEPS, None, scalars)


def torch_steps(
    kind: str, arguments: dict[str, Any], shapes: list[tuple[int, ...]], **way: bool
) -> Callable[[], object]:
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer = getattr(torch.optim, kind)(parameters, **arguments, **way)

    def steps() -> None:
        for _ in range(STEPS):
            optimizer.step()

    return steps


def main() -> None:
    about = machine()
    print(f"{about['processor']}, {about['isa']}, load {load()}", file=sys.stderr)
    wrong = set(options.names) - set(CASES)
    if wrong:
        parser.error(f"expected some of {', '.join(CASES)}. Received: {', '.join(sorted(wrong))}")
    lines = []
    print(f"{'optimizer':18s} {'parameters':>10s} {'thr':>3s} {'ns':>7s} {'fused':>7s} {'foreach':>7s} {'loop':>7s}")
    for threads in options.threads:
        fastnn.set_num_threads(threads)
        torch.set_num_threads(threads)
        for size, shapes in SHAPES.items():
            count = sum(math.prod(shape) for shape in shapes)
            for name in options.names or CASES:
                own, own_arguments, peer, peer_arguments = CASES[name]
                contenders: dict[str, Callable[[], object]] = {"fastnn": fastnn_steps(own, own_arguments, shapes)}
                for way, switches in WAYS.items():
                    try:
                        steps = torch_steps(peer, peer_arguments, shapes, **switches)
                        steps()
                    except (TypeError, RuntimeError):
                        continue  # this optimizer does not offer it
                    contenders[way] = steps
                timers = {who: partial(measure, call) for who, call in contenders.items()}
                found = alternate(timers, options.seconds, settle=0.01 if threads > 1 else 0.0)
                line: dict[str, Any] = {"name": name, "parameters": size, "threads": threads}
                line["ns"] = found.seconds("fastnn") / STEPS / count * 1e9
                line |= {way: found.ratio(way, "fastnn") for way in contenders if way != "fastnn"}
                lines.append(line)
                ratios = " ".join(f"{line[way]:7.2f}" if way in line else "      -" for way in WAYS)
                print(f"{name:18s} {size:>10s} {threads:3d} {line['ns']:7.3f} {ratios}", flush=True)
    lost = [line for line in lines if min(line.get(way, 2) for way in WAYS) < 1]
    print(f"\nslower than PyTorch's fastest: {len(lost)} of {len(lines)}")
    for line in lost:
        print(f"    {line}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"configuration": about, "load": load(), "lines": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
