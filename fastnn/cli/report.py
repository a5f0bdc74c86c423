"""What `fastnn train` says about a trained network: how often it is right, what it confuses, how fast it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

WIDEST_TABLE = 15  # classes
LONGEST_NAME = 10


def confusion_matrix(truth: Array, predicted: Array, classes: int) -> NDArray[np.int64]:
    """Counts (classes, classes): entry [t, p] says how many samples of class t were taken for p."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def confusions(matrix: Array, names: Sequence[str], most: int = 5) -> list[str]:
    """The most frequent mistakes, such as "9 taken for 4 (3 times)"."""
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [(int(i) // len(names), int(i) % len(names)) for i in order]
    return [f"{names[t]} taken for {names[p]} ({_times(int(wrong[t, p]))})" for t, p in pairs if wrong[t, p]]


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count:,} times"


def confusion_table(matrix: Array, names: Sequence[str]) -> str:
    """The matrix as text: a line for each true class, a column for each predicted one, "." for none."""
    short = [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 2] + ".." for name in names]
    rows = [["true", *short], *([name, *(f"{n}" if n else "." for n in row)] for name, row in zip(short, matrix))]
    first = max(len(row[0]) for row in rows)
    width = max(len(cell) for row in rows for cell in row[1:])
    return "\n".join(" ".join([row[0].rjust(first), "|", *(c.rjust(width) for c in row[1:])]) for row in rows)


def of_classes(truth: Array, predicted: Array, names: Sequence[str]) -> str:
    """Accuracy, the most frequent confusions, and the table of all of them where it is small enough."""
    matrix = confusion_matrix(truth, predicted, len(names))
    right, n = int(np.trace(matrix)), len(truth)
    lines = [f"Test accuracy {right / n:.2%} ({right:,} of {n:,})"]
    if mistakes := confusions(matrix, names):
        lines.append(f"Most frequent confusions: {', '.join(mistakes)}")
    if len(names) <= WIDEST_TABLE:
        lines += ["", "     predicted", confusion_table(matrix, names)]
    return "\n".join(lines)


def of_numbers(truth: Array, predicted: Array) -> str:
    """Errors in the units of the target, and the share of its variance that is explained."""
    error = predicted - truth
    spread = float(np.sum((truth - truth.mean(0)) ** 2))
    explained = f", R2 {1 - float(np.sum(error**2)) / spread:.3f}" if spread else ""
    rms, mean = float(np.sqrt(np.mean(error**2))), float(np.mean(np.abs(error)))
    return f"Test error: root mean square {rms:.4g}, mean absolute {mean:.4g}{explained} ({len(truth):,} samples)"


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, factor in (("ns", 1e9), ("us", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"
