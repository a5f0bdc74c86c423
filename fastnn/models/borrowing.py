"""Borrowing a model: what is done to it is undone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastnn.engine.states import every_layer

if TYPE_CHECKING:
    from .model import Model


@contextmanager
def unchanged(model: Model) -> Iterator[None]:
    """Within it the model may be trained; then weights, states of layers and of the optimizer are what they were."""
    runner, optimizer = model.runner, model.optimizer
    assert optimizer is not None
    values = [(parameter, parameter.numpy()) for parameter in runner.arena.parameters]
    slots = {name: slot.copy() for name, slot in runner.slots.items()}
    whole = {name: array.copy() for name, array in optimizer.state_arrays().items()}
    steps, rate, minimised, swapped = optimizer.steps, optimizer._learning_rate, runner.minimised, runner.swapped
    observer = runner.observer
    remembered = [
        (state, state.copy())
        for layer in every_layer(model.graph)
        for state in (getattr(layer, "states", None) or () if getattr(layer, "stateful", False) else ())
    ]
    try:
        yield
    finally:
        for parameter, value in values:
            parameter.assign(value)
        for state, before in remembered:
            state[...] = before
        for name, slot in runner.slots.items():
            if name in slots:
                slot[:] = slots[name]
            else:
                runner.restart_slot(name)
        if whole:
            optimizer.set_state_arrays(whole, runner.gather(runner.arena.trainable_ranges(), None).size)
        elif optimizer.whole_batch:
            optimizer.forget()  # type: ignore[attr-defined]
        optimizer.steps, optimizer.learning_rate = steps, rate
        runner.minimised, runner.swapped = minimised, swapped
        runner.observe(None)
        runner.observe(observer)
