"""Attention layers in files of Keras's formats without Keras: calls with several tensors, masks and options."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from keras_zip import at, described, parts_of, refused, write

from fastnn import Model, load_model
from fastnn.layers import (
    Add,
    AdditiveAttention,
    Attention,
    Concatenate,
    Conv1D,
    Dense,
    Embedding,
    GroupedQueryAttention,
    Input,
    LayerNormalization,
    MultiHeadAttention,
)

h5py = pytest.importorskip("h5py")

RNG = np.random.default_rng(5)


def attending():
    x = Input((3, 4))
    y = MultiHeadAttention(2, 2, use_gate=True)(x, x)
    y = GroupedQueryAttention(4, 2, 2)(y, x)
    return Model(x, AdditiveAttention()([y, Attention(use_scale=True, score_mode="concat")([y, x])]))


def test_weights_of_attention(tmp_path):
    model, again = attending(), attending()
    for weight in model.weights:
        weight.assign(RNG.normal(size=weight.shape))
    model.save_weights(tmp_path / "m.weights.h5")
    again.load_weights(tmp_path / "m.weights.h5")
    x = RNG.normal(size=(2, 3, 4))
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    with h5py.File(tmp_path / "m.weights.h5") as file:
        assert file["layers/multi_head_attention/query_dense/vars/0"].shape == (4, 2, 2)


def encoder():
    """A block of a transformer."""
    x = Input((3, 4))
    y = LayerNormalization()(Add()([x, MultiHeadAttention(2, 2)(x, x)]))
    y = LayerNormalization()(Add()([y, Dense(4)(Dense(8, "relu")(y))]))
    return Model(x, y), [(3, 4)]


def decoder():
    """Causal attention, then attention to a memory that another mask covers in part; scores come out."""
    x, memory, seen = Input((3, 4), name="x"), Input((5, 6), name="memory"), Input((5,), name="seen")
    y = MultiHeadAttention(2, 2, value_dim=3, use_gate=True)(x, x, use_causal_mask=True)
    y = Add()([x, y])
    z, scores = MultiHeadAttention(2, 2, output_shape=7)(y, memory, value_mask=seen, return_attention_scores=True)
    z = GroupedQueryAttention(4, 4, 2)(Dense(4)(z), x, key=y)
    return Model([x, memory, seen], {"z": z, "scores": scores}), [(3, 4), (5, 6), (5,)]


def plain():
    """Lists of sequences and masks, an array as mask, keyword arguments, one layer called twice."""
    x, y, seen = Input((3, 4), name="x"), Input((3, 4), name="y"), Input((3,), name="seen")
    shared = Attention(use_scale=True, score_mode="concat", name="shared")
    a = shared([x, y], mask=[None, seen], use_causal_mask=True)
    b = shared([a, y, x])
    c = AdditiveAttention()([a, b], mask=[seen, None])
    lower = np.tril(np.ones((3, 3)))
    d = MultiHeadAttention(2, 2)(query=c, value=b, attention_mask=np.stack([lower, lower.T]))
    return Model([x, y, seen], MultiHeadAttention(1, 2)(d, b, attention_mask=lower)), [(3, 4), (3, 4), (3,)]


@pytest.mark.parametrize("make", [encoder, decoder, plain, lambda: (attending(), [(3, 4)])])
def test_attention_there_and_back(make, tmp_path):
    model, shapes = make()
    for weight in model.weights:
        weight.assign(RNG.normal(size=weight.shape))
    x = [RNG.normal(size=(2, *shape)) if len(shape) > 1 else RNG.integers(0, 2, (2, *shape)) for shape in shapes]
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    for a, b in zip(listed(again.predict(x, verbose=0)), listed(model.predict(x, verbose=0)), strict=True):
        np.testing.assert_array_equal(a, b)
    again.save(tmp_path / "n.keras")
    first, second = (json.loads(parts_of(tmp_path / name)["config.json"]) for name in ("m.keras", "n.keras"))
    assert first == second


def listed(found):
    return list(found.values()) if isinstance(found, dict) else [found]


def test_what_keras_looks_for_in_attention(tmp_path):
    """Names, arguments and places are Keras's."""
    decoder()[0].save(tmp_path / "m.keras")
    parts = parts_of(tmp_path / "m.keras")
    layers = {entry["class_name"]: entry for entry in json.loads(parts["config.json"])["config"]["layers"]}
    grouped, cross = layers["GroupQueryAttention"], layers["MultiHeadAttention"]  # the second of two
    assert grouped["module"] == "keras.layers" and set(grouped["inbound_nodes"][0]["kwargs"]) == {"key"}
    assert cross["build_config"]["shapes_dict"]["value_shape"] == [None, 5, 6]
    (call,) = cross["inbound_nodes"]
    assert [tensor["config"]["shape"] for tensor in call["args"]] == [[None, 3, 4], [None, 5, 6]]
    assert call["kwargs"]["value_mask"]["config"]["keras_history"] == ["seen", 0, 0]
    assert call["kwargs"]["return_attention_scores"] is True
    with h5py.File(io.BytesIO(parts["model.weights.h5"])) as file:
        assert file["layers/multi_head_attention_1/output_dense/vars/0"].shape == (2, 2, 7)
        assert file["layers/multi_head_attention/_gate_dense/vars/1"].shape == (2, 3)
        assert file["layers/grouped_query_attention/_key_dense/vars/0"].shape == (4, 2, 4)


