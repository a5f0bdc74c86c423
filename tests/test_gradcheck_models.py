"""gradcheck(model, x, y): it accepts all kinds of models that are right, and names the weight that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Model, Sequential, losses, regularizers
from fastnn.layers import (
    LSTM,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Layer,
    Masking,
    MaxPooling2D,
)
from fastnn.testing import gradcheck, gradcheck_model

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _float64():
    fastnn.config.set_floatx("float64")
    yield
    fastnn.config.set_floatx("float32")


def randomised(model, seed=1, size=0.7):
    rng = np.random.default_rng(seed)
    for parameter in model.trainable_weights:
        parameter.assign(size * rng.normal(size=parameter.shape))
    return model


class Swish(Layer):
    """y = x sigmoid(slope x); `error` spoils the gradient of the slope in one place."""

    def __init__(self, error=0.0, **kwargs):
        super().__init__(**kwargs)
        self.error = error

    def build(self, input_shape):
        self.slope = self.add_weight("slope", input_shape[1:], "ones")

    def forward(self, x, kept):
        kept["gate"] = 1 / (1 + np.exp(-self.slope.value * x))
        return x * kept["gate"]

    def backward(self, dy, x, kept):
        gate = kept["gate"]
        inner = x * gate * (1 - gate)
        slope = (dy * x * inner).sum(axis=0)
        slope[1] += self.error
        return dy * (gate + self.slope.value * inner), slope


def custom(error=0.0):
    model = Sequential([Input((3,)), Dense(4, "tanh", name="first"), Swish(error, name="own"), Dense(2, name="last")])
    randomised(model).compile("sgd", "mse")
    return model, RNG.normal(size=(5, 3)), RNG.normal(size=(5, 2))


def several():
    a, b = Input((3,), name="a"), Input((4,), name="b")
    shared = Dense(3, "tanh", name="shared")
    left, right = shared(a), Dense(3, "sigmoid")(b)
    joined = Concatenate()([Add()([left, right]), shared(left)])
    model = Model([a, b], {"kind": Dense(3, "softmax", name="kind")(joined), "size": Dense(1, name="size")(joined)})
    randomised(model).compile("sgd", {"kind": "sparse_categorical_crossentropy", "size": "mse"}, loss_weights=[1, 0.3])
    x = {"a": RNG.normal(size=(4, 3)), "b": RNG.normal(size=(4, 4))}
    return model, x, {"kind": np.array([0, 1, 2, 1]), "size": RNG.normal(size=(4, 1))}


def masked():
    model = Sequential([Input((5, 2)), Masking(0.0), LSTM(3, return_sequences=True), Dense(2)])
    randomised(model).compile("sgd", "mse")
    x = RNG.normal(size=(3, 5, 2))
    x[0, 3:], x[2, 1:] = 0, 0
    return model, x, RNG.normal(size=(3, 5, 2))


def embedded():
    model = Sequential([Input((4,)), Embedding(6, 3, mask_zero=True), LSTM(3), Dense(1, "sigmoid")])
    randomised(model).compile("sgd", "binary_crossentropy")
    return model, np.array([[1, 2, 0, 0], [5, 5, 3, 0], [4, 1, 2, 3]]), np.array([0, 1, 1])


def image():
    layers = [Conv2D(2, 3, activation="tanh"), BatchNormalization(), MaxPooling2D(), Flatten(), Dense(3)]
    model = Sequential([Input((6, 6, 1)), *layers])
    randomised(model).compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True))
    return model, RNG.normal(size=(4, 6, 6, 1)), np.array([0, 2, 1, 0])


def regularised():
    layers = [
        Dense(4, "tanh", kernel_regularizer=regularizers.L1L2(0.01, 0.02), bias_regularizer="l2"),
        Dropout(0.4, seed=3),
        Dense(2, activity_regularizer=regularizers.L2(0.1)),
    ]
    model = Sequential([Input((3,)), *layers])
    randomised(model).compile("sgd", "huber")
    return model, RNG.normal(size=(5, 3)), RNG.normal(size=(5, 2))


MODELS = {f.__name__: f for f in (custom, several, masked, embedded, image, regularised)}


@pytest.mark.parametrize("name", MODELS)
def test_right_models_pass(backend, name):
    model, x, y = MODELS[name]()
    before = model.get_weights()
    result = gradcheck(model, x, y, rtol=1e-5, atol=1e-7)
    assert 0 < result <= 1
    assert [weight.name for weight in result.weights] == [weight.name for weight in model.trainable_weights]
    assert sum(weight.checked for weight in result.weights) == sum(w.size for w in model.trainable_weights)
    assert not result.kinks
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_sample_weights_and_frozen_layers():
    model, x, y = custom()
    model.layers[0].trainable = False
    result = gradcheck(model, x, y, np.array([1.0, 0.0, 2.0, 0.5, 1.0]), rtol=1e-5)
    assert [weight.name for weight in result.weights] == ["own/slope", "last/kernel", "last/bias"]


@pytest.mark.parametrize("error", [1.0, 1e-5])
def test_the_wrong_weight_is_named(error):
    model, x, y = custom(error)
    with pytest.raises(AssertionError, match=r"own/slope is wrong at 1 of 4 elements, worst at \(1,\)"):
        gradcheck(model, x, y)
    result = gradcheck(model, x, y, raises=False)
    assert [(weight.name, weight.wrong) for weight in result.weights if weight.wrong] == [("own/slope", 1)]
    bad = next(weight for weight in result.weights if weight.wrong)
    assert bad.absolute == pytest.approx(error, rel=1e-3) and bad.worst == (1,)
    assert bad.received - bad.expected == pytest.approx(error, rel=1e-3)
    assert result > 1 and "own/slope" in str(result)


def test_a_wrong_backward_spoils_the_layers_below():
    class Doubled(Layer):
        def forward(self, x):
            return x.copy()

        def backward(self, dy):
            return 2 * dy

    model = Sequential([Input((3,)), Dense(2, name="below"), Doubled(), Dense(2, name="above")])
    randomised(model).compile("sgd", "mse")
    with pytest.raises(AssertionError, match=r"below/"):
        gradcheck(model, RNG.normal(size=(4, 3)), np.ones((4, 2)))
    result = gradcheck(model, RNG.normal(size=(4, 3)), np.ones((4, 2)), raises=False)
    assert {weight.name for weight in result.weights if weight.wrong} == {"below/kernel", "below/bias"}
    assert all(weight.relative == pytest.approx(0.5, rel=1e-4) for weight in result.weights if weight.wrong)


def test_kinks_are_counted_not_judged():
    model = Sequential([Input((2,)), Dense(2, "relu", name="hidden"), Dense(1)])
    model.compile("sgd", "mse")
    kernel = np.array([[1.0, -0.5], [1.0, 0.5]])
    model.set_weights([kernel, np.zeros(2), np.array([[1.0], [2.0]]), np.zeros(1)])
    x, y = np.array([[1.0, -1.0], [0.5, 1.0]]), np.ones((2, 1))  # unit 0 gets exactly 0 from the first sample
    result = gradcheck(model, x, y)
    assert result <= 1
    assert [weight.kinks for weight in result.weights] == [2, 1, 0, 0]
    model.layers[0].bias.assign([1e-6, 0.0])  # within the step: smaller steps avoid it
    assert gradcheck(model, x, y) <= 1 and gradcheck(model, x, y).kinks == 0


def test_some_elements_of_large_weights():
    model, x, y = custom()
    result = gradcheck(model, x, y, elements=2, rtol=1e-5)
    assert {weight.checked for weight in result.weights} == {2}


def test_what_is_refused():
    model, x, y = custom()
    with pytest.raises(TypeError, match="Received: dy or names"):
        gradcheck(model, x, y, names=["a"])
    with pytest.raises(TypeError, match="only a model has"):
        gradcheck(np.sin, [x], lambda dy, x: dy * np.cos(x), raises=False)
    fastnn.config.set_floatx("float32")
    small = Sequential([Input((3,)), Dense(1)])
    small.compile("sgd", "mse")
    with pytest.raises(TypeError, match="Received: float32"):
        gradcheck_model(small, x, y[:, :1])
