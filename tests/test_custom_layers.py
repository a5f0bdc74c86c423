"""Layers that users write: what they are given, what they may return, how they fail, and how files name them."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers, load_model, saving
from fastnn.engine.plan import ABSENT, Plan
from fastnn.layers import Dense, Input, Layer
from fastnn.layers.registry import deserialize, serialize
from fastnn.testing import check_layer, gradcheck_model, run_layer

DOCUMENT = Path(__file__).parent.parent / "docs" / "custom-layers.md"


class Affine(Layer):
    """Dense, written by a user."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight("w", (input_shape[-1], self.units))
        self.b = self.add_weight("b", (self.units,), "zeros")

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def forward(self, x):
        return x @ self.w.value + self.b.value

    def backward(self, dy, x):
        return dy @ self.w.value.T, x.T @ dy, dy.sum(axis=0)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Cube(Layer):
    """No weights, everything by name."""

    def forward(self, x, training=False, kept=None):
        kept["square"] = x * x
        return x * kept["square"]

    def backward(self, dy, y, x, kept, training):
        assert training
        np.testing.assert_array_equal(y, x * kept["square"])
        return dy * 3 * kept["square"]


class SumAndDifference(Layer):
    """Two inputs, two outputs, a weight."""

    def build(self, input_shape):
        first, second = input_shape
        assert first == second
        self.factor = self.add_weight("factor", (), "ones")

    def forward(self, x):
        a, b = x
        return self.factor.value * (a + b), a - b

    def backward(self, dy, x):
        (a, b), (up, down) = x, dy
        f = self.factor.value
        return (f * up + down, f * up - down), np.sum(up * (a + b))


@pytest.fixture(autouse=True)
def clean_registry():
    before = dict(saving.get_custom_objects())
    yield
    saving.get_custom_objects().clear()
    saving.get_custom_objects().update(before)


# ------------------------------------------------------------------------------------------------------------- training


def test_gradients_by_themselves(backend):
    assert check_layer(Affine(3, dtype="float64"), (4,)) <= 1
    assert check_layer(Cube(dtype="float64"), (2, 3)) <= 1
    assert check_layer(SumAndDifference(dtype="float64"), ((2, 3), (2, 3))) <= 1


def test_gradients_inside_a_model(backend):
    def around(layer):
        return [Input((4,), dtype="float64"), Dense(3, "tanh", dtype="float64"), layer, Dense(2, dtype="float64")]

    rng = np.random.default_rng(0)
    for layer in (Affine(3, dtype="float64"), Cube(dtype="float64")):
        model = Sequential(around(layer))
        model.compile("sgd", "mse")
        assert gradcheck_model(model, rng.normal(size=(5, 4)), rng.normal(size=(5, 2))) <= 1


def test_it_trains_as_the_layer_that_it_copies(backend):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    models = [
        Sequential([Input((3,), dtype="float64"), layer, Dense(2, "tanh", dtype="float64")])
        for layer in (
            Dense(4, dtype="float64", kernel_regularizer="l2", kernel_constraint="max_norm"),
            Affine(4, dtype="float64"),
        )
    ]
    models[1].layers[0].w.regularizer = fastnn.regularizers.get("l2")
    models[1].layers[0].w.constraint = fastnn.constraints.get("max_norm")
    models[1].set_weights(models[0].get_weights())
    histories = []
    for model in models:
        model.compile(fastnn.optimizers.Adam(0.01, clipnorm=0.5), "mse")
        histories.append(model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"])
        histories[-1] += [model.evaluate(x, y, verbose=0), *model.predict(x, verbose=0).ravel()]
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-10)
    for one, two in zip(models[0].get_weights(), models[1].get_weights()):
        np.testing.assert_allclose(one, two, rtol=1e-9)


