"""scikit-learn's perceptrons inside and outside of fastnn.compat.sklearn.accelerated()."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

from fastnn.compat.sklearn import accelerated
from fastnn.datasets import digits

pytest.importorskip("sklearn")

from sklearn.datasets import make_multilabel_classification
from sklearn.neural_network import MLPClassifier, MLPRegressor, _base, _stochastic_optimizers


def digit_data(dtype):
    (x, y), (x_test, y_test) = digits.load_data()
    return [(a.reshape(len(a), -1) / 16).astype(dtype) for a in (x, x_test)], (y, y_test)


def fitted(make, x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fifteen epochs do not converge
        return make().fit(x, y)


def both(make, x, y):
    theirs = fitted(make, x, y)
    with accelerated():
        ours = fitted(make, x, y)
    return theirs, ours


def classifier(**options):
    return lambda: MLPClassifier((40,), max_iter=15, random_state=0, **options)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_the_loss_curve_on_digits_is_the_same(activation, solver):
    (x, x_test), (y, y_test) = digit_data(np.float64)
    options = {"learning_rate_init": 0.05} if solver == "sgd" else {}
    theirs, ours = both(classifier(activation=activation, solver=solver, **options), x, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)
    for one, two in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)
    assert ours.score(x_test, y_test) == theirs.score(x_test, y_test) > 0.7


@pytest.mark.parametrize("options", [{"nesterovs_momentum": False}, {"momentum": 0.0}, {"learning_rate": "invscaling"}])
def test_variants_of_gradient_descent(options):
    (x, _), (y, _) = digit_data(np.float64)
    theirs, ours = both(classifier(solver="sgd", learning_rate_init=0.05, **options), x, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)


@pytest.mark.parametrize("options", [{"early_stopping": True}, {"alpha": 0.1}, {"batch_size": 32}, {"solver": "lbfgs"}])
def test_options_of_training(options):
    (x, _), (y, _) = digit_data(np.float64)
    theirs, ours = both(classifier(**options), x[:400], y[:400])
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-6)


def test_float32():
    (x, x_test), (y, y_test) = digit_data(np.float32)
    theirs, ours = both(classifier(), x, y)
    assert ours.coefs_[0].dtype == np.float32
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-3)
    assert abs(ours.score(x_test, y_test) - theirs.score(x_test, y_test)) < 0.02


def test_two_classes_and_several_labels():
    (x, _), (y, _) = digit_data(np.float64)
    x_many, y_many = make_multilabel_classification(200, 10, random_state=0)
    for data, targets in ((x, y == 3), (x_many, y_many)):
        theirs, ours = both(classifier(), data, targets)
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)


@pytest.mark.parametrize("outputs", [1, 3])
def test_regression(outputs):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 8))
    y = np.sin(x[:, :outputs]).squeeze()
    theirs, ours = both(lambda: MLPRegressor(hidden_layer_sizes=(20,), max_iter=15, random_state=0), x, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), rtol=1e-6, atol=1e-8)


def test_everything_is_put_back():
    tables = [_base.ACTIVATIONS, _base.DERIVATIVES, _base.LOSS_FUNCTIONS]
    optimizers = [_stochastic_optimizers.AdamOptimizer, _stochastic_optimizers.SGDOptimizer]
    before = [dict(table) for table in tables], [dict(vars(optimizer)) for optimizer in optimizers]
    with accelerated(), accelerated():
        assert [dict(table) for table in tables] != before[0]
    with pytest.raises(ZeroDivisionError), accelerated():
        1 / 0  # noqa: B018
    assert ([dict(table) for table in tables], [dict(vars(optimizer)) for optimizer in optimizers]) == before


def test_another_scikit_learn_is_a_clear_error(monkeypatch):
    monkeypatch.delattr(_base, "LOSS_FUNCTIONS")
    with pytest.raises(ImportError, match=r"expected the tables.*Received: version .*LOSS_FUNCTIONS"), accelerated():
        pass


def test_a_missing_scikit_learn_is_a_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.neural_network", None)
    with pytest.raises(ImportError, match=r"expected scikit-learn.*Received: "), accelerated():
        pass
