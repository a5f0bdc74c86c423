"""Memory layouts, updates in place and `out` of every function of fastnn.ops."""

from __future__ import annotations

import copy
import inspect

import numpy as np
import pytest
from contract import (
    DTYPES,
    ELEMENTWISE,
    ONE_IN_PLACE,
    OPERATIONS,
    PURE,
    RECEIVED,
    WITH_OUT,
    array_positions,
    assert_close,
    assert_same_bits,
    assert_tells_at_most_the_norm,
    flatten,
    parametrize,
    replaced,
    run,
)

import fastnn
from fastnn.ops.registry import sample_arguments
from fastnn.reference import kernels as reference
from fastnn.testing import layouts

# ---------------------------------------------------------------------------------------------------------- layouts


@parametrize(PURE)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_layout_is_read(op, dtype, backend):
    arguments = sample_arguments(op, (6, 5), dtype)
    expected = run(op, arguments)
    for position in array_positions(arguments):
        for name, array in layouts(arguments.args[position]):
            actual = [
                np.asarray(r)
                for r in flatten(op.function(*replaced(arguments, position, array).args, **arguments.kwargs))
            ]
            if op.kind == "dense":  # a transposed matrix goes to BLAS as it is: another order of summation
                assert_close(actual, expected, dtype)
            else:
                assert_same_bits(actual, expected)
            assert array.flags.writeable == (name != "readonly")


@parametrize(ELEMENTWISE)
def test_sequences_are_read(op):
    arguments = sample_arguments(op, (3, 2), np.float64)
    lists = [arg.tolist() if isinstance(arg, np.ndarray) else arg for arg in arguments.args]
    assert_same_bits([op.function(*lists)], run(op, arguments))
    with pytest.raises(ValueError, match=RECEIVED):
        op.function(*[[[1.0], [1.0, 2.0]]] * len(lists))


@parametrize(ONE_IN_PLACE)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_writable_layout_is_updated_in_place(op, dtype, backend):
    arguments = sample_arguments(op, (6, 5), dtype)
    expected = run(op, arguments)
    names = list(inspect.signature(op.function).parameters)
    for position in array_positions(arguments):
        for layout, array in layouts(arguments.args[position]):
            fresh = replaced(copy.deepcopy(arguments), position, array)
            changed = names[position] in op.writes
            if changed and layout in ("byteswapped", "readonly"):
                with pytest.raises((TypeError, ValueError), match=RECEIVED):
                    op.function(*fresh.args, **fresh.kwargs)
                continue
            assert_tells_at_most_the_norm(op, op.function(*fresh.args, **fresh.kwargs))
            actual = [arg for name, arg in zip(names, fresh.args, strict=False) if name in op.writes]
            assert_same_bits(actual, expected)


@parametrize(ONE_IN_PLACE)
def test_what_cannot_be_updated_in_place_is_refused(op):
    arguments = sample_arguments(op, (4,), np.float32)
    names = list(inspect.signature(op.function).parameters)
    for position in array_positions(arguments):
        if names[position] not in op.writes:
            continue
        good = arguments.args[position]
        bad = [
            good.tolist(),
            good.astype(np.float16),
            good.astype(np.int64),
            np.broadcast_to(np.float32(1), (4,)),
            np.lib.stride_tricks.as_strided(good.copy(), (4,), (0,)),
            np.ma.masked_array(good),
        ]
        if position:
            bad += [
                good.astype(np.float64),
                good[:3],
                arguments.args[0],
                np.append(arguments.args[1], 0)[:4][::-1][::-1],
            ]
            bad[-1] = arguments.args[1]  # the gradient itself
        for value in bad:
            before = copy.deepcopy(arguments.args)
            with pytest.raises((TypeError, ValueError), match=RECEIVED):
                op.function(*replaced(arguments, position, value).args, **arguments.kwargs)
            for kept, original in zip(arguments.args, before, strict=True):
                np.testing.assert_array_equal(kept, original)


class Inspector:
    """A backend that computes as the reference does, after a look at the arrays it is given."""

    name = "inspector"

    def __init__(self):
        self.calls = 0

    def __getattr__(self, kernel):
        def inspect_and_run(*positional, **named):
            args = (*positional, *named.values())
            arrays = [
                a for arg in args for a in (arg if isinstance(arg, tuple) else [arg]) if isinstance(a, np.ndarray)
            ]
            for array in arrays:
                assert type(array) is np.ndarray
                assert array.flags.c_contiguous
                assert array.flags.aligned
                assert array.dtype.isnative
            assert len({array.dtype for array in arrays if array.dtype.kind == "f"} - {np.dtype(np.float64)}) <= 1
            self.calls += 1
            return getattr(reference, kernel)(*positional, **named)

        return inspect_and_run


