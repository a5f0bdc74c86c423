"""Files in Keras's formats without Keras: what fastnn writes, one that Keras has made, and hostile ones."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from keras_zip import PARTS, at, changed, described, parts_of, refused, write

from fastnn import Model, Sequential, load_model, losses
from fastnn.layers import (
    GRU,
    LSTM,
    Activation,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    InstanceNormalization,
    Normalization,
    TimeDistributed,
    tensors,
)
from fastnn.optimizers import Adam, Nadam
from fastnn.saving import register_keras_serializable

h5py = pytest.importorskip("h5py")

MADE = Path(__file__).parent / "data" / "made_by_keras.keras.gz"
RNG = np.random.default_rng(5)


def trained():
    model = Sequential([Input((3,)), Dense(4, "relu", name="hidden"), Dropout(0.5, seed=1), Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(np.ones((4, 3)), [0, 1, 0, 1], verbose=0)
    return model


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "m.keras"
    trained().save(path)
    return parts_of(path)


# ------------------------------------------------------------------------------------------------------ made by Keras


def test_a_file_that_keras_made(tmp_path):
    """Keras 3.15 made it of a bidirectional GRU, a shared layer, a nested model, and one step of Adam."""
    path = tmp_path / "made.keras"
    path.write_bytes(gzip.decompress(MADE.read_bytes()))
    model = load_model(path)
    assert model.name == "made_by_keras" and model.optimizer.iterations == 1
    x, y = np.cos(np.arange(24.0)).reshape(4, 3, 2), np.arange(4.0)[:, None]
    expected = [0.8683921694755554, 0.7349162697792053, 0.5837484002113342, 0.4659654498100281]
    np.testing.assert_allclose(model.predict(x, verbose=0).ravel(), expected, rtol=1e-5)
    model.train_on_batch(x, y)  # with the moments of Keras's first step
    expected = [1.070110559463501, 0.9418938755989075, 0.7941368222236633, 0.6773999333381653]
    np.testing.assert_allclose(model.predict(x, verbose=0).ravel(), expected, rtol=1e-5)
    other = load_model(path, compile=False)
    assert not other.compiled
    other.set_weights([np.zeros(w.shape) for w in other.get_weights()])
    other.load_weights(path)
    assert any(w.any() for w in other.get_weights())


# ---------------------------------------------------------------------------------------------------- there and back


def pictures():
    return Sequential([Input((6, 6, 2)), Conv2D(3, 3), BatchNormalization(), Flatten(), Dense(2)]), (6, 6, 2)


def sequences():
    layers = [Input((5, 3)), Normalization(), Bidirectional(LSTM(4, return_sequences=True)), TimeDistributed(Dense(2))]
    return Sequential([*layers, GRU(2)]), (5, 3)


def nested():
    inner = Sequential([Input((4,)), Dense(4, "tanh"), Dense(4)], name="inner")
    x = Input((4,), name="x")
    a = inner(x)
    shared = Dense(3, name="shared")
    return Model(x, {"b": shared(inner(a)), "a": Concatenate()([shared(a), shared(x)])}), (4,)


def words():
    return Sequential([Input((4,)), Embedding(7, 3, mask_zero=True), LSTM(2)]), (4,)


@pytest.mark.parametrize("make", [pictures, sequences, nested, words])
def test_there_and_back(make, tmp_path):
    model, shape = make()
    x = RNG.integers(0, 7, (3, *shape)) if make is words else RNG.normal(size=(3, *shape))
    for weight in model.weights:
        weight.assign(RNG.uniform(0.1, 0.9, weight.shape).round(0 if weight.name.endswith("count") else 5))
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    expected, found = model.predict(x, verbose=0), again.predict(x, verbose=0)
    for key in expected if isinstance(expected, dict) else [...]:
        np.testing.assert_array_equal(found[key], expected[key])
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    model.save_weights(tmp_path / "w.weights.h5")
    for weight in again.weights:
        weight.assign(np.zeros(weight.shape))
    again.load_weights(tmp_path / "w.weights.h5")
    for a, b in zip(again.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("optimizer", [Adam(0.01, amsgrad=True), Nadam(0.01), "rmsprop", "sgd", "ftrl"])
def test_training_goes_on_with_the_same_bits(optimizer, tmp_path):
    x, y = RNG.normal(size=(8, 3)), RNG.integers(0, 2, 8)
    model = Sequential([Input((3,)), Dense(4, "relu"), Dense(2, "softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(x, y)
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert again.optimizer.iterations == 1 and again.optimizer.learning_rate == model.optimizer.learning_rate
    assert type(losses.get(again.loss)) is losses.SparseCategoricalCrossentropy
    for _ in range(3):
        assert model.train_on_batch(x, y) == again.train_on_batch(x, y)
    for a, b in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_the_layout_of_the_file(tmp_path):
    """The groups that Keras looks for."""
    model = Sequential([Input((5, 3)), Bidirectional(LSTM(4)), Dense(2, name="one"), Dense(1, name="two")])
    model.save(tmp_path / "m.keras")
    parts = parts_of(tmp_path / "m.keras")
    with h5py.File(io.BytesIO(parts["model.weights.h5"])) as file:
        assert file["layers/dense_1/vars/0"].shape == (2, 1) and file["layers/dense_1/vars"].attrs["name"] == "two"
        assert file["layers/bidirectional/backward_layer/cell/vars/1"].shape == (4, 16)
        assert set(file["layers"]) == {"bidirectional", "dense", "dense_1"}
    config = json.loads(parts["config.json"])
    assert config["class_name"] == "Sequential" and config["compile_config"] == {}
    assert config["config"]["layers"][0]["config"]["batch_shape"] == [None, 5, 3]
    initializer = config["config"]["layers"][2]["config"]["kernel_initializer"]
    assert initializer["module"] == "keras.initializers" and initializer["class_name"] == "GlorotUniform"


# -------------------------------------------------------------------------------------------------------- what is not


def test_what_keras_does_not_have(tmp_path):
    for layer, match in (
        (InstanceNormalization(), "InstanceNormalization"),
        (Dense(2, "leaky_relu", kernel_initializer="kaiming_uniform"), "no such activation|KaimingUniform"),
        (LSTM(2, stateful=True), "stateful"),
    ):
        model = Sequential([Input((4, 4)), layer])
        with pytest.raises(ValueError, match=match) as caught:
            model.save(tmp_path / "m.keras")
        assert "Received" in str(caught.value) and not list(tmp_path.iterdir())
    model = Sequential([Input((4,)), Dense(2)])
    for optimizer, loss, match in (
        ("rprop", "mse", "Rprop"),
        ("sgd", "smooth_l1", "SmoothL1"),
        (Adam(flavor="torch"), "mse", "flavor"),
    ):
        model.compile(optimizer, loss)
        with pytest.raises(ValueError, match=match):
            model.save(tmp_path / "m.keras")


def test_without_h5py(tmp_path, monkeypatch, good):
    path = write(tmp_path / "m.keras", good)
    monkeypatch.setitem(sys.modules, "h5py", None)
    model = trained()
    for call in (
        lambda: model.save(tmp_path / "n.keras"),
        lambda: model.save_weights(tmp_path / "n.weights.h5"),
        lambda: load_model(path),
        lambda: model.load_weights(path),
    ):
        with pytest.raises(ImportError, match=r"install fastnn-cpu\[keras\]"):
            call()
    assert not (tmp_path / "n.keras").exists()


def test_names_of_files(tmp_path):
    model = trained()
    for wrong in ("m.h5", "m.weights", ".weights.h5"):
        with pytest.raises(ValueError, match="must end in one of"):
            model.save_weights(tmp_path / wrong)
    model.save(tmp_path / "m.keras")
    with pytest.raises(FileExistsError):
        model.save(tmp_path / "m.keras", overwrite=False)


# ------------------------------------------------------------------------------------------------------------ hostile


def test_the_good_file_is_good(good, tmp_path):
    assert load_model(write(tmp_path / "m.keras", good)).optimizer.iterations == 1


def test_wrong_parts(good, tmp_path):
    path = tmp_path / "m.keras"
    refused(write(path, {}), "expected the parts")
    for name in PARTS[1:]:
        refused(write(path, {key: part for key, part in good.items() if key != name}), "expected the parts")
    refused(write(path, {**good, "../../etc/passwd": b"x"}), "expected the parts")
    refused(write(path, {**good, "assets/x.pkl": b"x"}), "expected the parts")
    refused(write(path, good, compression=zipfile.ZIP_DEFLATED), "compressed or encrypted")
    path.write_bytes(b"PK")
    refused(path)


def test_damaged_anywhere(good, tmp_path):
    """Every change is found, or leaves a model that works."""
    path, rng = tmp_path / "m.keras", np.random.default_rng(0)
    for name in PARTS[1:]:
        content = good[name]
        for length in rng.integers(0, len(content), 25):
            refused(write(path, {**good, name: content[:length]}))
        for place in rng.integers(0, len(content), 120):
            damaged = bytearray(content)
            damaged[place] ^= int(rng.integers(1, 256))
            try:
                found = load_model(write(path, {**good, name: bytes(damaged)}))
            except ValueError:
                refused(path)
            else:
                found.predict(np.ones((2, 3)), verbose=0)


def h5(fill, **options):
    stream = io.BytesIO()
    with h5py.File(stream, "w", **options) as file:
        fill(file)
    return stream.getvalue()


def rewritten(good, change):
    """The weights with something changed."""
    stream = io.BytesIO(good["model.weights.h5"])
    with h5py.File(stream, "r+") as file:
        change(file)
    return changed(good, weights=stream.getvalue())


def replaced(file, path, **options):
    del file[path]
    file.create_dataset(path, **options)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: replaced(f, "layers/dense/vars/0", data=np.zeros((3, 5), np.float32)), "must be float32 of shape"),
        (lambda f: replaced(f, "layers/dense/vars/0", data=np.zeros((3, 4))), "must be float32 of shape"),
        (lambda f: replaced(f, "layers/dense/vars/0", data="x"), "expected arrays of numbers"),
        (lambda f: replaced(f, "layers/dense/vars/0", shape=(3, 4), dtype="f4", chunks=(3, 4)), "stored as they are"),
        (
            lambda f: replaced(f, "layers/dense/vars/0", shape=(2**20, 2**20), dtype="f4", chunks=(64, 64)),
            "stored as they are",
        ),
        (lambda f: replaced(f, "layers/dense/vars/0", shape=(2**20, 2**20), dtype="f4"), "more bytes than the file"),
        (lambda f: f.__delitem__("layers/dense/vars/1"), "expected the variables"),
        (lambda f: f.create_dataset("layers/dense/vars/2", data=np.zeros(3)), "expected the variables"),
        (lambda f: f.create_dataset("layers/other/vars/0", data=np.zeros(3)), "expected the variables"),
        (lambda f: f.__setitem__("layers/x", h5py.ExternalLink("/etc/passwd", "/")), "expected no links"),
        (lambda f: f.__setitem__("layers/x", h5py.SoftLink("/layers")), "expected no links"),
        (lambda f: f.__setitem__("layers/x", f["layers"]), "groups within groups"),
        (lambda f: replaced(f, "optimizer/vars/0", data=np.float32(1)), "must be a number of steps"),
        (lambda f: replaced(f, "optimizer/vars/0", data=np.int64(-1)), "must be a number of steps"),
        (lambda f: replaced(f, "optimizer/vars/2", data=np.zeros(3, np.float32)), "optimizer/vars/2 must be"),
        (lambda f: f.__delitem__("optimizer/vars/3"), "numbered from 0"),
        (lambda f: f.create_dataset("optimizer/vars/10", data=np.zeros(3)), "variables of Adam"),
    ],
)
def test_weights_that_make_no_sense(good, tmp_path, change, match):
    refused(write(tmp_path / "m.keras", rewritten(good, change)), match)


def test_data_in_other_files_is_not_read(good, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(48))

    def change(file):
        outside = [(str(tmp_path / "secret"), 0, 48)]
        replaced(file, "layers/dense/vars/0", shape=(3, 4), dtype=np.float32, external=outside)

    refused(write(tmp_path / "m.keras", rewritten(good, change)), "stored as they are")

    def virtual(file):
        del file["layers/dense/vars/0"]
        layout = h5py.VirtualLayout((3, 4), np.float32)
        layout[...] = h5py.VirtualSource(str(tmp_path / "x.h5"), "x", (3, 4))
        file.create_virtual_dataset("layers/dense/vars/0", layout)

    refused(write(tmp_path / "m.keras", rewritten(good, virtual)), "stored as they are")


DENSE = ("config", "layers", 1)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda c: at(c, *DENSE).update(class_name="Lambda"), "Lambda"),
        (lambda c: at(c, *DENSE).update(class_name="MultiHeadAttention"), "MultiHeadAttention|units"),
        (lambda c: at(c, *DENSE).update(module="os", class_name="system", registered_name="os>system"), "os>system"),
        (lambda c: at(c, *DENSE).update(module="my.layers"), "must be registered"),
        (lambda c: at(c, *DENSE, "config").update(units=10**12), "expected the variables|must be float32"),
        (lambda c: at(c, *DENSE, "config").update(activation={"class_name": "__lambda__", "config": {}}), "code"),
        (lambda c: at(c, *DENSE, "config").update(activation="os.system"), "Unknown activation"),
        (lambda c: at(c, *DENSE, "config").update(lora_rank=2), "lora_rank is not served"),
        (lambda c: at(c, *DENSE, "config").update(nonsense=2), "nonsense"),
        (lambda c: at(c, *DENSE, "config").update(dtype="bfloat16"), "bfloat16"),
        (lambda c: c.update(class_name="MyModel", module="__main__", registered_name="mine>MyModel"), "mine>MyModel"),
        (lambda c: c.update(class_name="Dense"), "Dense"),
        (lambda c: at(c, "config", "layers", 0, "config").update(batch_shape=[None, None]), "needs to know the length"),
        (lambda c: at(c, "config", "layers", 0, "config").update(sparse=True), "dense input"),
        (lambda c: c["compile_config"].update(loss="os.system"), "Unknown loss"),
        (lambda c: c["compile_config"]["optimizer"].update(class_name="LossScaleOptimizer"), "LossScaleOptimizer"),
        (lambda c: c.update(compile_config={"nothing": 1}), "compile=False"),
    ],
)
def test_configs_that_make_no_sense(good, tmp_path, change, match):
    refused(write(tmp_path / "m.keras", described(good, change)), match)


STRANGE = [None, 3, -1, 1.5, "x", [], {}, [[]], True, float("nan")]
PLACES = [
    *(("class_name",), ("config",), ("compile_config",), ("config", "layers"), ("config", "name"), (*DENSE,)),
    *((*DENSE, name) for name in ("class_name", "config", "module", "registered_name")),
    *((*DENSE, "config", name) for name in ("units", "activation", "dtype", "name", "kernel_initializer", "trainable")),
    *(("compile_config", name) for name in ("optimizer", "loss", "metrics", "loss_weights")),
    *(("config", "layers", 0, "config", name) for name in ("batch_shape", "dtype", "name")),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: "-".join(map(str, place)))
def test_configs_with_strange_entries(good, tmp_path, place):
    """Each is refused, or is one that makes sense: then the model works."""
    *outer, last = place
    for value in STRANGE:
        path = write(tmp_path / "m.keras", described(good, lambda c, v=value: at(c, *outer).__setitem__(last, v)))
        try:
            model = load_model(path)
        except ValueError:
            refused(path)
        else:
            assert np.isfinite(model.predict(np.ones((2, 3)), verbose=0)).all()


def test_graphs_that_make_no_sense(tmp_path):
    x = Input((3,), name="x")
    Model(x, Dense(2, name="b")(Dense(3, name="a")(x))).save(tmp_path / "m.keras")
    good = parts_of(tmp_path / "m.keras")
    load_model(write(tmp_path / "m.keras", good))

    def history(config, layer):
        return at(config, "config", "layers", layer, "inbound_nodes", 0, "args", 0, "config")

    for change in (
        lambda c: history(c, 1).update(keras_history=["b", 0, 0]),  # a loop
        lambda c: history(c, 1).update(keras_history=["nobody", 0, 0]),
        lambda c: history(c, 2).update(keras_history=["a", 0, 7]),
        lambda c: history(c, 2).update(keras_history=["a", 7, 0]),
        lambda c: history(c, 2).update(keras_history=3),
        lambda c: at(c, "config", "layers", 1, "inbound_nodes", 0).update(args=[]),
        lambda c: at(c, "config", "layers", 1, "inbound_nodes", 0).update(kwargs={"alpha": 2}),
        lambda c: at(c, "config", "layers", 1, "inbound_nodes", 0).update(kwargs={"training": "yes"}),
        lambda c: c["config"].update(output_layers=["nobody", 0, 0]),
        lambda c: c["config"].update(input_layers=["a", 0, 0]),
        lambda c: c["config"].update(output_layers=[]),
        lambda c: c["config"].update(output_layers={"a": {"b": 3}}),
    ):
        refused(write(tmp_path / "m.keras", described(good, change)))


def test_nothing_is_allocated_for_a_description(good, tmp_path):
    huge = described(good, lambda c: at(c, *DENSE, "config").update(units=10**12))
    refused(write(tmp_path / "m.keras", huge), "must be float32 of shape")


def test_weight_files(good, tmp_path):
    model, path = trained(), tmp_path / "w.weights.h5"
    before = model.get_weights()
    content = good["model.weights.h5"]
    for damaged in (b"", content[:100], content[:-1], b"x" * 1000, h5(lambda file: None)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"w\.weights\.h5"):
            model.load_weights(path)
    for a, b in zip(model.get_weights(), before):
        np.testing.assert_array_equal(a, b)
    path.write_bytes(content)  # with the optimizer's variables, which are none of the weights
    model.load_weights(path)


# -------------------------------------------------------------------------------------------- what Keras cannot call


def test_calls_with_arguments_are_not_dropped(tmp_path):
    @register_keras_serializable("tests", name="Told")
    class Told(Dense):
        call_options = ("loud",)

        def compute_output_shape(self, input_shape, loud=False):
            return super().compute_output_shape(input_shape)

    x = Input((3,))
    model = Model(x, tensors.call(Told(2, name="told"), x, None, {"loud": True}))
    with pytest.raises(ValueError, match=r"told: calls with further arguments.*Received: \['loud'\]"):
        model.save(tmp_path / "m.keras")


def test_an_activation_that_keras_cannot_call_by_name(tmp_path):
    with pytest.raises(ValueError, match="Received: 'threshold'"):
        Sequential([Input((3,)), Activation("threshold")]).save(tmp_path / "m.keras")


@pytest.mark.parametrize("functional", [True, False])
def test_models_within_time_distributed(functional, tmp_path):
    a = Input((4,))
    inner = Model(a, Dense(2)(Dense(3)(a))) if functional else Sequential([Dense(3), Dense(2)])
    model = Sequential([Input((2, 3, 4)), TimeDistributed(TimeDistributed(inner))])
    model.save(tmp_path / "m.keras")
    x = RNG.normal(size=(2, 2, 3, 4))
    expected = model.predict(x, verbose=0)
    np.testing.assert_array_equal(load_model(tmp_path / "m.keras").predict(x, verbose=0), expected)
