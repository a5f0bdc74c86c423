"""Layers that users compose of other layers in `call`, as the examples of Keras do."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn as keras
from fastnn import layers, saving
from fastnn.testing import gradcheck_model

RNG = np.random.default_rng(0)
SEQUENCES = RNG.normal(size=(6, 5, 8)).astype(np.float32)


class TransformerBlock(layers.Layer):
    """As in keras.io's text classification with a transformer."""

    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.arguments = {"embed_dim": embed_dim, "num_heads": num_heads, "ff_dim": ff_dim, "rate": rate}
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim, dtype=self.dtype)
        self.ffn = keras.Sequential(
            [layers.Dense(ff_dim, activation="relu", dtype=self.dtype), layers.Dense(embed_dim, dtype=self.dtype)]
        )
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6, dtype=self.dtype)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6, dtype=self.dtype)
        self.dropout1 = layers.Dropout(rate, dtype=self.dtype)
        self.dropout2 = layers.Dropout(rate, dtype=self.dtype)

    def call(self, inputs, training=None, mask=None):
        attn_output = self.att(inputs, inputs)
        attn_output = self.dropout1(attn_output, training=training)
        out1 = self.layernorm1(inputs + attn_output)
        ffn_output = self.ffn(out1)
        ffn_output = self.dropout2(ffn_output, training=training)
        return self.layernorm2(out1 + ffn_output)

    def get_config(self):
        return {**super().get_config(), **self.arguments}


class Tower(layers.Layer):
    """A layer composed of layers that are composed."""

    def __init__(self, depth=2, rate=0.0, **kwargs):
        super().__init__(**kwargs)
        self.depth = depth
        self.blocks = [TransformerBlock(8, 2, 16, rate, dtype=self.dtype) for _ in range(depth)]

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return x

    def get_config(self):
        return {**super().get_config(), "depth": self.depth}


class Decoder(layers.Layer):
    """Two arguments, a constant, several outputs; weights made in build."""

    def build(self, input_shape):
        self.dense = layers.Dense(input_shape[-1])

    def call(self, inputs, context, twice=False, training=None):
        y = self.dense(inputs) + context
        return {"y": y + y if twice else y, "context": context}


def by_functions(block, x):
    """What the block stands for, strung together without it."""
    a = block.layernorm1(x + block.att(x, x))
    return block.layernorm2(a + block.ffn(a))


@pytest.fixture(autouse=True)
def clean_registry():
    before = dict(saving.get_custom_objects())
    yield
    saving.get_custom_objects().clear()
    saving.get_custom_objects().update(before)


def classifier(*blocks, dtype=None):
    return keras.Sequential(
        [layers.Input((5, 8), dtype=dtype), *blocks, layers.GlobalAveragePooling1D(dtype=dtype),
         layers.Dense(2, activation="softmax", dtype=dtype)]
    )  # fmt: skip


def test_it_is_what_its_layers_are(backend):
    block = TransformerBlock(8, 2, 16, rate=0.5)
    x = layers.Input((5, 8))
    y = block(x)
    assert y.shape == (None, 5, 8) and block.output_shape == (None, 5, 8)
    model = keras.Model(x, y)
    assert [layer.name for layer in model.layers][1:] == [block.name]
    expected = keras.Model(x, by_functions(block, x)).predict(SEQUENCES, verbose=0)
    np.testing.assert_array_equal(model.predict(SEQUENCES, verbose=0), expected)
    assert len(block.weights) == len(model.weights) == 8 + 4 + 4 and block.count_params() == model.count_params()
    assert len(block.get_weights()) == 16
    block.set_weights([np.zeros_like(w) for w in block.get_weights()])
    np.testing.assert_array_equal(model.predict(SEQUENCES, verbose=0), np.zeros_like(SEQUENCES))


