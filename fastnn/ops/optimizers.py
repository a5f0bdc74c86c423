"""Optimizer steps on arrays, in place: for one parameter (`sgd_`, `adam_`, ...) or many (`sgd_many`, `adam_many`, ...).

The functions are generated for every row of src_c/optimizers.def: first the arrays (parameter, gradient, slots), then
the arguments of the row's function below, which turns them into the scalars of the step.  A row without one takes its
scalars as they stand in the table.

The arrays that change are written where they are, in whatever layout, because layers hold views of them.  So they must
be writable NumPy arrays of float32 or float64, of one dtype and shape; the gradient is converted to that dtype.
Refused: everything that could not be updated in place, and arrays that share memory.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn import _native
from fastnn._errors import unknown
from fastnn.backend import NATIVE, current
from fastnn.ops import _documentation, _generate, _optimizer_scalars
from fastnn.ops._check import (
    as_array,
    describe,
    flag,
    independent,
    number,
    overlapping,
    received,
    well_formed,
    writable,
)
from fastnn.ops.registry import Arguments, operation, twins
from fastnn.reference import optimizers as reference

Array = NDArray[Any]
Scalars = tuple[float, ...]
FORMS = ("folded", "textbook")
NOTHING_COMMON = (1.0, 0.0, 0.0)  # gradient_scale, l2, decay

functions: dict[str, Callable[..., Any]] = {}


# ---------------------------------------------------------------------------------------- arguments to scalars of a row


def _common(op: str, lr: float, weight_decay: float, decoupled: bool) -> tuple[float, Scalars]:
    """The learning rate, and gradient_scale, l2 and decay."""
    rate, decay = number(op, "lr", lr, ">= 0"), number(op, "weight_decay", weight_decay, ">= 0")
    return rate, (1.0, 0.0, rate * decay) if flag(op, "decoupled", decoupled) else (1.0, decay, 0.0)


def _sgd(op: str, lr: float = 0.01, weight_decay: float = 0.0, decoupled: bool = False) -> Scalars:
    """Arguments of sgd_.

    Parameters
    ----------
    lr : float, >= 0
        Learning rate.
    weight_decay : float, >= 0
        L2 penalty: weight_decay * p is added to the gradient.
    decoupled : bool
        Subtract lr * weight_decay * p from p instead of adding the penalty to the gradient (Loshchilov and Hutter,
        "Decoupled weight decay regularization", ICLR 2019).
    """
    rate, common = _common(op, lr, weight_decay, decoupled)
    return (*common, *_optimizer_scalars.sgd(rate))


def _momentum(
    op: str, lr: float = 0.01, mu: float = 0.9, weight_decay: float = 0.0, decoupled: bool = False
) -> Scalars:
    """Arguments of momentum_ and nesterov_.

    Parameters
    ----------
    mu : float, >= 0
        Momentum: the part of the velocity that is kept.
    lr, weight_decay, decoupled
        As in `sgd_`.
    """
    rate, common = _common(op, lr, weight_decay, decoupled)
    return (*common, *_optimizer_scalars.momentum(rate, number(op, "mu", mu, ">= 0")))


def _adam(
    op: str,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-7,
    form: str = "folded",
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of adam_.

    Parameters
    ----------
    t : int, >= 1
        Number of this step, the first being 1.
    b1, b2 : float, from 0 to less than 1
        The parts of the running means that are kept.
    eps : float, >= 0
        Keeps the quotient finite.
    form : {"folded", "textbook"}
        Where eps is added: to sqrt(v) (Keras), or to sqrt(v / (1 - b2**t)) (algorithm 1 of the paper, PyTorch).
    lr, weight_decay, decoupled
        As in `sgd_`.
    """
    rate, common = _common(op, lr, weight_decay, decoupled)
    if form not in FORMS:
        raise unknown(f"{op} form", form, FORMS)
    kind: Literal["folded", "textbook"] = "folded" if form == "folded" else "textbook"
    beta1, beta2 = number(op, "b1", b1, ">= 0 and < 1"), number(op, "b2", b2, ">= 0 and < 1")
    step, epsilon = number(op, "t", t, ">= 1 and < inf"), number(op, "eps", eps, ">= 0")
    if step != int(step):
        raise ValueError(f"{op}: t must be a whole number. Received: {t!r}")
    return (*common, *_optimizer_scalars.adam(step, rate, beta1, beta2, epsilon, kind))


def _adam_raw(op: str, b1: float, b2: float, a: float, s: float, eps: float) -> Scalars:
    """Arguments of adam_raw_.

    Parameters
    ----------
    b1, b2 : float
        The parts of the running means that are kept.
    a, s : float
        rate and root_scale of the formula: every Adam is this function with its own pair.
    eps : float
        Keeps the quotient finite.
    """
    beta1, beta2 = number(op, "b1", b1), number(op, "b2", b2)
    return (*NOTHING_COMMON, number(op, "a", a), number(op, "s", s), 1.0 - beta1, 1.0 - beta2, number(op, "eps", eps))


