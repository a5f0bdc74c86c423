"""What the command `fastnn` is made of: tables, scaling, reports, values of arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnn.cli import data, parser, report, tables
from fastnn.cli.preprocessing import Preprocessing, standardising


def test_confusions_by_hand() -> None:
    truth, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 2])
    matrix = report.confusion_matrix(truth, predicted, 3)
    assert matrix.tolist() == [[1, 2, 0], [1, 1, 0], [0, 0, 1]]
    names = ["cat", "dog", "a very long name"]
    assert report.confusions(matrix, names) == ["cat taken for dog (twice)", "dog taken for cat (once)"]
    assert report.confusion_table(matrix, names).splitlines() == [
        "      true |        cat        dog a very l..",
        "       cat |          1          2          .",
        "       dog |          1          1          .",
        "a very l.. |          .          .          1",
    ]
    assert report.of_classes(truth, predicted, names).startswith("Test accuracy 50.00% (3 of 6)\nMost frequent")
    assert "Most" not in report.of_classes(truth, truth, names)


def test_errors_of_numbers_by_hand() -> None:
    text = report.of_numbers(np.array([[0.0], [4.0]]), np.array([[1.0], [1.0]]))
    # errors 1 and -3: rms sqrt(5), mean 2; variance around 2: 8; 1 - 10 / 8
    assert text == "Test error: root mean square 2.236, mean absolute 2, R2 -0.250 (2 samples)"


def test_durations() -> None:
    assert [report.duration(s) for s in (1.234e-8, 1.5e-6, 0.99949e-3, 0.0123, 2.0)] == [
        "12.3 ns", "1.5 us", "999 us", "12.3 ms", "2 s"
    ]  # fmt: skip


def test_layouts() -> None:
    choose = tables.for_training
    assert choose(["a", "b", "c"], None) == (True, [0, 1], 2)
    assert choose(["1", "2", "c"], None) == (False, [0, 1], 2)
    assert choose(["a", "b", "c"], "a") == (True, [1, 2], 0)
    assert choose(["1", "2", "3"], "-3") == (False, [1, 2], 0)
    assert choose(["1", "2", "3"], "1") == (False, [1, 2], 0)
    with pytest.raises(ValueError, match="Unknown column '4'"):
        choose(["1", "2", "3"], "4")


def test_separators_and_byte_order_marks(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes('\ufeff"a b"; c ;"d,e"\r\n1 ;2; x\r\n\r\n3;4;"y;z"\r\n'.encode())
    table = tables.read(path, lambda first: tables.for_training(first, None))
    assert table.names == ["a b", "c", "d,e"]
    assert table.features.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert table.targets == ["x", "y;z"]


@pytest.mark.parametrize(
    ("values", "task", "labels", "classes"),
    [
        (["b", "a", "b", "a"], "auto", [1, 0, 1, 0], ["a", "b"]),
        (["10", "9", "9", "10"], "auto", [1, 0, 0, 1], ["9", "10"]),  # by value, not by letter
        (["1.0", "0.0", "1", "0"], "auto", [1, 0, 1, 0], ["0", "1"]),
        (np.array([3, 3, 7, 7]), "auto", [0, 0, 1, 1], ["3", "7"]),
        (np.array([True, False, True, False]), "auto", [1, 0, 1, 0], ["0", "1"]),
        (np.array([[0, 1], [1, 0], [1, 0]]), "auto", [1, 0, 0], ["0", "1"]),
        (np.array([0.5, 0.25, 0.5, 0.25]), "classification", [1, 0, 1, 0], ["0.25", "0.5"]),
        (np.array([0.5, 0.25, 0.5, 0.25]), "auto", [[0.5], [0.25], [0.5], [0.25]], None),
        (["1", "2", "1", "2"], "regression", [[1], [2], [1], [2]], None),
        (np.arange(50), "auto", [[i] for i in range(50)], None),
        (np.arange(50) % 25, "auto", list(range(25)) * 2, [str(i) for i in range(25)]),  # whole by dtype
        ((np.arange(50) % 25).astype(float), "auto", [[i % 25] for i in range(50)], None),  # too many of them
    ],
)
def test_what_targets_are_taken_for(values: Any, task: str, labels: Any, classes: Any) -> None:
    found = data.as_targets(np.array(values), task, "here")
    assert found.y.tolist() == labels
    assert found.classes == classes


def test_the_test_part_is_a_fifth_of_every_class() -> None:
    y = np.repeat([0, 1, 2], [10, 50, 5])
    chosen = data.test_part(y, True, seed=1)
    assert [int(chosen[y == label].sum()) for label in range(3)] == [2, 10, 1]
    assert (chosen == data.test_part(y, True, seed=1)).all()
    assert (chosen != data.test_part(y, True, seed=2)).any()
    assert data.test_part(np.arange(100.0), False, seed=1).sum() == 20


def test_standardising_by_hand() -> None:
    x = np.array([[1.0, 0.1, 5.0], [3.0, 0.1, 5.0], [8.0, 0.1, 5.0]])
    offset, divisor = standardising(x)
    assert offset == pytest.approx([4.0, 0.1, 5.0])
    assert divisor == pytest.approx([np.sqrt(26 / 3), 1.0, 1.0])  # (9 + 1 + 16) / 3; constant columns stay
    scaled = Preprocessing(offset, divisor).inputs(x)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[:, 0], np.array([-3, -1, 4]) / np.sqrt(26 / 3), rtol=1e-6)
    assert standardising(np.array([[[0.0, 2.0]], [[4.0, 6.0]]]))[0] == 3.0  # images: one number


def test_targets_come_back_in_their_units() -> None:
    scaling = Preprocessing(target_offset=[1000.0], target_divisor=[20.0])
    y = np.array([[980.0], [1030.0]])
    assert scaling.targets(y).tolist() == [[-1.0], [1.5]]
    np.testing.assert_allclose(scaling.values(scaling.targets(y)), y)


def test_values_of_arguments() -> None:
    assert parser.sizes("1k,3M,7") == (1024, 3 * 1048576, 7)
    assert parser.units("256, 128") == (256, 128)
    assert parser.units("none") == ()
