"""Model files: what goes in comes out, in this process and in another one, and a save is all or nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, load_model, losses, metrics, ops, optimizers
from fastnn.callbacks import CSVLogger, EarlyStopping, ModelCheckpoint
from fastnn.layers import Activation, Dense, Dropout, Flatten, Input

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(70, 2, 3)), RNG.integers(0, 4, 70)


def network(dtype="float32", optimizer=None):
    model = Sequential(
        [
            Input((2, 3), dtype=dtype),
            Flatten(),
            Dense(8, "relu", kernel_initializer="he_normal", dtype=dtype, name="first"),
            Dropout(0.3),
            Dense(6, ops.leaky_relu, use_bias=False, dtype=dtype),
            Activation("silu"),
            Dense(4, "softmax", dtype=dtype),
        ]
    )
    model.compile(optimizer or optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def equal(one, other):
    assert len(one.get_weights()) == len(other.get_weights())
    for a, b in zip(one.get_weights(), other.get_weights()):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes()


# ---------------------------------------------------------------------------------------------------------- round trip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_comes_back(backend, tmp_path, dtype):
    model = network(dtype)
    model.fit(X, Y, epochs=2, verbose=0)
    model.layers[1].trainable = False
    model.metadata = {"classes": ["a", "b"], "mean": 0.5}
    model.save(tmp_path / "m.fastnn")
    again = load_model(tmp_path / "m.fastnn")
    equal(model, again)
    assert again.name == model.name and again.metadata == model.metadata and again.seed == model.seed
    assert [layer.get_config() for layer in again.layers] == [layer.get_config() for layer in model.layers]
    assert again.layers[3].activation.params == (0.01,)  # that of fastnn.ops, not Keras's 0.2
    assert [p.name for p in again.trainable_weights] == [p.name for p in model.trainable_weights]
    assert again.optimizer.get_config() == model.optimizer.get_config() and again.optimizer.iterations == 6
    for slot in ("m", "v"):
        np.testing.assert_array_equal(again.runner.slot(slot), model.runner.slot(slot))
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.SGD(0.1),
        lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        lambda: optimizers.RMSprop(0.01),
        lambda: optimizers.Adam(0.01, weight_decay=0.01),
    ],
)
def test_a_training_that_is_resumed_is_the_same_training(backend, tmp_path, optimizer):
    """Bit for bit: shuffling, dropout, the optimizer's state and count, and the logs."""
    fastnn.utils.set_random_seed(1)
    whole = network(optimizer=optimizer())
    expected = whole.fit(X, Y, epochs=4, verbose=0).history
    fastnn.utils.set_random_seed(1)
    part = network(optimizer=optimizer())
    before = part.fit(X, Y, epochs=2, verbose=0).history
    part.save(tmp_path / "m.fastnn")
    fastnn.utils.set_random_seed(99)  # of no influence
    again = load_model(tmp_path / "m.fastnn")
    after = again.fit(X, Y, initial_epoch=2, epochs=4, verbose=0).history
    equal(again, whole)
    assert {name: before[name] + after[name] for name in expected} == expected


def test_resuming_from_a_checkpoint(tmp_path):
    fastnn.utils.set_random_seed(2)
    whole = network()
    path = tmp_path / "at-{epoch}.fastnn"
    whole.fit(X, Y, epochs=4, verbose=0, callbacks=[ModelCheckpoint(path)])
    again = load_model(tmp_path / "at-2.fastnn")
    again.fit(X, Y, initial_epoch=2, epochs=4, verbose=0)
    equal(again, whole)


CHILD = """
import sys, numpy as np
import fastnn
from fastnn import Sequential
from fastnn.layers import Dense
Sequential([Dense(3), Dense(3), Dense(3)])             # the names of the layers are taken here
model = fastnn.load_model(sys.argv[1])
x, y = np.load(sys.argv[2]).values()
model.fit(x, y, initial_epoch=2, epochs=3, verbose=0)
model.save(sys.argv[3])
model.add(Dense(2))                                    # gets a name of its own
np.save(sys.argv[4], model.predict(x, verbose=0))
"""


def test_another_process_goes_on(tmp_path):
    model = network()
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "m.fastnn")
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    files = [str(tmp_path / name) for name in ("m.fastnn", "data.npz", "again.fastnn", "out.npy")]
    subprocess.run([sys.executable, "-c", CHILD, *files], check=True, timeout=60)
    model.fit(X, Y, initial_epoch=2, epochs=3, verbose=0)
    equal(load_model(tmp_path / "again.fastnn"), model)
    assert np.load(tmp_path / "out.npy").shape == (70, 2)


