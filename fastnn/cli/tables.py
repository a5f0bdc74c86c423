"""CSV files of numbers: a strict reader that says where something is wrong.

One sample a line; a header or none; cells separated by commas, semicolons or tabs.  Every feature must be a finite
number.  Refused, with the line and the column: text, empty cells, NaN and infinity, lines that are too short or long.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn._errors import unknown

SEPARATORS = ";\t,"


class Layout(NamedTuple):
    """Which columns of a table are what: features and target by index, and whether the first line is a header."""

    header: bool
    features: list[int]
    target: int | None


@dataclass
class Table:
    """What a file holds.

    Attributes:
        features: (samples, features), float64.
        targets: the cells of the target column, as text; None if there is no such column.
        names: of all columns; None if there is no header.
        layout: which column is what.
    """

    features: NDArray[np.float64]
    targets: list[str] | None
    names: list[str] | None
    layout: Layout


def is_number(cell: str) -> bool:
    """Whether Python reads the cell as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


# ------------------------------------------------------------------------------------------------------------- layouts


def for_training(first: Sequence[str], target: str | None) -> Layout:
    """The target is the column of that name or number (from 1 on, or from -1 back), the last by default.

    The first line is a header if no cell in it is a number, the target's aside.

    Raises:
        ValueError: no such column, or only one.
    """
    if len(first) < 2:
        raise ValueError(f"expected at least two columns. Received: {list(first)}")
    if target is None:
        index = len(first) - 1
    elif (place := _whole(target)) is not None and 1 <= abs(place) <= len(first):
        index = place - 1 if place > 0 else len(first) + place
    elif place is None and target in first:
        index = list(first).index(target)
    else:
        raise unknown("column", target, [cell for cell in first if not is_number(cell)] or ["1", str(len(first))])
    features = [i for i in range(len(first)) if i != index]
    return Layout(not any(is_number(first[i]) for i in features), features, index)


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def for_prediction(
    first: Sequence[str], count: int, columns: Sequence[str] | None, target: str | None, target_index: int | None
) -> Layout:
    """Features by their names if both the file and the model have names, else by their places.

    Parameters:
        count: features that the model wants.
        columns, target, target_index: where the model learned them, see Preprocessing.

    Raises:
        ValueError: a column is missing, or there are too many or too few.
    """
    header = not any(is_number(cell) for cell in first)
    if header and columns is not None:
        names = list(first)
        for column in columns:
            if column not in names:
                raise unknown("column", column, names)
        return Layout(True, [names.index(c) for c in columns], names.index(target) if target in names else None)
    if len(first) == count:
        return Layout(header, list(range(count)), None)
    if len(first) == count + 1 and target_index is not None and target_index <= count:
        return Layout(header, [i for i in range(count + 1) if i != target_index], target_index)
    raise ValueError(f"expected {count} columns of features. Received: {len(first)} columns")


# ------------------------------------------------------------------------------------------------------------- reading


def read(path: Path, choose: Callable[[Sequence[str]], Layout]) -> Table:
    """Read a file; `choose` makes a layout of its first line.

    Raises:
        ValueError: the file is not such a table; the message tells the place.
        FileNotFoundError: there is no such file.
    """
    lines = _lines(path)
    number, first = next(lines, (0, None))
    if first is None:
        raise ValueError(f"{path}: expected lines of numbers. Received: an empty file")
    try:
        layout = choose(first)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    rows, targets = [], []
    names = list(first) if layout.header else None
    pending = [] if layout.header else [(number, first)]
    for source in (pending, lines):
        for number, cells in source:
            rows.append(_features(path, number, cells, layout, names))
            if layout.target is not None:
                targets.append(_present(path, number, cells, layout.target, names))
    if not rows:
        raise ValueError(f"{path}: expected lines of numbers after the header. Received: none")
    return Table(np.array(rows), targets if layout.target is not None else None, names, layout)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of all lines that are not empty; every line has as many cells as the first."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            start = file.readline()
            separator = max(SEPARATORS, key=start.count)
            file.seek(0)
            width = 0
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
            for cells in reader:
                if cells in ([], [""]):
                    continue
                width = width or len(cells)
                if len(cells) != width:
                    raise ValueError(
                        f"{path}, line {reader.line_num}: expected {width} cells, as in the first line. "
                        f"Received: {len(cells)}"
                    )
                yield reader.line_num, [cell.strip() for cell in cells]
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{path}: expected a CSV file in UTF-8. Received: {error}") from error


def _features(path: Path, line: int, cells: Sequence[str], layout: Layout, names: Any) -> NDArray[np.float64]:
    try:
        values = [float(cells[i]) for i in layout.features]
        if math.isfinite(sum(values)):  # a sum over finite numbers may still overflow: then look at each
            return np.array(values)
    except ValueError:
        pass
    for i in layout.features:
        cell = _present(path, line, cells, i, names)
        if not is_number(cell) or not math.isfinite(float(cell)):
            raise ValueError(f"{_place(path, line, i, names)}: expected a finite number. Received: {cell!r}")
    return np.array([float(cells[i]) for i in layout.features])


def _present(path: Path, line: int, cells: Sequence[str], index: int, names: Any) -> str:
    if not cells[index]:
        raise ValueError(f"{_place(path, line, index, names)}: expected a value. Received: an empty cell")
    return cells[index]


def _place(path: Path, line: int, index: int, names: Sequence[str] | None) -> str:
    return f"{path}, line {line}, column {index + 1}" + (f" ({names[index]})" if names else "")