@parametrize(OPERATIONS)
def test_kernels_see_well_formed_arrays_only(op, monkeypatch):
    inspector = Inspector()
    monkeypatch.setitem(fastnn.backend._BACKENDS, "inspector", inspector)
    arguments = sample_arguments(op, (6, 5), np.float32)
    with fastnn.use_backend("inspector"):
        op.function(*copy.deepcopy(arguments.args), **arguments.kwargs)
        for position in array_positions(arguments):
            for name, array in layouts(arguments.args[position]):
                fresh = replaced(copy.deepcopy(arguments), position, array)
                if not op.writes or name not in ("byteswapped", "readonly"):
                    op.function(*fresh.args, **fresh.kwargs)
                if op in WITH_OUT and name not in ("byteswapped", "readonly"):
                    out = dict(layouts(np.empty_like(main_result(op, arguments)[0])))[name]
                    op.function(*fresh.args, **fresh.kwargs, out=out)
    assert inspector.calls or op.name in ("clip_by_value_",)  # NumPy's own


# -------------------------------------------------------------------------------------------------------------- out


def main_result(op, arguments):
    """The result that goes to `out`: found by handing one in and looking for it."""
    plain = [np.asarray(item) for item in flatten(op.function(*arguments.args, **arguments.kwargs))]
    for expected in plain:
        if not expected.ndim:
            continue
        buffer = np.full(expected.shape, 9, expected.dtype)
        try:
            results = flatten(op.function(*arguments.args, **arguments.kwargs, out=buffer))
        except (TypeError, ValueError):
            continue
        for place, item in enumerate(results):
            if item is buffer:
                return plain[place], buffer
    raise AssertionError(f"{op.name} returns no array that it was given as out")


@parametrize(WITH_OUT)
@pytest.mark.parametrize("dtype", DTYPES)
def test_out_gets_the_result(op, dtype, backend):
    arguments = sample_arguments(op, (6, 5), dtype)
    expected, buffer = main_result(op, arguments)
    np.testing.assert_array_equal(buffer, expected)
    for name, out in layouts(np.zeros_like(expected)):
        if name in ("byteswapped", "readonly"):
            with pytest.raises((TypeError, ValueError), match=RECEIVED):
                op.function(*arguments.args, **arguments.kwargs, out=out)
        else:
            assert any(item is out for item in flatten(op.function(*arguments.args, **arguments.kwargs, out=out)))
            np.testing.assert_array_equal(out, expected)


@parametrize(WITH_OUT)
def test_out_of_another_kind_is_refused(op, backend):
    arguments = sample_arguments(op, (6, 5), np.float32)
    expected, _ = main_result(op, arguments)
    wrong = [
        np.empty(expected.shape, np.float64),
        np.empty(expected.shape, np.int32),
        np.empty((*expected.shape, 1), np.float32),
        np.empty(expected.size + 1, np.float32),
        expected.tolist(),
        np.ma.masked_array(expected),
    ]
    for out in wrong:
        with pytest.raises((TypeError, ValueError), match=RECEIVED):
            op.function(*arguments.args, **arguments.kwargs, out=out)


def refused(call):
    """Whether a call ends in a ValueError as it should read, after which nothing has changed."""
    try:
        call()
    except ValueError as error:
        return bool(RECEIVED.search(str(error)))
    return False


@parametrize(WITH_OUT)
@pytest.mark.parametrize("dtype", DTYPES)
def test_out_may_be_an_input_or_is_refused(op, dtype, backend):
    """Whatever is accepted is right; the first array of element-wise functions is accepted."""
    arguments = sample_arguments(op, (6, 6), dtype)
    expected, _ = main_result(op, arguments)
    for position in array_positions(arguments):
        args = copy.deepcopy(arguments.args)
        if args[position].shape != expected.shape:
            continue
        if refused(lambda: op.function(*args, **arguments.kwargs, out=args[position])):  # noqa: B023
            kept = op.kind in ("dense", "normalization")  # a cache keeps the input
            assert kept or position > 0 or op.name.endswith("]")
            np.testing.assert_array_equal(args[position], arguments.args[position])
        else:
            np.testing.assert_array_equal(args[position], expected)


@parametrize(WITH_OUT)
def test_out_must_not_overlap_otherwise(op, backend):
    arguments = sample_arguments(op, (6, 6), np.float32)
    expected, _ = main_result(op, arguments)
    for position in array_positions(arguments):
        array = arguments.args[position]
        flat = np.zeros(max(array.size, expected.size) + 1, np.float32)
        shifted, out = flat[: array.size].reshape(array.shape), flat[1 : expected.size + 1].reshape(expected.shape)
        shifted[...] = array
        with pytest.raises(ValueError, match=RECEIVED):
            op.function(*replaced(arguments, position, shifted).args, **arguments.kwargs, out=out)
        np.testing.assert_array_equal(shifted, array)


@parametrize(ELEMENTWISE)
def test_out_must_not_be_the_transposed_input(op, backend):
    arguments = sample_arguments(op, (4, 4), np.float32)
    with pytest.raises(ValueError, match=RECEIVED):
        op.function(*arguments.args, out=arguments.args[0].T)


@parametrize(ELEMENTWISE)
def test_interleaved_memory_does_not_overlap(op, backend):
    arguments = sample_arguments(op, (8,), np.float32)
    memory = np.zeros((8, 2), np.float32)
    memory[:, 0] = arguments.args[0]
    expected = op.function(*arguments.args)
    op.function(*replaced(arguments, 0, memory[:, 0]).args, out=memory[:, 1])
    np.testing.assert_array_equal(memory[:, 1], expected)
