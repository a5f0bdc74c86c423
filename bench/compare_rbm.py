"""RBM beside scikit-learn's BernoulliRBM: an epoch of persistent contrastive divergence over the same data.

    python bench/compare_rbm.py                                    digits, and random data of MNIST's shape
    python bench/compare_rbm.py --json bench/results/NAME.json

Both do the same work: one step of Gibbs sampling for each mini-batch, persistent chains, no shuffling, no measurement.
Contenders take turns; the figures are medians of rounds (fastnn.benchmarks.timing), and how many times longer
scikit-learn takes than fastnn.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
parser.add_argument("--seconds", type=float, default=5.0, help="for each line")
parser.add_argument("--json", type=Path)
options = parser.parse_args()
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(max(options.threads))  # read when the libraries are loaded: before the imports below

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

import fastnn  # noqa: E402
from fastnn.benchmarks import alternate, load, machine, measure  # noqa: E402
from fastnn.datasets import digits  # noqa: E402
from fastnn.unsupervised import RBM  # noqa: E402

try:
    from sklearn.neural_network import BernoulliRBM
    from threadpoolctl import threadpool_limits
except ImportError:
    sys.exit("compare_rbm.py: expected scikit-learn (pip install -e '.[peers]'). Received: none")

# name: (samples, columns or None for the digits, hidden units, batch size)
CASES: dict[str, tuple[int | None, int, int, int]] = {
    "digits, 64-100, batch 10": (None, 64, 100, 10),
    "digits, 64-100, batch 100": (None, 64, 100, 100),
    "2000 x 784-256, batch 10": (2000, 784, 256, 10),
    "2000 x 784-500, batch 100": (2000, 784, 500, 100),
}
EPOCHS = 3


def data(samples: int | None, columns: int) -> NDArray[np.float32]:
    if samples is None:
        (x, _), _ = digits.load_data()
        return (x.reshape(len(x), -1) / 16).astype(np.float32)
    return np.random.default_rng(0).random((samples, columns), dtype=np.float32)


def main() -> None:
    about = machine()
    print(f"{about['processor']}, {about['isa']}, load {load()}", file=sys.stderr)
    lines = []
    print(f"{'case':28s} {'threads':>7s} {'ms an epoch':>12s} {'scikit-learn':>13s}")
    for threads in options.threads:
        fastnn.set_num_threads(threads)
        for name, (samples, columns, hidden, batch) in CASES.items():
            x = data(samples, columns)
            ours = RBM(
                hidden, learning_rate=0.05, batch_size=batch, epochs=EPOCHS, persistent=True, shuffle=False,
                monitor=False, dtype="float32", seed=0,
            )  # fmt: skip
            theirs = BernoulliRBM(hidden, learning_rate=0.05, batch_size=batch, n_iter=EPOCHS, random_state=0)
            calls = {"fastnn": partial(ours.fit, x), "sklearn": partial(theirs.fit, x)}
            timers = {who: partial(measure, call) for who, call in calls.items()}

            def inside(who: str, threads: int = threads) -> AbstractContextManager[object]:
                return threadpool_limits(threads) if who == "sklearn" else nullcontext()

            found = alternate(timers, options.seconds, inside=inside, settle=0.01 if threads > 1 else 0.0)
            line: dict[str, Any] = {"name": name, "threads": threads, "ms": found.seconds("fastnn") / EPOCHS * 1e3}
            line["sklearn"] = found.ratio("sklearn", "fastnn")
            lines.append(line)
            print(f"{name:28s} {threads:7d} {line['ms']:12.2f} {line['sklearn']:12.2f}x", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"configuration": about, "load": load(), "lines": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
