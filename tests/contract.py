"""What the contract tests of fastnn.ops share: groups of operations, and calls whose results can be compared."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import re

import numpy as np
import pytest

from fastnn import _native
from fastnn.ops.registry import Arguments, operations, sample_arguments

OPERATIONS = operations()
IN_PLACE = [op for op in OPERATIONS if op.writes]
PURE = [op for op in OPERATIONS if not op.writes]
SEVERAL_OUTS = {name: len(inputs) for name, _, inputs, _ in _native.tables()["row_losses"] if len(inputs) > 1}


def one_out(op, place, count):
    """A function whose `out` is a tuple as one whose `out` is that part of it."""

    def function(*args, out=None, **kwargs):
        outs = None if out is None else tuple(out if i == place else None for i in range(count))
        return op.function(*args, **kwargs, out=outs)

    function.__signature__ = inspect.signature(op.function)
    return dataclasses.replace(op, name=f"{op.name}[{place}]", function=function)


WITH_OUT = [
    one
    for op in PURE
    if op.takes_out
    for one in ([one_out(op, i, SEVERAL_OUTS[op.row]) for i in range(SEVERAL_OUTS[op.row])] if op.row in SEVERAL_OUTS
                else [op])
]  # fmt: skip
OF_COLLECTIONS = [op for op in OPERATIONS if isinstance(sample_arguments(op, (2, 2)).args[0], list)]
ONE_IN_PLACE = [op for op in IN_PLACE if op not in OF_COLLECTIONS]
ELEMENTWISE = [op for op in PURE if op.kind.startswith("activation")]
DTYPES = (np.float32, np.float64)
RECEIVED = re.compile(r"Received: .+", re.DOTALL)


def parametrize(chosen):
    return pytest.mark.parametrize("op", chosen, ids=lambda op: op.name)


def flatten(value):
    """The arrays and numbers of a result, without the Nones."""
    if value is None:
        return []
    if isinstance(value, dict):
        return flatten(list(value.values()))
    if isinstance(value, (tuple, list)):
        return [item for part in value for item in flatten(part)]
    return [value]


def run(op, arguments):
    """Everything a call computes: its results, or the arrays that it changed."""
    args, kwargs = copy.deepcopy(arguments.args), dict(arguments.kwargs)
    result = op.function(*args, **kwargs)
    if not op.writes:
        return [np.asarray(item) for item in flatten(result)]
    assert_tells_at_most_the_norm(op, result)
    names = inspect.signature(op.function).parameters
    return [
        np.asarray(item) for name, arg in zip(names, args, strict=False) if name in op.writes for item in flatten(arg)
    ]


def assert_tells_at_most_the_norm(op, result):
    """Functions that work in place return nothing, or the norm by which they clipped."""
    assert type(result) is (float if op.name.endswith("norm_") else type(None))


def is_real_array(value):
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def replaced(arguments, position, value):
    args = list(arguments.args)
    args[position] = value
    return Arguments(tuple(args), dict(arguments.kwargs))


def array_positions(arguments):
    return [i for i, value in enumerate(arguments.args) if is_real_array(value)]


def assert_close(actual, expected, dtype, ulps=8, least=0.0):
    """Equal up to a few roundings in dtype of the result, of the largest number in it, or of `least`."""
    eps = np.finfo(dtype).eps
    for one, two in zip(actual, expected, strict=True):
        assert one.shape == two.shape
        assert one.dtype == two.dtype
        if one.dtype.kind != "f":
            np.testing.assert_array_equal(one, two)
            continue
        largest = float(np.max(np.abs(two), initial=least))
        np.testing.assert_allclose(one, two, rtol=ulps * eps, atol=ulps * eps * largest / 4)


def assert_same_bits(actual, expected):
    for one, two in zip(actual, expected, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two, strict=True)
