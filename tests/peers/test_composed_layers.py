"""Layers that users compose of others in `call`: the same source, run on Keras and on fastnn from the same weights.

Outputs, gradients (one plain step of SGD) and twenty steps of Adam, in float64. Dropout is off: each library draws its
own masks.
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
    layers = keras.layers

    class TransformerBlock(layers.Layer):
        """keras.io, text classification with a transformer: attention and a network, each added to its input."""

        def __init__(self, embed_dim, num_heads, ff_dim, rate=0.0):
            super().__init__()
            self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
            self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])
            self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
            self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
            self.dropout1 = layers.Dropout(rate)
            self.dropout2 = layers.Dropout(rate)

        def call(self, inputs):
            attn_output = self.att(inputs, inputs)
            attn_output = self.dropout1(attn_output)
            out1 = self.layernorm1(inputs + attn_output)
            ffn_output = self.ffn(out1)
            ffn_output = self.dropout2(ffn_output)
            return self.layernorm2(out1 + ffn_output)

    class TokenAndPositionEmbedding(layers.Layer):
        """keras.io's, with places that are a layer's weights, too."""

        def __init__(self, maxlen, vocab_size, embed_dim):
            super().__init__()
            self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
            self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

        def call(self, tokens, positions):
            return self.token_emb(tokens) + self.pos_emb(positions)

    class Residual(layers.Layer):
        """Two convolutions with batch normalisation, and a projection of the input where the shapes differ."""

        def __init__(self, filters, strides=1):
            super().__init__()
            self.conv1 = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)
            self.bn1 = layers.BatchNormalization()
            self.conv2 = layers.Conv2D(filters, 3, padding="same", use_bias=False)
            self.bn2 = layers.BatchNormalization()
            self.shortcut = layers.Conv2D(filters, 1, strides=strides) if strides > 1 else None
            self.relu = layers.Activation("relu")

        def call(self, inputs, training=None):
            x = self.conv1(inputs)
            x = self.bn1(x, training=training)
            x = self.relu(x)
            x = self.conv2(x)
            x = self.bn2(x, training=training)
            skip = inputs if self.shortcut is None else self.shortcut(inputs)
            return self.relu(x + skip)

    class GatedUnit(layers.Layer):
        """gate tanh(V x) + (1 - gate) x: the gate says how much of x passes unchanged."""

        def __init__(self, units):
            super().__init__()
            self.linear = layers.Dense(units, activation="tanh")
            self.gate = layers.Dense(units, activation="sigmoid", bias_initializer="ones")

        def call(self, x):
            gate = self.gate(x)
            return gate * self.linear(x) + (1.0 - gate) * x

    class SqueezeExcite(layers.Layer):
        """Channels weighed by what their means say."""

        def __init__(self, channels, ratio=2):
            super().__init__()
            self.pool = layers.GlobalAveragePooling2D(keepdims=True)
            self.squeeze = layers.Dense(channels // ratio, activation="relu")
            self.excite = layers.Dense(channels, activation="sigmoid")

        def call(self, inputs):
            return inputs * self.excite(self.squeeze(self.pool(inputs)))

    class Tower(layers.Layer):
        """Composed layers in a list, one of them used twice."""

        def __init__(self, units, depth):
            super().__init__()
            self.blocks = [GatedUnit(units) for _ in range(depth)]

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return x + self.blocks[0](x)

    return TransformerBlock, TokenAndPositionEmbedding, Residual, GatedUnit, SqueezeExcite, Tower


def transformer(package):
    block = source(package)[0]
    x = package.Input((5, 8))
    y = block(8, 2, 16)(block(8, 2, 16)(x))
    return x, package.layers.Dense(3)(package.layers.GlobalAveragePooling1D()(y))


def embedded(package):
    block, embedding = source(package)[:2]
    tokens, places = package.Input((5,), dtype="int32"), package.Input((5,), dtype="int32")
    y = block(8, 2, 16)(embedding(5, 20, 8)(tokens, places))
    return [tokens, places], package.layers.Dense(3, activation="softmax")(package.layers.Flatten()(y))


def residual(package):
    block = source(package)[2]
    x = package.Input((6, 6, 4))
    y = block(6, strides=2)(block(4)(x))
    return x, package.layers.Dense(3)(package.layers.GlobalAveragePooling2D()(y))


def gated(package):
    x = package.Input((7,))
    return x, package.layers.Dense(2)(source(package)[3](7)(x))


def squeezed(package):
    x = package.Input((5, 4, 6))
    y = source(package)[4](6)(package.layers.Conv2D(6, 3, activation="relu")(x))
    return x, package.layers.Dense(2)(package.layers.Flatten()(y))


def tower(package):
    x = package.Input((4,))
    return x, package.layers.Dense(2)(source(package)[5](4, 3)(x))


def pair_of(build, seed=2):
    """The same model in both, with the same random weights: they have the same order, and names of their own."""
    ours, theirs = (package.Model(*build(package)) for package in (fastnn, keras))
    random = np.random.default_rng(seed)
    weights = [0.3 + 0.5 * random.uniform(size=w.shape) * random.choice([-1, 1], w.shape) for w in ours.weights]
    weights = [np.abs(w) if "variance" in place.name else w for w, place in zip(weights, ours.weights, strict=True)]
    assert [tuple(w.shape) for w in theirs.weights] == [w.shape for w in weights]
    assert [w.path.split("/")[-1] for w in theirs.weights] == [w.name.split("/")[-1] for w in ours.weights]
    for model in (ours, theirs):
        model.set_weights(weights)
    return ours, theirs


@pytest.fixture(autouse=True)
def fresh_names():
    fastnn.utils.clear_session()
    keras.utils.clear_session()


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("build", [transformer, embedded, residual, gated, squeezed, tower], ids=lambda f: f.__name__)
def test_the_same_source_gives_the_same_training(build, backend):
    ours, theirs = pair_of(build)
    data = arrays([tuple(x.shape[1:]) for x in theirs.inputs], n=6)
    if build is embedded:
        random = np.random.default_rng(4)
        data = [random.integers(0, 20, (6, 5)), np.tile(np.arange(5), (6, 1))]
    with fastnn.use_backend(backend):
        assert_equal_training(ours, theirs, data if len(data) > 1 else data[0])
