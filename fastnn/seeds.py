"""Where seeds come from: one global generator that hands an integer to whoever was not given one.

Nothing in fastnn draws from the global generators of `random` or NumPy. Initializers, dropout and shuffling each take
one seed from `make_seed` when they are made, and derive all their numbers from it. So after `set_random_seed(s)` a
script repeats itself, as long as it makes the same objects in the same order.

The integers are those that Keras draws after `keras.utils.set_random_seed(s)`: a model that is built alike starts from
the weights that Keras's NumPy backend would give it.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

# Keras's range for seeds that nobody chose.
_LARGEST = 10**9

_generator = random.Random()  # from the entropy of the operating system
_seed: int | None = None


def set_random_seed(seed: int) -> None:
    """Make everything that follows repeatable: sets the seed of fastnn, of `random` and of NumPy's global generator.

    The last two are what the Keras function of this name does for the code around the network, such as
    `np.random.permutation` in a data pipeline.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.

    Raises
    ------
    ValueError
        If `seed` is not such an integer.
    """
    global _seed
    _seed = check_seed(seed)
    _generator.seed(_seed)
    random.seed(_seed)
    np.random.seed(_seed)  # noqa: NPY002 - the legacy generator is the one to be seeded


@contextmanager
def random_seed(seed: int) -> Iterator[None]:
    """Inside a `with` block, what `set_random_seed(seed)` does; after it, all generators go on where they were.

    Raises
    ------
    ValueError
        If `seed` is not an integer from 0 to 2**32 - 1.
    """
    global _seed
    before = _seed, _generator.getstate(), random.getstate(), np.random.get_state()  # noqa: NPY002
    set_random_seed(seed)
    try:
        yield
    finally:
        _seed = before[0]
        _generator.setstate(before[1])
        random.setstate(before[2])
        np.random.set_state(before[3])  # noqa: NPY002


def get_random_seed() -> int | None:
    """The seed last given to `set_random_seed`, or None."""
    return _seed


def make_seed() -> int:
    """A fresh seed between 1 and 10**9, derived from the global seed, or from the system's entropy if none was set."""
    return _generator.randint(1, _LARGEST)


def check_seed(seed: object) -> int:
    """`seed` as a Python int; it must be an integer (of Python or NumPy) that fits into 32 bits without sign."""
    try:
        value = -1 if isinstance(seed, (bool, np.bool_)) else operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        value = -1
    if not 0 <= value < 2**32:
        raise ValueError(f"seed must be an integer from 0 to 2**32 - 1. Received: {seed!r}")
    return value
