"""Feeding data to `fit`: batches from arrays or from a collection of samples, shuffled, changed on the way, ahead of
time.

    for x, y in Loader(x_train, y_train, batch_size=64, shuffle=True, transform=flip, workers=2): ...
    model.fit(Loader(x_train, y_train, shuffle=True, transform=flip), epochs=5)
"""

from __future__ import annotations

from fastnn.data.loader import Loader

__all__ = ["Loader"]
