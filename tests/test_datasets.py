"""fastnn.datasets: the shipped digits, MNIST from files of every kind, and every refusal.

IDX files are written here byte by byte; what the readers refuse inside a file is in test_datasets_files.py. Nothing is
downloaded from outside this machine.
"""

from __future__ import annotations

import gc
import gzip
import hashlib
import http.server
import importlib.util
import math
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.datasets import _files, digits, mnist

KEYS = ("x_train", "y_train", "x_test", "y_test")
NAMES = dict(
    zip(
        KEYS,
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        strict=True,
    )
)
SMALL = {"x_train": (6, 28, 28), "y_train": (6,), "x_test": (4, 28, 28), "y_test": (4,)}


def idx(shape: tuple[int, ...], items: bytes, code: int = 8) -> bytes:
    """An IDX file: 0, 0, type code, number of dimensions, big-endian sizes, items."""
    header = bytes([0, 0, code, len(shape)])
    for size in shape:
        header += bytes([size >> 24 & 255, size >> 16 & 255, size >> 8 & 255, size & 255])
    return header + items


def items(key: str, seed: int = 0) -> bytes:
    """Bytes for a small MNIST array: pixels 0 to 255, labels 0 to 9, different for each key and seed."""
    start = KEYS.index(key) * 31 + seed
    return bytes((start + 7 * i) % (256 if key[0] == "x" else 10) for i in range(math.prod(SMALL[key])))


def write_idx(folder: Path, seed: int = 0, packed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for key, name in NAMES.items():
        data = idx(SMALL[key], items(key, seed))
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(data) if packed else data)
    return folder


