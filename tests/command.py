"""The command `fastnn` in tests: run in this process or in one of its own."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[..., tuple[str, str]]
QUICK = ("--no-compare", "--epochs", "2", "--hidden", "8")


def program(*argv: object, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fastnn", *map(str, argv)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def idx(images: np.ndarray) -> bytes:
    return struct.pack(">BBBB3I", 0, 0, 8, 3, *images.shape) + images.tobytes()
