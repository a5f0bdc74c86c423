"""Attention layers: values worked out with NumPy, gradients by central differences, masks, causality, files."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fastnn
from fastnn import Input, Model, layers
from fastnn.layers.registry import deserialize, serialize
from fastnn.models import load_model, model_from_json
from fastnn.testing import check_layer, gradcheck_model, run_layer

F64 = {"dtype": "float64"}
RNG = np.random.default_rng(0)
TIGHT = {"rtol": 1e-11, "atol": 1e-13}
CAUSAL, SCORES = {"use_causal_mask": True}, {"return_attention_scores": True}
HOLES = {"attention_mask": (np.arange(15).reshape(3, 5) % 4 != 1).tolist()}  # (queries, keys)
BLIND = {"attention_mask": [[1, 1, 0, 1, 0], [0] * 5, [1] * 5]}  # the second query sees nothing

PLAIN, KEYED = ((3, 4), (5, 4)), ((3, 4), (5, 2), (5, 4))
CASES = [
    (layers.Attention, {}, PLAIN, {}),
    (layers.Attention, {}, KEYED, CAUSAL),
    (layers.Attention, {"use_scale": True}, KEYED, SCORES),
    (layers.Attention, {"score_mode": "concat"}, PLAIN, CAUSAL | SCORES),
    (layers.Attention, {"score_mode": "concat", "use_scale": True}, KEYED, {}),
    (layers.Attention, {"dropout": 0.4, "seed": 3}, PLAIN, SCORES),
    (layers.Attention, {}, ((1, 1), (1, 1)), {}),
    (layers.AdditiveAttention, {}, KEYED, {}),
    (layers.AdditiveAttention, {"use_scale": False}, PLAIN, CAUSAL | SCORES),
    (layers.AdditiveAttention, {"dropout": 0.3, "seed": 1}, ((7, 3), (7, 3)), CAUSAL),
    (layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3}, PLAIN, {}),
    (layers.MultiHeadAttention, {"num_heads": 3, "key_dim": 2, "value_dim": 5}, ((3, 4), (5, 2), (5, 7)), HOLES),
    (layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3, "use_bias": False}, PLAIN, BLIND | SCORES),
    (layers.MultiHeadAttention, {"num_heads": 1, "key_dim": 1, "output_shape": [2, 3]}, PLAIN, CAUSAL),
    (layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 2, "use_gate": True}, PLAIN, CAUSAL | HOLES),
    (layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 2, "sliding_window": 2}, ((6, 3), (6, 3)), {}),
    (layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 2, "sliding_window": 3}, ((6, 3), (6, 3)), CAUSAL | SCORES),
    (layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 2, "dropout": 0.5, "seed": 5}, PLAIN, SCORES),
    (layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3}, ((2, 3, 4), (5, 2, 6)), SCORES),
    (layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3, "attention_axes": [1]}, PLAIN, {}),
    (layers.GroupQueryAttention, {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}, PLAIN, HOLES),
    (layers.GroupQueryAttention, {"head_dim": 2, "num_query_heads": 3, "num_key_value_heads": 1}, PLAIN, CAUSAL),
    (
        layers.GroupQueryAttention,
        {"head_dim": 2, "num_query_heads": 6, "num_key_value_heads": 3, "use_gate": True, "use_bias": False},
        ((3, 4), (5, 4), (5, 7)), {},
    ),
]  # fmt: skip
each = pytest.mark.parametrize(("cls", "arguments", "shapes", "call"), CASES)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(q, k, v, seen=True, scale=1.0):
    """Output and weights, for one matrix of each after any axes."""
    w = softmax(np.where(seen, scale * q @ np.swapaxes(k, -1, -2), -1e9))
    return w @ v, w


def heads(x, weights):
    """(samples, places, features) projected to (samples, heads, places, columns)."""
    kernel, *bias = weights
    y = np.einsum("btd,dnh->bnth", x, kernel)
    return y + bias[0][:, np.newaxis] if bias else y


def built(cls, arguments, shapes, seed=1):
    layer = cls(**arguments, **F64)
    layer.build_once(shapes)
    random = np.random.default_rng(seed)
    layer.set_weights([0.6 * random.normal(size=w.shape) for w in layer.weights])
    return layer


def several(shapes, batch=2, seed=2):
    random = np.random.default_rng(seed)
    return tuple(random.normal(size=(batch, *shape)) for shape in shapes)


@each
def test_gradients_backends_and_configs(cls, arguments, shapes, call):
    layer = built(cls, arguments, shapes)
    assert check_layer(layer, shapes, batch=3, options=call) <= 1


@each
def test_one_sample(cls, arguments, shapes, call):
    layer = built(cls, arguments, shapes)
    assert check_layer(layer, shapes, batch=1, options=call) <= 1


# -------------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("causal", [False, True])
def test_attention_by_hand(backend, causal):
    q, v, k = several(KEYED)
    layer = built(layers.Attention, {"use_scale": True}, KEYED)
    y, w = run_layer(layer, (q, v, k), options=SCORES | {"use_causal_mask": causal})
    seen = np.tri(3, 5, dtype=bool) if causal else True
    expected = attend(q, k, v, seen, float(layer.scale.numpy()))
    np.testing.assert_allclose(y, expected[0], **TIGHT)
    np.testing.assert_allclose(w, expected[1], **TIGHT)


def test_additive_attention_by_hand(backend):
    q, v, k = several(KEYED)
    layer = built(layers.AdditiveAttention, {}, KEYED)
    scores = (layer.scale.numpy() * np.tanh(q[:, :, None] + k[:, None])).sum(-1)
    np.testing.assert_allclose(run_layer(layer, (q, v, k)), softmax(scores) @ v, **TIGHT)


def test_concatenated_scores_by_hand(backend):
    q, v = several(PLAIN)
    layer = built(layers.Attention, {"score_mode": "concat", "use_scale": True}, PLAIN)
    a, c = (float(w) for w in layer.get_weights())
    scores = c * np.tanh(a * (q[:, :, None] + v[:, None])).sum(-1)
    np.testing.assert_allclose(run_layer(layer, (q, v)), softmax(scores) @ v, **TIGHT)


@pytest.mark.parametrize("bias", [False, True])
def test_multi_head_attention_by_hand(backend, bias):
    shapes = ((3, 4), (5, 2), (5, 6))
    q, v, k = several(shapes)
    layer = built(layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3, "value_dim": 7, "use_bias": bias}, shapes)
    values, step = layer.get_weights(), 1 + bias
    groups = [values[i : i + step] for i in range(0, len(values), step)]
    mask = np.array(HOLES["attention_mask"], bool)
    (hq, hk, hv), (out, *b) = (heads(x, w) for x, w in zip((q, k, v), groups)), groups[3]
    y, w = attend(hq, hk, hv, mask, 3**-0.5)
    y = np.einsum("bnth,nhd->btd", y, out) + (b[0] if b else 0)
    found = run_layer(layer, (q, v, k), options=SCORES | HOLES)
    np.testing.assert_allclose(found[0], y, **TIGHT)
    np.testing.assert_allclose(found[1], w, **TIGHT)


def test_heads_in_groups_are_repeated_heads(backend):
    """Each head of key and value serves its part of the query's heads, the first one the first ones."""
    shapes = ((3, 4), (5, 4))
    group = built(layers.GroupQueryAttention, {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}, shapes)
    whole = built(layers.MultiHeadAttention, {"num_heads": 4, "key_dim": 3}, shapes)
    whole.set_weights([
        np.repeat(w, 2, axis=w.ndim - 2) if name.startswith(("key", "value")) else w
        for name, w in zip([w.name.split("/")[1] for w in group.weights], group.get_weights())
    ])  # fmt: skip
    x = several(shapes)
    np.testing.assert_allclose(run_layer(group, x), run_layer(whole, x), **TIGHT)


