"""An autoencoder: images through a bottleneck of 16 numbers, and the encoder as a model of its own.

python examples/autoencoder.py [--quick]
"""

import sys

import numpy as np
from _images import load

import fastnn as keras
from fastnn import layers

quick = "--quick" in sys.argv
keras.utils.set_random_seed(0)
(x_train, _), (x_test, _) = load(quick)
x_train, x_test = x_train.reshape(len(x_train), -1), x_test.reshape(len(x_test), -1)

image = keras.Input(shape=x_train.shape[1:])
code = layers.Dense(16, activation="relu", name="code")(layers.Dense(128, activation="relu")(image))
decoded = layers.Dense(x_train.shape[1], activation="sigmoid")(layers.Dense(128, activation="relu")(code))
autoencoder, encoder = keras.Model(image, decoded), keras.Model(image, code)

autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
autoencoder.fit(
    x_train, x_train, batch_size=64, epochs=30 if quick else 20, verbose=2, validation_data=(x_test, x_test)
)
error = float(np.mean((autoencoder.predict(x_test, verbose=0) - x_test) ** 2))
plain = float(np.mean((x_train.mean(axis=0) - x_test) ** 2))
print(f"codes {encoder.predict(x_test, verbose=0).shape}; squared error {error:.4f}, of the mean image {plain:.4f}")
reached, wanted = -error / plain, -0.5
