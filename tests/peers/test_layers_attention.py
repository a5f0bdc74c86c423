"""Attention and EinsumDense against Keras and PyTorch: outputs, gradients, training, in float64, with all masks."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import layers, ops

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

pytestmark = [
    pytest.mark.usefixtures("keras_in_double"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
    pytest.mark.filterwarnings("ignore:(?s).*does not support masking:UserWarning"),  # Keras within its own layer
]

TIGHT = {"rtol": 1e-9, "atol": 1e-10}
CAUSAL, SCORES = {"use_causal_mask": True}, {"return_attention_scores": True}
QUERY, VALUE, KEY = (3, 4), (5, 2), (5, 4)
PAIR, TRIPLE = (QUERY, KEY), (QUERY, VALUE, KEY)
GROUPS = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
# For queries that see nothing, PyTorch, on which Keras runs here, keeps a gradient of the scores, and Keras has weights
# of 0 where they are asked for.  The shape that Keras foresees for scores is right for as many keys as queries only.
CASES = {
    "dot": ("Attention", {}, PAIR, {}),
    "dot, key, scale": ("Attention", {"use_scale": True}, TRIPLE, CAUSAL),
    "dot, scores": ("Attention", {}, TRIPLE, CAUSAL | SCORES),
    "concat": ("Attention", {"score_mode": "concat"}, PAIR, CAUSAL),
    "concat, scale": ("Attention", {"score_mode": "concat", "use_scale": True}, TRIPLE, {}),
    "additive": ("AdditiveAttention", {}, TRIPLE, CAUSAL),
    "additive, plain": ("AdditiveAttention", {"use_scale": False}, PAIR, SCORES),
    "heads": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, PAIR, {}),
    "heads, causal": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, PAIR, CAUSAL),
    "heads, key": ("MultiHeadAttention", {"num_heads": 3, "key_dim": 2, "value_dim": 5}, TRIPLE, CAUSAL),
    "heads, no bias": ("MultiHeadAttention", {"num_heads": 1, "key_dim": 3, "use_bias": False}, TRIPLE, {}),
    "heads, output": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "output_shape": (2, 3)}, (KEY, KEY), SCORES),
    "heads, gate": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "use_gate": True}, PAIR, {}),
    "heads, window": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "sliding_window": 2}, PAIR, CAUSAL),
    "heads, axes": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "attention_axes": (1,)}, PAIR, {}),
    "heads, squares": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, ((2, 3, 4), (5, 2, 4)), {}),
    "groups": ("GroupQueryAttention", GROUPS, (QUERY, KEY), {}),
    "groups, causal": ("GroupQueryAttention", {**GROUPS, "use_bias": False}, (QUERY, KEY), CAUSAL),
    "groups, gate": ("GroupQueryAttention", {**GROUPS, "use_gate": True}, (QUERY, KEY), CAUSAL),
}


def attended(module, name, arguments, given, call):
    """The outputs of a call, as Keras and fastnn have it."""
    layer = getattr(module, name)(**arguments)
    out = layer(given, **call) if name in ("Attention", "AdditiveAttention") else layer(*given, **call)
    return list(out) if isinstance(out, (tuple, list)) else [out]


def pair_of(build, seed=2):
    """The same model in both, with the same random weights; `build` gets a package and gives inputs and outputs."""
    ours, theirs = (package.Model(*build(package)) for package in (fastnn, keras))
    random = np.random.default_rng(seed)
    weights = [0.5 * random.normal(size=w.shape) for w in ours.weights]
    assert [tuple(w.shape) for w in theirs.weights] == [w.shape for w in weights]
    assert [w.path for w in theirs.weights] == [w.name for w in ours.weights] or len(weights) == 0
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


def outputs_of(model, data):
    found = model.predict(data, verbose=0)
    return found if isinstance(found, list) else [found]


def assert_equal_training(ours, theirs, data, steps=20):
    for one, two in zip(outputs_of(ours, data), outputs_of(theirs, data), strict=True):
        np.testing.assert_allclose(one, two, **TIGHT)
    random = np.random.default_rng(3)
    goals = [random.normal(size=part.shape) for part in outputs_of(ours, data)]
    for optimizer, count in (("sgd", 1), ("adam", steps)):  # one plain step shows the gradients
        for model in (ours, theirs):
            model.compile(optimizer, ["mse"] * len(goals) if len(goals) > 1 else "mse")
            model.optimizer.learning_rate = 0.01
            for _ in range(count):
                model.train_on_batch(data, goals if len(goals) > 1 else goals[0])
        for one, two in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(one, two, **TIGHT)


def arrays(shapes, n=4, seed=1):
    random = np.random.default_rng(seed)
    return [random.normal(size=(n, *shape)) for shape in shapes]


@pytest.fixture(autouse=True)
def fresh_names():
    fastnn.utils.clear_session()
    keras.utils.clear_session()


@pytest.mark.parametrize("name", CASES)
def test_layers_train_as_in_keras(name):
    cls, arguments, shapes, call = CASES[name]

    def build(package):
        inputs = [package.Input(shape) for shape in shapes]
        given = [package.layers.EinsumDense("...a,ab->...b", x.shape[-1])(x) for x in inputs]
        return inputs, attended(package.layers, cls, arguments, given, call)

    ours, theirs = pair_of(build)
    assert_equal_training(ours, theirs, arrays(shapes))


PADDED = {
    "dot": ("Attention", {"use_scale": True}, {}),
    "dot, causal": ("Attention", {}, CAUSAL | SCORES),
    "additive": ("AdditiveAttention", {}, CAUSAL),
    "heads": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, {}),
    "heads, causal": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, CAUSAL),
    "groups": ("GroupQueryAttention", GROUPS, CAUSAL),
}


@pytest.mark.parametrize("layout", ["right", "left", "empty"])
@pytest.mark.parametrize("name", PADDED)
def test_padding(name, layout):
    """Padding of both sequences, a sample whose value is padding altogether among them."""
    cls, arguments, call = PADDED[name]

    def build(package):
        inputs = [package.Input((n,)) for n in (4, 6)]
        given = [package.layers.Embedding(9, 3, mask_zero=True)(x) for x in inputs]
        return inputs, attended(package.layers, cls, arguments, given, call)

    ours, theirs = pair_of(build)
    random = np.random.default_rng(5)
    ids = [random.integers(1, 9, (5, n)) for n in (4, 6)]
    for i in range(5):
        for part in ids:
            length = 1 + i % part.shape[1]
            if layout == "right":
                part[i, length:] = 0
            else:
                part[i, : part.shape[1] - length] = 0
    if layout == "empty":
        ids[1][2] = 0
    for one, two in zip(outputs_of(ours, ids), outputs_of(theirs, ids), strict=True):
        np.testing.assert_allclose(one, two, **TIGHT)
    if layout == "right":
        assert_equal_training(ours, theirs, ids, steps=5)


@pytest.mark.parametrize("shape", [(3, 5), (1, 5), (2, 3, 5), (1, 3, 1)])
def test_attention_mask(shape):
    def build(package):
        inputs = [package.Input(s) for s in (*PAIR, shape)]
        return inputs, package.layers.MultiHeadAttention(2, 3)(inputs[0], inputs[1], attention_mask=inputs[2])

    ours, theirs = pair_of(build)
    mask = np.random.default_rng(1).integers(0, 2, (4, *shape)).astype(float)
    data = arrays(PAIR)
    np.testing.assert_allclose(*(model.predict([*data, mask], verbose=0) for model in (ours, theirs)), **TIGHT)
    mask[..., 0] = 1
    assert_equal_training(ours, theirs, [*data, mask], steps=5)


def test_self_attention_block():
    """A whole transformer block, where one tensor is query, value and key."""

    def build(package):
        x = package.Input((6,))
        h = package.layers.Embedding(9, 4)(x)
        a = package.layers.MultiHeadAttention(2, 3)(h, h)
        h = package.layers.LayerNormalization()(package.layers.add([h, a]))
        f = package.layers.EinsumDense("abc,cd->abd", (None, 8), "relu", "d")(h)
        f = package.layers.EinsumDense("abc,cd->abd", (None, 4), None, "d")(f)
        h = package.layers.LayerNormalization()(package.layers.add([h, f]))
        return x, package.layers.GlobalAveragePooling1D()(h)

    ours, theirs = pair_of(build)
    assert_equal_training(ours, theirs, np.random.default_rng(0).integers(0, 9, (8, 6)))


EINSUMS = [
    ("ab,bc->ac", (3,), 4, "c"),
    ("abc,cd->abd", (5, 3), (5, 4), "bd"),
    ("abc,cde->abed", (5, 3), (None, 4, 2), "e"),
    ("abcd,dce->abe", (5, 2, 3), (None, 4), "e"),
    ("abc,bcd->abd", (5, 3), (5, 4), None),
    ("abc,bd->adc", (5, 3), (4, None), "d"),
    ("...x,xy->...y", (2, 5, 3), 4, "y"),
    ("ab...,bc->ac...", (3, 5, 2), 4, "c"),
]


@pytest.mark.parametrize(("equation", "shape", "output", "bias"), EINSUMS)
def test_einsum_dense(equation, shape, output, bias):
    def build(package):
        x = package.Input(shape)
        return x, package.layers.EinsumDense(equation, output, "tanh", bias)(x)

    ours, theirs = pair_of(build)
    assert_equal_training(ours, theirs, arrays([shape])[0])
    config = theirs.layers[-1].get_config()
    known = layers.EinsumDense(equation, output, "tanh", bias).get_config()
    assert {key: config[key] for key in ("equation", "bias_axes", "activation")} == {
        key: known[key] for key in ("equation", "bias_axes", "activation")
    }


@pytest.mark.parametrize("cls", ["Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"])
def test_arguments_and_defaults(cls):
    """Every argument of Keras is an argument here, with the same default."""
    import inspect

    ours, theirs = (inspect.signature(getattr(module, cls)).parameters for module in (layers, keras.layers))
    served = {name: p.default for name, p in theirs.items() if p.kind is not p.VAR_KEYWORD}
    assert {name: ours[name].default for name in served} == served


# ------------------------------------------------------------------------------------------------------------- PyTorch


@pytest.mark.parametrize("scale", [None, 0.4])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_scaled_dot_product_attention(masked, causal, scale):
    shapes = ((3, 4, 6), (3, 5, 6), (3, 5, 2))
    q, k, v = (torch.tensor(a, requires_grad=True) for a in arrays(shapes, n=2))
    mask = None
    if masked:
        mask = np.random.default_rng(2).integers(0, 2, (2, 1, 4, 5)).astype(bool)
        mask[..., 0] = True  # a query that sees nothing is NaN or 0 there
    seen = None if mask is None else torch.tensor(mask)
    if causal and masked:
        seen = seen & torch.ones(4, 5, dtype=torch.bool).tril()
    expected = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=seen, is_causal=causal and not masked, scale=scale
    )
    y, cache = ops.attention(*(a.detach().numpy() for a in (q, k, v)), mask, causal, scale)
    np.testing.assert_allclose(y, expected.detach().numpy(), **TIGHT)
    dy = np.random.default_rng(3).normal(size=y.shape)
    expected.backward(torch.tensor(dy))
    for one, two in zip(ops.attention_backward(dy, cache), (q, k, v)):
        np.testing.assert_allclose(one, two.grad.numpy(), **TIGHT)


@pytest.mark.parametrize("padded", [False, True])
def test_multihead_attention_of_torch(padded):
    """nn.MultiheadAttention with its weights turned round: values, averaged weights, gradients."""
    heads, width, features = 2, 3, 6
    theirs = torch.nn.MultiheadAttention(features, heads, batch_first=True, dtype=torch.float64)
    x, z = (torch.tensor(a, requires_grad=True) for a in arrays(((4, features), (5, features)), n=3))
    ignored = torch.zeros(3, 5, dtype=torch.bool)
    if padded:
        ignored[1, 3:] = ignored[2, :1] = True
    expected, weights = theirs(x, z, z, key_padding_mask=ignored)

    q, v, mask = fastnn.Input((4, features)), fastnn.Input((5, features)), fastnn.Input((5,))
    layer = layers.MultiHeadAttention(heads, width)
    model = fastnn.Model([q, v, mask], layer(q, v, value_mask=mask, return_attention_scores=True))
    projections = [
        part.T.reshape(features, heads, width)
        for part in theirs.in_proj_weight.detach().numpy().reshape(3, features, features)
    ]
    biases = list(theirs.in_proj_bias.detach().numpy().reshape(3, heads, width) + 0.0)
    outward = theirs.out_proj.weight.detach().numpy().T.reshape(heads, width, features)
    values = [array for pair in zip(projections, biases) for array in pair]
    layer.set_weights([*values, outward, theirs.out_proj.bias.detach().numpy()])
    data = [x.detach().numpy(), z.detach().numpy(), (~ignored).numpy()]
    y, w = model.predict(data, verbose=0)
    np.testing.assert_allclose(y, expected.detach().numpy(), **TIGHT)
    np.testing.assert_allclose(w.mean(axis=1), weights.detach().numpy(), **TIGHT)

    target = np.random.default_rng(1).normal(size=y.shape)
    ((expected - torch.tensor(target)) ** 2).mean().backward()
    before = layer.get_weights()
    model.compile("sgd", ["mse", None])
    model.optimizer.learning_rate = 1.0
    model.train_on_batch(data, [target, np.zeros_like(w)])
    changed = [a - b for a, b in zip(before, layer.get_weights())]
    gradient = theirs.in_proj_weight.grad.numpy().reshape(3, features, features)
    for part, found in zip(gradient, changed[0:6:2]):
        np.testing.assert_allclose(found.reshape(features, -1), part.T, **TIGHT)
    np.testing.assert_allclose(changed[6].reshape(-1, features), theirs.out_proj.weight.grad.numpy().T, **TIGHT)
