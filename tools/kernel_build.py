"""How a kernel object is compiled: the one place that knows ISA levels and flags (setup.py, tools/check_kernels.py).

Every stub in src_c/isa/ becomes one object with its own -march. The flags are ours alone: those that Python itself was
built with (LTO, -fwrapv, another -march) stay out, so the objects are the same under every Python. CC and CFLAGS of the
environment are respected, CFLAGS first, so that an ISA level always wins. Refused: -ffast-math and -Ofast, which break
NaN and change the floating-point state of the whole process. Needs the standard library only.

Tried with GCC 12 and Clang 14 on Linux (x86-64, and aarch64 by cross compiler). Untested: macOS, and Windows, where the
kernels need a GNU-style `clang` (set CC to another) because they use its builtins; MSVC compiles and links the rest.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src_c"
# gnu11, not c11: ISO mode turns off contraction to fused multiply-add.
LANGUAGE_FLAGS = ["-O3", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fopenmp-simd"]
COMMON_FLAGS = [*LANGUAGE_FLAGS, "-fvisibility=hidden", "-Wall", "-Wextra"]
FORBIDDEN_FLAGS = {"-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-ffinite-math-only"}


class Isa(NamedTuple):
    """One instruction-set level: the stub src_c/isa/<name>.c and the flags it is compiled with."""

    name: str
    flags: tuple[str, ...] = ()


X86_ISAS = (
    Isa("baseline", ("-march=x86-64-v2",)),
    Isa("x86_v3", ("-march=x86-64-v3",)),
    Isa("x86_v4", ("-march=x86-64-v4", "-mprefer-vector-width=512")),
)
OTHER_ISAS = (Isa("baseline"),)  # aarch64: NEON is part of the architecture


class Compiler(NamedTuple):
    """A C compiler with the options that every call gets, the machine it compiles for, and its name and version."""

    command: tuple[str, ...]
    machine: str
    version: str

    @property
    def isas(self) -> tuple[Isa, ...]:
        """The ISA levels built for this machine, lowest first."""
        return X86_ISAS if self.machine in {"x86_64", "amd64"} else OTHER_ISAS


def environment_flags() -> list[str]:
    """CFLAGS of the environment, and on macOS the one architecture to build for."""
    for name in ("CFLAGS", "LDFLAGS"):  # linking with -ffast-math is enough to switch denormals off for the process
        flags = shlex.split(os.environ.get(name, ""))
        if bad := FORBIDDEN_FLAGS.intersection(flags):
            raise SystemExit(
                f"fastnn is never built with {', '.join(sorted(bad))}. Received: {name}={os.environ[name]!r}"
            )
    flags = shlex.split(os.environ.get("CFLAGS", ""))
    if sys.platform == "darwin":
        arch = shlex.split(os.environ.get("ARCHFLAGS", "")) or ["-arch", platform.machine()]
        if arch.count("-arch") != 1:
            raise SystemExit(f"Expected one architecture per build. Received: ARCHFLAGS={os.environ['ARCHFLAGS']!r}")
        flags += arch
    return flags


def sanitizer_flags() -> list[str]:
    """Flags for FASTNN_SANITIZE=address,undefined; empty without it. They go last, so that -O1 wins."""
    names = os.environ.get("FASTNN_SANITIZE", "")
    return [f"-fsanitize={names}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1"] if names else []


def find_compiler(command: Sequence[str] = ()) -> Compiler:
    """The compiler given, else CC, else the one Python was built with (clang on Windows)."""
    default = "clang" if os.name == "nt" else sysconfig.get_config_var("CC") or "cc"
    cc = [*(command or shlex.split(os.environ.get("CC") or default)), *environment_flags()]
    if os.name != "nt":
        cc.append("-fPIC")

    def ask(option: str) -> str:
        try:
            return subprocess.run([*cc, option], check=True, capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(
                f"Expected a GCC 11+ or Clang 12+ compiler (set CC). Received: {shlex.join(cc)}: {error}"
            ) from None

    # "gcc (Debian 12.2.0-14+deb12u1) 12.2.0"
    return Compiler(tuple(cc), ask("-dumpmachine").split("-")[0].strip(), ask("--version").splitlines()[0].strip())


def headers(sources: Path = SOURCES) -> list[Path]:
    """Everything in src_c that is included by something: an object is out of date when one of these is newer."""
    return sorted(path for pattern in ("*.h", "*.def") for path in sources.glob(pattern))


def compile_object(compiler: Compiler, source: Path, flags: Sequence[str], folder: Path) -> Path:
    """Compile `source` (in src_c or src_c/isa) to an object in `folder`, unless it is there and up to date."""
    sources = next(parent for parent in source.parents if parent.name != "isa")
    target = folder / (source.stem + (".obj" if os.name == "nt" else ".o"))
    command = [*compiler.command, *COMMON_FLAGS, *flags, *sanitizer_flags(), "-c", str(source), "-o", str(target)]
    stamp, line = target.with_suffix(".command"), shlex.join(command)
    newest = max(path.stat().st_mtime for path in [source, *headers(sources)])
    if target.exists() and stamp.exists() and stamp.read_text() == line and target.stat().st_mtime > newest:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    print(line, flush=True)
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode:
        raise SystemExit(f"Cannot compile {source} with {compiler.version}: see the messages above.")
    stamp.write_text(line)
    return target


def compile_isas(compiler: Compiler, isas: Sequence[Isa], folder: Path, sources: Path = SOURCES) -> dict[Isa, Path]:
    """The objects of these ISA levels, made in `folder`, several at a time."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        jobs = {
            isa: pool.submit(compile_object, compiler, sources / "isa" / f"{isa.name}.c", isa.flags, folder)
            for isa in isas
        }
        return {isa: job.result() for isa, job in jobs.items()}


def compile_all(compiler: Compiler, folder: Path) -> list[Path]:
    """Every object that is linked into fastnn._native._core: the ISA levels and cpu.c."""
    # cpu.c runs before anything is known about the processor: no -march
    return [
        *compile_isas(compiler, compiler.isas, folder).values(),
        compile_object(compiler, SOURCES / "cpu.c", (), folder),
    ]
