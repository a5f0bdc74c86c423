"""Compiles the functions for each ISA level, and the oracle, and calls them over NumPy arrays."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from kernel_build import LANGUAGE_FLAGS, X86_ISAS

from .functions import Function

Array = npt.NDArray[Any]
HERE = Path(__file__).resolve().parent
ISA_FLAGS = {isa.name: isa.flags for isa in X86_ISAS} | {"native": ("-march=native",)}
ISA_NEEDS = {"x86_v3": ("avx2", "fma"), "x86_v4": ("avx512f", "avx512dq", "avx512vl")}
BITS = {np.dtype(np.float32): "f32", np.dtype(np.float64): "f64"}
WIDE = {np.dtype(np.float32): 8, np.dtype(np.float64): 16}  # bytes of what the oracle computes in


class Result(ctypes.Structure):
    """What the comparison adds up (struct result of oracle.c)."""

    _fields_ = (
        ("worst", ctypes.c_double),
        ("at", ctypes.c_double),
        ("wrong_at", ctypes.c_double),
        ("tested", ctypes.c_uint64),
        ("wrong", ctypes.c_uint64),
    )


def pointer(array: Array) -> ctypes.c_void_p:
    """Where the array's numbers are."""
    return ctypes.c_void_p(array.ctypes.data)


class Oracle:
    """What the functions should give, and the distance from it."""

    def __init__(self, functions: Sequence[Function], folder: Path) -> None:
        write_table(functions, folder)
        command = [
            "gcc",
            "-O3",
            "-march=native",
            "-std=gnu11",
            "-fno-math-errno",
            "-fno-trapping-math",
            "-fopenmp-simd",
        ]
        source, target = str(HERE / "oracle.c"), str(folder / "oracle.so")
        libraries = ["-lquadmath", "-lmvec", "-lm"]
        subprocess.run([*command, "-fPIC", "-shared", f"-I{folder}", source, "-o", target, *libraries], check=True)
        self.code = ctypes.CDLL(target)

    def expect(self, function: int, x: Array) -> Array:
        """The results due, in twice the width of x."""
        due = np.empty(len(x), f"V{WIDE[x.dtype]}") if x.dtype == np.float64 else np.empty(len(x), np.float64)
        getattr(self.code, f"expect_{BITS[x.dtype]}")(function, pointer(x), pointer(due), ctypes.c_size_t(len(x)))
        return due

    def measure(self, x: Array, y: Array, due: Array, count: int, result: Result) -> None:
        """Add the errors of the first of y to the result."""
        measure = getattr(self.code, f"measure_{BITS[x.dtype]}")
        measure(pointer(x), pointer(y), pointer(due), ctypes.c_size_t(count), ctypes.byref(result))

    def has(self, isa: str) -> bool:
        """Whether this CPU runs code for the ISA level."""
        return all(self.code.has(feature.encode()) for feature in ISA_NEEDS.get(isa, ()))


def compiled(
    functions: Sequence[Function], isa: str, compiler: str, headers: Path, folder: Path
) -> Callable[[int, Array, Array], None]:
    """The functions of the project for an ISA level: called with the number of a function, x, and y to be filled."""
    write_table(functions, folder)
    command = [compiler, *LANGUAGE_FLAGS, *ISA_FLAGS[isa], f"-I{headers}", f"-I{folder}", "-fPIC", "-shared"]
    target = folder / f"kernels_{isa}.so"
    subprocess.run([*command, str(HERE / "kernels.c"), "-o", str(target), "-lm"], check=True)
    loaded = ctypes.CDLL(str(target))

    def apply(function: int, x: Array, y: Array) -> None:
        getattr(loaded, f"apply_{BITS[x.dtype]}")(function, pointer(x), pointer(y), ctypes.c_size_t(len(x)))

    return apply


def write_table(functions: Sequence[Function], folder: Path) -> None:
    """functions.def, from which the C files make their loops."""
    lines = [f"FUNCTION({f.name}, {f.expression}, {f.oracle})\n" for f in functions]
    (folder / "functions.def").write_text("".join(lines))
