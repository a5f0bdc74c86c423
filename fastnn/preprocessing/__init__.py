"""keras.preprocessing, as far as arrays are concerned: `sequence.pad_sequences`."""

from __future__ import annotations

from typing import Any

from fastnn import _keras
from fastnn.utils import sequences as sequence

__all__ = ["sequence"]


def __getattr__(name: str) -> Any:
    raise _keras.absent("preprocessing", name, __all__)