def write_npz(file: Path, seed: int = 0, without: str = "", **others: np.ndarray) -> Path:
    """An mnist.npz; `without` leaves an array out, a keyword replaces one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    arrays = {key: np.frombuffer(items(key, seed), np.uint8).reshape(shape) for key, shape in SMALL.items()} | others
    np.savez_compressed(file, **{key: array for key, array in arrays.items() if key != without})
    return file


def check(split: _files.Split, seed: int = 0) -> None:
    """The loaded arrays hold exactly what write_idx and write_npz wrote with this seed."""
    (x_train, y_train), (x_test, y_test) = split
    for key, array in zip(KEYS, (x_train, y_train, x_test, y_test), strict=True):
        assert array.dtype == np.uint8 and array.shape == SMALL[key] and array.tobytes() == items(key, seed)
        array[0] = 1  # an array of its own, not a view of read-only bytes


@pytest.fixture(autouse=True)
def no_data_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tests see neither the user's files nor the network, and have an empty working directory."""
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    monkeypatch.chdir(home / "work")
    monkeypatch.delenv("FASTNN_DATA", raising=False)
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setitem(sys.modules, "pooch", None)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST with six training and four test images."""
    monkeypatch.setattr(mnist, "_SHAPES", SMALL)


# ---- digits ----------------------------------------------------------------------------------------------------------

PUBLISHED_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
# The first image of optdigits.tes, a zero, as it is printed in many introductions.
FIRST = """
0 0  5 13  9  1 0 0
0 0 13 15 10 15 5 0
0 3 15  2  0 11 8 0
0 4 12  0  0  8 8 0
0 5  8  0  0  9 8 0
0 4 11  0  1 12 7 0
0 2 14  5 10 12 0 0
0 0  6 13 10  0 0 0
"""


def test_digits_are_the_published_ones() -> None:
    (x, y), (x_test, y_test) = digits.load_data(test_fraction=0)
    assert x.shape == (1797, 8, 8) and y.shape == (1797,) and x.dtype == y.dtype == np.uint8
    assert x_test.shape == (0, 8, 8) and y_test.shape == (0,)
    assert np.bincount(y).tolist() == PUBLISHED_COUNTS
    assert x.min() == 0 and x.max() == 16
    assert x[0].ravel().tolist() == [int(value) for value in FIRST.split()] and y[0] == 0
    assert y[:40].tolist() == [*range(10), *range(10), *range(10), 0, 9, 5, 5, 6, 5, 0, 9, 8, 9]
    digest = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"  # as tools/make_digits.py prints it
    assert hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest() == digest


def test_digits_equal_scikit_learns_copy() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    (x, y), _ = digits.load_data(test_fraction=0)
    data = datasets.load_digits()
    assert np.array_equal(x, data.images) and np.array_equal(y, data.target)


def test_digits_default_split() -> None:
    (x_train, _), (x_test, y_test) = digits.load_data()
    assert x_train.shape == (1438, 8, 8) and x_test.shape == (359, 8, 8)
    # A fifth of the published counts, rounded by hand.
    assert np.bincount(y_test).tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    (x, y), _ = digits.load_data(test_fraction=0)
    fives, test_fives = x[y == 5], x_test[y_test == 5]
    assert np.array_equal(test_fives, fives[[2 + 5 * i for i in range(36)]])


@given(st.floats(0.01, 0.99) | st.sampled_from([0.1, 0.25, 0.3, 0.5, 0.75, 0.9]))
def test_digits_split_loses_nothing_and_overlaps_nowhere(fraction: float) -> None:
    (x, y), _ = digits.load_data(test_fraction=0)
    train, test = digits.load_data(test_fraction=fraction)
    rows = [[(image.tobytes(), int(label)) for image, label in zip(*part, strict=True)] for part in (train, test)]
    whole = [(image.tobytes(), int(label)) for image, label in zip(x, y, strict=True)]
    assert len(set(whole)) == 1797  # no two of the published images are equal, so sets tell everything
    assert not set(rows[0]) & set(rows[1])
    assert set(rows[0]) | set(rows[1]) == set(whole) and len(rows[0]) + len(rows[1]) == 1797
    order = {row: position for position, row in enumerate(whole)}
    assert all([order[row] for row in part] == sorted(order[row] for row in part) for part in rows)
    for digit, count in enumerate(PUBLISHED_COUNTS):
        assert abs(int((test[1] == digit).sum()) - count * fraction) <= 0.5 + 1e-9
    again = digits.load_data(test_fraction=fraction)
    assert np.array_equal(again[0][0], train[0]) and np.array_equal(again[1][1], test[1])


@pytest.mark.parametrize("fraction", [-0.1, 0.005, 0.995, 1, 20, math.nan, math.inf])
def test_digits_refuse_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"must be 0 or 0\.01 to 0\.99\. Received: "):
        digits.load_data(fraction)


@pytest.mark.parametrize("fraction", ["0.2", None, True, 1j, [0.2]])
def test_digits_refuse_what_is_no_number(fraction: object) -> None:
    with pytest.raises(TypeError, match=r"must be a real number\. Received: "):
        digits.load_data(fraction)  # type: ignore[arg-type]


def test_digits_take_numpy_numbers() -> None:
    assert len(digits.load_data(np.float32(0.5))[1][1]) == len(digits.load_data(0.5)[1][1])  # type: ignore[arg-type]


def test_digits_name_their_authors_and_licence() -> None:
    text = Path(digits.__file__).with_name("digits.LICENSE.txt").read_text(encoding="utf-8")
    for part in ("E. Alpaydin", "C. Kaynak", "10.24432/C50P49", "creativecommons.org/licenses/by/4.0/", "Changes made"):
        assert part in text


# ---- mnist: local files ----------------------------------------------------------------------------------------------


def test_mnist_of_the_real_size(tmp_path: Path) -> None:
    """All 70,000 images; each label is the parity of the image's first pixel, so that mixed-up files show."""
    for part, name, count in (("train", "train", 60000), ("test", "t10k", 10000)):
        x = np.zeros((count, 28, 28), np.uint8)
        x[:, 0, 0] = np.arange(count) % 251 + (part == "test")
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(x.shape, x.tobytes()))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx((count,), (x[:, 0, 0] % 2).tobytes()))
    (x_train, y_train), (x_test, y_test) = mnist.load_data(tmp_path)
    assert x_train.shape == (60000, 28, 28) and x_test.shape == (10000, 28, 28)
    assert y_train.shape == (60000,) and y_test.shape == (10000,)
    assert all(array.dtype == np.uint8 for array in (x_train, y_train, x_test, y_test))
    assert x_train[250, 0, 0] == 250 and x_test[250, 0, 0] == 251
    assert np.array_equal(x_train[:, 0, 0] % 2, y_train) and np.array_equal(x_test[:, 0, 0] % 2, y_test)


