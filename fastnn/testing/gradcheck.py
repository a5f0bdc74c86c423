"""Backward functions against central differences, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.testing.models import gradcheck_model

Array = NDArray[Any]

_STEP = float(np.finfo(np.float64).eps ** (1 / 3))  # balances the cut-off error h**2 against the rounding error eps / h


def gradcheck(
    f: Any,
    inputs: Any,
    backward: Any,
    sample_weight: Any = None,
    *,
    dy: Array | float | None = None,
    names: Sequence[str] | None = None,
    step: float = _STEP,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    **options: Any,
) -> float:
    """Check a backward function, or with `gradcheck(model, x, y)` a whole model, against central differences.

    For each element of each input, ``sum(dy * (f(x + h) - f(x - h))) / (2 * h)`` is compared with what
    ``backward(dy, *inputs)`` says, with ``h = step * max(1, abs(x))``.

    Parameters
    ----------
    f : function of arrays
        ``f(*inputs)`` returns an array or a number.  It must not depend on anything that changes between calls.  If it
        is a model, the next arguments are x, y and sample_weight, and `gradcheck_model` says what follows.
    inputs : sequence of arrays, any shapes
        Where to check.  Real inputs must be float64; other dtypes, such as labels, are passed on.  The points should
        lie further than ``h`` from the kinks of ``f``.
    backward : function of dy and the inputs
        Returns the gradient of ``sum(dy * f(*inputs))`` with respect to each input: a tuple or list with one array
        per input, None for an input that has no gradient; or just the array if there is one input.
    dy : array, shape of the output, optional
        Gradient with respect to the output.  By default random numbers from a fixed seed, none of which is small, so
        that errors cannot cancel.
    names : sequence of str, optional
        Names of the inputs for the message.
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
        If a gradient has the wrong shape, or is further off than allowed, or is NaN.  The message names the worst
        element.
    TypeError
        If a real input is not float64: differences in float32 check nothing.

    Examples
    --------
    >>> x = np.array([0.5, -2.0])
    >>> bool(gradcheck(np.tanh, [x], lambda dy, x: dy * (1 - np.tanh(x) ** 2)) < 1)
    True
    """
    if hasattr(f, "runner"):
        if dy is not None or names is not None:
            raise TypeError("gradcheck: a model has no dy and names of its own. Received: dy or names")
        return gradcheck_model(f, inputs, backward, sample_weight, step=step, rtol=rtol, atol=atol, **options)
    if sample_weight is not None or options:
        raise TypeError(f"gradcheck: only a model has sample_weight and {[*options]}. Received: {f!r}")
    inputs = [np.array(x, copy=True) for x in inputs]
    names = [f"input {k}" for k in range(len(inputs))] if names is None else list(names)
    for name, x in zip(names, inputs, strict=True):
        if x.dtype.kind in "fc" and x.dtype != np.float64:
            raise TypeError(f"gradcheck needs float64 inputs. Received: {name} of dtype {x.dtype}")

    output = np.asarray(f(*(x.copy() for x in inputs)), dtype=np.float64)
    if dy is None:
        random = np.random.default_rng(0)
        dy = random.uniform(0.5, 1.5, output.shape) * random.choice([-1.0, 1.0], output.shape)
    dy = np.broadcast_to(np.asarray(dy, dtype=np.float64), output.shape)

    gradients = backward(dy.copy(), *(x.copy() for x in inputs))
    if not isinstance(gradients, (tuple, list)):
        gradients = [gradients]
    if len(gradients) != len(inputs):
        raise AssertionError(
            f"gradcheck: expected one gradient per input, that is {len(inputs)}. Received: {len(gradients)}"
        )

    worst = 0.0
    for k, (name, gradient) in enumerate(zip(names, gradients, strict=True)):
        if gradient is None:
            continue
        gradient = np.asarray(gradient)
        if gradient.shape != inputs[k].shape:
            raise AssertionError(
                f"gradcheck: the gradient of {name} must have its shape {inputs[k].shape}. Received: {gradient.shape}"
            )
        expected = _central_differences(f, inputs, k, dy, step)
        with np.errstate(invalid="ignore"):
            error = np.abs(gradient - expected) / (atol + rtol * np.abs(expected))
        error = np.where(np.isnan(error), np.inf, error)
        if not np.all(error <= 1):
            at = tuple(int(i) for i in np.unravel_index(np.argmax(error), error.shape))
            raise AssertionError(
                f"gradcheck: the gradient of {name} is wrong at {np.sum(error > 1)} of {error.size} elements, worst at "
                f"{at} where the input is {inputs[k][at]!r}: expected {expected[at]!r} from central differences. "
                f"Received: {gradient[at]!r}"
            )
        worst = max(worst, float(np.max(error, initial=0)))
    return worst


def _central_differences(f: Callable[..., Any], inputs: Sequence[Array], k: int, dy: Array, step: float) -> Array:
    """The gradient of ``sum(dy * f(*inputs))`` with respect to input k, one element at a time."""
    x = inputs[k]
    quotient = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        here = x[at]
        h = step * max(1.0, abs(float(here)))
        above, below = here + h, here - h  # as rounded: their distance is known exactly
        values = []
        for there in (above, below):
            moved = [other.copy() for other in inputs]
            moved[k][at] = there
            values.append(np.asarray(f(*moved), dtype=np.float64))
        quotient[at] = np.sum(dy * (values[0] - values[1])) / (above - below)
    return quotient
