"""Inputs with unknown lengths: a model with None is, bit for bit, the model with the length in its place."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import Model, Sequential, backend, layers, ops
from fastnn.engine import lengths
from fastnn.layers import Input
from fastnn.layers.registry import LAYERS
from fastnn.models.lengths import MOST_GRAPHS
from fastnn.models.programs import MOST_PROGRAMS

LENGTHS = (5, 9, 6)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# ------------------------------------------------------------------------------------------------------ every layer

# A layer, and the shape of a sample with unknown lengths; several shapes for layers that take several.
SEQUENCE, IMAGE, VOLUME = (None, 8), (None, None, 4), (None, None, None, 2)
CASES: dict[str, tuple[Any, Any]] = {
    "Dense": (lambda: layers.Dense(3, "tanh"), SEQUENCE),
    "Activation": (lambda: layers.Activation("gelu"), SEQUENCE),
    "Dropout": (lambda: layers.Dropout(0.4, seed=1), SEQUENCE),
    "GaussianDropout": (lambda: layers.GaussianDropout(0.4, seed=1), SEQUENCE),
    "GaussianNoise": (lambda: layers.GaussianNoise(0.4, seed=1), SEQUENCE),
    "AlphaDropout": (lambda: layers.AlphaDropout(0.4, seed=1), SEQUENCE),
    "SpatialDropout1D": (lambda: layers.SpatialDropout1D(0.4, seed=1), SEQUENCE),
    "SpatialDropout2D": (lambda: layers.SpatialDropout2D(0.4, seed=1), IMAGE),
    "SpatialDropout3D": (lambda: layers.SpatialDropout3D(0.4, seed=1), VOLUME),
    "ActivityRegularization": (lambda: layers.ActivityRegularization(0.1, 0.1), SEQUENCE),
    "Embedding": (lambda: layers.Embedding(20, 3), (None,)),
    "Masking": (lambda: Sequential([layers.Masking(), layers.LSTM(3)]), SEQUENCE),
    "Identity": (lambda: layers.Identity(), SEQUENCE),
    "Flatten": (lambda: layers.Flatten(), SEQUENCE),
    "Reshape": (lambda: layers.Reshape((-1, 4)), SEQUENCE),
    "Permute": (lambda: layers.Permute((2, 1)), SEQUENCE),
    "RepeatVector": (lambda: layers.RepeatVector(3), (None,)),
    "Rescaling": (lambda: layers.Rescaling(0.5, 1.0), IMAGE),
    "Conv1D": (lambda: layers.Conv1D(3, 3, 2, "same", activation="softmax"), SEQUENCE),
    "Conv2D": (lambda: layers.Conv2D(3, 3, activation="relu"), IMAGE),
    "Conv3D": (lambda: layers.Conv3D(3, 2), VOLUME),
    "Conv1DTranspose": (lambda: layers.Conv1DTranspose(3, 3, 2), SEQUENCE),
    "Conv2DTranspose": (lambda: layers.Conv2DTranspose(3, 3, 2, "same"), IMAGE),
    "Conv3DTranspose": (lambda: layers.Conv3DTranspose(2, 2), VOLUME),
    "DepthwiseConv1D": (lambda: layers.DepthwiseConv1D(3), SEQUENCE),
    "DepthwiseConv2D": (lambda: layers.DepthwiseConv2D(3), IMAGE),
    "SeparableConv1D": (lambda: layers.SeparableConv1D(3, 3), SEQUENCE),
    "SeparableConv2D": (lambda: layers.SeparableConv2D(3, 3), IMAGE),
    **{
        f"{kind}Pooling{rank}D": (lambda kind=kind, rank=rank: getattr(layers, f"{kind}Pooling{rank}D")(2), shape)
        for kind in ("Max", "Average", "AdaptiveMax", "AdaptiveAverage")
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
    },
    **{
        f"Global{kind}Pooling{rank}D": (
            lambda kind=kind, rank=rank: getattr(layers, f"Global{kind}Pooling{rank}D")(), shape
        )
        for kind in ("Max", "Average")
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
    },
    **{
        f"{kind}{rank}D": (lambda kind=kind, rank=rank: getattr(layers, f"{kind}{rank}D")(1), shape)
        for kind in ("ZeroPadding", "Cropping")
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
    },
    "UpSampling1D": (lambda: layers.UpSampling1D(2), SEQUENCE),
    "UpSampling2D": (lambda: layers.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    "UpSampling3D": (lambda: layers.UpSampling3D(2), VOLUME),
    "BatchNormalization": (lambda: layers.BatchNormalization(), SEQUENCE),
    "LayerNormalization": (lambda: layers.LayerNormalization(), SEQUENCE),
    "GroupNormalization": (lambda: layers.GroupNormalization(2), SEQUENCE),
    "RMSNormalization": (lambda: layers.RMSNormalization(), SEQUENCE),
    "UnitNormalization": (lambda: layers.UnitNormalization(), SEQUENCE),
    "LocalResponseNormalization": (lambda: layers.LocalResponseNormalization(), IMAGE),
    "SimpleRNN": (lambda: layers.SimpleRNN(3, return_sequences=True, go_backwards=True), SEQUENCE),
    "LSTM": (lambda: layers.LSTM(3, dropout=0.2, recurrent_dropout=0.2, seed=1), SEQUENCE),
    "GRU": (lambda: layers.GRU(3, return_sequences=True), SEQUENCE),
    "RNN": (lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]), SEQUENCE),
    "Bidirectional": (lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True)), SEQUENCE),
    "TimeDistributed": (lambda: layers.TimeDistributed(layers.Conv1D(3, 2)), IMAGE),
    "Add": (lambda: layers.Add(), (SEQUENCE, SEQUENCE)),
    "Subtract": (lambda: layers.Subtract(), (SEQUENCE, SEQUENCE)),
    "Multiply": (lambda: layers.Multiply(), (SEQUENCE, (None, 1))),
    "Average": (lambda: layers.Average(), (SEQUENCE, SEQUENCE)),
    "Maximum": (lambda: layers.Maximum(), (SEQUENCE, SEQUENCE)),
    "Minimum": (lambda: layers.Minimum(), (SEQUENCE, SEQUENCE)),
    "Concatenate": (lambda: layers.Concatenate(axis=1), (SEQUENCE, SEQUENCE)),
    "Dot": (lambda: layers.Dot(2), (SEQUENCE, SEQUENCE)),
    "Attention": (lambda: layers.Attention(use_scale=True), (SEQUENCE, SEQUENCE)),
    "AdditiveAttention": (lambda: layers.AdditiveAttention(), (SEQUENCE, SEQUENCE)),
    "MultiHeadAttention": (lambda: layers.MultiHeadAttention(2, 3, use_gate=True), (SEQUENCE, SEQUENCE)),
    "GroupedQueryAttention": (lambda: layers.GroupedQueryAttention(3, 4, 2), (SEQUENCE, SEQUENCE)),
    "EinsumDense": (lambda: layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"), SEQUENCE),
    "Bilinear": (lambda: layers.Bilinear(3), (SEQUENCE, SEQUENCE)),
    "Softmax": (lambda: layers.Softmax(axis=1), SEQUENCE),
    "GLU": (lambda: layers.GLU(), SEQUENCE),
    "MaxoutActivation": (lambda: layers.MaxoutActivation(2), SEQUENCE),
    "Maxout": (lambda: layers.Maxout(3, 2), SEQUENCE),
    "PReLU": (lambda: layers.PReLU(shared_axes=[1]), SEQUENCE),
    "RReLU": (lambda: layers.RReLU(seed=1), SEQUENCE),
}  # fmt: skip
# what needs to know all axes of a sample; cells, which see single time steps; and what tensors are added up with
OTHERS = (
    "InputLayer", "SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells", "TiedDense", "CategoryEncoding",
    "Normalization", "InstanceNormalization", "SReLU", "LearnedSwish", "SoftExponential", "APL", "Power", "Slicing",
    "Divide", "ReLU", "LeakyReLU", "ELU", "MaskingNoise", "SaltAndPepperNoise",
    # what functions of fastnn.ops and operators make, below
    "AddedLoss", "Clip", "Constant", "Draw", "Einsum", "Elementwise", "Pad", "Pairwise", "Product", "Reduce", "Repeat",
    "Spread", "StopGradient", "Weight", "Where",
)  # fmt: skip


def several(shape: Any) -> bool:
    return isinstance(shape[0], tuple)


def filled(shape: Any, length: int) -> Any:
    return tuple(filled(n, length) if isinstance(n, tuple) else n or length for n in shape)


def model_of(make: Any, shape: Any) -> Model:
    """The layer with a loss behind it: the mean over everything of what it gives."""
    inputs = [Input(part) for part in (shape if several(shape) else (shape,))]
    fastnn.utils.set_random_seed(7)
    layer = make()
    attention = hasattr(layer, "attend") and not isinstance(layer, layers.Attention)
    y = layer(*inputs) if attention else layer(inputs if several(shape) else inputs[0])
    model = Model(inputs, layers.GlobalAveragePooling1D()(layers.Reshape((-1, 1))(y)))
    model.compile(fastnn.optimizers.Adam(0.01), "mse")
    model.seed = 11
    return model


def data_for(name: str, shape: Any, length: int, n: int = 3) -> list[np.ndarray]:
    parts = [(n, *filled(part, length)) for part in (shape if several(shape) else (shape,))]
    if name == "Embedding":
        return [np.random.default_rng(length).integers(0, 20, parts[0])]
    return [numbers(*part, seed=length) for part in parts]


@pytest.mark.parametrize("backend_name", ["native", "reference"])
@pytest.mark.parametrize("name", CASES)
def test_unknown_lengths_change_nothing(name, backend_name):
    """Forward, gradients and training, length after length, against models that are made for the lengths."""
    make, shape = CASES[name]
    with backend.use_backend(backend_name):
        free = model_of(make, shape)
        for length in LENGTHS:
            fixed = model_of(make, filled(shape, length))
            fixed.set_weights(free.get_weights())
            fixed.optimizer.steps = free.optimizer.steps
            for slot, views in free.optimizer_state.items():
                for view, value in zip(fixed.runner.slot_views(slot), views):
                    view[...] = value
            x, y = data_for(name, shape, length), numbers(3, 1)
            np.testing.assert_array_equal(free.predict(x), fixed.predict(x))
            for a, b in zip(free.gradients(x, y), fixed.gradients(x, y), strict=True):
                np.testing.assert_array_equal(a, b)
            for _ in range(2):
                assert free.train_on_batch(x, y) == fixed.train_on_batch(x, y)
            for a, b in zip(free.get_weights(), fixed.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "function",
    [
        lambda t: ops.exp(t), lambda t: ops.clip(t, -0.5, 0.5), lambda t: ops.maximum(t, 0.1) + ops.square(t),
        lambda t: ops.where(t > 0, t, 2 * t), lambda t: ops.stop_gradient(t) * t,
        lambda t: ops.mean(t, axis=1), lambda t: ops.sum(t, axis=-1), lambda t: ops.max(t, axis=1, keepdims=True),
        lambda t: t - ops.mean(t, axis=1, keepdims=True), lambda t: ops.pad(t, ((0, 0), (2, 1), (0, 0))),
        lambda t: ops.matmul(t, np.ones((8, 3))), lambda t: t + np.arange(8.0), lambda t: np.arange(8.0) * t,
        lambda t: ops.matmul(t, ops.transpose(t, (0, 2, 1))), lambda t: ops.softmax(t, axis=1),
        lambda t: ops.einsum("btc,bsc->bts", t, t), lambda t: ops.concatenate([t, ops.relu(t)], axis=-1),
        lambda t: ops.expand_dims(t, 1), lambda t: ops.stack([t, t], axis=1),
    ],
)  # fmt: skip
def test_functions_of_ops(function):
    x = Input(SEQUENCE)
    model = Model(x, function(x))
    for length in LENGTHS:
        x = numbers(2, length, 8)
        fixed = Model(given := Input((length, 8)), function(given))
        np.testing.assert_array_equal(model.predict(x), fixed.predict(x))


def test_every_layer_is_looked_at():
    """A layer that is new must be told here to take unknown lengths, or not to."""
    own = {name for name, kind in LAYERS.items() if kind.__module__.startswith("fastnn.layers.")}
    assert sorted({*CASES, *OTHERS}) == sorted(own)


@pytest.mark.parametrize(
    "make",
    [
        layers.ReLU, layers.LeakyReLU, layers.ELU, lambda: layers.MaskingNoise(0.3), layers.InstanceNormalization,
        lambda: layers.SaltAndPepperNoise(0.3), lambda: layers.SReLU(shared_axes=[1]),
        lambda: layers.LearnedSwish(shared_axes=[1]), lambda: layers.SoftExponential(shared_axes=[1]),
        lambda: layers.APL(shared_axes=[1]), lambda: layers.Activation("softmax"),
    ],
)  # fmt: skip
def test_layers_that_keep_the_shape(make):
    x = Input(SEQUENCE)
    model = Model(x, make()(x))
    assert model.output_shape[-2:] == SEQUENCE
    for length in LENGTHS:
        x = numbers(2, length, 8)
        fixed = Model(given := Input((length, 8)), make()(given))
        fixed.set_weights(model.get_weights())
        np.testing.assert_array_equal(model.predict(x), fixed.predict(x))


def test_arithmetic_and_parts_of_tensors():
    def made(length):
        x = Input((length, 4))
        y = 2 * x[:, ::-1] + x**2 - x[:, :1] / 3 + abs(x) * np.arange(4)
        return Model(x, [y[:, -1], y[:, 1:], y[:, :2]])

    free = made(None)
    assert [tensor.shape for tensor in free.outputs] == [(None, 4), (None, None, 4), (None, 2, 4)]
    for length in LENGTHS:
        x = numbers(3, length, 4)
        for a, b in zip(free.predict(x), made(length).predict(x), strict=True):
            np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------------------------------------------------- models


def tagger(length: int | None = None, **options: Any) -> Model:
    """One label for every word."""
    fastnn.utils.set_random_seed(2)
    x = Input((length,), dtype="int32")
    y = layers.Embedding(30, 6, **options)(x)
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(y)
    model = Model(x, layers.Dense(5, activation="softmax")(y))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def words(length: int, n: int = 8) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(length)
    return random.integers(0, 30, (n, length)), random.integers(0, 5, (n, length))


def test_batches_of_different_lengths_in_one_epoch():
    model, single = tagger(), tagger()
    single.set_weights(model.get_weights())
    batches = [words(length) for length in (4, 9, 5, 4)]
    logs = model.fit(iter(batches), verbose=0).history
    seen = [single.train_on_batch(*batch) for batch in batches]
    for a, b in zip(model.get_weights(), single.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.optimizer.steps == 4
    for name, values in zip(("loss", "accuracy"), zip(*seen)):  # as in Keras: a sample counts once, however long
        assert logs[name][0] == pytest.approx(np.mean(values), rel=1e-12)


def test_evaluation_of_batches_of_different_lengths():
    model = tagger()
    batches = [words(length) for length in (4, 9, 5)]
    found = model.evaluate(iter(batches), verbose=0, return_dict=True)
    right = [(model.predict(x).argmax(-1) == y).mean(-1) for x, y in batches]
    assert found["accuracy"] == pytest.approx(np.concatenate(right).mean(), rel=1e-12)


def test_metrics_in_python_see_every_length():
    model = tagger()
    batches = [words(length) for length in (4, 9, 5)]
    model.compile("adam", "sparse_categorical_crossentropy", metrics=[fastnn.metrics.SparseTopKCategoricalAccuracy(2)])
    found = model.evaluate(iter(batches), verbose=0, return_dict=True)
    top = [np.argsort(model.predict(x), -1)[..., -2:] for x, _ in batches]
    right = [(t == y[..., None]).any(-1).mean(-1) for t, (_, y) in zip(top, batches)]
    assert list(found.values())[1] == pytest.approx(np.concatenate(right).mean(), rel=1e-12)


def test_masks_and_weights_of_time_steps():
    model, weights = tagger(mask_zero=True), np.random.default_rng(0).random
    for length in LENGTHS:
        x, y = words(length)
        x[:, -2:] = 0
        w = weights(x.shape)
        fixed = tagger(length, mask_zero=True)
        fixed.set_weights(model.get_weights())
        assert model.test_on_batch(x, y, w)[0] == fixed.test_on_batch(x, y, w)[0]
        p = np.take_along_axis(model.predict(x).astype(np.float64), y[..., None], -1)[..., 0]
        counted = w * (x != 0)
        expected = -(counted * np.log(p)).sum() / (x != 0).sum()  # Keras's mean over what the mask lets through
        assert model.test_on_batch(x, y, w)[0] == pytest.approx(expected, rel=1e-5)


def encoder_decoder(source: int | None, target: int | None) -> Model:
    fastnn.utils.set_random_seed(4)
    a, b = Input((source, 3), name="source"), Input((target, 2), name="target")
    _, h, c = layers.LSTM(4, return_state=True)(a)
    y = layers.LSTM(4, return_sequences=True)(b, initial_state=[h, c])
    y = layers.Concatenate()([y, layers.Attention()([y, layers.Dense(4)(a)])])
    model = Model([a, b], layers.Dense(2, activation="softmax")(y))
    model.compile("rmsprop", "categorical_crossentropy")
    return model


def test_two_inputs_of_different_lengths():
    free = encoder_decoder(None, None)
    for source, target in ((4, 6), (5, 3), (4, 3)):
        fixed = encoder_decoder(source, target)
        fixed.set_weights(free.get_weights())
        x, y = [numbers(3, source, 3), numbers(3, target, 2)], np.eye(2)[np.zeros((3, target), int)]
        np.testing.assert_array_equal(free.predict(x), fixed.predict(x))
        for p, q in zip(free.gradients(x, y), fixed.gradients(x, y), strict=True):
            np.testing.assert_array_equal(p, q)
        free.train_on_batch(x, y)


def test_a_layer_that_is_shared_by_inputs_of_different_lengths():
    def made(first, second):
        fastnn.utils.set_random_seed(4)
        a, b, encoder = Input((first,)), Input((second,)), layers.LSTM(3)
        words = layers.Embedding(9, 4)
        return Model([a, b], layers.Dense(1)(layers.Subtract()([encoder(words(a)), encoder(words(b))])))

    free = made(None, None)
    a, b = np.ones((2, 5)), np.ones((2, 3))
    np.testing.assert_array_equal(free.predict([a, a]), np.zeros((2, 1)))
    np.testing.assert_array_equal(free.predict([a, b]), -free.predict([b, a]))
    assert np.abs(free.predict([a, b])).min() > 0


def test_stateful_layers_go_on_with_another_length():
    fastnn.utils.set_random_seed(1)
    free = Sequential([Input((None, 3)), layers.LSTM(4, stateful=True, return_sequences=True)])
    whole = Sequential([Input((9, 3)), layers.LSTM(4, return_sequences=True)])
    whole.set_weights(free.get_weights())
    x = numbers(2, 9, 3)
    parts = [free.predict(x[:, a:b], verbose=0) for a, b in ((0, 4), (4, 5), (5, 9))]
    np.testing.assert_allclose(np.concatenate(parts, 1), whole.predict(x), rtol=1e-5, atol=1e-7)
    free.layers[0].reset_states()
    np.testing.assert_array_equal(free.predict(x[:, :4], verbose=0), parts[0])


class Block(layers.Layer):
    """Composed of others."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.attention, self.dense = layers.MultiHeadAttention(2, 4), layers.Dense(units)
        self.norm = layers.LayerNormalization()

    def call(self, x: Any) -> Any:
        return self.norm(x + self.dense(self.attention(x, x)))


