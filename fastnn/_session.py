"""The counters behind automatic names: dense, dense_1 ... There is nothing else that outlives a model."""

from __future__ import annotations

from collections import Counter

names: Counter[str] = Counter()


def clear_session() -> None:
    """Let automatic names of layers and models count from the beginning again, as keras.backend.clear_session does.

    Memory needs no clearing: it is given back when the last reference to a model goes.
    """
    names.clear()
