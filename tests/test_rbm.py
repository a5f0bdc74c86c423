"""Restricted Boltzmann machines against enumeration of their states, a chain in plain NumPy, and distributions."""

from __future__ import annotations

import itertools
import pickle

import mpmath
import numpy as np
import pytest
from scipy import integrate, stats

import fastnn
from fastnn import schedules
from fastnn.reference.random import random_bits
from fastnn.unsupervised import RBM


def states(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights(visible, hidden, seed=0, size=1.0):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, size, shape) for shape in ((visible, hidden), (visible,), (hidden,))]


def machine(w, **options):
    rbm = RBM(len(w[2]), **{"dtype": "float64", "seed": 1, "learning_rate": 0.0, **options})
    rbm.set_weights(w)
    return rbm


def energies(v, h, w, gaussian=False):
    """E(v, h), shape (states of v, states of h)."""
    W, b, c = w
    own = 0.5 * ((v - b) ** 2).sum(axis=1) if gaussian else -v @ b
    return own[:, None] - (h @ c)[None] - v @ W @ h.T


def joint(w):
    """All states of a Bernoulli machine and their probabilities."""
    v, h = states(len(w[1])), states(len(w[2]))
    p = np.exp(-energies(v, h, w))
    return v, h, p / p.sum()


# ------------------------------------------------------------------------------------------------------------- energies


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_the_free_energy_sums_over_all_hidden_states(backend):
    w = weights(4, 3)
    rbm, v, h = machine(w, backend=backend), states(4), states(3)
    expected = []
    for energy in energies(v, h, w):
        expected.append(float(-mpmath.log(sum(mpmath.exp(-mpmath.mpf(float(e))) for e in energy))))
    np.testing.assert_allclose(rbm.free_energy(v), expected, rtol=1e-13)


def test_the_free_energy_of_gaussian_units_sums_over_all_hidden_states():
    w = weights(4, 3)
    v = np.random.default_rng(3).normal(size=(10, 4))
    expected = -np.log(np.exp(-energies(v, states(3), w, gaussian=True)).sum(axis=1))
    np.testing.assert_allclose(machine(w, visible="gaussian").free_energy(v), expected, rtol=1e-12)


@pytest.mark.parametrize(("visible", "hidden"), [(4, 3), (3, 5), (1, 1), (14, 2)])
def test_likelihoods_are_those_of_enumeration(visible, hidden):
    w = weights(visible, hidden, size=0.7)
    rbm = machine(w)
    v, _, p = joint(w)
    assert rbm.log_partition() == pytest.approx(np.log(np.exp(-energies(v, states(hidden), w)).sum()), rel=1e-12)
    data = v[:5]
    assert rbm.log_likelihood(data) == pytest.approx(np.log(p.sum(axis=1)[:5]).mean(), rel=1e-12)


def test_the_partition_function_of_gaussian_units_is_an_integral():
    w = weights(2, 2, size=0.6)
    rbm = machine(w, visible="gaussian")

    def density(x, y):
        return np.exp(-energies(np.array([[x, y]]), states(2), w, gaussian=True)).sum()

    total, _ = integrate.dblquad(density, -12, 12, -12, 12, epsabs=1e-9)
    assert rbm.log_partition() == pytest.approx(np.log(total), abs=1e-7)


def test_the_pseudo_likelihood_takes_conditionals_of_the_joint_distribution():
    w = weights(4, 3)
    rbm = machine(w)
    v, _, p = joint(w)
    p = p.sum(axis=1)
    place = {tuple(row): i for i, row in enumerate(v)}
    expected = np.zeros(len(v))
    for i, row in enumerate(v):
        for unit in range(4):
            other = row.copy()
            other[unit] = 1 - other[unit]
            expected[i] += np.log(p[i] / (p[i] + p[place[tuple(other)]]))
    np.testing.assert_allclose(rbm.score_samples(v, exact=True), expected, rtol=1e-12)
    assert rbm.score(v, exact=True) == pytest.approx(expected.mean())
    estimates = np.mean([rbm.score_samples(v) for _ in range(1500)], axis=0)
    np.testing.assert_allclose(estimates, expected, rtol=0.12)


