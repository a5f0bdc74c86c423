"""Cross-entropy of several classes, from logits and from probabilities, with its gradients.

The conventions in which other code differs are arguments: what a label is (any integer dtype, or target rows), which
samples count (`ignore_index`, `mask`) and what a mean divides by (`denom`).  Labels that are out of range are refused
with the first of them; see fastnn.ops._targets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._errors import unknown
from fastnn._native import fast
from fastnn.backend import NATIVE, current
from fastnn.ops import _documentation
from fastnn.ops._check import into, number
from fastnn.ops._targets import REDUCTIONS, Problem, problem, reduced
from fastnn.ops.registry import Arguments, operation
from fastnn.reference import cross_entropy as reference

Array = NDArray[Any]
Params = tuple[float, ...]

LOGITS = """\
logits : array, shape (..., classes)
    Predictions z before the softmax; a single sample may be one-dimensional."""
PROBS = """\
probs : array, shape (..., classes)
    Predicted probabilities p; a single sample may be one-dimensional."""
TARGETS = """\
targets : integer array, shape (...) or (..., 1), or array of the shape of the predictions
    Labels of any integer dtype; or one row per sample: one-hot (of bools, integers or floats) or probabilities."""
REDUCTION = """\
reduction : {"mean", "sum", "none"}
    Of the losses of all samples, to one number; "none" leaves one loss per sample.
denom : float, optional
    What "mean" divides the sum by. Default: the number of samples that count (the sum of the mask)."""
COUNTING = """\
ignore_index : int, optional
    Samples with this label count nothing.
mask : array of bool or of weights >= 0, shape (...), optional
    Factor of each sample's loss.
class_weight : array of numbers >= 0, shape (classes,), optional
    Factor of the target of each class. The mean of labels then divides by the sum of the factors of these labels, the
    mean of target rows by their number, as in PyTorch.
label_smoothing : float, from 0 to 1
    Part of every target that is spread evenly over the classes."""
LOG_EPS = """\
log_eps : float, >= 0
    Take log(p + log_eps), as some textbooks do, for the value of the loss only; the gradient stays p - t."""
TEXTBOOK = """\
log_eps : float, >= 0, optional
    Take log(p + log_eps), as many textbooks do: p is then neither normalised nor clipped, and eps means nothing."""
SCALE = """\
scale : float, optional
    Factor of every sample's gradient. Default: 1 / number of samples that count, for the mean loss."""
OUT = """\
out : array, optional
    Where to put the gradient: of its shape and dtype. It may be exactly the predictions."""
RAISES = """\
TypeError
    An argument does not hold real numbers, or labels are no integers.
ValueError
    Shapes do not fit, a label is out of range, or a parameter is."""
LOSS = 'float, or array of shape (...) for reduction="none"; 0.0 if no sample counts'
BOTH = f'(loss, grad)\n    {LOSS}; and the gradient of the reduced loss (for "none": of each sample\'s own)'


def _describe(function: Any, source: Any, first: str, *parameters: str, returns: str = "") -> None:
    """The docstring: the reference's, with the parameters that the public function has."""
    head, sections = _documentation.parse(source.__doc__)
    sections |= {"Parameters": "\n".join([first, TARGETS, *parameters]), "Raises": RAISES}
    if returns:
        sections["Returns"] = returns
    function.__doc__ = _documentation.render(head, sections)


def _start(op: str, name: str, predictions: Any, targets: Any, reduction: str, denom: Any, *counting: Any) -> Any:
    """The problem and the factor of its reduction."""
    if reduction not in REDUCTIONS:
        raise unknown(f"{op} reduction", reduction, REDUCTIONS)
    case = problem(op, name, predictions, targets, *counting)
    return case, case.scale(reduction, denom, op)


