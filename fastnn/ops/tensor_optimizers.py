"""Optimizer steps that look at whole tensors, in place, for one parameter: `lamb_`, `lars_`, `adafactor_`, `muon_`.

They are made of the kernels that the training step uses: an element-wise row, sums of squares, products of matrices,
and for Adafactor a kernel of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.backend import current
from fastnn.ops import _documentation
from fastnn.ops import _optimizer_scalars as formulas
from fastnn.ops._check import as_array, flag, number, overlapping, received, well_formed, writable
from fastnn.ops._optimizer_arguments.common import PART, step_number
from fastnn.ops.registry import Arguments, operation
from fastnn.reference import optimizers as reference

Array = NDArray[Any]

__all__ = ["adafactor_", "lamb_", "lars_", "muon_"]


def lamb_(
    p: Array,
    g: Any,
    m: Array,
    v: Array,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-7,
    weight_decay: float = 0.0,
    decoupled: bool = True,
) -> None:
    op = "lamb_"
    before = flag(op, "decoupled", decoupled)
    rate, decay = number(op, "lr", lr, ">= 0"), number(op, "weight_decay", weight_decay, ">= 0")
    beta1, beta2 = number(op, "b1", b1, PART), number(op, "b2", b2, PART)
    direction = formulas.adam(step_number(op, t), 1.0, beta1, beta2, number(op, "eps", eps, ">= 0"), "textbook")
    with _Flat(op, p, g, m=m, v=v) as (p_flat, g_flat, m_flat, v_flat):
        d = np.empty_like(p_flat)
        scalars = tuple(map(float, (1.0, 0.0, rate * decay if before else 0.0, *direction)))
        current().optimizer_update("lamb_direction", p_flat, g_flat, (m_flat, v_flat, d), scalars)
        if decay and not before:
            d += decay * p_flat
        ratio = reference.trust_ratio(_norm(p_flat), _norm(d))
        current().optimizer_update("sgd", p_flat, d, (), (ratio, 0.0, 0.0, rate))


def lars_(
    p: Array,
    g: Any,
    v: Array,
    lr: float = 0.1,
    mu: float = 0.9,
    weight_decay: float = 0.0005,
    trust_coefficient: float = 0.001,
    eps: float = 0.0,
) -> None:
    op = "lars_"
    rate, momentum = number(op, "lr", lr, ">= 0"), number(op, "mu", mu, ">= 0")
    decay, least = number(op, "weight_decay", weight_decay, ">= 0"), number(op, "eps", eps, ">= 0")
    coefficient = number(op, "trust_coefficient", trust_coefficient, ">= 0")
    with _Flat(op, p, g, v=v) as (p_flat, g_flat, v_flat):
        ratio = reference.trust_ratio(_norm(p_flat), _norm(g_flat), coefficient, decay, least)
        scalars = (ratio, ratio * decay, 0.0, *map(float, formulas.momentum(1.0, rate, momentum)))
        current().optimizer_update("momentum", p_flat, g_flat, (v_flat,), scalars)


def adafactor_(
    p: Array,
    g: Any,
    r: Array,
    c: Array | None,
    t: int,
    lr: float = 0.001,
    beta_2_decay: float = -0.8,
    eps1: float = 1e-30,
    eps2: float = 1e-3,
    clip_threshold: float = 1.0,
    weight_decay: float = 0.0,
    relative_step: bool = True,
) -> None:
    op = "adafactor_"
    numbers = (
        int(step_number(op, t)), number(op, "lr", lr, ">= 0"), number(op, "beta_2_decay", beta_2_decay, "<= 0"),
        number(op, "eps1", eps1, ">= 0"), number(op, "eps2", eps2, ">= 0"),
        number(op, "clip_threshold", clip_threshold, "> 0"), number(op, "weight_decay", weight_decay, ">= 0"),
    )  # fmt: skip
    flag(op, "relative_step", relative_step)
    writable(op, "p", p, None, None)
    factored = p.ndim >= 2
    writable(op, "r", r, p.shape[:-1] if factored else p.shape, p.dtype)
    if factored:
        writable(op, "c", c, (*p.shape[:-2], p.shape[-1]), p.dtype)
    elif c is not None:
        raise ValueError(f"{op}: c must be None where p has fewer than two axes. {received(p=p, c=c)}")
    others = {"r": r} if c is None else {"r": r, "c": c}
    step, rate, exponent, least, smallest, threshold, decay = numbers
    cols = p.shape[-1] if factored else p.size
    rows = p.shape[-2] if factored else 1
    if not p.size:
        _gradient(op, p, g, list(others.values()))
        return
    with _Flat(op, p, g, {name: slot.shape for name, slot in others.items()}, **others) as (p_flat, g_flat, *moments):
        current().adafactor(
            p_flat.reshape(-1, rows, cols), g_flat.reshape(-1, rows, cols),
            moments[0].reshape((-1, rows) if factored else (1, rows, cols)),
            moments[1].reshape(-1, cols) if factored else None,
            1.0, rate * decay, min(rate, 1 / math.sqrt(step)), 1 - float(step) ** exponent, least, smallest, threshold,
        )  # fmt: skip


def muon_(
    p: Array,
    g: Any,
    m: Array,
    lr: float = 0.001,
    mu: float = 0.95,
    nesterov: bool = True,
    weight_decay: float = 0.004,
    ns_steps: int = 5,
    a: float = 3.4445,
    b: float = -4.7750,
    c: float = 2.0315,
    rms_rate: float = 0.2,
) -> None:
    op = "muon_"
    rate, decay = number(op, "lr", lr, ">= 0"), number(op, "weight_decay", weight_decay, ">= 0")
    momentum, rms = number(op, "mu", mu, PART), number(op, "rms_rate", rms_rate, ">= 0")
    a, b, c = (number(op, name, value) for name, value in (("a", a), ("b", b), ("c", c)))
    steps = int(number(op, "ns_steps", ns_steps, ">= 0 and < inf"))
    writable(op, "p", p, None, None)
    if p.ndim != 2:
        raise ValueError(f"{op}: p must be a matrix. {received(p=p)}")
    ahead = flag(op, "nesterov", nesterov)
    with _Flat(op, p, g, m=m) as (p_flat, g_flat, m_flat), np.errstate(all="ignore"):
        m_flat *= momentum
        m_flat += g_flat
        x = (g_flat + momentum * m_flat if ahead else m_flat.copy()).reshape(p.shape)
        x *= 1 / (_norm(x) + 1e-7)
        x = _orthogonal(x, steps, a, b, c)
        scale = rms * math.sqrt(max(p.shape)) if rms else 1.0
        current().optimizer_update("sgd", p_flat, x.reshape(-1), (), (scale, 0.0, rate * decay, rate))


def _orthogonal(x: Array, steps: int, a: float, b: float, c: float) -> Array:
    """The Newton-Schulz iteration, on the smaller of x x^T and x^T x."""
    tall = x.shape[0] > x.shape[1]
    gemm = current().gemm
    s = np.empty((min(x.shape), min(x.shape)), x.dtype)
    for _ in range(steps):
        gemm(x, x, s, tall, not tall, 1.0, 0.0)
        t, y = s.copy(), x.copy()
        gemm(s, s, t, False, False, c, b)
        left, right = (x, t) if tall else (t, x)
        gemm(left, right, y, False, False, 1.0, a)
        x = y
    return x


def _norm(x: Array) -> float:
    return math.sqrt(current().sum_of_squares(x))


def _gradient(op: str, p: Array, g: Any, others: list[Array]) -> Array:
    """The gradient in the dtype of p; nothing may share memory."""
    gradient = as_array(op, "g", g)
    if gradient.shape != p.shape:
        raise ValueError(f"{op}: g must have shape {p.shape}. {received(g=gradient)}")
    arrays = [p, gradient, *others]
    if any(overlapping(one, two) for i, one in enumerate(arrays) for two in arrays[:i]):
        raise ValueError(f"{op}: the arrays must not share memory. {received(p=p, g=gradient)}")
    return well_formed(gradient, p.dtype)


class _Flat:
    """p, g and the slots as kernels want them; what has changed is written back at the end."""

    def __init__(self, op: str, p: Array, g: Any, shapes: Mapping[str, Any] | None = None, /, **slots: Array) -> None:
        writable(op, "p", p, None, None)
        for name, slot in slots.items():
            writable(op, name, slot, (shapes or {}).get(name, p.shape), p.dtype)
        self.gradient = _gradient(op, p, g, list(slots.values()))
        self.targets = [p, *slots.values()]

    def __enter__(self) -> list[Array]:
        dtype = self.gradient.dtype
        self.buffers = [well_formed(np.asarray(target), dtype) for target in self.targets]
        p, *slots = (buffer.reshape(-1) for buffer in self.buffers)
        return [p, self.gradient.reshape(-1), *slots]

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        for target, buffer in zip(self.targets, self.buffers):
            if kind is None and buffer is not target and not np.may_share_memory(target, buffer):
                target[...] = buffer


# ------------------------------------------------------------------------------------- the registry, and documentation

RAISES = """\
TypeError
    An array that is to be changed is no NumPy array of float32 or float64, or their dtypes differ.
