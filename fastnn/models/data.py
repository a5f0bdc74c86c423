"""From what users pass to what a plan reads: checked, contiguous arrays with the samples along the first axis.

Inputs keep their dtype where the gather step can convert them on the way (uint8 images stay uint8); labels become int32,
targets the model's dtype, weights float64.  Nothing of the caller's is changed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn._arrays import as_labels, as_target_rows, same_rank, spread_weights
from fastnn.backend import current
from fastnn.engine.step import Objective
from fastnn.losses import Loss

Array = npt.NDArray[Any]

# dtypes that the gather step converts itself
GATHERED = frozenset(np.dtype(t) for t in (np.float32, np.float64, np.uint8, np.int32, np.int64))


class Data(NamedTuple):
    """Prepared arrays.

    n: samples.  inputs: what the plan reads, in its order.  y: the targets as the user gave them, as an array.
    """

    n: int
    inputs: tuple[Array, ...]
    y: Array | None = None


def is_array_like(x: object) -> bool:
    """Arrays, nested sequences of numbers and data frames; everything else iterable is taken as batches."""
    return isinstance(x, (np.ndarray, list, tuple)) or hasattr(x, "__array__")


def prepare_inputs(x: Any, shape: tuple[int, ...], dtype: np.dtype, where: str) -> Array:
    """The samples, in a dtype that the plan can read.

    Raises:
        TypeError: not numbers.
        ValueError: the shape is not (n, *shape), or there are no samples.
    """
    array = as_numbers(x, where, "x")
    if array.ndim == 1 and shape == (1,):
        array = array[:, np.newaxis]
    if array.shape[1:] != shape or array.ndim == 0:
        raise ValueError(
            f"{where}: expected x of shape {('samples', *shape)}. Received shape {array.shape}".replace("'", "")
        )
    native = array.dtype.newbyteorder("=")
    array = np.ascontiguousarray(array, native if native in GATHERED else dtype)
    if not array.flags.aligned:
        array = array.copy()
    return array


def as_numbers(x: Any, where: str, name: str) -> Array:
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{where}: {name} must hold real numbers. Received dtype {array.dtype}")
    return array


def warn_nonfinite(where: str, **arrays: Any) -> None:
    """One warning for each array with NaN or infinity, naming the first place."""
    for name, array in arrays.items():
        if array is None or array.dtype.kind != "f" or not array.flags.c_contiguous:
            continue
        at = current().first_nonfinite(array)
        if at < array.size:
            place = tuple(int(i) for i in np.unravel_index(at, array.shape))
            warnings.warn(
                f"{where}: {name} holds NaN or infinity; losses and weights will become NaN. "
                f"Received {array[place]} at index {place}",
                RuntimeWarning,
                stacklevel=4,
            )


def prepare(
    x: Any,
    y: Any,
    weights: Array | None,
    *,
    input_shape: tuple[int, ...],
    dtype: np.dtype,
    loss: Loss,
    objective: Objective,
    where: str,
) -> Data:
    """Everything that a training or evaluation plan reads.

    Raises:
        ValueError: shapes do not fit each other or the model, labels are out of range, there are no samples.
    """
    samples = prepare_inputs(x, input_shape, dtype, where)
    n = len(samples)
    if y is None:
        raise ValueError(f"{where}: expected targets y. Received: None")
    given = as_numbers(y, where, "y")
    if given.ndim == 0 or len(given) != n:
        raise ValueError(f"{where}: x and y must have as many samples. Received x {samples.shape}, y {given.shape}")
    if n == 0:
        raise ValueError(f"{where}: expected at least one sample. Received x {samples.shape}")
    inputs = [samples, _targets(given, loss.prepare_targets(given), loss, objective, n, dtype, where)]
    if objective.smoothed:
        inputs.append(_targets(given, given, loss, objective, n, dtype, where))
    warn_nonfinite(where, x=samples, y=inputs[1], sample_weight=weights)
    if objective.weighted:
        assert weights is not None
        spread = np.array(spread_weights(weights, (n, *objective.output_shape[:-1])), np.float64, order="C")
        if objective.ignore is not None and objective.labelled:
            spread[given.reshape(spread.shape) == objective.ignore] = 0
        inputs.append(spread)
    return Data(n, tuple(inputs), given)


def _targets(given: Array, targets: Array, loss: Loss, o: Objective, n: int, dtype: np.dtype, where: str) -> Array:
    shape = (n, *o.output_shape)
    if o.labelled:
        return as_labels(targets, shape, f"{where}: {loss.name}", o.ignore)
    predictions = np.broadcast_to(np.zeros((), dtype), shape)
    targets, _ = same_rank(targets, predictions)
    if targets.ndim == len(shape) + 1 and targets.shape[-1] == 1:
        targets = targets[..., 0]
    return as_target_rows(targets, predictions, f"{where}: {loss.name}")


def sample_weights(
    sample_weight: Any, class_weight: Mapping[int, float] | None, y: Any, n: int, where: str
) -> Array | None:
    """The weights of the samples from either argument, float64; None if neither is given.

    Raises:
        ValueError: both are given, a length does not fit, or class weights meet targets that are not classes.
    """
    if sample_weight is not None and class_weight is not None:
        raise ValueError(f"{where}: expected sample_weight or class_weight. Received both")
    if sample_weight is not None:
        weights = as_numbers(sample_weight, where, "sample_weight").astype(np.float64)
        if weights.ndim == 0 or len(weights) != n:
            raise ValueError(f"{where}: expected one weight per sample, {n}. Received shape {weights.shape}")
        return weights
    if class_weight is None:
        return None
    classes = np.asarray(y)
    if classes.ndim > 1 and classes.shape[-1] > 1:
        classes = classes.argmax(-1)
    classes = classes.reshape(n, -1)
    if classes.shape[1] != 1:
        raise ValueError(f"{where}: class_weight needs one class per sample. Received y of shape {np.shape(y)}")
    weights = np.ones(n)
    for label, weight in class_weight.items():
        weights[classes[:, 0] == label] = float(weight)
    return weights


class Batch(NamedTuple):
    """One item of an iterable of batches."""

    x: Any
    y: Any = None
    weights: Any = None


def batches(source: Iterable[Any] | Iterator[Any], where: str) -> Iterator[Batch]:
    """The batches of an iterable: x, (x, y) or (x, y, sample_weight).

    Raises:
        ValueError: an item is something else.
    """
    for item in source:
        if isinstance(item, tuple):
            if not 1 <= len(item) <= 3:
                raise ValueError(
                    f"{where}: batches must be x, (x, y) or (x, y, sample_weight). Received a tuple of {len(item)}"
                )
            yield Batch(*item)
        else:
            yield Batch(item)


def split(n: int, validation_split: float, where: str) -> int:
    """Samples that stay in the training part: floor(n (1 - validation_split)), as in Keras.

    Raises:
        ValueError: the share is not in (0, 1), or one part would be empty.
    """
    if not 0 < validation_split < 1:
        raise ValueError(f"{where}: validation_split must be in (0, 1). Received: {validation_split!r}")
    at = int(np.floor(n * (1 - validation_split)))
    if at == 0 or at == n:
        raise ValueError(
            f"{where}: validation_split leaves a part of {n} samples empty. Received: {validation_split!r}"
        )
    return at


def warn_unlike_tail(y: Array, at: int) -> None:
    """validation_split takes the unshuffled tail: warn when its labels are not those of the rest."""
    if y.dtype.kind not in "iub" or y.ndim > 2 or (y.ndim == 2 and y.shape[1] != 1):
        return
    labels = y.reshape(-1)
    head, tail = np.unique(labels[:at]), np.unique(labels[at:])
    if len(head) <= 1000 and (missing := np.setdiff1d(tail, head)).size:
        warnings.warn(
            f"validation_split takes the last samples, unshuffled, and some of their labels never occur in the training "
            f"part: shuffle the data first. Received labels {missing[:5].tolist()} in the last {len(labels) - at} only",
            UserWarning,
            stacklevel=4,
        )
