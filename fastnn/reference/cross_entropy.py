"""Cross-entropy of several classes: losses of whole rows of predictions, and their gradients, in readable NumPy.

Targets come in two forms: class labels, one integer per row, or target rows, one probability per class.  They are
told apart by their number of dimensions.  The formulas know target rows only; `of_classes` makes them, and adds what
can be done to any target: a label equal to ``ignore`` counts nothing (loss 0, gradient 0), ``smoothing`` moves a part
of every row evenly to all classes, and ``class_weight`` multiplies the target of each class.  Nothing is averaged here:
sample weights and reductions are applied by the callers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.arrays import Array, BelowHalf, Labels, NonNegative, common_dtype
from fastnn.reference.rows import log_softmax, softmax


def target_rows(target: Labels | Array, shape: tuple[int, ...], ignore: int | None = None) -> Array:
    """Either form of target as rows: labels become one-hot rows, ignored labels rows of zeros.

    Parameters
    ----------
    target : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, which are returned as they are.
    shape : tuple of int
        Shape of the predictions, (..., classes).
    ignore : int, optional
        The label that counts nothing.

    Returns
    -------
    array of float64, shape (..., classes)

    Raises
    ------
    ValueError
        If a label is neither in ``[0, classes)`` nor ``ignore``.
    """
    labels = np.asarray(target)
    if labels.ndim == len(shape):
        return labels.astype(np.float64)
    classes = shape[-1]
    counted = labels != ignore
    wrong = labels[counted & ((labels < 0) | (labels >= classes))]
    if wrong.size:
        raise ValueError(f"Expected labels from 0 to {classes - 1}. Received: {wrong[0]}")
    one_hot: NDArray[np.bool_] = (labels[..., np.newaxis] == np.arange(classes)) & counted[..., np.newaxis]
    return one_hot.astype(np.float64)


def of_classes(formula: Callable[..., Array]) -> Callable[..., Array]:
    """Decorator of formulas that know target rows only; see the top of this module.

    Parameters
    ----------
    formula : function of (predictions, target rows, parameters ...), all of float64

    Returns
    -------
    function
        The same for targets in any form, with ``ignore``, ``smoothing`` and ``class_weight``.  What has the shape of
        the predictions is a gradient: it gets their dtype.
    """

    @functools.wraps(formula)
    def function(
        p: Array,
        target: Labels | Array,
        *params: float,
        ignore: int | None = None,
        smoothing: float = 0.0,
        class_weight: Array | None = None,
        **named: Any,
    ) -> Array:
        predictions = np.asarray(p)
        given: NDArray[Any] = np.asarray(target)
        t = target_rows(given, predictions.shape, ignore)
        t = t * (1 - smoothing) + smoothing / t.shape[-1] if smoothing else t
        t = t if class_weight is None else t * class_weight
        with np.errstate(all="ignore"):
            result = np.asarray(formula(predictions.astype(np.float64), t, *params, **named))
            is_gradient = result.ndim == predictions.ndim
            if given.ndim < predictions.ndim:
                ignored = given == ignore
                result = np.where(ignored[..., np.newaxis] if is_gradient else ignored, 0, result)
            return result.astype(common_dtype(predictions)) if is_gradient else result

    return function


@of_classes
def softmax_cross_entropy(logits: Array, t: Array) -> Array:
    """Cross-entropy between target classes and the softmax of the logits.

    ``-sum_c t_c * log(softmax(z)_c)``, which for a label ``k`` is ``logsumexp(z) - z_k``

    Parameters
    ----------
    logits : array, shape (..., classes), float32 or float64
        Predictions before the softmax.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Raises
    ------
    ValueError
        If a label is neither in ``[0, classes)`` nor ``ignore``.

    Notes
    -----
    Never ``inf`` for finite logits: nothing is clipped, unlike `categorical_cross_entropy`.  A target of 0 at a logit
    of ``-inf`` (a masked class) counts nothing.  In Keras, ``from_logits=True`` of the sparse and the categorical
    loss; in PyTorch, ``nn.CrossEntropyLoss``, whose ``ignore_index`` is -100 by default.

    References
    ----------
    Bishop, "Neural Networks for Pattern Recognition", Oxford University Press, 1995, section 6.9.
    """
    losses: Array = np.sum(np.where(t == 0, 0, -t * log_softmax(logits)), axis=-1)
    return losses


@of_classes
def softmax_cross_entropy_grad(logits: Array, t: Array) -> Array:
    """Derivative of `softmax_cross_entropy` with respect to the logits.

    ``softmax(z) * sum_k t_k - t``, which for a label is softmax minus the one-hot row

    Parameters
    ----------
    logits : array, shape (..., classes), float32 or float64
        Predictions before the softmax.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows.

    Returns
    -------
    array, shape and dtype of logits
        Derivative of each row's loss; every row sums to 0.
    """
    return softmax(logits) * np.sum(t, axis=-1, keepdims=True) - t


def _normalised(p: Array, eps: float) -> tuple[Array, Array, Array]:
    """``q = p / sum(p)`` in float64, q clipped, and the sum."""
    total = np.sum(p, axis=-1, keepdims=True)
    q = p / total
    return q, np.clip(q, eps, 1 - eps), total


@of_classes
def categorical_cross_entropy(probs: Array, t: Array, eps: BelowHalf = 1e-7) -> Array:
    """Cross-entropy between target classes and predicted probabilities.

    ``-sum_c t_c * log(q_c)`` with ``q = clip(p / sum(p), eps, 1 - eps)``

    Parameters
    ----------
    probs : array, shape (..., classes), float32 or float64
        Predicted probabilities, or positive numbers proportional to them.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.
    eps : float, 0 <= eps < 0.5
        Keeps the logarithm finite: the largest loss of a one-hot target is ``-log(eps)``.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Raises
    ------
    ValueError
        If a label is neither in ``[0, classes)`` nor ``ignore``.

    Notes
    -----
    Keras's loss from probabilities, normalisation and clipping included; the arithmetic is in float64, so float32
    predictions are clipped at ``1 - eps`` exactly.  Prefer `softmax_cross_entropy` where the logits are at hand.

    References
    ----------
    Bishop, "Neural Networks for Pattern Recognition", Oxford University Press, 1995, section 6.9.
    """
    _, clipped, _ = _normalised(probs, eps)
    losses: Array = np.sum(np.where(t == 0, 0, -t * np.log(clipped)), axis=-1)
    return losses


@of_classes
def categorical_cross_entropy_grad(probs: Array, t: Array, eps: BelowHalf = 1e-7) -> Array:
    """Derivative of `categorical_cross_entropy` with respect to the predicted probabilities.

    ``(sum_k u_k - u_c / q_c) / sum(p)`` with ``q = p / sum(p)`` and ``u_c = t_c`` where ``eps <= q_c <= 1 - eps``,
    0 elsewhere

    Parameters
    ----------
    probs : array, shape (..., classes), float32 or float64
        Predicted probabilities.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows.
    eps : float, 0 <= eps < 0.5
        As in `categorical_cross_entropy`.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each row's loss.  Clipped probabilities are constant: they contribute nothing.
    """
    q, clipped, total = _normalised(probs, eps)
    u = np.where(q == clipped, t, 0)  # log q_c depends on p_c and, through the sum, on every p
    slope: Array = (np.sum(u, axis=-1, keepdims=True) - np.where(u == 0, 0, u / q)) / total
    return slope


@of_classes
def cross_entropy_of_softmax(probs: Array, t: Array) -> Array:
    """Cross-entropy between target classes and probabilities that softmax made.

    ``-sum_c t_c * log(p_c)``

    Parameters
    ----------
    probs : array, shape (..., classes), float32 or float64
        Output of softmax.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    The same loss and the same gradient as `softmax_cross_entropy`, for callers that have kept the probabilities.
    """
    losses: Array = np.sum(np.where(t == 0, 0, -t * np.log(probs)), axis=-1)
    return losses


@of_classes
def cross_entropy_of_softmax_grad(probs: Array, t: Array) -> Array:
    """Derivative of `cross_entropy_of_softmax` with respect to the logits.

    ``p * sum_k t_k - t``: the derivative of the loss with respect to the logits before the softmax

    Parameters
    ----------
    probs : array, shape (..., classes), float32 or float64
        Output of softmax.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.

    Returns
    -------
    array, shape and dtype of probs
        Derivative of each row's loss.
    """
    return probs * np.sum(t, axis=-1, keepdims=True) - t


@of_classes
def textbook_cross_entropy(probs: Array, t: Array, log_eps: NonNegative = 1e-7) -> Array:
    """Cross-entropy between target classes and predicted probabilities, as textbooks write it.

    ``-sum_c t_c * log(p_c + log_eps)``

    Parameters
    ----------
    probs : array, shape (..., classes), float32 or float64
        Predicted probabilities.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.
    log_eps : float, >= 0
        Added to p, so that its logarithm is finite.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    Nothing is normalised and nothing clipped, unlike in `categorical_cross_entropy`.

    References
    ----------
    Saito, "Deep Learning from Scratch", O'Reilly Japan, 2016, section 4.2.
    """
    losses: Array = np.sum(np.where(t == 0, 0, -t * np.log(probs + log_eps)), axis=-1)
    return losses


@of_classes
def textbook_cross_entropy_grad(probs: Array, t: Array, log_eps: NonNegative = 1e-7) -> Array:
    """Derivative of `textbook_cross_entropy` with respect to the predictions.

    ``-t / (p + log_eps)``

    Parameters
    ----------
    probs : array, shape (..., classes), float32 or float64
        Predicted probabilities.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.
    log_eps : float, >= 0
        As in `textbook_cross_entropy`.

    Returns
    -------
    array, shape and dtype of probs
        Derivative of each row's loss.
    """
    return np.where(t == 0, 0, -t / (probs + log_eps))


@of_classes
def nll(log_probs: Array, t: Array) -> Array:
    """Negative log-likelihood of the target classes, from logarithms of probabilities.

    ``-sum_c t_c * l_c``, which for a label ``k`` is ``-l_k``

    Parameters
    ----------
    log_probs : array, shape (..., classes), float32 or float64
        Logarithms of predicted probabilities, as `log_softmax` makes them.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.

    Returns
    -------
    array of float64, shape (...)
        Loss of each row, not yet averaged.

    Notes
    -----
    PyTorch's ``nn.NLLLoss``.  With `log_softmax` before it, the same as `softmax_cross_entropy`.

    References
    ----------
    Bishop, "Neural Networks for Pattern Recognition", Oxford University Press, 1995, section 6.9.
    """
    losses: Array = np.sum(np.where(t == 0, 0, -t * log_probs), axis=-1)
    return losses


@of_classes
def nll_grad(log_probs: Array, t: Array) -> Array:
    """Derivative of `nll` with respect to the predictions.

    ``-t``

    Parameters
    ----------
    log_probs : array, shape (..., classes), float32 or float64
        Logarithms of predicted probabilities, as `log_softmax` makes them.
    t : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.

    Returns
    -------
    array, shape and dtype of log_probs
        Derivative of each row's loss.
    """
    return np.where(t == 0, 0, -t)
