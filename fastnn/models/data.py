"""From what users pass to what a plan reads: checked, contiguous arrays with the samples along the first axis.

Inputs keep their dtype where the gather step can convert them on the way (uint8 images stay uint8); labels become
int32, targets the model's dtype, weights float64.  Nothing of the caller's is changed, and nothing is copied that is
already as it should be.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn._arrays import as_labels, as_target_rows, same_rank, spread_weights
from fastnn.backend import current
from fastnn.engine import lengths
from fastnn.engine.graph import Graph
from fastnn.losses.base import as_target

from .compiling import Goal, Goals
from .structures import Parts, Structure

Array = npt.NDArray[Any]

# dtypes that the gather step converts itself
GATHERED = frozenset(np.dtype(t) for t in (np.float32, np.float64, np.uint8, np.int32, np.int64))


class Data(NamedTuple):
    """Prepared arrays.

    graph: of the model, for samples of their lengths.  n: samples.  inputs: what the plan reads, in its order.  For
    every goal: y, the targets as the user gave them, and weights, one for each loss of a sample, if samples have
    weights.
    """

    graph: Graph
    n: int
    inputs: tuple[Array, ...]
    y: tuple[Array, ...]
    weights: tuple[Array | None, ...]


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """A warning that points at the first line outside of fastnn."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "fastnn":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def is_array_like(x: object) -> bool:
    """Arrays, nested sequences of numbers, data frames, and dictionaries of them; all else iterable is batches."""
    return isinstance(x, (np.ndarray, list, tuple, Mapping)) or hasattr(x, "__array__")


def as_numbers(x: Any, where: str, name: str) -> Array:
    """An array of real numbers with a first axis.

    Raises:
        TypeError: not numbers.
        ValueError: a single number, or rows that are not of one length.
    """
    if type(x) is not np.ndarray:
        if x is None:
            raise ValueError(f"{where}: expected {name}. Received: None")
        try:
            x = np.asarray(x)
        except ValueError as error:
            raise ValueError(f"{where}: {name} must be a regular array of numbers. Received: {error}") from None
    if x.dtype.kind not in "fiub":
        raise TypeError(f"{where}: {name} must hold real numbers. Received: dtype {x.dtype}")
    if x.ndim == 0:
        raise ValueError(f"{where}: expected {name} with the samples along a first axis. Received: a single number")
    return x


def prepare_inputs(x: Any, shape: tuple[int, ...], dtype: np.dtype[Any], where: str, name: str = "x") -> Array:
    """The samples, in a dtype that the plan can read.

    Raises:
        TypeError: not numbers.
        ValueError: the shape is not (n, *shape), or there are no samples.
    """
    array = as_numbers(x, where, name)
    if array.ndim == 1 and shape == (1,):
        array = array[:, np.newaxis]
    if array.shape[1:] != shape and not lengths.matches(shape, array.shape[1:]):
        expected = ", ".join(map(str, ("samples", *shape)))
        raise ValueError(f"{where}: expected {name} of shape ({expected}). Received: shape {array.shape}")
    if len(array) == 0:
        raise ValueError(f"{where}: expected at least one sample. Received: {name} of shape {array.shape}")
    if array.dtype not in GATHERED or not (array.flags.c_contiguous and array.flags.aligned):
        native = array.dtype.newbyteorder("=")
        array = np.require(array, native if native in GATHERED else dtype, ["C", "A"])
    return array


def first_look(x: Any, where: str, one: bool) -> Any:
    """What a model without shapes is shown first: an array, or a list or dictionary of them, unless it takes one."""
    if isinstance(x, Mapping) and not one:
        return {name: as_numbers(part, where, f"x[{name!r}]") for name, part in x.items()}
    if isinstance(x, (list, tuple)) and not one and all(isinstance(part, np.ndarray) for part in x):
        return [as_numbers(part, where, f"x[{i}]") for i, part in enumerate(x)]
    return as_numbers(x, where, "x")


def shapes_of(x: Any) -> Any:
    """The shapes of samples, arranged as `first_look` arranged them."""
    if isinstance(x, dict):
        return {name: shapes_of(part) for name, part in x.items()}
    if isinstance(x, list):
        return [shapes_of(part) for part in x]
    return x.shape[1:] or (1,)


