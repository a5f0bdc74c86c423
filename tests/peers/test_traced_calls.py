"""Layers with weights and functions in `call`: the same source, run on Keras and on fastnn from the same weights.

Outputs, gradients (one plain step of SGD) and twenty steps of Adam, in float64.
"""

from __future__ import annotations

import numpy as np
import pytest

import fastnn

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

from .test_layers_attention import arrays, assert_equal_training  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures("keras_in_double"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
    pytest.mark.filterwarnings("ignore::UserWarning"),  # of Keras: build, and masks within its own layers
]


def source(keras):
    """The classes as a user writes them after `import keras` or `import fastnn as keras`."""
    layers, ops = keras.layers, keras.ops

    class Linear(layers.Layer):
        """The layer of the guide on making layers."""

        def __init__(self, units=32, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
            self.b = self.add_weight(shape=(self.units,), name="b")

        def call(self, inputs):
            return ops.matmul(inputs, self.w) + self.b

    class Penalty(layers.Layer):
        def call(self, inputs, training=None):
            self.add_loss(0.3 * ops.mean(ops.square(inputs)))
            if training:
                return inputs * 2.0
            return inputs

    class Places(layers.Layer):
        """Embeddings of tokens and of their places."""

        def __init__(self, maxlen, vocab_size, embed_dim):
            super().__init__()
            self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
            self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

        def call(self, x):
            positions = ops.arange(start=0, stop=ops.shape(x)[-1], step=1)
            positions = self.pos_emb(positions)
            x = self.token_emb(x)
            return x + positions

    class Attention(layers.Layer):
        """Heads of attention by functions alone, and a token in front."""

        def __init__(self, units, heads):
            super().__init__()
            self.units, self.heads = units, heads
            self.parts = [layers.Dense(units) for _ in range(3)]

        def build(self, input_shape):
            self.cls = self.add_weight(shape=(1, 1, input_shape[-1]), name="cls")

        def call(self, x):
            batch = ops.shape(x)[0]
            x = ops.concatenate([ops.broadcast_to(self.cls, (batch, 1, x.shape[-1])), x], axis=1)
            shape = (batch, -1, self.heads, self.units // self.heads)
            q, k, v = (ops.transpose(ops.reshape(part(x), shape), (0, 2, 1, 3)) for part in self.parts)
            scores = ops.matmul(q, ops.transpose(k, axes=[0, 1, 3, 2])) / np.sqrt(self.units // self.heads)
            y = ops.transpose(ops.matmul(ops.softmax(scores, axis=-1), v), (0, 2, 1, 3))
            return ops.reshape(y, (batch, -1, self.units))

    return Linear, Penalty, Places, Attention


def linear(package):
    layer, penalty, *_ = source(package)
    x = package.Input((7,))
    return x, layer(2)(penalty()(package.activations.tanh(layer(5)(x))))


def places(package):
    x = package.Input((5,), dtype="int32")
    return x, package.layers.Dense(3)(package.layers.Flatten()(source(package)[2](5, 20, 8)(x)))


def attention(package):
    x = package.Input((4, 6))
    return x, package.layers.Dense(2)(source(package)[3](6, 2)(x)[:, 0])


def functions(package):
    ops, x = package.ops, package.Input((4, 6))
    h = package.layers.Dense(6, activation="sigmoid")(x)
    a, b = ops.split(h, 2, axis=-1)
    y = ops.stack([ops.sqrt(a + 0.1), ops.where(a > b, a, b * 2.0)], axis=-1)
    y = ops.squeeze(ops.max(ops.pad(y, [[0, 0], [1, 1], [0, 0], [0, 0]]), axis=-1, keepdims=True), -1)
    y = ops.tile(y, (1, 1, 2)) * ops.repeat(ops.expand_dims(ops.mean(h, axis=(1, 2)), -1)[..., None], 6, axis=-1)
    y = ops.einsum("bij,bkj->bik", y, ops.cast(y, "float64")) / ops.expand_dims(ops.logsumexp(y, axis=-1), -1)
    return x, package.layers.Dense(2)(ops.relu(ops.sum(y, axis=1)))


@pytest.fixture(autouse=True)
def fresh_names():
    fastnn.utils.clear_session()
    keras.utils.clear_session()


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("build", [linear, places, attention, functions], ids=lambda f: f.__name__)
def test_the_same_source_gives_the_same_training(build, backend):
    ours, theirs = (package.Model(*build(package)) for package in (fastnn, keras))
    random = np.random.default_rng(2)
    by_shape = {w.shape: 0.3 + 0.5 * random.uniform(size=w.shape) for w in ours.weights}
    for model in (ours, theirs):
        model.set_weights([by_shape[tuple(w.shape)] for w in model.weights])
    data = arrays([tuple(x.shape[1:]) for x in theirs.inputs], n=6)[0]
    if build is places:
        data = np.random.default_rng(4).integers(0, 20, (6, 5))
    with fastnn.use_backend(backend):
        assert_equal_training(ours, theirs, data)


def test_batch_normalization_in_calls_for_training():
    x = np.random.default_rng(0).normal(size=(32, 5))
    pairs = []
    for package in (fastnn, keras):
        model = package.Sequential([package.Input((5,)), package.layers.BatchNormalization(momentum=0.8)])
        found = [np.asarray(package.ops.convert_to_numpy(model(x, training=True))) for _ in range(2)]
        pairs.append([*found, *model.get_weights()])
    for a, b in zip(*pairs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
