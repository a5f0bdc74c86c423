"""Masks of time steps: where they come from, how far they go, and what they weigh."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fastnn
from fastnn import Model, Sequential, losses
from fastnn.engine import masks
from fastnn.engine.plan import Plan
from fastnn.layers import (
    GRU,
    LSTM,
    Activation,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Masking,
    SimpleRNN,
    add,
    concatenate,
)  # fmt: skip
from fastnn.layers.registry import LAYERS

F64 = {"dtype": "float64"}


def padded(rng, features=2):
    x = rng.normal(size=(4, 5, features))
    x[0, 3:] = 0
    x[1, :2] = 0
    x[2] = 0
    return x


def mask_behind(*stack, shape=(5, 2)):
    """The buffers of the output of a stack of layers and of its mask."""
    plan = Plan("float64", 4)
    y = plan.input(int(np.prod(shape)))
    for layer in stack:
        shape = layer.build_once(shape)
        y, _ = masks.emit(plan, layer, y)
    return plan.masks.get(y)


def test_a_mask_goes_through_layers_that_support_it():
    assert mask_behind(Dense(2)) is None
    assert mask_behind(Masking(), Dense(3), Activation("relu"), Dropout(0.5)) is not None
    assert mask_behind(Masking(), LSTM(3, return_sequences=True)) is not None
    assert mask_behind(Masking(), LSTM(3)) is None
    assert mask_behind(Embedding(4, 2), shape=(5,)) is None
    assert mask_behind(Embedding(4, 2, mask_zero=True), shape=(5,)) is not None


def test_a_mask_ends_with_a_warning():
    with pytest.warns(UserWarning, match="does not support masking"):
        assert mask_behind(Masking(), Flatten()) is None


@pytest.mark.parametrize("name", LAYERS)
def test_layers_say_what_they_do_with_masks(name):
    cls = LAYERS[name]
    assert isinstance(cls.supports_masking, bool)
    assert not (cls.supports_masking and cls.uses_mask)


def test_masking_clears_what_is_padding(backend):
    x = padded(np.random.default_rng(1))
    x[3, 0] = [0, 1]
    x[3, 1] = [np.nan, 0]
    model = Sequential([Input((5, 2), **F64), Masking(**F64)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    x[3, 1] = 0
    seven = Sequential([Input((5, 2), **F64), Masking(7.0, **F64)])
    x[x == 0] = 7
    y = seven.predict(x, verbose=0)
    np.testing.assert_array_equal(y, np.where((x != 7).any(axis=2, keepdims=True), x, 0))


@pytest.mark.parametrize("cls", [SimpleRNN, LSTM, GRU])
def test_padding_on_the_right_changes_nothing(cls, backend):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(1, 5, 2))
    short = Sequential([Input((3, 2), **F64), cls(4, **F64)])
    long = Sequential([Input((5, 2), **F64), Masking(**F64), cls(4, **F64)])
    long.set_weights(short.get_weights())
    x[:, 3:] = 0
    np.testing.assert_array_equal(long.predict(x, verbose=0), short.predict(x[:, :3], verbose=0))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_counts_what_the_mask_leaves(reduction, weighted, backend):
    rng = np.random.default_rng(3)
    x, y = padded(rng), rng.normal(size=(4, 5, 3))
    weights = rng.uniform(1, 2, (4,)) if weighted else None
    model = Sequential([Input((5, 2), **F64), Masking(**F64), Dense(3, **F64)])
    model.compile("sgd", fastnn.losses.MeanSquaredError(reduction=reduction))
    kept = (x != 0).any(axis=2)
    w = kept * (1.0 if weights is None else weights[:, np.newaxis])
    values = ((model.predict(x, verbose=0) - y) ** 2).mean(axis=2) * w
    expected = {
        "sum": values.sum(),
        "sum_over_batch_size": values.sum() / kept.sum(),
        "mean_with_sample_weight": values.sum() / w.sum(),
    }[reduction]
    actual = model.test_on_batch(x, y, sample_weight=weights)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_nothing_left_is_no_loss(backend):
    model = Sequential([Input((5, 2), **F64), Masking(**F64), Dense(3, **F64)])
    model.compile("sgd", "mse")
    assert model.test_on_batch(np.zeros((4, 5, 2)), np.ones((4, 5, 3))) == 0


def test_metrics_count_what_the_mask_leaves(backend):
    rng = np.random.default_rng(4)
    x, y = padded(rng), rng.integers(0, 3, (4, 5))
    model = Sequential([Input((5, 2), **F64), Masking(**F64), Dense(3, activation="softmax", **F64)])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    kept = (x != 0).any(axis=2)
    hits = model.predict(x, verbose=0).argmax(axis=2) == y
    _, accuracy = model.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(accuracy, hits[kept].mean(), rtol=1e-12)


def test_a_mask_that_does_not_fit_the_output_is_refused():
    plan = Plan("float64", 4)
    y, mask = plan.buffer(6), plan.buffer(5, np.uint8)
    plan.masks[y] = mask
    with pytest.raises(ValueError, match="Received: 3"):
        masks.on_metric(plan, mask, plan.buffer(3, np.float64), 3)


def test_no_warning_without_masks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Sequential([Input((5, 2)), SimpleRNN(3, return_sequences=True), Flatten(), Dense(1)])
        model.predict(np.ones((2, 5, 2), np.float32), verbose=0)


def test_ignored_labels_behind_a_mask_count_once(backend):
    """Keras's mean is over the time steps that the mask and the labels let through."""
    ids, labels = np.array([[1, 2, 0, 0], [3, 1, 2, 0]]), np.array([[1, 2, -1, -1], [0, -1, 2, -1]])
    model = Sequential([Input((4,)), Embedding(5, 3, mask_zero=True), Dense(3, activation="softmax")])
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    model.compile("sgd", loss)
    probs = model.predict(ids, verbose=0)
    counted = (ids != 0) & (labels != -1)
    expected = -np.log(np.take_along_axis(probs, np.maximum(labels, 0)[..., np.newaxis], -1)[..., 0])[counted].mean()
    np.testing.assert_allclose(model.evaluate(ids, labels, verbose=0), expected, rtol=1e-5)


def test_merging_layers_pass_masks_on(backend):
    first, second = Input((4,)), Input((4,))
    a, b = Embedding(5, 3, mask_zero=True)(first), Embedding(5, 3, mask_zero=True)(second)
    ids = np.array([[1, 2, 0, 0], [3, 1, 2, 0]]), np.array([[1, 2, 3, 0], [0, 1, 0, 0]])
    either = np.where((ids[0] != 0) | (ids[1] != 0), 1.0, 0.0)[..., np.newaxis]
    for merged in (add([a, b]), concatenate([a, b])):
        recurrent = SimpleRNN(2, activation="linear")
        model = Model([first, second], recurrent(merged))
        values = Model([first, second], merged).predict(ids, verbose=0)
        kernel, inner, bias = recurrent.get_weights()
        state = np.zeros((2, 2))
        for t in range(4):
            state = np.where(either[:, t] > 0, values[:, t] @ kernel + state @ inner + bias, state)
        np.testing.assert_allclose(model.predict(ids, verbose=0), state, rtol=1e-5)
