"""Operators, slices and activations of symbolic tensors: the values of NumPy, trained, saved, and without masks."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import dense, drawn, source

import fastnn
from fastnn import Input, Model, activations, layers, ops
from fastnn.activations import ROW_WISE
from fastnn.ops.activations import ROWS
from fastnn.testing import check_layer, gradcheck_model

RNG = np.random.default_rng(0)
X = RNG.uniform(0.2, 2, size=(5, 3, 4))  # positive, for broken powers
COLUMNS = np.arange(1.0, 5)

OPERATORS = {
    "add": lambda t: t + 2,
    "add, from the left": lambda t: 2 + t,
    "add an array": lambda t: t + COLUMNS,
    "an array adds": lambda t: COLUMNS + t,
    "add with an axis for the batch": lambda t: t + np.arange(12.0).reshape(1, 3, 4),
    "add a column": lambda t: t + np.ones((3, 1)),
    "subtract": lambda t: t - 0.5,
    "one minus": lambda t: 1 - t,
    "an array minus": lambda t: COLUMNS - t,
    "minus an array": lambda t: t - COLUMNS,
    "multiply": lambda t: t * 2.0,
    "multiply by a scalar of NumPy": lambda t: np.float64(3) * t,
    "an array multiplies": lambda t: COLUMNS * t,
    "divide": lambda t: t / 3.0,
    "divide by an array": lambda t: t / COLUMNS,
    "a constant divided": lambda t: 3 / t,
    "tensors divided": lambda t: t / (t * t + 1),
    "negative": lambda t: -t,
    "positive": lambda t: +t * 1,
    "absolute": lambda t: abs(t - 1),
    "square": lambda t: t**2,
    "cube": lambda t: t**3,
    "root": lambda t: t**0.5,
    "to the power of zero": lambda t: t**0,
    "exponential": lambda t: 2.0**t,
    "to the power of a tensor": lambda t: t ** (t + 1),
    "to the power of an array": lambda t: t**COLUMNS,
    "remainder": lambda t: t % 0.7,
    "quotient without remainder": lambda t: t // 0.7 + t,
    "an array that enlarges": lambda t: t[:, :, :1] + COLUMNS,
    "an array on the left that enlarges": lambda t: np.ones((1, 3, 1)) - t[:, :1],
    "product of matrices": lambda t: t @ np.arange(8.0).reshape(4, 2),
    "a matrix on the left": lambda t: np.arange(6.0).reshape(2, 3) @ t,
    "comparison": lambda t: (t > 1) * t,
    "last step": lambda t: t[:, -1, :],
    "two steps": lambda t: t[:, 1:3],
    "first column": lambda t: t[..., 0],
    "one number": lambda t: t[:, 2, 1],
    "backwards": lambda t: t[:, ::-1],
    "every second, backwards": lambda t: t[:, :, ::-2],
    "a new axis": lambda t: t[:, None, 1, ::2],
    "a new last axis": lambda t: t[..., None],
    "all": lambda t: t[:] * 1,
    "a function of NumPy that is an operator": lambda t: np.multiply(t, 2),
}
each = pytest.mark.parametrize("name", OPERATORS)


@each
def test_values_are_those_of_numpy(backend, name):
    x = source(3, 4)
    model = Model(x, OPERATORS[name](x))
    for n in (1, 5):
        found, expected = model.predict(X[:n], verbose=0), OPERATORS[name](X[:n])
        assert found.shape == expected.shape == (n, *model.output_shape[1:]) and found.dtype == "float64"
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@each
def test_gradients_and_descriptions(backend, name):
    """Of the weights below; and a model made from the description computes the same."""
    x = source(3, 4)
    y = OPERATORS[name](dense(4, "sigmoid")(x))
    model = drawn(Model(x, y if y.sample_shape else y[..., None]))  # a loss needs an axis
    model.compile("sgd", "mse")
    assert gradcheck_model(model, X, RNG.normal(size=(5, *model.output_shape[1:]))) <= 1
    twin = fastnn.models.model_from_json(model.to_json())
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))


def test_the_layers_by_themselves(backend):
    wide = np.arange(1.0, 25).reshape(2, 3, 4) / 7
    for layer, shape, x in [
        (layers.Slicing([1, [None, None, -1]], dtype="float64"), (3, 4), None),
        (layers.Slicing(["new", -1], dtype="float64"), (3, 4), None),
        (layers.Power(3, dtype="float64"), (4,), None),
        (layers.Power(2, dtype="float64"), (4,), None),
        (layers.Power(-0.5, dtype="float64"), (3, 4), wide),
        (layers.Divide(dtype="float64"), ((3, 4), (4,)), (wide, wide[:, 0] + 1)),
    ]:
        assert check_layer(layer, shape, x) <= 1


def test_float32_and_division_by_zero(backend):
    x, y = Input((2,)), Input((2,))
    model = Model([x, y], [x / y, x**-1])
    assert [layer.dtype for layer in model.layers] == ["float32"] * 4
    a = np.array([[1, 0], [-2, 3]], np.float32)
    quotient, inverse = model.predict([a, np.array([[0, 0], [4, np.nan]], np.float32)], verbose=0)
    np.testing.assert_array_equal(quotient, [[np.inf, np.nan], [-0.5, np.nan]])
    np.testing.assert_array_equal(inverse[:, 0], [1, -0.5])
    assert np.isinf(inverse[0, 1])


@pytest.mark.parametrize("name", [*ROWS, *ROW_WISE])
@pytest.mark.parametrize("module", [ops, activations])
def test_activations_are_layers(backend, name, module):
    x, function = source(3, 4), getattr(module, name)
    model = Model(x, function(x))
    assert isinstance(model.layers[1], layers.Activation)
    np.testing.assert_allclose(model.predict(X - 1, verbose=0), function(X - 1), rtol=1e-13, atol=1e-15)


def test_activations_with_parameters(backend):
    x = source(4)
    model = Model(x, [activations.relu(x, negative_slope=0.1, max_value=0.5), ops.elu(x, alpha=0.5), ops.softmax(x, 1)])
    given = X[:, 0] - 1
    leaky, elu, softmax = model.predict(given, verbose=0)
    np.testing.assert_allclose(leaky, np.where(given < 0, given * 0.1, np.minimum(given, 0.5)), rtol=1e-13)
    np.testing.assert_allclose(elu, np.where(given < 0, 0.5 * np.expm1(given), given), rtol=1e-13)
    np.testing.assert_allclose(softmax, np.exp(given) / np.exp(given).sum(1, keepdims=True), rtol=1e-13)
    z = source(3, 4)
    along = Model(z, ops.softmax(z, axis=1)).predict(X - 1, verbose=0)
    np.testing.assert_allclose(along, ops.softmax(X - 1, axis=1), rtol=1e-13)
    with pytest.raises(ValueError, match=r"relu: a symbolic tensor has no memory to write to"):
        ops.relu(x, out=np.zeros(4))


def test_an_operator_ends_a_mask(backend):
    """As in Keras; layers.Add keeps it. The padding then counts in the mean."""
    tokens = source(4)
    embedded = layers.Embedding(9, 2, mask_zero=True, dtype="float64")(tokens)
    pool = layers.GlobalAveragePooling1D(dtype="float64")
    x = np.array([[3, 5, 0, 0], [1, 2, 3, 0]])

    def mean(make):
        model = Model(tokens, pool(make(embedded)))
        again = fastnn.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        found = model.predict(x, verbose=0)
        np.testing.assert_array_equal(again.predict(x, verbose=0), found)
        return found

    full = Model(tokens, embedded).predict(x, verbose=0)
    counted = (full * (x > 0)[..., None]).sum(1) / (x > 0).sum(1, keepdims=True)
    np.testing.assert_allclose(mean(lambda e: layers.add([e, e])), 2 * counted, rtol=1e-13)
    for make, factor in [
        (lambda e: e + e, 2), (lambda e: e * 2, 2), (lambda e: -e, -1), (lambda e: e[:], 1),
        (lambda e: ops.identity(e), 1), (lambda e: e / 2, 0.5),
    ]:  # fmt: skip
        np.testing.assert_allclose(mean(make), factor * full.mean(1), rtol=1e-13, atol=1e-16)


def test_what_operators_refuse():
    x = source(3, 4)
    for use, kind, message in [
        (lambda: x + "a", TypeError, r"expected a number, an array of numbers or a symbolic tensor.*Received: 'a'"),
        (lambda: x + None, TypeError, r"expected a number.*Received: None"),
        (lambda: x * np.ones(3), ValueError, r"expected shapes that broadcast. Received: .*\(None, 3, 4\), \(3,\)"),
        (lambda: x * np.ones((5, 3, 4)), ValueError, r"against tensors of 3 axes.*Received: shape \(5, 3, 4\)"),
        (lambda: x * np.inf, ValueError, r"finite number.*Received"),
        (lambda: x / 0, ValueError, r"constants that can be divided by. Received: 0"),
        (lambda: (-2) ** x, ValueError, r"expected a positive number below a symbolic tensor"),
        (lambda: divmod(x, 2), TypeError, r"this operator cannot be traced"),
        (lambda: np.exp(x), TypeError, r"a NumPy function cannot be traced"),
        (lambda: x[0], IndexError, r"the axis of the batch stays whole, as in x\[:, 0\]. Received: x\[0\]"),
        (lambda: x[None], IndexError, r"the axis of the batch stays whole"),
        (lambda: x[1:], IndexError, r"the axis of the batch stays whole"),
        (lambda: x[:, 3], IndexError, r"expected an index from -3 to 2. Received: 3"),
        (lambda: x[:, 3:], ValueError, r"expected at least one of 3 elements. Received: slice\(3, None, None\)"),
        (lambda: x[:, 0, 0, 0], IndexError, r"expected at most 3 indices"),
        (lambda: x[..., 0, ...], IndexError, r"at most one '...'"),
        (lambda: x[:, [0, 1]], TypeError, r"an index has whole numbers"),
        (lambda: x[:, True], TypeError, r"an index has whole numbers.*Received: True"),
        (lambda: x[:, 1.0], TypeError, r"an index has whole numbers.*Received: 1.0"),
        (lambda: layers.Slicing([0, 0])(source(3)), IndexError, r"at most an index for each axis of samples \(3,\)"),
        (lambda: layers.Power(np.inf), ValueError, r"exponent must be a finite number. Received: inf"),
        (lambda: layers.Divide()([x, x, x]), ValueError, r"expected 2 tensors. Received: 3"),
    ]:
        with pytest.raises(kind, match=message):
            use()


def test_a_subclass_computes_with_tensors(backend):
    class Gate(Model):
        def __init__(self):
            super().__init__()
            self.gate, self.value = dense(4, "sigmoid"), dense(4, "tanh")

        def call(self, x):
            g = self.gate(x)
            return (1 - g) * x + g * self.value(x)

    model = Gate()
    model.build((None, 4))
    drawn(model)
    x = X[:, 0]
    a, b, c, d = model.get_weights()
    g = 1 / (1 + np.exp(-(x @ a + b)))
    np.testing.assert_allclose(model.predict(x, verbose=0), (1 - g) * x + g * np.tanh(x @ c + d), rtol=1e-12)
