"""Classifiers that the races train: stacks of dense layers, built in one way, so that runs differ in one thing.

Every network of a comparison starts from the same seed, so from the same numbers and with the same order of the
samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import initializers, layers, regularizers
from fastnn.models import Model, Sequential
from fastnn.utils import set_random_seed

Array = NDArray[Any]

# what suits which activation: variance 1 / inputs for SELU, 2 / (inputs + units) for the bounded ones, else 2 / inputs
_STARTS = {"selu": "lecun_normal", "sigmoid": "glorot_normal", "tanh": "glorot_normal"}


def perceptron(
    inputs: int,
    hidden: Sequence[int],
    seed: int,
    activation: str = "relu",
    *,
    outputs: int = 10,
    scale: float | None = None,
    bias: float = 0.0,
    dropout: float = 0.0,
    normalisation: Mapping[str, Any] | None = None,
    weight_decay: float = 0.0,
) -> Sequential:
    """A classifier of dense layers, ending in softmax.

    Parameters:
        inputs, hidden, outputs: the widths.
        seed: of weights, dropout and the order of the samples.
        activation: of the hidden layers: a name of `fastnn.activations`, or "maxout".
        scale: standard deviation of the first weights; by default what suits the activation.
        bias: what the biases of the hidden layers start from.
        dropout: share of the units that each hidden layer drops.
        normalisation: options of a BatchNormalization in front of each hidden activation; None: there is none.
        weight_decay: factor of the penalty weight_decay / 2 * sum of the squares of all weights, without biases.
    """
    set_random_seed(seed)
    penalty = regularizers.L2(weight_decay / 2) if weight_decay else None
    model = Sequential([layers.Input((inputs,))])
    for units in hidden:
        start = initializers.RandomNormal(stddev=scale) if scale else _STARTS.get(activation, "he_normal")
        options: dict[str, Any] = {
            "kernel_initializer": start,
            "kernel_regularizer": penalty,
            "bias_initializer": initializers.Constant(bias),
        }
        if activation == "maxout":
            model.add(layers.Maxout(units, **options))
        elif normalisation is not None:
            model.add(layers.Dense(units, **options))
            model.add(layers.BatchNormalization(**normalisation))
            model.add(layers.Activation(activation))
        else:
            model.add(layers.Dense(units, activation=activation, **options))
        if dropout:
            model.add(layers.Dropout(dropout))
    start = initializers.RandomNormal(stddev=scale) if scale else "glorot_normal"
    model.add(layers.Dense(outputs, activation="softmax", kernel_initializer=start, kernel_regularizer=penalty))
    return model


def train(
    model: Sequential,
    optimizer: Any,
    x: Array,
    y: Array,
    *,
    epochs: int,
    batch_size: int = 128,
    validation: tuple[Array, Array] | None = None,
    callbacks: Any = None,
) -> dict[str, list[float]]:
    """Train a classifier, silently; returns its history.

    The history has "loss" and "accuracy" of every epoch, and "val_loss" and "val_accuracy" if there is a validation
    set.
    """
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        x, y, batch_size=batch_size, epochs=epochs, validation_data=validation, verbose=0, callbacks=callbacks
    )
    return {name: [float(value) for value in values] for name, values in history.history.items()}


def endless(x: Array, y: Array, rng: np.random.Generator, batch_size: int = 128) -> Iterator[tuple[Array, Array]]:
    """Batches without end, for trainings that count steps: pass after pass in a new order, all batches full."""
    while True:
        order = rng.permutation(len(x))
        for first in range(0, len(x) - batch_size + 1, batch_size):
            chosen = order[first : first + batch_size]
            yield x[chosen], y[chosen]


def hidden_outputs(model: Sequential, x: Array) -> list[Array]:
    """What each layer but the last gives for these samples."""
    tensor = inputs = layers.Input(x.shape[1:])
    outputs = []
    for layer in model.layers[:-1]:
        tensor = layer(tensor)
        outputs.append(tensor)
    found = Model(inputs, outputs).predict(x, batch_size=1024, verbose=0)
    return list(found) if len(outputs) > 1 else [found]
