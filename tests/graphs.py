"""Models as graphs that several test modules use, and data for them."""

from __future__ import annotations

import numpy as np

from fastnn import Input, Model, Sequential, layers
from fastnn.layers import Dense, Dropout, Flatten

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 4)), np.arange(30) % 3


def dense(units, activation=None, **options):
    return Dense(units, activation, dtype="float64", **options)


def source(*shape, name=None):
    return Input(shape, name=name, dtype="float64")


def drawn(model, seed=1):
    """The model with random weights and biases: no unit sits on a kink."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=p.shape) for p in model.weights])
    return model


def two_by_two(**options):
    image, size = source(4, name="image"), source(2, name="size")
    h = dense(5, "tanh")(image)
    both = layers.concatenate([h, size])
    return Model(
        [image, size],
        [dense(3, "softmax", name="kind")(both), dense(1, name="weight")(both), dense(2, name="place")(h)],
        **options,
    )


SIZE = RNG.normal(size=(30, 2))
WEIGHT, PLACE = RNG.normal(size=(30, 1)), RNG.normal(size=(30, 2))
INPUTS, TARGETS = [X, SIZE], [Y, WEIGHT, PLACE]
LOSSES = ["sparse_categorical_crossentropy", "mae", "mse"]


def named(parts, names=("kind", "weight", "place")):
    return dict(zip(names, parts))


class Residual(Model):
    def __init__(self, units):
        super().__init__()
        self.below = dense(units)
        self.blocks = [dense(units, "tanh") for _ in range(2)]
        self.drop = Dropout(0.3, seed=1)
        self.head = dense(3)

    def call(self, inputs, training=None):
        x = self.below(inputs)
        for block in self.blocks:
            x = x + self.drop(block(x), training=training)
        return self.head(x)


# ------------------------------------------------------------------------------------------------ graphs of all kinds


def skip():
    x = source(4)
    h = dense(4, "tanh")(x)
    return Model(x, dense(3)(layers.add([x, h, dense(4, "silu")(h)])))


def shared():
    """One layer called three times, on top of itself too."""
    x, one = source(4), dense(4, "tanh")
    return Model(x, dense(3)(layers.concatenate([one(x), one(one(x))])))


def fan_out():
    """A tensor that is used five times."""
    x = source(4)
    h = dense(3, "tanh")(x)
    return Model(x, layers.multiply([h, h + h, layers.average([h, h])]))


def nested():
    inner_x = source(4)
    inner_h = dense(4, "tanh")(inner_x)
    inner = Model(inner_x, inner_h + inner_x, name="block")
    stack = Sequential([dense(4, "silu"), Dropout(0.0), dense(4)])
    x = source(4)
    return Model(x, dense(3)(stack(inner(inner(x)))))


def aliases():
    """Layers that hand their input on as it is, between additions."""
    x = source(4)
    h = dense(4, "tanh")(x)
    flat = Flatten()(h)
    return Model(x, dense(3)(layers.add([flat, h, Flatten()(flat)])))


def frozen_middle():
    x = source(4)
    h = dense(4, "tanh")(x)
    middle = dense(4, "tanh", trainable=False)
    return Model(x, dense(3)(middle(h) + h))


def regularized():
    """Penalties on weights, and on outputs whose gradient is shared with others."""
    x = source(4)
    h = dense(4, "tanh", activity_regularizer="l2", kernel_regularizer="l2")
    a = h(x)
    return Model(x, dense(3)(layers.add([a, h(a), dense(4, activity_regularizer="l2")(a)])))


def subclassed():
    model = Residual(5)
    model.build((None, 4))
    return model


GRAPHS = [skip, shared, fan_out, nested, aliases, frozen_middle, regularized, subclassed]
