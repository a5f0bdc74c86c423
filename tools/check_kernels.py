"""Check that every kernel object exports one symbol, and that the loop of every table row is vectorised.

    python tools/check_kernels.py                              every ISA level of this machine's compiler
    python tools/check_kernels.py --isa x86_v4 --show          one level, with a line for each function
    python tools/check_kernels.py --cc aarch64-linux-gnu-gcc   another architecture

The objects are compiled exactly as the build does (tools/kernel_build.py) and then disassembled. For every row of the
tables and both dtypes, in the code that one call can run more than once:

  - floating-point arithmetic is packed and as wide as the registers of the ISA; none is scalar, none is narrower;
  - a function without arithmetic (identity) moves whole registers;
  - nothing is called but memcpy and memset (the padded last block): no libm, no function that was not inlined.

Scalar work ahead of the loop, such as preparing a parameter, is allowed. Needs GNU binutils and ELF objects (Linux).
The loops that know rows and columns (rows.h, row_losses.h and their neighbours) are not looked at: they may end in a
scalar remainder.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
import kernel_build
from disassembly import ObjectFile, repeated
from kernel_build import ROOT, SOURCES, Compiler, Isa

VARIANTS = {
    "activations": ("forward", "backward", "derivative"),
    "losses": ("with_grad",),
    "optimizers": ("update",),
    "learned": ("forward", "backward"),
}
COPIES = {"memcpy", "memset", "memmove"}
STACK_PROTECTOR = {"__stack_chk_fail", "__stack_chk_guard"}  # on by default in some distributions
ALLOWED_CALLS = COPIES | STACK_PROTECTOR
# log: once for each row or target of the cross-entropies; exp, log1p: the states of ctc, in double
ALLOWED_UNDEFINED = ALLOWED_CALLS | {"log", "exp", "log1p", "_GLOBAL_OFFSET_TABLE_"}


class Dialect(NamedTuple):
    """How to read one architecture: patterns for 'mnemonic operands', and the full-width register of each ISA level."""

    arithmetic: re.Pattern[str]  # of floating-point numbers, scalar or packed; comparisons count
    scalar: re.Pattern[str]  # of these, the scalar ones
    registers: dict[str, re.Pattern[str]]


X86 = Dialect(
    re.compile(
        r"v?(add|sub|mul|div|sqrt|min|max|round|rndscale|scalef|getexp|getmant|range|reduce|fixupimm|rcp(14)?|rsqrt(14)?|dp"
        r"|hadd|hsub|addsub|cmp[a-z_0-9]*|fn?m(add|sub|addsub|subadd)(132|213|231))[sp][sd] |v?u?comis[sd] |f[a-z]+ "
    ),
    re.compile(r"\S+s[sd] |f"),  # f...: the old stack unit
    {"baseline": re.compile("%xmm"), "x86_v3": re.compile("%ymm"), "x86_v4": re.compile("%zmm")},
)
AARCH64 = Dialect(
    re.compile(
        r"f(add|sub|div|sqrt|abd|addp|n?mulx?|ml[as]|n?m(add|sub)|(max|min)(nm)?p?|rint[a-z]|recp[a-z]|rsqrt[a-z]"
        r"|cm(eq|ge|gt|le|lt)|ac(ge|gt)|cc?mpe?|csel) "
    ),
    re.compile(r"\S+ [hsd]\d"),
    {"baseline": re.compile(r"\bv\d+\.(4s|2d|16b)|\bq\d")},
)
DIALECTS = {"x86_64": X86, "amd64": X86, "aarch64": AARCH64, "arm64": AARCH64}


def row_functions(sources: Path) -> list[str]:
    """Every function that is generated from a row of src_c/*.def, for both dtypes."""
    return [
        f"{row}_{variant}_{dtype}"
        for table, variants in VARIANTS.items()
        for row in re.findall(
            r"^(?:ACT|LOSS|OPT|LEARNED|LEARNED_SUM)\((\w+)", (sources / f"{table}.def").read_text(), re.MULTILINE
        )
        for variant in variants
        for dtype in ("f32", "f64")
    ]


def symbol_problems(file: ObjectFile, isa: Isa) -> Iterator[str]:
    """An object defines its table and wants nothing but a few functions of the C library."""
    defined, undefined = file.global_symbols()
    table = f"fastnn_kernels_{isa.name}"
    if defined != {table}:
        yield f"expected the one global symbol {table}. Received: {', '.join(sorted(defined)) or 'none'}"
    if undefined - ALLOWED_UNDEFINED:
        yield f"unexpected undefined symbols. Received: {', '.join(sorted(undefined - ALLOWED_UNDEFINED))}"


def function_problems(file: ObjectFile, name: str, dialect: Dialect, wide: re.Pattern[str]) -> tuple[list[str], str]:
    """What is wrong with the loop of one function, and a line that describes it."""
    if name not in file.functions:
        return ["not in the object"], ""
    if len(file.code(name)) == 1 and len(twin := file.calls(name)) == 1 and twin <= file.functions.keys():
        return function_problems(file, twin.pop(), dialect, wide)  # the same code as another row's: a jump to that
    loop, calls = repeated(file.code(name)), file.calls(name)
    for part in file.parts(name):  # from where a split-off part is entered is not followed: all of it counts
        loop += file.code(part)
        calls |= file.calls(part)
    calls -= {name, *file.parts(name)}

    arithmetic = [i.text.strip() for i in loop if dialect.arithmetic.match(i.text)]
    scalar = [text for text in arithmetic if dialect.scalar.match(text)]
    packed = [text for text in arithmetic if text not in scalar]
    narrow = [text for text in packed if not wide.search(text)]
    moves = [i.text for i in loop if wide.search(i.text)]

    problems = []
    if calls - ALLOWED_CALLS:
        problems.append(f"calls {', '.join(sorted(calls - ALLOWED_CALLS))}")
    if scalar:
        problems.append(f"{len(scalar)} scalar of {len(arithmetic)} arithmetic instructions, such as '{scalar[0]}'")
    if narrow:
        problems.append(f"{len(narrow)} of {len(packed)} packed instructions are narrow, such as '{narrow[0]}'")
    if not moves and not calls & COPIES:
        problems.append("no full-width register in the loop")
    return problems, f"{len(packed):4} packed, {len(scalar)} scalar, {len(moves):4} with full-width registers"


def check(
    compiler: Compiler, isas: Sequence[Isa], folder: Path, sources: Path = SOURCES, show: bool = False
) -> list[str]:
    """Compile and check the objects of these ISA levels; returns one line for every problem."""
    if compiler.machine not in DIALECTS:
        raise SystemExit(f"Expected a compiler for one of {', '.join(DIALECTS)}. Received: {compiler.machine}")
    dialect = DIALECTS[compiler.machine]
    functions = row_functions(sources)
    problems = []
    for isa, path in kernel_build.compile_isas(compiler, isas, folder, sources).items():
        file = ObjectFile(path, compiler.command)
        found = list(symbol_problems(file, isa))
        for name in functions:
            wrong, line = function_problems(file, name, dialect, dialect.registers[isa.name])
            found += [f"{name}: {text}" for text in wrong]
            if show:
                print(f"{isa.name:9} {name:45} {line}")
        print(f"{compiler.machine} {isa.name}: {len(functions)} functions, {len(found)} problems", flush=True)
        problems += [f"{compiler.machine} {isa.name}: {text}" for text in found]
    return problems


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status is 1 when there is a problem."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cc", default="", help="the compiler (default: CC, or Python's)")
    parser.add_argument("--isa", action="append", help="an ISA level; may be repeated (default: all)")
    parser.add_argument("--sources", type=Path, default=SOURCES, help="the folder src_c (default: this tree's)")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "check_kernels", help="where the objects go")
    parser.add_argument("--show", action="store_true", help="print a line for each function")
    options = parser.parse_args(arguments)
    compiler = kernel_build.find_compiler(shlex.split(options.cc))
    isas = [isa for isa in compiler.isas if not options.isa or isa.name in options.isa]
    if options.isa and len(isas) != len(set(options.isa)):
        parser.error(f"expected ISA levels of {[isa.name for isa in compiler.isas]}. Received: {options.isa}")
    problems = check(compiler, isas, options.build / compiler.machine, options.sources.resolve(), options.show)
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
