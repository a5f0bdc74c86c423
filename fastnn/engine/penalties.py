"""Regularizers inside the step: their values are added to the loss, their derivatives to the gradients.

Penalties that are l1 sum |x| + l2 sum x^2 are native steps; every other regularizer - an object with `__call__(x)`, the
value, and `gradient(x)` - runs as a step in Python.  As in Keras, weights that are not trained are not penalised, and a
penalty on a layer's output is divided by the number of samples.

A penalty on outputs needs its score before anything is trained or judged, so it is slot 0, the loss, that it goes to:
`Scores` divides by the samples, so a penalty counts once for each sample of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arena import Parameter
from .plan import ABSENT, BLOCK, Plan

LOSS = 0  # the score of the loss


def on_output(plan: Plan, layer: Any, y: Any, backward: Callable[..., Any]) -> Callable[..., Any]:
    """The penalty of a layer's output or outputs, where it has one; returns what adds the backward steps."""
    regularizer = getattr(layer, "activity_regularizer", None)
    if regularizer is None or not plan.scored:
        return backward
    shapes = layer.shape_out if isinstance(y, tuple) else (layer.shape_out,)
    outputs = [(value, (plan.batch, *shape)) for value, shape in zip(y if isinstance(y, tuple) else (y,), shapes)]
    for value, shape in outputs:
        _add(plan, regularizer, shape, value, ABSENT, 1.0 / plan.samples, value=True)

    def with_penalty(dy: Any, need_dx: Any) -> Any:
        for (value, shape), gradient in zip(outputs, dy if isinstance(dy, tuple) else (dy,)):
            _add(plan, regularizer, shape, value, gradient, 1.0 / plan.samples, value=False)
        return backward(dy, need_dx)

    return with_penalty


def on_weights(plan: Plan, weights: Sequence[Parameter]) -> None:
    """The penalties of trained weights; in training also their part of the gradient."""
    seen: set[int] = set()
    for weight in weights:
        if weight.regularizer is None or not weight.trainable or id(weight) in seen:
            continue
        seen.add(id(weight))
        gradient = plan.gradient(weight) if plan.training else ABSENT
        _add(plan, weight.regularizer, weight.shape, plan.parameter(weight), gradient, 1.0, value=True)


def _add(plan: Plan, regularizer: Any, shape: tuple[int, ...], x: int, g: int, factor: float, *, value: bool) -> None:
    size = plan.buffers[x].size
    coefficients = regularizer.coefficients() if hasattr(regularizer, "coefficients") else None
    if coefficients is None:
        _check(regularizer, plan.training)
        count = 1
    else:
        count = -(-size // BLOCK)
    factor *= plan.loss_scale
    partial = plan.numbers(count) if value else ABSENT
    if coefficients is None:
        plan.step("call", (x, g, partial), call=_in_python(regularizer, shape, factor))
    else:
        l1, l2 = coefficients
        plan.step("penalty", (x, g, partial), ints=(size,), reals=(factor * l1, factor * l2))
    if value:
        plan.score(partial, count, plan.samples / plan.loss_scale, slot=LOSS)


def _check(regularizer: Any, training: bool) -> None:
    if not callable(regularizer) or (training and not hasattr(regularizer, "gradient")):
        raise TypeError(
            "a regularizer that is not of fastnn.regularizers must have __call__(x), the penalty, and gradient(x), its "
            f"derivative. Received: {regularizer!r}"
        )


def _in_python(regularizer: Any, shape: tuple[int, ...], factor: float) -> Callable[..., None]:
    def penalise(step: int, x: np.ndarray, g: np.ndarray | None, value: np.ndarray | None) -> None:
        tensor = x.reshape(shape)
        if value is not None:
            value[0] = factor * float(regularizer(tensor))
        if g is not None:
            g += factor * np.asarray(regularizer.gradient(tensor), g.dtype).reshape(-1)

    return penalise