@pytest.mark.usefixtures("small")
class TestMnistFiles:
    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
    @pytest.mark.parametrize("sub", ["", "mnist"])
    def test_idx_folder(self, tmp_path: Path, packed: bool, sub: str) -> None:
        write_idx(tmp_path / sub, packed=packed)
        check(mnist.load_data(tmp_path))
        check(mnist.load_data(str(tmp_path)))

    def test_idx_mixed_spellings_and_packing(self, tmp_path: Path) -> None:
        write_idx(tmp_path)
        images, labels = tmp_path / NAMES["x_train"], tmp_path / NAMES["y_test"]
        images.rename(tmp_path / "train-images.idx3-ubyte")
        labels.with_name("t10k-labels.idx1-ubyte.gz").write_bytes(gzip.compress(labels.read_bytes()))
        labels.unlink()
        check(mnist.load_data(tmp_path))

    def test_idx_unpacked_but_still_called_gz(self, tmp_path: Path) -> None:
        write_idx(tmp_path)
        for name in NAMES.values():
            (tmp_path / name).rename(tmp_path / (name + ".gz"))
        check(mnist.load_data(tmp_path))

    def test_idx_file_stands_for_its_folder(self, tmp_path: Path) -> None:
        write_idx(tmp_path, packed=True)
        check(mnist.load_data(tmp_path / "t10k-labels-idx1-ubyte.gz"))

    def test_npz(self, tmp_path: Path) -> None:
        check(mnist.load_data(write_npz(tmp_path / "any name.npz", seed=3)), seed=3)
        check(mnist.load_data(write_npz(tmp_path / "folder" / "mnist.npz").parent))

    def test_idx_before_npz_in_one_folder(self, tmp_path: Path) -> None:
        write_npz(write_idx(tmp_path, seed=1) / "mnist.npz", seed=2)
        check(mnist.load_data(tmp_path), seed=1)

    def test_home_is_expanded(self) -> None:
        write_idx(Path.home() / "numbers")
        check(mnist.load_data("~/numbers"))

    def test_search_order(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cache, environment = _files.cache_dir(), tmp_path / "data"
        places = [
            write_npz(environment / "mnist.npz", 1),
            write_npz(environment / "mnist" / "mnist.npz", 2),
            write_npz(cache / "mnist.npz", 3),
            write_npz(cache / "mnist" / "mnist.npz", 4),
        ]
        monkeypatch.setenv("FASTNN_DATA", str(environment))
        check(mnist.load_data(write_npz(tmp_path / "argument" / "mnist.npz", 5)), seed=5)
        for seed, place in enumerate(places, 1):
            check(mnist.load_data(), seed)
            check(mnist.load_data("mnist.npz"), seed)
            place.unlink()
        with pytest.raises(FileNotFoundError, match="is not on this machine"):
            mnist.load_data()

    def test_environment_without_mnist_is_passed_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_npz(_files.cache_dir() / "mnist" / "mnist.npz", 4)
        for value in ("", str(tmp_path), str(tmp_path / "nowhere")):
            monkeypatch.setenv("FASTNN_DATA", value)
            check(mnist.load_data(), seed=4)

    def test_keras_default_path_takes_an_existing_file_first(self) -> None:
        write_npz(_files.cache_dir() / "mnist.npz", 1)
        check(mnist.load_data(path="mnist.npz"), seed=1)
        check(mnist.load_data(path=Path("mnist.npz")), seed=1)
        write_npz(Path("mnist.npz"), 2)
        check(mnist.load_data(path="mnist.npz"), seed=2)

    def test_wrong_path_is_an_error_even_if_the_cache_has_mnist(self, tmp_path: Path) -> None:
        write_npz(_files.cache_dir() / "mnist.npz")
        for path in (tmp_path / "nowhere", "", "other.npz", str(tmp_path / "mnist.npz")):
            with pytest.raises(FileNotFoundError, match=r"path must be an existing folder or file\. Received: "):
                mnist.load_data(path)
        with pytest.raises(FileNotFoundError, match=r"the folder must hold mnist\.npz or .*which has none of them"):
            mnist.load_data(tmp_path)

    @pytest.mark.parametrize("path", [3, b"mnist.npz", ["a"], True])
    def test_path_of_a_wrong_type(self, path: object) -> None:
        with pytest.raises(TypeError, match=r"path must be a str, a path or None\. Received: "):
            mnist.load_data(path)  # type: ignore[arg-type]

    def test_file_of_another_kind(self, tmp_path: Path) -> None:
        (tmp_path / "digits.csv").write_text("1,2,3\n")
        with pytest.raises(ValueError, match=r"must be an \.npz file or one of .*Received: .*digits\.csv"):
            mnist.load_data(tmp_path / "digits.csv")

    @pytest.mark.parametrize("where", ["argument", "environment", "cache"])
    def test_incomplete_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
        folder = write_idx(_files.cache_dir() if where == "cache" else tmp_path / "data")
        (folder / NAMES["y_train"]).unlink()
        (folder / NAMES["x_test"]).unlink()
        if where == "environment":
            monkeypatch.setenv("FASTNN_DATA", str(folder))
        message = r"Received: only \['t10k-labels-idx1-ubyte', 'train-images-idx3-ubyte'\]$"
        with pytest.raises(FileNotFoundError, match=message):
            mnist.load_data(folder if where == "argument" else None)

    def test_labels_out_of_range(self, tmp_path: Path) -> None:
        write_idx(tmp_path)
        (tmp_path / NAMES["y_test"]).write_bytes(idx((4,), bytes([1, 2, 37, 4])))
        with pytest.raises(ValueError, match=r"labels of MNIST \(y_test\) are 0 to 9\. Received: 37$"):
            mnist.load_data(tmp_path)

    def test_swapped_files(self, tmp_path: Path) -> None:
        write_idx(tmp_path)
        (tmp_path / NAMES["x_train"]).write_bytes(idx(SMALL["x_test"], items("x_test")))
        with pytest.raises(ValueError, match=r"expected the shape \(6, 28, 28\)\. Received: \(4, 28, 28\)$"):
            mnist.load_data(tmp_path)

    def test_bad_npz(self, tmp_path: Path) -> None:
        file = write_npz(tmp_path / "mnist.npz", without="y_train")
        with pytest.raises(ValueError, match=r"'y_train'\. Received: \['x_test', 'x_train', 'y_test'\]$"):
            mnist.load_data(file)
        write_npz(file, y_test=np.arange(4, dtype=np.int64))
        with pytest.raises(
            ValueError, match=r"array 'y_test' must be uint8 \(4,\) in C order\. Received: int64 \(4,\)"
        ):
            mnist.load_data(file)


# ---- the cache and the download --------------------------------------------------------------------------------------


def test_cache_folder_on_each_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = Path.home()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert _files.cache_dir() == tmp_path / "xdg" / "fastnn"
    for ignored in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert _files.cache_dir() == home / ".cache" / "fastnn"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert _files.cache_dir() == home / "Library" / "Caches" / "fastnn"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert _files.cache_dir() == tmp_path / "local" / "fastnn"
    monkeypatch.delenv("LOCALAPPDATA")
    assert _files.cache_dir() == home / "AppData" / "Local" / "fastnn"


def fake_pooch(monkeypatch: pytest.MonkeyPatch, retrieve: Callable[..., str]) -> None:
    module = types.ModuleType("pooch")
    module.retrieve = retrieve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pooch", module)


@pytest.mark.usefixtures("small")
def test_download_once_into_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def retrieve(url: str, known_hash: str, fname: str, path: Path, progressbar: bool) -> str:
        calls.append((url, known_hash, progressbar))
        return str(write_npz(Path(path) / fname, seed=8))

    fake_pooch(monkeypatch, retrieve)
    check(mnist.load_data(), seed=8)
    assert (_files.cache_dir() / "mnist" / "mnist.npz").is_file()
    check(mnist.load_data("mnist.npz"), seed=8)
    # The address and the checksum that Keras publishes for this file.
    url = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
    sha256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
    assert calls == [(url, f"sha256:{sha256}", importlib.util.find_spec("tqdm") is not None)]


def remedies(message: str) -> bool:
    """The message tells what was tried, where the files are, and how to point to a folder."""
    told = ["Looked in: ", str(_files.cache_dir()), mnist.URL, "mnist.load_data('FOLDER')", "FASTNN_DATA=FOLDER"]
    return all(part in message for part in [*told, *NAMES.values()])


def test_message_without_pooch() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        mnist.load_data()
    message = str(caught.value)
    assert remedies(message) and "(FASTNN_DATA is not set)" in message
    assert "pip install 'fastnn-cpu[data]'" in message
    assert "Received: ModuleNotFoundError: " in message.splitlines()[-1]


def test_message_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def retrieve(*_: object, **__: object) -> str:
        raise ConnectionError("no route to host")

    fake_pooch(monkeypatch, retrieve)
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path / "data"))
    with pytest.raises(FileNotFoundError) as caught:
        mnist.load_data()
    message = str(caught.value)
    assert remedies(message) and str(tmp_path / "data") in message
    assert "not set" not in message and "pip install" not in message
    assert message.endswith("Received: ConnectionError: no route to host")


