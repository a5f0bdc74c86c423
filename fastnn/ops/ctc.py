"""Connectionist temporal classification: `ctc_loss` and its gradient, for sequences whose alignment is not known.

Samples come first: (samples, steps, classes), as in Keras; PyTorch puts the steps first.  Refused: labels out of range
or equal to the blank, lengths that exceed what was given.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._errors import unknown
from fastnn.backend import current
from fastnn.ops import _documentation
from fastnn.ops._check import as_array, common_dtype, flag, into, number, received, well_formed
from fastnn.ops._targets import REDUCTIONS
from fastnn.ops.classification import BOTH, LOSS, OUT, RAISES, SCALE
from fastnn.ops.registry import Arguments, operation
from fastnn.reference import ctc as reference

Array = NDArray[Any]


class _Case:
    """Checked arguments of one call."""

    def __init__(
        self, op: str, logits: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: Any, infinite: Any
    ) -> None:
        values = as_array(op, "logits", logits)
        if values.ndim != 3 or values.shape[2] == 0:
            raise ValueError(f"{op}: logits must have shape (samples, steps, classes). {received(logits=values)}")
        self.shape = samples, steps, classes = values.shape
        self.dtype = common_dtype(values)
        self.logits = well_formed(values, self.dtype).reshape(samples, steps * classes)
        if isinstance(blank, (bool, np.bool_)) or not isinstance(blank, (int, np.integer)) or not 0 <= blank < classes:
            raise ValueError(f"{op}: blank must be a class from 0 to {classes - 1}. Received: {blank!r}")
        self.params = (float(classes), float(blank), float(flag(op, "zero_infinity", infinite)))
        self.lengths = None if input_lengths is None else _lengths(op, "input_lengths", input_lengths, samples, steps)
        self.labels = _sequences(op, targets, target_lengths, samples, classes, int(blank))

    def run(self, scale: float, grad: Array | None) -> NDArray[np.float64]:
        """Losses of the samples; fills the gradient that is wanted."""
        losses = np.empty(len(self.logits))
        if not self.logits.size:  # no steps: only an empty sequence is possible
            impossible = 0.0 if self.params[2] else np.inf
            losses[:] = np.where((self.labels >= 0).any(axis=1), impossible, 0.0)
            return losses
        grads = None if grad is None else (grad.reshape(self.logits.shape),)
        current().row_loss(
            "ctc", (self.logits,), self.labels, None, scale, grads, losses, self.params, lengths=self.lengths
        )
        return losses

    def factor(self, op: str, reduction: str) -> float:
        if reduction not in REDUCTIONS:
            raise unknown(f"{op} reduction", reduction, REDUCTIONS)
        return 1.0 if reduction != "mean" else 1.0 / len(self.logits) if len(self.logits) else 0.0

    def reduced(self, losses: Array, reduction: str, factor: float) -> Any:
        if reduction == "none":
            return losses.astype(self.dtype)
        return float(np.add.reduce(losses)) * factor


def _lengths(op: str, name: str, lengths: Any, samples: int, most: int) -> NDArray[np.int32]:
    array = as_array(op, name, lengths)
    if array.dtype.kind not in "iu" or array.shape != (samples,):
        raise ValueError(f"{op}: {name} must be integers of shape {(samples,)}. {received(**{name: array})}")
    if array.size and not (array.min() >= 0 and array.max() <= most):
        raise ValueError(f"{op}: {name} must be from 0 to {most}. Received: {array.min()} to {array.max()}")
    return np.require(array, np.int32, ["C", "A"])


def _sequences(op: str, targets: Any, lengths: Any, samples: int, classes: int, blank: int) -> NDArray[np.int32]:
    """The labels, -1 after the last of each sample."""
    given = as_array(op, "targets", targets)
    if given.dtype.kind not in "iu":
        raise TypeError(f"{op}: labels must be integers. {received(targets=given)}")
    if given.ndim != 2 or len(given) != samples:
        raise ValueError(f"{op}: targets must have shape ({samples}, labels). {received(targets=given)}")
    if lengths is None:
        ends = given.dtype.kind == "i"
        counted = np.logical_and.accumulate(given >= 0, axis=1) if ends else np.ones(given.shape, np.bool_)
    else:
        counted = np.arange(given.shape[1]) < _lengths(op, "target_lengths", lengths, samples, given.shape[1])[:, None]
    wrong = counted & ((given < 0) | (given >= classes) | (given == blank))
    if wrong.any():
        first = given.reshape(-1)[int(np.argmax(wrong))]
        raise ValueError(f"{op}: labels must be from 0 to {classes - 1} and not the blank, {blank}. Received: {first}")
    labels = np.where(counted, given, -1).astype(np.int32)
    return labels if labels.shape[1] else np.full((samples, 1), -1, np.int32)


def _sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    samples, classes = shape[0], 4
    steps = max(shape[-1], 3)
    logits = rng.normal(size=(samples, steps, classes)).astype(dtype)
    return Arguments((logits, rng.integers(1, classes, (samples, max(1, min(3, steps // 3))))), {})


@operation("loss", _sample, row="ctc", backward="ctc_loss_backward")
def ctc_loss(
    logits: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike | None = None,
    target_lengths: ArrayLike | None = None,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
    reduction: str = "mean",
) -> Any:
    op = "ctc_loss"
    case = _Case(op, logits, targets, input_lengths, target_lengths, blank, zero_infinity)
    factor = case.factor(op, reduction)
    return case.reduced(case.run(1.0, None), reduction, factor)


@operation("loss", _sample, row="ctc")
def ctc_loss_backward(
    logits: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike | None = None,
    target_lengths: ArrayLike | None = None,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
    scale: float | None = None,
    out: Array | None = None,
) -> Any:
    op = "ctc_loss_backward"
    case = _Case(op, logits, targets, input_lengths, target_lengths, blank, zero_infinity)
    factor = case.factor(op, "mean") if scale is None else number(op, "scale", scale)
    return into(op, out, case.shape, case.dtype, lambda grad: case.run(factor, grad), same=(logits,), apart=(targets,))


@operation("loss", _sample, row="ctc")
def ctc_loss_with_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike | None = None,
    target_lengths: ArrayLike | None = None,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
    reduction: str = "mean",
    out: Array | None = None,
) -> tuple[Any, Any]:
    op = "ctc_loss_with_grad"
    case = _Case(op, logits, targets, input_lengths, target_lengths, blank, zero_infinity)
    factor, losses = case.factor(op, reduction), np.empty(0)

    def fill(grad: Array) -> None:
        nonlocal losses
        losses = case.run(factor, grad)

    grad = into(op, out, case.shape, case.dtype, fill, same=(logits,), apart=(targets,))
    return case.reduced(losses if grad.size else case.run(factor, None), reduction, factor), grad


_PARAMETERS = """\
logits : array, shape (samples, steps, classes)
    Predictions before the softmax; logarithms of probabilities do as well, since softmax leaves them alone.
