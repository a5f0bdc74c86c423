"""Our kernel for small matrix products (src_c/gemm.h) beside BLAS, over the products of dense layers, on one thread.

    python bench/compare_gemm.py

Every line is a product of a training step: y = x W, dW = x^T dy, dx = dy W^T for a batch and a layer; microseconds, and
how many times longer BLAS takes. fastnn._native._core.OWN_FLOPS holds the limits that follow from these figures.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import product

import numpy as np

import fastnn
from fastnn._native import _core, kernels
from fastnn.benchmarks import alternate, load, measure
from fastnn.configuration import configuration

BATCHES = (8, 32, 128)
LAYERS = ((64, 32), (32, 10), (784, 100), (100, 10), (128, 128), (256, 256), (784, 256), (1000, 10), (784, 1000))


def main() -> None:
    fastnn.set_num_threads(1)
    machine = configuration()
    print(f"{machine['processor']}, {machine['isa']}, load {load()}")
    print(f"{'product':>28s} {'MFLOP':>8s} {'own us':>9s} {'BLAS':>6s}")
    ratios = []
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

            found = alternate({"own": partial(timed, flops=math.inf), "blas": partial(timed, flops=0.0)}, 0.3)
            ratios.append(found.ratio("blas", "own"))
            flops = 2e-6 * batch * inputs * units
            print(
                f"{name:>8s} {f'{batch} {inputs}-{units}':>19s} {flops:8.2f} {found.seconds('own') * 1e6:9.2f} "
                f"{ratios[-1]:6.2f}",
                flush=True,
            )
    print(f"geometric mean {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}")


if __name__ == "__main__":
    main()
