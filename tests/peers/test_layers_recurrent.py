"""Recurrent layers, embeddings and masks against Keras and PyTorch: outputs, gradients, training, in float64."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers, ops
from fastnn.engine.plan import Plan
from fastnn.layers import Input

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

pytestmark = [
    pytest.mark.usefixtures("keras_in_double"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
]

TIGHT = {"rtol": 1e-9, "atol": 1e-10}
FEATURES, STEPS = 3, 5
CASES = {
    "simple": ("SimpleRNN", {"units": 4}),
    "simple sequences backwards": ("SimpleRNN", {"units": 4, "return_sequences": True, "go_backwards": True}),
    "lstm": ("LSTM", {"units": 4}),
    "lstm sequences": ("LSTM", {"units": 7, "return_sequences": True}),
    "lstm other": ("LSTM", {"units": 3, "recurrent_activation": "silu", "activation": "softsign"}),
    "lstm plain": ("LSTM", {"units": 4, "use_bias": False, "go_backwards": True}),
    "gru": ("GRU", {"units": 4}),
    "gru sequences": ("GRU", {"units": 5, "return_sequences": True, "go_backwards": True}),
    "gru before": ("GRU", {"units": 4, "reset_after": False, "return_sequences": True}),
    "gru other": ("GRU", {"units": 4, "activation": "gelu", "recurrent_activation": "softsign", "reset_after": False}),
    "gru other after": ("GRU", {"units": 4, "activation": "silu", "recurrent_activation": "softsign"}),
}
MASKS = ("none", "right", "left", "holes")


def sequences(padding, n=6, steps=STEPS):
    """Random sequences of different lengths, padded with zeros."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, steps, FEATURES))
    for i in range(n if padding != "none" else 0):
        length = 1 + i % steps
        if padding == "right":
            x[i, length:] = 0
        elif padding == "left":
            x[i, : steps - length] = 0
        else:
            x[i, i % steps] = 0
    return x


def pair(build, shape, dtype="float64"):
    """The same model here and in Keras, with the same random weights; `build` gets a module of layers."""
    ours = Sequential([Input(shape, dtype=dtype), *build(layers)])
    theirs = keras.Sequential([keras.Input(shape), *build(keras.layers)])
    rng = np.random.default_rng(2)
    weights = [0.5 * rng.normal(size=p.shape) for p in ours.weights]
    assert [tuple(w.shape) for w in theirs.weights] == [w.shape for w in weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


def assert_equal_training(ours, theirs, x, y, loss="mse", steps=20, **weights):
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), **TIGHT)
    # one plain step shows the gradients
    for optimizers, count in ((("sgd", "sgd"), 1), (("adam", "adam"), steps)):
        ours.compile(optimizers[0], loss)
        theirs.compile(optimizers[1], loss)
        ours.optimizer.learning_rate, theirs.optimizer.learning_rate = 0.01, 0.01
        for _ in range(count):
            one = ours.train_on_batch(x, y, **weights)
            two = theirs.train_on_batch(x, y, **weights)
            two = two if count == 1 else None
            if two is not None:
                np.testing.assert_allclose(one, float(two), **TIGHT)
        for w, v in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(w, v, **TIGHT)


def targets(model, x, seed=3):
    return np.random.default_rng(seed).normal(size=model.predict(x, verbose=0).shape)


@pytest.mark.parametrize("padding", MASKS)
@pytest.mark.parametrize("name", CASES)
def test_layers_train_as_in_keras(name, padding):
    cls, arguments = CASES[name]

    def build(module):
        first = [module.Masking()] if padding != "none" else []
        return [*first, getattr(module, cls)(**arguments), module.Dense(2)]

    x = sequences(padding)
    ours, theirs = pair(build, (STEPS, FEATURES))
    assert_equal_training(ours, theirs, x, targets(ours, x))


