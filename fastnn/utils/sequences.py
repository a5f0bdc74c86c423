"""Sequences of different lengths as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastnn._errors import unknown
from fastnn._numbers import whole

_SIDES = ("pre", "post")


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> NDArray[Any]:
    """An array with one sequence in each row, filled up with `value` or cut to a common length.

    Parameters
    ----------
    sequences : sequence of sequences
        Of numbers, or of arrays of one shape.
    maxlen : int, optional
        Default: the length of the longest.
    dtype
        Of the result.
    padding : {"pre", "post"}
        Whether `value` stands before or after a short sequence.
    truncating : {"pre", "post"}
        Whether a long sequence loses its beginning or its end.
    value : number

    Returns
    -------
    ndarray of `dtype`, shape (sequences, maxlen, ...)

    Raises
    ------
    ValueError
        If something is not a sequence, their entries differ in shape, or a side is unknown.
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in _SIDES:
            raise unknown(f"side for {name}", side, _SIDES)
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"pad_sequences: expected a sequence of sequences. Received: {type(sequences).__name__}")
    for i, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise ValueError(f"pad_sequences: entry {i} must be a sequence. Received: {sequence!r}")
    rows = [np.asarray(sequence) for sequence in sequences]
    length = max(map(len, rows), default=0) if maxlen is None else whole("maxlen", maxlen, at_least=0)
    shape = next((row.shape[1:] for row in rows if len(row)), ())
    padded = np.full((len(rows), length, *shape), value, dtype)
    for i, row in enumerate(rows):
        if len(row) and row.shape[1:] != shape:
            raise ValueError(f"pad_sequences: entries of shape {shape} are expected. Received: {row.shape[1:]} in {i}")
        kept = row[max(len(row) - length, 0) :] if truncating == "pre" else row[:length]
        if len(kept):
            place = slice(length - len(kept), length) if padding == "pre" else slice(len(kept))
            padded[i, place] = kept
    return padded