def names_of(structure: Structure, what: str) -> list[str]:
    """What messages call the arrays: x, or x['image'] and so on."""
    return [what] if len(structure) == 1 else [f"{what}[{name!r}]" for name in structure.names]


def inputs_for(
    structure: Structure, shapes: Sequence[tuple[int, ...]], x: Any, dtype: np.dtype[Any], where: str
) -> Parts:
    """The samples of every input, as plans read them.

    Raises:
        TypeError: not numbers.
        ValueError: not an array for every input, a shape is wrong, or there are not as many samples for each.
    """
    if isinstance(x, Parts):  # it has been here before
        return x
    if len(shapes) == 1 and type(x) is np.ndarray:  # the usual case, and the fastest
        return Parts([prepare_inputs(x, shapes[0], dtype, where)])
    alone = len(shapes) == 1 and isinstance(x, (list, tuple)) and len(x) == 1
    if alone and isinstance(x[0], np.ndarray) and x[0].ndim == len(shapes[0]) + 1:
        x = x[0]
    given = structure.flatten(x, where, "inputs") if len(shapes) > 1 or isinstance(x, Mapping) else [x]
    names = names_of(structure, "x")
    arrays = [prepare_inputs(part, shape, dtype, where, name) for part, shape, name in zip(given, shapes, names)]
    counts = [len(array) for array in arrays]
    if len(set(counts)) > 1:
        raise ValueError(f"{where}: expected as many samples for every input. Received: {dict(zip(names, counts))}")
    return Parts(arrays)


def targets_for(structure: Structure, y: Any, where: str) -> Parts:
    """The targets of every output as they were given; None for an output without.

    Raises:
        TypeError: not numbers.
        ValueError: not an array for every output.
    """
    if isinstance(y, Parts):
        return y
    if len(structure) == 1 and not isinstance(y, Mapping):
        alone = isinstance(y, (list, tuple)) and len(y) == 1 and isinstance(y[0], np.ndarray) and not structure.single
        return Parts([as_numbers(y[0] if alone else y, where, "y")])
    given = structure.flatten(y, where, "targets", partly=True)
    names = names_of(structure, "y")
    return Parts(None if part is None else as_numbers(part, where, name) for part, name in zip(given, names))


def weights_for(structure: Structure, weights: Any, where: str) -> Parts:
    """The weights of the samples for every output, float64; None for an output without.

    Raises:
        TypeError: not numbers.
        ValueError: not one array for all outputs or one for each.
    """
    if isinstance(weights, Parts):
        return weights
    if weights is None:
        return Parts([None] * len(structure))
    one = not isinstance(weights, (list, tuple)) or all(np.ndim(part) == 0 for part in weights)
    if (len(structure) > 1 and not one) or isinstance(weights, Mapping):
        given = structure.flatten(weights, where, "sample_weight", partly=True)
    else:
        given = [weights] * len(structure)
    names = names_of(structure, "sample_weight")
    return Parts(
        None if part is None else np.require(as_numbers(part, where, name), np.float64, ["C", "A"])
        for part, name in zip(given, names)
    )


def warn_nonfinite(where: str, arrays: Mapping[str, Array | None]) -> None:
    """One warning for each array with NaN or infinity, naming the first place."""
    for name, array in arrays.items():
        if array is None or array.dtype.kind != "f":
            continue
        at = current().first_nonfinite(array)
        if at < array.size:
            place = tuple(int(i) for i in np.unravel_index(at, array.shape))
            warn(
                f"{where}: {name} holds NaN or infinity; losses and weights will become NaN. "
                f"Received: {array[place]} at index {place}",
                RuntimeWarning,
            )


