"""Training steps and predictions: fastnn beside NumPy, PyTorch, JAX, and the products of a step alone.

    python bench/compare_training.py                                  all workloads, one thread and two
    python bench/compare_training.py --threads 1 mlp-tiny lenet
    python bench/compare_training.py --predict mlp-tiny mlp-100-b32   one sample
    python bench/compare_training.py --scaling                        perceptrons: batch 1 to 4096, width 16 to 4096
    python bench/compare_training.py --json bench/results/training.json --chart docs/training-steps.svg

Every contender runs in a process of its own, so that pools of threads do not disturb each other, and the processes
take turns, with a rest after each in which its threads stop waiting for work (those of OpenBLAS and OpenMP spin for a
while, which would slow down whoever comes next on two threads).  Microseconds a step are medians over
the rounds, ratios medians of the rounds' ratios to fastnn.  fastnn's figure is that of whole calls of `fit` over 16
batches, its checks included.  "floor" are the step's matrix products alone (peer_training.py).  Whoever is not
installed (pip install -e '.[peers]') is left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fastnn.benchmarks import WORKLOADS, load, machine

PEERS = ["numpy", "torch", "jax", "jax-scan"]
BATCHES = [1, 4, 16, 64, 256, 1024, 4096]
WIDTHS = [16, 64, 256, 1024, 4096]
REST = 0.15  # seconds until the threads of a process sleep
Row = dict[str, dict[str, float]]


class Process:
    """A contender at work."""

    def __init__(self, name: str, workload: str, threads: int) -> None:
        script = Path(__file__).with_name("peer_training.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), name, workload, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.answer = self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def seconds(self, what: str, count: int) -> float:
        """For one step."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what} {count}\n")
        self.process.stdin.flush()
        taken, done = self._line().split()
        return float(taken) / int(done)

    def end(self) -> None:
        self.process.communicate()


