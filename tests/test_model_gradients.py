"""Gradients of whole models by central differences, and the check itself."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, activations, losses, optimizers
from fastnn.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, Input
from fastnn.ops.gates import GATES
from fastnn.testing import gradcheck_model

ACTIVATIONS = [*activations.ROWS, *activations.ROW_WISE]
# loss, from which outputs: any numbers, probabilities of classes, or numbers between 0 and 1
LOSSES = {
    "mse": (losses.MeanSquaredError(), "any"),
    "mae": (losses.MeanAbsoluteError(), "any"),
    "bce of logits": (losses.BinaryCrossentropy(from_logits=True), "any"),
    "bce, smoothed": (losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2), "any"),
    "cce of logits": (losses.CategoricalCrossentropy(from_logits=True), "any"),
    "cce, smoothed": (losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2), "any"),
    "scce of logits": (losses.SparseCategoricalCrossentropy(from_logits=True), "any"),
    "bce": (losses.BinaryCrossentropy(), "sigmoid"),
    "cce": (losses.CategoricalCrossentropy(), "softmax"),
    "scce": (losses.SparseCategoricalCrossentropy(), "softmax"),
}


def targets(loss, n, classes=3):
    labels = np.arange(n) % classes
    return labels if loss.kernel().target == "labels" else np.eye(classes)[labels]


def random_net(*stack, shape=(4,), seed=1):
    """The layers with random weights and biases: no unit sits on a kink."""
    model = Sequential([Input(shape, dtype="float64"), *stack])
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=p.shape) for p in model.weights])
    return model


def dense(units, activation=None, **options):
    return Dense(units, activation, dtype="float64", **options)


X = np.random.default_rng(0).normal(size=(5, 4))


@pytest.mark.filterwarnings("ignore:.*from_logits=True, but the last layer")  # which is meant here
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_with_every_loss(backend, activation, loss):
    """In the hidden layer, and in the last one where the loss takes what comes out of it."""
    function, wants = LOSSES[loss]
    y = targets(function, len(X))
    output = None if wants == "any" else wants
    halved = 2 if activation in GATES else 1  # a gate takes two columns for one
    hidden = random_net(dense(3 * halved, activation), dense(3, output))
    hidden.compile("sgd", function)
    assert gradcheck_model(hidden, X, y) <= 1
    if wants in ("any", activation):
        last = random_net(dense(3, "tanh"), dense(3 * halved, activation))
        last.compile("sgd", function)
        assert gradcheck_model(last, X, y, rtol=1e-5) <= 1


@pytest.mark.parametrize("loss", ["bce", "cce", "scce"])
def test_probabilities_that_are_not_fused(backend, loss):
    """A layer behind the softmax hides it: the loss clips probabilities, which matters only near 0 and 1."""
    function, output = LOSSES[loss]
    model = random_net(dense(3, output), Flatten())
    model.compile("sgd", function)
    assert gradcheck_model(model, X, targets(function, len(X))) <= 1


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight"])
@pytest.mark.parametrize("weights", [None, [0.5, 2, 0, 1, 3]])
def test_weights_and_reductions(backend, reduction, weights):
    for kind in (losses.MeanSquaredError, losses.BinaryCrossentropy):
        function = kind(reduction=reduction)
        model = random_net(dense(3, "tanh"), dense(3))
        model.compile("sgd", function)
        assert gradcheck_model(model, X, targets(function, len(X)), weights) <= 1


def test_ignored_labels(backend):
    model = random_net(dense(3))
    for weights in (None, [0.5, 2, 0, 1, 3]):
        for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight"):
            function = losses.SparseCategoricalCrossentropy(True, ignore_class=2, reduction=reduction)
            model.compile("sgd", function)
            assert gradcheck_model(model, X, np.arange(5) % 3, weights) <= 1


def test_dropout_layers_and_more_axes(backend):
    x = np.random.default_rng(2).normal(size=(3, 2, 4))
    model = random_net(
        dense(5, "silu"), Dropout(0.4, seed=1), Activation("elu"), Flatten(), dense(3, "gelu", use_bias=False),
        Dropout(0.2), dense(4, "softmax"), shape=(2, 4),
    )  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert gradcheck_model(model, x, [0, 3, 1]) <= 1
    steps = random_net(dense(5, "tanh"), dense(2, "softmax"), shape=(2, 4))  # one prediction for each of two steps
    steps.compile("adam", "sparse_categorical_crossentropy")
    assert gradcheck_model(steps, x, [[0, 1], [1, 1], [0, 0]], [[1, 2], [0, 1], [1, 1]]) <= 1


def test_frozen_layers_are_left_out(backend):
    model = random_net(dense(3, "tanh", name="a"), dense(3, "tanh", name="b"), dense(3, name="c"))
    model.compile("sgd", "mse")
    for frozen in ("a", "b", "c"):
        for layer in model.layers:
            layer.trainable = layer.name != frozen
        assert gradcheck_model(model, X, np.ones((5, 3))) <= 1


# ---------------------------------------------------------------------------------------------------- the check itself


def test_the_check_changes_nothing():
    model = random_net(dense(3, "tanh"), dense(3, "softmax"))
    model.compile(optimizers.Adam(0.1), "sparse_categorical_crossentropy")
    model.fit(X, [0, 1, 2, 0, 1], epochs=2, verbose=0)
    before, slots = model.get_weights(), model.runner.slot("m").copy()
    gradcheck_model(model, X, [0, 1, 2, 0, 1])
    for a, b in zip(model.get_weights(), before):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.runner.slot("m"), slots)
    assert model.optimizer.iterations == 2


def test_the_check_finds_a_wrong_gradient(monkeypatch):
    """The reference's sigmoid with a derivative that is 1 % off."""
    from fastnn.reference import kernels

    right = kernels.bias_backward

    def wrong(row, dy, kept, dz, db, params):
        right(row, dy * 1.01 if row == "sigmoid" else dy, kept, dz, db, params)

    monkeypatch.setattr(kernels, "bias_backward", wrong)
    model = random_net(dense(3, "sigmoid", name="first"), dense(3, name="second"))
    model.compile("sgd", "mse")
    with fastnn.use_backend("reference"), pytest.raises(AssertionError, match=r"gradient of first/kernel is wrong"):
        gradcheck_model(model, X, np.ones((5, 3)))


