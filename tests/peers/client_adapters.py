"""Other people's libraries with a few methods rebound to fastnn.ops while a block lasts.

mlxtend's perceptron, tinynn 0.1.1, neuralnetlib 5.0.0.

An adapter is what docs/other-peoples-code.md calls one: names bound at run time, nothing copied, nothing changed for
good.  The same adapters serve the tests beside this file and bench/compare_clients.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastnn import ops


@contextmanager
def rebound(methods: dict[tuple[Any, str], Callable[..., Any]]) -> Iterator[None]:
    """Methods of classes, or names of modules, replaced inside the block."""
    before = {(owner, name): vars(owner)[name] for owner, name in methods}
    try:
        for (owner, name), method in methods.items():
            setattr(owner, name, method)
        yield
    finally:
        for (owner, name), method in before.items():
            setattr(owner, name, method)


# ------------------------------------------------------------------------------------------------------------- mlxtend


def mlxtend() -> Any:
    """The forward pass of MultiLayerPerceptron; its gradients are written out in the loop that trains."""
    from mlxtend.classifier import MultiLayerPerceptron

    def feedforward(self: Any, x: np.ndarray) -> tuple[Any, ...]:
        hidden = ops.affine(x, self.w_["1"], self.b_["1"], activation="sigmoid")
        out = ops.affine(hidden, self.w_["out"], self.b_["out"])
        return None, hidden, out, ops.softmax(out)

    return rebound({(MultiLayerPerceptron, "_feedforward"): feedforward})


# -------------------------------------------------------------------------------------------------------------- tinynn


def tinynn() -> Any:
    """Dense, Conv2D, MaxPool2D, ReLU, the cross-entropy and Adam: float32, channels last."""
    from tinynn.core import layer, loss, optimizer

    def dense(self: Any, inputs: np.ndarray) -> np.ndarray:
        if not self.is_init:
            self.shapes["w"][0] = inputs.shape[1]
            self._init_params()
        self.ctx = {"X": inputs}
        return ops.affine(inputs, self.params["w"], self.params["b"])

    def dense_backward(self: Any, grad: np.ndarray) -> np.ndarray:
        dx, self.grads["w"], self.grads["b"] = ops.affine_backward(grad, self.ctx["X"], self.params["w"])
        return dx

    def padding_of(self: Any, inputs: np.ndarray) -> Any:
        if self.padding is None:
            self.padding = layer.get_padding_2d(inputs.shape[1:3], self.kernel_shape[:2], self.padding_mode)
        return self.padding[1:3]

    def conv(self: Any, inputs: np.ndarray) -> np.ndarray:
        if not self.is_init:
            self._init_params()
        padding = padding_of(self, inputs)
        y, self.ctx = ops.conv2d(inputs, self.params["w"], self.params["b"], tuple(self.stride), padding)
        return y

    def conv_backward(self: Any, grad: np.ndarray) -> np.ndarray:
        dx, self.grads["w"], self.grads["b"] = ops.conv2d_backward(grad, self.ctx)
        return dx

    def pool(self: Any, inputs: np.ndarray) -> np.ndarray:
        self.ctx = {"x": inputs}
        y, self.ctx["argmax"] = ops.maxpool2d(inputs, tuple(self.kernel_shape), tuple(self.stride))
        return y

    def pool_backward(self: Any, grad: np.ndarray) -> np.ndarray:
        kernel, stride = tuple(self.kernel_shape), tuple(self.stride)
        return ops.maxpool2d_backward(grad, self.ctx["argmax"], self.ctx["x"].shape, kernel, stride)

    def rectified(self: Any, inputs: np.ndarray) -> np.ndarray:
        self.ctx["Y"] = ops.relu(inputs)
        return self.ctx["Y"]

    def rectified_backward(self: Any, grad: np.ndarray) -> np.ndarray:
        return ops.relu_backward(grad, self.ctx["Y"])

    def cross_entropy(self: Any, logits: np.ndarray, labels: np.ndarray) -> float:
        value, self.gradient = ops.softmax_cross_entropy_with_grad(logits, labels)
        return value

    def adam(self: Any, grads: Any, params: Any) -> None:
        values = list(params.values)
        if not self._t:
            self._m, self._v = ([np.zeros_like(p) for p in values] for _ in range(2))
        self._t += 1
        ops.adam_many(values, list(grads.values), self._m, self._v, self._t, self.lr, self._b1, self._b2,
                      self._epsilon, form="textbook")  # fmt: skip

    return rebound({
        (layer.Dense, "forward"): dense, (layer.Dense, "backward"): dense_backward,
        (layer.Conv2D, "forward"): conv, (layer.Conv2D, "backward"): conv_backward,
        (layer.MaxPool2D, "forward"): pool, (layer.MaxPool2D, "backward"): pool_backward,
        (loss.SoftmaxCrossEntropy, "loss"): cross_entropy,
        (loss.SoftmaxCrossEntropy, "grad"): lambda self, logits, labels: self.gradient,
        (optimizer.Optimizer, "step"): adam,
        (layer.Activation, "forward"): rectified, (layer.Activation, "backward"): rectified_backward,
    })  # fmt: skip


# -------------------------------------------------------------------------------------------------------- neuralnetlib


def neuralnetlib() -> Any:
    """Dense, the smooth activations and ReLU, softmax and Adam: float64."""
    from neuralnetlib import activations, layers, optimizers

    def dense(self: Any, input_data: np.ndarray) -> np.ndarray:
        input_data = np.asarray(input_data)
        self.input_shape = input_data.shape
        if self.weights is None:
            self.initialize_weights(input_data.shape[-1])
        self.input = input_data.reshape(-1, input_data.shape[-1])
        output = ops.affine(self.input, self.weights, self.bias.reshape(-1))
        return output.reshape(*input_data.shape[:-1], self.units)

    def dense_backward(self: Any, output_error: np.ndarray) -> np.ndarray:
        dy = output_error.reshape(-1, self.units)
        dx, self.d_weights, db = ops.affine_backward(dy, self.input, self.weights)
        self.d_bias = db.reshape(1, -1) if self.use_bias else np.zeros_like(self.bias)
        return dx.reshape(self.input_shape)

    def moments(self: Any, param: np.ndarray, grad: np.ndarray, m: np.ndarray, v: np.ndarray, t: int) -> Any:
        grad = self._clip_gradients(grad)
        ops.adam_(param, grad, m, v, t, self.learning_rate, self.beta_1, self.beta_2, self.epsilon, form="textbook")
        return param, m, v

    return rebound({
        (layers.Dense, "forward_pass"): dense, (layers.Dense, "backward_pass"): dense_backward,
        (activations.ReLU, "__call__"): lambda self, x: ops.relu(x),
        (activations.ReLU, "derivative"): lambda self, x: ops.relu_grad(x),
        (activations.Tanh, "__call__"): lambda self, x: ops.tanh(x),
        (activations.Tanh, "derivative"): lambda self, x: ops.tanh_grad(x),
        (activations.Softmax, "__call__"): lambda self, x: ops.softmax(x),
        (activations.Softmax, "backward"): lambda self, y, dy: ops.softmax_backward(dy, y),
        (optimizers.Adam, "_compute_moments"): moments,
    })  # fmt: skip
