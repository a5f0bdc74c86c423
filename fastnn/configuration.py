"""What this installation computes with: instruction set, threads, BLAS, OpenMP, versions, and how it was built.

Nothing is chosen here, and nothing is hidden: what `configuration` returns is what runs.  It refuses nothing.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

from fastnn import _native
from fastnn._native._threads import available_cpus
from fastnn._version import __version__
from fastnn.backend import current

__all__ = ["configuration", "processor", "show_config"]

# what fastnn requires, and then what it uses where it is there
PACKAGES = ("numpy", "scipy-openblas32", "safetensors", "tqdm", "matplotlib", "h5py", "pooch")
# settings of the environment that fastnn looks at when it is imported
SETTINGS = ("FASTNN_ISA", "FASTNN_NUM_THREADS", "OMP_NUM_THREADS", "FASTNN_DATA")


def processor() -> str:
    """The processor's own name where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def configuration() -> dict[str, Any]:
    """Everything that speed and numbers depend on, apart from your own code.

    Returns
    -------
    dict
        "fastnn": version.  "backend": the kernels in use here, "native" or "reference".  "isa": the instruction set in
        use.  "isas": every compiled instruction set, with whether this machine supports it.  "threads": how many may
        compute.  "cpus": how many this process may use.  "processor", "platform", "python": where it runs.  "blas": the
        library behind matrix products, as it describes itself.  "build": compiler, flags and the version of OpenMP (a
        date, 0 for a serial build).  "packages": versions of other packages, None where one is not installed.
        "environment": those settings that are set.  The dict holds strings, numbers, bools, None and dicts of them.
    """
    return {
        "fastnn": __version__,
        "backend": current().name,
        "isa": _native.isa(),
        "isas": dict(_native.isas()),
        "threads": _native.get_num_threads(),
        "cpus": available_cpus(),
        "processor": processor(),
        "platform": platform.platform(),
        "python": f"{platform.python_version()} ({platform.python_implementation()}, {sys.executable})",
        "blas": _native.BLAS_CONFIG,
        "build": dict(_native.build_info()),
        "packages": {name: _version(name) for name in PACKAGES},
        "environment": {name: os.environ[name] for name in SETTINGS if name in os.environ},
    }


def show_config(as_dict: bool = False) -> dict[str, Any] | None:
    """Print what this installation computes with, for people; or return it, for programs.

    Parameters
    ----------
    as_dict : bool
        Return the dict of `configuration` instead of printing.

    Returns
    -------
    dict or None
    """
    found = configuration()
    if as_dict:
        return found
    print(_as_text(found))
    return None


def _as_text(found: dict[str, Any]) -> str:
    available = [name for name, usable in found["isas"].items() if usable]
    others = [name for name, usable in found["isas"].items() if not usable]
    packages = [f"{name} {version or '(not installed)'}" for name, version in found["packages"].items()]
    openmp = found["build"].get("openmp")
    lines = {
        "fastnn": found["fastnn"],
        "backend": found["backend"],
        "instruction set": f"{found['isa']} (available: {', '.join(available)})",
        "not on this machine": ", ".join(others),
        "threads": f"{found['threads']} (CPUs for this process: {found['cpus']})",
        "OpenMP": f"{openmp}" if openmp else "none: built without it, everything runs on one thread",
        "BLAS": f"{found['blas']} (private copy, cut over fastnn's own threads)",
        "processor": found["processor"],
        "platform": found["platform"],
        "Python": found["python"],
        "packages": ", ".join(packages),
        **{f"build: {name}": str(value) for name, value in found["build"].items() if name != "openmp"},
        "environment": ", ".join(f"{name}={value}" for name, value in found["environment"].items()),
    }
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in lines.items() if text)
