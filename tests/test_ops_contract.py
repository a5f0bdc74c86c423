"""What every function of fastnn.ops promises, asked of all of them through the registry.

Arguments come from `registry.sample_arguments`; nothing here knows a formula.  Values are tested in test_ops.py, and
against gradients at the end.
"""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import warnings

import numpy as np
import pytest

import fastnn
from fastnn import ops
from fastnn.ops.registry import KINDS, Arguments, find, operations, sample_arguments
from fastnn.testing import layouts, max_ulp, special_values

OPERATIONS = operations()
IN_PLACE = [op for op in OPERATIONS if op.writes]
PURE = [op for op in OPERATIONS if not op.writes]
WITH_OUT = [op for op in PURE if op.takes_out]
ELEMENTWISE = [op for op in PURE if op.kind.startswith("activation")]
DTYPES = (np.float32, np.float64)
RECEIVED = re.compile(r"Received: .+", re.DOTALL)


def parametrize(chosen):
    return pytest.mark.parametrize("op", chosen, ids=lambda op: op.name)


def flatten(value):
    """The arrays and numbers of a result, without the Nones."""
    if value is None:
        return []
    if isinstance(value, (tuple, list)):
        return [item for part in value for item in flatten(part)]
    return [value]


def run(op, arguments):
    """Everything a call computes: its results, or the arrays that it changed."""
    args, kwargs = copy.deepcopy(arguments.args), dict(arguments.kwargs)
    result = op.function(*args, **kwargs)
    if not op.writes:
        return [np.asarray(item) for item in flatten(result)]
    assert result is None
    names = inspect.signature(op.function).parameters
    return [
        np.asarray(item) for name, arg in zip(names, args, strict=False) if name in op.writes for item in flatten(arg)
    ]


def is_real_array(value):
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def replaced(arguments, position, value):
    args = list(arguments.args)
    args[position] = value
    return Arguments(tuple(args), dict(arguments.kwargs))


def array_positions(arguments):
    return [i for i, value in enumerate(arguments.args) if is_real_array(value)]


def assert_close(actual, expected, dtype, ulps=8):
    """Equal up to a few roundings in dtype of the result or of the largest number in it."""
    eps = np.finfo(dtype).eps
    for one, two in zip(actual, expected, strict=True):
        assert one.shape == two.shape
        assert one.dtype == two.dtype
        if one.dtype.kind != "f":
            np.testing.assert_array_equal(one, two)
            continue
        largest = float(np.max(np.abs(two), initial=0))
        np.testing.assert_allclose(one, two, rtol=ulps * eps, atol=ulps * eps * largest / 4)


def assert_same_bits(actual, expected):
    for one, two in zip(actual, expected, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two, strict=True)


# ----------------------------------------------------------------------------------------------- names and documents


def test_registry_and_package_agree():
    assert {op.name for op in OPERATIONS} == set(ops.__all__) - {"registry"}
    assert all(getattr(ops, op.name) is op.function for op in OPERATIONS)
    assert {op.kind for op in OPERATIONS} == set(KINDS)


def test_unknown_names_in_the_registry():
    with pytest.raises(ValueError, match=r"Did you mean 'relu'.*Received: 'rleu'"):
        find("rleu")
    with pytest.raises(ValueError, match="Received: 'los'"):
        operations("los")


@parametrize(OPERATIONS)
def test_pickles(op):
    assert pickle.loads(pickle.dumps(op.function)) is op.function


@parametrize(OPERATIONS)
def test_signature_and_docstring(op):
    signature = inspect.signature(op.function)
    doc = inspect.getdoc(op.function)
    summary, blank, *_ = doc.splitlines()
    assert summary.endswith(".")
    assert blank == ""
    for heading in ("Parameters", "Returns", "Raises"):
        assert f"\n{heading}\n{'-' * len(heading)}\n" in doc
    described = re.search(r"Parameters\n-+\n(.*?)\n\n[A-Z]\w+\n-+\n", doc, re.DOTALL)[1]
    for name, parameter in signature.parameters.items():
        assert re.search(rf"^([\w, ]+, )?{name}\b", described, re.MULTILINE), f"{name} is not described"
        assert parameter.annotation is not parameter.empty
    assert signature.return_annotation is not signature.empty


@parametrize([op for op in OPERATIONS if op.backward])
def test_backward_operations_exist(op):
    assert find(op.backward).kind in (op.kind, f"{op.kind}_backward")


# ----------------------------------------------------------------------------------------------------- two backends


@parametrize(OPERATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(32, 64), (5, 3), (1, 1), (2, 3, 17)])
def test_native_is_the_reference(op, dtype, shape):
    arguments = sample_arguments(op, shape, dtype, rng=3)
    native = run(op, arguments)
    with fastnn.use_backend("reference"):
        reference = run(op, arguments)
    assert_close(native, reference, dtype)


