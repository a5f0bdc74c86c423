"""Every optimizer and flavor: against formulas written out here over 100 steps, on both backends, and its arguments.

That the flavors "keras" and "torch" are those libraries' rules is shown in tests/peers/test_optimizers.py.
"""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from fastnn import _native, ops, optimizers, schedules
from fastnn.backend import current, use_backend
from fastnn.optimizers import Optimizer

STEPS, SHAPE = 100, (3, 5)
ROWS = {name: (slots, scalars) for name, slots, scalars in _native.tables()["optimizers"]}
RNG = np.random.default_rng(5)
GRADIENTS = 10.0 ** RNG.uniform(-3, 1, SHAPE) * (RNG.normal(size=(STEPS, *SHAPE)) + 0.5)
GRADIENTS[RNG.random(GRADIENTS.shape) < 0.1] = 0
GRADIENTS[:, 0, 0] = 0  # a weight of a dead unit
START = RNG.normal(size=SHAPE)

CLASSES = {
    name: cls
    for name, cls in vars(optimizers).items()
    if isinstance(cls, type) and issubclass(cls, Optimizer) and cls is not Optimizer
    if not cls._tensors and cls is not optimizers.LBFGS  # whose steps are more than one row: test_training_options.py
}
FLAVORS = [(name, flavor) for name, cls in CLASSES.items() for flavor in cls._flavors]
# SPEC's written-out list of what peers have, as far as it is element-wise
WANTED = [
    "SGD", "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "Adamax", "Nadam", "RAdam", "Ftrl", "Lion",
    "ScheduleFreeAdamW", "Rprop", "ASGD",
]  # fmt: skip
# one of each row and option
VARIANTS = [
    *(cls(flavor=flavor) for cls in CLASSES.values() for flavor in cls._flavors),
    optimizers.SGD(0.1, momentum=0.9),
    optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    optimizers.SGD(0.1, momentum=0.9, dampening=0.5, flavor="torch"),
    optimizers.SGD(0.1, momentum=0.9, nesterov=True, flavor="torch", weight_decay=0.1),
    optimizers.RMSprop(momentum=0.9),
    optimizers.RMSprop(centered=True),
    optimizers.RMSprop(centered=True, momentum=0.9, flavor="torch"),
    optimizers.Adam(amsgrad=True),
    optimizers.Ftrl(0.1, learning_rate_power=-0.4, l1_regularization_strength=0.1),
]
variants = pytest.mark.parametrize("optimizer", VARIANTS, ids=repr)


def path(optimizer: Optimizer, dtype: type = np.float64) -> np.ndarray:
    p = START.astype(dtype)
    slots = tuple(np.full_like(p, optimizer.slot_value(name, p)) for name in ROWS[optimizer.row][0])
    found = []
    for step, g in enumerate(GRADIENTS.astype(dtype)):
        current().optimizer_update(optimizer.row, p, g, slots, optimizer.scalars(step, 1)[0])
        found.append(p.copy())
    return np.array(found)


# -------------------------------------------------------------------------------------------------------- the catalogue


def test_nothing_is_missing() -> None:
    assert set(WANTED) <= set(CLASSES)
    for name in WANTED:
        assert type(optimizers.get(name)) is type(optimizers.get(name.lower())) is CLASSES[name]
    assert isinstance(optimizers.get("NAdam"), optimizers.Nadam)
    assert {*(optimizer.row for optimizer in VARIANTS), optimizers.Lamb().row} == set(ROWS), "a row that no class uses"
    for row in ROWS:
        assert callable(getattr(ops, f"{row}_")) and callable(getattr(ops, f"{row}_many"))


@variants
def test_scalars_match_the_row(optimizer: Optimizer) -> None:
    block = optimizer.scalars(0, 7)
    assert block.shape == (7, 3 + len(ROWS[optimizer.row][1]))
    assert np.isfinite(block).all()


