"""What several predictions are together: the mean of probabilities (or values), or shares of votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn import losses, ops
from fastnn._errors import unknown
from fastnn.engine.step import Objective
from fastnn.models.compiling import BY_SHAPE, Goal

Array = npt.NDArray[Any]

COMBINATIONS = ("mean", "vote")
# as Keras clips probabilities
_EPSILON = 1e-7


def check(combine: object) -> str:
    """The name of a combination."""
    if combine not in COMBINATIONS:
        raise unknown("combination", combine, COMBINATIONS)
    return str(combine)


def kind(loss: Any) -> str:
    """What the outputs of a model are that is trained with `loss`.

    Returns
    -------
    "classes"
        One probability or logit for each of some classes, of which one is right.
    "columns"
        Each column is the probability or logit of something by itself: of one of two classes, or of a label.
    "values"
        Anything else.
    """
    if isinstance(loss, str) and loss.lower() in BY_SHAPE:
        return "classes"
    found = losses.get(loss)
    if found is None:
        return "values"
    kernel = found.kernel(None)
    if not Goal("", Objective(kernel, "", None, (), None, ()), found, (), (), ()).classifies:
        return "values"
    return "columns" if kernel.row.startswith("binary") else "classes"


def check_kinds(kinds: Sequence[str], combine: str, from_logits: bool) -> None:
    """Votes and logits need an output that classifies."""
    if (combine == "vote" or from_logits) and all(each == "values" for each in kinds):
        raise ValueError(
            "an ensemble that votes, or whose members give logits, needs an output with a loss for classes, such as "
            f"a cross-entropy. Received: combine={combine!r}, from_logits={from_logits} and none"
        )


def combined(outputs: Sequence[Array], combine: str, kind: str = "classes") -> Array:
    """The outputs (n, ..., classes) of all members as one.

    Parameters
    ----------
    outputs : sequence of array
        Of one shape.
    combine : {"mean", "vote"}
        "mean": the mean over members. "vote": the share of the members that vote for a class, the one of its largest
        output; with columns that stand by themselves, the share of those above one half.
    kind : {"classes", "columns", "values"}
        See the function of that name; values have no votes, but a mean.
    """
    if combine == "mean" or kind == "values":
        total = outputs[0].astype(np.float64)
        for output in outputs[1:]:
            total += output
        return (total / len(outputs)).astype(outputs[0].dtype)
    return combined([votes(output, kind) for output in outputs], "mean")


def votes(output: Array, kind: str = "classes") -> Array:
    """1 for the class that a member votes for, 0 for others; NaN for a sample whose output has one."""
    if _by_columns(output, kind):
        chosen = (output > 0.5).astype(output.dtype)
    else:
        chosen = (np.arange(output.shape[-1]) == output.argmax(-1)[..., None]).astype(output.dtype)
    return np.where(np.isnan(output).any(-1, keepdims=True), np.nan, chosen).astype(output.dtype)


def classes(output: Array) -> npt.NDArray[np.int64]:
    """The class of the largest output; the first one of equals.  For a single column, 1 above one half."""
    if output.shape[-1] == 1:
        return (output[..., 0] > 0.5).astype(np.int64)
    return output.argmax(-1).astype(np.int64)


def probabilities(output: Array, kind: str = "classes") -> Array:
    """Of logits: softmax, or the sigmoid of columns that stand by themselves; values stay what they are."""
    if kind == "values":
        return output
    return ops.sigmoid(output) if _by_columns(output, kind) else ops.softmax(output)


def combined_logits(outputs: Sequence[Array], combine: str, kind: str) -> Array:
    """Logits whose probabilities are the combined ones of members that give logits.

        classes:    z = log p                  columns:    z = log p - log(1 - p)

    The logarithm of a mean is computed from the members' own logarithms, so that no certainty is lost. Shares of votes
    can be 0 or 1: they are kept away from both by 1e-7, as Keras does with probabilities.
    """
    if kind == "values":
        return combined(outputs, combine, kind)
    by_columns = _by_columns(outputs[0], kind)
    if combine == "vote":
        shares = combined([probabilities(output, kind) for output in outputs], combine, kind)
        p = np.clip(shares.astype(np.float64), _EPSILON, 1.0 - _EPSILON)
        logits = np.log(p) - np.log1p(-p) if by_columns else np.log(p)
    else:
        z = np.stack([output.astype(np.float64) for output in outputs])
        if by_columns:  # log p = -log(1 + exp(-z)), and log(1 - p) = -log(1 + exp(z))
            logits = np.logaddexp.reduce(-np.logaddexp(0.0, -z)) - np.logaddexp.reduce(-np.logaddexp(0.0, z))
        else:
            logits = np.logaddexp.reduce(z - np.logaddexp.reduce(z, axis=-1, keepdims=True)) - np.log(len(outputs))
    return logits.astype(outputs[0].dtype)


def _by_columns(output: Array, kind: str) -> bool:
    return kind == "columns" or output.shape[-1] == 1
