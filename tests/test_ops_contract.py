"""What every function of fastnn.ops promises, asked of all of them through the registry.

Arguments come from `registry.sample_arguments`; nothing here knows a formula.  Memory layouts and `out` are the subject
of test_ops_memory.py, values that of test_ops.py and its neighbours.
"""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import warnings

import numpy as np
import pytest
from contract import (
    DTYPES,
    ELEMENTWISE,
    OF_COLLECTIONS,
    OPERATIONS,
    PURE,
    RECEIVED,
    array_positions,
    assert_close,
    assert_same_bits,
    flatten,
    parametrize,
    replaced,
    run,
)

import fastnn
from fastnn import ops
from fastnn.ops import initializers
from fastnn.ops.registry import KINDS, find, operations, sample_arguments
from fastnn.testing import layouts, max_ulp, special_values

# ----------------------------------------------------------------------------------------------- names and documents


def test_registry_and_package_agree():
    assert {op.name for op in OPERATIONS} == set(ops.__all__) - {"registry", *initializers.__all__}
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
    # an update rounds what it starts from, which may be larger than what it ends with
    start = max(float(np.abs(array).max()) for array in flatten(arguments.args[0])) if op.writes else 0.0
    # and exp magnifies the rounding of the logarithms, up to a hundred, in which ctc adds up its paths
    # and a recurrence passes its rounding on from step to step, and circle multiplies it by gamma, 80, before exp
    ulps = 1024 if op.row == "ctc" else 64 if op.kind == "recurrent" or op.row == "circle" else 8
    assert_close(native, reference, dtype, ulps=ulps, least=start)


@parametrize([op for op in ELEMENTWISE if op.kind == "activation"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_activations_within_four_ulp(op, dtype):
    x = np.linspace(-30, 30, 20001).astype(dtype)
    with fastnn.use_backend("reference"):
        expected = op.function(x)
    actual = op.function(x)
    normal = np.abs(expected) >= np.finfo(dtype).tiny
    if op.name == "soft_exponential":  # near its zero a difference of terms as large as alpha = 1/2: ULP of those
        near = np.abs(expected) < 0.25
        assert np.abs(actual - expected)[near].max() <= 4 * np.spacing(dtype(0.5))
        normal &= ~near
    assert max_ulp(actual[normal], expected[normal]) <= 4


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


# vectors of any length may be embedded
ANY_SHAPE = ("random_bits", "embedding", "embedding_backward")


@parametrize([op for op in OPERATIONS if op.name not in ANY_SHAPE and op not in OF_COLLECTIONS])
def test_shapes_that_differ_are_refused(op):
    arguments = sample_arguments(op, (4, 3), np.float32)
    positions = array_positions(arguments)
    arrays = [i for i, arg in enumerate(arguments.args) if isinstance(arg, np.ndarray)]
    for position in positions if len(arrays) > 1 else []:
        array = arguments.args[position]
        bad = np.ones((*array.shape[:-1], array.shape[-1] + 1), np.float32)
        if (
            op.name in ("matmul", "attention")
            or "targets" in inspect.signature(op.function).parameters
            or op.row == "circle"
        ):  # more classes, or values, would be fine
            bad = np.ones((array.shape[0] + 1, array.shape[1] + 2, *array.shape[2:]), np.float32)
        with pytest.raises(ValueError, match=RECEIVED):
            op.function(*replaced(arguments, position, bad).args, **arguments.kwargs)


def optional(op, position):
    """Whether an argument may be None: biases, initial states, one of two gradients."""
    parameter = list(inspect.signature(op.function).parameters.values())[position]
    return parameter.default is None or "None" in str(parameter.annotation)


@parametrize(OPERATIONS)
def test_none_and_strings_are_refused(op):
    arguments = sample_arguments(op, (4, 3), np.float32)
    for position in array_positions(arguments):
        for bad in (None, "relu", object()):
            if bad is None and optional(op, position):
                continue
            with pytest.raises(TypeError, match=RECEIVED):
                op.function(*replaced(arguments, position, bad).args, **arguments.kwargs)


@parametrize([op for op in OPERATIONS if op.params])
def test_parameters_are_checked(op):
    arguments = sample_arguments(op, (4, 3), np.float32)
    for parameter in op.params:
        for bad in ("1", None, [1.0, 2.0]):
            with pytest.raises(TypeError, match=rf"{parameter.name} must be a real number. Received: "):
                op.function(*arguments.args, **{**arguments.kwargs, parameter.name: bad})
        if parameter.constraint:
            for bad in (-1.0, np.nan, -1):
                with pytest.raises(ValueError, match=rf"{parameter.name} must be {parameter.constraint}.*Received: "):
                    op.function(*arguments.args, **{**arguments.kwargs, parameter.name: bad})
        allowed = 0 if ">= 0" in parameter.constraint or not parameter.constraint else 1
        as_int = op.function(*arguments.args, **{**arguments.kwargs, parameter.name: allowed})
        as_float = op.function(*arguments.args, **{**arguments.kwargs, parameter.name: float(allowed)})
        assert_same_bits([np.asarray(r) for r in flatten(as_int)], [np.asarray(r) for r in flatten(as_float)])