def test_the_check_wants_float64_and_a_loss():
    model = Sequential([Input((4,)), Dense(3)])
    with pytest.raises(ValueError, match=r"expected a compiled model"):
        gradcheck_model(model, X, np.ones((5, 3)))
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"dtype float64.*set_floatx.*Received: float32"):
        gradcheck_model(model, X, np.ones((5, 3)))


def test_gradients_of_a_model(backend):
    """Against the formula of linear regression; nothing of the model has changed afterwards."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    model = random_net(dense(2), shape=(3,))
    model.compile(optimizers.SGD(0.1, momentum=0.9), "mse")
    kernel, bias = before = model.get_weights()
    residual = 2 * (x @ kernel + bias - y) / y.size
    found = model.gradients(x, y)
    np.testing.assert_allclose(found[0], x.T @ residual, rtol=1e-12)
    np.testing.assert_allclose(found[1], residual.sum(0), rtol=1e-12)
    for now, then in zip(model.get_weights(), before):
        np.testing.assert_array_equal(now, then)
    found[0][:] = 0  # an array of one's own
    np.testing.assert_allclose(model.gradients(x, y)[0], x.T @ residual, rtol=1e-12)


def test_gradients_leave_moving_statistics_alone(backend):
    model = random_net(dense(4), BatchNormalization(dtype="float64"), dense(1))
    model.compile("sgd", "mse")
    before = model.get_weights()
    shapes = [gradient.shape for gradient in model.gradients(X, X[:, :1])]
    assert shapes == [weight.shape for weight in model.trainable_weights]
    for now, then in zip(model.get_weights(), before):
        np.testing.assert_array_equal(now, then)


def test_gradients_need_a_loss():
    with pytest.raises(ValueError, match="gradients: expected a compiled model"):
        random_net(dense(1)).gradients(X, X[:, :1])
