"""Graphs in files, pickles, JSON and copies: shared layers stay shared, nested models nested, training goes on."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import Input, Model, Sequential, layers
from fastnn.layers import Dense, Dropout, TimeDistributed
from fastnn.models import clone_model, load_model, model_from_json

RNG = np.random.default_rng(0)
X, SIZE, Y = RNG.normal(size=(20, 4)), RNG.normal(size=(20, 2)), RNG.normal(size=(20, 3))


def whole():
    """Everything at once: shared and nested layers, two inputs, a dictionary of outputs, dropout, a frozen part."""
    a, b = Input((4,), name="a"), Input((2,), name="b")
    inner_x = Input((4,))
    inner = Model(inner_x, Dense(4, "tanh")(inner_x) + inner_x, name="block")
    stack = Sequential([Dense(4, "relu", name="twin"), Dropout(0.3)], name="stack")
    frozen = Sequential([Dense(4, "relu", name="twin")], name="frozen")
    shared = Dense(4, "silu", name="twice")
    h = shared(stack(inner(inner(a))))
    h = layers.concatenate([shared(h), b, frozen(h)])
    model = Model([a, b], {"left": Dense(3, name="l")(h), "right": Dense(3, name="r")(h)}, name="whole")
    frozen.trainable = False
    model.compile(
        "adam", {"left": "mse", "right": "mae"}, metrics={"right": ["mse"]}, loss_weights={"left": 0.5, "right": 2}
    )
    return model


class Residual(Model):
    def __init__(self):
        super().__init__(name="residual")
        self.one, self.two = Dense(4, "tanh"), Dense(4)

    def call(self, inputs, training=None):
        return self.two(self.one(inputs)) + inputs


def subclassed():
    model = Residual()
    model.build((None, 4))
    model.compile("adam", "mse", metrics=["mae"])
    return model


DATA = {whole: ([X, SIZE], {"left": Y, "right": Y}), subclassed: (X, np.tanh(X))}


def saved(model, tmp_path):
    model.save(tmp_path / "m.fastnn")
    return load_model(tmp_path / "m.fastnn")


WAYS = {
    "file": saved,
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "copy": lambda model, _: copy.deepcopy(model),
}


def flat(predictions):
    return list(predictions.values()) if isinstance(predictions, dict) else [predictions]


@pytest.mark.parametrize("make", DATA)
@pytest.mark.parametrize("way", WAYS)
def test_training_goes_on_with_the_same_bits(backend, tmp_path, make, way):
    x, y = DATA[make]
    model = make()
    model.fit(x, y, verbose=0, batch_size=8, epochs=2)
    again = WAYS[way](model, tmp_path)
    assert [layer.name for layer in again.layers if layer.weights] == [x.name for x in model.layers if x.weights]
    assert list(again.weight_paths()) == list(model.weight_paths())
    assert [p.trainable for p in again.weights] == [p.trainable for p in model.weights]
    assert again.output_names == model.output_names and again.input_shape == model.input_shape
    for one in (model, again):
        one.history_ = one.fit(x, y, verbose=0, batch_size=8, epochs=2).history
    assert model.history_ == again.history_
    for one, two in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(flat(model.predict(x, verbose=0)), flat(again.predict(x, verbose=0)), strict=True):
        np.testing.assert_array_equal(one, two)
    assert model.evaluate(x, y, verbose=0, return_dict=True) == again.evaluate(x, y, verbose=0, return_dict=True)


@pytest.mark.parametrize("make", DATA)
def test_weights_alone_and_architecture_alone(tmp_path, make):
    x, _ = DATA[make]
    model = make()
    model.save_weights(tmp_path / "w.safetensors")
    for other in (make(), clone_model(model), model_from_json(model.to_json(indent=1))):
        assert not np.array_equal(other.get_weights()[0], model.get_weights()[0])
        assert other.count_params() == model.count_params()
        other.load_weights(tmp_path / "w.safetensors")
        for one, two in zip(flat(model.predict(x, verbose=0)), flat(other.predict(x, verbose=0)), strict=True):
            np.testing.assert_array_equal(one, two)


def test_a_clone_is_a_model_of_its_own():
    model = whole()
    other = clone_model(model)
    assert not other.compiled and not {id(p) for p in model.weights} & {id(p) for p in other.weights}
    assert other.get_config() == model.get_config()
    stack = clone_model(Sequential([Input((3,)), Dense(2, name="d")], name="s"))
    assert type(stack) is Sequential and stack.name == "s" and stack.get_layer("d").units == 2


def test_layers_with_one_name_in_different_models_do_not_mix():
    paths = list(whole().weight_paths())
    assert "stack/twin/kernel" in paths and "frozen/twin/kernel" in paths and "twice/kernel" in paths
    assert len(paths) == len(set(paths)) == 12


def test_what_has_no_description():
    inner_layer = Dense(4)
    x = Input((4,))
    inner = Model(x, inner_layer(x))
    y = Input((4,))
    model = Model(y, inner_layer(inner(y)))
    assert len(model.weights) == 2
    with pytest.raises(ValueError, match=r"stands in the model and in a nested model cannot be described"):
        model.to_json()
    with pytest.raises(ValueError, match=r"described by the graph of its call; build it first"):
        Residual().get_config()
    for text in ("3", "{}", '{"class_name": "Functional"}', '{"class_name": "Dense", "config": {"units": 3}}'):
        with pytest.raises(ValueError, match="Received"):
            model_from_json(text)


STRANGE = [None, 3, -1, 10**9, "x", [], {}, [0], [[9, 0]], [[0, 9]], [[0]], [["a", "b"]], 1.5, True]


ENTRIES = [
    *((name,) for name in ("layers", "inputs", "calls", "outputs", "single", "output_names")),
    *(("calls", 3, name) for name in ("layer", "inputs", "joined", "inference")),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry[-1])
def test_strange_descriptions_are_refused_or_make_sense(entry):
    for value in STRANGE:
        description = json.loads(whole().to_json())
        place = description["config"]
        for step in entry[:-1]:
            place = place[step]
        place[entry[-1]] = value
        try:
            model = model_from_json(json.dumps(description))
        except ValueError:
            continue
        assert model.predict([X, SIZE], verbose=0) is not None


def test_a_file_written_by_a_graph_names_its_graph(tmp_path):
    with fastnn.use_backend("reference"):
        assert type(saved(subclassed(), tmp_path)) is Model


def test_wrapped_layers_may_share_a_name(tmp_path: Path) -> None:
    def encoder() -> Any:
        return Sequential([Input((3,)), Dense(4, name="fc")])

    model = Sequential([Input((5, 3)), TimeDistributed(encoder()), Dense(3), TimeDistributed(encoder()), Dense(1)])
    x = np.random.default_rng(0).normal(size=(4, 5, 3))
    model.compile("adam", "mse")
    model.fit(x, np.ones((4, 5, 1)), verbose=0)
    assert len(model.weight_paths()) == len(model.weights)
    model.save(tmp_path / "m.fastnn")
    again = load_model(tmp_path / "m.fastnn")
    for other in (again, copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict(x, verbose=0), model.predict(x, verbose=0))
        for name, state in model.optimizer_state.items():
            for one, two in zip(state, other.optimizer_state[name], strict=True):
                np.testing.assert_array_equal(one, two)