# ----------------------------------------------------------------------------------------------- contrastive divergence


def expected_gradient(v0, w, sample_visible):
    """Of CD-1, over everything that the chain may draw; v0 is one sample."""
    W, b, c = w
    h, v = states(len(c)), states(len(b))
    h0 = sigmoid(c + v0 @ W)
    total = [np.zeros_like(a) for a in w]
    for hidden in h:
        chance = np.prod(np.where(hidden == 1, h0, 1 - h0))
        means = sigmoid(b + W @ hidden)
        for visible in v if sample_visible else [means]:
            part = chance * (np.prod(np.where(visible == 1, means, 1 - means)) if sample_visible else 1)
            h1 = sigmoid(c + visible @ W)
            for sum_, new in zip(total, (np.outer(visible, h1), visible, h1), strict=True):
                sum_ += part * new
    return [total[0] - np.outer(v0, h0), total[1] - v0, total[2] - h0]


@pytest.mark.parametrize("sample_visible", [True, False])
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_the_gradient_of_one_step_is_that_of_enumeration(backend, sample_visible):
    w = weights(4, 3)
    v0 = np.array([1.0, 0.0, 1.0, 1.0])
    rbm = machine(w, backend=backend, sample_visible=sample_visible)
    n = 40_000
    found = rbm.gradient(np.tile(v0, (n, 1)))
    for a, b in zip(found, expected_gradient(v0, w, sample_visible), strict=True):
        np.testing.assert_allclose(a, b, atol=5 * 0.5 / np.sqrt(n))
    assert all((np.asarray(a) == b).all() for a, b in zip(rbm.get_weights(), w, strict=True))


def draw(p, seed, stream, step):
    words = random_bits(p.size, seed, stream, step).reshape(p.shape) >> 8
    return (words < p * 2.0**24).astype(p.dtype)