def test_models_that_have_seen_less(tmp_path):
    """Compiled but not trained; not compiled; loaded without what compile said."""
    model = network()
    model.save(tmp_path / "a.fastnn")
    assert load_model(tmp_path / "a.fastnn").optimizer.iterations == 0
    bare = Sequential([Input((3,)), Dense(2)])
    bare.save(tmp_path / "b.fastnn")
    again = load_model(tmp_path / "b.fastnn")
    assert not again.compiled
    equal(again, bare)
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "c.fastnn")
    again = load_model(tmp_path / "c.fastnn", compile=False)
    assert not again.compiled
    equal(again, model)
    nothing = Sequential([Input((3,)), Activation("relu")])
    nothing.save(tmp_path / "d.fastnn")
    assert load_model(tmp_path / "d.fastnn").predict([[-1.0, 0, 1]], verbose=0).tolist() == [[0, 0, 1]]


def test_objects_of_compile_come_back(tmp_path):
    model = Sequential([Input((3,)), Dense(2, "softmax")])
    model.compile(
        optimizers.SGD(0.5, momentum=0.25),
        losses.CategoricalCrossentropy(label_smoothing=0.1),
        [metrics.CategoricalAccuracy(name="hits"), "mse"],
    )
    model.save(tmp_path / "m.fastnn")
    again = load_model(tmp_path / "m.fastnn")
    assert again.optimizer.momentum == 0.25
    x, y = np.ones((4, 3)), np.eye(2)[[0, 1, 0, 1]]
    logs = again.evaluate(x, y, verbose=0, return_dict=True)
    assert logs == model.evaluate(x, y, verbose=0, return_dict=True) and logs.keys() == {"loss", "hits", "mse"}


def test_functions_are_not_saved(tmp_path):
    def own(y_true, y_pred):
        return y_pred[:, 0]

    model = Sequential([Input((3,)), Dense(2)])
    model.compile("sgd", "mse", metrics=[own, "mae"])
    with pytest.warns(
        UserWarning, match=r"a metric that is a function or a class of your own is not saved.*Received: <function"
    ):
        model.save(tmp_path / "m.fastnn")
    logs = load_model(tmp_path / "m.fastnn").evaluate(np.ones((1, 3)), np.ones((1, 2)), verbose=0, return_dict=True)
    assert logs.keys() == {"loss", "mae"}
    model.compile(optimizers.SGD(lambda step: 0.1), "mse")
    with pytest.raises(ValueError, match=r"A function as learning rate has no config"):
        model.save(tmp_path / "n.fastnn")
    assert not (tmp_path / "n.fastnn").exists()
    model.compile("sgd", "mse")
    model.metadata = {"data": X}
    with pytest.raises(ValueError, match=r"must be what JSON can hold. Received:"):
        model.save(tmp_path / "n.fastnn")
    assert list(tmp_path.iterdir()) == [tmp_path / "m.fastnn"]


# ------------------------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("suffix", [".safetensors", ".fastnn"])
def test_weights_alone(tmp_path, suffix):
    model, twin = network(), network()
    path = tmp_path / f"w{suffix}"
    (model.save_weights if suffix == ".safetensors" else model.save)(path)
    assert [p.name for p in twin.weights] != [p.name for p in model.weights]  # numbered on: the order counts
    twin.load_weights(path)
    equal(model, twin)
    many = [Sequential([Input((2,)), *(Dense(2) for _ in range(12))]) for _ in range(2)]  # dense_9, dense_10, ...
    many[0].save_weights(tmp_path / "many.safetensors")
    many[1].load_weights(tmp_path / "many.safetensors")
    equal(*many)


def test_weights_of_something_else_change_nothing(tmp_path):
    model = network()
    before = model.get_weights()
    for number, other in enumerate(
        [
            Sequential([Input((3,)), Dense(2)]),
            Sequential([Input((2, 3)), Flatten(), Dense(8), Dense(6, use_bias=False), Dense(5)]),
            network("float64"),
        ]
    ):
        other.save_weights(tmp_path / f"{number}.safetensors")
        with pytest.raises(ValueError, match=f"{number}.safetensors: .*Received:"):
            model.load_weights(tmp_path / f"{number}.safetensors")
    for a, b in zip(model.get_weights(), before):
        np.testing.assert_array_equal(a, b)


