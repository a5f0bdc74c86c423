"""Data sets of images that are files somewhere: found in folders that users have, or downloaded once, then checked.

A `Source` knows under which names the parts of its data set go about, and how each is read. The modules of the data
sets describe theirs and document it; what is looked for where, and what is said when nothing is found, stands here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastnn.datasets import _files

KEYS = ("x_train", "y_train", "x_test", "y_test")
IDX = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


@dataclass(frozen=True)
class Source:
    """Where a data set may be.

    module, title : its name in fastnn.datasets, and the one people know
    parts : for each part, the name of its file
    spellings : from that name, the names that are accepted
    whole : the name of a file that holds all parts, or None
    shelves : the subfolders that hold it
    mixed : whether the folders that are searched may hold it themselves: not if other data sets use the same names
    downloads : address and SHA-256 of the files to fetch
    """

    module: str
    title: str
    parts: Mapping[str, str]
    spellings: Callable[[str], list[str]]
    whole: str | None
    shelves: Sequence[str]
    mixed: bool
    downloads: Sequence[tuple[str, str]]
    hint: str = " (also .gz)"

    def locate(self, path: str | os.PathLike[str] | None) -> dict[str, Path]:
        """The file of each part, for what the user gave.

        Raises
        ------
        FileNotFoundError
            If the path does not exist, a folder lacks files, or nothing is found and nothing can be downloaded.
        ValueError, TypeError
            If the path is no folder and none of the files, or no path at all.
        """
        if path is None or (self.whole is not None and str(path) == self.whole and not os.path.exists(self.whole)):
            return self._search()
        return self._given(path)

    def _given(self, path: str | os.PathLike[str]) -> dict[str, Path]:
        where = f"{self.module}.load_data"
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"{where}: path must be a str, a path or None. Received: {path!r}")
        place = Path(path).expanduser()
        if not os.fspath(path) or not place.exists():
            raise FileNotFoundError(f"{where}: path must be an existing folder or file. Received: {str(path)!r}")
        names = sorted(self.parts.values())
        if place.is_file():
            known = any(place.name in self.spellings(name) for name in names)
            if not known and self.whole is not None and place.suffix == Path(self.whole).suffix:
                return dict.fromkeys(self.parts, place)  # whatever it is called
            if not known:
                whole = "" if self.whole is None else f"an {Path(self.whole).suffix} file or "
                raise ValueError(f"{where}: a file must be {whole}one of {names}{self.hint}. Received: {str(place)!r}")
            place = place.parent
        for folder in (place, *(place / shelf for shelf in self.shelves)):
            if files := self._find(folder):
                return files
        whole = "" if self.whole is None else f"{self.whole} or "
        raise FileNotFoundError(
            f"{where}: the folder must hold {whole}{names}{self.hint}. Received: {str(place)!r}, which has none of them"
        )

    def _search(self) -> dict[str, Path]:
        folders = _files.search_folders(*self.shelves, mixed=self.mixed)
        for folder in folders:
            if files := self._find(folder):
                return files
        shelf = _files.cache_dir() / self.shelves[0]
        url = self.downloads[0][0]
        try:
            for url, sha256 in self.downloads:
                _files.download(url, sha256, shelf / url.rpartition("/")[2])
        except (ImportError, OSError) as error:
            raise self._missing(folders, url, error) from error
        files = self._find(shelf)
        assert files is not None, "what was downloaded is what is looked for"
        return files

    def _missing(self, folders: list[Path], url: str, error: Exception) -> FileNotFoundError:
        get = "Get"
        if isinstance(error, ImportError):
            get = "Install the extra 'data' (pip install 'fastnn-cpu[data]'), or get"
        unset = "" if os.environ.get(_files.ENVIRONMENT) else f" ({_files.ENVIRONMENT} is not set)"
        packed = ".gz" if "gz" in self.hint else ""
        loose = f"the files {', '.join(name + packed for name in self.parts.values())}"
        wanted = loose if self.whole is None else f"{self.whole} from there, or {loose}"
        target = "" if self.mixed else f" called {self.shelves[0]!r} in it"
        return FileNotFoundError(
            f"{self.title} is not on this machine and could not be downloaded.\n"
            f"Looked in: {', '.join(map(str, folders))}{unset}. The download of {url} did not work.\n"
            f"{get} {wanted}, by another way. Put them into a folder and call {self.module}.load_data('FOLDER') or set "
            f"{_files.ENVIRONMENT}=FOLDER{f', with a folder{target}' if target else ''}.\n"
            f"Received: {type(error).__name__}: {error}"
        )

    def _find(self, folder: Path) -> dict[str, Path] | None:
        """The file of each part in this folder, None if there is no trace of them; some of them only is an error."""
        found = {}
        for key, name in self.parts.items():
            for spelling in self.spellings(name):
                if (folder / spelling).is_file():
                    found[key] = folder / spelling
                    break
        if len(found) == len(self.parts):
            return found
        if self.whole is not None and (folder / self.whole).is_file():
            return dict.fromkeys(self.parts, folder / self.whole)
        if found:
            raise FileNotFoundError(
                f"{folder}: {self.title} needs all of {sorted(self.parts.values())}{self.hint}. "
                f"Received: only {sorted(file.name for file in found.values())}"
            )
        return None


def idx_spellings(name: str) -> list[str]:
    """The names under which an IDX file goes about: with '-' or '.' before 'idx', plain (preferred) or gzipped."""
    return [base + end for end in ("", ".gz") for base in (name, name.replace("-idx", ".idx"))]


def read_digits(source: Source, files: Mapping[str, Path], shapes: Mapping[str, tuple[int, ...]]) -> _files.Split:
    """Images and labels 0 to 9 of such sets, from IDX files or an .npz file."""
    data = {}
    for name, shape in shapes.items():
        file = files[name]
        data[name] = _files.read_npz(file, name, shape) if file.suffix == ".npz" else _files.read_idx(file, shape)
        if len(shape) == 1:
            check_labels(source, name, data[name], file)
    return (data["x_train"], data["y_train"]), (data["x_test"], data["y_test"])


def check_labels(source: Source, name: str, labels: _files.Bytes, file: Path) -> None:
    """Refuse labels above 9."""
    if (largest := int(labels.max())) > 9:
        raise ValueError(f"{file}: the labels of {source.title} ({name}) are 0 to 9. Received: {largest}")
