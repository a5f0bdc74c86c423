"""Sequence to sequence: a network learns to add, one character at a time.

    python examples/addition_rnn.py [--quick]

The question, "12+7  ", is read by an LSTM; its last output, repeated for every character of the answer, is what another
LSTM spells the sum from.
"""

import sys

import numpy as np

import fastnn as keras
from fastnn import layers

quick = "--quick" in sys.argv
keras.utils.set_random_seed(0)
digits, size = (1, 2500) if quick else (3, 50000)
alphabet = "0123456789+ "
length = 2 * digits + 1


def one_hot(texts: list, width: int) -> np.ndarray:
    codes = np.array([[alphabet.index(c) for c in text.ljust(width)] for text in texts])
    return np.eye(len(alphabet), dtype=np.float32)[codes]


random = np.random.default_rng(0)
terms = random.integers(0, 10**digits, (size, 2))
x = one_hot([f"{a}+{b}"[::-1] for a, b in terms], length)  # read backwards, it is learned sooner
y = one_hot([str(a + b) for a, b in terms], digits + 1)
split = size * 9 // 10

model = keras.Sequential(
    [
        layers.Input((length, len(alphabet))),
        layers.LSTM(128),
        layers.RepeatVector(digits + 1),
        layers.LSTM(128, return_sequences=True),
        layers.TimeDistributed(layers.Dense(len(alphabet), activation="softmax")),
    ]
)
model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(0.003), metrics=["accuracy"])
model.summary()
model.fit(
    x[:split], y[:split], batch_size=32, epochs=12 if quick else 30, validation_data=(x[split:], y[split:]), verbose=2
)
answers = model.predict(x[split:], verbose=0).argmax(axis=-1)
for question, answer in list(zip(terms[split:], answers))[:5]:
    print(f"{question[0]}+{question[1]} = {''.join(alphabet[c] for c in answer)}")
right = float(np.mean(np.all(answers == y[split:].argmax(axis=-1), axis=1)))
print(f"right answers: {right:.3f}")
reached, wanted = right, 0.8 if quick else 0.95