def test_the_first_layer_and_frozen_weights(backend):
    """Where no dx is wanted and no gradient has a place, what is returned for them does not count."""
    model = Sequential([Input((3,)), Affine(2), Affine(2)])
    frozen = model.layers[1]
    frozen.trainable = False
    before, moving = frozen.get_weights(), model.layers[0].get_weights()
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 3)), np.full((8, 2), 3.0), verbose=0)
    for one, two in zip(before, frozen.get_weights()):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(moving[0], model.layers[0].get_weights()[0])


def test_training_is_known_and_state_can_be_kept():
    class Centered(Layer):
        def build(self, input_shape):
            self.mean = self.add_weight("mean", input_shape[1:], "zeros", trainable=False)

        def forward(self, x, training):
            if training:
                self.mean.assign(x.mean(axis=0))
            return x - self.mean.value

        def backward(self, dy):
            return dy, None

    model = Sequential([Input((2,)), Dense(2), Centered()])
    model.compile("sgd", "mse")
    x = np.ones((4, 2))
    np.testing.assert_allclose(model.predict(x, verbose=0), x @ model.layers[0].kernel)
    model.fit(x, x, verbose=0)
    assert model.layers[1].mean.value.any()
    kept = model.layers[1].mean.numpy()
    model.predict(5 * x, verbose=0)
    np.testing.assert_array_equal(model.layers[1].mean, kept)


def test_several_inputs_where_one_output_has_no_gradient(backend):
    layer = SumAndDifference(dtype="float64")
    layer.build_once(((2,), (2,)))
    a, b = np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 8]])
    up, down = run_layer(layer, (a, b))
    np.testing.assert_array_equal(up, a + b)
    np.testing.assert_array_equal(down, a - b)
    plan = Plan("float64", 2, True, {})
    _, backward = layer.emit(plan, (plan.array(a), plan.array(b)))
    dx = backward((plan.array(np.ones((2, 2))), ABSENT), (True, False))
    assert dx[1] == ABSENT
    found = np.zeros(4)
    plan.step("activation", (dx[0], plan.array(found)), row="identity", ints=(4,))
    fastnn.backend.current().Program(plan).run(0, 1)
    np.testing.assert_array_equal(found, np.ones(4))


def test_memory_that_a_layer_keeps_outlives_the_program(backend):
    seen = []

    class Keeper(Layer):
        def forward(self, x):
            seen.append(x)
            assert not x.flags.writeable
            return x

    model = Sequential([Input((3,)), Dense(3), Keeper()])
    model.predict(np.ones((4, 3)), verbose=0)
    del model
    gc.collect()
    assert np.isfinite(seen[0].sum())


# --------------------------------------------------------------------------------------------------------------- errors


class Wrong(Layer):
    """Returns what it is told."""

    def __init__(self, y=None, back=None, weights=0, **kwargs):
        super().__init__(**kwargs)
        self.given, self.back, self.number = y, back, weights

    def build(self, input_shape):
        for i in range(self.number):
            self.add_weight(f"w{i}", (2,))

    def forward(self, x):
        return x if self.given is None else self.given

    def backward(self, dy):
        return self.back


WRONG = [
    (Wrong(np.zeros((4, 5))), r"Wrong.forward must return y of the shape that compute_output_shape says, \(4, 2\).*"),
    (Wrong(np.full((4, 2), "a")), r"Wrong.forward must return y as an array of real numbers. Received: <U1"),
    (Wrong(np.ones((4, 2)) * 1j), r"Wrong.forward must return y as an array of real numbers. Received: complex128"),
    (Wrong(), r"Wrong.backward must return dx as an array of real numbers. Received: object"),
    (Wrong(back=np.zeros(4)), r"Wrong.backward must return dx of shape \(4, 2\). Received: \(4,\)"),
    (Wrong(back=np.zeros((4, 2)), weights=1), r"must return \(dx, gradient of .*/w0\). Received: ndarray"),
    (Wrong(back=(np.zeros((4, 2)),) * 2, weights=2), r"must return \(dx, .*w0, .*w1\). Received: 2 things"),
    (Wrong(back=(np.zeros((4, 2)), None), weights=1), r"the gradient of .*w0 as an array.* Received: object"),
    (Wrong(back=(np.zeros((4, 2)), np.zeros(3)), weights=1), r"the gradient of .*w0 of shape \(2,\). Received: \(3,\)"),
]


