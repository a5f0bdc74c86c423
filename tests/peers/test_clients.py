"""Other people's libraries train as before when a few of their methods are fastnn's; see client_adapters.py."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.datasets import digits
from peers import client_adapters

(X, Y), _ = digits.load_data()
X = X[:512].reshape(512, -1) / 16.0
Y = Y[:512].astype(np.int64)


def train_mlxtend():
    from mlxtend.classifier import MultiLayerPerceptron

    model = MultiLayerPerceptron(hidden_layers=[32], epochs=6, eta=0.005, minibatches=16, random_seed=1)
    model.fit(X, Y)
    return model.cost_, [model.w_["1"], model.b_["1"], model.w_["out"], model.b_["out"]]


def train_neuralnetlib(activation="relu"):
    from neuralnetlib import layers, models, optimizers

    model = models.Sequential(random_state=3)
    for layer in (
        layers.Input(64),
        layers.Dense(32, random_state=1),
        layers.Activation(activation),
        layers.Dense(10, random_state=2),
        layers.Activation("softmax"),
    ):
        model.add(layer)
    model.compile(loss_function="categorical_crossentropy", optimizer=optimizers.Adam(0.003))
    losses = []
    for at in range(0, 512, 32):
        losses.append(model.train_on_batch(X[at : at + 32], np.eye(10)[Y[at : at + 32]]))
    weights = [w for layer in model.layers if hasattr(layer, "weights") for w in (layer.weights, layer.bias)]
    return losses, weights


def train_tinynn(convolution, steps=10):
    from tinynn.core.layer import Conv2D, Dense, Flatten, MaxPool2D, ReLU
    from tinynn.core.loss import SoftmaxCrossEntropy
    from tinynn.core.model import Model
    from tinynn.core.net import Net
    from tinynn.core.optimizer import Adam

    np.random.seed(5)  # noqa: NPY002  (what its initializers draw from)
    images = [Conv2D([3, 3, 1, 6]), ReLU(), MaxPool2D([2, 2]), Flatten()] if convolution else []
    net = Net([*images, Dense(32), ReLU(), Dense(10)])
    model = Model(net, SoftmaxCrossEntropy(), Adam(0.003))
    x = X.astype(np.float32).reshape(-1, 8, 8, 1) if convolution else X.astype(np.float32)
    losses = []
    for at in range(0, 32 * steps, 32):
        targets = np.eye(10, dtype=np.float32)[Y[at : at + 32]]
        loss, grads = model.backward(model.forward(x[at : at + 32]), targets)
        losses.append(float(loss))
        model.apply_grads(grads)
    return losses, [np.asarray(w) for w in net.params.values]


def compare(name, train, **tolerance):
    pytest.importorskip(name)
    losses, weights = train()
    with getattr(client_adapters, name)():
        fast_losses, fast_weights = train()
    again, _ = train()
    np.testing.assert_array_equal(losses, again)  # nothing is left rebound
    np.testing.assert_allclose(fast_losses, losses, **tolerance)
    for fast, weight in zip(fast_weights, weights, strict=True):
        np.testing.assert_allclose(fast, weight, **{**tolerance, "atol": 10 * tolerance["atol"]})
    assert losses[-1] < losses[0]


def test_mlxtend():
    compare("mlxtend", train_mlxtend, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_neuralnetlib(activation):
    compare("neuralnetlib", lambda: train_neuralnetlib(activation), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("convolution", [False, True])
def test_tinynn(convolution):
    """In float32: rounding grows from step to step."""
    compare("tinynn", lambda: train_tinynn(convolution), rtol=1e-3, atol=1e-4)
