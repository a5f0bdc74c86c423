"""The same operations as a practitioner writes them in NumPy, and as PyTorch offers them; for compare_operations.py.

NumPy: the textbook form in float32, `UFUNCS` where NumPy has the function itself.  PyTorch: the ATen function with
`out=` where there is one (that is what its modules call, without the autograd layer on top), else the composition that
its manual suggests; gradients through ATen's own backward functions where they exist, else through autograd.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np

try:
    import torch
    import torch.nn.functional as F  # noqa: N812
except ImportError:  # NumPy alone is a comparison too
    torch = None  # type: ignore[assignment]

Function = Callable[..., Any]
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
ROOT = 0.7978845608028654  # sqrt(2 / pi)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _tanh_gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(np.float32(ROOT) * (x + np.float32(0.044715) * x * x * x)))


def _sparse_plus(x: Any) -> Any:
    return np.where(x <= -1, 0, np.where(x < 1, 0.25 * (x + 1) ** 2, x))


# y = f(x); what is NaN or warns far out there is the textbook's business
NUMPY: dict[str, Function] = {
    "identity": lambda x: x.copy(),
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, np.float32(0.01) * x),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "sigmoid": _sigmoid,
    "tanh": lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "silu": lambda x: x * _sigmoid(x),
    "gelu_tanh": _tanh_gelu,
    "binary_step": lambda x: np.where(x >= 0, np.float32(1), np.float32(0)),
    "heaviside": lambda x: np.heaviside(x, np.float32(0.5)),
    "sign": lambda x: np.sign(x),
    "piecewise_linear": lambda x: np.clip(x + np.float32(0.5), 0, 1),
    "arctan": lambda x: np.arctan(x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "isru": lambda x: x / np.sqrt(1 + x * x),
    "isrlu": lambda x: np.where(x < 0, x / np.sqrt(1 + x * x), x),
    "selu": lambda x: np.float32(SELU_SCALE) * np.where(x > 0, x, np.float32(SELU_ALPHA) * (np.exp(x) - 1)),
    "celu": lambda x: np.maximum(x, 0) + np.minimum(0, np.exp(x) - 1),
    "bent_identity": lambda x: (np.sqrt(x * x + 1) - 1) / 2 + x,
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hard_sigmoid": lambda x: np.clip(x / 6 + np.float32(0.5), 0, 1),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "hard_silu": lambda x: x * np.clip(x / 6 + np.float32(0.5), 0, 1),
    "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - np.float32(0.5), 0),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "threshold": lambda x: np.where(x > 0, x, 0),
    "log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "exponential": lambda x: np.exp(x),
    "sinusoid": lambda x: np.sin(x),
    "sinc": lambda x: np.where(x == 0, 1, np.sin(x) / np.where(x == 0, 1, x)),
    "gaussian": lambda x: np.exp(-x * x),
}
# dx = f(dy, x, y)
NUMPY_BACKWARD: dict[str, Function] = {
    "identity": lambda dy, x, y: dy.copy(),
    "relu": lambda dy, x, y: dy * (y > 0),
    "leaky_relu": lambda dy, x, y: dy * np.where(x > 0, np.float32(1), np.float32(0.01)),
    "elu": lambda dy, x, y: dy * np.where(y > 0, 1, y + 1),
    "sigmoid": lambda dy, x, y: dy * y * (1 - y),
    "tanh": lambda dy, x, y: dy * (1 - y * y),
    "softplus": lambda dy, x, y: dy * _sigmoid(x),
    "silu": lambda dy, x, y: dy * (_sigmoid(x) * (1 + x * (1 - _sigmoid(x)))),
    "arctan": lambda dy, x, y: dy / (1 + x * x),
    "softsign": lambda dy, x, y: dy / (1 + np.abs(x)) ** 2,
    "selu": lambda dy, x, y: dy * np.where(y > 0, np.float32(SELU_SCALE), y + np.float32(SELU_SCALE * SELU_ALPHA)),
    "relu6": lambda dy, x, y: dy * ((x > 0) & (x < 6)),
    "hard_sigmoid": lambda dy, x, y: dy * ((x > -3) & (x < 3)) * np.float32(1 / 6),
    "hard_tanh": lambda dy, x, y: dy * ((x > -1) & (x < 1)),
    "exponential": lambda dy, x, y: dy * y,
    "sinusoid": lambda dy, x, y: dy * np.cos(x),
    "gaussian": lambda dy, x, y: dy * -2 * x * y,
    "log_sigmoid": lambda dy, x, y: dy * _sigmoid(-x),
}
# NumPy's own function, with out=
UFUNCS: dict[str, Any] = {
    "relu": lambda x, out: np.maximum(x, 0, out=out),
    "tanh": np.tanh,
    "exponential": np.exp,
    "arctan": np.arctan,
    "sinusoid": np.sin,
    "sign": np.sign,
    "identity": np.positive,
    "softplus": lambda x, out: np.logaddexp(x, 0, out=out),
    "relu6": lambda x, out: np.clip(x, 0, 6, out=out),
    "hard_tanh": lambda x, out: np.clip(x, -1, 1, out=out),
}
# p, t -> (loss, gradient by p)
NUMPY_LOSSES: dict[str, Function] = {
    "mse": lambda p, t: (np.mean((p - t) ** 2), 2 * (p - t) / np.float32(p.size)),
    "mae": lambda p, t: (np.mean(np.abs(p - t)), np.sign(p - t) / np.float32(p.size)),
    "huber": lambda p, t: (
        np.mean(np.where(np.abs(p - t) <= 1, 0.5 * (p - t) ** 2, np.abs(p - t) - 0.5)),
        np.clip(p - t, -1, 1) / np.float32(p.size),
    ),
    "binary_cross_entropy": lambda p, t: (
        -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p)),
        (p - t) / (p * (1 - p)) / np.float32(p.size),
    ),
    "binary_cross_entropy_with_logits": lambda p, t: (
        np.mean(np.maximum(p, 0) - p * t + np.log1p(np.exp(-np.abs(p)))),
        (_sigmoid(p) - t) / np.float32(p.size),
    ),
    "log_cosh": lambda p, t: (np.mean(np.log(np.cosh(p - t))), np.tanh(p - t) / np.float32(p.size)),
    "poisson": lambda p, t: (np.mean(p - t * np.log(p + 1e-7)), (1 - t / (p + 1e-7)) / np.float32(p.size)),
    "hinge": lambda p, t: (np.mean(np.maximum(1 - t * p, 0)), np.where(1 - t * p > 0, -t, 0) / np.float32(p.size)),
}


def torch_forward(name: str) -> Function | None:
    """f(x, out) of PyTorch; `out` is ignored where PyTorch takes none."""
    if torch is None:
        return None
    a, nn = torch.ops.aten, torch._C._nn  # what torch.nn.functional calls
    with_out: dict[str, Function] = {
        "identity": lambda x, out: out.copy_(x),
        "relu": lambda x, out: a.relu.out(x, out=out),
        "leaky_relu": lambda x, out: nn.leaky_relu(x, 0.01, out=out),
        "elu": lambda x, out: nn.elu(x, out=out),
        "selu": lambda x, out: nn.elu(x, SELU_ALPHA, SELU_SCALE, out=out),
        "celu": lambda x, out: nn.elu(x, 1.0, 1, 1.0, out=out),
        "sigmoid": lambda x, out: a.sigmoid.out(x, out=out),
        "tanh": lambda x, out: a.tanh.out(x, out=out),
        "softplus": lambda x, out: nn.softplus(x, out=out),
        "silu": lambda x, out: nn.silu(x, out=out),
        "gelu": lambda x, out: nn.gelu(x, out=out),
        "gelu_tanh": lambda x, out: nn.gelu(x, approximate="tanh", out=out),
        "mish": lambda x, out: nn.mish(x, out=out),
        "sign": lambda x, out: torch.sign(x, out=out),
        "heaviside": lambda x, out: torch.heaviside(x, torch.tensor(0.5), out=out),
        "arctan": lambda x, out: torch.atan(x, out=out),
        "relu6": lambda x, out: nn.hardtanh(x, 0.0, 6.0, out=out),
        "hard_tanh": lambda x, out: nn.hardtanh(x, -1.0, 1.0, out=out),
        "hard_sigmoid": lambda x, out: nn.hardsigmoid(x, out=out),
        "hard_silu": lambda x, out: nn.hardswish(x, out=out),
        "hard_shrink": lambda x, out: a.hardshrink.out(x, 0.5, out=out),
        "soft_shrink": lambda x, out: nn.softshrink(x, 0.5, out=out),
        "threshold": lambda x, out: a.threshold.out(x, 0.0, 0.0, out=out),
        "log_sigmoid": lambda x, out: nn.log_sigmoid(x, out=out),
        "exponential": lambda x, out: torch.exp(x, out=out),
        "sinusoid": lambda x, out: torch.sin(x, out=out),
    }
    composed: dict[str, Function] = {
        "softsign": F.softsign,
        "tanh_shrink": F.tanhshrink,
        "binary_step": lambda x: (x >= 0).to(x.dtype),
        "piecewise_linear": lambda x: torch.clamp(x + 0.5, 0, 1),
        "isru": lambda x: x * torch.rsqrt(1 + x * x),
        "isrlu": lambda x: torch.where(x < 0, x * torch.rsqrt(1 + x * x), x),
        "bent_identity": lambda x: (torch.sqrt(x * x + 1) - 1) / 2 + x,
        "squareplus": lambda x: (x + torch.sqrt(x * x + 4)) / 2,
        "sparse_plus": lambda x: torch.where(x <= -1, 0.0, torch.where(x < 1, 0.25 * (x + 1) ** 2, x)),
        "sparse_sigmoid": lambda x: torch.clamp((x + 1) / 2, 0, 1),
        "sinc": lambda x: torch.sinc(x / torch.pi),
        "gaussian": lambda x: torch.exp(-x * x),
    }
    if name in with_out:
        return with_out[name]
    return (lambda x, out, f=composed[name]: f(x)) if name in composed else None


@lru_cache(maxsize=1)
def log_sigmoid_buffer(x: Any) -> Any:
    """What PyTorch's forward pass leaves for its backward pass."""
    return torch.ops.aten.log_sigmoid_forward(x)[1]


