"""Cross-entropy of several classes: losses of whole rows of predictions, and their gradients, in readable NumPy.

Targets come in two forms: class labels, one integer per row, or target rows, one probability per class.  They are
told apart by their number of dimensions.  A label equal to ``ignore`` and a target row of zeros count nothing: loss
0, gradient 0.  Nothing is averaged here: sample weights and reductions are applied by the callers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.arrays import Array, BelowHalf, Labels, common_dtype
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


@np.errstate(all="ignore")
def softmax_cross_entropy(logits: Array, target: Labels | Array, ignore: int | None = None) -> Array:
    """Cross-entropy between target classes and the softmax of the logits.

    ``-sum_c t_c * log(softmax(z)_c)``, which for a label ``k`` is ``logsumexp(z) - z_k``

    Parameters
    ----------
    logits : array, shape (..., classes), float32 or float64
        Predictions before the softmax.
    target : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.
    ignore : int, optional
        Rows with this label get loss 0.

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
    logits = np.asarray(logits)
    t = target_rows(target, logits.shape, ignore)
    losses: Array = np.sum(np.where(t == 0, 0, -t * log_softmax(logits.astype(np.float64))), axis=-1)
    return losses


@np.errstate(all="ignore")
def softmax_cross_entropy_grad(logits: Array, target: Labels | Array, ignore: int | None = None) -> Array:
    """Derivative of `softmax_cross_entropy` with respect to the logits.

    ``softmax(z) * sum_k t_k - t``, which for a label is softmax minus the one-hot row

    Parameters
    ----------
    logits : array, shape (..., classes), float32 or float64
        Predictions before the softmax.
    target : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows.
    ignore : int, optional
        Rows with this label get gradient 0.

    Returns
    -------
    array, shape and dtype of logits
        Derivative of each row's loss; every row sums to 0.
    """
    logits = np.asarray(logits)
    slope = softmax_cross_entropy_backward(softmax(logits.astype(np.float64)), target, ignore)
    return slope.astype(common_dtype(logits))


@np.errstate(all="ignore")
def softmax_cross_entropy_backward(probs: Array, target: Labels | Array, ignore: int | None = None) -> Array:
    """Derivative of `softmax_cross_entropy` with respect to the logits, from the probabilities that they gave.

    ``p * sum_k t_k - t`` with ``p = softmax(z)``

    Parameters
    ----------
    probs : array, shape (..., classes), float32 or float64
        Softmax of the logits.
    target : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows.
    ignore : int, optional
        Rows with this label get gradient 0.

    Returns
    -------
    array, shape and dtype of probs
        Derivative of each row's loss with respect to the logits.
    """
    p = np.asarray(probs)
    t = target_rows(target, p.shape, ignore)
    counts = np.any(t != 0, axis=-1, keepdims=True)
    slope = p.astype(np.float64) * np.sum(t, axis=-1, keepdims=True) - t
    return np.where(counts, slope, 0).astype(common_dtype(p))


def _normalised(p: Array, eps: float) -> tuple[Array, Array, Array]:
    """``q = p / sum(p)`` in float64, q clipped, and the sum."""
    p = np.asarray(p, np.float64)
    total = np.sum(p, axis=-1, keepdims=True)
    q = p / total
    return q, np.clip(q, eps, 1 - eps), total


@np.errstate(all="ignore")
def categorical_cross_entropy(
    p: Array, target: Labels | Array, eps: BelowHalf = 1e-7, ignore: int | None = None
) -> Array:
    """Cross-entropy between target classes and predicted probabilities.

    ``-sum_c t_c * log(q_c)`` with ``q = clip(p / sum(p), eps, 1 - eps)``

    Parameters
    ----------
    p : array, shape (..., classes), float32 or float64
        Predicted probabilities, or positive numbers proportional to them.
    target : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows, such as one-hot rows.
    eps : float, 0 <= eps < 0.5
        Keeps the logarithm finite: the largest loss of a one-hot target is ``-log(eps)``.
    ignore : int, optional
        Rows with this label get loss 0.

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
    t = target_rows(target, np.shape(p), ignore)
    _, clipped, _ = _normalised(p, eps)
    losses: Array = np.sum(np.where(t == 0, 0, -t * np.log(clipped)), axis=-1)
    return losses


@np.errstate(all="ignore")
def categorical_cross_entropy_grad(
    p: Array, target: Labels | Array, eps: BelowHalf = 1e-7, ignore: int | None = None
) -> Array:
    """Derivative of `categorical_cross_entropy` with respect to the predicted probabilities.

    ``(sum_k u_k - u_c / q_c) / sum(p)`` with ``q = p / sum(p)`` and ``u_c = t_c`` where ``eps <= q_c <= 1 - eps``,
    0 elsewhere

    Parameters
    ----------
    p : array, shape (..., classes), float32 or float64
        Predicted probabilities.
    target : integer array, shape (...), or real array, shape (..., classes)
        Class labels; or target rows.
    eps : float, 0 <= eps < 0.5
        As in `categorical_cross_entropy`.
    ignore : int, optional
        Rows with this label get gradient 0.

    Returns
    -------
    array, shape and dtype of p
        Derivative of each row's loss.  Clipped probabilities are constant: they contribute nothing.
    """
    t = target_rows(target, np.shape(p), ignore)
    counts = np.any(t != 0, axis=-1, keepdims=True)
    q, clipped, total = _normalised(p, eps)
    u = np.where(q == clipped, t, 0)  # log q_c depends on p_c and, through the sum, on every p
    slope = (np.sum(u, axis=-1, keepdims=True) - np.where(u == 0, 0, u / q)) / total
    return np.where(counts, slope, 0).astype(common_dtype(p))
