"""Losses that users write: `call` and `gradient` on arrays."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn as keras
from fastnn import layers, losses
from fastnn.testing import gradcheck_model

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(14, 3)), RNG.normal(size=(14, 2))


class Square(losses.Loss):
    def call(self, y_true, y_pred):
        return np.mean((y_pred - y_true) ** 2, axis=-1)

    def gradient(self, y_true, y_pred):
        return 2 * (y_pred - y_true) / y_pred.shape[-1]


class Wrong(Square):
    def gradient(self, y_true, y_pred):
        return y_pred


class Pinball(losses.Loss):
    def __init__(self, tau=0.9, **kwargs):
        super().__init__(**kwargs)
        self.tau = tau

    def call(self, y_true, y_pred):
        e = y_true - y_pred
        return np.maximum(self.tau * e, (self.tau - 1) * e).mean(axis=-1)

    def gradient(self, y_true, y_pred):
        return np.where(y_true > y_pred, -self.tau, 1 - self.tau) / y_pred.shape[-1]

    def get_config(self):
        return {**super().get_config(), "tau": self.tau}


def network():
    return keras.Sequential(
        [layers.Input((3,), dtype="float64"), layers.Dense(2, kernel_initializer="ones", dtype="float64")]
    )


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_trains_as_the_loss_that_it_copies(backend, reduction, weighted):
    weights = RNG.random(14) if weighted else None
    found = []
    for loss in (losses.MeanSquaredError(reduction=reduction), Square(reduction=reduction)):
        model = network()
        model.compile(keras.optimizers.SGD(0.01), loss, metrics=["mae"])
        history = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, sample_weight=weights, verbose=0).history
        found.append([*history["loss"], *history["mae"], *model.get_weights()[0].ravel(), loss(Y, X[:, :2], weights)])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def test_gradients_are_checked(backend):
    model = network()
    model.compile("sgd", Pinball(0.8))
    assert gradcheck_model(model, X, Y) <= 1
    model.compile("sgd", Wrong())
    with pytest.raises(AssertionError):
        gradcheck_model(model, X, Y)


def test_files(tmp_path):
    model = network()
    model.compile("sgd", Pinball(0.7))
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.fastnn")
    again = keras.models.load_model(tmp_path / "model.fastnn", custom_objects={"Pinball": Pinball})
    assert type(again.loss) is Pinball and again.loss.tau == 0.7
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


def test_what_is_refused():
    with pytest.raises(TypeError, match=r"L\.call would never be called: .*define gradient\(y_true, y_pred\)"):
        type("L", (losses.MeanSquaredError,), {"call": lambda self, t, p: p})
    with pytest.raises(TypeError, match=r"L\.__call__ would never be called: define call"):
        type("L", (losses.MeanSquaredError,), {"__call__": lambda self, t, p: p})
    with pytest.raises(ValueError, match=r"gradient\(y_true, y_pred\) \(docs/custom-layers.md\); a function"):
        network().compile("sgd", lambda t, p: p)
    with pytest.raises(ValueError, match=r"L\.call must return one loss for each sample, shape \(2,\)"):
        type("L", (Square,), {"call": lambda self, t, p: p, "gradient": lambda self, t, p: p})()(Y[:2], Y[:2])


def test_derived_from_one_of_ours(backend):
    class Own(losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return np.mean(3 * y_pred, axis=-1)

        def gradient(self, y_true, y_pred):
            return np.full_like(y_pred, 3 / y_pred.shape[-1])

    model = network()
    model.compile("sgd", Own())
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), 3 * X.sum(axis=1).mean())
    assert gradcheck_model(model, X, Y) <= 1
