"""Bilinear, CategoryEncoding, Lambda, and the penalties of learned activations and Maxout."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers
from fastnn.layers import Bilinear, CategoryEncoding, Dense, Input
from fastnn.layers.registry import LAYERS, deserialize, serialize
from fastnn.testing import check_layer, run_layer


@pytest.mark.parametrize("shapes", [((3,), (2,)), ((1,), (1,)), ((4, 3), (4, 5))])
@pytest.mark.parametrize("bias", [True, False])
def test_bilinear(shapes, bias, backend):
    layer = Bilinear(4, use_bias=bias, bias_initializer="random_normal", dtype="float64")
    layer.build_once(shapes)
    rng = np.random.default_rng(0)
    x = tuple(rng.normal(size=(5, *shape)) for shape in shapes)
    kernel, *rest = layer.get_weights()
    assert kernel.shape == (4, shapes[0][-1], shapes[1][-1])
    expected = np.einsum("n...i,kij,n...j->n...k", x[0], kernel, x[1]) + (rest[0] if bias else 0)
    np.testing.assert_allclose(run_layer(layer, x), expected, rtol=1e-12, atol=1e-14)
    assert check_layer(layer, shapes) <= 1
    assert serialize(deserialize(serialize(layer))) == serialize(layer)


@pytest.mark.parametrize("shape", [(3,), ((3,),), ((3,), (4,), (5,)), ((2, 3), (4, 3)), ((), ())])
def test_bilinear_refuses_shapes(shape):
    with pytest.raises(ValueError, match=r"expected two inputs whose shapes differ.*Received:"):
        Bilinear(2).build_once(shape)
    with pytest.raises(ValueError, match=r"units must be a positive whole number. Received: 0"):
        Bilinear(0)


ENCODINGS = [
    ("one_hot", (), [2, 0], [[0, 0, 1], [1, 0, 0]]),
    ("one_hot", (1,), [[2], [0]], [[0, 0, 1], [1, 0, 0]]),
    ("one_hot", (2,), [[2, 1]], [[[0, 0, 1], [0, 1, 0]]]),
    ("multi_hot", (3,), [[2, 1, 2]], [[0, 1, 1]]),
    ("binary", (2,), [[0, 0]], [[1, 0, 0]]),
    ("count", (3,), [[2, 1, 2]], [[0, 1, 2]]),
    ("count", (2, 2), [[[2, 1], [0, 0]]], [[[0, 1, 1], [2, 0, 0]]]),
]


@pytest.mark.parametrize(("mode", "shape", "numbers", "expected"), ENCODINGS)
def test_categories(mode, shape, numbers, expected, backend):
    layer = CategoryEncoding(3, mode)
    layer.build_once(shape)
    assert layer.output_shape == (None, *np.shape(expected)[1:])
    np.testing.assert_array_equal(run_layer(layer, np.array(numbers)), expected)
    model = Sequential([Input(shape), CategoryEncoding(3, mode), layers.Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.array(numbers), np.ones(len(numbers)), verbose=0)
    assert serialize(deserialize(serialize(layer))) == serialize(layer)


def test_weighted_counts_and_their_gradient(backend):
    layer = CategoryEncoding(4, "count", dtype="float64")
    layer.build_once(((3,), (3,)))
    tokens, weights = np.array([[1.0, 3, 1], [0, 0, 0]]), np.array([[0.5, 2, 0.25], [1, 2, 3]])
    np.testing.assert_array_equal(run_layer(layer, (tokens, weights)), [[0, 0.75, 0, 2], [6, 0, 0, 0]])
    layer = CategoryEncoding(3, "count", dtype="float64")
    plan = fastnn.engine.plan.Plan("float64", 2, True)
    layer.build_once(((3,), (3,)))
    tokens = np.array([[1.0, 2, 1], [0, 0, 0]])
    _, backward = layer.emit(plan, (plan.array(tokens), plan.array(weights)))
    dy = np.arange(6.0).reshape(2, 3)
    found = [np.full(6, np.nan), np.full(6, np.nan)]
    for buffer, place in zip(backward(plan.array(dy), (True, True)), found):
        plan.step("activation", (buffer, plan.array(place)), row="identity", ints=(6,))
    fastnn.backend.current().Program(plan).run(0, 1)
    np.testing.assert_array_equal(found, [[0] * 6, [1, 2, 1, 3, 3, 3]])


@pytest.mark.parametrize("number", [3, -1, 0.5, np.nan])
def test_numbers_out_of_range_end_the_run(number, backend):
    layer = CategoryEncoding(3)
    layer.build_once((2,))
    with pytest.raises(ValueError, match=r"expected whole numbers from 0 to 2. Received: "):
        run_layer(layer, np.array([[0, number]]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: CategoryEncoding(0),
        lambda: CategoryEncoding(3, "onehot"),
        lambda: CategoryEncoding(3, sparse=True),
        lambda: CategoryEncoding(3, "one_hot").build_once(((2,), (2,))),
        lambda: CategoryEncoding(3, "count").build_once(((2,), (3,))),
    ],
)
def test_errors_say_what_was_expected(make):
    with pytest.raises((TypeError, ValueError), match=r"Received: "):
        make()


def test_files_have_no_lambda():
    with pytest.raises(ValueError, match=r"Unknown layer 'Lambda'.*Received: 'Lambda'"):
        deserialize({"class_name": "Lambda", "config": {"function": "print(1)"}})


LEARNED = {
    "PReLU": ["alpha"],
    "SReLU": ["t_left", "a_left", "t_right", "a_right"],
    "LearnedSwish": ["beta"],
    "SoftExponential": ["alpha"],
    "APL": ["slope", "hinge"],
    "Maxout": ["kernel", "bias"],
}


@pytest.mark.parametrize(("name", "weights"), LEARNED.items())
def test_every_weight_has_a_regularizer_and_a_constraint(name, weights, backend):
    """A penalty l2 |w|^2 moves the weight by -2 l2 lr w, whatever the loss."""
    cls, arguments = LAYERS[name], (2,) if name == "Maxout" else ()
    start = np.random.default_rng(1).uniform(0.1, 0.4, size=100)
    for weight in weights:
        after = []
        options = {f"{weight}_regularizer": fastnn.regularizers.L2(0.5)}
        for given in ({}, options, {**options, f"{weight}_constraint": "non_neg"}):
            layer = cls(*arguments, dtype="float64", **given)
            model = Sequential([Input((2,), dtype="float64"), layer])
            model.set_weights([np.resize(start, p.shape) for p in model.weights])
            model.compile(fastnn.optimizers.SGD(2.0), "mse")
            model.fit(np.array([[0.3, -0.2]]), np.zeros((1, 2)), verbose=0)
            after.append(getattr(layer, weight).numpy())
        before = np.resize(start, after[0].shape)
        np.testing.assert_allclose(after[1], after[0] - 2.0 * before, rtol=1e-12)
        np.testing.assert_allclose(after[2], np.maximum(after[1], 0), rtol=1e-12)
        assert serialize(deserialize(serialize(layer))) == serialize(layer)
    with pytest.raises(TypeError, match=f"Did you mean '{weights[0]}_regularizer'"):
        cls(*arguments, **{f"{weights[0]}_regulariser": "l2"})
