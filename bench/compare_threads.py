"""Training steps with one thread and with several, in turns, alone and beside other libraries' pools of threads.

    python bench/compare_threads.py                                   all workloads, alone
    python bench/compare_threads.py --beside numpy torch scikit-learn
    python bench/compare_threads.py --json bench/results/threads.json mlp-100-b32 autoencoder

Both run in this process, one turn each, in an order that alternates; before every turn the other libraries use their
own threads, which go on waiting for work while the turn lasts.  Microseconds a step are medians over the rounds, the
ratio is the median of the rounds' ratios (below 1: several threads are faster), and the quartiles of these ratios tell
how quiet the machine was.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import fastnn
from fastnn.benchmarks import WORKLOADS, Workload, load, machine

BATCHES = 16  # of data


def numpy_() -> Callable[[], object]:
    a = np.ones((512, 512), np.float32)
    return lambda: a @ a


def torch_() -> Callable[[], object]:
    import torch

    a = torch.ones(512, 512)
    return lambda: torch.relu(a @ a)


def scikit_learn() -> Callable[[], object]:
    from sklearn.cluster import KMeans

    x = np.random.default_rng(0).random((2000, 8))
    return lambda: KMeans(4, n_init=1, max_iter=5, random_state=0).fit(x)


COMPANY: dict[str, Callable[[], Callable[[], object]]] = {
    "numpy": numpy_,
    "torch": torch_,
    "scikit-learn": scikit_learn,
}


def compare(work: Workload, threads: int, busy: list[Callable[[], object]], options: argparse.Namespace) -> dict:
    model, (x, y) = work.model(), work.data(BATCHES)

    def turn(count: int, calls: int) -> float:
        fastnn.set_num_threads(count)
        for other in busy:
            other()
        started = time.perf_counter()
        for _ in range(calls):
            model.fit(x, y, batch_size=work.batch, shuffle=False, verbose=0)
        return (time.perf_counter() - started) / (calls * BATCHES)

    turn(threads, 1)
    calls = max(1, round(options.seconds / BATCHES / turn(1, 1)))
    times: dict[int, list[float]] = {1: [], threads: []}
    for i in range(options.rounds):
        for count in (1, threads) if i % 2 else (threads, 1):
            times[count].append(turn(count, calls))
    ratios = [several / one for one, several in zip(times[1], times[threads])]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {
        "workload": work.name,
        "one_us": statistics.median(times[1]) * 1e6,
        "several_us": statistics.median(times[threads]) * 1e6,
        "ratio": middle,
        "quartiles": [low, high],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", help="of fastnn.benchmarks.WORKLOADS (default: all)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--beside", nargs="+", choices=list(COMPANY), default=[], help="who uses threads of its own")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--seconds", type=float, default=0.1, help="of a turn")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    known = {work.name: work for work in WORKLOADS}
    for name in options.workloads:
        if name not in known:
            parser.error(f"expected workloads of {list(known)}. Received: {name}")
    about = machine()
    print(f"{about['processor']}, {about['isa']}, load {load()}; microseconds a step")
    lines = []
    for beside in ([], *([name] for name in options.beside)):
        busy = [COMPANY[name]() for name in beside]
        where = f"beside {beside[0]}" if beside else "alone"
        print(f"\n{where:<20}{'1 thread':>12}{options.threads:>4} threads   ratio  quartiles")
        for name in options.workloads or known:
            row = compare(known[name], options.threads, busy, options)
            lines.append({"where": where, **row})
            low, high = row["quartiles"]
            times = f"{row['one_us']:>12.1f}{row['several_us']:>12.1f}"
            print(f"{name:<20}{times}{row['ratio']:>8.2f}  {low:.2f} to {high:.2f}", flush=True)
    worst = max(lines, key=lambda line: line["ratio"])
    print(f"\nThe largest ratio: {worst['ratio']:.2f} ({worst['workload']}, {worst['where']})")
    if options.json:
        content = {
            "configuration": about, "load": load(), "what": sys.argv[1:], "threads": options.threads, "lines": lines
        }  # fmt: skip
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
