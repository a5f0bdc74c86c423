"""A running program asks for no memory: every malloc of the process is counted, whoever calls it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("gcc") is None or "LD_PRELOAD" in os.environ,
    reason="counts by preloading a library: needs Linux with glibc, gcc, and nobody else who does so",
)

# glibc's own functions stand under these names, too
COUNTER = """
#include <stdlib.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
static long calls;
#define COUNT __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED)
long allocations(void) { return __atomic_load_n(&calls, __ATOMIC_RELAXED); }
void *malloc(size_t n) { COUNT; return __libc_malloc(n); }
void *calloc(size_t n, size_t size) { COUNT; return __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { COUNT; return __libc_realloc(p, n); }
void *memalign(size_t a, size_t n) { COUNT; return __libc_memalign(a, n); }
void *aligned_alloc(size_t a, size_t n) { COUNT; return __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { COUNT; return (*p = __libc_memalign(a, n)) ? 0 : 12; }
"""

SCRIPT = """
import ctypes, sys
import numpy as np
import fastnn
from fastnn.benchmarks import WORKLOADS

counter = ctypes.CDLL(None).allocations
counter.restype = ctypes.c_long
before = counter()
held = [bytearray(100_000) for _ in range(10)]
assert counter() - before >= 10, "the counter does not count"

name, threads = sys.argv[1], int(sys.argv[2])
fastnn.set_num_threads(threads)
work = next(work for work in WORKLOADS if work.name == name)
model, (x, y) = work.model(), work.data(12)
data, goals = model.prepare(x, y, None, "test")
program = model.runner.for_training(goals, work.batch, True).program
program.bind(data.inputs, ())
scalars = model.optimizer.scalars(0, 12)
order = np.arange(len(x))
program.run(0, 12, order, scalars, 1, 0)  # BLAS makes its buffers, the team its threads
for count in (2, 12):
    before = counter()
    program.run(0, count, order, scalars, 1, 0)
    print(counter() - before)
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counter")
    source, library = folder / "counter.c", folder / "counter.so"
    source.write_text(COUNTER, encoding="utf-8")
    command = ["gcc", "-O2", "-shared", "-fPIC", "-fno-builtin", str(source), "-o", str(library)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this gcc does not build shared libraries, or this libc is not glibc")
    return library


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("workload", ["mlp-tiny", "mlp-bn-dropout", "autoencoder", "lenet", "lstm"])
def test_steps_allocate_nothing(counter: Path, workload: str, threads: int) -> None:
    """Twelve steps ask for memory as often as two do: the call itself may, its steps do not."""
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, workload, str(threads)],
        env={**os.environ, "LD_PRELOAD": str(counter), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    few, many = map(int, found.stdout.split())
    assert many - few <= 1, (few, many)
    assert many < 20
