"""What surrounds the optimizer's rule: hand-computed steps, both backends, any number of threads, files, errors."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, load_model, optimizers, regularizers
from fastnn.layers import Activation, Dense, Input
from fastnn.testing import gradcheck_model

RNG = np.random.default_rng(1)
X, Y = RNG.normal(size=(60, 5)), RNG.integers(0, 3, 60)


class Cosine(regularizers.Regularizer):
    """One of a user: sum(1 - cos x)."""

    def __call__(self, x):
        return float(np.sum(1 - np.cos(x)))

    def gradient(self, x):
        return np.sin(x)


def single(optimizer, w=(3.0, -4.0), **dense):
    """y = w . x on one sample (1, 1) with the loss -y: the gradient of the loss by w is what `step` makes it."""
    model = Sequential([Input((2,), dtype="float64"), Dense(1, dtype="float64", use_bias=False, **dense)])
    model.set_weights([np.reshape(w, (2, 1))])
    model.compile(optimizer, "mse")
    return model


def step(model, gradient):
    """One mini-batch whose gradient by the kernel is this: mse of x . w against a target chosen for it."""
    x = np.array([gradient], np.float64)
    y = x @ model.get_weights()[0] - 0.5  # 2 (x . w - y) x = x
    loss = model.train_on_batch(x, y)
    return model.get_weights()[0][:, 0], loss


def network(optimizer, dtype="float64", units=7, seed=2, **dense):
    model = Sequential(
        [
            Input((5,), dtype=dtype),
            Dense(units, "tanh", dtype=dtype, **dense),
            Dense(units, dtype=dtype, **dense),
            Activation("tanh"),
            Dense(3, "softmax", dtype=dtype),
        ]
    )
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=w.shape, scale=0.5) for w in model.weights])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model._seed = 3
    return model


# -------------------------------------------------------------------------------------------------------- single steps


@pytest.mark.parametrize(
    ("options", "gradient", "moved"),
    [
        ({"clipnorm": 1.0}, (3.0, 4.0), (0.6, 0.8)),
        ({"clipnorm": 5.5}, (3.0, 4.0), (3.0, 4.0)),
        ({"clipnorm": 0.0}, (3.0, 4.0), (3.0, 4.0)),
        ({"clipvalue": 0.0}, (3.0, 4.0), (3.0, 4.0)),
        ({"global_clipnorm": 0.0}, (3.0, 4.0), (3.0, 4.0)),
        ({"global_clipnorm": 2.0}, (3.0, 4.0), (1.2, 1.6)),
        ({"clipvalue": 1.5}, (1.0, -4.0), (1.0, -1.5)),
        ({"clipnorm": 1.0}, (0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_clipping(options, gradient, moved, backend):
    found, _ = step(single(optimizers.SGD(1.0, **options)), gradient)
    np.testing.assert_allclose(found, np.array([3.0, -4.0]) - moved, rtol=1e-15)


@pytest.mark.parametrize("options", [{"clipnorm": 1.0}, {"global_clipnorm": 1.0}, {"clipvalue": 1.0}])
def test_nan_in_nan_out(options, backend):
    model = single(optimizers.SGD(1.0, **options))
    with pytest.warns(RuntimeWarning, match="NaN"):
        model.train_on_batch(np.array([[np.nan, 1.0]]), np.zeros((1, 1)))
    assert np.isnan(model.get_weights()[0]).all()


def test_each_parameter_has_its_own_norm(backend):
    """A kernel of gradient (3, 4) and a bias of gradient 1: the norms are 5 and 1, together sqrt(26)."""
    for options, scales in (
        ({"clipnorm": 2.5}, (0.5, 1.0)),
        ({"global_clipnorm": 2.0}, (2 / math.sqrt(26), 2 / math.sqrt(26))),
    ):
        model = Sequential([Input((2,), dtype="float64"), Dense(1, dtype="float64")])
        model.set_weights([np.zeros((2, 1)), np.zeros(1)])
        model.compile(optimizers.SGD(1.0, **options), "mse")
        model.train_on_batch(np.array([[3.0, 4.0]]), np.array([[-0.5]]))
        kernel, bias = model.get_weights()
        np.testing.assert_allclose(kernel[:, 0], [-3 * scales[0], -4 * scales[0]], rtol=1e-14)
        np.testing.assert_allclose(bias, [-scales[1]], rtol=1e-14)


def test_accumulation(backend):
    model = single(optimizers.SGD(0.5, gradient_accumulation_steps=3))
    optimizer = model.optimizer
    for number, gradient in enumerate([(1.0, 2.0), (2.0, 0.0), (3.0, 4.0), (9.0, 9.0)], 1):
        found, _ = step(model, gradient)
        assert (optimizer.steps, optimizer.iterations) == (number, number // 3)
        expected = [3.0, -4.0] if number < 3 else [3.0 - 0.5 * 2.0, -4.0 - 0.5 * 2.0]
        np.testing.assert_allclose(found, expected, rtol=1e-15)


PENALISED = {"kernel_regularizer": "l1_l2", "bias_regularizer": Cosine(), "activity_regularizer": "l2"}
SCALED = {
    "sgd": lambda **more: optimizers.SGD(0.1, momentum=0.9, **more),
    "clipped": lambda **more: optimizers.Adam(0.03, clipnorm=0.05, **more),
    "clipped together": lambda **more: optimizers.Adam(0.03, global_clipnorm=0.05, **more),
    "clipped values": lambda **more: optimizers.Adam(0.03, clipvalue=0.01, **more),
    "coupled decay": lambda **more: optimizers.SGD(0.1, flavor="torch", weight_decay=0.1, **more),
    "accumulated": lambda **more: optimizers.Adam(0.03, clipnorm=0.05, gradient_accumulation_steps=4, **more),
    "lamb": lambda **more: optimizers.Lamb(0.01, weight_decay=0.1, **more),
    "lars": lambda **more: optimizers.Lars(1.0, nesterov=True, clipnorm=0.5, **more),
    "muon": lambda **more: optimizers.Muon(0.01, use_ema=True, **more),
    "adafactor": lambda **more: optimizers.Adafactor(0.05, gradient_accumulation_steps=2, **more),
}


@pytest.mark.parametrize("make", SCALED.values(), ids=SCALED)
def test_a_power_of_two_that_scales_the_loss_changes_no_bit(make, backend):
    found = []
    for scale in (None, 2.0**-9, 2.0**20):
        model = network(make(loss_scale_factor=scale), **PENALISED)
        weights = np.linspace(0.5, 1.5, 60)
        history = model.fit(X, Y, batch_size=8, epochs=4, sample_weight=weights, verbose=0).history["loss"]
        slots = [array for slot in model.optimizer_state.values() for array in slot]
        found.append([*model.get_weights(), *slots, np.array(history)])
    for other in found[1:]:
        for plain, scaled in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(plain, scaled)


def test_a_scaled_loss_saves_small_gradients():
    """dL/dy is 1e-40 and x 1e10: their product is a float32, the first factor is 0 in a compiled training."""
    for scale, expected in ((None, 0.0), (2.0**40, 0.2)):
        with fastnn.use_backend("native"):
            model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="zeros")])
            model.compile(optimizers.SGD(1e29, loss_scale_factor=scale), "mse", loss_weights=[1e-40])
            model.train_on_batch(np.float32([[1e10]]), np.float32([[1.0]]))
            np.testing.assert_allclose(model.get_weights()[0], [[expected]], rtol=1e-5)


def test_the_scale_of_the_loss_is_in_no_gradient_that_anybody_sees():
    seen = []
    for scale in (None, 2.0**30):
        model = network(optimizers.SGD(0.1, loss_scale_factor=scale), **PENALISED)
        monitor = fastnn.callbacks.Monitor(every=1)
        model.fit(X, Y, epochs=2, shuffle=False, verbose=0, callbacks=[monitor])
        seen.append((list(monitor.history.values()), model.train_on_batch(X, Y), gradcheck_model(model, X[:6], Y[:6])))
    assert seen[0] == seen[1]


def test_the_scale_of_the_loss_can_change_and_is_saved(tmp_path):
    model = network(optimizers.SGD(0.1))
    model.train_on_batch(X, Y)
    model.optimizer.loss_scale_factor = 3.0
    model.train_on_batch(X, Y)
    plain = network(optimizers.SGD(0.1))
    for _ in range(2):
        plain.train_on_batch(X, Y)
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    model.save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").optimizer.loss_scale_factor == 3.0


def test_moving_average(backend):
    """w goes 3, 2, 1, 0: the average begins with the first value that an update has made."""
    model = single(optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5), (3.0, 3.0))
    for _ in range(3):
        found, _ = step(model, (1.0, 1.0))
    np.testing.assert_allclose(found, [0.0, 0.0], atol=1e-15)
    average = model.optimizer_state["moving_average"][0][:, 0]
    np.testing.assert_allclose(average, [0.5 * (0.5 * 2 + 0.5 * 1) + 0.5 * 0] * 2, rtol=1e-15)
    model.runner.finalize()
    np.testing.assert_array_equal(model.get_weights()[0][:, 0], average)


def test_fit_ends_with_the_averages_and_a_single_step_does_not(backend):
    one, other = (network(optimizers.Adam(0.1, use_ema=True, ema_momentum=0.9)) for _ in range(2))
    one.fit(X, Y, batch_size=20, epochs=2, shuffle=False, verbose=0)
    for _ in range(2):
        for at in range(0, 60, 20):
            other.train_on_batch(X[at : at + 20], Y[at : at + 20])
    assert not np.allclose(one.get_weights()[0], other.get_weights()[0])
    np.testing.assert_allclose(one.get_weights()[0], other.optimizer_state["moving_average"][0], rtol=1e-12)
    untrained = network(optimizers.SGD(use_ema=True))
    before = untrained.get_weights()
    untrained.fit(X, Y, epochs=1, initial_epoch=1, verbose=0)
    np.testing.assert_array_equal(untrained.get_weights()[0], before[0])


@pytest.mark.parametrize(
    ("regularizer", "penalty", "slope"),
    [
        (regularizers.L1(0.1), 0.7, (0.1, -0.1)),
        (regularizers.L2(0.1), 2.5, (0.6, -0.8)),
        (regularizers.L1L2(0.1, 0.01), 0.95, (0.16, -0.18)),
        (Cosine(), 2 - math.cos(3) - math.cos(4), (math.sin(3), -math.sin(4))),
    ],
)
def test_regularizers(regularizer, penalty, slope, backend):
    model = single(optimizers.SGD(1.0), kernel_regularizer=regularizer)
    x = np.zeros((4, 2))  # no gradient but that of the penalty
    assert model.evaluate(x, np.zeros((4, 1)), batch_size=3, verbose=0) == pytest.approx(penalty, rel=1e-14)
    assert model.train_on_batch(x, np.zeros((4, 1))) == pytest.approx(penalty, rel=1e-14)
    np.testing.assert_allclose(model.get_weights()[0][:, 0], [3.0 - slope[0], -4.0 - slope[1]], rtol=1e-14)


def test_infinite_weights_cost_what_the_formula_says(backend):
    model = single(optimizers.SGD(1.0), (np.inf, 2.0), kernel_regularizer=regularizers.L1(0.5))
    loss = model.evaluate(np.ones((1, 2)), np.zeros((1, 1)), verbose=0)
    assert loss == np.inf


@pytest.mark.parametrize("regularizer", [regularizers.L1L2(0.1, 0.2), Cosine()])
def test_activity_counts_once_per_sample(regularizer, backend):
    model = Sequential(
        [Input((3,), dtype="float64"), Dense(2, activity_regularizer=regularizer, dtype="float64", use_bias=False)]
    )
    model.set_weights([np.arange(6.0).reshape(3, 2) / 4])
    model.compile("sgd", "mse")
    x = RNG.normal(size=(8, 3))
    y = model.predict(x, verbose=0)
    expected = np.square(y).mean() + regularizer(y) / 8
    assert model.evaluate(x, np.zeros((8, 2)), verbose=0) == pytest.approx(expected, rel=1e-13)


def test_activity_of_an_output_that_the_loss_would_take_over(backend):
    model = network(optimizers.SGD())
    model.layers[-1].activity_regularizer = regularizers.L2(3.0)
    y = model.predict(X, verbose=0)
    expected = -np.log(y[np.arange(60), Y]).mean() + 3 * np.square(y).sum() / 60
    assert model.evaluate(X, Y, batch_size=60, verbose=0) == pytest.approx(expected, rel=1e-12)


def test_constraints(backend):
    found, _ = step(single(optimizers.SGD(1.0), kernel_constraint="non_neg"), (1.0, 1.0))
    np.testing.assert_array_equal(found, [2.0, 0.0])
    found, _ = step(single(optimizers.SGD(1.0), kernel_constraint=lambda w: np.round(w / 10, 1)), (1.0, 1.0))
    np.testing.assert_allclose(found, [0.2, -0.5], rtol=1e-15)
    model = single(optimizers.SGD(1.0), kernel_constraint=lambda w: w[:1])
    with pytest.raises(ValueError, match=r"the constraint must keep the shape \(2, 1\). Received: \(1, 1\)"):
        step(model, (1.0, 1.0))


def test_lars_and_lamb_by_hand(backend):
    found, _ = step(single(optimizers.Lars(0.5, momentum=0.0, weight_decay=0.1, trust_coefficient=0.2)), (6.0, 8.0))
    ratio = 0.2 * 5 / (10 + 0.1 * 5)
    np.testing.assert_allclose(found, [3 - 0.5 * ratio * (6 + 0.3), -4 - 0.5 * ratio * (8 - 0.4)], rtol=1e-14)
    # Adam's first direction is the sign of the gradient, of norm sqrt(2)
    found, _ = step(single(optimizers.Lamb(0.1, epsilon=0.0)), (6.0, 8.0))
    np.testing.assert_allclose(found, [3 - 0.1 * 5 / math.sqrt(2), -4 - 0.1 * 5 / math.sqrt(2)], rtol=1e-12)


def test_lamb_of_the_paper_by_hand(backend):
    """The decay is part of the direction; without a gradient it is the direction."""
    model = single(optimizers.Lamb(0.1, epsilon=0.0, weight_decay=0.5, flavor="paper"))
    found, _ = step(model, (6.0, 8.0))
    direction = np.array([1 + 0.5 * 3, 1 - 0.5 * 4])
    expected = np.array([3.0, -4.0]) - 0.1 * 5 / np.linalg.norm(direction) * direction
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    excluded = optimizers.Lamb(0.1, epsilon=0.0, weight_decay=0.5, flavor="paper", exclude_from_weight_decay=["kernel"])
    found, _ = step(single(excluded), (6.0, 8.0))
    np.testing.assert_allclose(found, [3 - 0.1 * 5 / math.sqrt(2), -4 - 0.1 * 5 / math.sqrt(2)], rtol=1e-12)
    assert optimizers.Lamb(flavor="paper").weight_decay == 0.01 and optimizers.Lamb(flavor="paper").epsilon == 1e-6
    p, m, v = np.array([3.0, -4.0]), np.zeros(2), np.zeros(2)
    fastnn.ops.lamb_(p, np.array([6.0, 8.0]), m, v, 1, 0.1, eps=0.0, weight_decay=0.5, decoupled=False)
    np.testing.assert_allclose(p, expected, rtol=1e-12)


def adafactor_by_hand(p, g, r, c, t, rate, decay):
    """Number by number, from the paper's algorithm; p has three axes."""
    beta, eps1, eps2, threshold = 1 - t**-0.8, 1e-30, 1e-3, 1.0
    matrices, rows, columns = p.shape
    p = p - rate * decay * p
    scale = max(eps2, math.sqrt(sum(x * x for x in p.ravel()) / p.size)) * min(rate, 1 / math.sqrt(t))
    u = np.empty_like(p)
    for m in range(matrices):
        for i in range(rows):
            r[m, i] = beta * r[m, i] + (1 - beta) * sum(g[m, i, j] ** 2 + eps1 for j in range(columns)) / columns
        for j in range(columns):
            c[m, j] = beta * c[m, j] + (1 - beta) * sum(g[m, i, j] ** 2 + eps1 for i in range(rows)) / rows
        for i in range(rows):
            for j in range(columns):
                u[m, i, j] = g[m, i, j] / math.sqrt(r[m, i] * c[m, j] / (sum(r[m]) / rows))
    size = math.sqrt(sum(x * x for x in u.ravel()) / u.size)
    return p - scale * u / max(1.0, size / threshold)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adafactor_by_hand(dtype, backend):
    shape = (2, 5, 37)
    p, r, c = RNG.normal(size=shape), np.zeros((2, 5)), np.zeros((2, 37))
    ours = [x.astype(dtype) for x in (p, r, c)]
    for t in range(1, 5):
        g = RNG.normal(size=shape) * 10.0 ** (t - 2)
        p = adafactor_by_hand(p, g, r, c, t, 0.05, 0.1)
        fastnn.ops.adafactor_(ours[0], g.astype(dtype), ours[1], ours[2], t, 0.05, weight_decay=0.1)
        tolerance = {"rtol": 2e-5, "atol": 2e-6} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-14}
        for found, expected in zip(ours, (p, r, c), strict=True):
            np.testing.assert_allclose(found, expected, **tolerance)