def prepare(
    graph: Graph, samples: Parts, given: Parts, weights: Parts, *, goals: Goals, dtype: np.dtype[Any], where: str
) -> Data:
    """Everything that a training or evaluation plan reads.

    Parameters:
        graph: of the model, for samples of these lengths.
        samples: prepared, for every input.
        given: targets, for every output.
        weights: of the samples, float64 or None, for every output.

    Raises:
        ValueError: shapes do not fit each other or the model, labels are out of range.
    """
    inputs, spread = list(samples), []
    looked_at: dict[str, Array | None] = {}
    for i, array in enumerate(samples):
        looked_at["x" if len(samples) == 1 else f"x[{i}]"] = array
    for goal in goals.parts:
        mark = f"[{goal.name!r}]" if goals.outputs > 1 else ""
        output = goal.objective.output
        arrays = _objective_inputs(samples[0], given[output], weights[output], goal, dtype, where, mark)
        looked_at[f"y{mark}"] = arrays[0] if goal.objective.loss.target != "none" else None
        looked_at[f"sample_weight{mark}"] = weights[output]
        inputs += arrays
        spread.append(arrays[-1] if goal.objective.weighted else None)
    warn_nonfinite(where, looked_at)
    targets = tuple(given[goal.objective.output] for goal in goals.parts)
    return Data(graph, len(samples[0]), tuple(inputs), targets, tuple(spread))


def _objective_inputs(
    samples: Array, given: Array, weights: Array | None, goal: Goal, dtype: np.dtype[Any], where: str, mark: str
) -> list[Array]:
    """Targets of the loss, of the metrics where they are others, and weights, as the plan reads them."""
    n = len(samples)
    if len(given) != n:
        raise ValueError(
            f"{where}: x and y{mark} must have as many samples. Received: x {samples.shape}, y {given.shape}"
        )
    if weights is not None and len(weights) != n:
        raise ValueError(f"{where}: expected one weight per sample{mark}, {n}. Received: shape {weights.shape}")
    objective = goal.objective
    inputs = []
    if objective.loss.target != "none":
        shape = (n, *objective.output_shape)
        prepared = objective.loss.moved(goal.loss.prepare_targets(given), len(shape))
        inputs.append(_targets(prepared, (n, *objective.seen_shape), goal, dtype, where))
    if objective.smoothed:
        inputs.append(_targets(given, (n, *objective.output_shape), goal, dtype, where))
    if objective.weighted:
        assert weights is not None
        shape = (n, *objective.seen_shape)
        shape = shape[: len(shape) - objective.loss.axes]
        spread = np.array(spread_weights(weights, shape), np.float64, order="C")
        if objective.ignore is not None and objective.labelled:
            spread[given.reshape(spread.shape) == objective.ignore] = 0
        inputs.append(spread)
    return inputs


def _targets(targets: Array, shape: tuple[int, ...], goal: Goal, dtype: np.dtype[Any], where: str) -> Array:
    """Targets for outputs of that shape, as kernels read them, (samples, numbers): int32 labels, or rows like these."""
    n = shape[0]
    if goal.objective.labelled:
        if targets.dtype.kind in "iu" and targets.shape in (shape[:-1], (*shape[:-1], 1)):
            labels = targets.reshape(-1)
            if np.minimum.reduce(labels) >= 0 and np.maximum.reduce(labels) < shape[-1]:
                return np.require(labels, np.int32, ["C", "A"]).reshape(n, -1)
        return as_labels(targets, shape, f"{where}: {goal.loss.name}", goal.objective.ignore).reshape(n, -1)
    kernel = goal.objective.loss
    if kernel.target != "rows" or kernel.inputs > 1:
        found = as_target(kernel, targets, shape, dtype, f"{where}: {goal.loss.name}")
        assert found is not None
        return found.reshape(n, -1)
    output = np.broadcast_to(np.zeros((), dtype), shape)
    targets, _ = same_rank(targets, output)
    if targets.ndim == len(shape) + 1 and targets.shape[-1] == 1:
        targets = targets[..., 0]
    return as_target_rows(targets, output, f"{where}: {goal.loss.name}").reshape(n, -1)


