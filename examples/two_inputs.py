"""Two inputs and two outputs: is the sum of two digits even, and how large is it?

python examples/two_inputs.py [--quick]
"""

import sys

import numpy as np
from _images import load

import fastnn as keras
from fastnn import layers

quick = "--quick" in sys.argv
keras.utils.set_random_seed(0)
(x_train, y_train), (x_test, y_test) = load(quick)


def pairs(x: np.ndarray, y: np.ndarray, count: int) -> tuple:
    chosen = np.random.default_rng(0).integers(0, len(x), (2, count))
    total = y[chosen].sum(axis=0)
    images = {"left": x[chosen[0]], "right": x[chosen[1]]}
    return images, {"even": (total % 2 == 0).astype(np.float32), "sum": total.astype(np.float32)}


shape = x_train.shape[1:]
look = keras.Sequential(  # the same layers look at both images
    [
        keras.Input(shape),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ],
    name="look",
)
left, right = keras.Input(shape, name="left"), keras.Input(shape, name="right")
both = layers.concatenate([look(left), look(right)])
hidden = layers.Dense(64, activation="relu")(both)
model = keras.Model(
    inputs={"left": left, "right": right},
    outputs={
        "even": layers.Dense(1, activation="sigmoid", name="even")(hidden),
        "sum": layers.Dense(1, name="sum")(hidden),
    },
)
model.compile(
    optimizer="adam",
    loss={"even": "binary_crossentropy", "sum": "mse"},
    loss_weights={"even": 1.0, "sum": 0.1},
    metrics={"even": ["accuracy"], "sum": ["mae"]},
)
x, y = pairs(x_train, y_train, 10000 if quick else 100000)
model.fit(x, y, batch_size=64, epochs=12 if quick else 10, verbose=2)
found = model.evaluate(*pairs(x_test, y_test, 2000), verbose=0, return_dict=True)
print(", ".join(f"{name} {value:.4f}" for name, value in found.items()))
reached, wanted = -found["sum_mae"], -1.2 if quick else -0.6
