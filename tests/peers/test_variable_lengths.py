"""Models with unknown lengths against Keras: the same shapes, outputs and trainings, length after length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastnn

keras = pytest.importorskip("keras")
pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def tagger(k: Any) -> Any:
    """Bidirectional LSTMs over words, with a mask."""
    x = k.Input((None,), dtype="int32")
    y = k.layers.Embedding(20, 6, mask_zero=True)(x)
    y = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(y)
    return k.Model(x, k.layers.Dense(3, activation="softmax")(y))


def classifier(k: Any) -> Any:
    """A transformer block, and the mean over the words."""
    x = k.Input((None,), dtype="int32")
    y = k.layers.Embedding(20, 8)(x)
    y = k.layers.LayerNormalization()(k.layers.Add()([y, k.layers.MultiHeadAttention(2, 4)(y, y)]))
    return k.Model(x, k.layers.Dense(3, activation="softmax")(k.layers.GlobalAveragePooling1D()(y)))


def convolutional(k: Any) -> Any:
    """Fully convolutional, down and up again."""
    layers = k.layers
    return k.Sequential([
        k.Input((None, None, 3)), layers.Conv2D(4, 3, padding="same", activation="relu"), layers.MaxPooling2D(2),
        layers.ZeroPadding2D(1), layers.Conv2D(4, 3, activation="relu"), layers.UpSampling2D(2),
        layers.Conv2D(2, 1, activation="softmax"),
    ])  # fmt: skip


def encoder_decoder(k: Any) -> Any:
    """Sequence to sequence with the right answers as input, as in teacher forcing."""
    a, b = k.Input((None, 5), name="source"), k.Input((None, 4), name="target")
    _, h, c = k.layers.LSTM(6, return_state=True)(a)
    y = k.layers.LSTM(6, return_sequences=True)(b, initial_state=[h, c])
    return k.Model([a, b], k.layers.Dense(4, activation="softmax")(y))


MODELS = {"tagger": tagger, "classifier": classifier, "convolutional": convolutional, "seq2seq": encoder_decoder}


def data(name: str, length: int) -> tuple[Any, np.ndarray]:
    random = np.random.default_rng(length)
    if name == "convolutional":
        x = random.normal(size=(4, 2 * length, 4, 3)).astype("float32")
        return x, random.integers(0, 2, (4, 2 * length, 4))
    if name == "seq2seq":
        x = [random.normal(size=(4, n, m)).astype("float32") for n, m in ((length, 5), (length + 2, 4))]
        return x, random.integers(0, 4, (4, length + 2))
    x = random.integers(1, 20, (4, length))
    if name == "tagger":
        x[:2, -2:] = 0
    return x, random.integers(0, 3, (4, length) if name == "tagger" else (4,))


@pytest.mark.parametrize("name", MODELS)
def test_shapes_outputs_and_training(name):
    ours, theirs = MODELS[name](fastnn), MODELS[name](keras)
    assert [tuple(t.shape) for t in ours.outputs] == [tuple(t.shape) for t in theirs.outputs]
    assert ours.count_params() == theirs.count_params()
    ours.set_weights(theirs.get_weights())
    for model in (ours, theirs):
        model.compile("adam", "sparse_categorical_crossentropy")
    for length in (5, 8, 6):
        x, y = data(name, length)
        np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
        if name == "convolutional":  # whose way back PyTorch refuses here, for the order of the gradient in memory
            continue
        ours.train_on_batch(x, y)
        theirs.train_on_batch(x, y)
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_files(name, tmp_path):
    pytest.importorskip("h5py")
    theirs = MODELS[name](keras)
    theirs.save(tmp_path / "theirs.keras")
    ours = fastnn.models.load_model(tmp_path / "theirs.keras")
    ours.save(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras")
    for length in (5, 8):
        x, _ = data(name, length)
        expected = theirs.predict(x, verbose=0)
        np.testing.assert_allclose(ours.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(again.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_means_over_batches_of_different_lengths():
    ours, theirs = tagger(fastnn), tagger(keras)
    ours.set_weights(theirs.get_weights())
    found = []
    for model in (ours, theirs):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        batches = [tuple(np.maximum(part, 1 - i) for i, part in enumerate(data("tagger", n))) for n in (5, 8, 6)]
        logs = model.evaluate((batch for batch in batches), verbose=0, return_dict=True)
        found.append([logs["loss"], logs["accuracy"]])
    np.testing.assert_allclose(*found, rtol=1e-5)
