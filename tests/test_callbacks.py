"""Callbacks, driven by a loop over given logs: what they save, stop, restore and write, by hand or by Keras's rules."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnn.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    ModelCheckpoint,
    ProgbarLogger,
)
from fastnn.metrics import MeanSquaredError, Metric


class Model:
    """A model whose weight is the number of the epoch that was trained last, and that notes what is saved."""

    def __init__(self, metrics: Sequence[Metric] = ()) -> None:
        self.metrics = list(metrics)
        self.weight = -1
        self.stop_training = False
        self.saved: list[tuple[str, str]] = []
        self.history: Any = None

    def get_weights(self) -> list[np.ndarray]:
        return [np.array(self.weight)]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.weight = int(weights[0])

    def save(self, path: str) -> None:
        self.saved.append(("model", path))
        Path(path).write_text("model")

    def save_weights(self, path: str) -> None:
        self.saved.append(("weights", path))
        Path(path).write_text("weights")


def train(callbacks: Any, epochs: Sequence[dict[str, Any]], batches: int = 2, model: Model | None = None) -> Model:
    """Go through epochs with these logs, with hooks for batches only if somebody wants them."""
    model = model or Model()
    hooks = CallbackList(callbacks, add_history=True, model=model, verbose=0, epochs=len(epochs), steps=batches)
    model.stop_training = False
    hooks.on_train_begin()
    logs: dict[str, Any] = {}
    for epoch, logs in enumerate(epochs):
        hooks.on_epoch_begin(epoch)
        for batch in range(batches if hooks.wants_batches else 0):
            hooks.on_train_batch_begin(batch)
            hooks.on_train_batch_end(batch, {"loss": 10.0 * epoch + batch})
        model.weight = epoch
        hooks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    hooks.on_train_end(logs)
    return model


def val_losses(*values: float) -> list[dict[str, Any]]:
    return [{"loss": 1.0, "val_loss": value} for value in values]


# --- the list


class Recorder(Callback):
    """Notes which hooks are called, and with what."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.calls.append(("epoch begin", epoch, logs))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.calls.append(("epoch end", epoch, logs))

    def on_train_begin(self, logs: Any = None) -> None:
        self.calls.append(("train begin", logs))

    def on_train_end(self, logs: Any = None) -> None:
        self.calls.append(("train end", logs))


def test_order_and_arguments_of_the_hooks() -> None:
    recorder = Recorder()
    train([recorder], [{"loss": 2.0}, {"loss": 1.0}])
    assert recorder.calls == [
        ("train begin", {}),
        ("epoch begin", 0, {}),
        ("epoch end", 0, {"loss": 2.0}),
        ("epoch begin", 1, {}),
        ("epoch end", 1, {"loss": 1.0}),
        ("train end", {"loss": 1.0}),
    ]
    assert recorder.params == {"verbose": 0, "epochs": 2, "steps": 2}
    assert isinstance(recorder.model, Model)


def test_every_hook_of_a_callback_is_a_hook_of_the_list() -> None:
    names = [name for name in vars(Callback) if name.startswith("on_")]
    assert len(names) == 16
    for name in names:
        if name in ("on_batch_begin", "on_batch_end"):
            continue
        called: list[Any] = []
        callback = LambdaCallback(**{name: lambda *arguments, called=called: called.append(arguments)})
        hooks = CallbackList([callback])
        if "epoch" in name or "batch" in name:
            getattr(hooks, name)(3, {"a": 1})
            assert called == [(3, {"a": 1})], name
        else:
            getattr(hooks, name)({"a": 1})
            assert called == [({"a": 1},)], name


def test_the_older_names_of_the_batch_hooks() -> None:
    class Old(Callback):
        def __init__(self) -> None:
            super().__init__()
            self.batches: list[Any] = []

        def on_batch_end(self, batch: int, logs: Any = None) -> None:
            self.batches.append((batch, logs))

    old = Old()
    assert old.wants_batches
    train([old], [{"loss": 1.0}])
    assert old.batches == [(0, {"loss": 0.0}), (1, {"loss": 1.0})]