@variants
def test_blocks_do_not_depend_on_how_they_are_asked_for(optimizer: Optimizer) -> None:
    fresh = type(optimizer).from_config(optimizer.get_config())
    whole = fresh.scalars(0, 2100)
    parts = np.concatenate([optimizer.scalars(k, 1).copy() for k in (0, 1, 1023, 1024, 2050, 5)])
    np.testing.assert_allclose(parts, whole[[0, 1, 1023, 1024, 2050, 5]], rtol=1e-12)
    assert np.array_equal(optimizer.scalars(100, 900), optimizer.scalars(100, 1500)[:900])


@variants
def test_native_is_the_reference_for_a_hundred_steps(optimizer: Optimizer) -> None:
    native = path(optimizer)
    with use_backend("reference"):
        np.testing.assert_allclose(native, path(optimizer), rtol=1e-11, atol=1e-11)
    assert np.isfinite(native).all()
    assert not np.array_equal(native[-1], START)


@variants
def test_float32_follows_float64(optimizer: Optimizer) -> None:
    if optimizer.row in ("lion", "rprop"):
        pytest.skip("the sign of a sum that rounds to 0 is left to chance")
    np.testing.assert_allclose(path(optimizer, np.float32), path(optimizer), rtol=2e-3, atol=2e-3)


@variants
def test_a_parameter_without_gradient_stays(optimizer: Optimizer) -> None:
    """Also where no epsilon keeps 0 / 0 from being NaN; decay apart, and Ftrl, whose parameters come from its state."""
    if optimizer.row.startswith("ftrl") or optimizer.row == "asgd":
        return
    optimizer = type(optimizer).from_config({**optimizer.get_config(), "weight_decay": 0.0})
    np.testing.assert_allclose(path(optimizer)[:, 0, 0], START[0, 0], rtol=1e-14)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values(row: str, dtype: type) -> None:
    slots, scalars = ROWS[row]
    numbers = {"rho": 0.9, "smallest": 1e-6, "largest": 50.0, "grow": 1.2, "shrink": 0.5}
    given = np.array([1.0, 0.0, 0.0, *(numbers.get(name, 0.1) for name in scalars)])
    most = np.finfo(dtype).max
    g = np.array([np.nan, np.inf, -np.inf, most, -most, 0.0, 1.0, -0.0, 0.5], dtype)
    found = []
    for name in ("native", "reference"):
        p, state = np.ones(9, dtype), tuple(np.zeros(9, dtype) for _ in slots)
        p[8] = np.nan
        with use_backend(name) as kernels:
            kernels.optimizer_update(row, p, g, state, given)
        found.append(np.array([p, *state])[:, :8])  # whether the state of a parameter that is NaN is NaN, is open
        changed = state[2] if row == "lamb_direction" else p
        assert np.isnan(changed[0]) and np.isnan(p[8]), "NaN in, NaN out"
        assert np.isfinite(p[5:8]).all()
        if row in ("sgd", "momentum", "nesterov", "asgd", "lion", "rprop"):
            assert not np.isnan(p[1:8]).any()  # infinity or a bounded step, as the formula says
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)  # with NaN and infinity in the same places


# --------------------------------------------------------------------------------------- formulas of books and papers


def adagrad(g, s, t, lr=0.01, eps=0.0, inside=False):
    s["h"] = s.get("h", 0) + g * g
    root = np.sqrt(s["h"] + eps) if inside else np.sqrt(s["h"]) + eps
    return lr * np.divide(g, root, out=np.zeros_like(g), where=root > 0)


def rmsprop(g, s, t, lr=0.001, rho=0.9, eps=0.0, inside=False):
    s["h"] = rho * s.get("h", 0) + (1 - rho) * g * g
    root = np.sqrt(s["h"] + eps) if inside else np.sqrt(s["h"]) + eps
    return lr * np.divide(g, root, out=np.zeros_like(g), where=root > 0)


