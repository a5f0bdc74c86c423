"""Optimizers: trajectories of Keras (version 3.15.1, NumPy backend, float32), formulas, and what is refused."""

from __future__ import annotations

import math
import re
import time

import numpy as np
import pytest

from fastnn import _native, optimizers
from fastnn.backend import use_backend
from fastnn.ops import _optimizer_scalars
from fastnn.optimizers import SGD, Adam, Optimizer, RMSprop

START = [1.0, -2.0, 0.5, 0.0]
SLOTS = {name: slots for name, slots, _ in _native.tables()["optimizers"]}
BASE = np.array([0.1, -1.0, 3.0, 0.0], np.float32)

# the parameters after five steps with the gradients BASE * (k + 1) - 0.25, k = 0 ... 4
KERAS = [
    (SGD(), [0.9975000023841858, -1.8374998569488525, 0.062499985098838806, 0.01249999925494194]),
    (SGD(0.1), [0.9750000238418579, -0.37499988079071045, -3.875, 0.125]),
    (SGD(0.1, momentum=0.9), [1.0115714073181152, 1.4989125728607178, -8.682327270507812, 0.32860249280929565]),
    (
        SGD(0.1, momentum=0.9, nesterov=True),
        [0.9854143261909485, 2.7740211486816406, -12.139095306396484, 0.4207422137260437],
    ),
    (SGD(0.1, nesterov=True), [0.9750000238418579, -0.37499988079071045, -3.875, 0.125]),
    (SGD(0.1, weight_decay=0.1), [0.9255000352859497, -0.29930579662323, -3.842428207397461, 0.12252487242221832]),
    (Adam(), [1.0017298460006714, -1.9951092004776, 0.4951658546924591, 0.004999919794499874]),
    (Adam(0.1), [1.1729819774627686, -1.5109305381774902, 0.0165865495800972, 0.4999920129776001]),
    (
        Adam(0.1, beta_1=0.5, beta_2=0.9, epsilon=1e-3),
        [1.0081737041473389, -1.4557654857635498, -0.046160683035850525, 0.49578043818473816],
    ),
    (
        Adam(0.1, weight_decay=0.02),
        [1.1615465879440308, -1.4929735660552979, 0.013551458716392517, 0.497996062040329],
    ),
    (RMSprop(), [0.9984014630317688, -1.9869575500488281, 0.48670461773872375, 0.010645239613950253]),
    (
        RMSprop(0.1, rho=0.5, epsilon=1e-3),
        [0.8748865723609924, -1.3637889623641968, -0.14273129403591156, 0.5625902414321899],
    ),
    (
        RMSprop(0.1, weight_decay=0.05),
        [0.8097333312034607, -0.660412073135376, -0.8275323510169983, 1.0520539283752441],
    ),
]


def minimise(optimizer: Optimizer, dtype: type = np.float32, steps: int = 5) -> np.ndarray:
    p = np.array(START, dtype)
    slots = tuple(np.full_like(p, optimizer.slot_value(name, p)) for name in SLOTS[optimizer.row])
    scalars = optimizer.scalars(0, steps)
    with use_backend("reference") as kernels:
        for k in range(steps):
            g = (BASE * np.float32(k + 1) - np.float32(0.25)).astype(dtype)
            kernels.optimizer_update(optimizer.row, p, g, slots, scalars[k])
    return p


@pytest.mark.parametrize(("optimizer", "expected"), KERAS, ids=lambda value: str(value)[:60])
def test_five_steps_end_where_those_of_keras_end(optimizer: Optimizer, expected: list[float]) -> None:
    # Keras raises the betas to powers in float32: its 1 - beta_2**t is off by up to 1.3e-5 of itself
    np.testing.assert_allclose(minimise(optimizer), expected, rtol=1e-6, atol=1e-5)


def test_native_and_reference_agree() -> None:
    optimizer = Adam(0.1, weight_decay=0.01)
    p: dict[str, np.ndarray] = {}
    for name in ("native", "reference"):
        with use_backend(name) as kernels:
            p[name] = np.array(START)
            slots = (np.zeros(4), np.zeros(4))
            for k in range(50):
                kernels.optimizer_update("adam", p[name], np.sin(p[name] * k), slots, optimizer.scalars(k, 1)[0])
    np.testing.assert_allclose(p["native"], p["reference"], rtol=1e-12)


