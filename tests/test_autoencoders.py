"""Autoencoders, corrupted inputs, tied weights, stacks of both: arithmetic, gradients, statistics, the six steps."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import Model, Sequential
from fastnn.datasets import digits
from fastnn.layers import Dense, Input, MaskingNoise, SaltAndPepperNoise, TiedDense
from fastnn.layers.registry import deserialize, serialize
from fastnn.testing import gradcheck_model
from fastnn.unsupervised import Autoencoder, DenoisingAutoencoder, StackedAutoencoder


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(scope="module")
def data():
    (x, y), (x_test, y_test) = digits.load_data()
    return *(a.reshape(len(a), -1).astype("float32") / 16 for a in (x, x_test)), y, y_test


# --------------------------------------------------------------------------------------------------------- tied weights


def tied(activation="tanh", dtype="float64", **options):
    code = Dense(3, activation=activation, dtype=dtype, name="code")
    return Sequential([Input((5,), dtype=dtype), code, TiedDense(code, activation=activation, dtype=dtype, **options)])


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_tied_layer_uses_the_kernel_turned_around(backend):
    model = tied()
    x = np.random.default_rng(0).normal(size=(4, 5))
    model.layers[1].bias.assign(np.arange(5.0))
    w, b = model.layers[0].kernel.value, model.layers[0].bias.value
    with fastnn.use_backend(backend):
        found = model.predict(x, verbose=0)
    np.testing.assert_allclose(found, np.tanh(np.tanh(x @ w + b) @ w.T + np.arange(5)), rtol=1e-12)
    assert model.count_params() == 5 * 3 + 3 + 5
    assert [p.shape for p in model.weights] == [(5, 3), (3,), (5,)]


@pytest.mark.parametrize("activation", ["tanh", "gelu", "softmax", None])
@pytest.mark.parametrize("use_bias", [True, False])
def test_gradients_of_tied_weights(activation, use_bias):
    model = tied(activation, use_bias=use_bias)
    rng = np.random.default_rng(0)
    model.compile("sgd", "mse")
    assert gradcheck_model(model, rng.normal(size=(4, 5)), rng.normal(size=(4, 5))) <= 1


def test_tied_layers_over_the_last_axis_of_sequences():
    code = Dense(3, dtype="float64")
    model = Sequential([Input((2, 5), dtype="float64"), code, TiedDense(code, activation="sigmoid", dtype="float64")])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 2, 5))
    w = code.kernel.value
    np.testing.assert_allclose(model.predict(x, verbose=0), sigmoid(x @ w @ w.T), rtol=1e-12)
    model.compile("sgd", "mse")
    assert gradcheck_model(model, x, rng.normal(size=(4, 2, 5))) <= 1


def test_tied_models_train_alike_on_both_backends_and_are_saved(tmp_path):
    x = np.random.default_rng(0).random((30, 5))
    weights = []
    start = tied().get_weights()
    for backend in ("native", "reference"):
        with fastnn.use_backend(backend):
            model = tied()
            model.set_weights(start)
            model.compile("adam", "mse")
            model.fit(x, x, epochs=3, batch_size=8, shuffle=False, verbose=0)
            weights.append(model.get_weights())
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9)
    model.save(tmp_path / "tied.fastnn")
    loaded = fastnn.load_model(tmp_path / "tied.fastnn")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert loaded.layers[1].kernel is loaded.layers[0].kernel
    x_in = Input((5,), dtype="float64")
    code = Dense(3, dtype="float64", name="here")
    graph = Model(x_in, TiedDense(code, dtype="float64")(code(x_in)))
    again = Model.from_config(graph.get_config())
    assert again.layers[-1].kernel is again.layers[-2].kernel


def test_tied_layers_say_what_is_missing():
    code = Dense(3)
    with pytest.raises(ValueError, match="ahead of it"):
        TiedDense(code).build_once((3,))
    with pytest.raises(TypeError, match="Dense"):
        TiedDense(fastnn.layers.Flatten())
    code.build_once((5,))
    with pytest.raises(ValueError, match="3 values"):
        TiedDense(code).build_once((4,))
    with pytest.raises(ValueError, match="dtype"):
        TiedDense(code, dtype="float64").build_once((3,))
    with pytest.raises(ValueError, match="keeps the shape"):
        TiedDense(code, activation="glu")
    alone = Sequential([Input((3,)), TiedDense(code)])
    with pytest.raises(ValueError, match="elsewhere"):
        alone.get_config()
    config = tied().get_config()
    config["layers"][1]["config"]["name"] = "other"
    with pytest.raises(ValueError, match="'code'"):
        Sequential.from_config(config)


# ----------------------------------------------------------------------------------------------------- corrupted inputs


def corrupted(noise, level, x, seed=3, backend=None, threads=1):
    with fastnn.num_threads(threads):
        return DenoisingAutoencoder(4, noise, level, seed=seed, backend=backend, dtype=x.dtype.name).corrupt(x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_share_of_corrupted_elements(dtype, level):
    x = np.full((400, 500), 0.5, dtype)
    n, spread = x.size, 5 * np.sqrt(level * (1 - level) / x.size)
    masked = corrupted("masking", level, x)
    assert set(np.unique(masked)) == {0.0, 0.5} and abs((masked == 0).mean() - level) < spread
    noisy = corrupted("salt_and_pepper", level, x)
    assert set(np.unique(noisy)) == {0.0, 0.5, 1.0} and abs((noisy != 0.5).mean() - level) < spread
    assert abs((noisy == 0).mean() - level / 2) < spread and abs((noisy == 1).mean() - level / 2) < spread
    gaussian = corrupted("gaussian", level, x).astype(float) - 0.5
    assert abs(gaussian.mean()) < 5 * level / np.sqrt(n) and abs(gaussian.std() / level - 1) < 0.01
    # neighbours know nothing of each other
    assert abs(np.corrcoef(masked[:, :-1].ravel(), masked[:, 1:].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("noise", ["gaussian", "masking", "salt_and_pepper"])
def test_noise_is_the_same_on_both_backends_and_any_number_of_threads(noise):
    x = np.random.default_rng(0).random((300, 333)).astype("float32")
    one = corrupted(noise, 0.3, x)
    np.testing.assert_array_equal(one, corrupted(noise, 0.3, x, threads=2))
    np.testing.assert_allclose(one, corrupted(noise, 0.3, x, backend="reference"), atol=2e-6)
    assert not np.array_equal(one, corrupted(noise, 0.3, x, seed=4))
    coder = DenoisingAutoencoder(4, noise, 0.3, seed=3)
    assert not np.array_equal(coder.corrupt(x), coder.corrupt(x))
    np.testing.assert_array_equal(corrupted(noise, 0.0, x), x)


@pytest.mark.parametrize("layer", [MaskingNoise(0.4, seed=1), SaltAndPepperNoise(0.4, -1.0, 2.0, seed=2)])
def test_noise_layers_have_gradients_and_do_nothing_at_inference(layer):
    copy = deserialize(serialize(type(layer).from_config({**layer.get_config(), "dtype": "float64"})))
    assert copy.get_config() == {**layer.get_config(), "dtype": "float64"}
    model = Sequential([Input((6,), dtype="float64"), Dense(6, dtype="float64"), copy, Dense(2, dtype="float64")])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 6))
    model.compile("sgd", "mse")
    assert gradcheck_model(model, x, rng.normal(size=(5, 2))) <= 1
    plain = Sequential([model.layers[0], model.layers[2]])
    np.testing.assert_array_equal(model.predict(x, verbose=0), plain.predict(x, verbose=0))


@pytest.mark.parametrize("kind", [MaskingNoise, SaltAndPepperNoise])
def test_rates_of_noise_are_checked(kind):
    for wrong in (-0.1, 1.0, "much", True):
        with pytest.raises(ValueError, match="rate"):
            kind(wrong)


# --------------------------------------------------------------------------------------------------------- autoencoders


@pytest.mark.parametrize("tied_weights", [False, True])
def test_an_autoencoder_learns_to_reconstruct(data, tied_weights):
    x, x_test = data[:2]
    coder = Autoencoder([48, 24], "relu", tied=tied_weights, epochs=12, seed=0).fit(x, validation_data=x_test)
    assert set(coder.history) == {"loss", "val_loss"} and len(coder.history["loss"]) == 12
    mean = np.mean((x_test - x.mean(axis=0)) ** 2)
    assert -coder.score(x_test) < 0.45 * mean
    codes = coder.encode(x_test)
    assert codes.shape == (len(x_test), 24)
    np.testing.assert_array_equal(coder.decode(codes), coder.reconstruct(x_test))
    np.testing.assert_array_equal(coder.transform(x_test), codes)
    np.testing.assert_allclose(coder.model.predict(x_test, verbose=0), coder.reconstruct(x_test), atol=1e-6)
    assert coder.reconstruction_error(x_test).shape == (len(x_test),)
    layers = coder.to_layers()
    again = Sequential([Input((64,)), *layers, *coder.decoders()])
    np.testing.assert_allclose(again.predict(x_test, verbose=0), coder.reconstruct(x_test), atol=1e-5)
    if tied_weights:
        assert coder.model.count_params() == 64 * 48 + 48 * 24 + 48 + 24 + 48 + 64
        np.testing.assert_array_equal(coder.decoders()[1].kernel.value, coder.encoder.layers[0].kernel.value.T)


def test_a_seed_repeats_an_autoencoder(data):
    x = data[0][:200]
    for kind in (Autoencoder, DenoisingAutoencoder, StackedAutoencoder):
        one, two, other = (kind([8], epochs=2, seed=s).fit(x).reconstruct(x) for s in (1, 1, 2))
        np.testing.assert_array_equal(one, two)
        assert not np.array_equal(one, other)


def test_a_linear_autoencoder_finds_the_principal_components(data):
    x = data[0] - data[0].mean(axis=0)
    coder = Autoencoder(6, None, None, epochs=60, seed=0, batch_size=64, optimizer=fastnn.optimizers.Adam(0.003)).fit(x)
    values = np.linalg.svd(x, compute_uv=False) ** 2
    best = values[6:].sum() / x.size
    assert best <= coder.reconstruction_error(x).mean() < 1.02 * best


def test_denoising_gives_back_what_was_there(data):
    x, x_test = data[:2]
    options = {"epochs": 15, "seed": 0, "activation": "relu"}
    coder = DenoisingAutoencoder(96, "masking", 0.4, **options).fit(x)
    plain = Autoencoder(96, **options).fit(x)
    noisy = coder.corrupt(x_test)
    error = np.mean((coder.reconstruct(noisy) - x_test) ** 2)
    assert error < 0.6 * np.mean((noisy - x_test) ** 2) and error < 0.8 * np.mean(
        (plain.reconstruct(noisy) - x_test) ** 2
    )
    assert [type(layer).__name__ for layer in coder.encoder.layers] == ["Dense"]
    np.testing.assert_allclose(coder.model.predict(x_test, verbose=0), coder.reconstruct(x_test), atol=1e-6)


def test_a_regularizer_makes_codes_sparse(data):
    x = data[0][:500]
    free = Autoencoder(32, "relu", epochs=10, seed=0).fit(x).encode(x)
    sparse = Autoencoder(32, "relu", epochs=10, seed=0, code_regularizer=fastnn.regularizers.L1(1e-3)).fit(x).encode(x)
    assert sparse.mean() < 0.6 * free.mean()


def test_the_six_steps(data):
    x, x_test, y, y_test = data
    stacked = StackedAutoencoder([32, 16], noise="gaussian", level=0.1, epochs=5, seed=0).fit(x)  # 1 to 3
    first, second = stacked.autoencoders
    assert set(stacked.history) == {"loss_1", "loss_2"}
    np.testing.assert_array_equal(stacked.encode(x_test), second.encode(first.encode(x_test)))
    np.testing.assert_array_equal(stacked.decode(stacked.encode(x_test)), stacked.reconstruct(x_test))
    layers = stacked.to_layers()  # 4
    assert [layer.units for layer in layers] == [32, 16]
    model = stacked.classifier(10)  # 5
    inner = Sequential([Input((64,)), *model.layers[:-1]])
    np.testing.assert_allclose(inner.predict(x_test, verbose=0), stacked.encode(x_test), atol=1e-6)
    assert model.layers[-1].activation.name == "softmax"
    rate = fastnn.optimizers.Adam(0.01)
    tuned = stacked.fine_tune(x, y, optimizer=rate, epochs=10, validation_data=(x_test, y_test))  # 6
    assert tuned.history.history["val_accuracy"][-1] > 0.9
    np.testing.assert_allclose(inner.predict(x_test, verbose=0), stacked.encode(x_test), atol=1e-6)
    unrolled = stacked.to_autoencoder()
    np.testing.assert_allclose(unrolled.predict(x_test, verbose=0), stacked.reconstruct(x_test), atol=1e-5)
    assert [layer.units for layer in unrolled.layers] == [32, 16, 32, 64]
    codes = stacked.encoder.predict(x_test, verbose=0)
    np.testing.assert_allclose(stacked.decoder.predict(codes, verbose=0), stacked.reconstruct(x_test), atol=1e-5)
    assert stacked.score(x_test) == pytest.approx(-np.mean((stacked.reconstruct(x_test) - x_test) ** 2), rel=1e-5)


def test_parameters_are_copied_and_changed():
    stacked = StackedAutoencoder([4], tied=True)
    again = StackedAutoencoder(**stacked.get_params())
    assert again.get_params() == stacked.get_params()
    assert stacked.set_params(epochs=3).epochs == 3
    optimizer = fastnn.optimizers.SGD(0.1)
    Autoencoder(2, optimizer=optimizer, epochs=1).fit(np.eye(4))
    assert optimizer.steps == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Autoencoder([]), "at least one"),
        (lambda: Autoencoder([3, 0]), "units"),
        (lambda: Autoencoder(3, activation="rleu"), "relu"),
        (lambda: Autoencoder(3, epochs=-1), "epochs"),
        (lambda: Autoencoder(3, backend="none"), "backend"),
        (lambda: DenoisingAutoencoder(3, "maskin"), "masking"),
        (lambda: DenoisingAutoencoder(3, "masking", 1.5), "rate"),
        (lambda: StackedAutoencoder([3], noise="salt"), "salt_and_pepper"),
        (lambda: Autoencoder(3).encode([[1.0]]), "fit first"),
        (lambda: StackedAutoencoder([3]).encode([[1.0]]), "fit first"),
        (lambda: StackedAutoencoder([3]).to_layers(), "fit first"),
        (lambda: Autoencoder(3, epochs=1).fit([[np.inf, 1.0]]), "finite"),
        (lambda: Autoencoder(3, epochs=1).fit([[0.5, 1.0]]).fine_tune([[0.5, 1.0]], [0.5]), "labels"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_the_page_runs():
    page = (Path(__file__).parents[1] / "docs/unsupervised.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(code, names)
    assert len(names["layers"]) == 2


@pytest.mark.parametrize("kind", [Autoencoder, DenoisingAutoencoder, StackedAutoencoder])
def test_no_epochs_give_the_network_as_it_begins(kind):
    x = np.random.default_rng(0).random((20, 6))
    one, two = (kind([4, 3], epochs=0, seed=0).fit(x, verbose=0) for _ in range(2))
    assert one.encode(x).shape == (20, 3)
    np.testing.assert_array_equal(one.reconstruct(x), two.reconstruct(x))
    assert not any(one.history.values())
    assert not np.array_equal(one.reconstruct(x), kind([4, 3], epochs=1, seed=0).fit(x).reconstruct(x))


@pytest.mark.parametrize("changed", [{"activation": "relu"}, {"units": 9}, {"dtype": "float64"}], ids=str)
def test_parameters_count_from_the_next_fit_on(changed):
    x = np.random.default_rng(0).random((20, 6)).astype("float32")
    coder = Autoencoder(4, epochs=1, seed=0).fit(x)
    codes, again, errors = coder.encode(x), coder.reconstruct(x), coder.reconstruction_error(x)
    coder.set_params(**changed)
    (layer,) = coder.to_layers()
    assert layer.activation.name == "sigmoid"
    assert list(coder.get_feature_names_out()) == [f"autoencoder{i}" for i in range(4)]
    np.testing.assert_array_equal(coder.encode(x), codes)
    np.testing.assert_array_equal(coder.reconstruct(x), again)
    np.testing.assert_array_equal(coder.reconstruction_error(x), errors)
    coder.fit(x)
    assert coder.encode(x).shape == (20, changed.get("units", 4))
    assert coder.to_layers()[0].activation.name == changed.get("activation", "sigmoid")
    assert coder.encode(x).dtype == changed.get("dtype", "float32")


def test_the_layer_on_top_is_of_any_kind():
    rng = np.random.default_rng(0)
    x = rng.random((40, 6)).astype("float32")
    y = (x[:, 0] > 0.5).astype(int)
    for coder in (Autoencoder(4, epochs=0, seed=0).fit(x), StackedAutoencoder([4], epochs=0, seed=0).fit(x)):
        for refused in ({"classes": 1, "loss": "mse"}, {}):
            with pytest.raises(ValueError, match="softmax wants two classes"):
                coder.fine_tune(x, y if refused else np.zeros(40, int), **refused)
        binary = coder.fine_tune(x, y, classes=1, activation="sigmoid", loss="binary_crossentropy", epochs=1)
        assert binary.layers[-1].activation.name == "sigmoid"
        options = {"classes": 1, "activation": None, "loss": "mse", "metrics": (), "optimizer": "sgd", "epochs": 20}
        numbers = coder.fine_tune(x, 5 * x[:, :1], **options)
        assert numbers.predict(x, verbose=0).max() > 1.5
        losses = numbers.history.history["loss"]
        assert losses[-1] < 0.5 * losses[0]
        assert coder.fine_tune(x, y, epochs=1).layers[-1].activation.name == "softmax"


@pytest.mark.parametrize("kind", [Autoencoder, DenoisingAutoencoder, StackedAutoencoder])
def test_errors_say_it_once(kind):
    for arguments in ({"units": 0}, {"epochs": -1}, {"batch_size": 0}):
        ((name, value),) = arguments.items()
        where = "Autoencoder" if kind is StackedAutoencoder and name != "units" else kind.__name__
        with pytest.raises(ValueError, match=rf"^{where}: {name} must .* Received: {name}={value}$"):
            kind(**arguments)


def test_score_of_a_belief_network_is_its_reconstruction_error():
    x = np.random.default_rng(0).random((30, 6))
    network = fastnn.unsupervised.DBN([5, 3], epochs=1, seed=0).fit(x)
    assert network.score(x) == pytest.approx(-np.mean((x - network.reconstruct(x)) ** 2), rel=1e-5)


def test_data_that_the_output_cannot_reach_are_warned_of():
    x = np.random.default_rng(0).normal(size=(30, 6))
    with pytest.warns(UserWarning, match="output_activation=None"):
        Autoencoder([4], epochs=1, seed=0).fit(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Autoencoder([4], epochs=1, seed=0, output_activation=None).fit(x)
        Autoencoder([4], epochs=1, seed=0).fit(np.clip(x, 0, 1))
