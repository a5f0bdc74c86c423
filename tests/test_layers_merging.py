"""Merging layers: values worked out with NumPy, gradients by central differences, both backends the same."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fastnn
from fastnn import Input, Model, layers
from fastnn.layers import Dense
from fastnn.layers.registry import deserialize, serialize
from fastnn.testing import gradcheck_model

RNG = np.random.default_rng(0)


def unit(x, axis):
    return x / np.sqrt((x**2).sum(axis, keepdims=True))


# layer, shapes of its inputs, the same with NumPy
CASES = {
    "add": (layers.Add, {}, [(3, 4)] * 3, lambda a, b, c: a + b + c),
    "add, broadcast": (layers.Add, {}, [(3, 4), (4,), (3, 1)], lambda a, b, c: a + b[:, None] + c),
    "add, one": (layers.Add, {}, [(5,)], lambda a: a),
    "subtract": (layers.Subtract, {}, [(7,), (7,)], np.subtract),
    "subtract, broadcast": (layers.Subtract, {}, [(1,), (7,)], np.subtract),
    "multiply": (layers.Multiply, {}, [(2, 3)] * 3, lambda a, b, c: a * b * c),
    "multiply, broadcast": (layers.Multiply, {}, [(2, 1, 3), (1, 5, 1)], np.multiply),
    "average": (layers.Average, {}, [(6,)] * 4, lambda *x: sum(x) / 4),
    "maximum": (layers.Maximum, {}, [(2, 5)] * 3, lambda a, b, c: np.maximum(np.maximum(a, b), c)),
    "minimum": (layers.Minimum, {}, [(33,), (33,)], np.minimum),
    "minimum, broadcast": (layers.Minimum, {}, [(3, 3), (1,)], lambda a, b: np.minimum(a, b[:, None])),
    "concatenate": (layers.Concatenate, {}, [(2, 3), (2, 1), (2, 4)], lambda *x: np.concatenate(x, -1)),
    "concatenate, first": (layers.Concatenate, {"axis": 1}, [(2, 3), (1, 3)], lambda *x: np.concatenate(x, 1)),
    "concatenate, middle": (layers.Concatenate, {"axis": -2}, [(2, 1, 2), (2, 3, 2)], lambda *x: np.concatenate(x, 2)),
    "dot": (layers.Dot, {"axes": 1}, [(5,), (5,)], lambda a, b: (a * b).sum(1, keepdims=True)),
    "dot, matrices": (layers.Dot, {"axes": (2, 1)}, [(3, 4), (4, 2)], np.matmul),
    "dot, transposed": (layers.Dot, {"axes": (1, 2)}, [(4, 3), (2, 4)], lambda a, b: np.einsum("nki,njk->nij", a, b)),
    "dot, last": (layers.Dot, {"axes": -1}, [(3, 4), (4,)], lambda a, b: np.einsum("nik,nk->ni", a, b)),
    "dot, many": (
        layers.Dot, {"axes": (2, 3)}, [(2, 3, 2), (2, 2, 3)],
        lambda a, b: np.einsum("nikj,nlmk->nijlm", a, b),
    ),
    "cosine": (
        layers.Dot, {"axes": 1, "normalize": True}, [(5,), (5,)],
        lambda a, b: (unit(a, 1) * unit(b, 1)).sum(1, keepdims=True),
    ),
    "cosines": (
        layers.Dot, {"axes": (1, 2), "normalize": True}, [(4, 3), (2, 4)],
        lambda a, b: np.einsum("nki,njk->nij", unit(a, 1), unit(b, 2)),
    ),
}  # fmt: skip
each = pytest.mark.parametrize("case", CASES)


def merged(case, dtype="float64"):
    """The layer alone, from as many inputs as it takes."""
    kind, options, shapes, function = CASES[case]
    inputs = [Input(shape, dtype=dtype) for shape in shapes]
    return Model(inputs, kind(**options, dtype=dtype)(inputs)), shapes, function


def samples(shapes, n=5, dtype="float64"):
    return [RNG.normal(size=(n, *shape)).astype(dtype) for shape in shapes]


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 5, 67])
def test_values_and_shapes(backend, case, dtype, n):
    model, shapes, function = merged(case, dtype)
    x = samples(shapes, n, dtype)
    found, expected = model.predict(x, verbose=0), function(*(part.astype(np.float64) for part in x))
    assert found.dtype == dtype and found.shape == expected.shape == (n, *model.output_shape[1:])
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-13, atol=1e-6)


@each
def test_gradients(backend, case):
    """Of the weights below, through the layer: each input comes out of a Dense of its own."""
    kind, options, shapes, _ = CASES[case]
    inputs = [Input(shape, dtype="float64") for shape in shapes]
    below = [Dense(shape[-1], "tanh", dtype="float64")(x) for x, shape in zip(inputs, shapes)]
    model = Model(inputs, kind(**options, dtype="float64")(below))
    model.set_weights([RNG.normal(size=p.shape) for p in model.weights])
    model.compile("sgd", "mse")
    x = samples(shapes, 3)
    assert gradcheck_model(model, x, RNG.normal(size=(3, *model.output_shape[1:])), rtol=1e-5) <= 1


@each
def test_only_what_learns_gets_a_gradient(backend, case):
    """Each input in turn is data, without anything that learns below it."""
    kind, options, shapes, _ = CASES[case]
    for bare in range(len(shapes)):
        inputs = [Input(shape, dtype="float64") for shape in shapes]
        below = [x if i == bare else Dense(x.shape[-1], dtype="float64")(x) for i, x in enumerate(inputs)]
        model = Model(inputs, kind(**options, dtype="float64")(below))
        model.compile("sgd", "mse")
        x = samples(shapes, 3)
        assert gradcheck_model(model, x, RNG.normal(size=(3, *model.output_shape[1:])), rtol=1e-5) <= 1


@pytest.mark.parametrize("case", [case for case, (_, _, shapes, _) in CASES.items() if len(set(shapes)) == 1])
def test_a_tensor_may_be_merged_with_itself(backend, case):
    kind, options, shapes, _ = CASES[case]
    x = Input(shapes[0], dtype="float64")
    h = Dense(shapes[0][-1], "tanh", dtype="float64")(x)
    model = Model(x, kind(**options, dtype="float64")([h] * len(shapes)))
    model.compile("sgd", "mse")
    given = RNG.normal(size=(3, *shapes[0]))
    assert gradcheck_model(model, given, RNG.normal(size=(3, *model.output_shape[1:])), rtol=1e-5, atol=1e-7) <= 1


@each
def test_configuration(case):
    kind, options, shapes, _ = CASES[case]
    layer = kind(**options, name="m")
    again = deserialize(json.loads(json.dumps(serialize(layer))))
    assert type(again) is kind and again.get_config() == layer.get_config()
    assert again.build_once(tuple(shapes)) == layer.build_once(tuple(shapes))


@pytest.mark.parametrize("kind", [layers.Maximum, layers.Minimum])
def test_extremes_at_ties_and_special_values(backend, kind):
    """Ties share the gradient; NaN on either side stays NaN; infinities are numbers like others."""
    a, b = Input((1,), dtype="float64"), Input((1,), dtype="float64")
    inf, nan = np.inf, np.nan
    pairs = np.array([[1, 1], [inf, inf], [-inf, 2], [nan, 1], [1, nan], [-inf, inf], [0.0, -0.0]])
    function = np.maximum if kind is layers.Maximum else np.minimum
    found = Model([a, b], kind(dtype="float64")([a, b])).predict([pairs[:, :1], pairs[:, 1:]], verbose=0)
    np.testing.assert_array_equal(found[:, 0], function(pairs[:, 0], pairs[:, 1]))
    x = Input((1,), dtype="float64")
    left, right = (Dense(1, use_bias=False, kernel_initializer="ones", dtype="float64") for _ in range(2))
    model = Model(x, kind(dtype="float64")([left(x), right(x)]))
    model.compile(fastnn.optimizers.SGD(1.0), "mse")
    model.train_on_batch(np.ones((1, 1)), np.zeros((1, 1)))  # loss w^2: gradient 2, one for each
    assert [w.item() for w in model.get_weights()] == [0, 0]


def test_functions_and_operators_are_the_layers(backend):
    a, b = Input((3,)), Input((3,))
    x = samples([(3,), (3,)], dtype="float32")
    for made, layer in [
        (layers.add([a, b]), layers.Add()), (layers.subtract([a, b]), layers.Subtract()),
        (layers.multiply([a, b]), layers.Multiply()), (layers.average([a, b]), layers.Average()),
        (layers.maximum([a, b]), layers.Maximum()), (layers.minimum([a, b]), layers.Minimum()),
        (layers.concatenate([a, b]), layers.Concatenate()), (layers.dot([a, b], axes=1), layers.Dot(1)),
        (a + b, layers.Add()), (a - b, layers.Subtract()), (a * b, layers.Multiply()),
    ]:  # fmt: skip
        one, two = (Model([a, b], y).predict(x, verbose=0) for y in (made, layer([a, b])))
        np.testing.assert_array_equal(one, two)


def test_what_cannot_be_merged():
    a, b, c = Input((3,)), Input((4,)), Input((2, 3))
    for layer, tensors, message in [
        (layers.Add(), a, r"expected a list of tensors. Received: one of shape \(3,\)"),
        (layers.Add(), [a, b], r"shapes that broadcast. Received: \[\(3,\), \(4,\)\]"),
        (layers.Subtract(), [a, a, a], r"expected 2 tensors. Received: 3"),
        (layers.Subtract(), [a], r"expected 2 tensors. Received: 1"),
        (layers.Concatenate(), [b, c], r"that all have axis -1"),
        (layers.Concatenate(2), [a, a], r"that all have axis 2"),
        (layers.Concatenate(1), [c, Input((2, 4))], r"equal but along axis 1"),
        (layers.Dot(1), [a, b], r"whose axes 1 are equally long. Received: \[\(3,\), \(4,\)\]"),
        (layers.Dot(1), [a, a, a], r"expected 2 tensors. Received: 3"),
    ]:
        with pytest.raises(ValueError, match=message):
            layer(tensors)
    for axis in (0, 1.5, True):
        with pytest.raises(ValueError, match=r"Concatenate: axis must be"):
            layers.Concatenate(axis)
    for axes in (0, (1, 0), (1, 2, 3)):
        with pytest.raises(ValueError, match=r"Dot: axes must be"):
            layers.Dot(axes)
    with pytest.raises(TypeError, match=r"Dot: axes must be"):
        layers.Dot(None)
