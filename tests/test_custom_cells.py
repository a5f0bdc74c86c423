"""Recurrent cells written in Python: the same as compiled ones, gradients, masks, files, errors."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers
from fastnn.layers import RNN, Dense, GRUCell, Input, Masking, SimpleRNNCell, StackedRNNCells
from fastnn.testing import check_layer, gradcheck_model

F64 = {"dtype": "float64"}


@fastnn.saving.register_keras_serializable("tests")
class Plain(layers.Layer):
    """SimpleRNNCell in Python."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))
        self.recurrent = self.add_weight("recurrent", (self.units, self.units))
        self.bias = self.add_weight("bias", (self.units,), "zeros")

    def forward(self, x, states):
        h = np.tanh(x @ self.kernel.value + states[0] @ self.recurrent.value + self.bias.value)
        return h, h

    def backward(self, dy, dstates, x, states, y):
        dz = (dy + dstates[0]) * (1 - y * y)
        dx, dh = dz @ self.kernel.value.T, dz @ self.recurrent.value.T
        return dx, [dh], x.T @ dz, states[0].T @ dz, dz.sum(axis=0)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@fastnn.saving.register_keras_serializable("tests")
class Leaky(layers.Layer):
    """Two states of different sizes, an output of a third size, and `kept`; written as Keras has it, with `call`."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.state_size, self.output_size = units, [units, 2], units + 2

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))

    def call(self, inputs, states, kept):
        a, b = states
        kept["z"] = z = inputs @ self.kernel.value
        new = 0.5 * a + z * z
        other = b * 0.9 + a[:, :2]
        return np.concatenate([new * a, other], axis=1), [new, other]

    def backward(self, dy, dstates, x, states, kept):
        a, _ = states
        z = kept["z"]
        new = 0.5 * a + z * z
        dnew = dstates[0] + dy[:, : self.units] * a
        dother = dstates[1] + dy[:, self.units :]
        da = 0.5 * dnew + dy[:, : self.units] * new
        da[:, :2] += dother
        dz = dnew * 2 * z
        return dz @ self.kernel.value.T, [da, 0.9 * dother], x.T @ dz

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def sequences(rng, n=3, steps=4):
    x = rng.normal(size=(n, steps, 2))
    x[0, 2:] = 0
    x[1, :2] = 0
    x[2, 1] = 0
    return x


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}, {"go_backwards": True, "return_sequences": True}])
def test_a_cell_in_python_is_as_good_as_a_compiled_one(options, masked, backend):
    rng = np.random.default_rng(0)
    x, results = sequences(rng), []
    for cell in (Plain(4, **F64), SimpleRNNCell(4, **F64)):
        first = [Masking(**F64)] if masked else []
        model = Sequential([Input((4, 2), **F64), *first, RNN(cell, **options), Dense(2, **F64)])
        generator = np.random.default_rng(1)
        model.set_weights([0.5 * generator.normal(size=p.shape) for p in model.weights])
        model.compile("adam", "mse")
        model.fit(x, np.ones((3, *model.output_shape[1:])), epochs=5, batch_size=2, shuffle=False, verbose=0)
        results.append([*model.get_weights(), model.predict(x, verbose=0)])
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


CASES = [
    RNN(Leaky(**F64), name="last"),
    RNN(Leaky(**F64), return_sequences=True, go_backwards=True, name="sequences"),
    RNN([GRUCell(3, **F64), Leaky(2, **F64), Plain(3, **F64)], return_sequences=True, name="stack"),
    RNN(StackedRNNCells([Plain(3, **F64), SimpleRNNCell(2, **F64)]), name="below"),
]


@pytest.mark.parametrize("layer", CASES, ids=lambda layer: layer.name)
def test_gradients_and_configs(layer):
    check_layer(layer, (4, 2))


@pytest.mark.parametrize("layer", CASES, ids=lambda layer: layer.name)
def test_gradients_behind_a_mask(layer, backend):
    config = layer.get_config()
    model = Sequential([Input((4, 2), **F64), Masking(**F64), type(layer).from_config(config), Dense(2, **F64)])
    model.compile("sgd", "mse")
    rng = np.random.default_rng(2)
    assert gradcheck_model(model, sequences(rng), rng.normal(size=(3, *model.output_shape[1:]))) <= 1


def test_states_in_and_out_and_kept_between_batches():
    x = np.random.default_rng(3).normal(size=(2, 6, 2))
    tensor, state = Input((6, 2), **F64), Input((3,), **F64)
    layer = RNN(Plain(3, **F64), return_state=True)
    model = fastnn.Model([tensor, state], layer([tensor, state]))
    start = np.random.default_rng(4).normal(size=(2, 3))
    y, after = model.predict([x, start], verbose=0)
    np.testing.assert_array_equal(y, after)

    whole = Sequential([Input((6, 2), **F64), RNN(Plain(3, **F64), return_sequences=True)])
    parts = Sequential([Input((2, 2), **F64), RNN(Plain(3, **F64), return_sequences=True, stateful=True)])
    parts.set_weights(whole.get_weights())
    found = [parts.predict(x[:, t : t + 2], verbose=0) for t in (0, 2, 4)]
    np.testing.assert_allclose(np.concatenate(found, axis=1), whole.predict(x, verbose=0), rtol=1e-12)


def test_a_cell_may_say_where_it_starts(backend):
    class Counter(layers.Layer):
        state_size = 1

        def get_initial_state(self, batch_size):
            return np.arange(batch_size)[:, np.newaxis]

        def forward(self, x, states):
            return states[0] + x, states[0] + 1

    model = Sequential([Input((3, 1)), RNN(Counter())])
    np.testing.assert_array_equal(model.predict(np.zeros((4, 3, 1)), verbose=0), [[2], [3], [4], [5]])
    model.compile("sgd", "mse")
    assert model.evaluate(np.zeros((4, 3, 1)), np.zeros((4, 1)), verbose=0) > 0


def test_models_with_such_cells_are_saved(tmp_path):
    x = sequences(np.random.default_rng(5))
    model = Sequential([Input((4, 2)), RNN([Leaky(), SimpleRNNCell(2)]), Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, np.ones((3, 1)), epochs=2, verbose=0)
    model.save(tmp_path / "m.fastnn")
    again = fastnn.models.load_model(tmp_path / "m.fastnn")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


class Wrong(Plain):
    """A cell whose methods return what the test wants."""

    def __init__(self, after=None, gradients=None, **kwargs):
        super().__init__(2, **kwargs)
        self.after, self.gradients = after, gradients

    def forward(self, x, states):
        y, h = super().forward(x, states)
        return self.after(y, h) if self.after else (y, h)

    def backward(self, dy, dstates, x, states, y):
        found = super().backward(dy, dstates, x, states, y)
        return self.gradients(*found) if self.gradients else found


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (Wrong(lambda y, h: y), r"must return \(y, states\)"),
        (Wrong(lambda y, h: (y, [h, h])), "must return 1 states. Received: 2"),
        (Wrong(lambda y, h: (y[:, :1], h)), "must return y of shape"),
        (Wrong(lambda y, h: (y, h[:1])), "must return a state of shape"),
        (Wrong(None, lambda dx, dh, *g: dx), r"must return \(dx, dstates, gradient of"),
        (Wrong(None, lambda dx, dh, *g: (dx, dh * 2, *g)), "must return 1 states"),
        (Wrong(None, lambda dx, dh, *g: (dx[:, :1], dh, *g)), "must return dx of shape"),
    ],
)
def test_errors_of_cells_say_what_they_must_return(cell, message, backend):
    model = Sequential([Input((3, 2)), RNN(cell)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=message):
        model.fit(np.ones((2, 3, 2)), np.ones((2, 2)), verbose=0)


def test_what_is_no_cell_is_refused():
    class Stateless(layers.Layer):
        def forward(self, x, states):
            return x, states

    class Bad(Plain):
        def __init__(self):
            super().__init__(2)
            self.state_size = [2, 0]

    with pytest.raises(TypeError, match="expected a recurrent cell"):
        RNN(Stateless())
    with pytest.raises(TypeError, match="expected a list of recurrent cells"):
        StackedRNNCells([Plain(2), Stateless()])
    with pytest.raises(ValueError, match=r"state_size must be .* Received: \[2, 0\]"):
        RNN(Bad()).build_once((3, 2))


def test_methods_that_want_what_there_is_not():
    class Greedy(Plain):
        def forward(self, x, states, more):
            return x, states

    model = Sequential([Input((3, 2)), RNN(Greedy(2))])
    with pytest.raises(TypeError, match=r"must take x, and by name whichever it needs of states, training, kept"):
        model.predict(np.ones((1, 3, 2)), verbose=0)
