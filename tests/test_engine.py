"""Arena, plan memory and the two executors, against each other and against arithmetic written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.engine.arena import ALIGNMENT, Arena, Parameter, drawn_later
from fastnn.engine.plan import Plan


def parameters(*shapes: tuple[int, ...]) -> list[Parameter]:
    rng = np.random.default_rng(0)
    return [Parameter(f"p{i}", s, np.float32, lambda s, dtype: rng.normal(size=s)) for i, s in enumerate(shapes)]


def test_arena_keeps_values_and_aligns_every_parameter():
    given_parameters = parameters((3, 5), (7,), (1, 1))
    before = [p.numpy() for p in given_parameters]
    arena = Arena(given_parameters, np.float32)
    for parameter, value in zip(given_parameters, before):
        np.testing.assert_array_equal(parameter.value, value)
        assert parameter.value.ctypes.data % ALIGNMENT == 0
        assert parameter.home is not None and np.shares_memory(parameter.value, parameter.home[0])
    (whole,) = arena.trainable_ranges()
    assert whole.values.size == arena.size == arena.like().size == 16 * (1 + 1 + 1)
    whole.values[:] = 2
    assert all((p.value == 2).all() for p in given_parameters)
    for parameter, view in zip(given_parameters, arena.views(whole.values)):
        assert view.shape == parameter.shape and np.shares_memory(view, parameter.value)


def test_arena_merges_neighbouring_trainable_ranges_only():
    ps = parameters((4,), (40,), (4,))
    arena = Arena(ps, np.float32)
    assert [(part.at, part.start, part.size) for part in arena.trainable_ranges()] == [(0, 0, 16 + 48 + 16)]
    ps[1].trainable = False
    assert [(part.at, part.start, part.size) for part in arena.trainable_ranges()] == [(0, 0, 16), (64, 64, 16)]
    gradient = arena.like()
    gradient[:] = np.arange(arena.size)
    assert arena.trainable_ranges()[1].of(gradient)[0] == 64


def test_arena_leaves_parameters_where_another_arena_has_put_them():
    ps = parameters((3,), (5,), (7,), (2,))
    first = Arena(ps[1:3], np.float32)
    homes = [p.value for p in ps[1:3]]
    second = Arena(ps, np.float32)
    assert all(p.value is home for p, home in zip(ps[1:3], homes))
    parts = second.trainable_ranges()
    assert [part.start for part in parts] == [0, 16, 48] and [part.size for part in parts] == [16, 32, 16]
    assert np.shares_memory(parts[1].values, homes[0]) and np.shares_memory(parts[1].values, homes[1])
    assert first.size == 32 and second.size == 64


def test_parameters_are_drawn_at_once_or_when_first_asked_for():
    drawn = []

    def draw(shape, dtype):
        drawn.append((shape, dtype))
        return np.ones(shape)

    assert Parameter("now", (2, 3), np.float32, draw).value.dtype == np.float32 and drawn == [((2, 3), "float32")]
    with drawn_later():
        later = Parameter("later", (10**9, 10**9), "float64", draw)
        assigned = Parameter("assigned", (2,), "float64", draw)
    assert later.nbytes == 8 * 10**18 and len(drawn) == 1
    assigned.assign([3, 4])
    assert assigned.value.tolist() == [3, 4] and len(drawn) == 1
    with pytest.raises(ValueError, match=r"wrong: expected shape \(2,\). Received: \(3,\)"):
        Parameter("wrong", (2,), np.float32, lambda shape, dtype: np.ones(3))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12))
def test_buffers_that_live_at_the_same_time_never_share_memory(lives):
    plan = Plan(np.float32, batch=3)
    spans = [(min(a, b), max(a, b)) for _, a, b in lives]
    buffers = [plan.buffer(size) for size, _, _ in lives]
    for at in range(7):
        for index, (first, last) in zip(buffers, spans):
            if at in (first, last):
                plan.step("activation", (index, index), row="identity", ints=(0,))
    total, offsets = plan.memory()
    alive = plan.lifetimes()
    for i in buffers:
        assert offsets[i] % ALIGNMENT == 0 and offsets[i] + plan.buffers[i].size * 4 <= total
        for j in buffers:
            if i < j and alive[i][0] <= alive[j][1] and alive[j][0] <= alive[i][1]:
                ends = offsets[i] + plan.buffers[i].size * 4, offsets[j] + plan.buffers[j].size * 4
                assert ends[0] <= offsets[j] or ends[1] <= offsets[i]


def test_memory_is_reused_after_a_buffer_dies():
    plan = Plan(np.float32, batch=1)
    a, b, c = (plan.buffer(1000) for _ in range(3))
    plan.step("activation", (a, b), row="relu", ints=(1000,))
    plan.step("activation", (b, c), row="relu", ints=(1000,))
    assert plan.memory()[0] < 3 * 4000


def affine_plan(batch: int) -> tuple[Plan, Parameter, Parameter]:
    w, b = parameters((4, 3), (3,))
    plan = Plan(np.float32, batch)
    x = plan.input(4)
    y = plan.buffer(3)
    plan.step("affine", (x, plan.parameter(w), plan.parameter(b), y, -1), row="relu", ints=(batch, 4, 3), reals=(0.0,))
    plan.output(y, 3)
    return plan, w, b


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("shuffled", [False, True])
def test_gather_converts_and_reorders(backend, dtype, shuffled):
    rng = np.random.default_rng(1)
    plan, w, b = affine_plan(5)
    x = rng.integers(0, 200, (20, 4)).astype(dtype)
    order = rng.permutation(20).astype(np.int64) if shuffled else None
    out = np.empty((20, 3), np.float32)
    program = backend.Program(plan)
    program.bind((x,), (out,))
    assert program.run(0, 4, order) == 4
    rows = x if order is None else x[order]
    expected = np.maximum(rows.astype(np.float64) @ w.value.astype(np.float64) + b.value, 0)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)


def test_run_starts_at_any_sample_and_stops_at_the_deadline(backend):
    plan, _, _ = affine_plan(1)
    x = np.ones((300, 4), np.float32)
    out = np.full((300, 3), np.nan, np.float32)
    program = backend.Program(plan)
    program.bind((x,), (out,))
    assert program.run(7, 2) == 2
    assert np.isnan(out[:7]).all() and np.isfinite(out[7:9]).all() and np.isnan(out[9:]).all()
    assert program.run(0, 300, None, None, 0, 0, 0.0) == 1  # at least one, then the time is over


def test_native_executor_refuses_what_it_does_not_know():
    from fastnn import _native

    plan = Plan(np.float32, 1)
    plan.step("fourier", ())
    with pytest.raises(ValueError, match=r"Received 'fourier'"):
        _native.kernels.Program(plan)
    plan, _, _ = affine_plan(2)
    program = _native.kernels.Program(plan)
    with pytest.raises(ValueError, match=r"Received 2 and 0"):
        program.bind((np.ones((2, 4), np.float32),) * 2)
    with pytest.raises(TypeError, match=r"Received complex64"):
        program.bind((np.ones((2, 4), np.complex64),), (np.ones((2, 3), np.float32),))


def test_nothing_is_computed_below_the_lowest_layer_that_learns():
    """Two of three layers are frozen: of the backward products only dW of the last is left."""
    from fastnn import Sequential
    from fastnn.layers import Dense, Input

    model = Sequential([Input((4,)), Dense(3, "relu"), Dense(3, "relu"), Dense(2)])
    model.compile("sgd", "mse")
    products = []
    for frozen in range(4):
        for number, layer in enumerate(model.layers):
            layer.trainable = number >= frozen
        data, goal = model.prepare(np.ones((1, 4)), np.ones((1, 2)), None, "test")
        plan = model.runner.for_training(goal, data.n, "sgd").program.plan
        products.append(sum(step.op == "gemm" for step in plan.steps))
    assert products == [5, 3, 1, 0]


# -------------------------------------------------------------------------------------------------- steps in Python


def python_plan(function, batch: int = 2, width: int = 3) -> Plan:
    plan = Plan(np.float32, batch)
    x = plan.input(width)
    y = plan.buffer(width)
    plan.step("call", (x, -1, y), call=function)
    plan.step("activation", (y, y), row="relu", ints=(batch * width,), reals=(0.0,))
    plan.output(y, width)
    return plan


def test_a_python_step_gets_its_buffers_and_the_number_of_the_step(backend):
    steps = []

    def negate(step, x, nothing, y):
        assert nothing is None and x.shape == y.shape == (6,) and y.dtype == np.float32
        steps.append(step)
        np.negative(x, out=y)

    x = np.arange(-9, 9, dtype=np.float32).reshape(6, 3)
    out = np.empty_like(x)
    program = backend.Program(python_plan(negate))
    program.bind((x,), (out,))
    assert program.run(0, 3, None, None, 0, 5) == program.done == 3
    assert steps == [5, 6, 7]
    np.testing.assert_array_equal(out, np.maximum(-x, 0))


def test_an_exception_of_a_python_step_ends_the_run_after_whole_batches(backend):
    def fail_at_two(step, x, nothing, y):
        if step == 2:
            raise LookupError("the third batch")
        y[...] = x

    program = backend.Program(python_plan(fail_at_two))
    x = np.ones((10, 3), np.float32)
    out = np.zeros_like(x)
    program.bind((x,), (out,))
    with pytest.raises(LookupError, match="the third batch"):
        program.run(0, 5)
    assert program.done == 2
    np.testing.assert_array_equal(out[:, 0], [1] * 4 + [0] * 6)
    assert program.run(0, 1) == program.done == 1  # it can go on
    program.bind((x,), (out,))
    assert program.done == 0


@pytest.mark.parametrize("threads", [1, 3])
def test_python_steps_run_beside_a_team_of_threads_with_pythons_own_arithmetic(threads):
    """Products large enough for a team; in the Python step, denormal numbers exist as everywhere in Python."""
    import fastnn
    from fastnn import _native

    w = Parameter("w", (512, 512), np.float32, lambda shape, dtype: np.eye(512))
    plan = Plan(np.float32, 64)
    x = plan.input(512)
    y, z = plan.buffer(512), plan.buffer(512)
    seen = []

    def halve(step, y):
        seen.append(float(np.float32(1e-38) * np.float32(1e-3)))
        y *= 0.5

    plan.step("affine", (x, plan.parameter(w), -1, y, -1), row="identity", ints=(64, 512, 512))
    plan.step("call", (y,), call=halve)
    plan.step("affine", (y, plan.parameter(w), -1, z, -1), row="identity", ints=(64, 512, 512))
    plan.output(z, 512)
    data = np.random.default_rng(0).normal(size=(640, 512)).astype(np.float32)
    out = np.empty_like(data)
    program = _native.kernels.Program(plan)
    program.bind((data,), (out,))
    with fastnn.num_threads(threads):
        assert program.run(0, 10) == 10
    np.testing.assert_array_equal(out, data / 2)
    assert len(seen) == 10 and all(0 < value < 2e-41 for value in seen)
