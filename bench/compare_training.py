"""A training step of dense networks: fastnn beside vectorised textbook NumPy and PyTorch, in one process, in turns.

    python bench/compare_training.py                  # one thread each
    python bench/compare_training.py --threads 2

NumPy is written the fast way a practitioner would write it: in place, float32, gradients by hand.  PyTorch (if it is
installed: pip install -e '.[peers]') runs eagerly with its fused optimizer.  All train a softmax classifier with
Adam on consecutive mini-batches; fastnn's figure is that of a whole `fit` over 64 batches, its checks included.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise

STEPS = 64
NETWORKS = [
    ((64, 32, 10), 32),
    ((784, 100, 10), 32),
    ((784, 100, 10), 100),
    ((784, 256, 256, 10), 128),
    ((784, 1000, 10), 128),
]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seconds", type=float, default=6.0, help="for each network")
options = parser.parse_args()
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(options.threads)  # read when the libraries are loaded: before the imports below

import numpy as np  # noqa: E402

import fastnn  # noqa: E402
import fastnn.configuration  # noqa: E402
from fastnn.benchmarks import alternate, load, measure  # noqa: E402
from fastnn.layers import Dense, Input  # noqa: E402


def fastnn_run(sizes: tuple[int, ...], batch: int, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    model = fastnn.Sequential([Input((sizes[0],)), *(Dense(n, "relu") for n in sizes[1:-1]), Dense(sizes[-1])])
    model.compile("adam", fastnn.losses.SparseCategoricalCrossentropy(from_logits=True))
    return lambda: model.fit(x, y, batch_size=batch, shuffle=False, verbose=0)


def numpy_run(sizes: tuple[int, ...], batch: int, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    weights = [(0.05 * rng.standard_normal((i, o))).astype(np.float32) for i, o in pairwise(sizes)]
    biases = [np.zeros(o, np.float32) for o in sizes[1:]]
    parameters = weights + biases
    means = [np.zeros_like(p) for p in parameters]
    squares = [np.zeros_like(p) for p in parameters]
    step = 0

    def one(xb: np.ndarray, yb: np.ndarray) -> None:
        nonlocal step
        outputs = [xb]
        for i, (w, b) in enumerate(zip(weights, biases)):
            z = outputs[-1] @ w
            z += b
            outputs.append(np.maximum(z, 0, out=z) if i + 1 < len(weights) else z)
        z = outputs[-1]
        z -= z.max(1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(1, keepdims=True)
        z[np.arange(batch), yb] -= 1
        d = z / batch
        gradients: list[np.ndarray] = [np.empty(0)] * len(parameters)
        for i in reversed(range(len(weights))):
            gradients[i], gradients[len(weights) + i] = outputs[i].T @ d, d.sum(0)
            if i:
                d = (d @ weights[i].T) * (outputs[i] > 0)
        step += 1
        rate = np.float32(1e-3 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step))
        for p, g, m, v in zip(parameters, gradients, means, squares):
            m += (g - m) * np.float32(0.1)
            v += (g * g - v) * np.float32(0.001)
            p -= rate * m / (np.sqrt(v) + np.float32(1e-7))

    def run() -> None:
        for at in range(0, len(x), batch):
            one(x[at : at + batch], y[at : at + batch])

    return run


def torch_run(sizes: tuple[int, ...], batch: int, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    import torch
    from torch import nn

    torch.set_num_threads(options.threads)
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers += [nn.Linear(inputs, outputs)] + ([nn.ReLU()] if i + 2 < len(sizes) else [])
    model, loss = nn.Sequential(*layers), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    xs, ys = torch.from_numpy(x), torch.from_numpy(y)

    def run() -> None:
        for at in range(0, len(x), batch):
            optimizer.zero_grad(set_to_none=True)
            loss(model(xs[at : at + batch]), ys[at : at + batch]).backward()
            optimizer.step()

    return run


def main() -> None:
    contenders = {"fastnn": fastnn_run, "numpy": numpy_run}
    try:
        import torch  # noqa: F401
    except ImportError:
        print("PyTorch is not installed: fastnn and NumPy only", file=sys.stderr)
    else:
        contenders["torch"] = torch_run
    fastnn.set_num_threads(options.threads)
    machine = fastnn.configuration.configuration()
    print(f"{machine['processor']}, {machine['isa']}, {options.threads} thread(s), load {load()}")
    print(f"{'network':24s} {'fastnn':>10s}" + "".join(f" {name:>10s} {'ratio':>6s}" for name in list(contenders)[1:]))
    for sizes, batch in NETWORKS:
        rng = np.random.default_rng(1)
        x = rng.random((STEPS * batch, sizes[0]), dtype=np.float32)
        y = rng.integers(0, sizes[-1], len(x))
        timers = {name: partial(measure, make(sizes, batch, x, y)) for name, make in contenders.items()}
        result = alternate(timers, options.seconds, settle=0.02)
        line = f"{'-'.join(map(str, sizes)) + f' batch {batch}':24s} {result.seconds('fastnn') / STEPS * 1e6:7.1f} us"
        for name in list(contenders)[1:]:
            line += f" {result.seconds(name) / STEPS * 1e6:7.1f} us {result.ratio(name, 'fastnn'):6.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
