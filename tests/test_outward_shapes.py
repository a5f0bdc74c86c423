"""Shapes as Keras's scripts read, pass and return them: with the batch axis in front."""

import numpy as np
import pytest

import fastnn
from fastnn import Model, Sequential, layers
from fastnn.layers import Dense, Input


def test_models_and_layers_show_the_batch_axis():
    model = Sequential([Input((6, 4)), Dense(3), layers.Flatten()])
    assert model.input_shape == (None, 6, 4) and model.output_shape == (None, 18)
    assert [layer.input_shape for layer in model.layers] == [(None, 6, 4), (None, 6, 3)]
    assert model.layers[0].output_shape == model.layers[0].output.shape == (None, 6, 3)
    assert "input_shape=(None, 6, 4)" in repr(model.layers[0])
    assert Dense(3).input_shape is None and Dense(3).output_shape is None


def test_several_inputs_and_outputs_are_lists():
    a, b = Input((4,)), Input((2,))
    joined = layers.Concatenate()
    y = joined([a, b])
    model = Model([a, b], [Dense(3)(y), y])
    assert model.input_shape == [(None, 4), (None, 2)] and model.output_shape == [(None, 3), (None, 6)]
    assert joined.input_shape == [(None, 4), (None, 2)] and joined.output_shape == (None, 6)
    alone = Model([a], [Dense(3)(a)])
    assert alone.input_shape == (None, 4) and alone.output_shape == (None, 3)


def test_layers_are_built_and_asked_with_the_batch_axis():
    layer = Dense(3)
    assert layer.compute_output_shape((None, 8)) == (None, 3) and not layer.built
    assert layer.compute_output_shape((32, 5, 8)) == (32, 5, 3)
    assert layer.compute_output_shape([None, 8]) == (None, 3)
    layer.build((None, 8))
    assert layer.built and layer.kernel.shape == (8, 3) and layer.output_shape == (None, 3)
    layer.build((16, 8))  # once more, the same
    with pytest.raises(ValueError, match=r"was built for inputs of shape \(None, 8\). Received: \(None, 9\)"):
        layer.build((None, 9))
    np.testing.assert_allclose(layer(np.ones((2, 8))), np.ones((2, 8)) @ layer.kernel.numpy(), rtol=1e-5)
    assert layers.Add().compute_output_shape([(None, 3), (None, 3)]) == (None, 3)
    sequence = layers.LSTM(4, return_sequences=True, return_state=True)
    assert sequence.compute_output_shape((7, 5, 2)) == ((7, 5, 4), (7, 4), (7, 4))


@pytest.mark.parametrize("shape", [(8,), 8, (), None, "ab", (0, 8), (None, 0), [(None, 8), (8,)], (2.5, 8)])
def test_shapes_without_the_batch_axis_are_refused(shape):
    for ask in (Dense(3).compute_output_shape, Dense(3).build, Sequential([Dense(3)]).build):
        with pytest.raises(ValueError, match="Received:"):
            ask(shape)


def test_query_and_value_by_their_names():
    shapes = {"query_shape": (None, 5, 4), "value_shape": (None, 6, 3)}
    layer = layers.MultiHeadAttention(2, 2)
    assert layer.compute_output_shape(**shapes) == layer.compute_output_shape(*shapes.values()) == (None, 5, 4)
    layer.build(**shapes)
    assert layer.built and layer.input_shape[:2] == list(shapes.values())


