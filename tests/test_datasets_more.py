"""Fashion-MNIST and CIFAR-10 from files, and the data sets that are drawn."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnn import datasets
from fastnn.datasets import _files, _sources, cifar10, fashion_mnist, mnist

SMALL = {"x_train": (6, 28, 28), "y_train": (6,), "x_test": (4, 28, 28), "y_test": (4,)}


@pytest.fixture(autouse=True)
def no_data_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.delenv("FASTNN_DATA", raising=False)
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setitem(sys.modules, "pooch", None)
    for module in (mnist, fashion_mnist):
        monkeypatch.setattr(module, "_SHAPES", SMALL)
    monkeypatch.setattr(cifar10, "_COUNT", 3)


def write_idx(folder: Path, first: int) -> Path:
    """Four small files whose pixels count from `first`."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, name in _sources.IDX.items():
        shape = SMALL[key]
        header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
        values = (np.arange(int(np.prod(shape))) + first) % (10 if key[0] == "y" else 256)
        (folder / f"{name}.gz").write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))
    return folder


def test_fashion_mnist_is_not_mistaken_for_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_idx(tmp_path / "data", 1)
    monkeypatch.setenv("FASTNN_DATA", str(root))
    with pytest.raises(FileNotFoundError, match=r"(?s)Fashion-MNIST is not on this machine.*fashion_mnist"):
        fashion_mnist.load_data()
    write_idx(root / "fashion-mnist", 2)
    assert fashion_mnist.load_data()[0][0][0, 0, 0] == 2
    assert mnist.load_data()[0][0][0, 0, 0] == 1
    write_idx(_files.cache_dir() / "fashion_mnist", 3)
    monkeypatch.delenv("FASTNN_DATA")
    (x, y), (x_test, y_test) = fashion_mnist.load_data()
    assert x[0, 0, 0] == 3 and x.shape == (6, 28, 28) and y.tolist() == [3, 4, 5, 6, 7, 8]
    assert x_test.shape == (4, 28, 28) and y_test.dtype == np.uint8
    # what is given counts as it is
    assert fashion_mnist.load_data(root)[0][0][0, 0, 0] == 1
    assert fashion_mnist.load_data(root / "train-labels-idx1-ubyte.gz")[0][0][0, 0, 0] == 1
    (root / "mnist.npz").touch()
    with pytest.raises(ValueError, match=r"a file must be one of"):
        fashion_mnist.load_data(root / "mnist.npz")
    assert len(fashion_mnist.CLASS_NAMES) == len(cifar10.CLASS_NAMES) == 10


