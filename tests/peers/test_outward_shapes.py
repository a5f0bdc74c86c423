"""Shapes as Keras shows, takes and returns them."""

import pytest

import fastnn

keras = pytest.importorskip("keras")

LAYERS = {
    "Dense": (("Dense", {"units": 3}), (None, 8)),
    "Dense of a sized batch": (("Dense", {"units": 3}), (4, 5, 8)),
    "Conv2D": (("Conv2D", {"filters": 2, "kernel_size": 3}), (None, 8, 9, 3)),
    "Flatten": (("Flatten", {}), (None, 4, 5)),
    "Reshape": (("Reshape", {"target_shape": (2, -1)}), (None, 6)),
    "LSTM": (("LSTM", {"units": 4}), (None, 5, 2)),
    "states of LSTM": (("LSTM", {"units": 4, "return_sequences": True, "return_state": True}), (7, 5, 2)),
    "Embedding": (("Embedding", {"input_dim": 9, "output_dim": 2}), (None, 5)),
    "Concatenate": (("Concatenate", {}), [(None, 3), (None, 4)]),
    "Dot": (("Dot", {"axes": 1}), [(6, 3, 2), (6, 3, 5)]),
    "Attention": (("Attention", {}), [(None, 5, 2), (None, 4, 2)]),
    "BatchNormalization": (("BatchNormalization", {}), (None, 5)),
    "TimeDistributed": (("TimeDistributed", {}), (None, 5, 4)),
}


@pytest.mark.parametrize("case", LAYERS)
def test_shapes_of_what_comes_out(case):
    (name, options), shape = LAYERS[case]
    mine, theirs = (
        getattr(k.layers, name)(*([k.layers.Dense(2)] if name == "TimeDistributed" else []), **options)
        for k in (fastnn, keras)
    )
    assert mine.compute_output_shape(shape) == theirs.compute_output_shape(shape)
    for layer in (mine, theirs):
        layer.build(shape)
    assert mine.built and theirs.built
    assert [tuple(w.shape) for w in mine.weights] == [tuple(w.shape) for w in theirs.weights]


def build(k):
    a, b = k.Input((6, 4), name="a"), k.Input((4,), name="b")
    h = k.layers.Dense(3)(a)
    last = k.layers.Flatten()(h)
    join = k.layers.Concatenate()
    y = join([last, b])
    return [
        k.Model(a, last),
        k.Model([a], [last]),
        k.Model([a, b], [y, last]),
        k.Model({"b": b, "a": a}, {"y": y, "last": last}),
        k.Sequential([k.Input((6, 4)), k.layers.Dense(3)]),
    ]


def test_shapes_of_models():
    for mine, theirs in zip(build(fastnn), build(keras)):
        assert mine.input_shape == theirs.input_shape and mine.output_shape == theirs.output_shape
        assert [x.shape for x in mine.inputs] == [x.shape for x in theirs.inputs]
        assert [x.shape for x in mine.outputs] == [x.shape for x in theirs.outputs]


def script(k):
    """A layer as Keras's documentation has it, and what it sees."""
    seen = []

    class Linear(k.layers.Layer):
        def __init__(self, units):
            super().__init__()
            self.units = units

        def build(self, input_shape):
            seen.append(input_shape)
            self.inner = k.layers.Dense(self.units)
            self.inner.build(input_shape)
            super().build(input_shape)
            self.built = True

        def compute_output_shape(self, input_shape):
            return (input_shape[0], self.units)

        def call(self, inputs):
            return self.inner(inputs)

    layer = Linear(3)
    y = layer(k.Input((4,)))
    fresh = Linear(2)
    fresh.build((None, 5))
    return seen, y.shape, layer.compute_output_shape((8, 4)), fresh.built, [tuple(w.shape) for w in fresh.weights]


def test_a_layer_of_the_users():
    assert script(fastnn) == script(keras)


def test_shapes_of_inputs_with_a_size_of_the_batch():
    def shapes(k):
        x = k.Input((4,), 8)
        y = k.layers.Dense(3)(x)
        model, stack = k.Model(x, y), k.Sequential([k.Input(batch_shape=(8, 4)), k.layers.Dense(3)])
        return x.shape, y.shape, model.input_shape, model.output_shape, stack.input_shape, stack.output_shape

    assert shapes(fastnn) == shapes(keras)


def test_names_of_inputs():
    def names_of(k, clear):
        clear()
        tensors = [k.Input((2,)), k.Input((2,)), k.Input((2,), name="mine"), k.layers.InputLayer((2,)).output]
        model = k.Model(tensors, k.layers.Add()(tensors))
        return [tensor.name for tensor in tensors], [layer.name for layer in model.layers]

    from fastnn._session import clear_session

    mine, theirs = names_of(fastnn, clear_session), names_of(keras, keras.utils.clear_session)
    assert mine[0] == theirs[1][:4] and mine[1] == theirs[1]
