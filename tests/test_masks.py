"""Masks of time steps: where they come from, how far they go, and what they weigh."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fastnn
from fastnn import Model, Sequential, layers, losses
from fastnn.engine import masks
from fastnn.engine.plan import Plan
from fastnn.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Masking,
    MultiHeadAttention,
    SimpleRNN,
    TiedDense,
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


def hand_made(**compiled):
    """A model that gives x back, and x with 2 and 1 time steps that count; targets are 0: squares 1, 4 and 9."""
    model = Sequential([Input((3, 1), **F64), Masking(**F64), Dense(1, use_bias=False, **F64)])
    model.set_weights([np.ones((1, 1))])
    model.compile("sgd", "mse", **compiled)
    return model, np.array([[[1.0], [2.0], [0.0]], [[3.0], [0.0], [0.0]]]), np.zeros((2, 3, 1))


def squares(y_true, y_pred):
    return ((y_true - y_pred) ** 2).mean(axis=-1)


METRICS = {
    "inside the engine": lambda: fastnn.metrics.MeanSquaredError(),
    "a function": lambda: fastnn.metrics.MeanMetricWrapper(squares),
}


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("kind", METRICS)
def test_masked_metrics_are_means_over_the_whole_epoch(kind, size, backend):
    metric = METRICS[kind]()
    model, x, y = hand_made(metrics=[metric, fastnn.metrics.RootMeanSquaredError()])
    _, found, root = model.evaluate(x, y, batch_size=size, verbose=0)
    np.testing.assert_allclose(found, (1 + 4 + 9) / 3, rtol=1e-12)
    np.testing.assert_allclose(metric.result(), (1 + 4 + 9) / 3, rtol=1e-12)
    np.testing.assert_allclose(root, np.sqrt(14 / 3), rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize("weights", [[1.0, 3.0], [[1.0, 1.0, 7.0], [3.0, 5.0, 5.0]]])
def test_weights_of_metrics_are_multiplied_with_the_mask(weights, kind, size, backend):
    model, x, y = hand_made(weighted_metrics=[METRICS[kind]()])
    found = model.evaluate(x, y, sample_weight=np.array(weights), batch_size=size, verbose=0)[1]
    np.testing.assert_allclose(found, (1 + 4 + 3 * 9) / (1 + 1 + 3), rtol=1e-12)
    model.fit(x, y, sample_weight=np.array(weights), batch_size=size, verbose=0)


def test_a_whole_batch_without_a_step_that_counts(backend):
    model, x, y = hand_made(metrics=["mse", fastnn.metrics.MeanMetricWrapper(squares, name="own")])
    x[1] = 0
    np.testing.assert_allclose(model.evaluate(x, y, batch_size=1, verbose=0)[1:], [2.5, 2.5], rtol=1e-12)
    np.testing.assert_array_equal(model.evaluate(x * 0, y, batch_size=1, verbose=0)[1:], [0, 0])


def test_masks_of_several_outputs_do_not_get_mixed_up(backend):
    ids = np.array([[1, 2, 0], [2, 0, 0]])
    tensor = Input((3,), **F64)
    masked, plain = Embedding(3, 1, mask_zero=True, **F64)(tensor), Embedding(3, 1, **F64)(tensor)
    outputs = [Activation("linear", name=name, **F64)(h) for name, h in (("plain", plain), ("masked", masked))]
    model = Model(tensor, outputs)
    model.set_weights([np.array([[5.0], [1.0], [2.0]])] * 2)
    own = {name: [fastnn.metrics.MeanMetricWrapper(squares, name="own")] for name in ("plain", "masked")}
    model.compile("sgd", {"plain": "mse", "masked": "mse"}, metrics=own)
    logs = model.evaluate(ids, [np.zeros((2, 3, 1))] * 2, batch_size=1, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["plain_own"], (1 + 4 + 4 + 3 * 25) / 6, rtol=1e-12)
    np.testing.assert_allclose(logs["masked_own"], (1 + 4 + 4) / 3, rtol=1e-12)


BAD = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("inner", [SimpleRNN, LSTM, GRU, "before", "dropped", "wrapped", "dense", "activated", "tied"])
def test_what_a_mask_hides_reaches_nothing(inner, bad, backend):
    """Whatever masked time steps hold: loss, weights and the outputs that count are those of padding with ones."""
    made = {
        "before": lambda: GRU(3, reset_after=False, return_sequences=True, **F64),
        "dropped": lambda: LSTM(3, dropout=0.3, recurrent_dropout=0.3, seed=1, return_sequences=True, **F64),
        "wrapped": lambda: Bidirectional(GRU(3, return_sequences=True, **F64)),
        "dense": lambda: Dense(3, **F64),
        "activated": lambda: Dense(3, activation="gelu", **F64),
        "tied": lambda: TiedDense(Dense(3, **F64), activation="gelu", **F64),
    }
    make = made.get(inner, lambda: inner(3, return_sequences=True, **F64))
    ids = np.array([[1, 2, 0, 0], [3, 1, 2, 0], [0, 0, 1, 2]])
    y = np.where(ids[..., np.newaxis] == 0, bad, 0.5) * np.ones(2)
    results = []
    for hidden in (1.0, bad):
        # the vector of the padding, which nothing changes, holds what is hidden
        embedding = Embedding(4, 2, mask_zero=True, trainable=False, **F64)
        layer = make()
        ahead = [layer.tied_to] if inner == "tied" else []
        model = Sequential([Input((4,), **F64), embedding, *ahead, layer, Dense(2, **F64)])
        rng = np.random.default_rng(0)
        weights = [0.5 * rng.normal(size=p.shape) for p in model.weights]
        weights[0][0] = hidden
        model.set_weights(weights)
        model.compile(fastnn.optimizers.Adam(0.01), "mse", metrics=["mae"])
        model._seed = 3
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NaN among the targets
            history = model.fit(ids, y, epochs=3, batch_size=2, shuffle=False, verbose=0).history
        results.append([history["loss"], history["mae"], *model.get_weights()[1:]])
    for one, two in zip(*results, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, two)


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
        np.testing.assert_allclose(model.predict(ids, verbose=0), state, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_the_average_over_time_is_that_of_what_counts(backend):
    with fastnn.use_backend(backend):
        model = Sequential([layers.Input((4, 2)), layers.Masking(9.0), layers.GlobalAveragePooling1D()])
        x = np.arange(24.0).reshape(3, 4, 2).astype(np.float32) / 8
        x[0, 2:], x[1, 0] = 9, 9
        expected = [x[0, :2].mean(0), x[1, 1:].mean(0), x[2].mean(0)]
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-6)
        x[0], x[1, 1] = 9, np.nan  # nothing counts; NaN that counts
        found = model.predict(x, verbose=0)
        assert np.isfinite(found[0]).all() and np.isnan(found[1]).all() and np.isfinite(found[2]).all()


def test_gradients_of_the_average_over_time():
    fastnn.config.set_floatx("float64")
    try:
        tokens = layers.Input((5,))
        e = layers.Embedding(7, 3, mask_zero=True)(tokens)
        model = Model(tokens, layers.Dense(2)(layers.GlobalAveragePooling1D()(e)))
    finally:
        fastnn.config.set_floatx("float32")
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).integers(1, 7, (6, 5))
    x[0, 3:], x[1, 1] = 0, 0
    fastnn.testing.gradcheck(model, x, np.ones((6, 2)))


def test_masks_that_are_arrays():
    x = Input((5, 4))
    with pytest.raises(TypeError, match=r"query_mask must be an Input.*only attention_mask.*Received: ndarray"):
        MultiHeadAttention(1, 2)(x, x, query_mask=np.ones(5))
    MultiHeadAttention(2, 2)(x, x, attention_mask=np.ones((2, 5, 5)))
