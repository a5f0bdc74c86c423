"""Where data files are looked for, and strict readers for the two formats they come in (IDX and NumPy's .npz).

The readers are told the exact shape they must find, so nothing a file says about itself decides how much memory is
allocated. They refuse everything but uint8 in C order, pickles, files that are too short and files that are too long.
Refusals of content are ValueErrors that name the file and end with what was received.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import math
import os
import struct
import sys
import zlib
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Split: TypeAlias = tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]

ENVIRONMENT = "FASTNN_DATA"

# The longest header text that np.load accepts; at most 12 bytes stand before it.
_MAX_NPY_HEADER = 10_000


def cache_dir() -> Path:
    """The user's cache folder for fastnn, where the platform wants it; it need not exist."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = Path(local) if local else Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        # The XDG base directory specification says that a relative path is to be ignored.
        xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
        base = xdg if xdg.is_absolute() else Path.home() / ".cache"
    return base / "fastnn"


def search_folders(*shelves: str, mixed: bool = True) -> list[Path]:
    """The folders that may hold a data set, in order: in FASTNN_DATA, then in the cache.

    `shelves` are names of subfolders; with `mixed`, the folders themselves come before them.
    """
    given = os.environ.get(ENVIRONMENT)
    roots = [Path(given).expanduser()] if given else []
    names = ("", *shelves) if mixed else shelves
    return [root / name for root in [*roots, cache_dir()] for name in names]


def read_idx(path: Path, shape: tuple[int, ...]) -> Bytes:
    """Read an IDX file of unsigned bytes, gzipped or plain, that must hold exactly `shape`.

    The format (Y. LeCun, C. Cortes, C. Burges, the MNIST database): two zero bytes, a type code (8: unsigned byte), the
    number of dimensions, each dimension as a big-endian 32-bit integer, then the items in C order.
    """
    header_size = 4 + 4 * len(shape)
    count = math.prod(shape)
    data = _unpacked(path, header_size + count + 1)
    magic = bytes([0, 0, 8, len(shape)])
    if data[:4] != magic:
        raise ValueError(
            f"{path}: an IDX file of unsigned bytes in {len(shape)} dimension(s) starts with {magic.hex(' ')}. "
            f"Received: {data[:4].hex(' ') or 'an empty file'}"
        )
    if len(data) < header_size:
        raise ValueError(f"{path}: expected an IDX header of {header_size} bytes. Received: {len(data)}")
    dimensions = struct.unpack_from(f">{len(shape)}I", data, 4)
    if dimensions != shape:
        raise ValueError(f"{path}: expected the shape {shape}. Received: {dimensions}")
    return _items(str(path), data, header_size, shape)


def _unpacked(path: Path, limit: int) -> bytes:
    """The first bytes of a gzipped or plain file, at most `limit`; if there are fewer, gzip has checked its CRC."""
    with path.open("rb") as file:
        # The content decides, not the name: browsers like to unpack a download and to keep its .gz.
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            return file.read(min(limit, os.fstat(file.fileno()).st_size))
        import gzip

        try:
            with gzip.open(file) as stream:
                return stream.read(limit)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: the gzip data are damaged or cut short. Received: {error}") from error


def read_npz(path: Path, key: str, shape: tuple[int, ...]) -> Bytes:
    """Read the array `key` of an .npz file, which must be uint8, in C order and of exactly this `shape`.

    The array's header is compared before memory is allocated. (`np.load` would allocate whatever the header asks for.)
    """
    import zipfile

    data = None
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
                if key + ".npy" in names:
                    with archive.open(key + ".npy") as member:
                        data = member.read(12 + _MAX_NPY_HEADER + math.prod(shape) + 1)
        # A hostile archive provokes more than BadZipFile: OSError, RuntimeError, UnicodeDecodeError, struct.error ...
        except Exception as error:
            raise ValueError(f"{path}: expected a sound .npz file. Received: {error!r}") from error
    if data is None:
        keys = sorted(name.removesuffix(".npy") for name in names)
        raise ValueError(f"{path}: expected an array called {key!r}. Received: {keys}")
    return _npy(f"{path}: array {key!r}", data, shape)


def _npy(what: str, data: bytes, shape: tuple[int, ...]) -> Bytes:
    """The array in NumPy's .npy format that `data` must hold."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    stream = io.BytesIO(data)
    try:
        header = readers[np.lib.format.read_magic(stream)](stream, max_header_size=_MAX_NPY_HEADER)
    # NumPy lets through what Python's tokenizer and compiler say to a hostile header, MemoryError included.
    except Exception as error:
        raise ValueError(f"{what} must be in NumPy's format 1.0 or 2.0. Received: {error!r}") from error
    if header != (shape, False, np.dtype(np.uint8)):
        received = f"{header[2]} {header[0]} in {'Fortran' if header[1] else 'C'} order"
        raise ValueError(f"{what} must be uint8 {shape} in C order. Received: {received}")
    return _items(what, data, stream.tell(), shape)


def _items(what: str, data: bytes, offset: int, shape: tuple[int, ...]) -> Bytes:
    """The items of `shape` as an array of their own; nothing may be missing and nothing may follow."""
    count, received = math.prod(shape), len(data) - offset
    if received != count:
        # The readers stop one byte or more behind what was expected, so what is too long is not known to its end.
        raise ValueError(
            f"{what}: expected {count} bytes of data after the header. "
            f"Received: {received if received < count else f'{received} or more'}"
        )
    return np.frombuffer(data, np.uint8, count, offset).reshape(shape).copy()


def read_raw(path: Path, member: str, shape: tuple[int, ...]) -> Bytes:
    """Read a file of nothing but bytes, or that `member` of a tar archive, which must hold exactly `shape`."""
    limit = math.prod(shape) + 1
    if not path.name.endswith((".tar.gz", ".tgz", ".tar")):
        with path.open("rb") as file:
            data = file.read(min(limit, os.fstat(file.fileno()).st_size))
        return _items(str(path), data, 0, shape)
    import tarfile

    stored = None
    try:
        with tarfile.open(path) as archive:
            names = archive.getnames()
            if member in names:
                stream = archive.extractfile(member)
                stored = None if stream is None else stream.read(limit)
    # like other archives, a hostile one provokes more than its own errors
    except Exception as error:
        raise ValueError(f"{path}: expected a sound tar archive. Received: {error!r}") from error
    if stored is None:
        raise ValueError(f"{path}: expected a file called {member!r}. Received: {names[:20]}")
    return _items(f"{path}: file {member!r}", stored, 0, shape)


def download(url: str, sha256: str, target: Path) -> Path:
    """Download `url` to `target` with a progress bar and keep it only if its SHA-256 is the given one.

    Raises ImportError when the library pooch is missing, OSError when the download fails, ValueError when the checksum
    differs.
    """
    pooch = importlib.import_module("pooch")
    # pooch draws its bar with tqdm and refuses to start without it; the file matters more than the bar.
    bar = importlib.util.find_spec("tqdm") is not None
    try:
        pooch.retrieve(url, f"sha256:{sha256}", fname=target.name, path=target.parent, progressbar=bar)
    except ValueError as error:
        raise ValueError(f"{url}: expected a file with the SHA-256 {sha256}. Received: {error}") from error
    return target