def adam(g, s, t, lr=0.001, b1=0.9, b2=0.999, eps=1e-8, folded=False, amsgrad=False):
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g * g
    s["l"] = np.maximum(s.get("l", 0), s["v"])
    if amsgrad:
        return lr * s["m"] / (np.sqrt(s["l"]) + eps)
    if folded:
        return lr * math.sqrt(1 - b2**t) / (1 - b1**t) * s["m"] / (np.sqrt(s["v"]) + eps)
    return lr * (s["m"] / (1 - b1**t)) / (np.sqrt(s["v"] / (1 - b2**t)) + eps)


def momentum(g, s, t, lr=0.01, mu=0.9):
    s["v"] = mu * s.get("v", 0) - lr * g
    return -s["v"]


def nesterov_of_the_book(g, s, t, lr=0.01, mu=0.9):
    old = s.get("v", 0)
    s["v"] = mu * old - lr * g
    return -(mu * mu * old - (1 + mu) * lr * g)


def adadelta(g, s, t, rho=0.95, eps=1e-6):
    s["g"] = rho * s.get("g", 0) + (1 - rho) * g * g
    change = np.sqrt(s.get("d", 0) + eps) / np.sqrt(s["g"] + eps) * g
    s["d"] = rho * s.get("d", 0) + (1 - rho) * change**2
    return change


def adamax(g, s, t, lr=0.002, b1=0.9, b2=0.999):
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["u"] = np.maximum(b2 * s.get("u", 0), abs(g))
    return lr / (1 - b1**t) * np.divide(s["m"], s["u"], out=np.zeros_like(g), where=s["u"] > 0)


def nadam(g, s, t, lr=0.002, mu=0.99, nu=0.999, eps=1e-8):
    now, following = (mu * (1 - 0.5 * 0.96 ** (k / 250)) for k in (t, t + 1))
    s["product"] = s.get("product", 1) * now
    s["m"] = now * s.get("m", 0) + (1 - now) * g
    s["n"] = nu * s.get("n", 0) + (1 - nu) * g * g
    m = following * s["m"] / (1 - s["product"] * following) + (1 - now) * g / (1 - s["product"])
    return lr * m / (np.sqrt(nu * s["n"] / (1 - nu**t)) + eps)


def radam(g, s, t, lr=0.001, b1=0.9, b2=0.999):
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g * g
    most = 2 / (1 - b2) - 1
    rho = most - 2 * t * b2**t / (1 - b2**t)
    corrected = s["m"] / (1 - b1**t)
    if rho <= 4:
        return lr * corrected
    r = math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
    root = np.sqrt(s["v"] / (1 - b2**t))
    return lr * r * np.divide(corrected, root, out=np.zeros_like(g), where=root > 0)


def rprop(g, s, t):
    last, size = s.get("g", np.zeros(SHAPE)), s.get("size", np.full(SHAPE, 0.1))
    back, product = s.get("step", np.zeros(SHAPE)), np.sign(g) * np.sign(last)
    s["size"] = np.where(
        product > 0, np.minimum(1.2 * size, 50), np.where(product < 0, np.maximum(size / 2, 1e-6), size)
    )
    s["g"] = np.where(product < 0, 0, g)
    s["step"] = np.where(product < 0, -back, s["size"] * np.sign(g))
    return s["step"]


FORMULAS = [
    (optimizers.SGD(flavor="book"), lambda g, s, t: 0.01 * g),
    (optimizers.SGD(momentum=0.9, flavor="book"), momentum),
    (optimizers.SGD(momentum=0.9, flavor="paper"), momentum),
    (optimizers.SGD(momentum=0.9, nesterov=True, flavor="book"), nesterov_of_the_book),
    (optimizers.Adagrad(flavor="book"), lambda g, s, t: adagrad(g, s, t, eps=1e-7)),
    (optimizers.Adagrad(flavor="paper"), adagrad),
    (
        optimizers.Adagrad(0.1, 0.0, 1e-8, epsilon_inside=True),
        lambda g, s, t: adagrad(g, s, t, 0.1, 1e-8, True),
    ),
    (optimizers.Adadelta(flavor="book"), adadelta),
    (optimizers.Adadelta(flavor="paper"), adadelta),
    (optimizers.RMSprop(flavor="book"), lambda g, s, t: rmsprop(g, s, t, 0.01, 0.99, 1e-7)),
    (optimizers.RMSprop(flavor="paper"), rmsprop),
    (
        optimizers.RMSprop(epsilon=1e-6, epsilon_inside=True, flavor="book"),
        lambda g, s, t: rmsprop(g, s, t, 0.01, 0.99, 1e-6, True),
    ),
    (optimizers.Adam(flavor="book"), lambda g, s, t: adam(g, s, t, eps=1e-7, folded=True)),
    (optimizers.Adam(flavor="paper"), adam),
    (optimizers.Adam(amsgrad=True, flavor="paper"), lambda g, s, t: adam(g, s, t, amsgrad=True)),
    (optimizers.Adamax(flavor="paper"), adamax),
    (optimizers.Nadam(flavor="paper"), nadam),
    (optimizers.RAdam(flavor="paper"), radam),
    (optimizers.Rprop(flavor="paper"), rprop),
]


