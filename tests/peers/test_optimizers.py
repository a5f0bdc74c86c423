"""A hundred steps of every optimizer, on the compiled kernels, end where those of PyTorch, Keras and optax end.

The gradients are given, not computed, so that nothing but the update rule is compared; in float64.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from fastnn import _native, ops, optimizers
from fastnn.backend import current

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the peers, when they are imported

STEPS = 100
SHAPE = (3, 5)
SLOTS = {name: slots for name, slots, _ in _native.tables()["optimizers"]}


def gradients():
    """Of sizes that differ by element and step, some of them 0, one element without any, signs that turn."""
    rng = np.random.default_rng(5)
    sizes = 10.0 ** rng.uniform(-3, 1, SHAPE)
    g = sizes * (rng.normal(size=(STEPS, *SHAPE)) + 0.5)
    g[rng.random(g.shape) < 0.1] = 0.0
    g[:, 0, 0] = 0.0
    return g


GRADIENTS = gradients()
START = np.random.default_rng(6).normal(size=SHAPE)


def path(optimizer, steps=STEPS, rates=None):
    """The parameters after every step, on the kernels of the current backend."""
    p = START.copy()
    slots = tuple(np.array(np.broadcast_to(optimizer.slot_value(s, p), SHAPE)) for s in SLOTS[optimizer.row])
    found = []
    for step in range(steps):
        if rates is not None:
            optimizer.learning_rate = rates[step]
        scalars = optimizer.scalars(step, 1)[0]
        flat = [array.reshape(-1) for array in (p, GRADIENTS[step].copy(), *slots)]
        current().optimizer_update(optimizer.row, flat[0], flat[1], tuple(flat[2:]), scalars)
        found.append(p.copy())
    return np.array(found)


def close(found, expected, rtol=1e-11):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


# -------------------------------------------------------------------------------------------------------------- PyTorch

TORCH = [
    ("SGD", {}, {}),
    ("SGD", {"momentum": 0.9}, {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.1}, {"momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3}, {"momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"momentum": 0.8, "nesterov": True}, {"momentum": 0.8, "nesterov": True}),
    (
        "SGD",
        {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
        {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    ),
    ("Adagrad", {}, {}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1}, {"lr_decay": 0.1, "weight_decay": 0.1}),
    ("Adagrad", {"initial_accumulator_value": 0.5}, {"initial_accumulator_value": 0.5}),
    ("Adadelta", {}, {}),
    ("Adadelta", {"rho": 0.8, "eps": 1e-3, "weight_decay": 0.1}, {"rho": 0.8, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("RMSprop", {}, {}),
    ("RMSprop", {"alpha": 0.8, "eps": 1e-2, "weight_decay": 0.1}, {"rho": 0.8, "epsilon": 1e-2, "weight_decay": 0.1}),
    ("RMSprop", {"momentum": 0.9}, {"momentum": 0.9}),
    ("RMSprop", {"centered": True}, {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.9}, {"centered": True, "momentum": 0.9}),
    ("Adam", {}, {}),
    (
        "Adam",
        {"betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.1},
        {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1},
    ),
    ("Adam", {"amsgrad": True}, {"amsgrad": True}),
    (
        "Adam",
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    ("AdamW", {}, {}),
    ("AdamW", {"amsgrad": True, "weight_decay": 0.1}, {"amsgrad": True, "weight_decay": 0.1}),
    ("Adamax", {}, {}),
    (
        "Adamax",
        {"betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.1},
        {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1},
    ),
    ("NAdam", {}, {}),
    (
        "NAdam",
        {"betas": (0.8, 0.99), "momentum_decay": 0.1, "weight_decay": 0.1},
        {"beta_1": 0.8, "beta_2": 0.99, "momentum_decay": 0.1, "weight_decay": 0.1},
    ),
    (
        "NAdam",
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    ("RAdam", {}, {}),
    (
        "RAdam",
        {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1},
        {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "weight_decay": 0.1},
    ),
    (
        "RAdam",
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    ("RAdam", {"betas": (0.9, 0.5)}, {"beta_2": 0.5}),  # never enough gradients
    ("Rprop", {}, {}),
    (
        "Rprop",
        {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.02)},
        {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.02)},
    ),
    ("ASGD", {}, {}),
    (
        "ASGD",
        {"lambd": 0.1, "alpha": 0.5, "t0": 10, "weight_decay": 0.1},
        {"lambd": 0.1, "alpha": 0.5, "t0": 10.0, "weight_decay": 0.1},
    ),
]  # fmt: skip


def ours(name):
    return {"NAdam": optimizers.Nadam}.get(name) or getattr(optimizers, name)


@pytest.fixture
def torch():
    """PyTorch keeps the momentum of NAdam and the rate of ASGD in its default dtype."""
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


def torch_path(torch, name, options, rates=None):
    p = torch.tensor(START.copy(), requires_grad=True)
    optimizer = getattr(torch.optim, name)([p], **options)
    found = []
    for step, g in enumerate(GRADIENTS):
        if rates is not None:
            optimizer.param_groups[0]["lr"] = rates[step]
        p.grad = torch.tensor(g)
        optimizer.step()
        found.append(p.detach().numpy().copy())
    return np.array(found), optimizer.state[p]


@pytest.mark.parametrize(("name", "theirs", "options"), TORCH, ids=str)
def test_torch(torch, name, theirs, options):
    expected, _ = torch_path(torch, name, theirs)
    optimizer = ours(name)(flavor="torch", **options)
    close(path(optimizer), expected)
    if "lr" not in theirs:  # the defaults of the flavor were meant
        with_rate, _ = torch_path(torch, name, {"lr": 0.05, **theirs})
        close(path(ours(name)(0.05, flavor="torch", **options)), with_rate)
    assert np.isfinite(expected).all() and (np.abs(expected[-1] - START) > 1e-8).any()


@pytest.mark.parametrize(
    "options",
    [
        ("SGD", {"momentum": 0.9}),
        ("SGD", {"momentum": 0.9, "nesterov": True}),
        ("RMSprop", {"momentum": 0.9}),
        ("AdamW", {}),
        ("ASGD", {}),
    ],
    ids=str,
)
def test_torch_when_the_rate_changes(torch, options):
    """Here a velocity that holds learning rates goes another way."""
    name, options = options
    rates = list(0.05 * 0.97 ** np.arange(STEPS) * np.where(np.arange(STEPS) > 30, 0.1, 1.0))
    if name == "ASGD":  # PyTorch's rate of a step is made in the step before it
        rates = [0.05] * STEPS
    expected, _ = torch_path(torch, name, {"lr": 0.05, **options}, rates)
    close(path(ours(name)(0.05, flavor="torch", **options), rates=rates), expected)
    if name == "SGD":
        assert not np.allclose(path(ours(name)(0.05, **options), rates=rates)[-1], expected[-1], rtol=1e-3)


def test_torch_average(torch):
    _, state = torch_path(torch, "ASGD", {"lr": 0.05, "t0": 10, "lambd": 0.01})
    p, average = START.copy(), np.zeros(SHAPE)
    for t, g in enumerate(GRADIENTS, 1):
        ops.asgd_(p, g, average, t, lr=0.05, lambd=0.01, t0=10)
    close(average, state["ax"].numpy())


def test_torch_adam_when_the_momentum_changes(torch):
    """As its OneCycleLR does it: 1 - beta_1**t with the beta_1 of the step."""
    p = torch.tensor(START.copy(), requires_grad=True)
    optimizer = torch.optim.Adam([p], lr=0.05)
    expected = []
    for step, g in enumerate(GRADIENTS):
        optimizer.param_groups[0]["betas"] = (0.95 - 0.001 * step, 0.999)
        p.grad = torch.tensor(g)
        optimizer.step()
        expected.append(p.detach().numpy().copy())
    close(path(optimizers.Adam(0.05, lambda step: 0.95 - 0.001 * step, flavor="torch")), np.array(expected))


# ---------------------------------------------------------------------------------------------------------------- Keras

KERAS = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.8, "nesterov": True}),
    ("Adagrad", {}),
    ("Adagrad", {"initial_accumulator_value": 0.0, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("Adadelta", {}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.8, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("RMSprop", {}),
    ("RMSprop", {"rho": 0.8, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {}),
    ("AdamW", {"amsgrad": True, "weight_decay": 0.1}),
    ("Adamax", {}),
    ("Adamax", {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("Nadam", {}),
    ("Nadam", {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("Lion", {}),
    ("Lion", {"beta_1": 0.8, "beta_2": 0.9, "weight_decay": 0.1}),
    ("Ftrl", {}),
    (
        "Ftrl",
        {
            "learning_rate": 0.1, "l1_regularization_strength": 0.3, "l2_regularization_strength": 0.1,
            "l2_shrinkage_regularization_strength": 0.2, "beta": 0.5, "weight_decay": 0.1,
        },
    ),
    ("Ftrl", {"learning_rate": 0.1, "learning_rate_power": -0.3, "initial_accumulator_value": 0.2}),
    ("ScheduleFreeAdamW", {}),
    ("ScheduleFreeAdamW", {"beta_1": 0.8, "beta_2": 0.99, "warmup_steps": 20, "weight_decay": 0.1}),
]  # fmt: skip


def keras_path(optimizer, rates=None):
    keras = pytest.importorskip("keras")
    variable = keras.Variable(START, dtype="float64")
    optimizer.build([variable])
    found = []
    for step, g in enumerate(GRADIENTS):
        if rates is not None:
            optimizer.learning_rate = rates[step]
        optimizer.apply([keras.ops.convert_to_tensor(g, "float64")], [variable])
        found.append(keras.ops.convert_to_numpy(variable.value).copy())
    return np.array(found)


@pytest.fixture
def float64():
    """Keras keeps hyper-parameters in its default dtype."""
    keras = pytest.importorskip("keras")
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield keras
    keras.config.set_floatx(before)


SCRIPT = """
import json, sys
import keras
import numpy as np
keras.config.set_floatx("float64")
options, start, gradients = json.load(sys.stdin)
variable, optimizer = keras.Variable(np.array(start), dtype="float64"), keras.optimizers.ScheduleFreeAdamW(**options)
optimizer.build([variable])
path = []
for g in gradients:
    optimizer.apply([keras.ops.convert_to_tensor(g, "float64")], [variable])
    path.append(np.array(variable.value).tolist())