def test_adam_against_algorithm_1_of_the_paper() -> None:
    """With epsilon = 0 both forms are the algorithm of the paper, with explicitly corrected moments."""
    rate, b1, b2 = 0.01, 0.9, 0.999
    p, m, v = np.array(START), np.zeros(4), np.zeros(4)
    for t in range(1, 6):
        g = (BASE * np.float32(t) - np.float32(0.25)).astype(np.float64)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        p = p - rate * (m / (1 - b1**t)) / np.sqrt(v / (1 - b2**t))
    np.testing.assert_allclose(minimise(Adam(rate, b1, b2, epsilon=0.0), np.float64), p, rtol=1e-12)


@pytest.mark.parametrize("form", ["folded", "textbook"])
def test_where_adam_adds_epsilon(form: str) -> None:
    m, v, t, rate, b1, b2, eps = 0.3, 0.04, 3, 0.1, 0.9, 0.99, 0.5
    corrected, scale, one_minus_b1, one_minus_b2, kept = _optimizer_scalars.adam(float(t), rate, b1, b2, eps, form)  # type: ignore[arg-type]
    assert (one_minus_b1, one_minus_b2, kept) == pytest.approx((0.1, 0.01, 0.5))
    mhat, vhat = m / (1 - b1**t), v / (1 - b2**t)
    step = rate * mhat / (math.sqrt(vhat) + eps if form == "textbook" else math.sqrt(vhat) + eps / math.sqrt(1 - b2**t))
    assert corrected * m / (math.sqrt(v) * scale + kept) == pytest.approx(step, rel=1e-14)


def test_layout_of_the_scalars() -> None:
    """gradient_scale, l2, decay; then for Adam rate, root_scale, 1 - beta_1, 1 - beta_2, epsilon, at t = 1 and 2."""
    block = Adam(0.5, 0.5, 0.75, 0.125, weight_decay=0.25).scalars(0, 2)
    first, second = 0.5 * math.sqrt(0.25) / 0.5, 0.5 * math.sqrt(1 - 0.5625) / 0.75
    assert block.tolist() == [[1, 0, 0.125, first, 1, 0.5, 0.25, 0.125], [1, 0, 0.125, second, 1, 0.5, 0.25, 0.125]]
    assert SGD(0.25).scalars(7, 1).tolist() == [[1, 0, 0, 0.25]]
    assert SGD(0.25, momentum=0.5).scalars(0, 1).tolist() == [[1, 0, 0, 0.5, -0.25, 1]]
    assert RMSprop(0.25, rho=0.75, epsilon=0.125).scalars(0, 1).tolist() == [[1, 0, 0, 0.25, 0.75, 0.25, 0.125, 0]]
    assert block.dtype == np.float64
    assert block.flags.c_contiguous


def test_blocks_do_not_depend_on_how_they_are_asked_for() -> None:
    whole = Adam().scalars(0, 3000)
    optimizer = Adam()
    parts = [optimizer.scalars(k, 1).copy() for k in (0, 1, 1023, 1024, 2999, 5)]
    assert np.array_equal(np.concatenate(parts), whole[[0, 1, 1023, 1024, 2999, 5]])
    assert np.array_equal(optimizer.scalars(100, 1500), whole[100:1600])


def test_scalars_follow_the_hyper_parameters() -> None:
    optimizer = SGD(0.1, momentum=0.5, weight_decay=0.5)
    optimizer.scalars(0, 1)
    optimizer.learning_rate = 0.2
    assert optimizer.scalars(0, 1)[0, 4] == -0.2
    optimizer.momentum = 0.75
    assert optimizer.scalars(1, 1)[0, 3] == 0.75
    optimizer.weight_decay = 0.25
    assert optimizer.scalars(1, 1)[0, 2] == 0.05


def test_scalars_are_cheap_and_cannot_be_spoilt() -> None:
    optimizer = Adam()
    optimizer.scalars(0, 1)
    begin = time.perf_counter()
    for k in range(1000):
        optimizer.scalars(k, 1)
    assert time.perf_counter() - begin < 0.05  # 50 us each; it takes about 2
    with pytest.raises(ValueError, match="read-only"):
        optimizer.scalars(0, 1)[0, 0] = 2.0


