"""Operations and memory of plans, against values computed by hand, and what `Model.summary` says of them."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import Model, Sequential
from fastnn.engine import costs
from fastnn.engine.costs import COUNTS
from fastnn.engine.step import inference_plan
from fastnn.layers import (
    GLU,
    GRU,
    LSTM,
    Activation,
    Add,
    BatchNormalization,
    Bidirectional,
    CategoryEncoding,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Layer,
    Masking,
    MaxoutActivation,
    MaxPooling2D,
    MultiHeadAttention,
    SimpleRNN,
    Softmax,
    TimeDistributed,
)
from fastnn.models.summarising import human_count
from fastnn.reference.program import STEPS  # with all of them


def forward(*layers, shape, batch=4):
    """Operations of a stack for one sample."""
    return costs.costs(Sequential([Input(shape), *layers]).graph, "float32", batch).forward


def test_every_step_has_a_count():
    assert set(COUNTS) == set(STEPS)


def test_dense():
    assert forward(Dense(7, use_bias=False), shape=(5,)) == 2 * 5 * 7
    assert forward(Dense(7), shape=(5,)) == 2 * 5 * 7 + 7
    assert forward(Dense(7, "relu"), shape=(5,)) == 2 * 5 * 7 + 7 + 7
    assert forward(Dense(7), shape=(3, 5)) == 3 * (2 * 5 * 7 + 7)
    assert forward(Dense(7), Dense(2), shape=(5,), batch=1) == 2 * 5 * 7 + 7 + 2 * 7 * 2 + 2


def test_activations_and_what_only_moves_data():
    assert forward(Activation("tanh"), shape=(6, 2)) == 12
    assert forward(Flatten(), Dropout(0.5), shape=(6, 2)) == 0


@pytest.mark.parametrize(
    ("options", "image", "expected"),
    [
        # filters x rows x columns of the output x taps x channels that a filter sees
        ({"padding": "valid", "use_bias": False}, (8, 6, 4), 2 * 6 * (6 * 4) * 9 * 4),
        ({"padding": "same", "use_bias": False}, (8, 6, 4), 2 * 6 * (8 * 6) * 9 * 4),
        ({"padding": "same", "strides": 2, "use_bias": False}, (8, 6, 4), 2 * 6 * (4 * 3) * 9 * 4),
        ({"padding": "valid", "strides": (2, 1), "use_bias": False}, (8, 6, 4), 2 * 6 * (3 * 4) * 9 * 4),
        ({"groups": 2, "use_bias": False}, (8, 6, 4), 2 * 6 * (6 * 4) * 9 * 2),
        ({"dilation_rate": 2, "use_bias": False}, (8, 6, 4), 2 * 6 * (4 * 2) * 9 * 4),
        ({}, (8, 6, 4), 2 * 6 * (6 * 4) * 9 * 4 + 6 * 6 * 4),
        ({"activation": "relu"}, (8, 6, 4), 2 * 6 * (6 * 4) * 9 * 4 + 2 * 6 * 6 * 4),
    ],
)
def test_conv2d(options, image, expected):
    assert forward(Conv2D(6, 3, **options), shape=image) == expected


def test_conv1d_and_pooling():
    assert forward(Conv1D(5, 3, padding="causal"), shape=(10, 2)) == 2 * 5 * 10 * 3 * 2 + 10 * 5
    assert forward(MaxPooling2D(2), shape=(8, 6, 4)) == (4 * 3 * 4) * 4


@pytest.mark.parametrize(
    ("layer", "gates", "joining"),
    [
        (LSTM(5), 4, 5),  # c = f c + i g: 3; h = o tanh(c): 2
        (SimpleRNN(5), 1, 0),
        (GRU(5, reset_after=False), 3, 5),  # r h: 1; h = (1 - z) n + z h: 4
        (GRU(5), 3, 8),  # and three biases more
    ],
    ids=["lstm", "simple", "gru", "gru after"],
)
def test_recurrent(layer, gates, joining):
    steps, features, units = 7, 3, 5
    products = 2 * features * gates * units + 2 * units * gates * units
    # each gate: the sum of the products, the bias, the activation
    assert forward(layer, shape=(steps, features)) == steps * (products + units * (3 * gates + joining))


def test_wrapped():
    one = forward(LSTM(5), shape=(7, 3))
    assert forward(Bidirectional(LSTM(5)), shape=(7, 3)) == 2 * one
    assert forward(TimeDistributed(Dense(5)), shape=(7, 3)) == 7 * forward(Dense(5), shape=(3,))


def test_batch_normalization():
    # x minus the mean, times a factor, plus beta; the factors are four operations a channel, once for a batch
    elements, channels, batch = 6 * 4 * 3, 3, 4
    expected = 3 * elements + 4 * channels / batch
    assert forward(BatchNormalization(), shape=(6, 4, 3), batch=batch) == pytest.approx(expected)


def test_training_of_dense():
    """Forward, the gradient of the weights, that of the bias; the input wants none."""
    net = Sequential([Input((5,)), Dense(7), Dense(2)])
    found = costs.costs(net.graph, "float32", 4)
    first, second = 2 * 5 * 7, 2 * 7 * 2
    assert found.training == found.forward + (first + 7) + (2 * second + 2)
    net.layers[0].trainable = False  # then nothing goes below the second layer
    assert costs.costs(net.graph, "float32", 4).training == found.forward + (second + 2)


def test_a_layer_in_python_is_not_counted():
    class Twice(Layer):
        def forward(self, x, training=False):
            return 2 * x, None

        def backward(self, dy, kept):
            return 2 * dy

    net = Sequential([Input((5,)), Dense(3), Twice()])
    found = costs.costs(net.graph, "float32", 2)
    assert found.forward is None and found.layers[id(net.layers[0])].flops == 33
    lines: list[str] = []
    net.summary(print_fn=lines.append)
    assert "FLOPs per sample: ? forward" in lines[0]


def test_masks_that_meet_are_counted():
    """Steps in Python of fastnn's own: the model's costs are known with them."""
    steps, features = 6, 3
    a, b = Input((steps,), name="a"), Input((steps,), name="b")
    plain = Model([a, b], Add()([Embedding(9, features)(x) for x in (a, b)]))
    two = [Embedding(9, features, mask_zero=True)(x) for x in (a, b)]
    merged = Model([a, b], Add()(two))
    found, without = (costs.costs(model.graph, "float32", 4) for model in (merged, plain))
    assert found.forward == without.forward + steps  # a decision for each step
    assert found.training is not None
    for batch in (1, 5):
        assert costs.costs(merged.graph, "float32", batch).forward == found.forward
    lines: list[str] = []
    merged.summary(print_fn=lines.append)
    assert "?" not in lines[0]
    # three masks are two decisions, one mask three times none
    other = Masking(name="other")(two[0])
    three, again = Model([a, b], Add()([*two, other])), Model([a, b], Add()([two[0], two[0], two[0]]))
    flops = [costs.costs(model.graph, "float32", 4).layers[id(model.layers[-1])].flops for model in (three, again)]
    assert flops[0] == flops[1] + 2 * steps
    # masks of key and value in attention
    attended = Model([a, b], MultiHeadAttention(1, 2)(two[0], two[1], key=two[1], key_mask=a))
    assert costs.costs(attended.graph, "float32", 4).forward is not None


@pytest.mark.parametrize("make", [Softmax, GLU, lambda axis: MaxoutActivation(3, axis)])
def test_another_axis_counts_the_same(make):
    """Along the last axis a kernel does it, along another one Python."""
    along, across = Sequential([Input((4, 6)), make(axis=-1)]), Sequential([Input((6, 4)), make(axis=1)])
    found = [costs.costs(net.graph, "float32", 2) for net in (along, across)]
    assert found[0].forward == found[1].forward > 0
    assert found[0].training == found[1].training


def test_category_encoding():
    assert forward(CategoryEncoding(5, output_mode="multi_hot"), shape=(3,)) == 0
    assert forward(CategoryEncoding(5, output_mode="count"), shape=(3,)) == 3


def test_memory_is_what_programs_allocate():
    """Without what kernels of convolution take for themselves."""
    net = Sequential([Input((8, 8, 3)), MaxPooling2D(), Flatten(), Dense(10, "relu"), BatchNormalization(), Dense(2)])
    for batch in (1, 32):
        plan = inference_plan(net.graph, "float32", batch)
        assert costs.costs(net.graph, "float32", batch).inference_memory == plan.memory()[0]
    net.predict(np.zeros((32, 8, 8, 3)), batch_size=32, verbose=0)
    executor = net.runner.for_inference(32)
    # the native one takes a cache line more, to begin at one
    assert 0 <= executor.nbytes - costs.costs(net.graph, "float32", 32).inference_memory <= 64
    found = costs.costs(net.graph, "float32", 32)
    assert found.training_memory > found.inference_memory
    # a Dense layer makes its output, and nothing else
    assert found.layers[id(net.layers[2])].memory == 32 * 10 * 4


# -------------------------------------------------------------------------------------------------------------- summary


def text(model, **options):
    lines: list[str] = []
    model.summary(print_fn=lines.append, **options)
    return "\n".join(lines)


def nested():
    inner = Sequential([Input((4,)), Dense(6, name="a"), Dense(3, name="b")], name="inner")
    x = Input((4,), name="x")
    return Model(x, Dense(2, name="end")(inner(x)), name="outer")


def test_costs_stand_in_the_summary():
    net = Sequential([Input((1000,)), Dense(1000, use_bias=False, name="wide"), Dense(3, name="end")])
    shown = text(net, batch_size=8)
    row = next(line for line in shown.splitlines() if line.startswith("wide"))
    assert row.split()[-3:] == ["M", "31.25", "KB"] and "2.00 M" in row and "Memory (8)" in shown
    assert "FLOPs per sample: 2.01 M forward, 4.02 M in a training step" in shown
    assert "Activation memory for 8 samples:" in shown and "Optimizer state" not in shown
    net.compile("adam", "mse")
    state = 2 * sum(-(-p.size // 16) * 64 for p in net.weights)  # rounded up to lines of 64 bytes
    assert f"Optimizer state: {state / 2**20:.2f} MB (Adam)" in text(net)
    net.compile("sgd", "mse")
    assert "Optimizer state: 0.00 B (SGD)" in text(net)


def test_nested_models_and_trainable():
    model = nested()
    model.get_layer("inner").get_layer("a").trainable = False
    shown = text(model, expand_nested=True, show_trainable=True).splitlines()
    rows = {line.split()[0]: line for line in shown if "(" in line}
    assert rows["x"].endswith("-") and rows["a"].endswith("N") and rows["b"].endswith("Y")
    assert rows["a"].startswith("  a (Dense)") and "54" in rows["a"] and "39" in rows["b"]
    assert "93" in rows["inner"].split()  # of both together
    assert "a (Dense)" not in text(model)


def test_a_range_of_layers_and_positions():
    model = nested()
    assert "end (Dense)" not in text(model, layer_range=["x", "inn.*"])
    assert "x (InputLayer)" not in text(model, layer_range=("inner", "end"))
    with pytest.raises(ValueError, match="expected names of layers in layer_range"):
        model.summary(layer_range=["x", "nobody"])
    absolute = text(model, positions=[40, 60]).splitlines()
    assert absolute[2].index("Output Shape") == 40
    relative = text(model, positions=[0.5, 0.8], line_length=120).splitlines()
    assert relative[2].index("Output Shape") == 60
    for positions in ([3, 2], [], [-1.0, 0.5], [10**6]):
        with pytest.raises(ValueError, match="positions must be"):
            model.summary(positions=positions)
    with pytest.raises(ValueError, match="batch_size must be"):
        model.summary(batch_size=0)


def test_numbers_for_people():
    assert [human_count(n) for n in (0.0, 999, 1234, 2.5e6, 7e12, None)] == [
        *("0", "999", "1.23 K", "2.50 M", "7,000.00 G", "?")
    ]