def written_out(x, w, steps, *, seed, k=1, rate=0.0, momentum=0.0, decay=0.0, chain=None):
    """Training by updates on all data, in plain NumPy."""
    W, b, c = (a.copy() for a in w)
    speed = [np.zeros_like(a) for a in w]
    for step in range(steps):
        h0 = sigmoid(c + x @ W)
        stream = itertools.count(1)
        h = draw(h0, seed, next(stream), step) if chain is None else chain
        for left in reversed(range(k)):
            v = draw(sigmoid(b + h @ W.T), seed, next(stream), step)
            p = sigmoid(c + v @ W)
            if left or chain is not None:
                h = draw(p, seed, next(stream), step)
        if chain is not None:
            chain = h
        here, there = len(x), len(v)
        gradients = (
            v.T @ p / there - x.T @ h0 / here + decay * W,
            v.mean(axis=0) - x.mean(axis=0),
            p.mean(axis=0) - h0.mean(axis=0),
        )
        for s, g in zip(speed, gradients, strict=True):
            s *= momentum
            s -= rate * g
        W, b, c = (a + s for a, s in zip((W, b, c), speed, strict=True))
    return W, b, c


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize(("momentum", "decay"), [(0.0, 0.0), (0.5, 0.01)])
def test_training_is_what_numpy_does_with_the_same_draws(backend, k, persistent, momentum, decay):
    w = weights(9, 7, size=1.5)  # large: chains of equal draws and different states would meet otherwise
    x = (np.random.default_rng(5).random((12, 9)) < 0.4).astype(float)
    rate, size = 0.3, 20 if persistent else 12
    rbm = machine(
        w, backend=backend, k=k, persistent=persistent, learning_rate=rate, momentum=momentum, weight_decay=decay,
        batch_size=size, shuffle=False,
    )  # fmt: skip
    for _ in range(6):
        rbm.partial_fit(x)
    chain = np.zeros((size, 7)) if persistent else None
    expected = written_out(x, w, 6, seed=1, k=k, rate=rate, momentum=momentum, decay=decay, chain=chain)
    for a, b in zip(rbm.get_weights(), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_persistent_chains_settle_where_the_machine_is():
    w = weights(4, 3)
    v, h, p = joint(w)
    data = np.zeros((2, 4))
    rbm = machine(w, persistent=True, batch_size=4000)
    found = []
    for _ in range(30):
        rbm.partial_fit(data)  # at a learning rate of 0
    for _ in range(10):
        rbm.partial_fit(data)
        found.append(rbm.gradient(data))
    hidden = sigmoid(w[2])
    expected = np.einsum("i,ij,ik->jk", p.sum(axis=1), v, sigmoid(w[2] + v @ w[0])), p.sum(1) @ v, p.sum(0) @ h - hidden
    for a, b in zip((np.mean(g, axis=0) for g in zip(*found, strict=True)), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=0.015)


def test_a_schedule_sets_the_rate_of_each_step():
    w, x = weights(5, 4, size=0.1), np.eye(5)
    rates = schedules.PiecewiseConstantDecay([0], [0.5, 0.0])
    rbm = machine(w, learning_rate=rates, batch_size=5, shuffle=False)
    rbm.partial_fit(x)
    once = rbm.get_weights()
    rbm.partial_fit(x)
    for before, after, later in zip(w, once, rbm.get_weights(), strict=True):
        assert (before != after).any()
        np.testing.assert_array_equal(after, later)


# ------------------------------------------------------------------------------------------------------- Gibbs sampling


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_the_chain_ends_in_the_distribution_of_the_machine(backend):
    w = weights(4, 3)
    _, _, p = joint(w)
    rbm = machine(w, backend=backend)
    samples = rbm.sample(20_000, steps=60)
    numbers = samples @ (2 ** np.arange(4))[::-1]
    counts = np.bincount(numbers.astype(int), minlength=16)
    assert stats.chisquare(counts, 20_000 * p.sum(axis=1)).pvalue > 1e-4
    wrong = np.roll(p.sum(axis=1), 1)
    assert stats.chisquare(counts, 20_000 * wrong).pvalue < 1e-9


def test_gaussian_chains_end_in_a_mixture_of_gaussians():
    w = weights(3, 2, size=0.8)
    W, b, c = w
    h = states(2)
    means = b + h @ W.T
    log_p = h @ c + (means**2 - b**2).sum(axis=1) / 2
    p = np.exp(log_p) / np.exp(log_p).sum()
    mean = p @ means
    covariance = np.eye(3) + np.einsum("i,ij,ik->jk", p, means - mean, means - mean)
    samples = machine(w, visible="gaussian").sample(40_000, steps=80)
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=0.04)
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.08)


def test_gaussian_gradients_have_the_same_form():
    w = weights(3, 2, size=0.5)
    x = np.random.default_rng(0).normal(size=(50, 3))
    g = machine(w, visible="gaussian", sample_visible=False).gradient(np.tile(x, (400, 1)))
    W, b, c = w
    expected = [np.zeros_like(a) for a in w]
    for v0 in x:
        h0 = sigmoid(c + v0 @ W)
        for hidden in states(2):
            chance = np.prod(np.where(hidden == 1, h0, 1 - h0)) / len(x)
            v1 = b + W @ hidden
            h1 = sigmoid(c + v1 @ W)
            parts = np.outer(v1, h1) - np.outer(v0, h0), v1 - v0, h1 - h0
            for sum_, new in zip(expected, parts, strict=True):
                sum_ += chance * new
    for a, b in zip(g, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=0.02)


def test_two_calls_draw_differently_and_a_seed_repeats_both():
    x = (np.random.default_rng(0).random((30, 6)) < 0.5) * 1.0
    one, two = (RBM(5, epochs=2, seed=3, dtype="float64").fit(x) for _ in range(2))
    first = one.gibbs(x, 3), one.sample(4, 5)
    assert not np.array_equal(one.gibbs(x, 3), first[0])
    again = two.gibbs(x, 3), two.sample(4, 5)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.gibbs(x, 0), x)


# ------------------------------------------------------------------------------------------------------------- learning


def bars(n, rng, size=4):
    rows = rng.random((n, size)) < 0.3
    return np.repeat(rows, 2, axis=1).astype(float)


