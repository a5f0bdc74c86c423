"""The same functions as NumPy and PyTorch users compute them: what stands beside ours in the table.

NumPy has the ufunc where there is one, otherwise the formula as textbooks write it.  None: the library has no such
function.  Sine and cosine are asked for what the oracle knows, |x| <= 2^17 (2^46).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Peer = Callable[[str], "Callable[[Array, Array], Any] | None"]


def numpy_function(name: str) -> Callable[[Array, Array], Any] | None:
    """A function of x and of the array to fill."""
    formula = NUMPY.get(name)
    return None if formula is None else lambda x, y: np.copyto(y, formula(x))


def within(x: Array) -> Array:
    """x held where the oracle's sine is exact; infinities stay what they are."""
    most = x.dtype.type(2.0**17 if x.dtype == np.float32 else 2.0**46)
    return np.where(np.isinf(x), x, np.clip(x, -most, most))


def softplus(x: Array) -> Array:
    return np.asarray(np.log1p(np.exp(x)))


NUMPY: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": softplus,
    "tanh_softplus": lambda x: np.tanh(softplus(x)),
    "normpdf": lambda x: np.exp(-x * x / 2) / x.dtype.type(np.sqrt(2 * np.pi)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu_tanh": lambda x: (
        x / 2 * (1 + np.tanh(x.dtype.type(np.sqrt(2 / np.pi)) * (x + x.dtype.type(0.044715) * x**3)))
    ),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "atan": np.arctan,
    "sin": lambda x: np.sin(within(x)),
    "cos": lambda x: np.cos(within(x)),
    "sinc": lambda x: np.where(x == 0, x.dtype.type(1), np.sin(within(x)) / x),
    "log_sigmoid": lambda x: -softplus(-x),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "lecun_tanh": lambda x: x.dtype.type(1.7159) * np.tanh(x * x.dtype.type(2 / 3)),
    "selu": lambda x: (
        x.dtype.type(1.0507009873554805) * np.where(x > 0, x, x.dtype.type(1.6732632423543772) * np.expm1(x))
    ),
    "celu_3": lambda x: np.where(x > 0, x, 3 * np.expm1(x / 3)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "isru": lambda x: x / np.sqrt(1 + x * x),
    "isru_3": lambda x: x / np.sqrt(1 + 3 * x * x),
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "bent_identity": lambda x: (np.sqrt(x * x + 1) - 1) / 2 + x,
    "dish": lambda x: x / 2 * (1 + x / np.sqrt(1 + x * x)),
    "quick_gelu": lambda x: x / (1 + np.exp(x.dtype.type(-1.702) * x)),
    "gaussian": lambda x: np.exp(-x * x),
    "soft_exponential_1": np.exp,
    "soft_exponential_m1": np.log,
}


def torch_functions() -> Peer | None:
    """The functions of PyTorch by name; None where it is not installed."""
    try:
        import torch
        import torch.nn.functional as nn
    except ImportError:
        return None
    torch.set_num_threads(1)
    table: dict[str, Callable[[Any], Any]] = {
        **{name: getattr(torch, name) for name in ("exp", "expm1", "log", "log1p", "tanh", "erf", "sigmoid")},
        "softplus": nn.softplus,
        "normcdf": torch.special.ndtr,
        "silu": nn.silu,
        "gelu": nn.gelu,
        "gelu_tanh": lambda x: nn.gelu(x, approximate="tanh"),
        "mish": nn.mish,
        "atan": torch.atan,
        "sin": lambda x: torch.sin(torch.from_numpy(within(x.numpy()))),
        "cos": lambda x: torch.cos(torch.from_numpy(within(x.numpy()))),
        "log_sigmoid": nn.logsigmoid,
        "tanh_shrink": nn.tanhshrink,
        "selu": nn.selu,
        "celu_3": lambda x: nn.celu(x, 3.0),
        "softsign": nn.softsign,
        "soft_exponential_1": torch.exp,
        "soft_exponential_m1": torch.log,
    }

    def function(name: str) -> Callable[[Array, Array], Any] | None:
        formula = table.get(name)
        return None if formula is None else lambda x, y: torch.from_numpy(y).copy_(formula(torch.from_numpy(x)))

    return function