def test_places_of_several_axes_are_places(backend):
    flat = built(layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3}, ((6, 4), (10, 4)))
    square = built(layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3}, ((2, 3, 4), (5, 2, 4)))
    q, v = several(((2, 3, 4), (5, 2, 4)))
    y, w = run_layer(square, (q, v), options=SCORES)
    assert w.shape == (2, 2, 2, 3, 5, 2)
    expected = run_layer(flat, (q.reshape(2, 6, 4), v.reshape(2, 10, 4)))
    np.testing.assert_array_equal(y, expected.reshape(2, 2, 3, 4))


def test_names_and_shapes_of_weights():
    layer = layers.MultiHeadAttention(2, 3, value_dim=5, use_gate=True, name="attend")
    layer.build_once(((3, 4), (5, 6), (5, 7)))
    shapes = {
        "query": (4, 2, 3),
        "key": (7, 2, 3),
        "gate": (4, 2, 5),
        "value": (6, 2, 5),
        "attention_output": (2, 5, 4),
    }
    kernels = [(w.name, w.shape) for w in layer.weights if w.name.endswith("kernel")]
    assert kernels == [(f"attend/{name}/kernel", shape) for name, shape in shapes.items()]
    assert [w.shape for w in layer.weights[1::2]] == [(2, 3), (2, 3), (2, 5), (2, 5), (4,)]
    limits = [np.sqrt(6 / (4 + 6)), np.sqrt(6 / (7 + 6))]  # connections of the equation, not of the shape
    first = [np.abs(layer.weights[i].numpy()).max() for i in (0, 2)]
    assert all(0.7 * limit < found <= limit for limit, found in zip(limits, first))
    assert not np.array_equal(layer.weights[0].numpy()[:4], layer.weights[2].numpy()[:4])


