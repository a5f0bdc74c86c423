"""A small convolutional network on MNIST: 99 % of the test images.

python examples/mnist_convnet.py [--quick]
"""

import sys

import numpy as np
from _images import load

import fastnn as keras
from fastnn import layers

quick = "--quick" in sys.argv
keras.utils.set_random_seed(0)
(x_train, y_train), (x_test, y_test) = load(quick)
x_train, x_test = np.expand_dims(x_train, -1), np.expand_dims(x_test, -1)

model = keras.Sequential(
    [
        keras.Input(shape=x_train.shape[1:]),
        layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Conv2D(64, kernel_size=(3, 3), activation="relu", padding="same"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(
    x_train, y_train, batch_size=32 if quick else 128, epochs=10 if quick else 15, validation_split=0.1, verbose=2
)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}")
reached, wanted = accuracy, 0.93 if quick else 0.99
