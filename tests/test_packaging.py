"""What the package promises about itself: version, typing, dependencies, symbols, and who imports what."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fastnn
from fastnn import _native, _version

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(fastnn.__file__).parent


@pytest.fixture
def kernel_build(monkeypatch: pytest.MonkeyPatch) -> Any:
    """tools/kernel_build.py, the module that knows the flags."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import kernel_build

    return kernel_build


def test_one_version() -> None:
    assert fastnn.__version__ == _version.__version__ == importlib.metadata.version("fastnn-cpu")


def test_shipped_files() -> None:
    for name in ("py.typed", "datasets/digits.npz", "datasets/digits.LICENSE.txt", "lab/report.css"):
        assert (PACKAGE / name).is_file(), name


def test_requirements_have_no_upper_bounds() -> None:
    requirements = importlib.metadata.requires("fastnn-cpu") or []
    runtime = {re.split(r"[^\w.-]", text)[0] for text in requirements if "extra ==" not in text}
    assert runtime == {"numpy", "safetensors", "scipy-openblas32", "tqdm"}
    assert [text for text in requirements if re.search(r"<|==|~=", text.split(";")[0])] == []
    # what the tests need must not bring a whole framework with it
    assert [text for text in requirements if re.match(r"(torch|jax|keras)", text) and "peers" not in text] == []


@pytest.mark.skipif(not shutil.which("nm") or not sys.platform.startswith("linux"), reason="needs GNU binutils")
def test_compiled_modules_export_their_init_function_only() -> None:
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    modules = sorted(Path(_native.__file__).parent.glob(f"*{suffix}"))
    assert {module.name.removesuffix(suffix) for module in modules} >= {"_core", "_ops", "_engine"}
    for module in modules:
        listing = subprocess.run(
            ["nm", "-D", "--defined-only", module], check=True, capture_output=True, text=True
        ).stdout
        assert [line.split()[-1] for line in listing.splitlines()] == [f"PyInit_{module.name.removesuffix(suffix)}"]


def test_the_reference_kernels_import_nothing_but_numpy() -> None:
    files = sorted((PACKAGE / "reference").rglob("*.py"))
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                top = name.partition(".")[0]
                allowed = top in sys.stdlib_module_names or top == "numpy" or f"{name}.".startswith("fastnn.reference.")
                assert allowed, f"{file.name} imports {name}"


def test_importing_costs_little() -> None:
    """Heavy or optional parts are imported when they are used, not with the package."""
    code = "import sys, fastnn; print(*(m for m in sys.argv[1:] if m in sys.modules))"
    optional = [
        "matplotlib",
        "h5py",
        "pooch",
        "sklearn",
        "scipy",
        "torch",
        "tqdm",
        "safetensors",
        "pytest",
        "fastnn.cli",
    ]
    run = subprocess.run([sys.executable, "-c", code, *optional], check=True, capture_output=True, text=True)
    assert run.stdout.split() == []


def test_flags_of_the_kernels(kernel_build: Any) -> None:
    flags = [*kernel_build.COMMON_FLAGS, *(flag for isa in kernel_build.X86_ISAS for flag in isa.flags)]
    assert not kernel_build.FORBIDDEN_FLAGS.intersection(flags)
    assert "-march=native" not in flags
    # ISO mode turns off fused multiply-add; trapping mathematics keeps branches
    assert {"-std=gnu11", "-fno-trapping-math", "-ffp-contract=fast"} <= set(flags)


@pytest.mark.parametrize(("name", "flags"), [("CFLAGS", "-g -Ofast"), ("LDFLAGS", "-ffast-math")])
def test_fast_math_is_refused(kernel_build: Any, monkeypatch: pytest.MonkeyPatch, name: str, flags: str) -> None:
    monkeypatch.setenv(name, flags)
    with pytest.raises(SystemExit, match=rf"never built with {flags.split()[-1]}.*Received: {name}='{flags}'"):
        kernel_build.environment_flags()


def test_a_missing_compiler_is_a_clear_error(kernel_build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(SystemExit, match=r"Expected a GCC 11\+ or Clang 12\+ compiler.*Received: no-such-compiler"):
        kernel_build.find_compiler()


@pytest.mark.skipif(os.name == "nt", reason="the fake compiler is a shell script")
def test_the_target_decides_about_isa_levels(
    kernel_build: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A cross compiler's machine counts, not the one it runs on; CFLAGS reach the compiler ahead of the ISA's flags."""
    fake = tmp_path / "cc"
    fake.write_text('#!/bin/sh\ncase "$*" in *-dumpmachine) echo aarch64-linux-gnu ;; *) echo fake 1.0 ;; esac\n')
    fake.chmod(0o755)
    monkeypatch.setenv("CC", str(fake))
    monkeypatch.setenv("CFLAGS", "-O0 -DX=1")
    compiler = kernel_build.find_compiler()
    assert compiler.machine == "aarch64"
    assert compiler.version == "fake 1.0"
    assert [isa.name for isa in compiler.isas] == ["baseline"]
    assert compiler.command[:3] == (str(fake), "-O0", "-DX=1")


@pytest.fixture
def setup_py(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What setup.py defines, without building anything."""
    setuptools = pytest.importorskip("setuptools")
    pytest.importorskip("Cython")
    monkeypatch.setattr(setuptools, "setup", lambda **options: None)
    return runpy.run_path(str(ROOT / "setup.py"))


@pytest.mark.parametrize(
    ("platform", "flag"), [("linux", "-fopenmp"), ("darwin", "-Xpreprocessor"), ("win32", "/openmp")]
)
def test_each_platform_has_its_flags_of_openmp(
    setup_py: dict[str, Any], monkeypatch: pytest.MonkeyPatch, platform: str, flag: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert setup_py["openmp_flags"]()[0][0] == flag


@pytest.mark.parametrize("fails", [None, "compile", "link_executable"])
def test_where_openmp_does_not_work_the_build_is_serial(setup_py: dict[str, Any], fails: str | None) -> None:
    """A small program is compiled and linked first; it is no matter which of the two fails."""
    seen = []

    class Compiler:
        compiler_type = "unix"

        def compile(self, sources: list[str], **options: Any) -> list[str]:
            return self.run("compile", setup_py["CompileError"], Path(sources[0]).read_text())

        def link_executable(self, objects: list[str], program: str, **options: Any) -> list[str]:
            return self.run("link_executable", setup_py["LinkError"], *objects)

        def run(self, step: str, error: type[Exception], *inputs: str) -> list[str]:
            seen.extend(inputs)
            if step == fails:
                raise error("no such option: -fopenmp")
            return ["probe.o"]

    build = setup_py["BuildExt"](pytest.importorskip("setuptools").Distribution())
    build.compiler = Compiler()
    assert build.openmp_works() is (fails is None)
    assert "#pragma omp parallel" in seen[0]
