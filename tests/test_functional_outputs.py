"""Models with several inputs and outputs: losses, weights, metrics, dictionaries of data."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import (
    INPUTS,
    LOSSES,
    PLACE,
    RNG,
    SIZE,
    TARGETS,
    WEIGHT,
    X,
    Y,
    dense,
    drawn,
    named,
    source,
    two_by_two,
)

import fastnn
from fastnn import Model, layers
from fastnn.layers import Flatten
from fastnn.testing import gradcheck_model


def test_gradients_of_several_outputs(backend):
    model = drawn(two_by_two())
    model.compile("sgd", LOSSES, loss_weights=[0.5, 2, 1])
    assert gradcheck_model(model, [x[:4] for x in INPUTS], [y[:4] for y in TARGETS]) <= 1
    weights = [RNG.uniform(0, 2, 4) for _ in TARGETS]
    assert gradcheck_model(model, [x[:4] for x in INPUTS], [y[:4] for y in TARGETS], weights) <= 1


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
def test_gradients_of_weighted_losses_with_other_reductions(backend, reduction):
    model = drawn(two_by_two())
    kinds = (
        fastnn.losses.SparseCategoricalCrossentropy(ignore_class=1, reduction="mean"),
        fastnn.losses.MeanSquaredError,
    )
    model.compile("sgd", [kinds[0], kinds[1](reduction=reduction), None], loss_weights=[0.5, 3, 1])
    weights = [None, RNG.uniform(0, 2, 4), None]
    assert gradcheck_model(model, [x[:4] for x in INPUTS], [y[:4] for y in TARGETS], weights) <= 1


def test_logs_have_the_sum_of_the_losses_and_each(backend):
    """By hand from the predictions; metrics behind the losses, with the name of their output."""
    model = drawn(two_by_two())
    model.compile("sgd", LOSSES, metrics=[["accuracy"], None, ["mae", "mse"]], loss_weights=[0.5, 2, 1])
    logs = model.evaluate(INPUTS, TARGETS, verbose=0, return_dict=True, batch_size=8)
    assert list(logs) == model.metrics_names == [
        "loss", "kind_loss", "weight_loss", "place_loss", "kind_accuracy", "place_mae", "place_mse",
    ]  # fmt: skip
    kind, weight, place = model.predict(INPUTS, verbose=0)
    expected = [
        -np.log(kind[np.arange(30), Y]).mean(), np.abs(weight - WEIGHT).mean(), ((place - PLACE) ** 2).mean(),
    ]  # fmt: skip
    np.testing.assert_allclose(list(logs.values())[1:4], expected, rtol=1e-12)
    assert logs["loss"] == pytest.approx(0.5 * expected[0] + 2 * expected[1] + expected[2], rel=1e-12)
    assert logs["kind_accuracy"] == (kind.argmax(1) == Y).mean()
    assert logs["place_mae"] == pytest.approx(np.abs(place - PLACE).mean(), rel=1e-12)
    assert logs["place_mse"] == pytest.approx(expected[2], rel=1e-12)
    assert model.evaluate(INPUTS, TARGETS, verbose=0, batch_size=8) == list(logs.values())
    on_batch = model.test_on_batch(INPUTS, TARGETS, return_dict=True)
    assert list(on_batch) == list(logs) and on_batch["loss"] == pytest.approx(logs["loss"], rel=1e-12)


def test_metrics_in_python_see_their_own_output(backend):
    seen = {}

    def note(name):
        def metric(y_true, y_pred):
            seen[name] = (y_true.copy(), y_pred.copy())
            return np.zeros(len(y_true))

        return metric

    model = drawn(two_by_two())
    model.compile("sgd", LOSSES, metrics=[[note("kind")], [], [note("place"), "mae"]])
    model.fit(INPUTS, TARGETS, verbose=0, epochs=1)
    model.evaluate(INPUTS, TARGETS, verbose=0)
    kind, _, place = model.predict(INPUTS, verbose=0)
    np.testing.assert_array_equal(seen["kind"][0], Y)
    np.testing.assert_array_equal(seen["place"][0], PLACE)
    np.testing.assert_allclose(seen["kind"][1], kind, rtol=1e-12)
    np.testing.assert_allclose(seen["place"][1], place, rtol=1e-12)


class Batches:
    """An iterable that is no list, which would be data."""

    def __init__(self, batches):
        self.batches = list(batches)

    def __iter__(self):
        return iter(self.batches)


def test_lists_dictionaries_and_batches_mean_the_same(backend):
    weights = [RNG.uniform(0, 2, 30) for _ in TARGETS]
    found = []
    for style in ("lists", "tuples", "dictionaries", "batches"):
        model = drawn(two_by_two())
        by_name = style == "dictionaries"
        model.compile(
            "adam", named(LOSSES) if by_name else LOSSES,
            metrics=named([["accuracy"], "mae", None]) if by_name else [["accuracy"], "mae", None],
            loss_weights=named([1, 0.5, 0.25]) if by_name else (1, 0.5, 0.25),
        )  # fmt: skip
        x = {"size": SIZE, "image": X} if by_name else tuple(INPUTS) if style == "tuples" else INPUTS
        y, w = (named(TARGETS), named(weights)) if by_name else (TARGETS, weights)
        if style == "batches":
            cuts = [slice(i, i + 10) for i in (0, 10, 20)]
            batches = Batches(tuple([part[cut] for part in group] for group in (x, y, w)) for cut in cuts)
            history = model.fit(batches, epochs=2, verbose=0).history
            predictions = model.predict(Batches(batch[:1] for batch in batches), verbose=0)
        else:
            history = model.fit(x, y, sample_weight=w, batch_size=10, epochs=2, shuffle=False, verbose=0).history
            predictions = model.predict(x, verbose=0)
        found.append((history, model.get_weights(), predictions))
    for history, weights_, predictions in found[1:]:
        assert history == found[0][0]
        for one, two in zip([*weights_, *predictions], [*found[0][1], *found[0][2]], strict=True):
            np.testing.assert_array_equal(one, two)


def test_one_array_of_weights_is_for_all_outputs(backend):
    weights = RNG.uniform(0, 2, 30)
    model = drawn(two_by_two())
    model.compile("sgd", LOSSES)
    once = model.evaluate(INPUTS, TARGETS, sample_weight=weights, verbose=0)
    assert once == model.evaluate(INPUTS, TARGETS, sample_weight=[weights] * 3, verbose=0)
    assert once == model.evaluate(INPUTS, TARGETS, sample_weight=weights.tolist(), verbose=0)
    assert once != model.evaluate(INPUTS, TARGETS, verbose=0)
    partly = model.evaluate(INPUTS, TARGETS, sample_weight=[None, weights, None], verbose=0)
    assert partly[2] == once[2] and partly[1] != once[1]


def test_outputs_without_a_loss_are_predicted_only(backend):
    model = drawn(two_by_two())
    model.compile("sgd", {"weight": "mse"}, metrics={"weight": ["mae"]})
    before = model.get_weights()
    history = model.fit(INPUTS, {"weight": WEIGHT}, verbose=0, epochs=2).history
    assert list(history) == ["loss", "weight_mae"]
    names = [name for name, *pair in zip(model.weight_paths(), before, model.get_weights()) if np.array_equal(*pair)]
    assert names == ["kind/kernel", "kind/bias", "place/kernel", "place/bias"]
    assert [part.shape for part in model.predict(INPUTS, verbose=0)] == [(30, 3), (30, 1), (30, 2)]


def test_dictionaries_of_inputs_and_outputs(backend):
    a, b = source(4, name="a"), source(2, name="b")
    h = dense(3, "tanh")(layers.concatenate([a, b]))
    model = drawn(Model({"a": a, "b": b}, {"up": dense(1)(h), "down": dense(2)(h)}))
    assert model.output_names == ["down", "up"] and model.input_names == ["a", "b"]
    model.compile("sgd", {"down": "mse", "up": "mae"}, metrics={"up": "mse"})
    history = model.fit({"b": SIZE, "a": X}, {"down": PLACE, "up": WEIGHT}, verbose=0).history
    assert list(history) == ["loss", "down_loss", "up_loss", "up_mse"]
    found = model.predict({"a": X, "b": SIZE}, verbose=0)
    assert {name: part.shape for name, part in found.items()} == {"up": (30, 1), "down": (30, 2)}
    assert model.input_shape == [(None, 4), (None, 2)] and model.output_shape == [(None, 2), (None, 1)]
    np.testing.assert_array_equal(model({"a": X, "b": SIZE})["up"], model.predict_on_batch([X, SIZE])["up"])


def test_validation_and_callbacks(backend):
    model = drawn(two_by_two())
    model.compile("adam", LOSSES, metrics=[["accuracy"], None, None])
    stop = fastnn.callbacks.EarlyStopping("val_weight_loss", patience=50, restore_best_weights=True)
    seen = []
    hook = fastnn.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(list(logs)))
    history = model.fit(
        INPUTS, TARGETS, validation_split=0.2, epochs=3, batch_size=8, verbose=0, callbacks=[stop, hook]
    ).history
    names = ["loss", "kind_loss", "weight_loss", "place_loss", "kind_accuracy"]
    assert sorted(history) == sorted([*names, *(f"val_{name}" for name in names)])
    assert seen == [names] * 9
    tail = [part[24:] for part in INPUTS], [part[24:] for part in TARGETS]
    assert model.evaluate(*tail, verbose=0)[2] == pytest.approx(min(history["val_weight_loss"]), rel=1e-12)
    again = drawn(two_by_two())
    again.compile("adam", LOSSES)
    data = ([part[:24] for part in INPUTS], [part[:24] for part in TARGETS])
    logs = again.fit(*data, validation_data=tail, epochs=1, batch_size=8, verbose=0).history
    assert [len(values) for values in logs.values()] == [1] * 8


def test_an_output_may_be_an_input_or_stand_twice(backend):
    x = source(4)
    h = dense(3)(x)
    model = Model(x, [h, x, Flatten()(x), h])
    one, two, three, four = model.predict(X, verbose=0)
    np.testing.assert_array_equal(two, X)
    np.testing.assert_array_equal(three, X)
    np.testing.assert_array_equal(one, four)
    assert len({part.ctypes.data for part in (X, one, two, three, four)}) == 5
    assert len(set(model.output_names)) == 4


def test_an_activation_that_others_see_too_is_not_fused_with_the_loss(backend):
    """The softmax is an output and feeds another layer: the loss has to take what comes out of it."""
    x = source(4)
    p = dense(3, "softmax")(x)
    model = drawn(Model(x, [p, dense(1)(p)]))
    model.compile("sgd", ["categorical_crossentropy", "mse"])
    onehot = np.eye(3)[Y]
    assert gradcheck_model(model, X[:5], [onehot[:5], WEIGHT[:5]]) <= 1
    found = model.predict(X, verbose=0)
    losses = model.evaluate(X, [onehot, WEIGHT], verbose=0)
    np.testing.assert_allclose(losses[1], -np.log(found[0][np.arange(30), Y]).mean(), rtol=1e-7)


def test_more_inputs_and_outputs_than_fit_on_one_hand(backend):
    sources = [source(2) for _ in range(12)]
    model = Model(sources, [dense(1)(x) for x in sources])
    model.compile("sgd", "mse")
    x = [RNG.normal(size=(6, 2)) for _ in sources]
    history = model.fit(x, [part[:, :1] for part in x], sample_weight=np.ones(6), verbose=0).history
    assert len(history) == 13 and len(model.predict(x, verbose=0)) == 12
