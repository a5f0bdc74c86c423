"""The races of the laboratory: their arithmetic beside calculations by hand; tests/test_lab.py runs them whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastnn import layers, optimizers
from fastnn.lab import classifiers
from fastnn.lab.experiments import _ravine, activation_race, dead_relu, momentum, optimizer_paths
from fastnn.lab.experiments._few_samples import few
from fastnn.lab.frame import Finding, Settings

# --------------------------------------------------------------------------------------------------------------- paths


def slope(point: Any) -> Any:
    return np.array([point[0] / 10, 2 * point[1]])  # of x^2 / 20 + y^2


def sgd(rate: float) -> Callable[..., Any]:
    return lambda point, memory, step: (point - rate * slope(point), memory)


def rolling(rate: float, nesterov: bool = False) -> Callable[..., Any]:
    def move(point: Any, v: Any, step: int) -> Any:
        v = 0.9 * v - rate * slope(point)
        return point + (0.9 * v - rate * slope(point) if nesterov else v), v

    return move


def adagrad(point: Any, h: Any, step: int) -> Any:
    h = h + slope(point) ** 2
    return point - 1.5 * slope(point) / (np.sqrt(h) + 1e-7), h


def rmsprop(point: Any, h: Any, step: int) -> Any:
    h = 0.9 * h + 0.1 * slope(point) ** 2
    return point - 0.3 * slope(point) / np.sqrt(h + 1e-7), h


def adam(point: Any, memory: Any, step: int) -> Any:
    m, v = memory if step > 1 else (np.zeros(2), np.zeros(2))
    m, v = m + 0.1 * (slope(point) - m), v + 0.001 * (slope(point) ** 2 - v)
    rate = 0.3 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return point - rate * m / (np.sqrt(v) + 1e-7), (m, v)


RULES = {
    "SGD": sgd(0.95),
    "Momentum": rolling(0.1),
    "Nesterov": rolling(0.1, nesterov=True),
    "AdaGrad": adagrad,
    "RMSprop": rmsprop,
    "Adam": adam,
}


@pytest.mark.parametrize("name", RULES)
def test_paths_are_those_of_the_rules(name: str) -> None:
    point, memory = np.array([-7.0, 2.0]), np.zeros(2)
    expected = [point]
    for step in range(1, 31):
        point, memory = RULES[name](point, memory, step)
        expected.append(point)
    found = _ravine.walk(optimizer_paths.paths()[name], 30)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-4 if name == "RMSprop" else 2e-5)


def test_height_and_turns() -> None:
    assert _ravine.height((-7.0, 2.0)) == pytest.approx(49 / 20 + 4)
    assert _ravine.turns(np.array([[0, 1.0], [0, -1], [0, -2], [0, 3]])) == 2


def test_a_walk_ends_at_the_floor() -> None:
    path = _ravine.walk(optimizers.SGD(0.5), 100, until=1.0)
    assert len(path) < 100
    assert _ravine.height(path[-1]) <= 1.0 < _ravine.height(path[-2])


def test_the_printed_sign_climbs() -> None:
    first = optimizer_paths.uphill(1)[1]
    assert first == pytest.approx([-7 - 0.1 * 0.7, 2 + 0.1 * 4])


@pytest.mark.parametrize("condition", [20.0, 1000.0])
def test_best_rates(condition: float) -> None:
    """The factors that theory promises are the spectral radii of the steps, and no rate nearby has a smaller one."""
    a, b = 1.0, condition
    (rate, none), (heavy, beta) = momentum.best(a, b)
    assert none == 0
    root = np.sqrt(condition)

    def radius(rate: float, beta: float) -> float:
        steps = [np.array([[1 + beta - rate * c, -beta], [1.0, 0.0]]) for c in (a, b)]
        return float(max(np.abs(np.linalg.eigvals(step)).max() for step in steps))

    assert radius(rate, 0.0) == pytest.approx((condition - 1) / (condition + 1))
    assert radius(heavy, beta) == pytest.approx((root - 1) / (root + 1), rel=1e-6)
    for factor in (0.99, 1.01):
        assert radius(rate * factor, 0.0) > radius(rate, 0.0)
        assert radius(heavy * factor, beta) > radius(heavy, beta) - 1e-7


# ------------------------------------------------------------------------------------------------------------ networks


def test_hidden_outputs_and_dead_shares() -> None:
    model = classifiers.perceptron(5, [7, 3], 1, bias=0.25)
    x = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    (w1, b1, w2, b2), expected = model.get_weights()[:4], []
    expected.append(np.maximum(x @ w1 + b1, 0))
    expected.append(np.maximum(expected[0] @ w2 + b2, 0))
    found = classifiers.hidden_outputs(model, x)
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(b1, np.full(7, 0.25, np.float32))
    assert len(classifiers.hidden_outputs(classifiers.perceptron(5, [7], 1), x)) == 1

    outputs = [np.array([[0.0, 1, 0, 0], [0, 0, 2, 0]]), np.array([[-0.1, 1], [-0.2, -1]])]
    assert dead_relu.dead_shares(outputs) == [0.5, 0.5]
    silent = classifiers.hidden_outputs(classifiers.perceptron(5, [7, 3], 1, bias=-100.0), x)
    assert dead_relu.dead_shares(silent) == [1.0, 1.0]


def test_weight_decay_is_half_lambda_times_the_squares() -> None:
    x, y = np.ones((4, 6), np.float32), np.array([0, 1, 2, 3])
    losses = []
    for decay in (0.0, 0.3):
        model = classifiers.perceptron(6, [8, 8], 2, weight_decay=decay)
        model.compile("sgd", "sparse_categorical_crossentropy")
        losses.append(model.evaluate(x, y, verbose=0))
    squares = sum(float(np.sum(w.astype(float) ** 2)) for w in model.get_weights() if w.ndim == 2)
    assert losses[1] - losses[0] == pytest.approx(0.15 * squares, rel=1e-5)


def test_what_a_perceptron_is_made_of() -> None:
    first, second = (classifiers.perceptron(64, [200], 3, scale=0.01).get_weights() for _ in range(2))
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)
    assert np.std(first[0]) == pytest.approx(0.01, rel=0.05)
    assert np.std(classifiers.perceptron(64, [200], 3).get_weights()[0]) == pytest.approx(np.sqrt(2 / 64), rel=0.05)
    kinds = [type(layer) for layer in classifiers.perceptron(8, [4], 0, dropout=0.5, normalisation={}).layers]
    expected = [layers.Dense, layers.BatchNormalization, layers.Activation, layers.Dropout, layers.Dense]
    assert kinds == expected
    assert type(classifiers.perceptron(8, [4], 0, "maxout").layers[0]) is layers.Maxout


def test_endless_batches() -> None:
    x = np.arange(10)
    batches = classifiers.endless(x, -x, np.random.default_rng(0), batch_size=4)
    passes = [[next(batches) for _ in range(2)] for _ in range(3)]
    for one in passes:
        seen = np.concatenate([a for a, _ in one])
        assert len(set(seen.tolist())) == 8
        assert all(np.array_equal(a, -b) for a, b in one)
    assert not np.array_equal(passes[0][0][0], passes[1][0][0])


def test_until_ends_the_training() -> None:
    images = Settings().images()
    model = classifiers.perceptron(64, [50], 0)
    until = activation_race.Until(0.2)
    history = classifiers.train(model, "adam", images.x_train, images.y_train, epochs=50, callbacks=[until])
    errors = 1 - np.array(history["accuracy"])
    assert errors[-1] <= 0.2 and np.all(errors[:-1] > 0.2) and len(errors) < 50


def test_few_samples() -> None:
    settings = Settings(seed=3)
    right, wrong = few(settings), few(settings, wrong=0.2)
    assert right.x.shape == (300, 64) and len(right.x_test) == len(right.y_test) == 1438 - 300 + 359
    np.testing.assert_array_equal(right.x, wrong.x)
    np.testing.assert_array_equal(right.y_test, wrong.y_test)
    changed = right.y != wrong.y
    assert not changed[60:].any()
    assert 45 <= changed[:60].sum() <= 60  # nine in ten draw another label
    rows = {row.tobytes() for row in right.x}
    everything = np.concatenate([images := settings.images().x_train, settings.images().x_test])
    assert len(everything) == len(right.x) + len(right.x_test)
    assert all(row.tobytes() in rows for row in images[np.random.default_rng([3, 1]).permutation(len(images))[:300]])


def test_asserted_findings() -> None:
    assert Finding.asserted("c", True, "e") == Finding("c", "confirmed", "e", True)
    assert Finding.asserted("c", False, "e") == Finding("c", "not confirmed", "e", False)
