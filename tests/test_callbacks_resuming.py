"""Backups that continue with the same bits, moving averages in evaluations, and logs for TensorBoard."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnn import Sequential, callbacks, layers, optimizers
from fastnn.callbacks import BackupAndRestore, Callback, LambdaCallback, SwapEMAWeights, TensorBoard
from fastnn.layers import Dense, Dropout, Input

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3)).astype(np.float32)
Y = np.sin(X).astype(np.float32)


def model_for(optimizer: Any = "adam", seed: int = 1) -> Sequential:
    model = Sequential([layers.Input((3,)), layers.Dense(5, activation="tanh"), layers.Dense(3)])
    draw = np.random.default_rng(seed)
    model.set_weights([draw.normal(size=p.shape) for p in model.weights])
    model._seed = 99
    model.compile(optimizer, "mse")
    return model


class PowerCutError(Exception):
    """What interrupts the training."""


class Interrupt(Callback):
    """Ends the process, so to speak, after some number of batches."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            raise PowerCutError


def equal(a: Sequential, b: Sequential) -> bool:
    states = [[*m.get_weights(), *(v for slot in m.optimizer_state.values() for v in slot)] for m in (a, b)]
    return all(np.array_equal(x, y) for x, y in zip(*states)) and a.optimizer.steps == b.optimizer.steps  # type: ignore[union-attr]


@pytest.mark.parametrize("steps_per_epoch", [None, 3], ids=["whole", "steps"])
@pytest.mark.parametrize(("save_freq", "cut"), [("epoch", 12), ("epoch", 15), (1, 8), (2, 13), (4, 10)])
def test_a_continued_training_has_the_same_bits(
    tmp_path: Path, save_freq: Any, cut: int, steps_per_epoch: int | None
) -> None:
    options: dict[str, Any] = {
        "epochs": 6, "batch_size": 11, "verbose": 0, "steps_per_epoch": steps_per_epoch, "validation_split": 0.1,
    }  # fmt: skip
    unbroken = model_for()
    expected = unbroken.fit(X, Y, **options).history
    first = model_for()
    with pytest.raises(PowerCutError):
        first.fit(X, Y, callbacks=[BackupAndRestore(tmp_path / "b", save_freq), Interrupt(cut)], **options)
    second = model_for(seed=2)  # another process: other first weights, another seed
    second._seed = 5
    history = second.fit(X, Y, callbacks=[BackupAndRestore(tmp_path / "b", save_freq)], **options).history
    assert equal(unbroken, second)
    assert history["val_loss"] == expected["val_loss"][-len(history["val_loss"]) :]
    assert not (tmp_path / "b").exists()
    # and so does what comes afterwards
    assert unbroken.fit(X, Y, **options).history == second.fit(X, Y, **options).history


def test_the_learning_rate_is_restored(tmp_path: Path) -> None:
    def slower(epoch: int, logs: Any, model: Any) -> None:
        model.optimizer.learning_rate = 0.1 / (epoch + 1)

    backup = BackupAndRestore(tmp_path, delete_checkpoint=False)
    model = model_for("sgd")
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[
        LambdaCallback(on_epoch_end=lambda epoch, logs: slower(epoch, logs, model)), backup,
    ])  # fmt: skip
    again = model_for("sgd", seed=4)
    history = again.fit(X, Y, epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path, delete_checkpoint=False)])
    assert history.epoch == [] and again.optimizer.learning_rate == 0.05  # type: ignore[union-attr]
    assert equal(model, again)


