"""Recurrent layers and what goes with them: gradients of whole models, both executors, threads, states, errors."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, ops
from fastnn.engine.plan import ABSENT, Plan
from fastnn.layers import (
    GRU,
    LSTM,
    RNN,
    BatchNormalization,
    Bidirectional,
    Dense,
    Embedding,
    GRUCell,
    Input,
    LSTMCell,
    Masking,
    SimpleRNN,
    SimpleRNNCell,
    TimeDistributed,
)
from fastnn.layers.registry import deserialize, serialize
from fastnn.testing import gradcheck_model

F64 = {"dtype": "float64"}
CASES = [
    SimpleRNN(3, name="plain", **F64),
    SimpleRNN(9, activation="gelu", return_sequences=True, go_backwards=True, name="other", **F64),
    LSTM(4, return_sequences=True, name="sequences", **F64),
    LSTM(5, go_backwards=True, unit_forget_bias=False, name="last", **F64),
    LSTM(3, activation="softsign", recurrent_activation="gelu", use_bias=False, name="rows", **F64),
    GRU(3, name="after", **F64),
    GRU(5, return_sequences=True, reset_after=False, name="before", **F64),
    GRU(3, activation="gelu", recurrent_activation="arctan", reset_after=False, go_backwards=True, name="rest", **F64),
    GRU(3, activation="gelu", recurrent_activation="arctan", return_sequences=True, name="rows_after", **F64),
    LSTM(3, dropout=0.5, recurrent_dropout=0.3, seed=1, name="dropped", **F64),
    GRU(3, dropout=0.5, recurrent_dropout=0.3, reset_after=False, seed=1, name="dropped_before", **F64),
    GRU(3, recurrent_dropout=0.3, return_sequences=True, seed=1, name="dropped_after", **F64),
    SimpleRNN(3, dropout=0.2, recurrent_dropout=0.3, seed=1, name="dropped_plain", **F64),
    RNN([LSTMCell(3, **F64), GRUCell(2, dropout=0.3, seed=2, **F64), SimpleRNNCell(4, **F64)], name="stack"),
    RNN(LSTMCell(3, **F64), return_sequences=True, zero_output_for_mask=True, name="zeroed"),
    Bidirectional(LSTM(3, return_sequences=True, **F64), name="both"),
    Bidirectional(GRU(3, **F64), merge_mode="mul", name="product"),
    Bidirectional(SimpleRNN(3, return_sequences=True, **F64), merge_mode="ave", name="average"),
    Bidirectional(LSTM(2, **F64), backward_layer=GRU(3, go_backwards=True, **F64), name="different"),
    TimeDistributed(Dense(3, activation="softmax", **F64), name="distributed"),
]
ids = [layer.name for layer in CASES]


def copy(layer):
    return deserialize(serialize(layer))


def padded(x):
    x[0, 2:] = 0
    x[1, :2] = 0
    x[2, 1] = 0
    return x


def model_of(layer, masked, shape=(4, 2)):
    first = Masking(**F64) if masked else Dense(shape[-1], **F64)
    model = Sequential([Input(shape, **F64), first, copy(layer), Dense(2, **F64)])
    rng = np.random.default_rng(1)
    model.set_weights([0.5 * rng.normal(size=p.shape) for p in model.weights])
    return model


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("layer", CASES, ids=ids)
def test_gradients(layer, masked, backend):
    model = model_of(layer, masked)
    model.compile("sgd", "mse")
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3, 4, 2))
    x = padded(x) if masked else x
    assert gradcheck_model(model, x, rng.normal(size=(3, *model.output_shape[1:]))) <= 1


@pytest.mark.parametrize("layer", CASES, ids=ids)
def test_both_executors_and_any_number_of_threads(layer):
    rng = np.random.default_rng(3)
    x = padded(rng.normal(size=(21, 6, 5)))
    results = []
    for backend, threads in (("native", 1), ("native", 3), ("reference", 1)):
        with fastnn.use_backend(backend), fastnn.num_threads(threads):
            model = model_of(layer, True, (6, 5))
            model.compile("adam", "mse")
            y = np.ones((21, *model.output_shape[1:]))
            fastnn.seeds.set_random_seed(3)
            model._seed = 5
            model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)  # a smaller last batch as well
            results.append([*model.get_weights(), model.predict(x, verbose=0)])
    for one, two, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("layer", [LSTM(48, return_sequences=True), GRU(40), Bidirectional(LSTM(33))], ids=str)
def test_threads_share_large_batches(layer):
    rng = np.random.default_rng(4)
    x, results = rng.normal(size=(64, 12, 19)).astype(np.float32), []
    for threads in (1, 2, 4):
        with fastnn.num_threads(threads):
            model = Sequential([Input((12, 19)), copy(layer)])
            generator = np.random.default_rng(5)
            model.set_weights([0.2 * generator.normal(size=p.shape) for p in model.weights])
            model.compile("adam", "mse")
            model.fit(x, np.ones((64, *model.output_shape[1:])), batch_size=64, epochs=3, shuffle=False, verbose=0)
            results.append(model.get_weights())
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("steps", [1, 4])
def test_layers_compute_what_the_array_functions_compute(samples, steps, backend):
    x = np.random.default_rng(5).normal(size=(samples, steps, 3))
    for layer, function, more in (
        (SimpleRNN(5, return_sequences=True, **F64), ops.rnn_forward, {}),
        (LSTM(5, return_sequences=True, **F64), ops.lstm_forward, {}),
        (GRU(5, return_sequences=True, **F64), ops.gru_forward, {"reset_after": True}),
        (GRU(5, return_sequences=True, reset_after=False, **F64), ops.gru_forward, {}),
    ):
        model = Sequential([Input((steps, 3), **F64), layer])
        states = (None, None) if isinstance(layer, LSTM) else (None,)
        hs, _ = function(x, *states, *layer.get_weights(), **more)
        np.testing.assert_allclose(model.predict(x, verbose=0), hs, rtol=1e-13, atol=1e-15)


def run_layer(layer, arrays, dys):
    """A layer called with several tensors, through its plan: outputs, and gradients of the inputs."""
    plan = Plan("float64", len(arrays[0]), training=True)
    xs = tuple(plan.input(a[0].size) for a in arrays)
    shapes = tuple(a.shape[1:] for a in arrays)
    layer.build_once(shapes if len(arrays) > 1 else shapes[0])
    ys, backward = layer.emit(plan, xs if len(xs) > 1 else xs[0])
    given = tuple(ABSENT if dy is None else plan.input(dy[0].size) for dy in dys)
    dxs = backward(given, tuple(True for _ in xs) if len(xs) > 1 else True)
    wanted = [*ys, *(dxs if isinstance(dxs, tuple) else (dxs,))]
    outputs = []
    for buffer in wanted:
        n = plan.buffers[buffer].size
        copied = plan.fixed(n)
        plan.step("activation", (buffer, copied), row="identity", ints=(n,))
        plan.output(copied, n // len(arrays[0]))
        outputs.append(np.empty((len(arrays[0]), n // len(arrays[0]))))
    program = fastnn.backend.current().Program(plan)
    program.bind([*arrays, *(dy for dy in dys if dy is not None)], outputs)
    program.run(0, 1)
    return outputs


def test_states_go_in_and_out(backend):
    rng = np.random.default_rng(6)
    layer = LSTM(4, return_sequences=True, return_state=True, **F64)
    x, h, c = rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    assert layer.compute_output_shape((7, 5, 2)) == ((7, 5, 4), (7, 4), (7, 4))
    dys = [rng.normal(size=(3, 5, 4)), None, rng.normal(size=(3, 4))]
    y, h1, c1, dx, dh, dc = run_layer(layer, [x, h, c], dys)
    hs, cache = ops.lstm_forward(x, h, c, *layer.get_weights())
    expected = ops.lstm_backward(dys[0], cache, None, dys[2])
    for one, two in zip((y, h1, c1, dx, dh, dc), (hs, cache.h, cache.c, *expected[:3]), strict=True):
        np.testing.assert_allclose(one, two.reshape(3, -1), rtol=1e-12, atol=1e-14)


def test_states_of_both_directions(backend):
    rng = np.random.default_rng(7)
    layer = Bidirectional(GRU(4, return_state=True, **F64), merge_mode=None)
    x = rng.normal(size=(3, 5, 2))
    assert layer.compute_output_shape((None, 5, 2)) == ((None, 4),) * 4
    y1, y2, h1, h2, dx = run_layer(layer, [x], [None, rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), None])
    np.testing.assert_array_equal(y1, h1)
    np.testing.assert_array_equal(y2, h2)
    weights = layer.get_weights()
    hs, _ = ops.gru_forward(x, None, *weights[3:], reset_after=True, reverse=True)
    np.testing.assert_allclose(y2, hs[:, 0], rtol=1e-12)
    assert np.abs(dx).min() > 0


def test_stateful_layers_remember(backend):
    x = np.random.default_rng(8).normal(size=(2, 6, 3))
    whole = Sequential([Input((6, 3), **F64), LSTM(4, return_sequences=True, **F64)])
    parts = Sequential([Input((2, 3), **F64), LSTM(4, return_sequences=True, stateful=True, **F64)])
    parts.set_weights(whole.get_weights())
    expected = whole.predict(x, verbose=0)
    for _ in range(2):
        outputs = [parts.predict(x[:, t : t + 2], verbose=0) for t in (0, 2, 4)]
        np.testing.assert_allclose(np.concatenate(outputs, axis=1), expected, rtol=1e-12)
        parts.layers[0].reset_states()
    with pytest.raises(ValueError, match=r"must have 2 samples\. Received: 1"):
        parts.predict(x[:1, :2], verbose=0)


def test_kerass_names_shapes_and_first_values():
    model = Sequential([Input((5,)), Embedding(10, 4), Bidirectional(LSTM(3)), Dense(2)])
    assert [p.shape for p in model.weights[:7]] == [(10, 4), (4, 12), (3, 12), (12,), (4, 12), (3, 12), (12,)]
    _, _, recurrent, bias = model.get_weights()[:4]
    np.testing.assert_array_equal(bias, [0] * 3 + [1] * 3 + [0] * 6)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(3), atol=1e-6)
    assert [p.shape for p in built(GRU(2)).weights] == [(3, 6), (2, 6), (2, 6)]
    assert [p.shape for p in built(GRU(2, reset_after=False)).weights] == [(3, 6), (2, 6), (6,)]
    assert len({p.name for p in model.weights}) == len(model.weights)


def built(layer):
    layer.build_once((5, 3))
    return layer


@pytest.mark.parametrize("layer", CASES, ids=ids)
def test_layers_survive_serialization(layer):
    again = copy(layer)
    assert serialize(again) == serialize(layer)
    assert again.build_once((4, 2)) == copy(layer).build_once((4, 2))


def test_models_are_saved_and_trained_on(tmp_path):
    x = np.random.default_rng(9).integers(1, 20, (12, 6))
    inner = Bidirectional(GRU(4, dropout=0.2))
    model = Sequential([Input((6,)), Embedding(20, 3, mask_zero=True), inner, Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    model.fit(x, x[:, :1] % 2, epochs=2, verbose=0)
    model.save(tmp_path / "m.fastnn")
    again = fastnn.models.load_model(tmp_path / "m.fastnn")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    for one in (model, again):
        one.fit(x, x[:, :1] % 2, epochs=2, verbose=0)
    for one, two in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_freezing_a_wrapper_freezes_what_is_in_it():
    layer = Bidirectional(LSTM(2), trainable=False)
    model = Sequential([Input((3, 2)), layer, Dense(1)])
    assert len(model.trainable_weights) == 2
    layer.trainable = True
    assert len(model.trainable_weights) == 8


@pytest.mark.filterwarnings("ignore:fit. x holds NaN:RuntimeWarning")
@pytest.mark.parametrize("bad", [-1, 7, 0.5, np.nan])
def test_an_index_out_of_range_is_an_error(bad, backend):
    model = Sequential([Input((3,)), Embedding(7, 2), SimpleRNN(2)])
    x = np.ones((4, 3))
    x[2, 1] = bad
    with pytest.raises(IndexError, match=r"0 to 6\. Received: "):
        model.predict(x, verbose=0)
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(IndexError, match=r"0 to 6\. Received: "):
        model.fit(x, np.ones((4, 2)), verbose=0)
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ValueError, lambda: LSTM(0)),
        (TypeError, lambda: LSTM(3, retrun_sequences=True)),
        (ValueError, lambda: LSTM(3, activation="tanhh")),
        (ValueError, lambda: LSTM(3, activation="softmax")),
        (ValueError, lambda: GRU(3, dropout=1.0)),
        (TypeError, lambda: GRU(3, reset_after=1)),
        (TypeError, lambda: SimpleRNN(3, recurrent_activation="sigmoid")),
        (ValueError, lambda: SimpleRNN(3).build_once((3,))),
        (ValueError, lambda: LSTM(3).build_once(((5, 2), (3,)))),
        (ValueError, lambda: RNN([])),
        (TypeError, lambda: RNN(Dense(2))),
        (ValueError, lambda: RNN(LSTMCell(3), zero_output_for_mask=True)),
        (TypeError, lambda: Bidirectional(Dense(2))),
        (ValueError, lambda: Bidirectional(LSTM(2), merge_mode="cat")),
        (ValueError, lambda: Bidirectional(LSTM(2), backward_layer=LSTM(2))),
        (TypeError, lambda: TimeDistributed(2)),
        (ValueError, lambda: TimeDistributed(Dense(2)).build_once((3,))),
        (ValueError, lambda: Embedding(0, 2)),
        (ValueError, lambda: Embedding(2**25, 1)),
        (TypeError, lambda: Masking("0")),
    ],
)
def test_errors_say_what_was_expected(error, make):
    with pytest.raises(error, match=r"Received: "):
        make()


def test_an_lstm_learns_to_remember():
    """Which of two symbols came first, ten steps ago."""
    rng = np.random.default_rng(10)
    x = rng.integers(1, 5, (400, 10))
    y = x[:, 0] % 2
    fastnn.seeds.set_random_seed(1)
    model = Sequential([Input((10,)), Embedding(5, 8), LSTM(16), Dense(1, activation="sigmoid")])
    model.compile(fastnn.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=25, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.95


def test_wrappers_freeze_what_they_wrap():
    model = Sequential([Input((5, 3)), TimeDistributed(BatchNormalization()), Dense(1)])
    wrapper = model.layers[0]
    wrapper.trainable = False
    model.compile("sgd", "mse")
    before = wrapper.get_weights()
    model.fit(np.random.default_rng(0).normal(size=(8, 5, 3)), np.ones((8, 5, 1)), verbose=0)
    for one, two in zip(before, wrapper.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    model.trainable = True
    assert len(wrapper.trainable_weights) == 2  # never the moving statistics


def test_penalties_of_what_is_wrapped():
    inner = Sequential([Input((2,)), Dense(3, activity_regularizer="l2", dtype="float64")])
    model = Sequential([Input((5, 2), dtype="float64"), TimeDistributed(inner)])
    rng = np.random.default_rng(1)
    model.compile("sgd", "mse")
    gradcheck_model(model, rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 5, 3)))
