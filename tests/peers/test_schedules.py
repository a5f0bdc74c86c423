"""Schedules against keras.optimizers.schedules and torch.optim.lr_scheduler, step by step over hundreds of steps."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastnn import schedules

STEPS = 400

KERAS = [
    ("ExponentialDecay", (0.1, 20, 0.9), {}),
    ("ExponentialDecay", (0.1, 20, 0.9), {"staircase": True}),
    ("PiecewiseConstantDecay", ([100, 250], [1.0, 0.5, 0.1]), {}),
    ("PolynomialDecay", (0.1, 150), {}),
    ("PolynomialDecay", (0.1, 150, 0.01), {"power": 2.0}),
    ("PolynomialDecay", (0.1, 60, 0.01), {"power": 0.5, "cycle": True}),
    ("InverseTimeDecay", (0.1, 30, 0.5), {}),
    ("InverseTimeDecay", (0.1, 30, 0.5), {"staircase": True}),
    ("CosineDecay", (0.1, 300), {}),
    ("CosineDecay", (0.1, 300), {"alpha": 0.2, "warmup_steps": 50}),
    ("CosineDecay", (0.01, 200), {"alpha": 0.1, "warmup_target": 0.3, "warmup_steps": 50}),
    ("CosineDecayRestarts", (0.1, 37), {}),
    ("CosineDecayRestarts", (0.1, 37), {"t_mul": 1.0, "m_mul": 0.8, "alpha": 0.1}),
    ("CosineDecayRestarts", (0.1, 37), {"t_mul": 1.7, "m_mul": 0.8, "alpha": 0.1}),
]


@pytest.fixture
def keras():
    module = pytest.importorskip("keras")
    before = module.config.floatx()
    module.config.set_floatx("float64")  # otherwise Keras computes the schedules in float32
    yield module
    module.config.set_floatx(before)


@pytest.mark.parametrize(("name", "arguments", "options"), KERAS)
def test_keras(keras, name, arguments, options):
    theirs = getattr(keras.optimizers.schedules, name)(*arguments, **options)
    ours = getattr(schedules, name)(*arguments, **options)
    expected = [float(theirs(step)) for step in range(STEPS)]
    # Near a zero of the cosine their rounding is all that is left: relative to the largest value.
    np.testing.assert_allclose(ours.values(0, STEPS), expected, rtol=1e-12, atol=1e-13 * max(expected))
    assert ours.get_config() == theirs.get_config()
    copy = schedules.deserialize(keras.optimizers.schedules.serialize(theirs))
    np.testing.assert_array_equal(copy.values(0, STEPS), ours.values(0, STEPS))


TORCH = [
    (lambda s, o: s.StepLR(o, 30, 0.5), schedules.StepDecay(0.1, 30, 0.5)),
    (lambda s, o: s.MultiStepLR(o, [50, 210], 0.3), schedules.MultiStepDecay(0.1, [50, 210], 0.3)),
    (lambda s, o: s.ExponentialLR(o, 0.98), schedules.ExponentialDecay(0.1, 1, 0.98)),
    (lambda s, o: s.PolynomialLR(o, 300, 2.0), schedules.PolynomialDecay(0.1, 300, 0.0, 2.0)),
    (lambda s, o: s.LinearLR(o, 0.25, 1.0, 80), schedules.LinearWarmup(0.1, 80, 0.025)),
    (lambda s, o: s.LinearLR(o, 1.0, 0.2, 80), schedules.PolynomialDecay(0.1, 80, 0.02)),
    (lambda s, o: s.ConstantLR(o, 0.5, 60), schedules.PiecewiseConstantDecay([59], [0.05, 0.1])),
    (lambda s, o: s.CosineAnnealingLR(o, STEPS, 0.01), schedules.CosineDecay(0.1, STEPS, 0.1)),
    (
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 25, 2, 0.01),
        schedules.CosineDecayRestarts(0.1, 25, 2.0, 1.0, 0.1),
    ),
    (
        lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1.0, 50), s.StepLR(o, 40, 0.5)], [50]),
        schedules.LinearWarmup(schedules.StepDecay(0.1, 40, 0.5), 50, 0.01),
    ),
    (
        lambda s, o: s.SequentialLR(o, [s.StepLR(o, 40, 0.5), s.ExponentialLR(o, 0.9)], [100]),
        schedules.SequentialSchedule(
            [schedules.StepDecay(0.1, 40, 0.5), schedules.ExponentialDecay(0.1, 1, 0.9)], [100]
        ),
    ),
    (lambda s, o: s.LambdaLR(o, lambda t: _noam(t) / 0.1), schedules.NoamDecay(64, 70, 2.0)),
]


def _noam(t):
    return 2.0 * 64**-0.5 * min((t + 1) ** -0.5, (t + 1) * 70**-1.5)


def run(torch, make, momentum=0.0):
    """The rates and the momenta that PyTorch uses in the steps 0, 1, ..."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=momentum)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates, momenta = [], []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        scheduler.step()
    return rates, momenta


@pytest.mark.parametrize(("make", "ours"), TORCH, ids=[type(ours).__name__ for _, ours in TORCH])
def test_torch(make, ours):
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR calls its parts in a way of which PyTorch itself warns
        rates, _ = run(torch, make)
    # PyTorch multiplies from step to step and gathers rounding errors.
    np.testing.assert_allclose(ours.values(0, STEPS), rates, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("pct_start", [0.3, 0.123, 0.45])
def test_torch_one_cycle(three_phase, strategy, pct_start):
    torch = pytest.importorskip("torch")
    options = {"pct_start": pct_start, "anneal_strategy": strategy, "three_phase": three_phase}
    rates, momenta = run(torch, lambda s, o: s.OneCycleLR(o, 0.5, total_steps=STEPS + 1, **options), momentum=0.9)
    rate, momentum = schedules.OneCycle(0.5, STEPS + 1, **options), schedules.OneCycleMomentum(STEPS + 1, **options)
    np.testing.assert_allclose(rate.values(0, STEPS), rates, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(momentum.values(0, STEPS), momenta, rtol=1e-12)


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
@pytest.mark.parametrize(("up", "down"), [(20, None), (13, 31)])
def test_torch_cyclic(mode, up, down):
    torch = pytest.importorskip("torch")
    make = lambda s, o: s.CyclicLR(o, 0.01, 0.3, up, down, mode, gamma=0.99)  # noqa: E731
    rates, momenta = run(torch, make, momentum=0.9)
    rate = schedules.Cyclic(0.01, 0.3, up, down, mode, 0.99)
    momentum = schedules.CyclicMomentum(0.8, 0.9, up, down, mode, 0.99)
    np.testing.assert_allclose(rate.values(0, STEPS), rates, rtol=1e-12)
    np.testing.assert_allclose(momentum.values(0, STEPS), momenta, rtol=1e-12)
