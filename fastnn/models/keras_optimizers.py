"""The state of optimizers as Keras keeps it: a list of variables, in the order in which Keras makes them.

First the number of steps, then the learning rate unless a schedule says it; then, for each group, the variables of
every trainable parameter side by side.  Optimizers whose variables mean something else here begin anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn import optimizers
from fastnn.optimizers.options import MOVING_AVERAGE

from .data import warn

if TYPE_CHECKING:
    from .model import Model

Array = npt.NDArray[Any]

# fastnn's slots in Keras's groups, in the order of its variables; a slot that the optimizer does not have is left out
GROUPS: dict[type[optimizers.Optimizer], tuple[tuple[str, ...], ...]] = {
    optimizers.SGD: (("v",),),
    optimizers.Adam: (("m", "v"), ("largest",)),
    optimizers.AdamW: (("m", "v"), ("largest",)),
    optimizers.Nadam: (("m", "v"),),
    optimizers.Adamax: (("m", "u"),),
    optimizers.RMSprop: (("v",), ("b",), ("m",)),
    optimizers.Adagrad: (("a",),),
    optimizers.Adadelta: (("a", "d"),),
    optimizers.Ftrl: (("a", "z"),),
    optimizers.Lion: (("m",),),
    optimizers.Lamb: (("m", "v"),),
}


def state(model: Model) -> list[Array] | None:
    """The variables; None, with a warning, where Keras's are others."""
    optimizer = model.optimizer
    assert optimizer is not None
    places = _places(model)
    if places is None:
        warn(
            f"save: the state of this optimizer has another form in Keras and is left out; it begins anew after "
            f"loading. Received: {type(optimizer).__name__}"
        )
        return None
    found: list[Array] = [np.array(optimizer.steps, np.int32)]
    if not callable(optimizer._learning_rate):
        found.append(np.array(optimizer._learning_rate, np.float32))
    found += places
    return [*found, *_last(optimizer, optimizer.steps)]


def restore(model: Model, variables: list[Array]) -> None:
    """Take them over.

    Raises:
        ValueError: their number or shapes are not those of the optimizer.
    """
    optimizer = model.optimizer
    assert optimizer is not None
    steps = variables[0]
    if steps.shape != () or steps.dtype.kind not in "iu" or not 0 <= int(steps) < 2**63:
        raise ValueError(f"optimizer/vars/0 must be a number of steps. Received: {steps!r}")
    head = 1 + (not callable(optimizer._learning_rate))
    if len(variables) <= head and not int(steps):  # compiled, not built
        return
    places = _places(model)
    if places is None:
        warn(
            f"load_model: the state of this optimizer has another form in Keras; it begins anew. "
            f"Received: {type(optimizer).__name__}"
        )
        return
    last = _last(optimizer, int(steps))
    if len(variables) != head + len(places) + len(last):
        raise ValueError(
            f"expected {head + len(places) + len(last)} variables of {type(optimizer).__name__}. "
            f"Received: {len(variables)}"
        )
    for i, (place, array) in enumerate(zip(places, variables[head:]), head):
        if place.shape != array.shape or array.dtype.kind != "f":
            raise ValueError(
                f"optimizer/vars/{i} must be {place.dtype} of shape {place.shape}. "
                f"Received: {array.dtype} of shape {array.shape}"
            )
    for place, array in zip(places, variables[head:]):
        place[...] = array
    if head == 2:
        rate = variables[1]
        if rate.shape != ():
            raise ValueError(f"optimizer/vars/1 must be a learning rate. Received: {rate!r}")
        # as the file's config has it, if that is the number that Keras has rounded
        if np.float32(optimizer.learning_rate) != np.float32(rate):
            optimizer.learning_rate = float(rate)
    optimizer.steps = int(steps)


def in_order(arrays: dict[str, Array]) -> list[Array]:
    """The optimizer's variables among the arrays of a file."""
    found = {path: array for path, array in arrays.items() if path.startswith("optimizer/vars/")}
    names = [f"optimizer/vars/{i}" for i in range(len(found))]
    if set(names) != set(found):
        raise ValueError(f"expected variables numbered from 0. Received: {sorted(found)}")
    return [found[name] for name in names]


def _places(model: Model) -> list[Array] | None:
    """The slots in the order of Keras's variables, each with the shape of its parameter."""
    optimizer, runner = model.optimizer, model.runner
    groups = next((found for kind, found in GROUPS.items() if type(optimizer) is kind), None)
    if optimizer is None or groups is None or optimizer.gradient_accumulation_steps:
        return None
    slots = set(optimizer.slot_names())
    ours = [(MOVING_AVERAGE,)] if optimizer.use_ema else []
    places: list[Array] = []
    for group in [*ours, *groups]:
        views = [runner.slot_views(slot) for slot in group if slot in slots]
        # Keras averages all weights that it trains, as it does with the others
        for i, parameter in enumerate(runner.arena.parameters):
            if parameter.trainable:
                places += [view[i] for view in views]
    return places


def _last(optimizer: Any, steps: int) -> list[Array]:
    """What Keras keeps at the end of the list, and fastnn computes from the number of steps."""
    if type(optimizer) is not optimizers.Nadam:
        return []
    step = np.arange(1, steps + 1)
    product = np.prod(optimizer.beta_1 * (1.0 - 0.5 * 0.96**step)) if steps else 1.0
    return [np.array(product, np.float32)]