def _sample_probs(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    probs = rng.dirichlet(np.full(shape[-1], 2.0), shape[:-1])
    return Arguments((probs.astype(dtype), rng.integers(0, shape[-1], shape[:-1])), {})


def _sample_logits(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    return Arguments((rng.normal(size=shape).astype(dtype), rng.integers(0, shape[-1], shape[:-1])), {})


# ------------------------------------------------------------------------------------------------- what they share


def value(
    op: str, name: str, row: str, params: Params, x: Any, targets: Any, reduction: str, denom: Any, counting: Any
) -> Any:
    """The reduced loss of predictions x, called `name` in messages, by a row of the table of row losses."""
    case, scale = _start(op, name, x, targets, reduction, denom, *counting)
    return reduced(case.run(row, 1.0, None, params), reduction, scale, case)


def gradient(
    op: str, name: str, row: str, params: Params, x: Any, targets: Any, scale: Any, counting: Any, out: Any, mask: Any
) -> Any:
    """The gradient with respect to x."""
    case, mean = _start(op, name, x, targets, "mean", None, *counting)
    factor = mean if scale is None else number(op, "scale", scale)

    def fill(grad: Array) -> None:
        case.run(row, factor, grad, params)

    return into(op, out, case.shape, case.predictions.dtype, fill, same=(x,), apart=(targets, mask))


def both(
    op: str,
    name: str,
    row: str,
    params: Params,
    x: Any,
    targets: Any,
    reduction: str,
    denom: Any,
    counting: Any,
    out: Any,
    mask: Any,
) -> tuple[Any, Any]:
    """The reduced loss, and its gradient with respect to x."""
    case, scale = _start(op, name, x, targets, reduction, denom, *counting)
    losses = np.empty(0)

    def fill(grad: Array) -> None:
        nonlocal losses
        losses = case.run(row, scale, grad, params)

    grad = into(op, out, case.shape, case.predictions.dtype, fill, same=(x,), apart=(targets, mask))
    return reduced(losses, reduction, scale, case), grad


# ------------------------------------------------------------------------------------------------------ from logits


def _loss_of_logits(case: Problem, scale: float, grad: Array | None, probs: Array | None, log_eps: float) -> Array:
    """Losses of the rows; fills the gradient and the probabilities that are wanted."""
    if log_eps and probs is None:
        probs = np.empty_like(case.predictions)
    losses = case.run("softmax_cross_entropy", scale, grad, probs=probs)
    if log_eps and probs is not None:
        losses = case._replace(predictions=probs).run("textbook_cross_entropy", 1.0, None, (log_eps,))
    return losses


@operation("loss", _sample_logits, reference=reference.softmax_cross_entropy, backward="softmax_cross_entropy_backward")
def softmax_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    log_eps: float = 0.0,
) -> tuple[Any, Any]:
    plain = denom is ignore_index is mask is class_weight is None and type(label_smoothing) is type(log_eps) is float
    if plain and label_smoothing == log_eps == 0 and current() is NATIVE:
        result = fast.softmax_cross_entropy(logits, targets, reduction)
        if result is not None:
            return result
    op, counting = "softmax_cross_entropy", (ignore_index, mask, class_weight, label_smoothing)
    case, scale = _start(op, "logits", logits, targets, reduction, denom, *counting)
    probs = np.empty_like(case.predictions)
    losses = _loss_of_logits(case, 1.0, None, probs, number(op, "log_eps", log_eps, ">= 0"))
    return reduced(losses, reduction, scale, case), probs.reshape(case.shape)


@operation("loss", _sample_probs, reference=reference.softmax_cross_entropy_grad)
def softmax_cross_entropy_backward(
    probs: ArrayLike,
    targets: ArrayLike,
    *,
    scale: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: Array | None = None,
) -> Any:
    plain = ignore_index is mask is class_weight is None and type(label_smoothing) is float
    if plain and label_smoothing == 0 and current() is NATIVE:
        result = fast.softmax_cross_entropy_backward(probs, targets, scale, out)
        if result is not None:
            return result
    op, counting = "softmax_cross_entropy_backward", (ignore_index, mask, class_weight, label_smoothing)
    return gradient(op, "probs", "cross_entropy_of_softmax", (), probs, targets, scale, counting, out, mask)


@operation("loss", _sample_logits)
def softmax_cross_entropy_with_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    log_eps: float = 0.0,
    out: Array | None = None,
) -> tuple[Any, Any]:
    plain = denom is ignore_index is mask is class_weight is None and type(label_smoothing) is type(log_eps) is float
    if plain and label_smoothing == log_eps == 0 and current() is NATIVE:
        result = fast.softmax_cross_entropy_with_grad(logits, targets, reduction, out)
        if result is not None:
            return result
    counting = (ignore_index, mask, class_weight, label_smoothing)
    return _softmax_cross_entropy_with_grad(logits, targets, reduction, denom, counting, log_eps, out)


def _softmax_cross_entropy_with_grad(
    logits: Any, targets: Any, reduction: str, denom: Any, counting: Any, log_eps: Any, out: Any
) -> tuple[Any, Any]:
    """The general way of `softmax_cross_entropy_with_grad`."""
    op = "softmax_cross_entropy_with_grad"
    case, scale = _start(op, "logits", logits, targets, reduction, denom, *counting)
    shift, losses = number(op, "log_eps", log_eps, ">= 0"), np.empty(0)

    def fill(grad: Array) -> None:
        nonlocal losses
        losses = _loss_of_logits(case, scale, grad, None, shift)

    grad = into(op, out, case.shape, case.predictions.dtype, fill, same=(logits,), apart=(targets, counting[1]))
    return reduced(losses, reduction, scale, case), grad


