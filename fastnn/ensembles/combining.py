"""What several predictions are together: the mean of probabilities (or values), or shares of votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn import losses, ops
from fastnn._errors import unknown

Array = npt.NDArray[Any]

COMBINATIONS = ("mean", "vote")


def check(combine: object) -> str:
    """The name of a combination."""
    if combine not in COMBINATIONS:
        raise unknown("combination", combine, COMBINATIONS)
    return str(combine)


def combined(outputs: Sequence[Array], combine: str) -> Array:
    """The outputs (n, ..., classes) of all members as one.

    Parameters
    ----------
    outputs : sequence of array
        Of one shape.
    combine : {"mean", "vote"}
        "mean": the mean over members. "vote": the share of the members that vote for a class, the one of its largest
        output; with a single column, the share of those above one half.
    """
    if combine == "mean":
        total = outputs[0].astype(np.float64)
        for output in outputs[1:]:
            total += output
        return (total / len(outputs)).astype(outputs[0].dtype)
    return combined([votes(output) for output in outputs], "mean")


def votes(output: Array) -> Array:
    """1 for the class that a member votes for, 0 for others; NaN for a sample whose output has one."""
    if output.shape[-1] == 1:
        chosen = (output > 0.5).astype(output.dtype)
    else:
        chosen = (np.arange(output.shape[-1]) == output.argmax(-1)[..., None]).astype(output.dtype)
    return np.where(np.isnan(output).any(-1, keepdims=True), np.nan, chosen).astype(output.dtype)


def classes(output: Array) -> npt.NDArray[np.int64]:
    """The class of the largest output; the first one of equals.  For a single column, 1 above one half."""
    if output.shape[-1] == 1:
        return (output[..., 0] > 0.5).astype(np.int64)
    return output.argmax(-1).astype(np.int64)


def probabilities(output: Array) -> Array:
    """Of logits: softmax, or the sigmoid of a single column."""
    return ops.sigmoid(output) if output.shape[-1] == 1 else ops.softmax(output)


def of_probabilities(loss: Any) -> Any:
    """The loss, or list or dictionary of losses, for probabilities where it is for logits."""
    if isinstance(loss, dict) and "class_name" not in loss:
        return {name: of_probabilities(part) for name, part in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [of_probabilities(part) for part in loss]
    if loss is None or isinstance(loss, str):
        return loss
    found = losses.get(loss)
    if found is None or not getattr(found, "from_logits", False):
        return loss
    description = losses.serialize(found)
    return losses.deserialize({**description, "config": {**description["config"], "from_logits": False}})