def test_files_are_what_they_say(tmp_path):
    """A zip of JSON and safetensors that other tools read."""
    from safetensors.numpy import load

    model = network()
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.fastnn")
    with zipfile.ZipFile(tmp_path / "m.fastnn") as archive:
        assert archive.namelist() == ["model.json", "weights.safetensors", "optimizer.safetensors"]
        described = json.loads(archive.read("model.json"))
        arrays = load(archive.read("weights.safetensors"))
    assert described["class_name"] == "Sequential" and described["compiled"]["iterations"] == 3
    np.testing.assert_array_equal(arrays["first/kernel"], model.layers[1].kernel)


# -------------------------------------------------------------------------------------------------------------- saving


def test_names_and_places_of_files(tmp_path):
    model = network()
    for wrong in ("m.kers", "m", "m.FASTNN", "m.h5"):
        with pytest.raises(ValueError, match=r"must end in one of \['.fastnn', '.keras'\]. Received:"):
            model.save(tmp_path / wrong)
        with pytest.raises(ValueError, match=r"must end in one of"):
            load_model(tmp_path / wrong)
    with pytest.raises(ValueError, match=r"must end in one of \['.safetensors', '.weights.h5'\]"):
        model.save_weights(tmp_path / "w.fastnn")
    with pytest.raises(FileNotFoundError, match=r"no such folder. Received:"):
        model.save(tmp_path / "nowhere" / "m.fastnn")
    with pytest.raises(FileNotFoundError, match=r"no such file. Received:"):
        load_model(tmp_path / "m.fastnn")
    with pytest.raises(FileNotFoundError, match=r"no such file"):
        model.load_weights(tmp_path / "w.safetensors")
    (tmp_path / "folder.fastnn").mkdir()
    with pytest.raises(IsADirectoryError, match=r"Received: the folder"):
        model.save(tmp_path / "folder.fastnn")
    with pytest.raises(ValueError, match=r"expected a built model"):
        Sequential([Dense(3)]).save(tmp_path / "m.fastnn")
    model.save(str(tmp_path / "m.fastnn"))
    with pytest.raises(FileExistsError, match=r"pass overwrite=True"):
        model.save(tmp_path / "m.fastnn", overwrite=False)


@pytest.mark.skipif(not hasattr(__import__("os"), "symlink"), reason="no links here")
def test_a_link_stays_a_link_and_permissions_stay(tmp_path):
    real, link = tmp_path / "real.fastnn", tmp_path / "link.fastnn"
    network().save(real)
    real.chmod(0o640)
    link.symlink_to(real)
    model = network()
    model.save(link)
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o640
    equal(load_model(real), model)


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["os.replace", "os.fsync", "zipfile.ZipFile.writestr"])
def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch, where, failure):
    old, path = network(), tmp_path / "m.fastnn"
    old.save(path)
    content = path.read_bytes()

    def fail(*arguments, **options):
        raise failure

    monkeypatch.setattr(where, fail)
    with pytest.raises(type(failure)):
        network().save(path)
    monkeypatch.undo()
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]
    equal(load_model(path), old)


# ----------------------------------------------------------------------------------------------------------- callbacks


def test_best_weights_are_kept_and_restored(backend, tmp_path):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(40, 2, 3)), rng.integers(0, 4, 40)  # nothing to learn: validation gets worse
    model = network(optimizer=optimizers.Adam(0.05))
    stop = EarlyStopping(patience=3, restore_best_weights=True)
    keep = ModelCheckpoint(tmp_path / "best.fastnn", save_best_only=True)
    history = model.fit(
        x[:20], y[:20], epochs=60, verbose=0, validation_data=(x[20:], y[20:]),
        callbacks=[stop, keep, CSVLogger(tmp_path / "log.csv")],
    )  # fmt: skip
    values = history.history["val_loss"]
    best = int(np.argmin(values))
    assert len(values) == best + 4 < 60
    assert model.evaluate(x[20:], y[20:], verbose=0)[0] == values[best]
    equal(load_model(tmp_path / "best.fastnn"), model)
    lines = Path(tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == "epoch,accuracy,loss,val_accuracy,val_loss" and len(lines) == len(values) + 1
    assert float(lines[1].split(",")[4]) == values[0]