_describe(
    softmax_cross_entropy, reference.softmax_cross_entropy, LOGITS, REDUCTION, COUNTING, LOG_EPS,
    returns=f"(loss, probs)\n    {LOSS}; and the softmax of the logits, of their shape",
)  # fmt: skip
_describe(
    softmax_cross_entropy_with_grad, reference.softmax_cross_entropy, LOGITS, REDUCTION, COUNTING, LOG_EPS, OUT,
    returns=f"(loss, dlogits)\n    {LOSS}; and the gradient of the reduced loss (for \"none\": of each sample's own)",
)  # fmt: skip
_describe(
    softmax_cross_entropy_backward, reference.softmax_cross_entropy_grad, PROBS, SCALE, COUNTING, OUT,
    returns="array, shape and dtype of probs\n    Gradient with respect to the logits.",
)  # fmt: skip


# ----------------------------------------------------------------------------------------------- from probabilities


def _row(op: str, eps: float, log_eps: float | None) -> tuple[str, tuple[float, ...]]:
    """The row of the table and its parameters."""
    limit = number(op, "eps", eps, ">= 0 and < 0.5")
    if log_eps is None:
        return "categorical_cross_entropy", (limit,)
    return "textbook_cross_entropy", (number(op, "log_eps", log_eps, ">= 0"),)


@operation("loss", _sample_probs, reference=reference.categorical_cross_entropy, backward="cross_entropy_backward")
def cross_entropy(
    probs: ArrayLike,
    targets: ArrayLike,
    *,
    eps: float = 1e-7,
    log_eps: float | None = None,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> Any:
    plain = log_eps is denom is ignore_index is mask is class_weight is None and type(label_smoothing) is float
    if plain and label_smoothing == 0 and type(eps) is float and 0.0 <= eps < 0.5 and current() is NATIVE:
        result = fast.cross_entropy(probs, targets, eps, reduction)
        if result is not None:
            return result
    op, counting = "cross_entropy", (ignore_index, mask, class_weight, label_smoothing)
    return value(op, "probs", *_row(op, eps, log_eps), probs, targets, reduction, denom, counting)


@operation("loss", _sample_probs, reference=reference.categorical_cross_entropy_grad)
def cross_entropy_backward(
    probs: ArrayLike,
    targets: ArrayLike,
    *,
    eps: float = 1e-7,
    log_eps: float | None = None,
    scale: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: Array | None = None,
) -> Any:
    plain = log_eps is ignore_index is mask is class_weight is None and type(label_smoothing) is float
    if plain and label_smoothing == 0 and type(eps) is float and 0.0 <= eps < 0.5 and current() is NATIVE:
        result = fast.cross_entropy_backward(probs, targets, eps, scale, out)
        if result is not None:
            return result
    op, counting = "cross_entropy_backward", (ignore_index, mask, class_weight, label_smoothing)
    return gradient(op, "probs", *_row(op, eps, log_eps), probs, targets, scale, counting, out, mask)


@operation("loss", _sample_probs)
def cross_entropy_with_grad(
    probs: ArrayLike,
    targets: ArrayLike,
    *,
    eps: float = 1e-7,
    log_eps: float | None = None,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: Array | None = None,
) -> tuple[Any, Any]:
    plain = log_eps is denom is ignore_index is mask is class_weight is None and type(label_smoothing) is float
    if plain and label_smoothing == 0 and type(eps) is float and 0.0 <= eps < 0.5 and current() is NATIVE:
        result = fast.cross_entropy_with_grad(probs, targets, eps, reduction, out)
        if result is not None:
            return result
    op, counting = "cross_entropy_with_grad", (ignore_index, mask, class_weight, label_smoothing)
    return both(op, "probs", *_row(op, eps, log_eps), probs, targets, reduction, denom, counting, out, mask)


EPS = _documentation.entries(_documentation.parse(reference.categorical_cross_entropy.__doc__)[1]["Parameters"])["eps"]
_PARAMS = (PROBS, EPS, TEXTBOOK)
_describe(cross_entropy, reference.categorical_cross_entropy, *_PARAMS, REDUCTION, COUNTING, returns=LOSS)
_describe(cross_entropy_backward, reference.categorical_cross_entropy_grad, *_PARAMS, SCALE, COUNTING, OUT)
_describe(
    cross_entropy_with_grad, reference.categorical_cross_entropy, *_PARAMS, REDUCTION, COUNTING, OUT, returns=BOTH
)
