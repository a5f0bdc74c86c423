"""From where one way of computing beats another: data, one line for each instruction set, measured by tools/tune.py."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """Floating-point operations.

    own_gemm: products below go to the kernel of src_c/gemm.h, which packs one operand only and calls nothing; others to
    BLAS.  team: training steps and inference from here on are shared by threads.
    """

    own_gemm: float
    team: float


# Where nobody has measured, our kernel takes only products so small that the call of BLAS itself counts.
UNKNOWN = Limits(own_gemm=2e5, team=3e6)
LIMITS = {
    "x86_v3": Limits(own_gemm=2e7, team=3e6),  # AMD Zen 3, 2 cores, OpenBLAS 0.3.34
}


def limits(isa: str) -> Limits:
    """Those of an instruction set."""
    return LIMITS.get(isa, UNKNOWN)
