"""The picture of `fastnn train --plot`: how the training went, and what the network gets wrong.

matplotlib is used through its figures alone: no window, no global state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.cli.report import confusion_matrix

Array = NDArray[Any]

SUFFIXES = (".png", ".pdf", ".svg")


def check(path: str) -> Path:
    """The path of a picture, before any work is done.

    Raises:
        ValueError: not the name of a picture.
        FileNotFoundError: there is no such folder.
        ImportError: matplotlib is missing.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise ValueError(f"--plot: the file name must end in one of {', '.join(SUFFIXES)}. Received: {path!r}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"--plot: there is no such folder. Received: {str(target.parent)!r}")
    try:
        import matplotlib as _  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"--plot needs matplotlib. Install it with: pip install 'fastnn-cpu[plot]'. Received: {error}"
        ) from error
    return target


def draw(
    path: Path,
    title: str,
    history: Mapping[str, Sequence[float]],
    truth: Array,
    predicted: Array,
    names: Sequence[str] | None,
) -> None:
    """Write the picture.

    Parameters:
        history: loss and metrics of every epoch.
        truth, predicted: labels (n,) with the names of the classes; or numbers (n, outputs) without.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    figure.suptitle(title)
    curves, errors = figure.subplots(1, 2, width_ratios=(1.2, 1))
    _curves(curves, history)
    if names is None:
        _scatter(errors, truth, predicted)
    else:
        _confusions(figure, errors, confusion_matrix(truth, predicted, len(names)), names)
    figure.savefig(path, dpi=150)


def _curves(axes: Any, history: Mapping[str, Sequence[float]]) -> None:
    epochs = np.arange(1, len(history["loss"]) + 1)
    marker = "o" if len(epochs) < 10 else ""
    (line,) = axes.plot(epochs, history["loss"], color="tab:blue", marker=marker, label="training loss")
    lines = [line]
    axes.set(xlabel="epoch", ylabel="loss", yscale="log" if min(history["loss"]) > 0 else "linear")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if "accuracy" in history:
        other = axes.twinx()
        lines += other.plot(epochs, history["accuracy"], color="tab:orange", marker=marker, label="training accuracy")
        other.set(ylabel="accuracy")
    axes.legend(handles=lines, loc="center right")
    axes.grid(alpha=0.3)


def _confusions(figure: Any, axes: Any, matrix: Array, names: Sequence[str]) -> None:
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class")
    axes.set(xlabel="predicted", ylabel="true")
    if len(names) <= 30:
        axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 3 else 0)
        axes.set_yticks(range(len(names)), names)
    if len(names) <= 12:
        for t, p in np.argwhere(matrix):
            color = "white" if share[t, p] > 0.5 else "black"
            axes.text(p, t, f"{matrix[t, p]}", ha="center", va="center", fontsize=8, color=color)


def _scatter(axes: Any, truth: Array, predicted: Array) -> None:
    ends = [float(min(truth.min(), predicted.min())), float(max(truth.max(), predicted.max()))]
    axes.plot(ends, ends, color="grey", linewidth=1)
    axes.scatter(truth, predicted, s=12, alpha=0.6)
    axes.set(xlabel="true", ylabel="predicted")
    axes.grid(alpha=0.3)