def _rmsprop(
    op: str,
    lr: float = 0.001,
    rho: float = 0.9,
    eps: float = 1e-7,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Scalars:
    """Arguments of rmsprop_.

    Parameters
    ----------
    rho : float, from 0 to less than 1
        The part of the running mean that is kept.
    eps : float, >= 0
        Keeps the quotient finite.
    lr, weight_decay, decoupled
        As in `sgd_`.
    """
    rate, common = _common(op, lr, weight_decay, decoupled)
    kept, epsilon = number(op, "rho", rho, ">= 0 and < 1"), number(op, "eps", eps, ">= 0")
    return (*common, *_optimizer_scalars.rmsprop(rate, kept, epsilon))


ARGUMENTS: dict[str, Callable[..., Scalars]] = {
    "sgd": _sgd, "momentum": _momentum, "nesterov": _momentum, "adam": _adam, "rmsprop": _rmsprop
}  # fmt: skip
VARIANTS = {"adam_raw": ("adam", _adam_raw)}


def _cached(function: Callable[..., Scalars]) -> Callable[..., Scalars]:
    """Remember the scalars of a step: the arrays of one model are all updated with the same ones."""

    @lru_cache(maxsize=128)
    def remembered(*args: Any) -> Scalars:
        return tuple(float(value) for value in function(*args))

    def scalars(*args: Any) -> Scalars:
        try:
            hash(args)
        except TypeError:  # such as a learning rate in an array
            return remembered.__wrapped__(*args)
        return remembered(*args)

    return scalars


# ----------------------------------------------------------------------------------------------------------- updates


class _Group(NamedTuple):
    """One parameter with its slots, and its gradient as kernels want it; checked."""

    targets: list[Array]
    gradient: Array

    def update(self, row: str, scalars: Scalars) -> None:
        if self.gradient.size == 0:
            return
        dtype = self.gradient.dtype
        buffers = [well_formed(np.asarray(target), dtype) for target in self.targets]
        p, g, *slots = (array.reshape(-1) for array in (buffers[0], self.gradient, *buffers[1:]))
        current().optimizer_update(row, p, g, tuple(slots), scalars)
        for target, buffer in zip(self.targets, buffers, strict=True):
            if buffer is not target and not np.may_share_memory(target, buffer):
                target[...] = buffer


def _checked(op: str, arrays: Mapping[str, Any]) -> _Group:
    """The group of p, g and slots, in that order, or an error."""
    p, g, *slots = arrays.values()
    if independent([p, g, *slots]):
        return _Group([p, *slots], g)
    (p_name, _), (g_name, _), *_ = arrays.items()
    writable(op, p_name, p, None, None)
    for name, array in arrays.items():
        if name != p_name and name != g_name:
            writable(op, name, array, p.shape, p.dtype)
    gradient = as_array(op, g_name, g)
    if gradient.shape != p.shape:
        raise ValueError(f"{op}: {g_name} must have shape {p.shape}. {received(**{g_name: gradient})}")
    for (name, one), (other, two) in combinations({**arrays, g_name: gradient}.items(), 2):
        if overlapping(one, two):
            raise ValueError(f"{op}: the arrays must not share memory. Received: {name} and {other} that do")
    return _Group([p, *slots], well_formed(gradient, p.dtype))


def _one(op: str, row: str, scalars: Scalars, **arrays: Any) -> None:
    _checked(op, arrays).update(row, scalars)


def _many(op: str, row: str, scalars: Scalars, **collections: Any) -> None:
    """Everything is checked before anything is updated."""
    groups = [_checked(op, arrays) for arrays in _aligned(op, collections)]
    for group in groups:
        group.update(row, scalars)


def _aligned(op: str, collections: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The arrays that belong together, named for messages: `p['W1']`, `p[0]`."""
    keys: list[list[Any]] = []
    for name, collection in collections.items():
        if isinstance(collection, Mapping):
            keys.append(list(collection))
        elif isinstance(collection, (list, tuple)):
            keys.append(list(range(len(collection))))
        else:
            raise TypeError(f"{op}: {name} must be a dict, list or tuple of arrays. Received: {describe(collection)}")
        if set(keys[-1]) != set(keys[0]):
            raise ValueError(
                f"{op}: all collections must have the same keys, or one length. "
                f"Received: {next(iter(collections))} with {keys[0]}, {name} with {keys[-1]}"
            )
    return [{f"{name}[{key!r}]": c[key] for name, c in collections.items()} for key in keys[0]]


# -------------------------------------------------------------------------------------------------------- generation

SHORT_CUTS = {_one: _native.fast.update, _many: _native.fast.update_many}
SLOT_TEXT = "{slot} : array, shape and dtype of p\n    Kept from step to step, zeros at first; changed in place."
ARRAYS = """\
p : array of float32 or float64, any shape and layout
    Parameter; changed in place.
g : array, shape of p
    Gradient; converted to the dtype of p."""
COLLECTIONS = """\
{names} : dicts with the same keys, or lists or tuples of one length
    The arrays of all parameters, as `{one}` takes them for one. All are checked before any is changed."""
RAISES = """\
TypeError
    An array that is to be changed is no NumPy array of float32 or float64, or their dtypes differ.
ValueError
    Shapes differ, an array is read-only or shares memory with another, or a scalar is out of its range."""


def _sample(slots: Sequence[str], scalars: Sequence[str], many: bool) -> Callable[..., Arguments]:
    usual = {"t": 3, "b1": 0.9, "b2": 0.999, "a": 0.001, "s": 1.0, "eps": 1e-7}

    def sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
        arrays = [rng.normal(size=(2, *shape)), rng.normal(size=(2, *shape)), *rng.random((len(slots), 2, *shape))]
        ready = [list(a.astype(dtype)) if many else a[0].astype(dtype) for a in arrays]
        return Arguments((*ready, *(usual.get(name, 0.01) for name in scalars)), {})

    return sample


def _from_table(names: Sequence[str]) -> Callable[..., Scalars]:
    """Arguments of a row that has no function of its own: its scalars."""
    source = ", ".join(f"number(op, {name!r}, {name})" for name in names)
    typed = "".join(f", {name}: float" for name in names)
    scalars: Callable[..., Scalars] = _generate.define(
        "scalars", f"op: str{typed}", [f"return (1.0, 0.0, 0.0, {source})"], {}, ""
    )
    return scalars


def _signature(scalars: Callable[..., Scalars]) -> tuple[list[str], str]:
    """Names and text of the arguments after the arrays."""
    _, *arguments = inspect.signature(scalars).parameters.values()
    defaults = ["" if a.default is a.empty else f" = {a.default!r}" for a in arguments]
    text = "".join(f", {a.name}: {a.annotation}{default}" for a, default in zip(arguments, defaults, strict=True))
    return [a.name for a in arguments], text


def _documentation_of(
    op: str, row: str, slots: Sequence[str], scalars: Callable[..., Scalars], names: Sequence[str]
) -> str:
    source = getattr(reference, row)
    head, sections = _documentation.parse(source.__doc__)
    own = _documentation.parse(scalars.__doc__)[1].get("Parameters", "")
    texts = [ARRAYS, *(SLOT_TEXT.format(slot=slot) for slot in slots)]
    if not own:
        described = _documentation.entries(sections["Parameters"])
        own = "\n".join(text for key, text in described.items() if set(key.split(", ")) & set(names))
    if op.endswith("_many"):
        one = f"{op.removesuffix('many')}"
        head = f"`{one}` for many parameters in one call.\n\n" + head.partition("\n\n")[2]
        texts = [COLLECTIONS.format(names=", ".join(["p", "g", *slots]), one=one)]
    sections |= {"Parameters": "\n".join([*texts, own]), "Returns": "None", "Raises": RAISES}
    return _documentation.render(head, sections)


def _define(name: str, row: str, slots: Sequence[str], scalars: Callable[..., Scalars]) -> None:
    names, text = _signature(scalars)
    position = [row for row, *_ in _native.tables()["optimizers"]].index(row)
    arrays = ["p", "g", *slots]
    for op, general, kind in ((f"{name}_", _one, "NDArray[Any]"), (f"{name}_many", _many, "Any")):
        typed = ", ".join(f"{array}: {kind if array != 'g' else 'Any'}" for array in arrays)
        function = _generate.define(
            op,
            typed + text,
            [
                f"values = scalars({', '.join([repr(op), *names])})",
                f"if current() is not NATIVE or not fast({position}, values, ({', '.join(arrays)})):",
                f"    general({op!r}, {row!r}, values, " + ", ".join(f"{array}={array}" for array in arrays) + ")",
            ],
            {"general": general, "fast": SHORT_CUTS[general], "scalars": _cached(scalars), "current": current,
             "NATIVE": NATIVE},
            _documentation_of(op, row, slots, scalars, names),
            returns="None",
        )  # fmt: skip
        required = [n for n, p in inspect.signature(scalars).parameters.items() if p.default is p.empty and n != "op"]
        functions[op] = operation(
            "optimizer", _sample(slots, required, general is _many), row=row,
            reference=getattr(reference, row), writes=("p", *slots),
        )(function)  # fmt: skip


def _define_all() -> None:
    table = {row: (slots, names) for row, slots, names in _native.tables()["optimizers"]}
    twins(reference, *table)
    for row, (slots, names) in table.items():
        _define(row, row, slots, ARGUMENTS.get(row) or _from_table(names))
    for name, (row, scalars) in VARIANTS.items():
        _define(name, row, table[row][0], scalars)


_define_all()
