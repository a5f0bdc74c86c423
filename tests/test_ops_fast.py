"""The short cuts of fastnn.ops for small calls: they are taken, they compute what the general path computes, and what
they decline is decided there.

That every layout gives the bits of contiguous arrays is tested in test_ops_memory.py: there one side is the short cut,
the other the general path.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
from contract import (
    DTYPES,
    OF_COLLECTIONS,
    OPERATIONS,
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
from fastnn import _native, ops
from fastnn.ops.registry import sample_arguments

# These have no short cuts: what draws random numbers other than dropout and rrelu, losses that compare rows with each
# other or with sequences, optimizers that look at whole tensors.
GENERAL = {"random_bits", "gumbel_softmax", "circle", "ctc_loss", "lamb_", "lars_", "adafactor_", "muon_"}
GENERAL |= {f"{name}{suffix}" for name in GENERAL for suffix in ("_backward", "_with_grad")}
WITHOUT = ("convolution", "pooling", "normalization", "recurrent", "attention")
FAST = [op for op in OPERATIONS if op.name not in GENERAL and op.kind not in WITHOUT]


@pytest.fixture
def no_general_path(monkeypatch):
    """Every kernel of the protocol fails: only short cuts, which call compiled code directly, can compute."""

    def fail(*args):
        raise AssertionError("the general path was taken")

    for name in _native.kernels.__all__:
        if name not in ("name", "Program"):
            monkeypatch.setattr(_native.kernels, name, fail)


@pytest.fixture
def no_short_cuts(monkeypatch):
    """A backend that is the native one, but not the same object: the short cuts look for the very object."""

    class Native:
        def __getattr__(self, name):
            return getattr(_native.kernels, name)

    monkeypatch.setitem(fastnn.backend._BACKENDS, "general", Native())
    return fastnn.use_backend("general")


@parametrize(FAST)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(8, 8), (300, 3)])
def test_simple_calls_take_the_short_cut(op, dtype, shape, no_general_path):
    run(op, sample_arguments(op, shape, dtype))


@parametrize(FAST)
def test_calls_pay_for_no_closure(op):
    """What a nested function shares is allocated in every call: the general path has functions of its own."""
    assert op.function.__code__.co_cellvars == ()


@parametrize(FAST)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (300, 3), (5, 1000), (2, 3, 4)])
def test_short_cuts_compute_what_the_general_path_computes(op, dtype, shape, no_short_cuts):
    arguments = sample_arguments(op, shape, dtype)
    with no_short_cuts:
        expected = run(op, arguments)
    with fastnn.use_backend("native"):
        actual = run(op, arguments)
    assert_same_bits(actual, expected)


def outcome(function, arguments):
    """What a call does: results and changed arguments, or the error."""
    args, kwargs = copy.deepcopy((arguments.args, arguments.kwargs))
    try:
        return [*flatten(function(*args, **kwargs)), *flatten(args), *flatten(list(kwargs.values()))]
    except Exception as error:
        return type(error), str(error)


def alternatives(array, other):
    """Values in the place of an array: another dtype, shape, layout or kind."""
    readonly = array.copy()
    readonly.flags.writeable = False
    return (
        array.astype(other), array[:-1], array[:0], array[..., :-1], array[np.newaxis], array.ravel(), array[0],
        np.asfortranarray(array), array[::-1], array.astype(">f4"), readonly, array.tolist(), array.ravel()[0],
        np.ma.masked_array(array), array.astype(int), array.astype(complex), None,
    )  # fmt: skip


def variations(op, dtype):
    """Arguments one step away from the simple case."""
    arguments = sample_arguments(op, (4, 3), dtype)
    other = np.float64 if dtype == np.float32 else np.float32
    for position in array_positions(arguments):
        for value in alternatives(arguments.args[position], other):
            yield replaced(arguments, position, value)
    for position, collection in enumerate(arguments.args):
        if isinstance(collection, list):
            for value in alternatives(collection[0], other):
                yield replaced(arguments, position, [value, *collection[1:]])
            for value in (tuple(collection), collection[1:], dict(enumerate(collection)), [], collection[0], None):
                yield replaced(arguments, position, value)
    if op in OF_COLLECTIONS:
        for keys in ("ab", "ba"):
            named = [
                dict(zip(keys if i % 2 else "ab", arg, strict=True)) if isinstance(arg, list) else arg
                for i, arg in enumerate(arguments.args)
            ]
            yield arguments._replace(args=tuple(named))
    names = list(op.function.__code__.co_varnames[: op.function.__code__.co_argcount + 8])
    for name, values in {
        "reduction": ["sum", "none", "media", None],
        "scale": [0.5, 2, np.float32(0.25), np.nan, "1"],
        "axis": [0, 1, -2, 2, True, None, 1.0],
        "w_layout": ["oi", "io", "hwio", None],
        "activation": ["gelu", "elu", "unheard", None],
        "transpose_a": [True, 1, None],
        "transpose_b": [True, "yes"],
        "need_dx": [False, 0],
        "accumulate": [True, False, 1],
        "eps": [0.0, 0.5, -1.0, 1, np.nan, "1"],
        "log_eps": [1e-7, 0, -1.0, np.zeros(2)],
        "denom": [3.0, 0.0, "1"],
        "ignore_index": [-1, 2],
        "mask": [np.ones(4), np.ones((4, 3), bool), np.ones(3, bool), np.ones((4, 3))],
        "p": [0.0, 1.0, 2.0, "half"] if op.kind == "random" else [],
        "rng": [7, -1, None, "seed", True] if op.kind == "random" else [],
        "max_norm": [np.inf, 0.0, -1.0, 1, np.nan, None],
        "lo": [np.nan, 1.0, None, -(10**400)],
        "decoupled": [True, 1],
        "weight_decay": [0.1, -1.0, None],
        "out": [np.empty((4, 3), dtype), np.empty((4, 3), other), np.empty(3, dtype), np.empty((3, 3), dtype), 1],
        "dW": [np.ones((3, 3), dtype), np.ones((3, 3), other), np.ones((2, 3), dtype), 1],
        "db": [np.ones(3, dtype), np.ones(4, dtype)],
    }.items():
        if name in names and not (name == "rng" and op.name == "dropout_backward"):
            position = names.index(name)
            for value in values:
                if position < len(arguments.args):
                    yield replaced(arguments, position, value)
                elif not (name == "rng" and value is None):  # fresh entropy
                    yield arguments._replace(kwargs={**arguments.kwargs, name: value})


@parametrize(FAST)
@pytest.mark.parametrize("dtype", DTYPES)
def test_everything_else_is_decided_by_the_general_path(op, dtype, no_short_cuts):
    """Results, or the type and the words of the error, are the same with and without short cuts."""
    compared = 0
    with no_short_cuts:
        expected = [outcome(op.function, arguments) for arguments in variations(op, dtype)]
    with fastnn.use_backend("native"):
        for arguments, wanted in zip(variations(op, dtype), expected, strict=True):
            actual = outcome(op.function, arguments)
            if isinstance(wanted, tuple):
                assert actual == wanted
            else:
                assert not isinstance(actual, tuple), actual
                for one, two in zip(actual, wanted, strict=True):
                    assert type(one) is type(two)
                    np.testing.assert_array_equal(one, two)
            compared += 1
    assert compared >= 17


# ------------------------------------------------------------------------------------------------------ memory


@pytest.mark.parametrize("dtype", DTYPES)
def test_transposed_matrices_are_read_where_they_are(dtype, no_general_path):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(5, 4)).astype(dtype), rng.normal(size=(3, 4)).astype(dtype)
    for result in (
        ops.matmul(x, w.T),
        ops.matmul(x, w, transpose_b=True),
        ops.matmul(np.asfortranarray(x), w.T),
        ops.matmul(x.T, w.T, transpose_a=True),
        ops.affine(x, w.T),
        ops.affine(x, w, w_layout="oi"),
        ops.affine(x, np.asfortranarray(w), w_layout="oi"),
    ):
        assert_close([result], [np.asarray(x.astype(np.float64) @ w.T.astype(np.float64), dtype)], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("m", "k", "n"), [(1, 4, 3), (4, 1, 3), (4, 3, 1), (1, 1, 3), (3, 1, 1), (1, 3, 1), (2, 3, 4)])
def test_thin_products(dtype, m, k, n, no_general_path):
    rng = np.random.default_rng(m + k + n)
    a, b = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    expected = np.asarray(a @ b, dtype)
    a, b = a.astype(dtype), b.astype(dtype)
    for one, flip_a in ((a, False), (np.asfortranarray(a), False), (np.ascontiguousarray(a.T), True), (a.T, True)):
        for two, flip_b in ((b, False), (np.asfortranarray(b), False), (np.ascontiguousarray(b.T), True), (b.T, True)):
            assert_close([ops.matmul(one, two, flip_a, flip_b)], [expected], dtype, ulps=32)
    assert_close([ops.matmul(a[0], b)], [expected[0]], dtype, ulps=32)
    assert_close([ops.matmul(a, np.ascontiguousarray(b[:, 0]))], [expected[:, 0]], dtype, ulps=32)


@pytest.mark.parametrize("layout", ["io", "oi"])
@pytest.mark.parametrize("samples", [1, 5])
def test_gradients_are_added_up_in_place(layout, samples, no_general_path):
    rng = np.random.default_rng(1)
    x, dy = rng.normal(size=(samples, 4)), rng.normal(size=(samples, 3))
    w = rng.normal(size=(4, 3) if layout == "io" else (3, 4))
    dw, db = np.ones_like(w), np.ones(3)
    dx, *given = ops.affine_backward(dy, x, w, dW=dw, db=db, accumulate=True, w_layout=layout)
    assert given[0] is dw
    assert given[1] is db
    flat = w if layout == "io" else w.T
    np.testing.assert_allclose(dx, dy @ flat.T, rtol=1e-13)
    np.testing.assert_allclose(dw if layout == "io" else dw.T, 1 + x.T @ dy, rtol=1e-13)
    np.testing.assert_allclose(db, 1 + dy.sum(axis=0), rtol=1e-13)


@pytest.mark.parametrize("labels", [np.int32, np.int64, np.intc, np.longlong])
@pytest.mark.parametrize("samples", [3, 300])
def test_labels_of_usual_dtypes(labels, samples, no_general_path):
    rng = np.random.default_rng(2)
    z, t = rng.normal(size=(samples, 5)), rng.integers(0, 5, samples).astype(labels)
    loss, probs = ops.softmax_cross_entropy(z, t)
    np.testing.assert_allclose(loss, -np.log(probs[np.arange(samples), t]).mean(), rtol=1e-13)
    one_hot = np.eye(5)[t]
    np.testing.assert_allclose(ops.softmax_cross_entropy(z, one_hot)[0], loss, rtol=1e-13)
    np.testing.assert_allclose(ops.softmax_cross_entropy_backward(probs, t), (probs - one_hot) / samples, atol=1e-16)


@pytest.mark.parametrize("bad", [-1, 5, 2**40])
def test_labels_out_of_range_are_refused(bad):
    z, t = np.zeros((3, 5)), np.array([0, bad, 1])
    for function in (ops.softmax_cross_entropy, ops.softmax_cross_entropy_with_grad, ops.cross_entropy):
        with pytest.raises(ValueError, match=rf"labels must be from 0 to 4. Received: {bad} at position 1"):
            function(z, t)
    out = np.full((3, 5), 7.0)
    with pytest.raises(ValueError, match=RECEIVED):
        ops.softmax_cross_entropy_backward(z, t, out=out)
    assert (out == 7).all()


def test_an_update_of_many_is_all_or_nothing():
    p, g = [np.ones(3), np.ones(3)], [np.ones(3), np.ones(4)]
    with pytest.raises(ValueError, match=RECEIVED):
        ops.sgd_many(p, g)
    assert all((array == 1).all() for array in p)


def test_a_generator_is_asked_once():
    """Where the short cut declines after all, the mask is still the one of the first eight bytes."""
    x = np.ones((8, 8), np.float32)
    plain, _ = ops.dropout(x, 0.5, rng=np.random.default_rng(5))
    out = np.empty((8, 16), np.float32)[:, ::2]
    strided, _ = ops.dropout(x, 0.5, rng=np.random.default_rng(5), out=out)
    np.testing.assert_array_equal(plain, strided)
