"""Attributes of layers that are set after the layer has been built count, and mean what the constructor would make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn as keras
from fastnn import Sequential, activations, layers, regularizers

X = np.random.default_rng(0).normal(size=(4, 6, 6))

CHANGES: list[tuple[Any, str, Any, Any]] = [
    (lambda a: layers.Dense(3, activation=a), "activation", "relu", "tanh"),
    (lambda a: layers.Dense(3, activation=a), "activation", "softmax", None),
    (lambda a: layers.Dense(3, activation=a), "activation", "relu", activations.linear),
    (lambda a: layers.Conv1D(3, 2, activation=a), "activation", "relu", "elu"),
    (lambda a: layers.LSTM(3, activation=a), "activation", "relu", "tanh"),
    (lambda a: layers.GRU(3, recurrent_activation=a), "recurrent_activation", "sigmoid", "hard_sigmoid"),
    (lambda a: layers.LeakyReLU(a), "negative_slope", 0.5, 0.25),
    (lambda a: layers.LayerNormalization(epsilon=a), "epsilon", 1e-3, 1.0),
    (lambda a: layers.Activation(a), "activation", "relu", "gelu"),
    (lambda a: layers.Rescaling(a), "scale", 1.0, 2.0),
    (lambda a: layers.UnitNormalization(a), "axis", -1, 1),
]


def model_of(layer: layers.Layer) -> Sequential:
    return Sequential([layers.Input(X.shape[1:]), layer])


@pytest.mark.parametrize(("make", "name", "first", "second"), CHANGES)
def test_a_layer_is_as_if_it_had_been_made_so(make: Any, name: str, first: Any, second: Any) -> None:
    model, expected = model_of(make(first)), model_of(make(second))
    expected.set_weights(model.get_weights())
    before = model.predict(X, verbose=0)
    setattr(model.layers[-1], name, second)
    found = model.predict(X, verbose=0)
    np.testing.assert_array_equal(found, expected.predict(X, verbose=0))
    assert not np.array_equal(found, before)
    assert model.layers[-1].get_config()[name] == expected.layers[-1].get_config()[name]
    assert getattr(model.layers[-1], name) == getattr(expected.layers[-1], name)


def test_dropout_counts_in_the_training_that_is_going_on() -> None:
    dropped = layers.Dropout(0.0, seed=1)
    model = Sequential([layers.Input((50,)), dropped, layers.Dense(1, kernel_initializer="ones", trainable=False)])
    model.compile("sgd", "mse")
    x, y = np.ones((8, 50)), np.full((8, 1), 50.0)
    assert model.train_on_batch(x, y) == 0.0
    dropped.rate = 0.5
    assert model.train_on_batch(x, y) > 0.0
    dropped.rate = 0.0
    assert model.train_on_batch(x, y) == 0.0


def test_a_loss_sees_the_new_activation() -> None:
    model = Sequential([layers.Input((3,)), layers.Dense(2, "softmax", kernel_initializer="ones")])
    model.compile("sgd", "mse")
    x, y = np.ones((1, 3)), np.zeros((1, 2))
    assert np.isclose(model.evaluate(x, y, verbose=0), 0.25)
    model.layers[-1].activation = keras.activations.linear
    assert np.isclose(model.evaluate(x, y, verbose=0), 9.0)


def test_a_regularizer_counts() -> None:
    model = Sequential([layers.Input((3,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    x, y = np.ones((1, 3)), np.full((1, 1), 3.0)
    assert model.evaluate(x, y, verbose=0) == 0.0
    model.layers[0].kernel_regularizer = regularizers.L2(0.5)
    assert np.isclose(model.evaluate(x, y, verbose=0), 1.5)


def test_what_would_change_weights_is_refused_and_changes_nothing() -> None:
    model = Sequential([layers.Input(X.shape[1:]), layers.Dense(3), layers.LSTM(2), layers.Dropout(0.5)])
    before = model.predict(X, verbose=0)
    dense, lstm, dropout = model.layers
    for layer, name, value in (
        (dense, "units", 4), (dense, "use_bias", False), (dense, "activation", "r"), (lstm, "units", 4),
        (lstm, "return_sequences", True), (dropout, "rate", 1.5),
    ):  # fmt: skip
        kept = getattr(layer, name)
        with pytest.raises((ValueError, AttributeError)):
            setattr(layer, name, value)
        assert getattr(layer, name) == kept
    np.testing.assert_array_equal(model.predict(X, verbose=0), before)


def test_a_layer_that_is_not_built_takes_names_too() -> None:
    dense = layers.Dense(3)
    dense.activation = "tanh"  # type: ignore[assignment]
    assert dense.activation == activations.get("tanh")


def test_recurrent_layers_have_the_attributes_of_their_cells() -> None:
    lstm = layers.LSTM(3, dropout=0.25)
    assert lstm.dropout == 0.25 and lstm.activation == activations.tanh and lstm.use_bias is True
    with pytest.raises(AttributeError, match="'LSTM' object has no attribute 'drop'"):
        _ = lstm.drop


def test_a_file_holds_what_counts(tmp_path: Path) -> None:
    model = Sequential([layers.Input((6,)), layers.Dense(2, "relu")])
    model.layers[0].activation = "tanh"
    model.save(tmp_path / "m.fastnn")
    again = keras.models.load_model(tmp_path / "m.fastnn")
    np.testing.assert_array_equal(again.predict(X[0], verbose=0), model.predict(X[0], verbose=0))
