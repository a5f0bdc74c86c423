"""A perceptron with two hidden layers on MNIST: 98 % of the test images.

python examples/mnist_mlp.py [--quick]
"""

import sys

from _images import load

import fastnn as keras
from fastnn import layers

quick = "--quick" in sys.argv
keras.utils.set_random_seed(0)
(x_train, y_train), (x_test, y_test) = load(quick)
y_train, y_test = keras.utils.to_categorical(y_train, 10), keras.utils.to_categorical(y_test, 10)

model = keras.Sequential(
    [
        layers.Input(x_train.shape[1:]),
        layers.Flatten(),
        layers.Dense(512, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(512, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(
    x_train, y_train, batch_size=128, epochs=20, validation_split=0.1, verbose=2,
    callbacks=[
        keras.callbacks.ReduceLROnPlateau(factor=0.2, patience=1),
        keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True),
    ],
)  # fmt: skip
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}")
reached, wanted = accuracy, 0.93 if quick else 0.98
