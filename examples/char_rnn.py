"""A GRU learns a text by heart, character by character, and goes on where it is asked to.

python examples/char_rnn.py [--quick]
"""

import numpy as np

import fastnn as keras
from fastnn import layers

keras.utils.set_random_seed(0)
text = "the quick brown fox jumps over the lazy dog while seven wizards mix bright potions of jade and zinc " * 12
alphabet = sorted(set(text))
codes = np.array([alphabet.index(c) for c in text])
length = 16
starts = np.arange(len(codes) - length)
x = codes[starts[:, np.newaxis] + np.arange(length)]
y = codes[starts + length]

model = keras.Sequential(
    [
        layers.Input((length,)),
        layers.Embedding(len(alphabet), 16),
        layers.GRU(64),
        layers.Dense(len(alphabet), activation="softmax"),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=32, epochs=8, verbose=2)

written = list(codes[:length])
for _ in range(160):
    likely = model.predict(np.array([written[-length:]]), verbose=0)[0]
    written.append(int(likely.argmax()))
told = "".join(alphabet[c] for c in written)
print(told)
reached, wanted = float(np.mean([a == b for a, b in zip(told, text)])), 0.95