@pytest.mark.parametrize(("layer", "message"), WRONG)
def test_wrong_results_end_the_run(layer, message, backend):
    twin = Wrong(layer.given, layer.back, layer.number)
    model = Sequential([Input((2,)), Dense(2), twin])
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(np.ones((4, 2)), np.ones((4, 2)), verbose=0)
    for one, two in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, two)


def test_an_exception_reaches_the_caller_and_the_model_lives_on(backend):
    class Moody(Layer):
        good = False

        def forward(self, x):
            if not self.good:
                raise KeyError("not today")
            return x

        def backward(self, dy):
            return dy

    layer = Moody()
    model = Sequential([Input((2,)), Dense(2), layer])
    model.compile("sgd", "mse")
    for act in (model.predict, lambda x, verbose: model.fit(x, x, verbose=verbose)):
        with pytest.raises(KeyError, match="not today"):
            act(np.ones((4, 2)), verbose=0)
    layer.good = True
    model.fit(np.ones((4, 2)), np.ones((4, 2)), verbose=0)
    with pytest.raises(ValueError, match=r"read-only|assignment destination"):
        run_layer(_built(_Writer(dtype="float64")), np.ones((2, 2)))


class _Writer(Layer):
    def forward(self, x):
        x += 1
        return x


def _built(layer, shape=(2,)):
    layer.build_once(shape)
    return layer


def test_methods_that_are_missing_or_want_too_much():
    class Empty(Layer):
        pass

    class ForwardAlone(Layer):
        def forward(self, x):
            return 2 * x

    class Greedy(ForwardAlone):
        def backward(self, dy, weights):
            return dy

    with pytest.raises(NotImplementedError, match=r"Empty must define forward\(x\) and backward\(dy\), or a call"):
        run_layer(_built(Empty()), np.ones((1, 2)))
    model = Sequential([Input((2,)), Dense(2), ForwardAlone()])
    assert model.predict(np.ones((1, 2)), verbose=0).shape == (1, 2)
    model.compile("sgd", "mse")
    with pytest.raises(NotImplementedError, match=r"ForwardAlone must define backward\(dy\) to be trained"):
        model.fit(np.ones((4, 2)), np.ones((4, 2)), verbose=0)
    model = Sequential([Input((2,)), Dense(2), Greedy()])
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"Greedy.backward must take dy, and by name .*Received: .*weights"):
        model.fit(np.ones((4, 2)), np.ones((4, 2)), verbose=0)


def test_weights_need_names_of_their_own():
    layer = Layer()
    layer.add_weight("w", (2,))
    for name in ("w", "", "a/b"):
        with pytest.raises(ValueError, match=r"a weight needs a name of its own.*Received:"):
            layer.add_weight(name, (2,))
    with pytest.raises(ValueError, match=r"the shape of v must be a tuple of positive whole numbers"):
        layer.add_weight("v", (0,))


def test_check_layer_finds_mistakes():
    class WrongGradient(Affine):
        def backward(self, dy, x):
            dx, dw, db = super().backward(dy, x)
            return dx, dw, 2 * db

    class ForgetsItsArguments(Affine):
        def get_config(self):
            return Layer.get_config(self)

    class Batchwise(Layer):
        def forward(self, x):
            return x - x.mean(axis=0)

        def backward(self, dy):
            return dy - dy.mean(axis=0)

    with pytest.raises(AssertionError, match=r"the gradient of .*/b is wrong at 2 of 2 elements"):
        check_layer(WrongGradient(2, dtype="float64"), (3,))
    with pytest.raises(AssertionError, match=r"get_config must return the arguments of ForgetsItsArguments"):
        check_layer(ForgetsItsArguments(2, dtype="float64"), (3,))
    with pytest.raises(AssertionError, match=r"one sample must give the same"):
        check_layer(Batchwise(dtype="float64"), (3,))
    with pytest.raises(TypeError, match=r"check_layer needs a layer of dtype float64. Received: float32"):
        check_layer(Affine(2), (3,))