def test_adafactor_has_a_kernel():
    """The native step and NumPy's are two statements: they round differently, but no more than that."""
    p, g = RNG.normal(size=(2, 40, 70)).astype(np.float32)
    found = []
    for name in ("native", "reference"):
        q, r, c = p.copy(), np.zeros(40, np.float32), np.zeros(70, np.float32)
        with fastnn.use_backend(name):
            for t in (1, 2, 3):
                fastnn.ops.adafactor_(q, g, r, c, t, 0.1)
        found.append(q)
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)
    assert not np.array_equal(*found)


def test_adafactor_remembers_rows_and_columns(backend):
    """Not every number of a matrix; vectors, and matrices that are vectors, are remembered whole."""
    model = Sequential([Input((30,)), Dense(50), Dense(1)])
    model.compile(optimizers.Adafactor(), "mse")
    model.fit(RNG.normal(size=(8, 30)), RNG.normal(size=(8, 1)), verbose=0)
    (moments,) = model.optimizer_state.values()
    assert [m.size for m in moments] == [30 + 50, 50, 50, 1]
    assert all(m.all() for m in moments)


def test_nan_spreads_in_adafactor(backend):
    p, g = np.ones((3, 4)), np.ones((3, 4))
    g[1, 2] = np.nan
    fastnn.ops.adafactor_(p, g, np.zeros(3), np.zeros(4), 1)
    assert np.isnan(p).all()


