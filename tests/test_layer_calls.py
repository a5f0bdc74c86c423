"""Layers called with arrays, with initial states, and asked for their tensors: as in Keras's notebooks."""

from __future__ import annotations

import copy
import gc
import pickle

import numpy as np
import pytest
from graphs import X, dense, drawn, source

from fastnn import Input, Model, Sequential, layers
from fastnn.layers import Dense
from fastnn.models import model_from_json
from fastnn.testing import run_layer

RNG = np.random.default_rng(0)


# -------------------------------------------------------------------------------------------------------------- arrays


def test_a_layer_computes_with_arrays(backend):
    layer = dense(2, "tanh")
    found = layer(X)
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(found, np.tanh(X @ kernel + bias), rtol=1e-13)
    np.testing.assert_array_equal(layer(X[::2].astype(np.float32)), layer(X[::2].astype(np.float32).astype(float)))
    x = source(4)
    np.testing.assert_allclose(Model(x, layer(x)).predict(X, verbose=0), found, rtol=1e-13)  # the same weights


def test_arrays_of_all_kinds(backend):
    embedding = layers.Embedding(7, 2)
    np.testing.assert_array_equal(embedding(np.arange(6)), embedding.get_weights()[0][:6])
    pictures = np.arange(16, dtype=np.uint8).reshape(2, 2, 2, 2)
    np.testing.assert_array_equal(layers.Flatten()(pictures), pictures.reshape(2, 8))
    normalization = layers.Normalization(dtype="float64")
    normalization.adapt(X)
    np.testing.assert_allclose(normalization(X), (X - X.mean(0)) / X.std(0), rtol=1e-12)
    np.testing.assert_allclose(layers.Add(dtype="float64")([X, X, X]), 3 * X)
    np.testing.assert_allclose(layers.Rescaling(2.0)([[1, 2], [3, 4]]), [[2, 4], [6, 8]])  # a list of numbers
    sequence = RNG.normal(size=(2, 5, 3))
    lstm = layers.LSTM(4, return_state=True, dtype="float64")
    for one, two in zip(lstm(sequence), run_layer(lstm, sequence), strict=True):
        np.testing.assert_array_equal(one, two)
    attention = layers.MultiHeadAttention(2, 3, dtype="float64")
    output, scores = attention(sequence, sequence, return_attention_scores=True)
    assert output.shape == (2, 5, 3)
    np.testing.assert_allclose(scores.sum(-1), np.ones((2, 2, 5)), rtol=1e-12)


def test_what_is_given_back_is_the_callers(backend):
    """Identity, too, and the input stays what it was."""
    x = X.copy()
    y = layers.Identity(dtype="float64")(x)
    y[...] = 0
    np.testing.assert_array_equal(x, X)


def test_noise_on_request(backend):
    x = np.ones((50, 8))
    layer = layers.Dropout(0.5, seed=3, dtype="float64")
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=False), x)
    first, second = layer(x, training=True), layer(x, training=True)
    assert set(np.unique(first)) == {0.0, 2.0} and 0.4 < (first == 0).mean() < 0.6
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layers.Dropout(0.5, seed=3, dtype="float64")(x, training=True), first)
    assert 0.4 < layers.GaussianNoise(0.5, seed=1)(x, training=True).std() < 0.6


def test_batch_statistics_on_request(backend):
    layer = layers.BatchNormalization(dtype="float64", epsilon=0.0)
    found = layer(X, training=True)
    np.testing.assert_allclose(found, (X - X.mean(0)) / X.std(0), rtol=1e-10)
    np.testing.assert_allclose(layer.get_weights()[2], 0.01 * X.mean(0), rtol=1e-12)


def test_what_is_no_array_of_samples():
    layer = dense(2)
    for wrong in ("abc", None, 3.0, np.float64(3), np.array(["a"]), {"x": X}):
        with pytest.raises(TypeError, match=r"called with a symbolic tensor.*with an array of samples.*Received: "):
            layer(wrong)
    with pytest.raises(ValueError, match=r"expected samples.*Received: \[0\]"):
        layer(X[:0])
    with pytest.raises(ValueError, match=r"as many in every array. Received: \[30, 3\]"):
        layers.Add()([X, X[:3]])
    with pytest.raises(TypeError, match=r"called with a symbolic tensor, such as Input gives, or a list"):
        layers.Add()([X, source(4)])
    assert not layer.built
    layer(X)
    with pytest.raises(ValueError, match=r"was built for inputs of shape \(None, 4\). Received: \(None, 3\)"):
        layer(X[:, :3])