# ---------------------------------------------------------------------------------------------------------------- files


def model_file(tmp_path, cls=Affine):
    model = Sequential([Input((3,)), cls(2), Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "m.fastnn")
    return model, tmp_path / "m.fastnn"


def same(one, two):
    x = np.random.default_rng(2).normal(size=(5, 3))
    np.testing.assert_array_equal(one.predict(x, verbose=0), two.predict(x, verbose=0))
    for a, b in zip(one.optimizer_state["m"], two.optimizer_state["m"]):
        np.testing.assert_array_equal(a, b)


def test_a_file_names_what_the_program_knows(tmp_path):
    model, path = model_file(tmp_path)
    unknown = r"m.fastnn: A class of your own must be registered .*custom_objects=.*Received: 'Affine'"
    with pytest.raises(ValueError, match=unknown):
        load_model(path)
    same(model, load_model(path, custom_objects={"Affine": Affine}))
    with saving.custom_object_scope({"Affine": Affine}):
        same(model, load_model(path))
    with pytest.raises(ValueError, match=unknown):
        load_model(path)
    saving.get_custom_objects()["Affine"] = Affine
    same(model, load_model(path))


def test_registered_classes(tmp_path):
    @saving.register_keras_serializable("mine", name="Better")
    class Registered(Affine):
        pass

    assert saving.get_registered_name(Registered) == "mine>Better"
    assert saving.get_registered_object("mine>Better") is Registered
    model, path = model_file(tmp_path, Registered)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("model.json"))["config"]
    assert config["layers"][1]["class_name"] == "mine>Better"
    same(model, load_model(path))
    assert fastnn.utils.register_keras_serializable is saving.register_keras_serializable
    for package, name in (("a>b", None), ("", None), ("a", "b>c"), (3, None)):
        with pytest.raises(ValueError, match=r"must be strings without '>'. Received:"):
            saving.register_keras_serializable(package, name)


def test_names_that_mean_something_else(tmp_path):
    class Dense(Affine):
        pass

    with pytest.raises(ValueError, match=r"another name than 'Dense'.*Received: <Dense"):
        serialize(Dense(3))
    assert isinstance(deserialize(serialize(layers.Dense(3))), layers.Dense)
    with saving.custom_object_scope({"Dense": Dense}):
        assert type(deserialize({"class_name": "Dense", "config": {"units": 3}})) is Dense
    for thing in (print, int, Affine(2), "Dense"):
        with (
            saving.custom_object_scope({"Odd": thing}),
            pytest.raises(ValueError, match=r"'Odd' must stand for a subclass of fastnn.layers.Layer. Received:"),
        ):
            deserialize({"class_name": "Odd", "config": {}})
    with pytest.raises(TypeError, match=r"custom_objects must be a dictionary"):
        saving.custom_object_scope([Affine])


def test_a_config_that_does_not_fit(tmp_path):
    class Forgetful(Affine):
        def get_config(self):
            return Layer.get_config(self)

    _, path = model_file(tmp_path, Forgetful)
    with pytest.raises(ValueError, match=r"m.fastnn: Forgetful: get_config must return the arguments of __init__"):
        load_model(path, custom_objects={"Forgetful": Forgetful})


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_know_their_classes(tmp_path, duplicate):
    """A copy needs no registration; pickle names classes by where they stand, and imports them itself."""
    model, _ = model_file(tmp_path)
    same(model, duplicate(model))


def test_the_example_of_the_documentation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    space: dict[str, object] = {"__name__": "example"}
    exec(compile(code[0], str(DOCUMENT), "exec"), space)
    model, again, x = space["model"], space["again"], space["x"]
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