def test_muon_makes_steps_orthogonal():
    """With enough iterations of the cubic that converges, the step is U V^T of the gradient."""
    g = RNG.normal(size=(4, 6))
    for gradient in (g, g.T.copy()):
        p, m = np.zeros_like(gradient), np.zeros_like(gradient)
        fastnn.ops.muon_(p, gradient, m, 1.0, 0.0, False, 0.0, 60, 1.5, -0.5, 0.0, 0.0)
        u, _, vt = np.linalg.svd(gradient, full_matrices=False)
        np.testing.assert_allclose(-p, u @ vt, atol=1e-12)


# ------------------------------------------------------------------------------------------------------------ gradients


@pytest.mark.parametrize(
    "regularizer",
    [regularizers.L1(0.3), regularizers.L2(0.3), regularizers.OrthogonalRegularizer(0.5), Cosine()],
    ids=lambda r: type(r).__name__,
)
def test_the_gradient_is_that_of_the_penalised_loss(regularizer, backend):
    for where in ("kernel_regularizer", "activity_regularizer"):
        model = network(optimizers.SGD(), **{where: regularizer})
        if where == "kernel_regularizer" or not isinstance(regularizer, regularizers.OrthogonalRegularizer):
            gradcheck_model(model, X[:6], Y[:6])


