"""Numbers of the first experiments, against values computed by hand or in another way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fastnn import lab
from fastnn.lab.experiments import activations, cost_race, zig_zag
from fastnn.lab.frame import Result, Settings
from fastnn.lab.nets import dense_stack
from fastnn.threads import num_threads


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with num_threads(1):
        yield


def result(name: str, **settings: Any) -> Result:
    found = lab.run(name, Settings(quick=True, **settings)).result
    assert found is not None
    return found


def cells(found: Result, table: int = 0) -> dict[tuple[Any, ...], list[Any]]:
    """The rows of a table by their first two cells."""
    return {tuple(row[:2]): list(row) for row in found.tables[table].rows}


# --------------------------------------------------------------------------------------------------------- activations


def test_largest_slopes() -> None:
    """Maxima of derivatives that can be computed by hand; sqrt(2 / e) is that of the Gaussian, at -1 / sqrt(2)."""
    curves = result("activations").values["curves"]
    largest = {name: max(curve["slope"]) for name, curve in curves.items()}
    assert largest["sigmoid"] == 0.25
    assert largest["tanh"] == largest["softsign"] == largest["arctan"] == largest["relu"] == 1
    assert largest["gaussian"] == pytest.approx(math.sqrt(2 / math.e), abs=1e-4)
    assert largest["lecun_tanh"] == pytest.approx(1.7159 * 2 / 3, rel=1e-4)
    assert largest["silu"] == pytest.approx(1.0998, abs=1e-4)


def test_functions_with_parameters_by_hand() -> None:
    """Values at -4, -1.5, 0.5 and 4, and that all that the table has is among the curves."""
    x = np.array([-4.0, -1.5, 0.5, 4.0])
    found = {name.split(" (")[0]: (f(x), slope(x)) for name, (f, slope) in activations.functions().items()}
    softmax = np.exp(x) / (np.exp(x) + 1 + np.e)
    mean = (1 / 8 + 1 / 3) / 2
    expected = {
        "leaky_relu": ([-0.8, -0.3, 0.5, 4], [0.2, 0.2, 1, 1]),
        "prelu": ([-1, -0.375, 0.5, 4], [0.25, 0.25, 1, 1]),
        "rrelu": ([-4 * mean, -1.5 * mean, 0.5, 4], [mean, mean, 1, 1]),
        "srelu": ([-1.6, -1.1, 0.5, 2.5], [0.2, 0.2, 1, 0.5]),
        "apl": ([0.4, 0.5, 0.6, 4], [0.1, -0.2, 0.8, 1]),
        "maxout": ([2, 0.75, -0.25, 3], [-0.5, -0.5, -0.5, 1]),
        "softmax": (softmax, softmax * (1 - softmax)),
    }
    for name, (y, slope) in expected.items():
        np.testing.assert_allclose(found[name][0], y, rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(found[name][1], slope, rtol=1e-9, err_msg=name)
    assert activations.functions()["binary_step"][0](np.zeros(1)) == 1
    assert activations.functions()["heaviside"][0](np.zeros(1)) == 0.5


def test_a_wrong_derivative_is_found() -> None:
    x = np.linspace(-1, 1, 11)
    error, _ = activations._disagreement(np.sin, x, np.cos(x))
    assert error < 1e-6
    error, _ = activations._disagreement(np.sin, x, np.cos(x) * 1.001)
    assert error > 1e-4


# ---------------------------------------------------------------------------------------------------------- saturation


def test_saturation() -> None:
    found = result("saturation")
    rows = cells(found)
    a = 1 / (1 + math.exp(10))
    assert rows["sigmoid", -10.0][2:] == pytest.approx([a, a * (1 - a)], rel=1e-12)
    assert rows["sigmoid", 10.0][3] == pytest.approx(a * (1 - a), rel=1e-9)
    assert rows["tanh", 10.0][3] == pytest.approx(1 / math.cosh(10) ** 2, rel=1e-9)
    assert rows["leaky_relu", -10.0][2:] == pytest.approx([-0.1, 0.01])

    z = b = 0.0  # the neuron from 0: weight and bias get the same gradient
    for _ in range(300):
        y = 1 / (1 + math.exp(-(z + b)))
        gradient = (y - 1) * y * (1 - y)
        z, b = z - gradient, b - gradient
    assert found.values["paths"]["0"][-1] == pytest.approx(1 / (1 + math.exp(-(z + b))), rel=1e-9)


# ------------------------------------------------------------------------------------------------------------ gradients


def test_a_deep_sigmoid_net_by_hand() -> None:
    """The sizes of the gradients, by backpropagation written out in NumPy."""
    images = Settings(quick=True).images()
    found = result("vanishing-gradient").values["gradients"]["sigmoid"]
    from fastnn.lab.experiments.vanishing_gradient import STARTS, UNITS

    weights = dense_stack(64, [UNITS] * 6, 10, "sigmoid", STARTS["sigmoid"], seed=0).get_weights()[::2]
    x, y = images.x_train[:1000].astype(float), images.y_train[:1000]
    outputs = [x]
    for kernel in weights[:-1]:
        outputs.append(1 / (1 + np.exp(-outputs[-1] @ kernel)))
    logits = outputs[-1] @ weights[-1]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    delta = (probabilities - np.eye(10)[y]) / len(x)
    sizes = []
    for kernel, value in zip(weights[::-1], outputs[::-1]):
        sizes.append(float(np.sqrt(np.mean((value.T @ delta) ** 2))))
        delta = delta @ kernel.T * value * (1 - value)
    assert found == pytest.approx(sizes[::-1], rel=1e-3)


def test_signs_of_gradients() -> None:
    """(error) x input: with positive inputs the sign is that of the error."""
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 1, size=(40, 2))
    y = x @ zig_zag.GOAL[:, None]
    error = x @ zig_zag.START - y[:, 0]
    np.testing.assert_allclose(zig_zag._gradients(x, y, 1), error[:, None] * x, rtol=1e-12, atol=1e-15)


def test_steps_count_to_the_last_point_outside() -> None:
    away = zig_zag.GOAL + np.array([[1.0, 0], [0.05, 0], [0.5, 0], [0.09, 0], [0.0, 0]])
    assert zig_zag._steps(away) == 3
    assert zig_zag._steps(np.full((5, 2), np.nan)) == 5  # never: as many as there are


# -------------------------------------------------------------------------------------------------------------- losses


@pytest.mark.parametrize(("w", "b", "at_first", "at_last"), [(0.6, 0.9, 0.82, 0.09), (2.0, 2.0, 0.98, 0.20)])
def test_nielsens_neuron(w: float, b: float, at_first: float, at_last: float) -> None:
    """The outputs that the book tells, and the formulas of its two costs in a loop."""
    path = cost_race.neuron(w, b, *cost_race.NEURONS["quadratic, rate 0.15"])
    assert [round(path[0], 2), round(path[-1], 2)] == [at_first, at_last]
    for loss, factor in (("half_mean_squared_error", lambda a: a * (1 - a)), ("binary_crossentropy", lambda a: 1.0)):
        weight, bias, expected = w, b, []
        for _ in range(cost_race.STEPS + 1):
            a = 1 / (1 + math.exp(-(weight + bias)))
            expected.append(a)
            weight, bias = weight - 0.15 * a * factor(a), bias - 0.15 * a * factor(a)
        np.testing.assert_allclose(cost_race.neuron(w, b, loss, 0.15), expected, rtol=1e-9)


# ------------------------------------------------------------------------------------------------------ initial weights


def test_histograms_by_hand() -> None:
    """Layer 1 with ReLU: half of the values are 0, and the deviation is that of a rectified normal variable."""
    found = result("activation-histograms").values["normal"]["relu"]
    for start, scale in (("std 1", 10.0), ("Xavier", 1.0), ("He", math.sqrt(2))):
        layer = {key: value[0] for key, value in found[start].items()}
        assert layer["ends"] == pytest.approx(0.5, abs=0.03)
        assert layer["std"] == pytest.approx(scale * math.sqrt(0.5 - 0.5 / math.pi), rel=0.05)
        assert layer["mean"] == pytest.approx(scale / math.sqrt(2 * math.pi), rel=0.05)
        assert sum(layer["histogram"]) + layer["outside"] == pytest.approx(1)
        assert layer["outside"] == pytest.approx(0.5 * math.erfc(2 / scale / math.sqrt(2)), abs=0.02)
        assert layer["largest"] > 3 * scale


def test_distinct_units_are_counted() -> None:
    from fastnn.lab.experiments.never_zero import _distinct

    kernel = np.random.default_rng(0).normal(size=(6, 4))
    assert _distinct(kernel) == 4
    kernel[:, 2] = kernel[:, 0]
    assert _distinct(kernel) == 3
    assert _distinct(np.zeros((6, 4))) == 1


@pytest.mark.parametrize("name", ["initialisation-race", "linear-collapse"])
def test_other_seeds_give_other_numbers(name: str) -> None:
    one, two = result(name), result(name, seed=1)
    assert one.values != two.values
    assert two.holds


def test_the_reference_backend_sees_the_same() -> None:
    native, reference = (result("saturation", backend=backend) for backend in ("native", "reference"))
    for name, path in native.values["paths"].items():
        np.testing.assert_allclose(path, reference.values["paths"][name], rtol=1e-9)
