"""fastnn.utils: rows of unit length, padded sequences, splits and the progress bar."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn import Sequential, layers, utils


def test_normalize() -> None:
    x = np.array([[3.0, 4.0], [0.0, 0.0], [-1.0, 1.0]])
    assert np.allclose(utils.normalize(x), [[0.6, 0.8], [0, 0], [-(0.5**0.5), 0.5**0.5]])
    assert np.allclose(utils.normalize(x, axis=0, order=1), x / [4, 5])
    assert np.allclose(utils.normalize(x, order=np.inf), [[0.75, 1], [0, 0], [-1, 1]])
    assert np.allclose(utils.normalize([1e200, 1e200]), 0.5**0.5)
    assert np.allclose(utils.normalize(np.array([1e-30, 0], np.float32)), [1, 0])
    assert utils.normalize(x.astype(np.float32)).dtype == np.float32
    with pytest.raises(ValueError, match="Received: axis=2"):
        utils.normalize(x, axis=2)
    with pytest.raises(ValueError, match=r"Received: order=0\.5"):
        utils.normalize(x, order=0.5)


def test_pad_sequences() -> None:
    rows = [[1], [2, 3], [4, 5, 6], []]
    assert utils.pad_sequences(rows).tolist() == [[0, 0, 1], [0, 2, 3], [4, 5, 6], [0, 0, 0]]
    assert utils.pad_sequences(rows, value=-1, padding="post", maxlen=2).tolist() == [[1, -1], [2, 3], [5, 6], [-1, -1]]
    assert utils.pad_sequences(rows, maxlen=2, truncating="post").tolist() == [[0, 1], [2, 3], [4, 5], [0, 0]]
    assert utils.pad_sequences(rows).dtype == np.int32
    assert utils.pad_sequences([np.ones((2, 3)), np.ones((1, 3))], dtype="float64").shape == (2, 2, 3)
    assert utils.pad_sequences([]).shape == (0, 0)
    assert utils.pad_sequences(rows, maxlen=0).shape == (4, 0)
    for arguments, message in (
        (([[1], 2],), "entry 1 must be a sequence. Received: 2"),
        ((iter([[1]]),), "Received: list_iterator"),
        (([[1]], None, "int32", "before"), "Unknown side for padding"),
        (([np.ones((1, 2)), np.ones((1, 3))],), r"Received: \(3,\) in 1"),
    ):
        with pytest.raises(ValueError, match=message):
            utils.pad_sequences(*arguments)


@given(
    n=st.integers(8, 60), share=st.floats(0.15, 0.85), classes=st.integers(1, 3), seed=st.integers(0, 99),
    stratified=st.booleans(),
)  # fmt: skip
def test_splits_lose_and_repeat_nothing(n: int, share: float, classes: int, seed: int, stratified: bool) -> None:
    x, labels = np.arange(n), np.arange(n) % classes
    options: dict[str, Any] = {"seed": seed, "stratify": labels if stratified else None}
    if min(int(np.ceil(share * n)), n - int(np.ceil(share * n))) < classes:
        return
    a, b, c, d = utils.train_test_split(x, -x, test_size=share, **options)
    assert sorted([*a.tolist(), *b.tolist()]) == x.tolist()
    assert np.array_equal(c, -a) and np.array_equal(d, -b)
    assert len(b) == int(np.ceil(round(share * n, 9)))
    if stratified:
        counts = np.bincount(labels)
        assert np.all(np.abs(np.bincount(labels[b], minlength=classes) - len(b) * counts / n) < 1)
    again = utils.train_test_split(x, -x, test_size=share, **options)
    assert np.array_equal(again[0], a)


def test_split_sizes() -> None:
    x = np.arange(10)
    assert [len(part) for part in utils.train_test_split(x)] == [7, 3]
    assert [len(part) for part in utils.train_test_split(x, test_size=2, train_size=0.5)] == [5, 2]
    head, tail = utils.train_test_split(x, test_size=0.2, shuffle=False)
    assert head.tolist() == list(range(8)) and tail.tolist() == [8, 9]
    left, right = utils.split_dataset({"x": x, "y": -x}, left_size=0.3)
    assert left["y"].tolist() == [0, -1, -2] and right["x"].tolist() == list(range(3, 10))
    left, right = utils.split_dataset((x, -x), right_size=4, shuffle=True, seed=1)
    assert (
        isinstance(left, tuple) and sorted([*left[0], *right[0]]) == x.tolist() and np.array_equal(right[1], -right[0])
    )
    assert utils.split_dataset(x, 2, 3)[1].tolist() == [2, 3, 4]
    utils.set_random_seed(1)
    first = utils.train_test_split(x)[0]
    utils.set_random_seed(1)
    assert np.array_equal(first, utils.train_test_split(x)[0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: utils.train_test_split(), "at least one array"),
        (lambda: utils.train_test_split([1, 2], [1]), r"Received: \[2, 1\]"),
        (lambda: utils.train_test_split([1, 2], test_size=2), "that is 0 and 2"),
        (lambda: utils.train_test_split([1, 2, 3], test_size=2, train_size=2), "that is 2 and 2"),
        (lambda: utils.train_test_split([1, 2], test_size=1.5), r"Received: test_size=1\.5"),
        (lambda: utils.train_test_split([1, 2, 3, 4], stratify=[0, 0, 0, 1]), "Received: one of"),
        (lambda: utils.train_test_split([1, 2, 3, 4], stratify=[0, 0, 1, 1], test_size=1), "needs 2 samples"),
        (lambda: utils.train_test_split([1, 2], stratify=[0, 0], shuffle=False), "shuffle=False"),
        (lambda: utils.train_test_split([1, 2], stratify=[0]), r"Received: shape \(1,\)"),
        (lambda: utils.split_dataset([1, 2]), "Received: neither"),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_progress(capsys: pytest.CaptureFixture[str]) -> None:
    bar = utils.Progbar(4, stateful_metrics=["acc"])
    for i in range(4):
        bar.update(i + 1, [("loss", float(i)), ("acc", i / 4)])
    assert bar.values == {"loss": 1.5, "acc": 0.75}
    out = capsys.readouterr().out
    assert out.startswith("Steps - ") and "loss: 1.5000 - acc: 0.7500" in out
    bar = utils.Progbar(None, verbose=2, unit_name="file")
    bar.add(2, [("size", 1.0)])
    bar.add(2, [("size", 2.0)])
    assert capsys.readouterr().out == ""
    bar.update(5, finalize=True)
    assert capsys.readouterr().out.startswith("Files - ")
    utils.Progbar(1, verbose=0).add(1)
    assert capsys.readouterr().out == ""


def test_validation_split_warns_of_another_mixture() -> None:
    model = Sequential([layers.Input((1,)), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.zeros((200, 1), np.float32)
    lopsided = np.arange(200) % 2
    lopsided[160:] = np.arange(40) % 10 != 0
    with pytest.warns(
        UserWarning, match=r"not as frequent.*Received: 10% of class 0 in the last 40 samples, 50% before"
    ):
        model.fit(x, lopsided, validation_split=0.2, verbose=0)
    for seed in range(30):  # shuffled data do not warn
        model.fit(x, np.random.default_rng(seed).permutation(lopsided), validation_split=0.05, verbose=0)