# -------------------------------------------------------------------------------------------- backends, threads, files

SETTINGS = {
    "clipnorm": lambda: (optimizers.Adam(0.03, clipnorm=0.05), {}),
    "global": lambda: (optimizers.RMSprop(0.01, global_clipnorm=0.1), {}),
    "value": lambda: (optimizers.SGD(0.1, momentum=0.9, clipvalue=0.01), {}),
    "accumulation": lambda: (optimizers.Adam(0.03, gradient_accumulation_steps=3, clipnorm=0.05), {}),
    "scaled loss": lambda: (optimizers.Adam(0.03, loss_scale_factor=3.0, clipnorm=0.05), {"kernel_regularizer": "l1"}),
    "ema": lambda: (optimizers.AdamW(0.03, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=5), {}),
    "penalties": lambda: (
        optimizers.SGD(0.1, global_clipnorm=1.0),
        {"kernel_regularizer": "l1_l2", "bias_regularizer": "l2", "activity_regularizer": "l2"},
    ),
    "orthogonal": lambda: (optimizers.SGD(0.1), {"kernel_regularizer": "orthogonal_regularizer"}),
    "constraints": lambda: (optimizers.SGD(0.1), {"kernel_constraint": "max_norm", "bias_constraint": "non_neg"}),
    "lamb": lambda: (optimizers.Lamb(0.01, weight_decay=0.1), {}),
    "lamb of the paper": lambda: (optimizers.Lamb(0.01, flavor="paper", weight_decay=0.1, clipnorm=0.5), {}),
    "lars": lambda: (optimizers.Lars(1.0, nesterov=True, clipnorm=0.5, gradient_accumulation_steps=2), {}),
    "muon": lambda: (optimizers.Muon(0.01, global_clipnorm=0.5, use_ema=True), {}),
    "adafactor": lambda: (optimizers.Adafactor(0.05, clipnorm=0.3, gradient_accumulation_steps=2), {}),
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_native_and_reference_agree(setting):
    found = {}
    for name in ("native", "reference"):
        with fastnn.use_backend(name):
            optimizer, dense = setting()
            model = network(optimizer, **dense)
            history = model.fit(X, Y, batch_size=8, epochs=6, verbose=0).history["loss"]
            found[name] = [*model.get_weights(), np.array(history)]
    for native, reference in zip(found["native"], found["reference"], strict=True):
        np.testing.assert_allclose(native, reference, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_any_number_of_threads_gives_the_same_bits(setting):
    """Layers large enough for several blocks and a team."""
    x, y = RNG.normal(size=(96, 5)).astype(np.float32), RNG.integers(0, 3, 96)
    found = {}
    for threads in (1, 2, 3, 8):
        with fastnn.num_threads(threads):
            optimizer, dense = setting()
            model = network(optimizer, "float32", units=260, **dense)
            history = model.fit(x, y, batch_size=48, epochs=2, verbose=0).history["loss"]
            found[threads] = b"".join(w.tobytes() for w in model.get_weights()), history
    assert all(other == found[1] for other in found.values())


@pytest.mark.parametrize("setting", [*SETTINGS.values(), lambda: (optimizers.LBFGS(max_iter=5), {})],
                         ids=[*SETTINGS, "lbfgs"])  # fmt: skip
def test_a_file_in_the_middle_of_training_changes_nothing(setting, tmp_path):
    optimizer, dense = setting()
    model = network(optimizer, **dense)
    batch = None if model.optimizer.whole_batch else 16
    for at in range(0, 48, 12):  # in the middle of an accumulation
        model.train_on_batch(X[at : at + 12], Y[at : at + 12])
    model.save(tmp_path / "m.fastnn")
    loaded = load_model(tmp_path / "m.fastnn")
    assert loaded.get_config() == model.get_config()
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.optimizer.steps == model.optimizer.steps == 4
    for one in (model, loaded):
        one.fit(X, Y, batch_size=batch, epochs=2, verbose=0)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class Nameless:
    """A regularizer that cannot be described: it has no config."""

    def __call__(self, x):
        return float(np.sum(x * x))

    def gradient(self, x):
        return 2 * x


def test_what_a_file_cannot_name_is_refused(tmp_path):
    with pytest.raises((TypeError, ValueError), match="Received"):
        network(optimizers.SGD(), kernel_regularizer=Nameless()).save(tmp_path / "m.fastnn")
    # what has a config is saved, and has to be known to whoever reads it
    for dense in ({"kernel_regularizer": Cosine()}, {"activity_regularizer": Cosine()}):
        network(optimizers.SGD(), **dense).save(tmp_path / "m.fastnn")
        with pytest.raises(ValueError, match="Cosine"):
            load_model(tmp_path / "m.fastnn")
        loaded = load_model(tmp_path / "m.fastnn", custom_objects={"Cosine": Cosine})
        (name,) = dense
        assert any(isinstance(getattr(layer, name, None), Cosine) for layer in loaded.layers)


# --------------------------------------------------------------------------------------------------------------- L-BFGS


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_finds_the_least_squares_solution(search, backend):
    x, y = RNG.normal(size=(40, 5)), RNG.normal(size=(40, 2))
    model = Sequential([Input((5,), dtype="float64"), Dense(2, dtype="float64")])
    model.compile(optimizers.LBFGS(line_search_fn=search, max_iter=60, tolerance_change=1e-15), "mse")
    losses = model.fit(x, y, epochs=2, verbose=0).history["loss"]
    best, *_ = np.linalg.lstsq(np.c_[x, np.ones(40)], y, rcond=None)
    np.testing.assert_allclose(np.vstack([*model.get_weights()]), best, atol=1e-5)
    assert losses[1] < losses[0] and model.optimizer.steps == 2


def test_lbfgs_takes_whole_batches():
    model = network("lbfgs")
    with pytest.warns(UserWarning, match="LBFGS expects all samples in one batch. Received: batch_size=16 for 60"):
        model.fit(X, Y, batch_size=16, verbose=0)
    assert model.optimizer.steps == 4
    model.fit(X, Y, verbose=0)
    assert model.optimizer.steps == 5
    model.compile(model.optimizer, "sparse_categorical_crossentropy")
    assert model.optimizer.state_arrays() == {}


def test_lbfgs_leaves_frozen_weights_and_obeys_constraints():
    model = network(optimizers.LBFGS(max_iter=5), kernel_constraint="non_neg")
    model.layers[1].trainable = False
    before = model.get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[2], before[2])
    assert (model.get_weights()[0] >= 0).all() and not np.array_equal(model.get_weights()[0], before[0])


# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.SGD(clipnorm=1.0, clipvalue=2.0), "only one of clipnorm, clipvalue and global_clipnorm"),
        (
            lambda: optimizers.SGD(clipnorm="much"),
            "clipnorm must be a finite number >= 0 or None. Received: clipnorm='much'",
        ),
        (lambda: optimizers.SGD(clipnorm=-1.0), "finite number >= 0 or None. Received: clipnorm=-1.0"),
        (lambda: optimizers.Adam(clipvalue=-1e-9), "finite number >= 0 or None. Received: clipvalue=-1e-09"),
        (lambda: optimizers.Adam(global_clipnorm=-2), "finite number >= 0 or None. Received: global_clipnorm=-2"),
        (
            lambda: optimizers.SGD(loss_scale_factor=0.0),
            "loss_scale_factor must be a finite number above 0 or None. Received: loss_scale_factor=0.0",
        ),
        (lambda: optimizers.SGD(loss_scale_factor=-2.0), "Received: loss_scale_factor=-2.0"),
        (lambda: optimizers.SGD(loss_scale_factor=True), "Received: loss_scale_factor=True"),
        (lambda: optimizers.SGD(loss_scale_factor="dynamic"), "Received: loss_scale_factor='dynamic'"),
        (lambda: optimizers.LBFGS(loss_scale_factor=2.0), "Received: {'loss_scale_factor': 2.0}"),
        (lambda: optimizers.SGD(clipnorm=True), "finite number >= 0 or None. Received: clipnorm=True"),
        (lambda: optimizers.SGD(clipnorm=math.inf), "finite number >= 0 or None. Received: clipnorm=inf"),
        (lambda: optimizers.SGD(gradient_accumulation_steps=0), "or None. Received: gradient_accumulation_steps=0"),
        (lambda: optimizers.SGD(gradient_accumulation_steps=False), "Received: gradient_accumulation_steps=False"),
        (lambda: optimizers.SGD(ema_overwrite_frequency=0), "or None. Received: ema_overwrite_frequency=0"),
        (lambda: optimizers.SGD(name=3), "name must be a string. Received: name=3"),
        (lambda: optimizers.SGD(gradient_accumulation_steps=1), "a whole number >= 2 or None. Received"),
        (lambda: optimizers.SGD(gradient_accumulation_steps=2.5), "a whole number >= 2 or None. Received"),
        (lambda: optimizers.SGD(use_ema=True, ema_momentum=1.5), "in the range [0, 1]. Received: ema_momentum=1.5"),
        (lambda: optimizers.SGD(use_ema=True, ema_overwrite_frequency=-1), "a whole number >= 1 or None"),
        (lambda: optimizers.SGD(clipnom=1.0), "Did you mean 'clipnorm'"),
        (lambda: optimizers.LBFGS(clipnorm=1.0), "Received: {'clipnorm': 1.0}"),
        (lambda: optimizers.LBFGS(max_iter=0), "max_iter must be a whole number >= 1"),
        (lambda: optimizers.LBFGS(line_search_fn="armijo"), "None or 'strong_wolfe'. Received: 'armijo'"),
        (lambda: optimizers.Muon(exclude_layers=["("]), "exclude_layers must hold regular expressions"),
        (lambda: optimizers.Muon(ns_steps=-1), "ns_steps must be a whole number >= 0"),
        (lambda: optimizers.Lars(momentum=2.0), "momentum must be a float between"),
        (lambda: optimizers.Adafactor(clip_threshold=0.0), "clip_threshold must be above 0"),
        (lambda: Dense(2, kernel_regularizer="l3"), "Unknown regularizer 'l3'"),
        (lambda: Dense(2, bias_constraint="positive"), "Unknown constraint 'positive'"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_a_plan_says_how_many_numbers_its_steps_read():
    from fastnn import _native
    from fastnn.engine.plan import Plan

    plan = Plan(np.float64, 1)
    x = plan.input(1)
    plan.step("clip_values", (x,), ints=(1,), reals=(1.0,), when=4)
    program = _native.kernels.Program(plan)
    program.bind((np.ones((1, 1)),), ())
    with pytest.raises(ValueError, match=r"expected 5 scalars for each step. Received: \(1, 4\)"):
        program.run(0, 1, None, np.ones((1, 4)))


def test_averages_of_a_layer_that_is_trained_later() -> None:
    model = Sequential([Input((4,)), Dense(8), Dense(1)])
    model.layers[0].trainable = False
    model.compile(optimizers.SGD(1e-6, use_ema=True, ema_momentum=0.99), "mse")
    x, y = np.ones((64, 4)), np.ones((64, 1))
    before = model.get_weights()[0]
    model.fit(x, y, epochs=2, verbose=0)
    model.layers[0].trainable = True
    model.fit(x, y, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], before, atol=1e-3)


def test_metrics_and_loss_weights_in_the_order_of_keras_2_and_3():
    x = Input((3,))
    wanted = {"loss", "a_loss", "b_loss", "a_mae", "b_mae"}
    given = np.ones((4, 3))
    found = []
    for third, fourth in [([0.5, 2.0], ["mae", "mae"]), (["mae", "mae"], [0.5, 2.0])]:
        fastnn.utils.set_random_seed(0)
        model = fastnn.Model(x, [Dense(1, name="a")(x), Dense(1, name="b")(x)])
        model.compile("sgd", "mse", third, fourth)
        found.append(model.evaluate(given, [np.ones((4, 1))] * 2, verbose=0, return_dict=True))
        assert set(found[-1]) == wanted
        assert found[-1]["loss"] == pytest.approx(0.5 * found[-1]["a_loss"] + 2 * found[-1]["b_loss"], rel=1e-5)
    assert found[0] == found[1]
    for metrics in (["accuracy"], "mae", [fastnn.metrics.MeanSquaredError()], {"a": [lambda t, p: abs(t - p)]}):
        model = fastnn.Model(x, Dense(1, name="a")(x))
        if isinstance(metrics, str):
            with pytest.raises(ValueError, match=r"loss_weights must be numbers. Received: 'mae'"):
                model.compile("sgd", "mse", metrics)
        else:
            model.compile("sgd", "mse", metrics)
            assert len(model.evaluate(given, np.ones((4, 1)), verbose=0)) == 2
