"""`fastnn predict`: what a saved network makes of new samples.

The scaling that `fastnn train --save` stored is applied; a model saved from Python without one gets the samples as they
are.  Targets that the file happens to hold are only compared with the predictions.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import struct
import sys
import zlib
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fastnn import threads
from fastnn.cli import report, tables
from fastnn.cli.data import read_npz, samples
from fastnn.cli.preprocessing import Preprocessing
from fastnn.datasets._files import read_idx
from fastnn.models import load_model

Array = NDArray[Any]

OUTPUTS = (".csv", ".npy")
BATCH = 256


def run(arguments: argparse.Namespace) -> None:
    output = _check_output(arguments.output) if arguments.output else None
    if arguments.threads:
        threads.set_num_threads(arguments.threads)
    model = load_model(arguments.model, compile=False)
    if isinstance(model.input, (list, dict)) or isinstance(model.output, (list, dict)):
        raise ValueError(
            f"predict: expected a model with one input and one output. Received: {model.input_names} and "
            f"{model.output_names}"
        )
    scaling = Preprocessing.of(model) or _bare(model)
    x, y = read(Path(arguments.file), model.shape_in, scaling)
    outputs = model.predict(scaling.inputs(x), batch_size=BATCH, verbose=0)
    outputs = outputs.reshape(len(outputs), -1)
    if scaling.classes is None:
        outputs = scaling.values(outputs)
    if output is None:
        _write(sys.stdout, outputs, scaling)
    elif output.suffix == ".npy":
        np.save(output, outputs)
    else:
        with output.open("w", newline="", encoding="utf-8") as file:
            _write(file, outputs, scaling)
    if y is not None:
        sys.stdout.flush()
        print(_score(y, outputs, scaling), file=sys.stderr)


def _check_output(path: str) -> Path:
    target = Path(path)
    if target.suffix not in OUTPUTS:
        raise ValueError(f"--output: the file name must end in {' or '.join(OUTPUTS)}. Received: {path!r}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"--output: there is no such folder. Received: {str(target.parent)!r}")
    return target


def _bare(model: Any) -> Preprocessing:
    """For a model without a description: classes by number if it ends in a softmax, else numbers."""
    final = getattr(model.graph.final(0), "activation", None)
    if final is not None and final.name == "softmax":
        return Preprocessing(classes=[str(i) for i in range(math.prod(model.shape_out))])
    return Preprocessing()


# ------------------------------------------------------------------------------------------------------------- reading


def read(path: Path, shape: tuple[int, ...], scaling: Preprocessing) -> tuple[Array, Array | None]:
    """Samples of the given shape, unscaled, and their targets if the file holds them: text, labels or numbers.

    Raises:
        ValueError: no such samples in the file.
        FileNotFoundError: no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"predict: expected an existing file. Received: {str(path)!r}")
    suffix, y = path.suffix.lower(), None
    if suffix == ".csv":
        x, y = _read_table(path, math.prod(shape), scaling)
        x = x.reshape(len(x), *shape)
    elif suffix == ".npz":
        arrays = read_npz(path)
        name = next((key for key in ("x_test", "x") if key in arrays), None)
        if name is None:
            raise ValueError(f"{path}: expected an array x_test or x. Received: {sorted(arrays)}")
        x, y = arrays[name], arrays.get(name.replace("x", "y"))
    elif suffix == ".npy":
        x = _read_npy(path)
    elif suffix == ".gz" or "idx" in path.name:
        x = _read_images(path, shape)
    else:
        raise ValueError(f"predict: expected a .csv, .npz, .npy or IDX file. Received: {str(path)!r}")
    if x.shape == shape:  # a single sample
        x = x[np.newaxis]
    samples(path, "the file" if suffix != ".npz" else "x", x)
    if x.shape[1:] != shape:
        raise ValueError(f"{path}: the model takes samples of shape {shape}. Received: shape {x.shape[1:]}")
    return x, y if y is not None and len(y) == len(x) else None


def _read_table(path: Path, features: int, scaling: Preprocessing) -> tuple[Array, Array | None]:
    choose = partial(
        tables.for_prediction,
        count=features,
        columns=scaling.columns,
        target=scaling.target,
        target_index=scaling.target_index,
    )
    table = tables.read(path, choose)
    return table.features, np.array(table.targets) if table.targets is not None else None


def _read_npy(path: Path) -> Array:
    try:
        array: Array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: expected a sound .npy file of numbers. Received: {error}") from error
    return array


def _read_images(path: Path, shape: tuple[int, ...]) -> Array:
    """An IDX file of images of that shape, as many as there are."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if packed else path.open("rb") as stream:
            head = stream.read(8)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: expected IDX data, gzipped or plain. Received: {error}") from error
    if len(head) < 8:
        raise ValueError(f"{path}: expected an IDX file. Received: {len(head)} bytes")
    return read_idx(path, (struct.unpack(">I", head[4:])[0], *shape))


# ------------------------------------------------------------------------------------------------------------- writing


def _write(file: TextIO, outputs: Array, scaling: Preprocessing) -> None:
    """CSV: class and probability, or the numbers."""
    lines = csv.writer(file, lineterminator="\n")
    if scaling.classes is not None:
        best = outputs.argmax(1)
        lines.writerow(["class", "probability"])
        for label, row in zip(best, outputs, strict=True):
            lines.writerow([scaling.classes[label], f"{row[label]:.4f}"])
        return
    name = scaling.target or "prediction"
    lines.writerow([name] if outputs.shape[1] == 1 else [f"{name} {i + 1}" for i in range(outputs.shape[1])])
    for row in outputs.tolist():
        lines.writerow([f"{value:.6g}" for value in row])


def _score(y: Array, outputs: Array, scaling: Preprocessing) -> str:
    if scaling.classes is None:
        truth = y.astype(np.float64).reshape(len(y), -1)
        return report.of_numbers(truth, outputs)
    if y.ndim == 2 and y.shape[1] > 1:
        y = y.argmax(1)
    names = np.array(scaling.classes)
    right = int(np.sum(names[outputs.argmax(1)] == _as_names(y.reshape(-1))))
    return f"accuracy {right / len(y):.2%} ({right:,} of {len(y):,}) on the targets in the file"


def _as_names(y: Array) -> Array:
    """Targets as the names of classes: 3, 3.0 and "3.0" are all "3"."""
    try:
        numbers = y.astype(np.float64)
    except ValueError:
        return y.astype(str)
    whole = bool((numbers == np.trunc(numbers)).all())
    return (numbers.astype(np.int64) if whole else numbers).astype(str)
