"""An LSTM that reads an image row by row.

python examples/mnist_lstm.py [--quick]
"""

import sys

from _images import load

import fastnn as keras
from fastnn.layers import LSTM, Dense, Input

quick = "--quick" in sys.argv
keras.utils.set_random_seed(0)
(x_train, y_train), (x_test, y_test) = load(quick)

model = keras.models.Sequential([Input(x_train.shape[1:]), LSTM(64), Dense(10, activation="softmax")])
model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=32, epochs=15 if quick else 5, verbose=2)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}")
reached, wanted = accuracy, 0.9 if quick else 0.97
