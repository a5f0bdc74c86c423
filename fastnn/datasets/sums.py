"""Sums as strings, for networks that read and write: "16+75  " and "_91  ", one number for each character."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Characters = NDArray[np.int64]

VOCABULARY = "0123456789+ _"


def addition(samples: int = 5000, digits: int = 3, seed: int = 0) -> tuple[Characters, Characters]:
    """Questions like "123+45 " and answers like "_168 ", as indices of `VOCABULARY` ("0123456789+ _").

    Both numbers of a question are uniform in 0 ... 10^digits - 1. Shorter strings are filled up with spaces; an answer
    begins with "_", the sign to start writing. A question may occur twice.

    Parameters
    ----------
    samples : int
    digits : int
        Of each number, at most; 1 to 18.
    seed : int

    Returns
    -------
    questions : ndarray of int64, shape (samples, 2 digits + 1)
    answers : ndarray of int64, shape (samples, digits + 2)
    """
    for name, value, largest in (("samples", samples, np.inf), ("digits", digits, 18), ("seed", seed, np.inf)):
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, np.integer))
            or not (name != "seed") <= value <= largest
        ):
            raise ValueError(f"addition: {name} must be a whole number in its range. Received: {name}={value!r}")
    generator = np.random.Generator(np.random.PCG64(seed))
    pairs = generator.integers(0, 10**digits, size=(samples, 2)).tolist()
    questions = [f"{a}+{b}".ljust(2 * digits + 1) for a, b in pairs]
    answers = [f"_{a + b}".ljust(digits + 2) for a, b in pairs]
    return _as_indices(questions), _as_indices(answers)


def as_text(rows: ArrayLike) -> list[str]:
    """The strings that rows of `addition`, or a network's answers in the same form, stand for."""
    indices = np.asarray(rows)
    if indices.ndim != 2 or indices.dtype.kind not in "iu" or not ((indices >= 0) & (indices < len(VOCABULARY))).all():
        raise ValueError(
            f"as_text: rows must hold integers from 0 to {len(VOCABULARY) - 1}. "
            f"Received: {indices.dtype} of shape {indices.shape}"
        )
    return ["".join(VOCABULARY[i] for i in row) for row in indices.tolist()]


def _as_indices(texts: list[str]) -> Characters:
    places = np.zeros(128, np.int64)
    places[[ord(character) for character in VOCABULARY]] = np.arange(len(VOCABULARY))
    return places[np.frombuffer("".join(texts).encode("ascii"), np.uint8)].reshape(len(texts), -1)