# ------------------------------------------------------------------------------------------------------ initial states


@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "LSTM"])
@pytest.mark.parametrize("both_ways", [False, True])
def test_initial_states_by_name(backend, kind, both_ways):
    layer = getattr(layers, kind)(3, dtype="float64")
    layer = layers.Bidirectional(layer) if both_ways else layer
    count = (2 if kind == "LSTM" else 1) * (2 if both_ways else 1)
    sequence, states = source(5, 2), [source(3) for _ in range(count)]
    given = [RNG.normal(size=(4, 5, 2)), *RNG.normal(size=(count, 4, 3))]
    listed = drawn(Model([sequence, *states], layer([sequence, *states])))
    named = Model([sequence, *states], layer(sequence, initial_state=states if count > 1 else states[0]))
    expected = listed.predict(given, verbose=0)
    np.testing.assert_array_equal(named.predict(given, verbose=0), expected)
    assert model_from_json(named.to_json()).input_shape == named.input_shape
    np.testing.assert_allclose(layer(given[0], initial_state=given[1:]), expected, rtol=1e-12)
    with pytest.raises(ValueError, match=r"behind the sequence or as initial_state. Received: both"):
        layer([sequence, *states], initial_state=states)


# -------------------------------------------------------------------------------------------------- tensors of layers


def test_features_of_a_stack(backend):
    model = drawn(Sequential([source(4), dense(5, "tanh", name="h"), dense(3, name="top")]))
    features = Model(model.inputs, model.get_layer("h").output)
    kernel, bias, *_ = model.get_weights()
    np.testing.assert_allclose(features.predict(X, verbose=0), np.tanh(X @ kernel + bias), rtol=1e-13)
    assert features.weights == model.get_layer("h").weights
    every = Model(model.input, [layer.output for layer in model.layers])
    np.testing.assert_array_equal(every.predict(X, verbose=0)[1], model.predict(X, verbose=0))
    model.compile("sgd", "mse")
    model.fit(X, np.ones((30, 3)), verbose=0)
    kernel, bias, *_ = model.get_weights()
    np.testing.assert_allclose(features.predict(X, verbose=0), np.tanh(X @ kernel + bias), rtol=1e-13)
    assert model.layers[0].input is model.input and model.layers[1].input is model.layers[0].output


def test_features_of_a_graph(backend):
    x = source(4, name="x")
    h = dense(5, "tanh", name="h")(x)
    model = drawn(Model(x, dense(2)(layers.concatenate([h, x]))))
    for net in (model, model_from_json(model.to_json())):
        net.set_weights(model.get_weights())
        features = Model(net.input, net.get_layer("h").output)
        np.testing.assert_array_equal(features.predict(X, verbose=0), Model(x, h).predict(X, verbose=0))
        assert features.weights[0] is net.weights[0]
    assert model.get_layer("h").output is h and model.get_layer("h").input is x
    joined = model.layers[2]
    assert joined.input == [h, x] and model.get_layer("x").output is x
    # the first call counts, as in Keras, and what cuts a graph is none
    model.get_layer("h")(source(4))
    Model([h, x], model.output)
    assert model.get_layer("h").output is h


def test_the_tensors_of_a_stack_are_those_of_its_layers_now():
    below, top = dense(5), dense(2)
    model = Sequential([source(4), below, top])
    first = below.output
    model.pop()
    assert model.output is below.output and below.output is not first
    with pytest.raises(AttributeError, match=rf"{top.name} has no output yet"):
        top.output  # noqa: B018
    del model
    gc.collect()
    with pytest.raises(AttributeError, match=r"has no input yet"):
        below.input  # noqa: B018


def test_layers_without_tensors():
    layer = Dense(2)
    with pytest.raises(AttributeError, match=r"has no output yet.*Received: a layer that was never called"):
        layer.output  # noqa: B018
    deferred = Sequential([layer])
    with pytest.raises(AttributeError, match=r"stands in a Sequential with an Input"):
        layer.input  # noqa: B018
    deferred.build((None, 3))
    assert layer.input is deferred.input and layer.output.shape == (None, 2)
    Input((3,))
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(twin.get_weights()[0], layer.get_weights()[0])
        assert not hasattr(twin, "output")
