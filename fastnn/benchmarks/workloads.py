"""Networks whose training steps are measured: from where the work around the arithmetic decides to where products do.

A workload is data, so that every contender of bench/compare_training.py builds the same network in its own way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import layers, losses, optimizers
from fastnn.models import Sequential

Array = NDArray[Any]


@dataclass(frozen=True)
class Workload:
    """A stack of layers and how it is trained.

    Attributes:
        name: of the workload.
        shape: of a sample; images are channels-last (height, width, channels), sequences (time, features).
        layers: tuples: ("dense", units, activation or None), ("conv", filters, kernel, padding, activation),
            ("maxpool", size), ("flatten",), ("batchnorm",), ("relu",), ("dropout", rate), and ("rnn", units),
            ("lstm", units), ("gru", units), of which the last state goes on.
        classes: there are, told by logits; None: the samples themselves are the targets of a squared error.
        batch: samples per step.
        optimizer: "adam" with rate 1e-3, or "momentum": 0.9 with rate 1e-2.
    """

    name: str
    shape: tuple[int, ...]
    layers: tuple[tuple[Any, ...], ...]
    classes: int | None
    batch: int
    optimizer: str = "adam"

    @classmethod
    def dense(cls, sizes: Sequence[int], batch: int, activation: str = "relu", optimizer: str = "adam") -> Workload:
        """A perceptron: inputs, units of the hidden layers, classes.  Its name is such as "784-100-10-b32"."""
        inputs, *hidden, classes = sizes
        stack = (*(("dense", units, activation) for units in hidden), ("dense", classes, None))
        return cls(f"{'-'.join(map(str, sizes))}-b{batch}", (inputs,), stack, classes, batch, optimizer)

    @property
    def is_dense(self) -> bool:
        """Whether all layers are dense."""
        return all(kind == "dense" for kind, *_ in self.layers)

    def model(self) -> Sequential:
        """The model, compiled."""
        model = Sequential([layers.Input(self.shape), *(_layer(*layer) for layer in self.layers)], name=self.name)
        model.compile(
            optimizers.Adam(1e-3) if self.optimizer == "adam" else optimizers.SGD(1e-2, momentum=0.9),
            losses.SparseCategoricalCrossentropy(from_logits=True) if self.classes else "mse",
        )
        return model

    def data(self, steps: int, seed: int = 0) -> tuple[Array, Array]:
        """Random samples and targets for so many steps."""
        rng = np.random.default_rng(seed)
        count = steps * self.batch
        x = rng.random((count, *self.shape), np.float32)
        return x, rng.integers(0, self.classes, count) if self.classes else x.reshape(count, math.prod(self.shape))


def _layer(kind: str, *numbers: Any) -> layers.Layer:
    if kind == "dense":
        return layers.Dense(numbers[0], activation=numbers[1])
    if kind == "conv":
        filters, kernel, padding, activation = numbers
        return layers.Conv2D(filters, kernel, padding=padding, activation=activation)
    made = {
        "maxpool": layers.MaxPooling2D, "flatten": layers.Flatten, "batchnorm": layers.BatchNormalization,
        "relu": layers.ReLU, "dropout": layers.Dropout, "rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU,
    }  # fmt: skip
    return made[kind](*numbers)


_HEAD = ("dense", 10, None)
_NORMALISED = (("dense", 100, None), ("batchnorm",), ("relu",), ("dropout", 0.3))
_LENET = (
    ("conv", 6, 5, "same", "tanh"), ("maxpool", 2), ("conv", 16, 5, "valid", "tanh"), ("maxpool", 2), ("flatten",),
    ("dense", 120, "tanh"), ("dense", 84, "tanh"), _HEAD,
)  # fmt: skip
_CONVNET = (
    ("conv", 32, 3, "valid", "relu"), ("maxpool", 2), ("conv", 64, 3, "valid", "relu"), ("maxpool", 2), ("flatten",),
    ("dropout", 0.5), _HEAD,
)  # fmt: skip
_AUTOENCODER = (("dense", 128, "elu"), ("dense", 32, "elu"), ("dense", 128, "elu"), ("dense", 784, "sigmoid"))

WORKLOADS = (
    Workload("mlp-tiny", (64,), (("dense", 32, "relu"), _HEAD), 10, 32),
    Workload("mlp-100-b32", (784,), (("dense", 100, "relu"), _HEAD), 10, 32),
    Workload("mlp-100-b100-sgd", (784,), (("dense", 100, "relu"), _HEAD), 10, 100, "momentum"),
    Workload("mlp-256x2", (784,), (("dense", 256, "relu"), ("dense", 256, "relu"), _HEAD), 10, 128),
    Workload("mlp-1000-sigmoid", (784,), (("dense", 1000, "sigmoid"), _HEAD), 10, 128, "momentum"),
    Workload("mlp-bn-dropout", (784,), (*_NORMALISED, *_NORMALISED, _HEAD), 10, 100),
    Workload("autoencoder", (784,), _AUTOENCODER, None, 128),
    Workload("lenet", (28, 28, 1), _LENET, 10, 32),
    Workload("convnet", (28, 28, 1), _CONVNET, 10, 128),
    Workload("rnn", (28, 28), (("rnn", 64), _HEAD), 10, 32),
    Workload("lstm", (28, 28), (("lstm", 64), _HEAD), 10, 32),
    Workload("gru", (28, 28), (("gru", 64), _HEAD), 10, 32),
    Workload("lstm-128", (50, 64), (("lstm", 128), _HEAD), 10, 32),
)