targets : integer array, shape (samples, labels)
    Class labels of each sample, none of them the blank.
input_lengths : integer array, shape (samples,), optional
    Steps of each sample that count. Default: all.
target_lengths : integer array, shape (samples,), optional
    Labels of each sample that count. Default: those before the first negative one.
blank : int
    The class that means "no label": 0 in Keras and PyTorch, the last one in TensorFlow.
zero_infinity : bool
    Whether a target that is too long for the steps has loss 0 instead of infinity; its gradient is 0 in both cases."""
_REDUCTION = """\
reduction : {"mean", "sum", "none"}
    Of the losses of all samples, to one number; "none" leaves one loss per sample. PyTorch's "mean" divides the loss of
    each sample by the number of its labels first; Keras and this one do not."""

for _function, _source, _extra, _returns in (
    (ctc_loss, reference.ctc, (_REDUCTION,), LOSS),
    (ctc_loss_backward, reference.ctc_grad, (SCALE, OUT), "array, shape and dtype of logits\n    Gradient."),
    (ctc_loss_with_grad, reference.ctc, (_REDUCTION, OUT), BOTH),
):
    _head, _sections = _documentation.parse(_source.__doc__)
    _sections |= {"Parameters": "\n".join([_PARAMETERS, *_extra]), "Raises": RAISES, "Returns": _returns}
    _function.__doc__ = _documentation.render(_head, _sections)
