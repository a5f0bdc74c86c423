"""Measures the limits of fastnn/_native/limits.py on this machine, for the instruction set in use.

    python tools/tune.py                  a few minutes on a machine that does nothing else
    python tools/tune.py --quick          rough

Products: our kernel (src_c/gemm.h) beside BLAS, on one thread, over the products of dense layers: y = x W,
dW = x^T dy, dx = dy W^T; microseconds, and how many times longer BLAS takes.  The limit is the one with which all of
them together take the least, each counted by its ratio to the better of the two.

Threads: training steps of perceptrons on one thread and on two; the limit is where two begin to win for good.

At the end the line for limits.py; `FASTNN_ISA` chooses another instruction set.
"""

from __future__ import annotations

import argparse
import math
from functools import partial
from itertools import product

import numpy as np

import fastnn
from fastnn._native import _core, _engine, kernels
from fastnn._native.limits import limits
from fastnn.benchmarks import Workload, alternate, load, measure
from fastnn.configuration import configuration

BATCHES = (8, 32, 128)
LAYERS = ((64, 32), (32, 10), (784, 100), (100, 10), (128, 128), (256, 256), (784, 256), (1000, 10), (784, 1000))
WIDTHS = (16, 32, 48, 64, 96, 128, 192, 256)
WORTH = 0.95  # of the time on one thread is what two may take at most, to be worth it


def gemm_limit(seconds: float) -> float:
    """Operations below which our kernel is the better choice."""
    print(f"{'product':>28s} {'MFLOP':>8s} {'own us':>9s} {'BLAS':>6s}")
    found: list[tuple[float, float]] = []  # operations, how many times longer BLAS takes
    for (inputs, units), batch in product(LAYERS, BATCHES):
        rng = np.random.default_rng(0)
        x, w, dy = (rng.normal(size=s).astype(np.float32) for s in ((batch, inputs), (inputs, units), (batch, units)))
        for name, a, b, shape, turn in (
            ("x W", x, w, (batch, units), (False, False)),
            ("x^T dy", x, dy, (inputs, units), (True, False)),
            ("dy W^T", dy, w, (batch, inputs), (False, True)),
        ):
            c = np.empty(shape, np.float32)
            call = partial(kernels.gemm, a, b, c, *turn, 1.0, 0.0)

            def timed(count: int, flops: float, call: partial[None] = call) -> float:
                before = _core.set_own_gemm(flops)
                try:
                    return measure(call, count)
                finally:
                    _core.set_own_gemm(before)

            times = alternate({"own": partial(timed, flops=math.inf), "blas": partial(timed, flops=0.0)}, seconds)
            flops = 2.0 * batch * inputs * units
            found.append((flops, times.ratio("blas", "own")))
            print(
                f"{name:>8s} {f'{batch} {inputs}-{units}':>19s} {flops / 1e6:8.2f} {times.seconds('own') * 1e6:9.2f} "
                f"{found[-1][1]:6.2f}",
                flush=True,
            )
    return best_limit(found)


def best_limit(found: list[tuple[float, float]]) -> float:
    """The limit that costs least, from (operations, time of BLAS / time of our kernel)."""

    def cost(limit: float) -> float:
        return sum(max(0.0, -math.log(ratio) if flops < limit else math.log(ratio)) for flops, ratio in found)

    return min([0.0, *(1.01 * flops for flops, _ in found)], key=cost)


def team_limit(seconds: float) -> float:
    """Operations of a step from which two threads are the better choice; infinity if they never are."""
    print(f"\n{'perceptron':>28s} {'MFLOP':>8s} {'one us':>9s} {'two':>6s}")
    found: list[tuple[float, float]] = []  # operations, time of two threads / time of one
    for width in WIDTHS:
        work = Workload.dense((width, width, width, 10), 32)
        model, (x, y) = work.model(), work.data(16)
        model.fit(x, y, batch_size=work.batch, verbose=0)
        flops = 6.0 * work.batch * model.count_params()

        def timed(count: int, threads: int, model: fastnn.Sequential = model, x=x, y=y) -> float:  # type: ignore[no-untyped-def]
            before, team = fastnn.get_num_threads(), _engine.set_team(0.0)
            fastnn.set_num_threads(threads)
            try:
                return measure(partial(model.fit, x, y, batch_size=32, verbose=0), count)
            finally:
                fastnn.set_num_threads(before)
                _engine.set_team(team)

        times = alternate({"one": partial(timed, threads=1), "two": partial(timed, threads=2)}, 4 * seconds)
        found.append((flops, times.ratio("two", "one")))
        print(
            f"{work.name:>28s} {flops / 1e6:8.2f} {times.seconds('one') / 16 * 1e6:9.2f} {found[-1][1]:6.2f}",
            flush=True,
        )
    losing = [flops for flops, ratio in found if ratio > WORTH]
    return min((flops for flops, _ in found if flops > max(losing, default=0.0)), default=math.inf)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the time")
    seconds = 0.03 if parser.parse_args().quick else 0.3
    fastnn.set_num_threads(1)
    machine = configuration()
    print(f"{machine['processor']}, {machine['isa']}, {machine['blas']}, load {load()}\n")
    own, team = gemm_limit(seconds), team_limit(seconds)
    print(f"\nin use: {limits(machine['isa'])}")
    print(f'    "{machine["isa"]}": Limits(own_gemm={own:.1g}, team={team:.1g}),')


if __name__ == "__main__":
    main()