def torch_backward(name: str) -> Function | None:
    """f(dy, x, y, out) of PyTorch."""
    if torch is None:
        return None
    a = torch.ops.aten
    own: dict[str, Function] = {
        "identity": lambda dy, x, y, out: out.copy_(dy),
        "relu": lambda dy, x, y, out: a.threshold_backward.grad_input(dy, y, 0, grad_input=out),
        "leaky_relu": lambda dy, x, y, out: a.leaky_relu_backward.grad_input(dy, x, 0.01, False, grad_input=out),
        "elu": lambda dy, x, y, out: a.elu_backward.grad_input(dy, 1.0, 1.0, 1.0, True, y, grad_input=out),
        "selu": lambda dy, x, y, out: a.elu_backward.grad_input(
            dy, SELU_ALPHA, SELU_SCALE, 1.0, True, y, grad_input=out
        ),
        "celu": lambda dy, x, y, out: a.elu_backward.grad_input(dy, 1.0, 1.0, 1.0, True, y, grad_input=out),
        "sigmoid": lambda dy, x, y, out: a.sigmoid_backward.grad_input(dy, y, grad_input=out),
        "tanh": lambda dy, x, y, out: a.tanh_backward.grad_input(dy, y, grad_input=out),
        "softplus": lambda dy, x, y, out: a.softplus_backward.grad_input(dy, x, 1.0, 20.0, grad_input=out),
        "silu": lambda dy, x, y, out: a.silu_backward.grad_input(dy, x, grad_input=out),
        "gelu": lambda dy, x, y, out: a.gelu_backward.grad_input(dy, x, grad_input=out),
        "gelu_tanh": lambda dy, x, y, out: a.gelu_backward.grad_input(dy, x, approximate="tanh", grad_input=out),
        "mish": lambda dy, x, y, out: a.mish_backward(dy, x),
        "relu6": lambda dy, x, y, out: a.hardtanh_backward.grad_input(dy, x, 0.0, 6.0, grad_input=out),
        "hard_tanh": lambda dy, x, y, out: a.hardtanh_backward.grad_input(dy, x, -1.0, 1.0, grad_input=out),
        "hard_sigmoid": lambda dy, x, y, out: a.hardsigmoid_backward.grad_input(dy, x, grad_input=out),
        "hard_silu": lambda dy, x, y, out: a.hardswish_backward(dy, x),
        "hard_shrink": lambda dy, x, y, out: a.hardshrink_backward.grad_input(dy, x, 0.5, grad_input=out),
        "soft_shrink": lambda dy, x, y, out: a.softshrink_backward.grad_input(dy, x, 0.5, grad_input=out),
        "threshold": lambda dy, x, y, out: a.threshold_backward.grad_input(dy, x, 0, grad_input=out),
        "log_sigmoid": lambda dy, x, y, out: a.log_sigmoid_backward.grad_input(
            dy, x, log_sigmoid_buffer(x), grad_input=out
        ),
        "exponential": lambda dy, x, y, out: torch.mul(dy, y, out=out),
    }
    return own.get(name) or _by_autograd(name)


