"""Methods that users override: they are called, or the class is refused with a word on what to do instead."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn as keras
from fastnn import layers, losses, metrics, optimizers, regularizers
from fastnn.models.model import HOOKS

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)).astype(np.float32), RNG.normal(size=(12, 2)).astype(np.float32)


def model_with(regularizer=None):
    return keras.Sequential(
        [layers.Input((3,)), layers.Dense(2, kernel_initializer="ones", kernel_regularizer=regularizer)]
    )


# -------------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("base", [keras.Model, keras.Sequential])
@pytest.mark.parametrize("name", sorted(HOOKS))
def test_steps_of_a_model(base, name):
    with pytest.raises(TypeError, match=rf"Own\.{name} would never be called: .*Received: class Own"):
        type("Own", (base,), {name: lambda self, *args: None})


def test_hooks_of_a_class_beside_the_model():
    class Steps:
        def train_step(self, data):
            return {}

    with pytest.raises(TypeError, match=r"Own\.train_step would never be called"):

        class Own(Steps, keras.Model):
            pass


def test_call_of_models_that_are_made_of_tensors_or_layers():
    class Zero(keras.Model):
        def call(self, inputs):
            return super().call(inputs) * 0

    x = layers.Input((3,))
    with pytest.raises(TypeError, match=r"Zero\.call would never be called: a model of inputs and outputs"):
        Zero(x, layers.Dense(2)(x))
    with pytest.raises(TypeError, match=r"Stack\.call would never be called: a Sequential is its layers"):

        class Stack(keras.Sequential):
            def call(self, inputs):
                return super().call(inputs) * 0


@pytest.mark.parametrize("name", ["update_step", "apply_gradients", "build"])
def test_steps_of_an_optimizer(name):
    with pytest.raises(TypeError, match=rf"Own\.{name} would never be called: the update is a compiled row;"):
        type("Own", (optimizers.SGD,), {name: lambda self, *args: None})


def test_a_penalty_without_its_gradient():
    with pytest.raises(TypeError, match=r"Root\.__call__ would never be called: .*define gradient"):

        class Root(regularizers.L2):
            def __call__(self, x):
                return float(np.sqrt(np.abs(x)).sum())


# --------------------------------------------------------------------------------------------------------------- called


def test_a_penalty_with_its_gradient(backend):
    """Derived from one that the engine computes by coefficients, it is computed as it is written."""

    class Linear(regularizers.L2):
        def __call__(self, x):
            return float(np.sum(3.0 * x))

        def gradient(self, x):
            return np.full_like(x, 3.0)

    model = model_with(Linear())
    model.compile(optimizers.SGD(0.5), "mse")
    loss = model.evaluate(X, Y, verbose=0)
    residual = X.sum(axis=1, keepdims=True) - Y
    np.testing.assert_allclose(loss, np.mean(residual**2) + 18.0, rtol=1e-5)
    model.fit(X, Y, batch_size=12, verbose=0)
    np.testing.assert_allclose(
        model.get_weights()[0], 1 - 0.5 * (X.T @ residual * 2 / Y.size + 3.0), rtol=1e-4, atol=1e-5
    )


def test_a_subclass_that_changes_arguments_only_stays_compiled():
    class Mild(regularizers.L2):
        def __init__(self):
            super().__init__(0.001)

    assert Mild().coefficients() == (0.0, 0.001)


def test_update_state_of_a_metric_that_the_engine_computes(backend):
    class Shifted(metrics.MeanSquaredError):
        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_true, y_pred + 1, sample_weight)

    class Doubled(metrics.MeanSquaredError):
        def result(self):
            return 2 * super().result()

    model = model_with()
    model.compile("sgd", "mse", metrics=[Shifted(name="shifted"), Doubled(name="doubled")])
    found = model.evaluate(X, Y, verbose=0, return_dict=True)
    residual = X.sum(axis=1, keepdims=True) - Y
    np.testing.assert_allclose(found["shifted"], np.mean((residual + 1) ** 2), rtol=1e-5)
    np.testing.assert_allclose(found["doubled"], 2 * np.mean(residual**2), rtol=1e-5)


def test_what_is_no_hook_is_nobodys_business():
    class Own(keras.Model):
        def fit(self, *args, **kwargs):
            return super().fit(*args, **kwargs)

        def helper(self):
            return 1

    class Slow(optimizers.Adam):
        def get_config(self):
            return super().get_config()

    assert Own and Slow and losses.Loss
