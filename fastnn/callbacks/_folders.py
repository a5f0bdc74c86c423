"""Folders that callbacks write into are tried before the training begins, not after its first epoch."""

from __future__ import annotations

import tempfile
from pathlib import Path


def writable(folder: Path, where: str) -> None:
    """Make a folder if it is missing, and write a nameless file into it.

    Raises:
        OSError: of the kind that the system gave, with a message that says whose folder it is.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise type(error)(
            f"{where} must be a folder that can be written, or made. Received: {str(folder)!r} ({error.strerror})"
        ) from error
