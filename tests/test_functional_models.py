"""Models as graphs: skip connections, shared layers, several inputs and outputs, nested and subclassed models."""

from __future__ import annotations

import hashlib
import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import fastnn
from fastnn import Input, Model, Sequential, layers, optimizers
from fastnn.layers import Activation, Dense, Dropout, Flatten
from fastnn.testing import gradcheck_model

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 4)), np.arange(30) % 3


def dense(units, activation=None, **options):
    return Dense(units, activation, dtype="float64", **options)


def source(*shape, name=None):
    return Input(shape, name=name, dtype="float64")


def drawn(model, seed=1):
    """The model with random weights and biases: no unit sits on a kink."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=p.shape) for p in model.weights])
    return model


# ------------------------------------------------------------------------------------------------ graphs of all kinds


def skip():
    x = source(4)
    h = dense(4, "tanh")(x)
    return Model(x, dense(3)(layers.add([x, h, dense(4, "silu")(h)])))


def shared():
    """One layer called three times, on top of itself too."""
    x, one = source(4), dense(4, "tanh")
    return Model(x, dense(3)(layers.concatenate([one(x), one(one(x))])))


def fan_out():
    """A tensor that is used five times."""
    x = source(4)
    h = dense(3, "tanh")(x)
    return Model(x, layers.multiply([h, h + h, layers.average([h, h])]))


def nested():
    inner_x = source(4)
    inner_h = dense(4, "tanh")(inner_x)
    inner = Model(inner_x, inner_h + inner_x, name="block")
    stack = Sequential([dense(4, "silu"), Dropout(0.0), dense(4)])
    x = source(4)
    return Model(x, dense(3)(stack(inner(inner(x)))))


def aliases():
    """Layers that hand their input on as it is, between additions."""
    x = source(4)
    h = dense(4, "tanh")(x)
    flat = Flatten()(h)
    return Model(x, dense(3)(layers.add([flat, h, Flatten()(flat)])))


def frozen_middle():
    x = source(4)
    h = dense(4, "tanh")(x)
    middle = dense(4, "tanh", trainable=False)
    return Model(x, dense(3)(middle(h) + h))


def regularized():
    """Penalties on weights, and on outputs whose gradient is shared with others."""
    x = source(4)
    h = dense(4, "tanh", activity_regularizer="l2", kernel_regularizer="l2")
    a = h(x)
    return Model(x, dense(3)(layers.add([a, h(a), dense(4, activity_regularizer="l2")(a)])))


class Residual(Model):
    def __init__(self, units):
        super().__init__()
        self.below = dense(units)
        self.blocks = [dense(units, "tanh") for _ in range(2)]
        self.drop = Dropout(0.3, seed=1)
        self.head = dense(3)

    def call(self, inputs, training=None):
        x = self.below(inputs)
        for block in self.blocks:
            x = x + self.drop(block(x), training=training)
        return self.head(x)


def subclassed():
    model = Residual(5)
    model.build((4,))
    return model


GRAPHS = [skip, shared, fan_out, nested, aliases, frozen_middle, regularized, subclassed]


@pytest.mark.parametrize("make", GRAPHS)
def test_gradients(backend, make):
    model = drawn(make())
    model.compile("sgd", "mse")
    assert gradcheck_model(model, X[:4], RNG.normal(size=(4, 3)), rtol=1e-5) <= 1


@pytest.mark.parametrize("make", GRAPHS)
def test_a_gradient_does_not_depend_on_the_one_before(backend, make):
    """Gradients that are added up start anew in every step."""
    model = drawn(make())
    model.compile("sgd", "mse")
    data, goals = model.prepare(X, RNG.normal(size=(30, 3)), None, "test")
    first, second = (model.runner.gradient(data, goals, 0)[1] for _ in range(2))
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("make", GRAPHS)
def test_both_backends_tell_the_same_story(make):
    found = []
    for name in ("native", "reference"):
        with fastnn.use_backend(name):
            fastnn.utils.set_random_seed(3)
            model = drawn(make())
            model.compile("adam", "mse")
            history = model.fit(X, np.tile(X[:, :1], 3), batch_size=7, epochs=3, verbose=0).history
            found.append((history["loss"], model.predict(X, verbose=0)))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-10)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("make", GRAPHS)
def test_any_number_of_threads_gives_the_same_bits(make):
    digests = set()
    x = np.random.default_rng(1).normal(size=(900, 4))
    for threads in (1, 2, 5):
        with fastnn.num_threads(threads):
            fastnn.utils.set_random_seed(3)
            model = make()
            model.compile("adam", "mse")
            model.fit(x, np.tile(x[:, :1], 3), batch_size=400, epochs=2, verbose=0)
            digests.add(hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())
    assert len(digests) == 1


def test_a_functional_stack_gives_the_bits_of_a_sequential(backend):
    """So do a nested one and a subclass: one path for all of them."""

    class Stack(Model):
        def __init__(self, stack):
            super().__init__()
            self.stack = stack

        def call(self, inputs):
            for layer in self.stack:
                inputs = layer(inputs)
            return inputs

    found = []
    for kind in ("sequential", "functional", "nested", "subclass"):
        fastnn.utils.set_random_seed(7)
        stack = [Dense(16, "gelu"), Dropout(0.4), Dense(9, "tanh", kernel_regularizer="l2"), Dense(3, "softmax")]
        if kind == "subclass":
            model = Stack(stack)
            model.build((4,))
        else:
            x = y = Input((4,))
            for layer in stack if kind == "functional" else [Sequential(stack)] if kind == "nested" else []:
                y = layer(y)
            model = Sequential([Input((4,)), *stack]) if kind == "sequential" else Model(x, y)
        assert [p.shape for p in model.weights] == [(4, 16), (16,), (16, 9), (9,), (9, 3), (3,)]
        model._seed = 5
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(X, Y, batch_size=8, epochs=3, verbose=0, validation_split=0.2).history
        found.append((history, [w.tobytes() for w in model.get_weights()], model.predict(X, verbose=0).tobytes()))
    assert all(other == found[0] for other in found[1:])


def test_gradients_of_shared_weights_add_up():
    """y = w w x by a layer called twice: the derivative by w is 2 w x, times that of the loss."""
    x, once = source(1), dense(1, use_bias=False)
    model = Model(x, once(once(x)))
    model.set_weights([[[3.0]]])
    model.compile("sgd", "mse")
    data, goals = model.prepare([[2.0]], [[17.0]], None, "test")
    loss, (gradient,) = model.runner.gradient(data, goals)
    assert loss == 1 and gradient.item() == 2 * (18 - 17) * 2 * 3 * 2


def test_nothing_is_computed_where_nothing_learns():
    """Of two branches one is frozen: its layers have no backward steps."""
    x = source(4)
    frozen, learning = (Sequential([dense(5, "tanh"), dense(6, "tanh")]) for _ in range(2))
    model = Model(x, dense(2)(layers.concatenate([frozen(x), learning(x)])))
    products = []
    for freeze in (False, True):
        frozen.trainable = not freeze
        model.compile("sgd", "mse")
        _, goals = model.prepare(X, X[:, :2], None, "test")
        steps = model.runner.for_training(goals, 30, False).program.plan.steps
        products.append([sum(step.op == op for step in steps) for op in ("gemm", "strided_copy", "blend", "combine")])
    assert products == [[8, 4, 0, 0], [5, 3, 0, 0]]


# ---------------------------------------------------------------------------------------- several inputs and outputs


def two_by_two(**options):
    image, size = source(4, name="image"), source(2, name="size")
    h = dense(5, "tanh")(image)
    both = layers.concatenate([h, size])
    return Model(
        [image, size],
        [dense(3, "softmax", name="kind")(both), dense(1, name="weight")(both), dense(2, name="place")(h)],
        **options,
    )


SIZE = RNG.normal(size=(30, 2))
WEIGHT, PLACE = RNG.normal(size=(30, 1)), RNG.normal(size=(30, 2))
INPUTS, TARGETS = [X, SIZE], [Y, WEIGHT, PLACE]
LOSSES = ["sparse_categorical_crossentropy", "mae", "mse"]


def named(parts, names=("kind", "weight", "place")):
    return dict(zip(names, parts))


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
    assert model.input_shape == {"a": (4,), "b": (2,)} and model.output_shape == {"up": (1,), "down": (2,)}
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


# --------------------------------------------------------------------------------------- freezing, nesting, calling


def test_nested_models_share_weights_with_what_they_are_made_of(backend):
    encoder = Sequential([source(4), dense(2, "tanh")], name="encoder")
    decoder = Sequential([source(2), dense(4)], name="decoder")
    x = source(4)
    model = Model(x, decoder(encoder(x)), name="autoencoder")
    assert [layer.name for layer in model.layers][1:] == ["encoder", "decoder"] and len(model.weights) == 4
    before = encoder.get_weights()
    model.compile("adam", "mse")
    model.fit(X, X, verbose=0)
    assert not np.array_equal(before[0], encoder.get_weights()[0])
    np.testing.assert_allclose(
        decoder.predict(encoder.predict(X, verbose=0), verbose=0), model.predict(X, verbose=0), rtol=1e-13
    )
    encoder.trainable = False
    assert [p.name.partition("/")[2] for p in model.trainable_weights] == ["kernel", "bias"]
    kept = encoder.get_weights()
    model.fit(X, X, verbose=0)
    np.testing.assert_array_equal(kept[0], encoder.get_weights()[0])


def test_a_part_of_a_model_is_a_model(backend):
    """From an inner tensor on, and up to one."""
    x = source(4)
    h = dense(5, "tanh", name="hidden")(x)
    whole = Model(x, dense(2)(h))
    below, above = Model(whole.input, h), Model(h, whole.output)
    np.testing.assert_allclose(
        above.predict(below.predict(X, verbose=0), verbose=0), whole.predict(X, verbose=0), rtol=1e-13
    )
    assert above.input_shape == (5,) and above.count_params() == 12


def test_a_model_with_several_outputs_as_a_layer(backend):
    a, b = source(4), source(4)
    inner = Model([a, b], [dense(3)(a), a + b], name="pair")
    x = source(4)
    left, right = inner([x, dense(4)(x)])
    model = drawn(Model(x, dense(3)(layers.concatenate([left, right]))))
    model.compile("sgd", "mse")
    assert gradcheck_model(model, X[:3], RNG.normal(size=(3, 3))) <= 1


def test_frozen_layers_may_be_called_as_in_inference(backend):
    """training=False: dropout is off there while the model is trained; nothing below may learn."""
    base = Sequential([source(4), dense(3, "tanh"), Dropout(0.5)])
    base.trainable = False
    x = source(4)
    model = drawn(Model(x, dense(2)(base(x, training=False))))
    model.compile(optimizers.SGD(0.0), "mse")
    y = RNG.normal(size=(30, 2))
    assert model.train_on_batch(X, y) == pytest.approx(model.test_on_batch(X, y), rel=1e-13)
    base.trainable = True
    with pytest.raises(ValueError, match=r"training=False can be trained through where neither it nor"):
        model.train_on_batch(X, y)


def test_layers_are_found_and_described():
    model = two_by_two(name="net")
    assert [layer.name for layer in model.layers if layer.weights][1:] == ["kind", "weight", "place"]
    assert model.get_layer("kind").units == 3 and model.get_layer(index=0).name == "image"
    with pytest.raises(ValueError, match=r"Did you mean 'kind'"):
        model.get_layer("knid")
    assert model.count_params() == 25 + 24 + 8 + 12
    lines = []
    model.summary(print_fn=lines.append)
    (text,) = lines
    assert "Connected to" in text and "kind (Dense)" in text and "Total params: 69" in text
    row = next(line for line in text.splitlines() if line.startswith("concatenate"))
    assert row.endswith("dense" + row.split("dense")[1].partition(",")[0] + ", size")
    nested().summary(expand_nested=True, print_fn=lines.append)
    assert "block (Model)" in lines[1] and sum(line.startswith("  ") for line in lines[1].splitlines()) == 6


# -------------------------------------------------------------------------------------------------- what goes wrong


def test_what_is_no_graph():
    x, other = source(4, name="x"), source(4, name="other")
    y = dense(2)(x) + dense(2)(other)
    with pytest.raises(ValueError, match=r"disconnected: the outputs depend on the Input 'other', which is not among"):
        Model(x, y)
    with pytest.raises(TypeError, match=r"inputs must be a symbolic tensor.*Received: 3"):
        Model(3, y)
    with pytest.raises(TypeError, match=r"outputs must be a symbolic tensor.*Received: <Dense"):
        Model(x, dense(2))
    with pytest.raises(ValueError, match=r"expected each input once"):
        Model([x, x], dense(2)(x))
    with pytest.raises(ValueError, match=r"unique names. Received: 'twin' twice"):
        Model(x, dense(2, name="twin")(dense(2, name="twin")(x)))
    with pytest.raises(TypeError, match=r"called with a symbolic tensor.*Received: array"):
        dense(2)(np.ones((2, 4)))
    layer = dense(2)
    half = layer(x)
    with pytest.raises(ValueError, match=r"was built for inputs of shape \(4,\). Received: \(2,\)"):
        layer(half)
    with pytest.raises(ValueError, match=r"leave it out. Received: training=True"):
        Dropout(0.5)(x, training=True)


@pytest.mark.parametrize(
    ("use", "what"),
    [
        (lambda x: 1 if x else 2, "a decision"),
        (lambda x: 1 if x > 0 else 2, "a comparison"),
        (lambda x: [part for part in x], "a loop"),  # noqa: C416
        (lambda x: x[:, 0], "indexing"),
        (lambda x: np.exp(x), "a NumPy function"),
        (lambda x: float(x), "a number"),
        (lambda x: x / 2, "this operator"),
    ],
)
def test_values_cannot_be_traced(use, what):
    class Wrong(Model):
        def __init__(self):
            super().__init__()
            self.layer = dense(2)

        def call(self, inputs):
            return use(self.layer(inputs))

    with pytest.raises(TypeError, match=rf"a symbolic tensor has no values yet: {what}.*Received: <Tensor"):
        Wrong().build((3,))
    with pytest.raises(TypeError, match=r"operators work between symbolic tensors"):
        source(3) + 1


def test_subclasses_that_cannot_be_traced():
    class Deciding(Model):
        def __init__(self):
            super().__init__()
            self.layer = dense(2)

        def call(self, inputs, training=None):
            return self.layer(inputs) if training else inputs

    with pytest.raises(TypeError, match=r"a decision by `training`"):
        Deciding().build((3,))

    class Late(Model):
        def call(self, inputs):
            return dense(2)(inputs)

    with pytest.raises(ValueError, match=r"made in __init__ and kept as attributes"):
        Late().build((3,))

    class Nothing(Model):
        def call(self, inputs):
            return 3

    with pytest.raises(TypeError, match=r"call must return what layers give.*Received: 3"):
        Nothing().build((3,))


def test_subclasses_are_built_by_their_data(backend):
    class Pair(Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = dense(2, "tanh"), dense(2)

        def call(self, inputs):
            a, b = inputs
            return {"sum": self.one(a) + self.two(b), "product": self.one(a) * self.two(b)}

    model = Pair()
    assert not model.built and [layer.name for layer in model.layers] == [model.one.name, model.two.name]
    model.compile("adam", "mse")
    history = model.fit([X, SIZE], {"sum": PLACE, "product": PLACE}, verbose=0).history
    assert list(history) == ["loss", "product_loss", "sum_loss"]
    assert len(model.weights) == 4 and list(model.predict([X, SIZE], verbose=0)) == ["product", "sum"]
    with pytest.raises(ValueError, match=r"expected 2 inputs"):
        model.predict(X, verbose=0)


def test_arguments_that_do_not_fit_the_outputs():
    model = two_by_two()
    for wrong, message in [
        ({"loss": ["mse"]}, r"expected losses for the outputs \['kind', 'weight', 'place'\]"),
        ({"loss": {"knid": "mse"}}, r"Did you mean 'kind'"),
        ({"loss": "mse", "loss_weights": [1, 2]}, r"expected loss_weights for the outputs"),
        ({"loss": "mse", "loss_weights": "much"}, r"loss_weights must be numbers. Received: 'much'"),
        ({"loss": "mse", "metrics": ["mae"]}, r"expected metrics for the outputs"),
        ({"loss": "mse", "metrics": {"knid": "mae"}}, r"Did you mean 'kind'"),
        (
            {"loss": [None, "mse", None], "metrics": {"kind": "mae"}},
            r"need a loss for it. Received: no loss for 'kind'",
        ),
        ({"loss": [None, None, None]}, r"expected a loss for at least one output"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.compile("sgd", **wrong)
    assert not model.compiled
    model.compile("sgd", LOSSES)
    for x, y, message in [
        (X, TARGETS, r"fit: expected 2 inputs, a list or a dictionary of \['image', 'size'\]"),
        ([X], TARGETS, r"expected 2 inputs.*Received: 1"),
        ({"image": X}, TARGETS, r"expected inputs named \['image', 'size'\]. Received: \['image'\]"),
        ({"image": X, "sizes": SIZE}, TARGETS, r"Did you mean 'size'"),
        ([X, SIZE[:7]], TARGETS, r"as many samples for every input"),
        ([SIZE, X], TARGETS, r"expected x\['image'\] of shape \(samples, 4\)"),
        (INPUTS, Y, r"expected 3 targets"),
        (INPUTS, TARGETS[:2], r"expected 3 targets.*Received: 2"),
        (INPUTS, {"kind": Y}, r"expected y. Received: None for 'weight'"),
        (INPUTS, [Y, WEIGHT, PLACE[:3]], r"x and y\['place'\] must have as many samples"),
        (INPUTS, [Y + 1, WEIGHT, PLACE], r"labels must lie between 0 and 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match=r"class_weight is for models with one output"):
        model.fit(INPUTS, TARGETS, class_weight={0: 2}, verbose=0)
    with pytest.raises(ValueError, match=r"expected one weight per sample\['weight'\], 30"):
        model.fit(INPUTS, TARGETS, sample_weight=[None, np.ones(3), None], verbose=0)


def test_activations_as_layers_may_be_fused_with_the_loss_too(backend):
    x = source(4)
    model = drawn(Model(x, Activation("softmax", dtype="float64")(dense(3)(x))))
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert gradcheck_model(model, X[:5], Y[:5]) <= 1


def test_the_examples_of_the_documentation():
    text = (Path(__file__).parent.parent / "docs" / "functional-models.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    exec("".join(blocks), {"__name__": "functional_models"})


def test_a_picture_of_a_model(tmp_path):
    """Well-formed, a box for every call, a line for every tensor that a call takes; boxes of a row do not overlap."""
    for make in (nested, shared, two_by_two, lambda: Sequential([source(4), dense(2, name="a<b")])):
        model = make()
        text = fastnn.models.plot_model(model, tmp_path / "m.svg", show_shapes=True, show_trainable=True)
        root = ElementTree.fromstring(text)
        assert (tmp_path / "m.svg").read_text() == text
        network = model._known_network()
        mark = "{http://www.w3.org/2000/svg}"
        boxes = [box for box in root.findall(f"{mark}rect") if box.get("x")]
        assert len(boxes) == len(network.inputs) + len(network.calls)
        assert len(root.findall(f"{mark}path")) == sum(len(call.inputs) for call in network.calls)
        rows = {}
        for box in boxes:
            rows.setdefault(box.get("y"), []).append((float(box.get("x")), float(box.get("width"))))
        for row in rows.values():
            row.sort()
            assert all(x + width < after for (x, width), (after, _) in itertools.pairwise(row))
            assert row[0][0] > 0 and sum(row[-1]) < float(root.get("width"))
    with pytest.raises(ValueError, match=r"must end in one of \['.svg', '.png', '.pdf'\]"):
        fastnn.models.plot_model(model, tmp_path / "m.gif")


def test_plot_model_paints_pixels(tmp_path):
    from matplotlib.image import imread

    model = nested()
    text = fastnn.utils.plot_model(
        model, tmp_path / "m.png", show_shapes=True, show_dtype=True, show_layer_activations=True, dpi=96, rankdir="TB"
    )
    picture = imread(tmp_path / "m.png")
    root = ElementTree.fromstring(text)
    for i, side in enumerate(("height", "width")):
        assert abs(picture.shape[i] - float(root.get(side))) <= 1
    assert model.dtype in text and "activation: " in text
    colours = {tuple(np.round(pixel * 255).astype(int)) for pixel in picture[..., :3].reshape(-1, 3)}
    assert {(0xE8, 0xEE, 0xFC), (0xF4, 0xF4, 0xF4), (0xFF, 0xFF, 0xFF)} <= colours  # a model, a layer, paper
    fastnn.utils.plot_model(model, tmp_path / "m.pdf")
    assert (tmp_path / "m.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match="rankdir is not served"):
        fastnn.utils.plot_model(model, tmp_path / "m.svg", rankdir="LR")
    with pytest.raises(TypeError, match="show_shapes"):
        fastnn.utils.plot_model(model, tmp_path / "m.svg", show_shape=True)


def test_a_model_within_another_keeps_its_layers() -> None:
    inner = Sequential([Input((3,)), Dense(3)])
    outer = Sequential([inner, Dense(1)])
    outer.predict(np.ones((2, 3)), verbose=0)
    for change in (lambda: inner.add(Dense(3)), inner.pop):
        with pytest.raises(ValueError, match="part of another model"):
            change()
