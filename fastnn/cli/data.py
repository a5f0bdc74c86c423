"""Data sets for `fastnn train`: the digits, MNIST, and files of the user's own, ready for a network.

Pixels (uint8) are scaled to [0, 1]; everything else to mean 0 and deviation 1, by the statistics of the training part.
Where a file does not say what is for testing, a fifth is, drawn with the seed and class by class.  Refused: files
without targets, with missing values, or of shapes that do not fit.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn._errors import unknown
from fastnn.cli import tables
from fastnn.cli.preprocessing import Preprocessing, standardising

Array = NDArray[Any]

TEST_SHARE = 0.2
FEW = 20  # different whole numbers up to which a column is taken for classes
WHITE = {"digits": 16.0, "mnist": 255.0}


@dataclass(frozen=True)
class Data:
    """Samples and targets, scaled; labels are int64 (n,), numbers to predict float32 (n, outputs).

    Attributes:
        name: for the screen.
        preprocessing: what was done to get here, and the names of the classes.
    """

    name: str
    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    preprocessing: Preprocessing

    @property
    def classes(self) -> list[str] | None:
        return self.preprocessing.classes

    @property
    def outputs(self) -> int:
        """How many numbers the network has to give for a sample."""
        return len(self.classes) if self.classes is not None else int(self.y_train.shape[1])


class Targets(NamedTuple):
    """Labels (n,) with the names of the classes, or numbers (n, outputs) and None."""

    y: Array
    classes: list[str] | None


def load(name: str, folder: str | None, target: str | None, task: str, seed: int) -> Data:
    """The data set that the arguments of `fastnn train` describe.

    Raises:
        ValueError, FileNotFoundError: there is no such thing, or a file does not hold what it should.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in (".csv", ".npz"):
        if name not in WHITE:
            raise unknown("data set", name, [*WHITE, "FILE.csv", "FILE.npz"])
        return _images(name, folder)
    path = Path(name) if folder is None else Path(folder, name)
    if not path.is_file():
        raise FileNotFoundError(f"--data: expected an existing file. Received: {str(path)!r}")
    if suffix == ".csv":
        return _table(path, target, task, seed)
    return _arrays(path, task, seed)


def _images(name: str, folder: str | None) -> Data:
    from fastnn.datasets import digits, mnist

    (x_train, y_train), (x_test, y_test) = digits.load_data() if name == "digits" else mnist.load_data(folder)
    scaling = Preprocessing(divisor=WHITE[name], classes=[str(i) for i in range(10)])
    return Data(
        name,
        scaling.inputs(x_train),
        y_train.astype(np.int64),
        scaling.inputs(x_test),
        y_test.astype(np.int64),
        scaling,
    )


def _table(path: Path, target: str | None, task: str, seed: int) -> Data:
    table = tables.read(path, partial(tables.for_training, target=target))
    assert table.targets is not None and table.layout.target is not None
    targets = as_targets(np.array(table.targets), task, str(path))
    names, at = table.names, table.layout.target
    known = Preprocessing(
        columns=[names[i] for i in table.layout.features] if names and len(set(names)) == len(names) else None,
        target=names[at] if names else None,
        target_index=at,
    )
    return _split(path.name, table.features, targets, known, seed)


def _arrays(path: Path, task: str, seed: int) -> Data:
    arrays = read_npz(path)
    if {"x_train", "y_train", "x_test", "y_test"} <= set(arrays):
        x_train, y_train, x_test, y_test = (arrays[key] for key in ("x_train", "y_train", "x_test", "y_test"))
        samples(path, "x_train", x_train, y_train)
        samples(path, "x_test", x_test, y_test)
        if x_train.shape[1:] != x_test.shape[1:] or y_train.shape[1:] != y_test.shape[1:]:
            raise ValueError(
                f"{path}: samples for training and testing must have one shape. "
                f"Received: x {x_train.shape[1:]} and {x_test.shape[1:]}, y {y_train.shape[1:]} and {y_test.shape[1:]}"
            )
        targets = as_targets(np.concatenate([y_train, y_test]), task, str(path))
        n = len(x_train)
        return _scaled(
            path.name, (x_train, targets.y[:n]), (x_test, targets.y[n:]), Preprocessing(classes=targets.classes)
        )
    if {"x", "y"} <= set(arrays):
        samples(path, "x", arrays["x"], arrays["y"])
        return _split(path.name, arrays["x"], as_targets(arrays["y"], task, str(path)), Preprocessing(), seed)
    raise ValueError(
        f"{path}: expected the arrays x_train, y_train, x_test and y_test, or x and y. Received: {sorted(arrays)}"
    )


def read_npz(path: Path) -> dict[str, Array]:
    """All arrays of a file, no pickles.

    Raises:
        ValueError: the file is damaged or holds objects.
    """
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("a single array, as in an .npy file")
            return {name: archive[name] for name in archive.files}
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise ValueError(f"{path}: expected a sound .npz file of numbers. Received: {error}") from error