print(json.dumps(path))
"""


def schedule_free_path(options):
    """By Keras on JAX: on PyTorch, where assigning is in place, it overwrites what it still needs."""
    pytest.importorskip("jax")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"}
    given = json.dumps([options, START.tolist(), GRADIENTS.tolist()])
    done = subprocess.run([sys.executable, "-c", SCRIPT], input=given, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout))


@pytest.mark.parametrize(("name", "options"), KERAS, ids=str)
def test_keras(float64, name, options):
    if not hasattr(float64.optimizers, name):
        pytest.skip(f"this Keras has no {name}")
    if name == "ScheduleFreeAdamW":
        expected = schedule_free_path(options)
    else:
        expected = keras_path(getattr(float64.optimizers, name)(**options))
    close(path(ours(name)(**options)), expected)
    assert np.isfinite(expected).all() and (np.abs(expected[-1] - START) > 1e-8).any()


@pytest.mark.parametrize("options", [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}], ids=str)
def test_keras_when_the_rate_changes(float64, options):
    rates = list(0.05 * 0.97 ** np.arange(STEPS))
    close(path(ours("SGD")(**options), rates=rates), keras_path(float64.optimizers.SGD(**options), rates))


@pytest.mark.parametrize("name", sorted({name for name, _ in KERAS}))
def test_configs_of_keras_are_understood(float64, name):
    if not hasattr(float64.optimizers, name):
        pytest.skip(f"this Keras has no {name}")
    theirs = getattr(float64.optimizers, name)()
    config = theirs.get_config()
    found = optimizers.get({"class_name": name, "config": config})
    own = found.get_config()
    for key in own.keys() & config.keys():
        if isinstance(config[key], float):
            assert own[key] == pytest.approx(config[key], rel=1e-6), key
        else:
            assert own[key] == config[key] or key == "name", key
    assert {"learning_rate", "weight_decay"} <= own.keys() & config.keys()
    # the class's own arguments come in Keras's order

    def arguments(cls):
        positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return [n for n, p in inspect.signature(cls).parameters.items() if p.kind is positional and n in own]

    wanted = [n for n in arguments(type(theirs)) if n in own and n != "name"]
    assert [n for n in arguments(type(found)) if n != "name"] == wanted


# ---------------------------------------------------------------------------------------------------------------- optax


@pytest.mark.parametrize(
    ("make", "optimizer"),
    [
        (lambda o: o.lion(0.01, weight_decay=0.0), optimizers.Lion(0.01)),
        (lambda o: o.lion(0.01, weight_decay=0.1), optimizers.Lion(0.01, weight_decay=0.1)),
        (lambda o: o.adam(0.01), optimizers.Adam(0.01, flavor="paper")),
        (lambda o: o.adamw(0.01, weight_decay=0.1), optimizers.AdamW(0.01, weight_decay=0.1, flavor="torch")),
        (lambda o: o.adamax(0.01, eps=1e-8), optimizers.Adamax(0.01, flavor="torch")),
        (lambda o: o.sgd(0.01, 0.9, nesterov=True), optimizers.SGD(0.01, 0.9, nesterov=True, flavor="torch")),
        (lambda o: o.rmsprop(0.01, 0.9, eps=1e-7), optimizers.RMSprop(0.01)),
        (lambda o: o.rmsprop(0.01, 0.9, eps=1e-7, centered=True), optimizers.RMSprop(0.01, centered=True)),
        (lambda o: o.adagrad(0.01, 0.1, 1e-7), optimizers.Adagrad(0.01)),
        (lambda o: o.adadelta(1.0, 0.9, 1e-6), optimizers.Adadelta(flavor="torch")),
    ],
    ids=lambda value: repr(value) if not callable(value) else "",
)
def test_optax(make, optimizer):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    rule, p = make(optax), jax.numpy.array(START)
    state, expected = rule.init(p), []
    for g in GRADIENTS:
        change, state = rule.update(jax.numpy.array(g), state, p)
        p = optax.apply_updates(p, change)
        expected.append(np.array(p))
    found = path(optimizer)
    # optax takes 0 for the step where the sum of squares is 0; where eps is inside that is so here as well
    close(found, np.array(expected), rtol=1e-6 if type(optimizer) is optimizers.Adamax else 1e-11)


def test_the_paper_of_schedule_free_learning():
    """Flavor "paper" is the algorithm as published, against the formula in its own variables x, y and z."""
    rate, b1, b2, eps, warmup, decay = 0.05, 0.9, 0.99, 1e-8, 15, 0.1
    x = z = START
    v, total, expected = np.zeros(SHAPE), 0.0, []
    for t, g in enumerate(GRADIENTS, 1):
        y = (1 - b1) * z + b1 * x
        v = b2 * v + (1 - b2) * g * g
        gamma = rate * np.sqrt(1 - b2**t) * min(1, t / warmup)
        z = z - gamma * g / (np.sqrt(v) + eps) - gamma * decay * y
        total += gamma**2
        x = (1 - gamma**2 / total) * x + gamma**2 / total * z
        expected.append((1 - b1) * z + b1 * x)
    optimizer = optimizers.ScheduleFreeAdamW(rate, b1, b2, eps, warmup, decay, flavor="paper")
    close(path(optimizer), np.array(expected))
