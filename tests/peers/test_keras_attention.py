"""Attention layers in files of Keras: blocks of transformers predict the same in both libraries, both ways."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn

from .test_keras_files import agree, drawn, refused, there_and_back

keras = pytest.importorskip("keras")
pytest.importorskip("h5py")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, on behalf of Keras

RNG = np.random.default_rng(8)
GATED = {"use_gate": True} if "use_gate" in keras.layers.MultiHeadAttention.__init__.__code__.co_varnames else {}


def group_query(of):
    return of.layers.GroupQueryAttention if of is keras else of.layers.GroupedQueryAttention


def sequence(*shape):
    return RNG.normal(size=(3, *shape))


def some(*shape):
    """A mask that leaves everybody something to see."""
    mask = RNG.integers(0, 2, (3, *shape))
    mask[..., 0] = 1
    return mask


def encoder(of):
    """Self-attention, and what stands around it."""
    layers = of.layers
    x = of.Input((5, 4))
    y = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, x)]))
    y = layers.LayerNormalization()(layers.Add()([y, layers.Dense(4)(layers.Dense(8, "relu")(y))]))
    return of.Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(y))), sequence(5, 4)


def decoder(of):
    """Causal attention, then attention to a memory; within a model of its own, which is called twice."""
    layers = of.layers
    x, memory = of.Input((3, 4)), of.Input((5, 6))
    y = layers.Add()([x, layers.MultiHeadAttention(2, 2, **GATED)(x, x, use_causal_mask=True)])
    y = layers.Add()([y, layers.MultiHeadAttention(2, 2, value_dim=3)(query=y, value=memory, key=memory)])
    block = of.Model([x, memory], layers.LayerNormalization()(y), name="block")
    a, b = of.Input((3, 4)), of.Input((5, 6))
    return of.Model([a, b], block([block([a, b]), b])), [sequence(3, 4), sequence(5, 6)]


def masked(of):
    """Masks given to calls, with the weights as second outputs."""
    layers = of.layers
    x, v = of.Input((3, 4), name="x"), of.Input((5, 4), name="y")
    seen, pairs = of.Input((5,), name="z"), of.Input((3, 5), name="zz")
    y, weights = layers.MultiHeadAttention(2, 2, output_shape=6)(x, v, value_mask=seen, return_attention_scores=True)
    z = group_query(of)(2, 4, 2)(x, v, attention_mask=pairs)
    a = layers.Attention(use_scale=True, score_mode="concat")([x, v], mask=[None, seen])
    b, scores = layers.AdditiveAttention()([x, v, v], use_causal_mask=True, return_attention_scores=True)
    return of.Model([x, v, seen, pairs], [y, weights, z, a, b, scores]), [
        *(sequence(3, 4), sequence(5, 4)), some(5), some(3, 5)
    ]  # fmt: skip


def words(of):
    """The mask of an Embedding goes through blocks and ends in the average.

    Each has an Embedding of its own: when Keras's MultiHeadAttention runs, it takes the mask off what it is given.
    """
    layers = of.layers
    tokens = of.Input((6,))
    e, f = (layers.Embedding(9, 4, mask_zero=True)(tokens) for _ in range(2))
    y = layers.MultiHeadAttention(2, 2)(e, e, use_causal_mask=True)
    y = layers.LayerNormalization()(layers.Add()([e, y]))
    y = layers.Add()([y, layers.Attention()([layers.LayerNormalization()(f), f])])
    x = RNG.integers(1, 9, (3, 6))
    x[0, 4:] = 0
    return of.Model(tokens, layers.Dense(2)(layers.GlobalAveragePooling1D()(y))), x


def constant(of):
    """Masks that are the same for all samples, or only for each head; options of the layers."""
    layers = of.layers
    x = of.Input((4, 4))
    near = np.abs(np.subtract.outer(np.arange(4), np.arange(4))) < 2
    y = layers.MultiHeadAttention(2, 2, use_bias=False)(x, x, attention_mask=near)
    heads = np.stack([near, np.tril(np.ones((4, 4), bool))])
    y = layers.MultiHeadAttention(2, 2, dropout=0.1, seed=2)(y, y, attention_mask=heads[None])
    y = layers.MultiHeadAttention(1, 2, kernel_regularizer="l2", attention_axes=(1,))(y, x)
    return of.Model(x, layers.MultiHeadAttention(1, 2, sliding_window=2)(y, y)), sequence(4, 4)


BLOCKS = [encoder, decoder, masked, words, constant]


def made(make, of):
    try:
        return make(of)
    except (AttributeError, TypeError, ValueError):
        if of is keras and keras.version().startswith("3.15"):
            raise
        pytest.skip("this version of Keras has fewer arguments")


@pytest.mark.parametrize("make", BLOCKS)
def test_blocks_of_keras(make, tmp_path):
    theirs, x = made(make, keras)
    there_and_back(theirs, x, tmp_path)


@pytest.mark.parametrize("make", BLOCKS)
def test_blocks_of_fastnn(make, tmp_path):
    made(make, keras)
    ours, x = make(fastnn)
    drawn(ours)
    ours.save(tmp_path / "ours.keras")
    agree(ours, keras.models.load_model(tmp_path / "ours.keras"), x)


def test_float64(tmp_path, keras_in_double):
    theirs, x = made(encoder, keras)
    there_and_back(theirs, x, tmp_path, 1e-12)


def test_training_goes_on(tmp_path):
    """Two steps in Keras and two here, against four in Keras, with the optimizer's moments of every projection."""
    theirs, x = made(encoder, keras)
    drawn(theirs)
    theirs.compile("adam", "mse")
    y = RNG.normal(size=(3, 2))
    theirs.fit(x, y, epochs=2, verbose=0)
    theirs.save(tmp_path / "m.keras")
    ours = fastnn.models.load_model(tmp_path / "m.keras")
    for model in (theirs, ours):
        model.fit(x, y, epochs=2, verbose=0)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_masks_and_calls_that_are_not_served(tmp_path):
    layers = keras.layers
    x, tokens = keras.Input((4, 4)), keras.Input((4,))
    mha = layers.MultiHeadAttention
    mask = keras.ops.not_equal(tokens, 0)
    operations = "traces no operations.*not_equal"
    refused(keras.Model([x, tokens], mha(1, 2)(x, x, value_mask=mask)), tmp_path, operations)
    refused(keras.Model([x, tokens], layers.Attention()([x, x], mask=[mask, None])), tmp_path, operations)
    refused(keras.Model(x, mha(1, 2)(x, x, attention_mask=np.ones((3, 4, 4)))), tmp_path, "the same for all samples")
    picture = keras.Input((3, 3, 4))
    refused(keras.Model(picture, mha(1, 2, attention_axes=2)(picture, picture)), tmp_path, "attention_axes")


def attending(of):
    """The same attention layers in both libraries."""
    module = of.layers
    x = (of.Input if of is keras else module.Input)((3, 4))
    y = module.MultiHeadAttention(2, 2, use_gate=True)(x, x)
    y = (module.GroupQueryAttention if of is keras else module.GroupedQueryAttention)(2, 4, 2)(y, x)
    z = module.Attention(use_scale=True, score_mode="concat")([y, x])
    return of.Model(x, module.AdditiveAttention()([y, z]))


def test_weights_of_attention(tmp_path):
    try:
        theirs = attending(keras)
    except (AttributeError, TypeError, ValueError):
        pytest.skip("this version of Keras has no gates")
    ours, x = attending(fastnn), RNG.normal(size=(2, 3, 4))
    drawn(theirs)
    theirs.save_weights(tmp_path / "w.weights.h5")
    ours.load_weights(tmp_path / "w.weights.h5")
    agree(ours, theirs, x)
    drawn(ours)
    ours.save_weights(tmp_path / "v.weights.h5")
    theirs.load_weights(tmp_path / "v.weights.h5")
    agree(ours, theirs, x)
