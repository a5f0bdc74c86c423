"""Optimizer steps on arrays, in place: for one parameter (`sgd_`, `adam_`, ...) or many (`sgd_many`, `adam_many`, ...).

The functions are generated for every row of src_c/optimizers.def: first the arrays (parameter, gradient, slots), then
the arguments of the row's function in _optimizer_arguments, which turns them into the scalars of the step.  A row
without one takes its scalars as they stand in the table.

The arrays that change are written where they are, in whatever layout, because layers hold views of them.  So they must
be writable NumPy arrays of float32 or float64, of one dtype and shape; the gradient is converted to that dtype.
Refused: everything that could not be updated in place, and arrays that share memory.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn import _native
from fastnn.backend import NATIVE, current
from fastnn.ops import _documentation, _generate
from fastnn.ops._check import as_array, describe, independent, number, overlapping, received, well_formed, writable
from fastnn.ops._optimizer_arguments import ARGUMENTS, NOTHING_COMMON, VARIANTS
from fastnn.ops.registry import Arguments, operation, twins
from fastnn.reference import optimizers as reference

Array = NDArray[Any]
Scalars = tuple[float, ...]

functions: dict[str, Callable[..., Any]] = {}
SGD = [row for row, *_ in _native.tables()["optimizers"]].index("sgd")


def _cached(function: Callable[..., Scalars]) -> Callable[..., Scalars]:
    """Remember the scalars of a step: the arrays of one model are all updated with the same ones.

    Those of the last step are found without looking at their values; those before it, by their values.
    """

    @lru_cache(maxsize=128)
    def remembered(*args: Any) -> Scalars:
        return tuple(float(value) for value in function(*args))

    def scalars(*args: Any) -> Scalars:
        try:
            hash(args)
        except TypeError:  # such as a learning rate in an array
            return remembered.__wrapped__(*args)
        return remembered(*args)

    return _native.fast.Remembered(scalars)


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


# --------------------------------------------------------------------------------------------- Nesterov's look-ahead


@_cached
def _shift(op: str, mu: float) -> Scalars:
    """p + mu * v is gradient descent along v."""
    return (*NOTHING_COMMON, -number(op, "mu", mu, "> -inf and < inf"))


def look_ahead_(p: NDArray[Any], v: NDArray[Any], mu: float = 0.9) -> None:
    """Move a parameter to where its velocity leads, before the gradient is taken there.

    ``p <- p + mu * v``

    With `nesterov_` this is Nesterov's method as the papers write it, for code that evaluates gradients itself::

        look_ahead_(p, v, mu)
        nesterov_(p, gradient(p), v, lr, mu, form="look_ahead")

    Parameters
    ----------
    p : array of float32 or float64, any shape and layout
        Parameter; changed in place.
    v : array, shape of p
        Velocity; converted to the dtype of p.
    mu : float
        Momentum; ``-mu`` takes the move back.

    Returns
    -------
    None

    Raises
    ------
    TypeError
        p is no NumPy array of float32 or float64, or v does not hold real numbers.
    ValueError
        Shapes differ, p is read-only or shares memory with v, or mu is not finite.

    Notes
    -----
    Keras and PyTorch keep the point that looks ahead as the parameter instead, ``form="inside"`` and ``"outside"``
    of `nesterov_`: the same path, seen mu * v further on.

    References
    ----------
    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning", ICML
    2013.
    """
    values = _shift("look_ahead_", mu)
    if current() is not NATIVE or not _native.fast.update(SGD, values, (p, v)):
        _one("look_ahead_", "sgd", values, p=p, v=v)


def look_ahead_many(p: Any, v: Any, mu: float = 0.9) -> None:
    """`look_ahead_` for many parameters in one call.

    ``p <- p + mu * v``

    Parameters
    ----------
    p, v : dicts with the same keys, or lists or tuples of one length
        The arrays of all parameters, as `look_ahead_` takes them for one. All are checked before any is changed.
    mu : float
        As in `look_ahead_`.

    Returns
    -------
    None

    Raises
    ------
    TypeError, ValueError
        As in `look_ahead_`, and if keys or lengths differ.

    Notes
    -----
    Checked as a whole: nothing is moved if anything is wrong.
    """
    values = _shift("look_ahead_many", mu)
    if current() is not NATIVE or not _native.fast.update_many(SGD, values, (p, v)):
        _many("look_ahead_many", "sgd", values, p=p, v=v)


# -------------------------------------------------------------------------------------------------------- generation

SHORT_CUTS = {_one: _native.fast.update, _many: _native.fast.update_many}
SLOT_TEXT = "\n    Kept from step to step; changed in place."
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


def _sample(slots: Sequence[str], scalars: Sequence[str], many: bool, **given: float) -> Callable[..., Arguments]:
    usual = {"t": 3, "b1": 0.9, "b2": 0.999, "a": 0.001, "s": 1.0, "eps": 1e-7, "power": 0.4}

    def sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
        arrays = [rng.normal(size=(2, *shape)), rng.normal(size=(2, *shape)), *rng.random((len(slots), 2, *shape))]
        if slots:
            arrays[2] += 2.0  # a mean square is not less than the square of a mean
        ready = [list(a.astype(dtype)) if many else a[0].astype(dtype) for a in arrays]
        return Arguments((*ready, *(usual.get(name, 0.01) for name in scalars)), dict(given))

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
    described = _documentation.entries(sections["Parameters"])
    texts = [ARRAYS, *(text + SLOT_TEXT for key, text in described.items() if set(key.split(", ")) & set(slots))]
    if not own:
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
    rate = {"lr": 0.5} if "lr" in names else {}
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
            "optimizer", _sample(slots, required, general is _many, **rate), row=row,
            reference=getattr(reference, row), writes=("p", *slots),
        )(function)  # fmt: skip


def _define_all() -> None:
    table = {row: (slots, names) for row, slots, names in _native.tables()["optimizers"]}
    twins(reference, *table)
    for row, (slots, names) in table.items():
        _define(row, row, slots, ARGUMENTS.get(row) or _from_table(names))
    for name, (row, scalars) in VARIANTS.items():
        _define(name, row, table[row][0], scalars)
    for function, many in ((look_ahead_, False), (look_ahead_many, True)):
        functions[function.__name__] = operation("optimizer", _sample((), (), many), writes=("p",))(function)


_define_all()
