"""The file of a search: JSON lines, the first one says which search it is, each other one holds a finished trial.

A trial is written and flushed when it is finished, so an interrupted search loses only those that were running. A last
line that was cut off is dropped. Nothing of another search is ever taken: seed, ranges, metric and rule of narrowing
must be the same, and each trial must have the values that its number gives.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .trials import Trial

FORMAT = 1


class Journal:
    """Finished trials in a file.

    Parameters
    ----------
    path : path
        Made if it does not exist; its folder must.
    search : dict
        What JSON can hold of the search.

    Attributes
    ----------
    trials : dict
        Those that are finished, by number.

    Raises
    ------
    ValueError
        If the file is not such a file, or of another search.
    FileNotFoundError
        If the folder does not exist.
    """

    def __init__(self, path: str | os.PathLike[str], search: dict[str, Any]) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"search: there is no such folder. Received: {str(self.path.parent)!r}")
        self.trials: dict[int, Trial] = {}
        header = {"fastnn.search": FORMAT, **search}
        lines = self._lines()
        if not lines:
            self._append(header)
            return
        if lines[0] != json.loads(json.dumps(header)):
            raise ValueError(
                f"{self.path.name} is of another search. Expected: {json.dumps(header)}. "
                f"Received: {json.dumps(lines[0])}"
            )
        for line in lines[1:]:
            try:
                trial = Trial(**line)
            except TypeError as error:
                raise ValueError(f"{self.path.name}: expected a trial in each line. Received: {line!r}") from error
            self.trials[trial.number] = trial

    def add(self, trial: Trial) -> None:
        """Write a finished trial."""
        self.trials[trial.number] = trial
        self._append(trial.to_dict())

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def _lines(self) -> list[Any]:
        """The lines of the file; what stands behind the last line break is cut off."""
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole.count(b"\n") == 0 and data and not data.startswith(b'{"fastnn.search"'[: len(data)]):
            raise ValueError(f"{self.path.name} is not the file of a search. Received: {data[:60]!r}")
        try:
            lines = [json.loads(line) for line in whole.decode("utf-8").splitlines()]
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(f"{self.path.name} is not the file of a search, or damaged. Received: {error}") from error
        if lines and not (isinstance(lines[0], dict) and "fastnn.search" in lines[0]):
            raise ValueError(f"{self.path.name} is not the file of a search. Received: {lines[0]!r}")
        if len(whole) < len(data):
            with self.path.open("rb+") as stream:
                stream.truncate(len(whole))
        return lines
