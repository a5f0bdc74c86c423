"""Ensembles: several models, trained side by side, that predict together.

from fastnn.ensembles import Ensemble

ensemble = Ensemble(build, members=5)           # build() returns a compiled model
ensemble.fit(x, y, epochs=10, n_jobs=-1)
ensemble.evaluate(x_test, y_test, return_dict=True)
"""

from __future__ import annotations

from .ensemble import Ensemble, load_ensemble
from .estimators import EnsembleClassifier, EnsembleRegressor

__all__ = ["Ensemble", "EnsembleClassifier", "EnsembleRegressor", "load_ensemble"]