# --------------------------------------------------------------------------------------------------------------- masks


def sequences_model(attention, **call):
    """Token ids of query and value, padded with 0, and attention between their embeddings."""
    a, b = Input((4,), name="a", **F64), Input((6,), name="b", **F64)
    embed = layers.Embedding(9, 3, mask_zero=True, **F64)
    one, two = embed(a), layers.Embedding(9, 3, mask_zero=True, **F64)(b)
    pair = [one, two] if isinstance(attention, layers.Attention) else (one, two)
    out = attention(pair, **call) if isinstance(pair, list) else attention(*pair, **call)
    return Model([a, b], out), Model([a, b], [one, two])


IDS = np.array([[1, 2, 3, 4], [5, 6, 0, 0], [7, 0, 0, 0]]), np.array([[1, 2, 3, 0, 0, 0], [4] * 6, [0, 5, 0, 6, 0, 7]])


@pytest.mark.parametrize("cls", [layers.Attention, layers.AdditiveAttention])
def test_padding_reaches_attention(backend, cls):
    attention = cls(**F64)
    model, embeddings = sequences_model(attention, **SCORES)
    y, w = model.predict(list(IDS), verbose=0)
    q, v = embeddings.predict(list(IDS), verbose=0)
    keys, queries = (IDS[1] != 0)[:, None], (IDS[0] != 0)[..., None]
    scores = q @ v.swapaxes(1, 2)
    if cls is layers.AdditiveAttention:
        scores = (attention.scale.numpy() * np.tanh(q[:, :, None] + v[:, None])).sum(-1)
    weights = softmax(np.where(keys, scores, -1e9))
    np.testing.assert_allclose(w, weights, **TIGHT)
    np.testing.assert_allclose(y, np.where(queries, weights @ v, 0), **TIGHT)
    assert (w[~np.broadcast_to(keys, w.shape)] == 0).all()
    assert (y[IDS[0] == 0] == 0).all()


def test_padding_reaches_the_heads(backend):
    """A query that is padding sees nothing: all keys get the same weight, masked ones, too."""
    attention = layers.MultiHeadAttention(2, 3, **F64)
    model, _ = sequences_model(attention, **SCORES)
    y, w = model.predict(list(IDS), verbose=0)
    assert np.isfinite(y).all()
    queries, keys = (IDS[0] != 0)[:, None, :, None], (IDS[1] != 0)[:, None, None]
    unseen = np.broadcast_to(queries & ~keys, w.shape)
    assert (w[unseen] == 0).all()
    np.testing.assert_array_equal(w[np.broadcast_to(~queries, w.shape)], 1 / 6)
    np.testing.assert_allclose(w.sum(-1), 1, rtol=1e-12)


