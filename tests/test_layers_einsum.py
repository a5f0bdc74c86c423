"""EinsumDense: every form of equation against np.einsum, gradients, what initializers count, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import Input, Model, Sequential, layers
from fastnn.testing import check_layer, run_layer

F64 = {"dtype": "float64"}
# equation, input shape, output_shape, bias_axes, and for NumPy the equation with the same letters
CASES = [
    ("ab,bc->ac", (3,), 4, "c", "ab,bc->ac"),
    ("ab,bc->ac", (1,), 1, None, "ab,bc->ac"),
    ("abc,cd->abd", (5, 3), (None, 4), "d", "abc,cd->abd"),
    ("abc,cd->abd", (5, 3), (5, 4), "bd", "abc,cd->abd"),
    ("abc,cd->abd", (5, 3), (None, 4), "b", "abc,cd->abd"),
    ("abc,cde->abde", (5, 3), (None, 2, 4), "de", "abc,cde->abde"),
    ("abc,cde->abed", (5, 3), (None, 4, 2), "ed", "abc,cde->abed"),
    ("abcd,cde->abe", (5, 2, 3), (None, 4), "e", "abcd,cde->abe"),
    ("abcd,dce->abe", (5, 2, 3), (None, 4), "e", "abcd,dce->abe"),
    ("abc,bd->adc", (5, 3), (4, None), "d", "abc,bd->adc"),
    ("abc,bcd->abd", (5, 3), (None, 4), "bd", "abc,bcd->abd"),
    ("abc,cbd->adb", (5, 3), (4, None), "d", "abc,cbd->adb"),
    ("abc,b->abc", (5, 3), (None, None), None, "abc,b->abc"),
    ("abc,cd->ad", (5, 3), 4, "d", "abc,cd->ad"),
    ("abc,d->abcd", (5, 3), (None, None, 2), "c", "abc,d->abcd"),
    ("...x,xy->...y", (3,), 4, "y", "...x,xy->...y"),
    ("...x,xy->...y", (2, 5, 3), 4, "y", "...x,xy->...y"),
    ("...bx,bxy->...by", (2, 5, 3), (None, 4), "by", "...bx,bxy->...by"),
    ("ab...,bc->ac...", (3, 5, 2), 4, "c", "ab...,bc->ac..."),
    ("ab...,bc->ac...", (3,), 4, "c", "ab...,bc->ac..."),
]
each = pytest.mark.parametrize(("equation", "shape", "output", "bias", "same"), CASES)


def built(equation, shape, output, bias, **arguments):
    layer = layers.EinsumDense(equation, output, bias_axes=bias, **arguments, **F64)
    layer.build_once(shape)
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(size=w.shape) for w in layer.weights])
    return layer


@each
def test_equations(backend, equation, shape, output, bias, same):
    layer = built(equation, shape, output, bias)
    x = np.random.default_rng(2).normal(size=(3, *shape))
    kernel, *added = layer.get_weights()
    expected = np.einsum(same, x, kernel)
    for b in added:
        expected = expected + b
    assert (len(added) == 1) == (bias is not None)
    assert layer.output_shape == (None, *expected.shape[1:])
    np.testing.assert_allclose(run_layer(layer, x), expected, rtol=1e-11, atol=1e-13)


@each
@pytest.mark.parametrize("activation", [None, "tanh", "softmax"])
def test_gradients(equation, shape, output, bias, same, activation):
    assert check_layer(built(equation, shape, output, bias, activation=activation), shape) <= 1


@pytest.mark.parametrize(("axes", "shape"), [("d", (4,)), ("bd", (5, 4)), ("b", (5, 1)), ("db", (5, 4))])
def test_shapes_of_the_bias(axes, shape):
    layer = built("abc,cd->abd", (5, 3), (None, 4), axes)
    assert layer.bias.shape == shape
    assert layer.kernel.shape == (3, 4)


def test_a_dense_layer_by_its_equation():
    x = np.random.default_rng(0).normal(size=(4, 5, 3))
    dense = Sequential([Input((5, 3), **F64), layers.Dense(2, "relu", **F64)])
    einsum = Sequential([Input((5, 3), **F64), layers.EinsumDense("...a,ab->...b", 2, "relu", "b", **F64)])
    einsum.set_weights(dense.get_weights())
    for model in (dense, einsum):
        model.compile("adam", "mse")
        model.fit(x, np.ones((4, 5, 2)), epochs=3, shuffle=False, verbose=0)
    assert all(map(np.array_equal, dense.get_weights(), einsum.get_weights()))


def test_softmax_gives_its_logits_to_the_loss(backend):
    x = Input((3,), **F64)
    model = Model(x, layers.EinsumDense("ab,bc->ac", 4, "softmax", "c", kernel_initializer="ones", **F64)(x))
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.set_weights([np.diag([1.0] * 4)[:3] * 1000, np.zeros(4)])
    loss = model.test_on_batch(np.array([[1.0, 0, 0]]), np.array([1]))
    np.testing.assert_allclose(loss, 1000)


def test_initializers_count_the_connections_of_the_equation():
    layer = layers.EinsumDense("abc,cde->abde", (None, 8, 50), kernel_initializer="glorot_uniform")
    layer.build_once((5, 40))
    largest = np.abs(layer.kernel.numpy()).max()
    limit = np.sqrt(6 / (40 + 400))
    assert 0.99 * limit < largest <= limit


@pytest.mark.parametrize(
    ("equation", "shape", "output", "bias"),
    [
        ("ab,bc", (3,), 4, None),
        ("ab,bc->ac...", (3,), 4, None),
        ("abc,cd->abd", (3,), (None, 4), None),
        ("ab,bc->ac", (3,), (None, 4), None),
        ("ab,bc->ac", (3,), None, None),
        ("abc,cd->abd", (5, 3), (6, 4), None),
        ("ab,bc->ca", (3,), 4, None),
        ("ab,abc->ac", (3,), 4, None),
        ("abb,bc->ac", (3, 3), 4, None),
        ("ab,bcd->ac", (3,), 4, None),
        ("ab,bc->acd", (3,), (4, 5), None),
        ("ab,bc->ac", (3,), 4, "b"),
        ("ab,bc->ac", (3,), 4, "a"),
        ("ab,bc->ac", (3,), 4, ""),
        ("ab,bc->ac", (3,), 0, None),
        (3, (3,), 4, None),
    ],
)
def test_what_is_refused(equation, shape, output, bias):
    with pytest.raises(ValueError, match=r"Received: "):
        layers.EinsumDense(equation, output, bias_axes=bias).build_once(shape)


def test_options_of_keras_that_are_not_served():
    with pytest.raises(ValueError, match="lora_rank"):
        layers.EinsumDense("ab,bc->ac", 4, lora_rank=2)
    with pytest.raises(TypeError, match="Did you mean 'bias_axes'"):
        layers.EinsumDense("ab,bc->ac", 4, bias_axis="c")
