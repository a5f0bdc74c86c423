"""`training=` of calls: layers that behave as in training in predictions, and `call` that decides by it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from graphs import dense, drawn, source

import fastnn
from fastnn import Input, Model, layers
from fastnn.testing import gradcheck_model

X = np.random.default_rng(0).normal(size=(64, 8))
RANDOM = {
    "dropout": lambda: layers.Dropout(0.3, dtype="float64"),
    "noise": lambda: layers.GaussianNoise(0.3, dtype="float64"),
    "gaussian dropout": lambda: layers.GaussianDropout(0.3, dtype="float64"),
    "alpha dropout": lambda: layers.AlphaDropout(0.3, dtype="float64"),
}
each = pytest.mark.parametrize("name", RANDOM)


@pytest.fixture(autouse=True)
def the_same_draws_every_time() -> None:
    fastnn.utils.set_random_seed(3)


@each
def test_a_model_called_for_training_draws_anew(backend, name):
    model = fastnn.Sequential([source(8), RANDOM[name](), dense(4)])
    model.seed = 5
    quiet = model(X, training=False)
    first, second = model(X, training=True), model(X, training=True)
    assert (first != second).any() and (first != quiet).any()
    np.testing.assert_array_equal(model(X), quiet)
    np.testing.assert_array_equal(model.predict(X, verbose=0), quiet)
    twin = fastnn.models.clone_model(model)
    twin.set_weights(model.get_weights())
    twin.seed = 5
    np.testing.assert_array_equal(twin(X, training=True), first)  # a function of the seed and the number of the call


@each
def test_layers_called_for_training_are_always_active(backend, name):
    x = source(8)
    model = Model(x, RANDOM[name]()(x, training=True))
    model.compile("sgd", "mse")
    first, second = model.predict(X, verbose=0), model.predict(X, verbose=0)
    assert (first != second).any() and (first != X).any() and (model(X) != model(X, training=False)).any()
    assert model.predict(X, batch_size=16, verbose=0).shape == X.shape
    losses = [model.evaluate(X, X, verbose=0) for _ in range(2)]
    assert losses[0] != losses[1] and min(losses) > 0
    assert (model.predict(X[:1], verbose=0) != model.predict(X[:1], verbose=0)).any()
    with pytest.raises(ValueError, match=r"freeze: .*training=True"):
        model.freeze()


def test_monte_carlo_dropout_has_the_mean_of_predictions():
    model = fastnn.Sequential([source(8), layers.Dropout(0.5, dtype="float64"), dense(2)])
    samples = np.stack([model(X, training=True) for _ in range(400)])
    scale = samples.std(axis=0) / 20
    assert (abs(samples.mean(axis=0) - model(X)) < 5 * scale).all() and (scale > 0).all()


def test_batch_normalization_moves_its_averages(backend):
    model = fastnn.Sequential([source(8), layers.BatchNormalization(momentum=0.9, dtype="float64")])
    found = model(X, training=True)
    mean, variance = X.mean(axis=0), X.var(axis=0)
    np.testing.assert_allclose(found, (X - mean) / np.sqrt(variance + 1e-3), rtol=1e-9, atol=1e-12)
    norm = model.layers[0]
    np.testing.assert_allclose(norm.moving_mean.value, 0.1 * mean, rtol=1e-9)
    np.testing.assert_allclose(norm.moving_variance.value, 0.9 + 0.1 * variance, rtol=1e-9)
    before = model.get_weights()
    model(X), model(X, training=False)
    np.testing.assert_array_equal(before, model.get_weights())
    norm.trainable = False  # as in Keras, it behaves as in inference then
    model(X, training=True)
    np.testing.assert_array_equal(before, model.get_weights())


def test_recurrent_dropout_and_nested_models(backend):
    inner = fastnn.Sequential([source(5, 8), layers.LSTM(4, dropout=0.5, recurrent_dropout=0.5, dtype="float64")])
    x = source(5, 8)
    always, never, usual = (Model(x, inner(x, training=mode)) for mode in (True, False, None))
    given = np.random.default_rng(1).normal(size=(6, 5, 8))
    assert (always(given) != always(given)).any()
    np.testing.assert_array_equal(never(given, training=True), never(given))
    np.testing.assert_array_equal(usual(given), never(given))
    assert (usual(given, training=True) != usual(given)).any()


def test_descriptions_and_files(tmp_path):
    x = Input((8,))
    model = Model(x, layers.Dropout(0.5)(layers.Dropout(0.5)(x, training=False), training=True))
    for again in (fastnn.models.model_from_json(model.to_json()), fastnn.models.clone_model(model)):
        assert (again(X) != again(X)).any()
    model.save(tmp_path / "model.fastnn")
    assert (fastnn.load_model(tmp_path / "model.fastnn")(X) == 0).mean() == pytest.approx(0.5, abs=0.1)


def test_threads_get_masks_of_their_own():
    model = fastnn.Sequential([source(8), layers.Dropout(0.5, dtype="float64")])
    found = []
    threads = [
        threading.Thread(target=lambda: found.extend(model(X, training=True).tobytes() for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == len(found) == 80


# -------------------------------------------------------------------------------------------------------- decisions


class Deciding(layers.Layer):
    """What Keras's guides write."""

    def __init__(self, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.dropout = dense(8, "tanh"), layers.Dropout(rate, seed=1, dtype="float64")

    def call(self, inputs, training=None):
        x = self.dense(inputs)
        if training:
            x = self.dropout(x, training=training)
        return x * 2.0


class DecidingModel(Model):
    def __init__(self):
        super().__init__()
        self.inner, self.dropout, self.head = Deciding(dtype="float64"), layers.Dropout(0.5, dtype="float64"), dense(3)

    def call(self, inputs, training=False):
        x = self.inner(inputs, training=training)
        if training:
            x = self.dropout(x)
        return self.head(x)


def test_layers_may_decide_by_training(backend):
    layer = Deciding(dtype="float64")
    model = drawn(fastnn.Sequential([source(8), layer, dense(2)]))
    w = model.get_weights()
    np.testing.assert_allclose(model(X), 2 * np.tanh(X @ w[0] + w[1]) @ w[2] + w[3], rtol=1e-9)
    inner = model.layers[0](X)
    shares = (model.layers[0](X, training=True) == 0).mean()
    np.testing.assert_allclose(inner, 2 * np.tanh(X @ w[0] + w[1]), rtol=1e-9)
    assert 0.4 < shares < 0.6
    assert (model(X, training=True) != model(X, training=True)).any()
    model.compile("adam", "mse")
    assert gradcheck_model(model, X, np.ones((64, 2))) <= 1
    model.seed = 1
    before = model.evaluate(X, X[:, :2], verbose=0)
    model.fit(X, X[:, :2], epochs=60, verbose=0)
    assert model.evaluate(X, X[:, :2], verbose=0) < before
    assert len(model.weights) == 4 and model.count_params() == 8 * 8 + 8 + 8 * 2 + 2


def test_models_may_decide_by_training(backend, tmp_path):
    model = DecidingModel()
    model.build((None, 8))
    drawn(model)
    w = model.get_weights()
    np.testing.assert_allclose(model(X), 2 * np.tanh(X @ w[0] + w[1]) @ w[2] + w[3], rtol=1e-9)
    assert (model(X, training=True) != model(X)).any()
    model.compile("adam", "mse")
    model.fit(X, X[:, :3], epochs=2, verbose=0)
    model.summary(print_fn=lambda text: None)
    with pytest.raises(ValueError, match=r"decides by training cannot be described"):
        model.save(tmp_path / "model.fastnn")
    model.save_weights(tmp_path / "w.safetensors")
    twin = DecidingModel()
    twin.build((None, 8))
    twin.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(twin(X), model(X))


def test_both_ways_give_the_same_shapes():
    class Odd(layers.Layer):
        def call(self, inputs, training=None):
            return inputs[:, 1:] if training else inputs

    with pytest.raises(ValueError, match=r"of the same shapes in both modes"):
        Odd()(source(8))
