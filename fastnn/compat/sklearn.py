"""scikit-learn's multi-layer perceptrons, computing with fastnn.ops.

    with fastnn.compat.sklearn.accelerated():
        MLPClassifier().fit(X, y)

Activations, losses and optimizer steps are replaced where scikit-learn looks them up; matrix products, and everything
that is not listed here (sparse inputs, L-BFGS, Poisson losses, sample weights), stay its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import ops

Array = NDArray[Any]
Loss = Callable[..., float]

# scikit-learn's name of an activation: fastnn's
ACTIVATIONS = {"logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}


def _forward(name: str) -> Callable[[Array], None]:
    function = getattr(ops, name)

    def inplace(X: Array) -> None:
        function(X, out=X)

    return inplace


def _derivative(name: str) -> Callable[[Array, Array], None]:
    function = getattr(ops, f"{name}_backward")

    def inplace(Z: Array, delta: Array) -> None:
        function(delta, Z, out=delta)

    return inplace


def _squared_error(y_true: Array, y_pred: Array) -> float:
    return 0.5 * float(ops.mse(y_pred, y_true))


def _log_loss(y_true: Array, y_prob: Array) -> float:
    return float(ops.cross_entropy(y_prob, y_true, eps=float(np.finfo(y_prob.dtype).eps)))


def _binary_log_loss(y_true: Array, y_prob: Array) -> float:
    eps = float(np.finfo(y_prob.dtype).eps)
    return float(ops.binary_cross_entropy(y_prob, y_true, eps=eps, reduction="sum")) / len(y_prob)


def _where_it_applies(loss: Loss, original: Loss, columns: int) -> Loss:
    """The loss for arrays of one shape with enough columns and no weights, the original for all others."""

    def compute(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        if sample_weight is None and y_true.shape == y_pred.shape and y_pred.shape[-1] >= columns:
            return loss(y_true, y_pred)
        return original(y_true, y_pred, *(() if sample_weight is None else (sample_weight,)))

    return compute


def _update_adam(self: Any, params: list[Array], grads: list[Array]) -> None:
    self.t += 1
    correction = math.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
    self.learning_rate = self.learning_rate_init * correction
    ops.adam_raw_many(params, grads, self.ms, self.vs, self.beta_1, self.beta_2, self.learning_rate, 1.0, self.epsilon)


def _update_sgd(self: Any, params: list[Array], grads: list[Array]) -> None:
    update = ops.nesterov_many if self.nesterov else ops.momentum_many
    update(params, grads, self.velocities, self.learning_rate, self.momentum)


@contextmanager
def accelerated() -> Iterator[None]:
    """Let MLPClassifier and MLPRegressor compute with fastnn.ops inside a `with` block.

    It replaces entries of scikit-learn's tables for the whole process, and puts back what was there at the end; so do
    not enter it in one thread while another one trains.

    Raises
    ------
    ImportError
        scikit-learn is missing, or its tables and optimizers are not those that version 1.9 has.

    Notes
    -----
    Losses, weights and predictions are those of scikit-learn up to rounding; the optimizers keep their attributes.
    """
    try:
        import sklearn
        from sklearn.neural_network import _base, _stochastic_optimizers
    except ImportError as error:
        raise ImportError(
            f"accelerated: expected scikit-learn with sklearn.neural_network._base. Received: {error}"
        ) from error
    try:
        losses = _base.LOSS_FUNCTIONS
        replaced: list[tuple[dict[str, Any], str, Any]] = [(_base.ACTIVATIONS, "softmax", _forward("softmax"))]
        for theirs, name in ACTIVATIONS.items():
            replaced += [(_base.ACTIVATIONS, theirs, _forward(name)), (_base.DERIVATIVES, theirs, _derivative(name))]
        for key, loss, columns in (
            ("squared_error", _squared_error, 1),
            ("log_loss", _log_loss, 2),
            ("binary_log_loss", _binary_log_loss, 1),
        ):
            replaced.append((losses, key, _where_it_applies(loss, losses[key], columns)))
        before = [(table, key, table[key]) for table, key, _ in replaced]
        adam, sgd = _stochastic_optimizers.AdamOptimizer, _stochastic_optimizers.SGDOptimizer
        updates = [(optimizer, vars(optimizer).get("update_params")) for optimizer in (adam, sgd)]
    except (AttributeError, KeyError) as error:
        raise ImportError(
            "accelerated: expected the tables and optimizers that scikit-learn 1.9 has. "
            f"Received: version {sklearn.__version__}, without {error}"
        ) from error
    try:
        for table, key, value in replaced:
            table[key] = value
        adam.update_params, sgd.update_params = _update_adam, _update_sgd
        yield
    finally:
        for table, key, value in before:
            table[key] = value
        for optimizer, own in updates:
            if own is None:  # it inherits the method
                del optimizer.update_params
            else:
                optimizer.update_params = own