def test_a_damaged_backup(tmp_path: Path) -> None:
    backup = BackupAndRestore(tmp_path, double_checkpoint=True, delete_checkpoint=False)
    unbroken, model = model_for(), model_for()
    unbroken.fit(X, Y, epochs=4, verbose=0)
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[backup])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup-2-0.fastnn", "backup-3-0.fastnn"]
    (tmp_path / "backup-3-0.fastnn").write_bytes(b"PK")
    again = model_for(seed=4)
    with pytest.warns(UserWarning, match="the last backup is left out: backup-3-0"):
        assert again.fit(X, Y, epochs=4, verbose=0, callbacks=[backup]).epoch == [2, 3]
    assert equal(unbroken, again)
    for path in tmp_path.iterdir():
        path.write_bytes(b"PK")
    with pytest.warns(UserWarning, match="left out"), pytest.raises(ValueError, match="damaged"):
        again.fit(X, Y, verbose=0, callbacks=[backup])


def test_a_backup_of_another_model_and_other_errors(tmp_path: Path) -> None:
    backup = BackupAndRestore(tmp_path, delete_checkpoint=False)
    model_for().fit(X, Y, verbose=0, callbacks=[backup])
    with pytest.raises(ValueError, match=r"expected a model with SGD.*Received: one with Adam"):
        model_for("sgd").fit(X, Y, verbose=0, callbacks=[backup])
    wider = Sequential([layers.Input((3,)), layers.Dense(6), layers.Dense(3)])
    wider.compile("adam", "mse")
    with pytest.raises(ValueError, match=r"must be float32 of shape"):
        wider.fit(X, Y, verbose=0, callbacks=[backup])
    with pytest.raises(ValueError, match="save_freq must be an integer"):
        BackupAndRestore(tmp_path, save_freq=0)
    with pytest.raises(ValueError, match="backup_dir must name a folder"):
        BackupAndRestore("")


def averaging() -> Any:
    return optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)


def test_validation_sees_the_averages() -> None:
    model, plain = model_for(averaging()), model_for(averaging())
    seen: list[list[np.ndarray]] = []
    history = model.fit(
        X, Y, epochs=2, verbose=0, validation_data=(X, Y), batch_size=10,
        callbacks=[SwapEMAWeights(), LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()))],
    ).history  # fmt: skip
    trained = plain.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), batch_size=10).history
    assert history["loss"] == trained["loss"]  # training does not notice
    assert history["val_loss"] != trained["val_loss"]
    # at the end the averages are the parameters, and the last validation has seen them
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), plain.get_weights()))
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(history["val_loss"][-1], rel=1e-6)
    assert any(not np.array_equal(a, b) for a, b in zip(seen[-1], model.get_weights()))


def test_averages_at_the_end_of_epochs() -> None:
    model, plain = model_for(averaging()), model_for(averaging())
    losses: list[float] = []

    def note(epoch: int, logs: Any) -> None:
        losses.append(float(np.square(model.predict(X, verbose=0) - Y).mean()))

    callbacks = [SwapEMAWeights(swap_on_epoch=True), LambdaCallback(on_epoch_end=note)]
    model.fit(X, Y, epochs=3, verbose=0, batch_size=10, callbacks=callbacks)
    plain.fit(X, Y, epochs=3, verbose=0, batch_size=10)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), plain.get_weights()))
    assert losses[-1] == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)


def test_averages_need_an_optimizer_that_keeps_them() -> None:
    model = model_for("sgd")
    with pytest.raises(ValueError, match=r"use_ema=True\. Received: SGD"):
        model.evaluate(X, Y, verbose=0, callbacks=[SwapEMAWeights()])


# --- TensorBoard


def test_tensorboard_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"pip install 'fastnn-cpu\[tensorboard\]'"):
        model_for().fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path)])


@pytest.mark.parametrize("option", ["write_images", "profile_batch", "embeddings_freq"])
def test_tensorboard_refuses(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} is not served. Received: {option}=2"):
        TensorBoard(**{option: 2})


def events(folder: Path) -> list[Any]:
    """The records of a folder's only file, by the format of TFRecord: length, checksum, data, checksum."""
    protocol = pytest.importorskip("tensorboardX.proto.event_pb2")
    (path,) = folder.iterdir()
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        found.append(protocol.Event.FromString(data[at + 12 : at + 12 + length]))
        at += 16 + length
    return found