@pytest.mark.parametrize(("optimizer", "formula"), FORMULAS, ids=lambda value: repr(value)[:60])
def test_formulas_of_books_and_papers(optimizer: Optimizer, formula, backend) -> None:
    p, state, expected = START, {}, []
    for t, g in enumerate(GRADIENTS, 1):
        p = p - formula(g, state, t)
        expected.append(p)
    np.testing.assert_allclose(path(optimizer), expected, rtol=1e-11, atol=1e-11)


def test_decoupled_decay_of_the_paper_is_not_multiplied_by_the_rate(backend) -> None:
    p, state, expected = START, {}, []
    for t, g in enumerate(GRADIENTS, 1):
        p = p - 0.02 * p - adam(g, state, t, lr=0.01)  # both are taken from the old p
        expected.append(p)
    np.testing.assert_allclose(path(optimizers.AdamW(0.01, 0.02, flavor="paper")), expected, rtol=1e-11, atol=1e-11)
    halving = optimizers.AdamW(lambda step: 0.01 * 0.5**step, 0.02, flavor="paper").scalars(0, 3)[:, 2]
    np.testing.assert_allclose(halving, [0.02, 0.01, 0.005])
    with pytest.raises(ValueError, match=r"must not begin with 0. Received: 0.0 at step 0"):
        optimizers.AdamW(lambda step: 0.1 * step, flavor="paper").scalars(0, 2)


def test_ftrl_of_the_paper(backend) -> None:
    """Per-coordinate FTRL-proximal: the weights are a closed formula of the state."""
    alpha, beta, l1, l2 = 0.1, 1.0, 0.3, 0.2
    w, z, n, expected = START, np.zeros(SHAPE), np.zeros(SHAPE), []
    for g in GRADIENTS:
        sigma = (np.sqrt(n + g * g) - np.sqrt(n)) / alpha
        z, n = z + g - sigma * w, n + g * g
        w = np.where(abs(z) <= l1, 0.0, -(z - np.sign(z) * l1) / ((beta + np.sqrt(n)) / alpha + l2))
        expected.append(w)
    optimizer = optimizers.Ftrl(l1_regularization_strength=l1, l2_regularization_strength=l2, flavor="paper")
    found = path(optimizer)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    assert (found[-1] == 0).any()