class Scaled(layers.Layer):
    """Written as for Keras: the batch axis stands in the shapes."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units, self.seen = units, []

    def build(self, input_shape):
        self.seen.append(input_shape)
        self.w = self.add_weight(shape=(input_shape[1], self.units), initializer="ones")
        self.b = self.add_weight(shape=input_shape[1:], initializer="ones")
        super().build(input_shape)
        self.built = True

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)

    def forward(self, x):
        return (x * self.b.value) @ self.w.value

    def backward(self, dy, x):
        dx = dy @ self.w.value.T
        return dx * self.b.value, (x * self.b.value).T @ dy, (dx * x).sum(axis=0)


def test_layers_of_users_get_and_give_the_batch_axis(backend):
    layer = Scaled(3, dtype="float64")
    model = Sequential([Input((4,), dtype="float64"), layer, Dense(1, dtype="float64")])
    assert layer.seen == [(None, 4)] and layer.output_shape == (None, 3)
    assert [w.shape for w in layer.weights] == [(4, 3), (4,)]
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(5, 4))
    assert fastnn.testing.gradcheck_model(model, x, np.ones((5, 1))) <= 1
    direct = Scaled(2)
    direct.build((None, 4))
    assert direct.built and len(direct.weights) == 2
    assert direct(np.ones((3, 4))).shape == (3, 2) and len(direct.seen) == 1


def test_building_that_fails_leaves_nothing():
    layer = Scaled(3)
    with pytest.raises((ValueError, IndexError)):
        layer.build((None, 4, "x"))
    assert not layer.built and not layer.weights
    layer.build((None, 4))
    assert len(layer.weights) == 2


def test_a_shape_without_the_batch_axis_that_a_layer_of_users_returns():
    class Old(Scaled):
        def compute_output_shape(self, input_shape):
            return self.returned

    for returned in [(3,), (4, 3), 3, ()]:
        layer = Old(3)
        layer.returned = returned
        with pytest.raises(ValueError, match=r"what compute_output_shape returns must .*None.*Received:"):
            layer(Input((4,)))
        assert not layer.built
    layer = Old(3)
    layer.returned = [None, 3]
    assert layer(Input((4,))).shape == (None, 3)


def test_several_inputs_reach_build_as_a_list():
    seen = []

    class Both(layers.Layer):
        def build(self, input_shape):
            assert isinstance(input_shape, list)
            seen.extend(input_shape)

        def compute_output_shape(self, input_shape):
            return input_shape[0]

        def forward(self, x):
            return x[0] + x[1].sum(axis=1, keepdims=True)

    y = Both()([Input((3,)), Input((2,))])
    assert seen == [(None, 3), (None, 2)] and y.shape == (None, 3)


def test_build_of_a_composed_layer_may_take_a_shape_for_each_argument():
    class Cross(layers.Layer):
        def __init__(self):
            super().__init__()
            self.first, self.second = Dense(2), Dense(2)

        def build(self, query_shape, memory_shape):
            self.first.build(query_shape)
            self.second.build(memory_shape)

        def call(self, query, memory, scale=1.0):
            return self.first(query) + scale * self.second(memory)

    layer = Cross()
    assert layer(Input((3,)), memory=Input((5,)), scale=2.0).shape == (None, 2)
    assert layer.first.kernel.shape == (3, 2) and layer.second.kernel.shape == (5, 2)


def test_composed_layers_are_asked_and_built():
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = Dense(7)

        def build(self, input_shape):
            self.dense.build(input_shape)
            self.built = True

        def call(self, x):
            return self.dense(x)

    block = Block()
    assert block.compute_output_shape((4, 5)) == (4, 7)
    block.build((None, 5))
    assert block.output_shape == (None, 7) and [w.shape for w in block.weights] == [(5, 7), (7,)]


def test_subclasses_of_compiled_layers_build_more():
    class Extra(Dense):
        def build(self, input_shape):
            super().build(input_shape)
            self.more = self.add_weight("more", (input_shape[-1],), "zeros", trainable=False)

        def compute_output_shape(self, input_shape):
            return super().compute_output_shape(input_shape)

    layer = Extra(3)
    assert layer(Input((4,))).shape == (None, 3) and [w.shape for w in layer.weights] == [(4, 3), (3,), (4,)]
    built = Extra(3)
    built.build((None, 4))
    assert len(built.weights) == 3


def test_models_that_are_subclassed_are_built_with_the_batch_axis():
    class Net(Model):
        def __init__(self, seen):
            super().__init__()
            self.seen, self.dense = seen, Dense(2)

        def build(self, input_shape):
            self.seen.append(input_shape)
            self.built = True

        def call(self, x):
            return self.dense(x)

    for build in (lambda net: net.build((None, 3)), lambda net: net.predict(np.ones((4, 3)), verbose=0)):
        seen = []
        net = Net(seen)
        build(net)
        assert seen == [(None, 3)] and net.built and net.output_shape == (None, 2)
    assert net.compute_output_shape((9, 3)) == (9, 2)


def test_attributes_of_these_names_may_be_the_users():
    class Reshaping(layers.Layer):
        def __init__(self, output_shape):
            super().__init__()
            self.output_shape = output_shape
            self.reshape = layers.Reshape(output_shape)

        def call(self, x):
            return self.reshape(x)

    layer = Reshaping((2, 3))
    assert layer(Input((6,))).shape == (None, 2, 3) and layer.output_shape == (2, 3)


def test_a_built_layer_stays_built():
    layer = Dense(3)
    layer.built = False
    layer.build((None, 2))
    with pytest.raises(ValueError, match="Received: built=False"):
        layer.built = False


# ------------------------------------------------------------------------------------------------------------- Input


def test_inputs_with_a_size_of_the_batch(tmp_path):
    for given in (Input((4,), 8), Input((4,), batch_size=8), Input(batch_shape=(8, 4)), Input(batch_shape=[8, 4])):
        assert given.shape == (8, 4) and given.call.layer.batch_shape == (8, 4)
        y = Dense(3)(given)
        model = Model(given, [y, layers.Flatten()(y)])
        assert y.shape == (8, 3) and model.input_shape == (8, 4) and model.output_shape == [(8, 3), (8, 3)]
    assert Input(batch_shape=(None, 4)).shape == (None, 4)
    stack = Sequential([Input((4,), batch_size=8), Dense(3)])
    assert stack.input_shape == (8, 4) and stack.output_shape == (8, 3)
    assert stack.predict(np.ones((5, 4)), verbose=0).shape == (5, 3)  # as in Keras, it is no obligation
    stack.save(tmp_path / "m.fastnn")
    assert fastnn.load_model(tmp_path / "m.fastnn").input_shape == (8, 4)
    assert Sequential.from_config(stack.get_config()).output_shape == (8, 3)


def test_input_layers_by_themselves():
    first = layers.InputLayer(shape=(4,), name="first")
    assert first.name == first.output.name == "first" and first.batch_shape == (None, 4)
    model = Sequential([layers.InputLayer((4,)), Dense(2)])
    assert model.input_shape == (None, 4)
    assert layers.InputLayer(batch_shape=(2, 4)).output.shape == (2, 4)
    assert layers.InputLayer.from_config(first.get_config()).get_config() == first.get_config()


@pytest.mark.parametrize(
    "options",
    [{}, {"shape": (3,), "batch_shape": (None, 3)}, {"batch_size": 2}, {"batch_size": 2, "batch_shape": (2, 3)},
     {"shape": (3,), "batch_size": 0}, {"shape": (3,), "batch_size": "a"}, {"batch_shape": 3}, {"batch_shape": ()},
     {"shape": (3,), "sparse": True}, {"shape": (3,), "optional": True}, {"shape": (3,), "tensor": 1}],
)  # fmt: skip
def test_inputs_that_are_refused(options):
    with pytest.raises(ValueError, match="Received:"):
        Input(**options)


def test_names_of_inputs():
    fastnn.utils.clear_session()
    names = [Input((2,)).name, Input((2,)).name, Input((2,), name="mine").name]
    assert names == ["input_layer", "input_layer_1", "mine"]