def operation(kind, name, *args):
    """As Keras writes an operation on tensors."""
    call = {"args": list(args), "kwargs": {}}
    return {"module": "keras.src.ops.numpy", "class_name": kind, "config": {"name": name}, "registered_name": kind,
            "name": name, "inbound_nodes": [call]}  # fmt: skip


def tensor(name, *shape):
    return {"class_name": "__keras_tensor__", "config": {"shape": [None, *shape], "keras_history": [name, 0, 0]}}


@pytest.mark.parametrize(
    ("kind", "argument", "source", "loses", "accepted"),
    [
        ("NotEqual", "query_mask", "tokens", False, True),  # what Embedding makes
        ("NotEqual", "value_mask", "tokens", False, True),
        ("LogicalNot", "query_mask", "tokens", False, False),
        ("NotEqual", "query_mask", "other", False, False),  # of other tokens
        ("NotEqual", "attention_mask", "tokens", False, False),
        ("NotEqual", "query_mask", "tokens", True, False),  # a layer between takes the mask away
    ],
)
def test_masks_that_operations_make(kind, argument, source, loses, accepted, tmp_path):
    """Versions of Keras write the masks of Embedding down as arguments; others are not left out in silence."""
    tokens, other = Input((4,), name="tokens"), Input((4,), name="other")
    e = Embedding(7, 4, mask_zero=True, name="e")(tokens)
    e = Conv1D(4, 1, name="between")(e) if loses else LayerNormalization(name="between")(e)
    y = MultiHeadAttention(1, 2, name="mha")(e, e)
    model = Model([tokens, other], Concatenate()([y, Embedding(7, 4)(other)]))
    model.save(tmp_path / "m.keras")
    good = parts_of(tmp_path / "m.keras")

    def change(config):
        layers = config["config"]["layers"]
        layers.append(operation(kind, "not_equal", tensor(source, 4), 0))
        (attention,) = (entry for entry in layers if entry["name"] == "mha")
        attention["inbound_nodes"][0]["kwargs"][argument] = tensor("not_equal", 4)

    path = write(tmp_path / "m.keras", described(good, change))
    if not accepted:
        refused(path, "mha: fastnn traces no operations on tensors.*not_equal")
        return
    x = [np.array([[1, 2, 0, 0]]), np.ones((1, 4))]
    np.testing.assert_array_equal(load_model(path).predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda n: n.update(args=n["args"][:1]), "expected query and value"),
        (lambda n: n["kwargs"].update(nonsense=1), "attention: expected the arguments of MultiHeadAttention.*nonsense"),
        (lambda n: n["kwargs"].update(key=3), "called with tensors"),
        (lambda n: n["kwargs"].update(key_mask=[1, 0]), "key_mask must be an Input"),
        (lambda n: n["kwargs"].update(query_mask=n["args"][0]), "expected a query_mask of shape"),
        (lambda n: n["kwargs"].update(attention_mask=[["x"]]), "numbers or booleans"),
        (lambda n: n["kwargs"].update(attention_mask=[[1, 0]]), "mask"),
        (lambda n: n["kwargs"].update(attention_mask=np.ones((2, 3, 3)).tolist()), "the same for all samples"),
        (lambda n: n["kwargs"].update(use_causal_mask="x"), "must be True or False"),
        (lambda n: n.update(args=[*n["args"], None, None, None, None, None, None, None, None, None]), "too many"),
    ],
)
def test_calls_of_attention_that_make_no_sense(change, match, tmp_path):
    x = Input((3, 4))
    Model(x, MultiHeadAttention(2, 2, name="attention")(x, x)).save(tmp_path / "m.keras")
    good = parts_of(tmp_path / "m.keras")
    changing = described(good, lambda c: change(at(c, "config", "layers", 1, "inbound_nodes", 0)))
    refused(write(tmp_path / "m.keras", changing), match)