def test_nesterov_in_three_views(backend) -> None:
    """The papers' look-ahead, Keras's and PyTorch's parameters: one path on a function whose gradient is known."""
    rng = np.random.default_rng(1)
    curvature, lr, mu = rng.uniform(0.5, 3, 7), 0.1, 0.9
    theta = rng.normal(size=7)
    keras, torch, ahead = theta.copy(), theta.copy(), theta.copy()
    v_keras, v_torch, v_ahead, v = (np.zeros(7) for _ in range(4))
    for _ in range(100):
        v = mu * v - lr * curvature * np.sin(theta + mu * v)  # Sutskever et al., equations 3 and 4
        theta = theta + v
        ops.look_ahead_(ahead, v_ahead, mu)
        ops.nesterov_(ahead, curvature * np.sin(ahead), v_ahead, lr, mu, form="look_ahead")
        ops.nesterov_(keras, curvature * np.sin(keras), v_keras, lr, mu)
        ops.nesterov_(torch, curvature * np.sin(torch), v_torch, lr, mu, form="outside")
        np.testing.assert_allclose(ahead, theta, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(keras, theta + mu * v, rtol=1e-12, atol=1e-13)  # the shifted variable
        np.testing.assert_allclose(torch, keras, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(-lr * v_torch, v_keras, rtol=1e-12, atol=1e-13)
    moved = [ahead.copy()]
    ops.look_ahead_many(moved, [v_ahead], mu)
    ops.look_ahead_many(moved, [v_ahead], -mu)
    np.testing.assert_allclose(moved[0], ahead, rtol=1e-14)
    with pytest.raises(ValueError, match=r"mu must be .*Received: "):
        ops.look_ahead_(ahead, v_ahead, math.nan)


# ------------------------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(("name", "flavor"), FLAVORS)
def test_flavors_have_their_defaults(name: str, flavor: str) -> None:
    optimizer = CLASSES[name](flavor=flavor)
    first = next(iter(CLASSES[name]._flavors.values()))
    for key, value in {**first, **CLASSES[name]._flavors[flavor]}.items():
        assert getattr(optimizer, key) == value
    given = {"learning_rate": 0.5, "weight_decay": 0.25}
    assert {key: CLASSES[name](flavor=flavor, **given).get_config()[key] for key in given} == given
    coupled = flavor in ("torch", "book") and name != "AdamW"
    assert optimizer.decoupled_weight_decay != coupled
    decay = CLASSES[name](0.5, weight_decay=0.25, flavor=flavor).scalars(0, 1)[0, 1:3].tolist()
    if (name, flavor) == ("ScheduleFreeAdamW", "paper"):
        assert decay == [0, 0]  # in the rule
    else:
        assert decay == ([0.25, 0] if coupled else [0, 0.25 if (name, flavor) == ("AdamW", "paper") else 0.125])
    other = CLASSES[name](0.5, weight_decay=0.25, flavor=flavor, decoupled_weight_decay=False)
    assert other.scalars(0, 1)[0, 1:3].tolist() == [0.25, 0]


@variants
def test_config_round_trip(optimizer: Optimizer) -> None:
    twin = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(twin) is type(optimizer)
    assert twin.get_config() == optimizer.get_config()
    assert (twin.row, repr(twin)) == (optimizer.row, repr(optimizer))
    np.testing.assert_array_equal(twin.scalars(0, 5), optimizer.scalars(0, 5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimizers.Adam(flavor="troch"), "Unknown flavor of Adam 'troch'. Did you mean 'torch'?"),
        (lambda: optimizers.Lion(flavor="torch"), "Expected one of: 'keras', 'paper'"),
        (lambda: optimizers.SGD(0.1, lr=0.2), "lr is learning_rate: give one of them. Received: 0.1 and lr=0.2"),
        (lambda: optimizers.SGD(0.1, 0.9, True, dampening=0.5), "0.0 with nesterov. Received: dampening=0.5"),
        (lambda: optimizers.Ftrl(learning_rate_power=0.5), "at most 0. Received: learning_rate_power=0.5"),
        (lambda: optimizers.Rprop(etas=(1.5, 2.0)), "Received: etas=(1.5, 2.0)"),
        (lambda: optimizers.Rprop(step_sizes=0.5), "step_sizes must be two numbers. Received: step_sizes=0.5"),
        (lambda: optimizers.Rprop(step_sizes=(2.0, 1.0)), "in order. Received: step_sizes=(2.0, 1.0)"),
        (lambda: optimizers.RAdam(threshold=3.0), "at least 4. Received: threshold=3.0"),
        (lambda: optimizers.Nadam(beta_1=1.0), "less than 1. Received: beta_1=1.0"),
        (lambda: optimizers.RMSprop(momentum=-1.0), "at least 0. Received: momentum=-1.0"),
        (lambda: optimizers.Adam(lambda step: 0.1, lambda step: 1.0).scalars(0, 1), "less than 1"),
        (lambda: optimizers.SGD().exclude_from_weight_decay(var_names=["("]), "regular expressions"),
        (
            lambda: optimizers.ScheduleFreeAdamW(flavor="paper", exclude_from_weight_decay=["bias"]),
            "applies to all parameters. Received: ['bias']",
        ),
        (
            lambda: optimizers.ScheduleFreeAdamW(lambda step: 0.1, flavor="paper").scalars(0, 1),
            "must be a number or a schedule. Received: ",
        ),
        (lambda: optimizers.SGD(0.1, lambda step: 0.9).get_config(), "A function as momentum has no config"),
    ],
)
def test_errors(call, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_lr_is_learning_rate() -> None:
    assert optimizers.Adam(lr=0.25).learning_rate == 0.25
    assert (
        optimizers.get({"class_name": "SGD", "config": {"lr": 0.5, "decay": 0.0}}).get_config()["learning_rate"] == 0.5
    )


class Halving(schedules.ExponentialDecay):
    """A schedule: known in advance."""

    asked = 0

    def __init__(self, first: float) -> None:
        super().__init__(first, 1, 0.5)

    def values(self, first_step: int, count: int) -> np.ndarray:
        Halving.asked += 1
        return super().values(first_step, count)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda course: optimizers.SGD(course(0.5), momentum=course(0.75)),
        lambda course: optimizers.SGD(course(0.5), momentum=course(0.75), nesterov=True, flavor="torch"),
        lambda course: optimizers.RMSprop(course(0.5), momentum=course(0.75)),
        lambda course: optimizers.Adam(course(0.5), course(0.75)),
        lambda course: optimizers.AdamW(course(0.5), beta_1=course(0.75)),
        lambda course: optimizers.Adamax(course(0.5), course(0.75)),
        lambda course: optimizers.RAdam(course(0.5), course(0.75)),
        lambda course: optimizers.Lion(course(0.5), course(0.75)),
    ],
)
def test_schedules_and_functions(optimizer) -> None:
    """A number that is set before every step, a function and a schedule are the same."""
    scheduled = optimizer(Halving)
    by_function = optimizer(lambda first: lambda step: first * 0.5**step)
    name = "momentum" if hasattr(scheduled, "momentum") else "beta_1"
    by_hand = []
    for step in range(5):
        single = optimizer(lambda first: first)
        single.learning_rate = 0.5 * 0.5**step
        setattr(single, name, 0.75 * 0.5**step)
        by_hand.append(single.scalars(step, 1)[0])
    np.testing.assert_allclose(scheduled.scalars(0, 5), by_hand, rtol=1e-14)
    np.testing.assert_allclose(by_function.scalars(0, 5), by_hand, rtol=1e-14)
    asked = Halving.asked
    scheduled.scalars(700, 20)  # computed ahead
    assert Halving.asked == asked
    scheduled.iterations = 2
    assert scheduled.learning_rate == 0.125
    own = optimizer(lambda first: schedules.ExponentialDecay(first, 1, 0.5))
    config = own.get_config()
    assert config["learning_rate"]["config"]["initial_learning_rate"] == 0.5
    assert config[name]["class_name"] == "ExponentialDecay"
    twin = optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(own))))
    assert twin.get_config() == config
    np.testing.assert_array_equal(twin.scalars(3, 4), own.scalars(3, 4))


def test_a_schedule_that_gives_nonsense_is_reported() -> None:
    class Wrong(Halving):
        def values(self, first_step: int, count: int) -> np.ndarray:
            return np.where(np.arange(first_step, first_step + count) == 3, self.initial_learning_rate, 0.1)

    with pytest.raises(ValueError, match=r"learning_rate at step 3 must be .*Received: .*=-1.0"):
        optimizers.SGD(Wrong(-1.0)).scalars(0, 5)
    with pytest.raises(ValueError, match=r"beta_1 at step 3 must be .* less than 1. Received: "):
        optimizers.Adam(0.1, Wrong(1.0)).scalars(0, 5)
