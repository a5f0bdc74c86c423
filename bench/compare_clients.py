"""Other people's code with and without fastnn: a ratio for each, in one process, in turns.

    python bench/compare_clients.py
    python bench/compare_clients.py --seconds 20

The clients: networks in the style of the book "Deep Learning from Scratch" (their layers and optimizers in plain NumPy,
those of tests/test_compat_book.py, and in fastnn.compat.book), scikit-learn's MLPClassifier as it is and inside
fastnn.compat.sklearn.accelerated(), and mlxtend, neuralnetlib and tinynn as they are and with the methods rebound that
tests/peers/client_adapters.py replaces; those that are not installed are left out.  All train on the digits of the
package, in float64 (tinynn: float32), with one thread.  The ratio is that of the fastest runs; above 1, fastnn is
faster.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "FASTNN_NUM_THREADS"):
    os.environ[variable] = "1"  # read when the libraries are loaded: before the imports below

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import test_compat_book as book  # noqa: E402

from fastnn.compat.book import optimizer  # noqa: E402
from fastnn.compat.sklearn import accelerated  # noqa: E402
from fastnn.datasets import digits  # noqa: E402

Client = tuple[str, Callable[[], object], Callable[[], object]]


def book_clients() -> list[Client]:
    """The networks of the tests: the book's layers in plain NumPy, and in fastnn."""
    return [
        (
            f"book, {name}, {'-'.join(map(str, options['sizes']))}",
            lambda name=name, options=options: book.train(book.PLAIN, lambda: book.PlainOptimizer(name), **options),
            lambda name=name, options=options: book.train(book.OURS, getattr(optimizer, name), **options),
        )
        for name, options in book.NETWORKS
    ]


def sklearn_clients() -> list[Client]:
    """MLPClassifier with its own tables and with those of fastnn; none if scikit-learn is not installed."""
    try:
        from sklearn.neural_network import MLPClassifier
    except ImportError:
        return []
    (x, y), _ = digits.load_data()
    x = x.reshape(len(x), -1) / 16.0
    clients: list[Client] = []
    for activation, solver, batch in (("relu", "adam", 32), ("relu", "adam", 200), ("tanh", "sgd", 32)):
        model = MLPClassifier((50,), activation, solver=solver, batch_size=batch, max_iter=5, random_state=0)

        def plain(model: MLPClassifier = model) -> object:
            return model.fit(x, y)

        def fast(model: MLPClassifier = model) -> object:
            with accelerated():
                return model.fit(x, y)

        clients.append((f"scikit-learn, {activation}, {solver}, batches of {batch}", plain, fast))
    return clients


def rebound_clients() -> list[Client]:
    """The libraries of tests/peers/test_clients.py that are installed."""
    from peers import client_adapters
    from peers import test_clients as runs

    trainings: list[tuple[str, str, Callable[[], object]]] = [
        ("mlxtend", "mlxtend, perceptron", runs.train_mlxtend),
        ("neuralnetlib", "neuralnetlib, dense, adam", runs.train_neuralnetlib),
        ("tinynn", "tinynn, dense, adam", lambda: runs.train_tinynn(False)),
        ("tinynn", "tinynn, convolution, adam", lambda: runs.train_tinynn(True)),
    ]
    clients: list[Client] = []
    for module, name, train in trainings:
        if importlib.util.find_spec(module) is None:
            continue

        def fast(module: str = module, train: Callable[[], object] = train) -> object:
            with getattr(client_adapters, module)():
                return train()

        clients.append((name, train, fast))
    return clients


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each client")
    budget = parser.parse_args().seconds
    warnings.simplefilter("ignore")  # a few epochs do not converge
    print(f"{'client':<48} {'before':>10} {'fastnn':>10} {'ratio':>6}")
    for name, plain, fast in [*book_clients(), *sklearn_clients(), *rebound_clients()]:
        before, after, start = [], [], time.perf_counter()
        while not before or time.perf_counter() - start < budget:
            before.append(seconds(plain))
            after.append(seconds(fast))
        print(f"{name:<48} {min(before) * 1e3:>7.1f} ms {min(after) * 1e3:>7.1f} ms {min(before) / min(after):>6.2f}")


if __name__ == "__main__":
    main()