@pytest.mark.parametrize("padding", ["none", "left"])
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
@pytest.mark.parametrize("every", [False, True])
def test_bidirectional(mode, every, padding):
    def build(module):
        first = [module.Masking()] if padding != "none" else []
        inner = (
            module.LSTM(3, return_sequences=every)
            if mode in ("concat", "mul")
            else module.GRU(3, return_sequences=every)
        )
        return [*first, module.Bidirectional(inner, merge_mode=mode), module.Dense(2)]

    x = sequences(padding)
    ours, theirs = pair(build, (STEPS, FEATURES))
    assert_equal_training(ours, theirs, x, targets(ours, x), steps=5)


def test_stacked_cells():
    def build(module):
        cells = [module.LSTMCell(4), module.GRUCell(3), module.SimpleRNNCell(2)]
        return [module.Masking(), module.RNN(cells, return_sequences=True), module.Dense(2)]

    x = sequences("right")
    ours, theirs = pair(build, (STEPS, FEATURES))
    assert_equal_training(ours, theirs, x, targets(ours, x))


def test_embedding_with_mask():
    def build(module):
        return [module.Embedding(11, 4, mask_zero=True), module.LSTM(3, return_sequences=True), module.Dense(2)]

    rng = np.random.default_rng(4)
    x = rng.integers(1, 11, (6, STEPS))
    x[0, 2:] = 0
    x[1, :3] = 0
    x[2] = 0
    ours, theirs = pair(build, (STEPS,))
    y = targets(ours, x)
    assert_equal_training(ours, theirs, x, y)


def test_masked_metrics():
    def build(module):
        return [module.Masking(), module.SimpleRNN(3, return_sequences=True), module.Dense(4, activation="softmax")]

    x = sequences("right")
    y = np.random.default_rng(5).integers(0, 4, (len(x), STEPS))
    ours, theirs = pair(build, (STEPS, FEATURES))
    for model in (ours, theirs):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    one, two = ours.evaluate(x, y, verbose=0), theirs.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(one, two, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 4])
def test_masked_metrics_of_several_batches(size):
    """Means over everything that counts, with the weights of samples and without, in the engine and in Python."""

    def build(module):
        return [module.Masking(), module.Dense(4, activation="softmax")]

    x = sequences("right")
    rng = np.random.default_rng(5)
    # of every time step: Keras on PyTorch cannot multiply one of each sample with a mask
    y, weights = rng.integers(0, 4, (len(x), STEPS)), rng.uniform(0.5, 2, (len(x), STEPS))
    ours, theirs = pair(build, (STEPS, FEATURES))
    for model in (ours, theirs):
        names = ["sparse_categorical_accuracy", "sparse_categorical_crossentropy"]
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=names, weighted_metrics=["accuracy"])
    *one, weighted = ours.evaluate(x, y, sample_weight=weights, batch_size=size, verbose=0)
    *two, _ = theirs.evaluate(x, y, sample_weight=weights, batch_size=size, verbose=0)
    np.testing.assert_allclose(one, two, rtol=1e-5)
    # Keras's own, of metrics that count weights, depends on the size of the batches
    hits, counted = ours.predict(x, verbose=0).argmax(-1) == y, weights * (x != 0).any(-1)
    np.testing.assert_allclose(weighted, (hits * counted).sum() / counted.sum(), rtol=1e-6)


def with_factors(layer, x, dy):
    """Output, gradients of x and the weights in training, and the factors that dropout has drawn."""
    layer.build_once(x.shape[1:])
    gradients = {id(p): np.zeros(p.shape) for p in layer.weights}
    plan = Plan("float64", len(x), training=True, gradients=gradients)
    y, backward = layer.emit(plan, plan.array(x))
    dx = backward(plan.array(dy), True)
    found = []
    for buffer in (y, dx, *(step.buffers[1] for step in plan.steps if step.op == "dropout")):
        found.append(np.zeros(plan.buffers[buffer].size))
        plan.step("activation", (buffer, plan.array(found[-1])), row="identity", ints=(found[-1].size,))
    fastnn.backend.current().Program(plan).run(0, 1, None, None, 7, 0)
    y, dx, *factors = found
    return y.reshape(dy.shape), [dx.reshape(x.shape), *gradients.values()], factors


