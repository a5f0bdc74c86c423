"""Ensembles as scikit-learn's estimators: labels in and out, parameters by name.

They need no scikit-learn, and work inside its pipelines, cross-validation and grid search.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn._parameters import Parameters
from fastnn.models import Model

from .ensemble import Ensemble

Array = npt.NDArray[Any]

VOTING = {"soft": "mean", "hard": "vote"}


class _Estimator(Parameters):
    """What both kinds share: the ensemble behind them."""

    _estimator_type = ""

    def __init__(
        self,
        build: Callable[[], Model],
        n_estimators: int = 5,
        method: str = "seeds",
        n_jobs: int | None = None,
        random_state: int | None = None,
        epochs: int = 10,
        batch_size: int | None = None,
    ) -> None:
        self.build, self.n_estimators, self.method = build, n_estimators, method
        self.n_jobs, self.random_state = n_jobs, random_state
        self.epochs, self.batch_size = epochs, batch_size

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, RegressorTags, Tags, TargetTags

        classifies = self._estimator_type == "classifier"
        return Tags(
            estimator_type=self._estimator_type,
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags() if classifies else None,
            regressor_tags=None if classifies else RegressorTags(),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "ensemble_")

    def _fit(
        self,
        build: Callable[[], Model],
        X: Any,
        y: Array,
        sample_weight: Any,
        combine: str,
        from_logits: bool = False,
    ) -> None:
        ensemble = Ensemble(
            build, self.n_estimators, self.method, combine, from_logits=from_logits, seed=self.random_state
        )
        ensemble.fit(
            X, y, n_jobs=self.n_jobs, verbose=0, epochs=self.epochs, batch_size=self.batch_size,
            sample_weight=sample_weight,
        )  # fmt: skip
        self.ensemble_ = ensemble
        self.n_features_in_ = np.shape(X)[1]

    def _predict(self, X: Any) -> Array:
        if not hasattr(self, "ensemble_"):
            raise ValueError(
                f"{type(self).__name__}: expected a fitted estimator; call fit first. Received: not fitted"
            )
        return np.asarray(self.ensemble_.predict(np.asarray(X)))


class EnsembleClassifier(_Estimator):
    """An ensemble of networks as a classifier of scikit-learn.

    Parameters
    ----------
    build : callable
        Returns a compiled model for integer classes: one output per class (sparse categorical cross-entropy), or a
        single one for two classes (binary cross-entropy). Labels of any kind become 0, 1, ... in sorted order.
    n_estimators : int
        The number of members.
    method : {"seeds", "bagging", "snapshots"}
        See `Ensemble`.
    n_jobs : int, optional
        See `Ensemble.fit`.
    random_state : int, optional
        The seed.
    epochs, batch_size
        As in `Model.fit`; for snapshots epochs counts those of all cycles.
    voting : {"soft", "hard"}
        "soft": probabilities are averaged; "hard": each member has a vote.
    from_logits : bool
        Whether members give logits.

    Attributes
    ----------
    ensemble_ : Ensemble
    classes_ : array
        The labels, sorted.
    n_features_in_ : int
    """

    _estimator_type = "classifier"

    def __init__(
        self,
        build: Callable[[], Model],
        n_estimators: int = 5,
        method: str = "seeds",
        n_jobs: int | None = None,
        random_state: int | None = None,
        epochs: int = 10,
        batch_size: int | None = None,
        voting: str = "soft",
        from_logits: bool = False,
    ) -> None:
        super().__init__(build, n_estimators, method, n_jobs, random_state, epochs, batch_size)
        self.voting, self.from_logits = voting, from_logits

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> EnsembleClassifier:
        """Train the members on X (n, features) and labels y (n,).

        Raises
        ------
        TypeError, ValueError
            If a parameter is not one of those above, data do not fit the model, or the model has not as many outputs
            as there are classes in y (two classes may have a single one).
        """
        if self.voting not in VOTING:
            raise ValueError(f"voting must be 'soft' or 'hard'. Received: voting={self.voting!r}")
        self.classes_, numbers = np.unique(np.asarray(y), return_inverse=True)
        build = _ForClasses(self.build, len(self.classes_)) if callable(self.build) else self.build
        numbers = numbers.astype(np.int64)
        self._fit(build, np.asarray(X), numbers, sample_weight, VOTING[self.voting], self.from_logits)
        _check_columns(self.ensemble_.members[0], len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (n, classes), or shares of votes.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or X does not fit it.
        """
        found = self._predict(X)
        return np.concatenate([1 - found, found], axis=-1) if found.shape[-1] == 1 else found

    def predict(self, X: Any) -> Array:
        """Labels (n,); errors as in `predict_proba`."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(-1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of right labels."""
        return float(np.average(self.predict(X) == np.asarray(y), weights=sample_weight))


class _ForClasses:
    """`build` for data with so many classes: a model that does not fit them is refused before it is trained in vain."""

    def __init__(self, build: Callable[[], Model], classes: int) -> None:
        self.build, self.classes = build, classes

    def __call__(self) -> Model:
        model = self.build()
        if isinstance(model, Model) and model.built:
            _check_columns(model, self.classes)
        return model


def _check_columns(model: Model, classes: int) -> None:
    columns = model.output_shape[-1]
    if (2 if columns == 1 else columns) != classes:
        raise ValueError(
            "EnsembleClassifier: expected a model with an output for each class in y, or a single output for two "
            f"classes. Received: {columns} outputs for {classes} classes"
        )


class EnsembleRegressor(_Estimator):
    """An ensemble of networks as a regressor of scikit-learn.

    Parameters
    ----------
    build : callable
        Returns a compiled model.
    n_estimators, method, n_jobs, random_state, epochs, batch_size
        As in `EnsembleClassifier`.

    Attributes
    ----------
    ensemble_ : Ensemble
    n_features_in_ : int
    """

    _estimator_type = "regressor"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> EnsembleRegressor:
        """Train the members on X (n, features) and values y (n,) or (n, outputs); errors as in the classifier's."""
        values = np.asarray(y, float)
        self._single = values.ndim == 1
        self._fit(self.build, np.asarray(X), values.reshape(len(values), -1), sample_weight, "mean")
        return self

    def predict(self, X: Any) -> Array:
        """Values, of the shape of y; ValueError as in the classifier's."""
        found = self._predict(X)
        return found[:, 0] if self._single else found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The coefficient of determination R^2, the mean over outputs."""
        values = np.asarray(y, float).reshape(len(np.asarray(y)), -1)
        found = np.asarray(self.predict(X), float).reshape(values.shape)
        center = np.average(values, axis=0, weights=sample_weight)
        left = np.average((values - found) ** 2, axis=0, weights=sample_weight)
        total = np.average((values - center) ** 2, axis=0, weights=sample_weight)
        return float(np.mean(1 - left / total))
