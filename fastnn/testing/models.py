"""The gradient of a whole model against central differences, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.testing.gradcheck import gradcheck


def gradcheck_model(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    step: float = 6e-6,
    rtol: float = 1e-6,
    atol: float = 1e-8,
) -> float:
    """Check the gradients that a model trains with against central differences of its loss.

    All samples make one mini-batch in training mode, with the dropout masks of the model's first step. Weights,
    optimizer and counters are afterwards what they were.

    Parameters
    ----------
    model : fastnn.Model
        Compiled with a loss, and of dtype float64. The optimizer does not matter.
    x, y, sample_weight
        As for `fit`. Few samples and small layers: every weight costs two passes.
    step : float
        Relative size of the differences.
    rtol, atol : float
        The error allowed is ``atol + rtol * abs(difference quotient)``.

    Returns
    -------
    float
        The largest error found, as a part of the error allowed: at most 1.

    Raises
    ------
    AssertionError
        If a gradient is further off than allowed, or is NaN. The message names the weight.
    TypeError
        If the model is not float64: differences in float32 check nothing.

    Examples
    --------
    >>> from fastnn import Sequential, layers
    >>> model = Sequential([layers.Input((3,), dtype="float64"), layers.Dense(2, "tanh", dtype="float64")])
    >>> model.compile("sgd", "mse")
    >>> gradcheck_model(model, np.ones((4, 3)), np.zeros((4, 2))) <= 1
    True
    """
    data, goals = model.prepare(x, y, sample_weight, "gradcheck_model")
    runner = model.runner
    if runner.dtype != np.float64:
        raise TypeError(f"gradcheck_model needs a model of dtype float64. Received: {runner.dtype}")
    parameters = model.trainable_weights
    before = [parameter.numpy() for parameter in parameters]
    # passes in training mode move the statistics of normalisation
    kept = [(parameter, parameter.numpy()) for parameter in model.weights]

    def gradient(*values: NDArray[Any]) -> tuple[float, list[NDArray[Any]]]:
        for parameter, value in zip(parameters, values):
            parameter.assign(value)
        loss, gradients = runner.gradient(data, goals, model.seed)
        return loss, gradients

    def loss_of(*values: NDArray[Any]) -> float:
        return gradient(*values)[0]

    def backward(dy: NDArray[Any], *values: NDArray[Any]) -> list[NDArray[Any]]:
        return [dy * part for part in gradient(*values)[1]]

    try:
        names = [parameter.name for parameter in parameters]
        return gradcheck(loss_of, before, backward, dy=1.0, names=names, step=step, rtol=rtol, atol=atol)
    finally:
        for parameter, value in kept:
            parameter.assign(value)