def samples(path: Path, name: str, x: Array, y: Array | None = None) -> None:
    """Refuse arrays that are no samples: without numbers, without features, or not as many as targets."""
    if x.dtype.kind not in "biuf" or x.ndim < 2 or not x.size:
        raise ValueError(
            f"{path}: {name} must hold numbers, samples along the first axis. Received: {x.dtype} {x.shape}"
        )
    if not np.isfinite(x).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise ValueError(f"{path}: {name} must hold finite numbers. Received: {x[place]} at index {place}")
    if y is not None and (y.ndim not in (1, 2) or len(y) != len(x)):
        raise ValueError(f"{path}: expected one target for each of {len(x)} samples. Received: {y.dtype} {y.shape}")


# ------------------------------------------------------------------------------------------------------------- targets


def as_targets(values: Array, task: str, where: str) -> Targets:
    """Labels or numbers, after what the values look like or the task says.

    Text and bools are classes, and so are whole numbers: of an integer dtype, or with at most 20 different values.
    Rows with a single 1 among zeros are classes too.

    Raises:
        ValueError: text where numbers are needed; missing values; as many classes as samples.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2:
        if task != "regression" and _one_hot(values):
            return Targets(values.argmax(1), [str(i) for i in range(values.shape[1])])
        if task == "classification":
            raise ValueError(f"{where}: expected one class for each sample. Received: targets of shape {values.shape}")
        return Targets(_finite(values, where), None)
    whole_dtype = values.dtype.kind in "biu"
    if values.dtype.kind not in "biuf":
        try:
            values = values.astype(np.float64)
        except ValueError:
            if task == "regression":
                raise ValueError(f"{where}: regression needs numbers as targets. Received: {_some(values)}") from None
            return _classes(values.astype(str), where)
    numbers = _finite(values, where)
    different = np.unique(numbers)
    whole = bool((different == np.trunc(different)).all())
    if task == "auto":
        few = len(different) <= FEW or (whole_dtype and 2 * len(different) <= len(numbers))
        task = "classification" if whole and few and 2 * len(different) <= len(numbers) else "regression"
    if task == "regression":
        return Targets(numbers[:, np.newaxis], None)
    return _classes(numbers.astype(np.int64) if whole else numbers, where)


def _classes(values: Array, where: str) -> Targets:
    different, labels = np.unique(values, return_inverse=True)
    if len(different) < 2 or 2 * len(different) > len(values) > 4:
        raise ValueError(
            f"{where}: expected at least two classes, with two samples each on average. "
            f"Received: {len(different)} different targets in {len(values)} samples, such as {_some(different)}"
        )
    return Targets(labels.reshape(-1).astype(np.int64), [str(value) for value in different])


def _one_hot(values: Array) -> bool:
    return values.dtype.kind in "biuf" and bool(((values == 0) | (values == 1)).all() and (values.sum(1) == 1).all())


def _finite(values: Array, where: str) -> Array:
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        at = int(np.argwhere(~np.isfinite(numbers))[0, 0])
        raise ValueError(f"{where}: targets must be finite. Received: {values[at]} for sample {at + 1}")
    return numbers


def _some(values: Array) -> str:
    return ", ".join(repr(str(value)) for value in values[:3])


# ---------------------------------------------------------------------------------------------- splitting and scaling


def _split(name: str, x: Array, targets: Targets, known: Preprocessing, seed: int) -> Data:
    test = test_part(targets.y, targets.classes is not None, seed)
    if test.all() or not test.any():
        raise ValueError(f"{name}: expected enough samples for training and testing. Received: {len(x)}")
    known = replace(known, classes=targets.classes)
    return _scaled(name, (x[~test], targets.y[~test]), (x[test], targets.y[test]), known)


def test_part(y: Array, by_class: bool, seed: int) -> NDArray[np.bool_]:
    """Which samples are for testing: a fifth, of every class if there are classes, drawn at random."""
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(y == label) for label in np.unique(y)] if by_class else [np.arange(len(y))]
    chosen = np.zeros(len(y), bool)
    for group in groups:
        chosen[rng.permutation(group)[: round(TEST_SHARE * len(group))]] = True
    return chosen


def _scaled(name: str, train: tuple[Array, Array], test: tuple[Array, Array], known: Preprocessing) -> Data:
    (x_train, y_train), (x_test, y_test) = train, test
    offset, divisor = (0.0, 255.0) if x_train.dtype == np.uint8 else standardising(x_train)
    scaling = replace(known, offset=offset, divisor=divisor)
    if scaling.classes is None:
        offset, divisor = standardising(y_train)
        scaling = replace(scaling, target_offset=offset, target_divisor=divisor)
        y_train, y_test = scaling.targets(y_train), scaling.targets(y_test)
    return Data(name, scaling.inputs(x_train), y_train, scaling.inputs(x_test), y_test, scaling)
