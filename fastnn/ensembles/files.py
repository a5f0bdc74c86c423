"""Files of ensembles: a `.ensemble` file is a zip of ensemble.json and one `.fastnn` file for each member.

As with models, nothing in it is ever executed, and an interrupted save leaves the old file.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastnn.models import Model
from fastnn.models.saving import LARGEST_JSON, from_bytes, reading, replacing, source, target, to_bytes

SUFFIX = ".ensemble"
FORMAT = 1
DESCRIPTION = "ensemble.json"


def write(filepath: str | os.PathLike[str], overwrite: bool, description: dict[str, Any], members: list[Model]) -> None:
    """Write settings and members; errors as in `Model.save`."""
    path = target(filepath, overwrite, (SUFFIX,), "save")
    text = json.dumps({"format": FORMAT, "members": len(members), **description}, indent=1)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(DESCRIPTION, text)
        for i, model in enumerate(members):
            archive.writestr(_name(i), to_bytes(model))


def read(
    filepath: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None
) -> tuple[dict[str, Any], list[Model]]:
    """Settings and members.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a file, damaged, from a newer version, or names something unknown.
    """
    path = Path(source(filepath, (SUFFIX,), "load_ensemble"))
    with reading(path.name), zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos.values()):
            raise ValueError("expected parts that are stored as they are. Received: compressed or encrypted ones")
        size, total = path.stat().st_size, sum(info.file_size for info in infos.values())
        if DESCRIPTION not in infos or infos[DESCRIPTION].file_size > LARGEST_JSON or total > size:
            raise ValueError(f"expected {DESCRIPTION} and parts that fit into {size} bytes. Received: {sorted(infos)}")
        described = json.loads(archive.read(DESCRIPTION))
        if described["format"] != FORMAT:
            raise ValueError(f"expected format {FORMAT}; another version wrote this. Received: {described['format']!r}")
        if set(infos) != {DESCRIPTION, *(_name(i) for i in range(len(infos) - 1))} or described["members"] < 1:
            raise ValueError(f"expected members member-0.fastnn and so on. Received: {sorted(infos)}")
        if described["members"] != len(infos) - 1:
            raise ValueError(f"expected {described['members']} members. Received: {len(infos) - 1}")
        settings = {name: described[name] for name in ("method", "combine", "from_logits", "seed", "histories")}
        return settings, [from_bytes(archive.read(_name(i)), custom_objects) for i in range(len(infos) - 1)]


def _name(i: int) -> str:
    return f"member-{i}.fastnn"
