"""tools/check_kernels.py must report what it is there for: tables with deliberately bad rows, and bad flags."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not shutil.which("objdump"), reason="needs GNU binutils and ELF objects"
)

ACTIVATIONS = """
ACT(identity, y, (), x, dy)
ACT(tanh, y, (), ftanh(x), dy * (K(1) - y * y))
ACT(good, x, (alpha), select(x > 0, x, alpha * fexp(x)), dy * fsigmoid(x))
ACT(library, x, (), (real)__builtin_cosh((double)x), dy)
ACT(branchy, x, (), __extension__({ real r = x; while (r > 1) r *= K(0.5); r; }), dy)
ACT(called, x, (), (real)opaque((double)x), dy)
"""
LOSSES = "LOSS(mse, mean, (), (p - t) * (p - t), K(2) * (p - t))\n"
OPTIMIZERS = "OPT(sgd, (), (rate), p -= rate * g)\n"
LEARNED = """
LEARNED(slope, (alpha), x * alpha, dy * alpha, (dy * x))
LEARNED(recursive, (alpha), (real)opaque((double)x), dy * alpha, (dy * x))
"""


@pytest.fixture(scope="module")
def tools() -> Any:
    """The modules of tools/, which are not part of the package."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import check_kernels

        return check_kernels
    finally:
        sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of src_c with small tables; its stubs have a function that is never inlined and a second global symbol."""
    sources = tmp_path_factory.mktemp("tree") / "src_c"
    shutil.copytree(ROOT / "src_c", sources)
    (sources / "activations.def").write_text(ACTIVATIONS)
    (sources / "losses.def").write_text(LOSSES)
    (sources / "optimizers.def").write_text(OPTIMIZERS)
    (sources / "learned.def").write_text(LEARNED)
    for stub in (sources / "isa").glob("*.c"):
        extra = (
            "int leaked_symbol;\n__attribute__((noinline, noipa)) static double opaque(double x) { return x * x; }\n"
        )
        stub.write_text(extra + stub.read_text())
    return sources


def test_bad_rows_are_reported(tools: Any, tree: Path) -> None:
    compiler = tools.kernel_build.find_compiler()
    isa = compiler.isas[0]
    found = tools.check(compiler, [isa], tree.parent / "objects", tree)
    reported = {line.split(": ")[1] for line in found if line.count(": ") > 1}

    bad = {
        f"{row}_forward_{dtype}" for row in ("library", "branchy", "called", "recursive") for dtype in ("f32", "f64")
    }
    assert bad <= reported
    assert {name for name in reported if name.startswith(("identity", "good", "mse", "sgd", "slope"))} == set()
    text = "\n".join(found)
    assert "library_forward_f64: calls cosh" in text
    assert "called_forward_f32: calls opaque" in text
    assert re.search(r"branchy_forward_f32: \d+ scalar of", text)
    assert "Received: fastnn_kernels_baseline, leaked_symbol" in text
    assert "unexpected undefined symbols. Received: cosh" in text


def test_a_missing_function_is_reported(tools: Any, tree: Path) -> None:
    compiler = tools.kernel_build.find_compiler()
    isa = compiler.isas[0]
    path = tools.kernel_build.compile_isas(compiler, [isa], tree.parent / "objects", tree)[isa]
    file = tools.ObjectFile(path, compiler.command)
    dialect = tools.DIALECTS[compiler.machine]
    assert tools.function_problems(file, "silu_forward_f32", dialect, dialect.registers[isa.name])[0] == [
        "not in the object"
    ]


@pytest.mark.parametrize(("flag", "word"), [("-mprefer-vector-width=128", "narrow"), ("-fno-tree-vectorize", "scalar")])
def test_bad_flags_are_reported(tools: Any, tree: Path, flag: str, word: str) -> None:
    compiler = tools.kernel_build.find_compiler()
    if compiler.machine != "x86_64":
        pytest.skip("the flags are those of x86-64")
    isa = compiler.isas[1]
    flags = [*isa.flags, flag, *(["-fno-openmp-simd"] if word == "scalar" else [])]
    found = tools.check(compiler, [isa._replace(flags=tuple(flags))], tree.parent / word, tree)
    assert any(line.startswith("x86_64 x86_v3: good_forward_f32: ") and word in line for line in found)
    assert any(line.startswith("x86_64 x86_v3: mse_with_grad_f64: ") and word in line for line in found)


def test_only_what_can_run_again_counts(tools: Any) -> None:
    """x = x0 + 1; do { y } while (...); z: scalar work before and after a loop is not part of it."""
    from disassembly import Instruction, repeated

    code = [
        Instruction(0, "addss %xmm0,%xmm1 ", None),
        Instruction(4, "je 20 ", 20),
        Instruction(8, "mulps %xmm0,%xmm1 ", None),
        Instruction(12, "jne 8 ", 8),
        Instruction(16, "jmp 24 ", 24),
        Instruction(20, "divss %xmm0,%xmm1 ", None),  # laid out behind the loop, reached once
        Instruction(24, "ret ", None),
    ]
    assert [i.address for i in repeated(code)] == [8, 12]
    # the same with the loop's second half moved behind everything else, as compilers do with unlikely code
    code[3] = Instruction(12, "jne 28 ", 28)
    code += [Instruction(28, "addps %xmm0,%xmm1 ", None), Instruction(32, "jmp 8 ", 8)]
    assert [i.address for i in repeated(code)] == [8, 12, 28, 32]
