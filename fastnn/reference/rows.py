"""The softmax family: functions of whole rows, in readable NumPy.

All of them subtract the largest element of a row first, which changes nothing in exact arithmetic and keeps the
exponentials in [0, 1]: no input overflows.  A ``-inf`` is a masked element of probability 0; a row that is masked
altogether, or that contains ``+inf`` or NaN, has no probabilities and becomes NaN.  No warnings.
"""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, double_precision


def _largest(x: Array, axis: int) -> Array:
    largest: Array = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return largest


def _sum(x: Array, axis: int) -> Array:
    total: Array = np.sum(x, axis=axis, keepdims=True)
    return total


@double_precision
def softmax(x: Array, axis: int = -1) -> Array:
    """Probabilities proportional to the exponentials of the inputs.

    ``softmax(x)_i = exp(x_i) / sum_k exp(x_k)``

    Parameters
    ----------
    x : array, at least one dimension, float32 or float64
        Logits.
    axis : int
        The axis along which the probabilities sum to 1.

    Returns
    -------
    array, shape and dtype of x
        Probabilities, in [0, 1].

    Notes
    -----
    Adding a constant to a row does not change its softmax.

    References
    ----------
    Bridle, "Probabilistic interpretation of feedforward classification network outputs, with relationships to
    statistical pattern recognition", in "Neurocomputing", NATO ASI Series F68, 1990.
    Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions", IMA Journal of
    Numerical Analysis 41, 2021.
    """
    e: Array = np.exp(x - _largest(x, axis))
    return e / _sum(e, axis)


@double_precision
def softmax_backward(dy: Array, y: Array, axis: int = -1) -> Array:
    """Gradient of `softmax`, from its output.

    ``dx_i = y_i * (dy_i - sum_k dy_k * y_k)``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `softmax`.
    axis : int
        As in `softmax`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; along ``axis`` it sums to 0.
    """
    return y * (dy - _sum(dy * y, axis))


@double_precision
def log_softmax(x: Array, axis: int = -1) -> Array:
    """Logarithm of `softmax`, finite for every finite input.

    ``log_softmax(x)_i = x_i - log(sum_k exp(x_k))``

    Parameters
    ----------
    x : array, at least one dimension, float32 or float64
        Logits.
    axis : int
        The axis along which the probabilities sum to 1.

    Returns
    -------
    array, shape and dtype of x
        Log-probabilities, in ``[-inf, 0]``.

    Notes
    -----
    Unlike ``log(softmax(x))`` it does not become ``-inf`` where the probability underflows.

    References
    ----------
    Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions", IMA Journal of
    Numerical Analysis 41, 2021.
    """
    shifted = x - _largest(x, axis)
    return shifted - np.log(_sum(np.exp(shifted), axis))


@double_precision
def log_softmax_backward(dy: Array, y: Array, axis: int = -1) -> Array:
    """Gradient of `log_softmax`, from its output.

    ``dx_i = dy_i - exp(y_i) * sum_k dy_k``

    Parameters
    ----------
    dy, y : arrays of one shape, float32 or float64
        Gradient with respect to the output; output of `log_softmax`.
    axis : int
        As in `log_softmax`.

    Returns
    -------
    array, shape and dtype of dy
        Gradient with respect to ``x``; along ``axis`` it sums to 0.
    """
    return dy - np.exp(y) * _sum(dy, axis)


@double_precision
def logsumexp(x: Array, axis: int = -1) -> Array:
    """Logarithm of the sum of exponentials: a smooth maximum.

    ``logsumexp(x) = log(sum_k exp(x_k)) = m + log(sum_k exp(x_k - m))`` with ``m = max_k x_k``

    Parameters
    ----------
    x : array, at least one dimension, float32 or float64
        Logits.
    axis : int
        The axis that is summed over.

    Returns
    -------
    array, shape of x without axis, dtype of x
        Never less than the largest element.  ``+inf`` where a row contains ``+inf``, ``-inf`` where it holds nothing
        but ``-inf`` or nothing at all.

    Notes
    -----
    Its gradient is `softmax`.

    References
    ----------
    Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions", IMA Journal of
    Numerical Analysis 41, 2021.
    """
    largest = _largest(x, axis)
    sums = largest + np.log(_sum(np.exp(x - largest), axis))
    answer = np.where(np.isinf(largest), largest, sums)  # inf - inf would be NaN
    return np.squeeze(answer, axis=axis)
