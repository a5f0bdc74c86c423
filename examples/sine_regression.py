"""Regression: a sine from 256 noisy points.

python examples/sine_regression.py [--quick]
"""

import numpy as np

import fastnn as keras
from fastnn import layers

keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
x = random.uniform(-np.pi, np.pi, (256, 1))
y = np.sin(x) + random.normal(scale=0.1, size=x.shape)

model = keras.Sequential(
    [layers.Dense(32, activation="tanh", input_dim=1), layers.Dense(32, activation="tanh"), layers.Dense(1)]
)
decay = keras.optimizers.schedules.CosineDecay(0.01, decay_steps=200 * 8)
model.compile(optimizer=keras.optimizers.Adam(learning_rate=decay), loss="mse")
history = model.fit(x, y, batch_size=32, epochs=200, verbose=0)

grid = np.linspace(-np.pi, np.pi, 101)[:, np.newaxis]
error = float(np.abs(model.predict(grid, verbose=0) - np.sin(grid)).max())
print(f"loss {history.history['loss'][-1]:.4f} (the noise alone: 0.01), largest distance from the sine {error:.3f}")
reached, wanted = -error, -0.15
