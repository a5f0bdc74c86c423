"""Models as graphs: skip connections, shared layers, nested and subclassed models; their gradients and bits."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from graphs import (
    GRAPHS,
    RNG,
    X,
    Y,
    dense,
    drawn,
    source,
)

import fastnn
from fastnn import Input, Model, Sequential, layers
from fastnn.layers import Dense, Dropout
from fastnn.testing import gradcheck_model


@pytest.mark.parametrize("make", GRAPHS)
def test_gradients(backend, make):
    model = drawn(make())
    model.compile("sgd", "mse")
    assert gradcheck_model(model, X[:4], RNG.normal(size=(4, 3)), rtol=1e-5) <= 1


@pytest.mark.parametrize("make", GRAPHS)
def test_a_gradient_does_not_depend_on_the_one_before(backend, make):
    """Gradients that are added up start anew in every step."""
    model = drawn(make())
    model.compile("sgd", "mse")
    data, goals = model.prepare(X, RNG.normal(size=(30, 3)), None, "test")
    first, second = (model.runner.gradient(data, goals, 0)[1] for _ in range(2))
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("make", GRAPHS)
def test_both_backends_tell_the_same_story(make):
    found = []
    for name in ("native", "reference"):
        with fastnn.use_backend(name):
            fastnn.utils.set_random_seed(3)
            model = drawn(make())
            model.compile("adam", "mse")
            history = model.fit(X, np.tile(X[:, :1], 3), batch_size=7, epochs=3, verbose=0).history
            found.append((history["loss"], model.predict(X, verbose=0)))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-10)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("make", GRAPHS)
def test_any_number_of_threads_gives_the_same_bits(make):
    digests = set()
    x = np.random.default_rng(1).normal(size=(900, 4))
    for threads in (1, 2, 5):
        with fastnn.num_threads(threads):
            fastnn.utils.set_random_seed(3)
            model = make()
            model.compile("adam", "mse")
            model.fit(x, np.tile(x[:, :1], 3), batch_size=400, epochs=2, verbose=0)
            digests.add(hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())
    assert len(digests) == 1


def test_a_functional_stack_gives_the_bits_of_a_sequential(backend):
    """So do a nested one and a subclass: one path for all of them."""

    class Stack(Model):
        def __init__(self, stack):
            super().__init__()
            self.stack = stack

        def call(self, inputs):
            for layer in self.stack:
                inputs = layer(inputs)
            return inputs

    found = []
    for kind in ("sequential", "functional", "nested", "subclass"):
        fastnn.utils.set_random_seed(7)
        stack = [Dense(16, "gelu"), Dropout(0.4), Dense(9, "tanh", kernel_regularizer="l2"), Dense(3, "softmax")]
        if kind == "subclass":
            model = Stack(stack)
            model.build((None, 4))
        else:
            x = y = Input((4,))
            for layer in stack if kind == "functional" else [Sequential(stack)] if kind == "nested" else []:
                y = layer(y)
            model = Sequential([Input((4,)), *stack]) if kind == "sequential" else Model(x, y)
        assert [p.shape for p in model.weights] == [(4, 16), (16,), (16, 9), (9,), (9, 3), (3,)]
        model._seed = 5
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(X, Y, batch_size=8, epochs=3, verbose=0, validation_split=0.2).history
        found.append((history, [w.tobytes() for w in model.get_weights()], model.predict(X, verbose=0).tobytes()))
    assert all(other == found[0] for other in found[1:])


def test_gradients_of_shared_weights_add_up():
    """y = w w x by a layer called twice: the derivative by w is 2 w x, times that of the loss."""
    x, once = source(1), dense(1, use_bias=False)
    model = Model(x, once(once(x)))
    model.set_weights([[[3.0]]])
    model.compile("sgd", "mse")
    data, goals = model.prepare([[2.0]], [[17.0]], None, "test")
    loss, (gradient,) = model.runner.gradient(data, goals)
    assert loss == 1 and gradient.item() == 2 * (18 - 17) * 2 * 3 * 2


def test_nothing_is_computed_where_nothing_learns():
    """Of two branches one is frozen: its layers have no backward steps."""
    x = source(4)
    frozen, learning = (Sequential([dense(5, "tanh"), dense(6, "tanh")]) for _ in range(2))
    model = Model(x, dense(2)(layers.concatenate([frozen(x), learning(x)])))
    products = []
    for freeze in (False, True):
        frozen.trainable = not freeze
        model.compile("sgd", "mse")
        _, goals = model.prepare(X, X[:, :2], None, "test")
        steps = model.runner.for_training(goals, 30, False).program.plan.steps
        products.append([sum(step.op == op for step in steps) for op in ("gemm", "strided_copy", "blend", "combine")])
    assert products == [[8, 4, 0, 0], [5, 3, 0, 0]]