def test_training_and_dropout(backend):
    model = classifier(TransformerBlock(8, 2, 16))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    labels = (SEQUENCES.mean(axis=(1, 2)) > 0).astype(int)
    history = model.fit(SEQUENCES, labels, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
    # dropout works in training only: nothing but it makes two evaluations of a step differ
    np.testing.assert_array_equal(model.predict(SEQUENCES, verbose=0), model.predict(SEQUENCES, verbose=0))


def test_gradients(backend):
    model = classifier(Tower(dtype="float64"), dtype="float64")
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert gradcheck_model(model, RNG.normal(size=(3, 5, 8)), np.array([0, 1, 1])) <= 1


def test_files(tmp_path, backend):
    model = classifier(Tower(rate=0.3))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(SEQUENCES, np.arange(6) % 2, verbose=0)
    model.save(tmp_path / "model.fastnn")
    with pytest.raises(ValueError, match="Tower"):
        keras.models.load_model(tmp_path / "model.fastnn")
    again = keras.models.load_model(tmp_path / "model.fastnn", custom_objects={"Tower": Tower})
    np.testing.assert_array_equal(again.predict(SEQUENCES, verbose=0), model.predict(SEQUENCES, verbose=0))
    assert type(again.layers[0]) is Tower and len(again.weights) == 34
    model.save_weights(tmp_path / "model.safetensors")
    other = classifier(Tower())
    other.load_weights(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(other.predict(SEQUENCES, verbose=0), model.predict(SEQUENCES, verbose=0))


def test_several_arguments_and_outputs(tmp_path, backend):
    x, context = layers.Input((3,)), layers.Input((3,))
    decoder = Decoder()
    once, doubled = decoder(x, context), decoder(x, context=context, twice=True)
    assert set(once) == {"y", "context"}
    model = keras.Model([x, context], [once["y"], doubled["y"], doubled["context"]])
    a, b = RNG.normal(size=(2, 4, 3)).astype(np.float32)
    kernel, bias = decoder.get_weights()
    found = model.predict([a, b], verbose=0)
    for one, two in zip(found, (a @ kernel + bias + b, 2 * (a @ kernel + bias + b), b)):
        np.testing.assert_allclose(one, two, rtol=1e-5)
    model.save(tmp_path / "model.fastnn")
    again = keras.models.load_model(tmp_path / "model.fastnn", custom_objects={"Decoder": Decoder})
    for one, two in zip(again.predict([a, b], verbose=0), found):
        np.testing.assert_array_equal(one, two)


def test_a_list_of_tensors_and_one_layer_twice(backend):
    class Both(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(2)

        def call(self, inputs):
            a, b = inputs
            return self.dense(a) - self.dense(b)

    x, z = layers.Input((3,)), layers.Input((3,))
    both = Both()
    model = keras.Model([x, z], [both([x, z]), both([z, x])])
    a, b = RNG.normal(size=(2, 4, 3)).astype(np.float32)
    forth, back = model.predict([a, b], verbose=0)
    np.testing.assert_allclose(forth, -back, rtol=1e-6)
    assert len(model.weights) == 2


def test_inside_a_wrapper_and_a_subclassed_model(backend):
    class Twice(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(3)

        def call(self, x):
            return x + self.dense(x)

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.body, self.head = layers.TimeDistributed(Twice()), layers.Dense(1)

        def call(self, x):
            return self.head(self.body(x))

    x = RNG.normal(size=(4, 5, 3)).astype(np.float32)
    model = Net()
    model.compile("adam", "mse")
    model.fit(x, x.sum(axis=2, keepdims=True), epochs=2, verbose=0)
    kernel, bias, w, b = model.get_weights()
    np.testing.assert_allclose(model.predict(x, verbose=0), (x + x @ kernel + bias) @ w + b, rtol=1e-4, atol=1e-5)


def test_masks_reach_the_layers_inside(backend):
    class Reader(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.lstm = layers.LSTM(3)

        def call(self, x, mask=None):
            return self.lstm(x)

    words = layers.Input((4,))
    vectors = layers.Embedding(5, 2, mask_zero=True)(words)
    reader = Reader()
    model = keras.Model(words, reader(vectors))
    expected = keras.Model(words, reader.lstm(vectors))
    x = np.array([[1, 2, 0, 0], [3, 4, 1, 2]])
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected.predict(x, verbose=0))


def test_freezing_and_penalties(backend):
    frozen = TransformerBlock(8, 2, 16, trainable=False)
    model = classifier(frozen)
    assert not frozen.trainable_weights and len(frozen.non_trainable_weights) == 16
    assert len(model.trainable_weights) == 2
    frozen.trainable = True
    assert len(model.trainable_weights) == 18

    class Same(layers.Layer):
        def call(self, x):
            return x

    model = keras.Sequential([layers.Input((3,)), Same(activity_regularizer=keras.regularizers.L1(0.5))])
    model.compile("sgd", "mse")
    x = np.ones((4, 3), np.float32)
    np.testing.assert_allclose(model.evaluate(x, x, verbose=0), 1.5)


def test_summary_knows_the_cost(capsys):
    model = classifier(TransformerBlock(8, 2, 16))
    model.summary()
    row = next(line for line in capsys.readouterr().out.splitlines() if "TransformerBlock" in line)
    assert "872" in row or str(model.layers[0].count_params()) in row.replace(",", "")
    assert " 0 " not in row and "?" not in row


# --------------------------------------------------------------------------------------------------------------- errors


def test_arrays_need_forward_and_backward():
    class Softly(layers.Layer):
        def call(self, x):
            return np.tanh(x)

    with pytest.raises(TypeError, match=r"Softly\.call can string layers .*define forward\(x\) and backward\(dy\)"):
        Softly()(layers.Input((3,)))
    with pytest.raises(TypeError, match=r"Softly\.call can string layers"):
        keras.Sequential([layers.Input((3,)), Softly()])


def test_decisions_layers_made_in_call_and_what_it_returns():
    class Deciding(layers.Layer):
        def call(self, x, training=None):
            return layers.Flatten()(x) if training else x[:, 1:]

    class Making(layers.Layer):
        def call(self, x):
            return layers.Dense(2)(x)

    class Nothing(layers.Layer):
        def call(self, x):
            return None

    x = layers.Input((3,))
    with pytest.raises(ValueError, match="of the same shapes in both modes"):
        Deciding()(x)
    with pytest.raises(ValueError, match=r"Making: layers with weights must be made in __init__ or build"):
        Making()(x)
    with pytest.raises(TypeError, match=r"Nothing\.call must return what layers give"):
        Nothing()(x)
    with pytest.raises(TypeError, match="unexpected keyword argument 'tail'"):
        Decoder()(x, x, tail=1)


def test_call_and_forward_of_compiled_layers():
    for name in ("call", "forward", "backward"):
        with pytest.raises(TypeError, match=rf"Dbl\.{name} would never be called: the base class is compiled"):
            type("Dbl", (layers.Dense,), {name: lambda self, x: x})
    with pytest.raises(TypeError, match=r"Own\.save_own_variables would never be called"):
        type("Own", (layers.Layer,), {"save_own_variables": lambda self, store: None})

    class Mine(layers.Dense):
        def build(self, input_shape):
            super().build(input_shape)

    assert Mine(2).units == 2


def test_weights_as_keras_adds_them():
    class Free(layers.Layer):
        def build(self, input_shape):
            self.a = self.add_weight(shape=(input_shape[-1], 2), initializer="ones", trainable=True)
            self.b = self.add_weight(shape=(2,), initializer="zeros", trainable=False, dtype="float32")
            self.c = self.add_weight((2,), "zeros")

        def compute_output_shape(self, input_shape):
            return (input_shape[0], 2)

        def forward(self, x):
            return x @ self.a.value + self.b.value + self.c.value

    layer = Free()
    layer(layers.Input((3,)))
    assert [w.name for w in layer.weights] == [f"free/{name}" for name in ("weight", "weight_1", "weight_2")]
    assert [w.trainable for w in layer.weights] == [True, False, True]
    with pytest.raises(ValueError, match=r"weights have the dtype of the layer, float32. Received: 'float64'"):
        layer.add_weight(shape=(1,), dtype="float64")