@parametrize([op for op in ELEMENTWISE if op.kind == "activation"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_activations_within_four_ulp(op, dtype):
    x = np.linspace(-30, 30, 20001).astype(dtype)
    with fastnn.use_backend("reference"):
        expected = op.function(x)
    normal = np.abs(expected) >= np.finfo(dtype).tiny
    assert max_ulp(op.function(x)[normal], expected[normal]) <= 4


@parametrize(OPERATIONS)
def test_calls_are_repeatable_and_leave_their_inputs_alone(op, backend):
    arguments = sample_arguments(op, (16, 8), np.float32)
    before = copy.deepcopy(arguments)
    first = run(op, arguments)
    if not op.writes:
        op.function(*arguments.args, **arguments.kwargs)
    for kept, original in zip(flatten(list(arguments.args)), flatten(list(before.args)), strict=True):
        np.testing.assert_array_equal(kept, original)
    assert_same_bits(run(op, arguments), first)


@parametrize(OPERATIONS)
def test_bits_do_not_depend_on_the_threads(op):
    arguments = sample_arguments(op, (1400, 128), np.float32)
    with fastnn.num_threads(1):
        serial = run(op, arguments)
    with fastnn.num_threads(2):
        assert_same_bits(run(op, arguments), serial)


# --------------------------------------------------------------------------------------------- dtypes and scalars

CONVERSIONS = {
    np.float32: [np.bool_, np.int8, np.int16, np.uint8, np.uint16, np.float16],
    np.float64: [np.int32, np.int64, np.uint32, np.uint64],
}


@parametrize(ELEMENTWISE)
@pytest.mark.parametrize(("result", "given"), [(r, g) for r, given in CONVERSIONS.items() for g in given])
def test_other_dtypes_are_converted(op, result, given, backend):
    x = np.array([[0, 1, 1], [1, 0, 1]]).astype(given)
    args = [x] * len(array_positions(sample_arguments(op)))
    actual = op.function(*args)
    assert actual.dtype == result
    np.testing.assert_array_equal(actual, op.function(*(arg.astype(result) for arg in args)))


@parametrize(PURE)
def test_the_widest_array_decides(op):
    small = sample_arguments(op, (4, 3), np.float32)
    for position in array_positions(small):
        mixed = replaced(small, position, small.args[position].astype(np.float64))
        results = [r for r in run(op, mixed) if r.dtype.kind == "f" and r.ndim]
        assert all(result.dtype == np.float64 for result in results)


@parametrize(OPERATIONS)
@pytest.mark.parametrize("dtype", ["complex64", "longdouble", "object", "U3", "datetime64[s]"])
def test_what_is_no_real_number_is_refused(op, dtype):
    arguments = sample_arguments(op, (4, 3), np.float32)
    if dtype == "longdouble" and np.dtype(dtype).itemsize == 8:
        pytest.skip("longdouble is float64 here")
    for position in array_positions(arguments):
        bad = np.zeros(arguments.args[position].shape, dtype)
        with pytest.raises(TypeError, match=RECEIVED):
            op.function(*replaced(arguments, position, bad).args, **arguments.kwargs)


@parametrize(PURE)
def test_masked_arrays_are_refused(op):
    arguments = sample_arguments(op, (4, 3), np.float32)
    for position in array_positions(arguments):
        masked = np.ma.masked_array(arguments.args[position])
        with pytest.raises(TypeError, match=r"masked array.*Received: "):
            op.function(*replaced(arguments, position, masked).args, **arguments.kwargs)


@parametrize(ELEMENTWISE)
@pytest.mark.parametrize(
    ("scalar", "dtype"),
    [(0.5, np.float64), (1, np.float64), (True, np.float32), (np.float32(0.5), np.float32), (np.int8(1), np.float32)],
)
def test_scalars_in_scalars_out(op, scalar, dtype, backend):
    count = len(array_positions(sample_arguments(op)))
    result = op.function(*[scalar] * count)
    assert isinstance(result, np.generic)
    assert result.dtype == dtype
    expected = op.function(*[np.array([scalar], dtype)] * count)
    np.testing.assert_array_equal([result], expected, strict=True)


@parametrize([op for op in ELEMENTWISE if op.kind == "activation_backward"])
@pytest.mark.parametrize("scalar", [1, 1.0, np.float64(1.0), True])
def test_scalars_never_widen(op, scalar, backend):
    kept = sample_arguments(op, (7,), np.float32).args[1]
    result = op.function(scalar, kept)
    assert_same_bits([result], [op.function(np.ones(7, np.float32), kept)])


@parametrize(ELEMENTWISE)
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (2, 0, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_zero_dimensions_and_zero_size(op, shape, dtype, backend):
    args = [np.ones(shape, dtype)] * len(array_positions(sample_arguments(op)))
    result = op.function(*args)
    assert np.shape(result) == shape
    assert result.dtype == (np.float32 if dtype == np.int16 else dtype)
    out = np.empty(shape, result.dtype)
    assert op.function(*args, out=out) is out
    np.testing.assert_array_equal(out, result)


@parametrize([op for op in PURE if op.kind in ("rows", "dense", "random", "loss") and op.name != "random_bits"])
def test_no_samples(op, backend):
    arguments = sample_arguments(op, (2, 3), np.float32)
    args = [arg[:0] if isinstance(arg, np.ndarray) and len(arg) == 2 else arg for arg in arguments.args]
    for item in flatten(op.function(*args, **arguments.kwargs)):
        assert np.ndim(item) == 0 or np.shape(item)[0] in (0, 3)
        assert np.all(np.asarray(item) == 0)


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


@parametrize([op for op in IN_PLACE if not op.name.endswith("_many")])
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
            assert op.function(*fresh.args, **fresh.kwargs) is None
            actual = [arg for name, arg in zip(names, fresh.args, strict=False) if name in op.writes]
            assert_same_bits(actual, expected)


@parametrize([op for op in IN_PLACE if not op.name.endswith("_many")])
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
        if any(item is buffer for item in results):
            return expected, buffer
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
            assert op.kind == "dense" or position > 0
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
def test_interleaved_memory_does_not_overlap(op, backend):
    arguments = sample_arguments(op, (8,), np.float32)
    memory = np.zeros((8, 2), np.float32)
    memory[:, 0] = arguments.args[0]
    expected = op.function(*arguments.args)
    op.function(*replaced(arguments, 0, memory[:, 0]).args, out=memory[:, 1])
    np.testing.assert_array_equal(memory[:, 1], expected)


# ------------------------------------------------------------------------------------------------- warnings, errors


@parametrize(OPERATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["contiguous", "strided"])
def test_no_warnings(op, dtype, layout, backend):
    special = special_values(dtype)
    arguments = sample_arguments(op, (4, special.size), dtype)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for position in array_positions(arguments):
            array = np.resize(special, arguments.args[position].shape)
            array = dict(layouts(array))[layout]
            run(op, replaced(arguments, position, array))


@parametrize([op for op in OPERATIONS if op.name != "random_bits" and not op.name.endswith("_many")])
def test_shapes_that_differ_are_refused(op):
    arguments = sample_arguments(op, (4, 3), np.float32)
    positions = array_positions(arguments)
    arrays = [i for i, arg in enumerate(arguments.args) if isinstance(arg, np.ndarray)]
    for position in positions if len(arrays) > 1 else []:
        array = arguments.args[position]
        bad = np.ones((*array.shape[:-1], array.shape[-1] + 1), np.float32)
        if op.name in ("cross_entropy", "matmul") or "softmax_cross" in op.name or op.name.startswith("cross_entropy"):
            bad = np.ones((array.shape[0] + 1, array.shape[1] + 2), np.float32)
        with pytest.raises(ValueError, match=RECEIVED):
            op.function(*replaced(arguments, position, bad).args, **arguments.kwargs)


@parametrize(OPERATIONS)
def test_none_and_strings_are_refused(op):
    arguments = sample_arguments(op, (4, 3), np.float32)
    for position in array_positions(arguments):
        for bad in (None, "relu", object()):
            if op.name == "affine" and position == 2 and bad is None:
                continue
            with pytest.raises(TypeError, match=RECEIVED):
                op.function(*replaced(arguments, position, bad).args, **arguments.kwargs)


@parametrize([op for op in OPERATIONS if op.params])
def test_parameters_are_checked(op):
    arguments = sample_arguments(op, (4, 3), np.float32)
    for parameter in op.params:
        for bad in ("1", None, [1.0, 2.0]):
            with pytest.raises(TypeError, match=rf"{parameter.name} must be a real number. Received: "):
                op.function(*arguments.args, **arguments.kwargs, **{parameter.name: bad})
        if parameter.constraint:
            for bad in (-1.0, np.nan, -1):
                with pytest.raises(ValueError, match=rf"{parameter.name} must be >= 0.*Received: "):
                    op.function(*arguments.args, **arguments.kwargs, **{parameter.name: bad})
        as_int = op.function(*arguments.args, **arguments.kwargs, **{parameter.name: 0})
        as_float = op.function(*arguments.args, **arguments.kwargs, **{parameter.name: 0.0})
        assert_same_bits([np.asarray(r) for r in flatten(as_int)], [np.asarray(r) for r in flatten(as_float)])