def test_a_value_that_is_all_padding(backend):
    """Keras's answer: the mean of all values for heads, and the unmasked weights for Attention; never NaN."""
    ids = [np.array([[1, 2, 3, 4]]), np.zeros((1, 6))]
    heads_model, _ = sequences_model(layers.MultiHeadAttention(2, 3, **F64), **SCORES)
    np.testing.assert_array_equal(heads_model.predict(ids, verbose=0)[1], 1 / 6)
    plain, _ = sequences_model(layers.Attention(**F64), **SCORES)
    y, w = plain.predict(ids, verbose=0)
    np.testing.assert_allclose(w, 1 / 6, rtol=1e-6)  # all embeddings of 0 are equal
    assert np.isfinite(y).all()


def test_output_has_the_mask_of_the_query(backend):
    attention = layers.MultiHeadAttention(2, 3, **F64)
    model, _ = sequences_model(attention)
    model.compile("sgd", "mse")
    target = RNG.normal(size=(3, 4, 3))
    values = ((model.predict(list(IDS), verbose=0) - target) ** 2).mean(2)
    expected = values[IDS[0] != 0].mean()
    np.testing.assert_allclose(model.test_on_batch(list(IDS), target), expected, rtol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("cls", [layers.Attention, layers.AdditiveAttention, layers.MultiHeadAttention])
def test_gradients_with_padding(backend, cls, causal):
    arguments = {"num_heads": 2, "key_dim": 2} if cls is layers.MultiHeadAttention else {"use_scale": True}
    model, _ = sequences_model(cls(**arguments, **F64), use_causal_mask=causal)
    model.compile("sgd", "mse")
    target = np.random.default_rng(5).normal(size=(3, 4, 3))
    queries, values = (ids.copy() for ids in IDS)
    if cls is not layers.MultiHeadAttention:
        values[:, 0] = 8  # where nothing is seen, scores have lost the digits that differences would show
    assert gradcheck_model(model, [queries, values], target) <= 1


@pytest.mark.parametrize("shape", [(3, 5), (1, 5), (3, 1), (2, 3, 5), (1, 3, 5), (2, 1, 5)])
def test_a_mask_is_an_input(backend, shape):
    q, v, mask = Input((3, 4), **F64), Input((5, 4), **F64), Input(shape, **F64)
    attention = layers.MultiHeadAttention(2, 3, **F64)
    model = Model([q, v, mask], attention(q, v, attention_mask=mask, **SCORES))
    x, z = several(PLAIN, batch=4)
    seen = np.random.default_rng(1).integers(0, 2, (4, *shape))
    y, w = model.predict([x, z, seen], verbose=0)
    weights = attention.get_weights()
    full = seen[:, None] if len(shape) == 2 else seen
    expected = attend(heads(x, weights[0:2]), heads(z, weights[2:4]), heads(z, weights[4:6]), full, 3**-0.5)
    np.testing.assert_allclose(w, expected[1], **TIGHT)
    model.compile("sgd", ["mse", "mse"])
    goals = [np.ones_like(y), np.zeros_like(w)]
    assert gradcheck_model(model, [x, z, seen], goals) <= 1


def test_masks_by_name(backend):
    """query_mask, value_mask and key_mask are tensors, too, and stand for those that come with the sequences."""
    q, v, k = Input((3, 4), **F64), Input((5, 4), **F64), Input((5, 4), **F64)
    qm, vm, km = Input((3,), **F64), Input((5,), **F64), Input((5,), **F64)
    attention = layers.MultiHeadAttention(2, 3, **F64)
    out = attention(q, v, k, query_mask=qm, value_mask=vm, key_mask=km, use_causal_mask=True, **SCORES)
    model = Model([q, v, k, qm, vm, km], out)
    data = several((*KEYED[:1], (5, 4), (5, 4)), batch=3)
    random = np.random.default_rng(4)
    masks = [random.integers(0, 2, (3, n)) for n in (3, 5, 5)]
    masks[1][:, 0] = masks[2][:, 0] = 1
    w = model.predict([*data, *masks], verbose=0)[1]
    allowed = (masks[0][:, :, None] * masks[1][:, None] * masks[2][:, None] != 0) & np.tri(3, 5, dtype=bool)
    blind = ~allowed.any(-1)
    assert np.array_equal(w[:, 0] > 0, allowed | blind[..., None])
    plain = layers.Attention(**F64)
    other = Model([q, v, k, qm, vm], plain([q, v, k], mask=[qm, vm]))
    y = other.predict([*data, *masks[:2]], verbose=0)
    expected, _ = attend(data[0], data[2], data[1], masks[1][:, None] != 0)
    np.testing.assert_allclose(y, expected * masks[0][..., None], **TIGHT)


def test_the_future_changes_nothing(backend):
    for layer, shape in (
        (built(layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3}, ((7, 4),) * 2), (7, 4)),
        (built(layers.Attention, {}, ((7, 4),) * 2), (7, 4)),
        (built(layers.AdditiveAttention, {}, ((7, 4),) * 2), (7, 4)),
    ):
        x = np.random.default_rng(3).normal(size=(2, *shape))
        other = x.copy()
        other[:, 5:] = 9
        one, two = (run_layer(layer, (a, a), options=CAUSAL) for a in (x, other))
        np.testing.assert_array_equal(one[:, :5], two[:, :5])
        assert not np.array_equal(one[:, 5:], two[:, 5:])


