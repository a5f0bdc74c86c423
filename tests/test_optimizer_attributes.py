"""Attributes of optimizers as Keras's scripts read and set them."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from fastnn import Sequential, layers, optimizers, schedules


def trained(optimizer: optimizers.Optimizer) -> tuple[Sequential, float]:
    """A model of one weight that starts from 1 and has the gradient 1: the weight after a step says the rate."""
    model = Sequential([layers.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizer, "mae")
    return model, float(model.weights[0].numpy()[0, 0])


def step(model: Sequential) -> float:
    before = float(model.get_weights()[0][0, 0])
    model.train_on_batch(np.ones((1, 1)), np.full((1, 1), -100.0))
    return before - float(model.get_weights()[0][0, 0])


def test_lr_is_the_learning_rate() -> None:
    model, _ = trained(optimizers.SGD(0.5))
    assert model.optimizer.lr == 0.5 and np.isclose(step(model), 0.5)
    model.optimizer.lr = 0.25
    assert model.optimizer.learning_rate == 0.25 and np.isclose(step(model), 0.25)
    model.optimizer.learning_rate.assign(0.125)
    assert model.optimizer.lr == 0.125 and np.isclose(step(model), 0.125)


def test_the_learning_rate_is_a_number_with_the_methods_of_a_variable() -> None:
    optimizer = optimizers.Adam(0.01)
    rate = optimizer.learning_rate
    assert isinstance(rate, float) and float(rate) == 0.01 and type(rate * 2) is float and repr(rate) == "0.01"
    assert rate.numpy() == 0.01 and rate.numpy().shape == () and rate.value == 0.01
    assert json.dumps({"lr": rate}) == '{"lr": 0.01}' and pickle.loads(pickle.dumps(rate)) == 0.01
    assert optimizers.SGD(schedules.ExponentialDecay(0.5, 1, 0.5)).lr == 0.5


@pytest.mark.parametrize("name", ["momentum", "decay", "rho", "nesterov", "ams"])
def test_an_option_of_other_optimizers_is_not_lost_silently(name: str) -> None:
    optimizer = optimizers.Adam(0.01)
    if name == "ams":  # what no optimizer knows may be anything
        optimizer.ams = 1  # type: ignore[attr-defined]
        return
    with pytest.raises(AttributeError, match=f"attribute of Adam.*Received: '{name}'"):
        setattr(optimizer, name, 0.5)


@pytest.mark.parametrize(
    ("name", "value"), [("weight_decay", 0.5), ("clipvalue", 0.125), ("momentum", 0.5), ("nesterov", True)]
)
def test_what_is_set_between_steps_counts(name: str, value: float) -> None:
    """As if the optimizer had been made with it."""
    model, _ = trained(optimizers.SGD(0.5, momentum=0.25))
    other, _ = trained(optimizers.SGD(0.5, momentum=0.25))
    assert step(model) == step(other)
    setattr(model.optimizer, name, value)
    rebuilt = optimizers.SGD.from_config({**other.optimizer.get_config(), name: value})
    expected = by_hand(rebuilt, float(other.get_weights()[0][0, 0]))
    assert np.isclose(step(model), expected)


def by_hand(sgd: optimizers.SGD, weight: float) -> float:
    """What the second step takes off a weight whose first velocity was -0.5: Keras's rule, the gradient 1."""
    gradient = min(1.0, sgd.clipvalue or 1.0)
    velocity = sgd.momentum * -0.5 - 0.5 * gradient
    taken = -(sgd.momentum * velocity - 0.5 * gradient) if sgd.nesterov else -velocity
    return taken + 0.5 * (sgd.weight_decay or 0.0) * weight
