"""Measure the accuracy of src_c/real_math.h: largest error in ULP, and special values that come out wrong.

    python tools/ulp_sweep.py                                  every float32, dense float64 samples, every function
    python tools/ulp_sweep.py --stride 4099 exp tanh           every 4099th float32, two functions
    python tools/ulp_sweep.py --isa x86_v3 --isa baseline      code with and without FMA in one pass
    python tools/ulp_sweep.py --peers --json accuracy.json     beside NumPy and PyTorch, and keep the table
    python tools/ulp_sweep.py --markdown accuracy.json         print a kept table as docs/numerics.md has it

The functions are compiled from the headers for each ISA asked for, with the flags of the project, in the loop in which
rows use them.  The oracle is compiled separately and shares nothing with them: the C library in double for float32,
libquadmath for float64.  An error of 0.5 ULP is perfect rounding; one ULP is the distance between neighbouring numbers
at the exact result, in the denormal range the smallest denormal.  Overflow counts as 2^128 (2^1024).  A result is
"wrong" if it is NaN where the oracle is not or the other way round, has another sign (that of zero included), or is
infinite where the oracle is finite and more than one ULP away (or the other way round).

A run that was stopped goes on where it was: finished pieces stand in the file given by --progress, under a key made
of the sources, the flags and the sampling, so edited headers are always measured anew.

To add a function, add one line to tools/ulp/functions.py.  Refuses an ISA that this CPU does not have.  Needs gcc and
glibc on x86-64, also if --compiler names another one for the functions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from kernel_build import LANGUAGE_FLAGS, SOURCES
from ulp.build import HERE, ISA_FLAGS, Oracle, Result, compiled
from ulp.functions import FUNCTIONS, Function
from ulp.peers import numpy_function, torch_functions

Array = npt.NDArray[Any]
Columns = dict[str, Callable[[Array, Array], Any]]
Line = dict[str, dict[str, float]]  # of a table: for each column what Result holds

DEFAULT_PROGRESS = Path(tempfile.gettempdir()) / "ulp_sweep_progress.json"
CHUNK = 1 << 15  # numbers that stay in cache while everybody computes them
PIECE = 1 << 28  # bit patterns between two notes of the progress
SPECIAL_BITS = (
    0, 1, 2, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x3F800000, 0x3F800001, 0x3F7FFFFF, 0x33000000,
    0x33800000, 0x42B17218, 0x42B17217, 0x42CFF1B5, 0x3F000000,
)  # fmt: skip
SPECIAL_DOUBLES = (
    0.0, 1.0, 2.0**-1022, 5e-324, 1.5e-323, sys.float_info.max, np.inf, np.nan, 2.0**-54, 2.0**-53, 1 + 2.0**-52,
    1 - 2.0**-53, 709.78271289338397, 745.13321910194122, 1e300,
)  # fmt: skip


def specials(dtype: npt.DTypeLike) -> tuple[Array, int]:
    """What is tried whatever the sampling, in both signs: a chunk, and how much of it counts."""
    bits = np.array(SPECIAL_BITS, np.uint32).view(np.float32)
    values = np.array(SPECIAL_DOUBLES) if np.dtype(dtype) == np.float64 else bits
    return np.resize(np.concatenate([values, -values]).astype(dtype), CHUNK), 2 * len(values)


def patterns(first: int, last: int, stride: int) -> Iterator[tuple[Array, int]]:
    """The float32 with the bit patterns first, first + stride ... < last, in chunks, and how much of each counts."""
    for start in range(first, last, CHUNK * stride):
        bits = np.arange(start, min(last, start + CHUNK * stride), stride, dtype=np.uint64).astype(np.uint32)
        yield np.resize(bits, CHUNK).view(np.float32), len(bits)


def samples(function: Function, count: int) -> Iterator[tuple[Array, int]]:
    """float64: in turn a random bit pattern, a number in [low, high), one in [-1, 1), and one of float32's grid."""
    random = np.random.default_rng([ord(c) for c in function.name])
    for _ in range(max(1, count // CHUNK)):
        x = random.integers(0, 1 << 64, CHUNK, np.uint64).view(np.float64)
        unit = random.random((3, CHUNK // 4))
        width = function.high - function.low
        x[1::4], x[2::4] = function.low + width * unit[0], 2 * unit[1] - 1
        x[3::4] = (function.low + width * unit[2] ** 2).astype(np.float32)
        yield x, CHUNK


def sweep(
    index: int, dtype: str, options: argparse.Namespace, oracle: Oracle, columns: Columns, progress: dict[str, Any]
) -> Iterator[None]:
    """Measure one function; yields after each piece, when `progress` is worth keeping."""
    results = {name: Result(**progress.get("columns", {}).get(name, {})) for name in columns}
    y = np.empty(CHUNK, dtype)

    def look(chunks: Iterator[tuple[Array, int]]) -> None:
        with np.errstate(all="ignore"):
            for x, count in chunks:
                due = oracle.expect(index, x)
                for name, column in columns.items():
                    column(x, y)
                    oracle.measure(x, y, due, count, results[name])

    while progress.get("next", 0) < 1 << 32:
        first = progress.get("next", 0)
        if first == 0:
            look(iter([specials(dtype)]))
        if dtype == "float32":
            last = min(1 << 32, first + PIECE * min(options.stride, 16))
            last = min(1 << 32, first + -(-(last - first) // options.stride) * options.stride)
            look(patterns(first, last, options.stride))
        else:
            last = 1 << 32
            look(samples(FUNCTIONS[index], options.samples))
        progress["next"] = last
        progress["columns"] = {n: {f: getattr(r, f) for f, _ in r._fields_} for n, r in results.items()}
        yield


def fingerprint(headers: Path, *facts: object) -> str:
    """Changes with the sources and with whatever else the result depends on."""
    digest = hashlib.sha256(repr(facts).encode())
    for path in sorted([headers / "portable.h", *headers.glob("real*.h"), *HERE.glob("*.[cp]*")]):
        if path.is_file() and path.name != "functions.py":  # the function itself is among the facts
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def load(path: Path) -> dict[str, Any]:
    """The finished pieces of all runs."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def save(path: Path, key: str, progress: dict[str, Any]) -> None:
    """Put one line into the file, without disturbing those of a run beside this one."""
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(load(path) | {key: progress}, indent=0))
    part.replace(path)


def cell(found: dict[str, float]) -> str:
    """The largest error as the tables show it, with a star where some NaN, sign or infinity was wrong."""
    error = f"{found['worst']:.2f}" if found["worst"] < 1000 else f"{found['worst']:.0e}".replace("e+0", "e")
    return error.replace("e+", "e") + (" \\*" if found["wrong"] else "")


def markdown(table: dict[str, Any]) -> str:
    """The table of docs/numerics.md from what --json kept."""
    lines = []
    for dtype, functions in table["functions"].items():
        names = list(dict.fromkeys(name for line in functions.values() for name in line["columns"]))
        lines += [f"\n| {dtype} | bound | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
        for function, line in functions.items():
            found = [line["columns"].get(name) for name in names]
            cells = [cell(f) if f else "-" for f in found]
            lines.append(f"| {function} | {line['bound']:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options, checked."""
    names = [f.name for f in FUNCTIONS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help=f"default: all of {', '.join(names)}")
    parser.add_argument("--isa", choices=sorted(ISA_FLAGS), action="append", help="default: native")
    parser.add_argument("--peers", action="store_true", help="NumPy too, and PyTorch if it is installed")
    parser.add_argument("--dtype", choices=("float32", "float64", "both"), default="both")
    parser.add_argument("--stride", type=int, default=1, help="test every STRIDE-th float32 (default: every one)")
    parser.add_argument("--samples", type=int, default=1 << 20, help="float64 inputs per function (default: 2^20)")
    parser.add_argument("--compiler", default=os.environ.get("CC", "gcc"), help="for the kernels (default: $CC or gcc)")
    parser.add_argument("--headers", type=Path, default=SOURCES, help="folder of real_math.h (default: src_c)")
    parser.add_argument("--progress", type=Path, default=DEFAULT_PROGRESS, help=f"default: {DEFAULT_PROGRESS}")
    parser.add_argument("--json", type=Path, help="write the table to this file")
    parser.add_argument("--markdown", type=Path, help="measure nothing; print the table that --json wrote")
    options = parser.parse_args(arguments)
    unknown = set(options.functions) - set(names)
    if unknown or options.stride < 1 or options.samples < 1:
        parser.error(f"expected functions among {names}, a stride and samples of at least 1. Received: {arguments}")
    return options


def main(arguments: list[str]) -> int:
    """Print the table; exit status 1 if a bound is exceeded or a special value is wrong."""
    options = parse(arguments)
    if options.markdown:
        print(markdown(load(options.markdown)))
        return 0
    isas = options.isa or ["native"]
    torch = torch_functions() if options.peers else None
    functions: dict[str, dict[str, Any]] = {}
    failures = 0
    print(
        f"{'function':20s} {'dtype':8s} {'by':9s} {'max ULP':>9s} {'bound':>5s} {'at x =':>24s} {'wrong':>6s} seconds"
    )
    with tempfile.TemporaryDirectory() as folder:
        oracle = Oracle(FUNCTIONS, Path(folder))
        missing = [isa for isa in isas if not oracle.has(isa)]
        if missing:
            raise SystemExit(f"expected ISA levels that this CPU can run. Received: {', '.join(missing)}")
        ours = {
            isa: compiled(FUNCTIONS, isa, options.compiler, options.headers.resolve(), Path(folder)) for isa in isas
        }
        for dtype in ("float32", "float64") if options.dtype == "both" else (options.dtype,):
            for index, function in enumerate(FUNCTIONS):
                if options.functions and function.name not in options.functions:
                    continue
                columns: Columns = {isa: partial(f, index) for isa, f in ours.items()}
                if options.peers:
                    peers = {"NumPy": numpy_function(function.name), "PyTorch": torch and torch(function.name)}
                    columns |= {name: peer for name, peer in peers.items() if peer is not None}
                sampling = options.stride if dtype == "float32" else options.samples
                flags = [(isa, *LANGUAGE_FLAGS, *ISA_FLAGS[isa]) for isa in isas]
                key = fingerprint(options.headers, function, dtype, sampling, flags, options.compiler, list(columns))
                progress: dict[str, Any] = load(options.progress).get(key, {})
                start = time.perf_counter()
                for _ in sweep(index, dtype, options, oracle, columns, progress):
                    save(options.progress, key, progress)
                seconds = time.perf_counter() - start
                functions.setdefault(dtype, {})[function.name] = {
                    "bound": function.bound,
                    "columns": progress["columns"],
                }
                for name, found in progress["columns"].items():
                    failed = name in isas and (found["worst"] > function.bound or found["wrong"] > 0)
                    failures += failed
                    note = f" wrong at {found['wrong_at']!r}" if found["wrong"] else ""
                    print(
                        f"{function.name:20s} {dtype:8s} {name:9s} {found['worst']:9.4g} {function.bound:5g} "
                        f"{found['at']:24.17g} {found['wrong']:6d} {seconds:7.1f}{' FAILED' if failed else ''}{note}",
                        flush=True,
                    )
    if options.json:
        table = {"stride": options.stride, "samples": options.samples, "functions": functions}
        options.json.write_text(json.dumps(table, indent=1) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