@pytest.mark.parametrize("rates", [(0.4, 0.0), (0.0, 0.4), (0.3, 0.5)], ids=str)
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU", "GRU before", "LSTM other"])
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_dropout_is_that_of_keras(name, rates, backend):
    """With the same factors, cell by cell: which of them belong to which gate, and how they are used."""
    kind = name.split()[0]
    options = {"GRU before": {"reset_after": False}, "LSTM other": {"activation": "softsign"}}.get(name, {})
    rng, units = np.random.default_rng(6), 3
    x, dy = rng.normal(size=(4, STEPS, FEATURES)), rng.normal(size=(4, STEPS, units))
    dropout = {"dropout": rates[0], "recurrent_dropout": rates[1]}
    layer = getattr(layers, kind)(units, return_sequences=True, seed=1, dtype="float64", **options, **dropout)
    with fastnn.use_backend(backend):
        layer.build_once(x.shape[1:])
        layer.set_weights([rng.normal(size=p.shape) for p in layer.weights])
        y, gradients, factors = with_factors(layer, x, dy)

    cell = getattr(keras.layers, f"{kind}Cell")(units, dtype="float64", **options, **dropout)
    cell.build((4, FEATURES))
    cell.set_weights(layer.get_weights())
    gates = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[kind] if rates[1] else 1
    masks = [torch.tensor(f.reshape(4, FEATURES)) for f in factors[: gates if rates[0] else 0]]
    recurrent = [torch.tensor(f) for f in factors[-1].reshape(-1, 4, units)] if rates[1] else []
    assert len(masks) == (gates if rates[0] else 0)
    alone = kind == "SimpleRNN" or not rates[1]
    cell.get_dropout_mask = lambda inputs: (masks[0] if alone else masks) if masks else None
    single = kind == "SimpleRNN"
    cell.get_recurrent_dropout_mask = lambda h: (recurrent[0] if single else recurrent) if recurrent else None
    inputs = torch.tensor(x, requires_grad=True)
    states = [torch.zeros(4, units, dtype=torch.float64) for _ in range(2 if kind == "LSTM" else 1)]
    outputs = []
    for t in range(STEPS):
        out, states = cell.call(inputs[:, t], states, training=True)
        outputs.append(out)
    expected = torch.stack(outputs, dim=1)
    expected.backward(torch.tensor(dy))
    np.testing.assert_allclose(y, expected.detach().numpy(), **TIGHT)
    theirs = [inputs.grad, *(w.value.grad for w in cell.trainable_weights)]
    for one, two in zip(gradients, theirs, strict=True):
        np.testing.assert_allclose(one, two.numpy(), **TIGHT)


def test_time_distributed():
    def build(module):
        inner = module.Dense(3, activation="tanh")
        return [module.LSTM(4, return_sequences=True), module.TimeDistributed(inner), module.GRU(2)]

    x = sequences("none")
    ours, theirs = pair(build, (STEPS, FEATURES))
    assert_equal_training(ours, theirs, x, targets(ours, x))


def test_stateful_layers_go_on_where_they_stopped():
    x = sequences("none")
    ours = Sequential([Input((STEPS, FEATURES)), layers.LSTM(3, stateful=True)])
    theirs = keras.Sequential([keras.Input(batch_shape=(len(x), STEPS, FEATURES)), keras.layers.LSTM(3, stateful=True)])
    theirs.set_weights(ours.get_weights())
    for _ in range(3):
        one, two = ours.predict(x, batch_size=len(x), verbose=0), theirs.predict(x, batch_size=len(x), verbose=0)
        np.testing.assert_allclose(one, two, **TIGHT)
    ours.layers[0].reset_states()
    theirs.layers[0].reset_state()
    one, two = ours.predict(x, batch_size=len(x), verbose=0), theirs.predict(x, batch_size=len(x), verbose=0)
    np.testing.assert_allclose(one, two, **TIGHT)