def test_a_sliding_window_is_a_band(backend):
    layer = built(layers.MultiHeadAttention, {"num_heads": 1, "key_dim": 3, "sliding_window": 2}, ((6, 4),) * 2)
    (x,) = several(((6, 4),))
    w = run_layer(layer, (x, x), options=SCORES)[1]
    assert np.array_equal(w[0, 0] > 0, np.abs(np.subtract.outer(np.arange(6), np.arange(6))) < 2)
    w = run_layer(layer, (x, x), options=SCORES | CAUSAL)[1]
    assert np.array_equal(w[0, 0] > 0, np.tri(6, dtype=bool) & ~np.tri(6, k=-2, dtype=bool))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("keys", [1, 33, 2050, 4100])
def test_more_keys_than_fit_into_a_chunk(dtype, keys):
    """Rows of scores are masked a chunk at a time: the kernel of both dtypes against the reference."""
    for layer in (layers.MultiHeadAttention(1, 2, sliding_window=1500, dtype=dtype), layers.Attention(dtype=dtype)):
        shapes = ((3, 2), (keys, 2))
        layer.build_once(shapes)
        x = several(shapes, batch=1)
        mask = (np.random.default_rng(1).integers(0, 3, (3, keys)) > 0).astype(int)
        call = {"attention_mask": mask.tolist()} | SCORES
        found = run_layer(layer, x, options=call)
        with fastnn.use_backend("reference"):
            expected = run_layer(layer, x, options=call)
        tolerance = {"rtol": 1e-4, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-14}
        for one, two in zip(found, expected):
            np.testing.assert_allclose(one, two, **tolerance)


def test_more_features_than_fit_into_a_chunk():
    shapes = ((2, 2060), (3, 2060))
    layer = built(layers.AdditiveAttention, {}, shapes)
    x = several(shapes, batch=2)
    found = run_layer(layer, x)
    with fastnn.use_backend("reference"):
        np.testing.assert_allclose(found, run_layer(layer, x), rtol=1e-10)


# --------------------------------------------------------------------------------------------------- models and files


def transformer(mask=None):
    x = Input((6,), name="tokens", **F64)
    h = layers.Embedding(9, 4, mask_zero=True, **F64)(x)
    a, scores = layers.MultiHeadAttention(2, 3, dropout=0.1, seed=3, name="self", **F64)(
        h, h, use_causal_mask=True, attention_mask=mask, return_attention_scores=True
    )
    h = layers.LayerNormalization(**F64)(h + a)
    g = layers.GroupQueryAttention(2, 2, 1, **F64)(h, h)
    b = layers.Attention(use_scale=True, **F64)([h, g])
    model = Model(x, [layers.Dense(2, **F64)(b), scores], name="t")
    return model


