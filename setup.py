"""Builds the compiled layer; everything else about the package stands in pyproject.toml.

Each ISA object is compiled with flags of its own (tools/kernel_build.py) and linked into fastnn._native._core through
`extra_objects`: setuptools' `libraries=` neither works with --inplace nor compiles one source twice. The compiler, its
flags and whether OpenMP works go into a generated header, fastnn_build.h, which every extension includes first, for
fastnn.show_config().

    CC, CFLAGS, LDFLAGS                     respected
    FASTNN_SANITIZE=address,undefined       a debug build (tools/sanitize.sh)
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))
import kernel_build  # noqa: E402

NATIVE = "fastnn/_native"
CYTHON_DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "binding": False,
    "embedsignature": True,
}
OPENMP_PROGRAM = """
#include <omp.h>
int main(void) {
    int n = 0;
#pragma omp parallel for reduction(+ : n)
    for (int i = 0; i < 4; i++) n += omp_get_num_threads() > 0;
    return n != 4;
}
"""


def openmp_flags() -> tuple[list[str], list[str]]:
    """Compile and link flags of OpenMP for this platform's usual compiler."""
    if sys.platform == "win32":
        return ["/openmp"], []
    if sys.platform == "darwin":
        return ["-Xpreprocessor", "-fopenmp"], ["-lomp"]
    return ["-fopenmp"], ["-fopenmp"]


def extensions() -> list[Extension]:
    """One extension for each .pyx file of the compiled layer."""
    return [
        Extension(f"fastnn._native.{path.stem}", [f"{NATIVE}/{path.name}"])
        for path in sorted((ROOT / NATIVE).glob("*.pyx"))
    ]


class BuildExt(build_ext):
    """Compiles the ISA objects first, then the Cython extensions that use them."""

    def build_extensions(self) -> None:
        import numpy
        from Cython.Build import cythonize

        compiler = kernel_build.find_compiler()
        openmp_compile, openmp_link = openmp_flags() if self.openmp_works() else ([], [])
        sanitize = kernel_build.sanitizer_flags()
        header = self.write_header(compiler, openmp=bool(openmp_compile))
        objects = [str(path) for path in kernel_build.compile_all(compiler, Path(self.build_temp, "kernels"))]
        if self.compiler.compiler_type == "msvc":
            flags = [f"/FI{header}"]
        else:
            flags = [*kernel_build.LANGUAGE_FLAGS, "-fvisibility=hidden", "-include", str(header)]

        cythonized = cythonize(
            self.extensions,
            build_dir="build/cython",
            compiler_directives=CYTHON_DIRECTIVES,
            include_path=["."],
        )
        for extension, generated in zip(self.extensions, cythonized, strict=True):
            extension.sources = generated.sources
            extension.depends = [*generated.depends, str(header), *map(str, kernel_build.headers())]
            extension.include_dirs += [str(kernel_build.SOURCES), str(ROOT / NATIVE), numpy.get_include()]
            extension.define_macros.append(("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"))
            extension.extra_compile_args += [*flags, *openmp_compile, *sanitize]
            extension.extra_link_args += [*openmp_link, *sanitize[:1]]
            if extension.name == "fastnn._native._core":
                extension.extra_objects += objects
                extension.depends += objects
        self.parallel = self.parallel or os.cpu_count()
        super().build_extensions()

    def openmp_works(self) -> bool:
        """Whether a small program with OpenMP can be compiled and linked; if not, the build is serial."""
        compile_flags, link_flags = openmp_flags()
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "openmp_probe.c")
            source.write_text(OPENMP_PROGRAM)
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=compile_flags)
                self.compiler.link_executable(objects, str(Path(folder, "openmp_probe")), extra_postargs=link_flags)
            except (CompileError, LinkError):
                return False
        return True

    def write_header(self, compiler: kernel_build.Compiler, openmp: bool) -> Path:
        """Make fastnn_build.h; it is touched only when something changes, since everything depends on it."""
        flags = [*compiler.command[1:], *kernel_build.COMMON_FLAGS, *kernel_build.sanitizer_flags()]
        strings = {
            "FASTNN_COMPILER": compiler.version,
            "FASTNN_BUILD_FLAGS": " ".join(flags),
            "FASTNN_ISA_FLAGS": "; ".join(" ".join([f"{isa.name}:", *isa.flags]) for isa in compiler.isas),
        }
        lines = [
            "/* Made by setup.py. */",
            f"#define FASTNN_OPENMP {int(openmp)}",
            f"#define FASTNN_HAVE_X86_ISAS {int(compiler.isas == kernel_build.X86_ISAS)}",
        ]
        for name, value in strings.items():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'#define {name} "{escaped}"')
        text = "\n".join(lines) + "\n"
        path = Path(self.build_temp, "include", "fastnn_build.h").resolve()
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return path


options: dict[str, Any] = {"cmdclass": {"build_ext": BuildExt}, "ext_modules": extensions()}
if sys.platform == "darwin":
    os.environ.setdefault("ARCHFLAGS", f"-arch {os.uname().machine}")  # a universal Python would ask for two
setup(**options)