def test_who_wants_batches() -> None:
    class Batches(Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None: ...

    class Tests(Callback):
        def on_test_batch_end(self, batch: int, logs: Any = None) -> None: ...

    assert Batches().wants_batches
    assert LambdaCallback(on_train_batch_end=print).wants_batches
    assert ModelCheckpoint("x", save_freq=5).wants_batches
    for callback in (Tests(), Recorder(), History(), EarlyStopping(), ModelCheckpoint("x"), CSVLogger("x")):
        assert not callback.wants_batches, callback
    assert not LambdaCallback(on_epoch_end=print).wants_batches
    assert not ProgbarLogger().wants_batches
    assert CallbackList([History(), [Batches()]]).wants_batches
    assert not CallbackList([History()], add_progbar=True).wants_batches


def test_defaults_are_added_once() -> None:
    history, progbar = History(), ProgbarLogger()
    hooks = CallbackList([history, progbar], add_history=True, add_progbar=True)
    assert hooks.callbacks == [history, progbar]
    assert hooks.history is history
    assert hooks.progbar is progbar
    assert [type(c) for c in CallbackList(None, add_history=True, add_progbar=True).callbacks] == [
        History,
        ProgbarLogger,
    ]
    assert CallbackList(history).callbacks == [history]


def test_something_else_as_callback() -> None:
    with pytest.raises(TypeError, match=r"instances of Callback\. Received: <class"):
        CallbackList([EarlyStopping])
    with pytest.raises(TypeError, match="Received: 'early'"):
        CallbackList("early")


def test_what_a_callback_adds_to_the_logs_reaches_the_next_ones_only() -> None:
    def add(epoch: int, logs: Any) -> None:
        logs["rate"] = 0.5

    given = [{"loss": 1.0}]
    model = train([LambdaCallback(on_epoch_end=add)], given)
    assert model.history.history == {"loss": [1.0], "rate": [0.5]}
    assert given == [{"loss": 1.0}]


def test_history() -> None:
    history = History()
    model = train([history], [{"loss": 3.0}, {"loss": 2.0, "val_loss": 5.0}])
    assert model.history is history
    assert history.epoch == [0, 1]
    assert history.history == {"loss": [3.0, 2.0], "val_loss": [5.0]}
    train([history], [{"loss": 1.0}], model=model)
    assert history.epoch == [0]
    assert history.history["loss"] == [3.0, 2.0, 1.0]


def test_lambda_callback() -> None:
    seen: list[Any] = []
    train(
        [
            LambdaCallback(
                on_train_begin=lambda whatever: seen.append("begin"),
                on_epoch_end=lambda number, values: seen.append((number, (values or {})["loss"])),
                on_train_batch_end=lambda batch, logs: seen.append(batch),
                on_train_end=lambda logs: seen.append("end"),
            )
        ],
        [{"loss": 1.0}],
    )
    assert seen == ["begin", 0, 1, (0, 1.0), "end"]
    with pytest.raises(ValueError, match="Did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_ends=print)


# --- early stopping


@pytest.mark.parametrize(
    ("arguments", "losses", "epochs", "stopped", "best_epoch"),
    [
        # (what it is told, the val_loss of each epoch, epochs that are run, stopped_epoch, best_epoch)
        ({}, [3, 2, 2, 1], 3, 2, 1),
        ({"patience": 1}, [3, 2, 2, 1], 3, 2, 1),  # wait counts the epoch itself: 1 and 0 are alike, as in Keras
        ({"patience": 2}, [3, 2, 2.5, 2.5, 1], 4, 3, 1),
        ({"patience": 2}, [3, 2, 2.5, 1, 1], 5, 0, 3),
        ({"min_delta": 0.5}, [3, 2.6, 2], 2, 1, 0),
        ({"min_delta": -0.5}, [3, 2.6, 2], 2, 1, 0),  # its absolute value counts
        ({"patience": 1, "start_from_epoch": 2}, [1, 5, 4, 3, 6, 7], 5, 4, 3),
        ({"patience": 2, "baseline": 1.0}, [3, 2, 1.5, 1.4], 4, 0, 3),  # improves all the time, on the best if not on 1
        ({"patience": 2, "baseline": 1.0}, [3, 2, 2.5], 3, 2, 1),  # the third one in a row that is not below 1
        ({"patience": 1, "mode": "max"}, [1, 2, 3, 2, 4], 4, 3, 2),
        ({}, [math.nan, 1, 2], 3, 2, 1),  # never stops after the first epoch
        ({"patience": 2}, [math.nan, math.nan, 1, 2, 2], 2, 1, 0),
        ({"patience": 3}, [math.nan, 2, 1, math.nan, math.nan, math.nan], 6, 5, 2),
    ],
)
def test_early_stopping(
    arguments: dict[str, Any], losses: list[float], epochs: int, stopped: int, best_epoch: int
) -> None:
    early = EarlyStopping(restore_best_weights=True, **arguments)
    model = train([early], val_losses(*losses))
    assert len(model.history.epoch) == epochs
    assert early.stopped_epoch == stopped
    assert early.best_epoch == best_epoch
    assert model.weight == best_epoch, "the best weights are restored, stopped early or not"


def test_without_restoring_the_last_weights_stay() -> None:
    model = train([EarlyStopping(patience=1)], val_losses(1, 2, 3, 4))
    assert model.weight == 1


def test_a_second_training_starts_afresh() -> None:
    early = EarlyStopping(patience=1)
    assert len(train([early], val_losses(1, 2, 3)).history.epoch) == 2
    assert len(train([early], val_losses(9, 8, 7)).history.epoch) == 3


def test_early_stopping_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    train([EarlyStopping(patience=1, restore_best_weights=True, verbose=1)], val_losses(1, 2))
    assert capsys.readouterr().out == "Epoch 2: early stopping\nRestoring the weights of the best epoch, 1\n"


def test_a_name_that_is_not_in_the_logs() -> None:
    with pytest.warns(UserWarning, match="do not have 'val_loss'. Available: loss"):
        model = train([EarlyStopping()], [{"loss": 1.0}])
    assert not model.stop_training
    with pytest.warns(UserWarning, match="Available: loss"):
        model = train([ModelCheckpoint("x", save_best_only=True)], [{"loss": 1.0}], model=NoFiles())
    assert model.saved == [("model", "x")]


class NoFiles(Model):
    def save(self, path: str) -> None:
        self.saved.append(("model", path))


@pytest.mark.parametrize(
    ("monitor", "values", "epochs"),
    [
        ("loss", [3, 2, 1, 1], 4),
        ("val_loss", [3, 2, 1, 1], 4),
        ("val_accuracy", [1, 2, 3, 3], 4),
        ("acc", [1, 2, 3, 3], 4),
        ("mse", [3, 2, 1, 1], 4),
        ("val_mean_absolute_error", [3, 2, 1, 1], 4),
        ("val_gap", [3, 2, 1, 1], 4),  # a metric of the model, whose class says "down"
        ("accuracy", [3, 2, 1, 1], 2),
    ],
)
def test_mode_auto_goes_by_the_name(monitor: str, values: list[float], epochs: int) -> None:
    model = Model([MeanSquaredError(name="gap")])
    train([EarlyStopping(monitor)], [{monitor: value} for value in values], model=model)
    assert len(model.history.epoch) == epochs


def test_mode_auto_gives_up_on_unknown_names() -> None:
    with pytest.raises(ValueError, match="'val_score' does not tell whether more or less is better"):
        train([EarlyStopping("val_score")], [{"val_score": 1.0}])
    train([EarlyStopping("val_score", mode="max")], [{"val_score": 1.0}])


def test_an_unknown_mode_means_auto() -> None:
    with pytest.warns(UserWarning, match="unknown mode 'best'"):
        early = EarlyStopping(mode="best")
    assert len(train([early], val_losses(3, 2, 1)).history.epoch) == 3


# --- checkpoints


def test_checkpoint_after_every_epoch(tmp_path: Path) -> None:
    model = train([ModelCheckpoint(tmp_path / "new" / "{epoch:02d}-{val_loss:.2f}.fastnn")], val_losses(0.5, 0.25))
    assert [path for _, path in model.saved] == [
        str(tmp_path / "new" / "01-0.50.fastnn"),
        str(tmp_path / "new" / "02-0.25.fastnn"),
    ]
    assert (tmp_path / "new" / "02-0.25.fastnn").read_text() == "model"


@pytest.mark.parametrize(
    ("arguments", "values", "saved"),
    [
        ({}, [3, 4, 2, 2, 1], [1, 3, 5]),
        ({"mode": "max"}, [3, 4, 2, 5], [1, 2, 4]),
        ({"initial_value_threshold": 2.5}, [3, 4, 2, 2, 1], [3, 5]),
        ({}, [math.nan, 4, math.nan, 3], [2, 4]),
    ],
)
def test_save_best_only(tmp_path: Path, arguments: dict[str, Any], values: list[float], saved: list[int]) -> None:
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}", save_best_only=True, **arguments)
    assert [int(Path(path).name) for _, path in train([checkpoint], val_losses(*values)).saved] == saved


def test_save_weights_only(tmp_path: Path) -> None:
    model = train([ModelCheckpoint(tmp_path / "best", save_weights_only=True)], val_losses(1, 2))
    assert model.saved == [("weights", str(tmp_path / "best"))] * 2


def test_save_freq_counts_batches_across_epochs(tmp_path: Path) -> None:
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}-{batch}-{loss:.0f}", save_freq=3)
    model = train([checkpoint], val_losses(1, 2, 3), batches=4)
    # batches 3, 6, 9 and 12 of all, the loss being 10 * epoch + batch
    assert [Path(path).name for _, path in model.saved] == ["1-3-2", "2-2-11", "3-1-20", "3-4-23"]