@pytest.mark.parametrize("mask", [None, np.tri(6, k=-1)], ids=["none", "constant"])
def test_calls_are_saved(backend, tmp_path, mask):
    model = transformer(mask)
    model.compile("adam", ["mse", None])
    x = np.random.default_rng(1).integers(0, 9, (5, 6))
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "m.fastnn")
    again = load_model(tmp_path / "m.fastnn")
    rebuilt = model_from_json(model.to_json())
    rebuilt.set_weights(model.get_weights())
    for other in (again, rebuilt, fastnn.models.clone_model(model)):
        assert [w.name for w in other.weights] == [w.name for w in model.weights]
    for other in (again, rebuilt):
        for one, two in zip(other.predict(x, verbose=0), expected):
            np.testing.assert_array_equal(one, two)


def test_a_model_of_inner_tensors_keeps_the_calls(backend):
    model = transformer()
    part = Model(model.get_layer("self").parameters and model.inputs, model.outputs[1])
    x = np.random.default_rng(1).integers(1, 9, (2, 6))
    np.testing.assert_array_equal(part.predict(x, verbose=0), model.predict(x, verbose=0)[1])
    upper = np.triu(np.ones((6, 6), bool), 1)
    assert (part.predict(x, verbose=0)[:, :, upper] == 0).all()


def test_files_cannot_name_other_arguments():
    entry = json.loads(transformer().to_json())
    calls = entry["config"]["calls"]
    place = next(i for i, call in enumerate(calls) if "options" in call)
    for options in ({"bare": True}, [], {"use_causal_mask": 1}, {"masks": [["self"]]}, {"attention_mask": ["x"]}):
        calls[place]["options"] = options
        with pytest.raises(ValueError, match=r"Received: "):
            model_from_json(json.dumps(entry))


def test_one_layer_called_with_masks_and_without(backend):
    """Looking at the scores of a trained layer is another call of it."""
    x, mask = Input((5, 4), **F64), Input((5, 5), **F64)
    attention = layers.MultiHeadAttention(2, 3, **F64)
    plain = Model(x, attention(x, x))
    both = Model([x, mask], attention(x, x, attention_mask=mask, return_attention_scores=True))
    (data,) = several(((5, 4),))
    y, w = both.predict([data, np.ones((2, 5, 5))], verbose=0)
    np.testing.assert_array_equal(plain.predict(data, verbose=0), y)
    assert w.shape == (2, 2, 5, 5)
    assert len(attention.weights) == 8


def test_frozen_projections(backend):
    x = Input((5, 4), **F64)
    attention = layers.MultiHeadAttention(2, 3, trainable=False, **F64)
    model = Model(x, layers.Dense(1, **F64)(attention(layers.Dense(4, **F64)(x), x)))
    assert len(model.trainable_weights) == 4
    model.compile("sgd", "mse")
    assert gradcheck_model(model, several(((5, 4),))[0], np.ones((2, 5, 1))) <= 1
    before = attention.get_weights()
    model.train_on_batch(several(((5, 4),))[0], np.ones((2, 5, 1)))
    assert all(map(np.array_equal, before, attention.get_weights()))


def test_penalties_of_projections(backend):
    """Each of the four projections is penalised, as in Keras."""
    x = Input((3, 2), **F64)
    attention = layers.MultiHeadAttention(
        1, 2, activity_regularizer="l2", kernel_regularizer="l1", kernel_constraint="non_neg", **F64
    )
    model = Model(x, attention(x, x))
    model.compile("sgd", "mse")
    (data,) = several(((3, 2),))
    target = np.zeros((2, 3, 2))
    w = attention.get_weights()
    q, k, v = (heads(data, w[2 * i : 2 * i + 2]) for i in range(3))
    y = model.predict(data, verbose=0)
    penalty = sum(0.01 * (part**2).sum() / 2 for part in (q, k, v, y)) + sum(
        0.01 * np.abs(part).sum() for part in w[::2]
    )
    np.testing.assert_allclose(model.test_on_batch(data, target), (y**2).mean() + penalty, rtol=1e-10)
    assert gradcheck_model(model, data, target) <= 1
    model.train_on_batch(data, target)
    assert all((part >= 0).all() for part in attention.get_weights()[::2])