@pytest.mark.parametrize("options", [{}, {"persistent": True}, {"k": 5, "momentum": 0.5}, {"visible_bias": "data"}])
def test_the_likelihood_of_what_is_learned_rises(options):
    x = bars(500, np.random.default_rng(0))
    rbm = RBM(6, learning_rate=0.1, epochs=0, seed=0, dtype="float64", **options).fit(x)
    before = rbm.log_likelihood(x)
    for _ in range(40):
        rbm.partial_fit(x)
    entropy = 4 * (0.3 * np.log(0.3) + 0.7 * np.log(0.7))
    assert rbm.log_likelihood(x) > before + 0.5 * (entropy - before)
    errors = rbm.history["reconstruction_error"]
    assert len(errors) == 40 and errors[-1] < 0.6 * errors[0]


def test_the_history_is_the_error_of_the_reconstruction():
    w = weights(6, 4)
    x = (np.random.default_rng(0).random((7, 6)) < 0.5) * 1.0
    rbm = machine(w, persistent=True, batch_size=3, shuffle=False)  # measured from probabilities, by mini-batches
    rbm.partial_fit(x)
    assert rbm.history["reconstruction_error"][0] == pytest.approx(np.mean((rbm.reconstruct(x) - x) ** 2))
    quiet = machine(w, monitor=False).partial_fit(x)
    assert quiet.history == {}


@pytest.mark.parametrize("options", [{}, {"persistent": True}, {"visible": "gaussian", "learning_rate": 0.01}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_backends_and_any_number_of_threads_train_alike(options, dtype):
    x = np.random.default_rng(1).random((150, 40))
    arguments = {"epochs": 2, "batch_size": 64, "k": 2, "seed": 4, "dtype": dtype, **options}
    results = {}
    for backend, threads in (("native", 1), ("native", 2), ("reference", 1)):
        with fastnn.num_threads(threads):
            results[backend, threads] = RBM(30, backend=backend, **arguments).fit(x).get_weights()
    for one, two in zip(results["native", 1], results["native", 2], strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(results["native", 1], results["reference", 1], strict=True):
        np.testing.assert_allclose(one, two, atol=2e-5 if dtype == "float32" else 1e-12)
        assert one.dtype == dtype


def test_a_large_machine_has_the_same_bits_on_two_threads():
    x = np.random.default_rng(1).random((256, 500)).astype("float32")
    found = []
    for threads in (1, 2):
        with fastnn.num_threads(threads):
            rbm = RBM(300, epochs=1, batch_size=128, seed=4).fit(x)
            found.append([*rbm.get_weights(), rbm.sample(64, 4)])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_pickled_machine_goes_on_as_the_original_would():
    x = np.random.default_rng(1).random((30, 8))
    rbm = RBM(5, epochs=2, batch_size=4, momentum=0.9, persistent=True, seed=4).fit(x)
    copy = pickle.loads(pickle.dumps(rbm))
    for each in (rbm, copy):
        each.partial_fit(x)
    for one, two in zip(rbm.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(rbm.sample(3, 4), copy.sample(3, 4))
    assert copy.history == rbm.history


def test_fit_is_partial_fit_several_times():
    x = np.random.default_rng(1).random((30, 8))
    one = RBM(5, epochs=3, batch_size=4, seed=4).fit(x)
    two = RBM(5, epochs=0, batch_size=4, seed=4).fit(x)
    for _ in range(3):
        two.partial_fit(x)
    np.testing.assert_array_equal(one.components_, two.components_)
    assert one.history == two.history
    assert one.components_.shape == (5, 8)


def test_biases_can_start_from_the_data():
    x = np.random.default_rng(1).random((300, 8)) * np.linspace(0, 1, 8)
    rbm = RBM(5, epochs=0, visible_bias="data", dtype="float64", seed=0).fit(x)
    np.testing.assert_allclose(sigmoid(rbm.intercept_visible_)[1:], x.mean(axis=0)[1:], rtol=1e-9)
    assert np.isfinite(rbm.intercept_visible_).all()
    gaussian = RBM(5, visible="gaussian", epochs=0, visible_bias="data", dtype="float64", seed=0).fit(x)
    np.testing.assert_allclose(gaussian.intercept_visible_, x.mean(axis=0))
