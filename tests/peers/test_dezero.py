"""A home-made framework with automatic differentiation, DeZero 0.0.13, with a few methods rebound to fastnn.ops.

The adapter below is what docs/other-peoples-code.md calls one: names are bound at run time, and what it does not cover
(graphs of gradients, other devices) goes to the framework's own methods.
"""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

from fastnn import ops
from fastnn.datasets import digits

if not hasattr(np, "int"):
    setattr(np, "int", int)  # noqa: B010  (the framework was written before NumPy 1.24)

dezero = pytest.importorskip("dezero")

import dezero.functions as F  # noqa: E402, N812
from dezero import Variable, optimizers  # noqa: E402
from dezero.core import Config  # noqa: E402
from dezero.models import MLP  # noqa: E402


def first_order(backward, original):
    """A backward method on arrays; the original one where gradients are to be differentiated again."""

    def method(self, gy):
        if Config.enable_backprop:
            return original(self, gy)
        grads = backward(self, gy.data)
        if isinstance(grads, tuple):
            return tuple(None if grad is None else Variable(grad) for grad in grads)
        return Variable(grads)

    return method


def linear_backward(self, gy):
    x, W, b = (variable.data for variable in self.inputs)
    gx, gW, gb = ops.affine_backward(gy, x, W)
    return gx, gW, None if b is None else gb


def cross_entropy_backward(self, gy):
    x, t = (variable.data for variable in self.inputs)
    return ops.softmax_cross_entropy_with_grad(x, t)[1] * gy


def adam(self, parameter):
    for slots in (self.ms, self.vs):
        slots.setdefault(id(parameter), np.zeros_like(parameter.data))
    m, v = self.ms[id(parameter)], self.vs[id(parameter)]
    ops.adam_raw_(parameter.data, parameter.grad.data, m, v, self.beta1, self.beta2, self.lr, 1.0, self.eps)


def momentum(self, parameter):
    v = self.vs.setdefault(id(parameter), np.zeros_like(parameter.data))
    ops.momentum_(parameter.data, parameter.grad.data, v, self.lr, self.momentum)


BACKWARD = {
    F.Linear: linear_backward,
    F.Sigmoid: lambda self, gy: ops.sigmoid_backward(gy, self.outputs[0]().data),
    F.Tanh: lambda self, gy: ops.tanh_backward(gy, self.outputs[0]().data),
    F.ReLU: lambda self, gy: ops.relu_backward(gy, self.inputs[0].data),
    F.SoftmaxCrossEntropy: cross_entropy_backward,
}
FORWARD = {
    F.Linear: lambda self, x, W, b: ops.affine(x, W, b),
    F.Sigmoid: lambda self, x: ops.sigmoid(x),
    F.Tanh: lambda self, x: ops.tanh(x),
    F.ReLU: lambda self, x: ops.relu(x),
    F.SoftmaxCrossEntropy: lambda self, x, t: np.asarray(ops.softmax_cross_entropy(x, t)[0], x.dtype),
}


@contextmanager
def accelerated():
    with pytest.MonkeyPatch.context() as patch:
        for function, forward in FORWARD.items():
            patch.setattr(function, "forward", forward)
            patch.setattr(function, "backward", first_order(BACKWARD[function], function.backward))
        patch.setattr(optimizers.Adam, "update_one", adam)
        patch.setattr(optimizers.MomentumSGD, "update_one", momentum)
        yield


def train(make_optimizer, activation, dtype, steps=60):
    (x, t), _ = digits.load_data()
    x = (x.reshape(len(x), -1) / 16).astype(dtype)
    np.random.seed(0)  # noqa: NPY002
    model = MLP((40, 20, 10), activation=activation)
    model(x[:1])  # the weights are drawn in the first call
    for parameter in model.params():
        parameter.data = parameter.data.astype(dtype)
    optimizer = make_optimizer().setup(model)
    rng, losses = np.random.default_rng(0), []
    for _ in range(steps):
        batch = rng.integers(0, len(x), 50)
        loss = F.softmax_cross_entropy(model(x[batch]), t[batch].astype(np.int64))
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.data))
    return losses


@pytest.mark.parametrize("activation", [F.sigmoid, F.tanh, F.relu], ids=["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("make_optimizer", [optimizers.Adam, optimizers.MomentumSGD])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-3)])
def test_the_losses_are_those_of_the_framework(make_optimizer, activation, dtype, tolerance):
    expected = train(make_optimizer, activation, dtype)
    with accelerated():
        losses = train(make_optimizer, activation, dtype)
    np.testing.assert_allclose(losses, expected, rtol=tolerance)
    assert losses != expected  # other arithmetic, so other last digits: the adapter was in use
    assert min(losses) < 0.95 * losses[0]


def test_gradients_of_gradients_are_left_to_the_framework():
    with accelerated():
        x = Variable(np.array([[0.3, -0.7]]))
        F.sum(F.tanh(x)).backward(create_graph=True)
        gradient = x.grad
        x.cleargrad()
        F.sum(gradient).backward()
    y = np.tanh(x.data)
    np.testing.assert_allclose(x.grad.data, -2 * y * (1 - y * y), rtol=1e-12)