@pytest.mark.parametrize("threads", [2, 3])
def test_bits_do_not_depend_on_the_threads(threads):
    results = []
    for count in (1, threads):
        with fastnn.num_threads(count):
            fastnn.utils.set_random_seed(1)
            x = Input((40, 24))
            h = layers.MultiHeadAttention(3, 8, dropout=0.2)(x, x, use_causal_mask=True)
            model = Model(x, layers.AdditiveAttention()([h, x]))
            model.compile("adam", "mse")
            data = np.random.default_rng(0).normal(size=(16, 40, 24))
            model.fit(data, data, epochs=2, batch_size=8, verbose=0)
            results.append(model.get_weights())
    assert all(map(np.array_equal, *results))


# -------------------------------------------------------------------------------------------------------------- errors

X, Z, SQUARE = Input((3, 4)), Input((5, 4)), Input((2, 3, 4))
WRONG = {
    "no list": lambda: layers.Attention()(X),
    "four": lambda: layers.Attention()([X, Z, Z, Z]),
    "features": lambda: layers.Attention()([X, Input((5, 3))]),
    "mode": lambda: layers.Attention(score_mode="sum"),
    "dropout": lambda: layers.Attention(dropout=1.0),
    "heads": lambda: layers.MultiHeadAttention(0, 2),
    "groups": lambda: layers.GroupQueryAttention(2, 3, 2),
    "width of value": lambda: layers.MultiHeadAttention(2, 2, value_dim=0),
    "axes": lambda: layers.MultiHeadAttention(2, 2, attention_axes=2)(SQUARE, SQUARE),
    "flash": lambda: layers.MultiHeadAttention(2, 2, flash_attention=True),
    "lengths": lambda: layers.MultiHeadAttention(2, 2)(X, Z, X),
    "vector": lambda: layers.MultiHeadAttention(2, 2)(Input((3,)), Z),
    "mask": lambda: layers.MultiHeadAttention(2, 2)(X, Z, attention_mask=Input((5, 3))),
    "vector mask": lambda: layers.MultiHeadAttention(2, 2)(X, Z, attention_mask=Input((5,))),
    "key mask": lambda: layers.MultiHeadAttention(2, 2)(X, Z, value_mask=Input((3,))),
    "words": lambda: layers.MultiHeadAttention(2, 2)(X, Z, attention_mask=[["a"] * 5] * 3),
    "causal of squares": lambda: layers.MultiHeadAttention(2, 2)(SQUARE, SQUARE, **CAUSAL),
    "number": lambda: layers.MultiHeadAttention(2, 2)(X, Z, use_causal_mask=1),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_errors_say_what_was_expected(case):
    with pytest.raises(ValueError, match=r"Received: "):
        WRONG[case]()


def test_arrays_compute_and_missing_values_are_refused():
    with pytest.raises(TypeError, match="Received: no value"):
        layers.MultiHeadAttention(2, 2)(X)
    assert layers.MultiHeadAttention(2, 2)(np.ones((1, 3, 4)), np.ones((1, 5, 4))).shape == (1, 3, 4)
    with pytest.raises(TypeError, match="Received: "):
        layers.MultiHeadAttention(2, 2)(np.ones((1, 3, 4)), X)
    with pytest.raises(TypeError, match="Did you mean 'num_heads'"):
        layers.MultiHeadAttention(heads=2, num_heads=2, key_dim=2)


@pytest.mark.parametrize(("cls", "arguments", "shapes", "call"), CASES)
def test_descriptions(cls, arguments, shapes, call):
    layer = cls(**arguments)
    entry = json.loads(json.dumps(serialize(layer)))
    assert serialize(deserialize(entry)) == entry