def test_fashion_mnist_is_downloaded_file_by_file(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []

    def download(url: str, sha256: str, target: Path) -> Path:
        fetched.append((url, len(sha256)))
        write_idx(target.parent, 7)
        return target

    monkeypatch.setattr(_files, "download", download)
    assert fashion_mnist.load_data()[0][0][0, 0, 0] == 7
    assert [url.rpartition("/")[2] for url, _ in fetched] == list(fashion_mnist.SHA256)
    assert {length for _, length in fetched} == {64}
    fashion_mnist.load_data()
    assert len(fetched) == 4


def records(seed: int) -> bytes:
    data = np.random.default_rng(seed).integers(0, 256, (3, 3073))
    data[:, 0] %= 10
    return data.astype(np.uint8).tobytes()


def write_bins(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(cifar10._PARTS.values()):
        (folder / name).write_bytes(records(i))
    return folder


def write_archive(path: Path, without: str = "") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for i, name in enumerate(cifar10._PARTS.values()):
            if name != without:
                info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                info.size = 3 * 3073
                archive.addfile(info, io.BytesIO(records(i)))
    return path


def check_cifar(split: Any) -> None:
    (x, y), (x_test, y_test) = split
    assert x.shape == (15, 32, 32, 3) and y.shape == (15, 1) and x_test.shape == (3, 32, 32, 3)
    assert y_test.shape == (3, 1) and x.dtype == y.dtype == np.uint8 and x.flags.c_contiguous
    first, last = records(0), records(5)
    assert y[0, 0] == first[0] and y_test[2, 0] == last[2 * 3073]
    # colour plane after colour plane in the file, row by row
    assert x[0, 0, 1].tolist() == [first[1 + 1], first[1 + 1024 + 1], first[1 + 2048 + 1]]
    assert x_test[2, 31, 31].tolist() == [last[2 * 3073 + 1024 * k] for k in (1, 2, 3)]
    x[0] = 0  # arrays of their own


def test_cifar10_from_files_and_from_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_bins(tmp_path / "data" / "cifar-10-batches-bin")
    check_cifar(cifar10.load_data(folder))
    check_cifar(cifar10.load_data(folder.parent))
    check_cifar(cifar10.load_data(folder / "test_batch.bin"))
    monkeypatch.setenv("FASTNN_DATA", str(folder.parent))
    check_cifar(cifar10.load_data())
    (tmp_path / "packed").mkdir()
    check_cifar(cifar10.load_data(write_archive(tmp_path / "packed" / "cifar-10-binary.tar.gz")))
    check_cifar(cifar10.load_data(tmp_path / "packed"))


def test_cifar10_refuses(tmp_path: Path) -> None:
    folder = write_bins(tmp_path / "data")
    (folder / "test_batch.bin").write_bytes(records(5)[:-1])
    with pytest.raises(ValueError, match=r"expected 9219 bytes of data.*Received: 9218$"):
        cifar10.load_data(folder)
    (folder / "test_batch.bin").write_bytes(bytes([10]) + records(5)[1:])
    with pytest.raises(ValueError, match=r"labels of CIFAR-10 \(test\) are 0 to 9\. Received: 10"):
        cifar10.load_data(folder)
    (folder / "test_batch.bin").unlink()
    with pytest.raises(FileNotFoundError, match="CIFAR-10 needs all of"):
        cifar10.load_data(folder)
    archive = write_archive(tmp_path / "a.tar.gz", without="data_batch_3.bin")
    with pytest.raises(ValueError, match=r"expected a file called 'cifar-10-batches-bin/data_batch_3\.bin'"):
        cifar10.load_data(archive)
    archive.write_bytes(archive.read_bytes()[:500])
    with pytest.raises(ValueError, match="expected a sound tar archive"):
        cifar10.load_data(archive)
    (tmp_path / "data_batch_1").touch()
    with pytest.raises(ValueError, match=r"a file must be an \.gz file or one of"):
        cifar10.load_data(tmp_path / "data_batch_1")
    with pytest.raises(FileNotFoundError, match=r"(?s)CIFAR-10 is not on this machine.*\[data\]"):
        cifar10.load_data()


# --- what is drawn

DRAWN: dict[str, dict[str, Any]] = {
    "spirals": {"noise": 0.3}, "moons": {"noise": 0.3}, "circles": {"noise": 0.3}, "blobs": {"std": 0.3},
    "xor": {"noise": 0.3}, "sine": {"noise": 0.3}, "addition": {"digits": 4},
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_the_seed_decides(name: str) -> None:
    draw, options = getattr(datasets, name), DRAWN[name]
    one, two, other = draw(50, **options, seed=3), draw(50, **options, seed=3), draw(50, **options, seed=4)
    assert all(np.array_equal(a, b) for a, b in zip(one, two))
    assert not np.array_equal(one[0], other[0])
    assert len(one[0]) == len(one[1]) == 50
    for arguments, message in (
        ({"samples": 0}, "samples"),
        ({"samples": 5, "seed": -1}, "seed"),
        ({"samples": 2.5}, "samples"),
    ):
        with pytest.raises(ValueError, match=rf"{name}: {message} must .*Received: {message}="):
            draw(**arguments)


def test_numbers_that_must_not_change() -> None:
    """A seed means the same numbers in every version: of NumPy, too."""
    x, y = datasets.moons(4, noise=0.5, seed=1)
    again = np.random.Generator(np.random.PCG64(1))
    clean = np.array([[1, 0], [-1, 0], [0, 0.5], [2, 0.5]])
    expected = clean + 0.5 * again.normal(size=(4, 2))
    order = again.permutation(4)
    assert np.allclose(x, expected[order], atol=1e-6) and y.tolist() == np.array([0, 0, 1, 1])[order].tolist()


def test_shapes_of_the_problems() -> None:
    x, y = datasets.spirals(301, 3, noise=0.0)
    assert x.shape == (301, 2) and x.dtype == np.float32 and np.bincount(y).tolist() == [101, 100, 100]
    assert np.hypot(*x.T).max() < 1
    angle = np.arctan2(x[:, 0], x[:, 1]) - 2 * np.pi * 0.64 * np.hypot(*x.T)
    outer = np.hypot(*x.T) > 0.1
    gap = (angle - 2 * np.pi * y / 3)[outer]
    assert np.allclose(np.cos(gap), 1, atol=1e-4)
    x, y = datasets.moons(201, noise=0.0)
    assert np.bincount(y).tolist() == [101, 100]
    assert np.allclose(np.hypot(*x[y == 0].T), 1, atol=1e-6)
    assert np.allclose(np.hypot(*(x[y == 1] - [1, 0.5]).T), 1, atol=1e-6) and x[y == 1, 1].max() <= 0.5
    x, y = datasets.circles(100, noise=0.0, factor=0.25)
    assert np.allclose(np.hypot(*x.T), np.where(y == 1, 0.25, 1.0), atol=1e-6) and y.sum() == 50
    x, y = datasets.blobs(300, [[0.0, 0.0, 9.0], [5.0, 5.0, 5.0]], std=0.1)
    assert x.shape == (300, 3) and np.allclose(x[y == 1].mean(axis=0), 5, atol=0.05)
    assert datasets.blobs(10, 4, 7)[0].shape == (10, 7)
    x, y = datasets.xor()
    assert x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]] and y.tolist() == [0, 1, 1, 0]
    x, y = datasets.sine(20, periods=2.0)
    assert x.shape == y.shape == (20, 1) and np.allclose(y, np.sin(4 * np.pi * x), atol=1e-5)
    with pytest.raises(ValueError, match="Received: factor=1"):
        datasets.circles(factor=1)
    with pytest.raises(ValueError, match=r"Received: shape \(2,\)"):
        datasets.blobs(centers=[1.0, 2.0])
    with pytest.raises(ValueError, match="Received: noise=-1"):
        datasets.moons(noise=-1)


def test_addition() -> None:
    questions, answers = datasets.addition(200, digits=3, seed=5)
    assert questions.shape == (200, 7) and answers.shape == (200, 5) and questions.dtype == np.int64
    for question, answer in zip(datasets.as_text(questions), datasets.as_text(answers)):
        a, b = question.split("+")
        assert answer.startswith("_") and int(answer[1:]) == int(a) + int(b)
    with pytest.raises(ValueError, match="Received: digits=19"):
        datasets.addition(digits=19)
    with pytest.raises(ValueError, match="integers from 0 to 12"):
        datasets.as_text([[13]])
