"""Schedules: values computed by hand, the two ways of asking, configs, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from fastnn import schedules

ALL = [
    schedules.ExponentialDecay(0.1, 20, 0.5),
    schedules.ExponentialDecay(0.1, 20, 0.5, staircase=True),
    schedules.PiecewiseConstantDecay([10, 30], [1.0, 0.5, 0.1]),
    schedules.PolynomialDecay(0.1, 40, 0.01, power=2.0),
    schedules.PolynomialDecay(0.1, 40, 0.01, power=0.5, cycle=True),
    schedules.InverseTimeDecay(0.1, 10, 0.5, staircase=True),
    schedules.CosineDecay(0.1, 40, alpha=0.1),
    schedules.CosineDecay(0.0, 40, warmup_target=0.1, warmup_steps=10),
    schedules.CosineDecayRestarts(0.1, 10, t_mul=2.0, m_mul=0.9, alpha=0.1),
    schedules.CosineDecayRestarts(0.1, 7, t_mul=1.5),
    schedules.StepDecay(0.1, 15, gamma=0.5),
    schedules.MultiStepDecay(0.1, [10, 30], gamma=0.5),
    schedules.NoamDecay(64, warmup_steps=20),
    schedules.OneCycle(0.1, 60),
    schedules.OneCycle(0.1, 60, anneal_strategy="linear", three_phase=True),
    schedules.OneCycleMomentum(60, three_phase=True),
    schedules.Cyclic(0.01, 0.1, 8, 5, mode="triangular2"),
    schedules.Cyclic(0.01, 0.1, 8, mode="exp_range", gamma=0.99),
    schedules.CyclicMomentum(step_size_up=8),
    schedules.Constant(0.3),
    schedules.LinearWarmup(0.1, 10),
    schedules.LinearWarmup(schedules.ExponentialDecay(0.1, 20, 0.5), 10, 0.01),
    schedules.SequentialSchedule([0.1, schedules.CosineDecay(0.1, 30), schedules.Constant(0.01)], [10, 40]),
]
IDS = [type(schedule).__name__ for schedule in ALL]

# (schedule, step, the value, computed by hand)
BY_HAND = [
    (schedules.ExponentialDecay(0.1, 20, 0.25), 10, 0.05),
    (schedules.ExponentialDecay(0.1, 20, 0.25, staircase=True), 39, 0.025),
    (schedules.PiecewiseConstantDecay([10, 30], [1.0, 0.5, 0.1]), 10, 1.0),
    (schedules.PiecewiseConstantDecay([10, 30], [1.0, 0.5, 0.1]), 11, 0.5),
    (schedules.PiecewiseConstantDecay([10, 30], [1.0, 0.5, 0.1]), 31, 0.1),
    (schedules.PiecewiseConstantDecay([], [0.7]), 5, 0.7),
    (schedules.PolynomialDecay(1.0, 10, 0.2), 5, 0.6),
    (schedules.PolynomialDecay(1.0, 10, 0.2), 25, 0.2),
    (schedules.PolynomialDecay(1.0, 10, 0.0, cycle=True), 15, 0.25),
    (schedules.PolynomialDecay(1.0, 10, 0.0, cycle=True), 0, 1.0),
    (schedules.InverseTimeDecay(1.0, 10, 0.5), 40, 1 / 3),
    (schedules.CosineDecay(1.0, 10, alpha=0.5), 5, 0.75),
    (schedules.CosineDecay(1.0, 10, alpha=0.5), 99, 0.5),
    (schedules.CosineDecay(0.2, 10, warmup_target=1.0, warmup_steps=4), 1, 0.4),
    (schedules.CosineDecay(0.2, 10, warmup_target=1.0, warmup_steps=4), 4, 1.0),
    (schedules.CosineDecay(0.2, 10, warmup_target=1.0, warmup_steps=4), 9, 0.5),
    (schedules.CosineDecay(0.2, 10, warmup_target=1.0, warmup_steps=0), 0, 1.0),
    (schedules.CosineDecayRestarts(1.0, 10, t_mul=2.0), 20, 0.5),
    (schedules.CosineDecayRestarts(1.0, 10, t_mul=2.0, m_mul=0.5), 10, 0.5),
    (schedules.CosineDecayRestarts(1.0, 10, t_mul=2.0, m_mul=0.5), 30, 0.25),
    (schedules.CosineDecayRestarts(1.0, 10, t_mul=1.0, alpha=0.2), 35, 0.6),
    (schedules.StepDecay(1.0, 10, 0.5), 9, 1.0),
    (schedules.StepDecay(1.0, 10, 0.5), 20, 0.25),
    (schedules.MultiStepDecay(1.0, [10, 30], 0.5), 10, 0.5),
    (schedules.MultiStepDecay(1.0, [10, 30], 0.5), 9, 1.0),
    (schedules.NoamDecay(16, 4), 3, 0.125),
    (schedules.NoamDecay(16, 4), 15, 0.0625),
    (schedules.OneCycle(1.0, 21, pct_start=10 / 21, anneal_strategy="linear", div_factor=10.0), 0, 0.1),
    (schedules.OneCycle(1.0, 20, pct_start=0.5, anneal_strategy="linear", div_factor=10.0), 9, 1.0),
    (schedules.OneCycle(1.0, 20, div_factor=10.0, final_div_factor=100.0), 19, 0.001),
    (schedules.OneCycle(1.0, 20, div_factor=10.0, final_div_factor=100.0), 500, 0.001),
    (schedules.OneCycle(1.0, 10, pct_start=0.1), 0, 1.0),  # the rise has no length: at its end from the start
    (schedules.OneCycle(1.0, 1, pct_start=0.3, div_factor=10.0, final_div_factor=100.0), 0, 0.1 / 100 + 0.0),
    (schedules.OneCycle(1.0, 20, pct_start=0.5, three_phase=True, div_factor=10.0), 18, 0.1),
    (schedules.OneCycleMomentum(20, 0.8, 0.9, pct_start=0.5), 9, 0.8),
    (schedules.OneCycleMomentum(20, 0.8, 0.9, pct_start=0.5), 0, 0.9),
    (schedules.Cyclic(1.0, 2.0, 10), 5, 1.5),
    (schedules.Cyclic(1.0, 2.0, 10, 5), 10, 2.0),
    (schedules.Cyclic(1.0, 2.0, 10, 5), 14, 1.2),
    (schedules.Cyclic(1.0, 2.0, 10, mode="triangular2"), 30, 1.5),
    (schedules.Cyclic(1.0, 2.0, 10, mode="exp_range", gamma=0.5), 10, 1.0 + 0.5**10),
    (schedules.CyclicMomentum(0.8, 0.9, 10), 10, 0.8),
    (schedules.LinearWarmup(1.0, 4, 0.2), 3, 0.8),
    (schedules.LinearWarmup(schedules.StepDecay(1.0, 10, 0.5), 4), 14, 0.5),
    (schedules.LinearWarmup(0.5, 0), 0, 0.5),
    (schedules.SequentialSchedule([0.3, schedules.StepDecay(1.0, 10, 0.5)], [10]), 9, 0.3),
    (schedules.SequentialSchedule([0.3, schedules.StepDecay(1.0, 10, 0.5)], [10]), 10, 1.0),
    (schedules.SequentialSchedule([0.3, schedules.StepDecay(1.0, 10, 0.5)], [10]), 20, 0.5),
]


def test_every_schedule_is_in_the_list():
    classes = set(schedules._registry.names.values())
    assert classes == {type(schedule) for schedule in ALL}
    assert {cls.__name__ for cls in classes} < set(schedules.__all__)


@pytest.mark.parametrize(("schedule", "step", "value"), BY_HAND)
def test_value_by_hand(schedule, step, value):
    assert schedule(step) == pytest.approx(value, rel=1e-13)


@pytest.mark.parametrize("schedule", ALL, ids=IDS)
def test_values_are_those_of_single_steps(schedule):
    values = schedule.values(3, 120)
    assert values.dtype == np.float64
    assert values.shape == (120,)
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(values, [schedule(step) for step in range(3, 123)])
    assert type(schedule(np.int64(5))) is float


@pytest.mark.parametrize("schedule", ALL, ids=IDS)
def test_no_steps_are_an_empty_array(schedule):
    assert schedule.values(7, 0).shape == (0,)


@pytest.mark.parametrize("schedule", ALL, ids=IDS)
def test_config_round_trip_through_json(schedule):
    copy = schedules.deserialize(json.loads(json.dumps(schedules.serialize(schedule))))
    assert type(copy) is type(schedule)
    assert copy.get_config() == schedule.get_config()
    np.testing.assert_array_equal(copy.values(0, 100), schedule.values(0, 100))
    again = type(schedule).from_config(schedule.get_config())
    assert again(17) == schedule(17)
    assert repr(schedule).startswith(type(schedule).__name__ + "(")


@pytest.mark.parametrize("t_mul", [1.0, 2.0, 3.0, 1.5, 1.1])
def test_a_restart_belongs_to_the_new_period(t_mul):
    schedule = schedules.CosineDecayRestarts(1.0, 1000, t_mul=t_mul)
    begin, length = 0.0, 1000.0
    for _ in range(12):
        step = math.ceil(begin - 1e-6)
        assert schedule(step) > 0.99, step
        assert schedule(math.ceil(begin + length - 1e-6) - 1) < 0.01
        begin, length = begin + length, length * t_mul


def test_a_schedule_of_ones_own_as_in_keras():
    class Own(schedules.LearningRateSchedule):
        def __init__(self, initial):
            self.initial = initial

        def __call__(self, step):
            return self.initial / (step + 1)

    own = Own(1.0)
    np.testing.assert_array_equal(own.values(1, 3), [1 / 2, 1 / 3, 1 / 4])
    assert own.get_config() == {"initial": 1.0}
    assert schedules.get(own) is own
    np.testing.assert_array_equal(schedules.LinearWarmup(own, 2).values(0, 4), [0.0, 0.5, 1.0, 0.5])


def test_a_subclass_that_overrides_call_is_heard():
    class Floored(schedules.ExponentialDecay):
        def __call__(self, step):
            return max(super().__call__(step), 0.05)

    assert Floored(0.1, 1, 0.5).values(0, 3).tolist() == [0.1, 0.05, 0.05]


def test_the_base_class_alone_does_nothing():
    with pytest.raises(NotImplementedError, match="defines neither"):
        schedules.LearningRateSchedule()(0)

    class Hidden(schedules.LearningRateSchedule):
        def __init__(self, rate):
            self._rate = rate

    with pytest.raises(NotImplementedError, match="no attribute rate"):
        Hidden(1.0).get_config()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: schedules.ExponentialDecay(0.1, 0, 0.5),
            r"decay_steps must be .* greater than 0\. Received: decay_st",
        ),
        (lambda: schedules.ExponentialDecay("0.1", 1, 0.5), r"initial_learning_rate must be a finite number\. Rec"),
        (lambda: schedules.ExponentialDecay(math.nan, 1, 0.5), "initial_learning_rate"),
        (lambda: schedules.CosineDecayRestarts(0.1, 10, t_mul=0.5), "t_mul must be a finite number not less than 1"),
        (lambda: schedules.PiecewiseConstantDecay([1], [1.0]), "Received: 1 boundaries, 1 values"),
        (lambda: schedules.PiecewiseConstantDecay([2, 2], [1.0, 2.0, 3.0]), "strictly increasing"),
        (lambda: schedules.MultiStepDecay(0.1, [3, 1]), "milestones must be strictly increasing"),
        (lambda: schedules.OneCycle(0.1, 0), "total_steps must be an integer not less than 1"),
        (lambda: schedules.OneCycle(0.1, 10, pct_start=1.5), "pct_start must be a finite number from 0 to 1"),
        (lambda: schedules.OneCycle(0.1, 10, anneal_strategy="cosine"), "Did you mean 'cos'"),
        (lambda: schedules.Cyclic(0.1, 0.2, mode="triangle"), "Did you mean 'triangular'"),
        (lambda: schedules.SequentialSchedule([0.1], [1]), "one more of schedules"),
        (lambda: schedules.LinearWarmup(0.1, 2.5), "warmup_steps must be an integer"),
        (lambda: schedules.get("step_decay"), "missing a required argument"),
        (lambda: schedules.get("StepDecoy"), "Did you mean 'StepDecay'"),
        (lambda: schedules.get({"class_name": "StepDecay", "config": {"rate": 1}}), "StepDecay cannot be built so"),
        (lambda: schedules.get(3), "A schedule is named by"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