ValueError
    Shapes differ, an array is read-only or shares memory with another, or a scalar is out of its range."""


def _sample_lamb(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    p, g, m = rng.normal(size=(3, *shape)).astype(dtype)
    return Arguments((p, g, m, rng.random(shape).astype(dtype), 3), {})


def _sample_lars(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments(tuple(rng.normal(size=(3, *shape)).astype(dtype)), {})


def _sample_muon(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return _sample_lars((shape[0] if shape else 1, math.prod(shape[1:])), dtype, rng)


def _sample_adafactor(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    p, g = rng.normal(size=(2, *shape)).astype(dtype)
    if len(shape) < 2:
        return Arguments((p, g, rng.random(shape).astype(dtype), None, 3), {})
    r, c = (rng.random(s).astype(dtype) + dtype.type(0.1) for s in (shape[:-1], (*shape[:-2], shape[-1])))
    return Arguments((p, g, r, c, 3), {})


def _enter(function: Any, sample: Any, *writes: str) -> None:
    """Register a function and give it the documentation of its twin."""
    twin = getattr(reference, function.__name__.rstrip("_"))
    head, sections = _documentation.parse(twin.__doc__)
    sections |= {"Returns": "None\n    p and the state are changed in place.", "Raises": RAISES}
    function.__doc__ = _documentation.render(head, sections)
    operation("optimizer", sample, reference=twin, writes=writes)(function)


_enter(lamb_, _sample_lamb, "p", "m", "v")
_enter(lars_, _sample_lars, "p", "v")
_enter(adafactor_, _sample_adafactor, "p", "r", "c")
_enter(muon_, _sample_muon, "p", "m")
