"""Networks that several experiments build: stacks of dense layers, with a seed for every layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn import Sequential
from fastnn.initializers import Initializer
from fastnn.layers import Dense, Input

MakeInitializer = Callable[[int], Initializer]  # from a seed


def dense_stack(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    activation: Any = "relu",
    initializer: MakeInitializer | None = None,
    *,
    output_activation: Any = "softmax",
    seed: int = 0,
    dtype: str = "float32",
) -> Sequential:
    """Dense layers of `hidden` units with one activation, and an output layer.

    Parameters:
        initializer: makes that of each layer from a seed; None: Glorot's uniform one, the default of Dense.
        seed: the same seed gives the same start.
    """
    from fastnn.initializers import GlorotUniform

    make = initializer or (lambda s: GlorotUniform(seed=s))
    seeds = [int(s) for s in np.random.SeedSequence([seed, 77]).generate_state(len(hidden) + 1)]
    stack: list[Any] = [Input((inputs,), dtype=dtype)]
    for units, own in zip(hidden, seeds):
        stack.append(Dense(units, activation, kernel_initializer=make(own), dtype=dtype))
    stack.append(Dense(outputs, output_activation, kernel_initializer=make(seeds[-1]), dtype=dtype))
    return Sequential(stack)
