"""Masks of time steps on their way through a plan, and into its loss and metrics.

A mask is a buffer of uint8, one entry for every time step of each sample; `plan.masks` names it by the buffer that it
belongs to.  A layer class says `supports_masking` if the mask of its input is the mask of its output as well,
`merges_masks` if a time step counts that counts in one of its inputs, and `uses_mask` if its `emit` looks after
`plan.masks` itself; every other layer takes the mask away, with a warning as in
Keras.  A mask on the output weighs the loss: what it leaves out counts 0, and the rest of the batch is averaged; it
weighs the metrics that are means, over everything that they have seen since they were reset.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from .plan import ABSENT, Plan


def emit(plan: Plan, layer: Any, x: Any, unmasked: bool = False, **options: Any) -> Any:
    """`layer.emit`, with the masks of x passed on, unless the call says that they end here."""
    y, backward = layer.emit(plan, x, **options)
    inputs = x if isinstance(x, tuple) else (x,)
    masked = [buffer for buffer in inputs if buffer in plan.masks]
    if unmasked:
        return _bare(plan, y), backward
    if not masked or getattr(layer, "uses_mask", False):
        return y, backward
    if getattr(layer, "merges_masks", False):  # as in Keras: a mask only if all of them have one
        if len(masked) == len(inputs):
            plan.masks[y] = _either(plan, [plan.masks[buffer] for buffer in inputs])
        return y, backward
    if layer.supports_masking:
        for buffer in y if isinstance(y, tuple) else (y,):
            plan.masks.setdefault(buffer, plan.masks[masked[0]])
        return y, backward
    if type(layer).__name__ != "InputLayer":
        warnings.warn(
            f"{layer.name} ({type(layer).__name__}) does not support masking: the mask of its input ends here.",
            stacklevel=2,
        )
    return _bare(plan, y) if y in masked else y, backward


def _bare(plan: Plan, y: Any) -> Any:
    """y without a mask: a copy of what has one, for others may still want the same memory with it."""
    if isinstance(y, tuple):
        return tuple(_bare(plan, buffer) for buffer in y)
    if y not in plan.masks:
        return y
    size = plan.buffers[y].size
    copy = plan.fixed(size)
    plan.step("activation", (y, copy), row="identity", ints=(size,))
    return copy


def _either(plan: Plan, masks: list[int]) -> int:
    """The mask of the time steps that one of the masks lets through."""
    different = list(dict.fromkeys(masks))
    if len(different) == 1:
        return different[0]
    union = plan.fixed(plan.buffers[different[0]].size, np.uint8)

    def unite(step: int, *arrays: np.ndarray) -> None:
        np.bitwise_or.reduce(arrays[:-1], out=arrays[-1])

    operations = plan.buffers[union].size * (len(different) - 1)
    plan.step("call", (*different, union), ints=(operations,), call=unite)
    return union


def on_loss(plan: Plan, objective: Any, y: int, weight: int, target: int) -> tuple[Any, int]:
    """The objective and the weights of the loss: those of the samples, times the mask of the output if there is one."""
    mask = plan.masks.get(y, ABSENT)
    if mask == ABSENT:
        return objective, weight
    averaged = objective.reduction in ("sum_over_batch_size", "mean")
    ignores = objective.ignore is not None and objective.labelled
    if ignores:
        mask = _and_counted(plan, mask, target, objective.ignore)
    changed = replace(objective, weighted=True, masked=ignores and averaged)
    return changed, _weights(plan, mask, objective.losses, weight, averaged)


def _and_counted(plan: Plan, mask: int, labels: int, ignore: int) -> int:
    """The mask without the time steps whose label does not count."""
    counted = plan.fixed(plan.buffers[labels].size, np.uint8)

    def look(step: int, mask: np.ndarray, labels: np.ndarray, counted: np.ndarray) -> None:
        np.not_equal(labels, ignore, out=counted, casting="unsafe")
        np.logical_and(counted.reshape(len(mask), -1), mask[:, np.newaxis], out=counted.reshape(len(mask), -1))

    plan.step("call", (mask, labels, counted), ints=(2 * plan.buffers[counted].size,), call=look)
    return counted


def on_metric(plan: Plan, mask: int, values: int, rows: int) -> int:
    """Weighs the values of a metric (of each row of a sample) by the mask; returns the weights, if there is a mask."""
    if mask == ABSENT:
        return ABSENT
    weights = _weights(plan, mask, rows, ABSENT, False)
    plan.step("weigh", (values, weights), ints=(plan.batch * rows,))
    return weights


def without_idle_rows(plan: Plan, x: int, dy: int, rows: int, kept: int) -> int:
    """What the way back of a layer reads of x or y, for a layer whose input x may have a mask.

    Rows with a gradient of 0, as masked time steps have, are 0: 0 * NaN is not to reach the gradients of weights.
    """
    if plan.masks.get(x, ABSENT) == ABSENT or kept == ABSENT:
        return kept
    busy = plan.fixed(rows, np.uint8)
    plan.step("mask_rows", (dy, ABSENT, busy), ints=(rows, plan.buffers[dy].size // rows), reals=(0.0,))
    size = plan.buffers[kept].size
    clean = plan.fixed(size)
    plan.step("keep_rows", (kept, busy, clean), ints=(rows, size // rows))
    return clean


def shown(plan: Plan, mask: int) -> np.ndarray | None:
    """An array in which metrics in Python find the mask of the last batch; None without a mask."""
    if mask == ABSENT:
        return None
    array = np.ones(plan.buffers[mask].size, np.uint8)

    def show(step: int, mask: np.ndarray, array: np.ndarray) -> None:
        array[...] = mask

    plan.step("call", (mask, plan.array(array)), ints=(0,), call=show)
    return array


def _weights(plan: Plan, mask: int, rows: int, weight: int, averaged: bool) -> int:
    entries = plan.buffers[mask].size
    each, rest = divmod(plan.batch * rows, entries)
    if rest or not each:
        raise ValueError(
            f"the mask has {entries // plan.batch} time steps, which must divide the rows that the loss or metric "
            f"looks at. Received: {rows}"
        )
    weights = plan.buffer(rows, np.float64)
    plan.step("mask_weights", (mask, weight, weights), ints=(entries, each, int(averaged)))
    return weights