def sample_weights(structure: Structure, sample_weight: Any, class_weight: Any, y: Parts, where: str) -> Parts:
    """The weights of the samples from either argument, float64, for every output; None where neither is given.

    Raises:
        TypeError: not numbers; class weights that are no dictionary.
        ValueError: both are given, or class weights meet targets that are not classes, or several outputs.
    """
    if sample_weight is not None and class_weight is not None:
        raise ValueError(f"{where}: expected sample_weight or class_weight. Received: both")
    if class_weight is None:
        return weights_for(structure, sample_weight, where)
    if len(structure) > 1:
        raise ValueError(f"{where}: class_weight is for models with one output. Received: {len(structure)} outputs")
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"{where}: class_weight must be a dictionary {{label: weight}}. Received: {class_weight!r}")
    classes = _classes(y[0])
    if classes.ndim != 1:
        raise ValueError(f"{where}: class_weight needs one class per sample. Received: y of shape {y[0].shape}")
    weights = np.ones(len(classes))
    for label, weight in class_weight.items():
        if isinstance(label, str):
            raise TypeError(f"{where}: class_weight must have the labels of y as keys. Received: {label!r}")
        weights[classes == label] = float(weight)
    return Parts([weights])


def _classes(y: Array) -> Array:
    """Labels, from labels or one-hot rows."""
    if y.ndim > 1:
        return y.argmax(-1) if y.shape[-1] > 1 else y[..., 0]
    return y


def split(x: Parts, y: Parts, weights: Parts, share: float, where: str) -> tuple[tuple[Parts, ...], tuple[Parts, ...]]:
    """The part to train on, floor(n (1 - share)) samples as in Keras, and the last samples; each x, y and weights.

    Raises:
        ValueError: the share is not in (0, 1), one part would be empty, or there are not as many targets as samples.
    """
    if not 0 < share < 1:
        raise ValueError(f"{where}: validation_split must be in (0, 1). Received: {share!r}")
    counts = [len(array) for parts in (x, y, weights) for array in parts if array is not None]
    if len(set(counts)) > 1:
        raise ValueError(f"{where}: x, y and sample_weight must have as many samples. Received: {counts}")
    at = int(np.floor(counts[0] * (1 - share)))
    if not 0 < at < counts[0]:
        raise ValueError(f"{where}: validation_split leaves a part of {counts[0]} samples empty. Received: {share!r}")

    def cut(rows: slice) -> tuple[Parts, ...]:
        return tuple(Parts(None if a is None else a[rows] for a in parts) for parts in (x, y, weights))

    return cut(slice(at)), cut(slice(at, None))


def warn_unlike(y: Array, tail: Array) -> None:
    """validation_split takes the last samples, unshuffled: warn when their classes are not those of the others.

    That is when some never occur in the others, or when the shares of the classes differ by more than chance does: half
    the sum of the differences is above 0.2 + sqrt(classes / samples) / 2, which shuffled data practically never are.
    """
    ours, theirs = _classes(y), _classes(tail)
    advice = "validation_split takes the last samples, unshuffled, and"
    missing = np.setdiff1d(theirs, ours)
    if missing.size:
        warn(
            f"{advice} some of their classes never occur in the part that is trained on: shuffle the data first. "
            f"Received: classes {missing[:5].tolist()} in the last {len(tail)} samples only"
        )
        return
    classes, place = np.unique(np.concatenate([ours.ravel(), theirs.ravel()]), return_inverse=True)
    place = place.ravel()
    shares = [np.bincount(part, minlength=len(classes)) / part.size for part in np.split(place, [ours.size])]
    gap = np.abs(shares[0] - shares[1])
    if gap.sum() / 2 > 0.2 + np.sqrt(len(classes) / theirs.size) / 2:
        worst = int(gap.argmax())
        warn(
            f"{advice} their classes are not as frequent as in the part that is trained on: shuffle the data first, or "
            f"pass validation_data if this is meant. Received: {shares[1][worst]:.0%} of class {classes[worst]} in the "
            f"last {len(tail)} samples, {shares[0][worst]:.0%} before"
        )


def whole(value: Any, name: str, where: str, least: int = 1) -> int:
    """A whole number of at least `least`.

    Raises:
        ValueError: anything else.
    """
    if type(value) is int and value >= least:
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{where}: {name} must be a whole number of at least {least}. Received: {value!r}")
    return int(value)


def whole_or_none(value: Any, name: str, where: str) -> int | None:
    """A whole number of at least 1, or None."""
    return None if value is None else whole(value, name, where)


def one_of(value: Any, choices: Collection[Any], name: str) -> Any:
    """`value`, if it is one of them.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, (str, int, np.integer)) or value not in choices:
        raise ValueError(f"{name} must be one of {list(choices)}. Received: {value!r}")
    return value