class Classifier(Model):
    """A model in a class."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.block, self.pool = layers.Embedding(20, 6), Block(6), layers.GlobalAveragePooling1D()
        self.dense = layers.Dense(3, activation="softmax")

    def call(self, inputs: Any) -> Any:
        return self.dense(self.pool(self.block(self.words(inputs))))


def test_subclassed_and_composed():
    model = Classifier()
    model.build((None, None))
    model.compile("adam", "sparse_categorical_crossentropy")
    assert model.input_shape[-1] is None
    for length in LENGTHS:
        fixed = Classifier()
        fixed.build((None, length))
        fixed.set_weights(model.get_weights())
        x = np.random.default_rng(length).integers(0, 20, (4, length))
        np.testing.assert_array_equal(model.predict(x), fixed.predict(x))
        model.fit(x, np.zeros(4, int), verbose=0)


def test_layers_within_wrappers():
    """Models and composed layers, where the wrapper emits them itself."""
    inner = Sequential([Input((None, 4)), layers.Conv1D(4, 2), layers.GlobalMaxPooling1D()])
    x = Input((None, None, 4))
    y = layers.TimeDistributed(layers.TimeDistributed(layers.Dense(4)))(x)
    free = Model(x, [layers.TimeDistributed(inner)(y), layers.TimeDistributed(Block(4))(y)])
    assert [tensor.shape for tensor in free.outputs] == [(None, None, 4), (None, None, None, 4)]
    x = numbers(2, 3, 5, 4)
    first, second = free.predict(x)
    np.testing.assert_allclose(first[:, 1], free.predict(x[:, 1:2])[0][:, 0], rtol=1e-6)
    np.testing.assert_allclose(second[:, 1], free.predict(x[:, 1:2])[1][:, 0], rtol=1e-5, atol=1e-6)


def test_nested_models_and_clones():
    inner = Sequential([layers.LSTM(4, input_shape=(None, 3))])
    outer = Model(x := Input((None, 3)), layers.Dense(2)(inner(x)))
    twin = fastnn.models.clone_model(outer)
    twin.set_weights(outer.get_weights())
    for length in LENGTHS:
        x = numbers(2, length, 3)
        np.testing.assert_array_equal(outer.predict(x), twin.predict(x))
        np.testing.assert_array_equal(inner.predict(x), inner(x))


# ------------------------------------------------------------------------------------------- what a model is asked for


def test_frozen_profile_and_call():
    model = tagger()
    frozen = model.freeze()
    for length in LENGTHS:
        x, y = words(length)
        for _ in range(2):
            np.testing.assert_array_equal(frozen(x), model.predict(x))
            np.testing.assert_array_equal(model(x), model.predict_on_batch(x))
        assert model.profile(x, y, seconds=0.01).entries
        assert model.diagnose(x, y, steps=2) is not None


def test_summary_shows_what_is_not_known():
    lines: list[str] = []
    tagger().summary(print_fn=lines.append)
    assert "(None, None, 6)" in lines[0] and "(None, None, 5)" in lines[0]
    assert tagger().count_params() == tagger(7).count_params()


@pytest.mark.parametrize("suffix", [".fastnn", ".keras"])
def test_saving(tmp_path, suffix):
    if suffix == ".keras":
        pytest.importorskip("h5py")
    model = tagger()
    model.fit(*words(6), verbose=0)
    model.save(tmp_path / f"model{suffix}")
    again = fastnn.models.load_model(tmp_path / f"model{suffix}")
    for length in LENGTHS:
        x, y = words(length)
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
        assert again.train_on_batch(x, y) == model.train_on_batch(x, y)


def test_json():
    model = tagger()
    assert json.loads(model.to_json())["config"]["layers"][0]["config"]["shape"] == [None]
    again = fastnn.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(words(5)[0]), model.predict(words(5)[0]))


def test_what_is_kept_is_bounded():
    model = Sequential([Input((None, 2)), layers.GlobalAveragePooling1D(), layers.Dense(1)])
    model.compile("sgd", "mse")
    for length in range(1, MOST_GRAPHS + 40):
        model.predict(numbers(2, length, 2), verbose=0)
        model.test_on_batch(numbers(2, length, 2), numbers(2, 1))
    runner = model.runner
    assert len(runner.lengths._closed) == MOST_GRAPHS
    assert sum(map(len, runner.pool._idle.values())) <= MOST_PROGRAMS


def test_threads():
    model = tagger()
    batches = [words(length)[0] for length in range(2, 18)]
    expected = [model.predict(x, verbose=0) for x in batches]
    model = tagger()
    wrong: list[int] = []

    def work(first: int) -> None:
        for i in range(first, first + 48):
            x, y = batches[i % 16], expected[i % 16]
            if not np.array_equal(model.predict(x, verbose=0), y):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_layers_called_with_arrays():
    layer = layers.Bidirectional(layers.LSTM(3))
    Model(x := Input(SEQUENCE), layer(x))
    for length in LENGTHS:
        x = numbers(2, length, 8)
        np.testing.assert_array_equal(layer(x), Model(layer.input, layer.output).predict(x))


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("make", "shape", "text"),
    [
        (lambda: layers.Dense(3), (8, None), "kernel needs to know the length"),
        (lambda: Sequential([layers.Flatten(), layers.Dense(3)]), SEQUENCE, "kernel needs to know the length"),
        (lambda: layers.Reshape((5, 8)), SEQUENCE, r"reshape.*None in \(None, 8\)"),
        (lambda: layers.Conv1D(3, 3), (8, None), "channels"),
        (lambda: layers.LSTM(3), (8, None), "kernel needs to know the length"),
        (lambda: layers.BatchNormalization(), (8, None), "needs to know the length"),
        (lambda: layers.GroupNormalization(2), (8, None), "needs to know the lengths"),
        (lambda: layers.PReLU(), SEQUENCE, "needs to know the length"),
    ],
)
def test_where_a_length_must_be_known(make, shape, text):
    with pytest.raises(ValueError, match=text):
        make()(Input(shape))


def test_samples_that_do_not_fit():
    model = Model(x := Input((None, 8)), layers.Conv1D(2, 4)(x))
    with pytest.raises(ValueError, match=r"shape \(samples, None, 8\).*Received: shape \(2, 5, 7\)"):
        model.predict(numbers(2, 5, 7))
    with pytest.raises(ValueError, match=r"samples, None, 8"):
        model.predict(numbers(2, 8))
    with pytest.raises(ValueError, match=r"samples, None, 8"):
        model.predict(np.zeros((2, 0, 8)))
    with pytest.raises(ValueError, match=r"conv1d.*Received: "):
        model.predict(numbers(2, 3, 8))
    part = Model(x := Input((None, 2)), layers.Dense(3)(layers.Flatten()(x[:, :4])))  # of four steps, if there are any
    assert part.predict(numbers(2, 6, 2)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"was built for inputs of shape \(None, 4, 2\). Received: \(None, 3, 2\)"):
        part.predict(numbers(2, 3, 2))


def test_outputs_of_different_lengths_are_not_joined():
    model = tagger()
    with pytest.raises(ValueError, match=r"predict.*lengths"):
        model.predict(iter([words(4)[0], words(5)[0]]))


def test_inference_of_shapes():
    assert lengths.infer(lambda shape: (shape[0] // 2, shape[1]), (None, 3)) == (None, 3)
    assert lengths.infer(lambda shape: ((shape[0],), (7,)), (None,)) == ((None,), (7,))
    assert lengths.matches((None, 3), (1, 3)) and not lengths.matches((None, 3), (1, 4))
    assert not lengths.matches((None, 3), (0, 3)) and not lengths.matches((None,), (1, 1))
    assert lengths.matches(((None, 3), (4,)), ((9, 3), (4,)))