def _by_autograd(name: str) -> Function | None:
    forward = torch_forward(name)
    if forward is None or name in ("binary_step", "heaviside", "sign"):
        return None
    graphs: dict[int, Any] = {}

    def backward(dy: Any, x: Any, y: Any, out: Any) -> Any:
        if id(x) not in graphs:  # the graph is built once; only the way back is timed
            leaf = x.clone().requires_grad_()
            plain = {"arctan": torch.atan, "sinusoid": torch.sin}.get(name, partial(forward, out=None))
            graphs[id(x)] = leaf, plain(leaf)
        leaf, result = graphs[id(x)]
        return torch.autograd.grad(result, leaf, dy, retain_graph=True)[0]

    return backward


def torch_loss(name: str) -> Function | None:
    """f(p, t) -> gradient by p, the value being computed on the way; p requires a gradient."""
    if torch is None:
        return None
    losses: dict[str, Function] = {
        "mse": F.mse_loss,
        "mae": F.l1_loss,
        "huber": F.huber_loss,
        "smooth_l1": F.smooth_l1_loss,
        "binary_cross_entropy": F.binary_cross_entropy,
        "binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits,
        "poisson": partial(F.poisson_nll_loss, log_input=False, eps=1e-7),
        "softmax_cross_entropy": F.cross_entropy,
        "hinge": lambda p, t: torch.mean(torch.clamp(1 - t * p, min=0)),
        "squared_hinge": lambda p, t: torch.mean(torch.clamp(1 - t * p, min=0) ** 2),
        "log_cosh": lambda p, t: torch.mean(torch.log(torch.cosh(p - t))),
        "mape": lambda p, t: 100 * torch.mean(torch.abs(p - t) / torch.clamp(torch.abs(t), min=1e-7)),
        "msle": lambda p, t: torch.mean((torch.log1p(torch.clamp(p, min=1e-7)) - torch.log1p(t)) ** 2),
    }
    if name not in losses:
        return None
    return lambda p, t: torch.autograd.grad(losses[name](p, t), p)[0]