@pytest.mark.parametrize("cls", ["SimpleRNN", "LSTM", "GRU", "Bidirectional", "Embedding", "Masking"])
def test_keras_defaults(cls):
    """Every argument that Keras's config names and ours does too has the same default."""
    make = {"Embedding": lambda m: m.Embedding(3, 4), "Masking": lambda m: m.Masking()}
    make["Bidirectional"] = lambda m: m.Bidirectional(m.LSTM(3))
    ours, theirs = (make.get(cls, lambda m: getattr(m, cls)(3))(m).get_config() for m in (layers, keras.layers))
    skipped = {"name", "dtype", "layer", "backward_layer"}
    for name in set(ours) & set(theirs) - skipped:
        mine, other = ours[name], theirs[name]
        if isinstance(other, dict):
            mine, other = mine["class_name"], other["class_name"]
        if name == "seed":
            continue
        assert mine == other or {mine, other} == {"linear", "identity"}, name


# -------------------------------------------------------------------------------------------------------- PyTorch


def torch_gradients(module, x, *states):
    x = torch.tensor(x, requires_grad=True)
    states = [torch.tensor(s[np.newaxis], requires_grad=True) for s in states]
    hs, _ = module(x, tuple(states) if len(states) > 1 else states[0])
    dy = torch.tensor(np.random.default_rng(7).normal(size=hs.shape))
    hs.backward(dy)
    grads = [x.grad, *(s.grad[0] for s in states), module.weight_ih_l0.grad.T, module.weight_hh_l0.grad.T]
    grads += [module.bias_ih_l0.grad, module.bias_hh_l0.grad]
    return hs.detach().numpy(), dy.numpy(), [g.numpy() for g in grads]


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("samples", [1, 6])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_array_functions_are_those_of_pytorch(kind, samples, steps):
    torch.manual_seed(0)
    units = 7
    module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](FEATURES, units, batch_first=True)
    module = module.double()
    rng = np.random.default_rng(6)
    x = rng.normal(size=(samples, steps, FEATURES))
    states = [rng.normal(size=(samples, units)) for _ in range(2 if kind == "lstm" else 1)]
    hs, dy, expected = torch_gradients(module, x, *states)
    wx, wh, bi, bh = (p.detach().numpy() for p in module.parameters())
    if kind == "gru":
        arguments, options = (wx.T, wh.T, np.stack([bi, bh])), {"gates": "rzn", "reset_after": True}
    else:
        arguments, options = (wx.T, wh.T, bi + bh), {"gates": "ifgo"} if kind == "lstm" else {}
    y, cache = getattr(ops, f"{kind}_forward")(x, *states, *arguments, **options)
    np.testing.assert_allclose(y, hs, **TIGHT)
    *grads, db = getattr(ops, f"{kind}_backward")(dy, cache)
    *theirs, dbi, dbh = expected
    for one, two in zip(grads, theirs, strict=True):
        np.testing.assert_allclose(one, two, **TIGHT)
    np.testing.assert_allclose(db, np.stack([dbi, dbh]) if kind == "gru" else dbi, **TIGHT)


def test_embedding_is_that_of_pytorch():
    rng = np.random.default_rng(8)
    W, idx = rng.normal(size=(6, 4)), rng.integers(0, 6, (5, 3))
    weight = torch.tensor(W, requires_grad=True)
    y = torch.nn.functional.embedding(torch.tensor(idx), weight)
    dy = rng.normal(size=y.shape)
    y.backward(torch.tensor(dy))
    np.testing.assert_array_equal(ops.embedding(W, idx), y.detach().numpy())
    np.testing.assert_allclose(ops.embedding_backward(dy, idx, rows=6), weight.grad.numpy(), **TIGHT)