def test_checkpoint_speaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m"
    train([ModelCheckpoint(path, save_best_only=True, verbose=1)], val_losses(2, 1, 3))
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch 1: val_loss improved from nothing to 2.00000, saving model to {path}",
        f"Epoch 2: val_loss improved from 2.00000 to 1.00000, saving model to {path}",
        "Epoch 3: val_loss did not improve from 1.00000",
    ]


def test_checkpoint_errors(tmp_path: Path) -> None:
    for frequency in ("batch", 0, -1, 1.5, True):
        with pytest.raises(ValueError, match="Received: save_freq="):
            ModelCheckpoint("m", save_freq=frequency)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match=r"'val_acc'\. Known: epoch, loss, val_loss"):
        train([ModelCheckpoint(tmp_path / "{val_acc}")], val_losses(1))
    with pytest.raises(IsADirectoryError, match="must name a file"):
        train([ModelCheckpoint(tmp_path)], val_losses(1))


# --- CSV


def read(path: Path, separator: str = ",") -> list[list[str]]:
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter=separator))


def test_csv_logger(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    train([CSVLogger(path)], val_losses(0.5, 0.25))
    assert read(path) == [["epoch", "loss", "val_loss"], ["0", "1.0", "0.5"], ["1", "1.0", "0.25"]]
    train([CSVLogger(path, append=True)], val_losses(0.125))
    assert read(path)[3:] == [["0", "1.0", "0.125"]]
    train([CSVLogger(path)], val_losses(2.0))
    assert read(path) == [["epoch", "loss", "val_loss"], ["0", "1.0", "2.0"]]


def test_csv_logger_appends_to_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    train([CSVLogger(path, separator=";", append=True)], [{"loss": 1.0, "b": "text, with comma"}])
    assert read(path, ";") == [
        ["epoch", "b", "loss", "val_b", "val_loss"],
        ["0", "text, with comma", "1.0", "NA", "NA"],
    ]


def test_csv_logger_keeps_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    train([CSVLogger(path)], [{"loss": 1.0}, {"loss": 0.5, "val_loss": 2.0, "extra": 1}, {"loss": np.array([1, 2])}])
    assert read(path) == [
        ["epoch", "loss", "val_loss"],
        ["0", "1.0", "NA"],
        ["1", "0.5", "2.0"],
        ["2", "[1, 2]", "NA"],
    ]


def test_csv_lines_are_on_disk_while_training_runs(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    lines: list[int] = []
    train(
        [CSVLogger(path), LambdaCallback(on_epoch_end=lambda e, logs: lines.append(len(read(path))))], val_losses(1, 2)
    )
    assert lines == [2, 3]
