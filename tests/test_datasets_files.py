"""The readers behind fastnn.datasets: IDX and .npz files that are sound, damaged or hostile.

The files are written here byte by byte from the formats' descriptions, so that the readers are not tested with writers
that share their mistakes.
"""

from __future__ import annotations

import gzip
import io
import math
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.datasets import _files


def idx(shape: tuple[int, ...], items: bytes, code: int = 8) -> bytes:
    """An IDX file: 0, 0, type code, number of dimensions, big-endian sizes, items."""
    header = bytes([0, 0, code, len(shape)])
    for size in shape:
        header += bytes([size >> 24 & 255, size >> 16 & 255, size >> 8 & 255, size & 255])
    return header + items


def npy(shape: tuple[int, ...], items: bytes, descr: str = "|u1", fortran: bool = False) -> bytes:
    """A .npy file of version 1.0."""
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + items


# ---- the IDX reader --------------------------------------------------------------------------------------------------


@given(data=st.data(), shape=st.lists(st.integers(0, 6), min_size=1, max_size=5).map(tuple), packed=st.booleans())
def test_idx_round_trip(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, shape: tuple[int, ...], packed: bool
) -> None:
    count = math.prod(shape)
    seed = data.draw(st.binary(min_size=1, max_size=100))
    content = (seed * count)[:count]
    file = tmp_path_factory.getbasetemp() / "round-trip"
    raw = idx(shape, content)
    file.write_bytes(gzip.compress(raw) if packed else raw)
    array = _files.read_idx(file, shape)
    assert array.shape == shape and array.dtype == np.uint8 and array.tobytes() == content


@given(st.integers(0, 27), st.booleans())
def test_idx_refuses_every_cut(tmp_path_factory: pytest.TempPathFactory, length: int, packed: bool) -> None:
    file = tmp_path_factory.getbasetemp() / "cut"
    raw = idx((2, 2, 3), bytes(12))[:length]
    file.write_bytes(gzip.compress(raw) if packed else raw)
    with pytest.raises(ValueError, match=r"Received: .+$"):
        _files.read_idx(file, (2, 2, 3))