def compare(names: list[str], workload: str, threads: int, options: argparse.Namespace) -> Row:
    """Microseconds a step of each contender, and the ratio to the first."""
    what = "predict" if options.predict else "train"
    started = {name: Process(name, workload, threads) for name in names}
    processes = {name: process for name, process in started.items() if process.answer == "ready"}
    counts = {
        name: max(1, int(options.seconds / max(process.seconds(what, 16 if what == "train" else 200), 1e-7)))
        for name, process in processes.items()
    }
    times: dict[str, list[float]] = {name: [] for name in processes}
    for _ in range(options.rounds):
        for name, process in processes.items():
            time.sleep(REST)
            process.seconds(what, max(1, counts[name] // 8))  # awake again
            times[name].append(process.seconds(what, counts[name]))
    memory = {name: process.seconds("memory", 1) / 2**20 for name, process in processes.items()}
    for process in started.values():
        process.end()
    first = times[names[0]]
    return {
        name: {
            "us": statistics.median(taken) * 1e6,
            "ratio": statistics.median(a / b for a, b in zip(taken, first)),
            "peak_mb": memory[name],
        }
        for name, taken in times.items()
    }


def line(workload: str, threads: int, row: Row, names: list[str]) -> str:
    texts = []
    for i, name in enumerate(names):
        if name in row:
            texts.append(f"{row[name]['us']:>10.1f}" + (f" {row[name]['ratio']:>6.2f}" if i else ""))
        else:
            texts.append(f"{'-':>10}" + (" " * 7 if i else ""))
    return f"{workload:<20} {threads:>3}" + "".join(texts)


def summary(found: list[tuple[str, int, Row]]) -> list[str]:
    """Geometric means over the workloads, and where somebody was faster."""
    lines = [""]
    for threads in sorted({count for _, count, _ in found}):
        rows = [(name, row) for name, count, row in found if count == threads]
        for peer in (*PEERS, "fastest"):
            ratios = []
            for _, row in rows:
                known = [row[p]["ratio"] for p in PEERS if p in row]
                if peer in row:
                    ratios.append(row[peer]["ratio"])
                elif peer == "fastest" and known:
                    ratios.append(min(known))
            if ratios:
                lines.append(
                    f"{threads} thread(s), {peer} takes {statistics.geometric_mean(ratios):.2f} times as long "
                    f"(geometric mean of {len(ratios)})"
                )
        slower = [
            f"{name}: {peer} {row[peer]['ratio']:.2f}"
            for name, row in rows
            for peer in PEERS
            if peer in row and row[peer]["ratio"] < 1
        ]
        lines.append(f"{threads} thread(s), faster than fastnn: {', '.join(slower) or 'nobody'}")
        peaks = {
            name: max((row[name]["peak_mb"] for _, row in rows if name in row), default=0.0)
            for name in ("fastnn", "torch", "jax")
        }
        most = ", ".join(f"{name} {peak:.0f} MB" for name, peak in peaks.items() if peak)
        lines.append(f"{threads} thread(s), most memory of a process: {most}")
    return lines


def table(found: list[tuple[str, int, Row]], names: list[str]) -> str:
    """Markdown: microseconds of fastnn, and times as long for the others."""
    lines = [
        "",
        f"| workload | threads | {names[0]}, us | {' | '.join(names[1:])} |",
        "|---|---|" + "---:|" * len(names),
    ]
    for workload, threads, row in found:
        cells = [f"{row[name]['ratio']:.2f}" if name in row else "-" for name in names[1:]]
        lines.append(f"| {workload} | {threads} | {row[names[0]]['us']:.4g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def chart(found: list[tuple[str, int, Row]], path: Path) -> None:
    """Bars: how many times longer than fastnn each contender takes; below 1 is faster."""
    from matplotlib.figure import Figure

    counts = sorted({threads for _, threads, _ in found})
    figure = Figure(figsize=(11, 3.6 * len(counts)), layout="constrained")
    colors = {"numpy": "#4c78a8", "torch": "#e45756", "jax": "#72b7b2", "jax-scan": "#2a7f7b", "floor": "#bbbbbb"}
    for place, threads in enumerate(counts):
        axes = figure.add_subplot(len(counts), 1, place + 1)
        rows = [(name, row) for name, count, row in found if count == threads]
        shown = [name for name in colors if any(name in row for _, row in rows)]
        width = 0.8 / len(shown)
        for i, contender in enumerate(shown):
            at = [k for k, (_, row) in enumerate(rows) if contender in row]
            axes.bar(
                [k - 0.4 + (i + 0.5) * width for k in at], [rows[k][1][contender]["ratio"] for k in at], width,
                label="its products alone" if contender == "floor" else contender, color=colors[contender],
            )  # fmt: skip
        axes.axhline(1, color="black", linewidth=1)
        axes.set_yscale("log")
        ticks = [0.5, 1, 2, 5, 10, 20]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        axes.minorticks_off()
        axes.set_xticks(range(len(rows)), [name for name, _ in rows], rotation=30, ha="right")
        axes.set_ylabel("time of a step / fastnn's")
        axes.set_title(f"Training step, {threads} thread{'s' * (threads > 1)}: fastnn = 1, higher is slower")
        axes.legend(ncols=len(shown), loc="upper right", frameon=False)
    figure.savefig(path)
    print(f"written: {path}")


def curves(found: list[tuple[str, int, Row]], path: Path) -> None:
    """Microseconds a step against the size of the batch and the width of the hidden layer."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    for place, (what, _) in enumerate(scaled()):
        axes = figure.add_subplot(1, 2, place + 1)
        points = [(name, row) for name, _, row in found if name in dict(scaled())[what]]
        sizes = [dict(scaled())[what][name] for name, _ in points]
        for contender in ("fastnn", *PEERS):
            known = [(size, row[contender]["us"]) for size, (_, row) in zip(sizes, points) if contender in row]
            if known:
                axes.plot(*zip(*known), marker="o", markersize=3, label=contender)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlabel(what)
        axes.set_ylabel("microseconds a step")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(path)
    print(f"written: {path}")


def scaled() -> list[tuple[str, dict[str, int]]]:
    """The perceptrons of the two curves, with the number that grows."""
    return [
        ("samples in a batch (784-100-10)", {f"784-100-10-b{batch}": batch for batch in BATCHES}),
        (
            "width of the hidden layer (784-...-10, batch 64)",
            {f"784-{n}-10-b64": n for n in WIDTHS},
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", help="of fastnn.benchmarks.WORKLOADS (default: all)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="of a contender in a round")
    parser.add_argument("--predict", action="store_true", help="single predictions instead of training steps")
    parser.add_argument("--scaling", action="store_true", help="curves instead of the workloads")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", action="store_true", help="print the figures as a table for documentation")
    parser.add_argument("--chart", type=Path, help="a picture, .svg or .png (needs matplotlib)")
    options = parser.parse_args()
    known = [work.name for work in WORKLOADS]
    for name in options.workloads:
        if name not in known:
            parser.error(f"expected workloads of {known}. Received: {name}")
    workloads = options.workloads or known
    if options.scaling:
        workloads = [name for _, names in scaled() for name in names]
    names = ["fastnn", *(["frozen"] if options.predict else []), *PEERS, *([] if options.predict else ["floor"])]
    about = machine()
    print(f"{about['processor']}, {about['isa']}, load {load()}; microseconds, and times fastnn's")
    print(f"{'workload':<20} thr{names[0]:>10}" + "".join(f"{name:>10}       " for name in names[1:]))
    found: list[tuple[str, int, Row]] = []
    for threads in options.threads:
        for workload in workloads:
            row = compare(names, workload, threads, options)
            found.append((workload, threads, row))
            print(line(workload, threads, row, names), flush=True)
    print("\n".join(summary(found)))
    if options.markdown:
        print(table(found, names))
    if options.json:
        rows: list[dict[str, Any]] = [{"workload": w, "threads": t, "contenders": row} for w, t, row in found]
        content = {"configuration": about, "load": load(), "what": sys.argv[1:], "lines": rows}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if options.chart:
        (curves if options.scaling else chart)(found, options.chart)


if __name__ == "__main__":
    main()