def test_a_function_as_learning_rate_is_asked_for_every_step() -> None:
    asked = []

    def halving(step: int) -> float:
        asked.append(step)
        return 0.5**step

    optimizer = SGD(halving, weight_decay=0.5)
    assert optimizer.scalars(2, 3)[:, 3].tolist() == [0.25, 0.125, 0.0625]
    assert optimizer.scalars(2, 3)[:, 2].tolist() == [0.125, 0.0625, 0.03125]
    assert asked == [2, 3, 4] * 2
    optimizer.iterations = 1
    assert optimizer.learning_rate == 0.5
    with pytest.raises(ValueError, match="has no config"):
        optimizer.get_config()
    with pytest.raises(ValueError, match="learning_rate must be a finite number"):
        SGD(lambda step: math.nan).scalars(0, 1)


def test_the_learning_rate_can_be_set_to_any_number() -> None:
    optimizer = Adam()
    for value in (1, np.float32(0.5), np.array(0.25), 0.0):
        optimizer.learning_rate = value  # type: ignore[assignment]
        assert optimizer.learning_rate == float(value)
        assert isinstance(optimizer.learning_rate, float)


def test_rows() -> None:
    assert (SGD().row, SGD(momentum=0.5).row, SGD(momentum=0.5, nesterov=True).row) == ("sgd", "momentum", "nesterov")
    assert SGD(nesterov=True).row == "sgd"
    assert (Adam().row, RMSprop().row) == ("adam", "rmsprop")


def test_defaults_are_those_of_keras() -> None:
    adam, rmsprop, sgd = Adam(), RMSprop(), SGD()
    assert (adam.learning_rate, adam.beta_1, adam.beta_2, adam.epsilon) == (0.001, 0.9, 0.999, 1e-7)
    assert (rmsprop.learning_rate, rmsprop.rho, rmsprop.epsilon) == (0.001, 0.9, 1e-7)
    assert (sgd.learning_rate, sgd.momentum, sgd.nesterov) == (0.01, 0.0, False)
    assert (sgd.iterations, sgd.weight_decay, sgd.name, adam.name) == (0, None, "sgd", "adam")


@pytest.mark.parametrize("identifier", ["adam", "Adam", "ADAM", Adam, {"class_name": "Adam", "config": {}}])
def test_get(identifier: object) -> None:
    assert type(optimizers.get(identifier)) is Adam


@pytest.mark.parametrize("optimizer", [case[0] for case in KERAS], ids=str)
def test_config_round_trip(optimizer: Optimizer) -> None:
    twin = optimizers.get(optimizers.serialize(optimizer))
    assert twin is not None
    assert twin is not optimizer
    assert twin.get_config() == optimizer.get_config()
    assert np.array_equal(twin.scalars(0, 5), optimizer.scalars(0, 5))


def test_a_config_of_keras_is_understood() -> None:
    config = {
        "name": "adam", "learning_rate": 0.01, "weight_decay": None, "clipnorm": None, "global_clipnorm": None,
        "clipvalue": None, "use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None,
        "loss_scale_factor": 8.0, "gradient_accumulation_steps": None, "beta_1": 0.8, "beta_2": 0.999,
        "epsilon": 1e-07, "amsgrad": False,
    }  # fmt: skip
    adam = optimizers.get({"module": "keras.optimizers", "class_name": "Adam", "config": config})
    assert isinstance(adam, Adam)
    assert (adam.learning_rate, adam.beta_1, adam.loss_scale_factor) == (0.01, 0.8, 8.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimizers.get("adma"), "Did you mean 'adam'"),
        (lambda: optimizers.get(0.1), "Received: 0.1"),
        (lambda: SGD(1), "learning_rate must be a float, such as 0.001"),
        (lambda: Adam("fast"), "Received: learning_rate='fast'"),  # type: ignore[arg-type]
        (lambda: SGD(-0.1), "at least 0"),
        (lambda: SGD(math.nan), "finite"),
        (lambda: SGD(momentum=1), "momentum must be a float"),
        (lambda: SGD(momentum=1.5), "between 0.0 and 1.0"),
        (lambda: Adam(beta_1=1.0), "less than 1. Received: beta_1=1.0"),
        (lambda: Adam(epsilon=-1.0), "epsilon must be"),
        (lambda: Adam(weight_decay=-0.1), "weight_decay must be"),
        (lambda: SGD(momentun=0.9), "Unknown argument of SGD 'momentun'. Did you mean 'momentum'"),
        (lambda: optimizers.get({"class_name": "SGD", "config": {"rate": 0.1}}), "Unknown argument of SGD 'rate'"),
    ],
)
def test_errors(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()  # type: ignore[operator]