def test_message_for_a_wrong_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    def retrieve(*_: object, **__: object) -> str:
        raise ValueError("expected 73 but got 74")

    fake_pooch(monkeypatch, retrieve)
    with pytest.raises(ValueError, match=f"expected a file with the SHA-256 {mnist.SHA256}. Received: .* got 74$"):
        mnist.load_data()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server on this machine for the folder tmp_path / "web"; the real pooch is visible again."""
    monkeypatch.delitem(sys.modules, "pooch")
    pytest.importorskip("pooch")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path / "web"))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


@pytest.mark.usefixtures("small")
def test_real_download(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_npz(tmp_path / "web" / "mnist.npz", seed=6)
    monkeypatch.setattr(mnist, "URL", f"{server}/mnist.npz")
    with pytest.raises(ValueError, match=f"expected a file with the SHA-256 {mnist.SHA256}. Received: "):
        mnist.load_data()
    assert not [path for path in _files.cache_dir().rglob("*") if path.is_file()]  # what is refused is not kept
    monkeypatch.setattr(mnist, "SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    check(mnist.load_data(), seed=6)
    file.unlink()
    check(mnist.load_data(), seed=6)


# urllib3 leaves the socket of a refused connection to the garbage collector, and with it the bar's watching thread
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("address", ["{server}/absent.npz", "http://127.0.0.1:9/mnist.npz"], ids=["404", "refused"])
def test_real_download_fails(server: str, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(mnist, "URL", address.format(server=server))
    with pytest.raises(FileNotFoundError) as caught:
        mnist.load_data()
    assert remedies(str(caught.value)) and "pip install" not in str(caught.value)
    del caught
    gc.collect()


# ---- imports ---------------------------------------------------------------------------------------------------------


def test_import_is_lazy_and_independent() -> None:
    """Beyond NumPy the import brings in neither download nor compression, nor any other part of fastnn."""
    script = f"""
import sys, types, numpy
before = set(sys.modules)
sys.modules["fastnn"] = parent = types.ModuleType("fastnn")
parent.__path__ = [{str(Path(digits.__file__).parent.parent)!r}]
import fastnn.datasets
new = set(sys.modules) - before
print(*sorted(name for name in new if name.split(".")[0] in ("pooch", "tqdm", "requests", "gzip", "zipfile")))
print(*sorted(name for name in new if name.split(".")[0] == "fastnn"))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lazy, own = run.stdout.splitlines()
    assert lazy == ""
    others = ["fastnn._errors", "fastnn._keras"]
    parts = ("_files", "_sources", "cifar10", "digits", "drawn", "fashion_mnist", "mnist", "sums")
    names = ["fastnn", *others, "fastnn.datasets", *(f"fastnn.datasets.{part}" for part in parts)]
    assert own.split() == names
