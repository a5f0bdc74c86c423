"""A hundred steps of training with every option around the optimizer's rule, against Keras, in float64.

Keras turns Python numbers into float32 first, here and there, whatever dtype it computes in: so all rates and factors
are numbers that float32 holds exactly.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, constraints, optimizers, regularizers
from fastnn.layers import Activation, Dense, Input

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
    pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning"),  # in torch.optim.LBFGS
]
STEPS, BATCH = 100, 8
EXACT = {"beta_1": 7 / 8, "beta_2": 31 / 32, "epsilon": 2.0**-20}  # of Adam


@pytest.fixture(autouse=True)
def double(monkeypatch):
    """Keras computes many things in float32 whatever it is given; this is where it decides that."""
    dtypes = pytest.importorskip("keras.src.backend.common.dtypes")
    remembering = [function for function in vars(dtypes).values() if hasattr(function, "cache_clear")]
    with monkeypatch.context() as patch:
        patch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
        before, threads = keras.config.floatx(), torch.get_num_threads()
        policy = keras.config.dtype_policy()  # set once, by the first layer that asks for it
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        torch.set_num_threads(1)
        for function in remembering:  # what it has decided before
            function.cache_clear()
        yield
        torch.set_num_threads(threads)
        keras.config.set_dtype_policy(policy)
        keras.config.set_floatx(before)
    for function in remembering:
        function.cache_clear()


def data(samples=STEPS // 2 * BATCH):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(samples, 6)).astype(np.float32).astype(np.float64)
    return x, rng.integers(0, 3, samples)


def train(layers, inputs, sequential, optimizer, epochs=2, evaluate=True):
    """Weights after the training, the losses of its epochs, and the loss of an evaluation afterwards."""
    model = sequential([inputs, *layers])
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(size=w.shape, scale=0.5).astype(np.float32) for w in model.weights])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    x, y = data()
    history = model.fit(x, y, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0).history["loss"]
    after = model.evaluate(x, y, batch_size=BATCH, verbose=0)
    return [np.asarray(w) for w in model.get_weights()], history, after


def compare(make_layers, make_optimizer, tolerance=1e-10):
    """make_layers(layers module, regularizers, constraints), make_optimizer(optimizers module)"""
    theirs = train(
        make_layers(keras.layers.Dense, keras.layers.Activation, keras.regularizers, keras.constraints),
        keras.Input((6,), dtype="float64"), keras.Sequential, make_optimizer(keras.optimizers),
    )  # fmt: skip
    for backend in ("native", "reference"):
        with fastnn.use_backend(backend):
            ours = train(
                make_layers(partial(Dense, dtype="float64"), Activation, regularizers, constraints),
                Input((6,), dtype="float64"), Sequential, make_optimizer(optimizers),
            )  # fmt: skip
        for ours_w, theirs_w in zip(ours[0], theirs[0], strict=True):
            np.testing.assert_allclose(ours_w, theirs_w, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(ours[1], theirs[1], rtol=tolerance)
        np.testing.assert_allclose(ours[2], theirs[2], rtol=tolerance)


def plain(dense, activation, regularizers, constraints):
    return [dense(10, "tanh"), dense(3, "softmax")]


OPTIONS = {
    "clipnorm": {"clipnorm": 1 / 16},
    "clipnorm that seldom clips": {"clipnorm": 3 / 8},
    "clipvalue": {"clipvalue": 1 / 64},
    "global_clipnorm": {"global_clipnorm": 1 / 8},
    "accumulation": {"gradient_accumulation_steps": 3},
    "accumulation and clipping": {"gradient_accumulation_steps": 4, "clipnorm": 1 / 16},
    "accumulation and clipping by value": {"gradient_accumulation_steps": 4, "clipvalue": 1 / 64},
    "accumulation and global clipping": {"gradient_accumulation_steps": 4, "global_clipnorm": 1 / 16},
    "scaled loss": {"loss_scale_factor": 3.0},
    "scaled loss and clipping": {"loss_scale_factor": 1024.0, "clipnorm": 1 / 16},
    "scaled loss, accumulation, clipping": {
        "loss_scale_factor": 3.0, "gradient_accumulation_steps": 4, "clipvalue": 1 / 64
    },
    "ema": {"use_ema": True, "ema_momentum": 7 / 8},
    "ema that overwrites": {"use_ema": True, "ema_momentum": 3 / 4, "ema_overwrite_frequency": 7},
    "ema, accumulation, decay": {
        "use_ema": True, "ema_momentum": 7 / 8, "ema_overwrite_frequency": 3,
        "gradient_accumulation_steps": 4, "weight_decay": 1 / 8,
    },
}  # fmt: skip


@pytest.mark.parametrize("rule", ["SGD", "Adam"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_options_of_the_optimizer(options, rule):
    compare(
        plain,
        lambda module: getattr(module, rule)(learning_rate=1 / 16, **(EXACT if rule == "Adam" else {}), **options),
    )


def test_a_schedule_looks_at_mini_batches_also_with_accumulation():
    def scheduled(module):
        rate = module.schedules if hasattr(module, "schedules") else fastnn.schedules
        decay = rate.ExponentialDecay(1 / 8, 16, 1 / 4)
        return module.Adam(decay, **EXACT, gradient_accumulation_steps=3)

    compare(plain, scheduled)


def test_weight_decay_with_exclusions():
    def decaying(module):
        optimizer = module.AdamW(1 / 64, weight_decay=1 / 4, **EXACT)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer

    compare(plain, decaying)


PENALTIES = {
    "l1": lambda r: {"kernel_regularizer": r.L1(1 / 64), "bias_regularizer": r.L1(1 / 32)},
    "l2": lambda r: {"kernel_regularizer": r.L2(1 / 16)},
    "l1_l2": lambda r: {"kernel_regularizer": r.L1L2(1 / 64, 1 / 32), "bias_regularizer": r.L2(1 / 32)},
    "orthogonal": lambda r: {"kernel_regularizer": r.OrthogonalRegularizer(1 / 8)},
    "orthogonal columns": lambda r: {"kernel_regularizer": r.OrthogonalRegularizer(1 / 8, mode="columns")},
    "activity": lambda r: {"activity_regularizer": r.L1L2(1 / 64, 1 / 32)},
    "activity and kernel": lambda r: {"activity_regularizer": r.L2(1 / 8), "kernel_regularizer": r.L2(1 / 8)},
}


@pytest.mark.parametrize(
    "clipping", [{}, {"global_clipnorm": 1 / 4}, {"loss_scale_factor": 3.0}], ids=["", "clipped", "scaled"]
)
@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
def test_regularizers(penalty, clipping):
    def layers(dense, activation, regularizers, constraints):
        return [dense(10, "tanh", **penalty(regularizers)), dense(3, "softmax", **penalty(regularizers))]

    compare(layers, lambda module: module.SGD(1 / 8, **clipping))


def test_activity_of_a_layer_without_weights():
    def layers(dense, activation, regularizers, constraints):
        return [dense(10), activation("tanh", activity_regularizer=regularizers.L2(1 / 4)), dense(3, "softmax")]

    compare(layers, lambda module: module.SGD(1 / 8))


def test_frozen_weights_are_not_penalised():
    def layers(dense, activation, regularizers, constraints):
        return [
            dense(10, "tanh", kernel_regularizer=regularizers.L2(1 / 4), trainable=False),
            dense(3, "softmax", kernel_regularizer=regularizers.L2(1 / 4)),
        ]

    compare(layers, lambda module: module.SGD(1 / 8))


CONSTRAINTS = {
    "non_neg": lambda c: {"kernel_constraint": c.NonNeg()},
    "max_norm": lambda c: {"kernel_constraint": c.MaxNorm(3 / 4), "bias_constraint": c.MaxNorm(1 / 8)},
    "unit_norm": lambda c: {"kernel_constraint": c.UnitNorm(axis=0)},
    "min_max_norm": lambda c: {"kernel_constraint": c.MinMaxNorm(1 / 2, 7 / 8, rate=3 / 4, axis=1)},
}


@pytest.mark.parametrize(
    "more", [{}, {"gradient_accumulation_steps": 3}, {"use_ema": True, "ema_momentum": 7 / 8}], ids=str
)
@pytest.mark.parametrize("constraint", CONSTRAINTS.values(), ids=CONSTRAINTS)
def test_constraints(constraint, more):
    def layers(dense, activation, regularizers, constraints):
        return [dense(10, "tanh", **constraint(constraints)), dense(3, "softmax", **constraint(constraints))]

    compare(layers, lambda module: module.Adam(1 / 16, **EXACT, **more))


# ------------------------------------------------------------------------------- optimizers that look at whole tensors

TENSOR_RULES = {
    "Lamb": {"learning_rate": 1 / 64, "beta_1": 7 / 8, "beta_2": 31 / 32, "epsilon": 2.0**-20},
    "Adafactor": {"learning_rate": 1 / 64, "beta_2_decay": -0.75, "epsilon_1": 2.0**-60, "epsilon_2": 2.0**-10},
    "Muon": {
        "learning_rate": 1 / 64, "adam_beta_1": 7 / 8, "adam_beta_2": 31 / 32, "epsilon": 2.0**-20,
        "momentum": 7 / 8, "muon_a": 3.5, "muon_b": -4.75, "muon_c": 2.0, "rms_rate": 1 / 4,
        "weight_decay": 1 / 64, "adam_weight_decay": 1 / 32,
    },
}  # fmt: skip
VARIATIONS = [
    {},
    {"weight_decay": 1 / 8},
    {"clipnorm": 1 / 16},
    {"gradient_accumulation_steps": 4, "global_clipnorm": 1 / 4},
]


@pytest.mark.parametrize("more", VARIATIONS, ids=str)
@pytest.mark.parametrize("rule", TENSOR_RULES)
def test_rules_that_look_at_tensors(rule, more):
    def layers(dense, activation, regularizers, constraints):
        # wide, tall and vectors; Keras computes Muon's sqrt(max(shape)) in float32, which is exact for squares
        return [dense(16, "tanh"), dense(9, "tanh"), dense(3, "softmax")]

    compare(layers, lambda module: getattr(module, rule)(**{**TENSOR_RULES[rule], **more}), tolerance=1e-9)


@pytest.mark.parametrize("more", [{"nesterov": False}, {"rms_rate": None}, {"exclude_layers": ["output"]}], ids=str)
def test_variants_of_muon(more):
    def layers(dense, activation, regularizers, constraints):
        return [dense(9, "tanh", name="hidden"), dense(3, "softmax", name="output")]

    compare(layers, lambda module: module.Muon(**{**TENSOR_RULES["Muon"], **more}), tolerance=1e-9)


# --------------------------------------------------------------------------------------------------------------- L-BFGS


def torch_model(ours):
    """The same network in PyTorch; its weights are transposed."""
    net = torch.nn.Sequential(torch.nn.Linear(6, 10), torch.nn.Tanh(), torch.nn.Linear(10, 1)).double()
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), ours.get_weights(), strict=True):
            parameter.copy_(torch.from_numpy(value.T.copy()))
    return net


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.1, "max_iter": 5},
        {"lr": 1.0, "line_search_fn": "strong_wolfe"},
        {"lr": 0.5, "line_search_fn": "strong_wolfe", "history_size": 3, "max_iter": 7},
        {"lr": 0.2, "max_iter": 4, "history_size": 2},
        {"lr": 8.0, "line_search_fn": "strong_wolfe", "max_iter": 12, "max_eval": 15},
    ],
    ids=str,
)
def test_lbfgs_against_pytorch(options):
    x, _ = data(64)
    y = np.sin(x[:, :1]) * x[:, 1:2]
    for backend in ("native", "reference"):
        with fastnn.use_backend(backend):
            rng = np.random.default_rng(5)
            ours = Sequential(
                [Input((6,), dtype="float64"), Dense(10, "tanh", dtype="float64"), Dense(1, dtype="float64")]
            )
            ours.set_weights([rng.normal(size=w.shape, scale=0.5) for w in ours.weights])
            net = torch_model(ours)
            renamed = {"learning_rate" if name == "lr" else name: value for name, value in options.items()}
            ours.compile(optimizers.LBFGS(**renamed), "mse")
            history = ours.fit(x, y, epochs=2, verbose=0).history["loss"]
        rule = torch.optim.LBFGS(net.parameters(), **options)
        samples, targets = torch.from_numpy(x), torch.from_numpy(y)

        def closure(rule=rule, net=net, samples=samples, targets=targets):
            rule.zero_grad()
            loss = torch.nn.functional.mse_loss(net(samples), targets)
            loss.backward()
            return loss

        losses = [float(rule.step(closure)) for _ in range(2)]
        np.testing.assert_allclose(history, losses, rtol=1e-9)
        for value, parameter in zip(ours.get_weights(), net.parameters(), strict=True):
            np.testing.assert_allclose(value.T, parameter.detach().numpy(), rtol=1e-7, atol=1e-9)
