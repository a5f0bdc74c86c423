"""What other people's code needs from fastnn.ops is there, under the promised names and parameters."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from fastnn import _native, ops

ELEMENTWISE = "sigmoid tanh relu leaky_relu elu softplus gelu silu"
SIGNATURES = """
leaky_relu(x, alpha, out)
elu(x, alpha, out)
gelu(x, approximate, out)
relu_backward(dy, y, zero_grad, out)
sigmoid_backward(dy, y, out)
softmax(x, axis, out)
log_softmax(x, axis, out)
logsumexp(x, axis, out)
softmax_backward(dy, y, axis, out)
softmax_cross_entropy(logits, targets, reduction, denom, ignore_index, mask, log_eps)
softmax_cross_entropy_backward(probs, targets, scale, ignore_index, mask, out)
softmax_cross_entropy_with_grad(logits, targets, reduction, denom, ignore_index, mask, log_eps, out)
cross_entropy(probs, targets, eps, reduction)
cross_entropy_backward(probs, targets, eps, scale, out)
mse(p, t, reduction)
mse_backward(p, t, scale, out)
binary_cross_entropy(p, t, eps, reduction)
binary_cross_entropy_backward(p, t, eps, scale, out)
binary_cross_entropy_with_logits(p, t, reduction)
binary_cross_entropy_with_logits_backward(p, t, scale, out)
affine(x, W, b, activation, out, w_layout)
affine_backward(dy, x, W, need_dx, dW, db, accumulate, w_layout)
dropout(x, p, mask, u, scale, rng, out)
dropout_backward(dy, mask, p, scale, out)
sgd_(p, g, lr, weight_decay)
momentum_(p, g, v, lr, mu, weight_decay)
nesterov_(p, g, v, lr, mu, weight_decay)
rmsprop_(p, g, v, lr, rho, eps, weight_decay)
adagrad_(p, g, a, lr, eps, weight_decay)
adadelta_(p, g, a, d, lr, rho, eps, weight_decay)
radam_(p, g, m, v, t, lr, b1, b2, eps, weight_decay)
adam_(p, g, m, v, t, lr, b1, b2, eps, form, weight_decay, decoupled)
adam_raw_(p, g, m, v, b1, b2, a, s, eps)
sgd_many(p, g, lr)
adam_many(p, g, m, v, t, lr, b1, b2, eps, form)
clip_by_global_norm_(grads, max_norm, eps)
clip_by_norm_(g, max_norm, eps)
clip_by_value_(g, lo, hi)
sumsq(arrays)
glorot_normal(shape, rng, dtype)
glorot_uniform(shape, rng, dtype)
he_normal(shape, rng, dtype)
he_uniform(shape, rng, dtype)
lecun_normal(shape, rng, dtype)
lecun_uniform(shape, rng, dtype)
orthogonal(shape, rng, dtype)
truncated_normal(shape, rng, dtype)
"""


@pytest.mark.parametrize("line", SIGNATURES.split("\n")[1:-1])
def test_a_function_has_the_promised_parameters(line):
    """In that order; further ones may stand between them, with defaults."""
    name, _, rest = line.rstrip(")").partition("(")
    assert name in ops.__all__
    wanted = rest.split(", ")
    parameters = inspect.signature(getattr(ops, name)).parameters
    assert [parameter for parameter in parameters if parameter in wanted] == wanted
    for parameter in parameters.values():
        assert parameter.name in wanted or parameter.default is not parameter.empty


@pytest.mark.parametrize("name", ELEMENTWISE.split() + [row for row, *_ in _native.tables()["activations"]])
def test_an_activation_has_forward_backward_and_derivative(name):
    assert {name, f"{name}_backward", f"{name}_grad"} <= set(ops.__all__)


@pytest.mark.parametrize("row", [row for row, *_ in _native.tables()["losses"]])
def test_a_loss_has_its_gradient(row):
    assert {row, f"{row}_backward", f"{row}_with_grad"} <= set(ops.__all__)


@pytest.mark.parametrize("row", [row for row, *_ in _native.tables()["optimizers"]])
def test_an_optimizer_updates_one_or_many(row):
    assert {f"{row}_", f"{row}_many"} <= set(ops.__all__)


def test_every_operation_is_registered():
    """Initializers are no operations on arrays."""
    registered = {operation.name for operation in ops.registry.operations()}
    public = {name: getattr(ops, name) for name in ops.__all__}
    functions = {name for name, it in public.items() if inspect.isfunction(it) and "initial" not in it.__module__}
    assert functions == registered


PAGE = Path(__file__).resolve().parent.parent / "docs" / "other-peoples-code.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not here")
def test_the_example_of_the_page_trains():
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "adam_many" in block]
    rng = np.random.default_rng(0)
    W1, W2 = rng.normal(size=(4, 8)), rng.normal(size=(8, 3))
    params = {"W1": W1, "b1": np.zeros(8), "W2": W2, "b2": np.zeros(3)}
    scope = {**params, "params": params, "x": rng.normal(size=(30, 4)), "labels": rng.integers(0, 3, 30)}
    scope |= {slot: {key: np.zeros_like(p) for key, p in params.items()} for slot in "mv"}
    losses = []
    for step in range(1, 300):
        exec(code, scope | {"step": step}, seen := {})
        losses.append(seen["loss"])
    assert losses[-1] < losses[0] / 2