IDX_REFUSALS = {
    "empty": (b"", "Received: an empty file"),
    "text": (b"<html>", "starts with 00 00 08 02. Received: 3c 68 74 6d"),
    "int32": (idx((2, 3), bytes(24), code=12), "Received: 00 00 0c 02"),
    "three dimensions": (idx((2, 3, 1), bytes(6)), "Received: 00 00 08 03"),
    "little-endian": (b"\0\0\x08\x02" + struct.pack("<2I", 2, 3) + bytes(6), "Received: (33554432, 50331648)"),
    "header cut": (idx((2, 3), b"")[:9], "expected an IDX header of 12 bytes. Received: 9"),
    "other shape": (idx((3, 2), bytes(6)), "expected the shape (2, 3). Received: (3, 2)"),
    "hostile": (idx((2**32 - 1, 2**32 - 1), bytes(6)), "Received: (4294967295, 4294967295)"),
    "one missing": (idx((2, 3), bytes(5)), "expected 6 bytes of data after the header. Received: 5"),
    "one too many": (idx((2, 3), bytes(7)), "expected 6 bytes of data after the header. Received: 7 or more"),
    "many too many": (idx((2, 3), bytes(1000)), "Received: 7 or more"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("case", IDX_REFUSALS)
def test_idx_refusals(tmp_path: Path, case: str, packed: bool) -> None:
    raw, message = IDX_REFUSALS[case]
    file = tmp_path / "file"
    file.write_bytes(gzip.compress(raw) if packed else raw)
    with pytest.raises(ValueError, match=f"^{re.escape(str(file))}: .*{re.escape(message)}"):
        _files.read_idx(file, (2, 3))


def test_idx_does_not_allocate_for_a_short_file(tmp_path: Path) -> None:
    """A header that agrees with an absurd expectation still needs the bytes to be there."""
    shape = (2**31, 2**20)
    file = tmp_path / "file"
    file.write_bytes(idx(shape, bytes(10)))
    with pytest.raises(ValueError, match=f"expected {2**51} bytes of data after the header. Received: 10$"):
        _files.read_idx(file, shape)


def test_idx_gz_damage(tmp_path: Path) -> None:
    good = gzip.compress(idx((2, 300), bytes(range(200)) * 3))
    wrong_crc = bytearray(good)
    wrong_crc[-6] ^= 1
    wrong_data = bytearray(good)
    wrong_data[10] = 0xFF  # the first deflate block gets a reserved type
    damaged = {
        "cut short": good[:-9],
        "without trailer": good[:-8],
        "crc": bytes(wrong_crc),
        "deflate": bytes(wrong_data),
        "followed by something": good + b"and more",
        "head only": good[:5],
    }
    for name, raw in damaged.items():
        file = tmp_path / f"{name}.gz"
        file.write_bytes(raw)
        with pytest.raises(ValueError, match=r"the gzip data are damaged or cut short\. Received: ."):
            _files.read_idx(file, (2, 300))


def test_idx_gz_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """50 MB of zeros behind six items: reading stops one byte after what was expected."""
    file = tmp_path / "bomb.gz"
    file.write_bytes(gzip.compress(idx((2, 3), bytes(50_000_000)), compresslevel=1))
    asked: list[int] = []
    read = gzip.GzipFile.read

    def spy(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        asked.append(-1 if size is None else size)
        return read(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", spy)
    with pytest.raises(ValueError, match="Received: 7 or more"):
        _files.read_idx(file, (2, 3))
    assert asked == [4 + 8 + 6 + 1]


# ---- the npz reader --------------------------------------------------------------------------------------------------


def test_npz_written_by_numpy(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "file.npz", x=x, other=np.ones(2))
        assert np.array_equal(_files.read_npz(tmp_path / "file.npz", "x", (2, 3, 4)), x)


def test_npz_format_2(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.arange(6, dtype=np.uint8), version=(2, 0))
    with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
        archive.writestr("x.npy", stream.getvalue())
    assert _files.read_npz(tmp_path / "file.npz", "x", (6,)).tolist() == list(range(6))


NPZ_REFUSALS = {
    "float64": (npy((2, 3), bytes(48), descr="<f8"), "must be uint8 (2, 3) in C order. Received: float64 (2, 3) in C"),
    "int8": (npy((2, 3), bytes(6), descr="|i1"), "Received: int8 (2, 3) in C order"),
    "pickle": (npy((2, 3), b"cos\nsystem\n(S'false'\ntR.", descr="|O"), "Received: object (2, 3) in C order"),
    "fortran": (npy((2, 3), bytes(6), fortran=True), "Received: uint8 (2, 3) in Fortran order"),
    "other shape": (npy((3, 2), bytes(6)), "must be uint8 (2, 3) in C order. Received: uint8 (3, 2)"),
    "hostile": (npy((2**62, 3), bytes(6)), "Received: uint8 (4611686018427387904, 3)"),
    "one missing": (npy((2, 3), bytes(5)), "expected 6 bytes of data after the header. Received: 5"),
    "too many": (npy((2, 3), bytes(7)), "expected 6 bytes of data after the header. Received: 7 or more"),
    "very many": (npy((2, 3), bytes(10**6)), "or more"),
    "no npy": (b"hello", "must be in NumPy's format 1.0 or 2.0. Received: "),
    "empty": (b"", "must be in NumPy's format 1.0 or 2.0. Received: "),
    "version 9": (npy((2, 3), bytes(6)).replace(b"\x01", b"\x09", 1), "Received: KeyError((9, 0))"),
    "no dict": (b"\x93NUMPY\x01\x00\x04\x00[[[\n", "must be in NumPy's format 1.0 or 2.0. Received: "),
    "deep": (b"\x93NUMPY\x01\x00\x28\x23" + b"-" * 8999 + b"1", "must be in NumPy's format 1.0 or 2.0. Received: "),
}


@pytest.mark.parametrize("case", NPZ_REFUSALS)
def test_npz_refusals(tmp_path: Path, case: str) -> None:
    member, message = NPZ_REFUSALS[case]
    file = tmp_path / "file.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", member)
    with pytest.raises(ValueError, match=f"^{re.escape(str(file))}: array 'x'.*{re.escape(message)}"):
        _files.read_npz(file, "x", (2, 3))


def test_npz_missing_key(tmp_path: Path) -> None:
    np.savez(tmp_path / "file.npz", images=np.zeros(3, np.uint8), labels=np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match=r"expected an array called 'x'\. Received: \['images', 'labels'\]$"):
        _files.read_npz(tmp_path / "file.npz", "x", (3,))


def test_npz_damage(tmp_path: Path) -> None:
    file = tmp_path / "file.npz"
    np.savez(file, x=np.arange(200, dtype=np.uint8))
    good = file.read_bytes()
    one_bit = bytearray(good)
    one_bit[len(good) // 2] ^= 1
    one_item = io.BytesIO()
    np.save(one_item, np.zeros(200, np.uint8))
    for raw in (b"", b"PK", good[:-30], bytes(one_bit), one_item.getvalue(), gzip.compress(good)):
        file.write_bytes(raw)
        with pytest.raises(ValueError, match=r"expected a sound \.npz file\. Received: ."):
            _files.read_npz(file, "x", (200,))