def curves(folder: Path) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for event in events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_writes_curves(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    board = TensorBoard(tmp_path, histogram_freq=2, update_freq=2, write_steps_per_second=True)
    model = model_for()
    history = model.fit(X, Y, epochs=3, verbose=0, batch_size=10, validation_data=(X, Y), callbacks=[board]).history
    train, validation = curves(tmp_path / "train"), curves(tmp_path / "validation")
    assert np.allclose(list(train["epoch_loss"].values()), history["loss"])
    assert list(train["epoch_learning_rate"].values()) == pytest.approx([0.001] * 3)
    assert np.allclose(list(validation["epoch_loss"].values()), history["val_loss"])
    assert list(validation["evaluation_loss_vs_iterations"]) == [5, 10, 15]
    assert list(train["batch_loss"]) == [2, 4, 6, 8, 10, 12, 14]
    assert {"epoch_steps_per_second", "batch_steps_per_second"} <= set(train)
    assert {f"{p.name}/histogram" for p in model.weights} <= set(train)
    assert list(train[f"{model.weights[0].name}/histogram"]) == [0, 2]


def test_load_state_takes_everything_over(tmp_path: Path) -> None:
    """Slots that grow or are missing, compact ones, and the seeds of layers that draw."""

    def build(optimizer: Any) -> Any:
        model = Sequential([Input((3,)), Dropout(0.5), Dense(4), Dense(1)])
        model.compile(optimizer, "mse")
        return model

    x, y = np.random.default_rng(0).normal(size=(16, 3)), np.ones((16, 1))
    for make in (lambda: optimizers.SGD(0.1, 0.9), lambda: optimizers.Adafactor(0.1)):
        model = build(make())
        model.save(tmp_path / "begin.fastnn")
        model.fit(x, y, verbose=0, shuffle=False)
        model.save(tmp_path / "later.fastnn")
        model.fit(x, y, verbose=0, shuffle=False)
        other = build(make())
        other.fit(x, y, verbose=0)
        other.load_state(tmp_path / "later.fastnn")
        other.fit(x, y, verbose=0, shuffle=False)
        for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)
        other.load_state(tmp_path / "begin.fastnn")
        for _ in range(2):
            other.fit(x, y, verbose=0, shuffle=False)
        for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kind", ["checkpoint", "fields", "backup", "log"])
def test_a_folder_that_cannot_be_written_stops_the_training_before_it_begins(tmp_path, kind):
    file = tmp_path / "file"
    file.write_text("in the way")
    callback = {
        "checkpoint": lambda: callbacks.ModelCheckpoint(file / "m.fastnn"),
        "fields": lambda: callbacks.ModelCheckpoint(str(file / "deeper" / "m-{epoch}.fastnn"), save_best_only=True),
        "backup": lambda: BackupAndRestore(file / "deeper"),
        "log": lambda: callbacks.CSVLogger(file / "log.csv"),
    }[kind]()
    model = model_for()
    before = model.get_weights()
    with pytest.raises(OSError, match=r"(ModelCheckpoint|BackupAndRestore|CSVLogger).*Received: '.*file") as caught:
        model.fit(X, Y, verbose=0, callbacks=[callback])
    assert type(caught.value) in (NotADirectoryError, FileExistsError) and model.optimizer.iterations == 0
    for one, two in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, two)


def test_folders_are_made_and_nothing_is_left_in_them(tmp_path):
    model = model_for()
    seen: list[list[Path]] = []
    look = LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(list((tmp_path / "a").rglob("*"))))
    model.fit(X, Y, verbose=0, callbacks=[callbacks.ModelCheckpoint(tmp_path / "a" / "b" / "m-{epoch}.fastnn"), look])
    assert seen == [[tmp_path / "a" / "b"]] and (tmp_path / "a" / "b" / "m-1.fastnn").is_file()
