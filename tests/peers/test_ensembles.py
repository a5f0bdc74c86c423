"""Ensembles inside scikit-learn: cloned, in pipelines, cross-validated and searched over, with its scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import layers
from fastnn.ensembles import EnsembleClassifier, EnsembleRegressor

pytest.importorskip("sklearn")
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def build() -> Any:
    model = fastnn.Sequential([layers.Input((64,)), layers.Dense(10, activation="softmax")])
    model.compile(fastnn.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    return model


def line() -> Any:
    model = fastnn.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile(fastnn.optimizers.SGD(0.1), "mse")
    return model


def test_inside_scikit_learn() -> None:
    (x, y), _ = fastnn.datasets.digits.load_data()
    x, y = x[:400].reshape(400, 64), y[:400].astype(str)
    classifier = EnsembleClassifier(build, n_estimators=2, random_state=0, epochs=5)
    assert is_classifier(classifier) and is_regressor(EnsembleRegressor(line))
    copy = clone(classifier)
    assert copy is not classifier and copy.get_params() == classifier.get_params()
    scores = cross_val_score(make_pipeline(StandardScaler(), classifier), x, y, cv=3)
    assert scores.min() > 0.8
    search = GridSearchCV(classifier, {"voting": ["soft", "hard"], "epochs": [1, 5]}, cv=2).fit(x / 16, y)
    assert search.best_params_["epochs"] == 5
    assert set(search.predict(x[:5] / 16)) <= set(y)


def test_the_score_of_regressors() -> None:
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=(100, 2)), rng.uniform(size=100)
    y = x[:, 0] + rng.normal(size=100)
    regressor = EnsembleRegressor(line, 2, random_state=0, epochs=5).fit(x, y)
    assert regressor.score(x, y, weight) == pytest.approx(r2_score(y, regressor.predict(x), sample_weight=weight))
